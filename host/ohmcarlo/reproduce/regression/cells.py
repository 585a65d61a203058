"""One split of one data set: the run, its errors, and the closed form of its posterior."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...boards import silent
from ...datasets import load
from ...runs.chain_run import ChainRun
from ...runs.defaults import complete
from ...runs.regression.experiment import RegressionExperiment, learn_from
from ...runs.regression.posterior import JointPosterior
from ...runs.regression.result import RegressionResult, evaluate_regression
from ...tasks import REGRESSION, Task
from ..base import Cell

SETS = ("diabetes", "friedman1", "robot-arm")
STEPS = 10_000
OPTIONS: dict[str, Any] = {
    "whiten": None, "rho": None, "kernel": "corrected", "hidden": None, "chains": None, "rows": 256,
}  # fmt: skip
FloatArray = NDArray[np.float64]


def split(name: str, seed: int, whiten: bool | None, array: str = "emulator") -> Cell:
    """The default run on one split. ``whiten``: around the fit of the computer."""
    task = Task(name=name, dataset=name, description="", kind=REGRESSION)
    chosen = OPTIONS | {"whiten": whiten, "seed": seed, "steps": STEPS, "array": array}
    config = replace(complete(task, chosen).config, kind=REGRESSION)
    with closing(learn_from(config, task, load(name), silent)) as experiment:
        run = ChainRun(experiment.setup)
        run.run()
        experiment = experiment.after(run.setup)
        found = evaluate_regression(experiment, run.streamed(), run.seconds)
        return {**_scores(found), **exactness(experiment, found.joint)}


def _scores(found: RegressionResult) -> Cell:
    v = found.values
    ridge = v["baseline"]["bayesian_ridge"]
    names = ("rmse", "r2", "crps", "coverage")
    return {
        "array": {name: v[name] for name in names},
        "ridge": {name: ridge[name] for name in names},
        "ess": v["ess_min_per_1000_steps"],
        "ess_min": v["ess_min"],
        "reads": v["accesses"] / v["accesses_without_early_reject"],
        "acceptance": v["acceptance_rate"],
        "verdict": v["verdict"],
        "predicted_mean_sd": max(e["mean_sd"] for e in v["posterior_error"].values()),
    }


def exactness(experiment: RegressionExperiment, posterior: JointPosterior) -> Cell:
    """Means (rms over the weights, standard deviations) and spreads (ratios) of the draws against
    Student's distribution, and the median of the noise against its closed form."""
    from scipy import stats

    encoder, data = posterior.encoder, experiment.dataset
    x = encoder.standard(data.x[experiment.train])
    t = encoder.standard_label(data.y[experiment.train])
    inverse = np.linalg.inv(x.T @ x + np.eye(x.shape[1]) / encoder.sigma_p**2)
    mean, n = inverse @ x.T @ t, len(t)
    square = float(t @ t - mean @ x.T @ t)
    wanted = stats.t(n, mean, np.sqrt(square / n * np.diag(inverse)))
    draws = posterior.settled_weights()
    shift = (draws.mean(axis=0) - mean) / wanted.std()
    ratio = draws.std(axis=0) / wanted.std()
    noise = np.sqrt(stats.invgamma(n / 2, scale=square / 2).median())
    return {
        "mean_sd_rms": float(np.sqrt((shift**2).mean())),
        "spread_low": float(ratio.min()),
        "spread_high": float(ratio.max()),
        "noise": float(np.median(posterior.settled_noise()) / noise),
        "sigma_p": encoder.sigma_p,
    }
