"""The sequencer: order of operations, pulses, guard times and interlocks of the array."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from amaranth import Cat, Const, Module, Mux, Signal, Value, unsigned
from amaranth.lib import data, enum, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

from ohmcarlo.errors import UsageError
from ohmcarlo.spec import DAC_BITS
from ohmcarlo.spec.link import FaultCause

from ..config import CoreConfig
from .interface import Op, array_request, array_response

WIDTH_BITS = 16
GUARD_BITS = 8
WATCHDOG_BITS = 24

PULSES: Mapping[str, Any] = {
    "form": Op.FORM,
    "reset": Op.RESET,
    "set": Op.SET,
    "read": Op.READ,
    "dot": Op.DOT,
}
"""Enable lines, and the operations that they belong to."""

MAX_WIDTH: Mapping[str, int] = {
    "form": 65535,
    "reset": 4095,
    "set": 4095,
    "read": 4095,
    "dot": 4095,
}
"""Longest pulse in clocks; longer settings are cut."""


def pulse_settings() -> data.StructLayout:
    """Timing of one operation, in clocks."""
    return data.StructLayout(
        {
            "width": unsigned(WIDTH_BITS),
            "guard_before": unsigned(GUARD_BITS),
            "guard_after": unsigned(GUARD_BITS),
        }
    )


def sequencer_settings() -> data.StructLayout:
    """Registers of the sequencer: a ``pulse_settings`` for each operation, and the watchdog.

    ``watchdog`` counts clocks; 0 switches it off.
    """
    return data.StructLayout(
        dict.fromkeys(PULSES, pulse_settings()) | {"watchdog": unsigned(WATCHDOG_BITS)}
    )


def array_lines(config: CoreConfig) -> data.StructLayout:
    """The electrical control lines: an enable for each operation, and the address they act on."""
    return data.StructLayout(
        dict.fromkeys(PULSES, unsigned(1))
        | {
            "row": unsigned(config.row_bits),
            "device": unsigned(config.device_bits),
            "dac": unsigned(DAC_BITS),
        }
    )


class Phase(enum.Enum, shape=unsigned(2)):  # type: ignore[call-arg]
    """Part of the operation on the lines."""

    IDLE = 0
    BEFORE = 1
    PULSE = 2
    AFTER = 3


class Sequencer(wiring.Component):
    """Passes commands to the array one by one, in order, each with its pulse on ``lines``.

    A command is offered on ``requests`` one clock after it was taken (LATENCY), or as soon as the
    lines are free. If the array takes the request in clock T, the operation's address (row, device
    and DAC code as far as the operation uses them, else 0) is on ``lines`` from T + 1. The enable
    is high from T + 1 + guard_before for exactly ``width`` clocks, and ``guard_after`` clocks later
    another address may follow. Timings are read from ``settings`` in clock T: later changes do not
    affect a pulse that runs. Without guards and with width 1 this is one operation per clock. Two
    equal operations in a row are then one long pulse on the wire, so a physical array needs
    ``min_guard`` ≥ 1, with which an enable falls between any two operations.
    SELECT is passed on in order and changes no line.

    Responses pass through combinationally, from the clock after their request was taken.

    A fault switches all enables off in the next clock and is latched, together with its first
    cause. The address stays for the ``guard_after`` of a pulse that was cut off. While ``fault`` is
    high no command is taken, and a command that was not yet offered to the array is dropped. An
    offered request stays, but causes no pulse. Responses still pass. After a response timeout no
    response is owed any more: a late response is spurious, and dropped.

    Parameters
    ----------
    config : CoreConfig
    min_guard : int
        Least guard time before and after every pulse, in clocks; smaller settings are raised.
    max_width : mapping, optional
        Line name to its longest pulse in clocks; longer settings are cut. Lines that are not named
        keep ``MAX_WIDTH``. A width of 0 counts as 1.
    max_outstanding : int
        Responses that may be owed at a time; at least the array's latency for full speed.

    Attributes
    ----------
    commands : In(stream of array_request)
        Operations of the controller.
    requests : Out(stream of array_request)
        The same operations, to the array.
    responses : In(stream of array_response)
        Readings, from the array.
    results : Out(stream of array_response)
        The same readings, to the controller.
    lines : Out(array_lines(config))
        Enables and address.
    settings : In(sequencer_settings())
        Timing of each operation, and the watchdog.
    off : In(1)
        Emergency stop: a fault while it is high.
    wrong_points : In(1)
        The stream of data points has an error: a fault; only with ``max_streamed_points`` of the
        configuration.
    clear : In(1)
        End the fault; has an effect only while ``idle`` is high and ``off`` low.
    fault : Out(1)
        A fault is latched.
    fault_cause : Out(FaultCause)
        Its first cause.
    idle : Out(1)
        No command, pulse or owed response is in progress.
    outstanding : Out(range(max_outstanding + 1))
        Responses that are owed.
    """

    LATENCY = 1
    """Clocks from a command to its request, when the lines are free."""

    def __init__(
        self,
        config: CoreConfig,
        min_guard: int = 0,
        max_width: Mapping[str, int] | None = None,
        max_outstanding: int = 255,
    ) -> None:
        self.config = config
        self.min_guard = min_guard
        self.max_width = {**MAX_WIDTH, **(max_width or {})}
        self.max_outstanding = max_outstanding
        self._validate()
        super().__init__(
            {
                "commands": In(stream.Signature(array_request(config))),
                "requests": Out(stream.Signature(array_request(config))),
                "responses": In(stream.Signature(array_response(config))),
                "results": Out(stream.Signature(array_response(config))),
                "lines": Out(array_lines(config)),
                "settings": In(sequencer_settings()),
                "off": In(1),
                "clear": In(1),
                "fault": Out(1),
                "fault_cause": Out(FaultCause),
                "idle": Out(1),
                "outstanding": Out(range(max_outstanding + 1)),
            }
            | ({"wrong_points": In(1)} if config.max_streamed_points else {})
        )
        # The state is on the object for the proofs.
        self.pending = Signal()
        self.phase = Signal(Phase)
        self.left = Signal(max(bits_for(max(self.max_width.values())), GUARD_BITS))
        self.last = Signal()  # one clock is left
        self.kind = Signal(len(PULSES))
        self.width = Signal.like(self.left)
        self.guard_after = Signal(GUARD_BITS)
        self.unguarded = Signal(init=1)  # it is zero
        self.owes = Signal()  # the request needs a response
        self.owed = Signal()  # some are outstanding
        self.full = Signal()  # no more responses may be outstanding
        self.request_clocks = Signal(WATCHDOG_BITS, init=1)
        self.response_clocks = Signal(WATCHDOG_BITS, init=1)

    def _validate(self) -> None:
        if not 0 <= self.min_guard < 1 << GUARD_BITS:
            raise UsageError(
                f"min_guard = {self.min_guard}: choose 0 to {(1 << GUARD_BITS) - 1} clocks"
            )
        for name, limit in self.max_width.items():
            if name not in PULSES:
                raise UsageError(f"max_width names {name!r}: choose among {', '.join(PULSES)}")
            if not 1 <= limit < 1 << WIDTH_BITS:
                raise UsageError(
                    f"max_width of {name} = {limit}: choose 1 to {(1 << WIDTH_BITS) - 1} clocks"
                )
        if not 1 <= self.max_outstanding < 1 << 16:
            raise UsageError(f"max_outstanding = {self.max_outstanding}: choose 1 to 65535")

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        request, response = self.requests.p, self.responses
        watchdog = self.settings.watchdog

        # Events of this clock.
        take = Signal()
        accept = Signal()
        unknown = Signal()
        answered = Signal()
        spurious = Signal()
        request_timeout = Signal()
        response_timeout = Signal()
        trip = Signal()
        m.d.comb += [
            take.eq(self.requests.valid & self.requests.ready),
            accept.eq(self.commands.valid & self.commands.ready),
            unknown.eq(accept & ~self._is(self.commands.p.op, Op.SELECT, *PULSES.values())),
            answered.eq(self.results.valid & self.results.ready),
        ]
        causes = self.off | unknown | request_timeout | response_timeout | spurious
        wrong_points = None
        if self.config.max_streamed_points:
            wrong_points = self.wrong_points & ~causes
            causes |= self.wrong_points
        m.d.comb += trip.eq(causes)

        # Commands to requests: one register. An offer is never withdrawn: during an offer, the
        # lines stay free and the number of outstanding responses does not grow.
        free = Signal()
        owes, full = self.owes, self.full
        ends = self.last
        m.d.comb += [
            free.eq(
                (self.phase == Phase.IDLE)
                | ((self.phase == Phase.PULSE) & ends & self.unguarded)
                | ((self.phase == Phase.AFTER) & ends)
            ),
            self.requests.valid.eq(self.pending & free & ~(owes & full)),
            self.commands.ready.eq(~self.fault & ~self.off & (~self.pending | take)),
        ]
        with m.If(accept):
            m.d.sync += [
                Value.cast(request).eq(Value.cast(self.commands.p)),
                owes.eq(self._is(self.commands.p.op, Op.READ, Op.DOT)),
                self.pending.eq(~trip),
            ]
        with m.Elif(take | (trip & ~self.requests.valid)):
            m.d.sync += self.pending.eq(0)

        # Responses to results.
        owed = self.owed
        m.d.comb += [
            Value.cast(self.results.p).eq(Value.cast(response.p)),
            self.results.valid.eq(response.valid & owed),
            response.ready.eq(self.results.ready | ~owed),
            spurious.eq(response.valid & ~owed),
        ]
        following = Signal.like(self.outstanding)
        with m.If(~response_timeout):
            m.d.comb += following.eq(self.outstanding + (take & owes) - answered)
        m.d.sync += [
            self.outstanding.eq(following),
            owed.eq(following != 0),
            full.eq(following == self.max_outstanding),
        ]

        # Watchdogs count clocks of waiting, this one included.
        for waiting, clocks, timeout in (
            (self.requests.valid & ~self.requests.ready, self.request_clocks, request_timeout),
            (owed & ~response.valid, self.response_clocks, response_timeout),
        ):
            m.d.comb += timeout.eq(waiting & (watchdog != 0) & (clocks >= watchdog))
            with m.If(~waiting):
                m.d.sync += clocks.eq(1)
            with m.Elif(~clocks.all()):
                m.d.sync += clocks.eq(clocks + 1)

        self._fault(m, trip, unknown, request_timeout, response_timeout, wrong_points)
        m.d.comb += self.idle.eq(~self.pending & (self.phase == Phase.IDLE) & ~owed)
        self._pulse(m, take, ends, self.fault | trip)
        return m

    @staticmethod
    def _is(op: Value, *ops: Any) -> Value:
        return Cat(op == o.value for o in ops).any()

    def _fault(
        self,
        m: Module,
        trip: Signal,
        unknown: Signal,
        request_timeout: Signal,
        response_timeout: Signal,
        wrong_points: Value | None,
    ) -> None:
        with m.If(trip):
            m.d.sync += self.fault.eq(1)
            with m.If(~self.fault):
                with m.If(self.off):
                    m.d.sync += self.fault_cause.eq(FaultCause.OFF)
                with m.Elif(unknown):
                    m.d.sync += self.fault_cause.eq(FaultCause.UNKNOWN_OPERATION)
                with m.Elif(request_timeout):
                    m.d.sync += self.fault_cause.eq(FaultCause.REQUEST_TIMEOUT)
                with m.Elif(response_timeout):
                    m.d.sync += self.fault_cause.eq(FaultCause.RESPONSE_TIMEOUT)
                with m.Else():
                    m.d.sync += self.fault_cause.eq(FaultCause.SPURIOUS_RESPONSE)
                if wrong_points is not None:
                    with m.If(wrong_points):
                        m.d.sync += self.fault_cause.eq(FaultCause.WRONG_POINTS)
        with m.Elif(self.clear & self.idle):
            m.d.sync += [self.fault.eq(0), self.fault_cause.eq(FaultCause.NONE)]

    def _pulse(self, m: Module, take: Signal, ends: Value, halt: Value) -> None:
        """The operation on the lines; ``halt`` switches every enable off and starts no pulse."""
        request = self.requests.p
        kind = Signal(len(PULSES))
        width = Signal.like(self.left)
        before = Signal(GUARD_BITS)
        after = Signal(GUARD_BITS)
        device = Signal.like(self.lines.device)
        dac = Signal.like(self.lines.dac)
        m.d.comb += [
            kind.eq(Cat(request.op == op.value for op in PULSES.values())),
            width.eq(self._of_kind(kind, "width")),
            before.eq(self._of_kind(kind, "guard_before")),
            after.eq(self._of_kind(kind, "guard_after")),
            device.eq(Mux(self._is(request.op, Op.FORM, Op.SET, Op.READ), request.device, 0)),
            dac.eq(Mux(self._is(request.op, Op.FORM, Op.SET), request.dac, 0)),
        ]

        enables = Signal(len(PULSES))
        m.d.comb += [self.lines[name].eq(enables[i]) for i, name in enumerate(PULSES)]
        rest = Mux(self.unguarded, Phase.IDLE, Phase.AFTER)

        def remain(clocks: Value) -> list[Any]:
            return [self.left.eq(clocks), self.last.eq(clocks == 1)]

        with m.If(self.phase != Phase.IDLE):
            m.d.sync += [self.left.eq(self.left - 1), self.last.eq(self.left == 2)]
        with m.If((self.phase == Phase.BEFORE) & ends):
            m.d.sync += [
                self.phase.eq(Phase.PULSE),
                *remain(self.width),
                enables.eq(self.kind),
            ]
        with m.Elif((self.phase == Phase.PULSE) & ends):
            m.d.sync += [self.phase.eq(rest), *remain(self.guard_after), enables.eq(0)]
        with m.Elif(ends):
            m.d.sync += self.phase.eq(Phase.IDLE)

        # The last assignments take precedence.
        with m.If(halt):
            m.d.sync += enables.eq(0)
            with m.If((self.phase == Phase.BEFORE) | (self.phase == Phase.PULSE)):
                m.d.sync += [self.phase.eq(rest), *remain(self.guard_after)]
        with m.Elif(take & kind.any()):
            m.d.sync += [
                self.lines.row.eq(request.row),
                self.lines.device.eq(device),
                self.lines.dac.eq(dac),
                self.kind.eq(kind),
                self.width.eq(width),
                self.guard_after.eq(after),
                self.unguarded.eq(after == 0),
            ]
            with m.If(before == 0):
                m.d.sync += [self.phase.eq(Phase.PULSE), *remain(width), enables.eq(kind)]
            with m.Else():
                m.d.sync += [self.phase.eq(Phase.BEFORE), *remain(before), enables.eq(0)]

    def _of_kind(self, kind: Signal, name: str) -> Value:
        """The setting ``name`` of the operation whose bit is set in ``kind``, within its limits."""
        value: Value = Const(0)
        for index, line in enumerate(PULSES):
            setting = self.settings[line][name]
            if name == "width":
                limit = self.max_width[line]
                if limit < (1 << WIDTH_BITS) - 1:
                    setting = Mux(setting > limit, limit, setting)
                setting = Mux(setting == 0, 1, setting)
            elif self.min_guard:
                setting = Mux(setting < self.min_guard, self.min_guard, setting)
            value |= Mux(kind[index], setting, 0)
        return value
