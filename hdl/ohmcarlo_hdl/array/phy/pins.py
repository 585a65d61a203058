"""The wires between FPGA and daughterboard, and their pins on the headers.

One table: the Phy's port, the boards' resources and the tables of ``constraints/daughterboard.md``
are made from it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out


@dataclass(frozen=True)
class PhyPin:
    """One wire. ``direction`` is "o" or "i", as for the FPGA. ``rest`` is the level that a resistor
    on the daughterboard sets without an FPGA (None: any level)."""

    name: str
    direction: str
    part: str
    """Part and pin on the daughterboard."""
    drives: str
    width: int = 1
    rest: int | None = None


PULSE_PINS: Mapping[str, str] = {
    "form": "pulse_form",
    "reset": "pulse_reset",
    "set": "pulse_set",
    "read": "pulse_read",
    "dot": "pulse_dot",
}
"""Enable line of the sequencer → wire."""

PINS: tuple[PhyPin, ...] = (
    PhyPin("hold_off", "o", "every SN74AHC595 OE, U7 gate", "high: the whole array is off", rest=1),
    PhyPin("pulse_form", "o", "U7 gate 1", "FORM rails to the array", rest=0),
    PhyPin("pulse_reset", "o", "U7 gate 2", "RESET rails to the array", rest=0),
    PhyPin("pulse_set", "o", "U7 gate 3", "SET rails to the array", rest=0),
    PhyPin("pulse_read", "o", "U7 gate 4", "read rails to one device", rest=0),
    PhyPin("pulse_dot", "o", "U8 gate 1", "read rails to the lines with a one", rest=0),
    PhyPin("address_clock", "o", "U4.. SRCLK", "row, device, tile, coarse: shift"),
    PhyPin("address_data", "o", "U4 SER", "row, device, tile, coarse: bits"),
    PhyPin("address_latch", "o", "U4.. RCLK", "row, device, tile, coarse: to the lines", rest=0),
    PhyPin("inputs_clock", "o", "U5.. SRCLK", "input bits and their sign: shift"),
    PhyPin("inputs_data", "o", "U5 SER", "input bits and their sign: bits"),
    PhyPin("inputs_latch", "o", "U5.. RCLK", "input bits and their sign: to the lines", rest=0),
    PhyPin("dac_sync_n", "o", "U2 SYNC", "frame of the DAC, low", rest=1),
    PhyPin("dac_sclk", "o", "U2 SCLK", "clock of the DAC"),
    PhyPin("dac_din", "o", "U2 DIN", "bits of the DAC"),
    PhyPin("adc_convst", "o", "U3 CONVST", "rises: sample; low: read", rest=0),
    PhyPin("adc_sclk", "o", "U3 SCLK", "clock of the ADC"),
    PhyPin("adc_dout", "i", "U3 DOUT", "bits of the ADC"),
)

ULX3S: Mapping[str, str] = {pin.name: f"gpio_0:{i // 2}{'+-'[i % 2]}" for i, pin in enumerate(PINS)}
"""Wire → pin of the ``gpio`` connector of amaranth-boards' ULX3S: GP0 (0+), GN0 (0-) to GN8."""

_PMOD = ("1", "2", "3", "4", "7", "8", "9", "10")
_GROUPS = (PINS[:6], PINS[6:12], PINS[12:])
ECPIX5: Mapping[str, str] = {
    pin.name: f"pmod_{pmod}:{_PMOD[i]}"
    for pmod, group in enumerate(_GROUPS)
    for i, pin in enumerate(group)
}
"""Wire → pin of the ``pmod`` connectors of amaranth-boards' ECPIX-5: pulses on PMOD 0, lines on
PMOD 1, converters on PMOD 2."""

HEADERS: Mapping[str, Mapping[str, str]] = {"ulx3s": ULX3S, "ecpix5": ECPIX5}


def pins_signature() -> wiring.Signature:
    """The wires as a port, ``Out`` on the Phy's side."""
    return wiring.Signature(
        {
            pin.name: (Out if pin.direction == "o" else In)(pin.width, init=pin.rest or 0)
            for pin in PINS
        }
    )
