"""An array that adapts and samples on the golden model, and the clocks that a board takes."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ohmcarlo.boards.base import Block
from ohmcarlo.boards.streamed import SERIAL_BITS, WORD_BYTES
from ohmcarlo.errors import OhmcarloError
from ohmcarlo.runs.chain_run import ChainRun
from ohmcarlo.runs.config import TrainConfig
from ohmcarlo.runs.replay import ORDER_AT
from ohmcarlo.runs.setup import ChainSetup
from ohmcarlo.runs.supervised.experiment import prepare, standardised_weights
from ohmcarlo.runs.trace import Trace
from ohmcarlo.spec.link import ACCEPTED_WORDS, BAUD, SAMPLE_HEADER_WORDS
from ohmcarlo.tasks import Task

from .measuring import Run, Seconds
from .problems import Problem

CHAINS = 4
MODEL, VERILATED = "model", "rtl"
COUNTED_STEPS = 250
"""Steps of each chain whose clocks are counted."""


@dataclass(frozen=True, eq=False)
class Part:
    """The adaptation or the sampling of a run: what it did, and how long it took.

    ``steps`` and ``points`` are those of all chains together, ``clocks`` 0 for the model.
    """

    steps: int
    points: int
    seconds: Seconds
    clocks: int


@dataclass(frozen=True, eq=False)
class Work:
    """A run: its two parts, its stream, the draws (chains, steps, weights), and the devices of a
    sample."""

    adaptation: Part
    sampling: Part
    stream: Block
    draws: NDArray[np.float64]
    devices: int

    @property
    def run(self) -> Run:
        return Run(self.draws, self.adaptation.seconds, self.sampling.seconds)


@dataclass(frozen=True)
class _Mark:
    """A moment of a run: of the processor's time, the elapsed time, and the board's clock."""

    cpu: float
    wall: float
    clocks: int

    @classmethod
    def now(cls, setup: ChainSetup) -> _Mark:
        clocks = setup.board.clock_cycles() or 0
        return cls(time.process_time(), time.perf_counter(), clocks)

    def until(self, end: _Mark, steps: int, points: int) -> Part:
        seconds = Seconds(end.cpu - self.cpu, end.wall - self.wall)
        return Part(steps, points, seconds, end.clocks - self.clocks)


def work(problem: Problem, options: Mapping[str, Any], seed: int, backend: str, steps: int) -> Work:
    """Adapt and sample a problem as ``ohmcarlo train`` does."""
    config = TrainConfig(
        problem.name, backend=backend, chains=CHAINS, steps=steps, whiten=True, adapt=True,
        seed=seed, sigma_p=problem.sigma_p, **{**problem.options, **options},
    )  # fmt: skip
    task = Task(problem.name, problem.name, problem.title, all_features=problem.x.shape[1])
    setup, _ = prepare(config, task, problem.x, problem.y)
    with closing(setup):
        marks: list[_Mark] = []
        run = ChainRun(setup, before_sampling=lambda made: marks.append(_Mark.now(made)))
        begin = _Mark.now(setup)
        run.run()
        stream = run.streamed()
        clocked = _Mark.now(setup)  # before the host reads the samples that are current
        trace = Trace.of(stream, setup.board.current())
        weights = standardised_weights(run.setup.registers, run.setup.encoder, trace.codes)
        draws = weights[trace.draws()]
        taken = _Mark.now(setup)
    end = _Mark(taken.cpu, taken.wall, clocked.clocks)
    record = run.setup.adaptation
    assert record is not None
    stage_points = sum(stage.points for stage in record.stages)
    return Work(
        adaptation=begin.until(marks[0], CHAINS * record.steps, stage_points),
        sampling=marks[0].until(end, len(stream.accepted), int(stream.points.sum())),
        stream=stream,
        draws=draws,
        devices=trace.codes.shape[1],
    )


@dataclass
class GoldenModel:
    """The golden model as a ``Sampler``; ``options`` are fields of ``TrainConfig``."""

    name: str
    problem: Problem
    configuration: str
    options: Mapping[str, Any]
    _compiled: ClassVar[bool] = False

    def compile(self) -> None:
        """All problems and options have the same machine code, so that the first one suffices."""
        if not GoldenModel._compiled:
            GoldenModel._compiled = True
            self.work(0, steps=ORDER_AT[-1] + 1)

    def work(self, seed: int, steps: int | None = None) -> Work:
        steps = self.problem.steps if steps is None else steps
        return work(self.problem, self.options, seed, MODEL, steps)

    def run(self, seed: int) -> Run:
        return self.work(seed).run


@dataclass(frozen=True)
class BoardClock:
    """How many clocks the steps of a problem take, counted on the Verilated board.

    A step takes a clock for each point that it evaluates, and ``overhead`` clocks besides: to
    program and read the devices, and for points that were under way when a proposal was rejected.

    Attributes
    ----------
    stage_overhead, overhead : float
        Clocks of a step besides its points, in the adaptation and in the sampling.
    hz : float
        Frequency of the clock.
    """

    stage_overhead: float
    overhead: float
    hz: float

    @classmethod
    def count(
        cls, problem: Problem, options: Mapping[str, Any], hz: float, seed: int = 1
    ) -> BoardClock:
        """Run the board, and compare its chain with that of the model. OhmcarloError if they
        differ."""
        board, model = (
            work(problem, options, seed, backend, COUNTED_STEPS) for backend in (VERILATED, MODEL)
        )
        if not np.array_equal(board.draws, model.draws):
            raise OhmcarloError(f"{problem.name}: the board made another chain than the model")
        stages, chain = board.adaptation, board.sampling
        return cls(
            (stages.clocks - stages.points) / stages.steps,
            (chain.clocks - chain.points) / chain.steps,
            hz,
        )

    def sampling(self, done: Work) -> Seconds:
        part = done.sampling
        return self._seconds(part.steps * self.overhead + part.points)

    def adaptation(self, done: Work) -> Seconds:
        """The clocks of the stages, and the host's linear algebra between them."""
        part = done.adaptation
        chain = done.sampling.seconds.cpu / done.sampling.steps
        host = max(part.seconds.cpu - part.steps * chain, 0.0)
        return self._seconds(part.steps * self.stage_overhead + part.points) + Seconds(host, host)

    def _seconds(self, clocks: float) -> Seconds:
        return Seconds(clocks / self.hz, clocks / self.hz)


def serial_seconds(done: Work) -> Seconds:
    """Time of the records of the sampling on the serial line of a board, without frames."""
    accepted = int(done.stream.accepted.sum())
    words = len(done.stream.accepted) + accepted * (
        ACCEPTED_WORDS + 1 + SAMPLE_HEADER_WORDS + done.devices // 2
    )
    seconds = words * WORD_BYTES * SERIAL_BITS / BAUD
    return Seconds(seconds, seconds)
