"""A device preset from the user's own measurements (``measurements``)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import UsageError
from ...measurements.reading import read_recording
from ...measurements.recording import Recording
from ...spec import DAC_MAX, TARGET_LSB_US
from ..device_preset import DevicePreset, LinearSpread, Table, Tag, Value
from ..presets import get_preset
from .estimates import LEVEL, Estimate, Estimates, Origin, bound
from .estimation import estimate_population
from .measure import FloatArray
from .recorded_pulses import after_reset_us, pulses_of

BASE = "rram-1t1r"  # its constants are assumed where the data determine none
READ_PART = 0.3  # of the smallest relative spread: a larger read noise would have been seen in it
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
    "stuck_hrs_share": (0.0, 1.0),
    "pulse_set_s": (1e-9, 1e-2),
    "compliance_v": (0.05, 5.0),
}


def fit_preset(
    path: str | Path, name: str = "fitted", where: Mapping[str, str] | None = None
) -> DevicePreset:
    """The device model that ``fit_file`` fits to a file of measurements."""
    return fit_file(path, name, where)[0]


def fit_file(
    path: str | Path, name: str = "fitted", where: Mapping[str, str] | None = None
) -> tuple[DevicePreset, Estimates]:
    """Fit a device model to a file of measurements.

    Parameters
    ----------
    path : path
        A file or folder as ``read_recording`` takes it.
    name : str
        Name of the preset.
    where : mapping of str to str, optional
        Conditions of the pulses that are used, as in ``{"vbl": "2.0"}``.

    Returns
    -------
    preset : DevicePreset
        Constants that the file does not determine are those of ``BASE``.
    estimates : Estimates
        With units, origins and intervals.

    Raises
    ------
    UsageError
        One line with file and remedy, when the file is malformed or too small: at least 3 targets,
        5 devices and 5 repeats of each device at each target.

    Examples
    --------
    >>> from importlib.resources import files
    >>> from ohmcarlo.array.characterize.fit import fit_file
    >>> preset, found = fit_file(files("ohmcarlo.measurements") / "example.csv")
    >>> found.constants["read_noise_rel"].origin
    <Origin.ASSUMED: 'assumed'>
    """
    recording = read_recording(path, where)
    try:
        found = _estimates(recording)
        return preset_of(found, name), found
    except UsageError as error:
        text = str(error)
        source = str(recording.source)
        raise UsageError(text if text.startswith(source) else f"{source} holds {text}") from error


@lru_cache(maxsize=4)
def _estimates(recording: Recording) -> Estimates:
    """Estimates of a recording; one command uses them several times."""
    found = estimate_population(pulses_of(recording), recording.silent, after_reset_us(recording))
    width_ns = recording.conditions.get("width_ns")
    if width_ns is not None:
        found.constants["pulse_set_s"] = bound(width_ns * 1e-9, "s")
    if recording.compliance_v is not None:
        found.constants["compliance_v"] = bound(recording.compliance_v, "V")
    found.constants.update(assumed_constants(found))
    return found


def assumed_constants(found: Estimates) -> dict[str, Estimate]:
    """The constants of the base preset that the data do not determine.

    A spread that is fitted contains the noise of its reads. An assumed read noise is therefore
    limited, so that it hardly adds to that spread.
    """
    base = get_preset(BASE).constants()
    out = {
        name: Estimate(value.value, None, None, value.unit, Origin.ASSUMED)
        for name, value in base.items()
        if name not in found.constants and value.tag is not Tag.DEFINED
    }
    noise = out.get("read_noise_rel")
    if noise is not None:
        levels = zip(found.sigma_us, found.mean_us, strict=True)
        most = READ_PART * min(sigma.value / mean.value for sigma, mean in levels)
        out["read_noise_rel"] = noise if noise.value <= most else bound(most, noise.unit)
    return out


def preset_of(found: Estimates, name: str) -> DevicePreset:
    """A preset with the estimated constants; the others are assumed to be those of ``BASE``.

    Levels with equal means count as one. Raises UsageError when fewer than two are different.
    """
    base = get_preset(BASE)
    levels, typical = _rising(found)
    values = {
        key: _fitted(found.constants[key], *limits)
        for key, limits in LIMITS.items()
        if key in found.constants and found.constants[key].origin is not Origin.ASSUMED
    }
    law = {key.removeprefix("c2c_"): v for key, v in values.items() if key in LAW}
    others: dict[str, Any] = {key: v for key, v in values.items() if key not in LAW}
    volts = found.unit == "V"
    table = _table(levels, typical) if volts else _law(levels, typical)
    low, high = (table.x[0], table.x[-1]) if volts else (0.0, DAC_MAX * 1e-3)
    return replace(
        _assumed(base),
        name=name,
        description=f"fitted to {found.pulses:,} pulses of {found.devices:,} devices",
        set_law=table,
        dac_low_v=_gate(base.dac_low_v, low),
        dac_high_v=_gate(base.dac_high_v, high),
        valid_us=(float(typical[0]), float(typical[-1])),
        c2c=LinearSpread(**law),
        **others,
    )


def _rising(found: Estimates) -> tuple[FloatArray, FloatArray]:
    """Levels and means (µS) of a rising curve through the means."""
    from scipy.optimize import isotonic_regression

    means = isotonic_regression([e.value for e in found.mean_us]).x
    first = np.concatenate([[True], np.diff(means) > 1e-9 * means.max()])
    if first.sum() < 2:
        raise UsageError("a mean conductance that does not rise with the level")
    block = np.cumsum(first) - 1
    return np.bincount(block, found.levels) / np.bincount(block), means[first]


def _assumed(base: DevicePreset) -> DevicePreset:
    """The preset as an assumption about other devices than its own."""
    values: dict[str, Any] = {
        name: replace(value, tag=Tag.ASSUMED, note=f"of {base.name}; the data do not determine it")
        for name, value in base.constants().items()
        if value.tag is not Tag.DEFINED and isinstance(getattr(base, name, None), Value)
    }
    return replace(base, **values)


def _fitted(found: Estimate, low: float, high: float) -> Value:
    """A constant of the preset; the note states its origin, interval and limit."""
    note: str = found.origin.value
    if found.low is not None and found.high is not None:
        note += f", {LEVEL:.0%} interval {found.low:.4g} to {found.high:.4g}"
    value = float(np.clip(found.value, low, high))
    if value != found.value:
        note += f"; {found.value:.4g} is outside the range of the model"
    tag = Tag.DERIVED if found.origin is Origin.FITTED else Tag.ASSUMED
    return Value(value, found.unit, tag, "FIT", low, high, note)


def _gate(base: Value, volts: float) -> Value:
    """A gate voltage, which devices may need beyond the usual range."""
    return replace(base, value=volts, low=min(base.low, volts), high=max(base.high, volts))


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
