"""Charts of pages, from arrays of NumPy through Altair.

Each function returns a ``Chart``: the drawing, its text alternative, its numbers as a table.
``drawing`` has the parts for further charts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..pictures.style import BLUE, GREY, ORANGE
from .charts_chains import ranks, traces
from .content import Chart, Table
from .drawing import (
    altair,
    chart_of,
    chosen,
    finite,
    label_axis,
    series_style,
    short,
    spec_of,
    text_of,
    told_apart,
)
from .series import legend, numbers, sure_colour

__all__ = [
    "bars",
    "curve",
    "heat_map",
    "histogram",
    "intervals",
    "ranks",
    "scatter",
    "traces",
]


def intervals(
    name: str,
    title: str,
    description: str,
    labels: Sequence[str],
    low: ArrayLike,
    middle: ArrayLike,
    high: ArrayLike,
    *,
    axis: str = "weight",
    inner: tuple[ArrayLike, ArrayLike] | None = None,
    what: str = "interval",
) -> Chart:
    """One line for each label, from ``low`` to ``high`` with a dot at ``middle``, (n,) each.

    A line that crosses 0 is grey. ``inner``: ends of a thick part of each line. ``what`` names the
    interval in the table ("94 % interval").

    >>> chart = intervals("w", "Weights", "One.", ["bias"], [-1], [0.5], [2], what="94 % interval")
    >>> chart.table.rows
    (('bias', '0.5', '-1 to 2', 'no'),)
    """
    alt = altair()
    low, middle, high = (np.asarray(values, float) for values in (low, middle, high))
    sure = (low > 0) | (high < 0)
    a, b = (np.asarray(v, float) for v in (inner if inner is not None else (middle, middle)))
    columns = [numbers(values) for values in (low, a, middle, b, high)]
    rows = [
        {"i": i, "name": label, "a": ends[0], "b": ends[1], "m": ends[2], "c": ends[3],
         "d": ends[4], "t": sure_colour(bool(sure[i])), "v": f"{ends[0]} to {ends[4]}"}
        for i, (label, *ends) in enumerate(zip(labels, *columns, strict=True))
    ]  # fmt: skip
    base = chart_of("rows").encode(
        y=alt.Y("i:O", title=None, axis=label_axis(labels)),
        color=alt.Color("t:N", scale=None),
        tooltip=[
            alt.Tooltip("name:N", title=axis),
            alt.Tooltip("m:Q", title="median"),
            alt.Tooltip("v:N", title=what),
        ],
    )
    zero = chart_of("zero").mark_rule(color=GREY).encode(x="x:Q")
    whole = base.mark_rule(strokeWidth=2).encode(x=alt.X("a:Q", title=axis), x2="d:Q")
    part = base.mark_rule(strokeWidth=6).encode(x="b:Q", x2="c:Q")
    dot = base.mark_point(filled=True, size=70, opacity=1).encode(x="m:Q")
    table = Table(
        ("name", "median", what, "interval excludes 0"),
        tuple(
            (row["name"], text_of(row["m"]), row["v"], "yes" if s else "no")
            for row, s in zip(rows, sure, strict=True)
        ),
    )
    return Chart(
        name,
        title,
        description,
        spec_of(zero + whole + part + dot, {"rows": rows, "zero": [{"x": 0}]}, 4 * len(rows)),
        short(table),
        height=max(120, 60 + 22 * len(rows)),
    )


def heat_map(
    name: str,
    title: str,
    description: str,
    values: ArrayLike,
    *,
    axis: str,
    x_axis: str = "column",
    y_axis: str = "row",
    hover: Mapping[str, Sequence[Any] | NDArray[Any]] | None = None,
    height: int = 420,
) -> Chart:
    """Values of an array as colours: float (rows, columns); not a number: left grey.

    ``hover``: more values of each place, (rows, columns) each or (rows,), by their titles.

    >>> chart = heat_map("wear", "Wear", "At most 3 pulses.", [[1, 2], [3, 0]], axis="SET pulses")
    >>> chart.spec["datasets"]["rows"]
    [{'v': [1, 2, 3, 0]}]
    """
    alt = altair()
    grid = np.asarray(values, float)
    rows, columns = grid.shape
    fields: dict[str, list[Any]] = {"v": numbers(grid)}
    value = alt.Tooltip("v:Q", title=axis)
    tips = [alt.Tooltip("row:Q", title=y_axis), alt.Tooltip("col:Q", title=x_axis), value]
    per_row: dict[str, list[Any]] = {}
    for i, (label, more) in enumerate((hover or {}).items()):
        flat = np.asarray(more)
        (fields if flat.ndim == 2 else per_row)[f"h{i}"] = numbers(flat)
        tips.append(alt.Tooltip(f"h{i}:N", title=label))
    rows_of = [{**fields, **{f"all{key}": v for key, v in per_row.items()}}]
    base = (
        chart_of("rows")
        .transform_flatten(list(fields))
        .transform_window(n="row_number()")
        .transform_calculate(
            row=f"floor((datum.n - 1) / {columns})", col=f"(datum.n - 1) % {columns}"
        )
    )
    for key in per_row:
        base = base.transform_calculate(**{key: f"datum.all{key}[datum.row]"})
    # neighbours overlap, because a canvas shows seams between shapes that only touch
    base = base.transform_calculate(right="datum.col + 1.5", below="datum.row + 1.5")
    place = {
        "x": alt.X("col:Q", title=x_axis, scale=alt.Scale(domain=[0, columns], nice=False),
                   axis=alt.Axis(grid=False, format="d")),
        "x2": "right:Q",
        "y": alt.Y("row:Q", title=y_axis, scale=alt.Scale(domain=[rows, 0], nice=False),
                   axis=alt.Axis(grid=False, format="d")),
        "y2": "below:Q",
    }  # fmt: skip
    colour = alt.Color("v:Q", title=axis, scale=alt.Scale(scheme="viridis"),
                       legend=alt.Legend(orient="top", gradientLength=200))  # fmt: skip
    known = base.transform_filter("isValid(datum.v)").mark_rect(strokeWidth=0, clip=True)
    drawing = known.encode(**place, color=colour, tooltip=tips)
    if not np.isfinite(grid).all():
        gaps = base.transform_filter("!isValid(datum.v)").transform_calculate(
            right="datum.col + 1", below="datum.row + 1"
        )
        missing = gaps.mark_rect(color=GREY, clip=True)
        drawing += missing.encode(**place, tooltip=[t for t in tips if t is not value])
    spec = spec_of(drawing, {"rows": rows_of}, grid.size)
    return Chart(name, title, description, spec, height=height)


def histogram(
    name: str,
    title: str,
    description: str,
    groups: Mapping[str, ArrayLike],
    *,
    axis: str,
    bins: int | ArrayLike = 30,
    marks: Mapping[str, float] | None = None,
    y_axis: str = "count",
) -> Chart:
    """Counts of values in bins, as outlines: (n,) values of each group, by its label.

    ``marks``: places of upright lines, by their labels.

    >>> chart = histogram("p", "Probabilities", "Low.", {"": [0.1, 0.2]}, axis="p", bins=[0, 1])
    >>> chart.table.rows
    (('0 to 1', '2'),)
    """
    alt = altair()
    known = {label: finite(values) for label, values in groups.items()}
    everything = np.concatenate([*known.values(), [float(v) for v in (marks or {}).values()]])
    edges = np.histogram_bin_edges(everything if everything.size else [0.0, 1.0], bins)
    counts = {label: np.histogram(values, edges)[0] for label, values in known.items()}
    entries = legend(list(known))
    rows = [
        {"k": k, "name": label, "x": numbers(edges), "y": numbers([*n, 0])}
        for k, (label, n) in enumerate(counts.items())
    ]
    base = chart_of("rows").transform_flatten(["x", "y"])
    x_of = alt.X("x:Q", title=axis, scale=alt.Scale(zero=False))
    y_of = alt.Y("y:Q", title=y_axis, stack=None)
    area = base.mark_area(interpolate="step-after", fillOpacity=0.2).encode(
        x=x_of, y=y_of, **series_style(alt, entries, dash=False)
    )
    outline = base.mark_line(interpolate="step-after", strokeWidth=2).encode(
        x=x_of, y=y_of, **series_style(alt, entries)
    )
    upright = [{"x": float(x), "name": label} for label, x in (marks or {}).items()]
    layers = [area.add_params(chosen(alt)), outline, *(_upright(alt) if upright else [])]
    datasets = {"rows": rows, "marks": upright}
    table = Table(
        (axis, *counts),
        tuple(
            (f"{text_of(a)} to {text_of(b)}", *(str(n[i]) for n in counts.values()))
            for i, (a, b) in enumerate(zip(numbers(edges[:-1]), numbers(edges[1:]), strict=True))
        ),
    )
    spec = spec_of(alt.layer(*layers), datasets)
    return Chart(name, title, description, spec, short(table), legend=told_apart(entries))


def curve(
    name: str,
    title: str,
    description: str,
    x: ArrayLike,
    lines: Mapping[str, ArrayLike],
    *,
    x_axis: str,
    y_axis: str,
    bands: Mapping[str, tuple[ArrayLike, ArrayLike]] | None = None,
    points: bool = False,
    log_x: bool = False,
    log_y: bool = False,
    zero: bool = False,
) -> Chart:
    """Lines over x (n,), (n,) each, by their labels; ``bands``: (low, high) around some of them.

    ``points``: mark each value. ``zero``: the y axis begins at 0.

    >>> chart = curve("c", "Growth", "It grows.", [1, 2], {"mean": [3, 4]}, x_axis="x", y_axis="y")
    >>> chart.table.header, chart.table.rows
    (('x', 'mean'), (('1', '3'), ('2', '4')))
    """
    alt = altair()
    entries = legend(list(lines))
    over = numbers(x)
    rows: list[dict[str, Any]] = []
    for k, (label, y) in enumerate(lines.items()):
        row = {"k": k, "name": label, "x": over, "y": numbers(y)}
        ends = (bands or {}).get(label, (y, y))
        rows.append({**row, "low": numbers(ends[0]), "high": numbers(ends[1])})
    base = (
        chart_of("rows")
        .transform_flatten(["x", "y", "low", "high"])
        .encode(
            x=alt.X("x:Q", title=x_axis, scale=_scale(alt, log_x), axis=_steps(alt, over)),
            tooltip=[
                alt.Tooltip("name:N", title="series"),
                alt.Tooltip("x:Q", title=x_axis),
                alt.Tooltip("y:Q", title=y_axis),
                *([alt.Tooltip("low:Q"), alt.Tooltip("high:Q")] if bands else []),
            ],
            **series_style(alt, entries, dash=False),
        )
    )
    y_of = alt.Y("y:Q", title=y_axis, scale=_scale(alt, log_y, zero))
    dash = series_style(alt, entries)["strokeDash"]
    lines_of = base.mark_line(strokeWidth=2).encode(y=y_of, strokeDash=dash)
    layers = [lines_of.add_params(chosen(alt))]
    if points:
        layers.append(base.mark_point(filled=True, size=40).encode(y=y_of))
    if bands:
        low_of = alt.Y("low:Q", title=y_axis, scale=_scale(alt, log_y, zero))
        band = base.mark_area(strokeWidth=0, fillOpacity=0.2).encode(y=low_of, y2="high:Q")
        layers.insert(0, band)
    table = Table(
        (x_axis, *lines),
        tuple(
            (text_of(value), *(text_of(row["y"][i]) for row in rows))
            for i, value in enumerate(over)
        ),
    )
    spec = spec_of(alt.layer(*layers), {"rows": rows})
    return Chart(name, title, description, spec, short(table), legend=told_apart(entries))


def bars(
    name: str,
    title: str,
    description: str,
    labels: Sequence[str],
    values: ArrayLike,
    *,
    axis: str,
    low: ArrayLike | None = None,
    high: ArrayLike | None = None,
    what: str = "",
) -> Chart:
    """A bar for each label, (n,) values; ``low`` and ``high`` are the ends of error bars.

    ``what`` is the heading of the labels in the table.

    >>> chart = bars("e", "Energy", "SET takes most.", ["SET", "READ"], [3, 1], axis="energy (nJ)")
    >>> chart.table.rows
    (('SET', '3'), ('READ', '1'))
    """
    alt = altair()
    ends = [numbers(values if end is None else end) for end in (low, high)]
    rows = [
        {"i": i, "name": label, "x": value, "a": a, "b": b}
        for i, (label, value, a, b) in enumerate(zip(labels, numbers(values), *ends, strict=True))
    ]
    uncertain = low is not None or high is not None
    base = chart_of("rows").encode(
        y=alt.Y("i:O", title=None, axis=label_axis(labels)),
        tooltip=[
            alt.Tooltip("name:N", title=what or "of"),
            alt.Tooltip("x:Q", title=axis),
            *([alt.Tooltip("a:Q", title="low"), alt.Tooltip("b:Q", title="high")]
              if uncertain else []),
        ],
    )  # fmt: skip
    drawing = base.mark_bar(color=BLUE).encode(x=alt.X("x:Q", title=axis))
    if uncertain:
        drawing += base.mark_rule(color=ORANGE, strokeWidth=2).encode(x="a:Q", x2="b:Q")
    table = Table(
        (what, axis, *(("low", "high") if uncertain else ())),
        tuple(
            (row["name"], *(text_of(row[key]) for key in ("x", *("ab" if uncertain else ""))))
            for row in rows
        ),
    )
    spec = spec_of(drawing, {"rows": rows}, 2 * len(rows))
    height = max(100, 60 + 24 * len(rows))
    return Chart(name, title, description, spec, short(table), height)


def scatter(
    name: str,
    title: str,
    description: str,
    groups: Mapping[str, tuple[ArrayLike, ArrayLike]],
    *,
    x_axis: str,
    y_axis: str,
    ends: Mapping[str, tuple[ArrayLike, ArrayLike]] | None = None,
    diagonal: bool = False,
    hover: Mapping[str, Sequence[str]] | None = None,
) -> Chart:
    """Points of each group, (x, y) with (n,) each, by its label.

    ``ends``: ends of upright error bars of a group. ``diagonal``: draw y = x. ``hover``: a name of
    each point of a group.

    >>> chart = scatter("s", "Points", "One.", {"test": ([1], [2])}, x_axis="x", y_axis="y")
    >>> chart.table.rows
    (('test', '1', '2'),)
    """
    alt = altair()
    entries = legend(list(groups))
    rows = []
    for k, (label, (x, y)) in enumerate(groups.items()):
        low, high = (ends or {}).get(label, (y, y))
        names = (hover or {}).get(label) or [label] * len(np.asarray(x))
        rows += [
            {"k": k, "name": name_, "x": x_, "y": y_, "a": a, "b": b}
            for name_, x_, y_, a, b in zip(names, *map(numbers, (x, y, low, high)), strict=True)
        ]
    base = chart_of("rows").encode(
        x=alt.X("x:Q", title=x_axis, scale=alt.Scale(zero=False)),
        tooltip=[
            alt.Tooltip("name:N", title="point"),
            alt.Tooltip("x:Q", title=x_axis),
            alt.Tooltip("y:Q", title=y_axis),
        ],
        **series_style(alt, entries, dash=False),
    )
    y_of = alt.Y("y:Q", title=y_axis, scale=alt.Scale(zero=False))
    shape = alt.Shape("k:N", legend=None)
    layers = [
        base.mark_point(filled=True, size=40).encode(y=y_of, shape=shape).add_params(chosen(alt))
    ]
    if ends:
        layers.insert(0, base.mark_rule(strokeWidth=1).encode(
            y=alt.Y("a:Q", title=y_axis, scale=alt.Scale(zero=False)), y2="b:Q"))  # fmt: skip
    datasets = {"rows": rows}
    if diagonal:
        span = [v for row in rows for v in (row["x"], row["y"]) if v is not None] or [0]
        datasets["diagonal"] = [{"x": v, "y": v} for v in (min(span), max(span))]
        layers.insert(0, chart_of("diagonal").mark_line(
            color=GREY, strokeDash=[4, 3], strokeWidth=1).encode(x="x:Q", y="y:Q"))  # fmt: skip
    header = ("point", x_axis, y_axis, *(("low", "high") if ends else ()))
    table = Table(header, tuple(
        (row["name"], *(text_of(row[key]) for key in ("x", "y", *("ab" if ends else ""))))
        for row in rows))  # fmt: skip
    spec = spec_of(alt.layer(*layers), datasets, len(rows))
    return Chart(name, title, description, spec, short(table), 340, told_apart(entries))


def _upright(alt: Any) -> list[Any]:
    """Upright lines of the data ``marks``, with their labels."""
    base = chart_of("marks").encode(
        x="x:Q", tooltip=[alt.Tooltip("name:N", title="mark"), alt.Tooltip("x:Q", title="at")]
    )
    line = base.mark_rule(color=ORANGE, strokeWidth=2, strokeDash=[4, 3])
    text = base.mark_text(align="left", baseline="top", dx=4, dy=2).encode(
        text="name:N", y=alt.value(0)
    )
    return [line, text]


def _steps(alt: Any, values: Sequence[Any]) -> Any:
    """An axis with whole numbers only, if its values are."""
    whole = all(isinstance(value, int) for value in values)
    return alt.Axis(tickMinStep=1, format=",d") if whole else alt.Axis()


def _scale(alt: Any, log: bool, zero: bool = False) -> Any:
    return alt.Scale(type="log") if log else alt.Scale(zero=zero)
