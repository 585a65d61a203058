"""Registers of the regions (one chain each), and their state window."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from amaranth import Array, Module, Signal, Value, unsigned
from amaranth.hdl import ShapeLike, ValueLike
from amaranth.utils import bits_for

from ..config import CoreConfig
from .interface import MULTIPLICITY_BITS, REGION_WORDS

WORD_ADDRESS_BITS = bits_for(REGION_WORDS - 1)

PLACES = {
    "free_head": (0, 0),
    "free_count": (1, 0),
    "retired_head": (2, 0),
    "retired_count": (3, 0),
    "row": (4, 0),
    "has_sample": (4, 31),
    "multiplicity": (5, 0),
}
"""Word of a region, and lowest bit, in which the window has a register."""


def shapes(config: CoreConfig) -> dict[str, ShapeLike]:
    """Registers of a region: its queue, its ring and its sample."""
    row, count = unsigned(config.row_bits), range(config.geometry.rows + 1)
    return {
        "free_head": row,
        "free_count": count,
        "retired_head": row,
        "retired_count": count,
        "row": row,
        "has_sample": unsigned(1),
        "multiplicity": unsigned(MULTIPLICITY_BITS),
    }


class Regions:
    """The registers of all regions. Only those of ``target`` change in a clock. All registers of
    one name share one source, and each has an enable.

    Parameters
    ----------
    m : Module
        The module that holds the registers.
    config : CoreConfig
    here : Value
        The region at work; the ``target`` unless another one is given.
    """

    def __init__(self, m: Module, config: CoreConfig, here: Value) -> None:
        self.m = m
        self.here = here
        self.target = Signal(config.region_bits)
        m.d.comb += self.target.eq(here)
        indices = range(config.max_regions)
        self._bases = [Signal(config.row_bits, name=f"region{i}_base") for i in indices]
        self._registers: dict[str, list[Signal]] = {}
        self._next: dict[str, tuple[Signal, Signal]] = {}
        for name, shape in shapes(config).items():
            registers = [Signal(shape, name=f"region{i}_{name}") for i in indices]
            enable, value = Signal(name=f"put_{name}"), Signal(shape, name=f"next_{name}")
            self._registers[name], self._next[name] = registers, (enable, value)
            for i, register in enumerate(registers):
                with m.If(enable & (self.target == i)):
                    m.d.sync += register.eq(value)

    def __getitem__(self, name: str) -> Any:
        """A register of the region at work."""
        return self.of(name, self.here)

    def of(self, name: str, region: Value) -> Any:
        """A register of some region."""
        return Array(self._registers[name])[region]

    def base(self, region: Value) -> Any:
        """First row of a region."""
        return Array(self._bases)[region]

    def put(self, name: str, value: ValueLike) -> list[Any]:
        """Statements of the comb domain: the register of the target becomes ``value``."""
        enable, new = self._next[name]
        return [enable.eq(1), new.eq(value)]

    def make_bases(self, rows_per_region: Value) -> None:
        """Compute the first row of each region from its number: region n is valid n clocks after
        ``rows_per_region`` changed."""
        for before, after in pairwise(self._bases):
            self.m.d.sync += after.eq(before + rows_per_region)

    def attach(self, window: Any) -> None:
        """Connect the state window: software writes the registers of any region, and reads those of
        the region at work in the clock of the data. Call it after the other uses."""
        m = self.m
        word = Signal(WORD_ADDRESS_BITS)
        m.d.sync += word.eq(window.r_addr)
        with m.If(window.stb):
            m.d.comb += self.target.eq(window.addr >> WORD_ADDRESS_BITS)
        for name, (place, low) in PLACES.items():
            with m.If(window.stb & (window.addr[:WORD_ADDRESS_BITS] == place)):
                m.d.comb += self.put(name, window.data[low:])
            value = Value.cast(self[name])
            with m.If(word == place):
                m.d.comb += window.r_data[low : low + len(value)].eq(value)
