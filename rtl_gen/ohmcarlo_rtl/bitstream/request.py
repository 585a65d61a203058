"""A bitstream to build: board, configuration, clock; and the hash that identifies its build."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from typing import Any

from ohmcarlo.errors import UsageError
from ohmcarlo_hdl.array.phy.parts import PhyConfig
from ohmcarlo_hdl.array.phy.phy import check_array
from ohmcarlo_hdl.boards import BOARDS, Board, board_of
from ohmcarlo_hdl.boards.board import uart_divisor
from ohmcarlo_hdl.boards.pll import PllSettings
from ohmcarlo_hdl.config import ARRAYS, EMULATOR, PHY, CoreConfig
from ohmcarlo_hdl.soc.design import design_hash, tool_versions

from ..sources import firmware_digest, generator_digest
from .tools import Tool

MADE_WITH = ("amaranth-boards", "ziglang")
"""Packages, beyond those of the design hash, that the result depends on."""
ROOMS = ("bitstream", "controller", "registers", "firmware")
"""Parts of the generator that the result depends on."""
TRIES = 4
"""Seeds of place and route that are tried, one after the other, unless one is given."""


@dataclass(frozen=True)
class Request:
    """A bitstream to build.

    Attributes
    ----------
    board : Board
    config : CoreConfig
    clock_hz : int
        Wanted; ``settings.clock_hz`` is the frequency that the PLL reaches.
    settings : PllSettings
    seed : int
        Of place and route.
    tries : int
        At most this many seeds, from ``seed`` on, until one meets the clock.
    """

    board: Board
    config: CoreConfig
    clock_hz: int
    settings: PllSettings
    seed: int
    tries: int

    @property
    def real_clock_hz(self) -> int:
        return round(self.settings.clock_hz)

    @property
    def name(self) -> str:
        """Name of its folder: the board, a shape other than the board's own, a real array."""
        board, g, array = self.board, self.config.geometry, self.config.array
        end = "" if array == EMULATOR else f"-{array}"
        shape = replace(self.config, phy=None)
        if shape == own_config(board, False, array):
            return f"{board.name}{end}"
        if shape == own_config(board, True, array):
            return f"{board.name}-compact{end}"
        return f"{board.name}-{g.rows}x{g.pairs}x{g.access_bits}{end}"

    def key(self, tools: list[Tool]) -> str:
        """SHA-256 of everything that the bitstream depends on, ``tools`` included."""
        parts: list[Any] = [
            design_hash(self.config),
            generator_digest(ROOMS),
            firmware_digest(),
            tool_versions(MADE_WITH),
            {tool.name: tool.version for tool in tools},
            [self.board.name, self.board.build_options, self.real_clock_hz, self.seed, self.tries],
        ]
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def own_config(board: Board, compact: bool, array: str) -> CoreConfig:
    """The board's default configuration; for a real array, ``phy`` is still to be set.

    A real array gets one bit an access, as its lines are on or off. Its devices have read noise, so
    that dot products can be digital, and reads repeated.
    """
    config = board.compact if compact else board.config
    if array == EMULATOR:
        return config
    able = not config.bit_serial
    return replace(config_with(config, access_bits=1), digital_dots=able, repeats=able)


def config_with(config: CoreConfig, **shape: int) -> CoreConfig:
    """The same controller for an array of another shape."""
    return replace(config, geometry=replace(config.geometry, **shape)) if shape else config


def request_of(
    board: str,
    *,
    array: str = EMULATOR,
    compact: bool = False,
    rows: int | None = None,
    pairs: int | None = None,
    access_bits: int | None = None,
    clock_mhz: float | None = None,
    seed: int | None = None,
) -> Request:
    """The request for these options; None stands for the board's default.

    Raises UsageError for an unknown board or array, or an impossible shape or clock.
    """
    wanted = board_of(board)
    require_headers(wanted, array)
    shape = {"rows": rows, "pairs": pairs, "access_bits": access_bits}
    given = {name: value for name, value in shape.items() if value is not None}
    config = config_with(own_config(wanted, compact, array), **given)
    clock_hz = wanted.clock_hz if clock_mhz is None else round(clock_mhz * 1e6)
    if seed is not None and seed < 0:
        raise UsageError(f"--seed {seed}: choose 0 or more")
    input_hz = round(wanted.platform().default_clk_frequency)
    settings = wanted.flow.pll.settings(input_hz, clock_hz)
    uart_divisor(round(settings.clock_hz))
    if array == PHY:
        config = replace(config, phy=PhyConfig(round(settings.clock_hz)))
        check_array(config)
    first, tries = (1, TRIES) if seed is None else (seed, 1)
    return Request(wanted, config, clock_hz, settings, first, tries)


def require_headers(board: Board, array: str) -> None:
    """Raise UsageError unless the array is known and the board has the wires for it."""
    if array not in ARRAYS:
        raise UsageError(f"array {array!r} is unknown: choose {' or '.join(ARRAYS)}")
    if array == PHY and board.header is None:
        able = ", ".join(b.name for b in BOARDS.values() if b.header and not b.config.bit_serial)
        raise UsageError(f"{board.title} has no headers for a daughterboard: choose among {able}")
