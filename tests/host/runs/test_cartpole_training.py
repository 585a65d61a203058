"""Cartpole learnt on the array: firmware, boards, controls, resume, and the physics of
Gymnasium."""

from __future__ import annotations

import json
import os
import struct
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
from numpy.typing import NDArray

from link_client import Client
from ohmcarlo.boards.records.decode import Records
from ohmcarlo.cli.app import main
from ohmcarlo.golden import EpisodeLikelihood, cartpole
from ohmcarlo.golden.policy import Policy, encode
from ohmcarlo.runs import chain_run, stored
from ohmcarlo.runs.chain_run import Interrupted, Silence
from ohmcarlo.runs.config import TrainConfig
from ohmcarlo.runs.policy import experiment as policy_experiment
from ohmcarlo.runs.policy import page as page_module
from ohmcarlo.runs.policy.experiment import build_policy
from ohmcarlo.runs.policy.gymnasium_episodes import environment, gymnasium_returns
from ohmcarlo.runs.policy.result import PolicyResult
from ohmcarlo.runs.report import read_page
from ohmcarlo.runs.train import Outputs, resume_run, train_policy, train_run
from ohmcarlo.runs.verdict import Verdict
from ohmcarlo.spec import LOGLIK_FRAC
from ohmcarlo.spec import cartpole as spec
from ohmcarlo.spec.link import (
    COMMAND_FORMAT,
    POLICY_FORMAT,
    RECORDS_FORMAT,
    Command,
    Message,
    Status,
)
from ohmcarlo_hdl.config import REFERENCE
from ohmcarlo_hdl.regs.map import register_map

FULL = TrainConfig("cartpole", steps=299)
SHORT = replace(FULL, steps=60, seed=4)
PTY = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs pseudo-terminals")


# -- the firmware judges proposals ---------------------------------------------------------------
def judge_by(client: Client, judge: EpisodeLikelihood, episodes: int | None = None) -> Status:
    count = judge.episodes if episodes is None else episodes
    body = struct.pack(POLICY_FORMAT, judge.seed, judge.first, judge.scale, count)
    return client.request(Message.POLICY, body)[0]


def fits(client: Client, features: int = spec.POLICY_INPUTS) -> None:
    client.write(
        model__features=features,
        model__region_groups=8,
        model__options__external=1,
        model__options__record_steps=1,
    )


def address_of(name: str) -> int:
    layout = register_map(REFERENCE, emulator=True)
    return next(r.address for r in layout.registers if r.name == name)


def words_of(client: Client, command: Command, argument: int = 0) -> NDArray[np.uint32]:
    """Execute a command to its end; return the words of the record stream until then."""
    body = struct.pack(COMMAND_FORMAT, command, argument)
    found, words = client.messages(client.data(Message.COMMAND, body)), b""
    assert found[0][:2] == (Message.RESPONSE, Status.OK)
    for _ in range(2000):
        records = (m[3] for m in found if m[0] == Message.RECORDS)
        words += b"".join(r[struct.calcsize(RECORDS_FORMAT) :] for r in records)
        if any(m[0] == Message.FINISHED for m in found):
            return np.frombuffer(words, "<u4")
        found = client.acknowledge()
    raise AssertionError("the chain waits for ever")


def test_proposals_are_judged_on_the_board(client: Client) -> None:
    """The log-likelihood from the firmware equals that of the twin for the codes of the
    proposal."""
    judge = EpisodeLikelihood(77, 2**32 - 2, 3)  # episode numbers wrap
    assert judge_by(client, judge) == Status.OK
    fits(client)
    words_of(client, Command.START)
    at = address_of("control.external_loglik")
    seen = set()
    for _ in range(5):
        words = words_of(client, Command.RUN, 1)
        given = client.board.peek(at)
        # kind and length, four words, five pairs; the record of the step follows
        starts = [i for i, w in enumerate(words[:-9]) if w >> 28 == 2 and words[i + 1] >> 9 & 1]
        assert len(starts) == 1
        pairs = words[starts[0] + 5 : starts[0] + 10].astype(np.int64)
        codes = np.stack([pairs & 0x3FF, pairs >> 16], axis=1).ravel()
        assert given == judge(codes)
        assert len(Records(words).samples(10).codes) == 0, "a proposal is no sample"
        seen.add(given)
    assert len(seen) > 1


def test_judging_is_refused(client: Client) -> None:
    judge = EpisodeLikelihood(1)
    short = struct.pack(POLICY_FORMAT, 1, 0, judge.scale, 4)[:-1]
    assert client.request(Message.POLICY, short)[0] == Status.MALFORMED
    assert judge_by(client, judge, spec.MAX_EPISODES + 1) == Status.OUT_OF_RANGE
    loud = struct.pack(POLICY_FORMAT, 1, 0, spec.MAX_SCALE + 1, 4)
    assert client.request(Message.POLICY, loud)[0] == Status.OUT_OF_RANGE
    assert judge_by(client, judge) == Status.OK
    fits(client, features=spec.POLICY_INPUTS + 1)  # no policy of this test
    assert client.command(Command.START) == Status.OUT_OF_RANGE
    fits(client)
    words_of(client, Command.START)
    assert client.command(Command.RUN, 50) == Status.OK
    assert judge_by(client, judge) == Status.BUSY
    assert client.command(Command.EXTERNAL, 5) == Status.NOT_STARTED, "the board does that itself"
    client.open()  # ends the chain; the host evaluates again
    fits(client)
    words_of(client, Command.START)
    assert client.command(Command.RUN, 1) == Status.OK
    for _ in range(3):
        client.acknowledge()
    assert client.read("status.state.waiting_external") == [1]
    assert client.command(Command.EXTERNAL, 5) == Status.OK


# -- boards ----------------------------------------------------------------------------------------
def trace_of(folder: Path) -> dict[str, NDArray[np.generic]]:
    return stored.read_trace(folder).arrays()


def differing(a: dict[str, NDArray[np.generic]], b: dict[str, NDArray[np.generic]]) -> list[str]:
    return [name for name in a if not np.array_equal(a[name], b[name])]


@PTY
@pytest.mark.hdl
def test_the_verilated_board_makes_the_models_chain(tmp_path: Path) -> None:
    """Decisions, log-posteriors, codes and multiplicities are bit-identical, and the board
    continues from the checkpoint of the model. The first policies of this seed fall early."""
    short = replace(FULL, steps=15, seed=0)
    found = train_run(replace(short, backend="rtl"), Outputs(tmp_path / "rtl"), Silence())
    wanted = train_run(short, Outputs(tmp_path / "model"), Silence())
    assert not (differ := differing(trace_of(tmp_path / "rtl"), trace_of(tmp_path / "model")))
    for key in ("training", "test", "policy", "pulses", "entropy", "accepted", "samples"):
        assert found[key] == wanted[key], (key, differ)
    assert found["accepted"] > 0
    golden, board = build_policy(short), build_policy(replace(short, backend="rtl"))
    try:
        golden.setup.board.start()
        golden.setup.board.run(6)
        board.setup.board.load_state_dict(golden.setup.board.state_dict())
        blocks = [golden.setup.board.run(6), board.setup.board.run(6)]
        for name in ("accepted", "log_posterior", "codes", "multiplicity"):
            assert np.array_equal(getattr(blocks[0], name), getattr(blocks[1], name)), name
    finally:
        golden.close()
        board.close()


class Stops(Silence):
    """Interrupts a run after this number of steps, as a double Ctrl-C does."""

    def __init__(self, after: int) -> None:
        self.after = after

    def advance(self, steps: int, acceptance: float | None = None) -> None:
        if steps >= self.after:
            raise KeyboardInterrupt


def test_resumed_after_an_interruption(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chain_run, "MAX_BLOCK", 10)
    outputs = Outputs(tmp_path / "run", checkpoint_seconds=0.0)
    with pytest.raises(Interrupted, match="ohmcarlo resume"):
        train_run(SHORT, outputs, Stops(35))
    kept = np.load(tmp_path / "run" / "checkpoint.npz")["steps"]
    assert 0 < kept < SHORT.steps
    values = resume_run(outputs, Silence())
    whole = train_policy(SHORT)
    assert not differing(trace_of(tmp_path / "run"), whole.trace.arrays())
    for key in ("training", "test", "policy", "pulses", "accepted"):
        assert values[key] == whole.values[key], key
    assert values["training"]["episodes"] == 4 * (SHORT.steps + 1)


# -- learning from the returns -------------------------------------------------------------------
def test_the_returns_of_its_samples(tmp_path: Path) -> None:
    """Log-posterior minus log-prior, by hand, is 10 log of the mean return of the current
    sample."""
    result = train_policy(SHORT)
    experiment = build_policy(SHORT)
    gamma, mid = experiment.setup.registers.gamma_us, 115.0
    experiment.close()
    g = 0.25 * result.trace.codes.astype(float)
    plus, minus = g[:, 0::2], g[:, 1::2]
    prior = -0.5 * (((plus - minus) / gamma) ** 2).sum(1)
    prior -= 0.5 * (((plus + minus - 2 * mid) / 40.0) ** 2).sum(1)
    current = result.trace.draws()[0]
    loglik = result.trace.log_posterior / 2**LOGLIK_FRAC - prior[current]
    returns = result.returns.mean(1)[current]
    assert np.abs(np.exp(loglik / 10) / returns - 1).max() < 1e-3
    assert set(result.played) == set(range(8, 4 * SHORT.steps + 5, 4))


@dataclass(frozen=True)
class Constant(EpisodeLikelihood):
    """A likelihood without information."""

    def __call__(self, codes: NDArray[np.generic]) -> int:
        return 0


@dataclass(frozen=True)
class Shuffled(EpisodeLikelihood):
    """Returns of another policy: the weights are permuted and inverted."""

    def __call__(self, codes: NDArray[np.generic]) -> int:
        return super().__call__(np.roll(codes, 5))


def learnt(seed: int) -> PolicyResult:
    return train_policy(replace(FULL, seed=seed))


@pytest.mark.slow
@pytest.mark.stats
def test_it_learns(monkeypatch: pytest.MonkeyPatch) -> None:
    """Four seeds reach all 500 steps. With constant likelihoods, or those of other policies, the
    same chains learn nothing."""
    assert min(learnt(seed).tested.mean() for seed in range(40, 44)) >= 475
    for control in (Constant, Shuffled):
        monkeypatch.setattr(policy_experiment, "EpisodeLikelihood", control)
        assert np.mean([learnt(seed).tested.mean() for seed in range(40, 44)]) < 250, control


# -- Gymnasium -----------------------------------------------------------------------------------
def test_one_step_is_gymnasiums() -> None:
    """For any state, each variable is within three LSB (5e-8) of the next one of Gymnasium."""
    world = environment().unwrapped
    world.reset(seed=0)
    rng = np.random.default_rng(5)
    limits = np.array([2.3, 3.0, 0.2, 3.0])
    states = np.rint(rng.uniform(-limits, limits, (500, 4)) * 2**spec.STATE_FRAC).astype(np.int64)
    right = rng.random(500) < 0.5
    ours = cartpole.step(states.T, right) / 2**spec.STATE_FRAC
    for i, state in enumerate(states):
        world.state = tuple(state / 2**spec.STATE_FRAC)
        _, reward, over, _, _ = world.step(int(right[i]))
        assert np.abs(ours[:, i] - np.array(world.state, float)).max() < 3 / 2**spec.STATE_FRAC
        fallen = cartpole.fallen(cartpole.step(states[i : i + 1].T, right[i : i + 1]))[0]
        assert over == fallen and reward == 1.0
        world.steps_beyond_terminated = None


def test_limits_are_gymnasiums() -> None:
    world = environment()
    inner = world.unwrapped
    scale = 2**spec.STATE_FRAC
    assert spec.X_LIMIT / scale == pytest.approx(inner.x_threshold, abs=1e-7)
    assert spec.ANGLE_LIMIT / scale == pytest.approx(inner.theta_threshold_radians, abs=1e-7)
    assert world.spec is not None and world.spec.max_episode_steps == spec.EPISODE_STEPS
    begun = np.array([world.reset(seed=s)[0] for s in range(2000)])
    ours = cartpole.begin(3, range(2000)) / scale
    for states in (begun, ours.T):
        assert np.abs(states).max() <= 0.05
        assert np.abs(states.mean(0)).max() < 0.003
        assert np.abs(states.std(0) - 0.1 / np.sqrt(12)).max() < 0.002


def test_inputs_of_floats_are_those_of_integers() -> None:
    rng = np.random.default_rng(6)
    limits = np.array([[3.0], [4.0], [0.3], [4.0]])
    state = np.rint(rng.uniform(-limits, limits, (4, 5000)) * 2**spec.STATE_FRAC).astype(np.int64)
    assert np.array_equal(encode((state / 2**spec.STATE_FRAC).T).T, cartpole.inputs(state))


def test_a_policy_that_is_known_to_stand() -> None:
    """Angle and angular speed alone, and the opposite policy, which falls at once."""
    codes = np.full((1, 10), 460)
    codes[0, [0, 2, 4, 6]] += [40, 60, 160, 160]
    good = Policy.of(codes, np.ones(1, np.int64))
    bad = Policy.of(codes[:, [1, 0, 3, 2, 5, 4, 7, 6, 9, 8]], np.ones(1, np.int64))
    assert gymnasium_returns(good, 1, 20).mean() == 500
    assert gymnasium_returns(bad, 1, 20).max() < 15
    both = Policy.of(
        np.concatenate([codes, codes[:, [1, 0, 3, 2, 5, 4, 7, 6, 9, 8]]]), np.array([3, 1])
    )
    assert np.allclose(both.mean, good.mean / 2)
    leaning = np.array([[0.0, 0.0, 0.1, 1.0], [0.0, 0.0, -0.1, -1.0]])
    assert both.agreement(leaning).tolist() == [0.75, 0.25]
    assert both.pushes_right(leaning).tolist() == [True, False]


# -- the command line and the page -----------------------------------------------------------------
def check_page_of(run: Path, values: dict[str, Any], file: Path) -> None:
    """The page has the returns of training and test, the weights, and an episode."""
    assert main(["report", str(run), "--html", str(file)]) == 0
    assert "</html>" in file.read_text(encoding="utf-8")
    page = read_page(run)
    charts = {chart.name: chart for chart in page.charts()}
    steps = charts["return-over-episodes"].spec["datasets"]
    (curve,) = (rows for rows in steps.values() if len(rows) > 2)
    assert [row["x"] for row in (curve[0], curve[-1])] == [8, 164]  # 4 episodes a policy
    assert curve[0]["y"] == pytest.approx(values["training"]["first_return"], rel=1e-4)
    bins = charts["returns-in-test"].spec["datasets"]["rows"][0]["y"]
    assert sum(bins) == 100
    angle, position = (
        np.abs(charts[name].spec["datasets"]["rows"][0]["y"])
        for name in ("pole-angle", "cart-position")
    )
    assert angle[0] < np.rad2deg(0.05)  # CartPole-v1: it begins upright, and ends at one of these
    assert (len(angle) == 501) is not bool(angle[-1] > 12 or position[-1] > 2.4)
    label = Verdict(values["verdict"]).label  # the run is too short for shares of its samples
    assert charts["actions"].title.endswith(f"({label})")
    weights = next(section.tables[0] for section in page.sections if section.name == "weights")
    assert [float(row[1]) for row in weights.rows] == pytest.approx(
        list(values["policy"]["weights_us"].values()), abs=0.006
    )


@pytest.mark.parametrize(
    ("mean", "accepted", "label"),
    [(500.0, 9, "solved"), (474.9, 9, "not solved"), (9.0, 0, "not learnt")],
)
def test_the_headline_of_a_policy(mean: float, accepted: int, label: str) -> None:
    values = {
        "test": {"mean_return": mean, "episodes": 100, "full": 0.5},
        "training": {"episodes": 1200, "episodes_to_full_return": 244},
        "accepted": accepted, "ess_min": 900.0, "rhat_max": 1.0, "retired_rows": [],
        "steps": 300, "chains": 1,
    }  # fmt: skip
    with patch.object(page_module, "policy_warnings", lambda _: []):
        headline = page_module.headline_of(values)
    assert headline.label == label and f"{mean:.0f} of 500" in headline.sentences[0]


def test_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run, file = tmp_path / "run", tmp_path / "result.json"
    options = ["--steps", "40", "--seed", "4", "--out", str(run), "--json", str(file)]
    assert main(["train", "cartpole", *options]) == 0
    values = json.loads(file.read_text())
    assert values["training"]["episodes"] == 164 and values["test"]["episodes"] == 100
    assert "accuracy" not in values
    assert "return in Gymnasium" in capsys.readouterr().out
    assert main(["report", str(run)]) == 0
    pictures = {p.stem for p in (run / "report").iterdir()}
    assert pictures == {"log-posterior", "learning", "weights", "actions", "test", "wear"}
    check_page_of(run, values, tmp_path / "page.html")
    assert main(["resume", str(run)]) == 0
    assert "complete already" in capsys.readouterr().err
    for arguments, words in (
        (["predict", str(run), str(file)], "learnt a policy"),
        (["train", "cartpole", "--whiten"], "leave out --whiten"),
        (["train", "cartpole", "--hidden", "2"], "leave out --hidden"),
        (["train", "cartpole", "--pairs", "8"], "pairs"),
    ):
        assert main(arguments) == 2
        assert words in capsys.readouterr().err
