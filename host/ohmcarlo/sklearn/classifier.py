"""A scikit-learn classifier whose weights are samples in a resistive-memory array."""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from ..datasets.several_classes import STICK_BREAKING, binary_problems
from ..diagnostics import to_arviz
from ..errors import UsageError
from ..golden import predict
from ..runs.advice import as_parameters
from ..runs.classes import DRAWS, TWO_CLASSES, ClassPosterior, ClassUncertainty
from ..runs.config import TrainConfig
from ..runs.verdict import Verdict, judge_all
from ..spec import PROB_FRAC
from ..tasks import MULTICLASS
from .base import TASK, MemristorEstimator, SampledProblem, sample_problem
from .inference import class_tree, two_class_tree
from .weights import ResampledWeightsWarning, WeightedPoints, checked_weights, class_weights

LEAST = 0.5 ** (PROB_FRAC + 1)
"""Half an LSB of the array's table of probabilities."""


class MemristorClassifier(ClassifierMixin, MemristorEstimator):
    """Bayesian logistic regression (or a small network) sampled in an RRAM array.

    ``fit`` standardises and quantises the features and samples the posterior in the array.
    Predictions average over the samples.

    More than two classes are sampled as binary problems, each in an array of its own. With
    ``multi_class="stick-breaking"`` the samples are those of the posterior of a K-class model. With
    ``"one-vs-rest"`` they are those of K separate logistic models, whose probabilities are
    normalised.

    Parameters
    ----------
    steps : int or None
        Metropolis-Hastings steps of each chain; burn-in is cut off. None: as ``ohmcarlo train``.
    chains : int or None
        Independent chains, in equal shares of the rows. None: 4, fewer in a small array.
    multi_class : str
        Likelihood of more than two classes: ``"stick-breaking"`` or ``"one-vs-rest"``.
    array : str
        ``"emulator"``, ``"physics"`` or ``"measured:FILE"``.
    preset : str or None
        Device preset of the array.
    kernel : {"corrected", "published"}
    whiten : bool or None
        None: the array finds the mean and the shape of the posterior itself before it samples (not
        with hidden units, the published kernel or ``rho=1``). True: the computer fits them, for
        comparison. False: the weights are sampled as they are.
    rho : float or None
        Autoregression of the proposal. None: the adaptation chooses it, or the pilot of hidden
        units; without them 0.8 whitened, else 1 (random walk).
    least_rho : float or None
        The smallest rho that the adaptation may choose, e.g. 0.05 for more effective samples; None:
        the usual one.
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
    sigma_p : float, sequence, mapping or "auto"
        Standard deviation of the weight prior (standardised features): one for all weights; one
        for each feature (and the bias, else 1); or by name of the feature (``bias``, and ``*`` for
        all others, else 1). Without names, features are ``x0``, ``x1``, … "auto": the width that
        predicts the training points best, by leave-one-out of short runs.
    dot_products : str or None
        ``"array"`` or ``"codes"`` (digital, from the codes read back); None: as the read noise of
        the array demands.
    repeats : int
        Reads and accesses that are averaged, a power of two.
    backend : str
        Board that runs the chains: ``"model"``, ``"rtl"``, ``"serial:PORT"``,
        ``"mmio:/dev/uio0"`` or ``"devmem:0x43C00000"``.
    class_weight : dict, "balanced" or None
        Factors of the weights of the points by class, as in scikit-learn; see ``fit``.
    random_state : int, RandomState or None
        Seed of the array, of its noise and of the resampling of weights.

    Attributes
    ----------
    classes_ : (K,)
    n_features_in_ : int
    problems_ : list of SampledProblem
        The posterior of each binary problem; two classes have one.
    binary_problems_ : tuple of BinaryProblem
        The classes that each of them tells apart.
    acceptance_rate_ : float
    verdict_ : str
        ``"settled"`` if weights, probabilities and uncertainties can be trusted; ``fit`` warns
        otherwise (``UnsettledWarning``). Of several problems, the worst one counts.
    verdict_reasons_ : list of str
        Reasons of any other verdict, with a remedy each.
    codes_, multiplicity_ : uint16 (n, devices), int64 (n,)
        Samples after burn-in, and for how many steps each was current. This and the next four
        attributes exist for two classes; for more, ``problems_`` has them.
    weights_ : float64 (n, weights)
        The same samples as weights of the standardised features, bias last.
    posterior_error_ : dict
        Predicted errors of the posterior by source (``encoding``, ``window``, …): see
        ``PosteriorError``.
    weight_error_ : float
        Standard error of the posterior means by resampled weights, in posterior standard
        deviations; 0 for whole-number weights, which are exact.
    trace_ : Trace
        Every step.
    sigma_p_ : float or dict
        Width of the prior; by name if the weights do not share one.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from ohmcarlo.sklearn import MemristorClassifier
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> model = MemristorClassifier(features=15, random_state=0).fit(X[::2], y[::2])
    >>> model.verdict_
    'settled'
    >>> model.predict_proba(X[1:3]).shape, model.predict_uncertainty(X[1:3]).shape
    ((2, 2), (2,))
    >>> bool(model.score(X[1::2], y[1::2]) > 0.94)
    True
    """

    def __init__(
        self,
        steps: int | None = None,
        *,
        chains: int | None = None,
        multi_class: str = STICK_BREAKING,
        array: str = "emulator",
        preset: str | None = None,
        kernel: str = "corrected",
        whiten: bool | None = None,
        rho: float | None = None,
        least_rho: float | None = None,
        wide_every: int | None = None,
        hidden: int = 0,
        features: int | None = None,
        rows: int = 256,
        pairs: int | str = "auto",
        sigma_p: Any = 1.0,
        dot_products: str | None = None,
        repeats: int = 1,
        backend: str = "model",
        class_weight: Any = None,
        random_state: Any = None,
    ) -> None:
        super().__init__(
            steps,
            chains=chains,
            array=array,
            preset=preset,
            kernel=kernel,
            whiten=whiten,
            rho=rho,
            least_rho=least_rho,
            wide_every=wide_every,
            hidden=hidden,
            features=features,
            rows=rows,
            pairs=pairs,
            sigma_p=sigma_p,
            dot_products=dot_products,
            repeats=repeats,
            backend=backend,
            random_state=random_state,
        )
        self.multi_class = multi_class
        self.class_weight = class_weight

    def fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        *,
        pool: ArrayLike | None = None,
    ) -> MemristorClassifier:
        """Sample the posterior given X (n, features) and y (n,), two classes or more.

        ``sample_weight`` (n,) counts points. A point with the weight 2 is a point that occurs
        twice, exactly, and the weight 0 removes a point. Weights that are not whole numbers are
        rounded up or down at random. The posterior is then that of the resampled points;
        ``ResampledWeightsWarning`` and ``weight_error_`` state the error. Weights that sum to 1
        are shares of the n points, as ``AdaBoostClassifier`` passes them.

        With few labels, ``pool`` (m, features) are rows without labels. Means, standard deviations
        and the range of the inputs are then those of X and pool together.

        Raises ValueError (UsageError) for data or settings that cannot be used.
        """
        x: NDArray[np.float64]
        given: NDArray[Any]
        x, given = validate_data(self, X, y, dtype=np.float64)
        check_classification_targets(given)
        weights = self._weights(given, sample_weight)
        self.classes_ = np.unique(given[weights > 0])
        if len(self.classes_) < 2:
            raise ValueError("y has only one class (of a weight above 0): two are needed")
        self._task = TASK if len(self.classes_) == 2 else replace(TASK, kind=MULTICLASS)
        config = replace(self._config(x.shape[1]), multi_class=self.multi_class)
        points = WeightedPoints.of(weights, given, config.seed, classes=True)
        if points.note:
            warnings.warn(points.note, ResampledWeightsWarning, stacklevel=2)
        x, labels = x[points.rows], np.searchsorted(self.classes_, given[points.rows])
        self.weight_error_ = points.error
        others: NDArray[np.float64] | None = None
        if pool is not None:
            others = validate_data(self, pool, dtype=np.float64, reset=False)
        self._forget()
        if len(self.classes_) == 2:
            own = replace(config, multi_class=None)
            self.binary_problems_ = TWO_CLASSES
            self.problems_ = [sample_problem(own, x, labels, self._names(), others, points.rows)]
            self._keep(self.problems_[0])
        else:
            self.binary_problems_ = binary_problems(x, labels, self.multi_class)
            self.problems_ = self._sample_all(config, x, labels, others, points.rows)
        self.acceptance_rate_ = float(np.mean([p.trace.acceptance_rate for p in self.problems_]))
        self._judge(*self._verdict())
        return self

    def _sample_all(
        self,
        config: TrainConfig,
        x: NDArray[np.float64],
        labels: NDArray[np.integer[Any]],
        pool: NDArray[np.float64] | None,
        numbers: NDArray[np.int64],
    ) -> list[SampledProblem]:
        """The binary problems of several classes, each in an array of its own; ``numbers`` (n,) are
        the rows of the points in the data."""
        found = []
        for number, problem in enumerate(self.binary_problems_):
            rows = problem.uses(labels)
            own = replace(config, problem=number)
            binary = problem.labels(labels[rows])
            found.append(sample_problem(own, x[rows], binary, self._names(), pool, numbers[rows]))
        return found

    def _weights(self, y: NDArray[Any], sample_weight: ArrayLike | None) -> NDArray[np.float64]:
        """Weights of the points, (n,): those of the classes and of the points, multiplied."""
        weights = checked_weights(sample_weight, len(y))
        by_class = class_weights(self.class_weight, y)
        return weights if by_class is None else checked_weights(weights * by_class, len(y))

    def _verdict(self) -> tuple[Verdict, list[str], list[str]]:
        """Verdict, reasons and cautions of all problems."""
        if len(self.problems_) == 1:
            (problem,) = self.problems_
            return problem.verdict, problem.reasons, list(problem.cautions)
        names = [f"class {self.classes_[p.positive]}" for p in self.binary_problems_]
        by_name = dict(zip(names, self.problems_, strict=True))
        judged = judge_all({name: problem.values for name, problem in by_name.items()})
        cautions = [f"{n}: {text}" for n, problem in by_name.items() for text in problem.cautions]
        return judged.verdict, [as_parameters(text) for text in judged.reasons], cautions

    def to_arviz(self) -> Any:
        """The posterior for ArviZ: ``arviz.InferenceData``, or a DataTree with ArviZ 1.x.

        The groups are those of ``posterior.nc``: draws, log-likelihoods and predictive draws of the
        training points, labels and inputs. ``row`` counts the rows of X from 0. The posterior of
        several classes is that of the K-class model; one against the rest has none.
        """
        check_is_fitted(self)
        if len(self.problems_) > 1:
            return to_arviz(self._joint_tree())
        (problem,) = self.problems_
        return to_arviz(two_class_tree(problem, self.classes_))

    def _joint_tree(self) -> Any:
        if self.multi_class != STICK_BREAKING:
            raise UsageError(
                "one against the rest samples separate models, which have no joint likelihood: fit "
                'with multi_class="stick-breaking"'
            )
        return class_tree(self.problems_, self.binary_problems_, self.classes_)

    def _posterior(self) -> ClassPosterior:
        parts = [problem.posterior for problem in self.problems_]
        return ClassPosterior(self.binary_problems_, self.multi_class, parts)

    def _checked(self, X: ArrayLike) -> NDArray[np.float64]:
        check_is_fitted(self)
        x: NDArray[np.float64] = validate_data(self, X, dtype=np.float64, reset=False)
        return x

    def predict_proba(self, X: ArrayLike) -> NDArray[np.float64]:
        """Posterior mean of the class probabilities, float64 (n, K).

        Two classes: over all samples. More: over ``DRAWS`` joint draws of all problems.
        """
        x = self._checked(X)
        if len(self.problems_) > 1:
            return self._posterior().predict(x)[0]
        mean, _ = self._probability(x)
        return np.c_[1 - mean, mean]

    def predict_log_proba(self, X: ArrayLike) -> NDArray[np.float64]:
        """Logarithm of ``predict_proba``, float64 (n, K).

        A probability below ``LEAST``, which the table of the array rounds to 0, counts as
        ``LEAST``, so that every logarithm is finite.
        """
        return np.log(np.maximum(self.predict_proba(X), LEAST))

    def drawn_proba(self, X: ArrayLike, draws: int) -> NDArray[np.float64]:
        """Class probabilities under evenly spaced joint draws of the posterior,
        float64 (draws, n, K)."""
        return self._posterior().drawn(self._checked(X), draws)

    def _probability(
        self, x: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Mean and variance of P(second class) of two."""
        points = self.encoder_.encode(x)
        return predict(self.registers_, points, self.codes_, self.multiplicity_)

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """The most probable class of each case, (n,)."""
        probability = self.predict_proba(X)
        if len(self.classes_) == 2:  # at equal probabilities, the second class
            return self.classes_[(probability[:, 1] >= 0.5).astype(int)]
        return self.classes_[probability.argmax(axis=1)]

    def predict_uncertainty(self, X: ArrayLike) -> NDArray[np.float64]:
        """Epistemic uncertainty, float64 (n,): more data would reduce it, unlike the noise that
        ``predict_proba`` expresses.

        Two classes: standard deviation of P(second class). More: mutual information of class and
        weights, nat, as in ``uncertainty``.
        """
        x = self._checked(X)
        if len(self.problems_) > 1:
            return self._posterior().predict(x)[1].epistemic
        return np.sqrt(self._probability(x)[1])

    def uncertainty(self, X: ArrayLike) -> ClassUncertainty:
        """Entropy of the prediction and its two parts, aleatoric and epistemic, nat, (n,) each."""
        return self.predict_parts(X)[1]

    def predict_parts(
        self, X: ArrayLike, draws: int = DRAWS
    ) -> tuple[NDArray[np.float64], ClassUncertainty]:
        """Probabilities (n, K) and ``uncertainty``, both over so many joint draws."""
        return self._posterior().predict(self._checked(X), draws)
