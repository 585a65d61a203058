"""Labels of the hidden units of a network that are the same in all samples.

Two hidden units can be exchanged, and the signs of all weights of one can be flipped, without any
effect on a prediction or on the prior. A network with H hidden units has 2^H H! equivalent forms.
Chains pick one by chance, so that R-hat of the weights as they are sampled has no meaning.

Here every sample gets the form that is nearest to one reference: the sum of |inner product| over
matched units is the largest, and all inner products are positive. Labels are thus a function of the
equivalent forms together and not of the one that a chain happens to be in. Chains that agree on the
relabelled weights have found the same networks. Sources: Marin, Mengersen and Robert 2005, doi
10.1016/S0169-7161(05)25016-2 (pivotal relabelling); Sussmann 1992, doi
10.1016/S0893-6080(05)80037-1 (no other forms are equivalent).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class HiddenLabels:
    """A reference for the labels of hidden units.

    Attributes
    ----------
    reference : float64 (H, inputs + 1)
        Weights of every hidden unit, the weight of its output at the end.
    """

    reference: FloatArray

    @classmethod
    def of(cls, weights: FloatArray, counts: NDArray[np.int64], hidden: int) -> HiddenLabels:
        """Labels for samples, float64 (n, weights), each current for ``counts`` (n,) steps.

        The reference begins as the sample with the highest count, its units in the order of their
        output weights, and becomes the mean of all samples with the labels of that one.
        """
        best = _units(weights[[int(counts.argmax())]], hidden)[0]
        order = np.argsort(-np.abs(best[:, -1]), kind="stable")
        signs = np.where(best[order, -1:] < 0, -1.0, 1.0)
        first = cls(best[order] * signs)
        return cls(np.average(first._labelled(weights), axis=0, weights=counts))

    def relabelled(self, weights: FloatArray) -> FloatArray:
        """Equivalent samples with these labels: (n, weights), ordered as those of ``Registers``."""
        units = self._labelled(weights)
        n = len(units)
        first, out = units[:, :, :-1].reshape(n, -1), units[:, :, -1]
        return np.concatenate([first, out, weights[:, -1:]], axis=1)

    def _labelled(self, weights: FloatArray) -> FloatArray:
        """Units of every sample with these labels: (n, H, inputs + 1)."""
        from scipy.optimize import linear_sum_assignment

        units = _units(weights, len(self.reference))
        alike = np.einsum("nif,jf->nji", units, self.reference)
        chosen = np.array([linear_sum_assignment(-np.abs(a))[1] for a in alike])[..., None]
        signs = np.where(np.take_along_axis(alike, chosen, axis=2) < 0, -1.0, 1.0)
        return np.asarray(np.take_along_axis(units, chosen, axis=1) * signs, np.float64)


def _units(weights: FloatArray, hidden: int) -> FloatArray:
    """Weights (n, weights) by hidden unit, its output weight at the end: (n, H, inputs + 1)."""
    n, inputs = len(weights), (weights.shape[1] - hidden - 1) // hidden
    first = weights[:, : hidden * inputs].reshape(n, hidden, inputs)
    return np.concatenate([first, weights[:, hidden * inputs : -1, None]], axis=2)
