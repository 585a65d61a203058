"""Emulator: random operations against the host's EmulatedArray, and the clocks that they take."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import cocotb
import numpy as np
import pytest
from cocotb.triggers import RisingEdge

from ohmcarlo.array import EmulatedArray
from ohmcarlo.array.emulated import NOT_STUCK, emulator_code
from ohmcarlo.golden.likelihood import differences, dot_access
from ohmcarlo.golden.machine import Converter
from ohmcarlo.spec import (
    DAC_MAX,
    HRS_CODE,
    SIGMA_GAIN_FRAC,
    Geometry,
    saturate,
    shift_round,
    sigma_table,
    to_fixed,
)
from ohmcarlo.spec.formats import D2D_FRAC, MEDIAN_GAIN_FRAC, STUCK_BITS
from ohmcarlo_hdl.array.dot import DotUnit
from ohmcarlo_hdl.array.emulator import Emulator
from ohmcarlo_hdl.array.gauss import NORMAL_BITS, Gauss
from ohmcarlo_hdl.array.interface import Op, array_request, array_response
from ohmcarlo_hdl.array.pulse import OFFSET_BITS, SIGMA_STEP_BITS, PulseLaw
from ohmcarlo_hdl.array.threefry import STEPS
from ohmcarlo_hdl.config import CoreConfig
from verif.harness import (
    Clocked,
    Sink,
    Source,
    case_parameters,
    load_window,
    run_bench,
    segment_words,
    start_clock,
    stimuli,
)
from verif.harness.clocks import Transfers

MASK32 = (1 << 32) - 1
GEOMETRIES: dict[str, dict[str, int]] = {
    "whole": {"rows": 16, "pairs": 8, "entropy_pairs": 2},
    "coarse": {
        "rows": 16, "pairs": 8, "entropy_pairs": 1, "access_bits": 1, "tile_pairs": 3,
        "dot_bits": 8, "dot_shift": 4,
    },
    "small": {"rows": 6, "pairs": 4, "entropy_pairs": 1, "access_bits": 2, "tile_pairs": 3},
    "wide": {"rows": 8, "pairs": 32, "entropy_pairs": 4},
}  # fmt: skip


def config_of(name: str) -> CoreConfig:
    return CoreConfig(Geometry(**GEOMETRIES[name]), max_group_rows=4, max_points=16)


@dataclass
class World:
    """The devices of a scenario: all parameters of an ``EmulatedArray``."""

    seed: int = 0
    options: dict[str, float] = field(default_factory=dict)
    sigma: Any = None  # nodes instead of a law
    median: Any = None


class Model:
    """The twin, operation by operation, with the codes that a DOT uses."""

    def __init__(self, config: CoreConfig, world: World) -> None:
        self.config = config
        self.array = EmulatedArray(config.geometry, world.seed, **world.options)
        tables = {k: v for k in ("sigma", "median") if (v := getattr(world, k)) is not None}
        self.array.state = self.array.state._replace(**tables)
        geometry = config.geometry
        self.codes = np.full((geometry.rows, geometry.row_devices), HRS_CODE, np.int32)

    def request(self, op: Op | int, row: int, **fields: Any) -> dict[str, Any]:
        item = {"op": op.value if isinstance(op, Op) else op, "row": row}
        return item | fields

    def answer(self, item: dict[str, Any]) -> int | None:
        row, device = item["row"], item.get("device", 0)
        devices = np.array([device], np.int32)
        if item["op"] == Op.RESET.value:
            self.array.reset(row)
            self.codes[row] = HRS_CODE
        elif item["op"] == Op.SET.value:
            dac = np.array([item["dac"]], np.int32)
            self.codes[row, device] = self.array.program(row, devices, dac)[0]
        elif item["op"] == Op.READ.value:
            return int(self.array.read(row, devices)[0])
        elif item["op"] == Op.DOT.value:
            return self.reading(item)
        return None

    def reading(self, item: dict[str, Any]) -> int:
        geometry, bits = self.config.geometry, self.config.access_bits
        total = 0
        for lane, value in enumerate(item["inputs"]):
            pair = item["tile"] * self.config.tile_pairs + lane
            if pair < geometry.pairs:
                if item["top"] and value >> (bits - 1):
                    value -= 1 << bits
                plus, minus = self.codes[item["row"], 2 * pair : 2 * pair + 2]
                total += value * (int(plus) - int(minus))
        if not geometry.dot_bits:
            return total
        return int(saturate(shift_round(total, geometry.dot_shift), geometry.dot_limit))


class Traffic:
    """Random requests to few rows and devices at a time, so that operations collide in the pipe."""

    def __init__(self, model: Model, rng: random.Random) -> None:
        self.model, self.rng = model, rng
        self.rows = [0]
        self.device = 0

    def item(self) -> dict[str, Any]:
        rng, model = self.rng, self.model
        geometry = model.config.geometry
        if rng.random() < 0.03:
            self.rows = [rng.randrange(geometry.rows) for _ in range(rng.choice((1, 2, 3)))]
        row = rng.choice(self.rows)
        if rng.random() < 0.5:
            self.device = rng.randrange(geometry.row_devices)
        device = self.device
        op = rng.choices(
            [Op.SET, Op.READ, Op.DOT, Op.RESET, Op.SELECT, Op.FORM, 0, 7],
            [30, 36, 12, 6, 6, 2, 1, 1],
        )[0]
        if op in (Op.SET, Op.FORM):
            dac = rng.choice([rng.randrange(DAC_MAX + 1), rng.randrange(800, 3000), 0, DAC_MAX])
            return model.request(op, row, device=device, dac=dac)
        if op == Op.READ:
            return model.request(op, row, device=device)
        if op == Op.DOT:
            return self.dot(row)
        return model.request(op, rng.randrange(geometry.rows) if op == Op.SELECT else row)

    def dot(self, row: int) -> dict[str, Any]:
        rng, config = self.rng, self.model.config
        top = (1 << config.access_bits) - 1
        extreme = rng.choice([None, None, 0, top, 1 << (config.access_bits - 1)])
        inputs = [
            rng.randint(0, top) if extreme is None else extreme for _ in range(config.tile_pairs)
        ]
        return self.model.request(
            Op.DOT, row, tile=rng.randrange(config.tiles), top=rng.getrandbits(1), inputs=inputs
        )


class Watch:
    """``idle`` is low while an answer is owed or a code not written; ``pulses`` counts SETs."""

    def __init__(self, bench: Clocked, config: CoreConfig) -> None:
        self.dut = bench.dut
        self.op_mask = (1 << array_request(config)["op"].width) - 1
        self.owed = self.sets = 0
        self.writing = 0  # clocks until the last code is in memory
        self.checked = 0
        bench.parts.append(self)

    def tick(self) -> None:
        dut = self.dut
        if self.owed or self.writing:
            assert not int(dut.idle.value), "idle, with something in flight"
            self.checked += 1
        self.writing -= self.writing > 0
        # two requests may wait at the entrance
        waiting = 0 if int(dut.idle.value) else 2
        assert self.sets - waiting <= int(dut.pulses.value) <= self.sets
        if int(dut.responses__valid.value) and int(dut.responses__ready.value):
            self.owed -= 1
        if int(dut.requests__valid.value) and int(dut.requests__ready.value):
            op = int(dut.requests__payload.value) & self.op_mask
            self.owed += op in (Op.READ.value, Op.DOT.value)
            self.sets += op == Op.SET.value
            if op in (Op.RESET.value, Op.SET.value):
                self.writing = PulseLaw.LATENCY
        if int(dut.restart.value):
            self.sets = 0


class Bench:
    """The emulator with its streams, in one world after the other."""

    def __init__(self, dut: Any, config: CoreConfig) -> None:
        self.dut, self.config = dut, config
        self.source = Source(dut, "requests", array_request(config))
        self.sink = Sink(dut, "responses", array_response(config))
        for name in ("key0", "key1", "d2d_rel", "stuck_level", "median_gain", "sigma_gain"):
            getattr(dut, name).value = 0
        dut.restart.value = dut.load_median__stb.value = dut.load_sigma__stb.value = 0

    async def start(self) -> Bench:
        await start_clock(self.dut)
        self.clocked = Clocked(self.dut, self.source, self.sink).start()
        self.asked = Transfers(self.clocked, "requests")
        self.answered = Transfers(self.clocked, "responses")
        self.watch = Watch(self.clocked, self.config)
        return self

    async def wait(self, clocks: int) -> None:
        for _ in range(clocks):
            await RisingEdge(self.dut.clk)

    async def enter(self, world: World, tables: bool = True) -> Model:
        """Load a world's registers and tables, and restart."""
        model, dut = Model(self.config, world), self.dut
        if tables:
            await load_window(dut, "load_median", segment_words(model.array.state.median))
            await load_window(dut, "load_sigma", segment_words(model.array.state.sigma))
        options = world.options
        dut.key0.value, dut.key1.value = world.seed & MASK32, world.seed >> 32
        dut.d2d_rel.value = to_fixed(options.get("d2d_rel", 0), D2D_FRAC)
        dut.stuck_level.value = to_fixed(options.get("stuck", 0), STUCK_BITS)
        dut.median_gain.value = to_fixed(options.get("median_gain", 1), MEDIAN_GAIN_FRAC)
        dut.sigma_gain.value = to_fixed(options.get("sigma_gain", 1), SIGMA_GAIN_FRAC)
        dut.restart.value = 1
        await RisingEdge(dut.clk)
        dut.restart.value = 0
        return model

    async def run(self, model: Model, items: list[dict[str, Any]]) -> None:
        """Send ``items``; every answer must equal that of the model."""
        expected = [a for i in items if (a := model.answer(i)) is not None]
        self.sink.items.clear()
        self.asked.clocks.clear()
        self.answered.clocks.clear()
        self.source.put(items)
        await self.clocked.until(
            lambda: self.source.done and int(self.dut.idle.value), 2000 + 600 * len(items)
        )
        await self.wait(1)
        found = [i["value"] for i in self.sink.items]
        assert found == expected, next(
            (n, f, e) for n, (f, e) in enumerate(zip(found, expected, strict=False)) if f != e
        )
        sets = sum(i["op"] == Op.SET.value for i in items)
        assert sets <= int(self.dut.pulses.value) == int(model.array.state.counter[0])

    def rest(self, model: Model) -> list[dict[str, Any]]:
        """RESET every row, as at the start of the model."""
        return [model.request(Op.RESET, row) for row in range(self.config.geometry.rows)]


def curved_median(rng: random.Random) -> Any:
    """A device law with steps, a flat part and both ends."""
    nodes = sorted(rng.randrange(65537) for _ in range(257))
    nodes[:8], nodes[-8:] = [0] * 8, [65536] * 8
    return np.array(nodes, np.int64)


def wild_sigma(rng: random.Random) -> Any:
    """Spreads up to 2048 codes, in steps as large as they may be."""
    top = (1 << (SIGMA_STEP_BITS - 1)) - 1
    nodes = [1 << 19]
    while len(nodes) < 257:
        step = rng.choice((-top, top, rng.randint(-top, top), rng.randint(-500, 500)))
        nodes.append(min(max(nodes[-1] + step, 0), 1 << 19))
    return np.array(nodes, np.int64)


def worlds(rng: random.Random) -> list[World]:
    seeds = [rng.getrandbits(64) for _ in range(6)]
    return [
        World(seeds[0]),
        World(seeds[1], {"d2d_rel": 0.05}),
        World(seeds[2], {"stuck": 0.3}),
        World(
            seeds[3], {"d2d_rel": 0.2, "stuck": 0.1, "median_gain": 0.75, "sigma_gain": 2.5}
        ),
        World(
            seeds[4],
            {"d2d_rel": 0.2, "median_gain": 1.5, "sigma_gain": 10.0},
            wild_sigma(rng),
            curved_median(rng),
        ),
        World(seeds[5], {"stuck": 0.5, "sigma_gain": 0.1}, sigma_table(lambda g: 0.5 * g)),
    ]  # fmt: skip


@cocotb.test()
async def operations(dut) -> None:  # type: ignore[no-untyped-def]
    """Random operations in random order, in six worlds, under changing stalls."""
    case = case_parameters()
    rng = stimuli(case["seed"])
    config = config_of(case["geometry"])
    bench = await Bench(dut, config).start()
    for turn, world in enumerate(worlds(rng)):
        model = await bench.enter(world)
        traffic = Traffic(model, rng)
        if turn == 0:  # power-up
            geometry = config.geometry
            places = [(r, d) for r in range(geometry.rows) for d in range(geometry.row_devices)]
            await bench.run(model, [traffic.dot(r) for r in range(geometry.rows)])
            await bench.run(model, [model.request(Op.READ, r, device=d) for r, d in places])
        else:
            await bench.run(model, bench.rest(model))
        for source, sink in ((0.0, 0.0), (0.5, 0.0), (0.0, 0.6), (0.4, 0.4), (0.0, 0.95)):
            bench.source.stall, bench.sink.stall = source, sink
            await bench.run(model, [traffic.item() for _ in range(case["items"])])
        bench.source.stall = bench.sink.stall = 0.0
    assert bench.watch.checked > 500


@cocotb.test()
async def restarts(dut) -> None:  # type: ignore[no-untyped-def]
    """A restart drops everything that is in flight or was prepared with the old key."""
    case = case_parameters()
    rng = stimuli(case["seed"] + 1)
    config = config_of(case["geometry"])
    bench = await Bench(dut, config).start()
    options = {"d2d_rel": 0.1, "stuck": 0.2}
    model = await bench.enter(World(1, options))
    for turn in range(case["restarts"]):
        row = rng.randrange(config.geometry.rows)
        hints = [model.request(Op.SELECT, rng.randrange(config.geometry.rows)) for _ in range(2)]
        await bench.run(model, hints[: rng.randrange(3)])
        await bench.wait(rng.randrange(70))
        # same options: only the key differs
        model = await bench.enter(World(rng.getrandbits(64), options), tables=False)
        if turn % 3 == 0:
            continue
        items = bench.rest(model)
        for device in rng.sample(range(config.geometry.row_devices), 6):
            items.append(model.request(Op.SET, row, device=device, dac=rng.randrange(4096)))
            items.append(model.request(Op.READ, row, device=device))
        await bench.run(model, items)


@cocotb.test()
async def whole_dot_products(dut) -> None:  # type: ignore[no-untyped-def]
    """int8 inputs over planes and tiles: the golden model's dot products, converter and all."""
    case = case_parameters()
    rng = stimuli(case["seed"] + 2)
    config = config_of(case["geometry"])
    geometry = config.geometry
    bench = await Bench(dut, config).start()
    model = await bench.enter(World(3, {"d2d_rel": 0.1}))
    features, planes, bits = config.max_features, config.planes, config.access_bits
    row = geometry.rows - 1
    programme = [
        model.request(Op.SET, row, device=d, dac=rng.randrange(4096))
        for d in range(geometry.row_devices)
    ]
    await bench.run(model, programme)
    assert np.array_equal(model.codes[row], model.array.state.codes[row])
    weights = differences(model.array.state.codes[row])
    converter = Converter(bits, config.tile_pairs, geometry.dot_shift, geometry.dot_limit)
    inputs = np.array(
        [[rng.choice((-127, 127, rng.randint(-127, 127))) for _ in range(features)]
         for _ in range(10)], np.int8,
    )  # fmt: skip
    for point, values in enumerate(inputs):
        items, scales = [], []
        for tile in range(config.tiles):
            for plane in range(planes):
                chosen = [0] * config.tile_pairs
                for lane in range(config.tile_pairs):
                    if (pair := tile * config.tile_pairs + lane) < features:
                        chosen[lane] = int(values[pair]) >> (bits * plane) & ((1 << bits) - 1)
                top = int(plane == planes - 1)
                items.append(model.request(Op.DOT, row, tile=tile, top=top, inputs=chosen))
                scales.append(bits * plane + geometry.dot_shift)
        await bench.run(model, items)
        found = sum(i["value"] << s for i, s in zip(bench.sink.items, scales, strict=True))
        assert found == dot_access(inputs, point, weights, 0, features, converter)


@pytest.mark.parametrize(
    ("geometry", "fast", "items", "restarts"),
    [("whole", True, 260, 40), ("coarse", True, 150, 8), ("small", False, 36, 4)],
)
def test_emulator(geometry: str, fast: bool, items: int, restarts: int) -> None:
    case = {"geometry": geometry, "items": items, "restarts": restarts, "seed": 41}
    run_bench(
        Emulator(config_of(geometry), fast),
        __name__,
        case,
        testcase="operations|restarts|whole_dot_products",
    )


# -- clocks ----------------------------------------------------------------------------------------
PREPARE = STEPS + Gauss.LATENCY + 8  # from a row's first request to its first hashed device


def programming(model: Model, row: int, following: int | None) -> list[dict[str, Any]]:
    """A row as a step programs it: RESET, the coin's devices, then the others."""
    config = model.config
    first = 2 * config.max_features
    order = [*range(first, config.geometry.row_devices), *range(first)]
    items = [model.request(Op.RESET, row)]
    items += [] if following is None else [model.request(Op.SELECT, following)]
    for device in order:
        items.append(model.request(Op.SET, row, device=device, dac=1840))
        items.append(model.request(Op.READ, row, device=device))
    return items


def gaps(clocks: list[int]) -> list[int]:
    return [b - a for a, b in pairwise(clocks)]


@cocotb.test()
async def clocks(dut) -> None:  # type: ignore[no-untyped-def]
    """Rates and latencies without stalls."""
    config = config_of(case_parameters()["geometry"])
    bench = await Bench(dut, config).start()
    rng = stimuli(8)
    model = await bench.enter(World(rng.getrandbits(64), {"d2d_rel": 0.05, "stuck": 0.02}))
    devices = config.geometry.row_devices

    def answer_times(items: list[dict[str, Any]], op: Op) -> set[int]:
        asked = [
            c
            for c, i in zip(bench.asked.clocks, items, strict=True)
            if i["op"] in (Op.READ.value, Op.DOT.value)
        ]
        assert all(i["op"] == op.value for i in items if i["op"] in (Op.READ.value, Op.DOT.value))
        return {b - a for a, b in zip(asked, bench.answered.clocks, strict=True)}

    # a row that a SELECT announced: no wait, 2 clocks per device, answers after READ_LATENCY
    await bench.run(model, [model.request(Op.SELECT, 0)])
    await bench.wait(PREPARE + devices)
    items = programming(model, 0, None)
    await bench.run(model, items)
    assert set(gaps(bench.asked.clocks)) == {1}
    assert answer_times(items, Op.READ) == {Emulator.READ_LATENCY} and Emulator.READ_LATENCY <= 13

    # row after row, each announced while the one before it is programmed: never a wait
    await bench.run(model, [model.request(Op.SELECT, 1)])
    await bench.wait(PREPARE + devices)
    items = []
    for row in (1, 2, 3, 4, 5, 6, 7, 0, 1, 2):
        items += programming(model, row, (row + 1) % 8)
    await bench.run(model, items)
    assert set(gaps(bench.asked.clocks)) == {1}

    # an unannounced row: the first device waits for its own hash, not for the row's
    await bench.wait(PREPARE + 2 * devices)
    await bench.run(model, programming(model, 6, None))
    waits = gaps(bench.asked.clocks)
    long = [wait for wait in waits if wait > 1]
    assert len(long) == 1 and long[0] <= PREPARE < devices

    # DOT: one per clock
    traffic = Traffic(model, rng)
    items = [traffic.dot(rng.randrange(8)) for _ in range(100)]
    await bench.run(model, items)
    latency = Emulator.ENTRY_LATENCY + DotUnit(config).latency
    assert set(gaps(bench.asked.clocks)) == {1}
    assert answer_times(items, Op.DOT) == {latency} and latency <= 7

    # uniform devices: no wait, on any row
    model = await bench.enter(World(rng.getrandbits(64)))
    await bench.run(model, bench.rest(model))
    await bench.wait(PREPARE + 64)
    items = []
    for _ in range(150):
        row, device = rng.randrange(8), rng.randrange(devices)
        items.append(model.request(Op.SET, row, device=device, dac=rng.randrange(4096)))
        items.append(model.request(Op.READ, row, device=device))
    await bench.run(model, items)
    assert set(gaps(bench.asked.clocks)) == {1}


def test_clocks() -> None:
    run_bench(
        Emulator(config_of("wide")), __name__, {"geometry": "wide"}, testcase="clocks"
    )  # fmt: skip


# -- parts -----------------------------------------------------------------------------------------
@cocotb.test()
async def law(dut) -> None:  # type: ignore[no-untyped-def]
    """PulseLaw against emulator_code, far beyond the range of an array's options."""
    rng = stimuli(12)
    for name in ("force", "forced", "dac", "offset", "normal"):
        getattr(dut, name).value = 0
    dut.load_median__stb.value = dut.load_sigma__stb.value = 0
    await start_clock(dut)
    largest = (1 << (NORMAL_BITS - 1)) - 1, (1 << (OFFSET_BITS - 1)) - 1
    for turn in range(4):
        medians, sigmas = curved_median(rng), wild_sigma(rng)
        gains = [(1 << 16, 1 << 8), ((1 << 18) - 1, 4095), (0, 0), (40000, 300)][turn]
        await load_window(dut, "load_median", segment_words(medians))
        await load_window(dut, "load_sigma", segment_words(sigmas))
        dut.median_gain.value, dut.sigma_gain.value = gains
        pulses = [
            (
                rng.choice((0, DAC_MAX, rng.randrange(DAC_MAX + 1))),
                rng.choice((0, -largest[1] - 1, largest[1], rng.randint(-9000, 9000))),
                rng.choice((-51921, 51921, rng.randint(-30000, 30000))),
                rng.choice((None, None, None, 0, 1023, HRS_CODE)),
            )
            for _ in range(700)
        ]
        expected = [
            emulator_code(medians, sigmas, normal, dac, offset, *gains) if code is None else code
            for dac, offset, normal, code in pulses
        ]
        found = []
        idle = (0, 0, 0, None)
        padded = [idle] * PulseLaw.LATENCY + pulses + [idle] * (PulseLaw.LATENCY + 1)
        for clock in range(PulseLaw.LATENCY, len(padded)):
            dut.dac.value = padded[clock][0]
            dut.offset.value = padded[clock - PulseLaw.OFFSET_AT][1]
            dut.normal.value = padded[clock - PulseLaw.NORMAL_AT][2]
            code = padded[clock - PulseLaw.FORCE_AT][3]
            dut.force.value, dut.forced.value = int(code is not None), code or 0
            await RisingEdge(dut.clk)
            found.append(int(dut.code.value))
        assert found[PulseLaw.LATENCY :][: len(pulses)] == expected, turn


def test_pulse_law() -> None:
    run_bench(PulseLaw(), __name__, testcase="law")


@pytest.mark.parametrize("pairs", [2, 3, 4, 33])
def test_any_geometry_elaborates(pairs: int) -> None:
    from verif.harness.verilog import verilog_of

    geometry = Geometry(rows=4, pairs=pairs, entropy_pairs=1, access_bits=4)
    assert "module dut" in verilog_of(Emulator(CoreConfig(geometry, max_group_rows=4)))


def test_bench_meets_stuck_devices() -> None:
    """The worlds above contain stuck devices of both kinds, and healthy ones."""
    stuck = EmulatedArray(Geometry(rows=16, pairs=8), 77, stuck=0.3).state.stuck
    assert {NOT_STUCK, 0, 1023} == set(np.unique(stuck))
