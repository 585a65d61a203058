"""Constants of the device model from repeated open-loop programming, with 95 % intervals.

The model is that of ``presets``. Device d at level t has the median m_t + D_t x_d, where x_d is a
constant of the device (device to device). A pulse adds σ(median) times a deviation. A share of its
variance is an AR(1) process of the device, the rest is new with each pulse. A read adds noise. With
a *finite* number of pulses, moments are biased if the mean of a device was subtracted, because the
slow process is part of that mean. Every moment is therefore compared with its expectation for the
actual order of the pulses, and not with the limit of infinitely many pulses.

Intervals: percentiles of a bootstrap over devices, which are the independent units.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np
import scipy
from numpy.typing import NDArray

from ...errors import UsageError
from ...spec import CODE_LSB_US, CODE_MAX
from .measure import FloatArray, Measurement

LEVEL = 0.95
REPLICATES = 400
MIN_TARGETS, MIN_DEVICES, MIN_REPEATS = 3, 5, 5
ABSENT = -1
ADC_VARIANCE = CODE_LSB_US**2 / 12  # of the rounding to a code
FEW_PAIRS = 0.1  # a lag with a smaller share of pairs, relative to the best lag, is left out
MAX_DESIGNS = 3  # largest number of different pulse orders that are considered
MEMORIES = np.geomspace(0.3, 400, 30)  # candidate correlation lengths, pulses
DENSE_LAGS, LONGEST_LAG = 13, 120
BRANCH_GAIN = 9.0  # least gain of χ² for a second branch of the σ law
NODES, NODE_WEIGHTS = (v / s for v, s in zip(
    np.polynomial.hermite_e.hermegauss(9), (1.0, np.sqrt(2 * np.pi)), strict=True
))  # fmt: skip


@dataclass(frozen=True)
class Estimate:
    """A number with its 95 % interval; ``low`` and ``high`` are None where it has none."""

    value: float
    low: float | None
    high: float | None
    unit: str

    def covers(self, truth: float) -> bool:
        """Whether the interval holds ``truth``."""
        return self.low is not None and self.high is not None and self.low <= truth <= self.high

    def __str__(self) -> str:
        if self.low is None or self.high is None:
            return f"{self.value:.4g} {self.unit}"
        return f"{self.value:.4g} [{self.low:.4g}, {self.high:.4g}] {self.unit}"


@dataclass(frozen=True, eq=False)
class Pulses:
    """SET pulses of some devices.

    Attributes
    ----------
    levels : float (T,)
        Levels, rising: target (µS) or gate voltage (V).
    level : int (N, D)
        Level of pulse n of device d. ABSENT: another kind of pulse.
    g_us : float (N, D)
        Conductance after it, µS.
    unit : str
        Of ``levels``.
    read_noise_rel : Estimate or None
        Noise of a single read, fraction of g; it is taken off the cycle-to-cycle spread.
    rounded : bool
        Conductances are codes of the ADC.
    partial : bool
        Devices need not have all levels.
    """

    levels: FloatArray
    level: NDArray[np.integer[Any]]
    g_us: FloatArray
    unit: str = "µS"
    read_noise_rel: Estimate | None = None
    rounded: bool = False
    partial: bool = False


@dataclass(frozen=True, eq=False)
class Estimates:
    """The estimated constants.

    Attributes
    ----------
    levels, unit : float (T,), str
        Of ``Pulses``.
    devices, pulses : int
        Number of measured devices.
    mean_us, sigma_us, d2d_us : list of Estimate (T)
        Median conductance, cycle-to-cycle σ and device-to-device σ at each level, µS.
    constants : dict of Estimate
        By the names of ``DevicePreset.with_values``: c2c_intercept_us, c2c_slope, c2c_max_rel,
        c2c_floor_us, c2c_device_ln,
        slow_share, memory (correlation length, pulses) and slow_phi, d2d_max_us, d2d_rel, and where
        they were measured read_noise_rel, hrs_median_us, hrs_ln_sigma, stuck_fraction.
    lags : int (n,)
        In pulses.
    correlation, correlation_low, correlation_high, correlation_model : float (n,)
        Correlation of the deviations from the mean of device and level: measured (with interval),
        and expected by the fit, which includes the effect of subtracting these means.
    read_noise : list of Estimate
        Fraction of g, at each level; empty where reads were not repeated.
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

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


class _PerDevice(NamedTuple):
    """Sums per level and device (T, D), or per lag and device (K, D)."""

    number: FloatArray
    mean: FloatArray
    variance: FloatArray
    lag_sum: FloatArray
    lag_count: FloatArray


class _Expected(NamedTuple):
    """What a unit deviation gives, for no memory (first line) and each of MEMORIES: (G + 1, …).

    ``lag``: mean product of residuals at a lag (K); ``within``: expected sample variance (T);
    ``between``: variance of the mean of a device (T); ``squares``: trace and sum of squares of the
    covariance of the residuals (2).
    """

    lag: FloatArray
    within: FloatArray
    between: FloatArray
    squares: FloatArray


def estimate(pulses: Pulses, seed: int = 0, replicates: int = REPLICATES) -> Estimates:
    """Fit the model to ``pulses``.

    ``seed`` decides the bootstrap. Raises UsageError for too few levels, devices or repeats.
    """
    level = pulses.level
    devices = level.shape[1]
    seen = _statistics(pulses) if level.size else None
    counted = np.zeros(0) if seen is None else seen.number
    counted = counted[counted > 0] if pulses.partial else counted
    repeats = int(counted.min()) if counted.size else 0
    if (
        seen is None
        or len(pulses.levels) < MIN_TARGETS
        or devices < MIN_DEVICES
        or repeats < MIN_REPEATS
    ):
        raise UsageError(
            f"{len(pulses.levels)} targets, {devices} devices and down to {repeats} repeats of a "
            f"device at a target; at least {MIN_TARGETS}, {MIN_DEVICES} and {MIN_REPEATS} are "
            "needed"
        )
    lags = _lags(len(level))
    expected = _expectations(level, len(pulses.levels), lags)
    weight = _weights(devices, replicates, seed)
    fit = _Fit(pulses, seen, expected, weight)
    return fit.estimates(lags)


def estimate_measurement(seen: Measurement, seed: int = 0) -> Estimates:
    """As ``estimate``, for a measurement of an array. Counts the devices that do not follow."""
    dead = seen.dead
    live = ~dead
    if live.sum() < MIN_DEVICES:
        raise UsageError("fewer than five devices follow their targets: nothing to be fitted to")
    cycles, t = seen.codes.shape[:2]
    weight = _weights(int(live.sum()), REPLICATES, seed)
    noise = [_read_noise(reads[:, live], weight) for reads in seen.reads]
    levels = np.arange(cycles * t) % t
    found = estimate(
        Pulses(
            seen.targets_us,
            np.broadcast_to(levels[:, None], (cycles * t, int(live.sum()))),
            seen.g_us[:, :, live].reshape(cycles * t, -1),
            read_noise_rel=_pooled(seen.reads[:, :, live], weight),
            rounded=True,
        ),
        seed,
    )
    found.constants["stuck_fraction"] = share_estimate(int(dead.sum()), dead.size)
    if len(seen.after_reset):
        high = seen.after_reset[:, live].astype(np.float64) * CODE_LSB_US
        found.constants.update(hrs_estimates(high, seed))
    if len(noise) == t:
        found.read_noise.extend(noise)
    return found


# -- moments ---------------------------------------------------------------------------------------


def _statistics(pulses: Pulses) -> _PerDevice:
    level, g = pulses.level, pulses.g_us
    shape = (len(pulses.levels), level.shape[1])
    count, mean, variance = (np.zeros(shape) for _ in range(3))
    z = np.zeros(level.shape)
    for t in range(shape[0]):
        here = level == t
        count[t] = here.sum(axis=0)
        n = np.maximum(count[t], 1)
        mean[t] = np.where(here, g, 0.0).sum(axis=0) / n
        deviation = np.where(here, g - mean[t], 0.0)
        variance[t] = (deviation**2).sum(axis=0) / np.maximum(n - 1, 1)
        typical = variance[t][count[t] > 1].mean() if (count[t] > 1).any() else 0.0
        z += deviation / np.sqrt(typical if typical > 0 else 1.0)
    there = level != ABSENT
    lags = _lags(len(level))
    same = bool((there == there[:, :1]).all())
    lag_sum = np.stack([np.einsum("nd,nd->d", z[k:], z[: len(z) - k]) for k in lags])
    if same:
        one = there[:, 0]
        counts = np.array([np.count_nonzero(one[k:] & one[: len(one) - k]) for k in lags])
        lag_count = np.repeat(counts[:, None], level.shape[1], axis=1).astype(np.float64)
    else:
        lag_count = np.stack(
            [(there[k:] & there[: len(there) - k]).sum(axis=0) for k in lags]
        ).astype(np.float64)
    return _PerDevice(count, mean, variance, lag_sum, lag_count)


def _lags(pulses: int) -> NDArray[np.int64]:
    """0, 1, 2, …, then sparser."""
    longest = min(LONGEST_LAG, max(1, pulses * 2 // 3))
    lags = np.concatenate([np.arange(DENSE_LAGS), np.geomspace(DENSE_LAGS, LONGEST_LAG, 24)])
    lags = np.unique(np.rint(lags).astype(np.int64))
    return lags[lags <= longest]


def _expectations(
    level: NDArray[np.integer[Any]], levels: int, lags: NDArray[np.int64]
) -> _Expected:
    """Averages over the orders of pulses that the devices had."""
    _, places = np.unique(level, axis=1, return_index=True)
    chosen = places[np.linspace(0, len(places) - 1, min(MAX_DESIGNS, len(places))).astype(int)]
    parts = [_expectation(level[:, d], levels, lags) for d in chosen]
    return _Expected(*(np.nanmean(np.stack(part), axis=0) for part in zip(*parts, strict=True)))


def _expectation(
    order: NDArray[np.integer[Any]], levels: int, lags: NDArray[np.int64]
) -> tuple[FloatArray, ...]:
    """For one order (N,) of levels; residual = deviation - mean of the deviations of its level."""
    place = np.flatnonzero(order != ABSENT)
    group = order[place]
    distance = np.abs(place[:, None] - place[None, :])
    size = np.bincount(group, minlength=levels).astype(np.float64)
    average = np.zeros((levels, len(place)))
    average[group, np.arange(len(place))] = 1.0 / size[group]
    upper = np.triu_indices(len(place))
    gap = distance[upper]
    number = np.bincount(gap, minlength=lags[-1] + 1)[lags].astype(np.float64)
    out: list[list[Any]] = [[], [], [], []]
    for memory in (0.0, *MEMORIES):
        covariance = np.exp(-distance / memory) if memory else np.eye(len(place))
        half = average @ covariance
        both = half @ average.T
        residual = covariance - half[group] - half[group].T + both[np.ix_(group, group)]
        with np.errstate(divide="ignore", invalid="ignore"):
            out[0].append(
                np.bincount(gap, weights=residual[upper], minlength=lags[-1] + 1)[lags] / number
            )
            out[1].append(
                np.bincount(group, weights=np.diag(residual), minlength=levels)
                / np.where(size > 1, size - 1, np.nan)
            )
        out[2].append(np.where(size > 0, np.diag(both), np.nan))
        out[3].append((np.trace(residual), np.sum(residual**2)))
    return tuple(np.array(part) for part in out)


def _weights(devices: int, replicates: int, seed: int) -> FloatArray:
    """How often each device is in a replicate, (1 + replicates, devices); the first is the data."""
    rng = np.random.default_rng([seed, devices])
    draws = rng.multinomial(devices, np.full(devices, 1 / devices), size=replicates)
    return np.concatenate([np.ones((1, devices)), draws]).astype(np.float64)


def _interval(values: FloatArray, unit: str) -> Estimate:
    """Of replicates (B,), the first of which is the estimate."""
    rest = values[1:][np.isfinite(values[1:])]
    if len(rest) < 2:
        return Estimate(float(values[0]), None, None, unit)
    low, high = np.quantile(rest, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Estimate(float(values[0]), float(low), float(high), unit)


# -- the fit ---------------------------------------------------------------------------------------


class _Fit:
    """Everything with a leading axis over replicates (B)."""

    def __init__(
        self, pulses: Pulses, seen: _PerDevice, expected: _Expected, weight: FloatArray
    ) -> None:
        self.pulses, self.seen, self.expected, self.weight = pulses, seen, expected, weight
        there = seen.number > 1
        number = weight @ there.T  # (B, T)
        self.number = number
        self.mean = weight @ np.where(there, seen.mean, 0.0).T / number
        self.within = weight @ np.where(there, seen.variance, 0.0).T / number
        square = weight @ np.where(there, seen.mean**2, 0.0).T / number
        self.between = (square - self.mean**2) * number / np.maximum(number - 1, 1)
        with np.errstate(divide="ignore", invalid="ignore"):
            pairs = seen.lag_count.sum(axis=1)
            products = (weight @ seen.lag_sum.T) / (weight @ seen.lag_count.T)
            products[:, pairs < FEW_PAIRS * pairs.max()] = np.nan
            self.correlation = products / products[:, :1]  # (B, K)
        self.noise = self._noise()
        self.share_seen, self.memory = self._fit_memory()
        self._fit_spreads()
        self._fit_law()

    def _noise(self) -> FloatArray:
        """Variance (µS²) of a single read-back that no programming made, (B, T)."""
        rel = self.pulses.read_noise_rel
        variance = (0.0 if rel is None else (rel.value * self.mean) ** 2) + np.zeros_like(self.mean)
        return variance + (ADC_VARIANCE if self.pulses.rounded else 0.0)

    def _fit_memory(self) -> tuple[FloatArray, FloatArray]:
        """Share of the variance seen that is slow, and its correlation length; (B,) each.

        Expected product at lag k over that at lag 0, for share s: ((1-s) w_k + s u_k) /
        ((1-s) w_0 + s u_0), w without memory, u with it. Linear in s for a given length.
        """
        lag = self.expected.lag
        seen = self.correlation[:, 1:]
        usable = np.isfinite(seen[0]) & np.isfinite(lag[:, 1:]).all(axis=0)
        seen = seen[:, usable]
        importance = (self.seen.lag_count.sum(axis=1)[1:])[usable]
        white, slow = lag[0], lag[1:]
        w0, wk = white[0], white[1:][usable]
        shares, errors = [], []
        for u in slow:
            gain = (u[1:][usable] - wk)[None, :] - seen * (u[0] - w0)
            rest = seen * w0 - wk[None, :]
            s = (importance * gain * rest).sum(axis=1) / (importance * gain**2).sum(axis=1)
            s = np.clip(s, 0.0, 1.0)
            shares.append(s)
            model = ((1 - s[:, None]) * wk + s[:, None] * u[1:][usable]) / (
                (1 - s[:, None]) * w0 + s[:, None] * u[0]
            )
            errors.append((importance * (model - seen) ** 2).sum(axis=1))
        share, error = np.array(shares), np.array(errors)  # (G, B)
        best = np.argmin(error, axis=0)
        middle = np.clip(best, 1, len(MEMORIES) - 2)
        each = np.arange(error.shape[1])
        left, here, right = (error[middle + d, each] for d in (-1, 0, 1))
        curve = left - 2 * here + right
        with np.errstate(divide="ignore", invalid="ignore"):
            shift = np.where(curve > 0, 0.5 * (left - right) / curve, 0.0)
        shift = np.where(best == middle, np.clip(shift, -0.5, 0.5), best - middle)
        x = middle + shift
        step = np.log(MEMORIES[1] / MEMORIES[0])
        memory = MEMORIES[0] * np.exp(x * step)
        floor = np.clip(np.floor(x).astype(int), 0, len(MEMORIES) - 2)
        part = x - floor
        found = share[floor, each] * (1 - part) + share[floor + 1, each] * part
        self.grid = x
        return found, memory

    def _of(self, table: FloatArray) -> FloatArray:
        """An expectation (G + 1, T) under each replicate's share and memory, (B, T)."""
        floor = np.clip(np.floor(self.grid).astype(int), 0, len(MEMORIES) - 2)
        part = (self.grid - floor)[:, None]
        slow = table[1:][floor] * (1 - part) + table[1:][floor + 1] * part
        share = self.share_seen[:, None]
        return (1 - share) * table[0] + share * slow

    def _fit_spreads(self) -> None:
        """Cycle-to-cycle and device-to-device variance at each level, (B, T)."""
        self.inside = self._of(self.expected.within)
        total = self.within / self.inside
        self.c2c = np.maximum(total - self.noise, 0.0)
        self.d2d = np.maximum(self.between - total * self._of(self.expected.between), 0.0)
        slow = self.share_seen * total.sum(axis=1) / np.maximum(self.c2c.sum(axis=1), 1e-12)
        self.share = np.clip(slow, 0.0, 1.0)

    def _fit_law(self) -> None:
        """σ = max(floor, min(rel g, intercept - slope g)), and how much devices differ in σ.

        A level's devices stand at different medians, where the law differs: its average over them
        is what is fitted. The outer branches are taken in only where the levels show them.
        Replicates: one Gauss-Newton step from the fit to the data.
        """
        m, sigma = self.mean[0], np.sqrt(self.c2c[0])
        spread = self.c2c[1:].std(axis=0)
        scale = np.maximum(np.where(spread > 0, spread, 0.05 * self.c2c[0]), 1e-6)
        slope, intercept = np.polyfit(m, sigma, 1)
        law, chi2 = self._solve(np.array([intercept, -slope]), (False, False), scale)
        branches = (False, False)
        for wanted in ((True, False), (False, True), (True, True)):
            if 2 + sum(wanted) >= len(m):
                continue
            outer = [v for v, on in zip((sigma[0] / m[0], sigma[-1]), wanted, strict=True) if on]
            found, better = self._solve(np.array([*law[:2], *outer]), wanted, scale)
            if chi2 - better > BRANCH_GAIN * (sum(wanted) - sum(branches)):
                law, chi2, branches = found, better, wanted
        jacobian = scipy.optimize.approx_fprime(
            law, lambda v: self._average(v, branches, m, np.sqrt(self.d2d[0])) / scale, 1e-6
        )
        average = self._average(law, branches, self.mean, np.sqrt(self.d2d))
        self.laws = law + ((self.c2c - average) / scale) @ np.linalg.pinv(jacobian).T
        self.laws[0] = law
        self.device_ln = self._device_spread(law, branches)
        shrunk = np.exp(-(self.device_ln**2))[:, None]
        self.laws = self.laws * shrunk
        self.c2c_typical = self.c2c * shrunk**2
        self.branches = branches

    def _solve(
        self, start: FloatArray, branches: tuple[bool, bool], scale: FloatArray
    ) -> tuple[FloatArray, float]:
        m, d = self.mean[0], np.sqrt(self.d2d[0])
        found = scipy.optimize.least_squares(
            lambda v: (self._average(v, branches, m, d) - self.c2c[0]) / scale, start, x_scale="jac"
        )
        return found.x, float(2 * found.cost)

    @staticmethod
    def _law(v: FloatArray, branches: tuple[bool, bool], g: FloatArray) -> FloatArray:
        sigma = v[0] - v[1] * g
        if branches[0]:
            sigma = np.minimum(v[2] * g, sigma)
        return np.maximum(sigma, v[-1] if branches[1] else 0.0)

    def _average(
        self, v: FloatArray, branches: tuple[bool, bool], m: FloatArray, d: FloatArray
    ) -> FloatArray:
        """Mean σ² over devices that stand at m with spread d; (…, T)."""
        g = np.maximum(m[..., None] + d[..., None] * NODES, 0.0)
        return np.asarray((self._law(v, branches, g) ** 2) @ NODE_WEIGHTS)

    def _device_spread(self, law: FloatArray, branches: tuple[bool, bool]) -> FloatArray:
        """Standard deviation over devices of ln σ, beyond what law and few pulses explain; (B,)."""
        seen = self.seen
        there = seen.number > 1
        m, between, total = self.mean[0], self.d2d[0], self.within[0] / self.inside[0]
        error = total * self._of(self.expected.between)[0]
        trust = (between / np.maximum(between + error, 1e-12))[:, None]
        own = m[:, None] + trust * (seen.mean - m[:, None])
        inside, noise = self.inside[0][:, None], self.noise[0][:, None]
        wanted = self._law(law, branches, own) ** 2 * inside
        freedom = np.where(there, seen.number - 1, 0.0)
        ratios = (seen.variance - noise * inside) / np.maximum(wanted, 1e-9)
        ratio = (freedom * ratios).sum(axis=0) / freedom.sum(axis=0)
        log = np.log(np.maximum(ratio, 0.02))
        number = self.weight.sum(axis=1)
        mean = self.weight @ log / number
        variance = (self.weight @ log**2 / number - mean**2) * number / (number - 1)
        read = 1 + self.noise[0] / np.maximum(self.c2c[0], 1e-9)
        chance = float(scipy.special.polygamma(1, self._freedom() / 2)) * float((read**2).mean())
        return np.sqrt(np.maximum(variance - chance, 0.0) / 4)

    def _freedom(self) -> float:
        """Degrees of freedom of the χ² that has the spread of a device's sum of squares."""
        share = float(self.share_seen[0])
        table = np.stack(
            [
                np.interp(self.grid[0], np.arange(len(MEMORIES)), v)
                for v in self.expected.squares[1:].T
            ]
        )
        trace, square = table
        white = float(self.expected.squares[0, 0])  # a projection: trace and square are the same
        both = (1 - share) ** 2 * white + 2 * share * (1 - share) * trace + share**2 * square
        return float(((1 - share) * white + share * trace) ** 2 / both)

    def _limits(self) -> tuple[FloatArray, FloatArray, tuple[bool, bool]]:
        """(rel, max) of min(rel · g, max) nearest to the device-to-device σ, (B,) each, and whether
        the levels show them; one that they do not show is the bound that they allow."""
        d, g = np.sqrt(self.d2d), self.mean
        importance = 1 / np.maximum(d[1:].var(axis=0), 1e-4)
        best = np.full(len(d), np.inf)
        rel, top, below = np.zeros(len(d)), np.zeros(len(d)), np.zeros(len(d), np.int64)
        for first in range(len(self.pulses.levels) + 1):  # so many levels are below the limit
            low, high = slice(0, first), slice(first, None)
            w_low, w_high = importance[low], importance[high]
            with np.errstate(divide="ignore", invalid="ignore"):
                r = (w_low * d[:, low] * g[:, low]).sum(axis=1) / (w_low * g[:, low] ** 2).sum(
                    axis=1
                )
                t = (w_high * d[:, high]).sum(axis=1) / w_high.sum()
            if not first:  # all levels are at the limit: the lowest one bounds the slope from below
                r = t / g[:, 0]
            if first == len(importance):
                t = r * g[:, -1]
            model = np.minimum(r[:, None] * g, t[:, None])
            error = (importance * (model - d) ** 2).sum(axis=1)
            # a law with two constants must earn the second one
            error = error + (BRANCH_GAIN if 0 < first < len(importance) else 0.0)
            better = error < best
            best, rel, top, below = (
                np.where(better, new, old)
                for new, old in ((error, best), (r, rel), (t, top), (first, below))
            )
        levels = len(importance)
        return (
            np.where(below == 0, np.nan, rel) if below[0] else rel,
            np.where(below == levels, np.nan, top) if below[0] < levels else top,
            (bool(below[0] > 0), bool(below[0] < levels)),
        )

    def _outer(self) -> dict[str, Estimate]:
        """The law's outer branches; where the levels show none, a bound that they respect."""
        sigma, g = np.sqrt(self.c2c_typical[0]), self.mean[0]
        rel, floor = self.branches
        largest, smallest = (sigma / g).max(keepdims=True), sigma.min(keepdims=True) / 2
        return {
            "c2c_max_rel": _interval(self.laws[:, 2] if rel else largest, "fraction of g"),
            "c2c_floor_us": _interval(self.laws[:, -1] if floor else smallest, "µS"),
        }

    # -- the result ----------------------------------------------------------------------------

    def estimates(self, lags: NDArray[np.int64]) -> Estimates:
        unit = "µS"
        rel, top, shown = self._limits()
        usable = (lags > 0) & np.isfinite(self.correlation[0])
        correlation = self.correlation[:, usable]
        # one after the other: of no lag at all, nanquantile gives no pair
        low, high = (
            np.nanquantile(correlation[1:], q, axis=0) for q in ((1 - LEVEL) / 2, (1 + LEVEL) / 2)
        )
        model = self._of(self.expected.lag)[0]
        constants = {
            "c2c_intercept_us": _interval(self.laws[:, 0], unit),
            "c2c_slope": _interval(self.laws[:, 1], "µS per µS"),
            **self._outer(),
            "c2c_device_ln": _interval(self.device_ln, "ln σ"),
            "slow_share": _interval(self.share, "fraction of variance"),
            "slow_phi": _interval(np.exp(-1 / self.memory), "per cycle"),
            "memory": _interval(self.memory, "pulses"),
            "d2d_rel": _interval(rel if shown[0] else rel[:1], "fraction of g"),
            "d2d_max_us": _interval(top if shown[1] else top[:1], unit),
        }
        if self.pulses.read_noise_rel is not None:
            constants["read_noise_rel"] = self.pulses.read_noise_rel
        return Estimates(
            levels=self.pulses.levels,
            unit=self.pulses.unit,
            devices=self.pulses.level.shape[1],
            pulses=int((self.pulses.level != ABSENT).sum()),
            mean_us=[_interval(v, unit) for v in self.mean.T],
            sigma_us=[_interval(v, unit) for v in np.sqrt(self.c2c_typical).T],
            d2d_us=[_interval(v, unit) for v in np.sqrt(self.d2d).T],
            constants=constants,
            lags=lags[usable],
            correlation=correlation[0],
            correlation_low=low,
            correlation_high=high,
            correlation_model=(model / model[0])[usable],
            read_noise=[],
        )


# -- reads, stuck devices, the state after RESET ---------------------------------------------------


def _read_variance(reads: NDArray[np.int16]) -> tuple[FloatArray, FloatArray]:
    """(variance, squared level) of repeated reads, codes²; reads (n, devices).

    From successive differences, so that drift does not count as noise.
    """
    steps = np.diff(reads.astype(np.float64), axis=0)
    variance = (steps**2).mean(axis=0) / 2
    level = reads.mean(axis=0)
    full = (reads >= CODE_MAX).any(axis=0)  # cut off by the ADC
    return np.where(full, 0.0, variance), np.where(full, 0.0, level**2)


def _noise_of(variance: FloatArray, level: FloatArray, weight: FloatArray) -> Estimate:
    number = weight @ (level > 0)
    mean = weight @ variance / np.maximum(number, 1)
    rounding = np.where(mean > 1 / 12, 1 / 12, 0.0)
    square = weight @ level / np.maximum(number, 1)
    values = np.sqrt(np.maximum(mean - rounding, 0.0) / np.maximum(square, 1e-12))
    return _interval(values, "fraction of g")


def _read_noise(reads: NDArray[np.int16], weight: FloatArray) -> Estimate:
    return _noise_of(*_read_variance(reads), weight)


def _pooled(reads: NDArray[np.int16], weight: FloatArray) -> Estimate:
    """Over all levels: reads (T, n, devices)."""
    parts = [_read_variance(r) for r in reads]
    variance, level = (np.sum([p[i] for p in parts], axis=0) for i in range(2))
    return _noise_of(variance, level, weight)


def share_estimate(hits: int, number: int) -> Estimate:
    """A share that was seen ``hits`` times in ``number``, with Clopper and Pearson's interval."""
    tail = (1 - LEVEL) / 2
    inverse = scipy.special.betaincinv
    low = float(inverse(hits, number - hits + 1, tail)) if hits else 0.0
    high = float(inverse(hits + 1, number - hits, 1 - tail)) if hits < number else 1.0
    return Estimate(hits / number, low, high, "fraction of devices")


def hrs_estimates(g_us: FloatArray, seed: int = 0) -> dict[str, Estimate]:
    """Median (µS) and spread of ln g of the state after RESET: g_us (repeats, devices), NaN: none.

    The spread is that of the quartiles, because the distribution is cut off at its upper end.
    """
    devices = g_us.shape[1]
    rng = np.random.default_rng([seed, devices, 1])
    # codes are coarse there: spread each over the conductances that it stands for
    within = rng.uniform(-0.5, 0.5, g_us.shape) * CODE_LSB_US
    log = np.log(np.maximum(g_us + within, CODE_LSB_US / 4))
    values = []
    for replicate in range(1 + REPLICATES // 2):
        chosen = rng.integers(devices, size=devices) if replicate else np.arange(devices)
        low, middle, high = np.nanquantile(log[:, chosen], [0.25, 0.5, 0.75])
        spread = (high - low) / (2 * scipy.special.ndtri(0.75))
        rounding = CODE_LSB_US**2 / 6 / np.exp(2 * middle)  # rounded, then spread again
        values.append((np.exp(middle), np.sqrt(max(spread**2 - rounding, 0.0))))
    medians, spreads = np.array(values).T
    return {
        "hrs_median_us": _interval(medians, "µS"),
        "hrs_ln_sigma": _interval(spreads, "ln R"),
    }
