"""Timing diagrams of a simulation: signals, clock by clock, as WaveDrom draws them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree

from amaranth import Value
from amaranth.lib import wiring
from amaranth.sim import Simulator

SVG = "http://www.w3.org/2000/svg"
XLINK = "{http://www.w3.org/1999/xlink}href"
PERIOD_S = 1e-8
UNUSED, UNCHANGED = "x", "."
Drive = Callable[[Any], Coroutine[Any, Any, None]]


@dataclass(frozen=True)
class Lane:
    """One line of a diagram.

    Attributes
    ----------
    label : str
    value : Value
        A signal of one bit is drawn as a level, a wider one as its number.
    while_high : Value, optional
        The number matters in these clocks only; it is hatched in the others.
    text : callable
        From a number to its text.
    """

    label: str
    value: Value
    while_high: Value | None = None
    text: Callable[[int], str] = "{:#x}".format


@dataclass(frozen=True)
class Scene:
    """A component, what drives it, and what is shown of it.

    Attributes
    ----------
    title : str
    component : Component
    drive : callables
        Coroutines of Amaranth's simulator; all of them run at once.
    lanes : sequence of Lane, or of (group name, lanes)
    clocks : int
        Clocks that are shown.
    skip : int
        Clocks before them.
    clock : str
        Label of the clock.
    hscale : int
        Width of a clock.
    """

    title: str
    component: wiring.Component
    drive: Sequence[Drive]
    lanes: Sequence[Lane | tuple[str, Sequence[Lane]]]
    clocks: int
    skip: int = 0
    clock: str = "clk"
    hscale: int = 2


def traced(scene: Scene) -> list[tuple[int, ...]]:
    """Values in each clock that is shown: of every lane, and of its ``while_high`` (or 1).

    A value is the one at the rising edge that ends its clock.
    """
    watched: list[Value] = []
    for lane in _flat(scene):
        watched += [lane.value, Value.cast(1 if lane.while_high is None else lane.while_high)]
    found: list[tuple[int, ...]] = []

    async def watch(ctx: Any) -> None:
        while len(found) < scene.skip + scene.clocks:  # it ends, as asyncio's loops expect
            _, _, *values = await ctx.tick().sample(*watched)
            found.append(tuple(int(value) for value in values))

    simulator = Simulator(scene.component)
    simulator.add_clock(PERIOD_S)
    for drive in scene.drive:
        simulator.add_testbench(drive, background=True)
    simulator.add_process(watch)
    simulator.run_until((scene.skip + scene.clocks + 1) * PERIOD_S)
    return found[scene.skip :]


def wave_json(scene: Scene) -> dict[str, Any]:
    """The diagram of a scene as WaveJSON, the source format of WaveDrom."""
    columns = list(zip(*traced(scene), strict=True))
    drawn = {
        id(lane): _drawn(lane, columns[2 * i], columns[2 * i + 1])
        for i, lane in enumerate(_flat(scene))
    }
    signal: list[Any] = [{"name": scene.clock, "wave": "p" + UNCHANGED * (scene.clocks - 1)}]
    for entry in scene.lanes:
        if isinstance(entry, Lane):
            signal.append(drawn[id(entry)])
        else:
            signal.append([entry[0], *(drawn[id(lane)] for lane in entry[1])])
    return {
        "signal": signal,
        "head": {"text": scene.title, "tick": 0},
        "config": {"hscale": scene.hscale},
    }


def svg(diagram: Mapping[str, Any]) -> str:
    """A diagram as SVG; equal diagrams give equal text."""
    import wavedrom

    drawing = wavedrom.render(json.dumps(diagram))
    return _tidy(drawing.tostring())


def _flat(scene: Scene) -> list[Lane]:
    lanes: list[Lane] = []
    for entry in scene.lanes:
        lanes += [entry] if isinstance(entry, Lane) else entry[1]
    return lanes


def _drawn(lane: Lane, values: Sequence[int], shown: Sequence[int]) -> dict[str, Any]:
    if len(lane.value) == 1 and lane.while_high is None:
        marks = [str(value) for value in values]
        return {"name": lane.label, "wave": _runs(marks)}
    texts = [lane.text(v) if on else UNUSED for v, on in zip(values, shown, strict=True)]
    marks, data = [], []
    for before, text in zip([None, *texts], texts, strict=False):
        same = text == before
        marks.append(UNCHANGED if same else UNUSED if text == UNUSED else "3")
        data += [text] if marks[-1] == "3" else []
    return {"name": lane.label, "wave": "".join(marks), "data": data}


def _runs(marks: Sequence[str]) -> str:
    """Marks, with a dot for each that equals the one before."""
    pairs = zip([None, *marks], marks, strict=False)
    return "".join(UNCHANGED if mark == before else mark for before, mark in pairs)


def _tidy(text: str) -> str:
    """An SVG on white, for pages that are dark, without the definitions that it does not use:
    WaveDrom puts in its whole set."""
    ElementTree.register_namespace("", SVG)
    ElementTree.register_namespace("xlink", XLINK[1:].partition("}")[0])
    root = ElementTree.fromstring(text)
    used = {node.get(XLINK, "")[1:] for node in root.iter()}
    used |= set(re.findall(r"url\(#(\w+)\)", text))
    for definitions in root.iter(f"{{{SVG}}}defs"):
        for node in list(definitions):
            name = node.get("id")
            if name is not None and name not in used and not node.tag.endswith("style"):
                definitions.remove(node)
    paper = {"width": "100%", "height": "100%", "fill": "white"}
    root.insert(0, ElementTree.Element(f"{{{SVG}}}rect", paper))
    return ElementTree.tostring(root, encoding="unicode") + "\n"
