"""Runs on several boards: equal chains, boards that are lost, and those that take over."""

from __future__ import annotations

import signal
import threading
import time
from pathlib import Path
from types import MethodType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from ohmcarlo import boards
from ohmcarlo.array.base import Array
from ohmcarlo.boards import RUNNING, Block, BoardLost, ModelBoard
from ohmcarlo.boards.several.board import SeveralBoards
from ohmcarlo.errors import OhmcarloError, UsageError
from ohmcarlo.progress import Silence
from ohmcarlo.runs import chain_run, stored
from ohmcarlo.runs.chain_run import Interrupted
from ohmcarlo.runs.config import TrainConfig
from ohmcarlo.runs.folder import BoardFolder
from ohmcarlo.runs.sections.array import geometry_of, held_rows
from ohmcarlo.runs.sections.boards import boards_section, parts_of
from ohmcarlo.runs.sections.state import read_state
from ohmcarlo.runs.several_boards import MemberProgress, SeveralChains
from ohmcarlo.runs.train import Outputs, resume_run, train, train_run
from ohmcarlo.spec import LOGLIK_FRAC
from ohmcarlo.watch.growing import GrowingRun
from ohmcarlo.watch.page import ChainParts
from ohmcarlo.watch.thinned import JointChains, ThinnedChains

CONFIG = TrainConfig("toy2d", rows=64, pairs=8, steps=260, chains=4, seed=2, backend="model,model")
ADAPTED = TrainConfig(**(CONFIG.to_dict() | {"adapt": True, "whiten": True, "steps": 120}))
LOST = "the board has not answered for 5 s: check its power and its cable"


def same(a: Path, b: Path) -> bool:
    found, wanted = (stored.read_trace(path).arrays() for path in (a, b))
    return all(np.array_equal(found[name], wanted[name]) for name in wanted)


def changed(config: TrainConfig, **changes: Any) -> TrainConfig:
    return TrainConfig(**(config.to_dict() | changes))


class Port(ModelBoard):
    """A board at a serial port; one port may be lost after some steps of its chain."""

    life = 1 << 30
    mortal = "serial:B"
    delay = 0.0

    def __init__(self, name: str, array: Array) -> None:
        super().__init__(array)
        self.name = name

    def run(self, steps: int) -> Block:
        if self.name == self.mortal and self.controller.steps >= self.life:
            raise BoardLost(LOST)
        time.sleep(self.delay * (self.name == self.mortal))
        return super().run(steps)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[bool, Path]:
    """Complete runs on the model, without and with an adaptation."""
    folder = tmp_path_factory.mktemp("whole")
    for adapts, config in {False: CONFIG, True: ADAPTED}.items():
        train_run(config, Outputs(folder / str(adapts)), Silence())
    return {adapts: folder / str(adapts) for adapts in (False, True)}


@pytest.fixture
def ports(monkeypatch: pytest.MonkeyPatch) -> type[Port]:
    """Serial ports with boards, which run in blocks of a few steps."""

    def opens(name: str, array: Array, say: Any) -> ModelBoard:
        return Port(name, array) if name.startswith("serial:") else ModelBoard(array)

    monkeypatch.setattr(boards, "open_board", opens)
    monkeypatch.setattr(chain_run, "MAX_BLOCK", 25)
    monkeypatch.setattr(Port, "life", 1 << 30)
    return Port


def test_the_first_board_has_the_chains_of_a_run_on_one_board() -> None:
    """The seed of the first array is that of the run. The second board has other chains."""
    ours = train(CONFIG).trace
    theirs = train(changed(CONFIG, backend="model", chains=2)).trace
    levels, wanted = ours.log_posterior_nat(), theirs.log_posterior_nat()
    assert np.array_equal(levels[:2], wanted)
    assert not np.array_equal(levels[2:], wanted)
    assert ours.chains == 4 and ours.steps == 260
    assert len(set(CONFIG.array_seeds)) == 2 and CONFIG.array_seeds[0] == CONFIG.array_seed


def test_speed_does_not_change_a_run(
    tmp_path: Path,
    whole: dict[bool, Path],
    ports: type[Port],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A board that is much slower than the other, and blocks of other lengths: the same trace,
    with an adaptation that needs the samples of both."""
    monkeypatch.setattr(ports, "delay", 0.02)
    both = changed(ADAPTED, backend="serial:A,serial:B")
    train_run(both, Outputs(tmp_path / "ports"), Silence())
    assert same(tmp_path / "ports", whole[True])


def lose(tmp_path: Path, ports: type[Port], monkeypatch: pytest.MonkeyPatch, life: int) -> str:
    """Begin a run whose second board is lost after so many steps; its message."""
    monkeypatch.setattr(ports, "life", life)
    outputs = Outputs(tmp_path / "run", checkpoint_seconds=0.0)
    with pytest.raises(BoardLost) as lost:
        train_run(changed(CONFIG, backend="serial:A,serial:B"), outputs, Silence())
    monkeypatch.setattr(ports, "life", 1 << 30)
    assert lost.value.exit_code == 1
    return str(lost.value)


@pytest.mark.parametrize("backend", [None, "serial:A", "serial:A,serial:C"])
def test_a_lost_board_costs_its_own_steps_only(
    backend: str | None,
    tmp_path: Path,
    whole: dict[bool, Path],
    ports: type[Port],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The other board goes on to its last step. The run continues with both boards, on one of them
    alone, or with another one."""
    run = tmp_path / "run"
    text = lose(tmp_path, ports, monkeypatch, 100)
    assert text.startswith(f"board 1, serial:B (chains 2, 3): {LOST}; interrupted after 260 ")
    assert f"`ohmcarlo resume {run}` continues" in text
    assert f"`ohmcarlo resume {run} --backend serial:A`" in text
    kept = [int(np.load(run / f"board-{i}" / "checkpoint.npz")["steps"]) for i in range(2)]
    assert kept[0] == 260 and 0 < kept[1] < 260 and f"{kept[1]} (board 1) of 260" in text
    assert not (run / "result.json").exists()
    values = resume_run(Outputs(run), Silence(), backend)
    assert same(run, whole[False])
    assert values["chains"] == 4 and values["steps"] == 260
    assert [board["chains"] for board in values["boards"]] == [[0, 1], [2, 3]]
    energies = [board["energy_joules"] for board in values["boards"]]
    assert np.isclose(sum(energies), values["energy_joules"]) and min(energies) > 0


def test_boards_that_are_left_are_named_once(
    tmp_path: Path, ports: type[Port], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of three arrays on two boards, two are on the one that is left."""
    monkeypatch.setattr(ports, "life", 100)
    config = changed(CONFIG, backend="serial:A,serial:B", boards=3, chains=3)
    with pytest.raises(BoardLost, match=r"resume \S+ --backend serial:A`"):
        train_run(config, Outputs(tmp_path / "run"), Silence())


def test_a_board_of_another_size_cannot_take_a_run_over(
    tmp_path: Path, ports: type[Port], monkeypatch: pytest.MonkeyPatch
) -> None:
    """`resume` has no option for the size: the remedy is another board."""
    run = tmp_path / "run"
    monkeypatch.setattr(ports, "life", 100)
    with pytest.raises(BoardLost):
        train_run(changed(CONFIG, backend="serial:A,serial:B"), Outputs(run), Silence())

    def other(self: Port, *_: Any) -> None:
        raise UsageError("rows = 32 here, 256 at B; use --rows 256")

    monkeypatch.setattr(ports, "configure", other)
    with pytest.raises(UsageError, match=r"256 at B: a resumed run .*, or --backend model$"):
        resume_run(Outputs(run), Silence(), "serial:A,serial:B")


def test_a_board_that_is_lost_in_its_second_turn_is_not_left(
    tmp_path: Path, ports: type[Port], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first array of the board is complete, and the board is lost with the second one."""
    made, run = 0, Port.run

    def counted(self: Port, steps: int) -> Block:
        nonlocal made
        if self.name == "serial:A" and made >= CONFIG.steps:
            raise BoardLost(LOST)
        made += steps * (self.name == "serial:A")
        return run(self, steps)

    monkeypatch.setattr(ports, "run", counted)
    config = changed(CONFIG, backend="serial:A,serial:B", boards=3, chains=3)
    with pytest.raises(BoardLost, match=r"^board 2, serial:A .*resume \S+ --backend serial:B`"):
        train_run(config, Outputs(tmp_path / "run"), Silence())


def test_checkpoints_of_a_board_that_cannot_be_written(
    tmp_path: Path, ports: type[Port], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command that goes on is that of the whole run."""
    save, run = BoardFolder.save, tmp_path / "run"

    def full(self: BoardFolder, chunk: Block | None, **others: Any) -> None:
        if self.path.name == "board-1":
            raise OhmcarloError("no space is left")
        save(self, chunk, **others)

    monkeypatch.setattr(BoardFolder, "save", full)
    with pytest.raises(OhmcarloError) as found:
        config = changed(CONFIG, backend="serial:A,serial:B")
        train_run(config, Outputs(run, checkpoint_seconds=0.0), Silence())
    text = str(found.value)
    assert text.startswith("board 1, serial:B (chains 2, 3): no space is left; interrupted after ")
    assert text.count(f"`ohmcarlo resume {run}`") == 1 and "board-1" not in text


def test_a_run_may_have_the_name_of_a_board(tmp_path: Path) -> None:
    """The remedy for its damaged files names its own folder."""
    run = tmp_path / "board-of-mine"
    train_run(changed(CONFIG, backend="model", steps=20), Outputs(run), Silence())
    assert f"`ohmcarlo resume {run}` begins" in stored.from_the_first_step(run)


def test_a_lost_board_ends_a_run_that_is_not_kept(
    ports: type[Port], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ports, "life", 100)
    with pytest.raises(BoardLost, match=r"serial:B.*nothing was kept: with --out RUN"):
        train(changed(CONFIG, backend="serial:A,serial:B"))


def test_a_board_that_is_lost_during_the_adaptation(
    tmp_path: Path,
    whole: dict[bool, Path],
    ports: type[Port],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """All stages that are kept are those of both arrays; one board alone can go on, in turns."""
    run, config = tmp_path / "run", changed(ADAPTED, backend="serial:A,serial:B")
    monkeypatch.setattr(ports, "mortal", "serial:B")
    monkeypatch.setattr(ports, "life", 0)
    said = (
        r"^board 1, serial:B: the board has not .* during the adaptation; .*"
        r"`ohmcarlo resume (\S+)` continues it, `ohmcarlo resume \1 --backend serial:A` without"
    )
    with pytest.raises(BoardLost, match=said):
        train_run(config, Outputs(run, checkpoint_seconds=0.0), Silence())
    resume_run(Outputs(run), Silence(), "serial:A")
    assert same(run, whole[True])


OTHERS = {
    "physics": {"array": "physics", "preset": "rram-1t1r", "adapt": True, "whiten": True},
    "network": {"hidden": 2, "rho": 0.98, "pilot": True},
    "regression": {"task": "diabetes", "pairs": 16, "adapt": True, "whiten": True},
    "classes": {"task": "iris", "pairs": 16, "kind": "multiclass", "adapt": True, "whiten": True},
    "policy": {"task": "cartpole", "steps": 12, "pairs": 16},
}


@pytest.mark.verify
@pytest.mark.parametrize("kind", OTHERS)
def test_every_kind_of_run_goes_on(
    kind: str, tmp_path: Path, ports: type[Port], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A board is lost, and the other one takes over: the trace is that of the model."""
    monkeypatch.setattr(chain_run, "MAX_BLOCK", 5)
    if kind == "physics":  # a port of these tests has any array
        monkeypatch.setattr(boards, "check_backend", lambda *_: None)
    changes = {"steps": 60, **OTHERS[kind]}
    config = changed(CONFIG, **changes, backend="serial:A,serial:B")
    outputs = Outputs(tmp_path / "run", tmp_path / "run.npz", checkpoint_seconds=0.0)
    monkeypatch.setattr(ports, "life", 6)
    with pytest.raises(BoardLost, match=r"serial:B.*resume"):
        train_run(config, outputs, Silence())
    monkeypatch.setattr(ports, "life", 1 << 30)
    resume_run(outputs, Silence(), "serial:A")
    wanted = Outputs(None, tmp_path / "whole.npz")
    train_run(changed(config, backend="model,model"), wanted, Silence())
    found, whole = (np.load(tmp_path / f"{name}.npz") for name in ("run", "whole"))
    assert whole.files and all(np.array_equal(found[name], whole[name]) for name in whole.files)


def test_the_live_view_reads_every_board(
    tmp_path: Path, ports: type[Port], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its chains are those on disk up to the step that all have made, and each board whose state
    was read has an array: the one that was lost had no time for that."""
    lose(tmp_path, ports, monkeypatch, 100)
    run = GrowingRun(tmp_path / "run")
    run.look(60.0)
    assert not run.problem and not run.behind
    kept = [int(np.load(run.path / f"board-{i}" / "checkpoint.npz")["steps"]) for i in range(2)]
    assert run.chains.steps == min(kept) < max(kept) and len(run.chains.acceptance()) == 4
    levels = train(CONFIG).trace.log_posterior_nat()[:, : min(kept)]
    assert np.array_equal(run.chains.log_posterior(), levels)
    sections = ChainParts.of(run).sections
    assert [s.name for s in sections if s.name.startswith("array")] == ["array-0"]


def test_a_page_shows_every_board(whole: dict[bool, Path]) -> None:
    """The wear of each array is its part of the wear of all arrays."""
    path = whole[False]
    values, wear = stored.read_result(path), np.load(path / "evaluation.npz")["wear"]
    assert wear.shape == (2 * 64, 16) and not np.array_equal(wear[:64], wear[64:])
    table = boards_section(values)
    assert table is not None
    assert [row[:3] for row in table.tables[0].rows] == [
        ("0", "model", "0, 1"), ("1", "model", "2, 3")
    ]  # fmt: skip
    for (part, own), array in zip(parts_of(values), (wear[:64], wear[64:]), strict=True):
        assert np.array_equal(part.wear(wear, 64), array)
        held = held_rows(read_state(path, part.number), geometry_of(own), part.first_chain)
        assert held is not None
        current = [use for use in held.use if use.startswith("current")]
        chains = values["boards"][part.number]["chains"]
        assert sorted(current) == [f"current sample of chain {chain}" for chain in chains]


def test_chains_at_different_distances_have_common_steps() -> None:
    """A board that is far ahead keeps fewer of its steps."""
    ahead, behind = ThinnedChains(1), ThinnedChains(1)
    ahead.every, behind.every = 4, 2
    for chains, steps in ((ahead, 40), (behind, 21)):
        chains._chains[0].add_levels(np.arange(1, steps + 1) << LOGLIK_FRAC, chains.every)
    assert JointChains([ahead, behind]).log_posterior().tolist() == [[4, 8, 12, 16, 20]] * 2


class PressesCtrlC(Silence):
    def advance(self, steps: int, acceptance: float | None = None) -> None:
        signal.raise_signal(signal.SIGINT)


def test_ctrl_c(
    tmp_path: Path,
    whole: dict[bool, Path],
    ports: type[Port],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ports, "delay", 0.05)
    outputs = Outputs(tmp_path / "run")
    with pytest.raises(Interrupted, match=r"\(board 1\) of 260 steps; the checkpoints are kept"):
        train_run(changed(CONFIG, backend="serial:A,serial:B"), outputs, PressesCtrlC())
    resume_run(outputs, Silence())
    assert same(tmp_path / "run", whole[False])


class WithoutTerminal(Silence):
    def advance(self, steps: int, acceptance: float | None = None) -> None:
        raise RuntimeError("the terminal is gone")


def test_boards_stop_with_their_observer(
    ports: type[Port], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ports, "delay", 0.02)
    with pytest.raises(RuntimeError, match="the terminal is gone"):
        train(changed(CONFIG, backend="serial:A,serial:B", steps=2000), WithoutTerminal())
    assert not [thread for thread in threading.enumerate() if "(_work)" in thread.name]


def test_files_of_two_boards_cannot_be_exchanged(
    tmp_path: Path, ports: type[Port], monkeypatch: pytest.MonkeyPatch
) -> None:
    lose(tmp_path, ports, monkeypatch, 100)
    first, second = (tmp_path / "run" / f"board-{i}" for i in range(2))
    first.rename(tmp_path / "away")
    second.rename(first)
    (tmp_path / "away").rename(second)
    with pytest.raises(OhmcarloError, match=rf"(exchanged|damaged).*resume {tmp_path / 'run'}`"):
        resume_run(Outputs(tmp_path / "run"), Silence())


def test_requests_that_cannot_be_met() -> None:
    with pytest.raises(UsageError, match=r"5 chains cannot be shared equally by 2 boards: .* 6"):
        changed(CONFIG, chains=5)
    with pytest.raises(UsageError, match="--array phy with 2 boards is not possible"):
        changed(CONFIG, backend="serial:A,serial:B", array="phy")
    with pytest.raises(UsageError, match="boards = 0: choose 1 or more"):
        changed(CONFIG, boards=0)


class Chains:
    """The chains of one board, which are lost at once or make all steps."""

    status, steps, kept_steps = RUNNING, 0, 0

    def __init__(self, seconds: float, lost: bool = False) -> None:
        self.seconds, self.lost, self.made = seconds, lost, 0

    def sample(self, stop: threading.Event) -> None:
        if self.lost:
            raise BoardLost(LOST)
        self.made += 1

    def streamed(self) -> Any: ...


def chains_at(places: str, members: list[Chains], kept: bool) -> SeveralChains:
    """Boards at places of one letter each."""
    board: Any = SimpleNamespace(
        places=tuple(places),
        members=[SimpleNamespace(name=f"serial:{place}") for place in places],
        geometry=SimpleNamespace(regions=1),
    )
    board.left = MethodType(SeveralBoards.left, board)
    return SeveralChains(board, 10, lambda number, _: members[number], Silence(), kept)


def test_boards_that_share_a_place_are_lost_together() -> None:
    """They work one after the other, so that their times add up. Other places go on."""
    members = [Chains(1.0, lost=True), Chains(2.0), Chains(2.5)]
    boards = chains_at("AAB", members, kept=True)
    with pytest.raises(BoardLost) as lost:
        boards.run(threading.Event())
    assert [member.made for member in members] == [0, 0, 1]
    assert str(lost.value).count(LOST) == 2 and "serial:B" not in str(lost.value)
    assert boards.boards_left() == "serial:B"
    assert boards.seconds == 3.0


@pytest.mark.parametrize("kept", [True, False])
def test_nothing_goes_on_where_nothing_is_kept(kept: bool) -> None:
    stop = threading.Event()
    with pytest.raises(BoardLost):
        chains_at("AB", [Chains(0.0, lost=True), Chains(0.0)], kept).run(stop)
    assert stop.is_set() == (not kept)


def test_steps_that_are_made_again_are_no_progress() -> None:
    progress = MemberProgress()
    progress.advance(30, 0.4)
    progress.advance(10)
    assert progress.steps == 30 and progress.rates() == [0.4] and progress.rates() == []
