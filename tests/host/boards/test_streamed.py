"""Points beyond the data memory: who may have them, what they cost, and when the source runs."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from board_ports import NativePort
from native_board import opened
from ohmcarlo.array.emulated import EmulatedArray
from ohmcarlo.boards import BoardLost, HardwareBoard, ModelBoard, SerialBoard
from ohmcarlo.boards.controller import Controller, Finished
from ohmcarlo.boards.memory.identity import require_room
from ohmcarlo.boards.memory.image import streamed_words
from ohmcarlo.boards.memory.layout import Layout
from ohmcarlo.boards.pynq import DmaFeeder
from ohmcarlo.boards.streamed import Streamed, require_own_order
from ohmcarlo.errors import OhmcarloError, UsageError
from ohmcarlo.golden import SamplerSettings, require_summable
from ohmcarlo.golden.sums import MOST_POINTS
from ohmcarlo.progress import SAMPLING, STEPS, Silence, observed_by
from ohmcarlo.spec import LABEL_QUADRATIC, Geometry, Points
from ohmcarlo.spec.link import Command, FaultCause

GEOMETRY = Geometry(rows=16, pairs=8, entropy_pairs=2)
LAYOUT = Layout(
    rows=16, pairs=8, entropy_pairs=2, access_bits=8, tile_pairs=8, dot_bits=0, dot_shift=0,
    max_points=16, max_group_rows=1, max_regions=1, device_calibration=False, emulator=True,
)  # fmt: skip
STREAMING = replace(LAYOUT, max_streamed_points=128)


def points(n: int) -> Points:
    rng = np.random.default_rng(n)
    inputs = rng.integers(-99, 100, (n, 4)).astype(np.int8)
    return Points.of(inputs, rng.integers(0, 2, n).astype(np.uint8))


@pytest.mark.parametrize(
    ("count", "layout", "fed", "said"),
    [
        (
            5016,
            LAYOUT,
            False,
            "5016 data points (those of a whitened prior included) do not fit: here has room for "
            "16; use --train-points 16, or --backend model; more need the core with AXI4-Stream "
            "(ohmcarlo export --streamed-points), because over a serial line at 1 Mbit/s each step "
            # 5,000 points of 4 words of 4 bytes, 10 bits each on the line
            "would take 0.8 s",
        ),
        (
            129,
            STREAMING,
            True,
            "and 128 with streamed points; use --train-points 128, or",
        ),
        (17, STREAMING, False, "(16 bytes for each step), and its data stream has no source here"),
    ],
)
def test_refusals(count: int, layout: Layout, fed: bool, said: str) -> None:
    with pytest.raises(UsageError) as error:
        require_room(points(count), layout, "here", fed)
    assert said in str(error.value)


def test_room() -> None:
    require_room(points(16), LAYOUT, "here")
    require_room(points(128), STREAMING, "here", fed=True)


def test_cost_of_a_step() -> None:
    """1,000 points of 8 words: 8,000 clocks, and 32,000 bytes of 10 bits on a serial line."""
    cost = Streamed.of(2024, 1024, Geometry())
    assert (cost.words, cost.bytes) == (8000, 32_000)
    assert cost.seconds(100e6) == pytest.approx(80e-6)
    assert cost.serial_seconds == pytest.approx(0.32)
    assert cost.describe(100_000_000).endswith("32,000 bytes for each step, 0.08 ms at 100 MHz")


def test_the_costs_in_the_guide() -> None:
    """The pages have the numbers of the function."""
    guide, formats = (Path(__file__).parents[3] / "docs" / f"{n}.md" for n in ("guide", "formats"))
    cost, text = Streamed.of(5000, 1024, Geometry()), " ".join(guide.read_text("utf-8").split())
    step = (
        f"a step takes at most {cost.bytes:,} bytes: {cost.seconds(100e6) * 1e3:.3g} ms at 100 MHz"
    )
    assert step in text
    assert f"A serial line would need {cost.serial_seconds:.3g} s for each step" in text
    for page in (text, formats.read_text("utf-8")):
        assert f"{MOST_POINTS:,} " in page


def test_a_pass_has_the_words_of_the_points_behind_the_memory() -> None:
    data = points(20)
    words = streamed_words(data, 16, GEOMETRY).reshape(4, 4)
    assert np.array_equal(words[:, 0] >> 16, data.labels[16:])
    assert np.array_equal(words[:, 1].copy().view(np.int8).reshape(4, 4), data.inputs[16:])


def test_the_order_of_streamed_points_is_fixed() -> None:
    order = np.arange(20, dtype=np.int32)
    order[:16] = order[15::-1]
    require_own_order(order, 16, "here")
    order[[3, 18]] = order[[18, 3]]
    with pytest.raises(UsageError, match="the order table of here has 16 positions"):
        require_own_order(order, 16, "here")


def test_sums_that_the_accumulator_cannot_hold() -> None:
    """32,768 nat, at log 2 for each point."""
    assert math.floor(32768 / math.log(2)) == MOST_POINTS
    many = Points.of(np.zeros((MOST_POINTS + 1, 1), np.int8))
    with pytest.raises(UsageError, match="47275 data points are too many for the accumulator"):
        ModelBoard(EmulatedArray(GEOMETRY, 0)).configure(chain(1), many)
    require_summable(Points.of(many.inputs[1:]))
    quadratic = np.full(len(many), LABEL_QUADRATIC, np.uint8)
    require_summable(Points.of(many.inputs, quadratic))


def chain(features: int = 4) -> Any:
    return SamplerSettings().registers(GEOMETRY, features, EmulatedArray(GEOMETRY, 0).sigma_us)


class Source:
    """A feeder that notes what it repeats."""

    def __init__(self, log: list[Any]) -> None:
        self.log = log
        self.words: NDArray[np.uint32] | None = None

    def feed(self, words: NDArray[np.uint32]) -> None:
        assert self.words is None, "two sources at a time"
        self.words = words
        self.log.append("feed")

    def stop(self) -> None:
        self.words = None
        self.log.append("stop")


class NotedController(Controller):
    """Notes what a board writes; it predicts 0 for every point, and runs nothing."""

    place = "the core"

    def __init__(self) -> None:
        self.log: list[Any] = []
        self.feeder = Source(self.log)
        self.memory: dict[str, NDArray[np.uint32]] = {}
        self.points = 0
        self.cause = FaultCause.NONE
        self.interrupted = False

    def open(self) -> dict[str, int]:
        return {}

    def close(self) -> None: ...

    def write(self, fields: Any) -> None:
        if "model.points.value" in fields:
            changes = fields["model.points.value"] != self.points
            assert not (changes and self.feeder.words is not None), "the source runs"
            self.points = fields["model.points.value"]
            self.log.append(self.points)

    def read(self, names: Any) -> dict[str, int]:
        return dict.fromkeys(names, 1)

    def load(self, window: str, words: NDArray[np.uint32], first: int = 0) -> None:
        self.memory[window] = words

    def unload(self, window: str, count: int, first: int = 0) -> NDArray[np.uint32]:
        return np.ones(count, np.uint32)

    def command(self, command: Command, argument: int = 0) -> None: ...

    def execute(self, command: Command, argument: int = 0) -> Finished:
        if self.interrupted:
            raise KeyboardInterrupt
        assert command != Command.PREDICT or self.points <= LAYOUT.max_points
        return Finished(4, 0, int(self.cause != FaultCause.NONE), self.cause, 0, 0)

    def take_records(self) -> NDArray[np.uint32]:
        return np.tile(np.array([3 << 28, 0, 0, 0, 0], np.uint32), self.points)

    def judge(self, judge: Any) -> None: ...

    def settle(self) -> None:
        self.log.append("settle")


@pytest.fixture
def board(monkeypatch: pytest.MonkeyPatch) -> HardwareBoard:
    from ohmcarlo.boards import hardware_board as module

    monkeypatch.setattr(module, "require_compatible", lambda *_: None)
    monkeypatch.setattr(module.Layout, "of", lambda _: STREAMING)
    controller = NotedController()
    controller.open = lambda: {"clocks": 0, "clock_hz": 100_000_000, "simulated": 0}  # type: ignore[method-assign]
    return HardwareBoard(controller, EmulatedArray(GEOMETRY, 0), "core", check=False)


def test_the_source_runs_while_the_chain_has_streamed_points(board: HardwareBoard) -> None:
    data, remote = points(100), board.remote
    assert isinstance(remote, NotedController) and isinstance(remote.feeder, Source)
    board.configure(chain(), data)
    assert board.streamed == Streamed(100, 16, 84 * 4)
    assert remote.log == [100, "feed"]
    assert np.array_equal(remote.feeder.words, streamed_words(data, 16, GEOMETRY))
    assert (len(remote.memory["points"]), len(remote.memory["order"])) == (16 * 4, 16)

    # predictions of 40 points, in parts of the memory, without the source
    remote.log.clear()
    mean, _ = board.predict(points(40))
    assert len(mean) == 40
    assert remote.log == ["stop", 16, 16, 8, 100, "feed"]
    assert np.array_equal(remote.memory["points"], streamed_words(data, 0, GEOMETRY)[: 16 * 4])
    assert len(board.predict(data)[0]) == 100  # those of the chain, too

    order = np.arange(100, dtype=np.int32)
    order[:16] = order[15::-1]
    board.set_order(order)
    assert np.array_equal(remote.memory["order"], order[:16])
    with pytest.raises(UsageError, match="keep their own order"):
        board.set_order(order[::-1].copy())

    # a chain that fits needs no source
    remote.log.clear()
    board.configure(chain(), points(16))
    assert board.streamed is None and remote.log == ["stop", 16]


def test_an_interrupted_prediction_restores_the_chain(board: HardwareBoard) -> None:
    data, remote = points(100), board.remote
    assert isinstance(remote, NotedController) and isinstance(remote.feeder, Source)
    board.configure(chain(), data)
    remote.interrupted = True
    remote.log.clear()
    with pytest.raises(KeyboardInterrupt):
        board.predict(points(40))
    assert remote.log == ["stop", 16, "settle", 100, "feed"]
    assert remote.points == 100 and remote.feeder.words is not None
    assert np.array_equal(remote.memory["points"], streamed_words(data, 0, GEOMETRY)[: 16 * 4])


def test_the_first_error_of_a_prediction_is_reported(
    board: HardwareBoard, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A board that is lost cannot get its points back."""
    board.configure(chain(), points(100))

    def lost(*_: Any) -> Any:
        raise BoardLost("the second error")

    def stopped(*_: Any) -> Any:
        monkeypatch.setattr(board.remote, "load", lost)
        raise OhmcarloError("the first error")

    monkeypatch.setattr(board.remote, "execute", stopped)
    with pytest.raises(OhmcarloError, match="the first error"):
        board.predict(points(40))


def test_a_pass_of_wrong_length_is_named(board: HardwareBoard) -> None:
    remote = board.remote
    assert isinstance(remote, NotedController)
    board.configure(chain(), points(100))
    remote.cause = FaultCause.WRONG_POINTS
    with pytest.raises(OhmcarloError, match="the core had a pass with the wrong number of words"):
        board.run(1)


class Registers:
    """Control register of a DMA: its reset takes two reads."""

    def __init__(self) -> None:
        self.writes: list[tuple[int, int]] = []
        self.left = 0

    def write(self, address: int, value: int) -> None:
        self.writes.append((address, value))
        self.left = 2

    def read(self, address: int) -> int:
        self.left -= 1
        return 4 if self.left else 0


class SendChannel:
    """A send channel with scatter-gather."""

    def __init__(self) -> None:
        self.packet: list[int] | None = None
        self.running = True

    def transfer(self, array: Any, start: int = 0, nbytes: int = 0, cyclic: bool = False) -> None:
        assert cyclic and self.running and self.packet is None
        self.packet = array.tolist()

    def start(self) -> None:
        self.running, self.packet = True, None


class SimpleChannel:
    """A send channel without scatter-gather."""

    def transfer(self, array: Any, start: int = 0, nbytes: int = 0) -> None: ...


@dataclass
class Dma:
    sendchannel: Any
    mmio: Registers = field(default_factory=Registers)


def test_a_dma_repeats_the_pass_until_it_is_reset() -> None:
    dma = Dma(SendChannel())
    feeder = DmaFeeder(dma, lambda shape, dtype: np.zeros(shape, dtype))
    feeder.stop()
    assert dma.mmio.writes == []
    for words in ([1, 2, 3], [4]):
        feeder.feed(np.array(words, np.uint32))
        assert dma.sendchannel.packet == words
        feeder.stop()
    assert dma.mmio.writes == [(0, 4)] * 2 and dma.sendchannel.packet is None


@pytest.mark.parametrize(
    ("channel", "said"),
    [(None, "enable its MM2S side"), (SimpleChannel(), "enable scatter-gather")],
)
def test_a_dma_that_cannot_feed(channel: Any, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        DmaFeeder(Dma(channel), np.zeros)


class Counts(Silence):
    """An observer that keeps the counts of predictions."""

    def __init__(self) -> None:
        self.told: list[object] = []

    def begin(self, steps: int, total: int, what: str = SAMPLING, unit: str = STEPS) -> None:
        self.told.append(f"{what}: {total} {unit}")

    def advance(self, steps: int, acceptance: float | None = None) -> None:
        self.told.append(steps)


def test_a_long_prediction_reports(board: HardwareBoard) -> None:
    board.configure(chain(), points(9))
    with observed_by(counts := Counts()):
        board.predict(points(40))
    assert counts.told == ["predicting on the board: 40 points", 16, 32, 40]


def test_ctrl_c_in_a_prediction_of_a_board_with_firmware(monkeypatch: pytest.MonkeyPatch) -> None:
    """The board is in the middle of a command; afterwards, the chain continues."""
    with opened() as native:
        port = NativePort(native)
        array = EmulatedArray(Geometry(), 3)
        board = SerialBoard(port, array, "serial:port", port.clock, check=False)
        registers = SamplerSettings().registers(Geometry(), 4, array.sigma_us)
        board.configure(registers, points(40))
        board.start()
        waits = board.link.wait_finished

        def interrupted() -> Finished:
            monkeypatch.setattr(board.link, "wait_finished", waits)
            raise KeyboardInterrupt

        monkeypatch.setattr(board.link, "wait_finished", interrupted)
        with pytest.raises(KeyboardInterrupt):
            board.predict(points(60))
        assert board.remote.read_one("model.points.value") == 40
        with np.errstate(all="ignore"):  # its model of the hardware holds no sample
            assert len(board.predict(points(1500))[0]) == 1500
        assert len(board.run(8).accepted) == 8
