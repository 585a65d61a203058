"""Charts of pages, from arrays of NumPy through Altair.

Names of features and classes never become names of fields: a field is ``x``, ``y`` or ``k`` (the
number of a series), and names are data or titles. So every name works, whatever it contains.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import UsageError
from ..pictures.style import BLUE, GREY, ORANGE
from .content import Chart, LegendEntry, Table, clean
from .series import legend, numbers, sure_colour, thinned

MAX_ROWS = 200  # of the table beside a chart
MAX_SVG_MARKS = 3000  # more are drawn on a canvas
RANK_BINS = 20
LABEL = 40  # characters of a label beside an axis; the table has all of them
CHOSEN = "chosen"
"""Parameter of a drawing: numbers of the highlighted series; empty: all."""


def altair() -> Any:
    """The library of the charts. Raises UsageError, which names what to install, without it."""
    try:
        import altair
    except ImportError as error:
        raise UsageError("pages need Altair: pip install 'ohmcarlo[report]'") from error
    return altair


def chart_of(rows: str) -> Any:
    """An empty Altair chart of named data, which ``spec_of`` adds: Altair takes long to read
    many values."""
    alt = altair()
    return alt.Chart(alt.NamedData(name=rows))


def spec_of(
    drawing: Any, datasets: Mapping[str, Sequence[Mapping[str, Any]]], marks: int = 0
) -> dict[str, Any]:
    """The Vega-Lite specification of an Altair chart, checked against its schema, with its data.

    The colours of text and axes are left out, because the page sets them. More than
    ``MAX_SVG_MARKS`` ``marks`` are drawn on a canvas.
    """
    spec: dict[str, Any] = drawing.to_dict()
    spec["datasets"] = {**spec.get("datasets", {}), **datasets}
    for key in ("config", "$schema"):
        spec.pop(key, None)
    renderer = "canvas" if marks > MAX_SVG_MARKS else "svg"
    spec["usermeta"] = {"embedOptions": {"renderer": renderer}}
    return spec


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
        ("name", "median", what, "the sign is certain"),
        tuple(
            (row["name"], _text(row["m"]), row["v"], "yes" if s else "no")
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


def traces(
    name: str,
    title: str,
    description: str,
    values: ArrayLike,
    *,
    axis: str,
    burn_in: int = 0,
    first: int = 1,
    labels: Sequence[str] | None = None,
    x_axis: str = "step",
) -> Chart:
    """Values over the steps of each chain: float (chains, steps), of any number of steps.

    Steps count from ``first``; the first ``burn_in`` of them are shaded. The axis shows the range
    of the others. A long trace is thinned; extremes stay.
    """
    alt = altair()
    chains = np.asarray(values, float)
    entries = legend(labels or [f"chain {k}" for k in range(len(chains))])
    rows = []
    for k, trace in enumerate(chains):
        places, kept = thinned(trace)
        rows.append({"k": k, "name": entries[k].label, "x": numbers(places + first),
                     "y": numbers(kept)})  # fmt: skip
    low, high = settled_range(chains[:, burn_in:] if burn_in < chains.shape[1] else chains)
    lines = (
        chart_of("rows")
        .transform_flatten(["x", "y"])
        .mark_line(strokeWidth=1, clip=True)
        .encode(
            x=alt.X("x:Q", title=x_axis, scale=alt.Scale(nice=False)),
            y=alt.Y("y:Q", title=axis, scale=alt.Scale(domain=[low, high], nice=False)),
            **series_style(alt, entries),
        )
    )
    layers = [lines.add_params(chosen(alt))]
    datasets: dict[str, Any] = {"rows": rows}
    if burn_in:
        datasets["shade"] = [{"a": first, "b": first + burn_in}]
        layers.insert(0, chart_of("shade").mark_rect(
            color=GREY, opacity=0.2, clip=True).encode(x="a:Q", x2="b:Q"))  # fmt: skip
        entries = (*entries, LegendEntry("left out (burn-in)", GREY, (1, 1)))
    table = Table(
        ("", "first", "lowest", "median", "highest", "last"),
        tuple(
            (entry.label, *(_text(number) for number in numbers(_summary(trace))))
            for entry, trace in zip(entries, chains, strict=False)
        ),
    )
    return Chart(name, title, description, spec_of(alt.layer(*layers), datasets), short(table),
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
        "Draws in each part of the ranks, relative to equal shares.",
    )
    spec = spec_of(alt.layer(level, lines), {"rows": rows, "level": [{"y": 1}]})
    return Chart(name, title, description, spec, short(table), height=220, legend=entries)


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
    """
    alt = altair()
    grid = np.asarray(values, float)
    rows, columns = grid.shape
    fields: dict[str, list[Any]] = {"v": numbers(grid)}
    tips = [alt.Tooltip("row:Q", title=y_axis), alt.Tooltip("col:Q", title=x_axis),
            alt.Tooltip("v:Q", title=axis)]  # fmt: skip
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
    base = base.transform_calculate(right="datum.col + 1", below="datum.row + 1")
    drawing = base.mark_rect(strokeWidth=0).encode(
        x=alt.X("col:Q", title=x_axis, scale=alt.Scale(domain=[0, columns], nice=False),
                axis=alt.Axis(grid=False, format="d")),
        x2="right:Q",
        y=alt.Y("row:Q", title=y_axis, scale=alt.Scale(domain=[rows, 0], nice=False),
                axis=alt.Axis(grid=False, format="d")),
        y2="below:Q",
        color=alt.condition(
            "isValid(datum.v)",
            alt.Color("v:Q", title=axis, scale=alt.Scale(scheme="viridis"),
                      legend=alt.Legend(orient="top", gradientLength=200)),
            alt.value(GREY),
        ),
        tooltip=tips,
    )  # fmt: skip
    return Chart(
        name, title, description, spec_of(drawing, {"rows": rows_of}, grid.size), None, height
    )


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
    """
    alt = altair()
    finite = {label: _finite(values) for label, values in groups.items()}
    everything = np.concatenate([*finite.values(), [float(v) for v in (marks or {}).values()]])
    edges = np.histogram_bin_edges(everything if everything.size else [0.0, 1.0], bins)
    counts = {label: np.histogram(values, edges)[0] for label, values in finite.items()}
    entries = legend(list(finite))
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
            (f"{_text(a)} to {_text(b)}", *(str(n[i]) for n in counts.values()))
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
            x=alt.X("x:Q", title=x_axis, scale=_scale(alt, log_x)),
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
            (_text(value), *(_text(row["y"][i]) for row in rows)) for i, value in enumerate(over)
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
            (row["name"], *(_text(row[key]) for key in ("x", *("ab" if uncertain else ""))))
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
        (row["name"], *(_text(row[key]) for key in ("x", "y", *("ab" if ends else ""))))
        for row in rows))  # fmt: skip
    spec = spec_of(alt.layer(*layers), datasets, len(rows))
    return Chart(name, title, description, spec, short(table), 340, told_apart(entries))


# -- parts of charts ---------------------------------------------------------------------------


def chosen(alt: Any) -> Any:
    """The parameter that the legend of the page sets."""
    return alt.param(name=CHOSEN, value=[])


def series_style(alt: Any, entries: Sequence[LegendEntry], *, dash: bool = True) -> dict[str, Any]:
    """Colour, dash and strength of the series ``k``, as channels of an encoding.

    ``dash``: whether the marks are lines, which can have dashes.
    """
    numbers_of = list(range(len(entries)))
    channels = {
        "color": alt.Color("k:N", legend=None, scale=alt.Scale(
            domain=numbers_of, range=[entry.colour for entry in entries])),
        "strokeDash": alt.StrokeDash("k:N", legend=None, scale=alt.Scale(
            domain=numbers_of, range=[list(entry.dash) or [1, 0] for entry in entries])),
        "opacity": alt.condition(
            f"length({CHOSEN}) == 0 || indexof({CHOSEN}, datum.k) >= 0",
            alt.value(1.0), alt.value(0.08)),
    }  # fmt: skip
    if not dash:
        del channels["strokeDash"]
    return channels


def label_axis(labels: Sequence[str]) -> Any:
    """An axis whose places 0, 1, … carry labels."""
    alt = altair()
    cleaned = [clean(label) for label in labels]
    shown = [label if len(label) <= LABEL else f"{label[: LABEL - 1]}…" for label in cleaned]
    return alt.Axis(
        labelExpr=f"{json.dumps(shown)}[datum.value]",
        labelLimit=180,
        labelOverlap=False,
        grid=False,
        ticks=False,
        domain=False,
    )


def settled_range(values: ArrayLike) -> tuple[float, float]:
    """The range of an axis that shows settled chains: without the lowest 0.1 % of the values."""
    finite = _finite(values)
    if not finite.size:
        return 0.0, 1.0
    low, high = np.quantile(finite, [0.001, 1.0])
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


def told_apart(entries: tuple[LegendEntry, ...]) -> tuple[LegendEntry, ...]:
    """The legend, which a single series does not need."""
    return entries if len(entries) > 1 else ()


def short(table: Table) -> Table | None:
    """The table, if a reader can take it in."""
    return table if len(table.rows) <= MAX_ROWS else None


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


def _scale(alt: Any, log: bool, zero: bool = False) -> Any:
    return alt.Scale(type="log") if log else alt.Scale(zero=zero)


def _finite(values: ArrayLike) -> NDArray[np.float64]:
    flat = np.asarray(values, float).ravel()
    return flat[np.isfinite(flat)]


def _summary(trace: NDArray[np.float64]) -> list[float]:
    """First, lowest, median, highest and last value."""
    finite = _finite(trace)
    if not finite.size:
        return [float("nan")] * 5
    return [trace[0], finite.min(), float(np.median(finite)), finite.max(), trace[-1]]


def _text(value: Any) -> str:
    """A number of ``numbers`` as text."""
    return "" if value is None else f"{value:,}" if isinstance(value, int) else f"{value:g}"
