"""The corrected kernel samples the posterior; the published one does not.

Reference: NumPyro's NUTS (tests/reference/nuts_wdbc.py), on the same clipped int8 data for points
of scale 1, on the float64 data for whitened ones. The published
kernel goes through the same test and must fail it.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ohmcarlo import diagnostics
from ohmcarlo.array import EmulatedArray
from ohmcarlo.datasets import load, split_half
from ohmcarlo.datasets.encode import Encoder
from ohmcarlo.golden import Controller, SamplerSettings
from ohmcarlo.spec import Geometry
from paths import NUTS, NUTS_EXACT
from problems import controller, trace, wdbc_half, wdbc_half_digest

MEAN_RMS = 0.1  # sd, rms over the weights
SPREAD = 0.10  # relative, every weight


@pytest.fixture(scope="module")
def reference() -> dict[str, Any]:
    return posterior(NUTS)


def posterior(path: Path) -> dict[str, Any]:
    """The moments in a file of tests/data; it must be of these data."""
    with np.load(path) as file:
        found = dict(file)
    assert str(found["data_sha256"]) == wdbc_half_digest(), "the reference is for other data"
    assert found["ess"].min() > 20_000 and found["rhat"].max() < 1.001
    return found


def random_walk(kernel: str, steps: int, rho: float = 1.0) -> np.ndarray:
    """Weights of every step after burn-in, (1, steps, 16)."""
    made = controller(wdbc_half(), seed=7, kernel=kernel, rho=rho)
    trace(made, steps // 10)
    t = trace(made, steps)
    w = made.registers.weights(t["codes"]).astype(np.float32)
    return np.repeat(w, t["multiplicity"], axis=0)[None]


def whitened(steps: int) -> np.ndarray:
    """The draws of the whitened, autoregressive kernel, in the original weights."""
    dataset = load("breast-cancer")
    rows, _ = split_half(dataset.y, 0)
    x, y = dataset.x[rows], dataset.y[rows]
    encoder = Encoder.fit(x, y, features=15, whiten=True)
    array = EmulatedArray(Geometry(), 7)
    settings = SamplerSettings.whitened(0.05, 0.8)
    settings = replace(settings, gamma_us=settings.gamma_us / encoder.spread)
    registers = settings.registers(Geometry(), encoder.inputs, array.sigma_us)
    made = Controller(registers, array, encoder.training_points(x, y))
    made.start()
    trace(made, steps // 10)
    t = trace(made, steps)
    w = encoder.weights_to_original(registers.weights(t["codes"])).astype(np.float32)
    return np.repeat(w, t["multiplicity"], axis=0)[None]


def compare(draws: np.ndarray, reference: dict[str, Any]) -> tuple[float, float, float]:
    """(rms error of the means in sd, largest relative error of a spread, worst ESS)."""
    mean, sd = draws.mean((0, 1), dtype=np.float64), draws.std((0, 1), dtype=np.float64)
    rms = float(np.sqrt((((mean - reference["mean"]) / reference["sd"]) ** 2).mean()))
    spread = float(np.abs(sd / reference["sd"] - 1).max())
    thinned = draws[:, :: max(1, draws.shape[1] // 100_000)]
    return rms, spread, float(diagnostics.ess(thinned).min())


@pytest.mark.stats
def test_corrected_random_walk_is_exact(reference: dict[str, Any]) -> None:
    rms, spread, ess = compare(random_walk("corrected", 400_000), reference)
    print(f"corrected: means {rms:.3f} sd, spreads {spread:.3f}, worst ESS {ess:.0f}")
    assert ess > 400  # Monte Carlo error of a mean: 0.05 sd
    assert rms < MEAN_RMS and spread < SPREAD


@pytest.mark.stats
def test_whitened_autoregressive_kernel_is_exact() -> None:
    rms, spread, ess = compare(whitened(100_000), posterior(NUTS_EXACT))
    print(f"whitened: means {rms:.3f} sd, spreads {spread:.3f}, worst ESS {ess:.0f}")
    assert ess > 2000
    assert rms < MEAN_RMS and spread < SPREAD


@pytest.mark.stats
def test_the_published_kernel_fails_the_same_test(reference: dict[str, Any]) -> None:
    rms, spread, ess = compare(random_walk("published", 400_000), reference)
    print(f"published: means {rms:.3f} sd, spreads {spread:.3f}, worst ESS {ess:.0f}")
    assert ess > 400
    assert rms > MEAN_RMS and spread > SPREAD
