"""Run the stages of an adaptation on a board."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...boards import RUNNING, Block
from ...errors import OhmcarloError
from ...golden import log_posteriors
from ...spec import LOGLIK_FRAC, coefficient
from ..config import TrainConfig
from ..device_errors import WHITENED_RHO_TRIMMED
from ..reach import MIN_GAMMA_US
from ..setup import ChainSetup
from ..trace import Trace
from .choice import GAMMAS, LARGER_GAMMA, LOWER_RHOS, RHOS, Pilot, choose
from .learner import Learner
from .record import SAMPLES, Record, StageResult
from .schedule import MOST_STEPS, Stage

Floats = NDArray[np.float64]
IntArray = NDArray[np.int64]
WIDEST, MOST_PILOTS = 1.25, 3
"""The pilot stage is made again, up to this number in all, if its samples are wider than their new
coordinates say, or if they call for another proposal than the usual one."""
ENOUGH_ESS = 3
"""The sampling chain gets more steps if the pilot promises fewer than so many times ESS_LIMIT."""
MOST_TIMES = 8
"""More steps: up to so many times those of the task."""


@dataclass(frozen=True, eq=False)
class Made:
    """A stage on the board, before its results are drawn."""

    setup: ChainSetup
    stage: Stage
    trace: Trace
    points: int


class Stages:
    """The stages of the adaptation of a set-up, from the first or from those of a record.

    Parameters
    ----------
    setup : ChainSetup
        With a learner. Its board is configured and not started.
    record : Record
        The stages that were made before; further ones are added to it.
    """

    def __init__(self, setup: ChainSetup, record: Record) -> None:
        config = setup.config
        assert setup.learner is not None and setup.source is not None
        self.first, self.record = setup, record
        self.learner, self.source = setup.learner, setup.source
        self.schedule = self.learner.schedule(
            self.source.ideal, config.chains, setup.points.features
        )
        self._encoder = self._encoded()

    def _encoded(self) -> Any:
        """The encoding that follows from the stages so far."""
        encoder = self.learner.first
        for stage in self.record.stages:
            encoder = self.learner.around(encoder, stage.samples, stage.curvature)
        return encoder

    def _curvature(self, setup: ChainSetup) -> NDArray[np.float64]:
        """Mean of p (1 - p) of every training point over the samples in the array."""
        if not self.learner.rows:
            return np.empty(0)
        mean, variance = (v[: self.learner.rows] for v in setup.board.predict(setup.points))
        return np.maximum(mean * (1 - mean) - variance, 0.0)

    def next_stage(self) -> Stage | None:
        """The stage that comes next; None: sample."""
        stages = self.record.stages
        found = self.schedule.next(self.record.log_posteriors)
        if found is not None:
            return found
        pilot = self.schedule.refine[-1]
        pilots = len(stages) - self._before_pilots()
        doubtful = stages[-1].width > WIDEST or not stages[-1].usual
        room = pilots < MOST_PILOTS and self.record.steps + pilot.steps <= MOST_STEPS
        return pilot if doubtful and room else None

    def _before_pilots(self) -> int:
        """Stages before the first pilot."""
        searched = self.schedule.search_stages(self.record.log_posteriors) or 0
        return searched + len(self.schedule.refine) - 1

    def load(self) -> ChainSetup:
        """Load the chain that comes next into the board, which has its state of the record.

        Returns its set-up: that of the next stage, or of the sampling chain after the last one.
        """
        stage = self.next_stage()
        config = self._sampling() if stage is None else self._config(stage)
        setup = self.first.encoded(config, self._encoder)
        setup.board.reload(setup.registers, setup.points)
        if stage is not None:
            return setup
        return replace(setup.with_errors(), learner=None, adaptation=self.record)

    def run(self, setup: ChainSetup) -> None:
        """Make the next stage, whose chain is loaded, and add it to the record."""
        stage = self.next_stage()
        assert stage is not None
        board = setup.board
        with self.record.counting(board):
            board.start()
            block = _require_running(board.run(stage.steps))
            made = Made(setup, stage, Trace.of(block, board.current()), int(block.points.sum()))
            self._add(made)

    def progress(self) -> str:
        """A line about the stage that runs."""
        done = len(self.record.stages)
        search = self.schedule.search_stages(self.record.log_posteriors) is None
        what = "search for the posterior" if search else "shape of the posterior"
        return f"adaptation, stage {done + 1} ({what})"

    def expected_steps(self) -> int:
        """Steps of every chain in all stages, if the stage that runs ends the search, or if no
        further pilot is needed."""
        schedule, done = self.schedule, len(self.record.stages)
        searched = schedule.search_stages(self.record.log_posteriors)
        if searched is None:
            left = (schedule.search, *schedule.refine)
        else:
            left = schedule.refine[min(done - searched, len(schedule.refine) - 1) :]
        return self.record.steps + sum(stage.steps for stage in left)

    def summary(self, setup: ChainSetup) -> str:
        """A line about the stages that were made, and the chain that follows."""
        record = self.record
        return (
            f"adapted in {record.steps} steps of every chain ({len(record.stages)} stages, no fit "
            f"on the computer): {setup.config.steps:,} steps with {setup.describe_proposal()}"
        )

    def _add(self, made: Made) -> None:
        """Draw the results of a stage, and choose the coordinates of the next one."""
        setup, stage, trace = made.setup, made.stage, made.trace
        curvature = self._curvature(setup)
        codes, counts = trace.after(stage.skipped)
        weights = self.learner.weights(setup.encoder, setup.registers.weights(codes))
        samples = weights[evenly(counts, SAMPLES)]
        self._encoder = self.learner.around(self._encoder, samples, curvature)
        v = unwhitened(self.learner, self._encoder, weights) / self._encoder.spread
        levels = self._levels(setup, codes)
        pilot = Pilot(v.shape[1], (v**2).sum(axis=1), levels, counts.astype(np.float64))
        level = float(trace.log_posterior_nat()[:, stage.skipped :].mean())
        usual = proposal = None
        if self.schedule.next([*self.record.log_posteriors, level]) is None:
            usual, proposal = choose(pilot, *self._choices())
        self.record.stages.append(
            StageResult(
                rho=stage.rho,
                steps=stage.steps,
                acceptance=float(trace.accepted.mean()),
                log_posterior=level,
                width=pilot.width,
                usual=proposal == usual,
                points=made.points,
                samples=samples,
                curvature=curvature,
            )
        )
        if self.next_stage() is None:
            self.record.proposal = proposal

    def _levels(self, setup: ChainSetup, codes: NDArray[np.uint16]) -> Floats:
        """Log-posterior of samples, nat; the common mode says nothing about the weights."""
        registers = replace(setup.registers, common_coef=coefficient(0.0, LOGLIK_FRAC))
        return log_posteriors(registers, setup.points, codes) / 2.0**LOGLIK_FRAC

    # -- configurations ------------------------------------------------------------------------

    def _config(self, stage: Stage) -> TrainConfig:
        return replace(
            self.first.config, rho=stage.rho, gamma=None, wide_every=0, steps=stage.steps
        )

    def _choices(self) -> tuple[list[tuple[float, float, float]], tuple[float, ...]]:
        """Arguments of ``choose``: what the user chose is not chosen again.

        On devices that differ, a larger rho would move the posterior further: with 0.8, the spreads
        of digits 3/8 on the recorded cells are 9 to 16 % too wide, which no prediction covers.
        """
        config = self.first.config
        sigma = self.source.read_back.averaged(config.repeats)
        usual = []
        rhos = RHOS if self.source.ideal else (WHITENED_RHO_TRIMMED,)
        least = rhos[0] if config.least_rho is None else config.least_rho
        lower = tuple(rho for rho in LOWER_RHOS if least <= rho < rhos[0])
        factors = (*GAMMAS, LARGER_GAMMA) if lower else GAMMAS
        for rho in (*rhos, *lower) if config.rho is None else (config.rho,):
            settings = self.source.settings(replace(config, rho=rho), 1.0, None, None)
            spread = float(np.asarray(sigma(np.array([settings.centre_us])))[0])
            width = np.sqrt(2) * spread / np.sqrt(1 - rho**2)
            usual.append((rho, settings.gamma_us, float(width)))
        return usual, factors if config.gamma is None else (1.0,)

    def _sampling(self) -> TrainConfig:
        """The configuration of the sampling chain."""
        config, chosen = self.first.config, self.record.proposal
        if chosen is None:
            raise OhmcarloError("the adaptation has not ended")
        steps = config.steps
        if config.more_steps:
            steps = more_steps(steps, config.chains, chosen.ess_per_1000_steps)
        gamma = max(chosen.gamma_us, MIN_GAMMA_US)
        return replace(config, rho=chosen.rho, gamma=gamma, steps=steps)


def unwhitened(learner: Learner, encoder: Any, weights: Floats) -> Floats:
    """The sampled weights (s, m) that have these ``weights`` (s, m), which depend linearly on
    them."""
    m = weights.shape[1]
    centre = learner.weights(encoder, np.zeros((1, m)))
    matrix = learner.weights(encoder, np.eye(m)) - centre
    return np.asarray(np.linalg.solve(matrix.T, (weights - centre).T).T, np.float64)


def evenly(counts: IntArray, n: int) -> IntArray:
    """Indices (n,) of samples: each comes in proportion to the steps that it was current."""
    ends = np.cumsum(counts)
    places = (np.arange(n) + 0.5) * (ends[-1] / n)
    return np.searchsorted(ends, places, side="right")


def more_steps(steps: int, chains: int, expected: float) -> int:
    """Steps of every chain for enough effective samples, in whole multiples of the usual ones."""
    from ...diagnostics import ESS_LIMIT

    promised = max(expected, 1e-6) * steps * chains / 1000
    times = int(np.ceil(ENOUGH_ESS * ESS_LIMIT / promised))
    return steps * min(max(times, 1), MOST_TIMES)


def _require_running(block: Block) -> Block:
    if block.status != RUNNING:
        raise OhmcarloError(
            f"the array could not adapt ({block.status}): use an array with more working rows, or "
            "fit on the computer (--whiten)"
        )
    return block
