"""Features of the marked beats of an electrocardiogram that are comparable between patients.

Hearts, electrodes and gains differ between patients far more than beats differ within a patient.
All shape features are therefore relative to the *median beat* of the same patient, which needs no
labels. Ratios are logarithms, so that half and double are equally far from 1.

There are two median beats. The *usual* one is the median of all beats. In some patients most beats
are early beats from an atrium; their usual beat is not normal, and early beats would not stand out.
The second one is the median of *unhurried* beats, the quarter after the longest intervals. Atria,
early ventricles and repolarisation are compared with the second one, and intervals with the upper
quartile of their neighbours. In other patients the unhurried beats are unusual (escape beats,
pauses in atrial fibrillation). Widths and slopes relative to them would separate the classes worse;
these are therefore relative to the usual beat.

Rhythm comes from the intervals between beats (RR), shape from two leads in three windows: before
the QRS complex (atria), the complex (ventricles), and after it (repolarisation).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from ..errors import UsageError

FloatArray = NDArray[np.float64]

BAND_HZ = (0.5, 40.0)  # baseline wander below, muscle and mains above
MIN_BEATS = 8
UNHURRIED = 0.75  # quantile of intervals, from which on a beat is unhurried
AROUND_BEATS = 301  # beats (about four minutes) in the window of the quantile
BEFORE, QRS, AFTER = (-0.25, -0.09), (-0.09, 0.12), (0.14, 0.45)  # windows, s from the mark
P_WAVE = (-0.25, -0.07)  # window of the search by correlation
REACH = (-0.15, 0.20)  # window of the edges of a broad complex, s
REST = (-0.14, -0.06)  # window whose median is the baseline of amplitudes, s
SHIFT_S = 0.05  # largest error of a mark; beats are shifted to fit the median beat
ROUNDS = 2  # iterations of shift and median
# Added before a ratio or a logarithm, to limit the effect of noise around zero:
FLOOR_MV = 0.02  # amplitudes
FLOOR_S = 0.01  # durations
FLOOR_SLOPE_PER_S = 1.0
FLOOR_PART = 0.02  # distances, as fractions of the median complex
FLOOR_CORRELATION = 0.005  # 1 - correlation, of QRS complexes
FLOOR_P_CORRELATION = 0.02  # the same of P waves, which are a tenth as high
GRID = 2.0**20  # features are rounded, so that the last bits of a machine do not matter

# Chosen on patients of DS1 by cross-validation over patients: by balanced accuracy, and, for the
# references and the P waves, by the detection of S and F beats through uncertainty. Excerpts of
# records 124, 207 and 209 in which most beats are S were included.
RHYTHM = ("RR before", "RR before / unhurried", "RR after / before")
UNLIKE = "QRS unlike, both leads"
LEADS = 2
SHAPE = (  # relative to the usual beat: of which lead, and what
    (0, "QRS width at 25 %"),
    (0, "QRS spread of slopes"),
    (0, "QRS steepest slope"),
    (1, "QRS width at 50 %"),
    (1, "ST-T against QRS"),
)
SHAPE_TO_UNHURRIED = (
    (0, "P distance"),
    (0, "P unlike"),
    (1, "P unlike"),
    (1, "QRS distance"),
    (1, "ST-T distance"),
)
FEATURES = (
    *RHYTHM,
    UNLIKE,
    *(f"{name}, lead {lead + 1}" for lead, name in SHAPE),
    *(f"{name}, lead {lead + 1}, from unhurried" for lead, name in SHAPE_TO_UNHURRIED),
)


@dataclass(frozen=True, eq=False)
class Recording:
    """Two leads and the marks of the beats.

    Attributes
    ----------
    signal : float64 (n, 2)
        mV.
    beats : int64 (b,)
        Sample numbers of the beats, rising.
    rate_hz : float
    """

    signal: FloatArray
    beats: NDArray[np.int64]
    rate_hz: float

    def __post_init__(self) -> None:
        if self.signal.ndim != 2 or self.signal.shape[1] != LEADS:
            raise UsageError(f"a recording needs {LEADS} leads, got {self.signal.shape}")
        if len(self.beats) < MIN_BEATS or (np.diff(self.beats) <= 0).any():
            raise UsageError(f"a recording needs at least {MIN_BEATS} beats, in rising order")


def features(recording: Recording) -> FloatArray:
    """Every beat's FEATURES: float64 (b, 14).

    The median beats and quantiles are those of the whole recording, including later beats.
    """
    beat_rhythm = rhythm(recording.beats / recording.rate_hz)
    usual = align(recording, np.ones(len(recording.beats), np.bool_))
    unhurried = align(recording, is_unhurried(beat_rhythm[:, 0]))
    columns = [*beat_rhythm.T, unlike(usual, [0, 1], QRS, FLOOR_CORRELATION)]
    columns += [SHAPES[name](usual, lead) for lead, name in SHAPE]
    columns += [SHAPES[name](unhurried, lead) for lead, name in SHAPE_TO_UNHURRIED]
    return np.rint(np.stack(columns, axis=1) * GRID) / GRID


# -- rhythm ------------------------------------------------------------------------------------


def rhythm(times_s: FloatArray) -> FloatArray:
    """RR intervals of beats at ``times_s`` (b,): float64 (b, 3), as in RHYTHM; the first in
    seconds, the others logarithms of ratios. At the ends, the nearest interval is repeated."""
    rr = np.diff(times_s)
    before, after = np.r_[rr[0], rr], np.r_[rr, rr[-1]]
    around = running_quantile(before, AROUND_BEATS, UNHURRIED)
    return np.stack([before, np.log(before / around), np.log(after / before)], axis=1)


def running_quantile(values: FloatArray, width: int, quantile: float) -> FloatArray:
    """Quantile of the ``width`` (odd) values around each (b,); mirrored at the ends."""
    half = min(width // 2, len(values) - 1)
    padded = np.pad(values, half, mode="reflect")
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * half + 1)
    return np.quantile(windows, quantile, axis=1)


def is_unhurried(before_s: FloatArray) -> NDArray[np.bool_]:
    """Beats whose interval before, s (b,), is as long as the record's upper quartile: (b,)."""
    return before_s >= np.quantile(before_s, UNHURRIED)


# -- shape -------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Aligned:
    """Beats cut out and aligned.

    Attributes
    ----------
    beats : float64 (b, t, leads)
        mV, band-passed.
    median : float64 (t, leads)
        Of the reference beats.
    time_s : float64 (t,)
        From the mark.
    """

    beats: FloatArray
    median: FloatArray
    time_s: FloatArray

    def within(self, window: tuple[float, float]) -> slice:
        """Samples of a window, s."""
        first, last = np.searchsorted(self.time_s, np.array(window) + 1e-9)
        return slice(int(first), int(last))


Measure = Callable[[FloatArray, Aligned], FloatArray]  # of beats (b, t): a positive number each


def align(recording: Recording, reference: NDArray[np.bool_]) -> Aligned:
    """Cut the beats out and align each with the median of ``reference`` (b,)."""
    from scipy.signal import butter, sosfiltfilt

    rate = recording.rate_hz
    band = butter(2, BAND_HZ, "bandpass", fs=rate, output="sos")
    clean = sosfiltfilt(band, recording.signal, axis=0)
    shift = round(SHIFT_S * rate)
    first, last = round(BEFORE[0] * rate) - 1, round(AFTER[1] * rate) + 1
    time = np.arange(first, last + 1) / rate
    steps = np.arange(first - shift, last + shift + 1)
    rows = np.clip(recording.beats[:, None] + steps, 0, len(clean) - 1)
    wide = clean[rows]
    beats = wide[:, shift : shift + len(time)]
    for _ in range(ROUNDS):
        made = Aligned(beats, np.median(beats[reference], axis=0), time)
        moved = _best_shift(wide, made, 2 * shift + 1)
        beats = wide[np.arange(len(wide))[:, None], moved[:, None] + np.arange(len(time))]
    return Aligned(beats, np.median(beats[reference], axis=0), time)


def _best_shift(wide: FloatArray, aligned: Aligned, shifts: int) -> NDArray[np.int64]:
    """Shift, from 0, at which the QRS complexes correlate best with the median's: int64 (b,)."""
    qrs = aligned.within(QRS)
    length = qrs.stop - qrs.start
    template = aligned.median[qrs] - aligned.median[qrs].mean(axis=0)
    part = wide[:, qrs.start : qrs.stop + shifts - 1]
    slide = np.lib.stride_tricks.sliding_window_view
    dots = sum(slide(part[:, :, lead], length, axis=1) @ template[:, lead] for lead in range(LEADS))
    sums = np.cumsum(np.pad(part, ((0, 0), (1, 0), (0, 0))), axis=1)
    squares = np.cumsum(np.pad(part**2, ((0, 0), (1, 0), (0, 0))), axis=1)
    mean = sums[:, length:] - sums[:, :-length]
    energy = (squares[:, length:] - squares[:, :-length] - mean**2 / length).sum(axis=2)
    return np.argmax(dots / np.sqrt(energy + FLOOR_MV**2), axis=1)


def unlike(
    aligned: Aligned, leads: list[int], window: tuple[float, float], floor: float
) -> FloatArray:
    """log(1 - correlation + floor) with the median beat within a window, leads as one: (b,)."""
    part = aligned.within(window)
    beats, median = aligned.beats[:, part, leads], aligned.median[part, leads]
    x, m = beats - beats.mean(axis=1, keepdims=True), median - median.mean(axis=0)
    norm = np.sqrt((x**2).sum(axis=(1, 2)) * (m**2).sum() + FLOOR_MV**4)
    return np.log(1 - (x * m).sum(axis=(1, 2)) / norm + floor)


def p_unlike(aligned: Aligned, lead: int) -> FloatArray:
    """``unlike`` of one lead's P wave: (b,)."""
    return unlike(aligned, [lead], P_WAVE, FLOOR_P_CORRELATION)


def distance(aligned: Aligned, lead: int, window: tuple[float, float]) -> FloatArray:
    """Logarithm of the rms distance to the median beat within a window, as a fraction of the rms of
    the median complex: (b,)."""
    x, m = aligned.beats[:, :, lead], aligned.median[:, lead]
    part = aligned.within(window)
    apart = np.sqrt(((x[:, part] - m[part]) ** 2).mean(axis=1))
    return np.log(apart / (m[aligned.within(QRS)].std() + FLOOR_MV) + FLOOR_PART)


def relative(measure: Measure) -> Callable[[Aligned, int], FloatArray]:
    """Logarithm of the ratio of a measure to that of the median beat."""

    def ratio(aligned: Aligned, lead: int) -> FloatArray:
        beats = measure(aligned.beats[:, :, lead], aligned)
        return np.log(beats / measure(aligned.median[None, :, lead], aligned))

    return ratio


def width(beats: FloatArray, aligned: Aligned, level: float) -> FloatArray:
    """Time for which a complex is beyond ``level`` of its peak, s: (b, t) → (b,)."""
    height = np.abs(beats - rest(beats, aligned))[:, aligned.within(REACH)]
    beyond = height > level * height.max(axis=1, keepdims=True)
    return beyond.mean(axis=1) * (REACH[1] - REACH[0]) + FLOOR_S


def spread_of_slopes(beats: FloatArray, aligned: Aligned) -> FloatArray:
    """Standard deviation of time, s, weighted with the squared slope: (b, t) → (b,)."""
    reach = aligned.within(REACH)
    time = aligned.time_s[reach]
    weight = np.gradient(beats, aligned.time_s, axis=1)[:, reach] ** 2
    weight = weight / (weight.sum(axis=1, keepdims=True) + np.finfo(float).tiny)
    mean = weight @ time
    return np.sqrt((weight * (time - mean[:, None]) ** 2).sum(axis=1)) + FLOOR_S


def steepest_slope(beats: FloatArray, aligned: Aligned) -> FloatArray:
    """Largest slope as a fraction of the height of the complex, 1/s: (b, t) → (b,)."""
    slope = np.abs(np.gradient(beats, aligned.time_s, axis=1)[:, aligned.within(REACH)])
    swing = np.ptp(beats[:, aligned.within(QRS)], axis=1) + FLOOR_MV
    return slope.max(axis=1) / swing + FLOOR_SLOPE_PER_S


def against(aligned: Aligned, lead: int) -> FloatArray:
    """Mean level after the complex, as a fraction of its height, minus that of the median beat:
    (b,).

    It is positive for the polarity opposite to the complex, as after a ventricular beat.
    """

    def level(beats: FloatArray) -> FloatArray:
        above = beats - rest(beats, aligned)
        part = above[:, aligned.within(QRS)]
        peak = np.take_along_axis(part, np.abs(part).argmax(axis=1)[:, None], axis=1)[:, 0]
        after = above[:, aligned.within(AFTER)].mean(axis=1)
        return np.clip(-np.sign(peak) * after / (np.abs(peak) + FLOOR_MV), -1, 1)

    return level(aligned.beats[:, :, lead]) - level(aligned.median[None, :, lead])


def rest(beats: FloatArray, aligned: Aligned) -> FloatArray:
    """Level before the complex, mV: (b, t) → (b, 1)."""
    return np.median(beats[:, aligned.within(REST)], axis=1, keepdims=True)


SHAPES: dict[str, Callable[[Aligned, int], FloatArray]] = {
    "P unlike": p_unlike,
    "P distance": partial(distance, window=BEFORE),
    "QRS distance": partial(distance, window=QRS),
    "ST-T distance": partial(distance, window=AFTER),
    "QRS width at 25 %": relative(partial(width, level=0.25)),
    "QRS width at 50 %": relative(partial(width, level=0.5)),
    "QRS spread of slopes": relative(spread_of_slopes),
    "QRS steepest slope": relative(steepest_slope),
    "ST-T against QRS": against,
}
