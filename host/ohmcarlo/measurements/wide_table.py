"""Wide tables: a column a device and a line a pulse, or a column a level and a line a device."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..errors import UsageError
from ..tables import Table
from .headers import AFTER, CURRENT, CYCLE, DEVICE, PLACE, Column, columns_of
from .long_table import assumed, names_of_devices
from .quantities import QUANTITIES, SWEPT_LINES, TARGET
from .readings import NO_CYCLE, Readings, Words
from .recording import FloatArray
from .units import Kind, factor, quantity_text, split_header, us_of_ohm
from .values import numbers_of

DEVICES, LEVELS = "wide table", "wide table of levels"
CONDITIONS = (*(name for name in QUANTITIES if name != TARGET), CYCLE)
WHOLE_SHARE = 0.25  # of the columns with whole numbers, in a table of something else
LEAST = 2  # columns of devices or of levels
OHM_ABOVE = 2000.0  # as numbers without a unit: a resistance in ohm
VOLTS_BELOW = 10.0  # levels without a unit: voltages
EXPECTED = "the first column target (uS) or a voltage as V_WL (V), and a column for each device"


def recognises(table: Table) -> bool:
    """Whether the header names a level and devices, but no conductance."""
    found = columns_of(table.header)
    if AFTER in found or CURRENT in found:
        return False
    return _is_by_device(found, table) or _is_by_level(found, table)


def _is_by_device(found: dict[str, list[Column]], table: Table) -> bool:
    level = any(name in found for name in (TARGET, *SWEPT_LINES))
    if not level or DEVICE in found:
        return False
    columns = _values(found, table)
    return len(columns) >= LEAST and _alike(table, columns)


def _alike(table: Table, columns: Sequence[int]) -> bool:
    """Whether columns hold the same kind of number, as devices do: not a part of whole numbers."""
    values, _ = _cells(table, columns)
    rows = np.isfinite(values)
    whole = [bool((c[k] == np.rint(c[k])).all()) for c, k in zip(values.T, rows.T, strict=True)]
    return not WHOLE_SHARE < sum(whole) / len(whole) < 1


def _is_by_level(found: dict[str, list[Column]], table: Table) -> bool:
    if DEVICE not in found and PLACE not in found:
        return False
    levels = [name for name in table.header if _level(name) is not None]
    return len(levels) >= LEAST


def _values(found: dict[str, list[Column]], table: Table) -> list[int]:
    """Columns of devices: those without a level or a condition."""
    known = {c.index for name in (TARGET, *CONDITIONS) for c in found.get(name, [])[:1]}
    return [k for k, name in enumerate(table.header) if k not in known and name]


def _level(header: str) -> tuple[float, Kind | None] | None:
    """The level in a header as ``50``, ``50 uS``, ``g_50`` or ``2.1 V``, and its kind."""
    name, unit = split_header(header)
    for text in (f"{name} {unit}".strip(), name):
        for kind in (Kind.CONDUCTANCE, Kind.VOLTS):
            value = quantity_text(text, kind)
            if value is not None:
                return value, kind if text.strip()[-1:].isalpha() else None
    return None


def read(table: Table) -> Readings:
    """The readings of a wide table.

    Raises UsageError for a table whose cells are no conductances.
    """
    if not len(table):
        raise UsageError(f"{table.path} has a header and no line of data; expected {EXPECTED}")
    found = columns_of(table.header)
    return _by_device(table, found) if _is_by_device(found, table) else _by_level(table, found)


def _by_device(table: Table, found: dict[str, list[Column]]) -> Readings:
    columns = _values(found, table)
    values, problem = _cells(table, columns)
    names = np.array([split_header(table.header[column])[0] for column in columns])
    rows, width = len(table), len(columns)
    after, phrases = _conductances(table, columns, values)
    quantities = {}
    for name in QUANTITIES:
        if name in found:
            level, noted = _quantity(table, found[name][0])
            quantities[name] = np.repeat(level, width)
            phrases += noted
    cycle = np.full(rows, NO_CYCLE)
    if CYCLE in found:
        number, _ = numbers_of(table, [found[CYCLE][0].index])
        if np.isfinite(number).all() and np.abs(number).max() < 2**53:
            cycle = np.rint(number[:, 0]).astype(np.int64)
    return Readings(
        source=table.path,
        format=DEVICES,
        device=np.tile(names, rows),
        after_us=after.ravel(),
        line=np.repeat(table.lines, width),
        quantities=quantities,
        problem=problem.ravel(),
        cycle=np.repeat(cycle, width),
        recognised=(DEVICES, *table.recognised, *phrases),
    )


def _by_level(table: Table, found: dict[str, list[Column]]) -> Readings:
    pairs = [(k, level) for k, name in enumerate(table.header) if (level := _level(name))]
    columns = [k for k, _ in pairs]
    values, problem = _cells(table, columns)
    after, phrases = _conductances(table, columns, values)
    levels = np.array([level for _, (level, _) in pairs])
    kinds = [kind for _, (_, kind) in pairs if kind is not None]
    volts = Kind.VOLTS in kinds if kinds else bool(levels.max() < VOLTS_BELOW)
    if not kinds:
        phrases.append(f"levels in {'V' if volts else 'µS'} (assumed)")
    rows, width = len(table), len(columns)
    return Readings(
        source=table.path,
        format=LEVELS,
        device=np.repeat(names_of_devices(table, found), width),
        after_us=after.ravel(),
        line=np.repeat(table.lines, width),
        quantities={SWEPT_LINES[-1] if volts else TARGET: np.tile(levels, rows)},
        problem=problem.ravel(),
        recognised=(LEVELS, *table.recognised, *phrases),
    )


def _cells(table: Table, columns: Sequence[int]) -> tuple[FloatArray, Words]:
    """Numbers and problems, (rows, columns); an empty cell has a problem of its own."""
    pairs = [numbers_of(table, [column]) for column in columns]
    values = np.concatenate([part for part, _ in pairs], axis=1)
    return values, np.array([problem for _, problem in pairs], object).T


def _quantity(table: Table, column: Column) -> tuple[FloatArray, list[str]]:
    values, _ = numbers_of(table, [column.index])
    assert column.kind is not None
    scale, unit = (column.scale, "") if column.scale else assumed(values[:, 0], column.kind)
    level = values[:, 0] * scale
    if column.kind is Kind.RESISTANCE:
        level = us_of_ohm(level)
    return level, [f"{table.header[column.index]} in {unit} (assumed)"] if unit else []


def _conductances(
    table: Table, columns: Sequence[int], values: FloatArray
) -> tuple[FloatArray, list[str]]:
    """The cells as conductances in µS, by the unit in the headers or by their range."""
    units = {split_header(table.header[column])[1] for column in columns}
    for kind in (Kind.CONDUCTANCE, Kind.RESISTANCE):
        scale = factor(next(iter(units)), kind) if len(units) == 1 else None
        if scale is not None:
            return _as_conductance(values * scale, kind), []
    known = np.abs(values[np.isfinite(values)])
    kind = Kind.CONDUCTANCE
    if len(known) and np.median(known) > OHM_ABOVE:
        kind = Kind.RESISTANCE
    scale, unit = assumed(values, kind)
    return _as_conductance(values * scale, kind), [f"cells in {unit} (assumed)"]


def _as_conductance(values: FloatArray, kind: Kind) -> FloatArray:
    return values if kind is Kind.CONDUCTANCE else us_of_ohm(values)
