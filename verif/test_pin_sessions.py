"""A recorded session of the daughterboard's wires in the place of the board, in simulation.

The first simulation records the wires of a Phy with a daughterboard model. The second one has no
board: the samples come from the record, and every frame, latch, sample and pulse must be the
recorded one. The chain is then the recorded one, too.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cocotb
import numpy as np
import pytest

from ohmcarlo.array.tapped import TappedArray
from ohmcarlo.golden import Controller
from ohmcarlo.spec import Points
from ohmcarlo.spec.link import Reason
from verif.daughterboard import Daughterboard
from verif.daughterboard.sessions import (
    WIRES,
    Operation,
    PinRecorder,
    Recorded,
    events_of,
    operations_of,
)
from verif.harness import BenchFailure, case_parameters, run_bench, start_clock
from verif.harness.core import CoreDriver
from verif.harness.verilog import verilog_of
from verif.test_phy import RAIL_CODES
from verif.test_phy_core import (
    CONFIG,
    GUARDS,
    LIMITS,
    PULSE,
    array,
    experiment,
    registers,
    wired,
)

POINTS, STEPS = 6, 2


def points() -> Points:
    every = experiment().setup.points
    return Points(every.inputs[:POINTS], every.labels[:POINTS], every.offsets[:POINTS])


async def brought_up(dut: Any) -> CoreDriver:
    dut.off.value = 0
    driver = CoreDriver(dut, CONFIG, registers(), points())
    await start_clock(dut)
    return driver


async def session(driver: CoreDriver) -> None:
    """What a host does: registers and tables, a start, some steps."""
    await driver.load(array())
    for rail, code in RAIL_CODES.items():
        await driver.bus.set(f"rails.{rail}", code)
    for name, width in PULSE.items():
        await driver.bus.set(f"sequencer.{name}", width=width, **GUARDS)
    await driver.bus.set("sequencer.watchdog", 1 << 20)
    assert await driver.start() == Reason.DONE
    assert await driver.run(STEPS) == Reason.DONE


class Notes:
    """``Listener`` that keeps the operations."""

    def __init__(self) -> None:
        self.operations: list[Operation] = []

    def reset(self, row: int) -> None:
        self.operations.append(Operation("RESET", row))

    def program(self, row: int, devices: Any, dac: Any, codes: Any) -> Any:
        several = zip(devices.tolist(), dac.tolist(), codes.tolist(), strict=True)
        self.operations += [Operation("SET", row, *one) for one in several]
        return codes

    def read(self, row: int, devices: Any, codes: Any) -> Any:
        several = zip(devices.tolist(), codes.tolist(), strict=True)
        self.operations += [Operation("READ", row, d, code=code) for d, code in several]
        return codes

    def dot(self, row: int, accesses: int) -> None: ...


def told() -> list[Operation]:
    """What the golden controller tells the same array in the same session."""
    notes = Notes()
    golden = Controller(registers(), TappedArray(array(), notes), points())
    golden.start()
    golden.run(STEPS)
    return notes.operations


@cocotb.test()
async def records(dut) -> None:  # type: ignore[no-untyped-def]
    folder = Path(case_parameters()["folder"])
    driver = await brought_up(dut)
    board = Daughterboard(dut, CONFIG, array(), LIMITS)
    recorder = PinRecorder(dut)
    await session(driver)
    assert not board.faults
    recorder.write(folder / "pins.csv")
    found = driver.trace()
    assert len(found.accepted) == STEPS
    np.savez(
        folder / "trace.npz", codes=found.codes, accepted=found.accepted,
        log_posterior=found.log_posterior, samples=board.seen["sample"], sets=board.seen["set"],
    )  # fmt: skip


@cocotb.test()
async def replays(dut) -> None:  # type: ignore[no-untyped-def]
    case = case_parameters()
    folder = Path(case["folder"])
    events = events_of(folder / case.get("file", "pins.csv"))
    driver = await brought_up(dut)
    board = Recorded(dut, events)
    try:
        await session(driver)
    finally:  # the first difference explains the others
        board.finish()
    found, expected = driver.trace(), np.load(folder / "trace.npz")
    kinds = [event.kind for event in events]
    assert kinds.count("sample") == expected["samples"]
    assert kinds.count("pulse_set") == expected["sets"] > 0
    assert "pulse_dot" in kinds and board.seen == len(events)
    for name in ("codes", "accepted", "log_posterior"):
        assert (getattr(found, name) == expected[name]).all(), name
    assert operations_of(events, CONFIG) == told()


def simulate(testcase: str, folder: Path, **case: Any) -> None:
    run_bench(
        "PhyCore", __name__, {"folder": str(folder)} | case, testcase=testcase,
        verilog_text=verilog_of(wired()),
    )  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("session")
    simulate("records", path)
    return path


@pytest.mark.verify
def test_a_session_replays_without_its_board(folder: Path) -> None:
    simulate("replays", folder)


@pytest.mark.verify
def test_another_session_is_noticed(folder: Path) -> None:
    """A record that lacks an edge, one with another reading of the ADC, one that is cut."""
    lines = (folder / "pins.csv").read_text().splitlines(keepends=True)
    names = lines[0].strip().split(",")

    def other(name: str, changed: list[str], message: str) -> None:
        (folder / name).write_text("".join(changed))
        with pytest.raises(BenchFailure, match=message):
            simulate("replays", folder, file=name)

    clock = names.index("address_clock")
    half = len(lines) // 2
    at = next(i for i in range(half, len(lines)) if lines[i].split(",")[clock] == "1")
    other("edge.csv", lines[:at] + lines[at + 1 :], r"address .* bits\).*; the record has address")
    dout = names.index("adc_dout")
    flipped = [lines[0], *(_with(line, dout, "1") for line in lines[1:])]
    other("adc.csv", flipped, "the record (has|goes on)")
    other("cut.csv", lines[:half], "the record has nothing more")


def _with(line: str, place: int, level: str) -> str:
    cells = line.strip().split(",")
    cells[place] = level
    return ",".join(cells) + "\n"


class Analyser:
    """Writes a record as a logic analyser exports it: seconds, the wires in another order."""

    def __init__(self) -> None:
        self.levels = dict.fromkeys(reversed(WIRES), 0) | {"hold_off": 1, "dac_sync_n": 1}
        self.time = 0.0
        self.lines = [",".join(["Time [s]", *self.levels])]
        self.set()

    def set(self, ns: float = 20, **levels: int) -> None:
        self.levels |= levels
        self.lines.append(",".join([f"{self.time * 1e-9:.9f}", *map(str, self.levels.values())]))
        self.time += ns

    def dac(self, word: int) -> None:
        self.set(dac_sync_n=0)
        for i in reversed(range(32)):
            self.set(dac_sclk=1, dac_din=word >> i & 1)
            self.set(dac_sclk=0)
        self.set(dac_sync_n=1)

    def address(self, word: int) -> None:
        for i in reversed(range(16)):
            self.set(address_clock=0, address_data=word >> i & 1)
            self.set(address_clock=1)
        self.set(address_clock=0)
        self.set(address_latch=1)
        self.set(address_latch=0)

    def pulse(self, name: str, ns: float) -> None:
        self.set(ns, **{f"pulse_{name}": 1})
        self.set(**{f"pulse_{name}": 0})

    def read(self, code: int) -> None:
        self.set(1000, pulse_read=1)
        self.set(100, adc_convst=1)
        self.set(pulse_read=0)
        self.set(adc_convst=0, adc_dout=code >> 15 & 1)
        for i in reversed(range(16)):
            self.set(adc_sclk=1)
            self.set(adc_sclk=0)
            self.set(adc_dout=code >> i - 1 & 1 if i else 0)


def test_the_record_of_an_analyser(tmp_path: Path) -> None:
    """Frames of the DAC7568 and of the SN74AHC595 chains, bit by bit; ADC codes around mid-scale.

    The address chain holds the row, then the device (constraints/daughterboard.md).
    """
    hand = Analyser()
    hand.set(hold_off=0)
    hand.address(3 | 5 << 6)
    hand.pulse("reset", 100)
    hand.dac(0x030A_BC00)
    hand.pulse("set", 120)
    hand.read((1 << 15) + 460)
    hand.read((1 << 15) + 463)
    hand.dac(0x0341_2300)  # another rail
    path = tmp_path / "analyser.csv"
    path.write_text("\n".join(hand.lines) + "\n")
    events = events_of(path)
    assert [(e.kind, e.value, e.bits) for e in events] == [
        ("hold_off", 0, 0), ("address", 0x143, 16), ("pulse_reset", 100, 0),
        ("dac", 0x030A_BC00, 32), ("pulse_set", 120, 0), ("sample", 33228, 0),
        ("pulse_read", 1100, 0), ("sample", 33231, 0), ("pulse_read", 1100, 0),
        ("dac", 0x0341_2300, 32),
    ]  # fmt: skip
    assert operations_of(events, CONFIG) == [
        Operation("RESET", 3), Operation("SET", 3, 5, 0xABC, 460),
        Operation("READ", 3, 5, code=463),
    ]  # fmt: skip
    path.write_text("\n".join(hand.lines[:50])[:-8])
    with pytest.raises(ValueError, match=r"line 50: .*; the record is cut"):
        events_of(path)
    path.write_text("Channel 0,Channel 1\n0,1\n")
    with pytest.raises(ValueError, match="line 1: the column hold_off is missing"):
        events_of(path)
