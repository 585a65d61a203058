"""Read a file of measurements, whatever its format."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np

from ..errors import UsageError
from ..files import stamp_of
from ..readable import count
from ..tables import LEAVE_OUT, Table, Text, parse_table, read_texts
from . import cycle_table, easyexpert, long_table, six_columns, smu_list, wide_table
from .assembly import recording_of
from .headers import column_of
from .iv_curves import Curve
from .iv_pulses import read_voltage, recording_of_curves
from .names import split_name
from .other_kinds import other_kind
from .readings import Readings
from .recording import LeftOut, Recording
from .reshaping import BLOCKS, STACKED, long_of_blocks, long_of_stacked, with_one_header
from .screening import BAD_SHARE

Where = Mapping[str, str]
DOCUMENT = "docs/measurements.md"


@dataclass(frozen=True)
class Format:
    """A format of measurements.

    Attributes
    ----------
    name : str
        As in ``docs/measurements.md``.
    recognises : function of a table
        Whether a table has this format. The first format in FORMATS that does reads it.
    read : function of a table and ``where``
        The recording; raises UsageError for a table that cannot be used.
    """

    name: str
    recognises: Callable[[Table], bool]
    read: Callable[[Table, Where], Recording]


def of_readings(read: Callable[[Table], Readings]) -> Callable[[Table, Where], Recording]:
    """The ``read`` of a Format whose module gives readings, one a line."""
    return lambda table, where: recording_of(read(table), where)


def _long_table(table: Table, where: Where) -> Recording:
    """A long table; ``where`` names the read voltage of currents without a column for it."""
    rest = dict(where)
    read_v = read_voltage(rest, np.nan) if long_table.lacks_read_voltage(table) else np.nan
    return recording_of(long_table.read(table, read_v), rest)


FORMATS: tuple[Format, ...] = (
    Format(six_columns.NAME, six_columns.recognises, of_readings(six_columns.read)),
    Format(long_table.NAME, long_table.recognises, _long_table),
    Format(wide_table.DEVICES, wide_table.recognises, of_readings(wide_table.read)),
)


@dataclass(frozen=True)
class ListFormat:
    """A format of lines that need not form one table, in a file or a folder of files.

    Attributes
    ----------
    name : str
        As in ``docs/measurements.md``.
    recognises : function of a text
    read : function of texts, their file or folder, and ``where``
        The recording; raises UsageError for texts that cannot be used.
    """

    name: str
    recognises: Callable[[Text], bool]
    read: Callable[[Sequence[Text], Path, Where], Recording]


def of_curves(name: str, curves: Callable[[Text], list[Curve]]) -> Callable[..., Recording]:
    """The ``read`` of a ListFormat whose module gives I-V curves."""

    def read(texts: Sequence[Text], source: Path, where: Where) -> Recording:
        found = [curve for text in texts for curve in curves(text)]
        if not any(np.isnan(curve.time_s) for curve in found):
            found.sort(key=lambda curve: curve.time_s)  # EasyEXPERT may write the last one first
        return recording_of_curves(found, source, name, where)

    return read


LISTS: tuple[ListFormat, ...] = (
    ListFormat(
        easyexpert.NAME, easyexpert.recognises, of_curves(easyexpert.NAME, easyexpert.curves_of)
    ),
    ListFormat(smu_list.NAME, smu_list.recognises, of_curves(smu_list.NAME, smu_list.curves_of)),
    ListFormat(cycle_table.NAME, cycle_table.recognises, cycle_table.read),
)
SHAPES: tuple[tuple[str, Callable[[Text], Table | None]], ...] = (
    (STACKED, long_of_stacked),
    (BLOCKS, long_of_blocks),
)
"""Shapes that become a long table, by name."""
LISTED = 4  # names in a message
TITLES, SEARCHED = 12, 60  # lines of a title, and lines that show whether a table follows
SUFFIXES = (".csv", ".txt", ".tsv", ".dat", ".gz", ".xlsx", ".xls", ".ods", "")
"""Files of a folder that are read."""


def read_recording(path: str | Path, where: Where | None = None) -> Recording:
    """The SET pulses in a file of measurements.

    Parameters
    ----------
    path : path
        ``docs/measurements.md`` has the formats; the content decides which one it is. A folder
        holds I-V lists of single devices. Conditions may follow the name: ``sweep.csv,vbl=2.0``.
    where : mapping of str to str, optional
        Conditions of the pulses that are read, as ``{"vbl": "2.0", "width": "100ns"}``.

    Raises
    ------
    UsageError
        One line with file, place and remedy, for a file in another format, a RESET sweep, several
        conditions, and conductances that no device has.

    Examples
    --------
    >>> from importlib.resources import files
    >>> from ohmcarlo.measurements.reading import read_recording
    >>> recording = read_recording(files("ohmcarlo.measurements") / "example.csv")
    >>> len(recording.devices), recording.swept
    (24, 'word line')
    """
    path, more = split_name(str(path))
    where = {**more, **(where or {})}
    stamp = tuple(_stamp(file) for file in _files(path))
    recording = _read(path, stamp, tuple(sorted(where.items())))
    for name in ("device", "level", "cycle", "after_us", "before_us", "line"):
        getattr(recording, name).flags.writeable = False  # the recording is shared
    return recording


Stamp = tuple[str, int, int]


def _files(path: Path) -> list[Path]:
    """The file, or the files in a folder in the order of their names."""
    if not path.is_dir():
        return [path]
    files = [file for file in sorted(path.iterdir()) if file.is_file()]
    return [file for file in files if file.suffix.lower() in SUFFIXES and file.name[0] != "."]


def _stamp(file: Path) -> Stamp:
    """Name, time and size of a file; the read raises the error for a file that is missing."""
    return str(file), *stamp_of(file)


@lru_cache(maxsize=4)
def _read(path: Path, stamp: tuple[Stamp, ...], where: tuple[tuple[str, str], ...]) -> Recording:
    """A file that had this ``stamp``; one command uses it several times."""
    files = [[with_one_header(t) for t in read_texts(Path(name))] for name, _, _ in stamp]
    texts = [text for sheets in files for text in sheets]
    for known in LISTS:
        if any(known.recognises(text) for text in (files[0] if files else [])):
            return known.read(_of_format(known, files), path, dict(where))
    if len(files) != 1:
        raise UsageError(
            f"{path} is a folder with {count(len(files), 'file')} ({', '.join(SUFFIXES[:4])}) and "
            "no I-V lists: give one file, or a folder with an I-V list of each device"
        )
    if len(texts) != 1:
        names = ", ".join(text.recognised[0] for text in texts[:LISTED])
        raise UsageError(
            f"{path} is a workbook with {count(len(texts), 'sheet')} ({names}) and no I-V lists: "
            "save the sheet with the table as CSV"
        )
    return _of_table(texts[0], dict(where))


def _of_format(known: ListFormat, files: Sequence[Sequence[Text]]) -> list[Text]:
    """The texts of a format; other sheets of a workbook do not matter, other files do."""
    out = []
    for sheets in files:
        mine = [text for text in sheets if known.recognises(text)]
        if not mine:
            raise UsageError(
                f"{sheets[0].path if sheets else 'a file'} is not in the format of the other files "
                f"of its folder ({known.name}): remove it, or give one file"
            )
        out += sorted(mine, key=_run) if all(_run(text) >= 0 for text in mine) else mine
    return out


def _run(text: Text) -> int:
    """The number at the end of a sheet's name; -1 without one.

    Clarius writes the last run first.
    """
    found = re.search(r"(\d+)\]$", text.path.name)
    return int(found[1]) if found else -1


def _table(text: Text, first_line: int = 1) -> Table:
    table = parse_table(text, first_line=first_line, odd_lines=LEAVE_OUT)
    if not table.header and len(table) and any(column_of(0, cell) for cell in table.rows[0]):
        # names above numbers that are names, too
        table = parse_table(text, header=True, first_line=first_line, odd_lines=LEAVE_OUT)
    return table


def _format_of(table: Table) -> Format | None:
    return next((known for known in FORMATS if known.recognises(table)), None)


def _line_below_titles(text: Text) -> int:
    """The line at which a table of a known format begins below lines of a title; 0 without one."""
    lines = text.lines[:SEARCHED]
    sample = replace(text, text="\n".join(lines) + "\n")
    for first in range(2, min(TITLES, len(lines) - 2) + 2):
        try:
            if _format_of(_table(sample, first)):
                return first
        except UsageError:  # no table begins here
            continue
    return 0


def _of_table(text: Text, where: Where) -> Recording:
    for name, reshaped in SHAPES:
        if (long := reshaped(text)) is not None:
            readings = long_table.read(long)
            phrases = tuple(p for p in readings.recognised if p != long_table.NAME)
            return recording_of(replace(readings, format=name, recognised=phrases), where)
    table = _table(text)
    if other := other_kind(table):
        raise UsageError(f"{table.path} holds {other} ({DOCUMENT})")
    if not _format_of(table) and (first := _line_below_titles(text)):
        table = _table(text, first)
        table = replace(table, recognised=(*table.recognised, count(first - 1, "title line")))
    known = _format_of(table)
    if known is not None:
        _refuse_odd_lines(table)
        return _with_odd_lines(known.read(table, where), table)
    raise _unknown(table)


def _refuse_odd_lines(table: Table) -> None:
    """Raise UsageError if many lines have another number of cells than the table has columns."""
    odd = table.odd_lines
    if len(odd) > BAD_SHARE * (len(table) + len(odd)):
        line, cells = odd[0]
        raise UsageError(
            f"{table.path}, line {line}: {cells} cells, but the table has {table.width} columns; "
            f"{len(odd)} of {len(table) + len(odd)} lines differ"
        )


def _with_odd_lines(recording: Recording, table: Table) -> Recording:
    if not table.odd_lines:
        return recording
    lines = tuple(line for line, _ in table.odd_lines)
    left_out = (LeftOut("lines with another number of cells", lines), *recording.left_out)
    return replace(recording, left_out=left_out)


def _unknown(table: Table) -> UsageError:
    """An error that names what the file lacks, and the formats."""
    if not table.header:
        return UsageError(
            f"{table.path} has {table.width} columns of numbers and no header: write one, with "
            f"{long_table.EXPECTED}, or give the six columns {six_columns.COLUMNS} ({DOCUMENT})"
        )
    lacking = ", ".join(long_table.missing_names(table))
    return UsageError(
        f"{table.path}, line {table.header_line}: the header lacks {lacking}; expected "
        f"{long_table.EXPECTED}; or a sweep file without a header: {six_columns.COLUMNS} "
        f"({DOCUMENT})"
    )
