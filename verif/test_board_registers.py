"""RegisterBank of the board's register map: the checks of ``test_registers.py``, and rings."""

from __future__ import annotations

import random
from typing import Any

import cocotb
import pytest

from ohmcarlo_hdl.regs.bank import RegisterBank
from ohmcarlo_hdl.regs.map import BOARD, board_map
from verif.harness import case_parameters, run_bench, start_clock, stimuli
from verif.harness.bus import BusDriver
from verif.test_registers import Expected, header_of, port, read_windows

SOFTWARE = ("uart.divisor", "uart.taken", "uart.put", "records.taken", "control.idle")
"""Registers that software writes and reads back."""
STROBES = ("crc.start", "crc.byte", "watchdog.kick")
HARDWARE = (
    "uart.received", "uart.lost", "uart.sent", "records.received", "crc.value", "watchdog.restarts",
)  # fmt: skip
RINGS = {"rx": "r", "tx": "w", "records_ring": "r"}
CONSTANTS = {"id.clock_hz": 25_000_000, "id.design_hash": 0xDEADBEEF, "uart.divisor": 217}


async def begin(dut: Any) -> tuple[BusDriver, dict[str, Expected], random.Random]:
    bus = BusDriver(dut)
    await start_clock(dut)
    return bus, header_of(BOARD)[0], stimuli(3)


@cocotb.test()
async def registers(dut) -> None:  # type: ignore[no-untyped-def]
    """Constants, resets, registers of software and of hardware; strobes of one clock."""
    bus, known, rng = await begin(dut)
    timer = {"timer.clocks.lo", "timer.clocks.hi"}
    constants = {name for name in known if name.startswith("id.")}
    assert set(known) == {*SOFTWARE, *STROBES, *HARDWARE} | timer | constants
    assert await bus.read(known["id.magic"].address) == int.from_bytes(b"OHMB", "big")
    assert await bus.read(known["id.map_hash"].address) == int(case_parameters()["hash"][:8], 16)
    for name in {*constants, *SOFTWARE} - {"id.magic", "id.map_hash"}:
        reset = CONSTANTS.get(name, known[name].reset)
        assert await bus.read(known[name].address) == reset, name
    for _ in range(4):
        kept = {}
        for name in (*SOFTWARE, *HARDWARE):
            kept[name] = rng.randrange(1 << 32)
            if name in HARDWARE:
                port(dut, name).value = kept[name]
            await bus.write(known[name].address, kept[name] if name in SOFTWARE else ~kept[name])
        await bus.edge
        for name, word in kept.items():
            assert await bus.read(known[name].address) == word & known[name].mask, name
            if name in SOFTWARE:
                assert int(port(dut, name).value) == word & known[name].mask, name
    for name in STROBES:
        word = rng.randrange(1 << 32) | known[name].mask
        await bus.write(known[name].address, word)
        assert await bus.read(known[name].address) == 0
        assert int(port(dut, name).value) & ~0xFF == 0, "its strobe has ended"
    low, high = (known[name].address for name in sorted(timer, reverse=True))
    for value in (0x1_FFFF_FFFF, rng.randrange(1 << 64)):
        dut.timer_clocks.value = value
        first = await bus.read(low)
        dut.timer_clocks.value = (value + 1) % (1 << 64)
        assert await bus.read(high) << 32 | first == value


@cocotb.test()
async def strobe(dut) -> None:  # type: ignore[no-untyped-def]
    """One byte per clock for the CRC, each with its strobe."""
    bus, known, rng = await begin(dut)
    byte = known["crc.byte"]
    low, _, _ = byte.fields["strobe"]
    pending: int | None = None
    for _ in range(200):
        word = rng.randrange(256) if rng.random() < 0.7 else None
        bus.addr.value, bus.w_stb.value = byte.address // 4, int(word is not None)
        bus.w_data.value = 1 << low | (word or 0)
        await bus.edge
        seen = int(port(dut, "crc.byte").value)
        assert seen >> 8 == int(pending is not None)
        assert pending is None or seen & 0xFF == pending
        pending = word
    bus.w_stb.value = 0


@cocotb.test()
async def rings(dut) -> None:  # type: ignore[no-untyped-def]
    """Rings are unidirectional: a read-only ring receives no write, a write-only ring reads as
    0."""
    bus, _, rng = await begin(dut)
    windows = header_of(BOARD)[1]
    assert set(windows) == set(RINGS)
    await read_windows(dut, bus, rng, {n: w for n, w in windows.items() if RINGS[n] == "r"})
    for name, (address, words) in windows.items():
        kind = "load" if RINGS[name] == "w" else "access"
        for index in (0, words - 1, rng.randrange(words)):
            await bus.write(address + 4 * index, 0xABCD0123)
            await bus.edge
            strobed = {n: int(dut.load_tx__stb.value) if n == "tx" else 0 for n in RINGS}
            assert strobed == {n: int(n == name == "tx") for n in RINGS}
            if kind == "load":
                assert int(dut.load_tx__addr.value) == index
                assert int(dut.load_tx__data.value) == 0xABCD0123
                assert await bus.read(address + 4 * index) == 0
            else:
                assert int(getattr(dut, f"access_{name}__stb").value) == 0


def test_board_registers() -> None:
    bank = RegisterBank(board_map(), CONSTANTS)
    run_bench(bank, __name__, {"hash": bank.map.hash})


def test_board_map_is_the_headers() -> None:
    """Addresses, fields and windows; each window aligned to its size, none over another."""
    registers, windows = header_of(BOARD)
    layout = board_map()
    assert {w.name: (w.address, w.words, w.sw) for w in layout.windows} == {
        name: (*place, RINGS[name]) for name, place in windows.items()
    }
    assert {r.name: r.address for r in layout.registers} == {
        name: register.address for name, register in registers.items()
    }
    for register in layout.registers:
        found = {f.name: (f.low, f.width) for f in register.fields}
        assert found == {n: p[:2] for n, p in registers[register.name].fields.items()}
    end = 0x1000
    for window in layout.windows:
        assert window.address >= end and window.address % (4 << window.addr_width) == 0
        end = window.address + 4 * window.words


@pytest.mark.filterwarnings("ignore::amaranth.hdl.UnusedElaboratable")
def test_only_constants_and_resets_are_given() -> None:
    with pytest.raises(ValueError, match=r"uart\.lost is neither"):
        RegisterBank(board_map(), {"uart.lost": 1})
