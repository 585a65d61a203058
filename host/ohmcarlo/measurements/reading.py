"""Read a file of measurements, whatever its format."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from ..errors import UsageError
from ..tables import LEAVE_OUT, Table, read_table
from . import long_table, six_columns
from .assembly import recording_of
from .readings import Readings
from .recording import Recording

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


FORMATS: tuple[Format, ...] = (
    Format(six_columns.NAME, six_columns.recognises, of_readings(six_columns.read)),
    Format(long_table.NAME, long_table.recognises, of_readings(long_table.read)),
)


def read_recording(path: str | Path, where: Where | None = None) -> Recording:
    """The SET pulses in a file of measurements.

    Parameters
    ----------
    path : path
        ``docs/measurements.md`` has the formats; the content decides which one it is.
    where : mapping of str to str, optional
        Conditions of the pulses that are read, as ``{"vbl": "2.0", "width": "100ns"}``.

    Raises UsageError, one line with file, place and remedy, for a file in another format, a RESET
    sweep, several conditions, and conductances that no device has.

    >>> recording = read_recording("sweep.csv", {"vbl": "2.0"})               # doctest: +SKIP
    >>> len(recording.devices), recording.swept                               # doctest: +SKIP
    (50, 'word line')
    """
    path = Path(path)
    try:
        state = path.stat()
        stamp = (state.st_mtime_ns, state.st_size)
    except OSError:
        stamp = (0, 0)  # the read raises the error
    return _read(path, stamp, tuple(sorted((where or {}).items())))


@lru_cache(maxsize=4)
def _read(path: Path, stamp: tuple[int, int], where: tuple[tuple[str, str], ...]) -> Recording:
    """A file that had this ``stamp``; one command uses it several times."""
    table = read_table(path, odd_lines=LEAVE_OUT)
    for known in FORMATS:
        if known.recognises(table):
            return known.read(table, dict(where))
    raise _unknown(table)


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
