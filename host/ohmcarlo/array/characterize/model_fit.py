"""The fit of the device model to moments, for the data and every bootstrap replicate at once.

The model is that of ``presets``. Device d, programmed to level t, reaches m_t + D_t x_d, where x_d
is a constant of the device (device to device), plus σ(median) times a deviation. A share of the
variance of that deviation is an AR(1) process of the device; the rest is new with each pulse. A
read adds noise. ``moments`` describes the correction for the finite number of pulses.
"""

from __future__ import annotations

from statistics import NormalDist

import numpy as np
import scipy
from numpy.typing import NDArray

from ...spec import CODE_LSB_US
from .estimates import (
    ABSENT,
    LEVEL,
    Estimate,
    Estimates,
    Pulses,
    bound,
    interval,
    mapped,
    spread_interval,
)
from .measure import FloatArray
from .moments import MEMORIES, DeviceSums, ExpectedMoments, correlation_of, fit_memory

ADC_VARIANCE = CODE_LSB_US**2 / 12  # of rounding to a code
BRANCH_GAIN = 9.0  # χ² that a second branch of the σ law must gain
US = "µS"
TINY_US = 1e-9
SHORTEST = 0.7  # pulses: the correlation of successive pulses is below a quarter of the share
ROUNDS = 3  # of a fit whose weights follow from its result
SHARE, POSITIVE = (0.0, 1.0), (0.0, np.inf)
OUTER = (2, "fraction of g"), (-1, US)  # constants of the outer branches: place and unit
NODES, NODE_WEIGHTS = (v / s for v, s in zip(
    np.polynomial.hermite_e.hermegauss(9), (1.0, np.sqrt(2 * np.pi)), strict=True
))  # fmt: skip


class ModelFit:
    """The fit; every array has a leading axis over replicates (B)."""

    def __init__(
        self, pulses: Pulses, seen: DeviceSums, expected: ExpectedMoments, weight: FloatArray
    ) -> None:
        self.pulses, self.seen, self.expected, self.weight = pulses, seen, expected, weight
        self.devices = weight.shape[1]
        there = seen.number > 1
        number = weight @ there.T  # (B, T)
        self.number = number
        self.mean = weight @ np.where(there, seen.mean, 0.0).T / number
        self.within = weight @ np.where(there, seen.variance, 0.0).T / number
        square = weight @ np.where(there, seen.mean**2, 0.0).T / number
        self.between = (square - self.mean**2) * number / np.maximum(number - 1, 1)
        self.correlation = correlation_of(seen, weight)
        self.noise = self._noise()
        self.share_seen, self.memory, self.grid = fit_memory(seen, expected, self.correlation)
        self._fit_spreads()
        self._fit_law()

    def _noise(self) -> FloatArray:
        """Variance (µS²) of a single read-back that does not come from programming, (B, T)."""
        rel = self.pulses.read_noise_rel
        variance = (0.0 if rel is None else (rel.value * self.mean) ** 2) + np.zeros_like(self.mean)
        return variance + (ADC_VARIANCE if self.pulses.rounded else 0.0)

    def _of(self, table: FloatArray) -> FloatArray:
        """An expectation (G + 1, T) for the share and memory of each replicate, (B, T)."""
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
        self.mean_error = total * self._of(self.expected.between)  # variance of a device mean
        self.d2d = np.maximum(self.between - self.mean_error, 0.0)
        slow = self.share_seen * total.sum(axis=1) / np.maximum(self.c2c.sum(axis=1), 1e-12)
        self.share = np.clip(slow, 0.0, 1.0)

    def _fit_law(self) -> None:
        """σ = max(floor, min(rel g, intercept - slope g)), and the spread of σ between devices.

        The devices of a level have different medians and therefore different σ: the average over
        them is fitted. An outer branch is included only if the levels show it. Replicates are
        fitted by one Gauss-Newton step from the fit to the data.
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
        left = (self.c2c - average) / scale
        # the corners of the law may leave a step of the fit itself, which is no error of it
        self.laws = law + (left - left[0]) @ np.linalg.pinv(jacobian).T
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
        """Mean σ² over devices at mean m with spread d; (…, T)."""
        g = np.maximum(m[..., None] + d[..., None] * NODES, 0.0)
        return np.asarray((self._law(v, branches, g) ** 2) @ NODE_WEIGHTS)

    def _device_spread(self, law: FloatArray, branches: tuple[bool, bool]) -> FloatArray:
        """Standard deviation over devices of ln σ, less the effect of law and few pulses; (B,)."""
        seen = self.seen
        there = seen.number > 1
        m, between, error = self.mean[0], self.d2d[0], self.mean_error[0]
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
        self.chance = float(scipy.special.polygamma(1, self._freedom() / 2)) * float(
            (read**2).mean()
        )
        return np.sqrt(np.maximum(variance - self.chance, 0.0) / 4)

    def _freedom(self) -> float:
        """Degrees of freedom of the χ² with the spread of a device's sum of squares."""
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
        the levels show each of them. A constant that they do not show is the bound they imply."""
        g = self.mean
        model = self.d2d[0]
        for _ in range(ROUNDS):
            rel, top, below = self._nearest(self._importance(model))
            model = np.minimum(rel[0] * g[0], top[0]) ** 2
        levels = g.shape[1]
        return (
            np.where(below == 0, np.nan, rel) if below[0] else rel,
            np.where(below == levels, np.nan, top) if below[0] < levels else top,
            (bool(below[0] > 0), bool(below[0] < levels)),
        )

    def _importance(self, model: FloatArray) -> FloatArray:
        """Inverse variance of the device-to-device variance at each level (T,), by a ``model`` (T,)
        of these variances, µS².

        The variance of the estimates themselves would favour levels whose estimate is low by
        chance.
        """
        freedom = np.maximum(self.number[0] - 1, 1)
        return freedom / (2 * np.maximum(model + self.mean_error[0], TINY_US) ** 2)

    def _nearest(self, importance: FloatArray) -> tuple[FloatArray, FloatArray, NDArray[np.int64]]:
        """(rel, max) nearest to the device-to-device variances, and how many levels lie below max,
        (B,) each."""
        v, square = self.d2d, self.mean**2
        best = np.full(len(v), np.inf)
        rel, top, below = np.zeros(len(v)), np.zeros(len(v)), np.zeros(len(v), np.int64)
        for first in range(len(importance) + 1):  # so many levels are below the limit
            low, high = slice(0, first), slice(first, None)
            w_low, w_high = importance[low], importance[high]
            with np.errstate(divide="ignore", invalid="ignore"):
                r = (w_low * v[:, low] * square[:, low]).sum(axis=1) / (
                    w_low * square[:, low] ** 2
                ).sum(axis=1)
                t = (w_high * v[:, high]).sum(axis=1) / w_high.sum()
            if not first:  # all at the limit: the lowest level bounds the slope from below
                r = t / np.maximum(square[:, 0], TINY_US)
            if first == len(importance):
                t = r * square[:, -1]
            r, t = np.maximum(r, 0.0), np.maximum(t, 0.0)
            model = np.minimum(r[:, None] * square, t[:, None])
            error = (importance * (model - v) ** 2).sum(axis=1)
            # the second constant must gain BRANCH_GAIN
            error = error + (BRANCH_GAIN if 0 < first < len(importance) else 0.0)
            better = error < best
            best, rel, top, below = (
                np.where(better, new, old)
                for new, old in ((error, best), (r, rel), (t, top), (first, below))
            )
        return np.sqrt(rel), np.sqrt(top), below

    def _outer(self) -> dict[str, Estimate]:
        """The outer branches of the law; a branch that the levels do not show becomes a bound."""
        sigma, g = np.sqrt(self.c2c_typical[0]), self.mean[0]
        names = ("c2c_max_rel", "c2c_floor_us")
        out = {}
        for name, (place, unit), shown, end in zip(
            names,
            OUTER,
            self.branches,
            ((sigma / np.maximum(g, TINY_US)).max(), sigma.min() / 2),
            strict=True,
        ):
            out[name] = self._interval(self.laws[:, place], unit) if shown else bound(end, unit)
        return out

    def _slow(self) -> dict[str, Estimate]:
        """The slow process; without one, and beyond the lengths that are tried, its length is a
        bound. A process shorter than SHORTEST cannot be told from new deviations."""
        slow = np.where(self.memory < SHORTEST, 0.0, self.share)
        share = self._interval(slow, "fraction of variance", SHARE)
        log = self._interval(np.log(self.memory), "")
        length = mapped(log, np.exp, "pulses")
        phi = mapped(length, lambda pulses: np.exp(-1 / pulses), "per cycle")
        if not share.low or not 0 < self.grid[0] < len(MEMORIES) - 1:
            length, phi = bound(length.value, length.unit), bound(phi.value, phi.unit)
        return {"slow_share": share, "slow_phi": phi, "memory": length}

    def _d2d(self) -> dict[str, Estimate]:
        rel, top, shown = self._limits()
        least = self._least_d2d()
        parts = (
            (
                "d2d_rel",
                rel,
                shown[0],
                "fraction of g",
                (least / np.maximum(self.mean[0], TINY_US)).min(),
            ),
            ("d2d_max_us", top, shown[1], US, least.min()),
        )
        return {
            name: spread_interval(values, unit, self.devices, float(end))
            if seen
            else bound(values[0], unit)
            for name, values, seen, unit, end in parts
        }

    def _least_d2d(self) -> FloatArray:
        """The device-to-device spread that each level could have shown (T,), µS: that of chance."""
        return np.sqrt(self.mean_error[0] * _chance(self.devices))

    # -- the result ----------------------------------------------------------------------------

    def _interval(
        self, values: FloatArray, unit: str, limits: tuple[float, float] = (-np.inf, np.inf)
    ) -> Estimate:
        return interval(values, unit, self.devices, limits)

    def estimates(self, lags: NDArray[np.int64]) -> Estimates:
        usable = (lags > 0) & np.isfinite(self.correlation[0])
        correlation = self.correlation[:, usable]
        # computed one by one: without any lag, nanquantile of both gives no pair
        low, high = (
            np.nanquantile(correlation[1:], q, axis=0) for q in ((1 - LEVEL) / 2, (1 + LEVEL) / 2)
        )
        model = self._of(self.expected.lag)[0]
        least = np.sqrt(self.chance * _chance(self.devices)) / 2
        constants = {
            "c2c_intercept_us": self._interval(self.laws[:, 0], US),
            "c2c_slope": self._interval(self.laws[:, 1], "µS per µS"),
            **self._outer(),
            "c2c_device_ln": spread_interval(self.device_ln, "ln σ", self.devices, least),
            **self._slow(),
            **self._d2d(),
        }
        if self.pulses.read_noise_rel is not None:
            constants["read_noise_rel"] = self.pulses.read_noise_rel
        return Estimates(
            levels=self.pulses.levels,
            unit=self.pulses.unit,
            devices=self.devices,
            pulses=int((self.pulses.level != ABSENT).sum()),
            mean_us=[self._interval(v, US) for v in self.mean.T],
            sigma_us=[self._interval(v, US, POSITIVE) for v in np.sqrt(self.c2c_typical).T],
            d2d_us=[
                spread_interval(v, US, self.devices, float(least_us))
                for v, least_us in zip(np.sqrt(self.d2d).T, self._least_d2d(), strict=True)
            ],
            constants=constants,
            lags=lags[usable],
            correlation=correlation[0],
            correlation_low=low,
            correlation_high=high,
            correlation_model=(model / model[0])[usable],
            read_noise=[],
        )


def _chance(devices: int) -> float:
    """How far chance moves a variance between so many devices, relative to it: one-sided."""
    return NormalDist().inv_cdf(LEVEL) * float(np.sqrt(2 / max(devices - 1, 1)))
