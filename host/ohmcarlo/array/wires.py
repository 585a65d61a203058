"""Resistance of the lines of an array: its effect on READ, DOT and SET.

The circuit is that of a 1T1R array. Every device has a bit line of its own column, which is driven
at row 0, and shares the source line of its row, which is sensed at device 0. A line has the
resistance ``ohm`` between its end and the first cell, and between neighbouring cells. The selectors
of the other rows are off, so that no current takes a way through them.

- A READ drives one bit line; the others float. The device is in series with its two lines.
- A DOT holds every bit line of a tile at its input; an input of 0 is the virtual ground. The
  source line is then a ladder of resistors, which is solved exactly for the row.
- A SET raises the source of the selector by the voltage along the source line, and the gate loses
  as much. The bit line only needs the voltage that the compliance current leaves.

In terms of the conductances that READs return, the result of a DOT does not depend on the row: both
contain the same piece of bit line.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..jit import compiled
from ..spec import DAC_MAX, DEFAULT_MID_US, Geometry
from .device_preset import DevicePreset, FloatArray

SIEMENS = 1e-6
"""µS to S."""
LEAST_LEFT = 0.05
"""Share of the voltage of a READ that is left beside the source line, at least. No device gives a
larger reading."""
SET_LOSS_LIMIT_V = 0.5
"""The spread of RADAR at a bit line of 1.5 V instead of 2 V is twice as large."""
GAIN_STEPS = 256
"""Steps per unit of the gain of a line driver."""


@compiled
def along_line(load: Any, ohm: Any, out: Any) -> None:
    """Voltage at each device of a line whose end is at 1 V; load (k, n) to 0 V, S."""
    states, devices = load.shape
    for k in range(states):
        beyond = 0.0  # conductance to 0 V that a device and all behind it add
        for d in range(devices - 1, -1, -1):
            beyond = load[k, d] + beyond / (1 + ohm * beyond)
            out[k, d] = 1 / (1 + ohm * beyond)  # of the voltage at the device before
        for d in range(1, devices):
            out[k, d] *= out[k, d - 1]


@dataclass(frozen=True)
class Wires:
    """Lines with resistance.

    Attributes
    ----------
    ohm : float
        Resistance of a line per cell, Ω.
    tile : int
        Neighbouring devices of a row that an access drives; 0: all of them.

    >>> Wires(5.0).read_us(np.array([100.0]), row=255, devices=np.array([63])).round(1)
    array([86.2])
    """

    ohm: float
    tile: int = 0

    @classmethod
    def of(cls, preset: DevicePreset, geometry: Geometry) -> Wires | None:
        """The lines of an array with these devices; None if they have no resistance."""
        ohm = preset.wire_ohm.value
        return cls(ohm, 2 * geometry.tile_pairs) if ohm else None

    def read_us(self, g_us: FloatArray, row: int, devices: NDArray[Any]) -> FloatArray:
        """Conductance (µS) that a READ of ``devices`` of ``row`` sees; any shape (…, devices)."""
        lines = self.ohm * SIEMENS * (row + devices + 2)
        return np.asarray(g_us / (1 + g_us * lines))

    def dot_us(self, g_us: FloatArray, row: int) -> FloatArray:
        """Current of each device in a DOT of ``row`` per volt at its bit line, µS: (devices,)."""
        return self._shared(g_us / (1 + g_us * (self.ohm * SIEMENS * (row + 1))))

    def dot_us_of_read(self, read_us: FloatArray) -> FloatArray:
        """The same from what READs returned: (…, devices), for any row."""
        source_line = self.ohm * SIEMENS * (np.arange(read_us.shape[-1]) + 1)
        return self._shared(read_us / np.maximum(1 - read_us * source_line, LEAST_LEFT))

    def _shared(self, own_us: FloatArray) -> FloatArray:
        """Currents of devices, each in series with its bit line, into one source line."""
        load = np.atleast_2d(own_us) * SIEMENS
        devices = load.shape[-1]
        out = np.empty_like(load)
        for start in range(0, devices, self.tile or devices):
            columns = slice(start, start + (self.tile or devices))
            held = np.zeros_like(load)
            held[:, columns] = load[:, columns]
            reached = np.empty_like(load)
            along_line(held, self.ohm, reached)
            out[:, columns] = reached[:, columns]
        return np.asarray(own_us * out.reshape(own_us.shape))

    def medians_us(self, preset: DevicePreset, devices: int) -> FloatArray:
        """Median conductance (µS) of a SET over device and DAC code: (devices, DAC_MAX + 1)."""
        volts = preset.gate_v(np.arange(DAC_MAX + 1))
        law_v, law_us = np.asarray(preset.set_law.x), np.asarray(preset.set_law.y)
        lost = law_us * (SIEMENS * preset.compliance_v.value * self.ohm)  # V per cell
        return np.stack([np.interp(volts, law_v + lost * (d + 1), law_us) for d in range(devices)])

    def caution(self, preset: DevicePreset, geometry: Geometry) -> str:
        """A sentence if the lines take more voltage from a SET than its law covers; else empty."""
        current = preset.valid_us[1] * SIEMENS * preset.compliance_v.value
        lost = current * self.ohm * (geometry.rows + geometry.row_devices)
        if lost <= SET_LOSS_LIMIT_V:
            return ""
        return (
            f"lines of {self.ohm:g} Ω per cell take up to {lost:.2f} V from a SET pulse of an "
            f"array of {geometry.rows} × {geometry.pairs} pairs; the SET law and its spread were "
            f"measured with the whole voltage, and hold up to {SET_LOSS_LIMIT_V:g} V: treat the "
            "result as a sensitivity study, or take a smaller array"
        )

    def line_gains(self, geometry: Geometry, pairs: int, off_us: float) -> FloatArray:
        """Gain of the driver of each line that corrects a DOT over ``pairs`` pairs: (devices,).

        It is exact for a row whose devices in use are at the centre and whose other devices are at
        ``off_us``, up to a step of the driver. Lines without an input have gain 1.
        """
        row_us = usual_row(geometry, pairs, off_us)
        gain = np.rint(GAIN_STEPS * row_us / self.dot_us_of_read(row_us)) / GAIN_STEPS
        gain[2 * pairs :] = 1.0
        return np.asarray(gain)


def usual_row(geometry: Geometry, pairs: int, off_us: float) -> FloatArray:
    """A row (devices,), µS, whose inputs and coin are at the centre and others at ``off_us``."""
    row_us = np.full(geometry.row_devices, off_us)
    row_us[: 2 * pairs] = row_us[2 * geometry.max_features :] = DEFAULT_MID_US
    return row_us
