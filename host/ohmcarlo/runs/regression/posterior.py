"""Joint draws of weights and noise from the samples of the array, and predictions with them.

The array samples the weights at one assumed noise. ``datasets.gaussian`` has the model and the
reason why that suffices.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...datasets.gaussian import NoisePosterior
from ...datasets.regression import RegressionEncoder
from ...golden import Registers
from ..summary import mixing
from ..trace import Trace

FloatArray = NDArray[np.float64]
NOISE_STREAM, PREDICTION_STREAM = 1, 2  # of random numbers of the host, beside the array's
PREDICTION_DRAWS = 2000
"""Draws of a prediction. Their noise is stratified, so that a quantile is exact to about 0.01
standard deviations."""


@dataclass(frozen=True, eq=False)
class JointPosterior:
    """Draws of a posterior after every step, in standard deviations of the label.

    Attributes
    ----------
    encoder : RegressionEncoder
    noise_posterior : NoisePosterior
    weights : float64 (chains, steps, weights)
        Per standardised feature, the bias last.
    noise : float64 (chains, steps)
    burn_in : int
        Steps of every chain that are left out of averages.
    seed : int
    """

    encoder: RegressionEncoder
    noise_posterior: NoisePosterior
    weights: FloatArray
    noise: FloatArray
    burn_in: int
    seed: int

    @classmethod
    def of(
        cls,
        registers: Registers,
        encoder: RegressionEncoder,
        trace: Trace,
        burn_in: int,
        noise_posterior: NoisePosterior,
        seed: int,
    ) -> JointPosterior:
        """The samples of a trace, each with a noise of its own and rescaled to it."""
        draws = trace.draws()
        sampled = sampled_weights(registers, encoder, trace.codes)[draws]
        centre = sampled[:, burn_in:].mean(axis=(0, 1))
        rng = np.random.default_rng([seed, NOISE_STREAM])
        noise = noise_posterior.draws(draws.size, rng).reshape(draws.shape)
        weights = centre + (sampled - centre) * (noise / encoder.noise)[..., None]
        return cls(encoder, noise_posterior, weights, noise, burn_in, seed)

    @property
    def mean(self) -> FloatArray:
        """Posterior mean of the weights, (weights,)."""
        return np.asarray(self.weights[:, self.burn_in :].mean(axis=(0, 1)), np.float64)

    @classmethod
    def learnt(
        cls,
        registers: Registers,
        encoder: RegressionEncoder,
        trace: Trace,
        burn_in: int,
        x: FloatArray,
        y: FloatArray,
        seed: int,
    ) -> JointPosterior:
        """``of`` the training half x (n, d), y (n,), which decides the posterior of the noise."""
        codes, counts = trace.after(burn_in)
        sampled = sampled_weights(registers, encoder, codes)
        mean = np.average(sampled, axis=0, weights=counts)
        noise = encoder.noise_posterior(x, y, mean)
        return cls.of(registers, encoder, trace, burn_in, noise, seed)

    def settled_weights(self) -> FloatArray:
        """The draws after burn-in, (draws, weights)."""
        kept = self.weights[:, self.burn_in :]
        return kept.reshape(-1, kept.shape[-1])

    def settled_noise(self) -> FloatArray:
        """The noise of the same draws, (draws,)."""
        return self.noise[:, self.burn_in :].reshape(-1)

    def predict(self, x: ArrayLike) -> FloatArray:
        """Mean of the predictions in units of the label, x (n, d) → (n,)."""
        return self.encoder.label(self.encoder.standard(x) @ self.mean)

    def spreads(self, x: ArrayLike) -> tuple[FloatArray, FloatArray]:
        """Standard deviations of the predictions in units of the label, (n,) each: that of their
        mean (epistemic, which more data would reduce), and that with the noise."""
        standard, kept = self.encoder.standard(x), self.settled_weights()
        covariance = np.atleast_2d(np.cov(kept, rowvar=False))
        variance = np.maximum(((standard @ covariance) * standard).sum(axis=1), 0)
        noise = float((self.settled_noise() ** 2).mean())
        scale = self.encoder.label_scale
        return scale * np.sqrt(variance), scale * np.sqrt(variance + noise)

    def predictive_draws(self, x: ArrayLike) -> FloatArray:
        """Sorted draws of new labels in units of the label, x (n, d) → (n, k)."""
        rng = np.random.default_rng([self.seed, PREDICTION_STREAM])
        weights, noise = self.settled_weights(), self.settled_noise()
        k = min(PREDICTION_DRAWS, len(noise))
        chosen = np.linspace(0, len(noise) - 1, k).astype(np.int64)
        means = self.encoder.standard(x) @ weights[chosen].T
        draws = means + noise[chosen] * rng.permutation(_normal_strata(k))
        return np.sort(self.encoder.label(draws), axis=1)


def sampled_weights(
    registers: Registers, encoder: RegressionEncoder, codes: NDArray[np.uint16]
) -> FloatArray:
    """Weights at the assumed noise, per standardised feature: uint16 (n, devices) → (n, m)."""
    return encoder.weights_to_original(registers.weights(codes))


def mixing_of(posterior: JointPosterior, registers: Registers, trace: Trace) -> dict[str, Any]:
    """``summary.mixing`` of the samples of the array.

    Their mean is that of the posterior, and a chain knows it to within ŝ/sqrt(ESS). An assumed
    noise ŝ that is larger than the noise therefore counts as fewer effective samples.
    """
    draws, burn_in = trace.draws()[:, posterior.burn_in :], posterior.burn_in
    sampled = sampled_weights(registers, posterior.encoder, trace.codes)[draws]
    found = mixing(sampled.astype(np.float32), trace, burn_in)
    noise = float(np.sqrt((posterior.noise[:, burn_in:] ** 2).mean()))
    share = min(1.0, noise / posterior.encoder.noise) ** 2
    counted = {name: value * share for name, value in found.items() if name.startswith("ess")}
    return found | counted


def _normal_strata(k: int) -> FloatArray:
    """The middle of each of k parts of equal probability of the normal distribution."""
    from scipy.special import ndtri

    return np.asarray(ndtri((np.arange(k) + 0.5) / k), np.float64)
