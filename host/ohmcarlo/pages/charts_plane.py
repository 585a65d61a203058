"""The chart of values over the plane of two features, with a line and points on it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from .charts import altair, chart_of, chosen, series_style, spec_of
from .content import Chart
from .series import legend, numbers

FloatArray = NDArray[np.float64]
OVERLAP = 1.04  # of the cells, which hides the seams between them


def plane(
    name: str,
    title: str,
    description: str,
    axes: tuple[FloatArray, FloatArray],
    values: FloatArray,
    *,
    axis: str,
    names: tuple[str, str],
    points: Mapping[str, FloatArray],
    line: FloatArray,
    scheme: str = "purples",
) -> Chart:
    """Colours over a grid, [second, first], of the values ``axes`` of two features.

    ``points``: places (n, 2) of each group by its label. ``line``: places (n, 2) of dots that form
    a line. ``scheme``: colours of Vega.
    """
    alt = altair()
    first, second = axes
    half = [OVERLAP * (axis_[1] - axis_[0]) / 2 for axis_ in axes]
    columns, rows = np.meshgrid(first, second)
    cells = {
        "x": numbers(columns - half[0]),
        "x2": numbers(columns + half[0]),
        "y": numbers(rows - half[1]),
        "y2": numbers(rows + half[1]),
        "v": numbers(values),
    }
    x = alt.X("x:Q", title=names[0], scale=_within(alt, first, half[0]))
    y = alt.Y("y:Q", title=names[1], scale=_within(alt, second, half[1]))
    ground = (
        chart_of("cells")
        .transform_flatten(list(cells))
        .mark_rect(strokeWidth=0, clip=True, opacity=0.7)
        .encode(
            x=x,
            x2="x2:Q",
            y=y,
            y2="y2:Q",
            color=alt.Color(
                "v:Q",
                title=axis,
                scale=alt.Scale(scheme=scheme),
                legend=alt.Legend(orient="top", gradientLength=200),
            ),
            tooltip=[alt.Tooltip("v:Q", title=axis)],
        )
    )
    dots = [{"x": a, "y": b} for a, b in zip(numbers(line[:, 0]), numbers(line[:, 1]), strict=True)]
    edge = (
        chart_of("line")
        .mark_point(filled=True, size=9, color="black", opacity=1, clip=True)
        .encode(x="x:Q", y="y:Q")
    )
    entries = legend(list(points))
    cases = [
        {"k": k, "name": label, "x": a, "y": b}
        for k, (label, places) in enumerate(points.items())
        for a, b in zip(numbers(places[:, 0]), numbers(places[:, 1]), strict=True)
    ]
    shown = (
        chart_of("cases")
        .mark_point(filled=True, size=35, stroke="white", strokeWidth=0.5, clip=True)
        .encode(
            x="x:Q",
            y="y:Q",
            shape=alt.Shape("k:N", legend=None),
            tooltip=[
                alt.Tooltip("name:N", title="class"),
                alt.Tooltip("x:Q", title=names[0]),
                alt.Tooltip("y:Q", title=names[1]),
            ],
            **series_style(alt, entries, dash=False),
        )
        .add_params(chosen(alt))
    )
    drawing = alt.layer(ground, edge, shown).resolve_scale(color="independent")
    datasets = {"cells": [cells], "line": dots, "cases": cases}
    marks = values.size + len(dots) + len(cases)
    return Chart(name, title, description, spec_of(drawing, datasets, marks), None, 420, entries)


def _within(alt: object, values: FloatArray, half: float) -> object:
    low, high = float(values[0] - half), float(values[-1] + half)
    return alt.Scale(domain=[low, high], nice=False, zero=False)  # type: ignore[attr-defined]
