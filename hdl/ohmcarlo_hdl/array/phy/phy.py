"""The physical interface of a 1T1R array: DAC, ADC, line selects and pulses."""

from __future__ import annotations

from typing import Any

from amaranth import Cat, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

from ohmcarlo.errors import UsageError
from ohmcarlo.spec import CODE_MAX

from ...config import CoreConfig
from ...lib.arith import clip, saturate
from ..interface import Op, array_request, array_response
from ..sequencer import array_lines
from .adc import AdcReader
from .chain import LineChain
from .dac import USED, Channel, Rails, phy_voltages
from .parts import ADC, PhyTiming, check_clock, clocks
from .pins import PULSE_PINS, pins_signature

ADC_MAX = (1 << (ADC.bits - 1)) - 1
"""Largest reading; mid-scale is 0."""


def address_layout(config: CoreConfig) -> data.StructLayout:
    """Outputs of the address chain, QA of its first register first.

    ``coarse`` exists if the converter of a DOT is coarser than a code. It sets the amplifier to
    2**dot_shift codes per LSB.
    """
    geometry = config.geometry
    fields = {"row": config.row_bits, "device": config.device_bits, "tile": config.tile_bits}
    return data.StructLayout(fields | ({"coarse": 1} if geometry.dot_shift else {}))


def inputs_layout(config: CoreConfig) -> data.StructLayout:
    """Outputs of the inputs chain: a bit per pair of a tile, and the sign of all of them."""
    return data.StructLayout({"bits": config.tile_pairs, "negative": 1})


def check_array(config: CoreConfig) -> None:
    """Raise UsageError unless a physical array supports ``config``."""
    geometry, pairs = config.geometry, config.tile_pairs
    if geometry.access_bits != 1:
        raise UsageError(
            f"access_bits = {geometry.access_bits}: the line drivers of a physical array are "
            "on or off; choose access_bits = 1"
        )
    if geometry.dot_bits > ADC.bits:
        raise UsageError(
            f"dot_bits = {geometry.dot_bits}: the {ADC.name} has {ADC.bits} bits; choose "
            f"dot_bits = {ADC.bits} or fewer, and a dot_shift that fits"
        )
    if not geometry.dot_bits and pairs * CODE_MAX > ADC_MAX:
        raise UsageError(
            f"tile_pairs = {pairs}: an access sums up to {pairs * CODE_MAX} codes and the "
            f"{ADC.name} has room for {ADC_MAX}; choose tile_pairs = {ADC_MAX // CODE_MAX} or "
            f"fewer, or dot_bits = {ADC.bits} with a dot_shift"
        )


class Phy(wiring.Component):
    """An array on a daughterboard (``constraints/daughterboard.md``) behind the sequencer.

    A request is taken once the rails, the line selects and the inputs that it needs are sent and
    have settled. Then the sequencer makes its pulse, which is on the pins one clock after it is on
    ``lines``. Unchanged values are not sent again: a DOT on the row of the last operation sends
    only its inputs, and a READ of the device that was SET sends nothing. Rails and lines are stable
    from the clock in which a request is taken until the next request is offered. SELECT is taken at
    once.

    The ADC samples ``front_end_ns`` after the start of a READ or DOT pulse; conversion and bits of
    a sample overlap with the preparation of the next request. A reading is the code less mid-scale:
    a READ is clipped to 0..CODE_MAX, a DOT to the converter's ``dot_bits``, both rounded like
    ``array.PhysicsArray``. The *top* bits of a DOT are negative: the board swaps its read rails
    (``negative``). A pulse that ends before the sample gives no answer, and the watchdog of the
    sequencer ends the chain.

    ``hold`` switches everything off: pulses and ``hold_off`` react in the next clock. Afterwards
    rails and lines are unknown and are sent again. While it is high, requests are taken and
    dropped, and owed readings are answered with 0, so that the sequencer becomes idle. Before the
    DAC is set up, the array is held off and no request is taken.

    Parameters
    ----------
    config : CoreConfig
        ``access_bits`` must be 1: a line driver is on or off. A DOT must fit the ADC.
    clock_hz : int
        Frequency of the clock, from which all times follow.
    timing : PhyTiming, optional

    Attributes
    ----------
    requests : In(stream of array_request)
        Operations, from the sequencer.
    responses : Out(stream of array_response)
        Readings, in order.
    lines : In(array_lines(config))
        Pulses of the sequencer.
    voltages : In(phy_voltages())
        DAC codes of the quasi-static rails.
    hold : In(1)
        Switch everything off.
    restart : In(1)
        Drop an owed reading.
    pins : Out(pins_signature)
        Wires to the daughterboard.
    idle : Out(1)
        Nothing is being sent, and no reading is owed.
    """

    def __init__(self, config: CoreConfig, clock_hz: int, timing: PhyTiming | None = None) -> None:
        self.config = config
        self.clock_hz = clock_hz
        self.timing = timing or PhyTiming()
        check_clock(clock_hz)
        check_array(config)
        super().__init__(
            {
                "requests": In(stream.Signature(array_request(config))),
                "responses": Out(stream.Signature(array_response(config))),
                "lines": In(array_lines(config)),
                "voltages": In(phy_voltages()),
                "hold": In(1),
                "restart": In(1),
                "pins": Out(pins_signature()),
                "idle": Out(1),
            }
        )
        # The state is on the object for the proofs.
        self.rails = Rails(self.timing, clock_hz)
        self.address = LineChain(address_layout(config).size, self.timing, clock_hz)
        self.inputs = LineChain(inputs_layout(config).size, self.timing, clock_hz)
        self.prepared = Signal()

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.rails = rails = self.rails
        m.submodules.address = address = self.address
        m.submodules.inputs = inputs = self.inputs
        m.submodules.adc = adc = AdcReader(self.timing, self.clock_hz)
        request: Any = self.requests.payload
        pins, hold = self.pins, self.hold
        is_op: dict[Any, Any] = {op: request.op == op.value for op in USED}
        pulsed, answered = Cat(*is_op.values()).any(), is_op[Op.READ] | is_op[Op.DOT]

        # -- needs of the offered request
        wanted = data.View(address_layout(self.config), Signal(address.width, name="wanted"))
        sent: Any = data.View(address_layout(self.config), address.sent)
        of_device = is_op[Op.FORM] | is_op[Op.SET] | is_op[Op.READ]
        m.d.comb += [
            wanted.row.eq(request.row),
            wanted.device.eq(Mux(of_device, request.device, sent.device)),
            wanted.tile.eq(Mux(is_op[Op.DOT], request.tile, sent.tile)),
        ]
        if self.config.geometry.dot_shift:
            m.d.comb += wanted.coarse.eq(Mux(answered, is_op[Op.DOT], sent.coarse))
        for channel in Channel:
            users = [test for op, test in is_op.items() if channel in USED[op]]
            code = (
                request.dac
                if channel == Channel.GATE_PROGRAM
                else self.voltages[channel.name.lower()]
            )
            m.d.comb += [
                rails.need[channel].eq(Cat(*users).any()),
                rails.codes[channel].eq(code),
            ]
        offered = Signal()
        m.d.comb += [
            # only a stalled offer: rails and lines are stable in the clock in which it is taken
            offered.eq(self.requests.valid & ~self.prepared & ~pins.hold_off & ~hold),
            address.wanted.eq(Value.cast(wanted)),
            address.need.eq(pulsed),
            inputs.wanted.eq(Cat(Value.cast(request.inputs), request.top)),
            inputs.need.eq(is_op[Op.DOT]),
        ]
        for keeper in (rails, address, inputs):
            m.d.comb += [keeper.go.eq(offered), keeper.forget.eq(hold)]

        # -- taking it
        owed, taken, room = Signal(), Signal(), Signal()
        settled = address.settled & inputs.settled & rails.settled
        m.d.comb += [
            room.eq(~answered | (~owed & adc.idle)),
            taken.eq(self.requests.valid & self.requests.ready),
            self.requests.ready.eq(self.prepared | (hold & ~(answered & owed))),
            self.idle.eq(~owed & adc.idle & ~rails.busy & ~address.busy & ~inputs.busy),
        ]
        m.d.sync += self.prepared.eq(
            offered & room & (~pulsed | settled) & ~address.busy & ~inputs.busy
        )

        # -- pulses
        m.d.sync += pins.hold_off.eq(hold | ~rails.up)
        for name, pin in PULSE_PINS.items():
            m.d.sync += getattr(pins, pin).eq(self.lines[name] & ~hold & rails.up)
        m.d.comb += [
            pins.dac_sclk.eq(rails.sclk),
            pins.dac_din.eq(rails.din),
            pins.dac_sync_n.eq(rails.sync_n),
            pins.address_clock.eq(address.clock),
            pins.address_data.eq(address.data),
            pins.address_latch.eq(address.latch),
            pins.inputs_clock.eq(inputs.clock),
            pins.inputs_data.eq(inputs.data),
            pins.inputs_latch.eq(inputs.latch),
            pins.adc_convst.eq(adc.convst),
            pins.adc_sclk.eq(adc.sclk),
            adc.dout.eq(pins.adc_dout),
        ]
        self._read_out(m, adc, taken & answered, is_op[Op.DOT], owed)
        return m

    def _read_out(
        self, m: Module, adc: AdcReader, asked: Value, is_dot: Value, owed: Signal
    ) -> None:
        """Sample in the pulse of the request ``asked`` and answer; every reading is answered."""
        pins, hold, responses = self.pins, self.hold, self.responses
        front_end = clocks(self.timing.front_end_ns, self.clock_hz)
        elapsed = Signal(bits_for(front_end))
        dot, sampled = Signal(), Signal()
        reads = pins.pulse_read | pins.pulse_dot
        goes_on = (self.lines.read | self.lines.dot) & ~hold
        m.d.comb += adc.start.eq(
            reads & goes_on & owed & ~sampled & (elapsed == front_end - 1) & adc.idle
        )
        with m.If(~reads):
            m.d.sync += elapsed.eq(0)
        with m.Elif(elapsed != front_end):
            m.d.sync += elapsed.eq(elapsed + 1)

        bits = min(self.config.geometry.dot_bits or self.config.reading_bits, ADC.bits)
        reading = Signal.like(responses.payload.value)
        signed = Cat(adc.value[:-1], ~adc.value[-1]).as_signed()
        m.d.comb += reading.eq(Mux(dot, saturate(signed, bits), clip(signed, 0, CODE_MAX)))
        with m.If(asked):
            m.d.sync += [owed.eq(1), dot.eq(is_dot), sampled.eq(0)]
        with m.If(adc.start):
            m.d.sync += sampled.eq(1)
        with m.If(adc.done & owed & sampled & ~responses.valid):
            m.d.sync += [responses.valid.eq(1), responses.payload.value.eq(reading)]
        with m.Elif(hold & owed & ~responses.valid):
            m.d.sync += [responses.valid.eq(1), responses.payload.value.eq(0)]
        with m.If(responses.valid & responses.ready):
            m.d.sync += [responses.valid.eq(0), owed.eq(0)]
        with m.If(self.restart):
            m.d.sync += [responses.valid.eq(0), owed.eq(0)]
