"""Tables and pictures of a page about devices, from the response curves of its sweep.

    python -m ohmcarlo.sweeps.requirements docs/studies/device-requirements.csv docs/pictures

prints the tables in Markdown, and draws a picture of every parameter. The curves are those that
``ohmcarlo sweep`` writes as ``curves.csv``.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from ..pictures.canvas import write_pictures
from .curves import QUANTITIES, Estimate, Level, Line, Response, is_log, shown_name, shown_value
from .pictures import draw_response, file_name
from .summary import read_curves
from .thresholds import points_of, range_text

SHOWN = ("posterior-error", "accuracy", "ess", "energy", "settled", "settled-wrong")
"""Quantities of tables and pictures."""
HEADINGS = {
    "posterior-error": "posterior error [95 % interval]",
    "accuracy": "accuracy %",
    "ess": "ESS per 1,000 steps",
    "energy": "nJ per effective sample",
    "settled": "settled %",
    "settled-wrong": "settled, and off by more than 0.1, %",
}
PLACES = {"posterior-error": 3, "accuracy": 1, "ess": 0, "energy": 0, "settled": 0,
          "settled-wrong": 0}  # fmt: skip
FEW = 10.0
"""Smaller numbers of effective samples and energies have two digits."""


def level_table(response: Response, curves: Mapping[str, str]) -> str:
    """A Markdown table of the levels of one parameter; ``curves``: titles by label of the curve."""
    lines = [line for line in response.lines if line.label in curves]
    header = ["task", shown_name(response.parameter), "runs", *(HEADINGS[name] for name in SHOWN)]
    rows = [header, ["---"] * len(header)]
    for line in lines:
        rows += [[curves[line.label], *_cells(level)] for level in line.levels]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _cells(level: Level) -> Iterator[str]:
    done = level.cells - level.failed
    yield shown_value(level.value)
    yield f"{done}" if not level.failed else f"{done} of {level.cells}"
    for name in SHOWN:
        yield _estimate(name, level.estimates[name])


def _estimate(name: str, estimate: Estimate) -> str:
    if math.isnan(estimate.middle):
        return "–"
    small = name in ("ess", "energy") and estimate.middle < FEW
    middle = f"{estimate.middle:.2g}" if small else f"{estimate.middle:,.{PLACES[name]}f}"
    if name != SHOWN[0] or math.isnan(estimate.low):
        return middle
    return f"{middle} [{estimate.low:.3f}, {estimate.high:.3f}]"


def requirement_table(found: Sequence[Response], curves: Mapping[str, str]) -> str:
    """A Markdown table: the levels of each parameter at which the posterior is within 5 %."""
    titles = list(dict.fromkeys(curves.values()))
    rows = [["parameter", *titles], ["---"] * (1 + len(titles))]
    for response in found:
        shown = {curves[line.label]: line for line in response.lines if line.label in curves}
        if shown:
            texts = [requirement(shown[title]) if title in shown else "–" for title in titles]
            rows.append([f"`{shown_name(response.parameter)}`", *texts])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def requirement(line: Line) -> str:
    """The levels of a curve that are within 5 %, as text."""
    levels = [point.level for point in points_of(line)]
    return range_text(line, bool(levels) and is_log(levels))


def error_table(response: Response) -> str:
    """A Markdown table of the posterior error over a parameter (columns), by curve (rows)."""
    values = response.values
    header = ["", *map(shown_value, values)]
    rows = [header, ["---"] * len(header)]
    for line in response.lines:
        known = {shown_value(v.value): v.estimates[SHOWN[0]] for v in line.levels}
        cells = [known.get(shown_value(value)) for value in values]
        texts = ["" if e is None or math.isnan(e.middle) else f"{e.middle:.3f}" for e in cells]
        rows.append([line.label, *texts])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("curves", type=Path, help="curves.csv of a sweep")
    parser.add_argument("pictures", type=Path, nargs="?", help="folder for the pictures")
    arguments = parser.parse_args()
    found = read_curves(arguments.curves)
    for response in found:
        labels = {line.label: line.label for line in response.lines}
        print(f"\n## {shown_name(response.parameter)}\n\n{level_table(response, labels)}")
    if arguments.pictures is not None:
        shown = [quantity for quantity in QUANTITIES if quantity.name in SHOWN]
        prefix = arguments.curves.stem
        pictures = {
            f"{prefix}-{file_name(one.parameter)}": draw_response(one, shown) for one in found
        }
        write_pictures(arguments.pictures, pictures)


if __name__ == "__main__":
    main()
