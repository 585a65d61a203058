"""The integers against float64: tables, whole log-posteriors, decisions."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import special

from ohmcarlo.golden.chain import threshold_of
from ohmcarlo.golden.entropy import minus_log_u
from ohmcarlo.golden.likelihood import (
    NEVER,
    evaluate,
    no_logits,
    sigmoid_of,
    term_by_lines,
    term_of,
)
from ohmcarlo.golden.machine import WORD, ZEROS_BEFORE
from ohmcarlo.golden.proposal import log_hastings, log_prior, target_of
from ohmcarlo.jit import compiled
from ohmcarlo.spec import (
    CODE_LSB_US,
    COIN_BITS,
    GAUSS_FRAC,
    LABEL_QUADRATIC,
    LOGIT_FRAC,
    LOGIT_MAX,
    LOGLIK_FRAC,
    OFFSET_FRAC,
    PROB_FRAC,
    TARGET_LSB_US,
    Geometry,
    Points,
    coefficient,
    cost_lines,
    gauss,
    gauss_table,
    over_lines,
    sigmoid_lines,
    sigmoid_table,
    softplus_table,
)
from problems import controller, trace, wdbc_points, xor_points

LL = 1 << LOGLIK_FRAC


@compiled
def _terms(nodes, label, z, out):  # type: ignore[no-untyped-def]
    for i in range(len(z)):
        out[i] = term_of(nodes, label, z[i])


@compiled
def _same_terms(nodes, lines, label, z, out):  # type: ignore[no-untyped-def]
    for i in range(len(z)):
        out[i] = term_of(nodes, label, z[i]) == term_by_lines(lines, label, z[i])


@compiled
def _sigmoids(nodes, z, out):  # type: ignore[no-untyped-def]
    for i in range(len(z)):
        out[i] = sigmoid_of(nodes, z[i])


@compiled
def _sigmoids_by_lines(lines, z, out):  # type: ignore[no-untyped-def]
    for i in range(len(z)):
        out[i] = over_lines(lines, z[i])


@compiled
def _normals(nodes, words, out):  # type: ignore[no-untyped-def]
    for i in range(len(words)):
        out[i] = gauss(nodes, words[i])


Z = np.arange(-(32 << LOGIT_FRAC), 32 << LOGIT_FRAC, 3)


@pytest.mark.parametrize("label", [0, 1])
def test_log_sigmoid(label: int) -> None:
    out = np.empty(len(Z), np.int64)
    _terms(softplus_table(), label, Z, out)
    exact = special.log_expit(np.where(label, 1, -1) * Z / (1 << LOGIT_FRAC))
    error = out / LL - exact
    assert np.abs(error).max() < 1e-4 and abs(error.mean()) < 5e-6
    assert (out <= 0).all()  # early rejection rests on this


def test_quadratic_points() -> None:
    out = np.empty(len(Z), np.int64)
    _terms(softplus_table(), LABEL_QUADRATIC, Z, out)
    assert np.abs(out / LL + (Z / (1 << LOGIT_FRAC)) ** 2 / 2).max() <= 0.5 / LL
    assert (out <= 0).all()


@pytest.mark.parametrize("label", [0, 1, LABEL_QUADRATIC])
def test_terms_by_lines_equal_the_pipes_at_every_logit(label: int) -> None:
    every = np.arange(-LOGIT_MAX - 1, LOGIT_MAX + 1)
    same = np.zeros(len(every), np.bool_)
    _same_terms(softplus_table(), cost_lines(), label, every, same)
    assert same.all(), every[~same]


def test_sigmoid() -> None:
    out = np.empty(len(Z), np.int64)
    _sigmoids(sigmoid_table(), Z, out)
    error = out / (1 << PROB_FRAC) - special.expit(Z / (1 << LOGIT_FRAC))
    assert np.abs(error).max() < 2e-4


def test_sigmoid_by_lines_equals_the_pipes_at_every_logit() -> None:
    every = np.arange(-LOGIT_MAX - 1, LOGIT_MAX + 1)
    found, wanted = np.empty((2, len(every)), np.int64)
    _sigmoids(sigmoid_table(), every, wanted)
    _sigmoids_by_lines(sigmoid_lines(), every, found)
    assert np.array_equal(found, wanted), every[found != wanted]


def test_normal_from_bits() -> None:
    """Inverse CDF against scipy, over the whole range of words and into the last tail."""
    rng = np.random.default_rng(0)
    words = np.concatenate([np.arange(5000), rng.integers(0, 1 << 32, 50_000)])
    words = np.concatenate([words, (2.0 ** (32 * rng.random(20_000))).astype(np.int64)])
    out = np.empty(len(words), np.int64)
    _normals(gauss_table(), words, out)
    p = ((words & 0x7FFFFFFF) + 0.5) / 2.0**32
    # bit 31 set is the negative half: |z| from the table, the sign in front of it
    exact = np.where(words >> 31, -1, 1) * -special.ndtri(p)
    assert np.abs(out / (1 << GAUSS_FRAC) - exact).max() < 2e-4


def test_minus_log_u() -> None:
    made = controller(wdbc_points(4))
    rng = np.random.default_rng(1)
    words = np.concatenate([np.arange(1, 2000), rng.integers(1, 1 << COIN_BITS, 20_000)])
    s = made.state.scalars
    for zeros in (0, COIN_BITS):
        s[ZEROS_BEFORE] = zeros
        errors = []
        for word in words[:: 1 if zeros == 0 else 50]:
            s[WORD] = word
            u = word / 2.0 ** (COIN_BITS + zeros)
            errors.append(minus_log_u(made.machine, made.state) / LL + np.log(u))
        assert np.abs(errors).max() < 1e-3


@pytest.mark.parametrize("value", [1e-6, 0.3, 1.28, 7.0, 200.0])
def test_coefficients(value: float) -> None:
    mantissa, shift = coefficient(value, 8)
    assert 1 << 15 <= mantissa < 1 << 16
    assert mantissa / 2.0 ** (shift + 8) == pytest.approx(value, rel=2**-16)


def _float_delta(made, old: np.ndarray, new: np.ndarray, points: Points) -> float:  # type: ignore[no-untyped-def]
    """log posterior(new) - log posterior(old) + log Hastings, in float64, from first principles."""
    r, m = made.registers, made.machine
    rel = 0.05

    def posterior(codes: np.ndarray) -> float:
        g = codes * CODE_LSB_US
        w = (g[0::2] - g[1::2]) / r.gamma_us
        x = points.inputs / 32.0
        if r.hidden:
            f = r.features
            layer = w[: r.hidden * f].reshape(r.hidden, f)
            hidden = np.clip(np.floor(x @ layer.T * 32 + 0.5), -127, 127) / 32
            x = np.c_[hidden, np.ones(len(x))]
            w_out = w[r.hidden * f :]
        else:
            w_out = w
        z = np.clip(x @ w_out + points.offsets / (1 << OFFSET_FRAC), -32, 32)
        sign = np.where(points.labels == 1, 1, -1)
        common = g[0::2] + g[1::2] - 2 * m.mid * TARGET_LSB_US
        tau, sigma_p = 40.0, 2.0 if r.hidden else 1.0
        return (
            special.log_expit(sign * z).sum()
            - (w**2).sum() / 2 / sigma_p**2
            - (common**2).sum() / 2 / tau**2
        )

    def log_q(b: np.ndarray, a: np.ndarray) -> float:
        target = np.array([target_of(int(k), m.mid, m.rho, m.lo, m.hi) for k in a])
        mu = target * TARGET_LSB_US  # the target after rounding to a DAC code
        sigma = rel * mu
        return float((-((b * CODE_LSB_US - mu) ** 2) / 2 / sigma**2 - np.log(sigma)).sum())

    return posterior(new) - posterior(old) + log_q(old, new) - log_q(new, old)


@pytest.mark.parametrize(
    "case", ["random walk", "autoregressive", "network"], ids=lambda c: c.replace(" ", "-")
)
def test_whole_log_posterior_and_decisions(case: str) -> None:
    """Within 0.01 nat of float64; fewer than 0.1 % of decisions differ."""
    proposals = 10_000
    if case == "network":
        points = xor_points(284)
        made = controller(points, geometry=Geometry(row_group=4), hidden=3, sigma_p=2.0)
    else:
        points = wdbc_points()
        made = controller(points, rho=0.8 if case == "autoregressive" else 1.0)
    trace(made, 500)
    m, state = made.machine, made.state
    rng = np.random.default_rng(2)
    none = no_logits(m)
    errors, differ = [], 0
    for _ in range(proposals // 100):
        old = state.codes[0].copy()
        loglik_old, _ = evaluate(m, made.data, old, none, NEVER)
        for _ in range(100):
            target = np.array([target_of(int(k), m.mid, m.rho, m.lo, m.hi) for k in old])
            draw = target / 4 * (1 + 0.05 * rng.standard_normal(len(old)))
            state.proposed[:] = np.clip(np.rint(draw), 20, 1022)
            loglik, _ = evaluate(m, made.data, state.proposed, none, NEVER)
            exact = _float_delta(made, old, state.proposed.astype(int), points)
            prior = log_prior(m, state.proposed) - log_prior(m, old)
            delta = loglik - loglik_old + prior + log_hastings(m, state, 0, 0)
            if abs(exact) < 30:  # beyond this, no coin can change the decision
                errors.append(delta / LL - exact)
            s = state.scalars
            s[ZEROS_BEFORE], s[WORD] = 0, rng.integers(1, 1 << COIN_BITS)
            t = minus_log_u(m, state)
            threshold, _ = threshold_of(m, state, 0, 0, t)
            accepted = loglik >= threshold
            differ += accepted != (exact >= np.log(s[WORD] / 2.0**COIN_BITS))
        trace(made, 20)
    print(f"{case}: {np.abs(errors).max():.4f} nat at most, {differ} of {proposals} decisions")
    assert len(errors) > 500
    assert np.abs(errors).max() < 0.01
    assert differ <= max(1, 0.001 * proposals)
