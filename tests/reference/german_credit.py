"""German credit and the published moments of its posterior: writes tests/data/german_credit.npz.

    pip download --no-deps inference-gym==0.0.5 && unzip inference_gym-0.0.5-*.whl
    python tests/reference/german_credit.py german-credit-numeric.csv inference_gym

The data are Statlog (German Credit Data), numeric version, of the UCI repository (H. Hofmann,
CC BY 4.0): a file with the columns A1 to A24 and class (1 good, 2 bad). The moments are those of
``inference_gym/targets/ground_truth/german_credit_numeric_logistic_regression.py`` (The TensorFlow
Probability Authors, Apache 2.0). Its model: w ~ N(0, 1) for 24 weights and a bias, the bias last;
features with mean 0 and standard deviation 1 (divisor n); bad credit is class 1.
"""

from __future__ import annotations

import argparse
import importlib.util
from pathlib import Path

import numpy as np

OUT = Path(__file__).parents[1] / "data" / "german_credit.npz"
MODULE = "targets/ground_truth/german_credit_numeric_logistic_regression.py"
BAD = 2


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("csv", type=Path)
    parser.add_argument("package", type=Path, help="folder of inference_gym")
    arguments = parser.parse_args()
    table = np.loadtxt(arguments.csv, delimiter=",", skiprows=1).astype(np.uint8)
    spec = importlib.util.spec_from_file_location("truth", arguments.package / MODULE)
    truth = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(truth)
    np.savez_compressed(
        OUT,
        x=table[:, :-1],
        y=(table[:, -1] == BAD).astype(np.uint8),
        mean=truth.IDENTITY_MEAN,
        sd=truth.IDENTITY_STANDARD_DEVIATION,
        error=truth.IDENTITY_MEAN_STANDARD_ERROR,
        source=np.array(__doc__),
    )


if __name__ == "__main__":
    main()
