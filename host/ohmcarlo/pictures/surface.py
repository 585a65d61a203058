"""Predictions over the plane of two features: boundary, samples, uncertainty."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from .style import BLUE, ORANGE, plain_name

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FloatArray = NDArray[np.float64]

GRID = 120
MARGIN = 0.15  # of the data's range, on every side
SHOWN_SAMPLES = 40
SAMPLE_SEED = 1


class PlanePredictor(Protocol):
    """A posterior over models of two features: predictions for x float64 (n, 2)."""

    @property
    def feature_names(self) -> list[str]: ...

    @property
    def class_names(self) -> list[str]: ...

    def predict(self, x: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Mean and variance of P(class 1), (n,) each."""
        ...

    def of_single_samples(self, x: FloatArray, samples: int, seed: int) -> FloatArray:
        """P(class 1) under single samples, (samples, n)."""
        ...


@dataclass(frozen=True, eq=False)
class Surface:
    """Predictions on a grid.

    The variance of an answer 0/1 is p (1 - p). By the law of total variance it is the sum of
    E[p_s (1 - p_s)] over the samples s (aleatoric: the classes overlap, more data do not help) and
    Var[p_s] (epistemic: the samples disagree, more data would).

    Attributes
    ----------
    axes : (float64 (GRID,), float64 (GRID,))
        Values of the first and of the second feature.
    probability, variance : float64 (GRID, GRID)
        Posterior mean and variance of P(class 1), [second, first].
    samples : float64 (n, GRID, GRID)
        P(class 1) of single samples, drawn by multiplicity.
    feature_names, class_names : list of str
    """

    axes: tuple[FloatArray, FloatArray]
    probability: FloatArray
    variance: FloatArray
    samples: FloatArray
    feature_names: list[str]
    class_names: list[str]

    @classmethod
    def of(cls, predictor: PlanePredictor, inputs: FloatArray) -> Surface:
        """The surface over the range of ``inputs``, float64 (n, 2), with a margin."""
        low, high = inputs.min(axis=0), inputs.max(axis=0)
        margin = MARGIN * (high - low)
        first, second = (
            np.linspace(low[i] - margin[i], high[i] + margin[i], GRID) for i in range(2)
        )
        points = np.stack([g.ravel() for g in np.meshgrid(first, second)], axis=1)
        probability, variance = predictor.predict(points)
        samples = predictor.of_single_samples(points, SHOWN_SAMPLES, SAMPLE_SEED)
        shape = (GRID, GRID)
        return cls(
            axes=(first, second),
            probability=probability.reshape(shape),
            variance=variance.reshape(shape),
            samples=samples.reshape(-1, *shape),
            feature_names=predictor.feature_names,
            class_names=predictor.class_names,
        )

    @property
    def total(self) -> FloatArray:
        """Variance of the answer, (GRID, GRID)."""
        return self.probability * (1 - self.probability)

    @property
    def aleatoric(self) -> FloatArray:
        """The part of the variance that overlapping classes cause, (GRID, GRID)."""
        return np.maximum(self.total - self.variance, 0.0)

    # -- drawing -------------------------------------------------------------------------------

    def draw_boundary(self, ax: Axes, inputs: FloatArray, labels: NDArray[np.integer[Any]]) -> None:
        """The boundary of the mean, the boundaries of single samples, and the spread as colour.

        ``inputs`` (n, 2) and ``labels`` 0/1 (n,) are held-out points.
        """
        positive = plain_name(self.class_names[1])
        spread = np.sqrt(self.variance)
        image = ax.contourf(*self.axes, spread, levels=12, cmap="Purples")
        ax.figure.colorbar(image, ax=ax).set_label("posterior spread of the probability")
        self._draw_samples(ax)
        lines = ax.contour(
            *self.axes,
            self.probability,
            levels=[0.1, 0.5, 0.9],
            colors="black",
            linewidths=[0.7, 1.6, 0.7],
            linestyles=["--", "-", "--"],
        )
        ax.clabel(lines, fontsize=7)
        self._draw_points(ax, inputs, labels)
        ax.set_title(
            f"Probability of {positive}: mean (black), boundaries of single samples (grey),\n"
            "posterior spread (colour)",
            fontsize=10,
        )
        ax.legend(loc="upper right", fontsize=8)

    def draw_uncertainty(
        self, axes: NDArray[Any], inputs: FloatArray, labels: NDArray[np.integer[Any]]
    ) -> None:
        """Total variance of a prediction and its two parts, on three axes."""
        parts = (
            (self.total, "all uncertainty", "variance of an answer: p (1 - p)"),
            (self.aleatoric, "aleatoric: the classes overlap", "mean over samples of p (1 - p)"),
            (self.variance, "epistemic: samples disagree", "variance over samples of p"),
        )
        for ax, (values, title, label) in zip(axes, parts, strict=True):
            image = ax.contourf(*self.axes, values, levels=12, cmap="Purples")
            ax.figure.colorbar(image, ax=ax, format="%.2f").set_label(label, fontsize=8)
            ax.contour(*self.axes, self.probability, levels=[0.5], colors="black", linewidths=1.2)
            self._draw_points(ax, inputs, labels, size=5)
            ax.set_title(title, fontsize=10)

    def _draw_samples(self, ax: Axes) -> None:
        for sample in self.samples:
            if sample.min() < 0.5 < sample.max():
                ax.contour(
                    *self.axes, sample, levels=[0.5], colors="#555555", linewidths=0.4, alpha=0.6
                )

    def _draw_points(
        self, ax: Axes, inputs: FloatArray, labels: NDArray[np.integer[Any]], size: float = 9
    ) -> None:
        for value, colour in ((0, BLUE), (1, ORANGE)):
            x, y = inputs[labels == value].T
            name = plain_name(self.class_names[value])
            ax.scatter(x, y, s=size, color=colour, edgecolor="white", lw=0.3, label=name)
        first, second = (plain_name(name) for name in self.feature_names)
        ax.set(xlabel=first, ylabel=second)
