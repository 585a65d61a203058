"""Tables in other shapes, brought into the shape that a reader knows.

- *Two header lines*: names, and below them units, as spreadsheets and Origin export them. They
  become one header.
- *Stacked header*: levels in one header line, devices in the other one, a line for every cycle.
- *Blocks*: a heading with the level, and below it a line for every cycle and a column for every
  device.

The last two become a long table. Every cell keeps the line of the file it comes from.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..errors import UsageError
from ..tables import Table, Text, number
from ..tables.cells import WITH_COMMA
from ..tables.layout import MARKS
from ..tables.rows import Rows
from .columns import cells_of
from .headers import AFTER, CYCLE, DEVICE, PLACE, column_of
from .quantities import SWEPT_LINES, TARGET
from .units import Kind, factor

STACKED, BLOCKS = "stacked header", "blocks"
LEVELS = (TARGET, *SWEPT_LINES)
SEARCHED = 50  # lines in which the header or the first heading is looked for
COMMENTS = "#%!/*"
NO_UNIT = ("", "-", "1", "#", "none", "no", "a.u.", "count")
FIRST_WORDS = ("units", "unit", "long name", "longname", "name", "comments", "comment")
QUANTITY = re.compile(r"(?P<value>[+-]?\d[\d.,]*(?:[eE][+-]?\d+)?)\s*(?P<unit>[^\s\d]*)")
HEADING = re.compile(
    r"(?P<name>[^\W\d][^:=,;\t]*?)\s*[\s:=,;]\s*" + QUANTITY.pattern + r"[\s,;\])]*"
)
VALUE = "g"  # name of the column of conductances without another name


def with_one_header(text: Text) -> Text:
    """A text whose second header line has units, with one header; other texts as they are.

    >>> from pathlib import Path
    >>> two = Text(Path("a.csv"), "V,I\\nmV,uA\\n100,2\\n")
    >>> with_one_header(two).lines
    ['V (mV),I (uA)', '', '100,2']
    """
    lines = text.lines
    places = [k for k, line in enumerate(lines[:SEARCHED]) if _body(line)][:4]
    if len(places) < 3:
        return text
    mark = _separator(lines[places[0]])
    names, units = (_cells(lines[k], mark) for k in places[:2])
    if len(names) != len(units) or len(names) < 2 or not _are_units(names, units):
        return text
    label = names[0].lower() in FIRST_WORDS and units[0].lower() in FIRST_WORDS
    joined = [_named(n, "" if label and k == 0 else u) for k, (n, u) in
              enumerate(zip(names, units, strict=True))]  # fmt: skip
    out = list(lines)
    out[places[0]] = mark.join(joined)
    out[places[1]] = ""
    if len(places) > 3 and _is_comment(lines[places[2]], lines[places[3]], mark):
        out[places[2]] = ""
    return replace(text, text="\n".join(out) + "\n")


def _body(line: str) -> str:
    """A line without blanks; empty for a comment."""
    words = line.strip().strip("".join(MARKS)).strip()
    return "" if words[:1] in COMMENTS and words[:1] else words


def _separator(line: str) -> str:
    return max(MARKS, key=line.count)


def _cells(line: str, mark: str) -> list[str]:
    return [cell.strip().strip('"').strip() for cell in line.split(mark)]


def _are_units(names: Sequence[str], units: Sequence[str]) -> bool:
    """Whether a line has units below names: no numbers, and units only."""
    bare = [unit.strip("[]() ") for unit in units]
    known = [any(factor(unit, kind) is not None for kind in Kind) for unit in bare if unit]
    others = [
        unit
        for unit in bare
        if unit.lower() not in (*NO_UNIT, *FIRST_WORDS)
        and not any(factor(unit, kind) is not None for kind in Kind)
    ]
    return not others and any(known) and not any(number(name) is not None for name in names)


def _named(name: str, unit: str) -> str:
    bare = unit.strip("[]() ")
    return name if bare.lower() in (*NO_UNIT, *FIRST_WORDS) else f"{name} ({bare})"


def _is_comment(line: str, below: str, mark: str) -> bool:
    """Whether a third header line has comments: no number, and numbers below it."""
    cells = [cell for cell in _cells(line, mark) if cell]
    return not any(number(cell) is not None for cell in cells) and any(
        number(cell) is not None for cell in _cells(below, mark)
    )


@dataclass
class _Long:
    """Lines of a long table that is built cell by cell."""

    text: Text
    level: str
    value: str
    lines: list[int]
    rows: list[list[str]]

    def add(self, line: int, device: str, level: str, cycle: str, cell: str) -> None:
        if cell:
            self.lines.append(line)
            self.rows.append([device, level, cycle, cell])

    def table(self, shape: str) -> Table:
        """The table, in which decimal commas are as in the file."""
        comma = any(WITH_COMMA.fullmatch(row[3]) for row in self.rows[:200])
        return Table(
            path=self.text.path,
            header=("device", self.level, "cycle", self.value),
            header_line=min(self.lines),
            rows=Rows(",", np.array(self.lines, np.int64), [], self.rows),
            width=4,
            decimal_comma=comma,
            recognised=(shape, *self.text.recognised, *(["decimal comma"] * comma)),
        )


def long_of_stacked(text: Text) -> Table | None:
    """The long table of a table with a stacked header; None for other texts.

    Raises UsageError where the level has no name.
    """
    lines = text.lines
    places = [k for k, line in enumerate(lines[:SEARCHED]) if line.strip()][:4]
    if len(places) < 3:
        return None
    mark = _separator(lines[places[0]])
    head = [_cells(lines[k], mark) for k in places[:3]]
    if len(head[0]) != len(head[1]) or len(head[0]) < 3 or _is_long(head[0]):
        return None
    if any(number(row[0]) is not None for row in head[:2]):
        return None
    levels, devices = _level_row(head[0], head[1])
    if levels is None:
        return None
    begin = 3 if not any(head[2][1:]) else 2  # a line with the name of the index only
    names = [row[0] for row in head[:begin]]
    level = _level_name(text, names, levels, places[0] + 1)
    long = _Long(text, level, _value_name(names), [], [])
    bare = [_number_of(cell) for cell in levels[1:]]
    for k, line in enumerate(lines[places[begin - 1] + 1 :], places[begin - 1] + 2):
        cells = _cells(line, mark)
        for device, at, cell in zip(devices[1:], bare, cells[1:], strict=False):
            long.add(k, device, at, cells[0], cell)
    return long.table(STACKED) if long.rows else None


def _is_long(header: Sequence[str]) -> bool:
    """Whether a header is that of a long table: it names the conductance and something else."""
    found = {column.role for k, name in enumerate(header) if (column := column_of(k, name))}
    return AFTER in found and len(found) > 1


def _filled(row: Sequence[str]) -> list[str]:
    """A header line, merged cells of which are written once."""
    out = list(row)
    for k in range(2, len(out)):
        out[k] = out[k] or out[k - 1]
    return out


def _level_row(first: Sequence[str], second: Sequence[str]) -> tuple[list[str] | None, list[str]]:
    """The line with levels and that with devices; None if neither is one of levels."""
    rows = [_filled(first), _filled(second)]
    for levels, devices in (rows, rows[::-1]):
        role = column_of(0, levels[0])
        named = role is not None and role.role in LEVELS
        numbers = all(QUANTITY.fullmatch(cell) for cell in levels[1:])
        repeated = len(set(levels[1:])) < len(levels) - 1
        other = column_of(0, devices[0])
        apart = (
            named
            or (other is not None and other.role in (DEVICE, PLACE))
            or not all(QUANTITY.fullmatch(cell) for cell in devices[1:])
        )
        pairs = set(zip(levels[1:], devices[1:], strict=True))
        if numbers and repeated and apart and len(pairs) == len(levels) - 1:
            return list(levels), list(devices)
    return None, []


def _number_of(cell: str) -> str:
    found = QUANTITY.fullmatch(cell)
    return found["value"] if found else cell


def _level_name(text: Text, names: Sequence[str], levels: Sequence[str], line: int) -> str:
    """Name and unit of the level, from the first column or from the cells."""
    found = QUANTITY.fullmatch(levels[1])
    unit = found["unit"] if found else ""
    for name in names:
        column = column_of(0, name)
        if column is not None and column.role in LEVELS:
            return name if column.scale is not None or not unit else f"{name} ({unit})"
    if factor(unit, Kind.CONDUCTANCE) is not None:
        return f"target ({unit})"
    if factor(unit, Kind.VOLTS) is not None:
        return f"V ({unit})"
    raise UsageError(
        f"{text.path}, line {line}: this line of levels has no name; write one into its first "
        "cell, as in target (uS) or V_WL (V)"
    )


def _value_name(names: Sequence[str]) -> str:
    """Name of the column of conductances or resistances, where a header has one."""
    for name in (part.strip() for whole in names for part in re.split("[,;:]", whole)):
        column = column_of(0, name)
        if column is not None and column.role == AFTER:
            return name
    return VALUE


@dataclass
class _Block:
    level: str
    value: str
    rows: list[tuple[int, list[str]]]


def long_of_blocks(text: Text) -> Table | None:
    """The long table of blocks with a heading each; None for texts with fewer than two."""
    name, blocks, notes = "", [], []
    lines = text.lines
    if not any(_heading(line) for line in lines[:SEARCHED]):
        return None
    for k, line in enumerate(lines, 1):
        heading = _heading(line)
        if heading is not None:
            name, value = heading
            blocks.append(_Block(name, value, []))
        elif blocks and _body(line):
            blocks[-1].rows.append((k, cells_of(line)))
        elif line.strip():
            notes.append(line.strip().strip(COMMENTS).strip())
    if len(blocks) < 2 or len({block.level for block in blocks}) > 1:
        return None
    long = _Long(text, name, _value_name(notes), [], [])
    for block in blocks:
        _add_block(long, block)
    return long.table(BLOCKS) if long.rows else None


def _heading(line: str) -> tuple[str, str] | None:
    """Name with unit, and value, of a level that stands alone on a line."""
    words = line.strip().strip(COMMENTS + "[]{}-= \t,;").strip('"')
    found = HEADING.fullmatch(words)
    if found is None:
        return None
    unit = found["unit"].strip("[]() ")
    name = f"{found['name']} ({unit})" if unit else found["name"].strip()
    column = column_of(0, name)
    if column is None or column.role not in LEVELS or (unit and column.scale is None):
        return None
    return name, found["value"].rstrip(",.")


def _add_block(long: _Long, block: _Block) -> None:
    rows = block.rows
    names: list[str] = []
    if rows and not any(number(cell) is not None for cell in rows[0][1] if cell):
        names, rows = rows[0][1], rows[1:]
    first = column_of(0, names[0]) if names else None
    counted = bool(names) and (not names[0] or (first is not None and first.role == CYCLE))
    for n, (line, cells) in enumerate(rows):
        for k, cell in enumerate(cells[counted:], int(counted)):
            device = names[k] if k < len(names) else str(k - counted)
            long.add(line, device, block.value, cells[0] if counted else str(n), cell)
