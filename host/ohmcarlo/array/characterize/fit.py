"""A device preset from the user's own measurements (``pulse_files``)."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import UsageError
from ...spec import DAC_MAX, TARGET_LSB_US
from ..device_preset import DevicePreset, LinearSpread, Table, Tag, Value
from ..presets import get_preset
from ..sweep import load_sweep
from .estimates import Estimates
from .estimation import estimate
from .measure import FloatArray
from .pulse_files import after_reset_us, csv_pulses, is_sweep, sweep_pulses
from .reads import hrs_estimates

VOLTS_PER_US = 1e-3 / TARGET_LSB_US  # the fitted law is over the target: 1 mV per DAC code
LAW = ("c2c_floor_us", "c2c_max_rel", "c2c_intercept_us", "c2c_slope")
# Range of a fitted constant; wider than the ranges of the cited presets.
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
    """The device model fitted to ``path``; constants that the file does not determine are those of
    ``rram-1t1r``.

    Raises UsageError when the file is malformed or too small: at least 3 targets, 5 devices and 5
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
    """Estimates of a file in the state given by ``changed`` and ``size``; one command uses them
    several times."""
    sweep = load_sweep(path) if is_sweep(path) else None
    found = estimate(sweep_pulses(sweep) if sweep else csv_pulses(path))
    if sweep is not None:
        found.constants.update(hrs_estimates(after_reset_us(sweep)))
    return found


def preset_of(found: Estimates, name: str) -> DevicePreset:
    """A preset with the estimated constants; the others are those of ``rram-1t1r``.

    Raises UsageError when the conductance does not rise with the programming level.
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


def _derived(value: float, unit: str, low: float, high: float) -> Value:
    return Value(float(np.clip(value, low, high)), unit, Tag.DERIVED, "FIT", low, high)


def _table(volts: FloatArray, typical_us: FloatArray) -> Table:
    ends = (float(volts[0]), float(volts[-1]))
    columns = (tuple(volts.tolist()), tuple(typical_us.tolist()))
    return Table(*columns, "V", "µS", Tag.DERIVED, "FIT", ends, "over the gate voltage")


def _law(targets_us: FloatArray, typical_us: FloatArray) -> Table:
    """The median over the target; outside the measured range the last ratio is used."""
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
