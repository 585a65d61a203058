"""Where a run computes its dot products, and the error of the posterior that follows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..array.characterize.characterization import Characterization
from ..array.read_noise import ARRAY, CODES, Law, averaged_law, excess_spread, suited
from ..boards import Board
from ..posterior_error import PosteriorError
from ..spec import DEFAULT_MID_US
from .arrays import OpenedArray
from .config import TrainConfig
from .wire_errors import Lines

MEAN_ERROR, MEAN_ERROR_RMS = 0.5, 0.3
"""Errors of the means in standard deviations, per relative error of the spreads."""


@dataclass(frozen=True)
class ReadBack:
    """Spread of a read-back of one read (µS over the target), and noise of a read (fraction)."""

    sigma_us: Law
    read_noise_rel: float

    @classmethod
    def of(cls, opened: OpenedArray, found: Characterization | None) -> ReadBack:
        """As measured, otherwise as the array states it."""
        source = opened.array if found is None else found
        return cls(source.sigma_us, source.read_noise_rel)

    def averaged(self, repeats: int) -> Law:
        """Spread of the mean of ``repeats`` reads."""
        return averaged_law(self.sigma_us, self.read_noise_rel, repeats)

    def excess_spread(self, repeats: int) -> float:
        """Relative error of the posterior's spreads with dot products of the array."""
        sigma = float(self.sigma_us(np.array([DEFAULT_MID_US]))[0])
        return excess_spread(sigma, self.read_noise_rel * DEFAULT_MID_US, repeats)


def choose_dot_products(
    config: TrainConfig, read_back: ReadBack, lines: Lines | None, board: Board, episodes: bool
) -> str:
    """``array`` or ``codes``: as the user chose, otherwise as read noise and lines demand.

    The published kernel, a model without data points and a board that cannot do otherwise use those
    of the array.
    """
    if config.dot_products is not None:
        return config.dot_products
    if episodes or config.kernel == "published" or CODES not in board.dot_products:
        return ARRAY
    if lines is not None and not lines.tolerable:
        return CODES
    return suited(read_back.excess_spread(config.repeats))


def read_noise_error(
    dot_products: str, repeats: int, read_back: ReadBack, can: tuple[str, ...]
) -> tuple[PosteriorError, ...]:
    """The predicted error of a run with dot products of an array with read noise."""
    if dot_products == CODES or not read_back.read_noise_rel:
        return ()
    excess = read_back.excess_spread(repeats)
    remedy = f"--dot-products {CODES}" if CODES in can else "--repeats with a larger number"
    mean, rms = MEAN_ERROR * excess, MEAN_ERROR_RMS * excess
    return (PosteriorError("read_noise", mean, rms, 1 + excess, f"use {remedy}"),)
