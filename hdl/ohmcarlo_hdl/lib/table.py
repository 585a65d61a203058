"""Tables of linear segments in RAM or ROM, with interpolation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from amaranth import Cat, Const, Module, Mux, Signal, signed, unsigned
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from ohmcarlo.spec import segments_of

from .pipeline import delayed
from .window import Access, Window

IN_BLOCK_RAM = {"rom_style": "block", "ram_style": "block"}
"""A table in logic would be slower and large."""


class SegmentTable(wiring.Component):
    """``low + shift_round(delta * fraction, fraction_bits)``, ``LATENCY`` clocks after its inputs.

    A free-running pipeline: one lookup per clock, no handshake. With ``nodes`` the table is a ROM;
    otherwise it is loaded through ``load``: segment ``i`` has word ``2 i`` (low) and word
    ``2 i + 1`` (delta), each sign-extended to 32 bits. A read of a word takes the place of the
    lookup of that clock.

    Twin: ``ohmcarlo.spec.interpolate``.

    Parameters
    ----------
    segments, fraction_bits : int
        Number of segments, and fraction bits within one.
    low_bits, delta_bits : int
        Signed widths of a node and of the step to the next node.
    nodes : sequence of int, optional
        Content of a ROM.
    wide : bool
        The product is wider than a multiplier of an FPGA; it takes ``WIDE_LATENCY`` clocks.
    readable : bool
        Words can be read, too.

    Attributes
    ----------
    index : In(range(segments))
        Segment.
    fraction : In(fraction_bits)
        Position within the segment.
    value : Out(signed(low_bits + 1))
        Interpolated value.
    load : In(Access if readable else Window)
        Words of the segments; only without ``nodes``.
    """

    LATENCY = 3
    WIDE_LATENCY = LATENCY + 1

    def __init__(
        self,
        segments: int,
        fraction_bits: int,
        low_bits: int,
        delta_bits: int,
        nodes: Sequence[int] | None = None,
        *,
        wide: bool = False,
        readable: bool = False,
    ) -> None:
        self.segments = segments
        self.fraction_bits = fraction_bits
        self.low_bits, self.delta_bits = low_bits, delta_bits
        self.nodes, self.wide, self.readable = nodes, wide, readable
        ports: dict[str, Any] = {
            "index": In(range(segments)),
            "fraction": In(unsigned(fraction_bits)),
            "value": Out(signed(low_bits + 1)),
        }
        if nodes is None:
            window = Access if readable else Window
            ports["load"] = In(window(1 + (segments - 1).bit_length()))
        super().__init__(ports)

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        init = segments_of(self.nodes or ())
        # two memories, so that either half of a segment is written on its own
        lows = Memory(
            shape=signed(self.low_bits),
            depth=self.segments,
            init=[low for low, _ in init],
            attrs=IN_BLOCK_RAM,
        )
        deltas = Memory(
            shape=signed(self.delta_bits),
            depth=self.segments,
            init=[delta for _, delta in init],
            attrs=IN_BLOCK_RAM,
        )
        m.submodules.lows, m.submodules.deltas = lows, deltas
        if self.nodes is None:
            for half, memory in enumerate((lows, deltas)):
                write = memory.write_port()
                m.d.comb += [
                    write.addr.eq(self.load.addr[1:]),
                    write.data.eq(self.load.data),
                    write.en.eq(self.load.stb & (self.load.addr[0] == half)),
                ]
        low_port, delta_port = lows.read_port(), deltas.read_port()
        # Block RAMs and multipliers are slow, so a register separates them. Half an LSB is appended
        # to the low end: product, sum and rounding are one multiplication and one addition.
        first, fraction = Signal(self.fraction_bits), Signal(self.fraction_bits)
        low = Signal(signed(self.low_bits))
        delta = Signal(signed(self.delta_bits))
        half = Const((1 << self.fraction_bits) >> 1, self.fraction_bits)
        product: Any = delta * fraction
        low_index: Any = self.index
        if self.wide:  # the low end is used, and looked up, a clock later
            product, low_index = delayed(m, product, 1, "product"), delayed(m, low_index, 1, "late")
        m.d.comb += [low_port.addr.eq(low_index), delta_port.addr.eq(self.index)]
        if self.readable:
            self._read(m, low_port, delta_port)
        m.d.sync += [
            first.eq(self.fraction),
            fraction.eq(first),
            low.eq(low_port.data),
            delta.eq(delta_port.data),
            self.value.eq((Cat(half, low).as_signed() + product) >> self.fraction_bits),
        ]
        return m

    def _read(self, m: Module, low_port: Any, delta_port: Any) -> None:
        """Read words through the ports of the lookups."""
        step = Signal(reset_less=True)
        m.d.sync += step.eq(self.load.r_addr[0])
        with m.If(self.load.r_stb):
            m.d.comb += [port.addr.eq(self.load.r_addr[1:]) for port in (low_port, delta_port)]
        m.d.comb += self.load.r_data.eq(Mux(step, delta_port.data, low_port.data))
