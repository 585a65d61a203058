"""What the adaptation of an array costs, beside the sampling of the same run.

    python tests/bench/bench_adaptation.py [--seeds 5]

Every row is ``ohmcarlo train`` with its defaults but for the number of steps, once per seed (0, 1,
...). Shares are medians over the seeds. The seconds of the adaptation include the linear algebra of
the host.
"""

from __future__ import annotations

import argparse
import sys
from statistics import median
from typing import Any

from ohmcarlo.errors import UsageError
from ohmcarlo.runs.config import TrainConfig
from ohmcarlo.runs.train import train

STEPS = 10_000
ROWS: list[tuple[str, dict[str, Any]]] = [
    ("WDBC, 15 features", {"task": "breast-cancer"}),
    ("WDBC, 30 features, 128 x 64", {"task": "breast-cancer", "rows": 128, "pairs": 64}),
    ("original, 9 features", {"task": "breast-cancer-original"}),
    ("ECG, 14 features", {"task": "ecg"}),
]


def measure(options: dict[str, Any], seeds: int) -> dict[str, float]:
    """Steps of the adaptation, and its shares of the whole run."""
    common: dict[str, Any] = {"chains": 4, "steps": STEPS, "whiten": True, "adapt": True}
    runs = [train(TrainConfig(**common, **options, seed=s)).values for s in range(seeds)]
    spent = [run["adaptation"] for run in runs]
    pairs = list(zip(spent, runs, strict=True))
    return {
        "steps": median(a["steps"] for a in spent),
        "steps_share": median(a["steps"] / (a["steps"] + STEPS) for a in spent),
        "energy_share": median(a["energy_joules"] / r["energy_joules"] for a, r in pairs),
        "seconds_share": median(a["seconds"] / r["wall_seconds"] for a, r in pairs),
        "ess": median(r["ess_min_per_1000_steps"] for r in runs),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5)
    seeds = parser.parse_args().seeds
    measure(ROWS[0][1], 1)  # compile
    print(f"adaptation, of a run of 4 x {STEPS:,} steps")
    print(f"{'':30s} {'steps':>6s} {'of all':>7s} {'energy':>7s} {'time':>6s} {'ESS/1000':>9s}")
    for name, options in ROWS:
        try:
            r = measure(options, seeds)
        except UsageError as error:
            print(f"{name}: {error}", file=sys.stderr)
            continue
        print(
            f"{name:30s} {r['steps']:6.0f} {r['steps_share']:7.1%} {r['energy_share']:7.1%}"
            f" {r['seconds_share']:6.0%} {r['ess']:9.0f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
