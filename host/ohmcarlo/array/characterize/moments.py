"""Moments of programmed conductances, and their expectation under the model.

The mean of a device is subtracted from its deviations. This also removes a part of the slow process
of the device, so that moments of a *finite* number of pulses are biased. Every moment is therefore
compared with its expectation under the model for the same order of pulses, not with its limit for
infinitely many.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import scipy
from numpy.typing import NDArray

from .estimates import ABSENT, Pulses
from .measure import FloatArray

MAX_DESIGNS = 3  # orders of pulses that are averaged if devices differ in them
MEMORIES = np.geomspace(0.3, 400, 30)  # candidate correlation lengths, pulses
MOST_PULSES = 20_000  # of a device, whose expectation is computed
FEW_PULSES = 150  # up to so many, a product of matrices is faster than a filter
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


def group_sums(pulses: Pulses) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Number, mean and sample variance of every device at every level, (T, D) each; 0 without."""
    level, g = pulses.level, pulses.g_us
    devices = level.shape[1]
    shape = (len(pulses.levels), devices)
    there = level != ABSENT
    place = (level * devices + np.arange(devices))[there]

    def total(values: FloatArray) -> FloatArray:
        return np.asarray(np.bincount(place, values, shape[0] * devices).reshape(shape))

    number = counts(level, shape[0])
    mean = total(g[there]) / np.maximum(number, 1)
    square = total((g[there] - mean.ravel()[place]) ** 2)
    return number, mean, square / np.maximum(number - 1, 1)


def device_sums(pulses: Pulses) -> DeviceSums:
    level = pulses.level
    number, mean, variance = group_sums(pulses)
    there = level != ABSENT
    several = number > 1
    typical = np.where(several, variance, 0.0).sum(axis=1) / np.maximum(several.sum(axis=1), 1)
    scale = np.sqrt(np.where(typical > 0, typical, 1.0))
    own = np.take_along_axis(mean, np.where(there, level, 0), axis=0)
    z = np.where(there, (pulses.g_us - own) / scale[level], 0.0)
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
    return DeviceSums(number, mean, variance, lag_sum, lag_count)


def lags_of(pulses: int) -> NDArray[np.int64]:
    """0, 1, 2, …, then sparser."""
    longest = min(LONGEST_LAG, max(1, pulses * 2 // 3))
    lags = np.concatenate([np.arange(DENSE_LAGS), np.geomspace(DENSE_LAGS, LONGEST_LAG, 24)])
    lags = np.unique(np.rint(lags).astype(np.int64))
    return lags[lags <= longest]


def expected_moments(
    level: NDArray[np.integer[Any]], levels: int, lags: NDArray[np.int64]
) -> ExpectedMoments:
    """Averages over some orders of pulses of the devices.

    The variance of a mean is that of all devices, which differ in the number of their pulses. A
    level that the chosen orders lack has the average over the other levels.
    """
    _, places = np.unique(level, axis=1, return_index=True)
    chosen = places[np.linspace(0, len(places) - 1, min(MAX_DESIGNS, len(places))).astype(int)]
    parts = [_expectation(level[:, d], levels, lags) for d in chosen]
    lag, within, between, squares = (
        _known_mean(np.stack(part)) for part in zip(*parts, strict=True)
    )
    for moment in (within, between):
        moment[:] = np.where(np.isfinite(moment), moment, np.nanmean(moment, axis=1)[:, None])
    number = counts(level, levels)
    several = number > 1
    one_over = np.where(several, 1 / np.maximum(number, 1), 0.0).sum(axis=1)
    between *= one_over / np.maximum(several.sum(axis=1), 1) / between[0]
    return ExpectedMoments(lag, within, between, squares)


def _known_mean(values: FloatArray) -> FloatArray:
    """Mean over the first axis of the finite values; NaN where there is none."""
    known = np.isfinite(values)
    number = known.sum(axis=0)
    total = np.where(known, values, 0.0).sum(axis=0)
    return np.where(number > 0, total / np.maximum(number, 1), np.nan)


def counts(level: NDArray[np.integer[Any]], levels: int) -> FloatArray:
    """Number of pulses of every device at every level, (T, D)."""
    devices = level.shape[1]
    place = (level * devices + np.arange(devices))[level != ABSENT]
    number = np.bincount(place, minlength=levels * devices)
    return number.reshape(levels, devices).astype(np.float64)


def _expectation(
    order: NDArray[np.integer[Any]], levels: int, lags: NDArray[np.int64]
) -> tuple[FloatArray, ...]:
    """For one order (N,) of levels; a residual is a deviation minus the mean of its level.

    The expectations of a longer order are those of its first MOST_PULSES pulses, scaled. Every
    memory takes a time proportional to the number of pulses.
    """
    longest = order[: int(np.searchsorted(np.cumsum(order != ABSENT), MOST_PULSES)) + 1]
    size = np.bincount(longest[longest != ABSENT], minlength=levels).astype(np.float64)
    pairs = [_pairs(longest, int(k)) for k in lags]
    out: list[list[Any]] = [[], [], [], []]
    for memory in (0.0, *MEMORIES):
        for part, value in zip(out, _under(memory, longest, size, lags, pairs), strict=True):
            part.append(value)
    share = np.count_nonzero(longest != ABSENT) / np.count_nonzero(order != ABSENT)
    lag, within, between, squares = (np.array(part) for part in out)
    return lag, within, between * share, squares / share


def _pairs(order: NDArray[np.integer[Any]], lag: int) -> NDArray[np.int64]:
    """First places of the pairs of pulses at a lag."""
    return np.flatnonzero((order[: len(order) - lag] != ABSENT) & (order[lag:] != ABSENT))


def _under(
    memory: float,
    order: NDArray[np.integer[Any]],
    size: FloatArray,
    lags: NDArray[np.int64],
    pairs: list[NDArray[np.int64]],
) -> tuple[FloatArray, ...]:
    """The moments of ``_expectation`` for one correlation length (0: no memory)."""
    decay = np.exp(-1 / memory) if memory else 0.0
    place = np.flatnonzero(order != ABSENT)
    group, levels = order[place], len(size)
    average = np.zeros((levels, len(order)))
    average[group, place] = 1.0 / size[group]
    half = _smoothed(average, decay)  # covariance of the mean of a level with every deviation
    both = (half[:, place] / size[group]) @ (group[:, None] == np.arange(levels))
    lag, within = np.full(len(lags), np.nan), np.full(levels, np.nan)
    for i, (k, first) in enumerate(zip(lags.tolist(), pairs, strict=True)):
        if len(first):
            left, right = order[first], order[first + k]
            known = half[left, first + k] + half[right, first] - both[left, right]
            lag[i] = decay**k - known.mean()
    residual = 1.0 - 2 * half[group, place] + both[group, group]
    several = size > 1
    within[several] = np.bincount(group, residual, minlength=levels)[several] / (size - 1)[several]
    between = np.where(size > 0, np.diag(both), np.nan)
    presence = (order != ABSENT).astype(np.float64)[None]
    whole = float(_smoothed(presence, decay**2)[0, place].sum())
    removed = float((size[:, None] * half[:, place] ** 2).sum())
    square = whole - 2 * removed + float((size[:, None] * size * both**2).sum())
    return lag, within, between, np.array([residual.sum(), square])


def _smoothed(rows: FloatArray, decay: float) -> FloatArray:
    """Sum over n' of ``rows[:, n'] decay^|n - n'|`` at every n."""
    pulses = rows.shape[1]
    if not decay:
        return rows
    if pulses <= FEW_PULSES:
        place = np.arange(pulses)
        return np.asarray(rows @ decay ** np.abs(place[:, None] - place))
    coefficients = ([1.0], [1.0, -decay])
    forward = scipy.signal.lfilter(*coefficients, rows, axis=1)
    backward = scipy.signal.lfilter(*coefficients, rows[:, ::-1], axis=1)[:, ::-1]
    return np.asarray(forward + backward - rows)
