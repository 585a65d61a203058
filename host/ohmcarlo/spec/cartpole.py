"""Gymnasium's CartPole-v1 in integers: constants of ``golden.cartpole`` and of the firmware.

Dynamics and constants are those of ``gymnasium/envs/classic_control/cartpole.py`` (v1, explicit
Euler), after Barto, Sutton and Anderson (1983). State variables have ``STATE_FRAC`` fraction bits,
coefficients ``COEF_FRAC``. Names in capitals that are integers reach the firmware.
"""

from __future__ import annotations

import math

import numpy as np

from .formats import CODE_MAX, FEATURE_MAX, to_fixed

STATE_FRAC = 26  # x (m), dx/dt, angle (rad), its rate: 32 bits, LSB 1.5e-8
COEF_FRAC = 30
INTERVAL_FRAC = 36

_gravity = 9.8  # m/s²
_mass_cart, _mass_pole = 1.0, 0.1  # kg
_half_length = 0.5  # m
_force = 10.0  # N, to one side or the other
_interval = 0.02  # s
_angle_limit = 12 * 2 * math.pi / 360  # rad
_mass = _mass_cart + _mass_pole


def _state(value: float) -> int:
    return to_fixed(value, STATE_FRAC)


def _coef(value: float) -> int:
    return to_fixed(value, COEF_FRAC)


EPISODE_STEPS = 500  # an episode ends after so many steps …
X_LIMIT = _state(2.4)  # … or beyond this position …
ANGLE_LIMIT = _state(_angle_limit)  # … or beyond this angle
INITIAL = _state(0.05)  # state variables begin uniformly within ± this

INTERVAL = to_fixed(_interval, INTERVAL_FRAC)
GRAVITY = _state(_gravity)
PUSH = _state(_force / _mass)
POLE = _coef(_mass_pole * _half_length / _mass)


def _shortened(coefficients: tuple[float, ...], top: float) -> tuple[float, ...]:
    """A polynomial in s (constant first) without its last term, the closest one for s in [0, top].

    The Chebyshev polynomial of that degree is subtracted (Lanczos economisation).
    """
    *kept, last = coefficients
    degree = len(kept)
    shifted = np.polynomial.Chebyshev.basis(degree, domain=[0.0, top])
    chebyshev = shifted.convert(kind=np.polynomial.Polynomial).coef
    return tuple(np.array(kept) - last / chebyshev[-1] * chebyshev[:-1])


# sin a = a + a s (SIN1 + s SIN2), cos a = COS0 + s (COS1 + s COS2), s = a². The series are accurate
# to a fifth of an LSB of the state for angles within the limit.
_top = _angle_limit**2
SIN1, SIN2 = (_coef(c) for c in _shortened((-1 / 6, 1 / 120, -1 / 5040), _top))
COS0, COS1, COS2 = (_coef(c) for c in _shortened((1.0, -1 / 2, 1 / 24, -1 / 720), _top))

# The angle's acceleration has the divisor length (4/3 - pole cos² / mass) = d + e sin²: nearly
# constant. Its inverse is a series in sin², so that nothing is ever divided.
_d = _half_length * (4 / 3 - _mass_pole / _mass)
_e = _half_length * _mass_pole / _mass
INVERSE0, INVERSE1, INVERSE2 = (
    _coef(c) for c in _shortened(tuple((-_e / _d) ** k / _d for k in range(4)), _top)
)

# -- the policy ------------------------------------------------------------------------------
# Inputs of the array are int8: each state variable divided by its full scale, and a bias.
INPUT_NAMES = ("position", "speed", "angle", "angular speed", "bias")
_full_scale = (2.4, 3.0, 0.2095, 3.5, 12.7)  # m, m/s, rad, rad/s; of the bias, whose input is 1
POLICY_INPUTS = len(_full_scale)
INPUT_MAX = FEATURE_MAX
INPUT_FRAC = 20  # an input is variable × INPUT_… , rounded and clipped
INPUT_X, INPUT_SPEED, INPUT_ANGLE, INPUT_RATE = (
    to_fixed(INPUT_MAX / scale, INPUT_FRAC) for scale in _full_scale[:-1]
)
INPUT_BIAS = round(INPUT_MAX / _full_scale[-1])
WEIGHT_MAX = CODE_MAX  # a policy's weight is the difference of two codes

# -- episodes ----------------------------------------------------------------------------------
CARTPOLE_KEY = 0x43415254  # second word of the key of initial states; the first is the seed
MAX_EPISODES = 236  # of one message

# -- the log-likelihood of a policy --------------------------------------------------------------
# beta log(mean steps of the episodes), by a logarithm to base 2 with LOG2_FRAC fraction bits
LOG2_FRAC = 20
SCALE_FRAC = 16
MAX_SCALE = to_fixed(1000 * math.log(2), SCALE_FRAC)

beta = 10.0
episodes_of_a_policy = 4  # the same for every proposal, so that the likelihood is a function
