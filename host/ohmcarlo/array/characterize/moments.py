"""Moments of programmed conductances, and their expectation under the model.

The mean of a device is subtracted from its deviations. This also removes a part of the slow process
of the device, so that moments of a *finite* number of pulses are biased. Every moment is therefore
compared with its expectation under the model for the same order of pulses, not with its limit for
infinitely many.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .estimates import ABSENT, Pulses
from .measure import FloatArray

MAX_DESIGNS = 3  # orders of pulses that are averaged if devices differ in them
MEMORIES = np.geomspace(0.3, 400, 30)  # candidate correlation lengths, pulses
DENSE_LAGS, LONGEST_LAG = 13, 120


FEW_PAIRS = 0.1  # least number of pairs at a lag, relative to the best lag


class DeviceSums(NamedTuple):
    """Sums per level and device (T, D), or per lag and device (K, D)."""

    number: FloatArray
    mean: FloatArray
    variance: FloatArray
    lag_sum: FloatArray
    lag_count: FloatArray


class ExpectedMoments(NamedTuple):
    """Moments of a unit deviation without memory (line 0) and with each of MEMORIES: (G + 1, …).

    ``lag``: mean product of residuals at a lag (K); ``within``: expected sample variance (T);
    ``between``: variance of the mean of a device (T); ``squares``: trace and sum of squares of the
    covariance of the residuals (2).
    """

    lag: FloatArray
    within: FloatArray
    between: FloatArray
    squares: FloatArray


class Memory(NamedTuple):
    """The slow part of the deviations; each (B,).

    ``share``: of the measured variance; ``length``: correlation length, pulses; ``grid``: the same
    as a fractional index of MEMORIES.
    """

    share: FloatArray
    length: FloatArray
    grid: FloatArray


def correlation_of(seen: DeviceSums, weight: FloatArray) -> FloatArray:
    """Mean product at every lag over that at lag 0 (B, K), NaN where few pairs have that lag."""
    pairs = seen.lag_count.sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        products = (weight @ seen.lag_sum.T) / (weight @ seen.lag_count.T)
        products[:, pairs < FEW_PAIRS * pairs.max()] = np.nan
        return products / products[:, :1]


def fit_memory(seen: DeviceSums, expected: ExpectedMoments, correlation: FloatArray) -> Memory:
    """Fit share and length of the slow part to a ``correlation`` (B, K).

    For share s, the expected product at lag k over that at lag 0 is ((1-s) w_k + s u_k) /
    ((1-s) w_0 + s u_0), with w for no memory and u for the given length. It is linear in s for
    that length.
    """
    lag = expected.lag
    after = correlation[:, 1:]
    usable = np.isfinite(after[0]) & np.isfinite(lag[:, 1:]).all(axis=0)
    after = after[:, usable]
    importance = (seen.lag_count.sum(axis=1)[1:])[usable]
    white, slow = lag[0], lag[1:]
    w0, wk = white[0], white[1:][usable]
    shares, errors = [], []
    for u in slow:
        gain = (u[1:][usable] - wk)[None, :] - after * (u[0] - w0)
        rest = after * w0 - wk[None, :]
        s = (importance * gain * rest).sum(axis=1) / (importance * gain**2).sum(axis=1)
        s = np.clip(s, 0.0, 1.0)
        shares.append(s)
        model = ((1 - s[:, None]) * wk + s[:, None] * u[1:][usable]) / (
            (1 - s[:, None]) * w0 + s[:, None] * u[0]
        )
        errors.append((importance * (model - after) ** 2).sum(axis=1))
    return _best_memory(np.array(shares), np.array(errors))


def _best_memory(share: FloatArray, error: FloatArray) -> Memory:
    """The minimum of ``error`` (G, B) over MEMORIES, from a parabola through three points."""
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
    floor = np.clip(np.floor(x).astype(int), 0, len(MEMORIES) - 2)
    part = x - floor
    found = share[floor, each] * (1 - part) + share[floor + 1, each] * part
    return Memory(found, MEMORIES[0] * np.exp(x * step), x)


def device_sums(pulses: Pulses) -> DeviceSums:
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
    lags = lags_of(len(level))
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
    return DeviceSums(count, mean, variance, lag_sum, lag_count)


def lags_of(pulses: int) -> NDArray[np.int64]:
    """0, 1, 2, …, then sparser."""
    longest = min(LONGEST_LAG, max(1, pulses * 2 // 3))
    lags = np.concatenate([np.arange(DENSE_LAGS), np.geomspace(DENSE_LAGS, LONGEST_LAG, 24)])
    lags = np.unique(np.rint(lags).astype(np.int64))
    return lags[lags <= longest]


def expected_moments(
    level: NDArray[np.integer[Any]], levels: int, lags: NDArray[np.int64]
) -> ExpectedMoments:
    """Averages over the orders of pulses of the devices."""
    _, places = np.unique(level, axis=1, return_index=True)
    chosen = places[np.linspace(0, len(places) - 1, min(MAX_DESIGNS, len(places))).astype(int)]
    parts = [_expectation(level[:, d], levels, lags) for d in chosen]
    return ExpectedMoments(
        *(np.nanmean(np.stack(part), axis=0) for part in zip(*parts, strict=True))
    )


def _expectation(
    order: NDArray[np.integer[Any]], levels: int, lags: NDArray[np.int64]
) -> tuple[FloatArray, ...]:
    """For one order (N,) of levels; a residual is a deviation minus the mean of its level."""
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
