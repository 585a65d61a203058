"""Other ways to train a logistic model in an array: gradient descent, and transfer.

They use the devices as a chain does: through the operations of the array, its calibration and its
window. Weights are differences of pairs about the same centre.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from ..array.base import Array
from ..array.characterize.measure import trimmed_dac
from ..datasets.laplace import laplace
from ..golden import Calibration
from ..spec import CODE_LSB_US, DEFAULT_MID_US, FEATURE_FRAC, TARGET_LSB_US

FloatArray = NDArray[np.float64]

LARGEST_WEIGHT = 3.0  # weight range of training in the array, per standard deviation
RATES = (0.3, 1.0, 3.0)  # candidate learning rates
MOVES_US = (2.0, 5.0, 10.0)  # candidate moves of a device in a sign update, µS
SIGN_THRESHOLD = 0.01  # |gradient| below which a weight is not updated
VALIDATION = 0.3  # of the training half, for these choices
VERIFY_TOLERANCE_US = 2.0
VERIFY_TRIES = 20
MAX_UPDATES = 400  # sign updates, whose number of pulses decreases


class Model(NamedTuple):
    """A training set as quantised for the array.

    x float64 (n, m), quantised, the bias last; y 0/1 (n,); sigma_p of the weight prior.
    """

    x: FloatArray
    y: NDArray[np.integer[Any]]
    sigma_p: float


def gradient(model: Model, w: FloatArray) -> FloatArray:
    """Gradient of the negative log-posterior per point: w (m,) → (m,)."""
    residual = expit(model.x @ w) - model.y
    return (model.x.T @ residual + w / model.sigma_p**2) / len(model.y)


def log_loss(model: Model, w: FloatArray) -> float:
    """Mean -log p(label), nat, without the prior."""
    z = model.x @ w
    return float(np.logaddexp(0.0, np.where(model.y == 1, -z, z)).mean())


class Synapses:
    """Rows of an array as weights.

    Parameters
    ----------
    array : Array
    calibration : Calibration
        The chain's: table, trims and bad rows, which are left out.
    window_us : (float, float)
        Limits of a target, µS.
    weights : int
        Pairs of a row that are used, from its left end.
    """

    def __init__(
        self, array: Array, calibration: Calibration, window_us: tuple[float, float], weights: int
    ) -> None:
        self.array = array
        self.window_us = window_us
        self.devices = np.arange(2 * weights, dtype=np.int32)
        rows, columns = array.geometry.rows, len(self.devices)
        bad = calibration.bad_rows
        self.rows = np.arange(rows) if bad is None else np.flatnonzero(~bad)
        dac = array.dac_of_target() if calibration.dac is None else calibration.dac
        self._dac = np.asarray(dac, np.int32)
        self._offset, self._gain = (
            np.zeros((rows, columns), np.int64) if t is None else t[:, :columns].astype(np.int64)
            for t in (calibration.trim_offset, calibration.trim_gain)
        )
        low, high = window_us
        self.reach_us = min(high - DEFAULT_MID_US, DEFAULT_MID_US - low)

    def gamma_us(self, largest: float) -> float:
        """µS per unit of weight at which a weight of that size still lies in the window."""
        return 2 * self.reach_us / largest

    def targets_us(self, w: FloatArray, gamma_us: float) -> FloatArray:
        """Targets of the devices, g⁺ and g⁻ in turn: w (m,) → (2 m,), µS, in the window."""
        half = gamma_us * w / 2
        pairs = np.stack([DEFAULT_MID_US + half, DEFAULT_MID_US - half], axis=1)
        return np.clip(pairs.ravel(), *self.window_us)

    def write(
        self, row: int, targets_us: FloatArray, which: NDArray[np.int32] | None = None
    ) -> FloatArray:
        """RESET and SET devices once (all, or those of ``which``), open loop; their read-backs, µS.

        With ``which``, the ledger counts the RESET of these devices only, without the row.
        """
        devices = self.devices if which is None else which
        targets = np.rint(np.clip(targets_us, *self.window_us) / TARGET_LSB_US).astype(np.int64)
        centre = round(DEFAULT_MID_US / TARGET_LSB_US)
        offset, gain = self._offset[row, devices], self._gain[row, devices]
        dac = trimmed_dac(targets, centre, offset, gain, self._dac)
        if which is None:
            self.array.reset(row)
        else:
            self.array.ledger.note_reset(len(devices))
        return np.asarray(self.array.program(row, devices, dac) * CODE_LSB_US, np.float64)

    def verify(self, row: int, targets_us: FloatArray) -> FloatArray:
        """Program-verify: repeat the SET of devices outside the tolerance."""
        g = self.write(row, targets_us)
        for _ in range(VERIFY_TRIES):
            missed = np.flatnonzero(np.abs(g - targets_us) > VERIFY_TOLERANCE_US)
            if not len(missed):
                break
            g[missed] = self.write(row, targets_us[missed], self.devices[missed])
        return g

    def logits(self, rows: Sequence[int], inputs: NDArray[np.int8], gamma_us: float) -> FloatArray:
        """Dot products of the array: int8 inputs (n, m) → logits (rows, n)."""
        wide = np.zeros((len(inputs), self.array.geometry.pairs), np.int8)
        wide[:, : inputs.shape[1]] = inputs
        unit = CODE_LSB_US / gamma_us * 2.0**-FEATURE_FRAC
        return np.stack([self.array.dot(int(row), wide).astype(np.float64) for row in rows]) * unit


def weights_of(g_us: FloatArray, gamma_us: float) -> FloatArray:
    """Weights of conductances: (…, 2 m) → (…, m)."""
    return (g_us[..., 0::2] - g_us[..., 1::2]) / gamma_us


# -- gradient descent in the array -----------------------------------------------------------------


def descend(
    synapses: Synapses, model: Model, rows: NDArray[np.intp], pulses: int, rate: float
) -> FloatArray:
    """Gradient descent with every update programmed into ``rows``; the weights are their mean.

    The array holds the weights. They are read back, updated, and programmed again with the spread
    of the array, as often as ``pulses`` SET pulses allow. Returns conductances (rows, 2 m), µS.
    """
    gamma = synapses.gamma_us(LARGEST_WEIGHT)
    w = np.zeros(model.x.shape[1])
    updates = max(1, pulses // (len(rows) * len(synapses.devices)))
    g = np.empty((len(rows), len(synapses.devices)))
    for update in range(updates + 1):
        targets = synapses.targets_us(w, gamma)
        for i, row in enumerate(rows):
            g[i] = synapses.write(int(row), targets)
        if update < updates:
            held = weights_of(g.mean(axis=0), gamma)
            w = held - rate * gradient(model, held)
    return g


def descend_by_sign(
    synapses: Synapses, model: Model, rows: NDArray[np.intp], pulses: int, move_us: float
) -> FloatArray:
    """Threshold updates: where |gradient| exceeds SIGN_THRESHOLD, both devices of every copy are
    programmed ``move_us`` away from their read-back. The others keep their state."""
    gamma = synapses.gamma_us(LARGEST_WEIGHT)
    start = synapses.targets_us(np.zeros(model.x.shape[1]), gamma)
    g = np.stack([synapses.write(int(row), start) for row in rows])
    spent = 0
    for _ in range(MAX_UPDATES):
        slope = gradient(model, weights_of(g.mean(axis=0), gamma))
        direction = np.where(np.abs(slope) > SIGN_THRESHOLD, -np.sign(slope), 0.0)
        moves = np.stack([direction, -direction], axis=1).ravel() * move_us
        which = np.flatnonzero(moves).astype(np.int32)
        if not len(which) or spent + len(rows) * len(which) > pulses:
            break
        for i, row in enumerate(rows):
            g[i, which] = synapses.write(int(row), g[i, which] + moves[which], which)
        spent += len(rows) * len(which)
    return g


Descent = Callable[[Synapses, Model, NDArray[np.intp], int, float], FloatArray]


def tuned(
    descent: Descent,
    choices: Sequence[float],
    synapses: Synapses,
    model: Model,
    rows: NDArray[np.intp],
    pulses: int,
    seed: int,
) -> tuple[FloatArray, float]:
    """Train with the best of ``choices`` on a part of the training half; (conductances, choice).

    The trials run in the same array; their pulses are not counted.
    """
    from sklearn.model_selection import train_test_split

    points = np.arange(len(model.y))
    fit, judge = train_test_split(points, test_size=VALIDATION, stratify=model.y, random_state=seed)
    part, rest = (Model(model.x[i], model.y[i], model.sigma_p) for i in (fit, judge))
    gamma = synapses.gamma_us(LARGEST_WEIGHT)
    losses = [
        log_loss(rest, weights_of(descent(synapses, part, rows, pulses, c).mean(axis=0), gamma))
        for c in choices
    ]
    best = choices[int(np.argmin(losses))]
    return descent(synapses, model, rows, pulses, best), best


# -- training in software, then transfer -----------------------------------------------------------


def transfer(
    synapses: Synapses, w: FloatArray, rows: NDArray[np.intp], verify: bool = False
) -> float:
    """Program weights w (m,) of software into ``rows``, each a copy; returns gamma, µS.

    The weights use the whole window.
    """
    gamma = synapses.gamma_us(float(np.abs(w).max()))
    targets = synapses.targets_us(w, gamma)
    for row in rows:
        (synapses.verify if verify else synapses.write)(int(row), targets)
    return gamma


def transfer_samples(synapses: Synapses, model: Model, rows: NDArray[np.intp], seed: int) -> float:
    """Program a draw of the Laplace approximation into each row; returns gamma, µS."""
    mode, hessian = laplace(model.x, model.y, model.sigma_p)
    rng = np.random.default_rng(seed)
    draws = rng.multivariate_normal(mode, np.linalg.inv(hessian), len(rows))
    gamma = synapses.gamma_us(float(np.abs(draws).max()))
    for row, w in zip(rows, draws, strict=True):
        synapses.write(int(row), synapses.targets_us(w, gamma))
    return gamma
