"""Recorded sessions of the daughterboard's wires: recorder, decoder, and a board made of a record.

A record is a CSV file with a line a change: the time, then the level of every wire of ``PINS``. A
logic analyser exports the same table if its channels have the names of the wires.
"""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import cocotb
from cocotb.triggers import ValueChange
from cocotb.utils import get_sim_time

from ohmcarlo.spec import CODE_MAX
from ohmcarlo_hdl.array.phy.pins import PINS
from ohmcarlo_hdl.config import CoreConfig

from .wires import WATCHED

WIRES = tuple(pin.name for pin in PINS)
TIMES = {"time_ns": 1.0, "time [ns]": 1.0, "time [us]": 1e3, "time [s]": 1e9, "time_s": 1e9}
"""Names of the column of time, in any case, and their unit in ns."""
BITS = {name: 1 << i for i, name in enumerate(WATCHED)}
PULSES = tuple(name for name in WATCHED if name.startswith("pulse_"))
CHAINS = ("address", "inputs")
ADC_BITS = 16
MID = 1 << (ADC_BITS - 1)
"""Code of the ADC without a current."""
WRITE_GATE = 0x030
"""First bits of the frame that writes channel A of the DAC: the gate of a SET."""


class Event(NamedTuple):
    """What the wires mean at an edge.

    Attributes
    ----------
    time_ns : float
    kind : str
        "hold_off" (value: its level), "dac", "address" and "inputs" (a word), "pulse_set", … (at
        its end; value: its width in ns), "sample" (value: the code of the ADC).
    value : int
    bits : int
        Of a word; 0 otherwise.
    """

    time_ns: float
    kind: str
    value: int
    bits: int = 0

    def __str__(self) -> str:
        shown = f"{self.value:#x} ({self.bits} bits)" if self.bits else f"{self.value}"
        return f"{self.kind} {shown} at {self.time_ns:g} ns"


Word = Callable[[str], tuple[int, int]]


class Edges:
    """Events from the levels of ``WATCHED``, bit 0 first; ``word`` gives value and bits of the
    frame that a receiver holds."""

    def __init__(self, levels: int, word: Word) -> None:
        self._old, self._word = levels, word
        self._rose: dict[str, float] = {}

    def step(self, new: int, now: float) -> Iterator[Event]:
        rises, falls = new & ~self._old, self._old & ~new
        self._old = new
        for name in PULSES:
            if falls & BITS[name] and name in self._rose:
                yield Event(now, name, round(now - self._rose[name]))
        if (rises | falls) & BITS["hold_off"]:
            yield Event(now, "hold_off", int(bool(rises & BITS["hold_off"])))
        if rises & BITS["dac_sync_n"]:
            yield Event(now, "dac", *self._word("dac"))
        for chain in CHAINS:
            if rises & BITS[f"{chain}_latch"]:
                yield Event(now, chain, *self._word(chain))
        for name in PULSES:
            if rises & BITS[name]:
                self._rose[name] = now
        if rises & BITS["adc_convst"]:
            yield Event(now, "sample", 0)


# -- records -------------------------------------------------------------------------------------


class PinRecorder:
    """Writes every change of the wires of ``dut``, a simulated ``Wired``, to a record."""

    def __init__(self, dut: Any) -> None:
        self._dut = dut
        self._lines: list[tuple[int, int]] = [self._now()]
        self.task = cocotb.start_soon(self._run())

    def _now(self) -> tuple[int, int]:
        return int(get_sim_time("ns")), int(self._dut.wires.value)

    async def _run(self) -> None:
        change = ValueChange(self._dut.wires)
        while True:
            await change
            self._lines.append(self._now())

    def write(self, path: Path) -> None:
        """Write the record so far."""
        with path.open("w", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(["time_ns", *WIRES])
            for time, levels in self._lines:
                writer.writerow([time, *(levels >> i & 1 for i in range(len(WIRES)))])


def events_of(path: Path) -> list[Event]:
    """The events of a record; ValueError, which names the line, for another file."""
    with path.open(newline="") as file:
        rows = csv.reader(file)
        names = [name.strip() for name in next(rows, [])]
        unit = TIMES.get(names[0].lower() if names else "")
        missing = [wire for wire in WIRES if wire not in names]
        if unit is None or missing:
            wanted = f"the column {missing[0]}" if missing else "a time (time_ns or Time [s])"
            raise ValueError(f"{path}, line 1: {wanted} is missing")
        places = [names.index(wire) for wire in WIRES]
        return _decoded(_levels(path, rows, places, unit))


def _levels(
    path: Path, rows: Iterator[list[str]], places: list[int], unit: float
) -> Iterator[tuple[float, dict[str, int]]]:
    for number, row in enumerate(rows, start=2):
        try:
            levels = [int(row[place]) for place in places]
            yield float(row[0]) * unit, dict(zip(WIRES, levels, strict=True))
        except (ValueError, IndexError) as error:
            raise ValueError(f"{path}, line {number}: {error}; the record is cut") from error


def _decoded(changes: Iterator[tuple[float, dict[str, int]]]) -> list[Event]:
    _, old = next(changes, (0.0, {}))
    if not old:
        return []
    registers: dict[str, list[int]] = {name: [] for name in ("dac", *CHAINS, "adc")}

    def word(name: str) -> tuple[int, int]:
        bits, registers[name] = registers[name], []
        return int("".join(map(str, bits)) or "0", 2), len(bits)

    edges = Edges(_watched(old), word)
    events: list[Event] = []
    waiting: int | None = None  # the sample whose bits are read
    for now, new in changes:
        if old["dac_sclk"] and not new["dac_sclk"] and not new["dac_sync_n"]:
            registers["dac"].append(old["dac_din"])
        for chain in CHAINS:
            if new[f"{chain}_clock"] and not old[f"{chain}_clock"]:
                registers[chain].append(new[f"{chain}_data"])
        if old["adc_sclk"] and not new["adc_sclk"] and not new["adc_convst"]:
            registers["adc"].append(old["adc_dout"])
            if len(registers["adc"]) == ADC_BITS and waiting is not None:
                events[waiting] = events[waiting]._replace(value=word("adc")[0])
        for event in edges.step(_watched(new), now):
            events.append(event)
            if event.kind == "sample":
                waiting, registers["adc"] = len(events) - 1, []
        old = new
    return events


def _watched(levels: dict[str, int]) -> int:
    return sum(BITS[name] for name in WATCHED if levels[name])


# -- operations ----------------------------------------------------------------------------------


class Operation(NamedTuple):
    """An operation of the array; -1 where it has no such field. ``code`` of a SET is that of the
    READ that follows it."""

    kind: str
    row: int
    device: int = -1
    dac: int = -1
    code: int = -1


def operations_of(events: list[Event], config: CoreConfig) -> list[Operation]:
    """RESET, SET and READ of a record, as in a list of pulses; one controller of ``config`` made
    them."""
    found: list[Operation] = []
    address, gate, sample = 0, -1, 0
    for event in events:
        row = address & ((1 << config.row_bits) - 1)
        device = address >> config.row_bits & ((1 << config.device_bits) - 1)
        if event.kind == "address":
            address = event.value
        elif event.kind == "dac" and event.value >> 20 == WRITE_GATE:
            gate = event.value >> 8 & 0xFFF
        elif event.kind == "sample":
            sample = event.value
        elif event.kind == "pulse_reset":
            found.append(Operation("RESET", row))
        elif event.kind == "pulse_set":
            found.append(Operation("SET", row, device, gate))
        elif event.kind == "pulse_read":
            code = min(max(sample - MID, 0), CODE_MAX)
            last = found[-1]
            if last.kind == "SET" and last.code < 0 and (last.row, last.device) == (row, device):
                found[-1] = last._replace(code=code)
            else:
                found.append(Operation("READ", row, device, code=code))
    return found


# -- replay --------------------------------------------------------------------------------------


class Recorded:
    """A board made of a record, behind the wires of ``dut``, a simulated ``Wired``.

    Samples give the codes of the record. Frames, latches, samples and pulses must be those of the
    record, in its order; the first other one is kept in ``fault``, and ``finish`` raises it. The
    time between events is free, because a host has a time of its own; the width of a pulse is not.
    """

    def __init__(self, dut: Any, events: list[Event], tolerance_ns: float = 0.0) -> None:
        self._dut = dut
        self._left = deque(events)
        self._tolerance = tolerance_ns
        self.seen = 0
        self.fault = ""
        dut.adc_code.value = 0
        self._edges = Edges(int(dut.watched.value), self._word)
        self.task = cocotb.start_soon(self._run())

    def finish(self) -> None:
        """Raise AssertionError if an event was another one, or if the record goes on."""
        assert not self.fault, self.fault
        assert not self._left, f"the record goes on: {self._left[0]}"

    def _word(self, name: str) -> tuple[int, int]:
        bits = int(getattr(self._dut, f"{name}_bits").value)
        return int(getattr(self._dut, f"{name}_word").value) & ((1 << bits) - 1), bits

    async def _run(self) -> None:
        watched = self._dut.watched
        change = ValueChange(watched)
        while not self.fault:
            await change
            for event in self._edges.step(int(watched.value), get_sim_time("ns")):
                if not self.fault:
                    self._compare(event)

    def _compare(self, event: Event) -> None:
        wanted = self._left.popleft() if self._left else None
        if wanted is None or not self._same(event, wanted):
            recorded = "nothing more" if wanted is None else str(wanted)
            self.fault = f"event {self.seen + 1}: {event}; the record has {recorded}"
            return
        self.seen += 1
        if event.kind == "sample":
            self._dut.adc_code.value = wanted.value

    def _same(self, event: Event, wanted: Event) -> bool:
        if (event.kind, event.bits) != (wanted.kind, wanted.bits):
            return False
        if event.kind in PULSES:
            return abs(event.value - wanted.value) <= self._tolerance
        return event.kind == "sample" or event.value == wanted.value
