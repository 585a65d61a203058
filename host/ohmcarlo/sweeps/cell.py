"""One cell of a sweep: a training run in memory, its numbers and some of its draws."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..progress import Silence, observed_by
from ..runs.advice import advised, as_keys
from ..runs.chain_run import NOTHING_KEPT
from ..runs.config import TrainConfig
from ..runs.kinds import kind_of
from ..runs.multiclass.kind import MulticlassKind
from ..runs.outputs import Outputs
from ..runs.summary import ChainResult
from ..runs.train import train_chains, train_run
from ..runs.verdict import Verdict
from .files import Files, bare_names, unpacked
from .truth import distance, truth_of

ROW, WEIGHTS, NAMES, LOG_POSTERIOR = "row", "weights", "weight_names", "log_posterior"
PLACES: dict[str, tuple[str, ...]] = {
    "verdict": ("verdict",),
    "accuracy": ("accuracy",),
    "balanced_accuracy": ("balanced_accuracy",),
    "log_loss": ("log_loss",),
    "ece": ("ece",),
    "baseline_accuracy": ("baseline", "accuracy"),
    "rmse": ("rmse",),
    "r2": ("r2",),
    "crps": ("crps",),
    "coverage": ("coverage", "95"),
    "mean_return": ("test", "mean_return"),
    "ess_bulk": ("ess_min",),
    "ess_tail": ("ess_tail_min",),
    "ess_per_1000_steps": ("ess_min_per_1000_steps",),
    "rhat": ("rhat_max",),
    "acceptance": ("acceptance_rate",),
    "steps_made": ("steps",),
    "burn_in": ("burn_in",),
    "adaptation_steps": ("adaptation", "steps"),
    "set_pulses": ("pulses", "set"),
    "energy_joules": ("energy_joules",),
    "sampling_seconds": ("wall_seconds",),
    "dot_products": ("dot_products",),
    "trimmed": ("trimmed",),
}
"""Columns that are values of the result of a run, and where they are in it."""
WORST: dict[str, Callable[[list[float]], float]] = {
    "ess_bulk": min, "ess_tail": min, "ess_per_1000_steps": min, "rhat": max, "burn_in": max,
}  # fmt: skip
"""Columns that a run of several classes has from the worst of its binary problems."""


def compute(config: dict[str, Any], files: Files, draws: int) -> dict[str, Any]:
    """Train as ``ohmcarlo train`` does, and return what a sweep keeps.

    Parameters
    ----------
    config : dict
        As ``TrainConfig.to_dict`` gives it, with bare names of files.
    files : dict
        The files (see ``sweeps.files``).
    draws : int
        Draws of each chain to keep, at equal distances after burn-in.

    Returns
    -------
    dict
        ``row``: columns of the table by name. ``weights``: float32 (chains, draws, weights), with
        ``weight_names`` and ``log_posterior`` float32 (chains, draws), nat; all three are empty
        for several classes, whose binary problems have posteriors of their own.

    Examples
    --------
    >>> from ohmcarlo.runs.config import TrainConfig
    >>> from ohmcarlo.sweeps.cell import compute
    >>> config = TrainConfig("toy2d", chains=4, steps=400, rows=64, whiten=True, rho=0.8)
    >>> found = compute(config.to_dict(), {}, draws=50)
    >>> found["weights"].shape, found["weight_names"]
    ((4, 50, 3), ['x1', 'x2', 'bias'])
    >>> found["row"]["accuracy"] > 0.7
    True
    """
    with _said_for_a_file(), observed_by(Silence()), warnings.catch_warnings():
        chosen = unpacked(TrainConfig.from_dict(config), files)
        # the physics model warns about devices outside their sourced range, a data file about rows
        warnings.simplefilter("ignore")
        if isinstance(kind_of(chosen.task, chosen.kind), MulticlassKind):
            values = train_run(chosen, Outputs(), Silence())
            return {
                ROW: _row(values, values["problems"]),
                WEIGHTS: None,
                NAMES: [],
                LOG_POSTERIOR: None,
            }
        result = train_chains(chosen)
        row = {**_row(result.values, [result.values]), **_missed(chosen, result)}
    return {ROW: row, **_draws(result, draws)}


@contextmanager
def _said_for_a_file() -> Iterator[None]:
    """Let the errors of a cell name files and settings as the sweep file does."""
    with advised(lambda text: as_keys(bare_names(text)).replace(f"; {NOTHING_KEPT}", "")):
        yield


def _row(values: Mapping[str, Any], chains: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The columns of a result. ``chains`` are the results of all its sets of chains, of which the
    worst counts."""
    row = {name: _at(values, place) for name, place in PLACES.items()}
    for name, worst in WORST.items():
        found = [_at(each, PLACES[name]) for each in chains]
        row[name] = None if None in found else worst(found)
    errors = [e["mean_sd"] for v in chains for e in (v.get("posterior_error") or {}).values()]
    bulk = row["ess_bulk"]
    return {
        **row,
        "settled": row["verdict"] == Verdict.SETTLED,
        "predicted_error_sd": float(np.linalg.norm(errors)) if errors and not chains[1:] else None,
        "energy_per_sample_joules": row["energy_joules"] / bulk if bulk else None,
        "retired_rows": sum(len(each.get("retired_rows") or ()) for each in chains),
    }


def _at(values: Mapping[str, Any], place: tuple[str, ...]) -> Any:
    found: Any = values
    for name in place:
        found = found.get(name) if isinstance(found, Mapping) else None
    return found


def _missed(config: TrainConfig, result: ChainResult) -> dict[str, float]:
    """By how much the draws miss the exact posterior; empty where it is not known."""
    truth = truth_of(config)
    if truth is None:
        return {}
    return distance(result.draws[:, result.burn_in :], truth).to_dict()


def _draws(result: ChainResult, draws: int) -> dict[str, Any]:
    kept = kept_steps(result.draws.shape[1], result.burn_in, draws)
    return {
        WEIGHTS: np.ascontiguousarray(result.draws[:, kept]),
        NAMES: list(result.weight_names),
        LOG_POSTERIOR: result.trace.log_posterior_nat()[:, kept].astype(np.float32),
    }


def kept_steps(steps: int, burn_in: int, draws: int) -> NDArray[np.int64]:
    """Numbers of the steps after burn-in that are kept, at most ``draws`` at equal distances.

    >>> kept_steps(1000, 250, 5).tolist()
    [250, 400, 550, 700, 850]
    """
    every = max(1, (steps - burn_in) // draws)
    return np.arange(burn_in, steps, every)[:draws]
