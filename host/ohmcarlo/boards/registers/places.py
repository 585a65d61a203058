"""Backends on a memory-mapped bus, by the names that a user gives them."""

from __future__ import annotations

import mmap
from typing import TYPE_CHECKING

from ...errors import UsageError

if TYPE_CHECKING:
    from .access import MappedMemory

PAGE = mmap.PAGESIZE
MMIO, DEVMEM = "mmio:", "devmem:"
FORMS = (f"{MMIO}/dev/uioN", f"{DEVMEM}ADDRESS[,SIZE]")
"""The backends, for help and messages."""
EXAMPLES = {MMIO: f"{MMIO}/dev/uio0", DEVMEM: f"{DEVMEM}0x43C00000"}


def is_mapped(backend: str) -> bool:
    """Whether the name is one of these backends."""
    return backend.startswith((MMIO, DEVMEM)) or f"{backend}:" in EXAMPLES


def check_mapped(backend: str) -> None:
    """Raise UsageError unless ``backend`` names a place; nothing is opened."""
    kind, _, rest = backend.partition(":")
    if not rest:
        raise UsageError(f"--backend {kind}: needs a place, such as {EXAMPLES[f'{kind}:']}")
    if backend.startswith(DEVMEM):
        physical_place(backend)


def physical_place(backend: str) -> tuple[int, int | None]:
    """Address and size in ``devmem:ADDRESS[,SIZE]``, in bytes.

    >>> physical_place("devmem:0x43C00000,0x40000")
    (1136656384, 262144)
    """
    address, comma, size = backend.removeprefix(DEVMEM).partition(",")
    found = _number(address, backend)
    if found % PAGE:
        raise UsageError(
            f"--backend {backend}: the address is no multiple of {PAGE:#x}, the size of a page: "
            "give that of the first register of the core"
        )
    if not comma:
        return found, None
    length = _number(size, backend)
    if not length or length % PAGE:
        wrong = f"no multiple of {PAGE:#x}, the size of a page" if length else "0"
        raise UsageError(
            f"--backend {backend}: the size is {wrong}: leave it out, or give the one that "
            "`ohmcarlo export` prints"
        )
    return found, length


def _number(text: str, backend: str) -> int:
    try:
        value = int(text, 0)
    except ValueError:
        value = -1
    if value < 0:
        raise UsageError(
            f"--backend {backend}: {text!r} is no number: write {DEVMEM}ADDRESS or "
            f"{DEVMEM}ADDRESS,SIZE in bytes, such as {EXAMPLES[DEVMEM]}"
        )
    return value


def open_mapped(backend: str) -> MappedMemory:
    """The registers at ``mmio:DEVICE`` or ``devmem:ADDRESS[,SIZE]``.

    Raises UsageError for another name, OhmcarloError if they cannot be mapped.
    """
    from .access import DeviceMemory, UioMemory  # not on every operating system

    check_mapped(backend)
    if backend.startswith(DEVMEM):
        return DeviceMemory(*physical_place(backend))
    return UioMemory(backend.removeprefix(MMIO))
