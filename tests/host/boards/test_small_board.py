"""A board without a processor as a ``Board``, over a stand-in at the wire level."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from ohmcarlo.array import EmulatedArray
from ohmcarlo.boards import BoardLost, ModelBoard, SmallBoard, silent
from ohmcarlo.boards.integrity import BoardUpset
from ohmcarlo.boards.small.client import FIELDS
from ohmcarlo.errors import OhmcarloError, UsageError
from ohmcarlo.golden import Calibration, Registers, SamplerSettings
from ohmcarlo.spec import Geometry, Points
from small_board import SHAPE, SmallBoardPort

FEATURES = 4
STEPS = 60


def points(count: int = 40, features: int = FEATURES) -> Points:
    rng = np.random.default_rng(4)
    return Points(
        rng.integers(-60, 60, (count, features)).astype(np.int8),
        rng.integers(0, 2, count).astype(np.uint8),
        rng.integers(-99, 99, count).astype(np.int16),
    )


def registers(geometry: Geometry = SHAPE, **settings: Any) -> Registers:
    made = SamplerSettings(**{"rho": 0.7, **settings})
    return made.registers(geometry, FEATURES, lambda g: 0.05 * g)


def board_at(port: SmallBoardPort, seed: int = 3, **array: Any) -> SmallBoard:
    made = EmulatedArray(port.geometry, seed, **array)
    return SmallBoard(port, made, "small:port", silent, timeout_s=0.01)


def started(port: SmallBoardPort) -> SmallBoard:
    board = board_at(port)
    board.configure(registers(), points())
    board.start()
    return board


def arrays(block: Any) -> dict[str, Any]:
    return {n: getattr(block, n) for n in block.__dataclass_fields__}


def require_equal(found: Any, wanted: Any) -> None:
    for name, value in arrays(wanted).items():
        assert np.array_equal(getattr(found, name), value), name


# -- the chain -------------------------------------------------------------------------------------


def test_its_chain_is_the_models() -> None:
    """Two runs, another order of the points, and a chain that follows in the same array."""
    port = SmallBoardPort()
    board, model = board_at(port), ModelBoard(EmulatedArray(SHAPE, 3))
    order = np.random.default_rng(1).permutation(40).astype(np.int32)
    for one in (board, model):
        one.configure(registers(), points())
        one.start()
    for steps in (STEPS, 1, STEPS):
        blocks = [one.run(steps) for one in (board, model)]
        require_equal(*blocks)
        assert blocks[0].accepted.sum() > 0 or steps == 1
        for one in (board, model):
            one.set_order(order)
    half = Points(points().inputs[::2], points().labels[::2], points().offsets[::2])
    for one in (board, model):
        one.reload(registers(rho=0.9), half)
        one.start()
    require_equal(*(one.run(STEPS) for one in (board, model)))
    for found, wanted in zip(board.current(), model.current(), strict=True):
        assert np.array_equal(found, wanted)
    assert port.commands.count("emulator_restart") == 1, "the array lives on"
    for found, wanted in zip(board.predict(half), model.predict(half), strict=True):
        assert np.array_equal(found, wanted)
    assert board.entropy() == model.entropy()


def test_predictions_are_no_operations_of_the_array() -> None:
    board = started(SmallBoardPort())
    before = board.ledger.counts.copy()
    board.predict(points())
    assert np.array_equal(board.ledger.counts, before)
    board.run(STEPS)
    assert not np.array_equal(board.ledger.counts, before)


# -- checkpoints -----------------------------------------------------------------------------------


def test_it_continues_from_a_state_by_making_the_steps_again() -> None:
    said: list[str] = []
    board = started(SmallBoardPort())
    order = np.random.default_rng(1).permutation(40).astype(np.int32)
    board.run(STEPS)
    board.set_order(order)
    board.run(7)
    state = board.state_dict()
    wanted = board.run(STEPS)
    other = SmallBoard(SmallBoardPort(), EmulatedArray(SHAPE, 3), "small:port", said.append)
    other.configure(registers(), points())
    other.load_state_dict(state)
    assert "making 67 steps again" in said[0]
    require_equal(other.run(STEPS), wanted)
    assert np.array_equal(other.ledger.counts, board.ledger.counts)
    other.load_state_dict(state)  # on a board that has another order in its memory
    require_equal(other.run(STEPS), wanted)
    # the golden model can take it over
    model = ModelBoard(EmulatedArray(SHAPE, 3))
    model.configure(registers(), points())
    model.load_state_dict(state)
    require_equal(model.run(STEPS), wanted)


def test_a_state_before_the_start_needs_no_steps() -> None:
    board = started(SmallBoardPort())
    board.run(STEPS)
    board.reload(registers(rho=0.9), points())
    state = board.state_dict()
    board.start()
    wanted = board.run(STEPS)
    port = SmallBoardPort()
    other = board_at(port)
    other.configure(registers(rho=0.9), points())
    other.load_state_dict(state)
    assert "run" not in port.commands
    other.start()
    require_equal(other.run(STEPS), wanted)


def test_states_that_it_cannot_load() -> None:
    model = ModelBoard(EmulatedArray(SHAPE, 3))
    model.configure(registers(), points())
    model.start()
    model.run(STEPS)
    board = started(SmallBoardPort())
    with pytest.raises(OhmcarloError, match=r"no memory windows .* --backend model"):
        board.load_state_dict(model.state_dict())
    board.run(STEPS)
    state = board.state_dict()
    state["small.begin"] = state["small.begin"] + 1
    with pytest.raises(UsageError, match="belongs to another chain"):
        board.load_state_dict(state)


# -- refusals --------------------------------------------------------------------------------------

TRIM = Calibration(trim_offset=np.zeros((16, 16), np.int16))


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (
            registers(replace(SHAPE, rows=32)),
            "rows = 32 here, 16 at the small board; use --rows 16",
        ),
        (registers(replace(SHAPE, access_bits=8)), "one bit of an input, not 8: use --access-bits"),
        (registers(replace(SHAPE, regions=2)), "one chain, not 2: use --chains 1"),
        (registers(wide_every=10), "no wide steps: use --wide-every 0, not 10"),
        (registers(repeats=4), "reads once, not 4 times: use --repeats 1"),
        (registers(dot_products="codes"), "no digital dot products: use --dot-products array"),
        (registers(fold=4), "cannot combine 4 raw bits"),
        (replace(registers(), calibration=TRIM), "use --no-trim"),
    ],
)
def test_chains_that_do_not_fit(changed: Registers, said: str) -> None:
    port = SmallBoardPort()
    board = board_at(port)
    before = port.received
    with pytest.raises(UsageError, match=said):
        board.configure(changed, points())
    assert port.received == before, "nothing is sent"


@pytest.mark.parametrize(
    "array",
    [{"d2d_rel": 0.02}, {"stuck": 0.01}, {"median_gain": 0.9}, {"sigma_gain": 2.0}],
    ids=lambda array: next(iter(array)),
)
def test_devices_that_it_cannot_emulate(array: dict[str, float]) -> None:
    port = SmallBoardPort()
    board = board_at(port, **array)
    before = port.received
    with pytest.raises(UsageError, match="emulates equal, fresh devices"):
        board.configure(registers(), points())
    assert port.received == before


def test_too_many_points_name_the_number_that_fits() -> None:
    board = board_at(SmallBoardPort())
    with pytest.raises(UsageError, match=r"65 data points .* room for 64.*--train-points 64"):
        board.configure(registers(), points(65))


def test_another_board() -> None:
    for register, word, said in (
        ("magic", 0x4F484D42, "holds no ohmcarlo controller"),
        ("version", 0x00FE00, "has version 0.254.0, this is ohmcarlo"),
    ):
        port = SmallBoardPort()
        port.words[{"magic": 0, "version": 4}[register]] = word
        with pytest.raises(OhmcarloError, match=said):
            board_at(port)
        assert port.closed


# -- the line --------------------------------------------------------------------------------------


def test_a_session_that_was_killed_is_ended() -> None:
    """In the middle of a request, of a run and of its stream."""
    port = SmallBoardPort()
    board = started(port)
    board.client.line.port.write(bytes([0x57, 1, 2]))
    again = started(port)
    again.model.run(0)
    port.words[0x84] = 50
    port.run()  # its records are never read
    third = started(port)
    require_equal(third.run(STEPS), started(SmallBoardPort()).run(STEPS))


def test_noise_is_noticed() -> None:
    """Every byte of the answers of a run, changed or lost, one at a time."""
    count = 0

    def silent_line(byte: int) -> int:
        nonlocal count
        count += 1
        return byte

    port = SmallBoardPort()
    board = started(port)
    port.damage = silent_line
    board.run(10)
    for place, lost in itertools.product(range(0, count, 31), (False, True)):
        port = SmallBoardPort()
        board = started(port)
        number = itertools.count()

        def damage(byte: int, place: int = place, lost: bool = lost, n: Any = number) -> int | None:
            return byte if next(n) != place else None if lost else byte ^ 0x10

        port.damage = damage
        try:
            found = board.run(10)
        except (BoardLost, BoardUpset, OhmcarloError):
            continue
        # a bit without a meaning, or one that is read again
        require_equal(found, started(SmallBoardPort()).run(10))


@pytest.mark.parametrize("window", ["dac", "inv_sigma", "log_sigma", "median", "sigma", "points"])
def test_a_wrong_word_in_a_window_is_noticed(window: str) -> None:
    """The line has no checksum, and windows cannot be read back."""
    port = SmallBoardPort()
    board = board_at(port)
    board.configure(registers(), points())
    first = board.client.map.windows[window].address
    for address in range(first, first + 4 * 512, 4):
        if address in port.words:
            port.words[address] ^= 0xF030
    if window in ("median", "sigma"):
        port.emulator_restart()
    with pytest.raises((BoardUpset, OhmcarloError)):
        board.start()
        board.run(4 * STEPS)


def test_an_unplugged_board() -> None:
    port = SmallBoardPort()
    board = started(port)
    port.unplugged = True
    with pytest.raises(BoardLost, match="check its cable"):
        board.run(STEPS)


def test_a_board_that_does_not_answer() -> None:
    port = SmallBoardPort()
    port.damage = lambda byte: None
    with pytest.raises(
        BoardLost, match=r"answered 0 of .* check its power, its cable and its bits"
    ):
        board_at(port)
    assert port.closed


def test_a_command_that_does_not_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """It makes neither steps nor samples. A new program does not wait for ever, either."""
    monkeypatch.setattr("ohmcarlo.boards.small.client.DONE_S", 0.02)
    port = SmallBoardPort()
    board = started(port)
    port.hung = True
    for give in (lambda: board.run(STEPS), lambda: board_at(port)):
        with pytest.raises(BoardLost, match=r"makes no progress for 0.02 s: load its bitstream"):
            give()


def test_a_slow_command_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each look finds more steps than the one before."""
    wanted = started(SmallBoardPort()).run(STEPS)
    port = SmallBoardPort()
    board = started(port)
    monkeypatch.setattr("small_board.BUSY_READS", 30)
    numbers, read = itertools.count(), port._read
    steps_at = FIELDS["status.steps_done.value"].address

    def more_steps(address: int) -> int:
        return next(numbers) if address == steps_at and port._busy else read(address)

    monkeypatch.setattr(port, "_read", more_steps)
    board.client._patience_s = 0.0
    require_equal(board.run(STEPS), wanted)
    assert next(numbers) > 3
