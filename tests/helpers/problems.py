"""Small, seeded problems that several tests share; they need no file of the project."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np

from ohmcarlo.array import EmulatedArray
from ohmcarlo.datasets import load, split_half
from ohmcarlo.datasets.encode import Encoder
from ohmcarlo.golden import Controller, SamplerSettings
from ohmcarlo.spec import FEATURE_FRAC, FEATURE_MAX, Geometry, Points


def quantised(x: np.ndarray) -> np.ndarray:
    """Standardised features as int8, a bias column of 1.0 at the end."""
    q = np.clip(np.rint(x * (1 << FEATURE_FRAC)), -FEATURE_MAX, FEATURE_MAX)
    return np.c_[q, np.full(len(x), 1 << FEATURE_FRAC)].astype(np.int8)


def wdbc_points(features: int = 15) -> Points:
    """Every second case of WDBC, its first ``features`` columns."""
    from sklearn.datasets import load_breast_cancer  # a slow import that benches do not need
    from sklearn.preprocessing import StandardScaler

    x, y = load_breast_cancer(return_X_y=True)
    x = StandardScaler().fit_transform(x[::2, :features])
    return Points.of(quantised(x), (1 - y[::2]).astype(np.uint8))


def xor_points(n: int = 200, seed: int = 0) -> Points:
    """Four clouds that no straight line separates."""
    rng = np.random.default_rng(seed)
    corner = rng.integers(0, 2, (n, 2))
    x = (2.0 * corner - 1) * 1.5 + 0.5 * rng.standard_normal((n, 2))
    return Points.of(quantised(x), (corner[:, 0] ^ corner[:, 1]).astype(np.uint8))


class SlowArray:
    """An emulated array without the compiled loop: the controller drives it operation by operation.
    With ``exact`` False, the array computes the dot products, too.
    """

    name = "slow"

    def __init__(self, array: EmulatedArray, exact: bool = True) -> None:
        self.inner = array
        self.exact_dot = exact
        self.geometry = array.geometry
        self.ledger = array.ledger

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)


def controller(
    points: Points,
    geometry: Geometry | None = None,
    seed: int = 1,
    slow: bool | None = None,
    array: dict[str, Any] | None = None,
    calibration: Any = None,
    external: Any = None,
    **settings: Any,
) -> Controller:
    """A started controller; ``slow`` True/False wraps the array (exact dots or its own)."""
    geometry = geometry or Geometry()
    device = EmulatedArray(geometry, seed, **(array or {}))
    registers = SamplerSettings(**settings).registers(
        geometry, points.features, device.sigma_us, calibration
    )
    wrapped = device if slow is None else SlowArray(device, slow)
    made = Controller(registers, wrapped, points, external)
    made.start()
    return made


def trace(made: Controller, steps: int) -> dict[str, np.ndarray]:
    """Run; return the stream, cut to its length, and the status."""
    out, status = made.run(steps)
    n, m = (int(v) for v in out.cursor)
    per_step = {k: getattr(out, k)[:n] for k in ("accepted", "valid", "log_posterior", "chain")}
    per_sample = {
        k: getattr(out, k)[:m]
        for k in ("codes", "multiplicity", "sample_chain", "sample_log_posterior")
    }
    return {**per_step, **per_sample, "points": out.points[:n], "status": np.array(status)}


def same_trace(
    a: dict[str, np.ndarray], b: dict[str, np.ndarray], but: tuple[str, ...] = ()
) -> bool:
    """Whether two traces are equal in everything (except the keys ``but``)."""
    return all(np.array_equal(a[k], b[k]) for k in a if k not in but)


def wdbc_half() -> Points:
    """The half of WDBC that `train breast-cancer --seed 0` learns from: 284 points, 16 inputs,
    all with the scale 1."""
    dataset = load("breast-cancer")
    rows, _ = split_half(dataset.y, 0)
    encoder = Encoder.fit(dataset.x[rows], dataset.y[rows], features=15, scaled=False)
    return encoder.encode(dataset.x[rows], dataset.y[rows])


def wdbc_half_digest() -> str:
    """SHA-256 of its inputs and labels, which identifies the data of a reference."""
    points = wdbc_half()
    return hashlib.sha256(points.inputs.tobytes() + points.labels.tobytes()).hexdigest()
