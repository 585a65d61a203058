"""A device preset from own measurements: repeated open-loop programming of some devices.

The file is CSV with a header line that names at least the columns ``device``, ``target_us`` and
``g_us``, one line per SET, in the order of the pulses.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import numpy as np

from ..errors import UsageError
from ..spec import DAC_MAX, TARGET_LSB_US
from .presets import DevicePreset, FloatArray, LinearSpread, Table, Tag, Value, get_preset

COLUMNS = ("device", "target_us", "g_us")
MIN_TARGETS, MIN_DEVICES, MIN_REPEATS = 3, 5, 5
VOLTS_PER_US = 1e-3 / TARGET_LSB_US  # the fitted law stands over the target: 1 mV per DAC code


@dataclass(frozen=True, eq=False)
class _Pulses:
    device: FloatArray
    target_us: FloatArray
    g_us: FloatArray


def _load(path: Path) -> _Pulses:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            missing = [c for c in COLUMNS if c not in (reader.fieldnames or ())]
            if missing:
                raise UsageError(
                    f"{path}: the header lacks {', '.join(missing)}; "
                    f"expected columns {', '.join(COLUMNS)}"
                )
            names: dict[str, int] = {}
            rows = []
            for row in reader:
                try:
                    target, g = float(row["target_us"]), float(row["g_us"])
                except (TypeError, ValueError):
                    raise UsageError(
                        f"{path}, line {reader.line_num}: target_us and g_us must be numbers (µS)"
                    ) from None
                if not (np.isfinite([target, g]).all() and target > 0 and g >= 0):
                    raise UsageError(
                        f"{path}, line {reader.line_num}: target_us and g_us must be positive"
                    )
                rows.append((names.setdefault(row["device"], len(names)), target, g))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UsageError(f"cannot read {path}: {error}") from error
    table = np.array(rows, np.float64).reshape(-1, 3)
    return _Pulses(*table.T)


def _lag_correlations(z: FloatArray, device: FloatArray) -> tuple[float, float]:
    """Correlation of successive and of next-but-one pulses of a device."""
    order = np.argsort(device, kind="stable")
    z, device = z[order], device[order]
    out = []
    for lag in (1, 2):
        same = device[lag:] == device[:-lag]
        out.append(float(np.mean((z[lag:] * z[:-lag])[same])))
    return out[0], out[1]


def _derived(value: float, unit: str, low: float, high: float) -> Value:
    return Value(float(np.clip(value, low, high)), unit, Tag.DERIVED, "FIT", low, high)


def _device_law(g: FloatArray, d2d: FloatArray) -> tuple[float, float]:
    """(rel, max) of min(rel · g, max) nearest to ``d2d``, by least squares over a grid."""
    rel = np.linspace(0, 0.35, 701)[:, None, None]
    top = np.linspace(0, max(20.0, d2d.max()), 81)[None, :, None]
    error = ((np.minimum(rel * g, top) - d2d) ** 2).sum(axis=2)
    i, j = np.unravel_index(np.argmin(error), error.shape)
    return float(rel[i, 0, 0]), float(top[0, j, 0])


def fit_preset(path: str | Path, name: str = "fitted") -> DevicePreset:
    """Fit median curve, c2c law, d2d law and cycle correlation to ``path``.

    What such a file cannot show (state after RESET, read noise, drift, ageing, stuck devices)
    stays as in ``rram-1t1r``. Raises UsageError when the file is malformed or too small: at least
    3 targets, 5 devices and 5 repeats of each device at each target.
    """
    path = Path(path)
    pulses = _load(path)
    targets, at = np.unique(pulses.target_us, return_inverse=True)
    device = pulses.device.astype(np.int64)
    devices = int(device.max()) + 1 if len(device) else 0
    count = np.zeros((len(targets), devices))
    np.add.at(count, (at, device), 1)
    if len(targets) < MIN_TARGETS or devices < MIN_DEVICES or count.min() < MIN_REPEATS:
        raise UsageError(
            f"{path} holds {len(targets)} targets, {devices} devices and down to "
            f"{int(count.min()) if count.size else 0} repeats of a device at a target; at least "
            f"{MIN_TARGETS}, {MIN_DEVICES} and {MIN_REPEATS} are needed"
        )
    total = np.zeros_like(count)
    np.add.at(total, (at, device), pulses.g_us)
    means = total / count
    deviation = pulses.g_us - means[at, device]
    squares = np.zeros_like(count)
    np.add.at(squares, (at, device), deviation**2)
    variance = squares / (count - 1)
    typical = means.mean(axis=1)
    if any(b <= a for a, b in pairwise(typical)):
        raise UsageError(f"{path}: the mean conductance does not rise with the target")
    sigma = np.sqrt(variance.mean(axis=1))
    d2d = np.sqrt(np.maximum(means.var(axis=1, ddof=1) - (variance / count).mean(axis=1), 0.0))
    slope, intercept = np.polyfit(typical, sigma, 1)
    d2d_rel, d2d_max = _device_law(typical, d2d)
    lag1, lag2 = _lag_correlations(deviation / sigma[at], pulses.device)
    seen = lag1 > 3 / np.sqrt(len(device))  # else there is no correlation to speak of
    phi = float(np.clip(lag2 / lag1, 0.0, 0.999)) if seen else 0.0
    base = get_preset("rram-1t1r")
    return replace(
        base,
        name=name,
        description=f"fitted to {len(device)} pulses of {devices} devices",
        set_law=_law(targets, typical),
        dac_low_v=replace(base.dac_low_v, value=0.0),
        dac_high_v=replace(base.dac_high_v, value=DAC_MAX * 1e-3),
        valid_us=(float(typical[0]), float(typical[-1])),
        c2c=LinearSpread(
            floor_us=_derived(sigma.min() / 2, "µS", 0.1, 64.0),
            max_rel=_derived((sigma / typical).max(), "fraction of g", 0.001, 1.0),
            intercept_us=_derived(intercept, "µS", -64.0, 128.0),
            slope=_derived(-slope, "µS per µS", -1.0, 1.0),
        ),
        slow_share=_derived(lag1 / phi if phi > 0 else 0.0, "fraction of variance", 0.0, 1.0),
        slow_phi=_derived(phi, "per cycle", 0.0, 0.999),
        d2d_rel=_derived(d2d_rel, "fraction of g", 0.0, 0.35),
        d2d_max_us=_derived(d2d_max, "µS", 0.0, 256.0),
    )


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
