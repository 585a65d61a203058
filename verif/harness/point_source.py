"""A source of streamed data points: the same pass again and again, with stalls and defects."""

from __future__ import annotations

import random
from typing import Any

import cocotb
import numpy as np
from cocotb.triggers import RisingEdge

from ohmcarlo.boards.memory.image import data_image
from ohmcarlo.spec import Geometry, Points
from ohmcarlo_hdl.core.point_stream import POINT_WORD

from .packing import Packer
from .streams import Stalls

Word = dict[str, int]


def pass_of(points: Points, geometry: Geometry, max_points: int) -> list[Word]:
    """Words of the points beyond the data memory, ``last`` with the last one."""
    words = data_image(points, geometry).windows["points"]
    rest = [int(w) for w in np.ravel(words)[max_points * geometry.point_words :]]
    return [{"word": w, "last": int(i == len(rest) - 1)} for i, w in enumerate(rest)]


class PassSource:
    """Offers the words of ``words`` for ever on the stream ``name``.

    ``stall`` is the probability of a pause after a word. ``passes`` counts complete passes. While
    ``lose`` is not empty, the words of these numbers, counted over all passes, are left out. After
    ``begin_anew``, the word that is offered is followed by the first word of a pass.
    """

    def __init__(
        self, dut: Any, name: str, words: list[Word], stall: float, rng: random.Random
    ) -> None:
        self.valid, self.ready = getattr(dut, f"{name}__valid"), getattr(dut, f"{name}__ready")
        self.payload = getattr(dut, f"{name}__payload")
        packer = Packer(POINT_WORD)
        self.words = [packer.pack(word) for word in words]
        self.stall, self.stalls, self.rng = stall, Stalls(name), rng
        self.lose: set[int] = set()
        self.number = self.taken = self.passes = 0
        self._anew = False
        self._edge = RisingEdge(dut.clk)
        self.valid.value = 0
        self.task = cocotb.start_soon(self._run())

    def begin_anew(self) -> None:
        self._anew = True

    async def _run(self) -> None:
        wanted = RisingEdge(self.ready)
        while True:
            while self.number in self.lose:
                self.number += 1
            place = self.number % len(self.words)
            self.payload.value = self.words[place]
            self.valid.value = 1
            await self._edge
            while not int(self.ready.value):
                await wanted
                await self._edge
            self.number += 1
            self.taken += 1
            self.passes += place == len(self.words) - 1
            if self._anew:
                self._anew = False
                self.number += -self.number % len(self.words)
            self.stalls.chance(self.stall)
            if self.stall and self.rng.random() < self.stall:
                self.valid.value = 0
                for _ in range(self.rng.randrange(1, 12)):
                    await self._edge
                    self.stalls.happened += int(self.ready.value)
