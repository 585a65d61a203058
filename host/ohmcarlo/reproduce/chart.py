"""A chart of a figure's table: our numbers, seed by seed, beside the published ones."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import numpy as np

from ..pages.charts import altair, chart_of, chosen, label_axis, series_style, spec_of
from ..pages.content import Chart, LegendEntry
from ..pages.series import numbers
from ..pictures.style import BLUE, GREY, ORANGE
from .base import Goal, Table

MOST_ROWS = 24  # of one chart
LARGEST_RATIO = 20.0  # of two quantities that share a linear axis
PUBLISHED = re.compile(r"(?P<number>[-+−]?\d[\d,]*(?:\.\d+)?)(?P<rest>.*)", re.DOTALL)
LEGEND = (
    LegendEntry("ours: mean, with spread or interval", BLUE),
    LegendEntry("ours: each seed", GREY),
    LegendEntry("published", ORANGE),
)
OURS, SEED, THEIRS = range(3)


def charts_of(name: str, table: Table) -> Iterator[Chart]:
    """One chart for each unit of a table, of quantities of one size; ``name`` begins their
    names."""
    for place, rows in enumerate(_alike(table.rows)):
        yield _chart(f"{name}-{place}", table.title, rows)


def _alike(rows: Sequence[Goal]) -> Iterator[list[Goal]]:
    """Rows of one unit and of similar size that are worth a chart, in their order."""
    for unit in dict.fromkeys(row.unit for row in rows):
        same = [row for row in rows if row.unit == unit and np.isfinite(row.ours).all()]
        for group in _by_size(same):
            if len(group) > 1 or any(published_number(row) is not None for row in group):
                yield group[:MOST_ROWS]


def _by_size(rows: Sequence[Goal]) -> list[list[Goal]]:
    """The rows in groups whose sizes differ by less than ``LARGEST_RATIO``. A zero belongs to the
    smallest ones."""
    rising = sorted(range(len(rows)), key=lambda i: abs(rows[i].mean))
    groups: list[list[int]] = []
    least = 0.0
    for i in rising:
        size = abs(rows[i].mean)
        if not groups or size > LARGEST_RATIO * least > 0:
            groups.append([])
            least = 0.0
        least = least or size
        groups[-1].append(i)
    return [[rows[i] for i in sorted(group)] for group in groups]


def published_number(row: Goal) -> float | None:
    """The published value as a number in the unit that is shown; None if it is no single number.

    >>> published_number(Goal("accuracy", [0.97], "%", "96.3 %"))
    96.3
    >>> published_number(Goal("skew", [-0.7], "", "-0.5 to -0.9")) is None
    True
    """
    found = PUBLISHED.fullmatch(row.published.strip())
    if found is None:
        return None
    rest = found["rest"].strip()
    if row.unit and rest.startswith(row.unit):
        rest = rest.removeprefix(row.unit).strip()
    elif row.unit == "%":  # a share, not a percentage
        return None
    if rest and rest[0] not in ",;(":
        return None
    return float(found["number"].replace(",", "").replace("−", "-"))


def _ends(row: Goal, scale: float) -> tuple[float, float]:
    """Mean ± standard deviation, or the interval."""
    if row.interval is not None:
        return scale * row.interval[0], scale * row.interval[1]
    around = row.sd or 0.0
    return scale * (row.mean - around), scale * (row.mean + around)


def _chart(name: str, title: str, rows: Sequence[Goal]) -> Chart:
    unit = rows[0].unit
    scale = 100.0 if unit == "%" else 1.0
    data: dict[str, list[dict[str, object]]] = {"ours": [], "seeds": [], "theirs": []}
    for i, row in enumerate(rows):
        mean, low, high = numbers([scale * row.mean, *_ends(row, scale)])
        place = {"i": i, "name": row.quantity}
        data["ours"].append({**place, "k": OURS, "x": mean, "a": low, "b": high})
        if len(row.ours) > 1:
            seeds = numbers(scale * np.asarray(row.ours, float))
            data["seeds"] += [{**place, "k": SEED, "x": value} for value in seeds]
        theirs = published_number(row)
        if theirs is not None:
            data["theirs"].append({**place, "k": THEIRS, "x": theirs, "t": row.published})
    alt = altair()
    x = alt.X("x:Q", title=unit or "value", scale=alt.Scale(zero=False))
    tip = [alt.Tooltip("name:N", title="quantity"), alt.Tooltip("x:Q", title=unit or "value")]
    style = series_style(alt, LEGEND, dash=False)
    y = alt.Y("i:O", title=None, axis=label_axis([row.quantity for row in rows]))
    ours = chart_of("ours").encode(y=y, **style)
    layers = [
        ours.mark_rule(strokeWidth=2).encode(x=alt.X("a:Q", title=unit or "value"), x2="b:Q"),
        ours.mark_point(filled=True, size=60).encode(x=x, tooltip=tip),
    ]
    if data["seeds"]:
        tick = chart_of("seeds").mark_tick(thickness=1)
        layers.insert(0, tick.encode(x=x, y=y, tooltip=tip, **style))
    if data["theirs"]:
        diamond = chart_of("theirs").mark_point(filled=True, size=90, shape="diamond")
        known = [*tip, alt.Tooltip("t:N", title="published")]
        layers.append(diamond.encode(x=x, y=y, tooltip=known, **style))
    drawing = alt.layer(*layers).add_params(chosen(alt))
    marks = sum(len(part) for part in data.values())
    return Chart(
        name,
        f"{title}{f' ({unit})' if unit else ''}",
        _words(rows, len(data["theirs"])),
        spec_of(drawing, data, marks),
        height=70 + 26 * len(rows),
        legend=LEGEND if data["theirs"] else LEGEND[:THEIRS],
    )


def _words(rows: Sequence[Goal], published: int) -> str:
    """What the chart shows."""
    goals = [row for row in rows if row.met is not None]
    met = sum(bool(row.met) for row in goals)
    text = f"{len(rows)} quantities, {published} of them with a published number."
    if goals:
        text += f" {met} of {len(goals)} goals are met."
    return f"{text} The table below has every number."
