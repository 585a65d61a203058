"""The names of several boards in one backend: ``serial:A,serial:B``, ``rtl,rtl``, ``model,rtl``."""

from __future__ import annotations

import os
from collections import Counter

from ...errors import UsageError
from ..registers.places import DEVMEM, physical_place

SEPARATOR = ","
REPEATABLE = ("model", "rtl", "small:rtl")
"""Boards of which a computer can have any number."""


def names_of(backend: str) -> tuple[str, ...]:
    """The boards that a backend names, in order.

    >>> names_of("serial:/dev/ttyUSB0, rtl")
    ('serial:/dev/ttyUSB0', 'rtl')
    >>> names_of("devmem:0x43C00000,0x1000")
    ('devmem:0x43C00000,0x1000',)

    What follows the address of a ``devmem:`` board is its size, unless it names a board.
    """
    found: list[str] = []
    for part in backend.split(SEPARATOR):
        name = part.strip()
        board = ":" in name or name in REPEATABLE
        if found and found[-1].startswith(DEVMEM) and not board:
            found[-1] += SEPARATOR + name  # its size
        else:
            found.append(name)
    return tuple(found)


def require_distinct(names: tuple[str, ...]) -> None:
    """Raise UsageError if a board that exists once is named twice."""
    for name, count in Counter(names).items():
        if count > 1 and name not in REPEATABLE:
            raise UsageError(
                f"--backend names {name} {count} times: a board has one array at a time, so name "
                "each board once"
            )


def require_distinct_places(names: tuple[str, ...]) -> None:
    """Raise UsageError if two names lead to the same port or address on this computer, for example
    ``/dev/ttyUSB0`` and a link to it in ``/dev/serial/by-id``."""
    known: dict[str | int, str] = {}
    for name in names:
        if name in REPEATABLE:
            continue
        place = _place_of(name)
        if place in known:
            raise UsageError(
                f"--backend names one board twice, as {known[place]} and as {name}: a board has "
                "one array at a time, so name each board once"
            )
        known[place] = name


def _place_of(name: str) -> str | int:
    """What a board is connected to: a device, or an address."""
    if name.startswith(DEVMEM):
        return physical_place(name)[0]
    return os.path.normcase(os.path.realpath(name.partition(":")[2]))
