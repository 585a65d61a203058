"""The table and the warnings of a supervised run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...array.read_noise import CODES
from ...diagnostics import ESS_LIMIT, RHAT_LIMIT
from ...readable import count
from ..rows import Rows, array, chains, closing_rows, method, out_of_service, wear

LOW_ACCEPTANCE = 0.02


def model_name(v: Mapping[str, Any]) -> str:
    """The model, in a few words."""
    if v["hidden"]:
        model = f"Bayesian network, {v['hidden']} hidden units"
    else:
        model = "Bayesian logistic regression"
    return f"{model}, {v['features']} features"


def result_rows(v: Mapping[str, Any]) -> Rows:
    """The result of a run, the most important line first."""
    n, referral = v["test_points"], v["referral"]
    right, (low, high) = round(v["accuracy"] * n), v["accuracy_interval_95"]
    return [
        (
            "accuracy on held-out data",
            f"{v['accuracy']:.1%} ({right} of {n} right; 95 % interval {low:.1%} to {high:.1%})",
        ),
        ("for comparison", f"scikit-learn's logistic regression {v['baseline']['accuracy']:.1%}"),
        (
            "quality of probabilities",
            f"log loss {v['log_loss']:.3f} nat, calibration error {v['ece']:.3f} (0 is perfect); "
            f"balanced accuracy {v['balanced_accuracy']:.1%}",
        ),
        (
            "without the least certain",
            f"{referral['accuracy']:.1%} right when the {referral['points']} least certain of {n} "
            f"are left to a person ({referral['errors_kept']} of "
            f"{count(referral['errors'], 'error')} left)",
        ),
        ("method", _method(v)),
        ("chains", chains(v)),
        ("weights, uncertainties", _mixing(v)),
        ("array", array(v)),
        ("wear", wear(v)),
        (
            "digital dot products"
            if v.get("dot_products") == CODES
            else "array reads for the data",
            f"{v['accesses']:,} = {v['accesses'] / max(1, v['accesses_without_early_reject']):.0%} "
            "of those without early rejection",
        ),
        *closing_rows(v),
    ]


def _evaluations(v: Mapping[str, Any]) -> str:
    return "digital dot products" if v.get("dot_products") == CODES else "array reads for the data"


def _method(v: Mapping[str, Any]) -> str:
    if not v["whiten"]:
        return method(v)
    return f"{method(v)}, whitened: the computer fits the mode, the array samples around it"


def _mixing(v: Mapping[str, Any]) -> str:
    ess, rhat = v["ess_min"], v["rhat_max"]
    if not v["accepted"]:
        return "UNKNOWN: the chain never moved"
    if ess is None or rhat is None:
        return "UNKNOWN: too few steps to tell"
    verdict = "DO NOT TRUST" if rhat > RHAT_LIMIT else "rough" if ess < ESS_LIMIT else "settled"
    between = " (two halves of one chain)" if v["chains"] == 1 else ""
    return (
        f"{verdict}: {ess:,.0f} effective samples for the worst weight "
        f"({v['ess_min_per_1000_steps']:.1f} per 1,000 steps), split R-hat {rhat:.3f}{between}"
    )


def result_warnings(v: Mapping[str, Any]) -> list[str]:
    """Warnings about conclusions that the result does not support, with a remedy each."""
    return [*_mixing_warnings(v), *_kernel_warnings(v), *out_of_service(v)]


def _mixing_warnings(v: Mapping[str, Any]) -> list[str]:
    rhat, ess, better = v["rhat_max"], v["ess_min"], _remedy(v)
    if not v["accepted"]:
        return [
            "no proposal was accepted: every answer is that of the "
            f"{'fit that the computer began with' if v['whiten'] else 'first, random weights'}, "
            "and the array learnt nothing; do not trust weights and uncertainties of this run; "
            f"try {better}"
        ]
    if rhat is None or rhat > RHAT_LIMIT:
        shown = "unknown" if rhat is None else f"{rhat:.2f}"
        parts = "two halves of the chain do" if v["chains"] == 1 else "chains do"
        return [
            f"the {parts} not agree yet (R-hat {shown}, should be below {RHAT_LIMIT}): "
            f"do not trust weights and uncertainties of this run; try {better}"
        ]
    if ess is None or ess < ESS_LIMIT:
        return [
            f"only {0 if ess is None else ess:.0f} effective samples for the worst weight "
            f"({ESS_LIMIT} are needed): intervals are rough; try {better}"
        ]
    return []


def _kernel_warnings(v: Mapping[str, Any]) -> list[str]:
    warnings = []
    if 0 < v["acceptance_rate"] < LOW_ACCEPTANCE:
        warnings.append(
            f"only {v['acceptance_rate']:.1%} of the proposals were accepted: `ohmcarlo "
            "characterize` shows which kernel suits this array"
        )
    if v["kernel"] == "published":
        warnings.append(
            "the published kernel's posterior is biased (spreads about 20 % too small); "
            "--kernel corrected is exact"
        )
    return warnings


def _remedy(v: Mapping[str, Any]) -> str:
    """Options that would make a run like this mix better."""
    if v["hidden"]:
        return f"more --steps, or another step size (--gamma, now {v['gamma_us']:.3g} µS)"
    if not v["accepted"] and v["retired_rows"]:
        return "an array with more working rows"
    if v["whiten"]:
        return "more --steps"
    return "--whiten, or more --steps"
