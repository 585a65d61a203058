"""Predictions of many points are made in parts."""

from __future__ import annotations

from contextlib import closing

import numpy as np
import pytest

from ohmcarlo.boards import silent
from ohmcarlo.golden import predict
from ohmcarlo.progress import Silence, observed_by
from ohmcarlo.runs import predictions
from ohmcarlo.runs.agreement import samples_of
from ohmcarlo.runs.chain_run import ChainRun
from ohmcarlo.runs.config import TrainConfig
from ohmcarlo.runs.kinds import SUPERVISED
from ohmcarlo.runs.supervised.result import evaluate_supervised

CONFIG = TrainConfig("toy2d", rows=64, pairs=8, chains=2, steps=150, whiten=True)


class Counts(Silence):
    """What is counted while a run is evaluated."""

    def __init__(self) -> None:
        self.seen: list[int] = []

    def begin(self, steps: int, total: int, what: str = "", unit: str = "") -> None:
        assert (what, unit) == ("predicting", "points")
        self.seen.append(total)

    def advance(self, steps: int, acceptance: float | None = None) -> None:
        self.seen.append(steps)


def test_an_evaluation_in_parts_has_the_bits_of_one_prediction(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """And shows its progress. Control: without the last sample, the probabilities are others."""
    monkeypatch.setattr(predictions, "AT_ONCE", 1)
    counts = Counts()
    with closing(SUPERVISED.build(CONFIG, silent)) as experiment:
        run = ChainRun(experiment.setup)
        run.run()
        with observed_by(counts):
            result = evaluate_supervised(experiment, run.streamed(), run.seconds)
    points, registers = experiment.test_points, experiment.setup.registers
    codes, times = samples_of(registers, result.trace, result.burn_in)
    mean, variance = predict(registers, points, codes, times)
    assert np.array_equal(result.probability, mean)
    assert np.array_equal(result.variance, variance)
    assert not np.array_equal(predict(registers, points, codes[:-1], times[:-1])[0], mean)
    total, *done = counts.seen
    assert total == len(points) == done[-1]
    assert len(done) == -(-len(points) // predictions.LEAST_AT_ONCE) > 1
