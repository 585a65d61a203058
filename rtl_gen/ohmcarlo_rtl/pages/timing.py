# amaranth: UnusedElaboratable=no
"""The timing diagrams of ``docs/integration.md``: scenes of blocks of the hardware, simulated."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ohmcarlo_hdl.array.interface import Op
from ohmcarlo_hdl.array.sequencer import Phase, Sequencer
from ohmcarlo_hdl.config import COMPACT

from ..sources import REPOSITORY
from .waves import Lane, Scene, svg

FOLDER = REPOSITORY / "docs" / "pictures" / "timing"
GUARDS = {"set": (3, 2, 1), "read": (2, 1, 1), "dot": (2, 1, 1)}
"""Width, guard before and guard after of the pulses that are drawn, in clocks."""
LATENCY = 3
"""Clocks in which the array of the scenes answers."""


class Array:
    """A sequencer with the timings of ``GUARDS``, and an array behind it that answers."""

    def __init__(self) -> None:
        self.sequencer = Sequencer(COMPACT)

    def commands(self, *commands: Mapping[str, int]) -> Callable[[Any], Any]:
        s = self.sequencer

        async def drive(ctx: Any) -> None:
            for line, timing in GUARDS.items():
                names = ("width", "guard_before", "guard_after")
                for name, clocks in zip(names, timing, strict=True):
                    ctx.set(s.settings[line][name], clocks)
            ctx.set(s.results.ready, 1)
            ctx.set(s.commands.valid, 1)
            for command in commands:
                for name, value in command.items():
                    ctx.set(s.commands.p[name], value)
                await ctx.tick().until(s.commands.ready)
            ctx.set(s.commands.valid, 0)

        return drive

    async def answers(self, ctx: Any) -> None:
        """Take every request at once; answer a READ or DOT ``LATENCY`` clocks later."""
        s = self.sequencer
        ctx.set(s.requests.ready, 1)
        due: dict[int, int] = {}
        readings, clock = iter((412, 398)), 0
        while True:
            ctx.set(s.responses.valid, clock in due)
            ctx.set(s.responses.p.value, due.get(clock, 0))
            _, _, valid, op = await ctx.tick().sample(s.requests.valid, s.requests.p.op)
            if valid and op in (Op.READ.value, Op.DOT.value):
                due[clock + LATENCY] = next(readings)
            clock += 1

    def lanes(self, *enables: str) -> list[tuple[str, Sequence[Lane]]]:
        s = self.sequencer
        requests = [
            Lane("valid", s.requests.valid),
            Lane("ready", s.requests.ready),
            Lane("op", s.requests.p.op, s.requests.valid, lambda op: Op(op).name),
            Lane("row", s.requests.p.row, s.requests.valid, str),
        ]
        busy = s.phase != Phase.IDLE
        lines = [
            Lane("row", s.lines.row, busy, str),
            Lane("device", s.lines.device, busy, str),
            Lane("dac", s.lines.dac, busy, str),
            *(Lane(name, s.lines[name]) for name in enables),
        ]
        responses = [
            Lane("valid", s.responses.valid),
            Lane("ready", s.responses.ready),
            Lane("value", s.responses.p.value, s.responses.valid, str),
        ]
        return [("requests", requests), ("lines", lines), ("responses", responses)]


def set_and_read() -> Scene:
    """A SET with its guards, and the READ of the same device."""
    array = Array()
    device = {"row": 5, "device": 2}
    drive = array.commands(
        {"op": Op.SET.value, "dac": 1952, **device}, {"op": Op.READ.value, "dac": 0, **device}
    )
    title = "SET (3 clocks, guards of 2 and 1), then READ (2 clocks, guards of 1)"
    return Scene(title, array.sequencer, [drive, array.answers], array.lanes("set", "read"), 16)


def two_dots() -> Scene:
    """Two accesses of one row."""
    array = Array()
    access = {"op": Op.DOT.value, "row": 5}
    drive = array.commands(access, access)
    title = "Two DOT accesses (2 clocks, guards of 1)"
    return Scene(title, array.sequencer, [drive, array.answers], array.lanes("dot"), 14)


SCENES: Mapping[str, Callable[[], Scene]] = {"set-and-read": set_and_read, "two-dots": two_dots}
"""Name of the picture → its scene."""


def files() -> dict[Path, str]:
    """Every picture, drawn anew."""
    return {FOLDER / f"{name}.svg": svg(scene()) for name, scene in SCENES.items()}
