"""A board without a processor, real or simulated, with the golden model beside it.

The bit-serial controller streams samples. It has neither counters, nor predictions, nor windows
for its state, and its line has no checksum. Its array is emulated, so that the golden model has
the same chain: ``SmallBoard`` makes every step on both, and compares every sample, multiplicity
and log-posterior. Decisions and samples come from the board. What the board cannot report is that
of the model: counts, points evaluated, entropy, predictions, checkpoints.

A checkpoint is loaded by making the steps again, on the board, from the start of its chain.
"""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ... import __version__
from ...array.base import Array, Ledger
from ...array.checks import COUNT_MAX, check_array
from ...array.emulated import EmulatedArray
from ...array.read_noise import ARRAY
from ...builder import Say
from ...errors import OhmcarloError, UsageError
from ...golden import EntropyAlarm, EpisodeLikelihood, Registers, Thresholds, Triage, check_order
from ...golden.machine import STEPS
from ...progress import counted
from ...spec import Points
from ...spec.link import Reason
from ..base import RUNNING, Block
from ..integrity import REMEDY, BoardUpset
from ..memory.identity import hardware_version
from ..memory.image import Words, controller_image, data_image, emulator_image
from ..model import ModelBoard
from ..records.stream import STATUS
from .client import BitSerialClient, Samples
from .limits import WHAT, require_controller, require_fit, require_no_episodes
from .line import ANSWER_S, Port
from .steps import decisions_of

BEGIN, ORDER_AT, ORDERS = "small.begin", "small.order_at", "small.orders"
"""Arrays of a state: number of the first pulse of the chain; steps after which the order of the
points was changed; these orders."""
PULSES_END = 1 << 32
"""The emulated array of such a board counts so many pulses."""
BLOCK_STEPS = 1000
"""Steps that are made again at once."""
STREAMED = ("accepted", "log_posterior", "codes", "multiplicity", "sample_log_posterior")
"""Fields of a block that the board streams."""


class SmallBoard:
    """``Board`` without a processor, behind a serial line.

    Parameters
    ----------
    port : Port
    array : EmulatedArray or None
        The emulated array that is loaded into the board; None: one of its shape.
    name : str
        Name of the backend, as the user gave it.
    say : callable
        Called with a line before a long operation.
    timeout_s : float
        Time after which a board that does not answer is regarded as lost.

    Raises OhmcarloError if no board of this version answers, UsageError for another array. The port
    is then closed.

    Attributes
    ----------
    layout : Layout
        Sizes of the controller.
    model : ModelBoard
        The golden model beside the board.
    """

    pseudo_random = True
    clock_hz = None
    streamed = None
    dot_products: tuple[str, ...] = (ARRAY,)

    def __init__(
        self, port: Port, array: Array | None, name: str, say: Say, timeout_s: float = ANSWER_S
    ) -> None:
        self.name = name
        self.place = port.name
        self.client = BitSerialClient(port, timeout_s)
        self._say = say
        try:
            if not isinstance(array, EmulatedArray | None):
                raise UsageError(
                    f"{WHAT} has an emulated array, not {array.name!r}: use --array emulator"
                )
            self.identification = self.client.open()
            self.layout = self.client.layout
            require_controller(self.identification, self.client.map.hash, self.place)
            self.client.reset()
        except BaseException:
            port.close()
            raise
        if array is None:
            array = EmulatedArray(self.layout.geometry)
        self.array: EmulatedArray = array
        self.geometry = array.geometry
        self.model = ModelBoard(copy.deepcopy(array))
        self._loaded: dict[str, Words] = {}
        self._points = Points.of(np.zeros((0, 1), np.int8))
        self._current: Samples | None = None
        """The current sample; None before the start."""
        self._begin = 0
        self._orders: list[tuple[int, NDArray[np.int32]]] = []
        self._steps = 0

    @property
    def registers(self) -> Registers:
        """The configuration of the board; raises UsageError before ``configure``."""
        return self.model.controller.registers

    @property
    def ledger(self) -> Ledger:
        """Counted by the golden model."""
        return self.model.ledger

    def clock_cycles(self) -> None:
        return None

    def identify(self) -> dict[str, Any]:
        return {
            "backend": self.name,
            "version": __version__,
            "array": self.array.name,
            "rows": self.layout.rows,
            "pairs": self.layout.pairs,
            "controller_version": hardware_version(self.identification),
            "map_hash": f"{self.identification['map_hash']:08x}",
            "counts": "of the golden model, which has the same chain as the board",
        }

    def close(self) -> None:
        self.client.close()

    # -- loading -------------------------------------------------------------------------------

    def configure(
        self, registers: Registers, points: Points, judge: EpisodeLikelihood | None = None
    ) -> None:
        if judge is not None:
            require_no_episodes()
        require_fit(registers, points, self.array, self.layout, self.place)
        self.client.reset()
        self._loaded = {}
        self.model = ModelBoard(copy.deepcopy(self.array))
        self.model.configure(registers, points)
        self._load_chain(points)
        self._load_pulse(self._next_pulse())
        self.geometry = registers.geometry

    def reload(self, registers: Registers, points: Points) -> None:
        registers.require_array_of(self.registers)
        require_fit(registers, points, self.array, self.layout, self.place)
        self.client.reset()
        self.model.reload(registers, points)
        self._load_chain(points)

    def _load_chain(self, points: Points) -> None:
        """Load registers, tables and data of a new chain. The emulated array goes on."""
        image = controller_image(self.registers, points, self.array, self.layout.geometry)
        self.client.load(image, self._loaded)
        self._loaded |= image.windows
        self._points = points
        self._new_chain()

    def _new_chain(self) -> None:
        self._current = None
        self._orders, self._steps = [], 0
        self._begin = self._next_pulse()

    def _load_pulse(self, number: int) -> None:
        """The next pulse of the array, whose tables are loaded, is ``number``."""
        image = emulator_image(self.array, number)
        self.client.load(image, self._loaded)
        self._loaded |= image.windows
        self.client.restart_emulator()

    def _next_pulse(self) -> int:
        array = self.model.array
        assert isinstance(array, EmulatedArray)
        return int(array.state.counter[0])

    def set_order(self, order: NDArray[np.int32]) -> None:
        check_order(order, len(self._points))
        self._load_order(order)
        self.model.set_order(order)
        self._orders.append((self._steps, order.astype(np.int32)))

    def _load_order(self, order: NDArray[np.int32]) -> None:
        image = data_image(self._points, self.layout.geometry, order)
        self.client.load(image, self._loaded)
        self._loaded |= image.windows

    # -- running -------------------------------------------------------------------------------

    def start(self) -> None:
        expected: Exception | None = None
        try:
            self.model.start()
        except EntropyAlarm as alarm:
            expected = alarm
        reason = self.client.start()
        if (reason == Reason.ENTROPY_ALARM) != (expected is not None):
            raise self._differs("start-up test")
        if expected is not None:
            raise expected
        if reason == Reason.NO_ROWS:
            raise OhmcarloError("the array has no working rows left for a first sample")
        self._take_current(self._samples())

    def run(self, steps: int) -> Block:
        """``steps`` MH steps. Raises BoardUpset unless they are those of the golden model."""
        if self._current is None:
            raise UsageError("the chain is not started: call start() first")
        before = self._current
        made = self.model.run(steps)
        if self._next_pulse() > PULSES_END:
            raise OhmcarloError(
                f"the array of {WHAT} ends after {PULSES_END:,} pulses: use fewer steps, or "
                "another backend"
            )
        reason, count = self.client.run(steps)
        samples = self._samples()
        level = int(before.log_posterior[0])
        found = decisions_of(samples, count, int(before.multiplicity[0]), level)
        if count != len(made.accepted) or found is None:
            raise self._differs("steps")
        block = Block(
            accepted=found.accepted,
            valid=made.valid,
            log_posterior=found.log_posterior,
            chain=made.chain,
            points=made.points,
            codes=samples.codes[:-1],
            multiplicity=samples.multiplicity[:-1].astype(np.int32),
            sample_chain=np.zeros(len(samples.codes) - 1, np.uint8),
            sample_log_posterior=samples.log_posterior[:-1],
            status=STATUS[reason],
        )
        differ = [n for n in STREAMED if not np.array_equal(getattr(block, n), getattr(made, n))]
        if differ or block.status != made.status:
            raise self._differs(", ".join(differ) or "end")
        self._take_current(samples)
        self._steps += count
        return block

    def _samples(self) -> Samples:
        """The samples since the last call, the current one last."""
        samples = self.client.samples(self.registers.sample_devices)
        if samples.current.tolist() != [False] * (len(samples.codes) - 1) + [True]:
            raise self._differs("kinds of samples")
        return samples

    def _take_current(self, samples: Samples) -> None:
        """Note the current sample, the last of ``samples``, after comparing it."""
        last = samples.last
        codes, multiplicity, level = self.model.current()
        if not (
            np.array_equal(last.codes, codes)
            and np.array_equal(last.multiplicity, multiplicity)
            and np.array_equal(last.log_posterior, level)
        ):
            raise self._differs("current sample")
        self._current = last

    def _differs(self, what: str) -> BoardUpset:
        return BoardUpset(
            f"the chain of the board at {self.place} is not the golden model's ({what}): noise on "
            f"its line, which has no checksum, or a defective board; {REMEDY}"
        )

    def current(self) -> tuple[NDArray[np.uint16], NDArray[np.int32], NDArray[np.int64]]:
        if self._current is None:
            raise UsageError("the chain is not started: call start() first")
        c = self._current
        return c.codes, c.multiplicity.astype(np.int32), c.log_posterior

    # -- what the model computes ---------------------------------------------------------------

    def predict(self, points: Points) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Computed here from the samples in the array, which makes no operations."""
        counts = self.ledger.counts.copy()
        try:
            return self.model.predict(points)
        finally:
            self.ledger.counts[:] = counts

    def triage(self, points: Points, thresholds: Thresholds) -> Triage:
        """As ``predict``."""
        counts = self.ledger.counts.copy()
        try:
            return self.model.triage(points, thresholds)
        finally:
            self.ledger.counts[:] = counts

    def entropy(self) -> dict[str, Any]:
        return self.model.entropy()

    def link_statistics(self) -> None:
        return None  # its line has neither frames nor repairs

    def retired_rows(self) -> list[int]:
        return self.model.retired_rows()

    # -- checkpoints ---------------------------------------------------------------------------

    def state_dict(self) -> dict[str, NDArray[Any]]:
        return self.model.state_dict() | self.counters()

    def counters(self) -> dict[str, NDArray[Any]]:
        """How the chain came to its state, for ``load_state_dict``."""
        orders = [order for _, order in self._orders]
        return {
            BEGIN: np.array([self._begin], np.int64),
            ORDER_AT: np.array([at for at, _ in self._orders], np.int64),
            ORDERS: np.array(orders, np.int32).reshape(len(orders), len(self._points)),
        }

    def load_state_dict(self, state: dict[str, NDArray[Any]]) -> None:
        """Make the steps that led to ``state`` again, compare the end, and go on from there.

        Raises UsageError for a state of another chain, OhmcarloError for that of another board in
        the middle of a chain.
        """
        registers = self.registers
        probe = ModelBoard(copy.deepcopy(self.array))
        probe.configure(registers, self._points)
        probe.load_state_dict(state)  # raises UsageError, and changes nothing on the board
        started = bool((state["controller.group"] >= 0).any())
        if started and BEGIN not in state:
            raise OhmcarloError(
                f"{WHAT} has no memory windows for the state of a chain that began on another "
                "board: resume it there, or with --backend model"
            )
        orders = self._orders_of(state) if started else []
        begin = int(state[BEGIN][0]) if started else int(state["array.counter"][0])
        self.client.reset()
        self.model = ModelBoard(copy.deepcopy(self.array))
        self.model.configure(registers, self._points)
        self._set_pulse(begin)
        self._load_order(np.arange(len(self._points), dtype=np.int32))
        self._load_pulse(begin)
        self._new_chain()
        if started:
            self._again(state, orders)
        self.model.load_state_dict(state)

    def _orders_of(self, state: dict[str, NDArray[Any]]) -> list[tuple[int, NDArray[np.int32]]]:
        """The orders of a state; UsageError unless they can be those of this chain."""
        count = len(state[ORDER_AT])
        check_array(state, BEGIN, np.zeros(1, np.int64), 0, COUNT_MAX)
        check_array(state, ORDER_AT, np.zeros(count, np.int64), 0, COUNT_MAX)
        like = np.zeros((count, len(self._points)), np.int32)
        check_array(state, ORDERS, like, 0, max(len(self._points) - 1, 0))
        for order in state[ORDERS]:
            check_order(order, len(self._points))
        return list(zip(state[ORDER_AT].tolist(), state[ORDERS], strict=True))

    def _set_pulse(self, number: int) -> None:
        """The next pulse of the model's array is ``number``."""
        array = self.model.array
        assert isinstance(array, EmulatedArray)
        array.state.counter[0] = number

    def _again(
        self, state: dict[str, NDArray[Any]], orders: list[tuple[int, NDArray[np.int32]]]
    ) -> None:
        """Make the steps of a state again from the start of its chain."""
        steps = int(state["controller.scalars"][STEPS])
        self._say(
            f"making {steps:,} steps again on the board, up to the checkpoint: a board without a "
            "processor cannot be loaded with a state"
        )
        with counted(steps, "making steps again on the board", "steps") as done:
            self.start()
            for at, order in orders:
                self._run_to(at)
                self.set_order(order)
                done(at)
            self._run_to(steps)
        again = self.model.state_dict()
        same = [np.array_equal(again[n], state[n]) for n in again if n.startswith("controller.")]
        if not all(same):
            raise UsageError("the checkpoint belongs to another chain")

    def _run_to(self, steps: int) -> None:
        while self._steps < steps:
            if self.run(min(steps - self._steps, BLOCK_STEPS)).status != RUNNING:
                raise UsageError("the checkpoint belongs to another chain")
