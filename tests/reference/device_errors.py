"""Simulated posteriors of arrays whose devices differ: the table behind ``device_error.py``.

    python tests/reference/device_errors.py

Writes tests/data/device_errors.json in some minutes, and prints the fit of the coefficients. The
simulation is in floating point, with neither the golden model nor a calibration. The target is a
standard normal distribution of WEIGHTS weights, so that its moments are known. A device misses its
target by a constant, by a slow process (AR(1) per pulse) and by a new deviation with each pulse. σ
can differ between devices. Rows take turns as in the controller. The Hastings term assumes the true
spread of all read-backs, times ``assumed``.
"""

# ruff: noqa: NPY002  (compiled code has the legacy generator only)
from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numba
import numpy as np

from ohmcarlo.array.characterize.device_error import Mismatch, Proposal, shift_rms, spread_ratio
from ohmcarlo.diagnostics import ess

OUT = Path(__file__).parents[1] / "data" / "device_errors.json"
WEIGHTS, ROWS, STEPS, REPLICAS, BURN_IN = 10, 240, 20_000, 16, 1_000
SIGMA_US, WAITING, SEED = 10.0, 8, 31
NONE: dict[str, float] = {
    "rho": 0.6, "scale": 0.8, "static": 0.0, "slow_share": 0.0, "slow_length": 48.0,
    "sigma_ln": 0.0, "assumed": 1.0, "rows": ROWS, "steps": STEPS,
}  # fmt: skip
CASES: list[dict[str, float]] = [
    {},
    {"rho": 0.8},
    *({"static": a, "rho": r} for a in (0.15, 0.35, 0.6) for r in (0.5, 0.6, 0.8)),
    {"static": 0.35, "scale": 0.6},
    {"static": 0.35, "rows": 60},
    {"static": 0.35, "rows": 960},
    *({"slow_share": s, "rho": r} for s in (0.285, 0.6) for r in (0.6, 0.8)),
    {"slow_share": 0.285, "slow_length": 10.0},
    {"slow_share": 0.285, "slow_length": 400.0},
    {"slow_share": 0.285, "steps": 80_000},
    {"slow_share": 0.285, "static": 0.35},
    {"slow_share": 0.5, "static": 0.5, "rho": 0.8},
    *({"sigma_ln": h, "rho": r} for h in (0.3, 0.54) for r in (0.5, 0.6, 0.7, 0.8)),
    {"sigma_ln": 0.54, "static": 0.35},
    {"static": 0.6, "slow_share": 0.6, "rho": 0.8, "rows": 60, "steps": 5_000},
    *({"assumed": k, "rho": r} for k in (0.9, 0.95, 1.05) for r in (0.6, 0.8)),
]


@numba.njit(cache=True)
def chain(
    seed: int, steps: int, rows: int, m: int, rho: float, gamma: float, tau: float,
    static: Any, sigma: Any, share: float, phi: float, assumed: float, waiting: int,
) -> tuple[Any, float]:  # fmt: skip
    """Weights of every step (steps, m), and the acceptance rate; conductances from the centre."""
    np.random.seed(seed)
    slow = np.random.standard_normal(static.shape)
    state, new, weight = np.zeros(2 * m), np.zeros(2 * m), np.zeros(m)
    out = np.zeros((steps, m))
    free, retired = np.arange(rows), np.zeros(rows, np.int64)
    count, old, current, accepted, energy = rows, 0, -1, 0, 0.0
    for step in range(steps):
        if count < waiting and old > 0:
            free[count] = retired[0]
            retired[: old - 1] = retired[1:old].copy()
            count, old = count + 1, old - 1
        row = free[0]
        free[: count - 1] = free[1:count].copy()
        count -= 1
        hastings = 0.0
        for d in range(2 * m):
            slow[row, d] = phi * slow[row, d] + np.sqrt(1 - phi**2) * np.random.standard_normal()
            z = np.sqrt(share) * slow[row, d] + np.sqrt(1 - share) * np.random.standard_normal()
            there = rho * state[d]
            new[d] = there + static[row, d] + sigma[row, d] * z
            hastings += ((new[d] - there) ** 2 - (state[d] - rho * new[d]) ** 2) / 2 / assumed**2
        price = 0.0
        for j in range(m):
            price += ((new[2 * j] - new[2 * j + 1]) / gamma) ** 2 / 2
            price += ((new[2 * j] + new[2 * j + 1]) / tau) ** 2 / 2
        if np.log(np.random.random()) < energy - price + hastings:
            if current >= 0:
                retired[old] = current
                old += 1
            current, energy = row, price
            accepted += 1
            state[:] = new
            for j in range(m):
                weight[j] = (new[2 * j] - new[2 * j + 1]) / gamma
        else:
            free[count] = row
            count += 1
        out[step] = weight
    return out, accepted / steps


def simulated(number: int) -> dict[str, float]:
    """Shift and ratio of spreads of a case, with the Monte Carlo error removed from the shift."""
    c = NONE | CASES[number]
    rows, steps = int(c["rows"]), int(c["steps"])
    shifts, spreads, floors, rates, tails = [], [], [], [], []
    for replica in range(REPLICAS):
        rng = np.random.default_rng([SEED, number, replica])
        shape = (rows, 2 * WEIGHTS)
        static = c["static"] * SIGMA_US * rng.standard_normal(shape)
        sigma = np.exp(c["sigma_ln"] * rng.standard_normal(shape))
        sigma *= SIGMA_US / np.sqrt(np.mean(sigma**2))
        total = float(np.sqrt(np.mean(static**2 + sigma**2)))
        tails.append(float(np.mean(static**4 + 6 * static**2 * sigma**2 + 3 * sigma**4)) / total**4)
        wide = np.sqrt(2) * total / np.sqrt(1 - c["rho"] ** 2)
        draws, rate = chain(
            1000 * number + replica, steps, rows, WEIGHTS, c["rho"], c["scale"] * wide, wide,
            static, sigma, c["slow_share"], float(np.exp(-1 / c["slow_length"])),
            c["assumed"] * total, WAITING,
        )  # fmt: skip
        draws = draws[BURN_IN:]
        shifts.append(draws.mean(axis=0))
        spreads.append(draws.std(axis=0))
        floors.append(1 / ess(draws[None]))
        rates.append(rate)
    shift = float(np.mean(np.square(shifts)) - np.mean(floors))
    return {
        "tails": float(np.mean(tails)),
        "acceptance": float(np.mean(rates)),
        "shift_rms": float(np.sqrt(max(shift, 0.0))),
        "spread": float(np.sqrt(np.mean(np.square(spreads)))),
        "error": float(np.sqrt(np.mean(floors) / WEIGHTS / REPLICAS)),
    }


def predicted(case: dict[str, float], tails: float) -> tuple[float, float]:
    """Shift and ratio of spreads by the formula."""
    c = NONE | case
    total = SIGMA_US * float(np.sqrt(1 + c["static"] ** 2))
    wide = np.sqrt(2) * total / np.sqrt(1 - c["rho"] ** 2)
    devices = Mismatch(
        static_us=c["static"] * SIGMA_US, cycle_us=SIGMA_US, spread_us=total,
        assumed_us=c["assumed"] * total, slow_share=c["slow_share"],
        slow_length=c["slow_length"], tails=tails,
    )  # fmt: skip
    proposal = Proposal(c["rho"], int(c["rows"]), c["steps"] / c["rows"])
    width = c["scale"] * wide
    return shift_rms(devices, proposal, width), spread_ratio(devices, proposal, width)


def main() -> None:
    lines = []
    for number, case in enumerate(CASES):
        seen = simulated(number)
        shift, spread = predicted(case, seen["tails"])
        print(case, {k: round(v, 4) for k, v in seen.items()}, "predicted", round(shift, 4),
              round(spread, 4), flush=True)  # fmt: skip
        lines.append({"case": case, **{name: round(value, 5) for name, value in seen.items()}})
    OUT.write_text(json.dumps({"common": NONE, "cases": lines}, indent=1) + "\n")


if __name__ == "__main__":
    main()
