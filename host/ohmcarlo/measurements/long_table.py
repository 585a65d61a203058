"""The long table: a line a pulse, columns named in the header, with units."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..errors import UsageError
from ..tables import Table
from .headers import (
    AFTER,
    BEFORE,
    CURRENT,
    CYCLE,
    DEVICE,
    OPERATION,
    PLACE,
    READ,
    READ_VOLTAGE,
    Column,
    columns_of,
)
from .quantities import QUANTITIES, SWEPT_LINES, TARGET
from .readings import NO_CYCLE, Readings, Words
from .recording import FloatArray, IntArray
from .screening import RESET, SET
from .units import Kind, us_of_ohm
from .values import numbers_of

NAME = "long table"
VERSION_WORDS, NEWEST = "ohmcarlo measurements", 1
EXPECTED = (
    "a column for the device (device), the level (target_us, or a voltage as V_WL (V)) and the "
    "conductance (g_us) or the resistance (R (kOhm)) after the pulse"
)
NO_READ_VOLTAGE = "add --where vread=0.1 with the voltage of your reads, or a column V_read (V)"
MISSING_NAMES = {"device": "device", "level": "target_us", "after": "g_us"}
SET_WORDS = ("set", "s", "program", "prog", "p", "potentiation", "ltp", "pot", "w1", "write1")
RESET_WORDS = ("reset", "r", "rst", "erase", "e", "depression", "ltd", "dep", "w0", "write0")
SIEMENS_BELOW = 0.02  # as numbers without a unit: a conductance in S
KILO_OHM_BELOW = 500.0  # as numbers without a unit: a resistance in kOhm


def recognises(table: Table) -> bool:
    """Whether the header names a conductance, resistance or current, and a device or a level."""
    found = columns_of(table.header)
    levels = (TARGET, *SWEPT_LINES)
    return (AFTER in found or CURRENT in found) and (
        DEVICE in found or PLACE in found or any(name in found for name in levels)
    )


def missing_names(table: Table) -> list[str]:
    """Names of the columns that a long table needs and this one lacks."""
    found = columns_of(table.header)
    there = {
        "device": DEVICE in found or PLACE in found,
        "level": any(name in found for name in (TARGET, *SWEPT_LINES)),
        "after": AFTER in found or CURRENT in found,
    }
    return [MISSING_NAMES[part] for part, known in there.items() if not known]


def lacks_read_voltage(table: Table) -> bool:
    """Whether the table has currents, and neither a conductance nor a read voltage beside them."""
    found = columns_of(table.header)
    return CURRENT in found and not (AFTER in found or READ_VOLTAGE in found)


def read(table: Table, read_v: float = np.nan) -> Readings:
    """The readings of a long table.

    ``read_v``: read voltage of currents (V) where no column has it; NaN: unknown.

    Raises UsageError for a column that is missing, and for a unit that is not known.
    """
    _check_version(table)
    lacking = missing_names(table)
    if lacking:
        raise UsageError(
            f"{table.path}, line {table.header_line}: the header lacks {', '.join(lacking)}; "
            f"expected {EXPECTED}"
        )
    if lacks_read_voltage(table) and np.isnan(read_v):
        column = columns_of(table.header)[CURRENT][0].index
        raise table.header_error(column, f"{table.header[column]} is a current; {NO_READ_VOLTAGE}")
    if not len(table) and not table.odd_lines:
        raise UsageError(f"{table.path} has a header and no line of data: 0 targets, 0 devices")
    found = columns_of(table.header)
    reader = _Reader(table, found, read_v)
    device = names_of_devices(table, found)
    cycle, read_number = reader.whole(CYCLE, NO_CYCLE), reader.whole(READ, 0)
    after, before = reader.after(), reader.conductance(found.get(BEFORE, []))
    quantities = {
        name: values for name in QUANTITIES if name in found for values in [reader.level(name)]
    }
    readings = Readings(
        source=table.path,
        format=NAME,
        device=device,
        after_us=after,
        before_us=before,
        line=table.lines,
        quantities=quantities,
        problem=reader.problem,
        cycle=cycle,
        read=read_number - read_number.min() if len(set(read_number.tolist())) > 1 else
        np.zeros(len(table), np.int64),
        operation=_operations(table, found),
        labels=_labels(table, found),
        recognised=(NAME, *table.recognised, *reader.phrases),
    )  # fmt: skip
    return _with_devices(readings)


def _check_version(table: Table) -> None:
    """Raise UsageError for a version of the format that is newer than this program."""
    for line, comment in table.comments:
        found = re.search(rf"{VERSION_WORDS}\s+(\d+)", comment)
        if found and int(found[1]) > NEWEST:
            raise UsageError(
                f"{table.path}, line {line}: version {found[1]} of the format; this program reads "
                f"version {NEWEST}: update it"
            )


def _with_devices(readings: Readings) -> Readings:
    empty = readings.device == ""
    if empty.mean() > 0.5:
        raise UsageError(
            f"{readings.source}, line {readings.line[empty][0]}: the name of the device is empty"
        )
    return readings.without(empty, "no device")


@dataclass
class _Reader:
    """Columns of a table as numbers in the units used here; problems of rows are collected."""

    table: Table
    found: dict[str, list[Column]]
    read_v: float

    def __post_init__(self) -> None:
        self.problem: Words = np.full(len(self.table), "", object)
        self.phrases: list[str] = []

    def numbers(self, column: Column, needed: bool = True) -> FloatArray:
        """The numbers of a column as they are."""
        values, problem = numbers_of(self.table, [column.index])
        if needed:
            fresh = self.problem == ""
            self.problem[fresh] = problem[fresh]
        return values[:, 0]

    def scaled(self, column: Column, needed: bool = True) -> FloatArray:
        """The numbers of a column in the usual unit of its kind."""
        values = self.numbers(column, needed)
        kind = column.kind
        assert kind is not None
        if column.scale is not None:
            return values * column.scale
        if column.unit:
            raise self.table.header_error(
                column.index,
                f"the unit {column.unit!r} is not known; write one as in "
                f"{self.table.header[column.index].split('(')[0].split('[')[0].strip()} "
                f"({kind.unit.replace('µ', 'u').replace('Ω', 'ohm')})",
            )
        scale, unit = assumed(values, kind)
        self.phrases.append(f"{self.table.header[column.index]} in {unit} (assumed)")
        return values * scale

    def conductance(self, columns: Sequence[Column], needed: bool = False) -> FloatArray:
        """Conductance in µS from the first of some columns; NaN without one."""
        if not columns:
            return np.full(len(self.table), np.nan)
        values = self.scaled(columns[0], needed)
        if columns[0].kind is not Kind.RESISTANCE:
            return values
        if needed:
            self.problem[(values <= 0) & (self.problem == "")] = "a resistance that is not positive"
        return us_of_ohm(values)

    def after(self) -> FloatArray:
        """Conductance after the pulse, µS."""
        if AFTER in self.found:
            return self.conductance(self.found[AFTER], needed=True)
        amps = self.scaled(self.found[CURRENT][0])
        volts = np.full(len(self.table), self.read_v)
        if READ_VOLTAGE in self.found:
            volts = self.scaled(self.found[READ_VOLTAGE][0])
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            g = np.where(volts != 0, amps / volts, np.nan)  # µA / V
        known = g[np.isfinite(g)]
        if len(known) and np.median(known) < 0:
            self.phrases.append("sign of the current reversed, as it was that of the source")
            g = -g
        return np.where(np.isfinite(g), g, np.nan)

    def level(self, name: str) -> FloatArray:
        """A level or a condition."""
        column = self.found[name][0]
        if name != TARGET:
            return self.scaled(column, needed=name in SWEPT_LINES)
        values = self.conductance([column], needed=True)
        bad = (values <= 0) & (self.problem == "")
        self.problem[bad] = [f"column {column.index + 1} ({self.table.header[column.index]}): "
                             f"{value:g} is not positive" for value in values[bad]]  # fmt: skip
        return values

    def whole(self, role: str, usual: int) -> IntArray:
        """Whole numbers of a column; ``usual`` for all without one."""
        out = np.full(len(self.table), usual, np.int64)
        if role in self.found:
            values = self.numbers(self.found[role][0], needed=False)
            if np.isfinite(values).all() and np.abs(values).max(initial=0) < 2**53:
                out[:] = np.rint(values)
        return out


def assumed(values: FloatArray, kind: Kind) -> tuple[float, str]:
    """Scale and name of the unit of numbers whose header has none, by their range.

    >>> assumed(np.array([3e-5, 1e-4]), Kind.CONDUCTANCE)
    (1000000.0, 'S')
    """
    known = np.abs(values[np.isfinite(values)])
    typical = float(np.median(known[known > 0])) if (known > 0).any() else 1.0
    if kind is Kind.CONDUCTANCE:
        return (1e6, "S") if typical < SIEMENS_BELOW else (1.0, "µS")
    if kind is Kind.RESISTANCE:
        return (1e3, "kOhm") if typical < KILO_OHM_BELOW else (1.0, "ohm")
    if kind is Kind.CURRENT:
        return (1e6, "A") if typical < SIEMENS_BELOW else (1.0, "µA")
    if kind is Kind.TIME:
        return (1e9, "s") if typical < SIEMENS_BELOW else (1.0, "ns")
    return 1.0, kind.unit


def names_of_devices(table: Table, found: dict[str, list[Column]]) -> NDArray[np.str_]:
    """Names of the devices: all parts of the address, joined by colons."""
    parts = [*found.get(PLACE, []), *found.get(DEVICE, [])[:1]]
    cells = [table.column(part.index) for part in parts]
    if len(cells) == 1:
        return np.array([_name(cell) for cell in cells[0]])
    return np.array([":".join(map(_name, row)) if all(row) else "" for row in zip(*cells)])  # noqa: B905


def _name(cell: str) -> str:
    """The name of a device: 3.0 and 3.000 are the device 3."""
    try:
        value = float(cell)
    except ValueError:
        return cell
    return str(int(value)) if value.is_integer() and abs(value) < 2**53 else cell


def _operations(table: Table, found: dict[str, list[Column]]) -> Words:
    """SET, RESET or the word of the file in capitals; empty if no cell is one of both."""
    blank = np.full(len(table), "", object)
    if OPERATION not in found:
        return blank
    words = [cell.strip().lower() for cell in table.column(found[OPERATION][0].index)]
    out = [SET if w in SET_WORDS else RESET if w in RESET_WORDS else w.upper()[:16] for w in words]
    return np.array(out, object) if SET in out or RESET in out else blank


def _labels(table: Table, found: dict[str, list[Column]]) -> dict[str, NDArray[np.str_]]:
    """Columns that only ``--where`` uses."""
    used = {column.index for columns in found.values() for column in columns[:1]}
    return {
        name: np.array(table.column(index))
        for index, name in enumerate(table.header)
        if index not in used and name
    }
