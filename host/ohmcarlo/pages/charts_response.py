"""Charts of a response: curves over the levels of a parameter, and maps over two parameters."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..pictures.style import GREY, ORANGE
from .charts import altair, chart_of, chosen, series_style, short, spec_of, told_apart
from .content import Chart, Table, clean
from .drawing import LABEL, text_of
from .series import legend, numbers

PLACE = 46  # pixels of a level of a map
LIGHT_FROM = 0.44
"""Share of the range of colours from which the ground of a map is light."""


@dataclass(frozen=True)
class Axis:
    """The levels of a parameter along an axis.

    Attributes
    ----------
    title : str
    levels : tuple of str
        The levels as text, in their order.
    values : tuple of float
        Their places on a numeric axis; empty: levels are names, at equal distances.
    log : bool
        Whether a numeric axis is logarithmic.
    """

    title: str
    levels: tuple[str, ...]
    values: tuple[float, ...] = ()
    log: bool = False

    def place(self, level: int) -> float:
        """Where a level lies on the axis."""
        return self.values[level] if self.values else level


@dataclass(frozen=True)
class Points:
    """One curve: the number of the level, and middle, low and high end of each of its points."""

    levels: tuple[int, ...]
    middle: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    notes: tuple[str, ...] = field(default=())
    """A few words about each point; empty: none."""


def response(
    name: str,
    title: str,
    description: str,
    axis: Axis,
    lines: Mapping[str, Points],
    *,
    y_axis: str,
    log_y: bool = False,
    limit: tuple[str, float] | None = None,
) -> Chart:
    """Curves with intervals over the levels of a parameter, by their labels.

    ``limit``: meaning and value of a horizontal line.

    >>> axis = Axis("rows", ("64", "128"), (64.0, 128.0))
    >>> lines = {"": Points((0, 1), (2.0, 1.0), (1.5, 0.5), (2.5, 1.5))}
    >>> chart = response("r", "Error", "It falls.", axis, lines, y_axis="error")
    >>> chart.table.rows
    (('64', '2', '1.5 to 2.5'), ('128', '1', '0.5 to 1.5'))
    """
    alt = altair()
    entries = legend(list(lines))
    rows = _rows(axis, lines)
    scale = _y_scale(alt, rows, log_y, limit)
    base = chart_of("rows").encode(
        x=_x_of(alt, axis),
        tooltip=[
            alt.Tooltip("name:N", title="curve"),
            alt.Tooltip("level:N", title=axis.title),
            alt.Tooltip("y:Q", title=y_axis),
            alt.Tooltip("v:N", title="95 % interval"),
            alt.Tooltip("note:N", title="cells"),
        ],
        **series_style(alt, entries, dash=False),
    )
    y_of = alt.Y("y:Q", title=y_axis, scale=scale)
    dash = series_style(alt, entries)["strokeDash"]
    known = base.transform_filter("isValid(datum.y)")
    between = 2 if axis.values else 0  # names have no order that a line could follow
    line = known.mark_line(strokeWidth=between).encode(y=y_of, strokeDash=dash)
    layers = [
        line.add_params(chosen(alt)),
        known.transform_filter("isValid(datum.low) && isValid(datum.high)")
        .mark_rule(strokeWidth=2, clip=True)
        .encode(y=alt.Y("low:Q", title=y_axis, scale=scale), y2="high:Q"),
        known.mark_point(filled=True, size=45).encode(y=y_of, shape=alt.Shape("k:N", legend=None)),
    ]
    datasets: dict[str, list[dict[str, Any]]] = {"rows": rows}
    if limit is not None:
        datasets["limit"] = [{"y": limit[1], "name": limit[0]}]
        layers.insert(0, _limit(alt, y_axis, scale))
    return Chart(
        name,
        title,
        description,
        spec_of(alt.layer(*layers), datasets, 3 * len(rows)),
        short(_table(axis, lines, y_axis, rows)),
        legend=told_apart(entries),
    )


def response_map(
    name: str,
    title: str,
    description: str,
    x_axis: Axis,
    y_axis: Axis,
    values: Mapping[tuple[int, int], float],
    *,
    axis: str,
) -> Chart:
    """A quantity over the levels of two parameters: colours with numbers.

    ``values``: by (level of y, level of x); others are left empty.

    >>> levels = Axis("rows", ("64", "128"))
    >>> chart = response_map("m", "Error", "One.", levels, levels, {(0, 1): 0.1}, axis="error")
    >>> chart.table.rows
    (('64', '', '0.1'), ('128', '', ''))
    """
    alt = altair()
    rows = [
        {"x": j, "y": i, "v": value, "t": text_of(_short(value)), "xl": x_axis.levels[j],
         "yl": y_axis.levels[i]}
        for (i, j), number in values.items()
        if (value := numbers([number])[0]) is not None
    ]  # fmt: skip
    found = [row["v"] for row in rows]
    edge = min(found) + LIGHT_FROM * (max(found) - min(found)) if found else 0.0
    base = chart_of("rows").encode(
        x=alt.X("x:O", title=x_axis.title, axis=_labels(alt, x_axis.levels, angle=0)),
        y=alt.Y("y:O", title=y_axis.title, sort="descending", axis=_labels(alt, y_axis.levels)),
        tooltip=[
            alt.Tooltip("xl:N", title=x_axis.title),
            alt.Tooltip("yl:N", title=y_axis.title),
            alt.Tooltip("v:Q", title=axis),
        ],
    )
    ground = base.mark_rect().encode(
        color=alt.Color(
            "v:Q",
            title=axis,
            scale=alt.Scale(scheme="viridis"),
            legend=alt.Legend(orient="top", gradientLength=200),
        )
    )
    text = base.mark_text(fontSize=12).encode(
        text="t:N",
        color=alt.condition(f"datum.v > {edge:.6g}", alt.value("#000000"), alt.value("#ffffff")),
    )
    table = Table(
        (f"{y_axis.title} \\ {x_axis.title}", *x_axis.levels),
        tuple(
            (label, *(_cell(values.get((i, j))) for j in range(len(x_axis.levels))))
            for i, label in enumerate(y_axis.levels)
        ),
    )
    spec = spec_of(ground + text, {"rows": rows}, len(rows))
    height = 110 + PLACE * len(y_axis.levels)
    return Chart(name, title, description, spec, short(table), height)


def _rows(axis: Axis, lines: Mapping[str, Points]) -> list[dict[str, Any]]:
    rows = []
    for k, (label, points) in enumerate(lines.items()):
        columns = [numbers(part) for part in (points.middle, points.low, points.high)]
        notes = points.notes or ("",) * len(points.levels)
        for level, y, low, high, note in zip(points.levels, *columns, notes, strict=True):
            rows.append({
                "k": k, "name": label, "x": numbers([axis.place(level)])[0], "i": level,
                "level": axis.levels[level], "y": y, "low": low, "high": high,
                "v": _interval(low, high), "note": note,
            })  # fmt: skip
    return rows


def _table(
    axis: Axis, lines: Mapping[str, Points], y_axis: str, rows: Sequence[Mapping[str, Any]]
) -> Table:
    """A line for each level; two columns for each curve."""
    single = len(lines) == 1
    header = [axis.title]
    for label in lines:
        header += [y_axis if single else label, "95 % interval"]
    found = {(row["k"], row["i"]): (text_of(row["y"]), row["v"]) for row in rows}
    return Table(
        tuple(header),
        tuple(
            (level, *(text for k in range(len(lines)) for text in found.get((k, i), ("", ""))))
            for i, level in enumerate(axis.levels)
        ),
    )


def _interval(low: Any, high: Any) -> str:
    return "" if low is None or high is None else f"{text_of(low)} to {text_of(high)}"


def _x_of(alt: Any, axis: Axis) -> Any:
    if not axis.values:
        return alt.X("x:O", title=axis.title, axis=_labels(alt, axis.levels, angle=0))
    if axis.log:
        scale = alt.Scale(type="log", nice=False, padding=12)
    else:
        scale = alt.Scale(zero=False, nice=False, padding=12)
    ticks = numbers(axis.values) if len(axis.values) <= 12 else alt.Undefined
    shown = alt.Axis(values=ticks, labelOverlap=True, labelExpr="format(datum.value, ',~g')")
    return alt.X("x:Q", title=axis.title, scale=scale, axis=shown)


def _y_scale(
    alt: Any, rows: Sequence[Mapping[str, Any]], log: bool, limit: tuple[str, float] | None
) -> Any:
    """From the lowest to the highest point. A long interval is cut off there with its reserve."""
    if log:
        return alt.Scale(type="log", nice=False, padding=8)
    known = [row["y"] for row in rows if row["y"] is not None]
    known += [limit[1]] if limit is not None else []
    ends = [row[end] for row in rows for end in ("low", "high") if row[end] is not None]
    if not known:
        return alt.Scale()
    reserve = (max(known) - min(known)) or abs(max(known)) or 1.0
    low = max(min([*known, *ends]), min(known) - reserve)
    high = min(max([*known, *ends]), max(known) + reserve)
    return alt.Scale(domain=[0 if 0 <= low < 0.3 * high else low, high], nice=True, zero=False)


def _limit(alt: Any, y_axis: str, scale: Any) -> Any:
    return (
        chart_of("limit")
        .mark_rule(color=ORANGE, strokeDash=[4, 3], strokeWidth=2)
        .encode(
            y=alt.Y("y:Q", title=y_axis, scale=scale),
            tooltip=[alt.Tooltip("name:N", title="line"), alt.Tooltip("y:Q", title="at")],
        )
    )


def _labels(alt: Any, labels: Sequence[str], angle: int | None = None) -> Any:
    """An axis whose places 0, 1, … carry labels; it turns long ones."""
    shown = [text if len(text) <= LABEL else f"{text[: LABEL - 1]}…" for text in map(clean, labels)]
    turned = angle if angle is not None and max(map(len, shown), default=0) <= 8 else -30
    return alt.Axis(
        labelExpr=f"{json.dumps(shown)}[datum.value]",
        labelLimit=160,
        labelOverlap=False,
        labelAngle=turned if angle is not None else 0,
        grid=False,
        tickColor=GREY,
    )


def _short(value: float) -> float:
    return float(f"{value:.3g}")


def _cell(value: float | None) -> str:
    return "" if value is None or math.isnan(value) else text_of(numbers([_short(value)])[0])
