"""The raw bits of the coin: how far they are from fair, and how many must be folded.

A raw symbol is the low SYMBOL_BITS bits of a code. The *bias* of a parity (the exclusive or of some
of these bits) is |P(0) - P(1)|. The exclusive or of independent symbols multiplies their biases
(the piling-up lemma), so that folding makes a bias as small as needed.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import scipy
from numpy.typing import NDArray

from ..errors import UsageError
from ..spec import CODE_LSB_US, FOLD_MAX, RAW_MIN_ENTROPY, SYMBOL_BITS

SYMBOLS = 1 << SYMBOL_BITS
MAX_BIAS = 2.0**-9
"""Largest bias of a folded symbol. 60,000 coins show a deviation of their distribution from 0.007
on; this bias makes one of 0.001 at most for each parity."""
SIGNIFICANT = 4.0
"""Standard errors from which on a measured bias counts: smaller ones come from a finite number of
codes."""
SPARE = 3.2
"""Standard deviations between cells, of a squared bias, that enough repeats leave room for."""
BY_FIT = "--array physics --preset FILE, where FILE is the same file"
PHASES = 32  # positions of a median between two codes with equal symbols
QUANTILES = (np.arange(8) + 0.5) / 8  # of the spreads of the devices


@dataclass(frozen=True)
class Recorded:
    """Recorded values from which devices draw: half of the ``repeats`` of each of ``cells``.

    A device that draws from n conductances has a squared bias of 1/n, whatever its spread.
    ``fits``: cells and repeats are enough for a fit of the device model.
    """

    cells: int
    repeats: int
    fits: bool = False

    @property
    def needed(self) -> int:
        """Repeats of each cell that are enough for a fair coin.

        >>> Recorded(cells=12, repeats=10).needed
        20
        """
        spare = 1 + SPARE / np.sqrt(self.cells)
        return 2 * int(np.ceil(spare / MAX_BIAS ** (2 / FOLD_MAX)))


@dataclass(frozen=True)
class RawBits:
    """Quality of the raw bits.

    Attributes
    ----------
    bias : float
        Bias of the worst parity of a raw symbol, root mean square over the devices.
    min_entropy : float
        Bits of min-entropy per raw bit, at most RAW_MIN_ENTROPY.
    recorded : Recorded or None
        Repeats whose number, and not the spread of the devices, limits the bias.
    """

    bias: float
    min_entropy: float
    recorded: Recorded | None = None

    @property
    def problem(self) -> str:
        """Why no allowed number of symbols gives a fair coin, and the remedy; empty if one does."""
        if self._needed <= FOLD_MAX:
            return ""
        if self.recorded is not None:
            model = f", or use the fitted model: {BY_FIT}" if self.recorded.fits else ""
            return (
                "a coin of the recorded cells is not fair, since each cell repeats the few values "
                f"that were recorded: half of its {self.recorded.repeats} repeats serve the run; "
                f"record {self.recorded.needed} repeats of each cell{model}"
            )
        return (
            f"the entropy devices vary too little for a fair coin: a parity of their low "
            f"{SYMBOL_BITS} bits has bias {self.bias:.2f}, and folding {FOLD_MAX} of them "
            f"allows {MAX_BIAS ** (1 / FOLD_MAX):.2f}; use devices that spread by "
            f"{smallest_spread_us():.2f} µS or more at the centre"
        )

    @property
    def fold(self) -> int:
        """Raw symbols to fold into one of the coin.

        Raises UsageError when no allowed number is enough.
        """
        if self.problem:
            raise UsageError(self.problem)
        return int(np.ceil(self._needed))

    @property
    def _needed(self) -> float:
        """Number of symbols whose exclusive or has MAX_BIAS, before it is rounded up."""
        if self.bias <= MAX_BIAS:
            return 1.0
        return float(np.log(MAX_BIAS) / np.log(min(self.bias, 0.999)))

    def to_dict(self) -> dict[str, float | int | None]:
        """Values for JSON; fold None: no allowed number is enough."""
        fold = None if self.problem else self.fold
        return {"bias": self.bias, "min_entropy": self.min_entropy, "fold": fold}


@cache
def law_raw_bits(sigma_us: float, spread_ln: float = 0.0) -> RawBits:
    """Raw bits of devices with Normal conductances of standard deviation ``sigma_us`` (µS).

    The median has the worst position between two codes. ``spread_ln``: standard deviation of
    ln σ over the devices.
    """
    spreads = sigma_us / CODE_LSB_US * np.exp(spread_ln * scipy.special.ndtri(QUANTILES))
    parts = [_symbol_law(float(sigma)) for sigma in spreads]
    squares = [np.square(law @ WALSH[:, 1:]).max() for law in parts]
    entropy = -np.log2(np.mean([law.max() for law in parts])) / SYMBOL_BITS
    return RawBits(float(np.sqrt(np.mean(squares))), float(min(entropy, RAW_MIN_ENTROPY)))


def measured_raw_bits(codes: NDArray[np.integer[Any]]) -> RawBits:
    """Raw bits of repeated codes at equal pulses, int (repeats, devices).

    Biases that chance explains do not count. The min-entropy is a lower bound from the probability
    that two symbols of a device are equal.
    """
    n = len(codes)
    symbols = np.asarray(codes) & (SYMBOLS - 1)
    mean = WALSH[symbols].mean(axis=0)  # (devices, parities)
    square = (n * mean**2 - 1) / (n - 1)  # without bias by the finite number of repeats
    worst = _significant(square[:, 1:]).max()
    excess = float(_significant(square[:, 1:].sum(axis=1, keepdims=True))[0])
    # of all laws with this probability of equal symbols, one value that is likelier than the
    # others has the least min-entropy
    likeliest = min((1 + np.sqrt((SYMBOLS - 1) * excess)) / SYMBOLS, 1.0)
    entropy = -np.log2(likeliest) / SYMBOL_BITS
    return RawBits(float(np.sqrt(worst)), float(min(entropy, RAW_MIN_ENTROPY)))


def worse(a: RawBits, b: RawBits) -> RawBits:
    """The larger bias and the smaller min-entropy of two descriptions."""
    return RawBits(max(a.bias, b.bias), min(a.min_entropy, b.min_entropy))


def smallest_spread_us() -> float:
    """Smallest standard deviation of a conductance, µS, for which FOLD_MAX is enough."""
    low, high = 0.1, 10.0
    for _ in range(20):
        middle = (low + high) / 2
        enough = law_raw_bits(middle).bias ** FOLD_MAX <= MAX_BIAS
        low, high = (low, middle) if enough else (middle, high)
    return high


def _walsh() -> NDArray[np.float64]:
    """(-1) to the parity of the bits in which symbol and mask are both 1: (symbols, masks)."""
    symbols = range(SYMBOLS)
    return np.array([[(-1.0) ** (s & mask).bit_count() for mask in symbols] for s in symbols])


WALSH = _walsh()


def _symbol_law(sigma: float) -> NDArray[np.float64]:
    """Probabilities of the symbols of a rounded Normal, σ in codes: (phases, symbols)."""
    period = int(np.ceil(8 * sigma / SYMBOLS + 1)) * SYMBOLS
    codes = np.arange(-period, period)
    medians = np.arange(PHASES) * (SYMBOLS / PHASES)
    edges = (codes[None, :] - medians[:, None]) / sigma
    half = 0.5 / sigma
    law = scipy.special.ndtr(edges + half) - scipy.special.ndtr(edges - half)
    return law.reshape(PHASES, -1, SYMBOLS).sum(axis=1)


def _significant(square: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean over the devices (axis 0) where it exceeds chance, otherwise 0."""
    mean = square.mean(axis=0)
    error = square.std(axis=0, ddof=1) / np.sqrt(len(square)) if len(square) > 1 else np.inf
    return np.where(mean > SIGNIFICANT * error, mean, 0.0)
