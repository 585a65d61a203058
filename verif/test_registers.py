"""RegisterBank: every register, field, strobe and window, through the bus.

Expected values come from the C header that PeakRDL generates from the RDL, not from ``map.py``.
"""

from __future__ import annotations

import random
import re
import subprocess
import sys
from collections import deque
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import cocotb
import pytest
from systemrdl.node import FieldNode, MemNode, RegNode

from ohmcarlo import __version__
from ohmcarlo.boards.memory.layout import Layout
from ohmcarlo.boards.memory.state import COUNTERS as HOST_COUNTERS
from ohmcarlo.boards.memory.state import SAVED
from ohmcarlo.boards.memory.state import sizes as state_sizes
from ohmcarlo.spec import (
    APT_WINDOW,
    CODE_BITS,
    COEF_BITS,
    DAC_BITS,
    DEFAULT_HI_US,
    DEFAULT_LO_US,
    DEFAULT_MID_US,
    FOLD_MAX,
    MEDIAN_GAIN_FRAC,
    RHO_FRAC,
    SIGMA_GAIN_FRAC,
    SYMBOL_BITS,
    TARGET_LSB_US,
    VALID_HI_CODE,
    VALID_LO_CODE,
    WIDE_EVERY_MAX,
    Geometry,
    health_cutoffs,
)
from ohmcarlo.spec.link import WINDOWS, FaultCause
from ohmcarlo_hdl.array.phy.parts import PhyConfig
from ohmcarlo_hdl.config import CoreConfig
from ohmcarlo_hdl.core.counters import COUNTED
from ohmcarlo_hdl.regs.bank import RegisterBank
from ohmcarlo_hdl.regs.map import SOURCE, compile_board_rdl, compile_rdl, register_map
from ohmcarlo_rtl.controller.tidy import tidy
from verif.harness import case_parameters, run_bench, start_clock, stimuli
from verif.harness.bus import BusDriver
from verif.harness.verilog import verilog_of

CONFIGS = {
    "reference": (CoreConfig(), False),
    # rows that fill no power of two, no calibration window, an emulator
    "odd": (
        CoreConfig(
            Geometry(rows=200, pairs=20, access_bits=1, tile_pairs=8, dot_bits=12, dot_shift=3),
            max_points=16,
            max_group_rows=1,
            max_regions=2,
            device_calibration=False,
        ),
        True,
    ),
    # a real array at 60 MHz
    "phy": (
        CoreConfig(
            Geometry(rows=64, pairs=16, access_bits=1),
            max_group_rows=1,
            max_regions=1,
            phy=PhyConfig(60_000_000),
        ),
        False,
    ),
}
PARAMETERS: dict[str, dict[str, int | str]] = {  # the configurations, as the RDL names them
    "reference": {},
    "odd": {
        "ROWS": 200, "PAIRS": 20, "ACCESS_BITS": 1, "TILE_PAIRS": 8, "DOT_BITS": 12,
        "DOT_SHIFT": 3, "MAX_POINTS": 16, "MAX_GROUP_ROWS": 1, "MAX_REGIONS": 2,
        "DEVICE_CALIBRATION": "false", "POINT_WORDS": 8, "DEVICE_BITS": 6, "EMULATOR": 1,
    },
    # 4, 3.25, 0, 2, 2.3, 0.2, 1.25 V of 5; 1000, 100 and 1100 ns, 50 ns and a clock, 20 ms
    "phy": {
        "ROWS": 64, "PAIRS": 16, "ACCESS_BITS": 1, "TILE_PAIRS": 16, "MAX_GROUP_ROWS": 1,
        "MAX_REGIONS": 1, "POINT_WORDS": 4, "DEVICE_BITS": 5, "PHY": "true", "GATE_RESET": 3277,
        "GATE_READ": 2662, "BIT_LINE_FORM": 0, "BIT_LINE_SET": 1638, "SOURCE_LINE_RESET": 1884,
        "BIT_LINE_READ": 164, "VIRTUAL_GROUND": 1024, "FORM_WIDTH": 60, "RESET_WIDTH": 6,
        "SET_WIDTH": 6, "READ_WIDTH": 66, "DOT_WIDTH": 66, "GUARD": 4, "WATCHDOG": 1_200_000,
    },
}  # fmt: skip

# Registers that only the hardware writes; software writes all others except the constants.
READ_ONLY = re.compile(
    r"^(id|status|counters)\.|^entropy\.(alarms|clean_windows|raw_bits|symbol_counts)"
    r"|^emulator\.pulses|^raw\.result|^row\.(status|held|wear)"
)
# Windows that software can read, too
READABLE = re.compile(r"^state_(?!codes)|^(dac|inv_sigma|log_sigma)$")
READ_CLOCKS = 5
"""From a read to its data."""
COMMAND = "control.command"
STATE = "status.state"
SIGNED = {"control.external_loglik", "raw.result"}


@dataclass
class Expected:
    """One register as the header has it: field name → (lowest bit, width, reset)."""

    address: int
    fields: dict[str, tuple[int, int, int]] = field(default_factory=dict)

    @property
    def mask(self) -> int:
        return sum(((1 << width) - 1) << low for low, width, _ in self.fields.values())

    @property
    def reset(self) -> int:
        return sum(reset << low for low, _, reset in self.fields.values())

    def port_of(self, word: int, skip: str = "") -> int:
        """The register's fields one after the other, as a port holds them."""
        packed = offset = 0
        for name, (low, width, _) in sorted(self.fields.items(), key=lambda f: f[1]):
            if name != skip:
                packed |= (word >> low & ((1 << width) - 1)) << offset
                offset += width
        return packed


Structs = dict[str, list[tuple[str, str, int]]]


def _structs(text: str) -> Structs:
    """Members of every struct: (type, name, elements; 0: no array)."""
    member = re.compile(r"^\s*(\w+) (\w+)(?:\[(\w+)\])?;", re.M)
    return {
        name: [(kind, item, int(count or "0", 0)) for kind, item, count in member.findall(body)]
        for body, name in re.findall(r"typedef struct [^{]*\{(.*?)\} (\w+);", text, re.S)
    }


def _define(text: str, name: str) -> int:
    found = re.search(rf"^#define {name} (\w+)$", text, re.M)
    return int(found[1], 0) if found else 0


Header = tuple[dict[str, Expected], dict[str, tuple[int, int]]]


def header(name: str) -> Header:
    """The header of a configuration of the controller."""
    return header_of("ohmcarlo", **PARAMETERS[name])


@cache
def header_of(top: str, **parameters: int | str) -> Header:
    """Registers, and windows as (byte address, words), read from PeakRDL's C header."""
    with TemporaryDirectory() as folder:
        target = Path(folder) / "map.h"
        command = [sys.executable, "-m", "peakrdl", "c-header", str(SOURCE), "-o", str(target)]
        command += ["--type-style", "hier", "--top", top]
        for parameter, value in parameters.items():
            command += ["-P", f"{parameter}={value}"]
        subprocess.run(command, check=True, capture_output=True)
        text = target.read_text()
    structs = _structs(text)
    registers: dict[str, Expected] = {}
    windows: dict[str, tuple[int, int]] = {}

    def walk(struct: str, path: list[str], address: int) -> int:
        for kind, item, count in structs[struct]:
            if kind == "uint8_t":
                address += count
            elif kind != "uint32_t":
                address = walk(kind, [*path, item], address)
            elif item == "mem":
                windows[path[0]] = (address, count)
                address += 4 * count
            else:
                for index in range(max(count, 1)):
                    suffix = f"[{index}]" if count else ""
                    registers[".".join([*path, item]) + suffix] = Expected(address)
                    address += 4
        return address

    walk(f"{top}_t", [], 0)
    for key, register in registers.items():
        prefix = f"{top.upper()}__" + re.sub(r"\[\d+\]", "x", key).replace(".", "__").upper()
        for item, low in re.findall(rf"#define {prefix}__(\w+)_bp (\d+)", text):
            macro = f"{prefix}__{item}"
            register.fields[item.lower()] = (
                int(low), _define(text, f"{macro}_bw"), _define(text, f"{macro}_reset")
            )  # fmt: skip
    assert len(registers) > 15 and len(windows) >= 3
    assert all(register.fields for register in registers.values())
    return registers, windows


def software(name: str) -> dict[str, Expected]:
    """Registers that software writes and reads back."""
    registers, _ = header(name)
    return {k: r for k, r in registers.items() if not READ_ONLY.match(k) and k != COMMAND}


def counters(name: str) -> list[str]:
    return [
        k.removesuffix(".lo") for k in header(name)[0] if k.endswith(".lo") and READ_ONLY.match(k)
    ]


def window_port(name: str) -> str:
    """Port of a window of the controller."""
    return f"access_{name}" if READABLE.match(name) else f"load_{name}"


def port(dut: Any, register: str) -> Any:
    return getattr(dut, register.replace(".", "_"))


async def begin(dut: Any) -> tuple[BusDriver, str, random.Random]:
    bus = BusDriver(dut)
    await start_clock(dut)
    return bus, case_parameters()["config"], stimuli(3)


async def bus_error(bus: BusDriver, registers: dict[str, Expected]) -> int:
    low, _, _ = registers[STATE].fields["bus_error"]
    return await bus.read(registers[STATE].address) >> low & 1


async def clear_error(bus: BusDriver, registers: dict[str, Expected]) -> None:
    command = registers[COMMAND]
    await bus.write(command.address, 1 << command.fields["clear_fault"][0])
    await bus.edge
    await bus.edge
    assert not await bus_error(bus, registers)


# -- simulation ----------------------------------------------------------------------------------
@cocotb.test()
async def resets(dut) -> None:  # type: ignore[no-untyped-def]
    """Registers and constants come out of reset as the RDL says; ports too."""
    bus, config, _ = await begin(dut)
    registers, _ = header(config)
    for name, register in registers.items():
        if name.startswith("id.") and name not in ("id.map_hash", "id.version"):
            assert await bus.read(register.address) == register.reset, name
    for name, register in software(config).items():
        assert await bus.read(register.address) == register.reset, name
        assert int(port(dut, name).value) == register.port_of(register.reset), name
    assert int(port(dut, COMMAND).value) == 0
    assert await bus.read(registers["id.magic"].address) == int.from_bytes(b"OHMC", "big")
    major, minor, patch = (int(part) for part in __version__.split("."))
    assert await bus.read(registers["id.version"].address) == major << 16 | minor << 8 | patch
    known = case_parameters()["hash"]
    assert await bus.read(registers["id.map_hash"].address) == int(known[:8], 16)
    assert not await bus_error(bus, registers)


@cocotb.test()
async def write_read(dut) -> None:  # type: ignore[no-untyped-def]
    """Every register keeps its value while others are written."""
    bus, config, rng = await begin(dut)
    registers, _ = header(config)
    targets = list(software(config).items())
    for word in (0, 0xFFFFFFFF, None, None):
        kept = {}
        rng.shuffle(targets)
        for name, register in targets:
            kept[name] = rng.randrange(1 << 32) if word is None else word
            await bus.write(register.address, kept[name])
            await bus.edge
            assert int(port(dut, name).value) == register.port_of(kept[name]), name
        rng.shuffle(targets)
        for name, register in targets:
            assert await bus.read(register.address) == kept[name] & register.mask, name
            assert int(port(dut, name).value) == register.port_of(kept[name]), name
    # a change of the data without a strobe changes nothing
    name, register = targets[0]
    bus.addr.value, bus.w_data.value = register.address // 4, ~kept[name] & 0xFFFFFFFF
    for _ in range(3):
        await bus.edge
    assert await bus.read(register.address) == kept[name] & register.mask
    assert not await bus_error(bus, registers)


@cocotb.test()
async def one_access_a_clock(dut) -> None:  # type: ignore[no-untyped-def]
    """Reads and writes need no pause; a read in the clock of a write gives the new value."""
    bus, config, rng = await begin(dut)
    targets = list(software(config).values())
    model = {register.address: register.reset for register in targets}
    expected: deque[int | None] = deque([None] * READ_CLOCKS)
    for _ in range(400):
        register = rng.choice(targets)
        reads, writes, word = rng.random() < 0.7, rng.random() < 0.5, rng.randrange(1 << 32)
        bus.addr.value, bus.w_data.value = register.address // 4, word
        bus.r_stb.value, bus.w_stb.value = int(reads), int(writes)
        await bus.edge
        if (due := expected.popleft()) is not None:
            assert int(bus.r_data.value) == due
        if writes:
            model[register.address] = word & register.mask
        expected.append(model[register.address] if reads else None)


@cocotb.test()
async def error_of_each_access(dut) -> None:  # type: ignore[no-untyped-def]
    """``error`` belongs to the access LATENCY clocks before, a write or a read, without a pause."""
    bus, config, rng = await begin(dut)
    writable, readable = accessible(config)
    addresses = sorted(writable | readable | missing(bus, config, rng))
    expected: deque[bool] = deque([False] * READ_CLOCKS)
    seen = set()
    for _ in range(600):
        address, writes, reads = rng.choice(addresses), rng.random() < 0.5, rng.random() < 0.5
        bus.addr.value, bus.w_data.value = address // 4, rng.randrange(1 << 32)
        bus.w_stb.value, bus.r_stb.value = int(writes), int(reads)
        await bus.edge
        seen.add((writes, reads, error := expected.popleft()))
        assert bool(int(bus.error.value)) == error
        misses = writes and address not in writable, reads and address not in readable
        expected.append(any(misses))
    bus.w_stb.value = bus.r_stb.value = 0
    assert len(seen) == 8


def accessible(config: str) -> tuple[set[int], set[int]]:
    """Addresses that can be written, and that can be read; of a window its two ends."""
    registers, known = header(config)
    writable = {r.address for r in software(config).values()} | {registers[COMMAND].address}
    readable = {r.address for name, r in registers.items() if name != COMMAND}
    for name, (address, words) in known.items():
        ends = {address, address + 4 * words - 4}
        writable |= ends
        readable |= ends if READABLE.match(name) else set()
    return writable, readable


def missing(bus: BusDriver, config: str, rng: random.Random) -> set[int]:
    """Some addresses without a register or a window."""
    registers, known = header(config)
    there = {r.address for r in registers.values()}
    for address, words in known.values():
        there |= set(range(address, address + 4 * words, 4))
    top = 4 << len(bus.addr)
    return set(rng.sample(sorted(set(range(0, top, 4)) - there), 200))


@cocotb.test()
async def hardware_driven(dut) -> None:  # type: ignore[no-untyped-def]
    """Software reads the values of the hardware; writes to them change nothing and are errors."""
    bus, config, rng = await begin(dut)
    registers, _ = header(config)
    for _ in range(3):
        words: dict[str, int] = {}
        for name, register in registers.items():
            if READ_ONLY.match(name) and not name.startswith("id."):
                words[name] = rng.randrange(1 << 32) & register.mask
        words[STATE] &= ~(1 << registers[STATE].fields["bus_error"][0])
        for name, word in words.items():
            if name.startswith("entropy.symbol_counts") or name.endswith(".hi"):
                continue
            if name.endswith(".lo"):
                other = words[name.removesuffix("lo") + "hi"]
                port(dut, name.removesuffix(".lo")).value = other << 32 | word
            else:
                port(dut, name).value = registers[name].port_of(word, skip="bus_error")
        dut.entropy_symbol_counts.value = sum(
            words[f"entropy.symbol_counts[{i}]"] << 32 * i for i in range(1 << SYMBOL_BITS)
        )
        await bus.edge
        for name, word in words.items():
            assert await bus.read(registers[name].address) == word, name
    for name in (*words, "id.magic", "id.rows"):
        assert not await bus_error(bus, registers), name
        before = await bus.read(registers[name].address)
        await bus.write(registers[name].address, ~before)
        await bus.edge
        assert await bus_error(bus, registers), name
        await clear_error(bus, registers)
        if not name.endswith(".hi"):
            assert await bus.read(registers[name].address) == before, name


@cocotb.test()
async def strobes(dut) -> None:  # type: ignore[no-untyped-def]
    """A command lasts exactly one clock, also when commands follow each other."""
    bus, config, rng = await begin(dut)
    registers, _ = header(config)
    command = registers[COMMAND]
    others = list(software(config).values())
    expected = 0
    for _ in range(300):
        kind = rng.random()
        word = rng.randrange(1 << 32)
        bus.w_stb.value, bus.w_data.value = int(kind < 0.7), word
        address = command.address if kind < 0.5 else rng.choice(others).address
        bus.addr.value = address // 4
        await bus.edge
        assert int(port(dut, COMMAND).value) == expected
        expected = command.port_of(word) if kind < 0.5 else 0
    bus.w_stb.value = 0
    for _ in range(4):
        await bus.edge
        assert int(port(dut, COMMAND).value) == expected
        expected = 0


@cocotb.test()
async def windows(dut) -> None:  # type: ignore[no-untyped-def]
    """Each word arrives at its window, once, one clock after the write, and at no other."""
    bus, config, rng = await begin(dut)
    registers, known = header(config)
    ports = {name: window_port(name) for name in known}
    strobes = {name: getattr(dut, f"{port}__stb") for name, port in ports.items()}
    for name, (address, words) in known.items():
        ends = (0, 1 % words, max(words - 2, 0), words - 1)
        inside = [*ends, *(rng.randrange(words) for _ in range(20))]
        await bus.edge
        pending: tuple[int, int] | None = None
        for index in [*inside, None]:
            word = rng.randrange(1 << 32)
            bus.w_stb.value = int(index is not None)
            if index is not None:
                bus.addr.value, bus.w_data.value = address // 4 + index, word
            await bus.edge
            seen = [other for other, stb in strobes.items() if int(stb.value)]
            assert seen == ([name] if pending else []), (name, index)
            if pending:
                got = (getattr(dut, f"{ports[name]}__{p}").value for p in ("addr", "data"))
                assert tuple(int(value) for value in got) == pending, name
            pending = None if index is None else (index, word)
        for _ in range(2):
            await bus.edge
            assert not any(int(stb.value) for stb in strobes.values())
    assert not await bus_error(bus, registers)


@cocotb.test()
async def windows_read(dut) -> None:  # type: ignore[no-untyped-def]
    """Only the addressed window is read, one clock after the access; the bus returns its word."""
    bus, config, rng = await begin(dut)
    registers, known = header(config)
    readable = [name for name in known if READABLE.match(name)]
    await read_windows(dut, bus, rng, {name: known[name] for name in readable})
    assert not await bus_error(bus, registers)


async def read_windows(
    dut: Any, bus: BusDriver, rng: random.Random, windows: dict[str, tuple[int, int]]
) -> None:
    """Read some words of each window, in any order, without a pause; all windows always drive
    data."""

    def part(name: str, kind: str) -> Any:
        return getattr(dut, f"access_{name}__{kind}")

    asked: list[tuple[str, int] | None] = [None] * READ_CLOCKS
    said: list[dict[str, int]] = [{}, {}, {}]
    for _ in range(40 * len(windows)):
        name = rng.choice(list(windows)) if rng.random() < 0.8 else None
        address, words = windows[name or min(windows)]
        index = rng.choice([0, words - 1, rng.randrange(words)])
        bus.addr.value, bus.r_stb.value = address // 4 + index, int(name is not None)
        answers = {other: rng.randrange(1 << 32) for other in windows}
        for other, answer in answers.items():
            part(other, "r_data").value = answer
        await bus.edge
        last = asked[-1]
        assert [n for n in windows if int(part(n, "r_stb").value)] == ([last[0]] if last else [])
        if last:
            assert int(part(last[0], "r_addr").value) == last[1], last
        if due := asked[-READ_CLOCKS]:  # requested one clock later, answered in the next
            assert int(bus.r_data.value) == said[-3][due[0]], due
        asked.append((name, index) if name else None)
        said.append(answers)
    bus.r_stb.value = 0
    for name in windows:
        part(name, "r_data").value = 0


@cocotb.test()
async def errors(dut) -> None:  # type: ignore[no-untyped-def]
    """Every address of the register area and both sides of every window: an access is either valid,
    or an error that reads 0 and changes nothing."""
    bus, config, rng = await begin(dut)
    registers, known = header(config)
    targets = software(config)
    writable, readable = accessible(config)
    addresses = list(range(0, 0x1000, 4))
    for address, words in known.values():
        addresses += [address, address + 4 * words - 4, address + 4 * words]
    top = 4 << len(bus.addr)
    addresses = sorted({a for a in addresses if a < top} | {top - 4})
    kept = {name: register.reset for name, register in targets.items()}
    by_address = {register.address: name for name, register in targets.items()}
    for address in addresses:
        value = await bus.read(address)
        if address not in readable:
            assert value == 0, hex(address)
        assert await bus_error(bus, registers) == (address not in readable), hex(address)
        if address not in readable:
            assert await bus_error(bus, registers), "it stays"
            await clear_error(bus, registers)
    for address in addresses:
        word = rng.randrange(1 << 32)
        if address == registers[COMMAND].address:
            word &= ~(1 << registers[COMMAND].fields["clear_fault"][0])
        await bus.write(address, word)
        await bus.edge
        if address in by_address:
            kept[by_address[address]] = word & targets[by_address[address]].mask
        assert await bus_error(bus, registers) == (address not in writable), hex(address)
        if address not in writable:
            await clear_error(bus, registers)
    for name, register in targets.items():
        assert await bus.read(register.address) == kept[name], name


@cocotb.test()
async def snapshots(dut) -> None:  # type: ignore[no-untyped-def]
    """Both halves of a counter belong to one moment, although it counts between the reads."""
    bus, config, rng = await begin(dut)
    registers, _ = header(config)
    assert len(counters(config)) == 11
    for name in counters(config):
        low, high = (registers[f"{name}.{half}"].address for half in ("lo", "hi"))
        for value in (0x1_FFFF_FFFF, rng.randrange(1 << 64), (1 << 64) - 1):
            port(dut, name).value = value
            first = await bus.read(low)
            port(dut, name).value = (value + 1) % (1 << 64)
            await bus.edge
            assert await bus.read(high) << 32 | first == value, name
            assert await bus.read(high) == value >> 32, "until the next lower half is read"
            assert await bus.read(low) == (value + 1) % (1 << 32), name
            assert await bus.read(high) == (value + 1) % (1 << 64) >> 32, name


@pytest.mark.parametrize("config", CONFIGS)
def test_registers(config: str) -> None:
    """The configuration ``odd`` in its published form, as ``ohmcarlo_rtl`` writes it."""
    bank = RegisterBank(register_map(*CONFIGS[config]))
    text = tidy(verilog_of(bank)) if config == "odd" else None
    run_bench(bank, __name__, {"config": config, "hash": bank.map.hash}, verilog_text=text)


# -- the map itself ------------------------------------------------------------------------------
@pytest.mark.parametrize("config", CONFIGS)
def test_map_is_the_headers(config: str) -> None:
    """``map.py`` and PeakRDL read the RDL alike: addresses, fields, resets, windows."""
    registers, windows = header(config)
    compiled = register_map(*CONFIGS[config])
    assert {w.name: (w.address, w.words) for w in compiled.windows} == windows
    assert [r.name for r in compiled.registers] == list(registers)
    for register in compiled.registers:
        expected = registers[register.name]
        assert register.address == expected.address
        assert {f.name: (f.low, f.width) for f in register.fields} == {
            name: place[:2] for name, place in expected.fields.items()
        }
        for item in register.fields:
            assert item.signed == (register.name in SIGNED)
            if register.name not in ("id.map_hash", "id.version"):
                assert item.reset == expected.fields[item.name][2]


def test_windows_are_aligned() -> None:
    """Each window starts at a multiple of its size, rounded up; none overlap."""
    for config, emulator in CONFIGS.values():
        end = 0x1000
        for window in register_map(config, emulator).windows:
            assert window.address >= end
            assert window.address % (4 << window.addr_width) == 0
            end = window.address + 4 * window.words


def test_window_sizes() -> None:
    for config, emulator in CONFIGS.values():
        words = {w.name: w.words for w in register_map(config, emulator).windows}
        rows = config.geometry.rows
        assert words.pop("calibration", None) == (
            rows << config.device_bits if config.device_calibration else None
        )
        assert words == {
            "dac": 512, "inv_sigma": 512, "log_sigma": 512, "median": 512, "sigma": 512,
            "points": config.max_points * config.point_words, "order": config.max_points,
            "bad_rows": rows,
            "state_queues": rows, "state_groups": rows, "state_held": rows, "state_wear": rows,
            "state_regions": config.max_regions * 8,
            "state_samples": config.max_regions * config.max_group_rows << config.device_bits - 1,
            "state_coin": 16 + config.coin_devices,
            "state_counters": 2 * len(COUNTED), "state_step": 1,
            "state_codes": rows << config.device_bits - 1,
        }  # fmt: skip


def test_the_state_is_the_hosts() -> None:
    """``boards.memory.state`` has the windows, their sizes, and the order of the counters."""
    for config, emulator in CONFIGS.values():
        compiled = register_map(config, emulator)
        state = {w.name: w for w in compiled.windows if w.name.startswith("state_")}
        g = config.geometry
        sizes = (g.rows, g.pairs, g.entropy_pairs, g.access_bits, g.tile_pairs or g.pairs)
        layout = Layout(
            *sizes,
            dot_bits=g.dot_bits,
            dot_shift=g.dot_shift,
            max_points=config.max_points,
            max_group_rows=config.max_group_rows,
            max_regions=config.max_regions,
            device_calibration=config.device_calibration,
            emulator=emulator,
        )
        assert state_sizes(layout) == {name: w.words for name, w in state.items()}
        assert {name for name, w in state.items() if w.readable} == set(SAVED)
        assert all(w.writable for w in state.values())
        assert all(w.readable == bool(READABLE.match(w.name)) for w in compiled.windows)
    assert list(WINDOWS) == [w.name for w in register_map(CoreConfig(), True).windows]
    names = counters("reference")
    assert [f"counters.{name}" for name in HOST_COUNTERS] == [
        name for name in names if name.startswith("counters.")
    ]
    assert HOST_COUNTERS == COUNTED


def test_resets_are_the_specs() -> None:
    """Constants that the RDL repeats, because it cannot import Python, equal ``ohmcarlo.spec``."""
    registers, _ = header("reference")
    reset = {name: register.reset for name, register in registers.items()}
    rct, rct_symbol, apt = health_cutoffs(1.0)
    assert (
        reset
        | {
            "proposal.rho": 1 << RHO_FRAC,
            "proposal.mid": round(DEFAULT_MID_US / TARGET_LSB_US),
            "proposal.lo": round(DEFAULT_LO_US / TARGET_LSB_US),
            "proposal.hi": round(DEFAULT_HI_US / TARGET_LSB_US),
            "proposal.valid_lo": VALID_LO_CODE,
            "proposal.valid_hi": VALID_HI_CODE,
            "entropy.rct_cutoff": rct,
            "entropy.rct_symbol_cutoff": rct_symbol,
            "entropy.apt_cutoff": apt,
            "entropy.fold": 1,
            "proposal.wide_every": 0,
            "emulator.median_gain": 1 << MEDIAN_GAIN_FRAC,
            "emulator.sigma_gain": 1 << SIGMA_GAIN_FRAC,
            "sequencer.watchdog": 0,
            "model.options": 0b111,  # early rejection, Hastings, streaming
        }
        == reset
    )
    width = {
        name: {item: place[1] for item, place in register.fields.items()}
        for name, register in registers.items()
    }
    for name in ("mid", "lo", "hi"):
        assert width[f"proposal.{name}"]["value"] == DAC_BITS
    assert width["proposal.valid_lo"]["value"] == width["proposal.valid_hi"]["value"] == CODE_BITS
    assert width["proposal.rho"]["value"] == RHO_FRAC + 1
    assert width["proposal.wide_every"]["value"] == WIDE_EVERY_MAX.bit_length()
    assert width["entropy.fold"]["value"] == FOLD_MAX.bit_length()
    assert width["proposal.logit"]["mantissa"] == COEF_BITS
    assert width["entropy.apt_cutoff"]["value"] == APT_WINDOW.bit_length()
    assert sum(name.startswith("entropy.symbol_counts") for name in reset) == 1 << SYMBOL_BITS
    for operation in ("form", "reset", "set", "read", "dot"):
        assert registers[f"sequencer.{operation}"].fields == {
            "width": (0, 16, 1), "guard_before": (16, 8, 0), "guard_after": (24, 8, 0)
        }  # fmt: skip


def _encodes() -> dict[str, dict[str, int]]:
    found = {}
    for node in compile_rdl(CoreConfig()).descendants():
        if isinstance(node, FieldNode) and node.get_property("encode") is not None:
            encode = node.get_property("encode")
            found[node.inst_name] = {item.name.upper(): int(item.value) for item in encode}
    return found


def test_codes_are_the_blocks() -> None:
    """The codes that the RDL documents are those that the blocks use."""
    encodes = _encodes()
    assert encodes["fault_cause"] == {cause.name: cause.value for cause in FaultCause}
    reasons = ("RUNNING", "EXHAUSTED", "ENTROPY_ALARM", "FAULT", "DONE", "NO_ROWS")
    assert encodes["reason"] == {name: value for value, name in enumerate(reasons)}


def test_everything_is_described() -> None:
    """Every register has a name, and it or each of its fields a description; every window both."""
    for node in (*compile_rdl(CoreConfig()).descendants(), *compile_board_rdl().descendants()):
        if isinstance(node, MemNode):
            assert node.get_property("name") != node.inst_name, node.get_path()
            assert node.get_property("desc"), node.get_path()
        if isinstance(node, RegNode):
            assert node.get_property("name") != node.inst_name, node.get_path()
            fields = [f.get_property("desc") for f in node.fields()]
            if len(fields) == 1:
                assert node.get_property("desc") or fields[0], node.get_path()
            else:
                assert all(fields), node.get_path()


def test_hash_names_the_layout() -> None:
    """Equal layouts have equal hashes; constants do not count, sizes of windows do."""
    base = register_map(CoreConfig())
    assert register_map(CoreConfig(Geometry(access_bits=1))).hash == base.hash
    assert register_map(CoreConfig(), emulator=True).hash == base.hash
    assert register_map(CoreConfig(max_points=2048)).hash != base.hash
    assert base["id.map_hash"].fields[0].reset == int(base.hash[:8], 16)
    core = register_map(CoreConfig(), ip=True)
    assert core["id.map_hash"].fields[0].reset == int(base.hash[:8], 16)
    assert core["ip.map_hash"].fields[0].reset == int(core.hash[:8], 16) != int(base.hash[:8], 16)
