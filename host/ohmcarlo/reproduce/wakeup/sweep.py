"""Accuracy against wake-up rate: what a board and a host answer together, threshold by threshold.

Beats whose doubt reaches a threshold wake the host, whose answer replaces that of the board.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...diagnostics import balanced_accuracy
from ...golden import MAX_THRESHOLD

Flags = NDArray[np.bool_]
FloatArray = NDArray[np.float64]

THRESHOLDS: tuple[int, ...] = (
    0,
    *np.unique(np.rint(np.geomspace(1, 1 << 15, 90)).astype(int)).tolist(),
    MAX_THRESHOLD,
)
"""From every beat to none, LSB 2**-PROB_FRAC."""
METRICS = ("accuracy", "balanced_accuracy")


@dataclass(frozen=True, eq=False)
class Beats:
    """Test beats.

    Attributes
    ----------
    classes : str (n,)
        AAMI class. Beats other than N and V have no right answer and count only as woken.
    host : bool (n,)
        Answer of the host: whether the beat is V.
    """

    classes: NDArray[np.str_]
    host: Flags

    @property
    def known(self) -> Flags:
        return np.isin(self.classes, ["N", "V"])

    @property
    def truth(self) -> Flags:
        return np.equal(self.classes, "V")


def sweep(beats: Beats, answers: Flags, doubtful: Callable[[int], Flags]) -> dict[str, list[float]]:
    """Results at every threshold, lists as long as THRESHOLDS.

    ``answers`` (n,) are those of the board; ``doubtful(threshold)`` are the beats that wake the
    host. ``woken`` is the share of N and V beats that do, ``S`` and ``F`` those of other classes.
    ``accuracy.ideal`` is the accuracy with a host that is always right, ``accuracy.host`` with the
    answers of ``beats.host``.
    """
    known, truth = beats.known, beats.truth
    found: dict[str, list[float]] = {}
    for threshold in THRESHOLDS:
        woken = doubtful(threshold)
        values = {"woken": woken[known].mean()}
        for name in ("S", "F"):
            values[name] = woken[beats.classes == name].mean()
        for kind, theirs in (("ideal", truth), ("host", beats.host)):
            final = np.where(woken, theirs, answers)[known]
            values[f"accuracy.{kind}"] = (final == truth[known]).mean()
            values[f"balanced_accuracy.{kind}"] = balanced_accuracy(
                truth[known], final.astype(np.float64)
            )
        for name, value in values.items():
            found.setdefault(name, []).append(float(value))
    return found


def at_rate(found: dict[str, list[float]], name: str, rate: float) -> float:
    """A result where the share ``rate`` of the beats wakes the host, between two thresholds."""
    return float(np.interp(rate, found["woken"][::-1], found[name][::-1]))


def rate_for(found: dict[str, list[float]], name: str, wanted: float) -> float:
    """The least share of woken beats with which a result reaches ``wanted``; nan if none does."""
    rates = np.linspace(0.0, 1.0, 2001)
    values = np.interp(rates, found["woken"][::-1], found[name][::-1])
    reached = np.flatnonzero(values >= wanted)
    return float(rates[reached[0]]) if len(reached) else float("nan")


def random_at(found: dict[str, list[float]], name: str, rate: float) -> float:
    """The expected result if random beats wake the host: both metrics are linear in the rate."""
    return (1 - rate) * found[name][-1] + rate * found[name][0]


def threshold_for(woken: list[float], rate: float) -> int:
    """Place in THRESHOLDS of the least threshold that wakes at most the share ``rate``."""
    return next(i for i, share in enumerate(woken) if share <= rate)
