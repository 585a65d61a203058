"""Charts of a number for each name: dots of several series, with limits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from numpy.typing import ArrayLike

from ..pictures.style import ORANGE
from .charts import altair, chart_of, chosen, label_axis, series_style, short, spec_of, told_apart
from .content import Chart, Table
from .series import legend, numbers


def dots(
    name: str,
    title: str,
    description: str,
    labels: Sequence[str],
    series: Mapping[str, ArrayLike],
    *,
    axis: str,
    limit: tuple[str, float] | None = None,
    what: str = "",
) -> Chart:
    """A dot for each label and series, (n,) values of a series by its label.

    ``limit``: meaning and place of an upright line. ``what`` is the heading of the labels.
    """
    alt = altair()
    entries = legend(list(series))
    columns = {label: numbers(values) for label, values in series.items()}
    rows = [
        {"i": i, "k": k, "name": label, "of": of, "x": values[i]}
        for k, (of, values) in enumerate(columns.items())
        for i, label in enumerate(labels)
    ]
    marks = (
        chart_of("rows")
        .mark_point(filled=True, size=70)
        .encode(
            x=alt.X("x:Q", title=axis, scale=alt.Scale(zero=False)),
            y=alt.Y("i:O", title=None, axis=label_axis(labels)),
            shape=alt.Shape("k:N", legend=None),
            tooltip=[
                alt.Tooltip("name:N", title=what or "of"),
                alt.Tooltip("of:N", title="series"),
                alt.Tooltip("x:Q", title=axis),
            ],
            **series_style(alt, entries, dash=False),
        )
        .add_params(chosen(alt))
    )
    layers: list[Any] = [marks]
    datasets: dict[str, list[dict[str, Any]]] = {"rows": rows}
    if limit is not None:
        datasets["limit"] = [{"x": limit[1], "name": limit[0]}]
        layers.insert(
            0,
            chart_of("limit")
            .mark_rule(color=ORANGE, strokeDash=[4, 3], strokeWidth=2)
            .encode(
                x="x:Q",
                tooltip=[alt.Tooltip("name:N", title="line"), alt.Tooltip("x:Q", title="at")],
            ),
        )
    table = Table(
        (what, *series),
        tuple(
            (label, *(_text(values[i]) for values in columns.values()))
            for i, label in enumerate(labels)
        ),
    )
    return Chart(
        name,
        title,
        description,
        spec_of(alt.layer(*layers), datasets, len(rows)),
        short(table),
        height=max(120, 60 + 22 * len(labels)),
        legend=told_apart(entries),
    )


def _text(value: Any) -> str:
    return "" if value is None else f"{value:,}"
