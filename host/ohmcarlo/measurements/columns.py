"""Roles of the columns in an instrument's list, by their names and units."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from enum import StrEnum

from ..tables import Text
from ..tables.layout import MARKS
from .units import Kind, factor, split_header

REPEAT = re.compile(r"[\s_]*[(#\[]?\d+[)\]]?$")
ABSOLUTE = re.compile(r"abs\((?P<inner>.*)\)|\|(?P<bars>.*)\|", re.I)
WORDS = {"amp dc": "A", "adc": "A", "amp": "A", "volt dc": "V", "vdc": "V", "volt": "V"}
"""Units as instruments write them."""


class Role(StrEnum):
    """What a column holds."""

    VOLTAGE = "voltage"
    CURRENT = "current"
    GATE = "gate voltage"
    COMPLIANCE = "compliance current"
    DEVICE = "device"
    CYCLE = "cycle"


PATTERNS = (
    (Role.COMPLIANCE, r"i?_?comp(liance|l)?(_current)?|i_?cc|cc|(current_)?(limit|compliance)"
                      r"|compliance_current|i_?limit|i_?c"),
    (Role.GATE, r"v_?g(s|ate)?|gate_?v(oltage)?|gv|v_?wl|word_?line(_v(oltage)?)?|wl_?v(oltage)?"),
    (Role.DEVICE, r"device(_?(id|name))?|cell(_?(id|name|address))?|dut|sample(_?id)?"),
    (Role.CYCLE, r"cycle(_?(no|nr|number|index))?|run|loop|sweep|repeat|iteration"),
    (Role.VOLTAGE, r"(.*_)?(v|voltage|volts?|bias)"
                   r"|(anode|drain|cathode|te|top|a|d|bl|bit_?line)_?v(oltage)?"
                   r"|v_?(a|d|ds|te|top|bl|app|applied|force|source|src|smu|in|meas\w*)"),
    (Role.CURRENT, r"(abs_?)?(.*_)?(i|current|curr)"
                   r"|(abs_?)?(anode|drain|te|top|a|d|bl|bit_?line)_?i"
                   r"|(abs_?)?i_?(a|d|ds|te|top|bl|smu|out|meas\w*)"),
)  # fmt: skip
COMPILED = tuple((role, re.compile(pattern)) for role, pattern in PATTERNS)


def plain(name: str) -> str:
    """A name in small letters, without unit and number of the repeat, ``_`` for gaps.

    >>> plain("SMU-1 Voltage (V)"), plain("AnodeI(2)"), plain("|I| [A]"), plain("I_uA")
    ('smu_1_voltage', 'anodei', 'abs_i', 'i')
    """
    text = _split(name)[0]
    if found := ABSOLUTE.fullmatch(text):
        text = f"abs_{found['inner'] or found['bars']}"
    text = re.sub(r"[\s_\-]+", "_", text.lower()).strip("_")
    return REPEAT.sub("", text) or text


def _split(name: str) -> tuple[str, str]:
    """Name and unit, in brackets or after the last ``_``."""
    text, unit = split_header(name)
    if unit:
        if any(factor(unit, kind) is not None for kind in (Kind.VOLTS, Kind.CURRENT)):
            return text, unit
        return (text, "") if not unit.isdigit() else (name, "")
    head, _, tail = text.rpartition("_")
    if head and len(tail) > 1 and any(
        factor(tail, kind) is not None for kind in (Kind.VOLTS, Kind.CURRENT)
    ):  # fmt: skip
        return head, tail
    return text, ""


def role_of(name: str) -> Role | None:
    """The role of a column by its name, None for other columns.

    >>> [str(role_of(n)) for n in ("AV", "AI", "GateV", "Icc (uA)", "Time")]
    ['voltage', 'current', 'gate voltage', 'compliance current', 'None']
    """
    text = plain(name)
    return next((role for role, pattern in COMPILED if pattern.fullmatch(text)), None)


def size_of(name: str, kind: Kind) -> float | None:
    """Size of the unit in a name, in V or A; None without a unit.

    >>> size_of("V (mV)", Kind.VOLTS), size_of("i_uA", Kind.CURRENT), size_of("AV", Kind.VOLTS)
    (0.001, 1e-06, None)
    """
    unit = _split(name)[1]
    found = factor(unit, kind) if unit else None
    base = factor("A" if kind is Kind.CURRENT else "V", kind)
    return None if found is None or base is None else round(found / base, 15)


def unit_word(cell: str) -> str:
    """``A``, ``V`` or nothing for a cell that holds a unit.

    >>> unit_word("Amp DC"), unit_word("V"), unit_word("5.5")
    ('A', 'V', '')
    """
    word = cell.strip()
    return WORDS.get(word.lower(), word if word in ("A", "V") else "")


def roles_of(header: Sequence[str]) -> dict[Role, list[int]]:
    """Columns by role, in the order of the header."""
    out: dict[Role, list[int]] = {}
    for column, name in enumerate(header):
        if (role := role_of(name)) is not None:
            out.setdefault(role, []).append(column)
    return out


def cells_of(line: str) -> list[str]:
    """The cells of a line, split at its most frequent separator.

    >>> cells_of('"Index"; V (V);')
    ['Index', 'V (V)', '']
    """
    mark = max(MARKS, key=line.count)
    return [cell.strip().strip('"').strip() for cell in line.split(mark if mark in line else None)]


def padded(text: Text, header_line: int) -> Text:
    """The text, in which lines below a header have as many cells as the header.

    Programs of instruments leave out empty cells at the end of a line.
    """
    lines = text.lines
    header = lines[header_line - 1]
    mark = max(MARKS, key=header.count)
    wanted = header.count(mark)
    below = [
        line + mark * (wanted - line.count(mark)) if line.strip() and '"' not in line else line
        for line in lines[header_line:]
    ]
    return replace(text, text="\n".join([*lines[:header_line], *below]) + "\n")
