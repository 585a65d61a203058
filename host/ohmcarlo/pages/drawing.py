"""Parts of charts: Altair, data, the style of series, axes and tables.

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
from .content import CHOSEN, LegendEntry, Table, clean

MAX_ROWS = 200  # of the table beside a chart
MAX_SVG_MARKS = 3000  # more are drawn on a canvas
LABEL = 40  # characters of a label beside an axis; the table has all of them


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


def told_apart(entries: tuple[LegendEntry, ...]) -> tuple[LegendEntry, ...]:
    """The legend, which a single series does not need."""
    return entries if len(entries) > 1 else ()


def short(table: Table) -> Table | None:
    """The table, if a reader can take it in."""
    return table if len(table.rows) <= MAX_ROWS else None


def finite(values: ArrayLike) -> NDArray[np.float64]:
    flat = np.asarray(values, float).ravel()
    return flat[np.isfinite(flat)]


def text_of(value: Any) -> str:
    """A number of ``numbers`` as text."""
    return "" if value is None else f"{value:,}" if isinstance(value, int) else f"{value:g}"
