"""A scikit-learn regressor whose weights are samples in a resistive-memory array."""

from __future__ import annotations

import warnings
from contextlib import closing
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import RegressorMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from ..datasets.regression import RegressionEncoder
from ..diagnostics import to_arviz
from ..posterior_error import errors_to_dict
from ..runs.advice import advised, as_parameters
from ..runs.chain_run import ChainRun
from ..runs.regression.experiment import prepare_regression
from ..runs.regression.learnt import LearntNumbers
from ..runs.regression.posterior import JointPosterior, mixing_of
from ..runs.regression.scores import interval
from ..runs.setup import ChainSetup
from ..runs.summary import attributes_of, burn_in_of, chain_of, judged
from ..runs.trace import Trace
from ..runs.verdict import Verdict
from ..tasks import REGRESSION
from .base import MEASURES, TASK, MemristorEstimator
from .weights import ResampledWeightsWarning, WeightedPoints, checked_weights

FloatArray = NDArray[np.float64]


class MemristorRegressor(RegressorMixin, MemristorEstimator):
    """Bayesian linear regression sampled in an RRAM array.

    The model is that of scikit-learn's ``BayesianRidge`` with the conjugate prior: normal noise
    with an unknown standard deviation s, and weights with a normal prior whose width counts in
    units of s. The array samples the weights, the host draws s (see ``datasets.gaussian``), so that
    predictions and intervals average over both.

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
    whiten : bool or None
        True: the computer fits the mean of the posterior, and the array samples around it, for
        comparison. None: the array finds it itself.
    rho : float or None
        Autoregression of the proposal, below 1; None: the adaptation chooses it.
    least_rho : float or None
        The smallest rho that the adaptation may choose, e.g. 0.05 for more effective samples; None:
        the usual one.
    wide_every : int or None
        Every so many steps, one uses rho = 1; 0: none; None: 10 on devices that are alike, else 0.
    features : int or None
        Features kept, by correlation with y; None: all.
    rows : int
    pairs : int or "auto"
        Geometry; "auto" takes the narrowest array that holds the features.
    sigma_p : float, sequence, mapping or None
        Standard deviation of the weight prior (standardised features), in units of the noise, as
        for ``MemristorClassifier``. None or "auto": the data choose it, by the evidence.
    dot_products : str or None
        ``"array"`` or ``"codes"`` (digital, from the codes read back); None: as the read noise of
        the array demands.
    repeats : int
        Reads and accesses that are averaged, a power of two.
    backend : str
        Board that runs the chain: ``"model"``, ``"rtl"``, ``"serial:PORT"``,
        ``"mmio:/dev/uio0"`` or ``"devmem:0x43C00000"``.
    random_state : int, RandomState or None
        Seed of the array, of its noise, of the draws of the host and of the resampling of weights.

    Attributes
    ----------
    coef_ : float64 (n_features_in_,)
        Posterior mean of the weights in units of the data; 0 for features that were not kept.
    intercept_ : float
    noise_ : float
        Posterior median of the standard deviation of the noise, in units of y.
    sigma_p_ : float or dict
        Standard deviation of the weight prior that was used; by name if the weights do not share
        one.
    posterior_ : JointPosterior
        Draws of weights and noise after every step, in standard deviations of y.
    n_features_in_ : int
    acceptance_rate_ : float
    posterior_error_ : dict
        Predicted errors of the posterior by source: see ``PosteriorError``.
    verdict_ : str
        ``"settled"`` if weights, predictions and intervals can be trusted; ``fit`` warns otherwise
        (``UnsettledWarning``).
    verdict_reasons_ : list of str
        Reasons of any other verdict, with a remedy each.
    weight_error_ : float
        As for ``MemristorClassifier``.
    trace_ : Trace
        Every step.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from ohmcarlo.sklearn import MemristorRegressor
    >>> X, y = load_diabetes(return_X_y=True)
    >>> model = MemristorRegressor(sigma_p=1.0, random_state=0).fit(X, y)
    >>> mean, sd = model.predict(X[:1], return_std=True)
    >>> low, high = model.predict_interval(X[:1], 0.9)[0]
    >>> bool(low < mean[0] < high)
    True
    """

    _task = replace(TASK, kind=REGRESSION)
    hidden, kernel = 0, "corrected"  # a linear model has no choice of these

    def __init__(
        self,
        steps: int | None = None,
        *,
        chains: int | None = None,
        array: str = "emulator",
        preset: str | None = None,
        whiten: bool | None = None,
        rho: float | None = None,
        least_rho: float | None = None,
        wide_every: int | None = None,
        features: int | None = None,
        rows: int = 256,
        pairs: int | str = "auto",
        sigma_p: Any = None,
        dot_products: str | None = None,
        repeats: int = 1,
        backend: str = "model",
        random_state: Any = None,
    ) -> None:
        self.steps = steps
        self.chains = chains
        self.array = array
        self.preset = preset
        self.whiten = whiten
        self.rho = rho
        self.least_rho = least_rho
        self.wide_every = wide_every
        self.features = features
        self.rows = rows
        self.pairs = pairs
        self.sigma_p = sigma_p
        self.dot_products = dot_products
        self.repeats = repeats
        self.backend = backend
        self.random_state = random_state

    def fit(
        self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> MemristorRegressor:
        """Sample the posterior given X (n, features) and y (n,), numbers.

        ``sample_weight`` (n,) counts points, as for ``MemristorClassifier``: whole numbers are
        exact.

        Raises ValueError (UsageError) for data or settings that cannot be used.
        """
        x: FloatArray
        given: FloatArray
        x, given = validate_data(self, X, y, dtype=np.float64, y_numeric=True, ensure_min_samples=2)
        weights = checked_weights(sample_weight, len(given))
        config = self._config(x.shape[1])
        points = WeightedPoints.of(weights, given, config.seed, classes=False)
        if points.note:
            warnings.warn(points.note, ResampledWeightsWarning, stacklevel=2)
        self.weight_error_ = points.error
        x, labels = x[points.rows], np.asarray(given, np.float64)[points.rows]
        names = self._feature_names()
        with advised(as_parameters):
            setup, encoder = prepare_regression(config, self._task, x, labels, names)
        with closing(setup), advised(as_parameters):
            run = ChainRun(setup)
            run.run()
            setup, encoder = run.setup, run.setup.encoder
            trace = Trace.of(run.streamed(), setup.board.current())
            self._keep_posterior(setup, encoder, trace, x, labels)
        self._learnt = LearntNumbers(x, labels, points.rows, names)
        reasons = [as_parameters(text) for text in self._values["verdict_reasons"]]
        cautions = [as_parameters(text) for text in setup.cautions]
        self._judge(Verdict(self._values["verdict"]), reasons, cautions)
        return self

    def _keep_posterior(
        self,
        setup: ChainSetup,
        encoder: RegressionEncoder,
        trace: Trace,
        x: FloatArray,
        y: FloatArray,
    ) -> None:
        """Keep what ``trace`` has sampled given x (n, d) and y (n,), and what it is worth."""
        burn_in, registers, config = burn_in_of(trace), setup.registers, setup.config
        self.posterior_ = JointPosterior.learnt(
            registers, encoder, trace, burn_in, x, y, config.seed
        )
        self.trace_, self.sigma_p_ = trace, encoder.widths()
        self.acceptance_rate_ = trace.acceptance_rate
        self.posterior_error_ = errors_to_dict(setup.errors)
        mean = self.posterior_.mean
        self.coef_ = np.zeros(x.shape[1])
        self.coef_[encoder.columns] = encoder.label_scale * mean[:-1] / encoder.scale
        at_zero = encoder.label(mean[-1]) - self.coef_[encoder.columns] @ encoder.mean
        self.intercept_ = float(at_zero)
        self.noise_ = encoder.label_scale * float(np.median(self.posterior_.settled_noise()))
        self._values = judged(
            {
                "kernel": config.kernel,
                "rho": setup.settings.rho,
                "wide_every": setup.settings.wide_every,
                "whiten": config.whiten,
                "adapt": config.adapt,
                "gamma_us": registers.gamma_us,
                **chain_of(trace, burn_in),
                **mixing_of(self.posterior_, registers, trace),
                "posterior_error": self.posterior_error_,
                "retired_rows": setup.board.retired_rows(),
            }
        )

    def _feature_names(self) -> list[str]:
        """Names of the columns of X, as scikit-learn saw them in ``fit``, or x0, x1, …"""
        known = getattr(self, "feature_names_in_", None)
        return list(known) if known is not None else [f"x{i}" for i in range(self.n_features_in_)]

    def _checked(self, X: ArrayLike) -> FloatArray:
        check_is_fitted(self)
        x: FloatArray = validate_data(self, X, dtype=np.float64, reset=False)
        return x

    def predict(
        self, X: ArrayLike, return_std: bool = False
    ) -> FloatArray | tuple[FloatArray, FloatArray]:
        """Posterior mean of the label of each case, (n,).

        With ``return_std``, also the standard deviation of the label, noise included, (n,).
        """
        x = self._checked(X)
        mean = self.posterior_.predict(x)
        return (mean, self.posterior_.spreads(x)[1]) if return_std else mean

    def predict_interval(self, X: ArrayLike, probability: float = 0.95) -> FloatArray:
        """Interval that holds the label of each case with this probability, (n, 2)."""
        if not 0 < probability < 1:
            raise ValueError(f"probability = {probability}: choose a value between 0 and 1")
        return np.stack(interval(self.predict_draws(X), probability), axis=1)

    def predict_draws(self, X: ArrayLike) -> FloatArray:
        """Draws of the label of each case, noise included, in rising order: (n, draws)."""
        return self.posterior_.predictive_draws(self._checked(X))

    def predict_uncertainty(self, X: ArrayLike) -> FloatArray:
        """Epistemic standard deviation of each prediction, (n,): more data would reduce it, unlike
        ``noise_``."""
        return self.posterior_.spreads(self._checked(X))[0]

    def to_arviz(self) -> Any:
        """The posterior in the groups of ``posterior.nc``, for the installed ArviZ.

        ``InferenceData`` of ArviZ 0.2x, ``xarray.DataTree`` of ArviZ 1.x. ``row`` counts the rows
        of X from 0.
        """
        check_is_fitted(self)
        names = [*self.posterior_.encoder.feature_names, "bias"]
        attributes = attributes_of({**self._values, "seed": self.posterior_.seed})
        tree = self._learnt.inference_data(self.posterior_, self.trace_, names, attributes)
        return to_arviz(tree)

    def convergence(self) -> dict[str, Any]:
        """As for ``MemristorClassifier``."""
        check_is_fitted(self)
        return {name: self._values[name] for name in MEASURES}
