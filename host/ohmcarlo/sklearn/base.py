"""What all estimators share: parameters, configuration, one sampled problem and its verdict."""

from __future__ import annotations

import numbers
import warnings
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from ..datasets import Encoder
from ..errors import UsageError
from ..golden import Registers
from ..posterior_error import errors_to_dict
from ..runs.advice import advised, as_parameters
from ..runs.agreement import prediction_agreement, samples_of
from ..runs.chain_run import ChainRun
from ..runs.classes import BinaryPosterior
from ..runs.config import TrainConfig
from ..runs.defaults import complete
from ..runs.digests import digest_of
from ..runs.provenance import DATA, model_inputs
from ..runs.relabelling import HiddenLabels
from ..runs.setup import ChainSetup
from ..runs.summary import burn_in_of, chain_of, judged, mixing, request_of
from ..runs.supervised.experiment import (
    labels_of,
    prepare,
    standardised_weights,
    weight_names,
)
from ..runs.supervised.learnt import LearntData
from ..runs.trace import Trace
from ..runs.verdict import Verdict
from ..spec import Geometry
from ..tasks import Task

TASK = Task(name="data", dataset="data", description="data handed to an estimator")
SINGLE = (  # attributes of the posterior of a single problem
    "encoder_", "registers_", "trace_", "burn_in_", "codes_", "multiplicity_", "weights_",
    "posterior_error_", "sigma_p_",
)  # fmt: skip
MEASURES = ("ess_min", "ess_tail_min", "rhat_max", "longest_stay", "longest_stay_expected")
PAIRS = (16, 32, 64, 128, 256)  # widths that `pairs="auto"` chooses from
WHOLE_NUMBERS = ("steps", "chains", "wide_every", "hidden", "features", "rows", "repeats")
REQUIRED = ("hidden", "rows", "repeats")  # of these, None is no choice
NAMES = ("array", "preset", "kernel", "dot_products", "backend")


class UnsettledWarning(ConvergenceWarning):
    """The posterior of a fitted estimator is not settled; the message names reason and remedy."""


@dataclass(frozen=True, eq=False)
class SampledProblem:
    """The posterior of one problem, after its last step; an estimator keeps one or several.

    Attributes
    ----------
    encoder : Encoder
    registers : Registers
        Of the chain that sampled.
    trace : Trace
        Every step.
    burn_in : int
        Steps of every chain that are left out.
    codes, counts : uint16 (n, devices), int64 (n,)
        Samples after burn-in, and for how many steps each was current.
    weights : float64 (n, weights)
        The same samples as weights of the standardised features, bias last.
    values : dict
        Verdict, its reasons, and the numbers behind it, as in the JSON of a run.
    cautions : tuple of str
        Reasons why the chain hardly moves, with a remedy each.
    learnt : LearntData
        The data, for log-likelihoods.
    digests : dict
        SHA-256 of data, encoder, registers and points, by name.
    """

    encoder: Encoder
    registers: Registers
    trace: Trace
    burn_in: int
    codes: NDArray[np.uint16]
    counts: NDArray[np.int64]
    weights: NDArray[np.float64]
    values: dict[str, Any]
    cautions: tuple[str, ...]
    learnt: LearntData
    digests: dict[str, str]

    @classmethod
    def of(
        cls,
        setup: ChainSetup,
        encoder: Encoder,
        trace: Trace,
        x: NDArray[np.float64],
        rows: NDArray[np.int64] | None = None,
    ) -> SampledProblem:
        """The chains of ``setup``, which learn from x (n, d), after their last step; ``rows`` (n,)
        as for ``LearntData``."""
        burn_in = burn_in_of(trace)
        codes, counts = samples_of(setup.registers, trace, burn_in)
        labels = labels_of(setup.registers, codes, counts)
        return cls(
            encoder=encoder,
            registers=setup.registers,
            trace=trace,
            burn_in=burn_in,
            codes=codes,
            counts=counts,
            weights=standardised_weights(setup.registers, encoder, codes, labels),
            values=_values_of(setup, encoder, trace, burn_in, labels),
            cautions=tuple(as_parameters(text) for text in setup.cautions),
            learnt=LearntData.of_setup(setup, x, encoder, rows),
            digests={
                DATA: digest_of([x, setup.points.labels], exact=True),
                "encoder": digest_of(encoder),
                **model_inputs(setup),
            },
        )

    @property
    def posterior(self) -> BinaryPosterior:
        """The samples, for predictions of classes."""
        return BinaryPosterior(self.encoder, self.registers, self.codes, self.counts)

    @property
    def weight_names(self) -> list[str]:
        return weight_names(self.encoder, self.registers.hidden)

    def draws(self) -> NDArray[np.float64]:
        """The weights of the standardised features after every step: (chains, steps, weights)."""
        labels = labels_of(self.registers, self.codes, self.counts)
        return _draws(self.registers, self.encoder, self.trace, labels)

    @property
    def verdict(self) -> Verdict:
        return Verdict(self.values["verdict"])

    @property
    def reasons(self) -> list[str]:
        """Reasons of any verdict but "settled", in terms of the estimators' parameters."""
        return [as_parameters(text) for text in self.values["verdict_reasons"]]


@advised(as_parameters)
def sample_problem(
    config: TrainConfig,
    x: NDArray[np.float64],
    labels: NDArray[np.integer[Any]],
    feature_names: Sequence[str] | None = None,
    pool: NDArray[np.float64] | None = None,
    rows: NDArray[np.int64] | None = None,
) -> SampledProblem:
    """Sample the posterior of a logistic model or network: x (n, d), labels 0/1 (n,).

    ``pool`` (m, d) is that of ``Encoder.fit``; ``rows`` (n,) are the numbers of the points in the
    data of the user, by default 0 to n - 1. Raises UsageError for data or settings that cannot be
    used.
    """
    setup, encoder = prepare(config, TASK, x, labels, feature_names, pool=pool)
    with closing(setup):
        return sample(setup, encoder, x, rows)


def sample(
    setup: ChainSetup,
    encoder: Encoder,
    x: NDArray[np.float64],
    rows: NDArray[np.int64] | None = None,
) -> SampledProblem:
    """Run the chains of ``setup``, which learn from x (n, d), to their last step."""
    run = ChainRun(setup)
    run.run()
    # a run may have changed its coordinates before it sampled
    setup, encoder = run.setup, getattr(run.setup, "encoder", None) or encoder
    trace = Trace.of(run.streamed(), setup.board.current())
    return SampledProblem.of(setup, encoder, trace, x, rows)


def _draws(
    registers: Registers, encoder: Encoder, trace: Trace, labels: HiddenLabels | None
) -> NDArray[np.float64]:
    return standardised_weights(registers, encoder, trace.codes, labels)[trace.draws()]


def _values_of(
    setup: ChainSetup, encoder: Encoder, trace: Trace, burn_in: int, labels: HiddenLabels | None
) -> dict[str, Any]:
    draws = _draws(setup.registers, encoder, trace, labels)[:, burn_in:]
    return judged(
        {
            **request_of(setup),
            "whiten": setup.config.whiten,
            "adapt": setup.config.adapt,
            "sigma_p": encoder.widths(),
            "sigma_p_choice": setup.config.sigma_p_choice,
            "hidden": setup.registers.hidden,
            **chain_of(trace, burn_in),
            **mixing(draws.astype(np.float32), trace, burn_in),
            **_predictions(setup, trace, burn_in),
            "posterior_error": errors_to_dict(setup.errors),
            "retired_rows": setup.board.retired_rows(),
        }
    )


def _predictions(setup: ChainSetup, trace: Trace, burn_in: int) -> dict[str, Any]:
    if not setup.registers.hidden:
        return {}
    return prediction_agreement(setup.registers, setup.points, trace, burn_in)


class MemristorEstimator(BaseEstimator):
    """Parameters of all estimators, and the sampling of a problem with them."""

    _task = TASK
    sigma_p: float | None

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
        random_state: Any = None,
    ) -> None:
        self.steps = steps
        self.chains = chains
        self.array = array
        self.preset = preset
        self.kernel = kernel
        self.whiten = whiten
        self.rho = rho
        self.least_rho = least_rho
        self.wide_every = wide_every
        self.hidden = hidden
        self.features = features
        self.rows = rows
        self.pairs = pairs
        self.sigma_p = sigma_p
        self.dot_products = dot_products
        self.repeats = repeats
        self.backend = backend
        self.random_state = random_state

    def _config(self, features: int) -> TrainConfig:
        """The configuration for data with so many features; call it from ``fit`` itself, so that
        its notes name the line of the user."""
        chosen = self._chosen()
        kept = features if chosen["features"] is None else chosen["features"]
        if chosen["pairs"] is None:
            chosen["pairs"] = self._pairs(kept, chosen["hidden"])
        with advised(as_parameters):
            completed = complete(self._task, chosen)
        for note in completed.notes:
            warnings.warn(as_parameters(note), stacklevel=3)
        return completed.config

    def _chosen(self) -> dict[str, Any]:
        """The parameters, checked, as fields of a configuration; ``pairs`` is None for "auto".

        Raises UsageError, which names the parameter.
        """
        chosen: dict[str, Any] = {}
        for name in WHOLE_NUMBERS:
            chosen[name] = whole_number(name, getattr(self, name), name not in REQUIRED)
        for name in NAMES:
            chosen[name] = text = getattr(self, name)
            if not (isinstance(text, str) or (text is None and name in ("preset", "dot_products"))):
                raise UsageError(f"{name} = {text!r}: give a text")
        auto = isinstance(self.pairs, str) and self.pairs == "auto"
        whiten = self.whiten if self.whiten is None else bool(self.whiten)
        return chosen | {
            "pairs": None if auto else whole_number("pairs", self.pairs, False, ' or "auto"'),
            "rho": real_number("rho", self.rho),
            "least_rho": real_number("least_rho", self.least_rho),
            "whiten": False if chosen["hidden"] else whiten,
            "seed": self._seed(),
            "sigma_p": plain_widths(self.sigma_p),
        }

    def _seed(self) -> int:
        try:
            return int(check_random_state(self.random_state).randint(1 << 31))
        except ValueError as error:
            raise UsageError(f"random_state = {self.random_state!r}: {error}") from error

    def _names(self) -> list[str] | None:
        """Names of the columns, if the data have them."""
        names = getattr(self, "feature_names_in_", None)
        return None if names is None else [str(name) for name in names]

    def _pairs(self, features: int, hidden: int) -> int:
        coin = Geometry().entropy_pairs
        needed = max(features, hidden) + 1 + coin
        return next((p for p in PAIRS if p >= needed), PAIRS[-1])

    def _keep(self, problem: SampledProblem) -> None:
        """Keep what the posterior of a single problem consists of, as attributes."""
        self.encoder_, self.registers_ = problem.encoder, problem.registers
        self.trace_, self.burn_in_ = problem.trace, problem.burn_in
        self.codes_, self.multiplicity_ = problem.codes, problem.counts
        self.weights_ = problem.weights
        self.posterior_error_ = problem.values["posterior_error"]
        self.sigma_p_ = problem.values["sigma_p"]

    def _forget(self) -> None:
        """Remove the attributes of a single problem that an earlier ``fit`` kept."""
        for name in SINGLE:
            self.__dict__.pop(name, None)

    def _judge(self, verdict: Verdict, reasons: Sequence[str], cautions: Sequence[str]) -> None:
        """Keep the verdict, and warn unless the posterior is settled; call it from ``fit``."""
        self.verdict_, self.verdict_reasons_ = str(verdict), list(reasons)
        if cautions or verdict != Verdict.SETTLED:
            message = "; ".join([*cautions, *reasons])
            warnings.warn(f"{verdict}: {message}", UnsettledWarning, stacklevel=3)

    def convergence(self) -> dict[str, Any]:
        """The numbers behind ``verdict_``, as in the JSON of a run: ``ess_min`` and
        ``ess_tail_min`` (worst weight's effective samples), ``rhat_max`` (split R-hat),
        ``longest_stay`` of a chain and the expected one; None where they cannot be computed. Of
        several problems, the numbers are those of the one with the fewest effective samples."""
        check_is_fitted(self)
        values = min((p.values for p in self.problems_), key=lambda v: v["ess_min"] or 0.0)
        return {name: values[name] for name in MEASURES}


def plain_widths(sigma_p: Any) -> Any:
    """Widths of a prior as a configuration stores them: numbers of Python, lists, mappings."""
    if sigma_p is None or isinstance(sigma_p, str):
        return sigma_p
    try:
        if isinstance(sigma_p, Mapping):
            return {str(name): float(width) for name, width in sigma_p.items()}
        return np.asarray(sigma_p, np.float64).tolist()
    except (TypeError, ValueError) as error:
        raise UsageError(
            f'sigma_p = {sigma_p!r}: give a number, numbers, numbers by name, or "auto"'
        ) from error


def whole_number(name: str, value: Any, optional: bool, otherwise: str = "") -> int | None:
    """A parameter as an integer; whole floats, as searches of parameters draw them, count.

    ``optional``: None is allowed. Raises UsageError, which names the parameter, for anything else.
    """
    if value is None and optional:
        return None
    if isinstance(value, numbers.Real) and not isinstance(value, bool | np.bool_):
        number = float(value)
        if number.is_integer():
            return int(number)
    raise UsageError(f"{name} = {value!r}: give a whole number{otherwise}")


def real_number(name: str, value: Any) -> float | None:
    """A parameter as a float, or None; UsageError, which names it, for anything else."""
    if value is None:
        return None
    if isinstance(value, numbers.Real) and not isinstance(value, bool | np.bool_):
        return float(value)
    raise UsageError(f"{name} = {value!r}: give a number")
