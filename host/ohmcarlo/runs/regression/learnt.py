"""The posterior of a regression in the groups that ArviZ reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..inference_data import Observations, every_of, inference_data, kept_steps
from ..summary import sample_stats
from ..trace import Trace
from .posterior import JointPosterior

if TYPE_CHECKING:
    import xarray

FloatArray = NDArray[np.float64]
PREDICTIVE_STREAM = 3  # of random numbers of the host


@dataclass(frozen=True, eq=False)
class LearntNumbers:
    """The training points of a regression, in units of the data.

    Attributes
    ----------
    inputs, labels : float64 (n, features), (n,)
    rows : int (n,)
        Number of each point in the data of the user.
    feature_names : sequence of str
    """

    inputs: FloatArray
    labels: FloatArray
    rows: NDArray[np.integer[Any]]
    feature_names: Sequence[str]

    def inference_data(
        self,
        posterior: JointPosterior,
        trace: Trace,
        weight_names: Sequence[str],
        attributes: Mapping[str, Any],
    ) -> xarray.DataTree:
        """All groups: ``w`` per standardised feature in standard deviations of the label, ``noise``
        in units of the label."""
        every = every_of(trace.chains, trace.steps - posterior.burn_in, len(self.rows))
        steps = kept_steps(trace.steps, posterior.burn_in, every)
        scale = posterior.encoder.label_scale
        return inference_data(
            {
                "w": (posterior.weights.astype(np.float32), ("weight",)),
                "noise": ((scale * posterior.noise).astype(np.float32), ()),
            },
            sample_stats=sample_stats(trace),
            burn_in=posterior.burn_in,
            every=every,
            distance=trace.every,
            observations=self.observations(posterior, steps),
            coords={"weight": weight_names, "feature": self.feature_names},
            attributes=attributes,
        )

    def observations(self, posterior: JointPosterior, steps: NDArray[np.int64]) -> Observations:
        """Log-likelihoods and predictive draws under the draws of ``steps``."""
        encoder = posterior.encoder
        means = encoder.label(posterior.weights[:, steps] @ encoder.standard(self.inputs).T)
        noise = encoder.label_scale * posterior.noise[:, steps, None]
        z = (self.labels - means) / noise
        terms = -(z**2) / 2 - np.log(noise * np.sqrt(2 * np.pi))
        generator = np.random.default_rng([posterior.seed, PREDICTIVE_STREAM])
        return Observations(
            observed=self.labels,
            log_likelihood=terms.astype(np.float32).astype(np.float64),
            predictive=(means + noise * generator.standard_normal(means.shape)).astype(np.float32),
            rows=self.rows,
            constant={"x": (self.inputs, ("feature",))},
        )
