"""Several classes as binary problems, which an array samples one after the other.

Stick-breaking puts the classes into an order. Problem k uses the points of the classes that are
left, and its label is "is class k". The likelihood of K classes is the product of these factors:

    P(class k | x) = q_k(x) · Π_{j<k} (1 - q_j(x)),  q_k(x) = sigmoid(w_k · x),  q_K = 1

No weight occurs in two factors, so that the posterior of all weights is the product of K - 1
logistic posteriors. Independent chains that sample these exactly sample the posterior of the
K-class model exactly. The order is part of the model: classes that are easily separated from all
others come first.

One against the rest has K problems of all points, "is class k". The probabilities are normalised.
There is no joint likelihood of which this is the posterior.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

STICK_BREAKING, ONE_VS_REST = "stick-breaking", "one-vs-rest"
MULTI_CLASS = (STICK_BREAKING, ONE_VS_REST)
ORDER_DIGITS = 6  # of a separation; digits beyond differ between machines

FloatArray = NDArray[np.float64]
Labels = NDArray[np.integer[Any]]


@dataclass(frozen=True)
class BinaryProblem:
    """One class against others.

    Attributes
    ----------
    positive : int
        The class whose label is 1.
    others : tuple of int
        The classes whose label is 0, rising; rows of all other classes are left out.
    """

    positive: int
    others: tuple[int, ...]

    def uses(self, classes: Labels) -> NDArray[np.bool_]:
        """Which rows belong to the problem: classes (n,) → bool (n,)."""
        return np.isin(classes, (self.positive, *self.others))

    def labels(self, classes: Labels) -> NDArray[np.int64]:
        """1 for the class, 0 for the others: classes (n,) → int64 (n,)."""
        return (classes == self.positive).astype(np.int64)


def binary_problems(x: FloatArray, y: Labels, method: str) -> tuple[BinaryProblem, ...]:
    """The problems of training data x (n, d) of classes y (n,), 0 … K-1, each with a row."""
    classes = tuple(range(int(y.max()) + 1))
    if method == ONE_VS_REST:
        return tuple(BinaryProblem(k, tuple(c for c in classes if c != k)) for k in classes)
    order = class_order(x, y)
    return tuple(BinaryProblem(k, tuple(sorted(order[i + 1 :]))) for i, k in enumerate(order[:-1]))


def class_order(x: FloatArray, y: Labels) -> list[int]:
    """The classes, each the one that is separated best from those after it.

    The measure is R² of a linear least-squares fit of "is class k" (Fisher's discriminant). Linear
    algebra on the inputs gives it, without an optimiser. The first class wins a tie.
    """
    left, order = list(range(int(y.max()) + 1)), []
    while len(left) > 1:
        rows = np.isin(y, left)
        found = [_separation(x[rows], y[rows] == k) for k in left]
        order.append(left.pop(int(np.argmax(found))))
    return order + left


def _separation(x: FloatArray, positive: NDArray[np.bool_]) -> float:
    """R² of a least-squares fit of 0/1 to the standardised inputs, with a unit ridge."""
    scale = x.std(axis=0)
    inputs = (x - x.mean(axis=0)) / np.where(scale > 0, scale, 1.0)
    target = positive - positive.mean()
    gram = inputs.T @ inputs + np.eye(inputs.shape[1])
    rest = target - inputs @ np.linalg.solve(gram, inputs.T @ target)
    return float(f"{1 - (rest @ rest) / (target @ target):.{ORDER_DIGITS - 1}e}")


def class_probabilities(
    q: FloatArray, problems: tuple[BinaryProblem, ...], method: str
) -> FloatArray:
    """Probabilities of the classes, which sum to one: q (problems, …) → (…, classes).

    ``q`` are the probabilities of label 1 in every problem, all under one joint sample.
    """
    classes = 1 + max(max(p.positive, *p.others) for p in problems)
    found = np.empty((*q.shape[1:], classes))
    if method == ONE_VS_REST:
        for problem, share in zip(problems, q, strict=True):
            found[..., problem.positive] = share
        total = found.sum(axis=-1, keepdims=True)
        # probabilities have fixed point, and all can be 0
        return np.where(total > 0, found / np.where(total > 0, total, 1.0), 1 / classes)
    rest = np.ones(q.shape[1:])
    for problem, share in zip(problems, q, strict=True):
        found[..., problem.positive] = rest * share
        rest = rest * (1 - share)
    (last,) = problems[-1].others
    found[..., last] = rest
    return found
