"""Digital dot products: answers, order and rate, with random stalls on all four streams."""

from __future__ import annotations

import random
from typing import Any

import cocotb
from cocotb.triggers import RisingEdge

from ohmcarlo.spec import CODE_MAX, Geometry
from ohmcarlo_hdl.array.interface import Op, array_request, array_response
from ohmcarlo_hdl.config import CoreConfig
from ohmcarlo_hdl.core.digital_dots import DigitalDots
from ohmcarlo_hdl.core.interface import kept_code
from verif.harness import Clocked, Sink, Source, case_parameters, run_bench, start_clock, stimuli
from verif.harness.packing import Packer

GEOMETRY = Geometry(rows=8, pairs=7, entropy_pairs=1, access_bits=2, tile_pairs=4)
CONFIG = CoreConfig(GEOMETRY, max_points=16, max_group_rows=1, max_regions=1, digital_dots=True)
BURST = 60

Command = dict[str, Any]


def command(op: Op, row: int, device: int = 0, **others: Any) -> Command:
    zero = {"dac": 0, "tile": 0, "top": 0, "inputs": [0] * CONFIG.tile_pairs}
    return {"op": op.value, "row": row, "device": device} | zero | others


def access(rng: random.Random, row: int) -> Command:
    inputs = [rng.randrange(4) for _ in range(CONFIG.tile_pairs)]
    return command(Op.DOT, row, tile=rng.randrange(2), top=rng.randrange(2), inputs=inputs)


def stimulus(rng: random.Random) -> list[Command]:
    """Accesses between operations of the array."""
    found = []
    for _ in range(25):
        row, device = rng.randrange(GEOMETRY.rows), rng.randrange(GEOMETRY.row_devices)
        again = [command(op, row, device) for op in (Op.RESET, Op.SET, Op.READ, Op.SELECT)]
        found += again[rng.randrange(4) :]
        found += [access(rng, rng.randrange(GEOMETRY.rows)) for _ in range(rng.randrange(6))]
    return found + [access(rng, rng.randrange(GEOMETRY.rows)) for _ in range(BURST)]


def digital(codes: list[int], request: Command) -> int:
    """Σ inputs · (g⁺ - g⁻) over the pairs of a tile; the top bits are two's complement."""
    total = 0
    for i, bits in enumerate(request["inputs"]):
        pair = request["tile"] * CONFIG.tile_pairs + i
        if pair < GEOMETRY.pairs:
            x = bits - 4 if request["top"] and bits >= 2 else bits
            total += x * (codes[2 * pair] - codes[2 * pair + 1])
    return total


def expected(
    commands: list[Command], stored: list[list[int]], enable: int, rng: random.Random
) -> tuple[list[int], list[int]]:
    """Results of the commands, and the readings that the array gives meanwhile."""
    results, readings = [], []
    for c in commands:
        if c["op"] == Op.DOT.value and enable:
            results.append(digital(stored[c["row"]], c))
        elif c["op"] in (Op.READ.value, Op.DOT.value):
            readings.append(rng.randint(0, CODE_MAX))
            results.append(readings[-1])
    return results, readings


async def keep(dut: Any, stored: list[list[int]], share: float, rng: random.Random) -> None:
    """New codes of some devices, one per clock."""
    edge, pack = RisingEdge(dut.clk), Packer(kept_code(CONFIG)).pack
    for row in range(GEOMETRY.rows):
        for device in range(GEOMETRY.row_devices):
            if rng.random() < share:
                stored[row][device] = rng.randint(0, CODE_MAX)
                values = {"row": row, "device": device, "code": stored[row][device]}
                dut.kept__payload.value = pack(values)
                dut.kept__valid.value = 1
                await edge
    dut.kept__valid.value = 0


class ArrayOf:
    """Answers READ and DOT with given readings."""

    def __init__(self, operations: Sink, readings: Source, values: list[int]) -> None:
        self.operations, self.readings, self.values = operations, readings, values
        self.seen: list[int] = []

    def tick(self) -> None:
        while self.operations.items:
            op = self.operations.items.pop(0)["op"]
            self.seen.append(op)
            if op in (Op.READ.value, Op.DOT.value):
                self.readings.put([{"value": self.values.pop(0)}])


@cocotb.test()
async def answers(dut) -> None:  # type: ignore[no-untyped-def]
    stall, enable = (case_parameters()[name] for name in ("stall", "enable"))
    rng = stimuli(23)
    dut.enable.value = enable
    dut.load__stb.value = dut.kept__valid.value = 0
    source = Source(dut, "commands", array_request(CONFIG), (), stall, rng)
    sink = Sink(dut, "results", array_response(CONFIG), stall, rng)
    operations = Sink(dut, "operations", array_request(CONFIG), stall, rng)
    readings = Source(dut, "readings", array_response(CONFIG), (), stall, rng)
    array = ArrayOf(operations, readings, [])
    await start_clock(dut)
    bench = Clocked(dut, sink, operations, array, readings, source).start()
    stored = [[0] * GEOMETRY.row_devices for _ in range(GEOMETRY.rows)]
    for turn in range(6):
        await keep(dut, stored, 0.3 if turn else 1.0, rng)
        commands = stimulus(rng)
        wanted, array.values = expected(commands, stored, enable, rng)
        source.put(commands)
        total = len(wanted)
        await bench.until(lambda n=total: len(sink.items) > n - BURST, 20_000, "the burst")
        begin = bench.cycle
        await bench.until(lambda n=total: len(sink.items) == n, 2000, "the last access")
        assert [item["value"] for item in sink.items] == wanted
        assert stall or bench.cycle - begin <= BURST, "an access per clock"
        to_array = [c["op"] for c in commands if not (enable and c["op"] == Op.DOT.value)]
        assert array.seen == to_array
        sink.items.clear()
        array.seen.clear()


def test_digital_dots() -> None:
    cases = [(0.0, 1), (0.4, 1), (0.4, 0)]
    run_bench(
        DigitalDots(CONFIG), __name__, [{"stall": stall, "enable": on} for stall, on in cases]
    )
