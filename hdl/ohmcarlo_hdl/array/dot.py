"""The dot product of one access, and its converter."""

from __future__ import annotations

from typing import Any

from amaranth import Cat, Module, Mux, Signal, Value, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from ohmcarlo.spec import CODE_BITS

from ..config import CoreConfig
from ..lib.arith import saturate

WAYS = 8
"""Operands of one register stage of the adder tree: three adders in a row."""


class DotUnit(wiring.Component):
    """One access per clock; the reading follows ``latency`` clocks after ``start``.

    A tile may reach past the last pair of the row; the pairs beyond count as zero.

    Twin: one access of ``ohmcarlo.golden.likelihood.dot_access``.

    Attributes
    ----------
    start : In(1)
        An access begins, with ``inputs``, ``top`` and ``tile``.
    inputs : In(data.ArrayLayout(access_bits, tile_pairs))
        Input bits of each pair of the tile.
    top : In(1)
        The bits are the top bits of two's complement inputs.
    tile : In(tile_bits)
        Column tile.
    codes : In(data.ArrayLayout(CODE_BITS, 2 * pairs))
        Codes of the whole row, one clock after ``start``.
    done : Out(1)
        A reading is complete.
    reading : Out(signed(reading_bits))
        That reading.
    """

    def __init__(self, config: CoreConfig) -> None:
        self.config = config
        self.tree = 1
        while WAYS**self.tree < config.tile_pairs:
            self.tree += 1
        self.latency = 4 + self.tree
        super().__init__(
            {
                "start": In(1),
                "inputs": In(data.ArrayLayout(config.access_bits, config.tile_pairs)),
                "top": In(1),
                "tile": In(config.tile_bits),
                "codes": In(data.ArrayLayout(CODE_BITS, 2 * config.geometry.pairs)),
                "done": Out(1),
                "reading": Out(signed(config.reading_bits)),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        config = self.config
        lanes, width = range(config.tile_pairs), config.access_bits
        flying = Signal(self.latency)
        m.d.sync += flying.eq(Cat(self.start, flying))
        m.d.comb += self.done.eq(flying[-1])

        # inputs are delayed until the codes arrive
        inputs = [Signal(width, name=f"input_{i}") for i in lanes]
        top, tile = Signal(), Signal(config.tile_bits)
        m.d.sync += [top.eq(self.top), tile.eq(self.tile)]
        m.d.sync += [inputs[i].eq(self.inputs[i]) for i in lanes]

        # a register even with one tile, because the memories are slow and scattered over the chip
        pairs = [(self.codes[2 * p], self.codes[2 * p + 1]) for p in range(config.geometry.pairs)]
        chosen = [[Signal(CODE_BITS, name=f"code_{i}_{s}") for s in range(2)] for i in lanes]
        for i in lanes:
            m.d.sync += [c.eq(0) for c in chosen[i]]
            with m.Switch(tile):
                for t in range(config.tiles):
                    pair = t * config.tile_pairs + i
                    with m.Case(t):
                        if pair < len(pairs):
                            m.d.sync += [
                                c.eq(k) for c, k in zip(chosen[i], pairs[pair], strict=True)
                            ]
        inputs, top = self._later(m, inputs, top, "chosen")
        differences = [Signal(signed(CODE_BITS + 1), name=f"difference_{i}") for i in lanes]
        m.d.sync += [differences[i].eq(chosen[i][0] - chosen[i][1]) for i in lanes]
        inputs, top = self._later(m, inputs, top, "different")

        products = [Signal(signed(width + CODE_BITS + 1), name=f"product_{i}") for i in lanes]
        for product, bits, difference in zip(products, inputs, differences, strict=True):
            if width == 1:  # no multiplier
                m.d.sync += product.eq(Mux(bits, Mux(top, -difference, difference), 0))
            else:
                m.d.sync += product.eq(Cat(bits, top & bits[-1]).as_signed() * difference)

        terms: list[Value] = list(products)
        for level in range(self.tree - 1):
            sums = [self._sum(terms[i : i + WAYS]) for i in range(0, len(terms), WAYS)]
            terms = [Signal(s.shape(), name=f"sum_{level}_{i}") for i, s in enumerate(sums)]
            m.d.sync += [t.eq(s) for t, s in zip(terms, sums, strict=True)]
        geometry = config.geometry
        if geometry.dot_bits:
            half = (1 << geometry.dot_shift) >> 1
            rounded = (self._sum(terms) + half) >> geometry.dot_shift
            m.d.sync += self.reading.eq(saturate(rounded, geometry.dot_bits))
        else:
            m.d.sync += self.reading.eq(self._sum(terms))
        return m

    def _later(
        self, m: Module, inputs: list[Signal], top: Signal, name: str
    ) -> tuple[list[Signal], Signal]:
        """The inputs one clock later."""
        later = [Signal.like(s, name=f"{name}_{i}") for i, s in enumerate([*inputs, top])]
        m.d.sync += [new.eq(old) for new, old in zip(later, [*inputs, top], strict=True)]
        return later[:-1], later[-1]

    def _sum(self, terms: list[Value]) -> Value:
        while len(terms) > 1:
            terms = [
                terms[i] + terms[i + 1] if i + 1 < len(terms) else terms[i]
                for i in range(0, len(terms), 2)
            ]
        return terms[0]
