"""Boards: what runs the chain. One interface; the caller never asks which one it has."""

from __future__ import annotations

from ..array.base import Array
from ..errors import UsageError
from .base import ENTROPY_ALARM, EXHAUSTED, RUNNING, Block, Board
from .model import ModelBoard

__all__ = [
    "BACKENDS",
    "ENTROPY_ALARM",
    "EXHAUSTED",
    "RUNNING",
    "Block",
    "Board",
    "ModelBoard",
    "check_backend",
    "open_board",
]

BACKENDS = ("model",)
PLANNED = ("rtl", "serial")


def check_backend(backend: str) -> None:
    """Raise UsageError, with what exists, unless ``backend`` names a board of this version."""
    if backend in BACKENDS:
        return
    known = ", ".join(BACKENDS)
    if backend.partition(":")[0] in PLANNED:
        raise UsageError(
            f"backend {backend!r}: this version of ohmcarlo has no such board yet; "
            f"use --backend {known} (the bit-exact reference, in process)"
        )
    raise UsageError(f"backend {backend!r} is unknown: choose {known}")


def open_board(backend: str, array: Array) -> Board:
    """The board that ``backend`` names, with ``array`` behind its controller.

    Parameters
    ----------
    backend : str
        ``"model"``: the golden model in this process.
    array : Array
        Its geometry is the board's until ``configure`` gives another split into chains.

    Raises
    ------
    UsageError
        For a backend that is unknown or not in this version.
    """
    check_backend(backend)
    return ModelBoard(array)
