"""Levels of a measurement whose mean conductance rises: what a SET law can be made of.

A sweep may have steps so fine that neighbouring means cross within their error, and it may
saturate. The mean is then fitted by an isotonic curve, levels with the same value on it are merged,
and a flat end is left out. A fall beyond the error is refused.
"""

from __future__ import annotations

from dataclasses import replace
from statistics import NormalDist
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...errors import UsageError
from ...readable import count
from .estimates import ABSENT, Pulses
from .following import EXACT, MOST_EXACT, SURE, of_devices
from .measure import FloatArray
from .moments import group_sums

FALSE_ALARM = 1e-3  # chance that levels without a fall are refused
MATERIAL = 0.02  # of the rise of the curve: a smaller fall is never refused
FLAT = 1 / 3  # slope of a flat end, relative to the mean slope
FLAT_SHARE = 0.05  # of the range of the levels: a shorter end is not called flat
TINY_US = 1e-9
MARGIN = 2.0  # standard errors: a smaller rise to the end of the curve is none
MOST_LEVELS = 40  # more are merged
MIN_LEVELS, MIN_DEVICES, MIN_REPEATS = 3, 5, 5
FEWEST_REPEATS = 2  # of a device at a level, before levels are merged
Notes = tuple[str, ...]


class Groups(NamedTuple):
    """Of a device at a level, (T, D): number, mean and sample variance of its pulses."""

    number: FloatArray
    mean: FloatArray
    variance: FloatArray

    @property
    def there(self) -> NDArray[np.bool_]:
        return self.number > 0

    @property
    def curve(self) -> FloatArray:
        """Mean over devices at every level (T,)."""
        return np.asarray(
            np.where(self.there, self.mean, 0.0).sum(axis=1) / self.there.sum(axis=1).clip(1)
        )

    def error(self, level: int) -> float:
        """Standard error of the mean over devices at a level."""
        here = self.there[level]
        own = self.variance[level, here] / self.number[level, here]
        means = self.mean[level, here]
        between = means.var(ddof=1) if len(means) > 1 else 0.0
        return float(np.sqrt(max(own.mean(), between) / len(means)))

    def rise(self, low: int, high: int) -> tuple[float, float]:
        """Rise of the mean between two levels and its standard error, over devices with both."""
        both = self.there[low] & self.there[high]
        if both.sum() < 2:
            curve = self.curve
            return curve[high] - curve[low], float(np.hypot(self.error(low), self.error(high)))
        step = self.mean[high, both] - self.mean[low, both]
        own = (self.variance[[low, high]] / self.number[[low, high]].clip(1))[:, both].sum(axis=0)
        variance = max(float(step.var(ddof=1)), float(own.mean()))
        return float(step.mean()), float(np.sqrt(variance / len(step)))


def rising_levels(pulses: Pulses, notes: Notes = ()) -> tuple[Pulses, Notes]:
    """Pulses whose mean conductance rises with every level, and ``notes`` with what was done.

    A pulse of a merged level is moved to the conductance of its group by the difference of the
    means. Raises UsageError when the mean falls by more than its error (it names the two levels),
    when it does not rise, and when levels, devices or repeats are too few.
    """
    refuse_few(pulses, notes)
    pulses, clipped = _without_clipped(pulses)
    notes += clipped
    groups = Groups(*group_sums(pulses))
    refuse_fall(pulses, groups)
    error = float(np.median([groups.rise(i, i + 1)[1] for i in range(len(pulses.levels) - 1)]))
    _refuse_no_rise(pulses, groups, error)
    curve = _isotonic(groups)
    first, last = _ends(pulses.levels, curve, error)
    notes += _ends_left_out(pulses, first, last)
    group = np.full(len(curve), ABSENT)
    group[first : last + 1] = _merged(curve[first : last + 1], groups.number[first : last + 1])
    before, after = last + 1 - first, int(group.max()) + 1
    if after < before:
        notes += (f"{before} levels are merged into {after}, whose mean conductance rises",)
    return enough(_regrouped(pulses, group, curve, groups), notes)


def refuse_fall(pulses: Pulses, groups: Groups) -> None:
    """UsageError when the mean falls with the level by more than its error."""
    curve = groups.curve
    levels = len(curve)
    sure = NormalDist().inv_cdf(1 - FALSE_ALARM / max(levels * (levels - 1) / 2, 1))
    least = MATERIAL * float(np.ptp(curve))
    worst, pair = sure, (0, 0)
    highest = 0
    for level in range(1, levels):
        if curve[level] >= curve[highest]:
            highest = level
            continue
        rise, error = groups.rise(highest, level)
        if -rise > max(worst * error, least):
            worst, pair = -rise / max(error, 1e-300), (highest, level)
    if pair != (0, 0):
        low, high = (
            f"{curve[i]:.1f} ± {groups.error(i):.1f} µS at {_name(pulses, i)}" for i in pair
        )
        raise UsageError(
            f"a mean conductance that falls as the level rises, by more than its error: {low}, but "
            f"{high}; leave out the levels above {_name(pulses, pair[0])}, if SET ends there "
            "(a RESET sweep falls from the start)"
        )


def enough(pulses: Pulses, notes: Notes = ()) -> tuple[Pulses, Notes]:
    """The levels at which MIN_DEVICES devices have MIN_REPEATS repeats each; ``notes`` and one
    on the others.

    Raises UsageError when fewer than MIN_LEVELS levels remain.
    """
    number = group_sums(pulses)[0] if pulses.level.size else np.zeros((len(pulses.levels), 0))
    good = (number >= MIN_REPEATS).sum(axis=1) >= MIN_DEVICES
    kept = (number > 1) & good[:, None]
    devices = kept.any(axis=0)
    if good.sum() < MIN_LEVELS or devices.sum() < MIN_DEVICES:
        raise _too_few(pulses, number, notes)
    if (kept == (number > 0)).all() and devices.all():
        return pulses, notes
    weak = [_name(pulses, i) for i in np.flatnonzero(~good & (number > 0).any(axis=1))]
    if weak:
        notes += (
            f"left out for fewer than {MIN_DEVICES} devices with {MIN_REPEATS} repeats: "
            f"{listed(weak)}",
        )
    there = pulses.level != ABSENT
    there &= np.take_along_axis(kept, np.where(there, pulses.level, 0), axis=0)
    place = np.cumsum(good) - 1
    level = np.where(there, place[pulses.level], ABSENT)
    return of_devices(replace(pulses, levels=pulses.levels[good], level=level), devices), notes


def refuse_few(pulses: Pulses, notes: Notes = ()) -> None:
    """UsageError when no merging of levels could give enough repeats."""
    number = group_sums(pulses)[0] if pulses.level.size else np.zeros((0, 0))
    devices = number.shape[1] if number.size else 0
    several = number.size and np.median(number[number > 0]) >= FEWEST_REPEATS
    if len(pulses.levels) < MIN_LEVELS or devices < MIN_DEVICES or not several:
        raise _too_few(pulses, number, notes)


def _too_few(pulses: Pulses, number: FloatArray, notes: Notes) -> UsageError:
    there = number > 0
    repeats = int(number[there].min()) if there.any() else 0
    kind = "voltage" if pulses.unit == "V" else "target"
    longest, devices = pulses.level.shape
    if pulses.unit != "V" and len(pulses.levels) > number.sum() / FEWEST_REPEATS:
        notes += ("nearly every pulse has a different target: give the target that was programmed",)
    if longest < MIN_LEVELS * MIN_REPEATS:
        notes += (f"no device has more than {count(longest, 'pulse')}",)
    after = f" ({'; '.join(notes)})" if notes else ""
    return UsageError(
        f"{count(len(pulses.levels), kind)}, {count(devices, 'device')} and down to "
        f"{count(repeats, 'repeat')} of a device at one of them{after}; at least {MIN_LEVELS}, "
        f"{MIN_DEVICES} and {MIN_REPEATS} are needed: repeats show the cycle-to-cycle spread, "
        "devices the device-to-device spread, levels their law"
    )


def _without_clipped(pulses: Pulses) -> tuple[Pulses, Notes]:
    """Without levels at which most devices repeat exactly, as at an instrument's limit."""
    number, mean, variance = group_sums(pulses)
    several = number > 1
    exact = several & (variance <= (EXACT * mean) ** 2)
    clipped = exact.sum(axis=1) >= MOST_EXACT * several.sum(axis=1).clip(1)
    if not clipped.any():
        return pulses, ()
    names = [_name(pulses, i) for i in np.flatnonzero(clipped)]
    group = np.where(clipped, ABSENT, np.cumsum(~clipped) - 1)
    level = np.where(pulses.level == ABSENT, ABSENT, group[pulses.level])
    left = replace(pulses, levels=pulses.levels[~clipped], level=level)
    note = f"left out, since repeats are equal (clipped values?): {listed(names)}"
    refuse_few(left, (note,))
    return left, (note,)


def _isotonic(groups: Groups) -> FloatArray:
    """The rising curve nearest to the means of the levels (T,)."""
    from scipy.optimize import isotonic_regression

    return np.asarray(isotonic_regression(groups.curve, weights=groups.number.sum(axis=1)).x)


def _refuse_no_rise(pulses: Pulses, groups: Groups, error: float) -> None:
    """UsageError when the straight line through the curve does not rise surely."""
    away = pulses.levels - pulses.levels.mean()
    slope = float((away * groups.curve).sum() / (away**2).sum())
    if slope * np.sqrt((away**2).sum()) <= SURE * error:
        low, high = (f"{groups.curve[i]:.1f} ± {groups.error(i):.1f} µS" for i in (0, -1))
        raise UsageError(
            "a mean conductance that does not rise with the level by more than its error: "
            f"{low} at {_name(pulses, 0)}, {high} at {_name(pulses, -1)}; check the column of the "
            "level"
        )


def _ends(x: FloatArray, curve: FloatArray, error: float) -> tuple[int, int]:
    """First and last level of the part of the curve that rises; ``error`` of a step, µS."""
    levels, rise = len(curve), float(curve[-1] - curve[0])
    margin = MARGIN * error
    width = float(x[-1] - x[0])
    flat = max(margin * width / max(FLAT * rise, TINY_US), FLAT_SHARE * width)
    first = int(np.flatnonzero(curve - curve[0] <= margin)[-1])
    last = int(np.flatnonzero(curve[-1] - curve <= margin)[0])
    first = first if x[first] - x[0] > flat else 0
    last = last if x[-1] - x[last] > flat else levels - 1
    return (first, last) if last - first + 1 >= MIN_LEVELS else (0, levels - 1)


def _ends_left_out(pulses: Pulses, first: int, last: int) -> Notes:
    """Notes on flat ends."""
    notes: Notes = ()
    if first > 0:
        notes += (f"left out, since the mean does not rise yet: below {_name(pulses, first)}",)
    if last < len(pulses.levels) - 1:
        notes += (f"left out, since the mean saturates: above {_name(pulses, last)}",)
    return notes


def _merged(curve: FloatArray, number: FloatArray) -> NDArray[np.int64]:
    """Group of every level, from 0: equal values on the curve have one, and groups are few.

    Levels with few repeats are merged until a group has enough.
    """
    rise = curve[-1] - curve[0]
    block = np.concatenate([[0], np.cumsum(np.diff(curve) > 1e-9 * rise)])
    each = int(np.ceil(MIN_REPEATS / np.median(number[number > 0])))
    if each > 1:
        return _of_size(block, max(each, len(block) // MOST_LEVELS))
    if block[-1] >= MOST_LEVELS:
        share = (curve - curve[0]) / rise * MOST_LEVELS
        block = np.minimum(share.astype(np.int64), MOST_LEVELS - 1)
    return np.asarray(np.unique(block, return_inverse=True)[1])


def _of_size(block: NDArray[np.int64], size: int) -> NDArray[np.int64]:
    """Groups of whole blocks with at least so many levels each."""
    edges = [0]
    for first in np.flatnonzero(np.diff(block)) + 1:
        if first - edges[-1] >= size and len(block) - first >= size:
            edges.append(int(first))
    return np.searchsorted(np.array(edges), np.arange(len(block)), side="right") - 1


def _regrouped(
    pulses: Pulses, group: NDArray[np.int64], curve: FloatArray, groups: Groups
) -> Pulses:
    """The pulses at the groups of levels; ABSENT: left out."""
    size = int(group.max()) + 1
    if (group == np.arange(len(group))).all():
        return pulses
    used = group != ABSENT
    weight = groups.number.sum(axis=1)[used]
    total = np.bincount(group[used], weight, minlength=size)
    x, y = (
        np.bincount(group[used], weight * values[used], minlength=size) / total
        for values in (pulses.levels, curve)
    )
    shift = np.where(used, y[group] - curve, 0.0)
    there = pulses.level != ABSENT
    return replace(
        pulses,
        levels=x,
        level=np.where(there, group[pulses.level], ABSENT),
        g_us=np.where(there, pulses.g_us + shift[pulses.level], pulses.g_us),
    )


def _name(pulses: Pulses, level: Any) -> str:
    return f"{pulses.levels[level]:g} {pulses.unit}"


def listed(names: list[str], most: int = 6) -> str:
    """The first names, and the number of the others."""
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more} more" if more > 0 else "")
