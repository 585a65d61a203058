"""The host's side of a controller under test: load, run, read out; its trace as arrays."""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import InitVar, dataclass, field
from typing import Any

import cocotb
import numpy as np
from cocotb.triggers import ReadOnly, RisingEdge, Timer
from numpy.typing import NDArray

from ohmcarlo.array.emulated import EmulatedArray
from ohmcarlo.boards.memory.image import Image, controller_image, emulator_image
from ohmcarlo.boards.memory.layout import Layout
from ohmcarlo.boards.memory.state import SAVED, State, Words, first_pulse_of, state_of, windows_of
from ohmcarlo.golden import Registers
from ohmcarlo.spec import Points
from ohmcarlo.spec.link import Reason
from ohmcarlo_hdl.array.interface import Op
from ohmcarlo_hdl.config import CoreConfig
from ohmcarlo_hdl.core.interface import RECORD_WORD, step_record
from ohmcarlo_hdl.core.sample import HEADER_WORDS
from ohmcarlo_hdl.regs.map import register_map

from .bus import BusDriver
from .packing import Packer
from .seeds import stimuli
from .streams import Stalls


class RecordSink:
    """Takes a stream without waking Python between items: ``ready`` is always high.

    With ``stall`` it sleeps for a random number of clocks after an item with that probability; a
    test fails if no offered item ever waited for it (``Stalls``).
    """

    def __init__(self, dut: Any, name: str, shape: Any, stall: float, rng: random.Random) -> None:
        self.valid = getattr(dut, f"{name}__valid")
        self.ready = getattr(dut, f"{name}__ready")
        self.payload = getattr(dut, f"{name}__payload")
        self.packer = Packer(shape)
        self.stall, self.stalls, self.rng = stall, Stalls(name), rng
        self.items: list[int] = []
        self.ready.value = 1
        self._edge = RisingEdge(dut.clk)
        cocotb.start_soon(self._run())

    async def _run(self) -> None:
        offered = RisingEdge(self.valid)
        while True:
            if not int(self.valid.value):
                await offered
            # valid changed after an edge; the item is transferred at the next edge
            await self._edge
            while int(self.valid.value):
                self.items.append(int(self.payload.value))
                self.stalls.chance(self.stall)
                if self.stall and self.rng.random() < self.stall:
                    self.ready.value = 0
                    for _ in range(self.rng.randrange(1, 400)):
                        await self._edge
                        self.stalls.happened += int(self.valid.value)
                    self.ready.value = 1
                await self._edge


@dataclass
class CoreTrace:
    """The streams of a controller, under the names of the golden model."""

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
    stall: InitVar[float] = 0.0
    rng: random.Random = field(default_factory=lambda: stimuli(5))

    def __post_init__(self, stall: float) -> None:
        self.map = register_map(self.config, self.emulator is not None)
        self.bus = BusDriver(self.dut, layout=self.map)
        self.records = RecordSink(self.dut, "samples", RECORD_WORD, stall, self.rng)
        self.steps = RecordSink(self.dut, "step_records", step_record(self.config), stall, self.rng)
        self.dut.predictions__ready.value = 1
        self.edge = RisingEdge(self.dut.clk)

    @property
    def layout(self) -> Layout:
        """The sizes of this controller."""
        c, g = self.config, self.config.geometry
        return Layout(
            rows=g.rows,
            pairs=g.pairs,
            entropy_pairs=g.entropy_pairs,
            access_bits=g.access_bits,
            tile_pairs=c.tile_pairs,
            dot_bits=g.dot_bits,
            dot_shift=g.dot_shift,
            max_points=c.max_points,
            max_group_rows=c.max_group_rows,
            max_regions=c.max_regions,
            device_calibration=c.device_calibration,
            emulator=self.emulator is not None,
            digital=c.digital_dots,
            repeats=c.repeats,
        )

    # -- loading -----------------------------------------------------------------------------

    async def load(
        self, array: Any = None, *, external: bool = False, first_pulse: int = 0
    ) -> None:
        """Load registers, tables and data, as for ``golden.Controller``.

        ``first_pulse`` is the number of the emulator's next SET pulse.
        """
        image = controller_image(self.registers, self.points, array, self.config.geometry)
        image.fields["model.options.external"] = int(external)
        room = self.config.max_points  # the points behind them are streamed
        image.windows["points"] = image.windows["points"][: room * self.config.point_words]
        image.windows["order"] = image.windows["order"][:room]
        await self._load(image)
        if self.emulator is not None:
            await self._load(emulator_image(self.emulator, first_pulse))
            await self.command("emulator_restart")
            await self.until(lambda s: s["emulator_idle"], "the emulator's restart")

    async def _load(self, image: Image) -> None:
        """Write fields, one register at a time, and memory windows."""
        registers: dict[str, dict[str, int]] = {}
        for name, value in image.fields.items():
            register, part = name.rsplit(".", 1)
            registers.setdefault(register, {})[part] = value
        for register, fields in registers.items():
            await self.bus.set(register, **fields)
        for window, words in image.windows.items():
            await self.bus.load(window, words)

    # -- state -------------------------------------------------------------------------------

    async def save(
        self, order: NDArray[Any], steps: int, codes: NDArray[np.int32] | None = None
    ) -> State:
        """The whole state, as that of the golden model; only the host has ``order`` and ``steps``.

        Every device is read, unless the array's ``codes`` are given.
        """
        windows = {name: np.array(await self.bus.unload(name), np.uint32) for name in SAVED}
        pulses = await self.bus.get_counter("emulator.pulses")
        if codes is None:
            codes = await self.read_codes(range(self.config.geometry.rows))
        return state_of(
            windows,
            registers=self.registers,
            layout=self.layout,
            codes=codes,
            pulses=pulses,
            order=order,
            steps=steps,
        )

    async def read_codes(self, rows: Iterable[int]) -> NDArray[np.int32]:
        """The codes of some rows, int32 (rows, row_devices), by raw READ operations."""
        bus, devices = self.bus, self.config.geometry.row_devices
        command, go, status, result = (
            self.map[name]
            for name in ("raw.command", "control.command", "status.state", "raw.result")
        )
        row_at, device_at = (f.low for f in command.fields if f.name in ("row", "device"))
        raw = next(1 << f.low for f in go.fields if f.name == "raw")
        valid, busy = (
            next(1 << f.low for f in status.fields if f.name == name)
            for name in ("raw_valid", "busy")
        )
        codes = []
        for row in rows:
            for device in range(devices):
                word = Op.READ.value | row << row_at | device << device_at
                await bus.write(command.address, word)
                await bus.write(go.address, raw)
                await Timer(160, "ns")
                while await bus.read(status.address) & (valid | busy) != valid:
                    pass
                codes.append(await bus.read(result.address))
        return np.array(codes, np.int32).reshape(-1, devices)

    async def restore(self, state: State) -> Words:
        """Load ``state`` after a reset; return the words of the state windows."""
        assert self.emulator is not None
        await self.command("reset_state")
        await self.load(first_pulse=first_pulse_of(state))
        words = windows_of(state, self.registers, self.layout)
        for name, values in words.items():
            await self.bus.load(name, values)
        return words

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
        """Run ``steps`` steps of every region; return the reason of the end."""
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
        """Stream the current samples, too."""
        await self.command("flush")
        await self.finished("flush")

    # -- results -----------------------------------------------------------------------------

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
