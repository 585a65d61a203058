"""The size of a network's steps, chosen from pilot stages in the array.

A proposal moves a weight by sqrt(1 - rho²) prior standard deviations. The more data determine the
weights, the smaller its steps must be. The chains make two short stages, each from its start. The
acceptance rate of a stage shows by which factor its steps were too large or too small: it is about
2 Φ(-c s / 2) for steps of size s. The aim is 0.234 (Roberts, Gelman and Gilks 1997, doi
10.1214/aoap/1034625254). The sampling chain then starts afresh, and its rho is fixed.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..boards import RUNNING
from ..errors import OhmcarloError
from .adaptation.record import NO_WIDTH, Record, StageResult
from .reach import SOURCE, window_errors
from .setup import ChainSetup
from .trace import Trace

STAGES = (500, 1000)
"""Steps of every chain in each stage; the first half does not count."""
WANTED_ACCEPTANCE = 0.234
SMALLEST_RHO = 0.9
WIDEST_US = 45.0
"""Standard deviation of a pair under the proposal alone that the window of the devices holds: the
error of a spread is 1.6 %."""
LARGEST_CHANGE = 4.0


class PilotStages:
    """The pilot stages of a set-up, from the first or from those of a record.

    Parameters
    ----------
    setup : ChainSetup
        With ``pilot``. Its board is configured and not started.
    record : Record
        The stages that were made before; further ones are added to it.
    """

    def __init__(self, setup: ChainSetup, record: Record) -> None:
        self.first, self.record = setup, record

    @property
    def rho(self) -> float:
        """The rho that follows from the stages so far."""
        rho = self.first.settings.rho
        for stage in self.record.stages:
            rho = better_rho(rho, stage.acceptance, self._largest_rho())
        return rho

    def _largest_rho(self) -> float:
        """The rho beyond which the prior does not fit into the window of the devices."""
        source, settings = self.first.source, self.first.settings
        assert source is not None
        noise = np.sqrt(2) * settings.centre_us * source.opened.rel()
        return float(np.sqrt(1 - min(noise / WIDEST_US, 1.0) ** 2))

    def load(self) -> ChainSetup:
        """Load the chain that comes next into the board, which has its state of the record.

        Returns its set-up: that of the next stage, or of the sampling chain after the last one.
        """
        first = self.first
        source, expected = first.source, first.pilot
        assert source is not None and expected is not None
        config = replace(first.config, rho=self.rho)
        settings = source.settings(config, first.encoder.spread, first.encoder.sigma, expected)
        registers = source.registers(settings, first.points.features)
        setup = replace(first, config=config, settings=settings, registers=registers)
        setup.board.reload(registers, setup.points)
        if len(self.record.stages) < len(STAGES):
            return setup
        kept = tuple(error for error in first.errors if error.source != SOURCE)
        errors = kept + window_errors(expected, settings)
        return replace(setup, errors=errors, pilot=None, adaptation=self.record)

    def run(self, setup: ChainSetup) -> None:
        """Make the next stage, whose chain is loaded, and add it to the record."""
        steps = STAGES[len(self.record.stages)]
        with self.record.counting(setup.board):
            self.record.stages.append(_made(setup, steps))

    def progress(self) -> str:
        """A line about the stage that runs."""
        return f"pilot of the step size, stage {len(self.record.stages) + 1}"

    def expected_steps(self) -> int:
        """Steps of every chain in all stages."""
        return sum(STAGES)

    def summary(self, setup: ChainSetup) -> str:
        """A line about the stages that were made, and the chain that follows."""
        return (
            f"{self.record.steps} pilot steps of every chain led to {setup.describe_proposal()}: "
            f"{setup.config.steps:,} steps"
        )


def _made(setup: ChainSetup, steps: int) -> StageResult:
    """A stage of so many steps of every chain, on the board that has its chain."""
    board = setup.board
    board.start()
    block = board.run(steps)
    if block.status != RUNNING:
        raise OhmcarloError(
            f"the pilot of the network stopped ({block.status}): use an array with more "
            f"working rows, or choose the proposal (--rho {setup.settings.rho:g})"
        )
    trace = Trace.of(block, board.current())
    half = steps // 2
    return StageResult(
        rho=setup.settings.rho,
        steps=steps,
        acceptance=float(trace.accepted_by_chain()[:, half:].mean()),
        log_posterior=float(trace.log_posterior_nat()[:, half:].mean()),
        width=NO_WIDTH,
        usual=True,
        points=int(block.points.sum()),
        samples=np.empty((0, 0)),
        curvature=np.empty(0),
    )


def better_rho(rho: float, acceptance: float, largest: float) -> float:
    """The rho at which about ``WANTED_ACCEPTANCE`` of the proposals would be accepted."""
    from scipy.special import ndtri

    least = 1e-4  # none of the proposals of a stage was accepted
    wanted = ndtri(WANTED_ACCEPTANCE / 2) / ndtri(np.clip(acceptance, least, 1 - least) / 2)
    factor = np.clip(wanted, 1 / LARGEST_CHANGE, LARGEST_CHANGE)
    squared = np.clip((1 - rho**2) * factor**2, 1 - largest**2, 1 - SMALLEST_RHO**2)
    return round(float(np.sqrt(1 - squared)), 4)
