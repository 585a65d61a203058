"""Widths of the weight prior: one for all weights, or others for single features and the bias.

Weight j has the prior N(0, σ_j²). With σ the width of the bias and f_j = σ_j/σ, the column of
feature j is multiplied by f_j, and w_j = f_j u_j. All u_j then have the prior N(0, σ²), so that
whatever encodes the columns needs to know one width only. The column of the bias stays 1, which
int8 holds exactly. The others are encoded as any other columns are, with a predicted error.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import UsageError
from ..readable import first_few

Widths = float | Sequence[float] | Mapping[str, float]
"""σ_p: one number, one for each feature (and the bias), or numbers by name."""
BIAS = "bias"
OTHERS = "*"
"""Name of the width of all features that are not named, and of the bias."""
USUAL = 1.0


class Prior(NamedTuple):
    """The prior of all weights of a logistic model.

    Attributes
    ----------
    sigma_p : float
        The width of the bias.
    factors : float64 (m,)
        f; the last is that of the bias, 1. All are 1 if there is one width.
    """

    sigma_p: float
    factors: NDArray[np.float64]

    @classmethod
    def of(cls, widths: Widths, names: Sequence[str], columns: NDArray[np.int64]) -> Prior:
        """The prior of the selected ``columns`` of features with these ``names``.

        Raises UsageError for a name that is no feature, or a width that is not positive and finite.
        """
        found = _of_all(widths, names)
        if not (np.isfinite(found).all() and (found > 0).all()):
            wrong = found[~(np.isfinite(found) & (found > 0))][0]
            raise UsageError(f"sigma_p = {wrong:g}: encoding needs a positive, finite prior width")
        chosen = found[[*columns, len(names)]]
        return cls(float(chosen[-1]), chosen / chosen[-1])


def widths_by_name(
    sigma_p: float, factors: NDArray[np.float64], features: Sequence[str]
) -> float | dict[str, float]:
    """The widths of a ``Prior`` by weight; one number if they are equal."""
    found = sigma_p * factors
    if (found == found[0]).all():
        return float(found[0])
    return dict(zip([*features, BIAS], found.tolist(), strict=True))


def _of_all(widths: Widths, names: Sequence[str]) -> NDArray[np.float64]:
    """The width of every feature, the bias last: (d + 1,)."""
    if isinstance(widths, Mapping):
        return _named(widths, [*names, BIAS])
    found = np.asarray(widths, np.float64)
    if found.ndim == 0:
        return np.full(len(names) + 1, float(found))
    if found.shape == (len(names),):
        return np.append(found, USUAL)
    if found.shape != (len(names) + 1,):
        raise UsageError(
            f"sigma_p has the shape {found.shape} for {len(names)} features: give one number, one "
            "for each feature, or one for each feature and the bias"
        )
    return found


def _named(widths: Mapping[str, float], names: Sequence[str]) -> NDArray[np.float64]:
    unknown = [name for name in widths if name not in (*names, OTHERS)]
    if unknown:
        raise UsageError(
            f"sigma_p: no feature has the name {unknown[0]!r}: choose among {first_few(names)}"
        )
    usual = widths.get(OTHERS, USUAL)
    return np.array([widths.get(name, usual) for name in names], np.float64)
