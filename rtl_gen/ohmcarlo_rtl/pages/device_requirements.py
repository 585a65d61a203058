"""The tables and pictures of ``docs/device-requirements.md``, from the curves of its sweeps.

``python -m ohmcarlo_rtl.pages`` renews the tables, and ``python -m
ohmcarlo_rtl.pages.device_requirements`` the pictures. Neither needs a run: both read the sweep
files, and ``*.csv`` beside them. ``python -m ohmcarlo_rtl.pages.device_requirements FOLDER ...``
first takes the latter from the folders of the sweeps: the part of ``curves.csv`` that the page
uses.
"""

from __future__ import annotations

import argparse
import csv
import io
import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ohmcarlo.errors import OhmcarloError
from ohmcarlo.sweeps.curve_file import HEADER, HIGH, LOW, PARAMETER, read_curves
from ohmcarlo.sweeps.curves import (
    QUANTITIES,
    Estimate,
    Level,
    Line,
    Response,
    is_log,
    shown_name,
    shown_value,
)
from ohmcarlo.sweeps.description import read_description
from ohmcarlo.sweeps.folder import CURVES
from ohmcarlo.sweeps.thresholds import points_of, range_text

from ..markdown import markdown_table
from ..sources import REPOSITORY, require_checkout

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PAGE = REPOSITORY / "docs" / "device-requirements.md"
STUDIES = REPOSITORY / "docs" / "studies"
PICTURES = REPOSITORY / "docs" / "pictures" / "devices"
MODEL, MEASURED = "device-requirements", "device-requirements-measured"
TITLES = {"breast-cancer": "WDBC, 16 weights", "toy2d": "toy2d, 3 weights"}
"""Titles of the two tasks."""
SHOWN = ("posterior-error", "accuracy", "ess", "energy", "settled", "settled-wrong")
HEADINGS = (
    "posterior error [95 % interval]",
    "accuracy %",
    "ESS per 1,000 steps",
    "nJ per effective sample",
    "settled %",
    "settled, but above 0.1, %",
)
PLACES = (3, 1, 0, 0, 0, 0)
SMALL = 10.0
"""Smaller numbers of effective samples and energies have two digits."""
MEANINGS = {
    "preset.c2c_rel": "C2C spread, fraction of g",
    "preset.c2c_device_ln": "difference of that spread between devices, ln",
    "preset.d2d_rel": "D2D spread, fraction of g",
    "preset.slow_share": "correlated share of the C2C variance",
    "preset.slow_phi": "correlation from cycle to cycle",
    "preset.read_noise_rel": "read noise, fraction of g",
    "preset.stuck_fraction": "stuck share of the devices",
    "rows": "rows",
    "preset.wire_ohm": "line resistance, Ω per cell",
    "steps": "steps of each of four chains",
}
"""Parameters of the closing table, in its order."""

CONSTANTS = {
    "preset.c2c_rel": 0.102,
    "preset.c2c_device_ln": 0.333,
    "preset.d2d_rel": 0.103,
    "preset.slow_share": 0.283,
    "preset.slow_phi": 0.994,
    "preset.stuck_fraction": 0.0,
}
"""Of the 50 measured cells at 115 µS, by ``characterize --fit``."""
PAIRS = {
    "share_rows": ("preset.slow_share", "rows"),
    "share_steps": ("preset.slow_share", "steps"),
    "share_phi": ("preset.slow_share", "preset.slow_phi"),
    "c2c_d2d": ("preset.d2d_rel", "preset.c2c_rel"),
    "c2c_read": ("preset.read_noise_rel", "preset.c2c_rel"),
    "wire_rows": ("preset.wire_ohm", "rows"),
}
FITTED = "array physics, preset set-sweep-wl-inner-5-31-20.csv, slow_share "
MEASURED_LINES = {
    "reference": "50 measured cells",
    "trim no": "the same, no trim",
    f"{FITTED}0.282855, c2c_device_ln 0.332567": "device model, fitted constants",
    f"{FITTED}0.1, c2c_device_ln 0.332567": "the same, share 0.1",
    f"{FITTED}0.282855, c2c_device_ln 0": "device model, spreads alike",
    "array physics, preset rram-1t1r, slow_share 0.285, c2c_device_ln 0": "`rram-1t1r`",
    "array physics, preset stress, slow_share 0.5, c2c_device_ln 0.54": "`stress`",
}
"""Titles of the curves over the task."""


@cache
def curves(name: str) -> dict[str, Response]:
    """The response curves of a study, by parameter."""
    return {response.parameter: response for response in read_curves(STUDIES / f"{name}.csv")}


@cache
def reference() -> dict[str, float]:
    """The base of the sweep file, by parameter."""
    base = read_description(STUDIES / f"{MODEL}.toml").base
    return {parameter: base[parameter] for parameter in MEANINGS}


def tables() -> dict[str, str]:
    """The tables of the page, by the names of their markers."""
    found = curves(MODEL)
    made = {_marker(name): level_table(found[name]) for name in (*MEANINGS, "trim", "kernel")}
    return {**made, "requirements": requirements(), **_interactions(), **_measured()}


def _marker(parameter: str) -> str:
    return f"levels_{shown_name(parameter)}"


def level_table(response: Response) -> str:
    """The levels of one parameter, for both tasks at the reference."""
    rows = [
        (title, *_cells(level))
        for title, line in zip(TITLES.values(), response.lines, strict=False)
        for level in line.levels
    ]
    return markdown_table(("task", shown_name(response.parameter), "runs", *HEADINGS), rows)


def _cells(level: Level) -> Iterator[str]:
    done = level.cells - level.failed
    yield shown_value(level.value)
    yield f"{done}, {level.failed} failed" if level.failed else f"{done}"
    for name, places in zip(SHOWN, PLACES, strict=True):
        yield estimate_text(level.estimates[name], places, name == SHOWN[0])


def estimate_text(estimate: Estimate, places: int, interval: bool = False) -> str:
    """A mean, with its interval if wanted.

    >>> estimate_text(Estimate(0.0512, 0.04, 0.06), 3, interval=True)
    '0.051 [0.040, 0.060]'
    """
    if math.isnan(estimate.middle):
        return "–"
    small = places == 0 and 0 < estimate.middle < SMALL
    middle = f"{estimate.middle:.2g}" if small else f"{estimate.middle:,.{places}f}"
    if not interval or math.isnan(estimate.low):
        return middle
    return f"{middle} [{estimate.low:.{places}f}, {estimate.high:.{places}f}]"


def requirements() -> str:
    """The levels of every parameter for a posterior within 5 %, for both tasks."""
    found = curves(MODEL)
    rows = []
    for parameter, meaning in MEANINGS.items():
        texts = [requirement(line) for line in found[parameter].lines[: len(TITLES)]]
        rows.append((meaning, f"`{shown_name(parameter)}`", *texts))
    return markdown_table(("quantity", "parameter", *TITLES.values()), rows)


def requirement(line: Line) -> str:
    """The levels of a curve that are within 5 %."""
    levels = [point.level for point in points_of(line) if not point.failed]
    return range_text(line, bool(levels) and is_log(levels))


def error_table(response: Response, lines: Sequence[Line], heading: str) -> str:
    """Posterior errors over the levels of a parameter, a line for each curve."""
    values = [v for v in response.values if any(v == x.value for n in lines for x in n.levels)]
    rows = []
    for line in lines:
        known = {shown_value(v.value): _error_text(v) for v in line.levels}
        rows.append((line.label, *(known.get(text, "") for text in map(shown_value, values))))
    return markdown_table((heading, *map(shown_value, values)), rows)


def _error_text(level: Level) -> str:
    """The posterior error of a level, and how many runs failed."""
    if level.failed == level.cells:
        return "failed"
    text = estimate_text(level.estimates[SHOWN[0]], 3)
    return f"{text} ({level.failed} of {level.cells} failed)" if level.failed else text


def _interactions() -> dict[str, str]:
    """Posterior errors of combinations, on the larger task."""
    made = {}
    for name, (across, down) in PAIRS.items():
        response, key = curves(MODEL)[across], shown_name(down)
        lines = [response.lines[0], *(n for n in response.lines if _only(n, key))]
        named = [replace(line, label=_value(line, key, reference()[down])) for line in lines]
        wanted = sorted(named, key=lambda line: float(line.label.replace(",", "")))
        heading = f"`{key}` (down), `{shown_name(across)}` (across)"
        made[name] = error_table(response, wanted, heading)
    return made


def _only(line: Line, key: str) -> bool:
    """Whether a curve differs from the reference in this parameter only."""
    return line.label.startswith(f"{key} ") and ", " not in line.label


def _value(line: Line, key: str, reference: float) -> str:
    """The value of a parameter of a curve."""
    return line.label.removeprefix(f"{key} ") if _only(line, key) else shown_value(reference)


def predicted(constants: Mapping[str, float], task: int) -> float:
    """The posterior error of devices with these constants, from the curves of single parameters.

    Squares of errors add: to the square at the reference, every parameter adds the difference that
    its level makes, interpolated. ``task``: its place in ``TITLES``.
    """
    square = _error(next(iter(constants)), None, task) ** 2
    for parameter, level in constants.items():
        square += _error(parameter, level, task) ** 2 - _error(parameter, None, task) ** 2
    return math.sqrt(max(square, 0.0))


def _error(parameter: str, level: float | None, task: int) -> float:
    """The posterior error at a level, at the reference for None."""
    every = points_of(curves(MODEL)[parameter].lines[task])
    points = [point for point in every if math.isfinite(point.estimate.middle)]
    x = reference()[parameter] if level is None else level
    return float(np.interp(x, [p.level for p in points], [p.estimate.middle for p in points]))


def _measured() -> dict[str, str]:
    """Predicted and reached errors of the measured cells, and of models of them."""
    found = curves(MEASURED)["task"]
    rows = []
    for label, title in MEASURED_LINES.items():
        line = next(line for line in found.lines if line.label == label)
        for level in line.levels:
            _, *texts = _cells(level)
            rows.append((title, TITLES[level.value], *texts))
    head = ("array", "task", "runs", *HEADINGS)
    constants = [
        (f"`{shown_name(name)}`", f"{value:g}", f"{reference()[name]:g}",
         *(f"{_error(name, value, task):.3f}" for task in range(len(TITLES))))
        for name, value in CONSTANTS.items()
    ]  # fmt: skip
    replay = {n: v for n, v in CONSTANTS.items() if n != "preset.slow_phi"}
    replay["preset.slow_share"] = 0.0
    for title, of in (("together", CONSTANTS), ("together, without correlation", replay)):
        sums = (f"{predicted(of, task):.3f}" for task in range(len(TITLES)))
        constants.append((title, "", "", *sums))
    return {
        "measured": markdown_table(head, rows),
        "predicted": markdown_table(
            ("constant", "50 measured cells", "reference", *TITLES.values()), constants
        ),
    }


def picture(parameter: str) -> Figure:
    """The response of both tasks to a parameter."""
    from ohmcarlo.sweeps.pictures import draw_response

    response = curves(MODEL)[parameter]
    lines = tuple(
        replace(line, label=title)
        for title, line in zip(TITLES.values(), response.lines, strict=False)
    )
    shown = [quantity for quantity in QUANTITIES if quantity.name in SHOWN[:5]]
    order = sorted(shown, key=lambda quantity: SHOWN.index(quantity.name))
    return draw_response(replace(response, lines=lines), order[:4], columns=4)


def write_pictures(folder: Path = PICTURES) -> list[Path]:
    """Draw a picture of every parameter as SVG; returns the paths."""
    import matplotlib as mpl

    from ohmcarlo.sweeps.pictures import file_name

    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": MODEL}):
        for parameter in MEANINGS:
            path = folder / f"{file_name(parameter)}.svg"
            picture(parameter).savefig(path, format="svg", metadata={"Date": None})
            paths.append(path)
    return paths


def kept(text: str, name: str) -> str:
    """The part of the curves of a sweep that the page uses, as CSV."""
    rows = list(csv.DictReader(io.StringIO(text)))
    wanted = [*HEADER, *SHOWN, *(SHOWN[0] + end for end in (LOW, HIGH))]
    names = [column for column in rows[0] if column in wanted] if rows else list(HEADER)
    out = io.StringIO()
    writer = csv.DictWriter(out, names, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(row for row in rows if (row[PARAMETER] == "task") == (name == MEASURED))
    return out.getvalue()


def main(arguments: list[str] | None = None) -> int:
    """Exit code 0: done; 2: bad use."""
    parser = argparse.ArgumentParser(
        prog="python -m ohmcarlo_rtl.pages.device_requirements",
        description="Renew the pictures of docs/device-requirements.md.",
    )
    parser.add_argument(
        "folders", nargs="*", type=Path, metavar="FOLDER", help="of the sweeps: take their curves"
    )
    options = parser.parse_args(arguments)
    try:
        require_checkout("the documentation")
        for folder in options.folders:
            text = (folder / CURVES).read_text(encoding="utf-8")
            path = STUDIES / f"{folder.name}.csv"
            path.write_text(kept(text, folder.name), encoding="utf-8", newline="\n")
        for path in write_pictures():
            print(f"wrote {path.relative_to(REPOSITORY)}: {path.stat().st_size:,} bytes")
    except (OhmcarloError, OSError) as error:
        print(f"ohmcarlo_rtl.pages.device_requirements: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
