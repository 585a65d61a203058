"""Likelihood: terms and prediction sums equal those of the golden model, for any timing of the
array."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Iterator
from typing import Any

import cocotb
import numpy as np
import pytest

from ohmcarlo.errors import UsageError
from ohmcarlo.golden.likelihood import (
    activation,
    differences,
    dot_access,
    logit_of,
    sigmoid_of,
    term_of,
)
from ohmcarlo.golden.machine import Converter, Scale
from ohmcarlo.spec import (
    CODE_MAX,
    FEATURE_FRAC,
    PROB_FRAC,
    Geometry,
    saturate,
    shift_round,
    sigmoid_table,
    softplus_table,
)
from ohmcarlo_hdl.array.interface import Op, array_request, array_response
from ohmcarlo_hdl.bit_serial.likelihood import BitSerialLikelihood
from ohmcarlo_hdl.config import CoreConfig
from ohmcarlo_hdl.core.interface import PREDICTION, PREDICTION_BITS, TERM, likelihood_job
from ohmcarlo_hdl.core.likelihood import Likelihood
from verif.harness import (
    Clocked,
    Packer,
    Sink,
    Source,
    array_stimuli,
    case_parameters,
    load_window,
    run_bench,
    start_clock,
    stimuli,
)

SMALL = {"rows": 16, "pairs": 8, "entropy_pairs": 2}
CONFIGS: dict[str, tuple[dict[str, int], dict[str, int]]] = {
    "full": ({"access_bits": 8}, {}),
    "planes": ({"access_bits": 1, "tile_pairs": 3}, {}),
    "coarse": ({"access_bits": 2, "dot_bits": 8, "dot_shift": 3}, {}),
    "logistic": (
        {"access_bits": 4, "tile_pairs": 4, "dot_bits": 10, "dot_shift": 1},
        {"max_group_rows": 1},
    ),
    "bit-serial": ({"access_bits": 1}, {"max_group_rows": 1}),
    "bit-serial coarse": ({"access_bits": 2, "dot_bits": 8, "dot_shift": 3}, {"max_group_rows": 1}),
}
BIT_SERIAL = ("bit-serial", "bit-serial coarse")
"""Evaluated by ``BitSerialLikelihood``."""
# fewer points and layers where a point takes many accesses
HIDDEN = {"full": (0, 1, 3, 5), "planes": (0, 3), "coarse": (0, 5), "logistic": (0,)}
HIDDEN |= dict.fromkeys(BIT_SERIAL, (0,))
POINTS = {"full": 24, "planes": 7, "coarse": 12, "logistic": 20}
POINTS |= dict.fromkeys(BIT_SERIAL, 12)
# requests, readings, terms (or predictions), jobs
STALLS = [(0, 0, 0, 0), (0.5, 0, 0, 0), (0, 0.6, 0, 0.5), (0, 0, 0.7, 0), (0.3, 0.3, 0.3, 0.3)]


def config_of(name: str) -> CoreConfig:
    geometry, core = CONFIGS[name]
    return CoreConfig(Geometry(**{**SMALL, **geometry}), **{"max_points": 128, **core})


class Problem:
    """Random codes, points, order and settings, and the results of the golden model."""

    def __init__(
        self, config: CoreConfig, rng: random.Random, hidden: int, points: int, shift: int
    ) -> None:
        g = config.geometry
        self.config, self.hidden, self.n = config, hidden, points
        lowest = hidden + 1 if config.tiles == 1 else 1
        self.features = rng.randint(min(lowest, config.max_features), config.max_features)
        self.mantissa, self.shift = rng.randint(1 << 15, (1 << 16) - 1), shift
        draw = array_stimuli(rng.randrange(1 << 32))
        self.codes = draw.integers(0, CODE_MAX + 1, (g.rows, g.row_devices)).astype(np.int32)
        self.codes[draw.random(self.codes.shape) < 0.1] = CODE_MAX
        self.codes[draw.random(self.codes.shape) < 0.1] = 0
        self.inputs = draw.integers(-128, 128, (points, self.features)).astype(np.int8)
        self.inputs[draw.random(self.inputs.shape) < 0.1] = -128
        self.inputs[draw.random(self.inputs.shape) < 0.1] = 127
        self.labels = draw.integers(0, 3, points).astype(np.uint8)
        self.offsets = draw.integers(-(1 << 15), 1 << 15, points).astype(np.int16)
        self.offsets[draw.random(points) < 0.5] //= 16
        self.offsets[:2] = -(1 << 15), (1 << 15) - 1
        self.order = draw.permutation(points)
        self.converter = Converter(config.access_bits, config.tile_pairs, g.dot_shift, g.dot_limit)
        self.scale = Scale(self.mantissa, self.shift)
        self.softplus, self.sigmoid = softplus_table(), sigmoid_table()

    @property
    def groups(self) -> int:
        """Rows at which a sample may start."""
        return self.config.geometry.rows - self.hidden

    async def load(self, dut: Any) -> None:
        config = self.config
        words: dict[int, int] = {}
        for i in range(self.n):
            first = i * config.point_words
            words[first] = int(self.offsets[i]) & 0xFFFF | int(self.labels[i]) << 16
            for w in range(-(-config.max_features // 4)):
                part = self.inputs[i, 4 * w : 4 * w + 4].tobytes().ljust(4, b"\0")
                words[first + 1 + w] = int.from_bytes(part, "little")
        await load_window(dut, "load_points", words)
        await load_window(dut, "load_order", [int(i) for i in self.order])
        dut.points.value = self.n
        dut.features.value = self.features
        dut.hidden.value = self.hidden
        dut.logit_mantissa.value = self.mantissa
        dut.logit_shift.value = self.shift

    # -- the golden model ----------------------------------------------------------------------
    def _dot(self, inputs: Any, row: int) -> int:
        """Dot product of an input vector with the first pairs of a row."""
        weights = differences(self.codes[row, : 2 * len(inputs)])
        vector = np.array([inputs], np.int8)
        return int(dot_access(vector, 0, weights, 0, len(inputs), self.converter))

    def layer(self, point: int, row: int) -> list[int]:
        units = [
            int(activation(self._dot(self.inputs[point], row + h), self.scale))
            for h in range(self.hidden)
        ]
        return [*units, 1 << FEATURE_FRAC]

    def logit(self, point: int, row: int) -> int:
        inputs = self.layer(point, row) if self.hidden else self.inputs[point]
        dot = self._dot(inputs, row + self.hidden)
        return int(logit_of(dot, int(self.offsets[point]), self.scale))

    def terms(self, row: int) -> list[int]:
        return [
            int(term_of(self.softplus, int(self.labels[i]), self.logit(i, row))) for i in self.order
        ]

    def sums(self, jobs: list[dict[str, int]]) -> Iterator[dict[str, int]]:
        first = second = 0
        for job in jobs:
            p = int(sigmoid_of(self.sigmoid, self.logit(job["point"], job["row"])))
            first += job["multiplicity"] * p
            second += job["multiplicity"] * shift_round(p * p, PROB_FRAC)
            if job["last"]:
                yield {"sum": first % (1 << PREDICTION_BITS), "square": second}
                first = second = 0

    # -- accesses of the golden model's dot products ---------------------------------------------
    def accesses(self, inputs: Any, row: int) -> Iterator[dict[str, Any]]:
        config, bits = self.config, self.config.access_bits
        size = config.tile_pairs
        for tile in range(-(-len(inputs) // size)):
            part = [int(x) & 0xFF for x in inputs[tile * size : (tile + 1) * size]]
            part += [0] * (size - len(part))
            for plane in range(config.planes):
                yield {
                    "op": Op.DOT.value,
                    "row": row,
                    "device": 0,
                    "dac": 0,
                    "tile": tile,
                    "top": int(plane == config.planes - 1),
                    "inputs": [x >> (plane * bits) & ((1 << bits) - 1) for x in part],
                }

    def hidden_accesses(self, point: int, row: int) -> list[dict[str, Any]]:
        return [a for h in range(self.hidden) for a in self.accesses(self.inputs[point], row + h)]

    def output_accesses(self, point: int, row: int) -> list[dict[str, Any]]:
        inputs = self.layer(point, row) if self.hidden else self.inputs[point]
        return list(self.accesses(inputs, row + self.hidden))

    def per_point(self) -> tuple[int, int]:
        """Accesses of the hidden rows and of the output row."""
        hidden = self.hidden * self.config.geometry.accesses_per_row(self.features)
        inputs = self.hidden + 1 if self.hidden else self.features
        return hidden, self.config.geometry.accesses_per_row(inputs)


class Responder:
    """The array: answers every access in order, ``latency`` clocks (a range) after it came."""

    def __init__(self, dut: Any, config: CoreConfig, rng: random.Random) -> None:
        self.config, self.rng = config, rng
        self.requests = Sink(dut, "requests", array_request(config), 0, rng)
        self.packer = Packer(array_response(config))
        self.valid, self.ready = dut.readings__valid, dut.readings__ready
        self.payload = dut.readings__payload
        self.codes: Any = None
        self.latency = (6, 6)
        self.stall = 0.0
        self.pending: deque[tuple[int, int]] = deque()
        self.cycle = 0
        self.offering = False
        self.asked: list[int] = []  # when requests and readings were transferred
        self.answered: list[int] = []
        self.valid.value = 0

    def reading(self, request: dict[str, Any]) -> int:
        """Payloads of ``array_request`` and ``array_response``."""
        config = self.config
        g, bits = config.geometry, config.access_bits
        codes = self.codes[request["row"]]
        total = 0
        for i, x in enumerate(request["inputs"]):
            if request["top"] and x >> (bits - 1):
                x -= 1 << bits
            pair = request["tile"] * config.tile_pairs + i
            if x:
                total += x * (int(codes[2 * pair]) - int(codes[2 * pair + 1]))
        return int(saturate(shift_round(total, g.dot_shift), g.dot_limit))

    def clear(self) -> None:
        self.asked.clear()
        self.answered.clear()
        self.requests.items.clear()

    @property
    def quiet(self) -> bool:
        return not self.pending

    def tick(self) -> None:
        self.cycle += 1
        if self.offering and int(self.ready.value):
            self.pending.popleft()
            self.answered.append(self.cycle)
            self.offering = False
        before = len(self.requests.items)
        self.requests.tick()
        if len(self.requests.items) > before:
            self.asked.append(self.cycle)
            due = self.cycle + self.rng.randint(*self.latency)
            self.pending.append((due, self.reading(self.requests.items[-1])))
        due_now = bool(self.pending) and self.pending[0][0] <= self.cycle + 1
        if not self.offering and due_now and self.rng.random() >= self.stall:
            self.payload.value = self.packer.pack({"value": self.pending[0][1]})
            self.offering = True
        self.valid.value = int(self.offering)


class TimedSink(Sink):
    """A sink that notes the clocks of its transfers."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.cycle = 0
        self.times: list[int] = []

    def tick(self) -> None:
        self.cycle += 1
        before = len(self.items)
        super().tick()
        if len(self.items) > before:
            self.times.append(self.cycle)

    def forget(self) -> None:
        """The offered item may be withdrawn: the one exception, after a stop."""
        self._offered = None

    def clear(self) -> None:
        self.items.clear()
        self.times.clear()


class TimedSource(Source):
    """A source that notes the clocks of its transfers."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.cycle = 0
        self.times: list[int] = []

    def tick(self) -> None:
        self.cycle += 1
        before = self.sent
        super().tick()
        if self.sent > before:
            self.times.append(self.cycle)

    @property
    def settled(self) -> bool:
        """Everything is sent, and the clock after the last transfer is over."""
        return self.done and (not self.times or self.cycle > self.times[-1])

    def clear(self) -> None:
        self.times.clear()


class Stopper:
    """Holds ``stop`` high for ``length`` clocks, ``delay`` clocks after ``arm``.

    ``at_stop``: how many jobs, terms and requests had been transferred when ``stop`` was first
    seen, and whether a request was offered then and not taken.
    """

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.delay = self.length = 0
        self.level = 0
        self.at_stop: tuple[int, int, int, int] | None = None
        bench.dut.stop.value = 0

    def arm(self, delay: int, length: int) -> None:
        self.delay, self.length, self.at_stop = delay, length, None

    def tick(self) -> None:
        if self.level:
            self.bench.terms.forget()
            if self.at_stop is None:
                requests = self.bench.array.requests
                self.at_stop = (
                    len(self.bench.jobs.times),
                    len(self.bench.terms.items),
                    len(requests.items),
                    int(requests._offered is not None),
                )
        if self.length and self.delay == 0:
            self.level = 1
            self.length -= 1
        else:
            self.level = 0
            self.delay = max(self.delay - 1, 0)
        self.bench.dut.stop.value = self.level


class IdleWatch:
    """``idle`` means: nothing offered, nothing in flight."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench

    def tick(self) -> None:
        dut = self.bench.dut
        self.idle = int(dut.idle.value)
        if self.idle:
            assert not int(dut.requests__valid.value), "idle with a request offered"
            assert not int(dut.terms__valid.value), "idle with a term offered"
            assert not int(dut.predictions__valid.value), "idle with a prediction offered"
            assert self.bench.array.quiet, "idle with readings in flight"


class Bench:
    """A Likelihood with its drivers and monitors."""

    def __init__(self, dut: Any, seed: int) -> None:
        self.dut = dut
        self.name = case_parameters()["config"]
        self.config = config_of(self.name)
        self.rng = rng = stimuli(seed)
        self.jobs = TimedSource(dut, "jobs", likelihood_job(self.config), (), 0, rng)
        self.array = Responder(dut, self.config, rng)
        self.terms = TimedSink(dut, "terms", TERM, 0, rng)
        self.predictions = TimedSink(dut, "predictions", PREDICTION, 0, rng)
        self.stopper = Stopper(self)
        self.watch = IdleWatch(self)
        for name in ("points", "features", "hidden", "logit_mantissa", "logit_shift"):
            getattr(dut, name).value = 1
        for name in ("load_points", "load_order"):
            getattr(dut, f"{name}__stb").value = 0

    async def start(self) -> None:
        await start_clock(self.dut)
        parts = (self.watch, self.jobs, self.array, self.terms, self.predictions, self.stopper)
        self.clocked = Clocked(self.dut, *parts).start()

    async def problem(self, hidden: int, points: int, shift: int) -> Problem:
        problem = Problem(self.config, self.rng, hidden, points, shift)
        await problem.load(self.dut)
        self.array.codes = problem.codes
        return problem

    def stalls(self, stalls: tuple[float, ...], latency: tuple[int, int] = (6, 6)) -> None:
        self.array.requests.stall, self.array.stall, self.terms.stall, self.jobs.stall = stalls
        self.predictions.stall = self.terms.stall
        self.array.latency = latency

    def clear(self) -> None:
        for part in (self.array, self.terms, self.predictions, self.jobs):
            part.clear()

    def evaluate(self, row: int) -> None:
        """Request an evaluation; unused fields are random."""
        other = {"point": self.rng.randrange(self.config.max_points), "last": 1}
        self.jobs.put([{"predict": 0, "row": row, "multiplicity": 3, **other}])

    async def idle(self, limit: int = 60_000) -> None:
        await self.clocked.until(
            lambda: self.jobs.settled and self.watch.idle, limit, "the likelihood pipe"
        )


def check_terms(bench: Bench, problem: Problem, rows: list[int]) -> None:
    expected = [
        {"term": t, "last": int(i == problem.n - 1)}
        for row in rows
        for i, t in enumerate(problem.terms(row))
    ]
    assert bench.terms.items == expected


def check_accesses(bench: Bench, problem: Problem, rows: list[int]) -> None:
    each = problem.n * sum(problem.per_point())
    assert len(bench.array.requests.items) == each * len(rows)
    for number, row in enumerate(rows):
        requests = bench.array.requests.items[number * each : (number + 1) * each]
        top = row + problem.hidden
        hidden = [r for r in requests if r["row"] != top]
        output = [r for r in requests if r["row"] == top]
        assert hidden == [a for i in problem.order for a in problem.hidden_accesses(i, row)]
        assert output == [a for i in problem.order for a in problem.output_accesses(i, row)]


@cocotb.test()
async def evaluates(dut) -> None:  # type: ignore[no-untyped-def]
    bench = Bench(dut, 11)
    await bench.start()
    for hidden in HIDDEN[bench.name]:
        for number, stalls in enumerate(STALLS):
            shift = bench.rng.choice((18, 20, 22)) if number else bench.rng.choice((0, 12, 47))
            problem = await bench.problem(hidden, POINTS[bench.name], shift)
            bench.stalls(stalls, bench.rng.choice([(1, 1), (6, 6), (1, 40)]))
            bench.clear()
            rows = [bench.rng.randrange(problem.groups) for _ in range(2)]
            for row in rows:
                bench.evaluate(row)
            await bench.idle()
            check_terms(bench, problem, rows)
            check_accesses(bench, problem, rows)
    # one point
    problem = await bench.problem(0, 2, 16)
    problem.n, problem.order = 1, problem.order[:1]
    dut.points.value = 1
    bench.clear()
    bench.evaluate(2)
    await bench.idle()
    check_terms(bench, problem, [2])


@cocotb.test()
async def stops(dut) -> None:  # type: ignore[no-untyped-def]
    bench = Bench(dut, 12)
    await bench.start()
    rng = bench.rng
    for hidden in HIDDEN[bench.name]:
        problem = await bench.problem(hidden, POINTS[bench.name], 20)
        whole, n = sum(problem.per_point()) * problem.n, problem.n
        full = {row: problem.terms(row) for row in (0, 3)}
        dropped = 0
        # a bit-serial form rarely starts an access: stop in every clock of the first ones
        bit_serial = bench.name in BIT_SERIAL
        swept, stops = (30, 42) if bit_serial else (10, 24)
        for number in range(stops):
            await bench.clocked.until(lambda: not bench.stopper.level, 100)
            bench.stalls(rng.choice(STALLS), rng.choice([(1, 1), (6, 6), (1, 40), (24, 24)]))
            bench.clear()
            bench.evaluate(0)
            delay = number if number < swept else rng.randrange(whole + 60)
            if bit_serial and number < swept:
                bench.stalls((0, 0, 0, 0), (1, 1))
                delay = 2 * number // 3  # each with and without a job that waits
            bench.stopper.arm(delay, rng.choice((1, 1, 2, 30)))
            if number % 3 == 0:  # the next job waits already
                bench.evaluate(3)
            await bench.clocked.until(lambda: bench.stopper.at_stop is not None, 10_000)
            jobs, taken, requests, offered = bench.stopper.at_stop or (0, 0, 0, 0)
            hit = taken < n * jobs  # the stop found an evaluation in progress
            if number % 3:
                await bench.idle()
                if hit:
                    late = len(bench.array.requests.items) - requests
                    assert late <= offered + 1, "requests were started after the stop"
                bench.evaluate(3)
            await bench.idle()
            got = [t["term"] for t in bench.terms.items]
            last = [t["last"] for t in bench.terms.items][-n:]
            # only terms that were not taken at the stop are missing
            expected = [*full[0], *full[3]]
            if hit:
                del expected[taken : n * jobs]
                dropped += 1
            assert got == expected
            if not (hit and jobs == 2):
                assert last == [0] * (n - 1) + [1]
        assert dropped > 8


@cocotb.test()
async def predicts(dut) -> None:  # type: ignore[no-untyped-def]
    bench = Bench(dut, 13)
    await bench.start()
    rng = bench.rng
    for hidden in HIDDEN[bench.name]:
        for stalls in STALLS:
            shift = rng.choice((18, 20, 22))
            problem = await bench.problem(hidden, 30, shift)
            bench.stalls(stalls, rng.choice([(1, 1), (6, 6), (1, 40)]))
            bench.clear()
            closing = rng.choice((0.1, 0.5, 1))
            jobs = [
                {
                    "predict": 1,
                    "row": rng.randrange(problem.groups),
                    "point": rng.randrange(problem.n),
                    "multiplicity": rng.choice((1, rng.randrange(1 << 32), (1 << 32) - 1)),
                    "last": int(rng.random() < closing),
                }
                for _ in range(4 * POINTS[bench.name])
            ]
            jobs[-1]["last"] = 1
            bench.jobs.put(jobs)
            # an evaluation in between waits; neither it nor a stop changes the sums
            bench.evaluate(1)
            bench.stopper.arm(rng.randrange(30), 2)
            bench.jobs.put(jobs[:5] + jobs[-1:])
            await bench.idle()
            expected = [*problem.sums(jobs), *problem.sums(jobs[:5] + jobs[-1:])]
            assert bench.predictions.items == expected
            check_terms(bench, problem, [1])


@cocotb.test()
async def keeps_pace(dut) -> None:  # type: ignore[no-untyped-def]
    bench = Bench(dut, 14)
    await bench.start()
    for hidden in HIDDEN[bench.name]:
        for latency in (1, 6, 24):
            points = 128 if bench.config.planes == 1 else 2 * POINTS[bench.name]
            problem = await bench.problem(hidden, points, 20)
            bench.stalls((0, 0, 0, 0), (latency, latency))
            in_hidden, in_output = problem.per_point()
            total = (in_hidden + in_output) * problem.n
            for predict in (0, 1):
                bench.clear()
                if predict:
                    jobs = [
                        {"predict": 1, "row": i % 5, "point": i, "multiplicity": 1, "last": i % 2}
                        for i in range(problem.n)
                    ]
                    bench.jobs.put(jobs)
                else:
                    bench.evaluate(4)
                await bench.idle()
                asked, array = bench.array.asked, bench.array
                assert len(asked) == total
                first = asked[0] - bench.jobs.times[0]
                assert first <= Likelihood.FIRST_REQUEST_LATENCY <= 6
                # one access per clock: without a hidden layer until the end, with one until the
                # last hidden row
                busy = total
                if hidden:
                    rows = [r["row"] for r in array.requests.items]
                    tops = [(4 if not predict else 0) + hidden] * total
                    if predict:  # the row differs from point to point: count hidden accesses
                        busy = _until_hidden_done(array.requests.items, problem, jobs)
                    else:
                        busy = max(i for i in range(total) if rows[i] != tops[i]) + 1
                assert asked[busy - 1] - asked[0] == busy - 1, "a bubble"
                if not predict:
                    ends = _ends_of_points(problem, array, 4)
                    waits = {t - e for t, e in zip(bench.terms.times, ends, strict=True)}
                    assert waits == {Likelihood.TERM_LATENCY} and max(waits) <= 11
                elif not hidden and in_output == 1:
                    times = bench.jobs.times
                    assert times[-1] - times[0] == problem.n - 1, "prediction jobs with a bubble"


@cocotb.test()
async def loses_nothing(dut) -> None:  # type: ignore[no-untyped-def]
    """More points than the pipe holds, while each side in turn is blocked."""
    bench = Bench(dut, 15)
    await bench.start()
    held: dict[str, tuple[float, ...]] = {
        "requests": (1, 0, 0, 0),
        "readings": (0, 1, 0, 0),
        "terms": (0, 0, 1, 0),
    }
    layers = (0, HIDDEN[bench.name][-1]) if bench.config.planes == 1 else (0,)
    for hidden in layers:
        problem = await bench.problem(hidden, 2 * Likelihood.POINTS_IN_FLIGHT - 24, 20)
        for stalls in held.values():
            bench.clear()
            bench.stalls(stalls)
            bench.evaluate(2)
            jobs = [
                {"predict": 1, "row": i % 4, "point": i, "multiplicity": i, "last": 1}
                for i in range(problem.n)
            ]
            for _ in range(2):  # an evaluation first, then predictions
                await _still(bench)
                bench.stalls((0, 0, 0, 0))
                await bench.idle()
                if bench.predictions.items:
                    break
                bench.stalls(stalls)
                bench.jobs.put(jobs)
            check_terms(bench, problem, [2])
            assert bench.predictions.items == [*problem.sums(jobs)]


async def _still(bench: Bench) -> None:
    """Wait for so many clocks without a request that none can follow."""
    seen = -1
    while seen != len(bench.array.asked):
        seen, start = len(bench.array.asked), bench.clocked.cycle
        await bench.clocked.until(lambda s=start: bench.clocked.cycle >= s + 100, 200)


def _until_hidden_done(requests: Any, problem: Problem, jobs: Any) -> int:
    """Accesses up to the last one of a hidden row of the last prediction job."""
    wanted = problem.hidden_accesses(jobs[-1]["point"], jobs[-1]["row"])[-1]
    return max(i for i, r in enumerate(requests) if r == wanted) + 1


def _ends_of_points(problem: Problem, array: Responder, row: int) -> list[int]:
    """When each point's last reading was transferred."""
    top = row + problem.hidden
    output = [
        t for r, t in zip(array.requests.items, array.answered, strict=True) if r["row"] == top
    ]
    per_point = problem.per_point()[1]
    return output[per_point - 1 :: per_point]


@pytest.mark.parametrize("config", [name for name in CONFIGS if name not in BIT_SERIAL])
def test_likelihood(config: str) -> None:
    """All of the above in one simulation; a failure names the part."""
    run_bench(Likelihood(config_of(config)), __name__, {"config": config})


@pytest.mark.parametrize("config", BIT_SERIAL)
def test_bit_serial_likelihood(config: str) -> None:
    """The form that waits for each access: the same accesses and terms, later."""
    block = BitSerialLikelihood(config_of(config))
    run_bench(block, __name__, {"config": config}, testcase="evaluates|stops")


def test_bit_serial_likelihood_refuses_what_it_cannot_evaluate() -> None:
    for config in ("planes", "full"):
        with pytest.raises(UsageError, match="set max_group_rows = 1"):
            BitSerialLikelihood(config_of(config))
