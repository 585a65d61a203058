"""CartPole-v1 in integers: what the firmware's ``cartpole.c`` computes, for many episodes at once.

Constants and formats are those of ``ohmcarlo.spec.cartpole``. Every product is rounded half up.
Arrays are int64; state variables stay within 32 bits.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..array.threefry import threefry2x32
from ..errors import UsageError
from ..spec import cartpole as spec
from ..spec.cartpole import COEF_FRAC, STATE_FRAC

State = NDArray[np.int64]
"""int64 (4, episodes): position, speed, angle, angular speed; ``STATE_FRAC`` fraction bits."""

VARIABLES = 4
SQUARE_SHIFT = 2 * STATE_FRAC - COEF_FRAC


def _times(a: State, b: State | int, shift: int) -> State:
    return (a * b + (1 << (shift - 1))) >> shift


def begin(seed: int, episodes: Sequence[int]) -> State:
    """Initial states: each variable uniform within ± 0.05, from the counter-based generator."""
    state = np.empty((VARIABLES, len(episodes)), np.int64)
    for column, episode in enumerate(episodes):
        words = [
            word
            for half in range(2)
            for word in threefry2x32(seed, spec.CARTPOLE_KEY, episode & 0xFFFFFFFF, half)
        ]
        state[:, column] = [(w * (2 * spec.INITIAL + 1) >> 32) - spec.INITIAL for w in words]
    return state


def action(state: State, weights: Sequence[int]) -> NDArray[np.bool_]:
    """True where the policy pushes to the right: weights · state > 0."""
    total = np.zeros(state.shape[1], np.int64)
    for weight, variable in zip(weights, state, strict=True):
        total += int(weight) * variable
    return total > 0


def step(state: State, right: NDArray[np.bool_]) -> State:
    """The state 0.02 s later (explicit Euler)."""
    x, speed, angle, rate = state
    square = _times(angle, angle, SQUARE_SHIFT)
    inner = spec.SIN2 + _times(square, spec.SIN3, COEF_FRAC)
    outer = spec.SIN1 + _times(square, inner, COEF_FRAC)
    sin = angle + _times(angle, _times(square, outer, COEF_FRAC), COEF_FRAC)
    inner = spec.COS2 + _times(square, spec.COS3, COEF_FRAC)
    outer = spec.COS1 + _times(square, inner, COEF_FRAC)
    cos = spec.COS0 + _times(square, outer, COEF_FRAC)
    square = _times(sin, sin, SQUARE_SHIFT)
    inner = spec.INVERSE2 + _times(square, spec.INVERSE3, COEF_FRAC)
    outer = spec.INVERSE1 + _times(square, inner, COEF_FRAC)
    inverse = spec.INVERSE0 + _times(square, outer, COEF_FRAC)

    swing = _times(_times(rate, rate, STATE_FRAC), spec.POLE, COEF_FRAC)
    thrust = np.where(right, spec.PUSH, -spec.PUSH) + _times(swing, sin, STATE_FRAC)
    torque = _times(sin, spec.GRAVITY, STATE_FRAC) - _times(cos, thrust, COEF_FRAC)
    turn = _times(torque, inverse, COEF_FRAC)
    pull = thrust - _times(_times(turn, cos, COEF_FRAC), spec.POLE, COEF_FRAC)

    def moved(value: State, by: State) -> State:
        return value + _times(by, spec.INTERVAL, spec.INTERVAL_FRAC)

    return np.stack([moved(x, speed), moved(speed, pull), moved(angle, rate), moved(rate, turn)])


def fallen(state: State) -> NDArray[np.bool_]:
    """Beyond the limits of position or angle."""
    return (np.abs(state[0]) > spec.X_LIMIT) | (np.abs(state[2]) > spec.ANGLE_LIMIT)


def episode_steps(
    weights: Sequence[int], seed: int, first: int, episodes: int
) -> NDArray[np.int64]:
    """Steps that each of the episodes ``first``, ``first + 1``, … lasts, at most 500.

    ``weights`` are four integers within ± ``WEIGHT_MAX``; UsageError otherwise.
    """
    if len(weights) != VARIABLES or any(abs(int(w)) > spec.WEIGHT_MAX for w in weights):
        raise UsageError(f"a policy has {VARIABLES} weights within ± {spec.WEIGHT_MAX}")
    state = begin(seed, range(first, first + episodes))
    steps = np.zeros(episodes, np.int64)
    alive = np.arange(episodes)
    for _ in range(spec.EPISODE_STEPS):
        state = step(state, action(state, weights))
        steps[alive] += 1
        standing = ~fallen(state)
        state, alive = state[:, standing], alive[standing]
        if not alive.size:
            break
    return steps
