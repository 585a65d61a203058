"""Charts of several layers over common axes: bands, curves, points with intervals, limits.

The functions of ``charts`` draw one kind of mark. Here measured points, a fitted curve and its band
share their axes and a legend.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..pictures.style import GREY
from .charts import altair, chart_of, chosen, series_style, short, spec_of
from .content import Chart, LegendEntry, Table
from .series import legend, numbers


@dataclass(frozen=True)
class Axis:
    """An axis.

    Attributes
    ----------
    title : str
        With its unit.
    log : bool
    zero : bool
        It contains 0.
    domain : (float, float) or None
        None: that of the data.
    values : sequence of float
        Ticks; empty: the default.
    labels : sequence of str
        In place of the numbers of ``values``; empty: the numbers.
    """

    title: str
    log: bool = False
    zero: bool = False
    domain: tuple[float, float] | None = None
    values: Sequence[float] = ()
    labels: Sequence[str] = ()

    def channel(self, kind: Any, name: str) -> Any:
        """The channel ``altair.X`` or ``altair.Y`` of the field ``name``."""
        alt = altair()
        scale: dict[str, Any] = {"type": "log"} if self.log else {"zero": self.zero}
        if self.domain is not None:
            scale |= {"domain": list(self.domain), "nice": False}
        axis: dict[str, Any] = {"values": numbers(self.values)} if len(self.values) else {}
        if self.labels:
            import json

            places = json.dumps(dict(zip(map(str, axis["values"]), self.labels, strict=True)))
            axis["labelExpr"] = f"{places}[datum.value]"
        shown = alt.Axis(**axis) if axis else alt.Undefined
        return kind(f"{name}:Q", title=self.title, scale=alt.Scale(**scale), axis=shown)


@dataclass
class Layers:
    """A chart that grows layer by layer; ``chart`` ends it.

    Attributes
    ----------
    x, y : Axis
    labels : sequence of str
        Of the series, in the order of the legend. Every layer belongs to one of them.
    grey : sequence of str
        Series in grey, behind the others.

    Examples
    --------
    >>> layers = Layers(Axis("lag"), Axis("correlation"), ("measured", "fit"))
    >>> layers.points("measured", [1, 2], [0.3, 0.2])
    >>> layers.curve("fit", [1, 2], [0.31, 0.19])
    >>> chart = layers.chart("memory", "Memory of a device", "It falls from 0.3 to 0.2.")
    >>> [entry.label for entry in chart.legend]
    ['measured', 'fit']
    """

    x: Axis
    y: Axis
    labels: Sequence[str]
    grey: Sequence[str] = ()
    _layers: list[Any] = field(default_factory=list)
    _data: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    def band(self, label: str, x: ArrayLike, low: ArrayLike, high: ArrayLike) -> None:
        """The area between two curves over ``x``, (n,) each."""
        alt = altair()
        base = self._base(label, x=x, low=low, high=high)
        self._layers.append(
            base.mark_area(strokeWidth=0, fillOpacity=0.2, clip=True).encode(
                self.y.channel(alt.Y, "low"), y2="high:Q"
            )
        )

    def curve(self, label: str, x: ArrayLike, y: ArrayLike, steps: bool = False) -> None:
        """A curve over ``x``, (n,) each; ``steps``: it changes at each ``x``."""
        alt = altair()
        shape = {"interpolate": "step-after"} if steps else {}
        base = self._base(label, dashed=True, x=x, y=y)
        mark = base.mark_line(strokeWidth=2, clip=True, **shape)
        self._layers.append(mark.encode(self.y.channel(alt.Y, "y"), tooltip=self._tooltip()))

    def curves(self, label: str, x: ArrayLike, lines: ArrayLike, of: str) -> None:
        """Thin curves over ``x`` (n,): float (curves, n). ``of`` names what each belongs to."""
        alt = altair()
        lines = np.asarray(lines, float)
        places = np.repeat(np.arange(len(lines)), lines.shape[1])
        over = np.tile(np.asarray(x, float), len(lines))
        base = self._base(label, x=over, y=lines.ravel(), of=places)
        pointed = alt.selection_point(fields=["of"], on="pointerover", empty=False)
        mark = base.mark_line(clip=True).encode(
            self.y.channel(alt.Y, "y"),
            detail="of:N",
            strokeWidth=alt.condition(pointed, alt.value(3), alt.value(0.6)),
            tooltip=[alt.Tooltip("of:N", title=of), *self._tooltip()],
        )
        self._layers.append(mark.add_params(pointed))

    def points(
        self,
        label: str,
        x: ArrayLike,
        y: ArrayLike,
        ends: tuple[ArrayLike, ArrayLike] | None = None,
    ) -> None:
        """Points, (n,) each; ``ends``: the lower and the upper ends of their intervals."""
        alt = altair()
        shape = alt.Shape("k:N", legend=None, scale=alt.Scale(domain=list(range(len(self.labels)))))
        low, high = (y, y) if ends is None else ends
        base = self._base(label, x=x, y=y, low=low, high=high)
        tooltip = self._tooltip()
        if ends is not None:
            tooltip += [alt.Tooltip("low:Q"), alt.Tooltip("high:Q")]
            rule = base.mark_rule(strokeWidth=1.5, clip=True)
            self._layers.append(rule.encode(self.y.channel(alt.Y, "low"), y2="high:Q"))
        mark = base.mark_point(filled=True, size=45, clip=True)
        self._layers.append(mark.encode(self.y.channel(alt.Y, "y"), shape=shape, tooltip=tooltip))

    def limit(self, *, x: float | None = None, y: float | None = None) -> None:
        """A dashed line across the chart, at ``x`` or at ``y``."""
        alt = altair()
        base = self._plain([{"x": x, "y": y}])
        rule = base.mark_rule(strokeDash=[4, 3], color=GREY, strokeWidth=1.5)
        upright = self.x.channel(alt.X, "x")
        self._layers.append(rule.encode(self.y.channel(alt.Y, "y") if x is None else upright))

    def equal(self, low: float, high: float) -> None:
        """The dashed line of equal values."""
        alt = altair()
        base = self._plain([{"x": low, "y": low}, {"x": high, "y": high}])
        line = base.mark_line(strokeDash=[4, 3], color=GREY, strokeWidth=1.5)
        self._layers.append(line.encode(self.x.channel(alt.X, "x"), self.y.channel(alt.Y, "y")))

    def chart(
        self, name: str, title: str, description: str, table: Table | None = None, height: int = 280
    ) -> Chart:
        """The chart; ``table`` is left out if it is long."""
        alt = altair()
        entries = self._legend()
        drawing = alt.layer(*self._layers).add_params(chosen(alt))
        shown = None if table is None else short(table)
        names = entries if len(entries) > 1 else ()
        marks = sum(len(rows) for rows in self._data.values())
        spec = spec_of(drawing, self._data, marks)
        return Chart(name, title, description, spec, shown, height, names)

    def _base(self, label: str, dashed: bool = False, **columns: ArrayLike) -> Any:
        """An empty layer of a series, with the style of the series."""
        alt = altair()
        k = list(self.labels).index(label)
        cells = {name: numbers(column) for name, column in columns.items()}
        rows = [
            {"k": k, "name": label, **dict(zip(cells, row, strict=True))}
            for row in zip(*cells.values(), strict=True)
        ]
        style = series_style(alt, self._legend(), dash=dashed)
        return self._plain(rows).encode(self.x.channel(alt.X, "x"), **style)

    def _plain(self, rows: list[dict[str, Any]]) -> Any:
        """An empty layer of ``rows``, without a style."""
        name = f"layer-{len(self._data)}"
        self._data[name] = rows
        return chart_of(name)

    def _legend(self) -> tuple[LegendEntry, ...]:
        return tuple(
            LegendEntry(entry.label, GREY) if entry.label in self.grey else entry
            for entry in legend(self.labels)
        )

    def _tooltip(self) -> list[Any]:
        alt = altair()
        return [
            alt.Tooltip("name:N", title="series"),
            alt.Tooltip("x:Q", title=self.x.title),
            alt.Tooltip("y:Q", title=self.y.title),
        ]
