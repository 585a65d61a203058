"""Cartpole in fixed point: the firmware's C, its Python twin, and the float64 equations."""

from __future__ import annotations

import ctypes
import struct

import numpy as np
import pytest
from numpy.typing import NDArray

from link_client import Client
from ohmcarlo.errors import UsageError
from ohmcarlo.golden import cartpole
from ohmcarlo.spec import LOGLIK_FRAC
from ohmcarlo.spec import cartpole as spec
from ohmcarlo.spec.link import EPISODE_FORMAT, EPISODE_RESULT_FORMAT, Message, Status
from ohmcarlo_rtl.firmware.native import build_native


class CState(ctypes.Structure):
    _fields_ = tuple((name, ctypes.c_int32) for name in ("x", "speed", "angle", "rate"))


Weights = ctypes.c_int16 * spec.POLICY_INPUTS


@pytest.fixture(scope="module")
def library() -> ctypes.CDLL:
    made = ctypes.CDLL(str(build_native()))
    made.cartpole_begin.restype = CState
    made.cartpole_begin.argtypes = (ctypes.c_uint32, ctypes.c_uint32)
    made.cartpole_action.restype = ctypes.c_bool
    made.cartpole_step.argtypes = (ctypes.c_void_p, ctypes.c_bool)
    made.cartpole_fallen.restype = ctypes.c_bool
    made.cartpole_log_likelihood.argtypes = (ctypes.c_uint32,) * 3
    return made


def policies(count: int, seed: int) -> NDArray[np.int64]:
    """Random weights; every third policy leans to the correct side and stands longer."""
    most = spec.WEIGHT_MAX
    weights = np.random.default_rng(seed).integers(
        -most, most, (count, spec.POLICY_INPUTS), endpoint=True
    )
    weights[::3, :4] = np.abs(weights[::3, :4])
    return weights


def values(state: CState) -> list[int]:
    return [state.x, state.speed, state.angle, state.rate]


def differing_steps(library: ctypes.CDLL, count: int, episodes: int) -> int:
    """Steps in which C and Python disagree on state, action or end; every variable is compared."""
    wrong = 0
    for number, weights in enumerate(policies(count, 1)):
        w, first = Weights(*weights), number * episodes
        state = cartpole.begin(7, range(first, first + episodes))
        c_states = [library.cartpole_begin(7, first + e) for e in range(episodes)]
        for _ in range(spec.EPISODE_STEPS):
            right = cartpole.action(state, weights)
            for c_state, go in zip(c_states, right, strict=True):
                wrong += library.cartpole_action(ctypes.byref(c_state), w) != go
                library.cartpole_step(ctypes.byref(c_state), bool(go))
            state = cartpole.step(state, right)
            wrong += int((state != np.array([values(s) for s in c_states]).T).sum())
            down = cartpole.fallen(state)
            wrong += sum(
                library.cartpole_fallen(ctypes.byref(s)) != d
                for s, d in zip(c_states, down, strict=True)
            )
            state = state[:, ~down]
            c_states = [s for s, d in zip(c_states, down, strict=True) if not d]
            if not c_states:
                break
    return wrong


@pytest.mark.slow
def test_c_equals_python(library: ctypes.CDLL) -> None:
    """Step by step, every variable, over two thousand episodes."""
    assert differing_steps(library, 100, 20) == 0


def test_compiled_equals_step_by_step() -> None:
    for number, weights in enumerate(policies(60, 8)):
        state, steps = cartpole.begin(7, range(number, number + 5)), np.zeros(5, np.int64)
        standing = np.arange(5)
        while standing.size and steps.max() < spec.EPISODE_STEPS:
            state = cartpole.step(state, cartpole.action(state, weights))
            steps[standing] += 1
            up = ~cartpole.fallen(state)
            state, standing = state[:, up], standing[up]
        assert np.array_equal(cartpole.episode_steps(weights, 7, number, 5), steps)


def test_log_likelihood(library: ctypes.CDLL) -> None:
    """beta log(mean) within 2e-5 nat. C and Python agree, and more steps give a larger value."""
    judge = cartpole.EpisodeLikelihood(1)
    totals = range(judge.episodes, judge.episodes * spec.EPISODE_STEPS + 1)
    found = np.array([judge.of_steps(total) for total in totals])
    exact = 10 * np.log(np.array(totals) / 4)
    assert np.abs(found / 2**LOGLIK_FRAC - exact).max() < 2e-5
    assert np.diff(found).min() > 0
    for total in (*totals[::7], totals[-1]):
        assert library.cartpole_log_likelihood(total, 4, judge.scale) == judge.of_steps(total)
    widest = cartpole.EpisodeLikelihood(1, 0, spec.MAX_EPISODES, spec.MAX_SCALE)
    for total in (spec.MAX_EPISODES, spec.MAX_EPISODES * spec.EPISODE_STEPS):
        wanted = widest.of_steps(total)
        assert abs(wanted) < 2**31
        arguments = (total, spec.MAX_EPISODES, spec.MAX_SCALE)
        assert library.cartpole_log_likelihood(*arguments) == wanted
    with pytest.raises(UsageError, match="episodes = 0"):
        cartpole.EpisodeLikelihood(1, episodes=0)


@pytest.mark.parametrize(
    ("name", "part"),
    [
        *((name, 12) for name in ("POLE", "SIN1", "INVERSE1", "INTERVAL", "PUSH")),
        *(("INPUT_ANGLE", 6), ("INPUT_BIAS", 2)),  # inputs are rounded to 8 bits
    ],
)
def test_a_planted_bug_is_seen(
    library: ctypes.CDLL, name: str, part: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Change a constant slightly, in Python only."""
    monkeypatch.setattr(spec, name, getattr(spec, name) + (getattr(spec, name) >> part or 1))
    assert differing_steps(library, 9, 5) > 0


# -- the message ---------------------------------------------------------------------------------
def episode(weights: object, seed: int, first: int, episodes: int) -> bytes:
    return struct.pack(EPISODE_FORMAT, *weights, episodes, seed, first)  # type: ignore[misc]


def test_episode_message(client: Client) -> None:
    for number, weights in enumerate(policies(6, 2)):
        first = 2**32 - 3 if number == 0 else 1000 * number  # episode numbers wrap
        expected = cartpole.episode_steps(weights, 99, first, 8)
        status, body = client.request(Message.EPISODE, episode(weights, 99, first, 8))
        assert status == Status.OK
        assert struct.unpack("<I8H", body) == (expected.sum(), *expected)


def test_longest_result(client: Client) -> None:
    fallen = (-spec.WEIGHT_MAX,) * 5
    status, body = client.request(Message.EPISODE, episode(fallen, 1, 0, spec.MAX_EPISODES))
    assert status == Status.OK
    assert len(body) == struct.calcsize(EPISODE_RESULT_FORMAT) + 2 * spec.MAX_EPISODES


@pytest.mark.parametrize("board", [True], indirect=True, ids=["image"])
def test_others_are_served_meanwhile(client: Client) -> None:
    """The answer comes after the episodes. A second EPISODE is refused."""
    steady = episode((300, 500, 1000, 1000, 0), 1, 0, 20)
    first = client.messages(client.data(Message.EPISODE, steady), 100_000)
    number = client.number
    assert first == []
    assert client.request(Message.ECHO, b"x") == (Status.OK, b"x")
    assert client.request(Message.EPISODE, steady) == (Status.BUSY, b"")
    found: list[tuple[int, int, int, bytes]] = []
    for _ in range(500):
        assert found or not client.board.idle
        found += client.acknowledge()
        if found:
            break
    assert found[0][:3] == (Message.RESPONSE, Status.OK, number)


def test_refusals(client: Client) -> None:
    good = (1, 2, 3, 4, 5)
    for body, status in (
        (episode(good, 0, 0, 1)[:-1], Status.MALFORMED),
        (episode(good, 0, 0, 1) + b"\0", Status.MALFORMED),
        (episode(good, 0, 0, 0), Status.OUT_OF_RANGE),
        (episode(good, 0, 0, spec.MAX_EPISODES + 1), Status.OUT_OF_RANGE),
        (episode((0, 0, 0, 0, spec.WEIGHT_MAX + 1), 0, 0, 1), Status.OUT_OF_RANGE),
        (episode((-(2**15), 0, 0, 0, 0), 0, 0, 1), Status.OUT_OF_RANGE),
    ):
        assert client.request(Message.EPISODE, body) == (status, b"")
    with pytest.raises(UsageError, match="weights within"):
        cartpole.episode_steps((0, 0, 0, 0, 1024), 0, 0, 1)


# -- float64 -------------------------------------------------------------------------------------
Float = NDArray[np.float64]


def float_step(state: Float, right: NDArray[np.bool_]) -> Float:
    """Gymnasium's CartPole-v1, euler: constants and equations of its source."""
    _, speed, angle, rate = state
    force = np.where(right, 10.0, -10.0)
    cos, sin = np.cos(angle), np.sin(angle)
    temp = (force + 0.1 * 0.5 * rate**2 * sin) / 1.1
    turn = (9.8 * sin - cos * temp) / (0.5 * (4.0 / 3.0 - 0.1 * cos**2 / 1.1))
    pull = temp - 0.1 * 0.5 * turn * cos / 1.1
    return state + 0.02 * np.stack([speed, pull, rate, turn])


def float_inputs(state: Float) -> Float:
    """Inputs of the array are int8, full scale 2.4 m, 3 m/s, 0.2095 rad, 3.5 rad/s; the bias is 10
    of 127."""
    full = np.array([[2.4], [3.0], [0.2095], [3.5]])
    scaled = np.clip(np.floor(127 * state / full + 0.5), -127, 127)
    return np.concatenate([scaled, np.full((1, state.shape[1]), 10)])


def float_steps(weights: NDArray[np.int64], state: Float) -> NDArray[np.int64]:
    steps = np.zeros(state.shape[1], np.int64)
    alive = np.arange(state.shape[1])
    for _ in range(500):
        state = float_step(state, weights @ float_inputs(state) > 0)
        steps[alive] += 1
        standing = (np.abs(state[0]) <= 2.4) & (np.abs(state[2]) <= 12 * 2 * np.pi / 360)
        state, alive = state[:, standing], alive[standing]
    return steps


def test_one_step_against_float64() -> None:
    """For any state within the limits, each variable is within two LSB of the real step."""
    rng = np.random.default_rng(3)
    limits = np.array([[2.4], [4.0], [0.2095], [3.5]])
    state = np.rint(rng.uniform(-limits, limits, (4, 20000)) * 2**spec.STATE_FRAC).astype(np.int64)
    right = rng.random(20000) < 0.5
    error = cartpole.step(state, right) - float_step(state / 2**spec.STATE_FRAC, right) * 2**26
    assert np.abs(error).max() < 2


def test_episodes_against_float64() -> None:
    """Random policies: episodes up to 100 steps last equally long, all but one in a thousand up to
    150. Longer ones are chaotic: a float64 episode that starts with an offset of 1e-12 diverges
    from the original, too. The mean lengths agree."""
    fixed, real, beside = [], [], []
    rng = np.random.default_rng(4)
    for number, weights in enumerate(rng.integers(-1023, 1024, (120, 5))):
        start = cartpole.begin(5, range(10 * number, 10 * number + 10))
        fixed.append(cartpole.episode_steps(weights, 5, 10 * number, 10))
        begin = start / 2**spec.STATE_FRAC
        real.append(float_steps(weights, begin))
        beside.append(float_steps(weights, begin + 1e-12 * rng.standard_normal(begin.shape)))
    a, b, c = (np.concatenate(x) for x in (fixed, real, beside))
    shorter = np.minimum(a, b)
    assert (a == b)[shorter <= 100].all()
    assert (a == b)[shorter <= 150].mean() > 0.998
    assert (a == b).mean() > 0.93 and (b != c).any()
    assert abs(a.mean() - b.mean()) < 1
