"""A scikit-learn classifier whose weights are samples in a resistive-memory array."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import ClassifierMixin
from sklearn.utils import Tags
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.validation import check_is_fitted, validate_data

from ..golden import predict
from .base import MemristorEstimator, sample_problem


class MemristorClassifier(ClassifierMixin, MemristorEstimator):
    """Bayesian logistic regression (or a small network) sampled in an RRAM array.

    ``fit`` standardises and quantises the features and samples the posterior in the array.
    Predictions average over the samples. Two classes; for more, wrap it in
    ``sklearn.multiclass.OneVsRestClassifier``.

    Parameters
    ----------
    steps : int or None
        Metropolis-Hastings steps of each chain; burn-in is cut off. None: as ``ohmcarlo train``.
    chains : int or None
        Independent chains, in equal shares of the rows. None: 4, fewer in a small array.
    array : str
        ``"emulator"``, ``"physics"`` or ``"measured:FILE"``.
    preset : str or None
        Device preset of the array.
    kernel : {"corrected", "published"}
    whiten : bool or None
        Sample whitened weights (ignored with hidden units). None: yes, but not with the published
        kernel or ``rho=1``.
    rho : float or None
        Autoregression of the proposal; None: 0.8 whitened, else 1 (random walk).
    wide_every : int or None
        Every so many steps, one uses rho = 1; 0: none; None: 10 whitened on devices that are
        alike, else 0.
    hidden : int
        Hidden units; 0: logistic regression.
    features : int or None
        Features kept by chi-squared; None: all.
    rows : int
    pairs : int or "auto"
        Geometry; "auto" takes the narrowest array that holds the features.
    sigma_p : float
        Standard deviation of the weight prior (standardised features).
    dot_products : str or None
        ``"array"`` or ``"codes"`` (digital, from the codes read back); None: as the read noise of
        the array demands.
    repeats : int
        Reads and accesses that are averaged, a power of two.
    random_state : int, RandomState or None
        Seed of the array and of its noise.

    Attributes
    ----------
    classes_ : (2,)
    n_features_in_ : int
    codes_, multiplicity_ : uint16 (n, devices), int64 (n,)
        Samples after burn-in, and for how many steps each was current.
    weights_ : float64 (n, weights)
        The same samples as weights of the standardised features, bias last.
    acceptance_rate_ : float
    posterior_error_ : dict
        Predicted errors of the posterior by source (``encoding``, ``window``, …): see
        ``PosteriorError``.
    verdict_ : str
        ``"settled"`` if weights, probabilities and uncertainties can be trusted; ``fit`` warns
        otherwise (``UnsettledWarning``).
    verdict_reasons_ : list of str
        Reasons of any other verdict, with a remedy each.
    trace_ : Trace
        Every step.
    """

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = False
        return tags

    def fit(self, X: ArrayLike, y: ArrayLike) -> MemristorClassifier:
        """Sample the posterior given X (n, features) and y (n,), two classes.

        Raises ValueError (UsageError) for data or settings that cannot be used.
        """
        x: NDArray[np.float64]
        x, y = validate_data(self, X, y, dtype=np.float64)
        check_classification_targets(y)
        self.classes_, labels = np.unique(y, return_inverse=True)
        if len(self.classes_) > 2:
            raise ValueError(
                "Only binary classification is supported. The type of the target is "
                f"{type_of_target(y)}."
            )
        if len(self.classes_) < 2:
            raise ValueError("y has only one class: two are needed")
        problem = sample_problem(self._config(x.shape[1]), x, labels)
        self._keep(problem)
        self._judge(problem.verdict, problem.reasons, problem.cautions)
        return self

    def _probability(self, X: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        check_is_fitted(self)
        X = validate_data(self, X, dtype=np.float64, reset=False)
        points = self.encoder_.encode(X)
        return predict(self.registers_, points, self.codes_, self.multiplicity_)

    def predict_proba(self, X: ArrayLike) -> NDArray[np.float64]:
        """Posterior mean of the class probabilities, float64 (n, 2)."""
        mean, _ = self._probability(X)
        return np.c_[1 - mean, mean]

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """The more probable class of each case, (n,)."""
        mean, _ = self._probability(X)
        return self.classes_[(mean >= 0.5).astype(int)]

    def predict_uncertainty(self, X: ArrayLike) -> NDArray[np.float64]:
        """Epistemic standard deviation of P(second class), float64 (n,).

        More data would reduce it, unlike the noise that ``predict_proba`` expresses.
        """
        _, variance = self._probability(X)
        return np.sqrt(variance)
