"""Local fits from samples: many points are computed in parts."""

from __future__ import annotations

import numpy as np
import pytest

from ohmcarlo.datasets import laplace
from ohmcarlo.datasets.laplace import local_fit, local_fit_of_points
from ohmcarlo.spec import FEATURE_FRAC, LABEL_QUADRATIC, OFFSET_FRAC, Points

SAMPLES, WEIGHTS, SIGMA = 512, 5, 2.0
SIZES = (1, 255, 256, 511, 512, 513, 1500)
"""Points; the parts hold 256 to 511."""


def newton(x: np.ndarray, y: np.ndarray, samples: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A step of Newton's method with the gradients and Hessians of single samples."""
    gradient, hessian = np.zeros(WEIGHTS), np.zeros((WEIGHTS, WEIGHTS))
    for w in samples:
        p = 1 / (1 + np.exp(-x @ w))
        gradient += x.T @ (p - y) + w / SIGMA**2
        hessian += (x.T * (p * (1 - p))) @ x + np.eye(WEIGHTS) / SIGMA**2
    return samples.mean(axis=0) - np.linalg.solve(hessian, gradient), hessian / len(samples)


def problem(points: int) -> tuple[Points, np.ndarray, np.ndarray, np.ndarray]:
    """Points, their inputs as numbers, labels 0/1 and samples."""
    rng = np.random.default_rng(points)
    inputs = rng.integers(-90, 91, (points, WEIGHTS)).astype(np.int8)
    y = rng.integers(0, 2, points)
    return (
        Points.of(inputs, y.astype(np.uint8)),
        inputs / 2.0**FEATURE_FRAC,
        y,
        rng.normal(0.3, 0.5, (SAMPLES, WEIGHTS)),
    )


@pytest.mark.parametrize("points", SIZES)
def test_a_local_fit_is_the_mean_of_the_steps_of_its_samples(points: int) -> None:
    """Control: the label of one point, which is in the last part, is another one."""
    encoded, x, y, samples = problem(points)
    mode, hessian = newton(x, y, samples)
    for fit in (
        local_fit(x, y, SIGMA, samples),
        local_fit_of_points(encoded, samples, 1 / SIGMA**2),
    ):
        np.testing.assert_allclose(fit.mode, mode, rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(fit.hessian, hessian, rtol=1e-9)
    other = y.copy()
    other[-1] = 1 - y[-1]
    assert np.abs(local_fit(x, other, SIGMA, samples).mode - mode).max() > 1e-6


def test_parts_give_the_fit_of_all_points_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """With quadratic points and offsets. Control: the offset of one point is 1 LSB larger."""
    encoded, x, y, samples = problem(1500)
    rng = np.random.default_rng(1)
    labels = encoded.labels.copy()
    labels[rng.integers(0, 1500, 40)] = LABEL_QUADRATIC
    offsets = rng.integers(-1 << OFFSET_FRAC, 1 << OFFSET_FRAC, 1500).astype(np.int16)
    points = Points(encoded.inputs, labels, offsets)
    parts = local_fit(x, y, SIGMA, samples), local_fit_of_points(points, samples)
    monkeypatch.setattr(laplace, "CELLS", 1 << 30)
    whole = local_fit(x, y, SIGMA, samples), local_fit_of_points(points, samples)
    for found, expected in zip(parts, whole, strict=True):
        np.testing.assert_allclose(found.mode, expected.mode, rtol=1e-11)
        np.testing.assert_allclose(found.hessian, expected.hessian, rtol=1e-11)
    offsets[700] += 1
    other = local_fit_of_points(points, samples)
    assert np.abs(other.mode / parts[1].mode - 1).max() > 1e-9
