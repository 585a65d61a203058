"""Predictions of several classes from the samples of independent binary problems."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..datasets import Encoder
from ..datasets.several_classes import (
    STICK_BREAKING,
    BinaryProblem,
    class_probabilities,
)
from ..golden import Registers
from ..golden.likelihood import predict_sums
from ..golden.machine import build_data, build_machine
from ..spec import PROB_FRAC

FloatArray = NDArray[np.float64]
DRAWS = 1000
"""Joint draws that predictions are averaged over; settled chains have no more independent ones."""
AT_ONCE = 4_000_000  # probabilities in memory, 32 MB
MATTERS = 0.05  # part of the stick
TWO_CLASSES: tuple[BinaryProblem, ...] = (BinaryProblem(1, (0,)),)


@dataclass(frozen=True, eq=False)
class BinaryPosterior:
    """The samples of one binary problem, and what predictions with them need.

    Attributes
    ----------
    encoder : Encoder
    registers : Registers
    codes, counts : uint16 (n, devices), int64 (n,)
        Samples after burn-in, and for how many steps each was current.
    """

    encoder: Encoder
    registers: Registers
    codes: NDArray[np.uint16]
    counts: NDArray[np.int64]

    def draws(self, n: int) -> NDArray[np.uint16]:
        """The samples that were current at ``n`` evenly spaced steps: (n, devices)."""
        ends = np.cumsum(self.counts)
        steps = (np.arange(n) + 0.5) * (int(ends[-1]) / n)
        return self.codes[np.searchsorted(ends, steps, side="right")]

    def probabilities(self, x: FloatArray, codes: NDArray[np.uint16]) -> FloatArray:
        """P(label 1) of x (n, features) under each of the samples (s, devices): (s, n)."""
        machine, data = build_machine(self.registers), build_data(self.encoder.encode(x))
        once, found = np.ones(1, np.int64), np.empty((len(codes), len(x)))
        for i in range(len(codes)):
            sums = np.zeros((len(x), 2), np.int64)
            predict_sums(machine, data, np.ascontiguousarray(codes[i : i + 1]), once, sums)
            found[i] = sums[:, 0]
        return found / (1 << PROB_FRAC)


@dataclass(frozen=True, eq=False)
class ClassUncertainty:
    """The uncertainty of predictions and its two parts, nat: float64 (n,) each.

    Attributes
    ----------
    total : (n,)
        Entropy of the mean probabilities.
    aleatoric : (n,)
        Mean entropy of the probabilities over the posterior: more data do not reduce it.
    """

    total: FloatArray
    aleatoric: FloatArray

    @property
    def epistemic(self) -> FloatArray:
        """Mutual information of class and weights: total less aleatoric, which more data reduce
        (Houlsby et al. 2011, arXiv:1112.5745)."""
        return np.maximum(self.total - self.aleatoric, 0.0)


@dataclass(frozen=True, eq=False)
class ClassPosterior:
    """The joint posterior of several classes, or of two.

    Attributes
    ----------
    problems : tuple of BinaryProblem
    method : str
        One of ``MULTI_CLASS``.
    parts : sequence of BinaryPosterior
        The samples of each problem. Their arrays are independent, so that draw i of all problems
        together is one joint draw.
    """

    problems: tuple[BinaryProblem, ...]
    method: str
    parts: Sequence[BinaryPosterior]

    @classmethod
    def of_two(cls, part: BinaryPosterior) -> ClassPosterior:
        """That of a single problem with the labels 0 and 1."""
        return cls(TWO_CLASSES, STICK_BREAKING, (part,))

    def predict(self, x: FloatArray, draws: int = DRAWS) -> tuple[FloatArray, ClassUncertainty]:
        """Mean probabilities, (n, classes), and their uncertainty, for x (n, features)."""
        at_once = max(1, AT_ONCE // (draws * (len(self.parts) + 1)))
        means, entropies = [], []
        for start in range(0, len(x), at_once):
            p = self.drawn(x[start : start + at_once], draws)
            means.append(p.mean(axis=0))
            entropies.append(entropy(p).mean(axis=0))
        mean = np.concatenate(means)
        return mean, ClassUncertainty(entropy(mean), np.concatenate(entropies))

    def drawn(self, x: FloatArray, draws: int) -> FloatArray:
        """Probabilities under joint draws, (draws, n, classes), for x (n, features)."""
        codes = [part.draws(draws) for part in self.parts]
        q = [part.probabilities(x, c) for part, c in zip(self.parts, codes, strict=True)]
        return class_probabilities(np.stack(q), self.problems, self.method)

    def extrapolated(self, x: FloatArray, probability: FloatArray) -> NDArray[np.bool_]:
        """Points, (n,), with an input beyond what a problem can represent whose answer matters
        there: x (n, features) and the mean probabilities of the classes, (n, classes).

        A problem of the stick has learnt nothing about the classes before it, and counts by the
        part of the stick that they leave.
        """
        left, found = np.ones(len(x)), np.zeros(len(x), np.bool_)
        for problem, part in zip(self.problems, self.parts, strict=True):
            found |= part.encoder.saturates(x) & (left >= MATTERS)
            if self.method == STICK_BREAKING:
                left = left - probability[:, problem.positive]
        return found


def entropy(p: FloatArray) -> NDArray[Any]:
    """Entropy of probabilities along the last axis, nat."""
    from scipy.special import entr

    return np.asarray(entr(p).sum(axis=-1))
