"""Tables of devices that hold no SET pulses to levels, refused by their names."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..tables import AS_NAN, Table
from . import columns
from .headers import AFTER, CURRENT, DEVICE, columns_of, plain
from .quantities import SWEPT_LINES, TARGET
from .recording import FloatArray

PULSE_COUNTS = ("pulse", "pulses", "pulseno", "pulsenumber", "pulseindex", "npulse", "npulses",
                "numberofpulses", "pulsecount", "nopulses")  # fmt: skip
DIRECTIONS = ("up", "down", "ltp", "ltd", "potentiation", "depression", "updata", "downdata",
              "uppulse", "downpulse", "set", "reset")  # fmt: skip
DISTRIBUTION = ("percentile", "percent", "cdf", "ecdf", "probability", "cumulativeprobability",
                "quantile", "cumulative", "frequency", "counts", "count", "bin", "density", "pdf",
                "histogram")  # fmt: skip
SPREADS = ("sigma", "std", "stdev", "stddev", "sd", "standarddeviation", "c2c", "sigmac2c",
           "gsigma", "gstd", "sigmag", "stdg", "sigmaus", "stdus", "sigmacycle")  # fmt: skip
LEAST_PULSES = 20  # of a response
LIKENESS, SMALL_STEP = 0.8, 0.1  # correlation of successive values; step over the range
EQUAL = 1e-3  # of the largest step: steps of an axis differ by less

RESPONSE = (
    "responses to trains of equal pulses, as for a lookup table of CrossSim or a PiecewiseStep"
    "Device of aihwkit: each pulse moves the conductance by a small step, and no pulse has a level "
    "of its own. A SET law needs pulses from the reset state at several targets or voltages: "
    "columns device, target_us (or V_WL (V)) and g_us"
)
CURVES = (
    "a distribution (percentiles or counts), which holds neither devices nor cycles: spreads from "
    "cycle to cycle and from device to device cannot be told apart. Give the single values: "
    "columns device, target_us and g_us"
)
MOMENTS = (
    "a table of moments (mean and standard deviation at each target), which holds no pulses. Give "
    "the single values in the columns device, target_us and g_us; or write the spread into a JSON "
    'file for --preset: {"target_us": [50, 100, 150], "sigma_us": [4, 6, 7]}'
)


def other_kind(table: Table) -> str:
    """What a table holds if it is one of these kinds, with the remedy; empty for other tables."""
    names = [plain(name) for name in table.header]
    found = columns_of(table.header)
    level = any(name in found for name in (TARGET, *SWEPT_LINES))
    value = AFTER in found or CURRENT in found
    words = {name.rstrip("0123456789") for name in names}
    if table.header and words & set(SPREADS) and TARGET in found and DEVICE not in found:
        return MOMENTS
    if table.header and DEVICE not in found and set(names) & set(DISTRIBUTION):
        return CURVES
    if value and not level and set(names) & set(PULSE_COUNTS):
        return RESPONSE
    if not level and _named_alike(table.header) and _is_response(table):
        return RESPONSE
    return ""


def _named_alike(header: Sequence[str]) -> bool:
    """Whether columns have no header, one name with numbers, or the names of directions."""
    names = {plain(columns.REPEAT.sub("", name)) for name in header}
    return len(names) <= 1 or names <= {*DIRECTIONS}


def _is_response(table: Table) -> bool:
    """Whether every column moves by small steps, up or down."""
    if len(table) < LEAST_PULSES or (not table.header and table.width > 2):
        return False
    try:
        values = table.numbers(list(range(table.width)), missing=AS_NAN)
    except ValueError:
        return False
    return all(_moves(column[np.isfinite(column)]) for column in values.T)


def _moves(values: FloatArray) -> bool:
    """Whether values follow each other closely, and are no axis with equal steps."""
    span = np.ptp(values) if len(values) >= LEAST_PULSES else 0.0
    if not span:
        return False
    steps = np.abs(np.diff(values))
    moved = steps[steps > EQUAL * span]
    if len(moved) and np.ptp(moved) <= EQUAL * moved.max():
        return False
    likeness = float(np.corrcoef(values[1:], values[:-1])[0, 1])
    return likeness > LIKENESS and float(np.median(steps)) < SMALL_STEP * span
