"""A page with every kind of chart, and with names that try to break it."""

from __future__ import annotations

import numpy as np

from ohmcarlo.pages import charts
from ohmcarlo.pages.content import Chart, Headline, HtmlPage, Section, Table, Tone

HOSTILE = [
    "<script>window.broken = 1</script>",
    'a.b[0]["x"]\'`${y}`\\',
    "µ & ]]> --> <!-- \0 \ud800 end",
    "a very long name " * 20,
    "</script><img src=x onerror=window.broken=1>",
]


def example_charts(steps: int = 300, size: int = 16) -> list[Chart]:
    """One chart of each kind; ``steps`` of four chains, an array of ``size`` × ``size``."""
    rng = np.random.default_rng(1)
    draws = rng.normal(size=(4, steps, len(HOSTILE)))
    q = np.quantile(draws.reshape(-1, len(HOSTILE)), [0.03, 0.25, 0.5, 0.75, 0.97], axis=0)
    grid = rng.lognormal(3, 0.3, (size, size))
    grid[3] = np.nan
    x = np.linspace(0, 1, 11)
    first, second, *_ = HOSTILE
    text = "What is seen, in words."
    return [
        charts.intervals("weights", first, text, HOSTILE, q[0], q[2], q[4], inner=(q[1], q[3])),
        charts.traces("trace", second, text, draws[..., 0], axis=second, burn_in=steps // 5),
        charts.ranks("ranks", "Ranks", text, draws[..., 1]),
        charts.heat_map("array", "Array", text, grid, axis="conductance (µS)",
                        hover={second: np.arange(size * size).reshape(size, size),
                               first: [HOSTILE[i % 5] for i in range(size)]}),
        charts.histogram("histogram", "Histogram", text, {name: rng.normal(size=50) for name in
                         HOSTILE}, axis=first, marks={second: 0.5}),
        charts.curve("curve", "Curve", text, x, {first: x**2, second: x}, x_axis=first,
                     y_axis=second, bands={first: (x - 0.1, x + 0.1)}, points=True),
        charts.bars("bars", "Bars", text, HOSTILE, [3, 1, 0.2, np.inf, 1], axis=second,
                    low=[2, 1, 0, 0, 0], high=[4, 2, 1, 1, 1], what=first),
        charts.scatter("scatter", "Scatter", text, {first: (x, x**2), second: (x, -x)},
                       x_axis=first, y_axis=second, ends={first: (x, x + 1)}, diagonal=True,
                       hover={first: [HOSTILE[i % 5] for i in range(11)]}),
    ]  # fmt: skip


def example_page(steps: int = 300, size: int = 16) -> HtmlPage:
    """A page with ``example_charts`` and every part of a section."""
    made = example_charts(steps, size)
    wide = Table(tuple(f"column {i}" for i in range(30)), (tuple(str(i**5) for i in range(30)),),
                 HOSTILE[0])  # fmt: skip
    few = Table((HOSTILE[1],), ((HOSTILE[2],),), folded=HOSTILE[0])
    return HtmlPage(
        HOSTILE[0],
        HOSTILE[1],
        Headline(Tone.CAUTION, "look closer", (HOSTILE[2], "97.2 % of the cases are right.")),
        (
            Section("first", HOSTILE[0], tuple(HOSTILE), [(name, name) for name in HOSTILE]),
            Section("drawn", "Drawings", charts=tuple(made[:4])),
            Section("folded", "Folded", charts=tuple(made[4:]), folded=True),
            Section("wide", "Tables", tables=(wide, few), code="ohmcarlo train toy2d " * 20),
        ),
    )
