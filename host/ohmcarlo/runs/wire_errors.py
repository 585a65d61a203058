"""Predicted error of a posterior that the resistance of the lines of an array causes.

A sample consists of codes that were read back, but the array computes its likelihood from the
currents of a DOT. With line resistance the two differ: a pair whose read-backs differ by x µS acts
like t x + o µS, where t and o belong to the pair, and a small rest depends on the other devices.
The array samples the right posterior of t x + o, so that the codes have a wrong mean and spread.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..array.base import Array
from ..array.characterize.characterization import Characterization
from ..array.die import Die
from ..array.physics import PhysicsArray
from ..array.read_noise import CODES, TOLERATED_SPREAD
from ..array.wires import Wires, usual_row
from ..golden import SamplerSettings
from ..posterior_error import PosteriorError
from ..spec import DEFAULT_MID_US, Geometry
from .device_errors import TRIMMED_GAMMA, usual_settings
from .reach import Expected

SOURCE = "wires"
CALIBRATE = "use line drivers that are calibrated (--preset NAME,line_calibration=1 describes them)"
DRAWS, SEED = 512, 0
NEAR_US = 1.0
FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Lines:
    """The lines of an array between read-backs and dot products.

    Attributes
    ----------
    wires : Wires
    geometry : Geometry
    pairs : int
        Pairs of a row that have an input.
    off_us : float
        Read-back of a device that is left alone, µS.
    gains : float64 (devices,)
        Of the drivers.
    """

    wires: Wires
    geometry: Geometry
    pairs: int
    off_us: float
    gains: FloatArray

    @classmethod
    def of(cls, array: Array, pairs: int) -> Lines | None:
        """The lines of an array whose model uses so many pairs; None without resistance."""
        if not isinstance(array, PhysicsArray | Die):
            return None
        device, geometry = array.preset, array.geometry
        wires = Wires.of(device, geometry)
        if wires is None:
            return None
        off_us = device.hrs_median_us.value
        gains = np.ones(geometry.row_devices)
        if device.line_calibration.value:
            gains = wires.line_gains(geometry, pairs, off_us)
        return cls(wires, geometry, pairs, off_us, gains)

    def acting_us(self, plus_us: FloatArray, minus_us: FloatArray) -> FloatArray:
        """Differences of pairs that act in a DOT, from read-backs: (n, pairs) → (n, pairs), µS."""
        rows = np.tile(usual_row(self.geometry, self.pairs, self.off_us), (len(plus_us), 1))
        rows[:, : 2 * self.pairs : 2] = plus_us
        rows[:, 1 : 2 * self.pairs : 2] = minus_us
        seen = self.wires.dot_us_of_read(rows) * self.gains
        return np.asarray((seen[:, 0::2] - seen[:, 1::2])[:, : self.pairs])

    def transfer(self, sum_us: FloatArray, difference_us: FloatArray) -> Transfer:
        """How pairs act, from draws of their sums and differences (n, pairs)."""
        acting = self.acting_us((sum_us + difference_us) / 2, (sum_us - difference_us) / 2)
        x = difference_us - difference_us.mean(axis=0)
        slope = (x * acting).mean(axis=0) / (x**2).mean(axis=0)
        offset = acting.mean(axis=0) - slope * difference_us.mean(axis=0)
        return Transfer(slope, offset, (acting - slope * difference_us - offset).std(axis=0))

    @cached_property
    def loss(self) -> float:
        """Largest relative error of a small weight in a dot product of the array."""
        near = NEAR_US * np.random.default_rng(SEED).standard_normal((DRAWS, self.pairs))
        slope = self.transfer(np.full_like(near, 2 * DEFAULT_MID_US), near).slope
        return float(np.abs(slope - 1).max())

    def describe(self) -> dict[str, Any]:
        """Values for JSON."""
        return {
            "wire_ohm": self.wires.ohm,
            "calibrated": bool(np.any(self.gains != 1)),
            "weight_error": self.loss,
        }

    @property
    def tolerable(self) -> bool:
        """Whether dot products of the array are the default."""
        return self.loss <= TOLERATED_SPREAD


@dataclass(frozen=True, eq=False)
class Transfer:
    """A pair that was read as x acts like ``slope`` x + ``offset_us`` ± ``rest_us``: (pairs,)."""

    slope: FloatArray
    offset_us: FloatArray
    rest_us: FloatArray


def wire_errors(
    lines: Lines | None, settings: SamplerSettings, expected: Expected, can: tuple[str, ...]
) -> tuple[PosteriorError, ...]:
    """The predicted error of a run; nothing without resistance, or with dot products from codes.

    ``can``: where the board can compute them.
    """
    if lines is None or settings.dot_products == CODES:
        return ()
    error = wire_error(lines, settings, expected)
    if error.trusted:
        return (error,)
    remedy = f"use --dot-products {CODES}" if CODES in can else CALIBRATE
    return (replace(error, remedy=remedy),)


def wire_error(lines: Lines, settings: SamplerSettings, expected: Expected) -> PosteriorError:
    """The predicted error of weights with this posterior, with dot products of the array."""
    mean, sd = expected.mean, expected.sd
    found = lines.transfer(*_draws(lines, settings, mean, sd))
    hessian = np.diag(sd**-2) if expected.hessian is None else expected.hessian
    prior = np.zeros(len(sd)) if expected.hessian is None else np.full(len(sd), settings.sigma_p)
    of_prior = np.diag(np.divide(1, prior**2, out=np.zeros(len(sd)), where=prior > 0))
    of_data = hessian - of_prior
    slope, offset = found.slope, found.offset_us / settings.gamma_us
    covariance = np.linalg.inv(slope[:, None] * of_data * slope + of_prior)
    sampled = covariance @ (slope * (hessian @ mean - of_data @ offset))
    rest = found.rest_us / slope / settings.gamma_us
    shift = (sampled - mean) / sd
    spread = np.sqrt(np.diag(covariance) + rest**2) / sd
    return PosteriorError(
        source=SOURCE,
        mean_sd=float(np.abs(shift).max()),
        mean_sd_rms=float(np.sqrt(np.mean(shift**2))),
        spread=float(spread[np.abs(np.log(spread)).argmax()]),
    )


def usual_wire_errors(lines: Lines | None, found: Characterization) -> tuple[PosteriorError, ...]:
    """The predicted error of a whitened run with the usual options; nothing without resistance."""
    if lines is None:
        return ()
    spread = float(found.sigma_us(np.array([found.centre_us]))[0])
    settings = usual_settings(found, spread)
    return (wire_error(lines, settings, Expected.of_prior(lines.pairs, TRIMMED_GAMMA)),)


def _draws(
    lines: Lines, settings: SamplerSettings, mean: FloatArray, sd: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Sums and differences of pairs (n, pairs), µS, as the posterior has them."""
    rng = np.random.default_rng(SEED)
    shape = (DRAWS, lines.pairs)
    room = 2 * min(settings.hi_us - settings.centre_us, settings.centre_us - settings.lo_us)
    apart = np.clip(settings.gamma_us * rng.normal(mean, sd, shape), -room, room)
    total = 2 * settings.centre_us + settings.tau_us * rng.standard_normal(shape)
    return total, apart
