"""Evaluate a measured array: spread, trim per device, dead devices, corrected DAC table."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import scipy
from numpy.typing import NDArray

from ...errors import UsageError
from ...spec import (
    CODE_LSB_US,
    DEFAULT_MID_US,
    SEGMENT_FRAC,
    SEGMENTS,
    TRIM_GAIN_BITS,
    TRIM_GAIN_FRAC,
    TRIM_OFFSET_BITS,
    Geometry,
    target_nodes_us,
)
from ..base import Array
from ..raw_bits import RawBits, law_raw_bits, measured_raw_bits, worse
from .characterization import Characterization
from .lines import Lines, fit_lines
from .measure import SLOPE_LIMIT, FloatArray, Measurement, Progress, measure
from .residuals import residuals
from .slow import slow_process

DEFAULT_TARGETS_US = (45.0, 65.0, 85.0, 105.0, 125.0, 145.0, 165.0)
DEFAULT_CYCLES = 20
MIN_SIGMA_US = 0.25  # one code, the resolution of a read-back


def characterize(
    array: Array,
    *,
    rows: Sequence[int] | None = None,
    devices: Sequence[int] | None = None,
    targets_us: Sequence[float] = DEFAULT_TARGETS_US,
    cycles: int = DEFAULT_CYCLES,
    centre_us: float = DEFAULT_MID_US,
    trim: Characterization | None = None,
    progress: Progress | None = None,
) -> Characterization:
    """Program and read ``devices`` of ``rows`` and evaluate the result.

    Parameters
    ----------
    array : Array
    rows, devices : sequence of int, optional
        Which rows, and which devices of each; all by default.
    targets_us : sequence of float
        At least three rising targets, µS; choose them over the range that the chain will use.
    cycles : int
        RESET-SET-READ cycles of each device at each target.
    centre_us : float
        Centre of the gains: the ``centre_us`` of the sampler.
    trim : Characterization, optional
        Program with the trim of an earlier result; the new trim then describes the remainder.
    progress : callable, optional
        Called with (cycles done, all cycles) of rows.

    Raises
    ------
    UsageError
        For an invalid argument.

    Examples
    --------
    >>> from ohmcarlo.array import EmulatedArray
    >>> from ohmcarlo.array.characterize.evaluation import characterize
    >>> from ohmcarlo.spec import Geometry
    >>> array = EmulatedArray(Geometry(rows=8, pairs=8), seed=1, d2d_rel=0.03)
    >>> before = characterize(array)
    >>> after = characterize(array, trim=before)
    >>> bool(after.d2d_rel < 0.5 * before.d2d_rel)
    True
    """
    seen = measure(
        array,
        rows=rows,
        devices=devices,
        targets_us=targets_us,
        cycles=cycles,
        centre_us=centre_us,
        trim=None if trim is None else trim.trim,
        progress=progress,
    )
    base = array.dac_of_target() if trim is None else trim.dac
    return evaluate(seen, array.geometry, base, centre_us)


def evaluate(
    seen: Measurement, geometry: Geometry, base: NDArray[np.int32], centre_us: float
) -> Characterization:
    """Evaluate a measurement; ``base`` is the conductance→DAC table that it used.

    Raises UsageError when no device follows its target.
    """
    targets, cycles, g = seen.targets_us, len(seen.codes), seen.g_us
    dead = seen.dead
    if dead.all():
        raise UsageError(
            "no device follows its target: check that the array is formed and powered, and that "
            "targets_us lie in its range"
        )
    live = ~dead
    means = g.mean(axis=0)  # (T, R, D)
    sigma = g.std(axis=0, ddof=1)
    mean_us = np.median(means[:, live], axis=1)
    sigma_at, spread_ln = _spread(sigma[:, live], cycles)
    d2d = _device_spread(means[:, live], sigma[:, live], cycles)
    offset_rel = mean_us / targets - 1
    error = d2d.mean() / targets.mean() * np.sqrt(np.pi / 2 / live.sum())
    dac = _corrected_dac(np.asarray(base, np.int64), targets, mean_us)
    slow = slow_process(g[:, :, live], targets)
    lines = fit_lines(means, sigma, live, mean_us - centre_us, slow, cycles)
    trim_offset, trim_gain = _trims(lines, live)
    middle = int(np.abs(targets - centre_us).argmin())
    left = residuals(g - lines.reached(mean_us), lines, slow, middle, live)

    sigma_centre = float(np.interp(centre_us, targets, sigma_at))
    raw = worse(_raw_bits(seen, geometry, centre_us), law_raw_bits(sigma_centre, spread_ln))

    shape = (geometry.rows, geometry.row_devices)
    place = np.ix_(seen.rows, seen.devices)
    all_offset, all_gain = np.zeros(shape, np.int16), np.zeros(shape, np.int8)
    all_dead = np.zeros(shape, np.bool_)
    all_offset[place], all_gain[place], all_dead[place] = trim_offset, trim_gain, dead
    return Characterization(
        targets_us=targets,
        mean_us=mean_us,
        sigma_us_at=sigma_at,
        d2d_us=d2d,
        common_offset_rel=float(offset_rel.mean()),
        common_offset_error=float(error),
        d2d_rel=float(np.sqrt(np.mean((d2d / targets) ** 2))),
        sigma_spread_ln=spread_ln,
        cycle_correlation=_correlation(g[:, :, live]),
        read_noise_rel=_read_noise(seen.reads[-1][:, live]),
        raw_bias=raw.bias,
        raw_min_entropy=raw.min_entropy,
        spread_us=np.maximum(left.spread_us, MIN_SIGMA_US),
        static_us=left.static_us,
        tails=left.tails,
        slow_share=slow.share,
        slow_length=slow.length,
        sigma_nodes_us=_sigma_nodes(targets, np.maximum(left.spread_us, MIN_SIGMA_US)),
        dac=dac,
        trim_offset=all_offset,
        trim_gain=all_gain,
        dead=all_dead,
        bad_rows=np.asarray(all_dead.any(axis=1)),
        centre_us=float(centre_us),
        cycles=cycles,
        devices=dead.size,
    )


def _spread(sigma: FloatArray, cycles: int) -> tuple[FloatArray, float]:
    """Median over devices of σ per target (T,), and the spread of ln σ between devices.

    With few cycles the median of sample deviations lies below σ. It is corrected for a normal
    distribution.
    """
    free = cycles - 1
    at = np.median(sigma, axis=1) / np.sqrt(scipy.stats.chi2.ppf(0.5, free) / free)
    relative = np.maximum(sigma, CODE_LSB_US / 4) / np.maximum(at, CODE_LSB_US / 4)[:, None]
    variance = (relative**2).mean(axis=0)  # pooled over the targets of a device
    # ln of a chi-square with T·free degrees of freedom varies by polygamma(1, T·free / 2)
    scatter = np.log(variance).var() / 4
    expected = 0.5 / (free * len(sigma))
    return np.maximum(at, MIN_SIGMA_US), float(np.sqrt(max(scatter - expected, 0.0)))


def _raw_bits(seen: Measurement, geometry: Geometry, centre_us: float) -> RawBits:
    """Raw bits of live entropy devices at the two targets beside the centre."""
    nearest = np.argsort(np.abs(seen.targets_us - centre_us))[:2]
    coin = seen.devices >= 2 * geometry.max_features
    wanted = ~seen.dead & (coin if coin.any() else True)
    codes = seen.codes[:, nearest][:, :, wanted if wanted.any() else ~seen.dead]
    return measured_raw_bits(codes.reshape(len(codes), -1))


def _device_spread(means: FloatArray, sigma: FloatArray, cycles: int) -> FloatArray:
    """σ of the devices' medians per target, corrected for the finite number of cycles; (T,)."""
    if means.shape[1] < 2:
        return np.zeros(len(means))
    variance = means.var(axis=1, ddof=1) - (sigma**2).mean(axis=1) / cycles
    return np.sqrt(np.maximum(variance, 0.0))


def _correlation(g: FloatArray) -> float:
    """Lag-1 correlation of the deviations, in the order of the pulses; g (cycles, T, devices)."""
    cycles, targets, devices = g.shape
    deviation = g - g.mean(axis=0)
    scale = deviation.std(axis=0, ddof=1)
    z = deviation / np.where(scale > 0, scale, 1.0)
    series = z.reshape(cycles * targets, devices)
    # successive pulses go to different targets, whose means were removed independently: no bias
    # of the product; within a target the variance is exactly one
    return float(np.mean(series[1:] * series[:-1]))


def _read_noise(reads: NDArray[np.int16]) -> float:
    """Standard deviation of repeated reads, fraction of g; reads (n, devices)."""
    level = reads.mean(axis=0)
    variance = reads.var(axis=0, ddof=1)
    variance = np.where(variance > 0, np.maximum(variance - 1 / 12, 0.0), 0.0)  # ADC rounding
    return float(np.sqrt(np.mean(variance / np.maximum(level, 1.0) ** 2)))


def _sigma_nodes(targets_us: FloatArray, sigma_us: FloatArray) -> FloatArray:
    """The spread over the target at 257 nodes: interpolated and extrapolated linearly.

    Below the lowest target σ/g is constant. Above the highest one the trend over all targets
    continues, but not below half of the last value.
    """
    nodes = target_nodes_us()
    out = np.interp(nodes, targets_us, sigma_us)
    slope = np.polyfit(targets_us, sigma_us, 1)[0]
    above = nodes > targets_us[-1]
    last = sigma_us[-1]
    out[above] = np.maximum(last + slope * (nodes[above] - targets_us[-1]), last / 2)
    below = nodes < targets_us[0]
    out[below] = sigma_us[0] / targets_us[0] * nodes[below]
    return np.maximum(out, MIN_SIGMA_US)


def _inverse_curve(want_us: FloatArray, targets_us: FloatArray, mean_us: FloatArray) -> FloatArray:
    """Targets for which the common curve gives ``want_us``.

    Outside the measured range the ratio of the last point is used.
    """
    rising = np.maximum.accumulate(mean_us) + np.arange(len(mean_us)) * 1e-9
    ask = np.interp(want_us, rising, targets_us)
    ask = np.where(want_us < rising[0], want_us * (targets_us[0] / rising[0]), ask)
    return np.where(want_us > rising[-1], want_us * (targets_us[-1] / rising[-1]), ask)


def _corrected_dac(
    base: NDArray[np.int64], targets_us: FloatArray, mean_us: FloatArray
) -> NDArray[np.int32]:
    """``base`` corrected by the inverse of the common curve: a typical device hits its target."""
    nodes = target_nodes_us()
    ask = _inverse_curve(nodes, targets_us, mean_us)
    dac = np.interp(ask, nodes, base)
    return np.clip(np.rint(dac), 0, SEGMENTS << SEGMENT_FRAC).astype(np.int32)


def _trims(lines: Lines, live: NDArray[np.bool_]) -> tuple[NDArray[np.int16], NDArray[np.int8]]:
    """Offset and gain per device (R, D), relative to the common curve.

    Where a typical device reaches µ, let this one reach a + b (µ - c). It reaches t when it is
    programmed to c + (t - a) / b: gain 1/b - 1, offset (c - a) / b.
    """
    slope = np.maximum(1.0 + lines.tilt, SLOPE_LIMIT)
    at_centre = lines.level - lines.tilt * lines.middle
    offset = np.where(live, -at_centre / slope / CODE_LSB_US, 0.0)
    gain = np.where(live, (1.0 / slope - 1.0) * (1 << TRIM_GAIN_FRAC), 0.0)
    offset_max, gain_max = (1 << (TRIM_OFFSET_BITS - 1)) - 1, (1 << (TRIM_GAIN_BITS - 1)) - 1
    return (
        np.clip(np.rint(offset), -offset_max, offset_max).astype(np.int16),
        np.clip(np.rint(gain), -gain_max, gain_max).astype(np.int8),
    )
