"""The firmware's C sources, and calls of a compiler."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from ohmcarlo.errors import OhmcarloError
from ohmcarlo_hdl.config import CoreConfig

from ..processes import run
from ..sources import FIRMWARE_SUFFIXES, firmware_sources, require_checkout
from .headers import headers

SOURCES = "src"
"""The only folder of C sources in an installed package."""
ZIG = (sys.executable, "-m", "ziglang")
WARNINGS = ("-std=c11", "-Wall", "-Wextra", "-Werror", "-Wconversion", "-Wshadow", "-Wvla")


def sources(*folders: str) -> dict[str, str]:
    """``folder/name`` → text of the C sources, assembly and linker script."""
    found = {}
    for name in folders:
        folder = firmware_sources()
        if name != SOURCES:
            folder = require_checkout("the firmware on this machine") / "firmware" / name
        for path in sorted(folder.iterdir()):
            if path.suffix in FIRMWARE_SUFFIXES:
                found[f"{name}/{path.name}"] = path.read_text("utf-8")
    return found


def compilation(config: CoreConfig, *folders: str) -> dict[str, str]:
    """``sources`` and the headers that are generated for a configuration."""
    return sources(*folders) | {f"generated/{n}": t for n, t in headers(config).items()}


@contextmanager
def workplace(files: Mapping[str, str]) -> Iterator[Path]:
    """A folder with these files.

    Compilers are given relative paths only, so that their output does not depend on the folder.
    """
    with TemporaryDirectory() as name:
        folder = Path(name)
        for path, text in files.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text, encoding="utf-8", newline="\n")
        yield folder


def compile_in(folder: Path, command: Sequence[str]) -> None:
    """Run a compiler in ``folder``. Raises OhmcarloError with its messages when it fails."""
    code, printed = run(command, folder)
    if code:
        raise OhmcarloError(f"the firmware does not compile:\n{printed}")
