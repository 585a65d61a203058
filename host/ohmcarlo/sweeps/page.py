"""The page of a sweep: what its parameters do to the posterior, as response curves and maps."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import date

from .. import __version__
from ..pages.charts_response import Axis, Points, response, response_map
from ..pages.content import Chart, Headline, HtmlPage, Section, Tone
from ..pages.content import Table as PageTable
from ..readable import count, duration, first_few
from .curves import (
    POSTERIOR_ERROR,
    SEED,
    WITHIN,
    Estimate,
    Level,
    Line,
    Plane,
    Quantity,
    Response,
    are_numbers,
    is_log,
    planes,
    responses,
    shown_name,
    shown_value,
)
from .table import FAILED, FINISHED, MISSING, STATUS, Row, Table
from .thresholds import range_text

LIMIT = "within 5 %"
MOST_FAILED = 50
"""Lines of the table of failed cells."""
OPEN = 4
"""Parameters whose sections are open; those of further ones are folded."""
NEGLIGIBLE = 1.1
"""A parameter changes an error if the largest one is more than so many times the smallest."""


def page_of(table: Table, command: str = "", made: date | None = None) -> HtmlPage:
    """The page of a sweep, complete or not.

    ``command`` is the line that computed it; ``made``: the day, None: today.
    """
    found = responses(table.rows, table.swept, table.reference)
    maps = planes(table.rows, table.swept, table.reference)
    cells = count(len(table.rows), "cell")
    seeds = count(len({row.get(SEED) for row in table.rows}), "seed")
    return HtmlPage(
        title=f"Sweep: {table.name}",
        subtitle=f"{cells} · {seeds} · made on {made or date.today()}",
        headline=_headline(table.rows, found),
        sections=(
            *_within_section(found),
            *(_section(place, one) for place, one in enumerate(found)),
            *_map_section(maps),
            *_failed_section(table),
            _repeat(table, command),
        ),
    )


def axis_of(parameter: str, values: Sequence[object]) -> Axis:
    """The axis of a parameter with these levels."""
    levels = tuple(shown_value(value) for value in values)
    if not are_numbers(values):
        return Axis(shown_name(parameter), levels)
    numbers = tuple(float(value) for value in values)  # type: ignore[arg-type]
    return Axis(shown_name(parameter), levels, numbers, is_log(numbers))


# -- the headline ------------------------------------------------------------------------------


def _headline(rows: Sequence[Row], found: Sequence[Response]) -> Headline:
    states = Counter(row[STATUS] for row in rows)
    failed, missing = states[FAILED], states[MISSING]
    lines = [f"{states[FINISHED]:,} of {count(len(rows), 'cell')} are finished."]
    if missing:
        lines.append(f"{missing:,} are not computed yet; the curves show what is there.")
    if failed:
        lines.append(f"{failed:,} failed. The last table lists their messages.")
    lines += _effects(found)
    if missing:
        return Headline(Tone.RUNNING, "incomplete", tuple(lines))
    tone = Tone.CAUTION if failed else Tone.GOOD
    return Headline(tone, "cells failed" if failed else "complete", tuple(lines))


def _effects(found: Sequence[Response]) -> Iterator[str]:
    """A sentence about the parameter that changes the posterior error most."""
    moved = []
    for one in found:
        errors = _errors(one.lines[0])
        if len(errors) > 1:
            moved.append((_change(errors), one, [error.middle for error in errors]))
    if not moved:
        return
    ratio, one, means = max(moved, key=lambda entry: entry[0])
    if ratio < NEGLIGIBLE:
        yield (
            "No parameter is shown to change the posterior error by more than "
            f"{NEGLIGIBLE - 1:.0%}."
        )
        return
    yield (
        f"The posterior error depends most on {shown_name(one.parameter)}: it is between "
        f"{min(means):.3f} and {max(means):.3f} posterior sd over its levels."
    )


def _change(errors: Sequence[Estimate]) -> float:
    """The ratio of two levels that their intervals leave: largest lower to smallest upper end.

    A level without an interval counts with its mean.
    """
    lows = [e.middle if math.isnan(e.low) else e.low for e in errors]
    highs = [e.middle if math.isnan(e.high) else e.high for e in errors]
    return max(lows) / min(highs) if min(highs) > 0 else 0.0


def _errors(line: Line) -> list[Estimate]:
    every = [level.estimates[POSTERIOR_ERROR.name] for level in line.levels]
    return [error for error in every if math.isfinite(error.middle)]


def _within_section(found: Sequence[Response]) -> Iterator[Section]:
    """The levels of every curve that are within 5 %."""
    rows = [
        (shown_name(one.parameter), line.label, range_text(line, _is_log(one)))
        for one in found
        if POSTERIOR_ERROR in one.quantities()
        for line in one.lines
    ]
    if rows:
        yield Section(
            "within",
            "Levels for a posterior within 5 %",
            sentences=(
                "The mean error crosses the limit at these levels, interpolated between those that "
                "were computed. The two levels in brackets are those at which the ends of the 95 % "
                "intervals cross it. At all levels without a further word, the intervals are "
                "within the limit, too. A level of which cells failed is not within.",
            ),
            tables=(PageTable(("parameter", "curve", "levels"), tuple(rows)),),
        )


def _is_log(response: Response) -> bool:
    values = response.values
    return are_numbers(values) and is_log(values)


# -- curves ------------------------------------------------------------------------------------


def _section(place: int, found: Response) -> Section:
    sentences = [
        "Dots are means over the seeds, with 95 % intervals. Means of energy and effective samples "
        "are geometric. An interval that reaches the edge of a chart is longer; its ends are among "
        "the numbers of the chart."
    ]
    if found.left_out:
        more = count(found.left_out, "further curve")
        sentences.append(f"The charts leave out {more}, whose cells are in the table of the sweep.")
    if found.failed:
        sentences.append(_failures(found))
    return Section(
        f"parameter-{place}",
        shown_name(found.parameter),
        sentences=tuple(sentences),
        charts=tuple(_chart(f"curve-{place}", found, quantity) for quantity in found.quantities()),
        folded=place >= OPEN,
    )


def _failures(found: Response) -> str:
    """The share of failed cells of every level that has some."""
    shares = []
    for value in found.values:
        here = [v for line in found.lines for v in line.levels if v.value == value]
        failed, cells = sum(v.failed for v in here), sum(v.cells for v in here)
        if failed:
            shares.append(f"{shown_value(value)} ({failed:,} of {cells:,})")
    return f"Failed cells, by level of {shown_name(found.parameter)}: {first_few(shares)}."


def _chart(name: str, found: Response, quantity: Quantity) -> Chart:
    values = found.values
    lines = {
        line.label: _points(line, values, quantity)
        for line in found.lines
        if any(math.isfinite(level.estimates[quantity.name].middle) for level in line.levels)
    }
    limit = None if quantity.limit is None else (LIMIT, quantity.limit)
    return response(
        f"{name}-{quantity.name}",
        _title(quantity, shown_name(found.parameter)),
        _words(found, quantity),
        axis_of(found.parameter, values),
        lines,
        y_axis=quantity.axis,
        log_y=quantity.log,
        limit=limit,
    )


def _title(quantity: Quantity, over: str) -> str:
    return f"{quantity.title[:1].upper()}{quantity.title[1:]} over {over}"


def _points(line: Line, values: Sequence[object], quantity: Quantity) -> Points:
    places = {shown_value(value): place for place, value in enumerate(values)}
    levels = list(line.levels)
    estimates = [level.estimates[quantity.name] for level in levels]
    return Points(
        tuple(places[shown_value(level.value)] for level in levels),
        tuple(e.middle for e in estimates),
        tuple(e.low for e in estimates),
        tuple(e.high for e in estimates),
        tuple(map(_note, levels)),
    )


def _note(level: Level) -> str:
    failed = f", {level.failed:,} failed" if level.failed else ""
    return f"{level.cells:,}{failed}"


def _words(found: Response, quantity: Quantity) -> str:
    """The ends of the first curve, and where it crosses the limit."""
    line = found.lines[0]
    known = [
        (level.value, level.estimates[quantity.name])
        for level in line.levels
        if math.isfinite(level.estimates[quantity.name].middle)
    ]
    if not known:
        return "The first curve has no value. The table has those of the others."
    (first, a), (last, b) = known[0], known[-1]
    which = "" if len(found.lines) == 1 else f" ({line.label})"
    text = (
        f"{shown_name(found.parameter)} {shown_value(first)}: {_number(a)}; {shown_value(last)}: "
        f"{_number(b)} {quantity.unit}".rstrip()
    )
    text = f"{text}{which}."
    if quantity.limit is not None:
        inside = sum(level.is_within(quantity.limit) for level in line.levels)
        text += f" {inside} of {count(len(line.levels), 'level')} are within {quantity.limit:g}."
    return text


def _number(estimate: Estimate) -> str:
    if math.isnan(estimate.low):
        return f"{estimate.middle:.3g}"
    return f"{estimate.middle:.3g} ({estimate.low:.3g} to {estimate.high:.3g})"


# -- maps, failures, command -------------------------------------------------------------------


def _map_section(found: Sequence[Plane]) -> Iterator[Section]:
    if found:
        yield Section(
            "together",
            "Parameters together",
            sentences=("Each field is the mean over the seeds. Empty fields were not computed.",),
            charts=tuple(_map(place, plane) for place, plane in enumerate(found)),
        )


def _map(place: int, plane: Plane) -> Chart:
    quantity = plane.quantity
    known = {at: e.middle for at, e in plane.estimates.items() if math.isfinite(e.middle)}
    where = f" ({plane.label})" if plane.label else ""
    least, most = (pick(known, key=known.__getitem__) for pick in (min, max))
    text = f"From {_field(plane, least)} to {_field(plane, most)}."
    if quantity.limit is not None:
        inside = sum(v <= quantity.limit and at not in plane.failed for at, v in known.items())
        fields = count(len(plane.estimates), "field")
        text += f" {inside} of {fields} are within {quantity.limit:g}."
    if plane.failed:
        text += f" Cells of {count(len(plane.failed), 'field')} failed."
    names = f"{shown_name(plane.y)} and {shown_name(plane.x)}"
    return response_map(
        f"map-{place}",
        _title(quantity, f"{names}{where}"),
        text,
        axis_of(plane.x, plane.x_values),
        axis_of(plane.y, plane.y_values),
        known,
        axis=quantity.axis,
    )


def _field(plane: Plane, at: tuple[int, int]) -> str:
    y, x = shown_value(plane.y_values[at[0]]), shown_value(plane.x_values[at[1]])
    value = plane.estimates[at].middle
    return f"{value:.3g} ({shown_name(plane.y)} {y}, {shown_name(plane.x)} {x})"


def _failed_section(table: Table) -> Iterator[Section]:
    failed = [row for row in table.rows if row[STATUS] == FAILED]
    if not failed:
        return
    names = [name for name in table.swept if name != SEED]
    rows = tuple(
        (*(shown_value(row.get(n)) for n in (*names, SEED)), str(row.get("message") or ""))
        for row in failed[:MOST_FAILED]
    )
    shown = "" if len(failed) <= MOST_FAILED else f" The table has the first {MOST_FAILED}."
    yield Section(
        "failed",
        "Failed cells",
        sentences=(f"{count(len(failed), 'cell')} failed.{shown}",),
        tables=(PageTable((*map(shown_name, names), SEED, "message"), rows),),
    )


def _repeat(table: Table, command: str) -> Section:
    seconds = sum(row.get("seconds") or 0.0 for row in table.rows)
    return Section(
        "repeat",
        "How to repeat this",
        sentences=(
            "The same file gives the same numbers on the same version. The command computes only "
            "the cells that are missing.",
            "The posterior error compares the draws with the exact posterior. It is the larger of "
            "the error of the means, without its Monte Carlo error, and the error of the spreads, "
            f"each as root mean square over weights and seeds. The dashed line marks {WITHIN:g}.",
        ),
        facts=[
            ("version", f"ohmcarlo {__version__}"),
            ("time of all cells", duration(seconds)),
            ("reference", _reference(table)),
        ],
        code=command,
    )


def _reference(table: Table) -> str:
    shown = [
        f"{shown_name(name)} {shown_value(value)}"
        for name, value in table.reference.items()
        if name != SEED
    ]
    return ", ".join(shown) or "no parameter was swept"
