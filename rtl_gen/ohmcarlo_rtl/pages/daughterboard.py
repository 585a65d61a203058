"""The tables of ``constraints/daughterboard.md``: wires, rails, pulses, times."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from dataclasses import fields

from amaranth_boards.ecpix5 import ECPIX585Platform
from amaranth_boards.ulx3s import ULX3S_85F_Platform

from ohmcarlo.array.presets import get_preset
from ohmcarlo.spec import DAC_MAX
from ohmcarlo.spec.daughterboard import (
    FULL_SCALE_V,
    GUARD_NS,
    PROGRAM_NS,
    RAILS_V,
    READ_HOLD_NS,
    WATCHDOG_NS,
)
from ohmcarlo_hdl.array.phy.dac import USED, Channel
from ohmcarlo_hdl.array.phy.parts import DAC, PhyTiming
from ohmcarlo_hdl.array.phy.pins import ECPIX5, PINS, ULX3S

from ..markdown import markdown_table
from ..sources import REPOSITORY

PAGE = REPOSITORY / "constraints" / "daughterboard.md"
REST = {0: "down", 1: "up", None: ""}


def balls(platform: type) -> dict[str, str]:
    """Pin of a connector, as ``gpio_0:0+`` → ball of the FPGA, from amaranth-boards."""
    return {
        f"{connector.name}_{connector.number}:{pin}": ball
        for connector in platform.connectors  # type: ignore[attr-defined]
        for pin, ball in connector.mapping.items()
    }


def _ulx3s(pin: str) -> str:
    place = ULX3S[pin].removeprefix("gpio_0:")
    return f"{'GP' if place[-1] == '+' else 'GN'}{place[:-1]}"


def _ecpix5(pin: str) -> str:
    pmod, place = ECPIX5[pin].removeprefix("pmod_").split(":")
    return f"PMOD {pmod}, pin {place}"


def _wires() -> str:
    ulx3s, ecpix5 = balls(ULX3S_85F_Platform), balls(ECPIX585Platform)
    rows = [
        (
            f"`{pin.name}`",
            "→" if pin.direction == "o" else "←",
            pin.part,
            pin.drives,
            REST[pin.rest],
            f"{_ulx3s(pin.name)} ({ulx3s[ULX3S[pin.name]]})",
            f"{_ecpix5(pin.name)} ({ecpix5[ECPIX5[pin.name]]})",
        )
        for pin in PINS
    ]
    head = ("wire", "", "part", "function", "pull", "ULX3S (ball)", "ECPIX-5 (ball)")
    return markdown_table(head, rows)


def _rails() -> str:
    preset = get_preset("rram-1t1r")
    low, high = preset.dac_low_v.value, preset.dac_high_v.value
    rows = []
    for channel in Channel:
        users = ", ".join(op.name for op, used in USED.items() if channel in used)
        if channel == Channel.GATE_PROGRAM:
            law = f"{low:.2f} V + code × {high - low:.2f} V / {DAC_MAX}"
            source, reset = "the operation's code", ""
        else:
            law = f"code × {FULL_SCALE_V:g} V / {1 << DAC.code_bits}"
            source = f"`rails.{channel.name.lower()}`"
            reset = f"{RAILS_V[channel.name.lower()]:g} V"
        name = channel.name.lower().replace("_", " ")
        rows.append(("ABCDEFGH"[channel], name, users, source, law, reset))
    head = ("channel", "rail", "connected by", "code from", "volts", "after a reset")
    return markdown_table(head, rows)


def _pulses() -> str:
    read_ns = PhyTiming().front_end_ns + READ_HOLD_NS
    widths = {f"`sequencer.{name}.width`": ns for name, ns in PROGRAM_NS.items()}
    widths |= dict.fromkeys(("`sequencer.read.width`", "`sequencer.dot.width`"), read_ns)
    widths |= {"guard times of all operations": GUARD_NS, "`sequencer.watchdog`": WATCHDOG_NS}
    return markdown_table(("register", "ns"), [(name, f"{ns:,}") for name, ns in widths.items()])


def _times() -> str:
    documentation = f"{inspect.getdoc(PhyTiming)}\n"  # without the indentation of the source
    found: Mapping[str, str] = dict(
        re.findall(r"^(\w+(?:, \w+)*) : int\n((?:    .*\n)+)", documentation, re.M)
    )
    meanings = {
        name: " ".join(text.split()) for names, text in found.items() for name in names.split(", ")
    }
    default = PhyTiming()
    rows = [
        (f"`{f.name}`", f"{getattr(default, f.name):,}", meanings[f.name].rstrip("."))
        for f in fields(PhyTiming)
    ]
    return markdown_table(("setting", "ns", "meaning"), rows)


def tables() -> dict[str, str]:
    """Name of a table in the page → its text."""
    return {"wires": _wires(), "rails": _rails(), "pulses": _pulses(), "times": _times()}
