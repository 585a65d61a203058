"""Gymnasium's CartPole-v1 in integers: constants of ``golden.cartpole`` and of the firmware.

Dynamics and constants are those of ``gymnasium/envs/classic_control/cartpole.py`` (v1, explicit
Euler), after Barto, Sutton and Anderson (1983). State variables have ``STATE_FRAC`` fraction bits,
coefficients ``COEF_FRAC``. Names in capitals that are integers reach the firmware.
"""

from __future__ import annotations

import math

from .formats import CODE_MAX, to_fixed

STATE_FRAC = 26  # x (m), dx/dt, angle (rad), its rate: 32 bits, LSB 1.5e-8
COEF_FRAC = 30
INTERVAL_FRAC = 36

_gravity = 9.8  # m/s²
_mass_cart, _mass_pole = 1.0, 0.1  # kg
_half_length = 0.5  # m
_force = 10.0  # N, to one side or the other
_interval = 0.02  # s
_mass = _mass_cart + _mass_pole


def _state(value: float) -> int:
    return to_fixed(value, STATE_FRAC)


def _coef(value: float) -> int:
    return to_fixed(value, COEF_FRAC)


EPISODE_STEPS = 500  # an episode ends after so many steps …
X_LIMIT = _state(2.4)  # … or beyond this position …
ANGLE_LIMIT = _state(12 * 2 * math.pi / 360)  # … or beyond this angle
INITIAL = _state(0.05)  # state variables begin uniformly within ± this

INTERVAL = to_fixed(_interval, INTERVAL_FRAC)
GRAVITY = _state(_gravity)
PUSH = _state(_force / _mass)
POLE = _coef(_mass_pole * _half_length / _mass)

# sin a = a + a s (SIN1 + s (SIN2 + s SIN3)), cos a = COS0 + s (COS1 + …), s = a²: below half an LSB
# of the state for angles within the limit
SIN1, SIN2, SIN3 = _coef(-1 / 6), _coef(1 / 120), _coef(-1 / 5040)
COS0, COS1, COS2, COS3 = _coef(1), _coef(-1 / 2), _coef(1 / 24), _coef(-1 / 720)

# The angle's acceleration has the divisor length (4/3 - pole cos² / mass) = d + e sin²: nearly
# constant. Its inverse is a series in sin², so that nothing is ever divided.
_d = _half_length * (4 / 3 - _mass_pole / _mass)
_e = _half_length * _mass_pole / _mass
INVERSE0, INVERSE1, INVERSE2, INVERSE3 = (_coef((-_e / _d) ** k / _d) for k in range(4))

WEIGHT_MAX = CODE_MAX  # a policy's weight is the difference of two codes
CARTPOLE_KEY = 0x43415254  # second word of the key of initial states; the first is the seed
MAX_EPISODES = 236  # of one message
