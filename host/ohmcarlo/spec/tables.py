"""Every table of the machine: node values that the golden model, the HDL and the firmware share.

A table is a list of integer nodes; a value between two nodes is interpolated linearly with
``node + shift_round(delta * fraction, bits)`` (see ``interpolate``). The functions here are the
only place where a node is computed from floating point.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
import scipy
from numpy.typing import NDArray

from ..errors import UsageError
from ..jit import compiled, inlined
from .formats import (
    CODE_BITS,
    CODE_LSB_US,
    CODE_MAX,
    DAC_MAX,
    GAUSS_FRAC,
    GAUSS_INTERP_BITS,
    GAUSS_SUB_BITS,
    INV_SIGMA_FRAC,
    LOG_SIGMA_FRAC,
    LOGIT_FRAC,
    LOGIT_MAX,
    LOGLIK_FRAC,
    MEDIAN_FRAC,
    PROB_FRAC,
    SEGMENT_BITS,
    SEGMENT_FRAC,
    SEGMENTS,
    SIGMA_FRAC,
    SYMBOL_BITS,
    TARGET_FRAC,
    TARGET_LSB_US,
    TRIM_GAIN_FRAC,
    shift_round,
)

IntTable = NDArray[np.int64]

# -- log-sigmoid and sigmoid -------------------------------------------------------------------
# Segments over |z|: 16 per unit on [0, 8), 2 per unit on [8, 16), nothing beyond.
LOGSIG_FINE_BITS = 4
LOGSIG_COARSE_BITS = 1
LOGSIG_KNEE = 8
LOGSIG_END = 16
LOGSIG_FINE_SEGMENTS = LOGSIG_KNEE << LOGSIG_FINE_BITS
LOGSIG_SEGMENTS = LOGSIG_FINE_SEGMENTS + ((LOGSIG_END - LOGSIG_KNEE) << LOGSIG_COARSE_BITS)
LOGSIG_FINE_SHIFT = LOGIT_FRAC - LOGSIG_FINE_BITS
LOGSIG_COARSE_SHIFT = LOGIT_FRAC - LOGSIG_COARSE_BITS

# -- -log u --------------------------------------------------------------------------------------
NEG_LOG_SEGMENT_BITS = 6  # linear segments over the mantissa of u
LN2 = int(np.rint(np.log(2) * (1 << LOGLIK_FRAC)))

# -- health tests (NIST SP 800-90B, 4.4) -----------------------------------------------------------
ALPHA_LOG2 = 30  # false alarms: fewer than 2**-30 per window, all tests together …
REPETITION_ALPHA_LOG2 = 40  # … so 2**-40 per bit or symbol, of which a window holds a thousand
APT_WINDOW = 1024  # binary source
RAW_MIN_ENTROPY = 0.98  # bits per raw bit that are assumed of devices that are not measured
STARTUP_WINDOWS = 2


def _frozen(nodes: NDArray[Any]) -> IntTable:
    table = np.ascontiguousarray(np.rint(nodes), np.int64)
    table.setflags(write=False)
    return table


def _segment_edges() -> NDArray[np.float64]:
    fine = np.arange(LOGSIG_FINE_SEGMENTS) / (1 << LOGSIG_FINE_BITS)
    coarse = LOGSIG_KNEE + np.arange(LOGSIG_SEGMENTS - LOGSIG_FINE_SEGMENTS + 1) / (
        1 << LOGSIG_COARSE_BITS
    )
    return np.concatenate([fine, coarse])


@cache
def softplus_table() -> IntTable:
    """Nodes of f(a) = log(1 + exp(-a)) for a = |z|, LSB 2**-LOGLIK_FRAC, (145,).

    -f(a) is log sigmoid(a). A chord lies above a convex function; each node is lowered by
    h² f″ / 16, half of the mean gap, so that the error of the sum over a data set averages out.
    """
    a = _segment_edges()
    f = np.log1p(np.exp(-a))
    s = scipy.special.expit(a)
    h = np.where(a < LOGSIG_KNEE, 2.0**-LOGSIG_FINE_BITS, 2.0**-LOGSIG_COARSE_BITS)
    return _frozen((f - h**2 * s * (1 - s) / 16) * (1 << LOGLIK_FRAC))


@cache
def cost_lines() -> IntTable:
    """The negative log-likelihood of a label as lines over the signed logit, (1025, 2).

    Line i holds slope and intercept, with LOGSIG_COARSE_SHIFT more fraction bits, for the logits
    from (i - 512) << LOGSIG_FINE_SHIFT on. The logit is positive if its sign agrees with the label:
    there the cost is the table of ``softplus_table``, otherwise the table plus |z|. A segment of
    the table is one line (fine) or eight (coarse); beyond LOGSIG_END the table is 0.
    """
    agrees = _lines(softplus_table(), beyond=0)
    differs = agrees[-2::-1] * [-1, 1]
    differs[:, 0] -= 1 << (LOGLIK_FRAC - LOGIT_FRAC + LOGSIG_COARSE_SHIFT)
    return _frozen(np.r_[differs, agrees])


def _lines(nodes: IntTable, beyond: int) -> NDArray[np.int64]:
    """``over_magnitude`` as lines over logits from 0 on, (513, 2).

    The intercept holds the half that rounding adds.
    """
    edges = (_segment_edges() * (1 << LOGIT_FRAC)).astype(np.int64)
    fine = np.arange(LOGSIG_FINE_SEGMENTS)
    coarse = np.arange(LOGSIG_FINE_SEGMENTS, LOGSIG_SEGMENTS)
    lines = 1 << (LOGSIG_COARSE_SHIFT - LOGSIG_FINE_SHIFT)  # in a coarse segment
    at = np.r_[fine, np.repeat(coarse, lines)]
    slope = (nodes[at + 1] - nodes[at]) * np.where(at < LOGSIG_FINE_SEGMENTS, lines, 1)
    half = 1 << (LOGSIG_COARSE_SHIFT - 1)
    intercept = (nodes[at] << LOGSIG_COARSE_SHIFT) - slope * edges[at] + half
    found = np.zeros((((LOGIT_MAX + 1) >> LOGSIG_FINE_SHIFT) + 1, 2), np.int64)
    found[:, 1] = (beyond << LOGSIG_COARSE_SHIFT) + half
    found[: len(at)] = np.c_[slope, intercept]
    return found


@cache
def sigmoid_table() -> IntTable:
    """Nodes of sigmoid(a) for a = |z| on the segments of ``softplus_table``, (145,)."""
    return _frozen(scipy.special.expit(_segment_edges()) * (1 << PROB_FRAC))


@cache
def sigmoid_lines() -> IntTable:
    """sigmoid(z) as lines over the logit, (1025, 2), like ``cost_lines``; LSB 2**-PROB_FRAC.

    A negative logit has 1 - sigmoid(-z), which rounds the other way.
    """
    positive = _lines(sigmoid_table(), beyond=1 << PROB_FRAC)
    negative = positive[-2::-1] * [1, -1]
    negative[:, 1] += (((1 << PROB_FRAC) + 1) << LOGSIG_COARSE_SHIFT) - 1
    return _frozen(np.r_[negative, positive])


@cache
def neg_log_table() -> IntTable:
    """Nodes of log(1 + x) for x in [0, 1], LSB 2**-LOGLIK_FRAC, (65,).

    -log u = (leading zeros + 1) ln 2 - log(1 + x), x the normalised mantissa of u.
    """
    n = 1 << NEG_LOG_SEGMENT_BITS
    x = np.arange(n + 1) / n
    h = 1 / n
    gap = h**2 / (1 + x) ** 2 / 16  # a chord lies below a concave function
    return _frozen((np.log1p(x) + gap) * (1 << LOGLIK_FRAC))


def target_nodes_us() -> NDArray[Any]:
    """Conductance (µS) at the 257 nodes of a table over the target."""
    return np.arange(SEGMENTS + 1) * (1 << SEGMENT_FRAC) * TARGET_LSB_US


def hastings_tables(
    sigma_us: Callable[[NDArray[np.float64]], NDArray[np.float64]],
    lo_us: float = 4.0,
) -> tuple[IntTable, IntTable]:
    """1/σ (per code, LSB 2**-INV_SIGMA_FRAC) and log σ (LSB 2**-LOG_SIGMA_FRAC) over the target.

    Nodes below the lowest target ``lo_us`` repeat the last one before it: σ ∝ g has no logarithm
    at 0, and a kink must not fall inside a segment that is used.
    """
    nodes = target_nodes_us()
    lowest = nodes[max(int(np.searchsorted(nodes, lo_us, side="right")) - 1, 1)]
    sigma = np.asarray(sigma_us(np.maximum(nodes, lowest)), np.float64) / CODE_LSB_US
    if not np.all(np.isfinite(sigma)) or np.any(sigma <= 0.25):
        raise UsageError(
            f"devices spread by less than 0.0625 µS at {lowest:g} µS or above: too little for the "
            "controller's tables, and for a proposal"
        )
    return (
        _frozen((1 << INV_SIGMA_FRAC) / sigma),
        _frozen(np.log(sigma) * (1 << LOG_SIGMA_FRAC)),
    )


# -- emulator ----------------------------------------------------------------------------------
GAUSS_NODES = ((31 - GAUSS_SUB_BITS + 1) << GAUSS_SUB_BITS) + 1
MEDIAN_SEGMENT_SHIFT = CODE_BITS + MEDIAN_FRAC - SEGMENT_BITS  # 256 segments over the median


@cache
def gauss_table() -> IntTable:
    """|z| of the standard normal at p = (v + 1/2) / 2**32, v in [0, 2**31], LSB 2**-GAUSS_FRAC.

    Nodes follow the octaves of v, 32 to each (and one to each v below 32): the table is as fine
    in the tail as at the centre, where |z| ends at 0.
    """
    sub = 1 << GAUSS_SUB_BITS
    index = np.arange(GAUSS_NODES)
    shift = np.maximum(index // sub - 1, 0)
    v = (index - shift * sub).astype(np.float64) * 2.0**shift
    z = -scipy.special.ndtri(np.minimum((v + 0.5) / 2.0**32, 0.5))
    return _frozen(z * (1 << GAUSS_FRAC))


def median_table(law_us: Callable[[NDArray[np.float64]], NDArray[np.float64]]) -> IntTable:
    """Emulated device: median (codes, LSB 2**-MEDIAN_FRAC) over the DAC code, (257,)."""
    top = CODE_MAX + 1
    return _frozen(np.clip(law_us(target_nodes_us()) / CODE_LSB_US, 0, top) * (1 << MEDIAN_FRAC))


def sigma_table(sigma_us: Callable[[NDArray[np.float64]], NDArray[np.float64]]) -> IntTable:
    """Emulated device: spread (codes, LSB 2**-SIGMA_FRAC) over the median, (257,)."""
    return _frozen(sigma_us(target_nodes_us()) / CODE_LSB_US * (1 << SIGMA_FRAC))


def identity_dac() -> NDArray[np.int32]:
    """The conductance→DAC table of an array whose DAC code is the target itself, (257,)."""
    return (np.arange(SEGMENTS + 1) << SEGMENT_FRAC).astype(np.int32)


# -- tables in memory ------------------------------------------------------------------------------
def segments_of(nodes: Iterable[Any]) -> list[tuple[int, int]]:
    """Content of a memory of linear segments: first node and step of each, from n + 1 nodes."""
    return [(int(a), int(b) - int(a)) for a, b in pairwise(nodes)]


def segment_words(nodes: Iterable[Any]) -> list[int]:
    """The same as words of a memory window, signed: each segment's first node, then its step."""
    return [word for segment in segments_of(nodes) for word in segment]


# -- lookups: the twins of the HDL's table units ---------------------------------------------------
@inlined
def interpolate(nodes: IntTable, position: int, bits: int) -> int:
    """Linear interpolation at ``position`` with ``bits`` fraction bits below the node index.

    The fraction is random, so that a branch on it would often be mispredicted. Unsigned indices
    need no test whether they count from the end.
    """
    index = position >> bits
    fraction = position & ((1 << bits) - 1)
    low = nodes[np.uint64(index)]
    high = nodes[np.uint64(min(index + 1, len(nodes) - 1))]
    return low + shift_round((high - low) * fraction, bits)


@compiled
def dac_of(nodes: Any, mid: int, offset: int, gain: int, target: int) -> int:
    """The DAC code that programs a device to ``target``: its trim, then the common table."""
    trimmed = target + (offset << TARGET_FRAC) + shift_round((target - mid) * gain, TRIM_GAIN_FRAC)
    trimmed = min(max(trimmed, 0), DAC_MAX)
    return min(max(interpolate(nodes, trimmed, SEGMENT_FRAC), 0), DAC_MAX)


@inlined
def over_lines(lines: IntTable, logit: int) -> int:
    """Value of ``cost_lines`` or ``sigmoid_lines`` at a logit, without a branch."""
    line = np.uint64((logit + LOGIT_MAX + 1) >> LOGSIG_FINE_SHIFT)
    return (lines[line, 0] * logit + lines[line, 1]) >> LOGSIG_COARSE_SHIFT


@inlined
def over_magnitude(nodes: IntTable, magnitude: int, beyond: int) -> int:
    """A table over |z| (``softplus_table``, ``sigmoid_table``); ``beyond`` from LOGSIG_END on."""
    if magnitude < (LOGSIG_KNEE << LOGIT_FRAC):
        return interpolate(nodes, magnitude, LOGSIG_FINE_SHIFT)
    if magnitude < (LOGSIG_END << LOGIT_FRAC):
        coarse = magnitude - (LOGSIG_KNEE << LOGIT_FRAC)
        position = coarse + (LOGSIG_FINE_SEGMENTS << LOGSIG_COARSE_SHIFT)
        return interpolate(nodes, position, LOGSIG_COARSE_SHIFT)
    return beyond


@compiled
def gauss(nodes: IntTable, word: int) -> int:
    """Standard normal from 32 uniform bits, LSB 2**-GAUSS_FRAC: bit 31 is the sign."""
    v = word & 0x7FFFFFFF
    octaves = v >> (GAUSS_SUB_BITS + 1)
    shift = 0
    while octaves:  # LLVM makes one instruction of this loop
        octaves >>= 1
        shift += 1
    index = (shift << GAUSS_SUB_BITS) + (v >> shift)
    rest = v & ((1 << shift) - 1)
    fraction = (rest << GAUSS_INTERP_BITS) >> shift
    low = nodes[index]
    z = low + shift_round((nodes[index + 1] - low) * fraction, GAUSS_INTERP_BITS)
    return -z if word >> 31 else z


def health_cutoffs(min_entropy: float) -> tuple[int, int, int]:
    """Cut-offs of the health tests for ``min_entropy`` bits per raw bit (SP 800-90B, 4.4).

    Returns the repetition count over raw bits, the same over the SYMBOL_BITS-bit symbols of one
    entropy device, and the adaptive proportion over a window of APT_WINDOW raw bits. False alarms
    come with probability below 2**-REPETITION_ALPHA_LOG2 (per bit, per symbol) and 2**-ALPHA_LOG2
    (per window); both lie in the standard's range of 2**-20 to 2**-40.
    """
    rct = 1 + int(np.ceil(REPETITION_ALPHA_LOG2 / min_entropy))
    rct_symbol = 1 + int(np.ceil(REPETITION_ALPHA_LOG2 / (min_entropy * SYMBOL_BITS)))
    # the window's first bit is the one counted, so APT_WINDOW - 1 trials remain
    trials = APT_WINDOW - 1
    # The survival function of the binomial distribution. The import of scipy.stats, which has it,
    # takes a second.
    above = scipy.special.bdtrc(np.arange(APT_WINDOW), trials, 2.0**-min_entropy)
    critical = int(np.argmax(above <= 2.0**-ALPHA_LOG2))
    return rct, rct_symbol, 2 + critical
