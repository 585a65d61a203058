"""The data that a chain learnt from, in the groups that ArviZ reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ...datasets import Encoder
from ...golden import Registers, logits
from ...spec import LABEL_POSITIVE, LABEL_QUADRATIC, Points
from ..inference_data import Observations, every_of, inference_data, kept_steps
from ..setup import ChainSetup
from ..summary import sample_stats
from ..trace import Trace

if TYPE_CHECKING:
    import xarray

PREDICTIVE = 0x50524544
"""Sets the stream of the predictive draws apart from others with the seed of the run."""


@dataclass(frozen=True, eq=False)
class LearntData:
    """The training points of a chain of two classes.

    Attributes
    ----------
    registers : Registers
        Of the model, with which the points give logits.
    points : Points
        Of the chain; quadratic points, which are part of the prior, follow those of the data.
    inputs : float64 (n, features)
        The points in units of the data.
    rows : int (n,)
        Number of each point in the data of the user.
    feature_names, class_names : sequence of str
    seed : int
        Of the predictive draws.
    """

    registers: Registers
    points: Points
    inputs: NDArray[np.float64]
    rows: NDArray[np.integer[Any]]
    feature_names: Sequence[str]
    class_names: Sequence[str]
    seed: int

    @classmethod
    def of_setup(
        cls,
        setup: ChainSetup,
        inputs: NDArray[np.float64],
        encoder: Encoder,
        rows: NDArray[np.integer[Any]] | None = None,
    ) -> LearntData:
        """The points of ``setup`` without a data set: rows from 0 by default, classes 0 and 1."""
        return cls(
            registers=setup.registers,
            points=setup.points,
            inputs=inputs,
            rows=np.arange(len(inputs)) if rows is None else rows,
            feature_names=encoder.data_names,
            class_names=("0", "1"),
            seed=setup.config.array_seed,
        )

    @property
    def data_points(self) -> Points:
        """``points`` without those of the prior."""
        real = self.points.labels != LABEL_QUADRATIC
        return self.points.part(real)

    def inference_data(
        self,
        trace: Trace,
        draws: NDArray[np.floating[Any]],
        burn_in: int,
        weight_names: Sequence[str],
        attributes: Mapping[str, Any],
        every: int = 1,
    ) -> xarray.DataTree:
        """All groups; draws (chains, steps, weights) are the weights of all steps of ``trace``.

        ``every`` is the least number of steps from one draw to the next.
        """
        every = max(every, every_of(trace.chains, trace.steps - burn_in, len(self.rows)))
        return inference_data(
            {"w": (draws, ("weight",))},
            sample_stats=sample_stats(trace),
            burn_in=burn_in,
            every=every,
            distance=trace.every,
            observations=self.observations(trace, kept_steps(trace.steps, burn_in, every)),
            coords={"weight": weight_names, "feature": self.feature_names},
            attributes=attributes,
        )

    def log_likelihood(self, trace: Trace, steps: NDArray[np.int64]) -> NDArray[np.float64]:
        """Terms of the points under the samples that were current at ``steps``: (chains, draws, n).

        The logits are those of the machine. Their log-sigmoid is exact, not that of its table: the
        table gives 0 for a point that fits well, and Pareto smoothing fails where many draws are
        equal.
        """
        from scipy.special import log_expit

        points = self.data_points
        z = logits_at(self.registers, points, trace, steps)
        terms = log_expit(np.where(points.labels == LABEL_POSITIVE, z, -z))
        return np.asarray(terms, np.float64)

    def observations(self, trace: Trace, steps: NDArray[np.int64]) -> Observations:
        """Log-likelihoods and predictive draws under the samples that were current at ``steps``."""
        points = self.data_points
        log_likelihood = self.log_likelihood(trace, steps)
        generator = predictive_generator(self.seed)
        right = generator.random(log_likelihood.shape, np.float32) < np.exp(log_likelihood)
        labels = points.labels.astype(np.int8)
        return Observations(
            observed=labels,
            log_likelihood=log_likelihood,
            predictive=np.where(right, labels, 1 - labels),
            rows=self.rows,
            constant={"x": (self.inputs, ("feature",))},
            attributes={"class_names": list(self.class_names)},
        )


def logits_at(
    registers: Registers, points: Points, trace: Trace, steps: NDArray[np.int64]
) -> NDArray[np.float32]:
    """Logits of ``points`` under the samples that were current at ``steps``: (chains, draws, n)."""
    current = trace.draws()[:, steps]
    samples, index = np.unique(current, return_inverse=True)
    return logits(registers, points, trace.codes[samples])[index.reshape(current.shape)]


def predictive_generator(seed: int) -> np.random.Generator:
    """Of the predictive draws of a run."""
    return np.random.default_rng([seed, PREDICTIVE])
