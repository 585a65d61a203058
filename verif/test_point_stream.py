"""Passes of streamed points: each evaluation gets its points from the first one on, or a fault."""

from __future__ import annotations

import random
from typing import Any

import cocotb
from cocotb.triggers import RisingEdge

from ohmcarlo.spec import Geometry
from ohmcarlo_hdl.config import CoreConfig
from ohmcarlo_hdl.core.point_stream import PointStream, data_point
from verif.harness import case_parameters, run_bench, start_clock, stimuli
from verif.harness.packing import Packer
from verif.harness.point_source import PassSource, Word

CONFIG = CoreConfig(
    Geometry(rows=16, pairs=8, entropy_pairs=2), max_points=16, max_streamed_points=64
)
STREAMED = 5
WORDS = STREAMED * CONFIG.point_words


def a_pass(rng: random.Random) -> tuple[list[Word], list[int]]:
    """Random words of a pass, and the points that they hold, packed."""
    packer, words, points = Packer(data_point(CONFIG)), [], []
    for _ in range(STREAMED):
        point = [rng.randrange(1 << 32) for _ in range(CONFIG.point_words)]
        words += [{"word": word, "last": 0} for word in point]
        inputs = [point[1 + j // 4] >> 8 * (j % 4) & 0xFF for j in range(CONFIG.max_features)]
        fields = {"offset": point[0] & 0xFFFF, "label": point[0] >> 16 & 3, "inputs": inputs}
        points.append(packer.pack(fields))
    words[-1]["last"] = 1
    return words, points


class Evaluations:
    """The side of the evaluations, and a source that repeats ``words`` for ever."""

    def __init__(self, dut: Any, case: dict[str, Any]) -> None:
        self.dut, self.pause = dut, case.get("pause", 0.0)
        self.rng = stimuli(case.get("seed", 1))
        words, self.points = a_pass(self.rng)
        self.source = PassSource(dut, "words", words, case.get("stall", 0.0), self.rng)
        self.wrong = 0
        dut.wants.value = dut.drop.value = dut.restart.value = dut.points__ready.value = 0
        dut.points_used.value = CONFIG.max_points + STREAMED
        self._edge = RisingEdge(dut.clk)

    async def clock(self) -> int | None:
        """One clock; the point that was taken in it, if one was."""
        dut = self.dut
        await self._edge
        self.wrong += int(dut.wrong_length.value)
        if int(dut.points__valid.value) and int(dut.points__ready.value):
            return int(dut.points__payload.value)
        return None

    async def clocks(self, count: int) -> None:
        for _ in range(count):
            assert await self.clock() is None

    async def take(self, count: int, limit: int = 2000) -> list[int]:
        """The first ``count`` points of a pass; fewer if ``limit`` clocks do not suffice."""
        dut, taken = self.dut, []
        dut.wants.value = 1
        for _ in range(limit):
            if len(taken) == count:
                break
            dut.points__ready.value = int(self.rng.random() >= self.pause)
            if (point := await self.clock()) is not None:
                taken.append(point)
        dut.points__ready.value = 0
        if count == STREAMED:
            dut.wants.value = 0
        return taken

    async def drop(self) -> None:
        """The evaluation ends early: it may want and take a point in the first clock of that."""
        dut = self.dut
        dut.drop.value, dut.points__ready.value = 1, self.rng.randrange(2)
        await self.clock()
        dut.wants.value = dut.points__ready.value = 0
        await self.clocks(self.rng.randrange(3))
        dut.drop.value = 0

    async def rest(self) -> None:
        """Wait until the pass has ended."""
        dut = self.dut
        for _ in range(40 * WORDS):
            await self.clocks(1)
            if not int(dut.busy.value):
                return
        raise AssertionError("the pass does not end")


async def evaluations(dut: Any) -> Evaluations:
    """After a reset; the source begins when the reset is over."""
    dut.words__valid.value = 0
    await start_clock(dut)
    return Evaluations(dut, case_parameters())


@cocotb.test()
async def supplies_each_evaluation_from_the_first_point_on(dut) -> None:  # type: ignore[no-untyped-def]
    there = await evaluations(dut)
    most = 2 * CONFIG.point_words
    for i in range(60):
        count, late = there.rng.randrange(STREAMED + 1), there.rng.randrange(most)
        if i < most:  # ends before, with and after the first words
            count, late = 0, i
        assert await there.take(count) == there.points[:count]
        if count < STREAMED:
            await there.clocks(late)
            await there.drop()
        if there.rng.random() < 0.5:
            await there.rest()
        await there.clocks(there.rng.randrange(3))
    assert there.wrong == 0


@cocotb.test()
async def takes_nothing_for_an_evaluation_that_ends_before(dut) -> None:  # type: ignore[no-untyped-def]
    there = await evaluations(dut)
    for _ in range(5):
        await there.clocks(20)
        await there.drop()  # it ends in the memory
        dut.wants.value = 1
        await there.drop()  # it reaches the stream in the clock in which it ends
        await there.clocks(20)
        assert not int(dut.busy.value) and there.source.taken == 0
    assert await there.take(STREAMED) == there.points


@cocotb.test()
async def takes_one_word_per_clock(dut) -> None:  # type: ignore[no-untyped-def]
    there = await evaluations(dut)
    before = there.source.taken
    # a clock to begin, and one to offer the last point
    assert len(await there.take(STREAMED, WORDS + 2)) == STREAMED
    assert there.source.taken == before + WORDS


@cocotb.test()
async def finds_a_pass_of_wrong_length(dut) -> None:  # type: ignore[no-untyped-def]
    """A lost word anywhere, found while points are taken or dropped; a restart aligns the pass."""
    there = await evaluations(dut)
    for lost in (*range(WORDS), *range(WORDS)):
        source, wrong = there.source, there.wrong
        source.lose = {source.number + WORDS + lost}
        assert await there.take(STREAMED) == there.points
        early = there.rng.randrange(2) and lost // CONFIG.point_words
        if early:
            await there.take(there.rng.randrange(1, early + 1))
            await there.drop()
        else:
            found = await there.take(STREAMED, 60 * WORDS)
            assert len(found) < STREAMED
        for _ in range(60 * WORDS):
            if there.wrong > wrong:
                break
            await there.clocks(1)
        await there.clocks(WORDS)
        assert there.wrong == wrong + 1
        assert await there.take(1, 2 * WORDS) == []  # nothing is supplied any more
        await restart(there)
        assert await there.take(STREAMED) == there.points


async def restart(there: Evaluations) -> None:
    dut = there.dut
    dut.restart.value, dut.wants.value = 1, 0
    await there.clocks(1)
    dut.restart.value = 0


@cocotb.test()
async def a_restart_finds_the_next_pass(dut) -> None:  # type: ignore[no-untyped-def]
    there = await evaluations(dut)
    for _ in range(30):
        await there.take(there.rng.randrange(STREAMED + 1))
        if there.rng.random() < 0.3:
            await there.drop()
        await there.clocks(there.rng.randrange(CONFIG.point_words))
        if there.rng.random() < 0.5:
            there.source.begin_anew()  # software restarts the source, too
        await restart(there)
        assert await there.take(STREAMED) == there.points
    assert there.wrong == 0


CALM, STALLED = {"name": "calm"}, {"name": "stalled", "stall": 0.4, "pause": 0.5}
ALL = [CALM, STALLED]


def test_point_stream() -> None:
    never = "takes_one_word_per_clock"
    others = "|".join(
        (
            supplies_each_evaluation_from_the_first_point_on.name,
            takes_nothing_for_an_evaluation_that_ends_before.name,
            finds_a_pass_of_wrong_length.name,
            a_restart_finds_the_next_pass.name,
        )
    )
    cases = [CALM | {"tests": f"{never}|{others}"}, STALLED | {"tests": others}]
    run_bench(PointStream(CONFIG), __name__, cases)
