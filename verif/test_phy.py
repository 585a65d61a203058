"""Phy: random operations behind the sequencer, on a board model that asserts; frames, times."""

from __future__ import annotations

import random
from typing import Any

import cocotb
import numpy as np
import pytest
from cocotb.clock import Clock
from cocotb.triggers import RisingEdge, Timer

from ohmcarlo.spec import Geometry
from ohmcarlo_hdl.array.interface import Op, array_request, array_response
from ohmcarlo_hdl.array.phy.dac import phy_voltages
from ohmcarlo_hdl.array.phy.parts import PhyTiming
from ohmcarlo_hdl.array.phy.phy import Phy
from ohmcarlo_hdl.array.sequencer import sequencer_settings
from ohmcarlo_hdl.config import CoreConfig
from verif.daughterboard import Daughterboard, KeyedArray, Limits, Wired
from verif.daughterboard.driven import DrivenPhy
from verif.harness import Clocked, Packer, Sink, Source, case_parameters, run_bench, stimuli

CONFIGS = {
    "whole": CoreConfig(
        Geometry(rows=16, pairs=12, entropy_pairs=2, access_bits=1), max_group_rows=1
    ),
    "coarse": CoreConfig(
        Geometry(rows=8, pairs=9, entropy_pairs=1, access_bits=1, tile_pairs=3, dot_bits=8,
                 dot_shift=4), max_group_rows=1,
    ),
}  # fmt: skip
# Settling times are shorter than on a real board, so that a bench makes many operations. The limits
# of the parts are kept.
SHORT = {
    "power_up_ns": 2000,
    "reference_ns": 1000,
    "dac_sclk_ns": 20,
    "dac_settle_ns": 300,
    "chain_sclk_ns": 20,
    "line_settle_ns": 100,
    "front_end_ns": 300,
    "adc_sclk_ns": 20,
}
SHORT_LIMITS = Limits(dac_settle_ns=300, line_settle_ns=100, front_end_ns=300)
CLOCKS = 900
"""Clocks from the first frame to the last answer, at most."""
SETTINGS, VOLTAGES = Packer(sequencer_settings()), Packer(phy_voltages())
RAIL_CODES = {
    "gate_reset": 3000, "gate_read": 4095, "bit_line_form": 3500, "bit_line_set": 2048,
    "source_line_reset": 2500, "bit_line_read": 160, "virtual_ground": 1024,
}  # fmt: skip


def pulses(**widths: int) -> dict[str, Any]:
    """Sequencer settings: widths in clocks, guards of 1 and 2 clocks, no watchdog."""
    default = {"form": 30, "reset": 20, "set": 10, "read": 40, "dot": 36}
    guards = {"guard_before": 1, "guard_after": 2}
    return {n: {"width": w, **guards} for n, w in (default | widths).items()} | {"watchdog": 0}


class Bench:
    """A driven Phy with its board; operations in, results out, and a twin of the array."""

    def __init__(
        self, dut: Any, config: CoreConfig, limits: Limits, period_ns: int = 10, **options: Any
    ) -> None:
        self.dut, self.config, self.period_ns = dut, config, period_ns
        arrays = [KeyedArray(config.geometry, "stress", 5) for _ in range(2)]
        self.twin = arrays[1]
        self.array = arrays[0]
        self.limits, self.options = limits, options
        self.stalls = (0.0, 0.0)

    async def start(self, **widths: int) -> Bench:
        dut = self.dut
        dut.off.value = dut.clear.value = 0
        dut.settings.value = SETTINGS.pack(pulses(**widths))
        dut.voltages.value = VOLTAGES.pack(RAIL_CODES)
        self.source = Source(dut, "commands", array_request(self.config))
        self.sink = Sink(dut, "results", array_response(self.config))
        dut.rst.value = 1
        Clock(dut.clk, self.period_ns, "ns", impl="gpi").start(start_high=False)
        for _ in range(4):
            await RisingEdge(dut.clk)
        dut.rst.value = 0
        await RisingEdge(dut.clk)
        self.board = Daughterboard(
            dut, self.config, self.array, self.limits, period_ns=self.period_ns, **self.options
        )
        self.clocked = Clocked(dut, self.source, self.sink).start()
        return self

    def rails(self, **codes: int) -> None:
        """Change registers of the rails."""
        self.dut.voltages.value = VOLTAGES.pack(RAIL_CODES | codes)

    def request(self, op: Op, row: int, **fields: Any) -> dict[str, Any]:
        blank = {"device": 0, "dac": 0, "tile": 0, "top": 0, "inputs": [0] * self.config.tile_pairs}
        return {"op": op.value, "row": row, **blank, **fields}

    def answer(self, item: dict[str, Any]) -> int | None:
        """What the twin says."""
        op, row, device = item["op"], item["row"], item["device"]
        if op == Op.RESET.value:
            self.twin.reset(row)
        elif op == Op.SET.value:
            self.twin.program_one(row, device, item["dac"])
        elif op == Op.READ.value:
            return int(self.twin.read(row, np.array([device], np.int32))[0])
        elif op == Op.DOT.value:
            drive = np.array(item["inputs"], np.int64)
            reading = self.twin.access(row, item["tile"], -drive if item["top"] else drive)
            limit = self.config.geometry.dot_limit
            return max(-limit - 1, min(limit, reading))
        return None

    async def run(self, items: list[dict[str, Any]]) -> list[int]:
        expected = [a for i in items if (a := self.answer(i)) is not None]
        self.sink.items.clear()
        self.source.stall, self.sink.stall = self.stalls
        self.source.put(items)
        await self.clocked.until(
            lambda: (
                self.source.done
                and len(self.sink.items) == len(expected)
                and int(self.dut.idle.value)
            ),
            10_000 + 5000 * len(items),
        )
        found = [i["value"] for i in self.sink.items]
        assert found == expected, next(
            (n, f, e) for n, (f, e) in enumerate(zip(found, expected, strict=True)) if f != e
        )
        if self.board.task.done():
            self.board.task.result()
        return found

    def random_item(self, rng: random.Random) -> dict[str, Any]:
        g, c = self.config.geometry, self.config
        op = rng.choice((Op.RESET, Op.SET, Op.SET, Op.SET, Op.READ, Op.READ, Op.READ, Op.SELECT,
                         Op.FORM, Op.DOT, Op.DOT, Op.DOT, Op.DOT))  # fmt: skip
        row = rng.choice((0, 1, rng.randrange(g.rows)))
        device = rng.choice((0, 3, g.row_devices - 1, rng.randrange(g.row_devices)))
        dac = rng.choice((0, 4095, rng.randrange(4096)))
        if op == Op.DOT:
            inputs = [rng.randrange(2) for _ in range(c.tile_pairs)]
            return self.request(
                op, row, tile=rng.randrange(c.tiles), top=rng.randrange(2), inputs=inputs
            )
        return self.request(op, row, device=device, dac=dac)


@cocotb.test()
async def operations(dut) -> None:  # type: ignore[no-untyped-def]
    """Random operations under changing stalls: the answers of the twin, and no fault."""
    case = case_parameters()
    rng = stimuli(case["seed"])
    bench = await Bench(dut, CONFIGS[case["config"]], SHORT_LIMITS).start()
    for row in range(bench.config.geometry.rows):  # so that no device is near zero
        items = [bench.request(Op.RESET, row)]
        items += [
            bench.request(Op.SET, row, device=d, dac=rng.randrange(1200, 4096))
            for d in range(0, bench.config.geometry.row_devices, 2)
        ]
        await bench.run(items)
    for bench.stalls in ((0.0, 0.0), (0.6, 0.0), (0.0, 0.99), (0.4, 0.4)):
        await bench.run([bench.random_item(rng) for _ in range(case["items"])])
    assert not bench.board.faults
    assert max(bench.array.stuck.sum(), 5) > 5  # some beyond the range of a READ
    assert all(bench.board.seen[name] > 10 for name in ("form", "reset", "set", "read", "dot"))


async def _strike(bench: Bench, clocks: int) -> None:
    """``off`` for one clock, so many clocks from now; drop what was not begun, and clear."""
    dut, edge = bench.dut, RisingEdge(bench.dut.clk)
    await Timer(clocks * bench.period_ns, "ns")
    await edge
    dut.off.value = 1
    await edge
    dut.off.value = 0
    bench.source.drop()
    dut.clear.value = 1
    await edge
    await bench.clocked.until(lambda: not int(dut.fault.value), 300, "the fault")
    dut.clear.value = 0
    await bench.clocked.until(lambda: int(dut.idle.value), 300, "the Phy")
    bench.sink.items.clear()
    # pulses before the cut changed the array, not the twin
    bench.twin.load_state_dict(bench.array.state_dict())
    bench.twin._programmed[:] = bench.array._programmed


@cocotb.test()
async def holds_anywhere(dut) -> None:  # type: ignore[no-untyped-def]
    """A hold of a few clocks at any time: every answer is given, and everything is sent again.

    It is shorter than a frame, so it also ends in mid-frame, and within a reading with another
    READ behind it.
    """
    rng = stimuli(9)
    config = CONFIGS[case_parameters()["config"]]
    bench = await Bench(dut, config, SHORT_LIMITS).start()
    board, seen = bench.board, bench.board.seen
    ones = {"inputs": [1] * config.tile_pairs}
    for row in range(config.geometry.rows):
        program = bench.request(Op.SET, row, device=3, dac=1500 + 150 * row)
        reads = [bench.request(Op.READ, row, device=d) for d in (3, 5)]
        await bench.run([bench.request(Op.RESET, row), program, *reads])
    for clocks in range(2, case_parameters()["clocks"], 17):
        # all that is sent changes: the row, the gate code, rails and inputs
        row, dac = rng.randrange(config.geometry.rows), rng.randrange(1200, 4096)
        bench.rails(bit_line_set=rng.randrange(4096), bit_line_read=rng.randrange(4096))
        program = bench.request(Op.SET, row, device=3, dac=dac)
        reads = [bench.request(Op.READ, row, device=d) for d in (3, 5, 3)]
        bits = [rng.randrange(2) for _ in range(config.tile_pairs)]
        bench.source.put([program, *reads, bench.request(Op.DOT, row, inputs=bits)])
        await _strike(bench, clocks)
        before = seen["address latch"], seen["inputs latch"], seen["dac frame"]
        await bench.run([program, reads[0], bench.request(Op.DOT, row, **ones)])
        sent = seen["address latch"], seen["inputs latch"], seen["dac frame"]
        assert [s - b for s, b in zip(sent, before, strict=True)] == [1, 1, 5], clocks
    assert not board.faults and not board.task.done()


def hardware(config: str) -> Wired:
    return Wired(DrivenPhy(Phy(CONFIGS[config], 100_000_000, PhyTiming(**SHORT))))


@pytest.mark.parametrize("config", CONFIGS)
def test_operations(config: str) -> None:
    case = {"config": config, "seed": 3, "items": 120, "tests": "operations"}
    held = {"config": config, "clocks": CLOCKS, "tests": "holds_anywhere"}
    run_bench(hardware(config), __name__, [case, held] if config == "whole" else case)
