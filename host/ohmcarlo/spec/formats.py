"""Number formats: the width and the binary point of every integer in the machine.

``*_FRAC`` is a number of fraction bits: the integer ``n`` stands for ``n * 2**-FRAC``. With
these formats a whole log-posterior stays within 0.01 nat of float64
(tests/host/golden/test_fixed_point.py).
"""

from __future__ import annotations

import numpy as np

from ..errors import UsageError
from ..jit import inlined

# -- devices ---------------------------------------------------------------------------------
CODE_BITS = 10
CODE_MAX = (1 << CODE_BITS) - 1
CODE_LSB_US = 0.25  # µS per ADC code
TARGET_FRAC = 2  # a programming target is a code with two fraction bits …
DAC_BITS = CODE_BITS + TARGET_FRAC  # … and the DAC has as many bits as a target
DAC_MAX = (1 << DAC_BITS) - 1
TARGET_LSB_US = CODE_LSB_US / (1 << TARGET_FRAC)
HRS_CODE = 8  # code of a device after RESET in the emulator (2 µS)
VALID_LO_CODE, VALID_HI_CODE = 20, CODE_MAX - 1  # read-backs outside have prior probability zero
STUCK_Z = 6  # … and if they miss their target by more than so many σ, they look like a stuck device
DEFAULT_MID_US = 115.0
DEFAULT_LO_US, DEFAULT_HI_US = 30.0, 250.0

# -- proposal --------------------------------------------------------------------------------
RHO_FRAC = 8  # rho = 256 / 256 is the plain random walk
WIDE_EVERY_MAX = 255  # steps of a chain from one wide step to the next
SEGMENT_BITS = 8  # tables over the target have 256 linear segments …
SEGMENTS = 1 << SEGMENT_BITS
SEGMENT_FRAC = DAC_BITS - SEGMENT_BITS  # … of 16 targets each
INV_SIGMA_FRAC = 20
Z_FRAC = 12
Z_MAX = (32 << Z_FRAC) - 1
LOG_SIGMA_FRAC = 16
TRIM_OFFSET_BITS = 9  # signed, in codes: ±64 µS
TRIM_GAIN_BITS = 7  # signed, LSB 2**-7: ±0.5
TRIM_GAIN_FRAC = 7

# -- likelihood ------------------------------------------------------------------------------
FEATURE_FRAC = 5  # int8 features and hidden activations, LSB 2**-5
FEATURE_MAX = 127
LOGIT_FRAC = 12
LOGIT_BITS = 18
LOGIT_MAX = (1 << (LOGIT_BITS - 1)) - 1  # saturates at ±32
OFFSET_FRAC = 10  # 16-bit logit offsets
OFFSET_MAX = (1 << 15) - 1
COEF_BITS = 16  # coefficients are a 16-bit mantissa and a right shift
LOGLIK_FRAC = 16
ACC_MAX = (1 << 31) - 1  # 32-bit saturating accumulators
PROB_FRAC = 16
LABEL_NEGATIVE, LABEL_POSITIVE, LABEL_QUADRATIC = 0, 1, 2

# -- coin ------------------------------------------------------------------------------------
COIN_BITS = 24  # bits of one uniform word u
SYMBOL_BITS = 3  # low bits taken from one entropy device
FOLD_MAX = 8  # raw symbols that are folded into one of the coin

# -- emulator --------------------------------------------------------------------------------
MEDIAN_FRAC = 6  # device median in codes
SIGMA_FRAC = 8  # device spread in codes
GAUSS_FRAC = 13
GAUSS_SUB_BITS = 5  # segments per octave of the inverse normal CDF: 32
GAUSS_INTERP_BITS = 12
D2D_FRAC = 16  # relative device-to-device spread, fraction of the median
MEDIAN_GAIN_FRAC = 16  # age: multiplies the median …
SIGMA_GAIN_FRAC = 8  # … and the spread
STUCK_BITS = 16  # fraction of stuck devices
DEVICE_KEY = 0x44324421  # sets the stream of per-device properties apart from that of the pulses
THREEFRY_PARITY = 0x1BD11BDA  # Threefry-2x32 (Salmon et al., SC 2011)
THREEFRY_ROUNDS = 20
THREEFRY_ROTATIONS = (13, 15, 26, 6, 17, 29, 16, 24)


@inlined
def shift_round(value: int, shift: int) -> int:
    """``value / 2**shift`` rounded half up: the one rounding rule of the machine (shift >= 0)."""
    if shift <= 0:
        return value
    return (value + (1 << (shift - 1))) >> shift


@inlined
def saturate(value: int, limit: int) -> int:
    """Clip to ``[-limit - 1, limit]``: a two's complement register that does not wrap."""
    if value > limit:
        return limit
    if value < -limit - 1:
        return -limit - 1
    return value


def to_fixed(value: float, frac: int) -> int:
    """The nearest integer to ``value * 2**frac`` (ties to even, as numpy rounds)."""
    return int(np.rint(value * (1 << frac)))


def coefficient(value: float, frac: int) -> tuple[int, int]:
    """Mantissa (16 bit) and right shift so that ``x * value * 2**frac ~ (x * mantissa) >> shift``.

    ``value`` must be positive and the shift must come out between 0 and 47; zero gives (0, 0).
    """
    if value == 0:
        return 0, 0
    shift = COEF_BITS - int(np.floor(np.log2(value * 2.0**frac))) - 1
    mantissa = int(np.rint(value * 2.0 ** (frac + shift)))
    if mantissa == 1 << COEF_BITS:
        mantissa, shift = mantissa >> 1, shift - 1
    if not 0 <= shift <= 47:
        raise UsageError(f"a coefficient of {value:g} needs a right shift of {shift}, not 0 to 47")
    return mantissa, shift
