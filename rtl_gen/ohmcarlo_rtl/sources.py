"""The sources of all outputs: their folders and their digests."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from ohmcarlo.errors import UsageError
from ohmcarlo_hdl.soc.design import files_digest

PACKAGE = Path(__file__).parent
REPOSITORY = PACKAGE.parents[1]
"""The root of the checkout; meaningless in an installed package."""


def in_checkout() -> bool:
    return (REPOSITORY / "firmware" / "src").is_dir()


def require_checkout(what: str) -> Path:
    """The root of the checkout. Raises UsageError in an installed package."""
    if not in_checkout():
        raise UsageError(f"{what} needs a checkout of the repository, not an installed package")
    return REPOSITORY


def firmware_sources() -> Path:
    """The folder of the firmware's C sources: of the checkout, or as package data of a wheel."""
    if in_checkout():
        return REPOSITORY / "firmware" / "src"
    return PACKAGE.with_name("ohmcarlo_firmware")


def driver_sources() -> Path:
    """The folder of the bare-metal driver's C sources, in the same way."""
    if in_checkout():
        return REPOSITORY / "firmware" / "driver"
    return PACKAGE.with_name("ohmcarlo_driver")


def firmware_digest() -> str:
    """SHA-256 of the firmware's sources, the same in a checkout and in a wheel."""
    folder = firmware_sources()
    return files_digest(folder, [p for p in folder.iterdir() if p.suffix in FIRMWARE_SUFFIXES])


FIRMWARE_SUFFIXES = frozenset({".c", ".h", ".S", ".ld"})


def generator_digest(rooms: Collection[str]) -> str:
    """SHA-256 of the modules that all rooms share and of the sources below ``rooms``."""
    files = [p for p in PACKAGE.glob("*.py") if p.name != "__main__.py"]
    for room in rooms:
        files += [p for p in (PACKAGE / room).rglob("*") if p.suffix in {".py", ".cpp"}]
    return files_digest(PACKAGE, files)
