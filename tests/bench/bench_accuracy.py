"""Accuracy on held-out data over random halves, beside logistic regression on the same halves.

    python tests/bench/bench_accuracy.py [--splits 20] [--json FILE]

Every row is ``ohmcarlo train`` with the options shown, once per split (``--seed`` 0, 1, …); the
measured cells need ``ohmcarlo data fetch rram-set-sweep``.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

from ohmcarlo.errors import OhmcarloError, UsageError
from ohmcarlo.runs.arrays import recorded_cells
from ohmcarlo.runs.config import TrainConfig
from ohmcarlo.runs.train import train

WHITEN = {"whiten": True, "rho": 0.8}
ROWS: list[tuple[str, dict[str, Any]]] = [
    ("WDBC, 15 features", {"task": "breast-cancer"}),
    ("WDBC, 15 features, --whiten --rho 0.8", {"task": "breast-cancer", **WHITEN}),
    ("WDBC, 30 features, 128 x 64", {"task": "breast-cancer", "rows": 128, "pairs": 64}),
    (
        "WDBC, 30 features, 128 x 64, --whiten --rho 0.8",
        {"task": "breast-cancer", "rows": 128, "pairs": 64, **WHITEN},
    ),
    ("original, 9 features", {"task": "breast-cancer-original"}),
    ("original, 9 features, --whiten --rho 0.8", {"task": "breast-cancer-original", **WHITEN}),
    ("WDBC, published kernel", {"task": "breast-cancer", "kernel": "published"}),
]
MEASURED: list[tuple[str, dict[str, Any]]] = [
    ("WDBC, real cells, trimmed", {}),
    ("WDBC, real cells, no trim", {"trim": False}),
    ("WDBC, real cells, --whiten, trimmed", {"whiten": True}),
    ("WDBC, real cells, --whiten, no trim", {"whiten": True, "trim": False}),
]


def measure(options: dict[str, Any], splits: int) -> dict[str, Any]:
    """Means and standard deviations over the splits."""
    found = [train(TrainConfig(**options, seed=seed)).values for seed in range(splits)]
    ours = np.array([100 * v["accuracy"] for v in found])
    theirs = np.array([100 * v["baseline"]["accuracy"] for v in found])
    kept = np.array([(v["steps"] - v["burn_in"]) * v["chains"] for v in found])
    ess = np.array([v["ess_min"] for v in found])
    share = sum(v["accesses"] for v in found)
    share /= sum(v["accesses_without_early_reject"] for v in found)
    return {
        "splits": splits,
        "accuracy": float(ours.mean()),
        "sd": float(ours.std(ddof=1)),
        "logistic_regression": float(theirs.mean()),
        "logistic_regression_sd": float(theirs.std(ddof=1)),
        "balanced_accuracy": float(np.mean([100 * v["balanced_accuracy"] for v in found])),
        "ece": float(np.mean([v["ece"] for v in found])),
        "acceptance": float(np.mean([v["acceptance_rate"] for v in found])),
        "ess_min_per_1000": float((1000 * ess / kept).mean()),
        "accesses_share": float(share),
        "energy_uj": float(np.mean([1e6 * v["energy_joules"] for v in found])),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--splits", type=int, default=20)
    parser.add_argument("--measured-splits", type=int, default=10)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    jobs = [(name, options, arguments.splits) for name, options in ROWS]
    try:
        array = recorded_cells()
        jobs += [
            (name, {"task": "breast-cancer", "array": array, **o}, arguments.measured_splits)
            for name, o in MEASURED
        ]
    except UsageError as error:
        print(error, file=sys.stderr)
    print(f"{'':48s} {'accuracy %':>14s} {'LogReg %':>14s}  ECE   accept  ESS/1000  reads  µJ")
    results = {}
    for name, options, splits in jobs:
        try:
            r = results[name] = measure(options, splits)
        except OhmcarloError as error:
            print(f"{name:48s} {error}")
            continue
        print(
            f"{name:48s} {r['accuracy']:6.2f} ± {r['sd']:5.2f}"
            f" {r['logistic_regression']:6.2f} ± {r['logistic_regression_sd']:5.2f}"
            f"  {r['ece']:.3f}  {r['acceptance']:.3f}  {r['ess_min_per_1000']:6.1f}"
            f"    {r['accesses_share']:.2f}  {r['energy_uj']:5.1f}",
            flush=True,
        )
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
