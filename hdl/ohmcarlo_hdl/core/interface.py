"""What the blocks of the controller say to each other: payloads of the streams between them."""

from __future__ import annotations

from amaranth import signed, unsigned
from amaranth.lib import data, enum

from ohmcarlo.spec import CODE_BITS, DAC_BITS

from ..config import CoreConfig

TERM_BITS = 28
"""Signed width of one point's log-likelihood: -z²/2 ≥ -512, LSB 2**-LOGLIK_FRAC."""
ACC_BITS = 32
"""Signed width of a saturating accumulator (``spec.ACC_MAX``)."""
MULTIPLICITY_BITS = 32
PREDICTION_BITS = 64


class Kind(enum.Enum, shape=unsigned(3)):  # type: ignore[call-arg]
    """What becomes of a device, or of a row, in the course of a proposal."""

    WALK = 0
    """Program a device of the sample around its present code."""
    COLD = 1
    """Program a device of the sample to its centre (first sample of a chain)."""
    COIN = 2
    """Program an entropy device to the middle."""
    RESET = 3
    """RESET the row; no device is meant."""
    SELECT = 4
    """Hint that the row comes next; no device is meant."""


def device_order(config: CoreConfig) -> data.StructLayout:
    """Step controller → proposal: one device to be programmed, or one row to be reset.

    ``code`` is the device's code in the current sample (WALK); ``last`` marks the last device of
    the sample (or of the coin).
    """
    return data.StructLayout(
        {
            "kind": Kind,
            "row": unsigned(config.row_bits),
            "device": unsigned(config.device_bits),
            "code": unsigned(CODE_BITS),
            "last": unsigned(1),
        }
    )


def device_target(config: CoreConfig) -> data.StructLayout:
    """Proposal → programmer: the order, with the DAC code and the device's centre."""
    return data.StructLayout(
        {
            "kind": Kind,
            "row": unsigned(config.row_bits),
            "device": unsigned(config.device_bits),
            "code": unsigned(CODE_BITS),
            "last": unsigned(1),
            "dac": unsigned(DAC_BITS),
            "centre": unsigned(DAC_BITS),
        }
    )


PROGRAMMED = data.StructLayout(
    {
        "old": unsigned(CODE_BITS),
        "new": unsigned(CODE_BITS),
        "centre": unsigned(DAC_BITS),
        "odd": unsigned(1),
        "last": unsigned(1),
    }
)
"""Programmer → pricing: a device of the sample, before and after; ``odd``: the g⁻ of its pair."""

PRICE = data.StructLayout(
    {"prior": signed(ACC_BITS), "hastings": signed(ACC_BITS), "stuck": unsigned(1)}
)
"""Pricing → acceptance: log-prior and Hastings term of a proposal, LSB 2**-LOGLIK_FRAC.

``stuck`` as ``golden.proposal.is_stuck``: some invalid read-back missed its target by far.
"""


def coin_code(config: CoreConfig) -> data.StructLayout:
    """Programmer → entropy unit: read-back of the ``column``-th entropy device of a row."""
    return data.StructLayout({"code": unsigned(CODE_BITS), "column": range(config.coin_devices)})


def likelihood_job(config: CoreConfig) -> data.StructLayout:
    """Step controller → likelihood.

    ``predict`` = 0: every point, in the order of the table, under the sample whose group starts at
    ``row``. ``predict`` = 1: the one data point ``point`` under that sample, with weight
    ``multiplicity``; ``last`` closes the sums of that point.
    """
    return data.StructLayout(
        {
            "predict": unsigned(1),
            "row": unsigned(config.row_bits),
            "point": unsigned(config.point_bits),
            "multiplicity": unsigned(MULTIPLICITY_BITS),
            "last": unsigned(1),
        }
    )


TERM = data.StructLayout({"term": signed(TERM_BITS), "last": unsigned(1)})
"""Likelihood → acceptance: one point's log-likelihood, never positive; ``last`` of the data."""

PREDICTION = data.StructLayout(
    {"sum": unsigned(PREDICTION_BITS), "square": unsigned(PREDICTION_BITS)}
)
"""Likelihood → host: Σ multiplicity · p and Σ multiplicity · p² of one point (PROB_FRAC bits)."""
