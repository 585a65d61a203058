"""Models that learn from the labels bought so far: in the array, and in software."""

from __future__ import annotations

from contextlib import closing
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
from ...runs.chain_run import ChainRun
from ...runs.classes import BinaryPosterior, ClassPosterior
from ...runs.defaults import complete
from ...runs.summary import burn_in_of
from ...runs.supervised.experiment import prepare
from ...runs.trace import Trace
from ...spec import Geometry
from ...tasks import get_task
from .problems import ECG

FloatArray = NDArray[np.float64]

BIAS_SIGMA = {ECG: 3.0}
"""Prior width of the bias where the classes of the pool are unbalanced. The width of the task is
for training sets with equal numbers."""
STEPS = 500  # of each chain in a round
DRAWS = 100  # of the posterior, for doubts and predictions


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


class ArrayLearner:
    """Samples the posterior of the labelled points in an array, in every round.

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
        self._energy: list[float] = []
        self._choosing: list[float] = []
        self._acceptance: list[float] = []
        self._set = 0
        self._wear: NDArray[np.int64] | None = None

    def learn(self, x: FloatArray, y: NDArray[np.int64], rest: FloatArray) -> None:
        setup, encoder = prepare(self.config, self.task, x, y, pool=rest)
        with closing(setup):
            run = ChainRun(setup)
            run.run()
            setup, encoder = run.setup, getattr(run.setup, "encoder", None) or encoder
            trace = Trace.of(run.streamed(), setup.board.current())
            samples = trace.after(burn_in_of(trace))
            self.posterior = BinaryPosterior(encoder, setup.registers, *samples)
            self._account(setup.board.ledger)
            self._acceptance.append(float(trace.accepted.mean()))

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
        """Energy (J) of learning and of choosing by round, SET pulses, and those of the most worn
        device."""
        assert self._wear is not None
        return {
            "learning_joules": self._energy,
            "choosing_joules": self._choosing,
            "acceptance": self._acceptance,
            "set_pulses": self._set,
            "wear_mean": float(self._wear.mean()),
            "wear_max": int(self._wear.max()),
        }

    def _account(self, ledger: Ledger) -> None:
        self._energy.append(energy(ledger, self.posterior.registers.geometry).total.joules)
        self._set += ledger.set
        worn = ledger.wear.astype(np.int64)
        self._wear = worn if self._wear is None else self._wear + worn


class SoftwareLearner:
    """scikit-learn's logistic regression with the prior and the features of the array."""

    def __init__(self, task: str) -> None:
        from sklearn.linear_model import LogisticRegression

        self.task = get_task(task)
        self.model = LogisticRegression(C=self.task.sigma_p**2, max_iter=2000)

    def learn(self, x: FloatArray, y: NDArray[np.int64], rest: FloatArray) -> None:
        self.encoder = Encoder.fit(x, y, features=self.features, pool=rest)
        self.model.fit(self._standard(x), y)

    @property
    def features(self) -> int | None:
        return self.task.features_for(Geometry().max_features)

    def choose(self, rest: FloatArray, n: int) -> NDArray[np.int64]:
        """The ``n`` largest entropies, that is, the probabilities nearest to one half."""
        return np.argsort(np.abs(self.probability(rest) - 0.5), kind="stable")[:n]

    def probability(self, x: FloatArray) -> FloatArray:
        return np.asarray(self.model.predict_proba(self._standard(x))[:, 1], np.float64)

    def values(self) -> dict[str, Any]:
        return {}

    def _standard(self, x: FloatArray) -> FloatArray:
        encoder = self.encoder
        return (x[:, encoder.columns] - encoder.mean) / encoder.scale
