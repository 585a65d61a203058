"""Several boards behind the interface of one."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ohmcarlo import boards
from ohmcarlo.array import EmulatedArray
from ohmcarlo.array.base import Array
from ohmcarlo.boards import Block, BoardLost, ModelBoard, SeveralBoards, open_boards
from ohmcarlo.boards.several.merging import OwnTables, merged
from ohmcarlo.boards.several.names import names_of
from ohmcarlo.errors import UsageError
from ohmcarlo.golden import SamplerSettings
from ohmcarlo.spec import Geometry, Points

GEOMETRY = Geometry(rows=32, pairs=8, regions=2)
POINTS = Points.of(
    np.array([[32, 32], [-32, 32], [48, 32], [-48, 32]], np.int8),
    np.array([1, 0, 1, 0], np.uint8),
)
PER_STEP = ("accepted", "valid", "log_posterior", "points")
PER_SAMPLE = ("codes", "multiplicity", "sample_log_posterior")


def arrays(count: int = 2) -> list[EmulatedArray]:
    return [EmulatedArray(GEOMETRY, seed=1 + i) for i in range(count)]


def registers() -> Any:
    return SamplerSettings().registers(GEOMETRY, 2, arrays()[0].sigma_us)


def started(board: Any) -> Any:
    board.configure(registers(), POINTS)
    board.start()
    return board


def alone(number: int, steps: int) -> tuple[ModelBoard, Block]:
    """A member as a board of its own."""
    board = started(ModelBoard(arrays()[number]))
    return board, board.run(steps)


def test_names() -> None:
    assert names_of("model") == ("model",)
    assert names_of("serial:A, serial:B") == ("serial:A", "serial:B")
    assert names_of("devmem:0x43C00000,0x1000,rtl") == ("devmem:0x43C00000,0x1000", "rtl")


@pytest.mark.parametrize(
    ("backend", "count", "text"),
    [
        ("model,", 2, "backend '' is unknown"),
        ("serial:A,serial:A", 2, "names serial:A 2 times"),
        ("rtl,rtl,rtl", 2, "names 3 boards, and the run has 2 arrays: name at most 2"),
        ("model,model", 1, "names 2 boards, and the run has 1 array: name at most 1"),
    ],
)
def test_wrong_names(backend: str, count: int, text: str) -> None:
    with pytest.raises(UsageError, match=text):
        open_boards(backend, arrays(count))


@pytest.mark.parametrize(
    "backend", ["serial:port,serial:link", "serial:port,small:link", "devmem:0x1000,devmem:4096"]
)
def test_one_board_under_two_names(
    backend: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A port may have a second name, such as one in ``/dev/serial/by-id``."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "port").touch()
    (tmp_path / "link").symlink_to("port")
    with pytest.raises(UsageError, match=r"names one board twice, as \S+ and as \S+: .* once"):
        open_boards(backend, arrays())


def test_the_members_are_boards_of_their_own() -> None:
    """Chain by chain, the stream is that of each member alone; steps interleave by chain."""
    board = started(open_boards("model,model", arrays()))
    block = board.run(60)
    assert block.chain.tolist() == [0, 1, 2, 3] * 60
    for number in range(2):
        single, wanted = alone(number, 60)
        for chain in range(2):
            ours, theirs = block.chain == 2 * number + chain, wanted.chain == chain
            for name in PER_STEP:
                found = getattr(block, name)[ours]
                assert np.array_equal(found, getattr(wanted, name)[theirs]), name
            ours = block.sample_chain == 2 * number + chain
            theirs = wanted.sample_chain == chain
            for name in PER_SAMPLE:
                found = getattr(block, name)[ours]
                assert np.array_equal(found, getattr(wanted, name)[theirs]), name
        part = slice(2 * number, 2 * number + 2)
        for found, expected in zip(board.current(), single.current(), strict=True):
            assert np.array_equal(found[part], expected)
    assert len(block.codes) == block.accepted.sum()


def test_samples_come_in_the_order_of_their_steps() -> None:
    """The ``k``-th sample is that of the ``k``-th accepted step, as on one board."""
    block = started(open_boards("model,model", arrays())).run(60)
    assert np.array_equal(block.sample_chain, block.chain[block.accepted])


def test_blocks_of_any_length_give_one_stream() -> None:
    whole = started(open_boards("model,model", arrays())).run(60)
    board = started(open_boards("model,model", arrays()))
    parts = [board.run(steps) for steps in (1, 22, 37)]
    for name in (*PER_STEP, *PER_SAMPLE, "chain", "sample_chain"):
        found = np.concatenate([getattr(part, name) for part in parts])
        assert np.array_equal(found, getattr(whole, name)), name


def test_a_board_that_stopped_leaves_the_last_steps_to_the_others() -> None:
    (_, long), (_, short) = alone(0, 10), alone(1, 4)
    block = merged([long, short], 2)
    assert block.chain.tolist() == [0, 1, 2, 3] * 4 + [0, 1] * 6
    assert np.array_equal(block.sample_chain, block.chain[block.accepted])


def test_the_sums_of_the_members() -> None:
    board = started(open_boards("model,model", arrays()))
    board.run(40)
    singles = [alone(number, 40)[0] for number in range(2)]
    counts = sum(single.ledger.counts for single in singles)
    assert np.array_equal(board.ledger.counts, counts)
    assert np.array_equal(
        board.ledger.wear, np.concatenate([single.ledger.wear for single in singles])
    )
    own = [single.entropy() for single in singles]
    assert board.entropy() == {
        "min_entropy": min(e["min_entropy"] for e in own),
        "alarms": 0,
        "raw_bits": sum(e["raw_bits"] for e in own),
    }
    mean, variance = board.predict(POINTS)
    found = [single.predict(POINTS) for single in singles]
    assert np.allclose(mean, np.mean([m for m, _ in found], axis=0))
    second = np.mean([v + m**2 for m, v in found], axis=0)
    assert np.allclose(variance, second - mean**2)


def test_each_array_has_its_own_tables_and_bad_rows() -> None:
    own = [registers().without_rows([row]) for row in (3, 20)]
    board = open_boards("model,model", arrays())
    assert isinstance(board, SeveralBoards)
    board.take_tables([OwnTables.of(r) for r in own])
    started(board)
    assert board.retired_rows() == [3, 32 + 20]
    board.reload(registers(), POINTS)
    assert board.retired_rows() == [3, 32 + 20]


def test_a_state_is_loaded_bit_for_bit() -> None:
    board = started(open_boards("model,model", arrays()))
    board.run(20)
    state, wanted = board.state_dict(), board.run(20)
    again = open_boards("model,model", arrays())
    again.configure(registers(), POINTS)
    again.load_state_dict(state)
    assert np.array_equal(again.run(20).codes, wanted.codes)


class Meeting(ModelBoard):
    """A board that runs only while another one runs, too."""

    both = threading.Barrier(2)

    def run(self, steps: int) -> Block:
        self.both.wait(timeout=60)
        return super().run(steps)


def test_the_members_work_at_the_same_time() -> None:
    board = started(SeveralBoards([Meeting(array) for array in arrays()]))
    assert len(board.run(5).accepted) == 20


class Lost(ModelBoard):
    name = "serial:B"

    def run(self, steps: int) -> Block:
        raise BoardLost("the board has not answered for 5 s")


def test_an_error_names_its_board() -> None:
    first, second = arrays()
    board = started(SeveralBoards([ModelBoard(first), Lost(second)]))
    with pytest.raises(BoardLost, match=r"^board 1, serial:B: the board has not answered for 5 s$"):
        board.run(5)


class Counted(ModelBoard):
    """A board at a port that only one can open at a time."""

    name = "serial:A"
    open = opened = 0

    def __init__(self, array: Array) -> None:
        assert not Counted.open, "the port is in use"
        super().__init__(array)
        Counted.open, Counted.opened = 1, Counted.opened + 1

    def close(self) -> None:
        Counted.open = 0


def test_two_arrays_take_turns_on_one_board(monkeypatch: pytest.MonkeyPatch) -> None:
    theirs = started(open_boards("model,model", arrays()))
    monkeypatch.setattr(boards, "open_board", lambda name, array, say: Counted(array))
    ours = started(open_boards("serial:A", arrays()))
    for board in (ours, theirs):
        board.run(20)
        board.reload(registers(), POINTS)
        board.start()
    assert np.array_equal(ours.run(30).codes, theirs.run(30).codes)
    opened = Counted.opened
    for found, wanted in zip(ours.current(), theirs.current(), strict=True):
        assert np.array_equal(found, wanted)
    assert np.array_equal(ours.ledger.counts, theirs.ledger.counts)
    assert ours.entropy() == theirs.entropy()
    assert Counted.opened == opened  # all is known without an exchange of arrays
    ours.close()
    assert not Counted.open


def test_time_does_not_change_the_stream() -> None:
    class Slow(ModelBoard):
        def run(self, steps: int) -> Block:
            time.sleep(0.02)
            return super().run(steps)

    first, second = arrays()
    slow = started(SeveralBoards([Slow(first), ModelBoard(second)])).run(20)
    first, second = arrays()
    other = started(SeveralBoards([ModelBoard(first), Slow(second)])).run(20)
    assert np.array_equal(slow.codes, other.codes)
    assert np.array_equal(slow.chain, other.chain)
