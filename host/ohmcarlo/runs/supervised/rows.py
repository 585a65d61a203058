"""The table and the warnings of a supervised run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...readable import count
from ..rows import (
    Rows,
    array,
    chains,
    closing_rows,
    data,
    data_reads,
    method,
    mixing,
    out_of_service,
    wear,
    whitened_method,
    widths_text,
)
from ..verdict import judge

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
    return [
        accuracy_row(v),
        ("for comparison", f"scikit-learn's logistic regression {v['baseline']['accuracy']:.1%}"),
        probabilities_row(v),
        (
            "without the least certain",
            f"{referral['accuracy']:.1%} right if a person decides the {referral['points']} least "
            f"certain of {n} cases ({referral['errors_kept']} of "
            f"{count(referral['errors'], 'error')} remain)",
        ),
        *data(v),
        ("method", _method(v)),
        *prior_rows(v),
        ("chains", chains(v)),
        ("weights, uncertainties", mixing(v)),
        ("array", array(v)),
        ("wear", wear(v)),
        data_reads(v),
        *closing_rows(v),
    ]


def accuracy_row(v: Mapping[str, Any]) -> tuple[str, str]:
    """Share of right answers, of two classes or more."""
    n = v["test_points"]
    right, (low, high) = round(v["accuracy"] * n), v["accuracy_interval_95"]
    return (
        "accuracy on held-out data",
        f"{v['accuracy']:.1%} ({right} of {n} right; 95 % interval {low:.1%} to {high:.1%})",
    )


def probabilities_row(v: Mapping[str, Any]) -> tuple[str, str]:
    """Scores of the probabilities of two classes or more."""
    return (
        "quality of probabilities",
        f"log loss {v['log_loss']:.3f} nat, calibration error {v['ece']:.3f} (0 is perfect); "
        f"balanced accuracy {v['balanced_accuracy']:.1%}",
    )


def _method(v: Mapping[str, Any]) -> str:
    if not v["whiten"]:
        pilot = v.get("adaptation")
        tried = f"; rho was chosen in {pilot['steps']} pilot steps of every chain" if pilot else ""
        return f"{method(v)}{tried}"
    return whitened_method(v, "mode")


def prior_rows(v: Mapping[str, Any]) -> Rows:
    """The prior, if not all weights have the same one, or if it was chosen by its score."""
    widths, choice = v.get("sigma_p"), v.get("sigma_p_choice")
    if choice is not None:
        scores = {f"{c['sigma_p']:g}": f"{0 - c['difference']:.1f}" for c in choice["candidates"]}
        return [
            (
                "prior",
                f"sigma_p {choice['sigma_p']:g}, chosen among {', '.join(scores)} by leave-one-out "
                f"on the training points ({', '.join(scores.values())} nat)",
            )
        ]
    return [("prior", f"sigma_p {widths_text(widths)}")] if isinstance(widths, Mapping) else []


def result_warnings(v: Mapping[str, Any]) -> list[str]:
    """Warnings about conclusions that the result does not support, with a remedy each."""
    return [*judge(v).reasons, *_kernel_warnings(v), *out_of_service(v)]


def _kernel_warnings(v: Mapping[str, Any]) -> list[str]:
    warnings = []
    if 0 < v["acceptance_rate"] < LOW_ACCEPTANCE:
        warnings.append(
            f"only {v['acceptance_rate']:.1%} of the proposals were accepted: `ohmcarlo "
            "characterize` shows which kernel suits this array"
        )
    return warnings
