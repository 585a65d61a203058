"""The clock of the controller after a write: software observes no difference if it stops.

The same accesses are made with a free-running controller and with a gated one. The gate is that of
the board (``soc.wake.Wake``); the case chooses the clocks after a write.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cocotb
import pytest
from amaranth import EnableInserter, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from cocotb.triggers import RisingEdge

from ohmcarlo_hdl.array.interface import Op
from ohmcarlo_hdl.lib.wires import forward
from ohmcarlo_hdl.regs.map import WORD_BYTES, register_map
from ohmcarlo_hdl.soc.island import CoreIsland
from ohmcarlo_hdl.soc.wake import COUNT_BITS, WAKE_CLOCKS, Wake
from ohmcarlo_rtl.verilated.profile import load_script
from verif.harness import case_parameters, run_bench, start_clock, stimuli
from verif.harness.bus import BusDriver
from verif.test_soc import CONFIG

MAP = register_map(CONFIG, emulator=True)
MARGIN = 2
"""The board gives the controller at least so many times the clocks that it needs."""
LONG = 2 * WAKE_CLOCKS
"""Clocks without an access and without activity, so that the clock stops."""


class Gated(wiring.Component):
    """An island behind the gate of a board, with the ports of an island.

    ``write_clocks`` is that of ``Wake``; ``free`` opens the gate. ``runs`` is high in a clock of
    the island.
    """

    def __init__(self) -> None:
        self.island = CoreIsland(CONFIG)
        more = {"write_clocks": In(COUNT_BITS), "free": In(1), "runs": Out(1)}
        super().__init__({**self.island.signature.members, **more})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        enable = Signal()
        m.submodules.island = EnableInserter(enable)(self.island)
        m.submodules.wake = wake = Wake(self.write_clocks)
        forward(m, self, self.island, without={"write_clocks", "free", "runs"})
        m.d.comb += [
            wake.writes.eq(self.bus.w_stb),
            wake.reads.eq(self.bus.r_stb),
            wake.active.eq(self.island.active),
            enable.eq(wake.wanted | self.free),
            self.runs.eq(enable),
        ]
        return m


class Software:
    """Accesses to the island; ``log`` has all that it observes: readings and records."""

    def __init__(self, dut: Any) -> None:
        self.dut, self.edge = dut, RisingEdge(dut.clk)
        self.bus = BusDriver(dut, layout=MAP)
        self.log: list[tuple[str, str, int]] = []
        self.readable = list(addresses())
        self.stopped = 0

    def get(self, name: str) -> int:
        return int(getattr(self.dut, name).value)

    async def clock(self) -> None:
        await self.edge
        runs = self.get("runs")
        if runs and self.get("records__valid"):
            self.log.append(("", "record", self.get("records__payload")))
        self.stopped += not runs

    async def rest(self, what: str) -> None:
        """Until the island was inactive for ``LONG`` clocks."""
        quiet = total = 0
        while quiet < LONG:
            await self.clock()
            total += 1
            assert total < 100_000, what
            quiet = 0 if self.get("active") else quiet + 1

    async def read(self, after: str, name: str, address: int, missing: bool = False) -> None:
        """Read a word; ``missing``: there is none, and the read is an error."""
        self.dut.bus__addr.value, self.dut.bus__r_stb.value = address // WORD_BYTES, 1
        await self.clock()
        self.dut.bus__r_stb.value = 0
        for _ in range(CoreIsland.READ_LATENCY):
            assert not self.get("bus__error"), name
            await self.clock()
        assert self.get("bus__error") == missing, name
        self.log.append((after, name, self.get("bus__r_data")))


def addresses() -> Iterator[tuple[str, int]]:
    """What software can read: registers that are not constant, and both ends of each window."""
    for register in MAP.registers:
        if register.readable and not register.constant:
            yield register.name, register.address
    for window in MAP.windows:
        if window.readable:
            for index in {0, window.words - 1}:
                yield window.name, window.address + WORD_BYTES * index


def writes(rng: random.Random) -> Iterator[tuple[str, int, int]]:
    """Writes of a session, as (name, address, word): commands, raw operations, then all else."""
    command = MAP["control.command"]
    bits = {field.name: 1 << field.low for field in command.fields}

    def give(*names: str) -> Iterator[tuple[str, int, int]]:
        for name in names:
            yield name, command.address, bits[name]

    yield "steps", MAP["control.steps"].address, 4
    yield from give("reset_state", "emulator_restart", "start", "run", "flush", "predict", "run")
    for op in (Op.SET, Op.READ, Op.RESET, Op.READ, Op.FORM, Op.SET):
        yield "raw.command", MAP["raw.command"].address, op.value | 3 << 3 | 1 << 19
        yield from give("raw")
    for window in MAP.windows:
        if window.writable:
            address = window.address + WORD_BYTES * rng.choice((0, window.words - 1))
            yield window.name, address, rng.randrange(1 << 32)
    for register in MAP.registers:
        if register.writable and register.name.split(".")[0] not in ("control", "model"):
            yield register.name, register.address, rng.randrange(1 << 32)
    yield from give("off", "clear_fault", "reset_state", "emulator_restart", "raw")


@cocotb.test()
async def session(dut) -> None:  # type: ignore[no-untyped-def]
    """Every kind of write, a rest, and readings."""
    case, rng = case_parameters(), stimuli(2)
    dut.free.value, dut.write_clocks.value = case["free"], case["write_clocks"]
    dut.off.value, dut.records__ready.value = 0, 1
    await start_clock(dut)
    software = Software(dut)
    for address, word in load_script(CONFIG):
        await software.bus.write(address, word)
    for name, address, word in writes(rng):
        await software.bus.write(address, word)
        await software.rest(name)
        # first what was written: every reading gives the controller some clocks
        first = [place for place in software.readable if place[1] == address]
        for what, place in first + rng.sample(software.readable, 4):
            await software.read(name, what, place)
    for what, place in software.readable:
        await software.read("the end", what, place)
    there = {register.address for register in MAP.registers}
    for place in [place for place in range(0, 0x400, WORD_BYTES) if place not in there][::8]:
        await software.read("the end", "nothing", place, missing=True)
    assert bool(software.stopped) != case["free"]
    Path(case["log"]).write_text("\n".join(str(entry) for entry in software.log))


@pytest.mark.verify
def test_margin(tmp_path: Path) -> None:
    """With half of the clocks software observes no difference, without any it does."""
    logs = {}
    for name, clocks in (("free", 0), ("half", WAKE_CLOCKS // MARGIN), ("none", 0)):
        log = tmp_path / name
        case = {"free": int(name == "free"), "write_clocks": clocks, "log": str(log)}
        run_bench(Gated, __name__, case)
        logs[name] = log.read_text().splitlines()
    free = logs["free"]
    assert sum("record" in entry for entry in free) > 100 and len(free) > 400
    assert logs["half"] == free
    assert logs["none"] != free
