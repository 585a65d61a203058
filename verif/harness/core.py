"""A whole controller under test: loaded, run and read as software would; its trace as arrays."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Any

import cocotb
import numpy as np
from cocotb.triggers import ReadOnly, RisingEdge, Timer
from numpy.typing import NDArray
from rtl_gen.images import segment_words

from ohmcarlo.array.emulated import EmulatedArray
from ohmcarlo.golden import Registers
from ohmcarlo.golden.machine import Machine, build_machine, build_state
from ohmcarlo.spec import Points
from ohmcarlo_hdl.config import CoreConfig
from ohmcarlo_hdl.core.sample import HEADER_WORDS, RECORD_WORD
from ohmcarlo_hdl.core.step import Reason, step_record
from ohmcarlo_hdl.regs.map import register_map

from .bus import BusDriver
from .packing import Packer


def point_words(config: CoreConfig, points: Points) -> NDArray[np.uint32]:
    """The data memory: uint32 (points, point_words)."""
    words = np.zeros((len(points), config.point_words), np.uint32)
    labels, offsets = points.labels.astype(np.uint32), points.offsets.astype(np.uint16)
    words[:, 0] = labels << 16 | offsets
    inputs = np.zeros((len(points), 4 * (config.point_words - 1)), np.int8)
    inputs[:, : points.features] = points.inputs
    words[:, 1:] = inputs.view("<u4")
    return words


def calibration_words(config: CoreConfig, machine: Machine) -> NDArray[np.uint32]:
    """The calibration window: trim offset, trim gain and centre of every device."""
    g = config.geometry
    shape = (g.rows, g.row_devices)
    table = np.zeros((g.rows, 1 << config.device_bits), np.uint32)
    offset, gain, centre = (
        np.broadcast_to(t, shape).astype(np.int64)
        for t in (machine.trim_offset, machine.trim_gain, machine.centre)
    )
    table[:, : g.row_devices] = (offset & 0x1FF) | (gain & 0x7F) << 9 | centre << 16
    return table.ravel()


class RecordSink:
    """Takes a stream without waking Python between items: ``ready`` is always high.

    With ``stall`` it sleeps for a random number of clocks after an item with that probability.
    """

    def __init__(self, dut: Any, name: str, shape: Any, stall: float, rng: random.Random) -> None:
        self.valid = getattr(dut, f"{name}__valid")
        self.ready = getattr(dut, f"{name}__ready")
        self.payload = getattr(dut, f"{name}__payload")
        self.packer = Packer(shape)
        self.stall, self.rng = stall, rng
        self.items: list[int] = []
        self.ready.value = 1
        self._edge = RisingEdge(dut.clk)
        cocotb.start_soon(self._run())

    async def _run(self) -> None:
        offered = RisingEdge(self.valid)
        while True:
            if not int(self.valid.value):
                await offered
            # valid changed after an edge: what is offered is taken at the next one
            await self._edge
            while int(self.valid.value):
                self.items.append(int(self.payload.value))
                if self.stall and self.rng.random() < self.stall:
                    self.ready.value = 0
                    for _ in range(self.rng.randrange(1, 400)):
                        await self._edge
                    self.ready.value = 1
                await self._edge


@dataclass
class CoreTrace:
    """What a controller streamed, under the names of the golden model's streams."""

    accepted: NDArray[np.bool_]
    valid: NDArray[np.bool_]
    chain: NDArray[np.uint8]
    points: NDArray[np.int32]
    log_posterior: NDArray[np.int64]
    codes: NDArray[np.uint16]
    multiplicity: NDArray[np.int32]
    sample_chain: NDArray[np.uint8]
    sample_log_posterior: NDArray[np.int64]
    flags: NDArray[np.int64]


def _signed(word: int) -> int:
    return word - (1 << 32) if word >> 31 else word


@dataclass
class CoreDriver:
    """Software's side of a controller (with an emulator behind it, or an array of the bench)."""

    dut: Any
    config: CoreConfig
    registers: Registers
    points: Points
    emulator: EmulatedArray | None = None
    stall: float = 0.0
    rng: random.Random = field(default_factory=lambda: random.Random(5))

    def __post_init__(self) -> None:
        self.map = register_map(self.config, self.emulator is not None)
        self.bus = BusDriver(self.dut, layout=self.map)
        self.records = RecordSink(self.dut, "samples", RECORD_WORD, self.stall, self.rng)
        self.steps = RecordSink(
            self.dut, "step_records", step_record(self.config), self.stall, self.rng
        )
        self.dut.predictions__ready.value = 1
        self.edge = RisingEdge(self.dut.clk)

    # -- loading -----------------------------------------------------------------------------

    async def load(self, array: Any = None, *, external: bool = False) -> None:
        """Registers, tables, data; as ``golden.Controller`` is given them."""
        r, config, bus = self.registers, self.config, self.bus
        g = r.geometry
        machine = build_machine(r, array)
        state = build_state(r)
        trimmed = r.calibration.trim_offset is not None or r.calibration.trim_gain is not None
        centred = r.calibration.centre is not None
        await bus.set("model.points", len(self.points))
        await bus.set("model.features", r.features)
        await bus.set("model.hidden", r.hidden)
        await bus.set("model.regions", g.regions)
        await bus.set("model.region_groups", g.region_groups)
        await bus.set("model.rows_per_region", g.rows // g.regions)
        await bus.set("model.min_free", machine.min_free)
        await bus.set("model.retries", r.retries)
        await bus.set(
            "model.options",
            early_reject=int(r.early_reject),
            hastings=int(r.hastings),
            stream=int(r.stream),
            record_steps=1,
            trim_enable=int(trimmed),
            centre_enable=int(centred),
            external=int(external),
        )
        for name, value in (
            ("rho", r.rho),
            ("mid", r.centre),
            ("lo", r.lo),
            ("hi", r.hi),
            ("valid_lo", r.valid_lo),
            ("valid_hi", r.valid_hi),
        ):
            await bus.set(f"proposal.{name}", value)
        for name in ("logit", "weight", "common"):
            mantissa, shift = getattr(r, f"{name}_coef")
            await bus.set(f"proposal.{name}", mantissa=mantissa, shift=shift)
        await bus.set("entropy.rct_cutoff", r.rct_cutoff)
        await bus.set("entropy.rct_symbol_cutoff", r.rct_symbol_cutoff)
        await bus.set("entropy.apt_cutoff", r.apt_cutoff)
        await bus.load("dac", segment_words(machine.dac))
        await bus.load("inv_sigma", segment_words(r.inv_sigma))
        await bus.load("log_sigma", segment_words(r.log_sigma))
        await bus.load("points", point_words(config, self.points).ravel())
        await bus.load("order", range(len(self.points)))
        if trimmed or centred:
            await bus.load("calibration", calibration_words(config, machine))
        bad = np.zeros(g.rows, np.int64)
        for group in np.flatnonzero(state.bad):
            bad[g.group_row(int(group))] = 1
        await bus.load("bad_rows", bad)
        if self.emulator is not None:
            await self._load_emulator(self.emulator)

    async def _load_emulator(self, array: EmulatedArray) -> None:
        e, bus = array.state, self.bus
        await bus.set("emulator.key0", e.key0)
        await bus.set("emulator.key1", e.key1)
        await bus.set("emulator.d2d_rel", array.d2d_level)
        await bus.set("emulator.stuck_level", array.stuck_level)
        await bus.set("emulator.median_gain", e.median_gain)
        await bus.set("emulator.sigma_gain", e.sigma_gain)
        await bus.load("median", segment_words(e.median))
        await bus.load("sigma", segment_words(e.sigma))
        await self.command("emulator_restart")
        await self.until(lambda s: s["emulator_idle"], "the emulator's restart")

    # -- running -----------------------------------------------------------------------------

    async def command(self, name: str) -> None:
        await self.bus.set("control.command", **{name: 1})

    async def status(self) -> dict[str, int]:
        return await self.bus.get("status.state")

    async def until(self, done: Any, what: str, limit: int = 4_000_000) -> dict[str, int]:
        """Poll the status, at growing intervals, until ``done(status)``."""
        wait, waited = 16, 0
        while True:
            status = await self.status()
            if done(status):
                return status
            assert waited < limit, f"{what} took more than {waited} clocks: {status}"
            await Timer(10 * wait, "ns")
            await self.edge
            waited += wait
            wait = min(2 * wait, 4096)

    async def start(self) -> Reason:
        await self.command("start")
        return await self.finished("start")

    async def run(self, steps: int) -> Reason:
        """``steps`` steps of every region; why it ended."""
        await self.bus.set("control.steps", steps * self.registers.geometry.regions)
        await self.command("run")
        return await self.finished("run")

    async def finished(self, what: str) -> Reason:
        status = await self.until(lambda s: not s["busy"], what)
        await self.drain()
        return Reason(status["reason"])

    async def drain(self) -> None:
        """Wait until everything streamed has been taken."""
        while int(self.dut.samples__valid.value) or int(self.dut.step_records__valid.value):
            await self.edge
        for _ in range(4):
            await self.edge
        await ReadOnly()
        await self.edge

    async def flush(self) -> None:
        """Have the current samples streamed too."""
        await self.command("flush")
        await self.finished("flush")

    # -- what came out -----------------------------------------------------------------------

    def trace(self) -> CoreTrace:
        """Everything streamed so far; ``flags`` are bits 8 and 9 of the record headers."""
        steps = [self.steps.packer.unpack(bits) for bits in self.steps.items]
        devices = self.registers.sample_devices
        length = HEADER_WORDS + devices // 2
        words = [self.records.packer.unpack(bits) for bits in self.records.items]
        assert len(words) % length == 0, "a record is incomplete"
        ends = [bool(w["last"]) for w in words]
        assert ends == [i % length == length - 1 for i in range(len(words))]
        table = np.array([w["word"] for w in words], np.int64).reshape(-1, length)
        pairs = table[:, HEADER_WORDS:]
        codes = np.stack([pairs & 0x3FF, pairs >> 16 & 0x3FF], axis=2)
        loglik, prior = (np.array([_signed(int(w)) for w in table[:, i]]) for i in (2, 3))
        return CoreTrace(
            accepted=np.array([s["accepted"] for s in steps], bool),
            valid=np.array([s["valid"] for s in steps], bool),
            chain=np.array([s["region"] for s in steps], np.uint8),
            points=np.array([s["points"] for s in steps], np.int32),
            log_posterior=np.array([s["loglik"] + s["prior"] for s in steps], np.int64),
            codes=codes.reshape(len(table), -1).astype(np.uint16),
            multiplicity=table[:, 1].astype(np.int32),
            sample_chain=(table[:, 0] & 0xFF).astype(np.uint8),
            sample_log_posterior=(loglik + prior).astype(np.int64),
            flags=table[:, 0] >> 8,
        )

    async def counters(self) -> dict[str, int]:
        names = ("clocks", "form", "reset", "set", "read", "dot", "invalid", "samples", "points")
        return {name: await self.bus.get_counter(f"counters.{name}") for name in names}
