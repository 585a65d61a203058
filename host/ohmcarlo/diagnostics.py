"""Diagnostics of chains, of predictions and of the coin.

Draws are step by step: float (chains, steps, weights), a sample repeated as often as the chain
stayed at it. Effective sample size and R-hat are ArviZ's (Vehtari et al. 2021,
doi 10.1214/20-BA1221); it is imported when first needed, because that takes seconds.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .errors import UsageError
from .imports import without_collection

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.integer[Any]]

MIN_STEPS = 8  # fewer steps are too few for halves with a spread
BURN_IN_SHARE = 0.25
ECE_BINS = 10
RHAT_LIMIT = 1.05  # above this R-hat, chains disagree
ESS_LIMIT = 400
"""Effective samples, bulk and tail, below which intervals are rough: 100 for each of four chains
(Vehtari et al. 2021). A posterior mean is then known within 0.05 posterior standard deviations."""
PARETO_K_LIMIT = 0.7
"""Above this Pareto k, a leave-one-out score is unreliable (Vehtari et al. 2024, PSIS)."""
STAY_CHANCE = 1e-3
"""Chance of a stay as long as the expected longest one, if every proposal had equal odds."""
STAY_LIMIT = 5.0
"""A chain is sticky if it stays longer than this multiple of the expected longest stay. 122 runs of
six data sets (4 chains of 5,000 or 20,000 whitened steps, rho 0.8) have a median of 1.2 and a
largest value of 3.9; a chain that was stuck in a tail for 422 steps has 17."""
TAILS = (0.05, 0.95)  # quantiles of the tail effective sample size, as in ArviZ
Z_95 = 1.96  # normal quantile of a 95 % interval
MCV_Z = 2.576  # 99 % of a normal distribution, two-sided: SP 800-90B, 6.3.1


def arviz() -> ModuleType:
    """ArviZ, without the warnings of its import."""
    with _hidden("numba"), without_collection(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import arviz as module
    return module


@contextmanager
def _hidden(package: str) -> Iterator[None]:
    """Hide ``package`` from ArviZ while ArviZ is imported; afterwards nothing is changed.

    If ArviZ finds Numba, it compiles one function at import and one for the first variance. That
    takes most of a second, and NumPy computes the same.
    """
    modules: dict[str, Any] = sys.modules
    if "arviz" in modules:
        yield
        return
    missing = object()
    before = modules.get(package, missing)
    modules[package] = None
    try:
        yield
    finally:
        if before is missing:
            del modules[package]
        else:
            modules[package] = before


# -- chains ------------------------------------------------------------------------------------


def expand(
    multiplicity: IntArray, values: NDArray[Any], sample_chain: IntArray | None = None
) -> NDArray[Any]:
    """Samples → steps: each sample as often as the chain stayed at it.

    Parameters
    ----------
    multiplicity : int (samples,)
    values : (samples, …)
        Codes, weights, log-posteriors, …
    sample_chain : int (samples,), optional
        The chain each sample belongs to; default: all to chain 0. A chain's samples are in the
        order in which it visited them.

    Returns
    -------
    (chains, steps, …)
        Raises UsageError when the chains were not equally long.
    """
    multiplicity = np.asarray(multiplicity)
    chain = np.zeros(len(multiplicity), np.int64) if sample_chain is None else sample_chain
    if not len(multiplicity) == len(values) == len(chain):
        raise UsageError(
            f"{len(multiplicity)} multiplicities, {len(values)} samples and {len(chain)} chain "
            "numbers do not describe the same samples"
        )
    steps = np.bincount(chain, weights=multiplicity)
    if len(set(steps)) != 1:
        raise UsageError(
            f"the chains made {', '.join(f'{s:.0f}' for s in steps)} steps: cut them to equal "
            "lengths first"
        )
    order = np.argsort(chain, kind="stable")
    rows = np.repeat(order, multiplicity[order])
    return values[rows].reshape(len(steps), -1, *values.shape[1:])


def burn_in(log_posterior: ArrayLike) -> int:
    """Steps of one chain to leave out: log_posterior (steps,), of the current sample.

    A quarter, or up to the first step whose log-posterior reaches the median of the second half,
    whichever is more.
    """
    values = np.asarray(log_posterior)
    steps = len(values)
    if not steps:
        return 0
    reached = int(np.argmax(values >= np.median(values[steps // 2 :])))
    return max(int(BURN_IN_SHARE * steps), reached)


def posterior(
    weights: ArrayLike,
    multiplicity: IntArray,
    sample_chain: IntArray | None = None,
    burn_in: int = 0,
    names: list[str] | None = None,
) -> Any:
    """The samples as the installed ArviZ expects them: variable ``w`` with dimension ``weight``.

    Parameters
    ----------
    weights : float (samples, weights)
    multiplicity, sample_chain : int (samples,)
        As in ``expand``.
    burn_in : int
        Steps of every chain to leave out.
    names : list of str, optional
        Names of the weights.
    """
    draws = expand(multiplicity, np.asarray(weights), sample_chain)
    if not 0 <= burn_in < draws.shape[1]:
        raise UsageError(f"burn_in = {burn_in}: the chains have {draws.shape[1]} steps")
    import xarray

    kept = draws[:, burn_in:]
    axes = {"chain": range(kept.shape[0]), "draw": range(kept.shape[1])}
    named = {"weight": list(range(kept.shape[2])) if names is None else names}
    dataset = xarray.Dataset({"w": ((*axes, *named), kept)}, {**axes, **named})
    return to_arviz(xarray.DataTree.from_dict({"posterior": dataset}))


def to_arviz(tree: Any) -> Any:
    """An ``xarray.DataTree`` of groups as the installed ArviZ expects it.

    ``arviz.InferenceData`` of ArviZ 0.2x; the tree itself for ArviZ 1.x.
    """
    az = arviz()
    if not hasattr(az, "from_datatree"):
        return tree
    found = az.from_datatree(tree)
    found.attrs.update(tree.attrs)  # ArviZ 0.20 leaves them out
    return found


def ess(draws: ArrayLike) -> FloatArray:
    """Bulk effective sample size per weight: (chains, steps, weights) → float64 (weights,).

    NaN for fewer than 8 steps. A weight that never moved has an effective size of one.

    Examples
    --------
    >>> import numpy as np
    >>> from ohmcarlo.diagnostics import ess
    >>> draws = np.random.default_rng(0).normal(size=(4, 1000, 2))  # independent
    >>> bool((ess(draws) > 3000).all())
    True
    """
    return _per_weight(draws, "ess", stuck=1.0)


def tail_ess(draws: ArrayLike) -> FloatArray:
    """Tail effective sample size per weight, the worse of the 5 % and the 95 % quantile.

    Shape and special cases are those of ``ess``.
    """
    return _per_weight(draws, "ess", stuck=1.0, method="tail", prob=TAILS)


def longest_stay(current: NDArray[np.integer[Any]]) -> int:
    """Steps of the longest stay at one sample: current, integer (chains, steps), names samples."""
    return int(np.diff(_moves(current)).max())


def expected_longest_stay(current: NDArray[np.integer[Any]]) -> float:
    """The length that the longest of these stays exceeds with a chance of ``STAY_CHANCE``, if each
    step is accepted with equal odds: the stays then follow a geometric law. Infinite for chains
    that never moved."""
    moves = len(_moves(current)) - 1 - len(current)
    return expected_stay(moves, current.size - len(current), len(current))


def expected_stay(moves: int, chances: int, chains: int) -> float:
    """``expected_longest_stay`` of chains that accepted ``moves`` of ``chances`` steps."""
    stays = moves + chains
    if not moves:
        return float("inf")
    if moves == chances:
        return 1.0
    return float(np.log(STAY_CHANCE / stays) / np.log1p(-moves / chances))


def _moves(current: NDArray[np.integer[Any]]) -> NDArray[np.intp]:
    """Flat indices at which a stay begins, and the end."""
    begins = np.ones(current.shape, bool)
    begins[:, 1:] = current[:, 1:] != current[:, :-1]
    return np.append(np.flatnonzero(begins), current.size)


def rhat(draws: ArrayLike) -> FloatArray:
    """Split R-hat per weight, rank-normalised: (chains, steps, weights) → float64 (weights,).

    One chain is compared with itself: its halves count as chains. NaN for fewer than 8 steps,
    infinite for a weight that never moved.

    Examples
    --------
    >>> import numpy as np
    >>> from ohmcarlo.diagnostics import rhat
    >>> draws = np.random.default_rng(0).normal(size=(4, 1000, 2))  # independent
    >>> draws[0, :, 1] += 1.0  # one chain of the second weight is elsewhere
    >>> (rhat(draws) < 1.05).tolist()
    [True, False]
    """
    values = np.asarray(draws)
    if values.ndim == 3 and len(values) == 1:
        half = values.shape[1] // 2
        values = np.concatenate([values[:, :half], values[:, half : 2 * half]])
    return _per_weight(values, "rhat", stuck=np.inf)


def mcse(draws: ArrayLike) -> FloatArray:
    """Monte Carlo standard error of the posterior means, in units of the weights: (weights,).

    The posterior standard deviation over √ESS of the mean; NaN for fewer than 8 steps.

    Examples
    --------
    >>> import numpy as np
    >>> from ohmcarlo.diagnostics import mcse
    >>> draws = np.random.default_rng(0).normal(size=(4, 1000, 2))  # independent
    >>> bool((abs(mcse(draws) - 1 / np.sqrt(4000)) < 0.003).all())
    True
    """
    return _per_weight(draws, "mcse", stuck=np.inf)


def _per_weight(draws: ArrayLike, statistic: str, stuck: float, **options: Any) -> FloatArray:
    values = np.asarray(draws)
    if values.ndim != 3:
        raise UsageError(f"draws must be (chains, steps, weights), got shape {values.shape}")
    out = np.full(values.shape[2], np.nan)
    if values.shape[1] < MIN_STEPS:
        return out
    # ArviZ calls constant draws perfect; chains that never moved are not
    frozen = (np.ptp(values, axis=1) == 0).all(axis=0)
    out[frozen] = stuck
    if not frozen.all():
        function = getattr(arviz(), statistic)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # more chains than draws in a short run
            # arrays: a data set costs xarray more time than the statistic of a short run takes
            for w in np.flatnonzero(~frozen):
                own = values[..., w].astype(np.float64)
                out[w] = np.squeeze(function(own, **options))
    return out


@dataclass(frozen=True)
class Summary:
    """How well a run has explored its posterior.

    Attributes
    ----------
    ess_min, ess_median : float
        Bulk effective sample size, worst and median weight.
    ess_per_1000_min : float
        Of the worst weight, per 1,000 steps of all chains together.
    rhat_max : float
        Split R-hat, worst weight.
    mcse_max : float
        Monte Carlo standard error of the posterior means, worst weight, in posterior standard
        deviations.
    acceptance_rate : float
        Accepted share of the proposals.
    """

    ess_min: float
    ess_median: float
    ess_per_1000_min: float
    rhat_max: float
    mcse_max: float
    acceptance_rate: float


def summary(draws: ArrayLike, accepted: ArrayLike) -> Summary:
    """Worst-case diagnostics of draws (chains, steps, weights) and decisions bool (any shape)."""
    values = np.asarray(draws, np.float64)
    sizes = ess(values)
    steps = values.shape[0] * values.shape[1]
    sd = values.reshape(steps, -1).std(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        relative = mcse(values) / sd
    return Summary(
        ess_min=float(sizes.min()),
        ess_median=float(np.median(sizes)),
        ess_per_1000_min=float(1000 * sizes.min() / steps),
        rhat_max=float(rhat(values).max()),
        mcse_max=float(relative.max()),
        acceptance_rate=float(np.mean(np.asarray(accepted))),
    )


def loo(tree: Any) -> tuple[FloatArray, FloatArray]:
    """Leave-one-out score of every point, nat, and its Pareto k, by ArviZ's PSIS: (n,) each.

    ``tree`` has the groups ``posterior`` and ``log_likelihood`` of an ``xarray.DataTree``.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a large k is returned, not warned of
        found = arviz().loo(to_arviz(tree), pointwise=True)
    points = found.elpd_i if hasattr(found, "elpd_i") else found.loo_i
    return np.asarray(points, np.float64), np.asarray(found.pareto_k, np.float64)


# -- predictions -------------------------------------------------------------------------------


def accuracy(labels: ArrayLike, probability: ArrayLike) -> float:
    """Share of right answers: labels 0/1 (n,), probability of class 1 (n,), 1 from 0.5 on."""
    y, p = _checked(labels, probability)
    return float(((p >= 0.5) == (y == 1)).mean())


def balanced_accuracy(labels: ArrayLike, probability: ArrayLike) -> float:
    """Mean over the classes that are present of the share of right answers."""
    y, p = _checked(labels, probability)
    right = (p >= 0.5) == (y == 1)
    return float(np.mean([right[y == c].mean() for c in np.unique(y)]))


def log_loss(labels: ArrayLike, probability: ArrayLike) -> float:
    """Mean of -log p(label), nat, by scikit-learn, which clips p by one epsilon."""
    from sklearn.metrics import log_loss as loss

    y, p = _checked(labels, probability)
    return float(loss(y, p, labels=[0, 1]))


def ece(labels: ArrayLike, probability: ArrayLike, bins: int = ECE_BINS) -> float:
    """Expected calibration error: labels 0/1 (n,), probability of class 1 (n,).

    Mean over the points of |share of class 1 - mean probability| in their bin; ``bins`` equal
    parts of [0, 1], 1.0 in the last one (Naeini et al. 2015, for the probability of class 1).

    Examples
    --------
    >>> from ohmcarlo.diagnostics import ece
    >>> round(ece([0, 0, 0, 1], [0.25, 0.25, 0.25, 0.25]), 3)  # calibrated
    0.0
    >>> round(ece([0, 0, 1, 1], [0.9, 0.9, 0.9, 0.9]), 3)
    0.4
    """
    y, p = _checked(labels, probability)
    if bins < 1:
        raise UsageError(f"bins = {bins}: choose at least one")
    index = np.minimum((p * bins).astype(np.int64), bins - 1)
    gaps = np.bincount(index, weights=y - p, minlength=bins)
    return float(np.abs(gaps).sum() / len(y))


def wilson_interval(share: float, n: int, z: float = Z_95) -> tuple[float, float]:
    """Wilson's score interval of a share that was observed in ``n`` cases; it contains the share.

    ``z`` is the normal quantile: 1.96 for 95 %, 1.645 for 90 %. Source: Wilson 1927, doi
    10.1080/01621459.1927.10502953.
    """
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * np.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    # rounding may leave the share itself outside by an ulp
    return float(min(share, max(0.0, centre - half))), float(max(share, min(1.0, centre + half)))


def certain_first(
    probability: NDArray[np.float64], variance: NDArray[np.float64]
) -> NDArray[np.intp]:
    """Indices of cases, in descending order of |p - 1/2| in posterior standard deviations."""
    distance = np.abs(probability - 0.5) / np.sqrt(variance + 1e-12)
    return np.argsort(-distance, kind="stable")


def _checked(labels: ArrayLike, probability: ArrayLike) -> tuple[NDArray[np.int64], FloatArray]:
    y, p = np.asarray(labels, np.int64), np.asarray(probability, np.float64)
    if y.shape != p.shape or y.ndim != 1 or not len(y):
        raise UsageError(f"labels {y.shape} and probabilities {p.shape} must be (n,), n > 0")
    if not ((p >= 0) & (p <= 1)).all():
        raise UsageError("probabilities must lie in [0, 1]")
    return y, p


# -- coin --------------------------------------------------------------------------------------


def min_entropy_mcv(counts: ArrayLike) -> float:
    """Min-entropy per symbol, bits: the most common value estimate of NIST SP 800-90B, 6.3.1.

    ``counts`` (symbols,) are how often each symbol was seen. The estimate uses the upper end of the
    99 % interval of the largest share. Fewer than two symbols give 0.
    """
    seen = np.asarray(counts, np.float64)
    total = float(seen.sum())
    if total < 2:
        return 0.0
    share = float(seen.max()) / total
    upper = min(1.0, share + MCV_Z * float(np.sqrt(share * (1 - share) / (total - 1))))
    return 0.0 if upper == 1.0 else -float(np.log2(upper))
