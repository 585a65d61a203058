"""The exact posterior of a logistic model, and how far the draws of a run are from it.

The exact posterior is that of the float64 features, without encoder and array. Importance sampling
computes its moments: draws of a multivariate t distribution around a Laplace fit, weighted with the
posterior, and once more around their weighted mean.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..datasets import Encoder, load
from ..datasets.laplace import laplace
from ..diagnostics import ess
from ..files import stamp_of
from ..runs.config import AUTO, TrainConfig
from ..tasks import SUPERVISED, get_task

FloatArray = NDArray[np.float64]
DEGREES = 7.0
"""Of freedom of the t distribution, whose tails are heavier than those of the posterior."""
WIDER = 1.05
"""Its scale, relative to that of the posterior."""
ROUNDS = (1 << 12, 1 << 15)
"""Draws around the Laplace fit, then around the mean of the former."""
LEAST_EFFICIENCY = 0.1
"""Effective share of the draws. With fewer, the posterior is called unknown."""
KEPT = 64
"""Posteriors that a process keeps: cells with the same data share theirs."""


class Truth(NamedTuple):
    """A posterior: mean and standard deviation of every weight, and the effective draws.

    The weights are those of the standardised features, the bias last: float64 (m,) each.
    """

    mean: FloatArray
    sd: FloatArray
    effective: float


@dataclass(frozen=True)
class Distance:
    """How far the draws of a run are from the exact posterior.

    Attributes
    ----------
    error_sd : float
        Error of the means in posterior standard deviations, root mean square over the weights.
    error_sd_max : float
        That of the worst weight.
    spread_error : float
        Logarithm of sampled over exact spread, root mean square over the weights.
    spread_ratio : float
        Sampled over exact spread, geometric mean over the weights.
    monte_carlo_sd : float
        The part of ``error_sd`` that the number of effective draws explains. Draws that are too
        few for an estimate of this number count as a single one.
    """

    error_sd: float
    error_sd_max: float
    spread_error: float
    spread_ratio: float
    monte_carlo_sd: float

    @property
    def posterior_error(self) -> float:
        """The larger of the errors of means and spreads: 0.05 is a posterior within 5 %."""
        return max(self.error_sd, self.spread_error)

    def to_dict(self) -> dict[str, float]:
        """Values for JSON."""
        return {**asdict(self), "posterior_error": self.posterior_error}


def truth_of(config: TrainConfig) -> Truth | None:
    """The exact posterior of a run; None if there is none to compute.

    It is computed for logistic models of two classes with a prior that the user gave. Networks,
    regressions and policies have none.

    Examples
    --------
    >>> from ohmcarlo.runs.config import TrainConfig
    >>> from ohmcarlo.sweeps.truth import truth_of
    >>> truth_of(TrainConfig("toy2d")).mean.shape
    (3,)
    """
    task = get_task(config.task)
    kind = task.kind if config.kind is None else config.kind  # that of a file is in the settings
    hidden = task.hidden if config.hidden is None else config.hidden
    if kind != SUPERVISED or hidden or config.sigma_p == AUTO or config.problem is not None:
        return None
    chosen = config.features or task.features_for(config.geometry().max_features)
    model = json.dumps([config.columns, config.widths(task.sigma_p)])
    stamp = stamp_of(Path(config.task))  # zeros for a task of the program
    return _kept(config.task, stamp, config.seed, config.train_points, chosen, model)


@lru_cache(maxsize=KEPT)
def _kept(
    name: str,
    stamp: tuple[int, int],
    seed: int,
    train_points: int | None,
    features: int | None,
    model: str,
) -> Truth | None:
    """The posterior of a task, whose file has this ``stamp``. ``model``: the choice of columns and
    the widths of the prior, as JSON."""
    columns, widths = json.loads(model)
    columns["drop"] = tuple(columns["drop"])
    data = load(get_task(name).dataset, regression=False, **columns)
    if len(data.class_names) != 2:
        return None
    train, _ = data.split(seed, train_points)
    x, y = data.x[train], data.y[train]
    encoder = Encoder.fit(x, y, feature_names=data.feature_names, features=features, sigma_p=widths)
    found = moments(encoder.scores(x), y, encoder.sigma_p)
    if found is None:
        return None
    return Truth(found.mean * encoder.factors, found.sd * encoder.factors, found.effective)


def moments(x: FloatArray, y: NDArray[np.integer[Any]], sigma_p: float) -> Truth | None:
    """The posterior of x (n, m) with the bias column and y 0/1 (n,), prior N(0, σ_p² I).

    None if importance sampling does not work, as with a prior so wide that the posterior has long
    tails.
    """
    fit = laplace(x, y, sigma_p)
    mean, covariance = fit.mode, fit.covariance()
    sign = np.where(y == 1, 1.0, -1.0)
    for seed, draws in enumerate(ROUNDS):
        z = _draws(len(mean), draws, seed)
        w = mean + z @ np.linalg.cholesky(covariance * WIDER**2).T
        log = -np.logaddexp(0, -sign * (w @ x.T)).sum(axis=1) - (w**2).sum(axis=1) / (
            2 * sigma_p**2
        )
        log += (DEGREES + len(mean)) / 2 * np.log1p((z**2).sum(axis=1) / DEGREES)
        share = np.exp(log - log.max())
        share /= share.sum()
        effective = float(1 / (share**2).sum())
        if effective < LEAST_EFFICIENCY * draws:
            return None
        mean = share @ w
        covariance = (share * (w - mean).T) @ (w - mean)
    return Truth(mean, np.sqrt(np.diag(covariance)), effective)


def _draws(m: int, number: int, seed: int) -> FloatArray:
    """Quasi-random draws (number, m) of the standard multivariate t distribution."""
    from scipy.special import chdtri, ndtri
    from scipy.stats import qmc

    tiny = np.finfo(np.float64).eps
    u = np.clip(qmc.Sobol(m + 1, seed=seed).random(number), tiny, 1 - tiny)
    return np.asarray(ndtri(u[:, :m]) * np.sqrt(DEGREES / chdtri(DEGREES, u[:, m:])))


def distance(draws: NDArray[np.floating[Any]], truth: Truth) -> Distance:
    """How far draws (chains, steps, weights) after burn-in are from the exact posterior."""
    flat = np.asarray(draws, np.float64).reshape(-1, draws.shape[-1])
    shift = np.abs(flat.mean(axis=0) - truth.mean) / truth.sd
    tiny = np.finfo(np.float64).tiny
    log = np.log(np.maximum(flat.std(axis=0) / truth.sd, tiny))
    return Distance(
        error_sd=float(np.sqrt(np.mean(shift**2))),
        error_sd_max=float(shift.max()),
        spread_error=float(np.sqrt(np.mean(log**2))),
        spread_ratio=float(np.exp(log.mean())),
        monte_carlo_sd=float(np.sqrt(np.mean(1 / np.nan_to_num(ess(draws), nan=1.0)))),
    )
