"""Proposal: targets, trims and DAC codes of any order, as the golden model has them."""

from __future__ import annotations

import itertools
import random
from typing import Any

import cocotb
import numpy as np
import pytest

from ohmcarlo.errors import UsageError
from ohmcarlo.golden import Machine, SamplerSettings
from ohmcarlo.golden.machine import State, build_machine, build_state
from ohmcarlo.golden.proposal import propose, propose_coin
from ohmcarlo.spec import CODE_MAX, DAC_MAX, Geometry, identity_dac
from ohmcarlo_hdl.bit_serial.proposal import BitSerialProposal
from ohmcarlo_hdl.config import CoreConfig
from ohmcarlo_hdl.core.interface import Kind, device_order, device_target
from ohmcarlo_hdl.core.proposal import DEVICE_CALIBRATION, Proposal
from verif.harness import (
    Clocked,
    Packer,
    Sink,
    Source,
    array_stimuli,
    case_parameters,
    load_window,
    run_bench,
    segment_words,
    start_clock,
    stimuli,
    unload_window,
)
from verif.harness.clocks import Transfers
from verif.harness.verilog import verilog_of

GEOMETRY = Geometry(rows=12, pairs=12)  # neither is a power of two
ROWS, DEVICES = GEOMETRY.rows, GEOMETRY.row_devices
RHOS = [256, 205, 128, 26]
ORDERS = 120

STALLS = [(0.0, 0.0), (0.6, 0.0), (0.0, 0.6), (0.5, 0.5)]

Order = dict[str, int]
Registers = dict[str, int]
ENABLED: Registers = {"trim_enable": 1, "centre_enable": 1}
DISABLED: Registers = {"trim_enable": 0, "centre_enable": 0}


def config(device_calibration: bool) -> CoreConfig:
    return CoreConfig(GEOMETRY, max_group_rows=4, device_calibration=device_calibration)


def random_tables(rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Every device's trim and centre over the whole of their ranges, the ends among them."""
    shape = (ROWS, DEVICES)
    tables = {
        "trim_offset": rng.integers(-256, 256, shape),
        "trim_gain": rng.integers(-64, 64, shape),
        "centre": rng.integers(0, DAC_MAX + 1, shape),
    }
    for name, low, high in (
        ("trim_offset", -256, 255),
        ("trim_gain", -64, 63),
        ("centre", 0, DAC_MAX),
    ):
        tables[name][0, :3] = low
        tables[name][1, :3] = high
        tables[name][2] //= 8  # small trims: most devices are off by little
    return {name: table.astype(np.int32) for name, table in tables.items()}


def dac_tables(rng: np.random.Generator) -> list[np.ndarray]:
    return [
        np.asarray(identity_dac(), np.int64),
        np.sort(rng.integers(0, 4097, 257)),
        np.sort(rng.integers(0, 4097, 257))[::-1].copy(),
        np.where(rng.random(257) < 0.5, 0, 4096),  # steps over the whole range, both ways
        np.linspace(-300, 5000, 257).astype(np.int64),  # clipped at both ends
    ]


def machine(registers: Registers, tables: dict[str, np.ndarray], dac: np.ndarray) -> Machine:
    """The golden model's registers; a table that is switched off becomes a common value."""
    made = build_machine(SamplerSettings().registers(GEOMETRY, 4, lambda g: 0.05 * g))
    off = {"trim_offset": 0, "trim_gain": 0, "centre": registers["mid"]}
    enable = {
        "trim_offset": registers["trim_enable"],
        "trim_gain": registers["trim_enable"],
        "centre": registers["centre_enable"],
    }
    return made._replace(
        **{name: registers[name] for name in ("rho", "mid", "lo", "hi")},
        **{
            name: table if enable[name] else np.full((1, 1), off[name], np.int32)
            for name, table in tables.items()
        },
        dac=dac,
    )


def expected(made: Machine, state: State, orders: list[Order]) -> list[Order]:
    """The orders, with DAC code and centre of the golden model."""
    found: list[Order] = [order | {"dac": 0, "centre": 0} for order in orders]

    def chosen(kind: Kind) -> list[int]:
        return [i for i, order in enumerate(orders) if order["kind"] == kind.value]

    def field(name: str, which: list[int]) -> np.ndarray:
        return np.array([orders[i][name] for i in which], np.int32)

    for kind in (Kind.WALK, Kind.COLD):
        which = chosen(kind)
        rows, devices = field("row", which), field("device", which)
        out = state._replace(codes=field("code", which)[None], dac=np.zeros(len(which), np.int32))
        propose(made._replace(slot_row=rows, slot_device=devices), out, 0, 0, kind is Kind.COLD)
        for i, dac, row, device in zip(which, out.dac, rows, devices, strict=True):
            common = made.centre.shape[0] == 1
            centre = made.centre[0, 0] if common else made.centre[row, device]
            found[i] |= {"dac": int(dac), "centre": int(centre)}
    for i in chosen(Kind.COIN):
        out = state._replace(coin_dac=np.zeros(1, np.int32))
        propose_coin(made._replace(coin_devices=field("device", [i])), out, orders[i]["row"])
        found[i] |= {"dac": int(out.coin_dac[0]), "centre": made.mid}
    return found


def random_orders(rng: random.Random, registers: Registers, number: int) -> list[Order]:
    ends = [0, CODE_MAX, registers["lo"] // 4, registers["hi"] // 4, registers["mid"] // 4]
    kinds = [Kind.WALK] * 5 + [Kind.COLD, Kind.COIN, Kind.RESET, Kind.SELECT]
    return [
        {
            "kind": rng.choice(kinds).value,
            "row": rng.randrange(ROWS),
            "device": rng.randrange(DEVICES),
            "code": rng.choice(ends) if rng.random() < 0.3 else rng.randrange(CODE_MAX + 1),
            "last": int(rng.random() < 0.1),
        }
        for _ in range(number)
    ]


def all_registers(rng: random.Random) -> list[Registers]:
    """Every ρ with the default limits and with others, every pair of enables."""
    batches = []
    for number, rho in enumerate(RHOS * 2):
        default = {"mid": 1840, "lo": 480, "hi": 4000}
        lo, mid, hi = sorted(rng.sample(range(DAC_MAX + 1), 3))
        drawn = {"mid": mid, "lo": lo, "hi": hi}
        enables = ENABLED
        if number >= 5:
            enables = {"trim_enable": number & 1, "centre_enable": number >> 1 & 1}
        batches.append({"rho": rho, **(default if number % 3 == 0 else drawn), **enables})
    batches.append({"rho": 256, "mid": 2048, "lo": 0, "hi": DAC_MAX} | ENABLED)
    return batches


async def load_calibration(dut: Any, tables: dict[str, np.ndarray]) -> None:
    packer = Packer(DEVICE_CALIBRATION)
    words = {}
    for row in range(ROWS):
        for device in range(DEVICES):
            word = packer.pack(
                {
                    "offset": tables["trim_offset"][row, device],
                    "gain": tables["trim_gain"][row, device],
                    "centre": tables["centre"][row, device],
                }
            )
            words[row << config(True).device_bits | device] = word
    await load_window(dut, "load_calibration", words)


@cocotb.test()
async def follows_the_golden_model(dut) -> None:  # type: ignore[no-untyped-def]
    calibration, bit_serial = (case_parameters()[name] for name in ("calibration", "bit_serial"))
    count = ORDERS // 4 if bit_serial else ORDERS
    rng, array_rng = stimuli(3), array_stimuli(3)
    source = Source(dut, "orders", device_order(config(calibration)), rng=rng)
    sink = Sink(dut, "targets", device_target(config(calibration)), rng=rng)
    await start_clock(dut)
    bench = Clocked(dut, source, sink)
    taken, offered = Transfers(bench, "orders"), Transfers(bench, "targets")
    tables, dacs = random_tables(array_rng), dac_tables(array_rng)
    if calibration:
        await load_calibration(dut, tables)
    bench.start()
    state = build_state(SamplerSettings().registers(GEOMETRY, 4, lambda g: 0.05 * g))
    seen = set()
    for number, ((source.stall, sink.stall), registers) in enumerate(
        itertools.product(STALLS, all_registers(rng))
    ):
        for name, value in registers.items():
            getattr(dut, name).value = value
        dac = dacs[number % len(dacs)]
        words = segment_words(dac)
        await load_window(dut, "load_dac", words)
        if not bit_serial:  # a read disturbs no order after it
            found = await unload_window(dut, "load_dac", len(words))
            assert found == [word & 0xFFFFFFFF for word in words]
        orders = random_orders(rng, registers, count)
        for part in (sink.items, taken.clocks, offered.clocks):
            part.clear()
        source.put(orders)
        await bench.until(lambda: len(sink.items) == count, 20 * ORDERS, "the proposal")
        effective = registers if calibration else registers | DISABLED
        right = expected(machine(effective, tables, dac), state, orders)
        for order, found, wanted in zip(orders, sink.items, right, strict=True):
            assert found == wanted, f"{registers}: {order} became {found}, not {wanted}"
            seen.add((found["kind"], found["dac"] in (0, DAC_MAX)))
        if not source.stall and not sink.stall and not bit_serial:
            times = zip(taken.clocks, offered.clocks, strict=True)
            assert {end - start for start, end in times} == {Proposal.LATENCY}
            assert taken.clocks[-1] - taken.clocks[0] == ORDERS - 1, "one order per clock"
    assert {(Kind.WALK.value, clipped) for clipped in (False, True)} <= seen


@pytest.mark.parametrize("calibration", [True, False])
def test_proposal(calibration: bool) -> None:
    case = {"calibration": calibration, "bit_serial": False}
    run_bench(Proposal(config(calibration)), __name__, case)


def test_bit_serial_proposal() -> None:
    """The form with one adder: the same targets, later."""
    run_bench(
        BitSerialProposal(config(False)), __name__, {"calibration": False, "bit_serial": True}
    )


def test_bit_serial_proposal_refuses_calibration() -> None:
    with pytest.raises(UsageError, match="set device_calibration = False"):
        BitSerialProposal(config(True))


def test_without_device_calibration_there_is_no_memory() -> None:
    """A controller without calibration has no hardware for trims."""
    for calibration in (True, False):
        text = verilog_of(Proposal(config(calibration)))
        assert ("calibration" in text) == calibration
