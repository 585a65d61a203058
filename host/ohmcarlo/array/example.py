"""The example of a file of measurements that comes with the package.

``python -m ohmcarlo.array.example > host/ohmcarlo/measurements/example.csv`` writes it again.
"""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np

from ..measurements.quantities import BIT_LINE, QUANTITIES, WIDTH, WORD_LINE
from ..measurements.recording import VOLT, Recording
from ..measurements.writing import as_text
from ..spec import CODE_LSB_US, DAC_MAX, Geometry
from .physics import PhysicsArray, ValidityWarning
from .presets import RRAM_1T1R

DEVICES, SWEEPS, SEED = 24, 20, 23
VOLTS = np.round(np.arange(2.25, 2.601, 0.05), 2)
COMMENTS = (f"synthetic: {DEVICES} devices of the preset rram-1t1r", "one line for each SET pulse")


def example_recording() -> Recording:
    """Sweeps of the word line on a few devices of the physics model."""
    array = PhysicsArray(Geometry(rows=4), RRAM_1T1R, SEED)
    devices = np.arange(DEVICES, dtype=np.int32)
    low, high = RRAM_1T1R.dac_low_v.value, RRAM_1T1R.dac_high_v.value
    codes = np.rint((VOLTS - low) / (high - low) * DAC_MAX).astype(np.int32)
    before, after = (np.empty((SWEEPS, len(VOLTS), DEVICES)) for _ in range(2))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ValidityWarning)  # the lowest voltage hardly sets
        for sweep, k in np.ndindex(SWEEPS, len(codes)):
            array.reset(0)
            before[sweep, k] = array.read(0, devices) * CODE_LSB_US
            code = np.full(DEVICES, codes[k])
            after[sweep, k] = array.program(0, devices, code) * CODE_LSB_US
    number = np.arange(DEVICES)
    pulses = SWEEPS * len(VOLTS)
    return Recording(
        source=Path("example.csv"),
        format="long table",
        devices=tuple(f"cell{d}" for d in number),
        device=np.repeat(number, pulses),
        level=np.tile(VOLTS, DEVICES * SWEEPS),
        unit=VOLT,
        swept=QUANTITIES[WORD_LINE].words,
        cycle=np.tile(np.repeat(np.arange(SWEEPS), len(VOLTS)), DEVICES),
        after_us=after.transpose(2, 0, 1).ravel(),
        before_us=before.transpose(2, 0, 1).ravel(),
        line=np.arange(1, DEVICES * pulses + 1),
        conditions={WIDTH: 100.0, BIT_LINE: 2.0},
    )


if __name__ == "__main__":
    print(as_text(example_recording(), COMMENTS), end="")
