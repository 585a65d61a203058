"""Boards that the hardware is built for: platform, pins, clock, lights."""

from __future__ import annotations

from collections.abc import Mapping

from ohmcarlo.errors import UsageError

from .arty_a7 import ARTY_A7
from .board import Board
from .ecpix5 import ECPIX5_85F
from .hx8k import HX8K
from .icebreaker import ICEBREAKER
from .icepi_zero import ICEPI_ZERO
from .olimex_gatemate import OLIMEX_GATEMATE
from .tang_nano_20k import TANG_NANO_20K
from .tang_primer_20k import TANG_PRIMER_20K
from .ulx3s import ULX3S_12F, ULX3S_85F

BOARDS: Mapping[str, Board] = {
    board.name: board
    for board in (
        ULX3S_85F,
        ECPIX5_85F,
        ULX3S_12F,
        ICEPI_ZERO,
        TANG_NANO_20K,
        TANG_PRIMER_20K,
        OLIMEX_GATEMATE,
        ICEBREAKER,
        HX8K,
        ARTY_A7,
    )
}


def board_of(name: str) -> Board:
    """The board of this name. Raises UsageError, with a list of all names, if it is unknown."""
    if name not in BOARDS:
        raise UsageError(f"board {name!r} is unknown: choose among {', '.join(BOARDS)}")
    return BOARDS[name]
