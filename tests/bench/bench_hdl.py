"""Clocks per step of the hardware against the bound of the design, and speed of its simulation.

    python tests/bench/bench_hdl.py

Each line is one whole-core run on Verilator, checked against the golden trace while it is timed.
``bound``: 1.1 × (4 × pairs programmed + accesses of the points evaluated) + 40 clocks a step.
``overshoot``: share of the accesses that were under way when a proposal was rejected.
"""

from __future__ import annotations

import json
import logging
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "helpers"))
sys.path.insert(0, str(Path(__file__).parents[2]))

from verif.test_core import SMALL, WIDE, config_of, points_of, simulate

CASES: dict[str, dict[str, Any]] = {
    "256 × 32, WDBC": {"steps": 1000},
    "the same, hardest first": {"steps": 1000, "sorted": True},
    "the same, no early rejection": {"steps": 1000, "settings": {"early_reject": False}},
    "the same, ρ 0.8": {"steps": 1000, "settings": {"rho": 0.8}},
    "the same, 3 chains": {"steps": 400, "chain": {"regions": 3}},
    "512 × 16, network, H = 3": {
        "steps": 300,
        "config": WIDE,
        "chain": {"row_group": 4},
        "features": 12,
        "settings": {"hidden": 3, "sigma_p": 2.0},
        "array": {"rel": 0.02},
    },
    "64 × 16, 1 bit an access": {
        "steps": 200,
        "features": 12,
        "config": {
            "max_points": 512,
            "max_group_rows": 1,
            "max_regions": 1,
            "geometry": SMALL | {"access_bits": 1},
        },
    },
}


def main() -> None:
    logging.disable(logging.INFO)
    print("| run | points | clocks a step | bound | overshoot | simulated clocks per second |")
    print("|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for name, case in CASES.items():
            report = Path(folder) / "measured.json"
            simulate(case | {"report": str(report)})
            r = json.loads(report.read_text())
            geometry = config_of(case).geometry
            rows = case.get("chain", {}).get("row_group", 1)
            wanted = r["points"] * rows * geometry.accesses_per_row(points_of(case).features)
            print(
                f"| {name} | {r['points'] / r['steps']:.0f} | {r['clocks'] / r['steps']:.1f} "
                f"| {r['bound'] / r['steps']:.1f} | {1 - wanted / r['dots']:.0%} "
                f"| {r['clocks_per_second']:,.0f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
