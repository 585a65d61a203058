"""What is to be built, and the hash by which a build is recognised."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from ohmcarlo.errors import UsageError
from ohmcarlo_hdl.boards import Board, board_of
from ohmcarlo_hdl.boards.board import uart_divisor
from ohmcarlo_hdl.boards.pll import PllSettings
from ohmcarlo_hdl.config import CoreConfig
from ohmcarlo_hdl.soc.design import design_hash, files_digest, tool_versions

from .tools import Tool

ROOT = Path(__file__).parents[2]
MADE_WITH = ("amaranth-boards", "ziglang")
"""Packages beyond those of the design hash that decide what comes out."""


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
    """

    board: Board
    config: CoreConfig
    clock_hz: int
    settings: PllSettings
    seed: int

    @property
    def real_clock_hz(self) -> int:
        return round(self.settings.clock_hz)

    @property
    def name(self) -> str:
        """Of its folder: the board, and the shape if it is not the board's own."""
        board, g = self.board, self.config.geometry
        if self.config == board.config:
            return board.name
        if self.config == board.small:
            return f"{board.name}-small"
        return f"{board.name}-{g.rows}x{g.pairs}x{g.access_bits}"

    def key(self, tools: list[Tool]) -> str:
        """SHA-256 of everything that goes into the bitstream, ``tools`` among it."""
        own = [p for p in (ROOT / "rtl_gen").rglob("*.py") if p.is_file()]
        firmware = [p for p in (ROOT / "firmware" / "src").rglob("*") if p.is_file()]
        parts: list[Any] = [
            design_hash(self.config),
            files_digest(ROOT, own + firmware),
            tool_versions(MADE_WITH),
            {tool.name: tool.version for tool in tools},
            [self.board.name, self.board.build_options, self.real_clock_hz, self.seed],
        ]
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def request_of(
    board: str,
    *,
    small: bool = False,
    rows: int | None = None,
    pairs: int | None = None,
    access_bits: int | None = None,
    clock_mhz: float | None = None,
    seed: int = 1,
) -> Request:
    """The request that these options make; what is None is as the board has it.

    Raises UsageError when there is no such board, array or clock.
    """
    wanted = board_of(board)
    base = wanted.small if small else wanted.config
    shape = {"rows": rows, "pairs": pairs, "access_bits": access_bits}
    given = {name: value for name, value in shape.items() if value is not None}
    config = replace(base, geometry=replace(base.geometry, **given)) if given else base
    clock_hz = wanted.clock_hz if clock_mhz is None else round(clock_mhz * 1e6)
    if seed < 0:
        raise UsageError(f"--seed {seed}: choose 0 or more")
    input_hz = round(wanted.platform().default_clk_frequency)
    settings = wanted.flow.pll.settings(input_hz, clock_hz)
    uart_divisor(round(settings.clock_hz))
    return Request(wanted, config, clock_hz, settings, seed)


def parameters(config: CoreConfig) -> dict[str, Any]:
    """The configuration for a manifest: ``geometry`` and the rest."""
    return asdict(config)
