"""The timing diagrams of ``docs/integration.md``: drawn from simulations of the hardware."""

from __future__ import annotations

from functools import cache
from typing import Any
from xml.etree import ElementTree

import pytest

from ohmcarlo_rtl.pages.timing import FOLDER, GUARDS, SCENES
from ohmcarlo_rtl.pages.waves import SVG, svg, wave_json


@cache
def drawn(name: str) -> dict[str, Any]:
    """The diagram of a scene, simulated once."""
    return wave_json(SCENES[name]())


def lines(name: str) -> dict[str, str]:
    """Label → what it shows in each clock, repetitions written out; "group.label" in a group."""
    found: dict[str, str] = {}
    for entry in drawn(name)["signal"]:
        group = f"{entry[0]}." if isinstance(entry, list) else ""
        for lane in entry[1:] if group else [entry]:
            shown = ""
            for mark in lane["wave"]:
                shown += shown[-1] if mark == "." else mark
            found[group + lane["name"]] = shown
    return found


@pytest.mark.parametrize("name", sorted(SCENES))
def test_pictures_are_those_of_the_hardware(name: str) -> None:
    text = (FOLDER / f"{name}.svg").read_text(encoding="utf-8")
    assert text == svg(drawn(name)), "run python -m ohmcarlo_rtl.pages, and commit the picture"
    assert ElementTree.fromstring(text).tag == f"{{{SVG}}}svg"


def test_no_picture_is_left_over() -> None:
    assert sorted(path.stem for path in FOLDER.iterdir()) == sorted(SCENES)


def test_a_pulse_has_its_width_and_its_guards() -> None:
    """The rule of DESIGN: an enable follows its address by the guard before, and the next address
    follows the enable by the guard after."""
    shown = lines("set-and-read")
    width, before, after = GUARDS["set"]
    address = shown["lines.row"].index("3")
    assert shown["lines.set"].index("1") - address == before
    assert shown["lines.set"].count("1") == width
    end = shown["lines.set"].rindex("1") + 1
    assert shown["requests.valid"].rindex("1") >= end + after - 1
    assert not {"11"} & {
        a + b for a, b in zip(shown["lines.set"], shown["lines.read"], strict=True)
    }


def test_an_address_without_a_register_is_an_error() -> None:
    scene = drawn("axi4-lite")["signal"]
    read = {lane["name"]: lane for lane in scene[2][1:]}
    assert read["rresp"]["data"] == ["OKAY", "SLVERR"]
    assert read["rdata"]["data"] == ["200", "0"]
    assert lines("apb4")["pslverr"].count("1") == 1
    assert lines("wishbone")["err"].count("1") == 1
    assert lines("wishbone")["ack"].count("1") == 2
