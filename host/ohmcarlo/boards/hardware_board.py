"""A real or simulated board: a controller with its array, behind a link or on a bus."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from .. import __version__
from ..array.base import Array, Ledger
from ..array.emulated import EmulatedArray
from ..array.read_noise import ARRAY, CODES
from ..diagnostics import min_entropy_mcv
from ..errors import OhmcarloError, UsageError
from ..golden import (
    EntropyAlarm,
    EpisodeLikelihood,
    Registers,
    Thresholds,
    Triage,
    check_order,
    joined,
    moments,
    require_summable,
)
from ..golden.machine import STEPS, build_state
from ..progress import counted
from ..spec import SYMBOL_BITS, Points, link
from ..spec.link import PREDICTION_WORDS, Command, FaultCause, Reason
from .base import Block, require_reloadable
from .controller import Controller, Finished
from .integrity import check_fields, check_log_posteriors, check_window
from .memory.identity import (
    behind_a_board,
    describe,
    require_array,
    require_behind,
    require_compatible,
    require_fit,
)
from .memory.image import (
    LASTING,
    TABLES,
    Image,
    Words,
    controller_image,
    data_image,
    emulator_image,
    streamed_words,
)
from .memory.layout import Layout
from .memory.state import (
    BOARD_COUNTERS,
    REGION_WORDS,
    SAVED,
    check_board_state,
    counters_of,
    first_pulse_of,
    sizes,
    state_of,
    windows_of,
)
from .raw_array import RawArray
from .records.decode import Records
from .records.stream import ChainStream
from .records.tally import Tally
from .streamed import Streamed, require_own_order

log = logging.getLogger(__name__)
Result = TypeVar("Result")
MAX_STEPS = (1 << 32) - 1  # of one command
RING_WORDS = 1000  # of records that a simulated board may hold, somewhat less than its ring


class HardwareBoard:
    """``Board`` over a controller.

    Parameters
    ----------
    controller : Controller
        Opened here, and closed by ``close``.
    array : EmulatedArray or Die
        The emulated array that is loaded into the board, or the description of its die.
    name : str
        Name of the backend, as the user gave it.
    check : bool
        Compare what the board streams, its settings and its tables with what they must be
        (``integrity``).
        A model of the hardware that streams arbitrary samples cannot pass.

    Raises OhmcarloError if no controller of this version answers, UsageError for another array. The
    controller is then closed.
    """

    def __init__(self, controller: Controller, array: Array, name: str, check: bool = True) -> None:
        self.name = name
        self._check = check
        self.remote = controller
        self.place = controller.place
        try:
            self.array = behind_a_board(array, self.place)
            self.identification = controller.open()
            require_compatible(self.identification, self.place)
            self.layout = Layout.of(self.identification)
            require_behind(self.array, self.layout, self.place)
            log.debug("board at %s: %s", self.place, self.identification)
        except BaseException:
            controller.close()
            raise
        self.geometry = array.geometry
        self.pseudo_random = self.layout.emulator
        self.dot_products: tuple[str, ...] = (ARRAY, CODES) if self.layout.digital else (ARRAY,)
        self._configured: ChainStream | None = None
        self._points = Points.of(np.zeros((0, 1), np.int8))
        self._order = np.zeros(0, np.int32)
        self._steps = 0
        self._fields: dict[str, int] = {}
        """Fields that were written, for the comparison with the board."""
        self._lasting: dict[str, Words] = {}
        """Windows of ``LASTING`` that were loaded; the tables for the same comparison."""
        self._begun = False
        """Whether the chain was started, or the state of a chain was loaded."""
        self._waiting = 0
        """Regions without a first sample."""
        self.board_clocks = self.identification["clocks"]
        """Clocks of the whole board since power-up, at the end of the last long command. They
        include the work of the processor."""

    @property
    def registers(self) -> Registers:
        """The configuration of the board; raises UsageError before ``configure``."""
        return self._stream.registers

    @property
    def _stream(self) -> ChainStream:
        if self._configured is None:
            raise UsageError("the board is not configured: call configure() first")
        return self._configured

    @property
    def clock_hz(self) -> int:
        return self.identification["clock_hz"]

    def clock_cycles(self) -> int:
        return self.remote.read_counters(["counters.clocks"])["counters.clocks"]

    def identify(self) -> dict[str, Any]:
        return {
            "backend": self.name,
            "version": __version__,
            "array": self.array.name,
            "rows": self.layout.rows,
            "pairs": self.layout.pairs,
            **describe(self.identification),
        }

    def close(self) -> None:
        try:
            if self.remote.feeder is not None:
                self.remote.feeder.stop()
        finally:
            self.remote.close()

    # -- loading -------------------------------------------------------------------------------

    def configure(
        self, registers: Registers, points: Points, judge: EpisodeLikelihood | None = None
    ) -> None:
        self._require(registers, points)
        judged = judge is not None
        image = self._image(registers, points, judged)
        self._fields, self._lasting = {}, {}
        self._stop_feeding()
        self.remote.command(Command.RESET_STATE)  # the model of a started chain is fixed
        self._load(image)
        self.remote.judge(judge)
        self._load_array()
        self._new_chain(registers, points, judged)
        self._feed()
        self.geometry = registers.geometry

    def _image(self, registers: Registers, points: Points, judged: bool = False) -> Image:
        geometry, room = self.layout.geometry, self.layout.max_points
        return controller_image(registers, points, self.array, geometry, judged, room)

    # -- points beyond the memory ----------------------------------------------------------------

    @property
    def streamed(self) -> Streamed | None:
        room = self.layout.max_points
        if len(self._points) <= room:
            return None
        return Streamed.of(len(self._points), room, self.layout.geometry)

    def _feed(self) -> None:
        """Repeat the points of the chain that are not in the memory."""
        if self.streamed is not None and self.remote.feeder is not None:
            room, geometry = self.layout.max_points, self.layout.geometry
            self.remote.feeder.feed(streamed_words(self._points, room, geometry))

    def _stop_feeding(self) -> None:
        """Before ``model.points`` changes: the core stores other words in its memory."""
        if self.streamed is not None and self.remote.feeder is not None:
            self.remote.feeder.stop()

    def reload(self, registers: Registers, points: Points) -> None:
        require_reloadable(self._stream.judged)
        registers.require_array_of(self.registers)
        self._require(registers, points)
        rest = registers.without_rows(self.retired_rows())
        image = self._image(rest, points)
        before = self.ledger.state_dict()
        size = sizes(self.layout)["state_counters"]
        counters = self.remote.unload("state_counters", size)
        self._stop_feeding()
        self.remote.command(Command.RESET_STATE)  # the model of a started chain is fixed
        self._load(image, but=self._lasting)
        self.remote.command(Command.RESET_STATE)  # reads the rows out of service
        self.remote.load("state_counters", counters)  # the array has lived on
        self._new_chain(rest, points, judged=False)
        self._feed()
        self._stream.tally.goes_on(before, *self._counted())

    def _require(self, registers: Registers, points: Points) -> None:
        """Raise UsageError unless registers and points fit the board and each other."""
        fed = self.remote.feeder is not None
        require_fit(registers, points, self.layout, self.place, fed)
        require_summable(points)
        if len(points) and points.features != registers.features:
            raise UsageError(
                f"the points have {points.features} inputs, the registers are set for "
                f"{registers.features}"
            )

    def _new_chain(self, registers: Registers, points: Points, judged: bool) -> None:
        self._points = points
        self._order = np.arange(len(points), dtype=np.int32)
        self._steps = 0
        self._begun, self._waiting = False, registers.geometry.regions
        self._configured = ChainStream(registers, self.array, judged, self._check)

    def _write(self, fields: Mapping[str, int]) -> None:
        self._fields |= fields
        self.remote.write(fields)

    def _load(self, image: Image, but: Mapping[str, Words] | None = None) -> None:
        """Load fields and windows, except the windows that hold the words of ``but`` already."""
        there = but or {}
        self._write(image.fields)
        for window, words in image.windows.items():
            if window in there and np.array_equal(there[window], words):
                continue
            self.remote.load(window, words)
            if window in LASTING:
                self._lasting[window] = words

    def _load_array(self) -> None:
        """Load the state of the twin into the emulator; a die is not loaded."""
        if isinstance(self.array, EmulatedArray):
            self._load(emulator_image(self.array, int(self.array.state.counter[0])))
        self.remote.load("state_wear", np.zeros(self.layout.rows, np.uint32))  # survives a reset
        self._forget()

    def _forget(self) -> None:
        """Restore the power-up state. The next pulse of the emulator is its first one."""
        for command in (Command.CLEAR_FAULT, Command.RESET_STATE):
            self.remote.command(command)
        if not self.layout.emulator:
            return
        self.remote.command(Command.EMULATOR_RESTART)
        while not self.remote.read_one("status.state.emulator_idle"):
            pass

    def set_order(self, order: NDArray[np.int32]) -> None:
        check_order(order, len(self._points))
        room = self.layout.max_points
        require_own_order(order, room, self.place)
        self.remote.load("order", order[:room].astype(np.uint32))
        self._order = order.astype(np.int32)

    # -- running -------------------------------------------------------------------------------

    def start(self) -> None:
        self.remote.take_records()  # of an interrupted run
        self._begun = True
        ended = self._execute(Command.START)
        if ended.alarm:
            raise EntropyAlarm(
                "the coin failed its start-up health test: the entropy devices do not vary; "
                "run `ohmcarlo characterize` on this array"
            )
        if ended.reason == Reason.NO_ROWS:
            raise OhmcarloError(
                f"a region has no working rows left: {len(self.retired_rows())} row groups are "
                "out of service"
            )
        self._stream.tally.note_evaluated(self._waiting * len(self._points))
        regions = self._read_current()
        if self._waiting == len(regions):
            wear = self.remote.unload("state_wear", self.layout.rows)
            first_rows = regions[:, link.REGION_CURRENT_ROW] & 0xFFFF
            self._stream.tally.note_start(wear, first_rows.tolist())
        self._waiting = 0

    def _execute(self, command: Command, argument: int = 0) -> Finished:
        """Execute a long command; raises OhmcarloError after a fault."""
        ended = self.remote.execute(command, argument)
        self.board_clocks = ended.clocks
        if ended.fault:
            known = ended.fault_cause in FaultCause._value2member_map_
            cause = FaultCause(ended.fault_cause).name if known else str(ended.fault_cause)
            if ended.fault_cause == FaultCause.WRONG_POINTS:
                raise OhmcarloError(
                    f"the data stream of {self.place} had a pass with the wrong number of words: "
                    "the last steps have no meaning; check its source, then resume the run"
                )
            raise OhmcarloError(
                f"the sequencer of {self.place} has stopped ({cause.lower().replace('_', ' ')}) "
                "and switched everything off: check the array, then resume the run"
            )
        return ended

    def _read_current(self) -> NDArray[np.int64]:
        """Note the current samples; returns the words of state_regions."""
        regions = self._regions().astype(np.int64)
        self._stream.log_posterior[:] = (
            regions[:, link.REGION_LOGLIK] + regions[:, link.REGION_PRIOR]
        )
        self._stream.multiplicity[:] = regions[:, link.REGION_MULTIPLICITY]
        return regions

    def _regions(self) -> NDArray[np.int32]:
        """The words of state_regions for the regions in use, signed."""
        regions = self.registers.geometry.regions
        words = self.remote.unload("state_regions", REGION_WORDS * regions)
        return words.view(np.int32).reshape(regions, REGION_WORDS)

    def run(self, steps: int) -> Block:
        total, count = steps * self.registers.geometry.regions, 0
        room = self._record_room
        part = MAX_STEPS if room is None else self._stream.steps_within(room)
        while True:
            ended = self._execute(Command.RUN, min(part, total - count))
            count += ended.steps_done
            if count == total or ended.reason != Reason.DONE:
                break
        self._steps += count
        block = self._stream.block(self.remote.take_records(), count, ended.reason)
        self._check_samples(block.codes, block.sample_log_posterior)
        return block

    @property
    def _record_room(self) -> int | None:
        """Words of records that a command may have; None if unlimited. A simulated board that waits
        for the host to take its records costs time: they have to fit into its ring."""
        return RING_WORDS if self.identification["simulated"] else self.remote.record_room

    def _check_samples(self, codes: NDArray[np.uint16], log_posterior: NDArray[np.int64]) -> None:
        """Compare streamed log-posteriors with those of the codes, where the host can compute
        them."""
        exact = self.array.exact_dot or self.registers.digital
        if self._check and exact and not self._stream.judged:
            check_log_posteriors(self.registers, self._points, codes, log_posterior)

    def current(self) -> tuple[NDArray[np.uint16], NDArray[np.int32], NDArray[np.int64]]:
        self._execute(Command.FLUSH)
        found = Records(self.remote.take_records()).samples(self.registers.sample_devices)
        by_region = np.argsort(found.region, kind="stable")
        self._check_samples(found.codes, found.log_posterior)
        return (
            found.codes[by_region],
            found.multiplicity[by_region],
            found.log_posterior[by_region],
        )

    # -- prediction ----------------------------------------------------------------------------

    def predict(self, points: Points) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        sums = self._in_parts(points, self._predict_part)
        return moments(np.concatenate(sums), self._evaluated(points))

    def _evaluated(self, points: Points) -> int:
        """Number of samples; their accesses of the array are counted."""
        held = self._held()
        self._stream.tally.note_evaluated(len(points) * len(held))
        return int(held.sum())

    def _check_inputs(self, points: Points) -> None:
        if points.features != self.registers.features:
            raise UsageError(
                f"the points have {points.features} inputs, the registers are set for "
                f"{self.registers.features}"
            )

    def _in_parts(self, points: Points, work: Callable[[int], Result]) -> list[Result]:
        """Results of ``work(count)`` on points in parts that fit the data memory. Parts replace the
        points of the chain meanwhile."""
        self._check_inputs(points)
        room, results = self._points_of_a_part(), []
        if points is self._points and len(points) <= room:
            return [work(len(points))]
        self._stop_feeding()
        try:
            with counted(len(points), "predicting on the board", "points") as done:
                for first in range(0, len(points), room):
                    part = slice(first, first + room)
                    self._load_points(points.part(part))
                    results.append(work(len(points.labels[part])))
                    done(min(first + room, len(points)))
        except BaseException as error:
            with suppress(Exception):  # the first error has the cause
                if isinstance(error, KeyboardInterrupt):
                    self.remote.settle()
                self._restore_points()
            raise
        self._restore_points()
        return results

    def _restore_points(self) -> None:
        """Load the points of the chain again, which a prediction replaced."""
        self._load_points(self._points)
        self._feed()

    def _points_of_a_part(self) -> int:
        words = self.remote.record_room
        if words is None:
            return self.layout.max_points
        return min(self.layout.max_points, words // (1 + PREDICTION_WORDS))

    def _predict_part(self, points: int) -> NDArray[np.int64]:
        self._execute(Command.PREDICT)
        return Records(self.remote.take_records()).predictions()

    def triage(self, points: Points, thresholds: Thresholds) -> Triage:
        parts = self._in_parts(points, lambda count: self._triage_part(count, thresholds))
        self._evaluated(points)
        return joined(parts)

    def _triage_part(self, points: int, thresholds: Thresholds) -> Triage:
        self._execute(Command.TRIAGE, thresholds.argument)
        return self.remote.triaged(points)

    def _load_points(self, points: Points) -> None:
        image = data_image(points, self.layout.geometry, room=self.layout.max_points)
        self._write(image.fields)
        self.remote.load("points", image.windows["points"])

    def _held(self) -> NDArray[np.int64]:
        """Multiplicities of all samples in the array, the current ones last."""
        held = self.remote.unload("state_held", self.layout.rows)[self._first_rows()]
        current = self._regions()[:, link.REGION_MULTIPLICITY]
        return np.concatenate([held[held > 0], current]).astype(np.int64)

    def _first_rows(self) -> list[int]:
        geometry = self.registers.geometry
        return [geometry.group_row(group) for group in range(geometry.groups)]

    # -- status --------------------------------------------------------------------------------

    def entropy(self) -> dict[str, Any]:
        words = self.remote.unload("state_coin", 16).astype(np.int64)
        per_symbol = min_entropy_mcv(words[8 : 8 + (1 << SYMBOL_BITS)])
        return {
            "min_entropy": per_symbol / SYMBOL_BITS,
            "alarms": int(words[3]),
            "raw_bits": int(words[5] << 32 | words[4]),
        }

    def link_statistics(self) -> dict[str, int] | None:
        return self.remote.link_statistics()

    def retired_rows(self) -> list[int]:
        if not self._begun:  # a board reads the map of bad rows at the start
            bad = build_state(self.registers).bad
            return [row for row, out in zip(self._first_rows(), bad, strict=True) if out]
        groups = self.remote.unload("state_groups", self.layout.rows)
        return [row for row in self._first_rows() if groups[row] & 1]

    @property
    def ledger(self) -> Ledger:
        """Counted by the board where it has a counter, otherwise estimated (``tally``)."""
        if self._configured is None:
            return self.array.ledger
        return self._stream.tally.ledger(*self._counted())

    def _counted(self) -> tuple[dict[str, int], Words]:
        """What the board counts for the ledger."""
        counters = self.remote.read_counters([f"counters.{n}" for n in Tally.COUNTED])
        return counters, self.remote.unload("state_wear", self.layout.rows)

    # -- checkpoints ---------------------------------------------------------------------------

    def state_dict(self) -> dict[str, NDArray[Any]]:
        self._check_settings()
        size = sizes(self.layout)
        windows = {name: self.remote.unload(name, size[name]) for name in SAVED}
        codes, pulses = np.zeros((self.layout.rows, 2 * self.layout.pairs), np.int32), 0
        if isinstance(self.array, EmulatedArray):
            # rows without a sample are RESET before their next use
            codes = self.array.reset_codes()
            pulses = self.remote.read_counters(["emulator.pulses"])["emulator.pulses"]
        state = state_of(
            windows,
            registers=self.registers,
            layout=self.layout,
            codes=codes,
            pulses=pulses,
            order=self._order,
            steps=self._steps,
            ledger=self.ledger,
        )
        self._stream.held.put(state)
        self._stream.tally.put(state)
        return state

    def _check_settings(self) -> None:
        """Read settings and tables back, and compare them with what was written."""
        if not self._check:
            return
        check_fields(self._fields, self.remote.read(list(self._fields)))
        for name in TABLES:
            if (words := self._lasting.get(name)) is not None:
                check_window(name, words, self.remote.unload(name, len(words)))

    def counters(self) -> dict[str, NDArray[Any]]:
        name = "state_counters"
        words = self.remote.unload(name, sizes(self.layout)[name])
        found: dict[str, NDArray[Any]] = {BOARD_COUNTERS: counters_of(words)}
        self._stream.tally.put(found)
        return found

    def load_state_dict(self, state: dict[str, NDArray[Any]]) -> None:
        if self.layout.phy:
            raise UsageError(
                f"a chain on the die at {self.place} cannot be taken up again: its samples are in "
                "devices that were programmed since; start a new run"
            )
        check_board_state(state, self.registers, len(self._points), self.layout)
        require_own_order(state["controller.order"], self.layout.max_points, self.place)
        self._stream.tally.check(state)
        words = windows_of(state, self.registers, self.layout)
        pulse = first_pulse_of(state)
        self._write(
            {
                "emulator.first_pulse_lo.value": pulse & 0xFFFFFFFF,
                "emulator.first_pulse_hi.value": pulse >> 32,
            }
        )
        self._forget()
        for window, content in words.items():
            room = self.layout.max_points if window == "order" else None
            self.remote.load(window, content[:room])
        self._order = state["controller.order"].astype(np.int32)
        self._steps = int(state["controller.scalars"][STEPS])
        self._stream.held.take(state)
        self._stream.tally.take(state, *self._counted())
        self._begun, self._waiting = True, int((state["controller.group"] < 0).sum())
        self._read_current()

    # -- bring-up ------------------------------------------------------------------------------

    def raw_array(self) -> RawArray:
        """The array outside a chain; the chain is lost. Raises UsageError if the array of the board
        has another shape."""
        require_array(self.array.geometry, self.layout, self.place)
        self._load_array()
        return RawArray(self.remote, self.array)
