"""The posterior on devices that differ: its spread needs the spread that the trim leaves.

Reference: NumPyro's NUTS on the float64 data (tests/reference/nuts_wdbc.py). The control assumes
the cycle-to-cycle spread alone.
"""

from __future__ import annotations

import numpy as np
import pytest

from ohmcarlo.array.characterize.characterization import Characterization
from ohmcarlo.runs.arrays import recorded_cells
from ohmcarlo.runs.config import TrainConfig
from ohmcarlo.runs.supervised.experiment import build_supervised
from paths import NUTS_EXACT

CHAINS, STEPS, BURN_IN = 4, 4_000, 400
MEAN_RMS = 0.1  # sd, rms over the weights; prediction 0.05, Monte Carlo 0.03
SPREAD = 0.05  # relative, mean over the weights, whose Monte Carlo error is 0.8 %


def sampled(array: str) -> tuple[float, float, float]:
    """(rms error of the means in sd, mean ratio of spreads, predicted rms error of the means)."""
    options = {"whiten": True, "chains": CHAINS, "steps": STEPS}
    made = build_supervised(TrainConfig("breast-cancer", array=array, **options))  # type: ignore[arg-type]
    board = made.setup.board
    board.start()
    board.run(BURN_IN)
    block = board.run(STEPS)
    weights = made.weights(block.codes)
    repeats = block.multiplicity.astype(np.float64)
    with np.load(NUTS_EXACT) as reference:
        mean, sd = reference["mean"], reference["sd"]
    ours = np.average(weights, axis=0, weights=repeats)
    spread = np.sqrt(np.average((weights - ours) ** 2, axis=0, weights=repeats))
    error = next(e for e in made.setup.errors if e.source == "devices")
    made.close()
    rms = float(np.sqrt(np.mean(((ours - mean) / sd) ** 2)))
    return rms, float((spread / sd).mean()), error.mean_sd_rms


def assume_cycles_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        Characterization,
        "sigma_us",
        lambda found, target: np.interp(target, found.targets_us, found.sigma_us_at),
    )


@pytest.mark.stats
@pytest.mark.verify
def test_device_model(monkeypatch: pytest.MonkeyPatch) -> None:
    rms, spread, predicted = sampled("physics")
    print(f"physics: means {rms:.3f} sd (predicted {predicted:.3f}), spreads {spread:.3f}")
    assert rms < MEAN_RMS and abs(spread - 1) < SPREAD
    assert 0.03 < predicted < 0.1
    assume_cycles_only(monkeypatch)
    rms, spread, _ = sampled("physics")
    print(f"cycles only: means {rms:.3f} sd, spreads {spread:.3f}")
    assert spread > 1 + SPREAD


@pytest.mark.stats
@pytest.mark.verify
@pytest.mark.data("rram-set-sweep")
def test_recorded_cells(monkeypatch: pytest.MonkeyPatch) -> None:
    rms, spread, predicted = sampled(recorded_cells())
    print(f"cells: means {rms:.3f} sd (predicted {predicted:.3f}), spreads {spread:.3f}")
    assert rms < MEAN_RMS and abs(spread - 1) < SPREAD
    assert predicted < 0.05
    assume_cycles_only(monkeypatch)
    _, spread, _ = sampled(recorded_cells())
    print(f"cycles only: spreads {spread:.3f}")
    assert spread > 1 + SPREAD
