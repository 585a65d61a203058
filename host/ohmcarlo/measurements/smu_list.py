"""Lists of voltages and currents, as source-measure units and their programs save them.

Recognised are lists with a header that names a voltage and a current, at any line of the file:
Keithley 4200 (Clarius sheets saved as text), KickStart, the reading buffer of the 2450 family, and
tables that a program of the user wrote. Readings of the 2400 family have no header but five
numbers a line (voltage, current, resistance, time, status), those of the 2600 family two.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..errors import UsageError
from ..tables import LEAVE_OUT, Table, Text, is_missing, number, parse_table
from .columns import Role, cells_of, padded, plain, roles_of, size_of, unit_word
from .headers import AFTER, BEFORE, READ_VOLTAGE, columns_of
from .iv_curves import BoolArray, Curve
from .quantities import TARGET
from .recording import FloatArray
from .units import Kind
from .values import numbers_of

NAME = "I-V list"
SEARCHED = 400  # lines in which the header of a list is looked for
READING_COLUMNS = 5  # of the 2400 family
COMPLIANCE_BIT = 3  # of its status word
NO_RESISTANCE = 9e37
YES = ("t", "true", "1", "yes", "on")
LIMITED = "source limit"  # in a buffer of the 2450 family: T or F
LARGEST = {Kind.CURRENT: (3.0, "A"), Kind.VOLTS: (200.0, "V")}
SMALL_STEP = 0.2  # of the largest voltage: most steps of a sweep are smaller
STEPS = 8  # of a sweep, at least
PULSES = (AFTER, BEFORE, TARGET, READ_VOLTAGE)  # columns of a table of pulses
EQUAL, MOSTLY = 0.02, 0.8  # relative difference of equal steps; share of them in a sweep
FEW_LINES = 4000  # that show whether a voltage is swept


@dataclass(frozen=True, eq=False)
class _List:
    """A table with its columns of voltage and current, and those of other roles."""

    table: Table
    volts: list[int]
    amps: list[int]
    roles: dict[Role, list[int]]


def recognises(text: Text) -> bool:
    """Whether the lines hold currents over a voltage that is swept in small steps.

    A table of pulses, which names a target or a conductance, must show the sweep and its return.
    """
    if _header_line(text) is None:
        return _is_reading(text)
    found = _list_of(text, FEW_LINES)
    if not len(found.table):
        return False
    size = np.abs(_values(found, found.volts[0], Kind.VOLTS))
    size = size[np.isfinite(size)]
    steps = np.diff(size) / max(float(size.max(initial=0.0)), 1e-12)
    moved = np.abs(steps[steps != 0])
    if len(moved) < STEPS or np.median(moved) > SMALL_STEP:
        return False
    falls = (steps < 0) & (steps > -SMALL_STEP)
    others = columns_of(found.table.header)
    return bool(falls.mean() > SMALL_STEP) or not any(name in others for name in PULSES)


def curves_of(text: Text) -> list[Curve]:
    """The curves of a list, one for each device, cycle and pair of columns."""
    if _header_line(text) is None:
        return _readings(text)
    found = _list_of(text)
    devices = _texts(found, Role.DEVICE, text.path.stem)
    cycles = _texts(found, Role.CYCLE, "")
    gate = found.roles.get(Role.GATE)
    gates = None if not gate else _values(found, gate[0], Kind.VOLTS)
    out = []
    for volt, amp in _pairs(found):
        volts, amps = _values(found, volt, Kind.VOLTS), _values(found, amp, Kind.CURRENT)
        whole = Curve("", volts, amps, found.table.lines, gates, *_limits(found))
        filled = ~(np.isnan(volts) & np.isnan(amps))  # a shorter repeat beside a longer one
        runs = _runs(devices, cycles, filled)
        out += [replace(whole.only(rows), device=devices[rows[0]]) for rows in runs]
    return out


def _header_line(text: Text) -> int | None:
    """Line of the header, from 1; None without a line that names a voltage and a current."""
    for k, line in enumerate(text.lines[:SEARCHED], 1):
        cells = cells_of(line)
        if len(cells) < 2 or any(number(cell) is not None for cell in cells if cell):
            continue
        roles = roles_of(cells)
        if (Role.VOLTAGE in roles and Role.CURRENT in roles) or _buffer_columns(cells):
            return k
    return None


def _buffer_columns(header: Sequence[str]) -> tuple[int, int] | None:
    """Columns of reading and source value in a saved buffer of the 2450 family."""
    names = [name.lower() for name in header]
    if not {"reading", "value", "unit"} <= set(names):
        return None
    return names.index("reading"), names.index("value")


def _list_of(text: Text, lines: int | None = None) -> _List:
    """The table of a list; of its first ``lines`` lines where they are enough."""
    begin = _header_line(text)
    assert begin is not None
    if lines is not None:
        text = replace(text, text="\n".join(text.lines[: begin + lines]))
    text = padded(text, begin)
    table = parse_table(text, header=True, first_line=begin, odd_lines=LEAVE_OUT)
    roles = roles_of(table.header)
    if (buffer := _buffer_columns(table.header)) and Role.CURRENT not in roles:
        volt, amp = _buffer_roles(table, buffer)
        return _List(table, [volt], [amp], roles)
    if Role.VOLTAGE not in roles or Role.CURRENT not in roles:
        raise UsageError(
            f"{text.path}, line {begin}: the header and the lines below it have different "
            "separators; use one for both"
        )
    return _List(table, roles[Role.VOLTAGE], roles[Role.CURRENT], roles)


def _buffer_roles(table: Table, buffer: tuple[int, int]) -> tuple[int, int]:
    """(voltage, current): the unit beside the reading decides."""
    reading, value = buffer
    units = [k for k, name in enumerate(table.header) if name.lower() == "unit" and k > reading]
    sensed = unit_word(table.cell(0, units[0])) if units and len(table) else ""
    return (reading, value) if sensed == "V" else (value, reading)


def _pairs(found: _List) -> list[tuple[int, int]]:
    """Columns of voltage and current that belong together.

    Repeats stand side by side, with a voltage for each of them or one for all. Currents of other
    terminals, with other names, are left out.
    """
    volts, amps, header = found.volts, found.amps, found.table.header
    alike = [k for k in amps if plain(header[k]) == plain(header[amps[0]])]
    if len(volts) == len(alike):
        return list(zip(volts, alike, strict=True))
    return [(volts[0], k) for k in (alike if len(volts) == 1 else alike[:1])]


def _values(found: _List, column: int, kind: Kind) -> FloatArray:
    """The numbers of a column in V or A; NaN for missing values, text and overloads.

    Raises UsageError for numbers that are beyond an instrument, with the remedy.
    """
    table = found.table
    size = size_of(table.header[column], kind)
    values = numbers_of(table, [column])[0][:, 0] * (1.0 if size is None else size)
    largest, unit = LARGEST[kind]
    if np.nanmax(np.abs(values), initial=0.0) <= largest:
        return values
    row = int(np.nanargmax(np.abs(values)))
    raise table.error(
        row,
        column,
        f"{values[row]:.3g} {unit} is beyond the range of instruments; name the unit in the "
        f"header, as in {plain(table.header[column])} (u{unit})",
    )


def _texts(found: _List, role: Role, otherwise: str) -> list[str]:
    columns = found.roles.get(role)
    return found.table.column(columns[0]) if columns else [otherwise] * len(found.table)


def _runs(devices: list[str], cycles: list[str], filled: BoolArray) -> list[list[int]]:
    """Rows of successive lines of one device and cycle."""
    out: list[list[int]] = []
    last: tuple[str, str] | None = None
    for k in np.flatnonzero(filled).tolist():
        if (key := (devices[k], cycles[k])) != last:
            out.append([])
            last = key
        out[-1].append(k)
    return out


def _limits(found: _List) -> tuple[FloatArray | None, BoolArray | None]:
    """Current limits, or the points in compliance, of a column for either."""
    table = found.table
    columns = [*found.roles.get(Role.COMPLIANCE, [])]
    columns += [k for k, name in enumerate(table.header) if name.lower() == LIMITED]
    for column in columns[:1]:
        cells = table.column(column)
        if all(number(cell) is None for cell in cells if not is_missing(cell)):
            return None, np.array([cell.lower() in YES for cell in cells])
        values = _values(found, column, Kind.CURRENT)
        named = size_of(table.header[column], Kind.CURRENT) is not None
        if not named and set(np.unique(values[np.isfinite(values)])) <= {0.0, 1.0}:
            return None, values == 1.0
        return values, None
    return None, None


def _is_reading(text: Text) -> bool:
    """Whether the lines are readings without a header.

    The 2400 writes five numbers, the third of which is V / I or not measured. Scripts of the 2600
    print two: a voltage that is swept in equal steps and returns, and a current.
    """
    lines = [line for line in text.lines[:FEW_LINES] if line.strip()]
    rows = [[number(cell) for cell in cells_of(line)] for line in lines[:20]]
    if len(rows) < STEPS or any(None in row for row in rows):
        return False
    if all(len(row) == 2 for row in rows):
        return _is_swept_pair(text)
    if any(len(row) != READING_COLUMNS for row in rows):
        return False
    volt, amp, ohm, time, status = np.array(rows, np.float64).T
    with np.errstate(divide="ignore", invalid="ignore"):
        fits = (np.abs(ohm) > NO_RESISTANCE) | np.isclose(ohm * amp, volt, rtol=1e-2)
    whole = (status == np.rint(status)) & (status >= 0)
    return bool(fits.all() and whole.all() and (np.diff(time) >= 0).all())


def _is_swept_pair(text: Text) -> bool:
    part = replace(text, text="\n".join(text.lines[:FEW_LINES]))
    table = parse_table(part, header=False, odd_lines=LEAVE_OUT)
    if table.width != 2:
        return False
    volts, amps = numbers_of(table, [0, 1])[0].T
    steps = np.diff(volts[np.isfinite(volts)])
    size = np.abs(steps[steps != 0])
    if len(size) < STEPS or np.nanmax(np.abs(amps), initial=0.0) > LARGEST[Kind.CURRENT][0]:
        return False
    equal = np.mean(np.abs(size - np.median(size)) < EQUAL * np.median(size))
    return bool(equal > MOSTLY and min((steps > 0).mean(), (steps < 0).mean()) > SMALL_STEP)


def _readings(text: Text) -> list[Curve]:
    table = parse_table(text, header=False, odd_lines=LEAVE_OUT)
    volts, amps = numbers_of(table, [0, 1])[0].T
    limited = None
    if table.width == READING_COLUMNS:
        status = np.nan_to_num(numbers_of(table, [4])[0][:, 0]).astype(np.int64)
        limited = (status >> COMPLIANCE_BIT & 1).astype(bool)
    return [Curve(text.path.stem, volts, amps, table.lines, None, None, limited)]
