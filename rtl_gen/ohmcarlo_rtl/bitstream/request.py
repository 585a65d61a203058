"""What is to be built, and the hash by which a build is recognised."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from ohmcarlo.errors import UsageError
from ohmcarlo_hdl.array.phy.parts import PhyConfig
from ohmcarlo_hdl.array.phy.phy import check_array
from ohmcarlo_hdl.boards import BOARDS, Board, board_of
from ohmcarlo_hdl.boards.board import uart_divisor
from ohmcarlo_hdl.boards.pll import PllSettings
from ohmcarlo_hdl.config import ARRAYS, EMULATOR, PHY, CoreConfig
from ohmcarlo_hdl.soc.design import design_hash, files_digest, tool_versions

from .tools import Tool

ROOT = Path(__file__).parents[3]
MADE_WITH = ("amaranth-boards", "ziglang")
"""Packages beyond those of the design hash that decide what comes out."""
TRIES = 4
"""Seeds that are tried, one after the other, where nobody chose one."""


@dataclass(frozen=True)
class Request:
    """A bitstream that somebody wants.

    Attributes
    ----------
    board : Board
    config : CoreConfig
    clock_hz : int
        Wanted; ``settings.clock_hz`` is what the PLL makes of it.
    settings : PllSettings
    seed : int
        Of place and route.
    tries : int
        That many seeds from there on, until one meets the clock.
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
        """Of its folder: the board, the shape if it is not the board's own, a real array."""
        board, g, array = self.board, self.config.geometry, self.config.array
        end = "" if array == EMULATOR else f"-{array}"
        shape = replace(self.config, phy=None)
        if shape == own_config(board, False, array):
            return f"{board.name}{end}"
        if shape == own_config(board, True, array):
            return f"{board.name}-small{end}"
        return f"{board.name}-{g.rows}x{g.pairs}x{g.access_bits}{end}"

    def key(self, tools: list[Tool]) -> str:
        """SHA-256 of everything that goes into the bitstream, ``tools`` among it."""
        # which rows a table has changes no bitstream
        own = [
            p
            for p in (ROOT / "rtl_gen" / "ohmcarlo_rtl").rglob("*.py")
            if p.is_file() and p.name != "table.py"
        ]
        firmware = [p for p in (ROOT / "firmware" / "src").rglob("*") if p.is_file()]
        parts: list[Any] = [
            design_hash(self.config),
            files_digest(ROOT, own + firmware),
            tool_versions(MADE_WITH),
            {tool.name: tool.version for tool in tools},
            [self.board.name, self.board.build_options, self.real_clock_hz, self.seed, self.tries],
        ]
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def own_config(board: Board, small: bool, array: str) -> CoreConfig:
    """What a board gets if nothing else is asked for; a real array's interface is yet to be set.

    Its lines are on or off: one bit an access.
    """
    config = board.compact if small else board.config
    return config if array == EMULATOR else config_with(config, access_bits=1)


def config_with(config: CoreConfig, **shape: int) -> CoreConfig:
    """The same controller for an array of another shape."""
    return replace(config, geometry=replace(config.geometry, **shape)) if shape else config


def request_of(
    board: str,
    *,
    array: str = EMULATOR,
    small: bool = False,
    rows: int | None = None,
    pairs: int | None = None,
    access_bits: int | None = None,
    clock_mhz: float | None = None,
    seed: int | None = None,
) -> Request:
    """The request that these options make; what is None is as the board has it.

    Raises UsageError when there is no such board, array or clock.
    """
    wanted = board_of(board)
    require_headers(wanted, array)
    shape = {"rows": rows, "pairs": pairs, "access_bits": access_bits}
    given = {name: value for name, value in shape.items() if value is not None}
    config = config_with(own_config(wanted, small, array), **given)
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
    """UsageError unless there is such an array, and the board has wires to it."""
    if array not in ARRAYS:
        raise UsageError(f"array {array!r} is unknown: choose {' or '.join(ARRAYS)}")
    if array == PHY and board.header is None:
        able = ", ".join(b.name for b in BOARDS.values() if b.header and not b.config.bit_serial)
        raise UsageError(f"{board.title} has no headers for a daughterboard: choose among {able}")


def parameters(config: CoreConfig) -> dict[str, Any]:
    """The configuration for a manifest: ``geometry`` and the rest."""
    return asdict(config)
