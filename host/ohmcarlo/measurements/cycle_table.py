"""Endurance tables: a line a cycle, with the values of LRS and HRS.

LRS and HRS are conductances, resistances, or currents at a read voltage, which a column or
``--where vread=0.2`` names. The level is a column of what the instrument imposed: compliance
current, gate voltage or stop voltage. The SET voltage is an outcome and no level.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from ..errors import UsageError
from ..tables import LEAVE_OUT, Table, Text, number, parse_table
from .columns import Role, cells_of, padded, roles_of
from .headers import CURRENT_WORDS, READ_VOLTAGE, columns_of, plain
from .iv_curves import HalfLoop
from .iv_pulses import Loops, read_voltage, recording_of_loops
from .long_table import NO_READ_VOLTAGE
from .recording import FloatArray, Recording
from .units import Kind, factor, split_header, us_of_ohm
from .values import numbers_of

NAME = "endurance table"
SEARCHED = 5  # lines of the header
STATES = {"lrs": ("lrs", "on"), "hrs": ("hrs", "off")}
KINDS = {
    Kind.CONDUCTANCE: ("g", "conductance"),
    Kind.RESISTANCE: ("r", "resistance"),
    Kind.CURRENT: CURRENT_WORDS[:2],
}
SET_V = ("vset", "setvoltage", "vsetv")
STOP_V = ("vstop", "stopvoltage", "stopv", "vmax")


def recognises(text: Text) -> bool:
    """Whether a line of the header names LRS and HRS."""
    return _header_line(text) is not None


def read(texts: Sequence[Text], source: Path, where: Mapping[str, str] | None = None) -> Recording:
    """The SET pulses of the cycles in a file, or in a folder with a file for each device.

    Raises UsageError for currents without a read voltage and for tables of a single level, which
    the message shows.
    """
    chosen = dict(where or {})
    read_v = read_voltage(chosen, np.nan)
    devices: list[str] = []
    loops: list[HalfLoop] = []
    for text in texts:
        begin = _header_line(text) or 1
        table = parse_table(padded(text, begin), header=True, first_line=begin, odd_lines=LEAVE_OUT)
        if any(_state_column(list(table.header), state) is None for state in STATES):
            raise UsageError(
                f"{text.path}, line {begin}: the header and the lines below it have different "
                "separators; use one for both"
            )
        devices += _devices(table, text.path.stem)
        loops += _loops(table, read_v)
    names = tuple(dict.fromkeys(devices))
    index = np.array([names.index(device) for device in devices], np.int64)
    at = 0.0 if np.isnan(read_v) else read_v
    kept = np.ones(len(loops), bool)
    return recording_of_loops(Loops(source, NAME, at, names, index, loops, kept, []), chosen)


def _loops(table: Table, read_v: float) -> list[HalfLoop]:
    """A half loop for every line."""
    values = {
        "after_us": _state_us(table, "lrs", read_v),
        "before_us": _state_us(table, "hrs", read_v),
        "set_v": _column(table, SET_V, Kind.VOLTS),
        "stop_v": _column(table, STOP_V, Kind.VOLTS),
        "gate_v": _by_role(table, Role.GATE, Kind.VOLTS),
        "limit_ua": _by_role(table, Role.COMPLIANCE, Kind.CURRENT),
    }
    return [
        HalfLoop(
            polarity=1,
            named=True,
            first=line,
            last=line,
            **{name: float(column[k]) for name, column in values.items()},
        )
        for k, line in enumerate(table.lines.tolist())
    ]


def _header_line(text: Text) -> int | None:
    for k, line in enumerate(text.lines[:SEARCHED], 1):
        cells = cells_of(line)
        if any(number(cell) is not None for cell in cells):
            return None
        if all(_state_column(cells, state) is not None for state in STATES):
            return k
    return None


def _state_column(header: list[str], state: str) -> tuple[int, Kind | None] | None:
    """Column and kind of the values of a state; the kind is None without a letter for it."""
    for column, name in enumerate(header):
        words = plain(split_header(name)[0].rpartition("_")[0] if _suffix(name) else
                      split_header(name)[0])  # fmt: skip
        for short in STATES[state]:
            if words == short:
                return column, None
            for kind, marks in KINDS.items():
                if any(words in (f"{mark}{short}", f"{short}{mark}") for mark in marks):
                    return column, kind
    return None


def _suffix(name: str) -> str:
    """The unit after the last ``_`` of a name."""
    tail = name.strip().rpartition("_")[2]
    return tail if any(factor(tail, kind) is not None for kind in KINDS) and len(tail) > 1 else ""


def _state_us(table: Table, state: str, read_v: float) -> FloatArray:
    """Conductance of a state, µS."""
    found = _state_column(list(table.header), state)
    assert found is not None
    column, kind = found
    name = table.header[column]
    unit = split_header(name)[1] or _suffix(name)
    fitting = [k for k in KINDS if unit and factor(unit, k) is not None]
    kind = kind or (fitting[0] if fitting else None)
    if kind is None:
        raise table.header_error(
            column, f"{name} may be a current, a resistance or a conductance; name its unit, as in "
            f"{name} (kOhm)"
        )  # fmt: skip
    base = {Kind.CURRENT: "A", Kind.RESISTANCE: "ohm", Kind.CONDUCTANCE: "S"}[kind]
    values = numbers_of(table, [column])[0][:, 0] * (factor(unit or base, kind) or np.nan)
    if kind is Kind.CONDUCTANCE:
        return values
    if kind is Kind.RESISTANCE:
        return us_of_ohm(values)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.abs(values) / _read_volts(table, column, read_v)


def _read_volts(table: Table, column: int, read_v: float) -> FloatArray | float:
    """Voltage at which the currents were read: a column, or that of ``--where``."""
    found = columns_of(table.header).get(READ_VOLTAGE)
    if found:
        values = numbers_of(table, [found[0].index])[0][:, 0]
        return np.abs(values) * (found[0].scale or 1.0)
    if np.isnan(read_v):
        raise table.header_error(column, f"{table.header[column]} is a current; {NO_READ_VOLTAGE}")
    return read_v


def _devices(table: Table, otherwise: str) -> list[str]:
    columns = roles_of(table.header).get(Role.DEVICE)
    return table.column(columns[0]) if columns else [otherwise] * len(table)


def _by_role(table: Table, role: Role, kind: Kind) -> FloatArray:
    columns = roles_of(table.header).get(role, [])
    return _scaled(table, columns[:1], kind)


def _column(table: Table, names: tuple[str, ...], kind: Kind) -> FloatArray:
    words = [plain(split_header(name)[0]) for name in table.header]
    return np.abs(_scaled(table, [words.index(name) for name in names if name in words], kind))


def _scaled(table: Table, columns: list[int], kind: Kind) -> FloatArray:
    """The numbers of the first column in V or µA; NaN without one. Currents without unit are A."""
    if not columns:
        return np.full(len(table), np.nan)
    name = table.header[columns[0]]
    unit = split_header(name)[1] or _suffix(name) or ("A" if kind is Kind.CURRENT else "V")
    return numbers_of(table, [columns[0]])[0][:, 0] * (factor(unit, kind) or np.nan)
