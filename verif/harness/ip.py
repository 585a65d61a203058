"""Software behind an ``IpCore`` with the native bus: commands, interrupts, ring and streams."""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import cocotb
import numpy as np
from cocotb.triggers import RisingEdge

from ohmcarlo.boards.memory.image import Image
from ohmcarlo.boards.records.decode import Records
from ohmcarlo.spec.link import SAMPLE_CURRENT_BIT, Reason
from ohmcarlo_hdl.regs.bus import Bus
from ohmcarlo_hdl.regs.map import IP_WINDOWS, WORD_BYTES, ip_map, register_map

from .bus import BusDriver
from .core import CoreDriver, CoreTrace
from .streams import Stalls

THRESHOLD = 64
"""Words in the ring from which they are read."""
ALL_BYTES = 0xF


class AxisSink:
    """Takes the AXI4-Stream ``name`` into ``items``: (tdata, tkeep, tlast, tdest) of each word.

    It sleeps while nothing is offered. With ``stall``, ``tready`` is low for a random number of
    clocks after a word with that probability.
    """

    def __init__(self, dut: Any, name: str, stall: float, rng: random.Random) -> None:
        self.valid, self.ready = getattr(dut, f"{name}_tvalid"), getattr(dut, f"{name}_tready")
        self.parts = [
            getattr(dut, f"{name}_{part}") for part in ("tdata", "tkeep", "tlast", "tdest")
        ]
        self.stall, self.stalls, self.rng = stall, Stalls(name), rng
        self.items: list[tuple[int, int, int, int]] = []
        self.ready.value = 1
        self._edge = RisingEdge(dut.clk)
        cocotb.start_soon(self._run())

    async def _run(self) -> None:
        offered = RisingEdge(self.valid)
        while True:
            if not int(self.valid.value):
                await offered
            await self._edge
            while int(self.valid.value):
                data, keep, last, dest = (int(part.value) for part in self.parts)
                self.items.append((data, keep, last, dest))
                self.stalls.chance(self.stall)
                if self.stall and self.rng.random() < self.stall:
                    self.ready.value = 0
                    for _ in range(self.rng.randrange(1, 400)):
                        await self._edge
                        self.stalls.happened += int(self.valid.value)
                    self.ready.value = 1
                await self._edge

    def packets(self) -> list[list[tuple[int, int]]]:
        """The packets so far, as (tdata, tdest) of each word; AssertionError if one is open."""
        found: list[list[tuple[int, int]]] = []
        open_packet: list[tuple[int, int]] = []
        for data, keep, last, dest in self.items:
            assert keep == ALL_BYTES, f"TKEEP {keep:x}"
            open_packet.append((data, dest))
            if last:
                found.append(open_packet)
                open_packet = []
        assert not open_packet, f"the last packet is open: {open_packet}"
        return found


class AxisSource:
    """Offers words on the AXI4-Stream ``name``: (tdata, tkeep, tlast) of each word.

    ``stall`` is the probability of a clock without an offer.
    """

    def __init__(self, dut: Any, name: str, stall: float, rng: random.Random) -> None:
        self.valid, self.ready = getattr(dut, f"{name}_tvalid"), getattr(dut, f"{name}_tready")
        self.parts = [getattr(dut, f"{name}_{part}") for part in ("tdata", "tkeep", "tlast")]
        self.stall, self.rng = stall, rng
        self.valid.value = 0
        self._edge = RisingEdge(dut.clk)

    async def send(self, words: Iterable[int], keep: int = ALL_BYTES, last: bool = True) -> None:
        """Send a packet, or with ``last`` False a part of one; returns when it is taken."""
        words = list(words)
        for index, word in enumerate(words):
            while self.stall and self.rng.random() < self.stall:
                await self._edge
            data, kept, ends = self.parts
            data.value, kept.value, ends.value = word, keep, int(last and index == len(words) - 1)
            self.valid.value = 1
            await self._edge
            while not int(self.ready.value):
                await self._edge
            self.valid.value = 0


@dataclass
class IpDriver(CoreDriver):
    """``CoreDriver`` of an ``IpCore``: waits for interrupts, and decodes the words of records.

    ``way``: where records leave, "ring" or "stream". With "stream", the data points are loaded by
    a stream, too.
    """

    way: str = "ring"

    def __post_init__(self, stall: float) -> None:
        assert self.emulator is not None
        self.map = register_map(self.config, True, ip=True)
        self.bus = BusDriver(self.dut, layout=self.map, between="_")
        self.edge = RisingEdge(self.dut.clk)
        self.ring: list[int] = []
        self.ends = 0
        self.stream = AxisSink(self.dut, "m_axis_records", stall, self.rng)
        self.data = AxisSource(self.dut, "s_axis_data", 0.1, self.rng)
        self.dut.off.value = 0

    async def load(self, array: Any = None, **options: Any) -> None:
        await super().load(array, **options)
        await self.bus.set("records.options", to_stream=int(self.way == "stream"))
        await self.bus.set("interrupt.threshold", THRESHOLD)
        await self.bus.set("interrupt.enable", run_ended=1, record_waiting=1)

    async def _load(self, image: Image) -> None:
        points = image.windows.pop("points", None) if self.way == "stream" else None
        await super()._load(image)
        if points is not None:
            words = [int(word) for word in np.ravel(points)]
            await self.bus.set("data_in.first", 0)
            sending = cocotb.start_soon(self.data.send(words))
            while not sending.done():  # accesses at the same time
                steps = self.rng.randrange(1 << 32)
                await self.bus.set("control.steps", steps)
                assert (await self.bus.get("control.steps"))["value"] == steps
            for _ in range(4):
                await self.edge
            state = await self.bus.get("data_in.state")
            assert state == {"words": len(words), "wrong_length": 0, "incomplete": 0}

    async def finished(self, what: str) -> Reason:
        """Serve interrupts until the command has ended."""
        while True:
            if not int(self.dut.irq.value):
                await RisingEdge(self.dut.irq)
            await self.edge
            cause = await self.bus.get("interrupt.cause")
            assert cause["run_ended"] | cause["record_waiting"], f"{what}: a spurious interrupt"
            if cause["run_ended"]:
                await self.bus.set("interrupt.clear", run_ended=1)
            await self.take()
            if cause["run_ended"]:
                break
            await self.settle()
        status = await self.status()
        assert not status["busy"], f"{what}: the interrupt came before the end"
        self.ends += 1
        return Reason(status["reason"])

    async def settle(self) -> None:
        """Wait until ``irq`` shows the effect of the last write."""
        for _ in range(Bus.LATENCY):
            await self.edge

    async def take(self) -> None:
        """Read the words that are in the ring, and count them as taken."""
        bus, layout = self.bus, ip_map(self.config)
        window = layout.window(IP_WINDOWS[0])
        received = (await bus.get("records.received"))["value"]
        first = window.address // WORD_BYTES
        count = received - len(self.ring)
        words = []
        for index in range(count + Bus.LATENCY):
            place = (len(self.ring) + min(index, count - 1)) % window.words
            bus.addr.value, bus.r_stb.value = first + place, int(index < count)
            await self.edge
            if index >= Bus.LATENCY:
                words.append(int(bus.r_data.value))
        bus.r_stb.value = 0
        self.ring += words
        await bus.set("records.taken", received)

    @property
    def words(self) -> list[int]:
        """The record words so far."""
        if self.way == "ring":
            assert not self.stream.items, "a word left through the stream"
            return self.ring
        assert not self.ring, "a word left through the ring"
        return [item[0] for item in self.stream.items]

    def trace(self) -> CoreTrace:
        """As for ``CoreDriver``; the log-posterior of a step that was rejected is 0."""
        records = Records(np.array(self.words, np.uint32))
        steps, samples = records.steps(), records.samples(self.registers.sample_devices)
        return CoreTrace(
            accepted=steps.accepted,
            valid=steps.valid,
            chain=steps.region,
            points=steps.points,
            log_posterior=steps.log_posterior,
            codes=samples.codes,
            multiplicity=samples.multiplicity,
            sample_chain=samples.region,
            sample_log_posterior=samples.log_posterior,
            flags=samples.current.astype(np.int64) << SAMPLE_CURRENT_BIT - 8,
        )
