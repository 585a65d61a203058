"""Models that learn from the labels bought so far: in the array, and in software."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ...array.base import Ledger
from ...array.energy import energy
from ...datasets import Encoder
from ...datasets.prior import BIAS, OTHERS
from ...golden import build_machine, predict
from ...golden.chain import count_dots
from ...runs.acquisition import batch
from ...runs.adaptation.learner import LogisticLearner
from ...runs.chain_run import ChainRun
from ...runs.classes import BinaryPosterior, ClassPosterior
from ...runs.defaults import complete
from ...runs.setup import ChainSetup
from ...runs.summary import burn_in_of
from ...runs.supervised.experiment import prepare
from ...runs.trace import Trace
from ...spec import Geometry
from ...tasks import Task, get_task
from .problems import ECG

FloatArray = NDArray[np.float64]

BIAS_SIGMA = {ECG: 3.0}
"""Prior width of the bias where the classes of the pool are unbalanced. The width of the task is
for training sets with equal numbers."""
STEPS = 500  # of each chain in a round
DRAWS = 100  # of the posterior, for doubts and predictions


def features_of(task: Task) -> int | None:
    """Features that the models keep; None: all."""
    return task.features_for(Geometry().max_features)


class Learner(Protocol):
    """A model that is fitted in every round."""

    def learn(self, x: FloatArray, y: NDArray[np.int64], rest: FloatArray) -> None:
        """Fit labelled points x (n, d), y (n,); ``rest`` (m, d) is the pool without labels."""
        ...

    def choose(self, rest: FloatArray, n: int) -> NDArray[np.int64]:
        """Indices of the ``n`` points of ``rest`` (m, d) to have labelled next."""
        ...

    def probability(self, x: FloatArray) -> FloatArray:
        """P(class 1) of points x (n, d), (n,)."""
        ...

    def values(self) -> dict[str, Any]:
        """Numbers about the rounds so far, for JSON."""
        ...

    def close(self) -> None: ...


class ArrayLearner:
    """Samples the posterior of the labelled points in every round, always in the same array.

    The array adapts to the labels of a round before it samples, without a fit on the computer.

    Parameters
    ----------
    task : str
        Its settings are those of ``ohmcarlo train``.
    seed : int
        Of the array.
    """

    def __init__(self, task: str, seed: int) -> None:
        self.task = get_task(task)
        options: dict[str, Any] = {
            "kernel": "corrected",
            "hidden": None,
            "whiten": None,
            "rho": None,
            "chains": None,
            "steps": STEPS,
            "rows": Geometry().rows,
            "seed": seed,
        }
        if task in BIAS_SIGMA:
            options["sigma_p"] = {OTHERS: self.task.sigma_p, BIAS: BIAS_SIGMA[task]}
        self.config = complete(self.task, options).config
        self._first: ChainSetup | None = None
        self._spent = [0.0]  # J, after each round
        self._choosing: list[float] = []
        self._acceptance: list[float] = []
        self._adaptation: list[int] = []

    def learn(self, x: FloatArray, y: NDArray[np.int64], rest: FloatArray) -> None:
        run = ChainRun(self._set_up(x, y, rest))
        run.run()
        setup = run.setup
        assert setup.adaptation is not None
        trace = Trace.of(run.streamed(), setup.board.current())
        samples = trace.after(burn_in_of(trace))
        self.posterior = BinaryPosterior(setup.encoder, setup.registers, *samples)
        spent = energy(setup.board.ledger, setup.registers.geometry).total.joules
        self._spent.append(spent)
        self._acceptance.append(float(trace.accepted.mean()))
        self._adaptation.append(setup.adaptation.steps)

    def _set_up(self, x: FloatArray, y: NDArray[np.int64], rest: FloatArray) -> ChainSetup:
        """A new array in the first round; afterwards the same one, for other data."""
        if self._first is None:
            self._first, _ = prepare(self.config, self.task, x, y, pool=rest)
            return self._first
        encoder = Encoder.fit(
            x,
            y,
            features=features_of(self.task),
            whiten=True,
            adapt=True,
            sigma_p=self.config.widths(self.task.sigma_p),
            pool=rest,
        )
        learner = LogisticLearner(encoder, x, y, rest)
        points = learner.training_points(encoder)
        return replace(self._first, learner=learner, encoder=encoder, points=points)

    def choose(self, rest: FloatArray, n: int) -> NDArray[np.int64]:
        """The array's own doubt: a diverse batch of the largest predictive entropies."""
        registers = self.posterior.registers
        ledger, machine = Ledger(registers.geometry), build_machine(registers)
        for sample in self.posterior.draws(DRAWS):
            count_dots(machine, ledger.counts, sample, len(rest))
        self._choosing.append(energy(ledger, registers.geometry).total.joules)
        return batch(ClassPosterior.of_two(self.posterior).drawn(rest, DRAWS), n)

    def probability(self, x: FloatArray) -> FloatArray:
        points, once = self.posterior.encoder.encode(x), np.ones(DRAWS, np.int64)
        return predict(self.posterior.registers, points, self.posterior.draws(DRAWS), once)[0]

    def values(self) -> dict[str, Any]:
        """Energy (J) of learning and of choosing, and steps of adaptation, by round; SET pulses,
        and those of a device."""
        assert self._first is not None
        ledger = self._first.board.ledger
        return {
            "learning_joules": np.diff(self._spent).tolist(),
            "choosing_joules": self._choosing,
            "acceptance": self._acceptance,
            "adaptation_steps": self._adaptation,
            "set_pulses": ledger.set,
            "wear_mean": float(ledger.wear.mean()),
            "wear_max": int(ledger.wear.max()),
        }

    def close(self) -> None:
        """Release the board."""
        if self._first is not None:
            self._first.close()


class SoftwareLearner:
    """scikit-learn's logistic regression with the prior and the features of the array."""

    def __init__(self, task: str) -> None:
        from sklearn.linear_model import LogisticRegression

        self.task = get_task(task)
        self.model = LogisticRegression(C=self.task.sigma_p**2, max_iter=2000)

    def learn(self, x: FloatArray, y: NDArray[np.int64], rest: FloatArray) -> None:
        self.encoder = Encoder.fit(x, y, features=features_of(self.task), pool=rest)
        self.model.fit(self._standard(x), y)

    def choose(self, rest: FloatArray, n: int) -> NDArray[np.int64]:
        """The ``n`` largest entropies, that is, the probabilities nearest to one half."""
        return np.argsort(np.abs(self.probability(rest) - 0.5), kind="stable")[:n]

    def probability(self, x: FloatArray) -> FloatArray:
        return np.asarray(self.model.predict_proba(self._standard(x))[:, 1], np.float64)

    def values(self) -> dict[str, Any]:
        return {}

    def close(self) -> None: ...

    def _standard(self, x: FloatArray) -> FloatArray:
        encoder = self.encoder
        return (x[:, encoder.columns] - encoder.mean) / encoder.scale
