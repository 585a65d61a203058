"""State windows of the step controller: software reads and loads them between runs."""

from __future__ import annotations

from typing import Any

from amaranth import Module, Value

from ohmcarlo.spec import CODE_BITS

from ...config import CoreConfig
from ..sample import SampleMemory
from .current import CurrentSamples
from .progress import Progress, Rounds
from .turn import Turn

G_MINUS_BIT = 16
"""Lowest bit of g⁻ in a word of ``state_samples``; g⁺ begins at bit 0."""
INITIALISED_BIT, STARTED_BIT, ROUND_LOW = 8, 9, 16
"""Flags in the word of ``state_step``, and the lowest bit of the rounds; the region begins at bit
0."""


def attach_regions(
    m: Module, window: Any, inner: Any, current: CurrentSamples, decision: Any
) -> None:
    """``state_regions``: words of ``Rows`` (its window is ``inner``), and those of ``current``."""
    for name in ("stb", "addr", "data", "r_stb", "r_addr"):
        m.d.comb += getattr(inner, name).eq(getattr(window, name))
    m.d.comb += window.r_data.eq(inner.r_data)
    current.attach(m, window, decision)


def attach_samples(
    m: Module, config: CoreConfig, window: Any, memory: SampleMemory, banks: Any
) -> None:
    """``state_samples``: the codes of the current samples, through the recorder's read port."""
    with m.If(window.r_stb):
        m.d.comb += memory.record_read.eq(1)
        m.d.comb += _current_place(config, memory.record_place, window.r_addr, banks)
    m.d.comb += memory.load.eq(window.stb)
    m.d.comb += _current_place(config, memory.load_place, window.addr, banks)
    codes: Any = memory.record_codes
    for side, low in enumerate((0, G_MINUS_BIT)):
        m.d.comb += [
            memory.load_codes[side].eq(window.data[low:]),
            window.r_data[low : low + CODE_BITS].eq(codes[side]),
        ]


def _current_place(config: CoreConfig, place: Any, addr: Value, banks: Any) -> list[Any]:
    """``place`` becomes the place of word ``addr`` of ``state_samples`` in a current sample."""
    pair = config.device_bits - 1
    row = pair + config.max_group_rows.bit_length() - 1
    return [
        place.pair.eq(addr[:pair]),
        place.group_row.eq(addr[pair:row]),
        place.region.eq(addr[row:]),
        place.bank.eq(banks[addr[row:]]),
    ]


def attach_step(
    m: Module, window: Any, turn: Turn, progress: Progress, rounds: Rounds, started: Any
) -> None:
    """``state_step``: region of the next step, two flags, and rounds since the last wide one."""
    m.d.comb += window.r_data.eq(
        turn.region
        | progress.initialised << INITIALISED_BIT
        | started << STARTED_BIT
        | rounds.number << ROUND_LOW
    )
    with m.If(window.stb):
        m.d.comb += turn.to(window.data)
        m.d.sync += [
            progress.initialised.eq(window.data[INITIALISED_BIT]),
            started.eq(window.data[STARTED_BIT]),
            rounds.number.eq(window.data[ROUND_LOW:]),
        ]
