"""A controller that is driven by its registers, as the firmware of a board drives its own."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import OhmcarloError
from ...golden import EpisodeLikelihood, Thresholds, Triage, triage_of
from ...golden.cartpole import episode_steps
from ...spec import DAC_MAX
from ...spec.cartpole import POLICY_INPUTS
from ...spec.link import (
    FIELDS,
    THRESHOLD_BITS,
    WINDOWS,
    Command,
    Message,
    Operation,
    Status,
)
from ...spec.register_map import WORD_BYTES, Field, Window
from ..controller import OPERATION, Controller, Finished, Refused, Words
from ..link.transport import LINK_TIMEOUT_S
from ..memory.layout import Layout
from ..memory.words import unpacked
from ..records.decode import Records
from ..streamed import Feeder
from .access import RegisterAccess
from .core import Core
from .model import judge_fits, model_fits, model_of, samples_in_array
from .progress import Waiting
from .records import RecordSource, Ring

WORD = 0xFFFFFFFF
REJECTED = 1 << 31
"""The least log-likelihood: a proposal that has it is rejected."""
LONG = {
    Command.START: "start",
    Command.RUN: "run",
    Command.FLUSH: "flush",
    Command.PREDICT: "predict",
    Command.TRIAGE: "predict",
}
SHORT = {
    Command.HALT: "halt",
    Command.CLEAR_FAULT: "clear_fault",
    Command.OFF: "off",
    Command.EMULATOR_RESTART: "emulator_restart",
    Command.RESET_STATE: "reset_state",
}
WHILE_IDLE = (Command.EMULATOR_RESTART, Command.RESET_STATE)
CAUSES = ("run_ended", "record_waiting", "fault", "alarm")
"""Causes of the interrupt that a waiting program needs."""
LATCHED = dict.fromkeys(("run_ended", "fault", "alarm"), 1)
STILL_POLLS = 2
"""Words of a record may still be on their way when its proposal waits. The record is complete after
so many polls without a new word."""
MODEL_OF_A_CHAIN = "model."
CHANGES_ANY_TIME = "model.points.value"
Source = Callable[[Core], RecordSource | None]


class RegisterController(Controller):
    """A core on a memory-mapped bus.

    Commands are checked as the firmware checks them. Episodes and triage, which the processor of a
    board computes, are computed here, in the same integers.

    Parameters
    ----------
    access : RegisterAccess
        Closed by ``close``.
    place : str
        Where the core is, for messages.
    timeout_s : float
        Time without any progress after which the core is regarded as lost.
    clock : callable
        Seconds, monotonic.
    stream : callable, optional
        Makes the source of the records of a core; where it returns None, they come from the ring.
    feeder : Feeder, optional
        Source of the data stream of the core.
    """

    def __init__(
        self,
        access: RegisterAccess,
        place: str,
        timeout_s: float = LINK_TIMEOUT_S,
        clock: Callable[[], float] = time.monotonic,
        stream: Source | None = None,
        feeder: Feeder | None = None,
    ) -> None:
        self.feeder = feeder
        self._access = access
        self._place = place
        self._timeout_s = timeout_s
        self._clock = clock
        self._stream_of = stream
        self._judge: EpisodeLikelihood | None = None
        self._words: list[Words] = []
        self._under_way = False  # a long command was given, and its end was not seen
        self._triage: Triage | None = None

    @property
    def place(self) -> str:
        return self._place

    @property
    def record_room(self) -> int | None:
        return None if self._stream is None else self._stream.room

    # -- a session -----------------------------------------------------------------------------

    def open(self) -> dict[str, int]:
        self.core = core = Core(self._access, self._place)
        self._ring = Ring(core)
        self._stream: RecordSource | None = None
        core.command("clear_fault")  # a bus error of another program
        self._quiet()
        if self._stream_of is not None:
            self._stream = self._stream_of(core)
        if core.access.interrupts:
            core.put("interrupt.threshold", value=self._ring.words // 2)
            core.put("interrupt.enable", **dict.fromkeys(CAUSES, 1))
        found = {
            **core.constants,
            "map_hash": core.constants["id_map_hash"],
            "design_hash": core.get("ip.design_hash.value"),
            "clock_hz": core.get("ip.clock_hz.value"),
            "clocks": core.counter("counters.clocks"),
            "simulated": 0,
        }
        self._layout = Layout.of(found)
        return found

    def _quiet(self) -> None:
        """End whatever an earlier program began."""
        core, waiting = self.core, self._waiting()
        while (state := core.state())["busy"]:
            core.command("halt")
            if state["waiting_external"]:
                self._give_external(REJECTED)
            self._ring.drop()
            waiting.pause()
        self._ring.select()
        self._ring.drop()

    def _waiting(self, for_interrupts: bool = False) -> Waiting:
        return Waiting(self.core, self._clock, self._timeout_s, for_interrupts)

    def close(self) -> None:
        try:
            if self._under_way:
                self.core.command("halt")
        finally:
            self._access.close()

    # -- fields --------------------------------------------------------------------------------

    def write(self, fields: Mapping[str, int]) -> None:
        for name, value in fields.items():
            field = self._field(Message.WRITE, name)
            if not field.writable:
                raise Refused(Message.WRITE, Status.UNKNOWN_NAME)
            if not 0 <= value <= field.mask:
                raise Refused(Message.WRITE, Status.OUT_OF_RANGE)
        fixed = any(n.startswith(MODEL_OF_A_CHAIN) and n != CHANGES_ANY_TIME for n in fields)
        if self._idle(Message.WRITE)["started"] and fixed:
            raise Refused(Message.WRITE, Status.STARTED)
        self.core.set(fields)

    def read(self, names: Sequence[str]) -> dict[str, int]:
        for name in names:
            if not self._field(Message.READ, name).readable:
                raise Refused(Message.READ, Status.UNKNOWN_NAME)
        return {name: self.core.get(name) for name in names}

    def _field(self, message: Message, name: str) -> Field:
        field = self.core.map.fields.get(name)
        if field is None or name not in FIELDS:
            raise Refused(message, Status.UNKNOWN_NAME)
        return field

    def _idle(self, message: Message) -> dict[str, int]:
        """The state of the controller; Refused while it is busy."""
        state = self.core.state()
        if state["busy"]:
            raise Refused(message, Status.BUSY)
        return state

    # -- windows -------------------------------------------------------------------------------

    def load(self, window: str, words: Words, first: int = 0) -> None:
        place = self._window(Message.LOAD, window, first, len(words))
        if not place.writable:
            raise Refused(Message.LOAD, Status.UNKNOWN_NAME)
        self._idle(Message.LOAD)
        self._access.write_words(place.address + WORD_BYTES * first, words)

    def unload(self, window: str, count: int, first: int = 0) -> Words:
        place = self._window(Message.UNLOAD, window, first, count)
        if not place.readable:
            raise Refused(Message.UNLOAD, Status.UNKNOWN_NAME)
        self._idle(Message.UNLOAD)
        return self._access.read_words(place.address + WORD_BYTES * first, count)

    def _window(self, message: Message, name: str, first: int, count: int) -> Window:
        window = self.core.map.windows.get(name)
        if window is None or name not in WINDOWS:
            raise Refused(message, Status.UNKNOWN_NAME)
        if not 0 <= first <= first + count <= window.words:
            raise Refused(message, Status.OUT_OF_RANGE)
        return window

    # -- the array -----------------------------------------------------------------------------

    def operate(self, operations: NDArray[Any]) -> NDArray[np.uint16]:
        items = np.asarray(operations, OPERATION)
        known = np.isin(items["operation"], tuple(Operation))
        inside = (items["row"] < self._layout.rows) & (items["device"] < 2 * self._layout.pairs)
        if not known.all():
            raise Refused(Message.OPERATE, Status.UNKNOWN_NAME)
        if not (inside & (items["dac"] <= DAC_MAX) & (items["zero"] == 0)).all():
            raise Refused(Message.OPERATE, Status.OUT_OF_RANGE)
        return self._operate(Message.OPERATE, items)

    def read_rows(self, rows: Sequence[int], first: int, devices: int) -> NDArray[np.uint16]:
        count, width = self._layout.rows, 2 * self._layout.pairs
        if any(not 0 <= row < count for row in rows) or not 0 <= first < first + devices <= width:
            raise Refused(Message.READ_ROW, Status.OUT_OF_RANGE)
        items = np.zeros((len(rows), devices), OPERATION)
        items["operation"] = Operation.READ
        items["row"] = np.asarray(rows, np.uint16)[:, None]
        items["device"] = first + np.arange(devices)
        return self._operate(Message.READ_ROW, items.ravel()).reshape(len(rows), devices)

    def _operate(self, message: Message, items: NDArray[Any]) -> NDArray[np.uint16]:
        if self.core.state()["fault"]:
            raise Refused(message, Status.FAULT)
        self._idle(message)
        codes = []
        for operation, _, row, device, dac in items.tolist():
            self.core.put("raw.dac", value=dac)
            self.core.put("raw.command", op=operation, row=row, device=device)
            self.core.command("raw")
            waiting = self._waiting()
            while (state := self.core.state())["busy"] and not state["fault"]:
                waiting.pause()
            if state["fault"]:
                raise Refused(message, Status.FAULT)
            if operation == Operation.READ:
                codes.append(self.core.get("raw.result.value") & 0xFFFF)
        return np.array(codes, np.uint16)

    # -- commands ------------------------------------------------------------------------------

    def command(self, command: Command, argument: int = 0) -> None:
        if command == Command.EXTERNAL:
            if self._judge is not None or not self.core.state()["waiting_external"]:
                raise Refused(Message.COMMAND, Status.NOT_STARTED)
            self._give_external(argument)
        elif command in SHORT:
            if command in WHILE_IDLE:
                self._idle(Message.COMMAND)
            self.core.command(SHORT[command])
            if command == Command.EMULATOR_RESTART:
                self._wait_for_emulator()
        else:
            raise Refused(Message.COMMAND, Status.UNKNOWN_NAME)

    def _wait_for_emulator(self) -> None:
        waiting = self._waiting()
        while self._layout.emulator and not self.core.state()["emulator_idle"]:
            waiting.pause()

    def _give_external(self, loglik: int) -> None:
        self.core.set({"control.external_loglik.value": loglik & WORD})
        self.core.command("external")

    def settle(self) -> None:
        self._quiet()
        self._under_way = False
        if self._stream is not None:
            self._stream.drop()
        self._words.clear()

    def execute(self, command: Command, argument: int = 0) -> Finished:
        model = self._check(command)
        samples = samples_in_array(self.core, model) if command == Command.TRIAGE else 0
        if command == Command.RUN:
            self.core.set({"control.steps.value": argument})
        source = self._source(command)
        source.begin()
        self.core.put("interrupt.clear", **LATCHED)
        self._under_way = True
        self.core.command(LONG[command])
        words = self._wait(source)
        ended = self._finished()
        self._under_way = False
        if ended.fault:  # its last record is incomplete
            source.drop()
        else:
            words.append(source.end(some=command != Command.RUN or ended.steps_done > 0))
        if command == Command.TRIAGE and not ended.fault:
            self._decide(np.concatenate(words), samples, argument)
        else:
            self._words += words
        return ended

    def _check(self, command: Command) -> dict[str, int]:
        """The model in the registers; Refused unless a long command can start now."""
        if command not in LONG:
            raise Refused(Message.COMMAND, Status.UNKNOWN_NAME)
        model = model_of(self.core)
        predicts = LONG[command] == "predict"
        fits = model_fits(model, self._layout, predicts)
        fits &= self._judge is None or judge_fits(self.core, model)
        if not fits or (predicts and not model["points"]):
            raise Refused(Message.COMMAND, Status.OUT_OF_RANGE)
        state = self.core.state()
        if state["fault"]:
            raise Refused(Message.COMMAND, Status.FAULT)
        if state["busy"]:
            raise Refused(Message.COMMAND, Status.BUSY)
        if command != Command.START and (state["alarm"] or not state["started"]):
            raise Refused(Message.COMMAND, Status.NOT_STARTED)
        return model

    def _source(self, command: Command) -> RecordSource:
        """A start streams no records, and a judge needs those of proposals at once: both use the
        ring."""
        if self._stream is None or self._judge is not None or command == Command.START:
            source: RecordSource = self._ring
        else:
            source = self._stream
        source.select()
        return source

    def _wait(self, source: RecordSource) -> list[Words]:
        """Words of the command until it has ended."""
        words: list[Words] = []
        waiting, still = self._waiting(self._judge is None), 0
        while True:
            ended = self.core.get("interrupt.cause.run_ended")
            found = source.poll()
            if len(found):
                words.append(found)
                waiting.moved()
                still = 0
            if ended:
                return words
            state = self.core.state()
            if state["fault"] and not state["busy"]:  # a part of a record may be left
                return words
            if self._judge is not None and state["waiting_external"] and not len(found):
                still += 1
                if still >= STILL_POLLS:
                    self._give_external(self._judged(words))
                    still = 0
                continue
            if not len(found):
                waiting.pause()

    def _judged(self, words: list[Words]) -> int:
        """The log-likelihood of the proposal whose record is the last one."""
        assert self._judge is not None
        last = np.concatenate(words[-POLICY_INPUTS:])[-POLICY_INPUTS:]
        return self._judge(unpacked(last.astype(np.int64)))

    def _finished(self) -> Finished:
        state = self.core.state()
        return Finished(
            reason=state["reason"],
            alarm=state["alarm"],
            fault=state["fault"],
            fault_cause=state["fault_cause"],
            steps_done=self.core.get("status.steps_done.value"),
            clocks=self.core.counter("counters.clocks"),
        )

    def take_records(self) -> Words:
        words = np.concatenate([np.zeros(0, np.uint32), *self._words])
        self._words.clear()
        return words

    # -- what the processor of a board computes ------------------------------------------------

    def _decide(self, words: Words, samples: int, argument: int) -> None:
        thresholds = Thresholds(argument & (1 << THRESHOLD_BITS) - 1, argument >> THRESHOLD_BITS)
        self._triage = triage_of(Records(words).predictions(), samples, thresholds)

    def triaged(self, points: int) -> Triage:
        found, self._triage = self._triage, None
        if found is None or len(found.answers) != points:
            raise OhmcarloError(f"no triage over {points} points was made at {self._place}")
        return found

    def judge(self, judge: EpisodeLikelihood | None) -> None:
        self._idle(Message.POLICY)
        self._judge = judge

    def episodes(self, weights: Sequence[int], seed: int, first: int, episodes: int) -> list[int]:
        steps: list[int] = episode_steps(weights, seed, first, episodes).tolist()
        return steps
