"""Files of the user's own measurements: repeated open-loop programming of some devices.

The file is CSV with a header line and one line per SET, in the order of the pulses. The header
names at least the columns ``device``, ``target_us`` and ``g_us``. A sweep file (see ``sweep``) is
accepted, too; it is recognised by its six columns of numbers without a header.
"""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...errors import UsageError
from ..sweep import HRS_LIMIT_OHM, Sweep
from .estimates import ABSENT, Pulses

COLUMNS = ("device", "target_us", "g_us")
SWEEP_COLUMNS = 6
SWEEP_LOWEST_US = 44.0  # lower medians are hardly SET
SWEEP_SHARE = 0.5  # of the cells that must have a voltage


def is_sweep(path: Path) -> bool:
    """Whether the first line is six numbers; False for a file that cannot be read."""
    try:
        with path.open(encoding="utf-8-sig") as file:
            words = next((line.split() for line in file if line.strip()), [])
        return len([float(word) for word in words]) == SWEEP_COLUMNS
    except (OSError, ValueError):
        return False


def csv_pulses(path: Path) -> Pulses:
    """The pulses of a CSV file; UsageError names line and column of an error."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            missing = [c for c in COLUMNS if c not in (reader.fieldnames or ())]
            if missing:
                raise UsageError(
                    f"{path}, line 1: the header lacks {', '.join(missing)}; "
                    f"expected columns {', '.join(COLUMNS)}"
                )
            names: dict[str, list[tuple[float, float]]] = {}
            for row in reader:
                where = f"{path}, line {reader.line_num}"
                if None in row:
                    raise UsageError(f"{where}: more cells than the header has columns")
                target, g = (_number(where, c, row[c]) for c in COLUMNS[1:])
                if not target > 0:
                    raise UsageError(f"{where}, column target_us: {target:g} is not positive")
                if row["device"] in (None, ""):
                    raise UsageError(f"{where}, column device: it is empty")
                names.setdefault(row["device"], []).append((target, g))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UsageError(f"{path}: cannot be read: {error}") from error
    longest = max(map(len, names.values()), default=0)
    targets = np.full((longest, len(names)), np.nan)
    g_us = np.zeros_like(targets)
    for d, pulses in enumerate(names.values()):
        targets[: len(pulses), d], g_us[: len(pulses), d] = np.array(pulses).T
    levels = np.unique(targets[np.isfinite(targets)])
    level = np.searchsorted(levels, targets)
    return Pulses(levels, np.where(np.isfinite(targets), level, ABSENT), g_us)


def _number(where: str, column: str, text: str | None) -> float:
    try:
        value = float(text or "")
    except ValueError:
        raise UsageError(f"{where}, column {column}: {text or ''!r} is not a number (µS)") from None
    if not (np.isfinite(value) and value >= 0):
        raise UsageError(f"{where}, column {column}: {value:g} µS is not a conductance")
    return value


def sweep_pulses(sweep: Sweep) -> Pulses:
    """The pulses of a sweep file at voltages that set most of its cells.

    A device's pulses are counted over all of its voltages, including those left out here.
    """
    index = np.arange(len(sweep.volts))
    complete = index[None, :] <= sweep.top[:, None]  # (cells, voltages)
    means = np.where(complete, np.nan_to_num(sweep.set_us).mean(axis=2), np.nan)
    typical = np.array([np.median(m[np.isfinite(m)]) if np.isfinite(m).any() else 0.0
                        for m in means.T])  # fmt: skip
    used = np.flatnonzero((typical >= SWEEP_LOWEST_US) & (complete.mean(axis=0) >= SWEEP_SHARE))
    number = np.full(len(sweep.volts), ABSENT)
    number[used] = np.arange(len(used))
    made = np.isfinite(sweep.set_us)
    longest = int(made.sum(axis=(1, 2)).max())
    level = np.full((longest, sweep.cells), ABSENT)
    g_us = np.zeros(level.shape)
    for cell in range(sweep.cells):
        there = made[cell].T  # (sweeps, voltages): the order of the pulses
        _, volt = np.nonzero(there)
        level[: len(volt), cell] = np.where(complete[cell, volt], number[volt], ABSENT)
        g_us[: len(volt), cell] = sweep.set_us[cell].T[there]
    return Pulses(sweep.volts[used], level, g_us, unit="V", partial=True)


def after_reset_us(sweep: Sweep) -> NDArray[np.float64]:
    """Conductances (µS) before a SET that count as reset: (pulses, cells), NaN for others."""
    before = sweep.before_us.reshape(sweep.cells, -1).T
    return np.where(before <= 1e6 / HRS_LIMIT_OHM, before, np.nan)
