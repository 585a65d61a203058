"""The controller in a clock domain of its own, with registers at its ports."""

from __future__ import annotations

from typing import Any

from amaranth import Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from ohmcarlo.spec.link import SAMPLE_PROPOSAL_BIT

from ..array.phy.pins import pins_signature
from ..config import REFERENCE, CoreConfig
from ..core.core import EmulatedCore
from ..core.phy_core import PhyCore
from ..lib.fifo import StreamFifo
from ..lib.pipeline import delayed
from ..regs.bus import Bus
from ..regs.map import register_map
from .records import WORD_BITS, RecordMerger

FIFO_WORDS = 4


class CoreIsland(wiring.Component):
    """The controller with its array and its records, for a clock domain of its own.

    It contains an ``EmulatedCore``, or with ``config.phy`` a ``PhyCore``. Every port passes a
    register, except ``pins``, which come from registers and whose times count in clocks. There is
    no combinational path from an input to an output, nor from an input to the controller. This
    keeps paths short on an FPGA, and a simulator that skips clocks of the island need not evaluate
    it.

    Parameters
    ----------
    config : CoreConfig
    fast : bool
        As in ``Emulator``.

    Attributes
    ----------
    bus : In(Bus)
        The controller's bus, two clocks later: ``r_data`` follows ``READ_LATENCY`` clocks after
        ``r_stb`` and stays until the next read, which is at least as many clocks later. ``error``
        is high in one clock, as many clocks after its strobe.
    off : In(1)
        Emergency stop.
    records : Out(stream of 32-bit words)
        Records, as in ``RecordMerger``.
    active : Out(1)
        The island needs its clock without an access. It is low while a proposal waits for its
        log-likelihood, from the end of its record to the next write.
    pins : Out(pins_signature)
        Wires to a daughterboard; only with ``config.phy``.
    """

    READ_LATENCY = Bus.LATENCY + 2

    def __init__(self, config: CoreConfig = REFERENCE, fast: bool = True) -> None:
        self.config, self.fast = config, fast
        ports: dict[str, Any] = {
            "bus": In(Bus(register_map(config).addr_width)),
            "off": In(1),
            "records": Out(stream.Signature(WORD_BITS)),
            "active": Out(1),
        }
        if config.phy is not None:
            ports["pins"] = Out(pins_signature())
        super().__init__(ports)

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        core: Any
        if self.config.phy is None:
            core = EmulatedCore(self.config, self.fast)
        else:
            core = PhyCore(self.config)
            wiring.connect(m, core.pins, wiring.flipped(self.pins))
        m.submodules.core = core
        m.submodules.merger = merger = RecordMerger(self.config)
        m.submodules.fifo = fifo = StreamFifo(WORD_BITS, FIFO_WORDS)
        for source, sink in (
            (core.step_records, merger.steps),
            (core.samples, merger.samples),
            (core.predictions, merger.predictions),
            (merger.words, fifo.input),
            (fifo.output, wiring.flipped(self.records)),
        ):
            wiring.connect(m, source, sink)
        # r_data of the controller is valid in this clock
        answers = delayed(m, core.bus.r_stb, Bus.LATENCY, "answers", reset=True)
        m.d.sync += [
            core.bus.addr.eq(self.bus.addr),
            core.bus.w_data.eq(self.bus.w_data),
            core.bus.w_stb.eq(self.bus.w_stb),
            core.bus.r_stb.eq(self.bus.r_stb),
            self.bus.r_data.eq(Mux(answers, core.bus.r_data, self.bus.r_data)),
            self.bus.error.eq(core.bus.error),
            core.off.eq(self.off),
        ]
        shown = core.samples
        begins, proposal, waits = Signal(init=1), Signal(), Signal()
        with m.If(shown.valid & shown.ready):
            is_proposal = Mux(begins, shown.payload.word[SAMPLE_PROPOSAL_BIT], proposal)
            m.d.sync += [begins.eq(shown.payload.last), proposal.eq(is_proposal)]
            with m.If(shown.payload.last):
                m.d.sync += waits.eq(is_proposal)
        with m.If(self.bus.w_stb):
            m.d.sync += waits.eq(0)
        m.d.comb += [
            merger.sample_pairs.eq(core.sample_pairs),
            self.active.eq(
                (core.busy & ~waits)
                | core.step_records.valid
                | core.samples.valid
                | core.predictions.valid
                | fifo.input.valid
                | (fifo.level != 0)
            ),
        ]
        return m
