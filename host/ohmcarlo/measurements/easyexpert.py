"""CSV exports of Keysight's EasyEXPERT (B1500A and relatives): blocks of tagged lines.

A block has its settings first, then the names of the data, then the data. An append-mode file has
a block for every sweep::

    SetupTitle, SET
    TestParameter, Channel.VName, VTE, VG
    TestParameter, Measurement.Primary.Compliance, 0.0001
    MetaData, TestRecord.TestTarget, D07
    DataName, VTE, ITE, VG
    DataValue, 0, 1.2E-12, 1.4
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from ..errors import UsageError
from ..tables import Text, is_missing, is_overload, number
from ..tables.cells import shown
from .columns import Role, role_of, roles_of
from .iv_curves import Curve
from .recording import FloatArray

NAME = "EasyEXPERT CSV"
TAGS = ("SetupTitle", "PrimitiveTest", "TestParameter", "MetaData", "AnalysisSetup", "Dimension1",
        "Dimension2", "DataName", "DataValue", "ReportDateTime", "OutputData")  # fmt: skip
DATA_NAMES, VALUES = "DataName", "DataValue"
COMPLIANCE, SWEPT, FUNCTION = "Measurement.Primary.Compliance", "Channel.VName", "Channel.Func"
BIAS = "Measurement.Bias.Source"
CURRENT, TARGET = "Channel.IName", "TestRecord.TestTarget"
TIME = "TestRecord.RecordTime"
TIME_FORMS = ("%m/%d/%Y %H:%M:%S", "%Y/%m/%d %H:%M:%S", "%m/%d/%Y %I:%M:%S %p",
              "%d.%m.%Y %H:%M:%S", "%Y-%m-%d %H:%M:%S")  # fmt: skip


def recognises(text: Text) -> bool:
    """Whether the lines begin with the tags of EasyEXPERT."""
    heads = {line.split(",", 1)[0].strip() for line in text.lines[:400]}
    return DATA_NAMES in heads and bool(heads & {*TAGS[:3], VALUES})


@dataclass
class _Block:
    names: list[str]
    settings: dict[str, list[str]]
    lines: list[int] = field(default_factory=list)
    rows: list[list[str]] = field(default_factory=list)


def curves_of(text: Text) -> list[Curve]:
    """A curve for every block; UsageError names the line of a block without voltage or current.

    >>> from ohmcarlo.tables import Text
    >>> lines = "DataName, V1, I1\\nDataValue, 0.1, 1E-6\\nDataValue, 0.2, 2E-6\\n"
    >>> curve, = curves_of(Text(Path("a.csv"), lines))
    >>> curve.device, curve.volts.tolist()
    ('a', [0.1, 0.2])
    """
    blocks = list(_blocks(text))
    if not blocks:
        raise UsageError(f"{text.path}, {NAME}: it has no {VALUES} line; export the list display")
    return [_curve(text.path, block) for block in blocks]


def _blocks(text: Text) -> Iterator[_Block]:
    settings: dict[str, list[str]] = {}
    block: _Block | None = None
    for k, line in enumerate(text.lines, 1):
        head, *cells = (cell.strip().strip('"') for cell in line.split(","))
        if head == DATA_NAMES:
            block = _Block(cells, dict(settings))
        elif head == VALUES and block is not None:
            block.lines.append(k)
            block.rows.append(cells)
        else:
            if block is not None and block.rows:
                yield block
                block, settings = None, {}
            if cells and head in ("TestParameter", "MetaData"):
                settings[cells[0]] = cells[1:]
    if block is not None and block.rows:
        yield block


def _curve(path: Path, block: _Block) -> Curve:
    volt, amp, gate = _columns(path, block)
    rows = block.rows
    limit = number((block.settings.get(COMPLIANCE) or [""])[0])
    target = [name for name in block.settings.get(TARGET, []) if name]
    return Curve(
        " ".join(target) or path.stem,
        _values(path, block, volt),
        _values(path, block, amp),
        np.array(block.lines, np.int64),
        _set_gate(block) if gate is None else _values(path, block, gate),
        None if not limit else np.full(len(rows), limit),
        time_s=_time_s((block.settings.get(TIME) or [""])[0]),
    )


def _time_s(text: str) -> float:
    """A time in any of the forms of EasyEXPERT as seconds; NaN for other text."""
    for form in TIME_FORMS:
        try:
            return datetime.strptime(text, form).replace(tzinfo=UTC).timestamp()
        except ValueError:
            continue
    return np.nan


def _columns(path: Path, block: _Block) -> tuple[int, int, int | None]:
    """Columns of the swept voltage, of its current, and of the gate voltage."""
    settings, names = block.settings, block.names
    functions = settings.get(FUNCTION, [])
    first = functions.index("VAR1") if "VAR1" in functions else 0
    roles = roles_of(names)

    def found(key: str, role: Role) -> int | None:
        listed = settings.get(key, [])
        if first < len(listed) and listed[first] in names and role_of(listed[first]) != Role.GATE:
            return names.index(listed[first])
        return next(iter(roles.get(role, [])), None)

    volt, amp = found(SWEPT, Role.VOLTAGE), found(CURRENT, Role.CURRENT)
    if volt is None or amp is None:
        raise UsageError(
            f"{path}, line {block.lines[0]}, {NAME}: no "
            f"{'voltage' if volt is None else 'current'} among the data {', '.join(names)}; "
            "name them as in DataName, V1, I1"
        )
    gate = next(iter(roles.get(Role.GATE, [])), None)
    return volt, amp, gate


def _set_gate(block: _Block) -> FloatArray | None:
    """Gate voltage of each line as the settings have it, where the data have no column for it.

    It is a constant, or the secondary sweep, each voltage of which has equally many lines.
    """
    names = block.settings.get(SWEPT, [])
    place = next((k for k, name in enumerate(names) if role_of(name) == Role.GATE), None)
    if place is None:
        return None
    functions = block.settings.get(FUNCTION, [])
    if place < len(functions) and functions[place] == "VAR2":
        start, step, steps = (_setting(block, f"Measurement.Secondary.{word}", 0)
                              for word in ("Start", "Step", "Count"))  # fmt: skip
        if start is None or step is None or not steps or steps < 1:
            return None
        part = np.arange(len(block.rows)) // max(len(block.rows) // int(steps), 1)
        return start + step * np.minimum(part, int(steps) - 1)
    value = _setting(block, BIAS, place)
    return None if value is None else np.full(len(block.rows), value)


def _setting(block: _Block, name: str, place: int) -> float | None:
    """A number in the settings; None without one."""
    values = block.settings.get(name, [])
    return number(values[place]) if place < len(values) else None


def _values(path: Path, block: _Block, column: int) -> FloatArray:
    """The numbers of a column; NaN where one is missing or an overload."""
    out = np.full(len(block.rows), np.nan)
    for k, row in enumerate(block.rows):
        cell = row[column] if column < len(row) else ""
        value = number(cell)
        if value is None and not is_missing(cell):
            raise UsageError(
                f"{path}, line {block.lines[k]}, {block.names[column]}: {shown(cell)} is not a "
                "number"
            )
        if value is not None and not is_overload(value):
            out[k] = value
    return out
