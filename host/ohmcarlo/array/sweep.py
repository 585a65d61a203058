"""Sweep files: SET pulses of real cells over the word-line voltage.

A sweep file has one line per SET pulse: cell address, pulse width (ns), bit-line voltage (V),
word-line voltage (V), resistance before and after the pulse (Ω); tabs or spaces, no header; each
cell's lines are consecutive sweeps with rising word-line voltage.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import UsageError

FloatArray = NDArray[np.float64]
COLUMNS = (
    "cell address, pulse width (ns), bit-line voltage (V), word-line voltage (V), "
    "resistance before and after the pulse (ohm)"
)
RESISTANCES = (5, 6)  # columns, counted from 1
MIN_SWEEPS = 4  # half of fewer shows no spread
HRS_LIMIT_OHM = 60e3  # below this the sweep applied another RESET


@dataclass(frozen=True, eq=False)
class Sweep:
    """The content of a sweep file by cell, voltage and sweep.

    Attributes
    ----------
    volts : float (voltages,)
        Word-line voltages, rising.
    set_us : float (cells, voltages, sweeps)
        Conductance (µS) after the SET; NaN where a sweep had ended or has no such voltage.
    before_us : float (cells, voltages, sweeps)
        Conductance (µS) before it.
    top : int (cells,)
        Highest voltage index up to which *every* sweep of the cell has a value. A sweep ends when
        the cell has reached its final conductance. The values beyond are therefore biased towards
        low conductance, and are not used.
    """

    volts: FloatArray
    set_us: FloatArray
    before_us: FloatArray
    top: NDArray[np.int64]

    @property
    def cells(self) -> int:
        return self.set_us.shape[0]

    @property
    def sweeps(self) -> int:
        return self.set_us.shape[2]


def _line_error(path: Path, number: int, problem: str) -> UsageError:
    return UsageError(f"{path}, line {number}: {problem}; expected {COLUMNS}")


def _parse(path: Path) -> FloatArray:
    """The numbers of a sweep file, float (lines, 6); UsageError names the first bad line."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is not a text file; expected {COLUMNS}") from error
    rows = []
    for number, line in enumerate(text.splitlines(), 1):
        words = line.split()
        if not words:
            continue
        if len(words) != 6:
            raise _line_error(path, number, f"{len(words)} columns")
        row = []
        for column, word in enumerate(words, 1):
            try:
                row.append(float(word))
            except ValueError:
                problem = f"not numbers: {word[:40]!r} in column {column}"
                raise _line_error(path, number, problem) from None
        for column, value in enumerate(row, 1):
            if not np.isfinite(value) or (column in RESISTANCES and value <= 0):
                problem = (
                    "a resistance that is not a positive number"
                    if column in RESISTANCES
                    else "a number that is not finite"
                )
                raise _line_error(path, number, f"{problem}: column {column}")
        rows.append(row)
    if not rows:
        raise UsageError(f"{path} is empty; expected {COLUMNS}")
    return np.array(rows)


def load_sweep(path: str | Path) -> Sweep:
    """Read a sweep file.

    Cells with fewer than two voltages that every sweep covers are left out. Raises UsageError for
    a malformed line, with its number, or when too few cells are left.
    """
    path = Path(path)
    try:
        state = path.stat()
        stamp = (state.st_mtime_ns, state.st_size)
    except OSError:
        stamp = (0, 0)  # the read raises the error
    return _arranged(path, stamp)


@lru_cache(maxsize=2)
def _arranged(path: Path, stamp: tuple[int, int]) -> Sweep:
    """A sweep file that had this ``stamp``: the array and its calibration array share it."""
    table = _parse(path)
    addresses = np.unique(table[:, 0])
    volts, level = np.unique(np.rint(table[:, 3] * 1000).astype(np.int64), return_inverse=True)
    runs = []
    for address in addresses:
        mine = np.flatnonzero(table[:, 0] == address)
        run = np.cumsum(np.diff(level[mine], prepend=level[mine[0]]) < 0)
        duplicate = np.flatnonzero(np.diff(level[mine]) == 0)
        if len(duplicate):
            raise UsageError(
                f"{path}: cell {address:g} has the same word-line voltage twice in a row; "
                "each sweep must rise"
            )
        runs.append((mine, run))
    sweeps = int(np.median([run[-1] + 1 for _, run in runs]))
    if sweeps < MIN_SWEEPS:
        raise UsageError(
            f"{path}: {sweeps} sweeps per cell are too few to draw from: at least {MIN_SWEEPS}"
        )
    shape = (len(addresses), len(volts), sweeps)
    after, before = np.full(shape, np.nan), np.full(shape, np.nan)
    for cell, (mine, run) in enumerate(runs):
        kept = run < sweeps
        mine, run = mine[kept], run[kept]
        after[cell, level[mine], run] = 1e6 / table[mine, 5]
        before[cell, level[mine], run] = 1e6 / table[mine, 4]
    complete = np.isfinite(after).all(axis=2)
    top = np.cumprod(complete, axis=1).sum(axis=1) - 1
    usable = top >= 1
    if not usable.any():
        raise UsageError(f"{path}: no cell has two voltages that all its {sweeps} sweeps cover")
    return Sweep(volts / 1000, after[usable], before[usable], top[usable])
