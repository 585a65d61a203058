"""A device preset from measurements of the user: repeated open-loop programming of devices.

The file is CSV with a header line that names at least the columns ``device``, ``target_us`` and
``g_us``, one line per SET, in the order of the pulses; or a sweep file (see ``measured``), which
is known by its six columns of numbers without a header.
"""

from __future__ import annotations

import csv
from dataclasses import replace
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import UsageError
from ...spec import DAC_MAX, TARGET_LSB_US
from ..measured import HRS_LIMIT_OHM, Sweep, load_sweep
from ..presets import DevicePreset, LinearSpread, Table, Tag, Value, get_preset
from .estimates import ABSENT, Estimates, FloatArray, Pulses, estimate, hrs_estimates

COLUMNS = ("device", "target_us", "g_us")
SWEEP_COLUMNS = 6
VOLTS_PER_US = 1e-3 / TARGET_LSB_US  # the fitted law stands over the target: 1 mV per DAC code
SWEEP_LOWEST_US = 44.0  # lower medians belong to devices that are hardly SET
SWEEP_SHARE = 0.5  # least share of cells with a voltage that is used
# What a constant of the model may be; wider than what the cited presets allow.
LIMITS = {
    "c2c_floor_us": (0.05, 64.0),
    "c2c_max_rel": (0.001, 1.0),
    "c2c_intercept_us": (-64.0, 128.0),
    "c2c_slope": (-1.0, 1.0),
    "c2c_device_ln": (0.0, 2.0),
    "slow_share": (0.0, 1.0),
    "slow_phi": (0.0, 0.999),
    "d2d_rel": (0.0, 0.5),
    "d2d_max_us": (0.0, 256.0),
    "read_noise_rel": (0.0, 0.2),
    "hrs_median_us": (0.05, 60.0),
    "hrs_ln_sigma": (0.0, 3.0),
    "stuck_fraction": (0.0, 0.5),
}


def fit_preset(path: str | Path, name: str = "fitted") -> DevicePreset:
    """The device model of the measurements in ``path``. Other constants stay as in ``rram-1t1r``.

    Raises UsageError if the file is malformed or too small. It needs 3 targets, 5 devices and 5
    repeats of each device at each target.
    """
    return fit_file(path, name)[0]


def fit_file(path: str | Path, name: str = "fitted") -> tuple[DevicePreset, Estimates]:
    """``fit_preset``, and the estimates with their intervals."""
    path = Path(path)
    try:
        state = path.stat()
        found = _estimates(path, state.st_mtime_ns, state.st_size)
        return preset_of(found, name), found
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from error
    except UsageError as error:
        text = str(error)
        raise UsageError(text if text.startswith(str(path)) else f"{path} holds {text}") from error


@lru_cache(maxsize=4)
def _estimates(path: Path, changed: int, size: int) -> Estimates:
    """Cached per file, time of change and size, because one command needs it several times."""
    sweep = load_sweep(path) if is_sweep(path) else None
    found = estimate(sweep_pulses(sweep) if sweep else csv_pulses(path))
    if sweep is not None:
        found.constants.update(hrs_estimates(after_reset_us(sweep)))
    return found


# -- files -----------------------------------------------------------------------------------------


def is_sweep(path: Path) -> bool:
    """Whether the first line is six numbers. False for an unreadable file."""
    try:
        with path.open(encoding="utf-8-sig") as file:
            words = next((line.split() for line in file if line.strip()), [])
        return len([float(word) for word in words]) == SWEEP_COLUMNS
    except (OSError, ValueError):
        return False


def csv_pulses(path: Path) -> Pulses:
    """The pulses of a CSV file. UsageError names line and column of an error."""
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
        raise UsageError(f"{where}, column {column}: {value:g} µS is no conductance")
    return value


def sweep_pulses(sweep: Sweep) -> Pulses:
    """The pulses of a sweep file at voltages that set most of its cells.

    A device's pulses are counted through all of its voltages, also those that are left out here.
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
    """Conductances before a SET that the sweep took for reset, µS: (pulses, cells), else NaN."""
    before = sweep.before_us.reshape(sweep.cells, -1).T
    return np.where(before <= 1e6 / HRS_LIMIT_OHM, before, np.nan)


# -- the preset ------------------------------------------------------------------------------------


def preset_of(found: Estimates, name: str) -> DevicePreset:
    """A preset with the estimated constants; the others stay as in ``rram-1t1r``.

    Raises UsageError if the conductance does not rise with the target.
    """
    base = get_preset("rram-1t1r")
    typical = np.array([e.value for e in found.mean_us])
    if any(b <= a for a, b in pairwise(typical)):
        raise UsageError("a mean conductance that does not rise with the target")
    values = {
        key: _derived(found.constants[key].value, found.constants[key].unit, *limits)
        for key, limits in LIMITS.items()
        if key in found.constants
    }
    law = {key.removeprefix("c2c_"): v for key, v in values.items() if key in LAW}
    others: dict[str, Any] = {key: v for key, v in values.items() if key not in LAW}
    volts = found.unit == "V"
    table = _table(found.levels, typical) if volts else _law(found.levels, typical)
    low, high = (table.x[0], table.x[-1]) if volts else (0.0, DAC_MAX * 1e-3)
    return replace(
        base,
        name=name,
        description=f"fitted to {found.pulses:,} pulses of {found.devices:,} devices",
        set_law=table,
        dac_low_v=replace(base.dac_low_v, value=low),
        dac_high_v=replace(base.dac_high_v, value=high),
        valid_us=(float(typical[0]), float(typical[-1])),
        c2c=LinearSpread(**law),
        **others,
    )


LAW = ("c2c_floor_us", "c2c_max_rel", "c2c_intercept_us", "c2c_slope")


def _derived(value: float, unit: str, low: float, high: float) -> Value:
    return Value(float(np.clip(value, low, high)), unit, Tag.DERIVED, "FIT", low, high)


def _table(volts: FloatArray, typical_us: FloatArray) -> Table:
    ends = (float(volts[0]), float(volts[-1]))
    columns = (tuple(volts.tolist()), tuple(typical_us.tolist()))
    return Table(*columns, "V", "µS", Tag.DERIVED, "FIT", ends, "over the gate voltage")


def _law(targets_us: FloatArray, typical_us: FloatArray) -> Table:
    """The median over the target; outside the measured range the ratio of the last point holds."""
    top = max(DAC_MAX * TARGET_LSB_US, targets_us[-1] + 1)
    x = np.concatenate([[0.0], targets_us, [top]])
    y = np.concatenate([[0.0], typical_us, [top * typical_us[-1] / targets_us[-1]]])
    volts = x * VOLTS_PER_US
    return Table(
        tuple(volts.tolist()),
        tuple(y.tolist()),
        "V",
        "µS",
        Tag.DERIVED,
        "FIT",
        (float(volts[1]), float(volts[-2])),
        "1 mV per DAC code",
    )
