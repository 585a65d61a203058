"""A recording from readings: choose, screen, order. Every format that has readings uses this."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from ..errors import UsageError
from ..readable import count
from .conditions import chosen, level_of, single_condition
from .levels import by_compliance, without_jitter
from .plausible import check_normalised, check_order, check_units, without_copies
from .quantities import QUANTITIES, TARGET
from .readings import Readings, names_in_order
from .recording import Recording
from .screening import (
    check_direction,
    check_range,
    check_targets,
    marked,
    one_polarity,
    only_set,
    open_cells,
)
from .sweeps import arranged_repeats, arranged_sweeps, is_swept, rising_half, rounded

LISTED = 3  # lines in a message


def recording_of(readings: Readings, where: Mapping[str, str] | None = None) -> Recording:
    """SET pulses under one condition, of ``readings``.

    ``where`` chooses conditions by the keys of ``quantities.QUANTITIES``, as in
    ``{"vbl": "2.0", "width": "100ns"}``, or by the other columns of the file.

    Raises UsageError for a RESET sweep, for several conditions, for conductances that no device
    has, and for a file with too many lines that cannot be read. Single bad lines, devices and
    sweeps are left out, and are listed in ``Recording.left_out``.
    """
    readings = marked(without_copies(only_set(chosen(readings, where or {}))))
    check_units(readings)
    check_order(readings)
    readings, noise = _first_reads(readings)
    readings, compliance_v = by_compliance(readings)
    readings, level = level_of(readings)
    known = np.isfinite(readings.quantities[level])
    readings = one_polarity(readings.without(~known, "no level"), level)
    readings = without_jitter(readings, level)
    good = readings.only(readings.problem == "")
    check_range(good)
    if level == TARGET:
        check_targets(good)
    check_normalised(good)
    readings, conditions = single_condition(readings, level)
    check_direction(readings.only(readings.problem == ""), level)
    readings, silent = open_cells(readings)
    readings = rising_half(readings, level)
    swept = is_swept(readings, level)
    readings, cycle = (arranged_sweeps if swept else arranged_repeats)(readings, level)
    if len(np.unique(rounded(readings.quantities[level], level))) < 2:
        raise UsageError(_too_little(readings, level))
    recording = _recorded(readings, level, cycle, conditions, silent, noise)
    return replace(recording, compliance_v=compliance_v)


def _recorded(
    readings: Readings,
    level: str,
    cycle: np.ndarray,
    conditions: dict[str, float],
    silent: tuple[str, ...],
    noise: float | None,
) -> Recording:
    devices, device = names_in_order(readings.device)
    quantity = QUANTITIES[level]
    phrases = (
        *readings.recognised,
        f"{quantity.words} varies",
        *(f"{QUANTITIES[n].words} {v:.6g} {QUANTITIES[n].unit}" for n, v in conditions.items()),
    )
    return Recording(
        source=readings.source,
        format=readings.format,
        devices=devices,
        device=device,
        level=rounded(readings.quantities[level], level),
        unit=quantity.unit,
        swept=quantity.words,
        cycle=cycle,
        after_us=readings.after_us,
        before_us=readings.before_us,
        line=readings.line,
        silent=silent,
        conditions=conditions,
        left_out=readings.left_out,
        read_noise_rel=noise,
        recognised=tuple(phrase for phrase in phrases if phrase),
    )


def _first_reads(readings: Readings) -> tuple[Readings, float | None]:
    """One read of each state, and the noise of a read, fraction of the conductance.

    The noise comes from successive reads, so that drift does not count as noise.
    """
    if not readings.read.any():
        return readings, None
    order = np.argsort(names_in_order(readings.device)[1], kind="stable")
    g, number = readings.after_us[order], readings.read[order]
    pair = (np.diff(number) == 1) & np.isfinite(g[1:]) & np.isfinite(g[:-1])
    square = ((g[1:] + g[:-1])[pair] / 2) ** 2
    first = readings.only(readings.read == 0)
    if not pair.any() or not square.sum():
        return first, None
    noise = float(np.sqrt((np.diff(g)[pair] ** 2).sum() / 2 / square.sum()))
    return replace(first, left_out=readings.left_out), noise


def _too_little(readings: Readings, level: str) -> str:
    left = max(readings.left_out, key=lambda entry: len(entry.lines), default=None)
    why = f": {left.reason} ({count(len(left.lines), 'line')})" if left else ""
    levels = len(np.unique(readings.quantities[level]))
    what = f"usable pulses at {count(levels, 'level')} only" if levels else "no usable pulse"
    return f"{readings.source} holds {what}{why}; at least two targets or voltages are needed"


def describe_left_out(recording: Recording) -> str:
    """What was left out, in one line; empty if nothing was.

    >>> describe_left_out(recording)                                           # doctest: +SKIP
    'left out: instrument overload: 2 lines of 2 devices (17 of A1, 60 of B3)'
    """
    reasons: dict[str, list[tuple[int, str]]] = {}
    for left in recording.left_out:
        lines = [(line, left.device) for line in left.lines]
        reasons.setdefault(left.reason, []).extend(lines)
    parts = [f"{reason}: {_lines_text(sorted(lines))}" for reason, lines in reasons.items()]
    return f"left out: {'; '.join(parts)}" if parts else ""


def _lines_text(lines: list[tuple[int, str]]) -> str:
    """Number and first ones of lines, with their devices."""
    names = {name for _, name in lines}
    more = ", …" if len(lines) > LISTED else ""
    if len(names) == 1:
        of = f" of device {names.pop()}" if lines[0][1] else ""
        first = ", ".join(str(line) for line, _ in lines[:LISTED])
        return f"{count(len(lines), 'line')}{of} ({first}{more})"
    first = ", ".join(f"{line} of {name}" for line, name in lines[:LISTED])
    return f"{count(len(lines), 'line')} of {count(len(names), 'device')} ({first}{more})"
