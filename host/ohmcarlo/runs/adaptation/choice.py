"""The proposal of a sampling chain, chosen from the samples of a pilot stage.

The proposal alone has the stationary density q(v) = N(0, s² I), s = S/gamma. A chain moves well
where the weight w(v) = p(v)/q(v) varies little: a sample far out in a tail with a large weight
holds the chain for long. The samples of the pilot and their log-posteriors give log w for every
gamma.

With independent proposals (rho = 0) the acceptance rate at sample i is

    A_i = E_q min(1, w(v')/w(v_i)),

and a mean over q is a mean over the samples with the weights 1/w. With rho > 0 the proposal stays
near the sample. Let c = rho^1.5 be the correlation of log w(v') and log w(v_i); the exponent was
measured. The effective samples per 1,000 steps are then about

    1000 / (2 E_p[1/A] / (1 - rho) - 1).

A far tail that the pilot has missed can still hold a chain. Hence rho is not chosen below 0.7, and
gamma not above the usual one, unless the user allows a smaller rho (``least_rho``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

RHOS = (0.7, 0.8, 0.9)
"""The first one is the usual one. With 0.6, well-behaved posteriors have a third more effective
samples, and one ECG run in four is caught in a tail."""
LOWER_RHOS = (0.5, 0.3, 0.05)
"""Those that the user may allow. The last one nearly gives independent proposals."""
GAMMAS = (1.0, 0.94, 0.88, 0.82, 0.76, 0.7)
"""Factors of the usual gamma."""
LARGER_GAMMA = 1.1
"""A factor for smaller rhos. The proposals are then 7 % wider than the posterior. Effective samples
are nearly level from 1.06 to 1.12; above, a tail holds single chains."""
ORDER = 1.5
MARGIN = 1.5
"""Another proposal than the usual one must promise so many times its effective samples. Predictions
from a short pilot differ by that much from what is measured."""
LOWER_MARGIN = 2.0
"""The same of a proposal with one of ``LOWER_RHOS``: a tail costs it more."""
MOST_SAMPLES = 2500
"""Samples from which effective samples are predicted: memory and time grow with their square. The
usual chains have fewer."""
Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Pilot:
    """Samples of a pilot stage.

    Attributes
    ----------
    weights : int
        Of the model.
    squares : float64 (n,)
        |v|² of the whitened weights, in the coordinates of the sampling chain.
    log_posterior : float64 (n,)
        Without the common-mode prior, nat.
    counts : float64 (n,)
        Steps that each sample was current.
    """

    weights: int
    squares: Floats
    log_posterior: Floats
    counts: Floats

    @property
    def width(self) -> float:
        """Root mean square of a v; 1 if the coordinates fit the posterior."""
        mean = np.average(self.squares, weights=self.counts)
        return float(np.sqrt(mean / self.weights))

    def thinned(self, most: int) -> Pilot:
        """At most so many samples, evenly from all of them."""
        n = len(self.counts)
        if n <= most:
            return self
        kept = np.arange(most) * n // most
        return Pilot(self.weights, self.squares[kept], self.log_posterior[kept], self.counts[kept])

    def mixing(self, rho: float, width: float) -> float:
        """Expected effective samples per 1,000 steps; ``width`` is the standard deviation of a v
        under q."""
        log_weights = self.log_posterior + self.squares / (2 * width**2)
        q = self.counts * np.exp(log_weights.min() - log_weights)
        q /= q.sum()
        away = log_weights - q @ log_weights
        c = rho**ORDER
        ratio = np.sqrt(1 - c**2) * away[None, :] - (1 - c) * away[:, None]
        acceptance = np.exp(np.minimum(ratio, 0)) @ q
        stay = float(np.average(1 / acceptance, weights=self.counts))
        return 1000 / (2 * stay / (1 - rho) - 1)


@dataclass(frozen=True)
class Proposal:
    """A proposal, and what is expected of it.

    Attributes
    ----------
    rho : float
    gamma_us : float
        µS per unit of a weight with unit posterior spread.
    ess_per_1000_steps : float
    """

    rho: float
    gamma_us: float
    ess_per_1000_steps: float


def choose(
    pilot: Pilot, usual: Sequence[tuple[float, float, float]], gammas: Sequence[float]
) -> tuple[Proposal, Proposal]:
    """The usual proposal, and the one to take: the same, or a far better one.

    Parameters
    ----------
    usual : sequence of (rho, gamma_us, width_us)
        The rhos to choose from, the usual one first, each with its usual gamma and with the
        stationary standard deviation of a weight under the proposal alone, both in µS.
    gammas : sequence of float
        Factors of the usual gamma to choose from, 1 first.
    """
    pilot = pilot.thinned(MOST_SAMPLES)
    found = [
        Proposal(rho, gamma * factor, pilot.mixing(rho, width / (gamma * factor)))
        for rho, gamma, width in usual
        for factor in gammas
    ]
    better = [proposal for proposal in found if _far_better(proposal, found[0])]
    return found[0], max(better, key=lambda p: p.ess_per_1000_steps, default=found[0])


def _far_better(proposal: Proposal, usual: Proposal) -> bool:
    margin = LOWER_MARGIN if proposal.rho in LOWER_RHOS else MARGIN
    return proposal.ess_per_1000_steps > margin * usual.ess_per_1000_steps
