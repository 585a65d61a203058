"""The wiring page of the daughterboard agrees with the hardware."""

from __future__ import annotations

import re

import pytest
from amaranth_boards.ecpix5 import ECPIX585Platform
from amaranth_boards.ulx3s import ULX3S_12F_Platform, ULX3S_85F_Platform

from ohmcarlo_hdl.array.phy.pins import HEADERS, PINS
from ohmcarlo_rtl.pages.daughterboard import PAGE, balls, tables
from ohmcarlo_rtl.pages.markers import renewed


def test_tables_are_those_of_the_sources() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert text == renewed(text, tables()), "run python -m ohmcarlo_rtl.pages"


@pytest.mark.parametrize(
    ("board", "platform"),
    [
        ("ulx3s", ULX3S_85F_Platform),
        ("ulx3s", ULX3S_12F_Platform),
        ("ecpix5", ECPIX585Platform),
    ],
)
def test_headers_exist(board: str, platform: type) -> None:
    """Every wire has a pin of its own on a connector of the board."""
    header = HEADERS[board]
    assert set(header) == {pin.name for pin in PINS}
    assert len(set(header.values())) == len(PINS)
    assert not set(header.values()) - set(balls(platform))


def test_pins_of_the_schematics() -> None:
    """Some wires, traced to the FPGA by hand: on the ULX3S, gp[0] is B11 and gn[0] C11; on the
    ECPIX-5, pin 1 of PMOD 0 is T25 and pin 7 is T26."""
    text = PAGE.read_text(encoding="utf-8")
    rows = {r[1]: r for r in re.findall(r"^(\| `(\w+)` .*)$", text, re.M)}
    lines = {name: row[0] for name, row in rows.items()}
    assert "GP0 (B11) | PMOD 0, pin 1 (T25)" in lines["hold_off"]
    assert "GN0 (C11) | PMOD 0, pin 2 (U25)" in lines["pulse_form"]
    assert "PMOD 0, pin 7 (T26)" in lines["pulse_read"]
    assert "| up |" in lines["hold_off"]
    for name in ("pulse_form", "pulse_reset", "pulse_set", "pulse_read", "pulse_dot"):
        assert "| down |" in lines[name]


def test_codes_are_conductances() -> None:
    """0.25 µS at 0.2 V through 1.25 kΩ are one LSB of 4.096 V in 65,536."""
    lsb_v = 0.25e-6 * 0.2 * 1250
    assert lsb_v == pytest.approx(4.096 / 65536)
    text = PAGE.read_text(encoding="utf-8")
    assert "1.25 kΩ for 0.2 V" in text and "2.10 V + code × 0.87 V / 4095" in text
