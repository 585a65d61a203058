"""A scikit-learn estimator whose weights are samples in a resistive-memory array."""

from __future__ import annotations

import re
import warnings
from contextlib import closing
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import Tags, check_random_state
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.validation import check_is_fitted, validate_data

from .datasets import Encoder
from .golden import predict
from .posterior_error import errors_to_dict
from .runs.agreement import prediction_agreement
from .runs.chain_run import ChainRun
from .runs.config import TrainConfig
from .runs.defaults import complete
from .runs.setup import ChainSetup
from .runs.summary import burn_in_of, chain_of, judged, mixing
from .runs.supervised.experiment import prepare, standardised_weights
from .runs.trace import Trace
from .runs.verdict import Verdict
from .spec import Geometry
from .tasks import Task

TASK = Task(name="data", dataset="data", description="data handed to an estimator")
OPTION = re.compile(r"--([a-z]+(?:-[a-z]+)*)(?: ([0-9.]+))?")  # of the command line, in a remedy
MEASURES = ("ess_min", "ess_tail_min", "rhat_max", "longest_stay", "longest_stay_expected")
PAIRS = (16, 32, 64, 128, 256)  # widths that `pairs="auto"` chooses from


class UnsettledWarning(ConvergenceWarning):
    """The posterior of a fitted estimator is not settled; the message names reason and remedy."""


class MemristorClassifier(ClassifierMixin, BaseEstimator):
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

    def __init__(
        self,
        steps: int | None = None,
        *,
        chains: int | None = None,
        array: str = "emulator",
        preset: str | None = None,
        kernel: str = "corrected",
        whiten: bool | None = None,
        rho: float | None = None,
        wide_every: int | None = None,
        hidden: int = 0,
        features: int | None = None,
        rows: int = 256,
        pairs: int | str = "auto",
        sigma_p: float = 1.0,
        dot_products: str | None = None,
        repeats: int = 1,
        random_state: Any = None,
    ) -> None:
        self.steps = steps
        self.chains = chains
        self.array = array
        self.preset = preset
        self.kernel = kernel
        self.whiten = whiten
        self.rho = rho
        self.wide_every = wide_every
        self.hidden = hidden
        self.features = features
        self.rows = rows
        self.pairs = pairs
        self.sigma_p = sigma_p
        self.dot_products = dot_products
        self.repeats = repeats
        self.random_state = random_state

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
        setup, encoder = prepare(self._config(x.shape[1]), TASK, x, labels)
        with closing(setup):
            run = ChainRun(setup)
            run.run()
            self._keep(setup, encoder, Trace.of(run.streamed(), setup.board.current()))
        return self

    def _config(self, features: int) -> TrainConfig:
        kept = features if self.features is None else self.features
        seed = check_random_state(self.random_state).randint(1 << 31)
        chosen: dict[str, Any] = {
            "array": self.array,
            "preset": self.preset,
            "kernel": self.kernel,
            "rho": self.rho,
            "wide_every": self.wide_every,
            "whiten": False if self.hidden else self.whiten,
            "rows": self.rows,
            "pairs": self._pairs(kept) if self.pairs == "auto" else int(self.pairs),
            "chains": self.chains,
            "steps": self.steps,
            "seed": seed,
            "features": self.features,
            "hidden": self.hidden,
            "sigma_p": self.sigma_p,
            "dot_products": self.dot_products,
            "repeats": self.repeats,
        }
        completed = complete(TASK, chosen)
        for note in completed.notes:
            warnings.warn(note, stacklevel=3)
        return completed.config

    def _pairs(self, features: int) -> int:
        coin = Geometry().entropy_pairs
        needed = max(features, self.hidden) + 1 + coin
        return next((p for p in PAIRS if p >= needed), PAIRS[-1])

    def _keep(self, setup: ChainSetup, encoder: Encoder, trace: Trace) -> None:
        self.encoder_, self.registers_ = encoder, setup.registers
        self.trace_ = trace
        self.burn_in_ = burn_in_of(trace)
        self.codes_, self.multiplicity_ = trace.after(self.burn_in_)
        self.weights_ = standardised_weights(setup.registers, encoder, self.codes_)
        self.acceptance_rate_ = float(trace.accepted.mean())
        self.posterior_error_ = errors_to_dict(setup.errors)
        self._judge(setup, trace)

    def _judge(self, setup: ChainSetup, trace: Trace) -> None:
        """Keep the diagnostics and the verdict; warn unless the posterior is settled."""
        current = trace.draws()[:, self.burn_in_ :]
        draws = standardised_weights(setup.registers, self.encoder_, trace.codes)[current]
        self._values = judged(
            {
                "kernel": setup.config.kernel,
                "rho": setup.settings.rho,
                "wide_every": setup.settings.wide_every,
                "whiten": setup.config.whiten,
                "hidden": setup.registers.hidden,
                "gamma_us": setup.registers.gamma_us,
                **chain_of(trace, self.burn_in_),
                **mixing(draws.astype(np.float32), current),
                **self._predictions(setup, trace),
                "posterior_error": self.posterior_error_,
                "retired_rows": setup.board.retired_rows(),
            }
        )
        self.verdict_ = str(self._values["verdict"])
        self.verdict_reasons_ = [as_parameters(text) for text in self._values["verdict_reasons"]]
        cautions = [as_parameters(text) for text in setup.cautions]
        if cautions or self.verdict_ != Verdict.SETTLED:
            message = "; ".join([*cautions, *self.verdict_reasons_])
            warnings.warn(f"{self.verdict_}: {message}", UnsettledWarning, stacklevel=4)

    def _predictions(self, setup: ChainSetup, trace: Trace) -> dict[str, Any]:
        if not setup.registers.hidden:
            return {}
        return prediction_agreement(setup.registers, setup.points, trace, self.burn_in_)

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

    def convergence(self) -> dict[str, Any]:
        """The numbers behind ``verdict_``, as in the JSON of a run: ``ess_min`` and
        ``ess_tail_min`` (worst weight's effective samples), ``rhat_max`` (split R-hat),
        ``longest_stay`` of a chain and the expected one; None where they cannot be computed."""
        check_is_fitted(self)
        return {name: self._values[name] for name in MEASURES}


def as_parameters(text: str) -> str:
    """A remedy with parameters of the estimator in place of options of the command line."""

    def parameter(found: re.Match[str]) -> str:
        name, value = found[1].replace("-", "_"), found[2]
        if value is not None:
            return f"{name}={value.rstrip('.')}"
        return "whiten=True" if name == "whiten" else name

    return OPTION.sub(parameter, text)
