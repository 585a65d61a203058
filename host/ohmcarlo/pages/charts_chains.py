"""Charts of chains: traces, and the ranks of their draws."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..pictures.style import GREY
from .content import BEGIN, END, Chart, Table
from .drawing import altair, chart_of, chosen, finite, series_style, short, spec_of, text_of
from .series import legend, numbers, thinned

RANK_BINS = 20
LOW, HIGH = "low", "high"  # parameters of a trace: the range of its vertical axis
LEFT_OUT = "left out (burn-in)"
HOVERED = 150  # parts of a trace that show their values under the pointer
FloatArray = NDArray[np.float64]


def traces(
    name: str,
    title: str,
    description: str,
    values: NDArray[Any] | Sequence[ArrayLike],
    *,
    axis: str,
    burn_in: int = 0,
    first: int = 1,
    every: int = 1,
    labels: Sequence[str] | None = None,
    x_axis: str = "step",
) -> Chart:
    """Values over the steps of each chain: float (chains, steps), or a list of arrays (steps,),
    which may differ in length.

    Steps count from ``first``, and each stands for ``every`` steps of the chain, whose last it
    is. The first ``burn_in`` of them are shaded. The vertical axis shows the range of the others.
    A long trace is thinned; extremes stay. A reader can show a part of the horizontal axis.

    >>> chart = traces("lp", "Log-posterior", "It rises.", [[1, 2, 3]], axis="nat")
    >>> chart.legend[0].label, chart.table.rows[0]
    ('chain 0', ('chain 0', '1', '1', '2', '3', '3'))
    """
    alt = altair()
    chains = [np.asarray(trace, float) for trace in values]
    entries = legend(labels or [f"chain {k}" for k in range(len(chains))])
    rows = []
    for k, trace in enumerate(chains):
        places, kept = thinned(trace)
        steps = numbers((places + first) * every)
        rows.append({"k": k, "name": entries[k].label, "x": steps, "y": numbers(kept)})
    last = first + max((len(trace) for trace in chains), default=0) - 1
    lines = (
        chart_of("rows")
        .transform_flatten(["x", "y"])
        .mark_line(strokeWidth=1, strokeOpacity=0.7, clip=True)
        .encode(
            x=alt.X("x:Q", title=x_axis, scale=_between(alt, BEGIN, END)),
            y=alt.Y("y:Q", title=axis, scale=_between(alt, LOW, HIGH)),
            **series_style(alt, entries),
        )
    )
    left_out = max(0, min(burn_in, last - first))
    hovers = _hovered(alt, x_axis, [entry.label for entry in entries])
    low, high = settled_range([trace[burn_in:] for trace in chains])
    ends = {BEGIN: first * every, END: max(last, first + 1) * every, LOW: low, HIGH: high}
    drawing = alt.layer(_left_out(alt), lines, hovers).add_params(
        chosen(alt), *(alt.param(name=key, value=end) for key, end in ends.items())
    )
    datasets: dict[str, Any] = {
        "rows": rows,
        "left": [
            {
                "a": first * every,
                "b": (first + left_out) * every,
                "t": LEFT_OUT if left_out else "",
            }
        ],
        "parts": _parts(chains, first, every),
    }
    table = Table(
        ("", "first", "lowest", "median", "highest", "last"),
        tuple(
            (entry.label, *(text_of(number) for number in numbers(_summary(trace))))
            for entry, trace in zip(entries, chains, strict=True)
        ),
    )
    return Chart(name, title, description, spec_of(drawing, datasets), short(table),
                 legend=entries)  # fmt: skip


def ranks(
    name: str,
    title: str,
    description: str,
    values: ArrayLike,
    *,
    labels: Sequence[str] | None = None,
    bins: int = RANK_BINS,
) -> Chart:
    """How often the draws of each chain fall into each part of the ranks of all draws: float
    (chains, draws).

    Chains that sample one distribution have flat lines near 1.

    >>> chart = ranks("r", "Ranks", "Apart.", [[1, 2], [3, 4]], bins=2)
    >>> chart.table.rows
    (('0 to 50', '2.00', '0.00'), ('50 to 100', '0.00', '2.00'))
    """
    alt = altair()
    chains = np.asarray(values, float)
    entries = legend(labels or [f"chain {k}" for k in range(len(chains))])
    share = rank_shares(chains, bins)
    edges = numbers(np.arange(bins + 1) / bins * 100)
    rows = [
        {"k": k, "name": entry.label, "x": edges, "y": numbers([*row, row[-1]])}
        for k, (entry, row) in enumerate(zip(entries, share, strict=True))
    ]
    lines = (
        chart_of("rows")
        .transform_flatten(["x", "y"])
        .mark_line(strokeWidth=2, interpolate="step-after")
        .encode(
            x=alt.X("x:Q", title="rank among the draws of all chains (%)"),
            y=alt.Y("y:Q", title="draws, relative to equal shares",
                    scale=alt.Scale(domainMin=0)),
            **series_style(alt, entries),
        )
        .add_params(chosen(alt))
    )  # fmt: skip
    level = chart_of("level").mark_rule(color=GREY).encode(y="y:Q")
    table = Table(
        ("ranks (%)", *(entry.label for entry in entries)),
        tuple(
            (f"{edges[i]} to {edges[i + 1]}", *(f"{share[k, i]:.2f}" for k in range(len(chains))))
            for i in range(bins)
        ),
        "Draws in each range of ranks, relative to equal shares.",
    )
    spec = spec_of(alt.layer(level, lines), {"rows": rows, "level": [{"y": 1}]})
    return Chart(name, title, description, spec, short(table), height=220, legend=entries)


def settled_range(traces: Sequence[FloatArray]) -> tuple[float, float]:
    """The range of an axis that shows settled chains: without the lowest 0.1 % of the values."""
    known = np.concatenate([finite(trace) for trace in traces]) if traces else np.array([])
    if not known.size:
        return 0.0, 1.0
    low, high = np.quantile(known, [0.001, 1.0])
    room = 0.05 * (high - low) or 0.5
    return float(f"{low - room:.6g}"), float(f"{high + room:.6g}")


def rank_shares(chains: NDArray[np.float64], bins: int = RANK_BINS) -> NDArray[np.float64]:
    """Draws of each chain in equal parts of the ranks of all draws: float (chains, bins), 1 for
    equal shares. Equal draws share their mean rank."""
    from scipy.stats import rankdata

    rank = rankdata(chains).reshape(chains.shape)
    place = np.minimum(((rank - 0.5) * bins / chains.size).astype(int), bins - 1)
    counts = np.stack([np.bincount(row, minlength=bins) for row in place])
    return counts * bins / chains.shape[1]


def _between(alt: Any, low: str, high: str) -> Any:
    """A scale between two parameters."""
    return alt.Scale(
        nice=False, zero=False, domainMin=alt.ExprRef(low), domainMax=alt.ExprRef(high)
    )


def _left_out(alt: Any) -> Any:
    """The steps ``a`` to ``b`` of the data ``left``, shaded."""
    base = chart_of("left")
    shade = base.mark_rect(color=GREY, opacity=0.2, clip=True).encode(x="a:Q", x2="b:Q")
    text = base.mark_text(align="left", baseline="top", dx=4, dy=4, clip=True).encode(
        x="a:Q", y=alt.value(0), text="t:N"
    )
    return shade + text


def _hovered(alt: Any, x_axis: str, labels: Sequence[str]) -> Any:
    """Upright strips of the data ``parts`` that show their values under the pointer."""
    tips = [alt.Tooltip(f"c{k}:N", title=label) for k, label in enumerate(labels)]
    return (
        chart_of("parts")
        .mark_rect(opacity=0, clip=True)
        .encode(x="a:Q", x2="b:Q", tooltip=[alt.Tooltip("t:N", title=x_axis), *tips])
    )


def _parts(chains: Sequence[FloatArray], first: int, every: int) -> list[dict[str, Any]]:
    """Parts of the steps, with the lowest and the highest value of each chain as text."""
    steps = max((len(trace) for trace in chains), default=0)
    edges = np.unique(np.linspace(0, steps, min(HOVERED, steps) + 1).astype(int)).tolist()
    rows = []
    for begin, end in pairwise(edges):
        start, stop = (begin + first - 1) * every + 1, (end + first - 1) * every
        row = {"a": start - 0.5, "b": stop + 0.5,
               "t": f"{stop:,}" if start == stop else f"{start:,} to {stop:,}"}  # fmt: skip
        row |= {f"c{k}": _extent(trace[begin:end]) for k, trace in enumerate(chains)}
        rows.append(row)
    return rows


def _extent(values: FloatArray) -> str:
    """Lowest and highest value as text."""
    known = finite(values)
    if not known.size:
        return "none"
    low, high = (text_of(number) for number in numbers([known.min(), known.max()]))
    return low if low == high else f"{low} to {high}"


def _summary(trace: FloatArray) -> list[float]:
    """First, lowest, median, highest and last value."""
    known = finite(trace)
    if not known.size:
        return [float("nan")] * 5
    return [trace[0], known.min(), float(np.median(known)), known.max(), trace[-1]]
