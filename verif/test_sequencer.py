"""Sequencer: every port, in every clock, against its docstring; stalls and faults of all kinds."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

import cocotb
import pytest
from cocotb.triggers import RisingEdge

from ohmcarlo.errors import UsageError
from ohmcarlo.spec import Geometry
from ohmcarlo_hdl.array.interface import Op, array_request, array_response
from ohmcarlo_hdl.array.sequencer import (
    MAX_WIDTH,
    FaultCause,
    Sequencer,
    array_lines,
    sequencer_settings,
)
from ohmcarlo_hdl.config import CoreConfig
from verif.harness import (
    Clocked,
    Packer,
    Sink,
    Source,
    case_parameters,
    run_bench,
    start_clock,
    stimuli,
)

NAMES = {1: "form", 2: "reset", 3: "set", 4: "read", 5: "dot"}
SELECT = 6
ANSWERED = (4, 5)
FAST = {"width": 1, "guard_before": 0, "guard_after": 0}
SETTINGS = Packer(sequencer_settings())

STREAMS = ("commands", "requests", "responses", "results")
PORTS = [f"{s}__{part}" for s in STREAMS for part in ("payload", "valid", "ready")]
PORTS += ["lines", "settings", "off", "clear", "fault", "fault_cause", "idle", "outstanding"]
STALLS = [(0, 0, 0), (0.6, 0, 0), (0, 0.6, 0.6), (0.4, 0.4, 0.4)]  # source, array, sink

BLOCKS: dict[str, dict[str, Any]] = {
    "plain": {
        "config": CoreConfig(Geometry(rows=64, pairs=8, entropy_pairs=2, access_bits=8)),
        "min_guard": 0,
        "max_width": {},
        "max_outstanding": 255,
    },
    "guarded": {
        "config": CoreConfig(Geometry(rows=16, pairs=4, entropy_pairs=1, access_bits=1)),
        "min_guard": 2,
        "max_width": {"form": 9, "reset": 6, "set": 5, "read": 4, "dot": 3},
        "max_outstanding": 3,
    },
    "narrow": {
        "config": CoreConfig(Geometry(rows=16, pairs=4, entropy_pairs=1, access_bits=1)),
        "min_guard": 0,
        "max_width": {"form": 9, "reset": 6, "set": 5, "read": 4, "dot": 3},
        "max_outstanding": 3,
    },
}


class Monitor:
    """Expected values of the ports in every clock, from a schedule of absolute clocks."""

    def __init__(self, dut: Any, block: dict[str, Any]) -> None:
        self.ports = {name: getattr(dut, name) for name in PORTS}
        self.config = block["config"]
        self.request = Packer(array_request(self.config))
        self.lines = Packer(array_lines(self.config))
        self.min_guard = block["min_guard"]
        self.limits = {**MAX_WIDTH, **block["max_width"]}
        self.max_owed = block["max_outstanding"]
        self.clock = 0
        self.held: int | None = None  # a command on its way to the array
        self.op: int | None = None  # its code
        self.offered_at = 0
        self.owed = 0
        self.cause = FaultCause.NONE
        self.fault_at = 0
        self.low = self.high = 0  # the lines without and with the enable
        self.name = "form"
        self.rise = self.fall = 0  # the enable ``name`` is high from clock rise to fall - 1
        self.after = 0
        self.over = 0  # the first clock in which another address may be on the lines
        self.request_wait = self.response_wait = 0
        self.settings: tuple[int, dict[str, Any]] = (0, SETTINGS.unpack(0))
        self.seen: Counter[str] = Counter()
        self.pulses: list[tuple[str, int, int]] = []  # name, first clock, width
        self.taken: list[int] = []  # clocks of transfers to the array

    def tick(self) -> None:
        self.clock += 1
        now = self.clock
        p = {name: int(port.value) for name, port in self.ports.items()}
        if p["settings"] != self.settings[0]:
            self.settings = p["settings"], SETTINGS.unpack(p["settings"])
        ready, answer, off = p["requests__ready"], p["responses__valid"], p["off"]
        faulty = self.cause != FaultCause.NONE

        # Expected values in this clock.
        enable = self.rise <= now < self.fall
        blocked = self.op in ANSWERED and self.owed == self.max_owed
        offered = self.held is not None and self.over <= now + 1 and not blocked
        taken = offered and bool(ready)
        hungry = not faulty and not off and (self.held is None or taken)
        idle = self.held is None and now >= self.over and not self.owed
        expected = {
            "lines": self.high if enable else self.low,
            "requests__valid": offered,
            "commands__ready": hungry,
            "results__valid": answer and self.owed > 0,
            "responses__ready": p["results__ready"] or not self.owed,
            "fault": faulty,
            "fault_cause": self.cause.value,
            "idle": idle,
            "outstanding": self.owed,
        }
        if offered:
            expected["requests__payload"] = self.held
        if answer:
            expected["results__payload"] = p["responses__payload"]
        wrong = {name: (p[name], int(e)) for name, e in expected.items() if p[name] != e}
        assert not wrong, f"clock {now}: seen and expected {wrong}"

        # Next state.
        accepted = hungry and bool(p["commands__valid"])
        code_accepted = code(self.config, p["commands__payload"])
        unknown = accepted and code_accepted in (0, 7)
        watchdog = self.settings[1]["watchdog"]
        if offered and not self.request_wait:
            self.offered_at = now
        self.request_wait = self.request_wait + 1 if offered and not ready else 0
        self.response_wait = self.response_wait + 1 if self.owed and not answer else 0
        late_response = bool(watchdog) and self.response_wait >= watchdog
        causes = {
            FaultCause.OFF: off,
            FaultCause.UNKNOWN_OPERATION: unknown,
            FaultCause.REQUEST_TIMEOUT: bool(watchdog) and self.request_wait >= watchdog,
            FaultCause.RESPONSE_TIMEOUT: late_response,
            FaultCause.SPURIOUS_RESPONSE: answer and not self.owed,
        }
        trips = [cause for cause, happens in causes.items() if happens]
        for cause in trips:
            self.seen[cause.name] += 1

        if enable and (now + 1 == self.fall or (trips and not faulty)):
            self.pulses.append((self.name, self.rise, now + 1 - self.rise))
        if trips and now < self.fall and not faulty:  # cut off: the guard time still holds
            self.seen["cut"] += 1
            self.fall = now + 1
            self.rise = min(self.rise, self.fall)
            self.over = now + 1 + self.after
        if taken:
            self.taken.append(now)
            if not faulty and not trips:
                self._begin(now + 1)
            elif self.op != SELECT:
                self.seen["taken without a pulse"] += 1
        if late_response:
            self.owed = 0
        else:
            answered = answer and p["results__ready"] and self.owed > 0
            self.owed += int(taken and self.op in ANSWERED) - int(answered)
        if taken or (trips and not offered):
            self.held = self.op = None
        if accepted and not unknown and not trips:
            self.held, self.op = p["commands__payload"], code_accepted
        if trips and not faulty:
            self.cause, self.fault_at = trips[0], now + 1
        elif faulty and p["clear"]:
            if idle and not trips:
                self.cause = FaultCause.NONE
                self.seen["cleared"] += 1
            else:
                self.seen["clear ignored"] += 1

    def _begin(self, clock: int) -> None:
        """An operation is on the lines from ``clock`` on."""
        assert self.held is not None
        request, op = self.request.unpack(self.held), self.op
        if op is None or op == SELECT:
            return
        assert clock >= self.over, "an address came too early"
        self.name = NAMES[op]
        timing = self.settings[1][self.name]
        before = max(timing["guard_before"], self.min_guard)
        self.after = max(timing["guard_after"], self.min_guard)
        self.rise = clock + before
        self.fall = self.rise + min(max(timing["width"], 1), self.limits[self.name])
        self.over = self.fall + self.after
        self.low = self.lines.pack(
            {
                "row": request["row"],
                "device": request["device"] if op in (1, 3, 4) else 0,
                "dac": request["dac"] if op in (1, 3) else 0,
            }
        )
        self.high = self.low | self.lines.pack({self.name: 1})
        self.seen[self.name] += 1


class Array:
    """An array that stalls, answers late, and (with ``spurious``) without a request."""

    def __init__(
        self,
        dut: Any,
        config: CoreConfig,
        rng: random.Random,
        stall: float = 0.0,
        delay: tuple[int, int] = (1, 1),
        spurious: float = 0.0,
        sleep: float = 0.0,
    ) -> None:
        self.dut, self.rng = dut, rng
        self.config, self.answer_bits = config, array_response(config).size
        self.stall, self.delay, self.spurious, self.sleep = stall, delay, spurious, sleep
        self.clock = self.asleep = 0
        self.due: list[int] = []
        self.requests: list[int] = []
        self.answers: list[int] = []
        dut.requests__ready.value = 0
        dut.responses__valid.value = 0
        self._ready = self._offering = False

    def tick(self) -> None:
        self.clock += 1
        dut, rng = self.dut, self.rng
        if self._offering and int(dut.responses__ready.value):
            self._offering = False
        if self._ready and int(dut.requests__valid.value):
            request = int(dut.requests__payload.value)
            self.requests.append(request)
            if code(self.config, request) in ANSWERED:
                self.due.append(self.clock + rng.randint(*self.delay) - 1)
        if rng.random() < self.sleep:
            self.asleep = self.clock + rng.randint(5, 60)
        if not self._offering:
            owed = bool(self.due) and self.due[0] <= self.clock and self.clock >= self.asleep
            if owed:
                self.due.pop(0)
            if owed or rng.random() < self.spurious:
                self.answers.append(rng.getrandbits(self.answer_bits))
                dut.responses__payload.value = self.answers[-1]
                self._offering = True
        dut.responses__valid.value = int(self._offering)
        self._ready = self.clock >= self.asleep and rng.random() >= self.stall
        dut.requests__ready.value = int(self._ready)


class Knobs:
    """Changes settings at any time, presses ``off``, and clears faults, mostly too early."""

    def __init__(
        self, dut: Any, rng: random.Random, off: float, change: float, watchdogs: list[int]
    ) -> None:
        self.dut, self.rng = dut, rng
        self.off, self.change, self.watchdogs = off, change, watchdogs

    def tick(self) -> None:
        rng, dut = self.rng, self.dut
        if rng.random() < self.change:
            dut.settings.value = SETTINGS.pack(self._settings())
        dut.off.value = int(rng.random() < self.off)
        dut.clear.value = int(rng.random() < 0.3)

    def _settings(self) -> dict[str, Any]:
        rng = self.rng
        settings: dict[str, Any] = {"watchdog": rng.choice(self.watchdogs)}
        for name in NAMES.values():
            settings[name] = {
                "width": rng.choice([0, 1, 1, 2, 3, rng.randint(1, 12)]),
                "guard_before": rng.choice([0, 0, 0, 1, 2, rng.randint(0, 6)]),
                "guard_after": rng.choice([0, 0, 0, 1, 2, rng.randint(0, 6)]),
            }
        return settings


def setup(dut: Any, block: dict[str, Any]) -> Monitor:
    """Quiet inputs, fast settings, and a monitor."""
    for name in ("commands__valid", "requests__ready", "responses__valid", "results__ready"):
        getattr(dut, name).value = 0
    for name in ("commands__payload", "responses__payload", "off", "clear"):
        getattr(dut, name).value = 0
    put(dut, watchdog=0)
    return Monitor(dut, block)


async def reset(dut: Any) -> None:
    dut.rst.value = 1
    await RisingEdge(dut.clk)
    await RisingEdge(dut.clk)
    dut.rst.value = 0


def put(dut: Any, watchdog: int, **changed: dict[str, int]) -> None:
    settings: dict[str, Any] = dict.fromkeys(NAMES.values(), FAST)
    dut.settings.value = SETTINGS.pack(settings | changed | {"watchdog": watchdog})


def command(config: CoreConfig, op: int, rng: random.Random) -> int:
    """A request with this code and random fields, as bits."""
    layout = array_request(config)
    offset = layout["op"].offset
    return rng.getrandbits(layout.size) & ~(7 << offset) | op << offset


def code(config: CoreConfig, request: int) -> int:
    return request >> array_request(config)["op"].offset & 7


def block_of_case() -> dict[str, Any]:
    return BLOCKS[case_parameters()["block"]]


@cocotb.test()
async def random_streams(dut) -> None:  # type: ignore[no-untyped-def]
    """Commands are executed in order, under any stalls."""
    block, rng, items = block_of_case(), stimuli(11), 300
    config = block["config"]
    await start_clock(dut)
    for source_stall, array_stall, sink_stall in STALLS:
        monitor = setup(dut, block)
        ops = rng.choices(range(1, 7), k=items)
        commands = [command(config, op, rng) for op in ops]
        source = Source(dut, "commands", array_request(config).size, commands, source_stall, rng)
        sink = Sink(dut, "results", array_response(config).size, sink_stall, rng)
        array = Array(dut, config, rng, array_stall, (1, 12))
        knobs = Knobs(dut, rng, off=0, change=0.05, watchdogs=[0, 1 << 23])
        await reset(dut)
        bench = Clocked(dut, monitor, source, sink, array, knobs).start()
        await bench.until(lambda s=source: s.done, 100 * items, "the command stream")
        await bench.until(lambda: int(dut.idle.value), 100, "the last operation")
        bench.task.cancel()
        assert array.requests == commands
        assert sink.items == array.answers
        assert len(monitor.pulses) == sum(op != SELECT for op in ops)
        assert all(monitor.seen[name] > 20 for name in NAMES.values()), monitor.seen


@cocotb.test()
async def random_faults(dut) -> None:  # type: ignore[no-untyped-def]
    """Unknown codes, arrays that stop or answer without a request, ``off`` or ``clear`` at any
    time."""
    block, rng, items = block_of_case(), stimuli(12), 600
    config = block["config"]
    await start_clock(dut)
    for source_stall, array_stall, sink_stall in STALLS:
        monitor = setup(dut, block)
        ops = rng.choices([*range(1, 7)] * 8 + [0, 7], k=items)
        commands = [command(config, op, rng) for op in ops]
        source = Source(dut, "commands", array_request(config).size, commands, source_stall, rng)
        sink = Sink(dut, "results", array_response(config).size, sink_stall, rng)
        array = Array(dut, config, rng, array_stall, (1, 12), spurious=0.004, sleep=0.02)
        knobs = Knobs(dut, rng, off=0.004, change=0.05, watchdogs=[0, 1, 5, 17, 40, 1 << 23])
        await reset(dut)
        bench = Clocked(dut, monitor, source, sink, array, knobs).start()
        await bench.until(lambda s=source: s.done, 100 * items, "the command stream")
        bench.task.cancel()
        others = (
            FaultCause.NONE,
            FaultCause.WRONG_POINTS,
        )  # streamed points have a bench of their own
        wanted = [cause.name for cause in FaultCause if cause not in others]
        wanted += ["cut", "cleared", "clear ignored", "taken without a pulse", *NAMES.values()]
        assert all(monitor.seen[name] > 2 for name in wanted), monitor.seen


@cocotb.test()
async def one_operation_per_clock(dut) -> None:  # type: ignore[no-untyped-def]
    block = block_of_case()
    config, rng = block["config"], stimuli(3)
    await start_clock(dut)
    for pattern in ([3, 4], [5], [3, 4, 6, 2]):
        monitor = setup(dut, block)
        ops = pattern * (400 // len(pattern))
        commands = [command(config, op, rng) for op in ops]
        source = Source(dut, "commands", array_request(config).size, commands)
        sink = Sink(dut, "results", array_response(config).size)
        array = Array(dut, config, rng, delay=(2, 2))
        await reset(dut)
        bench = Clocked(dut, monitor, source, sink, array).start()
        answers = sum(op in ANSWERED for op in ops)
        await bench.until(lambda m=monitor: len(m.taken) == 400, 3000, "the stream")
        await bench.until(lambda n=answers, s=sink: len(s.items) == n, 10, "the last answer")
        bench.task.cancel()
        first, last = monitor.taken[0], monitor.taken[-1]
        if block["min_guard"] == 0:
            assert last - first == 399, "one operation per clock"
        else:  # five clocks each, and SELECT does not wait
            waits = sum(op != SELECT for op in ops[:-1])
            assert last - first == 5 * waits + (399 - waits)


@cocotb.test()
async def full_pulse(dut) -> None:  # type: ignore[no-untyped-def]
    """The longest pulse is cut to the limit, and no later change of a register affects it."""
    block = block_of_case()
    config, rng = block["config"], stimuli(4)
    monitor = setup(dut, block)
    source = Source(dut, "commands", array_request(config).size)
    array = Array(dut, config, rng)
    await start_clock(dut)
    bench = Clocked(dut, monitor, source, array).start()
    put(dut, 0, set={"width": 65535, "guard_before": 255, "guard_after": 200})
    source.put([command(config, 3, rng)])
    await bench.until(lambda: int(dut.idle.value) == 0, 10, "the start")
    await bench.until(lambda: bool(array.requests), 10, "the start")
    put(dut, 0)
    await bench.until(lambda: int(dut.idle.value), 6000, "the pulse")
    ((name, rise, width),) = monitor.pulses
    assert name == "set" and width == monitor.limits["set"]
    assert rise == monitor.taken[0] + 1 + 255
    assert monitor.over == rise + width + 200


@cocotb.test()
async def watchdogs(dut) -> None:  # type: ignore[no-untyped-def]
    """Both timeouts to the clock, the operations after them, and a clear that has to wait."""
    block = block_of_case()
    config, rng = block["config"], stimuli(5)
    monitor = setup(dut, block)
    source = Source(dut, "commands", array_request(config).size)
    sink = Sink(dut, "results", array_response(config).size)
    array = Array(dut, config, rng)
    await start_clock(dut)
    bench = Clocked(dut, monitor, source, sink, array).start()

    async def clear() -> None:
        dut.clear.value = 1
        await bench.until(lambda: monitor.seen["cleared"], 100, "clearing")
        dut.clear.value = 0
        monitor.seen.clear()

    # The array does not take a request: nothing but taking it makes the sequencer idle again.
    put(dut, 20)
    array.stall = 1.0
    source.put([command(config, 3, rng)])
    await bench.until(lambda: int(dut.fault.value), 50, "the request's watchdog")
    assert monitor.cause == FaultCause.REQUEST_TIMEOUT
    assert monitor.fault_at == monitor.offered_at + 20
    dut.clear.value = 1
    last = bench.cycle + 30
    await bench.until(lambda: bench.cycle >= last, 40)
    assert int(dut.fault.value) and int(dut.requests__valid.value)
    dut.clear.value = 0
    array.stall = 0.0
    await bench.until(lambda: bool(array.requests), 10, "the late transfer")
    await clear()
    assert not monitor.pulses, "a pulse from a request that was offered before the fault"

    # The array does not answer: the response is dropped, and spurious when it arrives.
    array.delay = (60, 60)
    source.put([command(config, 4, rng)])
    await bench.until(lambda: int(dut.fault.value), 50, "the response's watchdog")
    assert monitor.cause == FaultCause.RESPONSE_TIMEOUT
    assert monitor.fault_at == monitor.taken[-1] + 1 + 20
    await clear()
    await bench.until(lambda: int(dut.fault.value), 60, "the late response")
    assert monitor.cause == FaultCause.SPURIOUS_RESPONSE and not sink.items

    # Without the watchdog, every wait is unlimited.
    await clear()
    put(dut, 0)
    array.delay = (300, 300)
    source.put([command(config, 4, rng)])
    await bench.until(lambda: len(sink.items) == 1, 400, "the slow response")
    assert not int(dut.fault.value)


@cocotb.test()
async def emergency_off(dut) -> None:  # type: ignore[no-untyped-def]
    """``off`` and an unknown operation cut a pulse; a command that waits behind it is lost."""
    block = block_of_case()
    config, rng = block["config"], stimuli(6)
    monitor = setup(dut, block)
    source = Source(dut, "commands", array_request(config).size)
    array = Array(dut, config, rng)
    await start_clock(dut)
    bench = Clocked(dut, monitor, source, array).start()
    long = {"width": 3, "guard_before": 4, "guard_after": 5}
    for count, wait in enumerate((2, 6, 7, 9), 1):  # before, first and second clock, after
        put(dut, 0, set=long)
        source.put([command(config, 3, rng), command(config, 3, rng)])
        await bench.until(lambda n=count: len(array.requests) == n, 10, "the pulse")
        stop = bench.cycle + wait - 2
        await bench.until(lambda n=stop: bench.cycle >= n, 20)
        dut.off.value = 1
        dut.clear.value = 1
        stop += 20
        await bench.until(lambda n=stop: bench.cycle >= n, 40)
        assert int(dut.fault.value) and monitor.cause == FaultCause.OFF, "no clear while off"
        dut.off.value = 0
        await bench.until(lambda: not int(dut.fault.value), 20, "clearing")
        dut.clear.value = 0
        assert len(array.requests) == count, "the second command"
    assert len(monitor.pulses) == 3 and monitor.seen["cut"] >= 3

    # An unknown operation is consumed while the one before it is handed over or runs.
    for op in (0, 7):
        monitor.pulses.clear()
        put(dut, 0, set=FAST, read={"width": 3, "guard_before": 0, "guard_after": 0})
        source.put([command(config, 3, rng), command(config, op, rng)])
        await bench.until(lambda: int(dut.fault.value), 20, "the fault")
        assert monitor.cause == FaultCause.UNKNOWN_OPERATION
        dut.clear.value = 1
        await bench.until(lambda: not int(dut.fault.value), 20, "clearing")
        dut.clear.value = 0
        assert code(config, array.requests[-1]) == 3 and source.done


@cocotb.test()
async def reset_in_a_pulse(dut) -> None:  # type: ignore[no-untyped-def]
    """Everything is off one clock after a reset in any phase, and the next operation works."""
    block = block_of_case()
    config, rng = block["config"], stimuli(8)
    await start_clock(dut)
    for wait in range(3, 16, 2):
        monitor = setup(dut, block)
        put(dut, 0, read={"width": 3, "guard_before": 3, "guard_after": 3})
        commands = [command(config, 4, rng) for _ in range(3)]
        source = Source(dut, "commands", array_request(config).size, commands)
        array = Array(dut, config, rng)
        await reset(dut)
        bench = Clocked(dut, monitor, source, array).start()
        await bench.until(lambda n=wait, b=bench: b.cycle >= n, 30)
        bench.task.cancel()
        dut.rst.value = 1
        for name in ("commands__valid", "responses__valid"):
            getattr(dut, name).value = 0
        await RisingEdge(dut.clk)
        await RisingEdge(dut.clk)
        for name in ("lines", "requests__valid", "results__valid", "fault", "outstanding"):
            assert int(getattr(dut, name).value) == 0, name
        assert int(dut.idle.value) == 1


@pytest.mark.parametrize("block", BLOCKS)
def test_sequencer(block: str) -> None:
    """Every cocotb test above."""
    run_bench(Sequencer(**BLOCKS[block]), __name__, {"block": block})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"min_guard": -1}, "choose 0 to 255"),
        ({"max_width": {"erase": 4}}, "choose among form, reset, set, read, dot"),
        ({"max_width": {"set": 0}}, "choose 1 to 65535"),
        ({"max_outstanding": 0}, "choose 1 to 65535"),
    ],
)
def test_refuses_nonsense(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Sequencer(CoreConfig(), **arguments)


def test_known_operations() -> None:
    """The codes typed here are the interface's."""
    assert {op.value: op.name.lower() for op in Op if op != Op.SELECT} == NAMES
    assert Op.SELECT.value == SELECT
