"""Several classes: reading them, and their posterior as a product of binary ones."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import numpy as np
import pytest
from scipy.special import expit
from sklearn.datasets import load_digits, load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.preprocessing import StandardScaler

from ohmcarlo.datasets import load
from ohmcarlo.datasets.base import GroupSplit
from ohmcarlo.datasets.several_classes import (
    MULTI_CLASS,
    ONE_VS_REST,
    STICK_BREAKING,
    BinaryProblem,
    binary_problems,
    class_order,
    class_probabilities,
)
from ohmcarlo.errors import UsageError

X = np.array([[-2.0], [-1.5], [-0.4], [0.3], [0.6], [1.1], [1.9], [-0.9]])
Y = np.array([0, 0, 2, 2, 1, 1, 1, 2])
SIGMA_P = 1.5


def test_a_csv_file_of_several_classes(tmp_path: Path) -> None:
    path = tmp_path / "data.csv"
    kinds = ("pike", "carp", "eel", "bass")
    path.write_text("a,b,fish\n" + "".join(f"{i},{i * i},{kinds[i % 4]}\n" for i in range(20)))
    data = load(path)
    assert data.class_names == ("bass", "carp", "eel", "pike")
    assert [data.class_names[c] for c in data.y[:4]] == list(kinds)
    train, held_out = data.split(3)
    assert np.bincount(data.y[train]).min() == np.bincount(data.y[held_out]).min() == 2


def test_numbers_are_classes_by_value(tmp_path: Path) -> None:
    path = tmp_path / "data.csv"
    path.write_text("a,label\n" + "".join(f"{i},{(9, 10, 2)[i % 3]}\n" for i in range(18)))
    assert load(path).class_names == ("2", "9", "10")


def test_classes_that_are_too_rare_or_too_many_are_named(tmp_path: Path) -> None:
    path = tmp_path / "data.csv"
    rows = [f"{i},{'xyz'[i % 3]}" for i in range(30)] + ["30,rare"]
    path.write_text("\n".join(["a,label", *rows]))
    with pytest.raises(UsageError, match=r"too few rows \(1 of class 'rare'.*2 of each class"):
        load(path)
    path.write_text("\n".join(["a,label", *(f"{i},c{i // 3}" for i in range(90))]))
    with pytest.raises(
        UsageError, match=r"30 classes \(c0 3, .*…\), at most 20 are possible; .*merge"
    ):
        load(path)


def test_an_own_split_of_several_classes_takes_what_there_is() -> None:
    labels = np.repeat([0, 1, 2], [30, 30, 3])
    groups, half = np.arange(63), np.arange(63) % 2 == 0
    with pytest.raises(UsageError, match="class 2"):
        GroupSplit(groups, half, ~half, 10).rows(labels, 0)
    train, held_out = GroupSplit(groups, half, ~half, 10, fewer=True).rows(labels, 0)
    assert np.bincount(labels[train]).tolist() == [10, 10, 2] and half[train].all()
    assert len(held_out) == (~half).sum()


def test_built_in_sets_are_those_of_scikit_learn() -> None:
    """Sizes from the UCI repository: iris 50 each, wine 59, 71 and 48; digits: 1,797 test rows."""
    assert np.bincount(load("iris").y).tolist() == [50, 50, 50]
    assert np.bincount(load("wine").y).tolist() == [59, 71, 48]
    digits = load("digits")
    assert digits.x.shape == (1797, 64) and digits.class_names == tuple("0123456789")


def test_probabilities_of_the_stick_by_hand() -> None:
    """A fifth of the stick to class 2, half of the rest to class 0, what is left to class 1."""
    problems = (BinaryProblem(2, (0, 1)), BinaryProblem(0, (1,)))
    q = np.array([[0.2, 0.0], [0.5, 0.25]])
    found = class_probabilities(q, problems, STICK_BREAKING)
    assert np.allclose(found, [[0.4, 0.4, 0.2], [0.25, 0.75, 0.0]])
    other = (BinaryProblem(0, (1, 2)), BinaryProblem(2, (1,)))
    assert not np.allclose(class_probabilities(q, other, STICK_BREAKING), found)
    three = np.array([0.1, 0.1, 0.3])
    rest = tuple(BinaryProblem(k, tuple({0, 1, 2} - {k})) for k in range(3))
    assert np.allclose(class_probabilities(three, rest, ONE_VS_REST), [0.2, 0.2, 0.6])
    nothing = class_probabilities(np.zeros((3, 2)), rest, ONE_VS_REST)
    assert np.allclose(nothing, 1 / 3), "every model rules its class out"


@pytest.mark.parametrize("method", MULTI_CLASS)
def test_probabilities_sum_to_one(method: str) -> None:
    rng = np.random.default_rng(0)
    problems = binary_problems(X, Y, method)
    found = class_probabilities(rng.random((len(problems), 5, 7)), problems, method)
    assert found.shape == (5, 7, 3) and np.allclose(found.sum(-1), 1) and (found >= 0).all()


def moments(log_density: np.ndarray, grid: np.ndarray) -> list[float]:
    """Means and standard deviations of two weights on a grid: (weight 1, weight 2)."""
    mass = np.exp(log_density - log_density.max())
    mass /= mass.sum()
    means = [float((mass.sum(1 - i) * grid).sum()) for i in (0, 1)]
    return means + [
        float(np.sqrt((mass.sum(1 - i) * (grid - m) ** 2).sum())) for i, m in enumerate(means)
    ]


def joint_posterior(order: tuple[int, int, int], grid: np.ndarray) -> np.ndarray:
    """log p(w1, w2 | data) of the K-class model, written out point by point."""
    found = np.empty((len(grid), len(grid)))
    for (i, a), (j, b) in product(enumerate(grid), enumerate(grid)):
        total = -(a * a + b * b) / (2 * SIGMA_P**2)
        for (x,), y in zip(X, Y, strict=True):
            first, second = 1 / (1 + np.exp(-a * x)), 1 / (1 + np.exp(-b * x))
            stick = {
                order[0]: first,
                order[1]: (1 - first) * second,
                order[2]: (1 - first) * (1 - second),
            }
            total += np.log(stick[int(y)])
        found[i, j] = total
    return found


def product_of_binary(problems: tuple[BinaryProblem, ...], grid: np.ndarray) -> np.ndarray:
    """log p(w1) + log p(w2) of separate logistic posteriors."""
    parts = []
    for problem in problems:
        rows = problem.uses(Y)
        signed = np.where(problem.labels(Y[rows]) == 1, 1, -1) * X[rows, 0]
        parts.append(np.log(expit(np.outer(grid, signed))).sum(1) - grid**2 / (2 * SIGMA_P**2))
    return parts[0][:, None] + parts[1][None]


def test_the_posterior_of_three_classes_is_the_product_of_two_binary_ones() -> None:
    """Against brute force over both weights. Controls: another order, and a second problem that
    keeps the points of the first class."""
    grid = np.linspace(-9, 9, 61)
    problems = binary_problems(X, Y, STICK_BREAKING)
    order = (problems[0].positive, problems[1].positive, problems[1].others[0])
    assert set(problems[0].others) == {0, 1, 2} - {order[0]}
    wanted = moments(joint_posterior(order, grid), grid)
    assert np.allclose(moments(product_of_binary(problems, grid), grid), wanted, atol=1e-9)
    exchanged = moments(joint_posterior((order[1], order[0], order[2]), grid), grid)
    assert np.abs(np.subtract(exchanged, wanted)).max() > 0.2
    of_all = (problems[0], BinaryProblem(order[1], (order[0], order[2])))
    assert np.abs(np.subtract(moments(product_of_binary(of_all, grid), grid), wanted)).max() > 0.2


def loss_of(order: list[int], x: np.ndarray, y: np.ndarray) -> float:
    """Log loss of scikit-learn's logistic regressions in this order, on the training points."""
    scaled = StandardScaler().fit_transform(x)
    problems = tuple(
        BinaryProblem(k, tuple(sorted(order[i + 1 :]))) for i, k in enumerate(order[:-1])
    )
    fits = [
        LogisticRegression(solver="newton-cholesky").fit(scaled[p.uses(y)], p.labels(y[p.uses(y)]))
        for p in problems
    ]
    q = np.stack([fit.predict_proba(scaled)[:, 1] for fit in fits])
    return float(log_loss(y, class_probabilities(q, problems, STICK_BREAKING)))


def test_the_class_that_is_easily_separated_comes_first() -> None:
    """A line separates setosa from the other irises, no line separates versicolor (Fisher 1936):
    beginning with versicolor doubles the log loss of a fit. On digits, the order of the sizes has a
    larger log loss, and the opposite order an even larger one."""
    x, y = load_iris(return_X_y=True)
    order = class_order(x, y)
    assert order[0] == 0 and loss_of([1, 0, 2], x, y) > 2 * loss_of(order, x, y)
    x, y = load_digits(return_X_y=True)
    x, y = x[::2], y[::2]
    order = class_order(x, y)
    by_size = np.argsort(-np.bincount(y), kind="stable").tolist()
    best, other, worst = (loss_of(o, x, y) for o in (order, by_size, order[::-1]))
    assert 1.2 * best < other < worst
