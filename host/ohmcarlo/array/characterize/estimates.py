"""Pulses and the estimates from them, with 95 % intervals.

Intervals are percentiles of a bootstrap over devices, which are the independent units.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...readable import count
from .measure import FloatArray

LEVEL = 0.95
REPLICATES = 400
SEEN = 0.1  # of the estimate: with replicates below, a spread may be zero
ABSENT = -1
LOST_IN_REPLAY = ("slow_share", "slow_phi", "memory", "read_noise_rel")


class Origin(StrEnum):
    """Where a constant comes from."""

    FITTED = "fitted"
    RANGE = "from the data's range"  # a bound: the data end before they show it
    ASSUMED = "assumed"  # the data say nothing about it


@dataclass(frozen=True)
class Estimate:
    """A number with its 95 % interval; ``low`` and ``high`` are None without an interval.

    Only a fitted number has an interval.
    """

    value: float
    low: float | None
    high: float | None
    unit: str
    origin: Origin = Origin.FITTED

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Estimate:
        """The number whose fields ``dataclasses.asdict`` gave."""
        return cls(**{**values, "origin": Origin(values["origin"])})

    def covers(self, truth: float) -> bool:
        """Whether the interval contains ``truth``."""
        return self.low is not None and self.high is not None and self.low <= truth <= self.high

    def __str__(self) -> str:
        if self.low is None or self.high is None:
            return f"{self.value:.4g} {self.unit}"
        return f"{self.value:.4g} [{self.low:.4g}, {self.high:.4g}] {self.unit}"


def bound(value: float, unit: str) -> Estimate:
    """A number that the range of the data implies."""
    return Estimate(float(value), None, None, unit, Origin.RANGE)


@dataclass(frozen=True, eq=False)
class Pulses:
    """SET pulses of some devices.

    Attributes
    ----------
    levels : float (T,)
        Programming levels, rising: target (µS) or gate voltage (V).
    level : int (N, D)
        Index of the level of pulse n of device d; ABSENT for another kind of pulse.
    g_us : float (N, D)
        Conductance after it, µS.
    unit : str
        Of ``levels``.
    read_noise_rel : Estimate or None
        Noise of a single read, fraction of g; it is subtracted from the cycle-to-cycle spread.
    rounded : bool
        Conductances are codes of the ADC.
    partial : bool
        Devices need not have all levels.
    devices : tuple of str (D,)
        Names; empty: none.
    notes : tuple of str
        What was left out on the way to these pulses, phrases.
    """

    levels: FloatArray
    level: NDArray[np.integer[Any]]
    g_us: FloatArray
    unit: str = "µS"
    read_noise_rel: Estimate | None = None
    rounded: bool = False
    partial: bool = False
    devices: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Estimates:
    """Properties of devices.

    Attributes
    ----------
    levels, unit : float (T,), str
        Of ``Pulses``.
    devices, pulses : int
        Numbers that the estimates rest on.
    mean_us, sigma_us, d2d_us : list of Estimate (T)
        Median conductance, cycle-to-cycle σ and device-to-device σ at each level, µS.
    constants : dict of Estimate
        By the names of ``DevicePreset.with_values``: c2c_intercept_us, c2c_slope, c2c_max_rel,
        c2c_floor_us, c2c_device_ln,
        slow_share, memory (correlation length, pulses) and slow_phi, d2d_max_us, d2d_rel; if they
        were measured, read_noise_rel, hrs_median_us, hrs_ln_sigma, stuck_fraction and
        stuck_hrs_share. A fit of measurements adds those of the model that the data do not
        determine. ``Estimate.origin`` tells them apart.
    lags : int (n,)
        In pulses.
    correlation, correlation_low, correlation_high, correlation_model : float (n,)
        Of deviations from the mean of device and level: measured, with interval, and expected by
        the fit. ``correlation_model`` includes the effect of subtracting these means.
    read_noise : list of Estimate
        Fraction of g, at each level; empty where reads were not repeated.
    notes : tuple of str
        Devices and levels that were left out or merged, phrases.
    """

    levels: FloatArray
    unit: str
    devices: int
    pulses: int
    mean_us: list[Estimate]
    sigma_us: list[Estimate]
    d2d_us: list[Estimate]
    constants: dict[str, Estimate]
    lags: NDArray[np.int64]
    correlation: FloatArray
    correlation_low: FloatArray
    correlation_high: FloatArray
    correlation_model: FloatArray
    read_noise: list[Estimate]
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """For JSON; the arrays stay arrays."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Estimates:
        """The estimates that ``to_dict`` wrote."""
        lists = {
            name: [Estimate.from_dict(entry) for entry in values[name]]
            for name in ("mean_us", "sigma_us", "d2d_us", "read_noise")
        }
        constants = {k: Estimate.from_dict(entry) for k, entry in values["constants"].items()}
        return cls(**{**values, **lists, "constants": constants})


def mapped(found: Estimate, rising: Callable[[float], float], unit: str) -> Estimate:
    """A rising function of a number, and of the ends of its interval."""
    low, high = (None if end is None else float(rising(end)) for end in (found.low, found.high))
    return Estimate(float(rising(found.value)), low, high, unit, found.origin)


def of_replay(found: Estimates, cells: int) -> Estimates:
    """Estimates of an array whose devices replay the values of so many recorded ``cells``.

    Its devices are copies, so that a bootstrap over them gives no interval. Each SET draws one
    value, so that correlation over cycles and noise of a read are lost.
    """
    constants = {
        name: replace(e, low=None, high=None)
        for name, e in found.constants.items()
        if name not in LOST_IN_REPLAY
    }
    note = (
        f"the devices are copies of {count(cells, 'recorded cell')}: intervals, correlation and "
        "read noise need --fit with the same file"
    )
    return replace(found, constants=constants, notes=(*found.notes, note))


def bootstrap_weights(devices: int, replicates: int, seed: int) -> FloatArray:
    """Multiplicity of each device in a replicate, (1 + replicates, devices); line 0 is the data."""
    rng = np.random.default_rng([seed, devices])
    draws = rng.multinomial(devices, np.full(devices, 1 / devices), size=replicates)
    return np.concatenate([np.ones((1, devices)), draws]).astype(np.float64)


def interval(
    values: FloatArray,
    unit: str,
    devices: int = 0,
    limits: tuple[float, float] = (-np.inf, np.inf),
) -> Estimate:
    """The interval of replicates (B,), the first of which is the estimate.

    Percentiles of few ``devices`` are too narrow by the factor of ``_widening``. ``limits`` bound
    the interval, which reaches to the estimate in any case: replicates are fitted less exactly.
    """
    value = float(values[0])
    rest = values[1:][np.isfinite(values[1:])]
    if len(rest) < 2:
        return Estimate(value, None, None, unit)
    ends = np.quantile(rest, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    low, high = np.clip(value + (ends - value) * _widening(devices), *limits)
    return Estimate(value, min(float(low), value), max(float(high), value), unit)


def spread_interval(values: FloatArray, unit: str, devices: int, least: float) -> Estimate:
    """``interval`` of a standard deviation between devices.

    Its logarithm is nearly normal, so that its interval is symmetric on a logarithmic scale; the
    bias of the bootstrap is removed. ``least`` is the smallest spread that the data could have
    shown: the interval of a spread of 0 ends there.
    """
    value = float(values[0])
    rest = values[1:][np.isfinite(values[1:])]
    if len(rest) < 2:
        return Estimate(value, None, None, unit)
    if not (value > 0 and np.quantile(rest, (1 - LEVEL) / 2) > SEEN * value):
        plain = interval(values, unit, devices, (0.0, np.inf))
        return Estimate(value, 0.0, max(plain.high or 0.0, least, value), unit)
    log = np.log(rest[rest > 0] / value)
    half = _normal_quantile() * log.std() * _widening(devices)
    low, high = value * np.exp(-log.mean() + np.array([-half, half]))
    return Estimate(value, min(float(low), value), max(float(high), value), unit)


def _normal_quantile() -> float:
    return NormalDist().inv_cdf((1 + LEVEL) / 2)


def _widening(devices: int) -> float:
    """Student's quantile of so many devices over the normal one, and the bias of their variance."""
    if devices < 2:
        return 1.0
    from scipy.special import stdtrit

    student = float(stdtrit(devices - 1, (1 + LEVEL) / 2))
    return student / _normal_quantile() * float(np.sqrt(devices / (devices - 1)))
