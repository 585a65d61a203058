"""The table and the warnings of a regression run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..rows import (
    Rows,
    array,
    chains,
    closing_rows,
    data,
    data_reads,
    mixing,
    out_of_service,
    wear,
    whitened_method,
    widths_text,
)
from ..verdict import judge


def model_name(v: Mapping[str, Any]) -> str:
    """The model, in a few words."""
    return f"Bayesian linear regression, {v['features']} features"


def result_rows(v: Mapping[str, Any]) -> Rows:
    """The result of a run, the most important line first."""
    ridge = v["baseline"]["bayesian_ridge"]
    return [
        ("error on held-out data", _errors(v)),
        ("for comparison", f"scikit-learn's BayesianRidge: {_errors(ridge)}"),
        (
            "intervals",
            f"{_coverage(v)} of {v['test_points']} held-out labels lie in the intervals of 50, 90 "
            f"and 95 % (BayesianRidge: {_coverage(ridge)})",
        ),
        ("noise of the label", _noise(v)),
        *data(v),
        ("method", whitened_method(v, "mean")),
        ("chains", chains(v)),
        ("weights, uncertainties", mixing(v)),
        ("array", array(v)),
        ("wear", wear(v)),
        data_reads(v),
        *closing_rows(v),
    ]


def _errors(v: Mapping[str, Any]) -> str:
    return f"RMSE {v['rmse']:.4g}, R² {v['r2']:.3f}, CRPS {v['crps']:.4g}"


def _coverage(v: Mapping[str, Any]) -> str:
    return ", ".join(f"{share:.1%}" for share in v["coverage"].values())


def _noise(v: Mapping[str, Any]) -> str:
    low, high = v["noise"]["interval_95"]
    return (
        f"standard deviation {v['noise']['median']:.4g}, 95 % interval {low:.4g} to {high:.4g}; "
        f"prior of a weight, in units of it: {widths_text(v['sigma_p'])}"
    )


def result_warnings(v: Mapping[str, Any]) -> list[str]:
    """Warnings about conclusions that the result does not support, with a remedy each."""
    return [*judge(v).reasons, *out_of_service(v)]
