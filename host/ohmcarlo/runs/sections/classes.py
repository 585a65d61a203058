"""Sections about the answers of runs that learn classes, of two or more."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...diagnostics import certain_first, wilson_interval
from ...pages.charts import curve, histogram, scatter
from ...pages.charts_confusion import confusion
from ...pages.content import Chart, Section, Table
from ...pictures.predictions import BINS, Z_90
from ...readable import count
from ..verdict import Verdict
from .marks import caution, mark, marked

FloatArray = NDArray[np.float64]
ANSWER = "the predicted class"
"""What the probabilities of a run of several classes are those of."""
PLACES = 101
"""Places of a referral curve, at most."""


def probabilities_section(
    values: Mapping[str, Any],
    groups: Mapping[str, FloatArray],
    hit: NDArray[np.bool_],
    probability: FloatArray,
    of: str,
    verdict: Verdict,
) -> Section:
    """Calibration and distribution of probabilities.

    ``probability`` (n,) is that of ``of`` ("malignant", "the predicted class"),
    ``hit`` (n,) whether it was so. ``groups``: the probabilities by true class.
    """
    label = mark(verdict, answers=True)
    return Section(
        "probabilities",
        "Probabilities",
        sentences=(
            *caution(verdict, "the probabilities", answers=True),
            f"The calibration error is {values['ece']:.3f} (0 is perfect) and the log loss "
            f"{values['log_loss']:.3f} nat, on {values['test_points']:,} held-out cases.",
        ),
        charts=(
            _reliability(hit, probability, of, label),
            histogram(
                "probability-histogram",
                marked(f"Predicted probability of {of}", label),
                _sure(probability, of),
                groups,
                axis=f"predicted probability of {of}",
                bins=np.linspace(0, 1, 2 * BINS + 1),
                y_axis="held-out cases",
            ),
        ),
    )


def _sure(probability: FloatArray, of: str) -> str:
    """How many cases have a clear answer."""
    if of == ANSWER:
        return f"{(probability > 0.9).mean():.0%} of the predictions have a probability above 0.9."
    clear = np.maximum(probability, 1 - probability) > 0.9
    return f"{clear.mean():.0%} of the held-out cases have a probability below 0.1 or above 0.9."


def _reliability(hit: NDArray[np.bool_], probability: FloatArray, of: str, label: str) -> Chart:
    """Observed share over predicted probability, with 90 % intervals of the share."""
    bins = np.minimum((probability * BINS).astype(int), BINS - 1)
    used = [b for b in range(BINS) if (bins == b).any()]
    sizes = [int((bins == b).sum()) for b in used]
    centres = [float(probability[bins == b].mean()) for b in used]
    shares = [float(hit[bins == b].mean()) for b in used]
    ends = [wilson_interval(s, n, Z_90) for s, n in zip(shares, sizes, strict=True)]
    inside = sum(low <= c <= high for c, (low, high) in zip(centres, ends, strict=True))
    group = "held-out cases, 90 % interval"
    return scatter(
        "reliability",
        marked("Calibration: share of right predictions"
               if of == ANSWER else f"Calibration: observed share of {of}", label),
        f"The predicted probability lies inside the 90 % interval of the observed share in "
        f"{inside} of {len(used)} bins. Points on the diagonal are perfectly calibrated.",
        {group: (centres, shares)},
        x_axis=f"predicted probability of {of}",
        y_axis="observed share",
        ends={group: ([low for low, _ in ends], [high for _, high in ends])},
        diagonal=True,
        hover={group: [count(n, "case") for n in sizes]},
    )  # fmt: skip


def referral_of_two(
    values: Mapping[str, Any], held_out: Mapping[str, NDArray[Any]], verdict: Verdict
) -> Section:
    """Accuracy without the least certain cases, of two classes."""
    probability, variance = held_out["probability"], held_out["variance"]
    right = (probability >= 0.5) == (held_out["labels"] == 1)
    orders = {
        "by posterior spread": certain_first(probability, variance),
        "by probability alone": np.argsort(-np.abs(probability - 0.5), kind="stable"),
    }
    referral = values["referral"]
    found = (
        f"If a person decides the {referral['points']} least certain of {values['test_points']} "
        f"cases, {referral['accuracy']:.1%} of the other predictions are right, and "
        f"{referral['errors_kept']} of {count(referral['errors'], 'error')} remain."
    )
    return referral_section(right, orders, found, verdict)


def referral_section(
    right: NDArray[np.bool_],
    orders: Mapping[str, NDArray[np.intp]],
    found: str,
    verdict: Verdict,
) -> Section:
    """Accuracy on the rest over the share of cases that are left to a person.

    ``right`` (n,); ``orders``: cases in descending certainty, (n,), by the name of their order.
    """
    n = len(right)
    kept = np.unique(np.linspace(n, max(1, n // 2), PLACES).round().astype(np.int64))[::-1]
    lines = {name: np.cumsum(right[order])[kept - 1] / kept for name, order in orders.items()}
    lines["cases chosen at random"] = np.full(len(kept), right.mean())
    return Section(
        "referral",
        "Referral: a person decides the least certain cases",
        sentences=(*caution(verdict, "the uncertainties"), found),
        charts=(
            curve(
                "referral-curve",
                marked("Accuracy without the least certain cases", mark(verdict)),
                found,
                100 * (1 - kept / n),
                {name: 100 * line for name, line in lines.items()},
                x_axis="cases that a person decides (%)",
                y_axis="accuracy on the other cases (%)",
            ),
        ),
    )


def confusion_section(
    counts: NDArray[np.integer[Any]],
    classes: Sequence[str],
    verdict: Verdict,
    tables: tuple[Table, ...] = (),
) -> Section:
    """Held-out cases by true class (row) and answer (column)."""
    wrong = counts - np.diag(np.diag(counts))
    i, j = divmod(int(wrong.argmax()), len(classes))
    most = (
        f" The most frequent error is {classes[i]} predicted as {classes[j]}: "
        f"{count(int(wrong[i, j]), 'case')}."
        if wrong.any()
        else ""
    )
    return Section(
        "confusion",
        "Confusion table",
        sentences=caution(verdict, "the predictions", answers=True),
        charts=(
            confusion(
                "confusion-table",
                marked("Held-out cases by true and predicted class", mark(verdict, answers=True)),
                f"{int(np.trace(counts))} of {int(counts.sum())} predictions are right.{most}",
                counts,
                classes,
            ),
        ),
        tables=tables,
    )
