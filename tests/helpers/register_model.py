"""The IP core as registers: addresses from the hardware's register map, chains from the golden
model."""

from __future__ import annotations

from collections import deque
from typing import Any

import numpy as np

from ohmcarlo.array.emulated import EmulatedArray
from ohmcarlo.boards.memory.layout import Layout
from ohmcarlo.boards.memory.state import windows_of
from ohmcarlo.boards.memory.words import packed
from ohmcarlo.boards.registers.access import RegisterAccess
from ohmcarlo.golden import Controller, EpisodeLikelihood, Registers
from ohmcarlo.spec import Points
from ohmcarlo.spec.link import (
    RECORD_KIND_SHIFT,
    RECORD_PREDICTION,
    RECORD_SAMPLE,
    RECORD_STEP,
    SAMPLE_CURRENT_BIT,
    SAMPLE_HEADER_WORDS,
    SAMPLE_PROPOSAL_BIT,
    STEP_ACCEPTED_SHIFT,
    STEP_REGION_SHIFT,
    STEP_VALID_SHIFT,
    FaultCause,
    Operation,
    Reason,
)
from ohmcarlo_hdl.config import CoreConfig
from ohmcarlo_hdl.regs.map import register_map

WORD = 0xFFFFFFFF
WORDS_OF_A_POLL = 40
"""Words that reach the ring between two looks at it."""
CLOCK_HZ = 100_000_000


class Gate:
    """A proposal that waits for its log-likelihood."""

    def __init__(self, loglik: int) -> None:
        self.loglik = loglik & WORD


class RegisterModel(RegisterAccess):
    """An IP core whose chain is that of ``begin``.

    ``hung``: it does nothing any more. ``given``: log-likelihoods from outside that differ from the
    golden ones. ``missed``: addresses of accesses that found no register.
    """

    name = "the model"

    def __init__(self, config: CoreConfig, array: EmulatedArray) -> None:
        self.config, self.array = config, array
        self.map = register_map(config, emulator=True, ip=True)
        self.words: dict[int, int] = {}
        self.reads: set[int] = set()
        self.writes: set[int] = set()
        self.fields: dict[str, tuple[int, int, int]] = {}
        for register in self.map.registers:
            for field in register.fields:
                self.fields[f"{register.name}.{field.name}"] = (
                    register.address,
                    field.low,
                    field.width,
                )
                self.put(f"{register.name}.{field.name}", field.reset)
            (self.reads if register.readable else set()).add(register.address)
            (self.writes if register.writable else set()).add(register.address)
        for window in self.map.windows:
            places = range(window.address, window.address + 4 * window.words, 4)
            (self.reads if window.readable else set()).update(places)
            (self.writes if window.writable else set()).update(places)
        alone = register_map(config, emulator=True)
        self.put("id.map_hash.value", int(alone.hash[:8], 16))
        self.put("ip.clock_hz.value", CLOCK_HZ)
        self.put("status.state.emulator_idle", 1)
        self.golden: Controller | None = None
        self.queue: deque[int | Gate] = deque()
        self.stream: list[int] = []
        self.active = self.hung = False
        self.given: list[int] = []
        self.halts = 0
        self.missed: list[int] = []
        self.fault_after = -1
        self.cut: list[int] = []  # a word of a cut record, which the reset of the state releases
        self.reason = Reason.DONE

    # -- inspection --------------------------------------------------------------------------
    def get(self, name: str) -> int:
        address, low, width = self.fields[name]
        return self.words.get(address, 0) >> low & ((1 << width) - 1)

    def put(self, name: str, value: int) -> None:
        address, low, width = self.fields[name]
        mask = ((1 << width) - 1) << low
        self.words[address] = self.words.get(address, 0) & ~mask | value << low & mask

    def window(self, name: str, count: int) -> np.ndarray:
        first = self.map.window(name).address
        return np.array([self.words.get(first + 4 * i, 0) for i in range(count)], np.uint32)

    # -- the chain ---------------------------------------------------------------------------
    def begin(
        self, registers: Registers, points: Points, judge: EpisodeLikelihood | None = None
    ) -> Controller:
        """The next chain; returns its golden model."""

        def external(codes: np.ndarray) -> int:
            assert judge is not None
            self.sample(0, 1, 0, codes, 1 << SAMPLE_PROPOSAL_BIT)
            loglik = judge(codes)
            self.queue.append(Gate(loglik))
            return loglik

        array = EmulatedArray(self.array.geometry, self.array.seed)
        self.golden = Controller(registers, array, points, external if judge else None)
        return self.golden

    def show_state(self) -> None:
        """Copy the state of the golden model into the windows."""
        assert self.golden is not None
        found = {name: self.get(f"id.{name}.value") for name in SIZES}
        found["features"] = self.words[self.fields["id.features.phy"][0]]
        golden = self.golden
        state = golden.state_dict()
        for name, words in windows_of(state, golden.registers, Layout.of(found)).items():
            first = self.map.window(name).address
            self.words |= {first + 4 * i: word for i, word in enumerate(words.tolist())}
        self.put("status.state.started", 1)

    def step(self) -> None:
        assert self.golden is not None
        out, _ = self.golden.run(1)
        steps, samples = (int(v) for v in out.cursor)
        for i in range(steps):
            accepted = int(out.accepted[i])
            word = RECORD_STEP << RECORD_KIND_SHIFT | int(out.points[i])
            word |= int(out.chain[i]) << STEP_REGION_SHIFT | accepted << STEP_ACCEPTED_SHIFT
            self.queue.append(word | int(out.valid[i]) << STEP_VALID_SHIFT)
            if accepted:
                self.queue += [int(out.log_posterior[i]) & WORD, 0]
        for i in range(samples):
            self.sample(
                int(out.sample_chain[i]),
                int(out.multiplicity[i]),
                int(out.sample_log_posterior[i]),
                out.codes[i],
            )

    def sample(
        self, region: int, multiplicity: int, posterior: int, codes: Any, flags: int = 0
    ) -> None:
        pairs = packed(np.asarray(codes)).tolist()
        length = SAMPLE_HEADER_WORDS + len(pairs)
        self.queue += [RECORD_SAMPLE << RECORD_KIND_SHIFT | length, region | flags]
        self.queue += [multiplicity, posterior & WORD, 0, *pairs]

    def flush(self) -> None:
        assert self.golden is not None
        state = self.golden.state
        for region in range(len(state.multiplicity)):
            posterior = int(state.loglik[region] + state.prior[region])
            codes, count = state.codes[region], int(state.multiplicity[region])
            self.sample(region, count, posterior, codes, 1 << SAMPLE_CURRENT_BIT)

    def predict(self) -> None:
        assert self.golden is not None
        sums, _ = self.golden._prediction_sums(self.points())
        for total in sums.tolist():
            self.queue.append(RECORD_PREDICTION << RECORD_KIND_SHIFT)
            for value in total:
                self.queue += [value & WORD, value >> 32]

    def points(self) -> Points:
        """The points in the data memory."""
        count, width = self.get("model.points.value"), self.config.point_words
        table = self.window("points", count * width).reshape(count, width)
        inputs = np.ascontiguousarray(table[:, 1:]).view(np.int8)
        return Points(
            inputs[:, : self.get("model.features.value")].copy(),
            (table[:, 0] >> 16 & 3).astype(np.uint8),
            (table[:, 0] & 0xFFFF).astype(np.uint16).view(np.int16),
        )

    # -- commands ----------------------------------------------------------------------------
    def command(self, name: str) -> None:
        handler = getattr(self, f"do_{name}", None)
        if handler is not None:
            handler()

    def do_start(self) -> None:
        assert self.golden is not None
        self.golden.start()
        self.show_state()
        self.activate()

    def do_run(self) -> None:
        steps = self.get("control.steps.value")
        for _ in range(steps // self.get("model.regions.value")):
            self.step()
        self.put("status.steps_done.value", steps)
        self.show_state()
        self.activate()

    def do_flush(self) -> None:
        self.flush()
        self.activate()

    def do_predict(self) -> None:
        self.predict()
        self.activate()

    def do_halt(self) -> None:
        self.halts += 1
        self.queue.clear()

    def do_off(self) -> None:
        self.put("status.state.fault", 1)
        self.put("status.state.fault_cause", FaultCause.OFF)

    def do_clear_fault(self) -> None:
        self.put("status.state.bus_error", 0)

    def do_reset_state(self) -> None:
        for name in ("started", "fault", "fault_cause", "alarm"):
            self.put(f"status.state.{name}", 0)
        self.queue.extend(self.cut)
        self.cut.clear()
        self._fill_ring()

    def do_external(self) -> None:
        gate = self.queue.popleft()
        assert isinstance(gate, Gate)
        given = self.get("control.external_loglik.value")
        if given != gate.loglik:
            self.given.append(given)
        self.put("status.state.waiting_external", 0)

    def do_raw(self) -> None:
        row, device = self.get("raw.command.row"), self.get("raw.command.device")
        one = np.array([device], np.int32)
        operation = self.get("raw.command.op")
        if operation == Operation.RESET:
            self.array.reset(row)
        elif operation == Operation.SET:
            self.array.program(row, one, np.array([self.get("raw.dac.value")], np.int32))
        else:
            self.put("raw.result.value", int(self.array.read(row, one)[0]))

    def activate(self) -> None:
        self.active = True
        self.put("status.state.busy", 1)
        self.put("status.state.reason", self.reason)

    def pump(self) -> None:
        """Some words of the records reach the ring; the command ends after the last one."""
        if self.hung or not self.active:
            return
        if self.get("records.options.to_stream"):
            self.stream += [int(word) for word in self.queue]  # type: ignore[arg-type]
            self.queue.clear()
        self._fill_ring()
        if self.queue and isinstance(self.queue[0], Gate):
            self.put("status.state.waiting_external", 1)
        if not self.queue:
            self.active = False
            self.put("status.state.busy", 0)
            self.put("interrupt.cause.run_ended", 1)

    def _fill_ring(self) -> None:
        received, ring = self.get("records.received.value"), self.map.window("records_ring")
        for _ in range(WORDS_OF_A_POLL):
            full = received - self.get("records.taken.value") & WORD == ring.words
            if not self.queue or full or isinstance(self.queue[0], Gate):
                break
            self.words[ring.address + 4 * (received % ring.words)] = int(self.queue.popleft())  # type: ignore[arg-type]
            received = received + 1 & WORD
            self.fault_after -= 1
            if self.fault_after == 0:
                self.cut = [int(self.queue[0])]  # type: ignore[arg-type]
                self.queue.clear()
                self.do_off()
        self.put("records.received.value", received)

    # -- accesses ----------------------------------------------------------------------------
    def reach(self, size: int) -> None:
        pass

    def read(self, address: int) -> int:
        self.pump()
        if address not in self.reads:
            self.miss(address)
            return 0
        return self.words.get(address, 0)

    def write(self, address: int, value: int) -> None:
        assert 0 <= value <= WORD
        if address not in self.writes:
            self.miss(address)
            return
        self.words[address] = value
        if address == self.fields["control.command.run"][0]:
            for name, (at, low, _) in self.fields.items():
                if at == address and value >> low & 1:
                    self.command(name.rpartition(".")[2])
        if address == self.fields["interrupt.clear.run_ended"][0]:
            for cause in ("run_ended", "fault", "alarm", "data_error"):
                if self.get(f"interrupt.clear.{cause}"):
                    self.put(f"interrupt.cause.{cause}", 0)

    def miss(self, address: int) -> None:
        self.missed.append(address)
        self.put("status.state.bus_error", 1)

    def wait(self, seconds: float) -> None:
        pass

    def close(self) -> None:
        pass


SIZES = (
    "rows",
    "pairs",
    "entropy_pairs",
    "access_bits",
    "tile_pairs",
    "dot_bits",
    "dot_shift",
    "max_points",
    "max_group_rows",
    "max_regions",
)
