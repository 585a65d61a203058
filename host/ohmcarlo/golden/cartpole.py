"""Cartpole in fixed point, and the log-likelihood of a policy: twin of the firmware's C.

Constants and formats are those of ``ohmcarlo.spec.cartpole``. Every product is rounded half up;
state variables, coefficients and intermediate results fit 32 bits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..array.threefry import threefry2x32
from ..errors import UsageError
from ..jit import allocating, compiled
from ..spec import LOGLIK_FRAC
from ..spec import cartpole as spec
from ..spec.formats import to_fixed

State = NDArray[np.int64]
"""int64 (4, episodes): position, speed, angle, angular speed; ``STATE_FRAC`` fraction bits."""

VARIABLES = 4
WORD = 0xFFFFFFFF
SQUARE_SHIFT = 2 * spec.STATE_FRAC - spec.COEF_FRAC
INPUT_SHIFT = spec.STATE_FRAC + spec.INPUT_FRAC
LOGLIK_SHIFT = spec.LOG2_FRAC + spec.SCALE_FRAC - LOGLIK_FRAC


# -- functions of integers or of arrays -----------------------------------------------------------


@allocating
def _times(a: Any, b: Any, shift: int) -> Any:
    return (a * b + (1 << (shift - 1))) >> shift


def _advance(x: Any, speed: Any, angle: Any, rate: Any, push: Any) -> Any:
    """The state 0.02 s later (explicit Euler); ``push``: force over mass."""
    square = _times(angle, angle, SQUARE_SHIFT)
    inner = spec.SIN1 + _times(square, spec.SIN2, spec.COEF_FRAC)
    sin = angle + _times(angle, _times(square, inner, spec.COEF_FRAC), spec.COEF_FRAC)
    inner = spec.COS1 + _times(square, spec.COS2, spec.COEF_FRAC)
    cos = spec.COS0 + _times(square, inner, spec.COEF_FRAC)
    square = _times(sin, sin, SQUARE_SHIFT)
    inner = spec.INVERSE1 + _times(square, spec.INVERSE2, spec.COEF_FRAC)
    inverse = spec.INVERSE0 + _times(square, inner, spec.COEF_FRAC)

    swing = _times(_times(rate, spec.POLE, spec.COEF_FRAC), rate, spec.STATE_FRAC)
    thrust = push + _times(swing, sin, spec.STATE_FRAC)
    torque = _times(sin, spec.GRAVITY, spec.STATE_FRAC) - _times(cos, thrust, spec.COEF_FRAC)
    turn = _times(torque, inverse, spec.COEF_FRAC)
    pull = thrust - _times(_times(turn, cos, spec.COEF_FRAC), spec.POLE, spec.COEF_FRAC)
    return (
        x + _times(speed, spec.INTERVAL, spec.INTERVAL_FRAC),
        speed + _times(pull, spec.INTERVAL, spec.INTERVAL_FRAC),
        angle + _times(rate, spec.INTERVAL, spec.INTERVAL_FRAC),
        rate + _times(turn, spec.INTERVAL, spec.INTERVAL_FRAC),
    )


_advance_compiled = compiled(_advance)


@compiled
def _input(variable: int, factor: int) -> int:
    """A variable as an int8 input of the array."""
    wanted = _times(variable, factor, INPUT_SHIFT)
    return min(max(wanted, -spec.INPUT_MAX), spec.INPUT_MAX)


@compiled
def _pushes_right(weights: NDArray[np.int64], x: int, speed: int, angle: int, rate: int) -> bool:
    """Sign of the dot product of a row of the array with these weights."""
    total = weights[0] * _input(x, spec.INPUT_X) + weights[1] * _input(speed, spec.INPUT_SPEED)
    total += weights[2] * _input(angle, spec.INPUT_ANGLE)
    total += weights[3] * _input(rate, spec.INPUT_RATE) + weights[4] * spec.INPUT_BIAS
    return total > 0


@compiled
def _initial(word: int) -> int:
    return (word * (2 * spec.INITIAL + 1) >> 32) - spec.INITIAL


@compiled
def _begin(seed: int, episode: int) -> tuple[int, int, int, int]:
    x, speed = threefry2x32(seed, spec.CARTPOLE_KEY, episode & WORD, 0)
    angle, rate = threefry2x32(seed, spec.CARTPOLE_KEY, episode & WORD, 1)
    return _initial(x), _initial(speed), _initial(angle), _initial(rate)


@compiled
def _run(weights: NDArray[np.int64], seed: int, first: int, steps: NDArray[np.int64]) -> None:
    for episode in range(len(steps)):
        x, speed, angle, rate = _begin(seed, first + episode)
        count, standing = 0, True
        while standing and count < spec.EPISODE_STEPS:
            right = _pushes_right(weights, x, speed, angle, rate)
            push = spec.PUSH if right else -spec.PUSH
            x, speed, angle, rate = _advance_compiled(x, speed, angle, rate, push)
            count += 1
            standing = abs(x) <= spec.X_LIMIT and abs(angle) <= spec.ANGLE_LIMIT
        steps[episode] = count


# -- many episodes, step by step -------------------------------------------------------------------


def begin(seed: int, episodes: Sequence[int]) -> State:
    """Initial states: each variable uniform within ± 0.05, from the counter-based generator."""
    return np.array([_begin(seed, episode) for episode in episodes], np.int64).T


def inputs(state: State) -> NDArray[np.int64]:
    """Inputs of the array, int64 (5, episodes) within ± ``INPUT_MAX``; the bias is the last."""
    factors = (spec.INPUT_X, spec.INPUT_SPEED, spec.INPUT_ANGLE, spec.INPUT_RATE)
    scaled = np.stack([_times(v, f, INPUT_SHIFT) for v, f in zip(state, factors, strict=True)])
    bias = np.full((1, state.shape[1]), spec.INPUT_BIAS)
    return np.concatenate([np.clip(scaled, -spec.INPUT_MAX, spec.INPUT_MAX), bias])


def action(state: State, weights: Sequence[int] | NDArray[np.int64]) -> NDArray[np.bool_]:
    """True where the policy pushes to the right: weights · inputs > 0."""
    return np.asarray(np.asarray(weights, np.int64) @ inputs(state) > 0)


def step(state: State, right: NDArray[np.bool_]) -> State:
    """The state 0.02 s later."""
    x, speed, angle, rate = state
    return np.stack(_advance(x, speed, angle, rate, np.where(right, spec.PUSH, -spec.PUSH)))


def fallen(state: State) -> NDArray[np.bool_]:
    """Whether position or angle is beyond its limit."""
    return (np.abs(state[0]) > spec.X_LIMIT) | (np.abs(state[2]) > spec.ANGLE_LIMIT)


def episode_steps(
    weights: Sequence[int] | NDArray[Any], seed: int, first: int, episodes: int
) -> NDArray[np.int64]:
    """Steps of each of the episodes ``first``, ``first + 1``, …, at most 500.

    ``weights`` are five integers within ± ``WEIGHT_MAX``, that of the bias last; UsageError
    otherwise.
    """
    policy = np.ascontiguousarray(weights, np.int64)
    if policy.shape != (spec.POLICY_INPUTS,) or np.abs(policy).max() > spec.WEIGHT_MAX:
        raise UsageError(f"a policy has {spec.POLICY_INPUTS} weights within ± {spec.WEIGHT_MAX}")
    steps = np.zeros(episodes, np.int64)
    _run(policy, seed, first, steps)
    return steps


# -- the log-likelihood of a policy ----------------------------------------------------------------


def log2_fixed(number: int) -> int:
    """log₂ of a positive integer below 2³², ``LOG2_FRAC`` fraction bits, rounded down.

    Each digit takes one squaring.
    """
    exponent = number.bit_length() - 1
    mantissa = number << (31 - exponent)  # in [1, 2), 31 fraction bits
    result = exponent
    for _ in range(spec.LOG2_FRAC):
        mantissa = mantissa * mantissa >> 31
        result <<= 1
        if mantissa >> 32:
            mantissa >>= 1
            result |= 1
    return result


def policy_weights(codes: NDArray[Any]) -> NDArray[np.int64]:
    """g⁺ - g⁻ of every pair, in codes: (…, 10) → int64 (…, 5)."""
    wide = np.asarray(codes, np.int64)
    return np.asarray(wide[..., 0::2] - wide[..., 1::2])


@dataclass(frozen=True)
class EpisodeLikelihood:
    """Log-likelihood of a policy: beta · log(mean steps of a fixed set of episodes).

    Attributes
    ----------
    seed, first, episodes : int
        The episodes: numbers ``first`` … of ``episode_steps``.
    scale : int
        beta · log 2, ``SCALE_FRAC`` fraction bits.
    """

    seed: int
    first: int = 0
    episodes: int = spec.episodes_of_a_policy
    scale: int = to_fixed(spec.beta * float(np.log(2)), spec.SCALE_FRAC)

    def __post_init__(self) -> None:
        if not 1 <= self.episodes <= spec.MAX_EPISODES:
            raise UsageError(f"episodes = {self.episodes}: choose 1 to {spec.MAX_EPISODES}")
        if not 0 <= self.scale <= spec.MAX_SCALE:
            raise UsageError(f"scale = {self.scale}: choose 0 to {spec.MAX_SCALE}")

    def steps(self, codes: NDArray[Any]) -> NDArray[np.int64]:
        """Steps of each episode under the policy of a sample: codes (10,) → int64 (episodes,)."""
        return episode_steps(policy_weights(codes), self.seed, self.first, self.episodes)

    def of_steps(self, total: int) -> int:
        """The log-likelihood for the sum of the steps of all episodes; LSB 2**-LOGLIK_FRAC nat."""
        mean = log2_fixed(total) - log2_fixed(self.episodes)
        return int(_times(mean, self.scale, LOGLIK_SHIFT))

    def __call__(self, codes: NDArray[Any]) -> int:
        """Log-likelihood of a proposal, LSB 2**-LOGLIK_FRAC nat."""
        return self.of_steps(int(self.steps(codes).sum()))
