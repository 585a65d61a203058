"""Levels as they were meant: a compliance current as a target, and voltages without jitter."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from .conditions import grouped, varying_levels
from .quantities import COMPLIANCE, QUANTITIES, SWEPT_LINES, TARGET
from .readings import Readings, names_in_order
from .recording import FloatArray

JITTER = 0.25  # of a step: voltages that differ by less are one voltage


def by_compliance(readings: Readings) -> tuple[Readings, float | None]:
    """Readings whose target is the compliance current I, if it is the only level that varies.

    The target is I / V_C, where V_C is the median of I over the conductance reached; V_C is
    returned, too.
    """
    limit = readings.quantities.get(COMPLIANCE)
    if limit is None or varying_levels(readings):
        return readings, None
    if len(grouped(limit, QUANTITIES[COMPLIANCE].same)[0]) < 2:
        return readings, None
    known = (readings.problem == "") & (readings.after_us > 0) & (limit > 0)
    if not known.any():
        return readings, None
    volts = float(np.median(limit[known] / readings.after_us[known]))
    quantities = {name: v for name, v in readings.quantities.items() if name != COMPLIANCE}
    changed = replace(readings, quantities={**quantities, TARGET: np.abs(limit) / volts})
    return changed.noting(f"level: compliance current over {volts:.3g} V"), volts


def without_jitter(readings: Readings, level: str) -> Readings:
    """Readings whose voltages are those that were meant, where measured ones scatter."""
    if level not in SWEPT_LINES:
        return readings
    values = readings.quantities[level]
    step = _step(readings, values)
    means, index = grouped(values, JITTER * step)
    spread = np.unique(values[np.isfinite(values)])
    if not step or len(means) < 2 or len(spread) < 2 * len(means):
        return readings
    gaps = np.diff(spread)
    apart = gaps > JITTER * step
    if gaps[~apart].max() > gaps[apart].min() / 2:  # steps of the levels, not a scatter
        return readings
    snapped = np.where(index >= 0, means[index], np.nan)
    quantities = {**readings.quantities, level: snapped}
    return replace(readings, quantities=quantities).noting(
        f"{len(means)} voltages that scatter by up to {np.abs(snapped - values).max() * 1e3:.2g} mV"
    )


def _step(readings: Readings, values: FloatArray) -> float:
    """The usual step upwards from pulse to pulse of a device; 0 without one."""
    _, device = names_in_order(readings.device)
    order = np.argsort(device, kind="stable")
    steps = np.abs(np.diff(values[order])[np.diff(device[order]) == 0])
    if not len(steps):
        return 0.0
    large = steps[steps > JITTER * float(np.quantile(steps, 0.9))]
    return float(np.median(large)) if len(large) else 0.0
