"""Software networks for comparison, and readings of "as many memory elements"."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..datasets import load
from ..errors import UsageError
from ..runs.supervised.result import quality
from ..spec import CODE_BITS
from ..tasks import get_task
from .base import Cell
from .chains import HELD, predictions

FLOAT_BITS = 32
FULL_HIDDEN = 100  # scikit-learn's default: a network whose memory is not limited
MAX_ITERATIONS = 400
DECAYS = (0.1, 1.0)  # candidate weight decays for cross-validation
FOLDS = 3


@dataclass(frozen=True)
class Reading:
    """One way to equate the memory of a network with that of an array.

    Attributes
    ----------
    name : str
    description : str
        The two quantities that are equal.
    """

    name: str
    description: str

    def parameters(self, devices: int) -> int:
        """Parameters of a network with the memory of ``devices`` devices that hold samples."""
        if self.name == "devices":
            return devices
        if self.name == "pairs":
            return devices // 2
        return devices * CODE_BITS // FLOAT_BITS


READINGS = (
    Reading("devices", "a parameter for every device that holds samples"),
    Reading("pairs", "a parameter for every pair of devices, as a weight of the array has"),
    Reading("bits", f"as many bits: {FLOAT_BITS} a parameter, {CODE_BITS} a device"),
)


def devices_holding(rows: int, features: int) -> int:
    """Devices in which an array of ``rows`` rows keeps samples of a logistic model: two for each
    feature and the bias. Devices of the coin and unused devices do not count."""
    return rows * 2 * (features + 1)


def hidden_units(parameters: int, inputs: int) -> int:
    """Hidden units of the widest network of one hidden layer with at most so many parameters:
    inputs · h + h biases, h outputs, 1 bias."""
    units = (parameters - 1) // (inputs + 2)
    if units < 1:
        raise UsageError(f"{parameters} parameters are too few for {inputs} inputs")
    return units


def network_cell(task: str, seed: int, hidden: int, features: int | None, tuned: bool) -> Cell:
    """A network of scikit-learn on the halves of ``seed``, features as quantised for the array.

    ``tuned``: the weight decay is the one of ``DECAYS`` that has the best log loss in a
    cross-validation of the training half; else scikit-learn's default. ``hidden`` 0: logistic
    regression, with its own default.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GridSearchCV, StratifiedKFold
    from sklearn.neural_network import MLPClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    from ..datasets import Encoder

    dataset = load(get_task(task).dataset)
    train, test = dataset.split(seed)
    columns = Encoder.fit(dataset.x[train], dataset.y[train], features=features).columns
    x = dataset.x[:, columns]
    model: Any = LogisticRegression(max_iter=2000)
    if hidden:
        model = MLPClassifier((hidden,), max_iter=MAX_ITERATIONS, random_state=seed)
    model = make_pipeline(StandardScaler(), model)
    if tuned:
        folds = StratifiedKFold(FOLDS, shuffle=True, random_state=seed)
        name = "mlpclassifier__alpha"
        model = GridSearchCV(model, {name: DECAYS}, scoring="neg_log_loss", cv=folds)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # some fits end at the last iteration
        model.fit(x[train], dataset.y[train])
    probability: NDArray[np.float64] = model.predict_proba(x[test])[:, 1]
    found = quality(dataset.y[test], probability, np.zeros_like(probability))
    return {
        **{name: found[name] for name in HELD},
        "predictions": predictions(test, dataset.y[test], probability),
    }
