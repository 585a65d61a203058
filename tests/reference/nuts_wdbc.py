"""The reference posteriors of WDBC, from NumPyro's NUTS: writes two files into tests/data.

    python -m venv ref && ref/bin/pip install -e . numpyro
    ref/bin/python tests/reference/nuts_wdbc.py

Target, in float64: w ~ N(0, σ_p² I), y ~ Bernoulli(sigmoid(x·w)), x the standard scores of the
training half and a bias. For nuts_wdbc_exact.npz, x is float64. For nuts_wdbc.npz, x is rounded to
int8 / 32 and clipped, as the points of tests/helpers/problems.py are. No sampler and no encoder of
ohmcarlo is used. The SHA-256 of the rounded data is stored with the result, so that a comparison
with other data is detected.
"""

from __future__ import annotations

import argparse
import hashlib
from pathlib import Path

import numpy as np
from nuts import posterior

SIGMA_P = 1.0
FEATURES = 15
SPLIT_SEED = 0
CHAINS, WARM_UP, DRAWS = 4, 2000, 25_000
NUTS_SEED = 2021
DATA = Path(__file__).parents[1] / "data"
FILES = {"rounded": DATA / "nuts_wdbc.npz", "exact": DATA / "nuts_wdbc_exact.npz"}


def digest(inputs: np.ndarray, labels: np.ndarray) -> str:
    """SHA-256 of int8 inputs (n, m) followed by uint8 labels (n,)."""
    return hashlib.sha256(inputs.tobytes() + labels.tobytes()).hexdigest()


def training_half() -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Standard scores with a bias float64 (n, FEATURES + 1), labels uint8 (n,), names."""
    from sklearn.feature_selection import SelectKBest, chi2
    from sklearn.preprocessing import StandardScaler

    from ohmcarlo.datasets import load, split_half

    data = load("breast-cancer")
    train, _ = split_half(data.y, SPLIT_SEED)
    x, y = data.x[train], data.y[train]
    columns = SelectKBest(chi2, k=FEATURES).fit(x, y).get_support(indices=True)
    scores = StandardScaler().fit_transform(x[:, columns])
    names = [*(data.feature_names[c] for c in columns), "bias"]
    return np.c_[scores, np.ones(len(y))], y.astype(np.uint8), names


def rounded(x: np.ndarray) -> np.ndarray:
    """int8 inputs of standard scores, LSB 1/32."""
    return np.clip(np.rint(32 * x), -127, 127).astype(np.int8)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=FILES, help="write one of the two files")
    parser.add_argument("--draws", type=int, default=DRAWS, help="per chain")
    arguments = parser.parse_args()
    scores, labels, names = training_half()
    for kind in [arguments.only] if arguments.only else FILES:
        x = rounded(scores) / 32 if kind == "rounded" else scores
        found = posterior(
            x,
            labels,
            sigma_p=SIGMA_P,
            chains=CHAINS,
            warm_up=WARM_UP,
            draws=arguments.draws,
            seed=NUTS_SEED,
        )
        np.savez(
            FILES[kind],
            **found,
            names=np.array(names),
            data_sha256=np.array(digest(rounded(scores), labels)),
            sigma_p=SIGMA_P,
            features=FEATURES,
            split_seed=SPLIT_SEED,
            points=len(labels),
            chains=CHAINS,
            warm_up=WARM_UP,
            draws=arguments.draws,
            seed=NUTS_SEED,
        )
        ess, rhat = found["ess"], found["rhat"]
        print(f"{kind}: ESS {ess.min():.0f} or more, R-hat {rhat.max():.5f} or less")
        print(f"{found['divergent']} divergent; error {1 / np.sqrt(ess.min()):.4f} sd or less")


if __name__ == "__main__":
    main()
