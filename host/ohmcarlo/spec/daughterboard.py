"""Rails and pulses of the daughterboard for a real array: reset values of its registers.

They suit the devices of the preset ``rram-1t1r``; other devices need other values. RADAR is the
repository of measurements and talks that the presets cite; a value without a source is a choice.
Parts and their times are in the hardware's ``array/phy/parts.py``.
"""

from __future__ import annotations

from collections.abc import Mapping

FULL_SCALE_V = 5.0
"""Output at the end of the DAC's scale: DAC7568 of grade C, internal reference, gain 2."""
VIRTUAL_GROUND_V = 1.25  # chosen: room for the read voltage on both sides

RAILS_V: Mapping[str, float] = {
    "gate_reset": 4.0,  # RADAR "4-15-20"
    "gate_read": VIRTUAL_GROUND_V + 2.0,  # RADAR "11-15-19": 2 V above the source
    "bit_line_form": 0.0,  # chosen: FORM stays off until it is set for a die
    "bit_line_set": 2.0,  # RADAR set-sweep-wl-inner-5-31-20: where the preset was measured
    "source_line_reset": 2.3,  # RADAR "4-15-20"
    "bit_line_read": 0.2,  # RADAR "11-15-19"; above the virtual ground
    "virtual_ground": VIRTUAL_GROUND_V,
}
"""Volts of the quasi-static rails."""

PROGRAM_NS: Mapping[str, int] = {
    "form": 1000,  # RADAR "4-15-20"
    "reset": 100,  # RADAR "4-15-20"
    "set": 100,  # RADAR set-sweep-wl-inner-5-31-20
}
"""Pulses that change devices."""
READ_HOLD_NS = 100
"""Time from the sample of a READ or DOT to its end (chosen)."""
GUARD_NS = 50
"""From lines and rails to a pulse, and back (chosen: an analog switch opens within 30 ns)."""
WATCHDOG_NS = 20_000_000
"""A longer operation is a fault (chosen: ten times the set-up after power-up)."""
