"""The comparison as Markdown tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .measuring import RHAT_LIMIT, Row

GOLDEN, FAST_GOLDEN = "golden model, defaults", "golden model, small rho"
BOARD, FAST_BOARD = "ULX3S, defaults", "ULX3S, small rho"
LINE = "ULX3S, defaults, records over its serial line"
NUMPYRO, NUTPIE = "NumPyro NUTS", "nutpie NUTS"
BLACKJAX, HMC = "BlackJAX NUTS", "BlackJAX HMC"
OTHERS = (NUMPYRO, NUTPIE, BLACKJAX, HMC)
GOALS = {GOLDEN: 4.0, FAST_GOLDEN: 4.0, BOARD: 6.0, FAST_BOARD: 6.0}
"""Wanted multiples of the bulk effective samples per second of NumPyro's NUTS."""
MARK = " \\*"
RATES = (
    ("bulk", True),
    ("bulk_median", False),
    ("tail", False),
    ("bulk_all", False),
    ("bulk_first", False),
)


@dataclass(frozen=True)
class Result:
    """The rows of a problem; ``title`` and ``points`` identify it."""

    title: str
    points: int
    rows: tuple[Row, ...]

    def row(self, name: str) -> Row | None:
        return next((row for row in self.rows if row.name == name), None)

    def ratio(self, name: str, other: str, rate: str) -> float | None:
        """Median ratio of two samplers; None if one of them was not measured."""
        mine, its = self.row(name), self.row(other)
        return None if mine is None or its is None else mine.over(its, rate)


def markdown(header: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    rows = [header, ["---"] * len(header), *lines]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def number(value: float) -> str:
    """A rate, rounded to three digits."""
    if value >= 1000:
        digits = max(len(str(int(value))) - 3, 0)
        return f"{round(value, -digits):,.0f}"
    return f"{value:.3g}"


def rates_table(result: Result) -> str:
    """Effective samples per second of every sampler on one problem."""
    header = (
        "sampler", "configuration", "bulk", "quartiles", "bulk, median weight", "tail",
        "bulk, adaptation included", "bulk, compilation included", "adaptation s", "R-hat",
    )  # fmt: skip
    return markdown(header, [_rates(row) for row in result.rows])


def _rates(row: Row) -> list[str]:
    cells = [row.name, row.configuration]
    for rate, spread in RATES:
        cells.append(number(row.median(rate)))
        if spread:
            cells.append(" to ".join(number(value) for value in row.quartiles(rate)))
    mark = "" if row.rhat < RHAT_LIMIT else MARK
    return [*cells, f"{row.median('adaptation'):.2g}", f"{row.rhat:.4f}{mark}"]


def ratios_table(results: Sequence[Result], rate: str) -> str:
    """``rate`` of the array as a multiple of that of every other sampler."""
    header = ("data", "points", "array", *(f"× {other}" for other in OTHERS))
    lines = []
    for result in results:
        for name in GOALS:
            if result.row(name) is None:
                continue
            ratios = [result.ratio(name, other, rate) for other in OTHERS]
            cells = ["–" if value is None else f"{value:.2g}" for value in ratios]
            lines.append([result.title, f"{result.points:,}", name, *cells])
    return markdown(header, lines)


def losses(results: Sequence[Result], rate: str) -> list[str]:
    """A line for each sampler of the array that another one surpasses."""
    found = []
    for result in results:
        for name in GOALS:
            behind = [
                f"{other} ({1 / value:.2g} ×)"
                for other in OTHERS
                if (value := result.ratio(name, other, rate)) is not None and value < 1
            ]
            if behind:
                found.append(f"- {result.title}: {name} is behind {', '.join(behind)}.")
    return found


def goals(results: Sequence[Result]) -> list[str]:
    """A line for each goal: on how many problems it is met."""
    found = []
    for name, wanted in GOALS.items():
        ratios = [r for result in results if (r := result.ratio(name, NUMPYRO, "bulk")) is not None]
        if ratios:
            met = sum(r >= wanted for r in ratios)
            verdict = "met" if met == len(ratios) else "missed"
            found.append(
                f"- {name}: goal of {wanted:g} × {NUMPYRO} {verdict} ({met} of {len(ratios)} "
                f"problems; {min(ratios):.2g} to {max(ratios):.2g} ×)."
            )
    return found


def costs_table(results: Sequence[Result], compiled: dict[str, dict[str, float]]) -> str:
    """Seconds of the processor to compile each sampler; ``compiled`` is by title and name."""
    names = sorted({name for times in compiled.values() for name in times})
    lines = [
        [result.title, *(f"{compiled[result.title].get(name, 0):.1f}" for name in names)]
        for result in results
    ]
    return markdown(("data", *names), lines)
