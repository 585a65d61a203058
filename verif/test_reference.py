"""The committed Verilog as an integrator uses it: the example of its README, and "A first run"."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import cocotb
import numpy as np
import pytest
from cocotb.triggers import RisingEdge, Timer

from ohmcarlo.array.emulated import EmulatedArray
from ohmcarlo.boards.memory.image import controller_image, emulator_image
from ohmcarlo.datasets import Encoder, load
from ohmcarlo.golden import Controller, SamplerSettings
from ohmcarlo.spec.link import Reason
from ohmcarlo_hdl.config import REFERENCE
from ohmcarlo_hdl.regs.map import register_map
from ohmcarlo_rtl.controller.lint import lint
from ohmcarlo_rtl.controller.modules import CORE, EMULATED_CORE, EMULATOR
from ohmcarlo_rtl.sources import REPOSITORY
from verif.harness import run_bench, start_clock, stimuli
from verif.harness.bus import BusDriver

FOLDER = REPOSITORY / "rtl_gen" / "reference"
TABLES = ("dac", "inv_sigma", "log_sigma", "median", "sigma")
STEPS, POINTS = 25, 40
MAGIC = 0x4F484D43
SIGN = 1 << 31


def page() -> str:
    return (FOLDER / "README.md").read_text(encoding="utf-8")


def example(module: str = "board") -> str:
    """The instantiation of the page, with the committed files behind it."""
    found = re.search(r"```verilog\n(.*?)```", page(), re.S)
    assert found is not None
    files = [(FOLDER / f"{name}.v").read_text() for name in (EMULATED_CORE, CORE, EMULATOR)]
    return "\n".join([found[1].replace("module board", f"module {module}", 1), *files])


def words(table: str) -> list[int]:
    """The words of a ``*.hex`` file."""
    return [int(line, 16) for line in (FOLDER / f"{table}.hex").read_text().split()]


# -- ports -------------------------------------------------------------------------------------


def declared(module: str) -> dict[str, tuple[str, int]]:
    """Port of a committed module → its direction and width."""
    text = (FOLDER / f"{module}.v").read_text()
    body = text[text.index(f"module {module}") :]
    body = body[: body.index("endmodule")]
    ports = re.findall(r"^  (input|output) (?:\[(\d+):0\] )?(\w+);", body, re.M)
    return {name: (way, int(top or 0) + 1) for way, top, name in ports}


def documented() -> dict[str, tuple[str, int | None]]:
    """Port (or ``name__*``) of the page → its direction, and its width if it has one."""
    found: dict[str, tuple[str, int | None]] = {}
    for line in re.findall(r"^\| `.*$", page(), re.M):
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        ways = cells[1].split(", ")
        ports = re.findall(r"`(\w+\*?)`(?: \[(\d+):0\])?", cells[0])
        for i, (name, top) in enumerate(ports):
            group = name.endswith("*")
            width = int(top) + 1 if top else None if group and "stream" not in ways[0] else 1
            found[name] = (ways[min(i, len(ways) - 1)], width)
    return found


def test_ports() -> None:
    """The page has the direction and the width of every port of the committed core."""
    table, verilog = documented(), declared(CORE)
    assert len(verilog) > 40
    for name, (way, width) in verilog.items():
        if name in ("clk", "rst"):
            continue
        if name in table:
            assert table[name] == ("in" if way == "input" else "out", width), name
            continue
        group = name.split("__")[0] + "__*"
        assert group in table, f"{name} is not on the page"
        if name.endswith("__payload"):
            towards = "in stream" if way == "input" else "out stream"
            assert table[group] == (towards, width), name


def test_lint_of_the_example() -> None:
    """The example needs no waiver; a port that is too narrow, or unknown, is a warning."""
    assert not lint(example(), "board", waive_top=False)
    narrow = example().replace("input [15:0] addr", "input [14:0] addr", 1)
    assert "WIDTHEXPAND" in lint(narrow, "board", waive_top=False)
    unknown = example().replace(".samples__ready(", ".sample_ready(", 1)
    assert "PINNOTFOUND" in lint(unknown, "board", waive_top=False)


# -- a first run -------------------------------------------------------------------------------


def golden() -> Controller:
    """The controller of the golden model for the settings of the run."""
    data = load("toy2d")
    x, y = data.x[:POINTS], data.y[:POINTS]
    points = Encoder.fit(x, y).training_points(x, y)
    array = EmulatedArray(REFERENCE.geometry, seed=11)
    registers = SamplerSettings().registers(REFERENCE.geometry, points.features, array.sigma_us)
    return Controller(registers, array, points)


class Board:
    """Software at the ports of the example: the bus, and a sink of sample records that stalls."""

    def __init__(self, dut: Any) -> None:
        self.dut = dut
        names = {"w_stb": "write", "w_data": "write_data", "r_stb": "read", "r_data": "read_data"}
        names["error"] = "bus_error"
        ports = {f"bus__{part}": getattr(dut, port) for part, port in names.items()}
        bus = SimpleNamespace(clk=dut.clk, bus__addr=dut.addr, **ports)
        self.layout = register_map(REFERENCE)
        self.bus = BusDriver(bus, layout=self.layout)
        self.records: list[list[int]] = []

    async def collect(self) -> None:
        """Split the stream of words into records."""
        rng, record = stimuli(3), []
        edge = RisingEdge(self.dut.clk)
        while True:
            ready = int(rng.random() < 0.7)
            self.dut.sample_ready.value = ready
            await edge
            if ready and int(self.dut.sample_valid.value):
                record.append(int(self.dut.sample.value))
                if int(self.dut.sample_last.value):
                    self.records.append(record)
                    record = []

    async def command(self, name: str) -> dict[str, int]:
        """Give a command; the status once the controller is no longer busy."""
        await self.bus.set("control.command", **{name: 1})
        while True:
            await Timer(2, "us")
            status = await self.bus.get("status.state")
            if not status["busy"]:
                return status

    async def set_fields(self, fields: dict[str, int]) -> None:
        registers: dict[str, dict[str, int]] = {}
        for name, value in fields.items():
            register, part = name.rsplit(".", 1)
            registers.setdefault(register, {})[part] = value
        for register, parts in registers.items():
            await self.bus.set(register, **parts)


def signed(word: int) -> int:
    return (word ^ SIGN) - SIGN


def decoded(record: list[int]) -> tuple[int, int, int, int, list[int]]:
    """Region, multiplicity, log-likelihood, log-prior and codes, as the page describes them."""
    codes = [code for word in record[4:] for code in (word & 0x3FF, word >> 16 & 0x3FF)]
    return record[0] & 0xFF, record[1], signed(record[2]), signed(record[3]), codes


def retired_and_current(made: Controller) -> Iterator[tuple[int, list[int], int]]:
    """Multiplicity, codes and log-posterior of the golden samples: retired, then current."""
    made.start()
    out, _ = made.run(STEPS)
    for i in range(int(out.cursor[1])):
        yield int(out.multiplicity[i]), out.codes[i].tolist(), int(out.sample_log_posterior[i])
    state = made.state
    for region in range(len(state.group)):
        posterior = int(state.loglik[region] + state.prior[region])
        yield int(state.multiplicity[region]), state.codes[region].tolist(), posterior


@cocotb.test()
async def first_run(dut) -> None:  # type: ignore[no-untyped-def]
    """The steps of "A first run", number by number; the records are those of the golden model."""
    made = golden()
    image = controller_image(made.registers, made.points, made.array, REFERENCE.geometry)
    emulated = emulator_image(made.array, 0)
    board = Board(dut)
    dut.sample_ready.value = 0
    await start_clock(dut)
    cocotb.start_soon(board.collect())
    bus = board.bus
    # 1
    assert (await bus.get("id.magic"))["value"] == MAGIC
    manifest = json.loads((FOLDER / "manifest.json").read_text())
    assert (await bus.get("id.map_hash"))["value"] == int(manifest["register_map"][:8], 16)
    # 2
    for table in TABLES:
        await bus.load(table, words(table))
    # 3
    for window in ("bad_rows", "points", "order"):
        await bus.load(window, image.windows[window])
    # 4
    await board.set_fields(image.fields | emulated.fields)
    await bus.set("control.command", emulator_restart=1)
    while not (await bus.get("status.state"))["emulator_idle"]:
        await Timer(2, "us")
    # 5
    status = await board.command("start")
    assert status["started"] and status["reason"] == Reason.DONE
    await bus.set("control.steps", STEPS)
    status = await board.command("run")
    # 6
    assert status["reason"] == Reason.DONE
    await board.command("flush")
    await Timer(2, "us")
    found = [decoded(record) for record in board.records]
    expected = list(retired_and_current(made))
    assert len(expected) > 3
    assert [(m, codes, loglik + prior) for _, m, loglik, prior, codes in found] == expected


@pytest.mark.verify
def test_first_run() -> None:
    """The example of the page, simulated."""
    run_bench("reference-example", __name__, testcase="first_run", verilog_text=example("dut"))


def test_tables_are_those_of_the_run() -> None:
    """The committed tables are the golden model's for the emulator at its default spread."""
    made = golden()
    image = controller_image(made.registers, made.points, made.array, REFERENCE.geometry)
    for table in ("dac", "inv_sigma", "log_sigma"):
        assert np.array_equal(np.array(words(table)), np.array(image.windows[table]) & 0xFFFFFFFF)
