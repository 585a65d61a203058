"""Readers of lists, block by block."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from ...errors import OhmcarloError, UsageError
from ...files import explain
from ...tables.layout import MARKS
from .columns import EMPTY, NAME, OPERATIONS, VERSION
from .recorder import BLOCK
from .writing import COMMENT, PACKED, PARQUET, arrow, suffix_of

NEEDED = ("operation", "row", "device", "dac", "code")
UNKNOWN = -2
"""An integer for a cell that is no integer."""


@dataclass(frozen=True, eq=False)
class Lines:
    """Consecutive lines of a list.

    Attributes
    ----------
    line : int64 (n,)
        Number of the line in the file, from 1; in Parquet that of the row.
    operation : int64 (n,)
        Index into OPERATIONS, or UNKNOWN.
    row, device, dac, code : int64 (n,)
        EMPTY for an empty cell, UNKNOWN for one that is no integer. ``device`` is an address.
    """

    line: NDArray[np.int64]
    operation: NDArray[np.int64]
    row: NDArray[np.int64]
    device: NDArray[np.int64]
    dac: NDArray[np.int64]
    code: NDArray[np.int64]


def read_head(path: Path) -> dict[str, str]:
    """The head of a list, name by name; empty if the file has none.

    Raises UsageError for a version of the format that this program does not know.
    """
    if suffix_of(path) == PARQUET:
        with _readable(path):
            metadata = arrow().parquet.read_schema(path).metadata or {}
        head = {k: str(v) for k, v in json.loads(metadata.get(NAME.encode(), "{}")).items()}
        version = head.pop("version", None)
    else:
        lines = [line.removeprefix(COMMENT).strip() for line in _comments(path)]
        head = dict(line.split(": ", 1) for line in lines if ": " in line)
        first = next((line for line in lines if line.startswith(NAME)), None)
        version = None if first is None else first.removeprefix(NAME).strip()
    if version not in (None, str(VERSION)):
        raise UsageError(
            f"{path} has version {version} of the format, this program reads {VERSION}: use "
            f"ohmcarlo {head.get('ohmcarlo', '')}".rstrip()
        )
    return head


def _comments(path: Path) -> list[str]:
    """The comment lines at the beginning of a text, also as a spreadsheet saves them."""
    found = []
    with _readable(path), _opened(path) as file:
        for line in file:
            text = _text(line).strip('",;\t')
            if not text.startswith(COMMENT.strip()):
                break
            found.append(text)
    return found


def _text(line: bytes) -> str:
    return line.decode("utf-8", "replace").removeprefix("\ufeff").strip()


def _opened(path: Path) -> IO[bytes]:
    if suffix_of(path) == PACKED:
        return gzip.open(path, "rb")  # type: ignore[return-value]
    return path.open("rb")


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    """Raise OhmcarloError, which names the file, for one that cannot be read."""
    try:
        yield
    except OhmcarloError:
        raise
    except (EOFError, ValueError) as error:  # pyarrow and pandas raise kinds of ValueError
        raise OhmcarloError(
            f"{path} cannot be read ({' '.join(str(error).split())}): it is incomplete or no list; "
            "make it again with `ohmcarlo pulses`"
        ) from error
    except OSError as error:
        raise OhmcarloError(f"{explain(error, path)}: give a list of `ohmcarlo pulses`") from error


def read_lines(path: Path) -> Iterator[Lines]:
    """The lines of a list in blocks, without those of DOT.

    Raises UsageError for a missing column, OhmcarloError for a file that cannot be read.
    """
    blocks = _parquet_blocks if suffix_of(path) == PARQUET else _csv_blocks
    with _readable(path):
        for first, frame in blocks(path):
            yield _lines(first, frame)


def _csv_blocks(path: Path) -> Iterator[tuple[int, Any]]:
    import pandas as pd

    head = len(_comments(path))
    with _opened(path) as file:
        names, separator = _columns(path, _line(file, head), head + 1)
    with _opened(path) as file:
        blocks = pd.read_csv(
            file, sep=separator, skiprows=head + 1, header=None, names=names, usecols=list(NEEDED),
            chunksize=BLOCK, low_memory=False, skip_blank_lines=False, skipinitialspace=True,
            index_col=False, encoding_errors="replace",
        )  # fmt: skip
        first = head + 2
        for frame in blocks:
            yield first, frame
            first += len(frame)


def _columns(path: Path, header: str, line: int) -> tuple[list[str], str]:
    """Names of the columns, and the separator."""
    separator = max(MARKS, key=header.count)
    names = [cell.strip().strip('"').lower() for cell in header.split(separator)]
    missing = [name for name in NEEDED if name not in names]
    if missing:
        raise UsageError(
            f"{path}, line {line}: there is no column {missing[0]!r}; give a list that "
            "`ohmcarlo pulses` wrote, with its header line"
        )
    return names, separator


def _line(file: IO[bytes], skipped: int) -> str:
    for _ in range(skipped):
        file.readline()
    return _text(file.readline())


def _parquet_blocks(path: Path) -> Iterator[tuple[int, Any]]:
    file = arrow().parquet.ParquetFile(path)
    missing = [name for name in NEEDED if name not in file.schema_arrow.names]
    if missing:
        raise UsageError(
            f"{path} has no column {missing[0]!r}: give a list that `ohmcarlo pulses` wrote"
        )
    first = 1
    for batch in file.iter_batches(batch_size=BLOCK, columns=list(NEEDED)):
        yield first, batch.to_pandas()
        first += len(batch)


def _lines(first: int, frame: Any) -> Lines:
    known = {name: i for i, name in enumerate(OPERATIONS)}
    operation = frame["operation"].map(known).astype("float64").fillna(UNKNOWN).to_numpy(np.int64)
    blank = frame.isna().all(axis=1).to_numpy()
    kept = (operation != known["DOT"]) & ~blank
    columns = {name: _whole(frame[name])[kept] for name in NEEDED[1:]}
    line = first + np.flatnonzero(kept)
    return Lines(line=line, operation=operation[kept], **columns)


def _whole(cells: Any) -> NDArray[np.int64]:
    """Whole numbers of a column."""
    import pandas as pd

    numbers = pd.to_numeric(cells, errors="coerce").to_numpy(np.float64, na_value=np.nan)
    whole = np.isfinite(numbers) & (numbers == np.rint(numbers)) & (np.abs(numbers) < 2.0**53)
    empty = cells.isna().to_numpy()
    return np.where(whole, np.where(whole, numbers, 0), np.where(empty, EMPTY, UNKNOWN)).astype(
        np.int64
    )
