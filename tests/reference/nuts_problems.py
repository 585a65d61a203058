"""Reference posteriors of `ohmcarlo reproduce exactness`, from NumPyro's NUTS.

    python -m venv ref && ref/bin/pip install -e . numpyro
    OHMCARLO_DATA=... ref/bin/python tests/reference/nuts_problems.py

Writes host/ohmcarlo/reproduce/exactness/references.json. Target, in float64: w ~ N(0, σ_p² I),
y ~ Bernoulli(sigmoid(x·w)), x the standardised features and a column of ones. No sampler and no
encoder of ohmcarlo is used. The SHA-256 of the data is stored with the result.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from nuts import posterior

import ohmcarlo
from ohmcarlo.reproduce.exactness.problems import PROBLEMS, Problem, digest, standardised

CHAINS, WARM_UP, DRAWS = 4, 1000, 10_000
NUTS_SEED = 2026
DIGITS = 6
OUT = Path(ohmcarlo.__file__).parent / "reproduce" / "exactness" / "references.json"


def sample(problem: Problem) -> tuple[dict[str, Any], list[str]]:
    """The entry of a problem, the bias last; and the versions of the packages."""
    x, y = problem.data()
    found = posterior(
        standardised(x),
        y,
        sigma_p=problem.sigma_p,
        chains=CHAINS,
        warm_up=WARM_UP,
        draws=DRAWS,
        seed=NUTS_SEED,
    )
    ess, rhat, divergent = found["ess"], found["rhat"], int(found["divergent"])
    print(f"{problem.name}: ESS {ess.min():.0f}, R-hat {rhat.max():.5f}, {divergent} divergent")
    entry = {
        "mean": _rounded(found["mean"]),
        "sd": _rounded(found["sd"]),
        "error": _rounded(1 / np.sqrt(ess)),
        "rhat": round(float(rhat.max()), DIGITS),
        "divergent": divergent,
        "data_sha256": digest(x, y),
    }
    return entry, found["versions"].tolist()


def _rounded(values: np.ndarray) -> list[float]:
    return [round(float(value), DIGITS) for value in values]


def main() -> None:
    posteriors, versions = {}, []
    for name, problem in PROBLEMS.items():
        posteriors[name], versions = sample(problem)
    content = {
        "sampler": "NumPyro NUTS",
        "chains": CHAINS,
        "warm_up": WARM_UP,
        "draws": DRAWS,
        "seed": NUTS_SEED,
        "versions": versions,
        "posteriors": posteriors,
    }
    OUT.write_text(json.dumps(content, indent=1) + "\n", encoding="ascii")


if __name__ == "__main__":
    main()
