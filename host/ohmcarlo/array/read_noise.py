"""Noise of a read: its share of the spread of a read-back, and its reduction by repeated reads."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .base import Array, IntArray

DOT_PRODUCTS = ARRAY, CODES = "array", "codes"
"""Where dot products are computed: in the array, or digitally from the codes read back."""
TOLERATED_SPREAD = 0.02
"""Relative error of a posterior's spread up to which dot products of the array are the default."""

Law = Callable[[NDArray[np.float64]], NDArray[np.float64]]
"""A spread (µS) over a target (µS)."""


def with_read_noise(set_law: Law, read_noise_rel: float) -> Law:
    """Spread of a read-back: that of the SET pulse and that of one read, which are independent."""
    if not read_noise_rel:
        return set_law
    return lambda g: np.hypot(set_law(g), read_noise_rel * np.asarray(g, np.float64))


def averaged_law(read_back_law: Law, read_noise_rel: float, repeats: int) -> Law:
    """Spread of the mean of ``repeats`` reads, from the spread of one read-back."""
    if repeats == 1 or not read_noise_rel:
        return read_back_law
    left_out = (1 - 1 / repeats) * read_noise_rel**2

    def law(g: NDArray[np.float64]) -> NDArray[np.float64]:
        sigma = np.asarray(read_back_law(g), np.float64)
        # a measured law can lie below the noise of the reads at the ends of its range
        return np.asarray(np.sqrt(np.maximum(sigma**2 - left_out * g**2, (sigma / 4) ** 2)))

    return law


def excess_spread(read_back_us: float, read_us: float, repeats: int = 1) -> float:
    """Relative error of the posterior's spreads if the array computes the dot products.

    The likelihood is that of the state of the devices, and a sample is its read-back. Given the
    read-back, the state is closer to the target by the share of the noise in the variance. The
    likelihood is then too flat: spreads grow by σ²(read) / σ²(SET).

    Parameters
    ----------
    read_back_us, read_us : float
        Spread of a read-back of one read, and noise of one read, µS.
    repeats : int
        Number of READs and accesses that are averaged.
    """
    of_set = read_back_us**2 - read_us**2
    return float("inf") if of_set <= 0 else read_us**2 / repeats / of_set


def suited(excess: float) -> str:
    """Where dot products should be computed: a member of ``DOT_PRODUCTS``."""
    return CODES if excess > TOLERATED_SPREAD else ARRAY


class RepeatedReads:
    """The operations of an array with every READ and every DOT made ``2**log_repeats`` times.

    Results are ``shift_round(sum, log_repeats)``. The array counts the additional READs; the
    controller enters those of DOT.
    """

    def __init__(self, array: Array, log_repeats: int) -> None:
        self._array = array
        self._log = log_repeats
        self._more = (1 << log_repeats) - 1
        self.reset = array.reset

    def program(self, row: int, devices: IntArray, dac: IntArray) -> IntArray:
        """SET and READ each device of ``row``: mean codes, int32 (n,)."""
        return self._mean(self._array.program(row, devices, dac), self._array.read, row, devices)

    def read(self, row: int, devices: IntArray) -> IntArray:
        """READ devices: mean codes, int32 (n,)."""
        return self._mean(self._array.read(row, devices), self._array.read, row, devices)

    def dot(self, row: int, inputs: NDArray[np.int8]) -> NDArray[np.int32]:
        """Mean dot products of ``row`` with each input: int8 (n, pairs) → int32 (n,)."""
        return self._mean(self._array.dot(row, inputs), self._array.dot, row, inputs)

    def _mean(self, first: IntArray, again: Callable[..., IntArray], *what: Any) -> IntArray:
        total = first.astype(np.int64)
        for _ in range(self._more):
            total += again(*what)
        half = (1 << self._log) >> 1
        return np.asarray((total + half) >> self._log, np.int32)
