"""The likelihood pipe: dot products, logits, log-sigmoid, the running sum and its early stop."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..jit import allocating, compiled, inlined
from ..spec import (
    ACC_MAX,
    FEATURE_FRAC,
    FEATURE_MAX,
    LABEL_POSITIVE,
    LABEL_QUADRATIC,
    LOGIT_FRAC,
    LOGIT_MAX,
    LOGLIK_FRAC,
    OFFSET_FRAC,
    PROB_FRAC,
    over_lines,
    over_magnitude,
    saturate,
    shift_round,
)
from .machine import Converter, Data, Machine, Scale

NEVER = -2 * ACC_MAX  # below every sum


@allocating
def differences(codes: Any) -> Any:
    """k⁺ - k⁻ of every pair, int32: the factors of the inputs in an access."""
    out = np.empty(len(codes) // 2, np.int32)
    for j in range(len(out)):
        out[j] = codes[2 * j] - codes[2 * j + 1]
    return out


@inlined
def dot_exact(inputs: Any, point: int, weights: Any, first: int, pairs: int) -> int:
    """Σ x (k⁺ - k⁻) of one point; it fits 32 bits (127 · 1023 · 256).

    ``inputs`` is int8 (points, ≥ pairs); ``weights`` from ``first`` on are ``differences``.
    """
    total: Any = np.int32(0)
    for j in range(pairs):
        total += np.int32(inputs[point, j]) * weights[first + j]
    return total


@compiled
def dot_access(
    inputs: Any, point: int, weights: Any, first: int, pairs: int, converter: Converter
) -> int:
    """``dot_exact`` as the accumulator computes it from accesses.

    With a converter of full resolution the sum is exact and computed at once. Otherwise each
    access (``access_bits`` bits of every input, one tile of columns) is rounded and saturated by
    the converter, then shifted and added; the top bits of an input are the signed ones.
    """
    total: Any = 0
    if converter.limit == ACC_MAX:
        total = np.int64(dot_exact(inputs, point, weights, first, pairs))
    else:
        planes = 8 // converter.access_bits
        for tile in range(0, pairs, converter.tile_pairs):
            last = min(tile + converter.tile_pairs, pairs)
            for plane in range(planes):
                shift = plane * converter.access_bits
                partial = 0
                for j in range(tile, last):
                    bits = np.int64(inputs[point, j]) >> shift
                    if plane < planes - 1:
                        bits &= (1 << converter.access_bits) - 1
                    partial += bits * weights[first + j]
                reading = saturate(shift_round(partial, converter.shift), converter.limit)
                total += reading << (converter.shift + shift)
    return total


@inlined
def logit_of(dot: int, offset: int, scale: Scale) -> int:
    """Logit of a dot product, LSB 2**-LOGIT_FRAC, saturating at ±32."""
    scaled = shift_round(dot * scale.mantissa, scale.shift)
    return saturate(scaled + (np.int64(offset) << (LOGIT_FRAC - OFFSET_FRAC)), LOGIT_MAX)


@compiled
def activation(dot: int, scale: Scale) -> int:
    """Hidden unit: saturating linear, int8 like the features; rounded once, without a logit."""
    value = shift_round(dot * scale.mantissa, scale.shift + LOGIT_FRAC - FEATURE_FRAC)
    return min(max(value, -FEATURE_MAX), FEATURE_MAX)


@compiled
def network_dot(
    inputs: Any, point: int, weights: Any, hidden: Any,
    features: int, converter: Converter, scale: Scale,
) -> int:  # fmt: skip
    """Dot product of the output row over the hidden layer of a point.

    ``hidden`` is a buffer for the hidden layer of one point, int8 (1, H + 1).
    """
    units = hidden.shape[1] - 1
    for h in range(units):
        unit = dot_access(inputs, point, weights, h * features, features, converter)
        hidden[0, h] = activation(unit, scale)
    hidden[0, units] = 1 << FEATURE_FRAC  # the output row's bias input
    return dot_access(hidden, 0, weights, units * features, units + 1, converter)


@compiled
def point_logit(
    inputs: Any, offset: int, point: int, weights: Any, hidden: Any,
    features: int, converter: Converter, scale: Scale,
) -> int:  # fmt: skip
    """Logit of one point under a sample's ``differences``; ``hidden`` is (1, 1) without a layer."""
    if hidden.shape[1] == 1:
        dot = dot_access(inputs, point, weights, 0, features, converter)
    else:
        dot = network_dot(inputs, point, weights, hidden, features, converter, scale)
    return logit_of(dot, offset, scale)


@inlined
def term_of(softplus: Any, label: int, z: int) -> int:
    """Log-likelihood of one point, never positive, LSB 2**-LOGLIK_FRAC."""
    if label == LABEL_QUADRATIC:
        return -shift_round(z * z, 2 * LOGIT_FRAC + 1 - LOGLIK_FRAC)
    magnitude = abs(z)
    term = -over_magnitude(softplus, magnitude, 0)
    if (z >= 0) != (label == LABEL_POSITIVE):
        term -= magnitude << (LOGLIK_FRAC - LOGIT_FRAC)
    return term


@inlined
def term_by_lines(lines: Any, label: int, z: int) -> int:
    """``term_of`` without a branch on the logit, which would be mispredicted at many points."""
    if label == LABEL_QUADRATIC:
        return -shift_round(z * z, 2 * LOGIT_FRAC + 1 - LOGLIK_FRAC)
    return -over_lines(lines, z if label == LABEL_POSITIVE else -z)


@compiled
def sum_of_logits(
    logits: Any, labels: Any, order: Any, softplus: Any, stop: int
) -> tuple[int, int]:
    """The running sum over given logits, until it is below ``stop``."""
    total = 0
    n = len(order)
    for visited in range(n):
        i = order[visited]
        total = saturate(total + term_of(softplus, labels[i], logits[i]), ACC_MAX)
        if total < stop:
            return total, visited + 1
    return total, n


@compiled
def sum_of_points(
    inputs: Any, offsets: Any, labels: Any, order: Any, weights: Any, cost: Any, stop: int,
    features: int, scale: Scale,
) -> tuple[int, int]:  # fmt: skip
    """The same for a logistic model with exact dot products, each computed when it is needed."""
    total = 0
    n = len(order)
    for visited in range(n):
        i = np.uint64(order[visited])
        dot = np.int64(dot_exact(inputs, i, weights, 0, features))
        z = logit_of(dot, offsets[i], scale)
        # terms are never positive: ``saturate`` with one comparison
        total = max(total + term_by_lines(cost, labels[i], z), -ACC_MAX - 1)
        if total < stop:
            return total, visited + 1
    return total, n


@allocating
def evaluate(m: Machine, data: Data, codes: Any, logits: Any, threshold: int) -> tuple[int, int]:
    """Sum the terms in the order of the table; stop once the sum is below ``threshold``.

    Every later term is <= 0, so a sum below the threshold stays there. ``logits`` holds the logit
    of every point if the array computes them; otherwise it is ``no_logits(m)``, and they are
    computed from the codes. Returns (sum, points evaluated).
    """
    stop = threshold if m.early_reject else NEVER
    if logits is None:  # the type decides: of two branches, one is compiled
        return sum_of_points(
            data.inputs, data.offsets, data.labels, data.order, differences(codes), m.cost,
            stop, m.features, m.logit,
        )  # fmt: skip
    if len(logits) == 0:
        logits = np.empty(len(data.labels), np.int64)
        logits_of(m, data, codes, logits)
    return sum_of_logits(logits, data.labels, data.order, m.softplus, stop)


def no_logits(m: Machine) -> NDArray[np.int64] | None:
    """Argument of ``evaluate`` for logits that come from the codes.

    None for a logistic model with exact dot products: each logit is computed when it is needed.
    """
    exact = m.hidden == 0 and m.converter.limit == ACC_MAX
    return None if exact else np.zeros(0, np.int64)


@compiled
def logits_from_dots(m: Machine, dots: Any, offsets: Any, out: Any) -> None:
    """Logits of the output row from its dot products."""
    for i in range(len(dots)):
        out[i] = logit_of(np.int64(dots[i]), offsets[i], m.logit)


@compiled
def hidden_layer(m: Machine, dots: Any, hidden: Any) -> None:
    """Hidden activations from dot products: (H, n) → int8 (n, ≥ H + 1), the bias input set."""
    for i in range(dots.shape[1]):
        for h in range(m.hidden):
            hidden[i, h] = activation(np.int64(dots[h, i]), m.logit)
        hidden[i, m.hidden] = 1 << FEATURE_FRAC


@allocating
def logits_of(m: Machine, data: Data, codes: Any, out: Any) -> None:
    """Every point's logit under one sample, int64 (n,), LSB 2**-LOGIT_FRAC."""
    inputs, offsets = data.inputs, data.offsets
    converter, scale, features = m.converter, m.logit, m.features
    weights = differences(codes)
    if m.hidden == 0 and converter.limit == ACC_MAX:
        for i in range(len(out)):
            dot = np.int64(dot_exact(inputs, np.uint64(i), weights, 0, features))
            out[i] = logit_of(dot, offsets[i], scale)
        return
    hidden = np.empty((1, m.hidden + 1), np.int8)
    for i in range(len(out)):
        out[i] = point_logit(inputs, offsets[i], i, weights, hidden, features, converter, scale)


@allocating
def terms_of(m: Machine, data: Data, codes: Any, out: Any) -> None:
    """Every point's term under one sample (the host sorts the order table by them)."""
    logits_of(m, data, codes, out)
    softplus, labels = m.softplus, data.labels
    for i in range(len(out)):
        out[i] = term_of(softplus, labels[i], out[i])


@compiled
def sigmoid_of(nodes: Any, z: int) -> int:
    """sigmoid(z), LSB 2**-PROB_FRAC."""
    p = over_magnitude(nodes, abs(z), 1 << PROB_FRAC)
    return p if z >= 0 else (1 << PROB_FRAC) - p


@allocating
def predict_sums(m: Machine, data: Data, samples: Any, multiplicity: Any, out: Any) -> None:
    """Prediction mode: Σ multiplicity · p and Σ multiplicity · p² per point, into (n, 2).

    p is ``sigmoid_of`` the logit, without a branch on it; it has PROB_FRAC bits. Its square is
    rounded back to PROB_FRAC bits.
    """
    lines = m.sigmoid
    logits = np.empty(len(data.labels), np.int64)
    for s in range(len(samples)):
        logits_of(m, data, samples[s].astype(np.int32), logits)
        for i in range(len(logits)):
            p = over_lines(lines, logits[i])
            out[i, 0] += multiplicity[s] * p
            out[i, 1] += multiplicity[s] * shift_round(p * p, PROB_FRAC)
