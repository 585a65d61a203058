"""Rows: random lives of row groups, against ``golden.rows`` on a golden state."""

from __future__ import annotations

import random
from typing import Any

import cocotb
import numpy as np
import pytest
from cocotb.triggers import RisingEdge

from ohmcarlo.golden.chain import settle
from ohmcarlo.golden.machine import Machine, State, build_machine, build_state
from ohmcarlo.golden.registers import Calibration, SamplerSettings
from ohmcarlo.golden.rows import NO_GROUP, first_row, give_back, keep_retired, push_free, take_free
from ohmcarlo.spec import Geometry
from ohmcarlo_hdl.config import CoreConfig
from ohmcarlo_hdl.core.rows import Rows
from verif.harness import case_parameters, load_window, run_bench, start_clock, stimuli

ROWS = 32
CONFIG = CoreConfig(
    Geometry(rows=ROWS, pairs=8, entropy_pairs=2), max_points=16, max_group_rows=4, max_regions=4
)
OPERATIONS = 150
LAYOUTS = (
    # regions, rows of a group, stream, retries, min_free, bad rows, P(accepted), P(stuck)
    (1, 1, 1, 3, 8, (0, 5, 31), 0.5, 0.3),
    (1, 1, 0, 2, 8, (), 0.3, 0.2),
    (3, 1, 1, 7, 2, (9, 10, 25), 0.6, 0.1),
    (2, 3, 1, 1, 3, (17,), 0.7, 0.1),
    (4, 2, 1, 2, 2, (), 0.6, 0.1),
    (1, 4, 0, 3, 2, (6, 7, 15), 0.3, 0.5),
    (2, 2, 1, 7, 2, (4,), 0.3, 0.8),
)


def golden(layout: tuple[Any, ...]) -> tuple[Machine, State]:
    regions, group_rows, streams, retries, min_free, bad = layout[:6]
    geometry = Geometry(rows=ROWS, pairs=8, entropy_pairs=2, row_group=group_rows, regions=regions)
    bad_rows = np.zeros(ROWS, np.bool_)
    bad_rows[list(bad)] = True
    settings = SamplerSettings(hidden=group_rows - 1, stream=bool(streams), retries=retries)
    registers = settings.registers(
        geometry, 4, lambda target: 0.1 * target, Calibration(bad_rows=bad_rows)
    )
    return build_machine(registers)._replace(min_free=min_free), build_state(registers)


class Life:
    """Plays operations on the block and on the golden state, and compares the two."""

    def __init__(self, dut: Any, rng: random.Random) -> None:
        self.dut = dut
        self.rng = rng
        self.edge = RisingEdge(dut.clk)
        self.wear = [0] * ROWS
        self.seen = {"none": 0, "recycled": 0, "worn": 0, "retired": 0, "put back": 0}

    async def clocks(self, count: int) -> None:
        for _ in range(count):
            await self.edge

    async def begin(self, layout: tuple[Any, ...]) -> None:
        """Load a layout and initialise the block."""
        dut = self.dut
        self.m, self.state = golden(layout)
        m = self.m
        bad = [int(row in layout[5]) for row in range(ROWS)]
        await load_window(dut, "load_bad_rows", bad)
        dut.regions.value, dut.region_groups.value = m.regions, m.region_groups
        dut.rows_per_region.value, dut.group_rows.value = m.rows_per_region, m.group_rows
        dut.min_free.value, dut.stream.value, dut.retries.value = m.min_free, m.stream, m.retries
        dut.init.value = 1
        await self.edge
        dut.init.value = 0
        await self.clocks(2)
        for _ in range(3 * ROWS + 4 * m.regions):
            if not int(dut.busy.value):
                break
            await self.edge
        assert not int(dut.busy.value)

    async def take(self, region: int) -> int:
        """The golden group that was taken, or NO_GROUP."""
        dut, retired = self.dut, int(self.state.retired_count[region])
        group = take_free(self.m, self.state, region)
        recycled = int(self.state.retired_count[region]) < retired
        self.seen["recycled"] += recycled
        dut.region.value = dut.next_region.value = region
        dut.take.value = 1
        await self.edge
        dut.take.value = 0
        await self.clocks(1 + 3 * recycled)
        assert (int(dut.taken.value), int(dut.none.value)) == (group >= 0, group == NO_GROUP)
        await self.edge
        assert not int(dut.taken.value) and not int(dut.none.value)
        if group == NO_GROUP:
            self.seen["none"] += 1
            return NO_GROUP
        assert int(dut.row.value) == first_row(self.m, group)
        return int(group)

    async def conclude(self, region: int, group: int, accepted: bool, stuck: bool) -> None:
        m, state, dut = self.m, self.state, self.dut
        counts = int(state.group[region] >= 0)  # a step, not a start-up test
        if accepted:
            if counts:
                keep_retired(m, state, region)
                self.seen["retired"] += 1
            settle(state, region, group)
        else:
            state.multiplicity[region] += counts
            give_back(m, state, region, group, stuck)
            self.seen["worn"] += int(state.bad[group])
        self.wear[first_row(m, group)] += 1
        dut.accepted.value, dut.stuck.value, dut.counts.value = accepted, stuck, counts
        dut.conclude.value = 1
        await self.edge
        dut.conclude.value = 0
        # inputs without a strobe have no effect
        for name in ("accepted", "stuck", "counts"):
            getattr(dut, name).value = self.rng.randrange(2)

    async def put_back(self, region: int, group: int) -> None:
        push_free(self.m, self.state, region, group)
        self.seen["put back"] += 1
        self.dut.put_back.value = 1
        await self.edge
        self.dut.put_back.value = 0

    async def compare(self) -> None:
        """All outputs of the block."""
        m, state, dut = self.m, self.state, self.dut
        await self.clocks(2)
        assert int(dut.bad_groups.value) == state.bad.sum()
        for region in range(m.regions):
            group, ring = state.group[region], int(state.retired_count[region])
            dut.region.value = dut.next_region.value = region
            await self.clocks(3)
            assert int(dut.has_sample.value) == (group >= 0)
            assert int(dut.multiplicity.value) == state.multiplicity[region]
            assert int(dut.retired_count.value) == ring
            if group >= 0:
                assert int(dut.sample_row.value) == first_row(m, group)
            if state.free_count[region]:
                head = state.free[region, state.free_head[region]]
                assert int(dut.next_row.value) == first_row(m, head)
            for index in range(ring):
                dut.held_index.value = index
                await self.clocks(5)
                held = state.retired[region, (state.retired_head[region] + index) % m.region_groups]
                assert int(dut.held_row.value) == first_row(m, held)
                assert int(dut.held_multiplicity.value) == state.held[held]
            dut.held_index.value = 0
        dut.query.value = 1
        for group in range(m.region_groups * m.regions):
            row = int(first_row(m, group))
            dut.query_row.value = row
            await self.clocks(2)
            assert int(dut.query_bad.value) == state.bad[group]
            assert int(dut.query_failures.value) == state.failures[group]
            assert int(dut.query_held.value) == state.held[group]
            assert int(dut.query_wear.value) == self.wear[row]
        dut.query.value = 0
        await self.clocks(2)


@cocotb.test()
async def lives(dut) -> None:  # type: ignore[no-untyped-def]
    rng = stimuli(case_parameters()["seed"])
    for name in ("init", "take", "conclude", "accepted", "counts", "stuck", "put_back", "query"):
        getattr(dut, name).value = 0
    for name in ("region", "next_region", "held_index", "query_row", "load_bad_rows__stb"):
        getattr(dut, name).value = 0
    life = Life(dut, rng)
    await start_clock(dut)
    for layout in LAYOUTS:
        *_, acceptance, stuck_often = layout
        await life.begin(layout)
        await life.compare()
        for step in range(OPERATIONS):
            # the first region wraps before the others begin: it must keep to its own rows
            region = rng.randrange(life.m.regions) if step >= 40 else 0
            group = await life.take(region)
            if group >= 0:
                await life.clocks(rng.choice((0, 0, 1, 3)))
                if rng.random() < 0.1:
                    await life.put_back(region, group)
                else:
                    accepted = rng.random() < acceptance
                    stuck = not accepted and rng.random() < stuck_often
                    await life.conclude(region, group, accepted, stuck)
                    await life.clocks(rng.choice((0, 0, 2)))
            if step % 25 == 24:
                await life.compare()
    assert min(life.seen.values()) > 5, life.seen


@pytest.mark.parametrize("seed", [1, 2])
def test_rows(seed: int) -> None:
    run_bench(Rows(CONFIG), __name__, {"seed": seed})
