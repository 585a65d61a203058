"""The chart of a confusion table."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..pictures.style import BLUE
from .charts import altair, chart_of, label_axis, short, spec_of
from .content import Chart, Table

MANY = 12  # classes whose cells have no room for a number
FAINT, STRONG = 0.02, 0.3  # opacities of the cells: text on them stays readable


def confusion(
    name: str,
    title: str,
    description: str,
    counts: NDArray[np.integer],
    classes: Sequence[str],
) -> Chart:
    """Cases by true class (row) and answer (column), int (classes, classes).

    The colour is the share of a class; the number of cases stands in its cell.
    """
    alt = altair()
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    rows = [
        {
            "i": i,
            "j": j,
            "true": classes[i],
            "answer": classes[j],
            "n": int(counts[i, j]),
            "s": round(float(shares[i, j]), 4),
        }
        for i in range(len(classes))
        for j in range(len(classes))
    ]
    base = chart_of("rows").encode(
        x=alt.X("j:O", title="predicted class", axis=_axis(classes, -30)),
        y=alt.Y("i:O", title="true class", axis=_axis(classes, 0)),
    )
    cells = base.mark_rect(color=BLUE).encode(
        opacity=alt.Opacity(
            "s:Q", scale=alt.Scale(domain=[0, 1], range=[FAINT, STRONG]), legend=None
        ),
        tooltip=[
            alt.Tooltip("true:N", title="true class"),
            alt.Tooltip("answer:N", title="predicted class"),
            alt.Tooltip("n:Q", title="cases"),
            alt.Tooltip("s:Q", title="share of the class", format=".1%"),
        ],
    )
    drawing = alt.layer(cells)
    if len(classes) <= MANY:
        drawing = cells + base.mark_text(fontSize=13).encode(text="n:Q")
    table = Table(
        ("true class", *classes),
        tuple(
            (label, *(f"{n:,}" for n in row)) for label, row in zip(classes, counts, strict=True)
        ),
        "Cases by true class (rows) and predicted class (columns).",
    )
    height = min(480, 120 + 44 * len(classes))
    return Chart(
        name, title, description, spec_of(drawing, {"rows": rows}, len(rows)), short(table), height
    )


def _axis(classes: Sequence[str], angle: int) -> object:
    axis = label_axis(classes)
    longest = max((len(name) for name in classes), default=0)
    axis.labelAngle = angle if longest > 3 else 0
    axis.labelLimit = 120
    return axis
