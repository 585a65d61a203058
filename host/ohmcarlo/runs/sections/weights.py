"""The weights of a model with their intervals."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ...pages.charts import intervals
from ...pages.content import Section, Table
from ..verdict import Verdict
from .chains import MOST_WEIGHTS
from .marks import caution, mark, marked

FloatArray = NDArray[np.float64]
CHANGE = "A weight is the change of {} for one {}"
NETWORK = "The inputs of the network are standardised features"
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
SURE = "90 % interval excludes 0"


def weights_section(
    names: Sequence[str],
    draws: FloatArray,
    verdict: Verdict,
    *,
    natural: tuple[Sequence[str], FloatArray] | None = None,
    prefix: str = "",
    title: str = "Weights",
    folded: bool = False,
    effect: str = "the logit",
) -> Section:
    """Median, 50 % and 90 % interval of every weight, the largest first.

    Parameters
    ----------
    draws : float64 (draws, weights)
        Weights of the standardised features, after the burn-in.
    natural : (list of str, float64 (draws, weights)), optional
        Names and draws of the same weights per unit of the data.
    prefix : str
        Of the names of section and chart.
    folded : bool
        Whether the section is closed until its reader opens it.
    effect : str
        What a weight changes; empty for a network, whose weights change each other's effects.
    """
    low, inner_low, middle, inner_high, high = np.quantile(draws, QUANTILES, axis=0)
    sure = int(((low > 0) | (high < 0)).sum())
    order = np.argsort(-np.abs(middle), kind="stable")
    shown, label = order[:MOST_WEIGHTS], mark(verdict, weights=True)
    some = "" if len(shown) == len(order) else f" The chart shows the {len(shown)} largest."
    meaning = CHANGE.format(effect, "standard deviation of the feature") if effect else NETWORK
    tables = [_table(names, (low, middle, high), order, meaning, label)]
    if natural is not None:
        unit = CHANGE.format(effect, "unit of the column")
        columns, values = natural
        ends = np.quantile(values, QUANTILES[::2], axis=0)
        tables.append(_table(columns, ends, order, unit, label, " per unit of the data"))
    return Section(
        f"{prefix}weights",
        title,
        sentences=(
            *caution(verdict, "the weights and intervals", weights=True),
            f"The 90 % interval excludes 0 for {sure} of {len(names)} weights.{some}",
        ),
        charts=(
            intervals(
                f"{prefix}weight-intervals",
                marked("Weights with 50 % and 90 % intervals, the largest first", label),
                f"The largest weight is that of {names[order[0]]}: {middle[order[0]]:.2f} "
                f"(90 % interval {low[order[0]]:.2f} to {high[order[0]]:.2f}).",
                [names[i] for i in shown],
                low[shown],
                middle[shown],
                high[shown],
                axis="weight (standardised features)",
                inner=(inner_low[shown], inner_high[shown]),
                what="90 % interval",
            ),
        ),
        tables=tuple(tables),
        folded=folded,
    )


def _table(
    names: Sequence[str],
    ends: Sequence[FloatArray] | FloatArray,
    order: NDArray[np.intp],
    meaning: str,
    label: str,
    per: str = "",
) -> Table:
    """``ends``: 5 %, median and 95 % of each weight. ``label``: the mark on weights that cannot be
    used. ``per``: the unit of the weights."""
    low, middle, high = ends
    rows = tuple(
        (
            names[i],
            f"{middle[i]:.4g}",
            f"{low[i]:.4g}",
            f"{high[i]:.4g}",
            "yes" if low[i] > 0 or high[i] < 0 else "no",
        )
        for i in order
    )
    return Table(
        ("weight", "median", "5 %", "95 %", SURE),
        rows,
        f"{marked(meaning, label)}.",
        folded=marked(f"Numbers of all {len(order)} weights{per}", label),
    )
