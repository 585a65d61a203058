"""The data, encoder and board of a supervised run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...boards import Say, silent
from ...datasets import Dataset, Encoder, load
from ...datasets.laplace import skewed_mean
from ...datasets.several_classes import STICK_BREAKING, binary_problems
from ...errors import UsageError
from ...golden import Registers
from ...posterior_error import describe_error
from ...progress import phase
from ...spec import Points
from ...tasks import Task, get_task
from ..adaptation.learner import LogisticLearner
from ..config import AUTO, TrainConfig
from ..digests import digest_of
from ..live_notes import WeightMap
from ..provenance import DATA, chain_inputs, model_inputs, origin_of
from ..reach import Expected
from ..relabelling import HiddenLabels
from ..room import require_room
from ..setup import ChainSetup, set_up_chain
from .learnt import LearntData
from .prior_choice import with_chosen_width

HELD_OUT = 5000  # rows on which one of several problems is tested at most
NAMED = 3  # classes that the name of their union lists


@dataclass(frozen=True, eq=False)
class SupervisedExperiment:
    """The inputs of a supervised run; equal configurations give equal ones.

    Attributes
    ----------
    setup : ChainSetup
    encoder : Encoder
    dataset : Dataset
    train, test : int64 (n,)
        Rows of the data set in either half.
    test_points : Points
        The held-out half, encoded.
    """

    setup: ChainSetup
    encoder: Encoder
    dataset: Dataset
    train: NDArray[np.int64]
    test: NDArray[np.int64]
    test_points: Points

    def close(self) -> None:
        """Release the board."""
        self.setup.close()

    @property
    def test_labels(self) -> NDArray[np.integer[Any]]:
        """0/1 (n,)."""
        return self.dataset.y[self.test]

    @property
    def test_inputs(self) -> NDArray[np.float64]:
        """Held-out points before encoding, (n, features of the data)."""
        return self.dataset.x[self.test]

    @property
    def weight_names(self) -> list[str]:
        """Names of the weights, in the order of ``weights``."""
        return weight_names(self.encoder, self.setup.registers.hidden)

    def weights(
        self, codes: NDArray[np.uint16], labels: HiddenLabels | None = None
    ) -> NDArray[np.float64]:
        """``standardised_weights`` of samples: uint16 (n, devices) → float64 (n, weights)."""
        return standardised_weights(self.setup.registers, self.encoder, codes, labels)

    def baseline(self) -> dict[str, float]:
        """scikit-learn's logistic regression on the same halves and features."""
        from sklearn.linear_model import LogisticRegression
        from sklearn.metrics import balanced_accuracy_score
        from sklearn.preprocessing import StandardScaler

        x = self.dataset.x[:, list(self.encoder.columns)]
        scaler = StandardScaler().fit(x[self.train])
        model = LogisticRegression(max_iter=2000)
        model.fit(scaler.transform(x[self.train]), self.dataset.y[self.train])
        answers = model.predict(scaler.transform(x[self.test]))
        return {
            "accuracy": float((answers == self.test_labels).mean()),
            "balanced_accuracy": float(balanced_accuracy_score(self.test_labels, answers)),
        }

    def learnt(self) -> LearntData:
        """The training points, for the log-likelihoods of the draws."""
        return LearntData(
            registers=self.setup.registers,
            points=self.setup.points,
            inputs=self.dataset.x[self.train],
            rows=self.train + 1,  # as in the table of `predict`
            feature_names=self.dataset.feature_names,
            class_names=self.dataset.class_names,
            seed=self.setup.config.seed,
        )

    def digests(self) -> dict[str, str]:
        """SHA-256 of the inputs that decide the posterior, by name."""
        d = self.dataset
        return {
            DATA: digest_of([d.x, d.y, d.feature_names, d.class_names], exact=True),
            "encoder": digest_of(self.encoder),
            **model_inputs(self.setup),
        }

    def inputs(self) -> dict[str, str]:
        """SHA-256 of all inputs, by name."""
        return {**self.digests(), **chain_inputs(self.setup)}

    def manifest(self) -> dict[str, Any]:
        """The part of the manifest that identifies configuration, data and encoder."""
        return {
            **origin_of(self.setup),
            "inputs": self.inputs(),
            "data": {
                "feature_names": list(self.dataset.feature_names),
                "class_names": list(self.dataset.class_names),
                **self.dataset.origin(),
            },
            "encoder": self.encoder.to_dict(),
            "weight_names": self.weight_names,
        }

    def after(self, setup: ChainSetup) -> SupervisedExperiment:
        """The experiment with the set-up whose chain has sampled."""
        if setup.encoder is None or setup.encoder is self.encoder:
            return replace(self, setup=setup)
        encoder: Encoder = setup.encoder
        points = encoder.encode(self.test_inputs)
        return replace(self, setup=setup, encoder=encoder, test_points=points)

    def weight_map(self, setup: ChainSetup) -> WeightMap:
        """How the weights follow from the codes of the sampling chain; the hidden units of a
        network have the labels that they have in the array."""
        encoder: Encoder = setup.encoder or self.encoder
        return WeightMap.of(
            lambda codes: standardised_weights(setup.registers, encoder, codes),
            setup.registers.sample_devices,
            self.weight_names,
        )

    def _recognised(self) -> list[str]:
        """What was recognised in the data; nothing for one of several problems."""
        return [] if self.setup.config.problem is not None else [f"data: {self.dataset.summary()}"]

    def description(self) -> list[str]:
        """Lines of text that describe the run."""
        negative, positive = self.dataset.class_names
        problem = "" if self.setup.config.problem is None else f"{positive} or {negative}? "
        return [
            f"{self.setup.config.task}: {problem}{len(self.train)} points to learn from, "
            f"{len(self.test)} held out, {len(self.encoder.columns)} of "
            f"{self.dataset.x.shape[1]} features",
            *self._recognised(),
            *(describe_error(error) for error in self.setup.errors),
            *self.setup.cautions,
            self.setup.describe_array(),
        ]


def weight_names(encoder: Encoder, hidden: int) -> list[str]:
    """Names of the weights of a logistic model, or of a network with so many hidden units."""
    inputs = [*encoder.feature_names, "bias"]
    if not hidden:
        return inputs
    first = [f"h{h}: {name}" for h in range(hidden) for name in inputs]
    return first + [f"out: h{h}" for h in range(hidden)] + ["out: bias"]


def standardised_weights(
    registers: Registers,
    encoder: Encoder,
    codes: NDArray[np.uint16],
    labels: HiddenLabels | None = None,
) -> NDArray[np.float64]:
    """Weights of the standardised features: uint16 (n, devices) → float64 (n, weights).

    ``labels`` are those of the hidden units of a network, None as they are in the array.
    """
    sampled = registers.weights(codes)
    if not registers.hidden:
        return encoder.weights_to_original(sampled)
    return sampled if labels is None else labels.relabelled(sampled)


def labels_of(
    registers: Registers, codes: NDArray[np.uint16], counts: NDArray[np.int64]
) -> HiddenLabels | None:
    """Labels of the hidden units for samples, as ``samples_of`` returns them; None without any."""
    if not registers.hidden:
        return None
    return HiddenLabels.of(registers.weights(codes), counts, registers.hidden)


def prepare(
    config: TrainConfig,
    task: Task,
    x: NDArray[np.float64],
    y: NDArray[np.integer[Any]],
    feature_names: Sequence[str] | None = None,
    say: Say = silent,
    pool: NDArray[np.float64] | None = None,
) -> tuple[ChainSetup, Encoder]:
    """Encode x (n, d) and y 0/1 (n,), open and calibrate the array, configure the board.

    Close the setup after use. ``say`` is called with a line of text before a step that takes
    long. ``pool`` (m, d) are rows without classes that the encoding suits, too (see
    ``Encoder.fit``). Raises UsageError for a request that cannot be met, OhmcarloError when the
    board cannot be reached.
    """
    hidden = task.hidden if config.hidden is None else config.hidden
    geometry = config.geometry(hidden)
    features = config.features or task.features_for(geometry.max_features)
    require_room(geometry, x if pool is None else np.concatenate([x, pool]), features, hidden)
    if config.sigma_p == AUTO and not hidden:
        config = with_chosen_width(
            config, task, x, y, feature_names, say, partial(prepare, pool=pool)
        )
    task = task.with_hidden(hidden)
    with phase("encoding the data"):
        encoder = Encoder.fit(
            x,
            y,
            feature_names=feature_names,
            features=features,
            whiten=config.whiten,
            adapt=config.adapt,
            sigma_p=(config.width if hidden else config.widths)(task.sigma_p),
            scaled=not hidden,
            pool=pool,
        )
        points = encoder.training_points(x, y)
        expected = _expected(config, task, encoder, x, y)
    setup = set_up_chain(
        config,
        task,
        geometry,
        points,
        say,
        hidden=hidden,
        unit=encoder.spread,
        sigma_p=encoder.sigma,
        expected=expected,
        errors=() if config.adapt else (encoder.error,),
        learner=LogisticLearner(encoder, x, y, pool) if config.adapt else None,
    )
    return replace(setup, encoder=encoder, pilot=expected if config.pilot else None), encoder


def _one_problem(
    config: TrainConfig, dataset: Dataset, train: NDArray[np.int64], test: NDArray[np.int64]
) -> tuple[Dataset, NDArray[np.int64], NDArray[np.int64]]:
    """A binary problem of several classes: its labels, its rows for training, and at most
    ``HELD_OUT`` of its held-out rows at equal distances."""
    method = config.multi_class or STICK_BREAKING
    problems = binary_problems(dataset.x[train], dataset.y[train], method)
    if config.problem is None or config.problem >= len(problems):
        raise UsageError(f"problem = {config.problem}: {config.task} has {len(problems)} problems")
    problem = problems[config.problem]
    names = dataset.class_names
    others = [names[c] for c in problem.others]
    against = " or ".join(others) if len(others) <= NAMED else f"one of {len(others)} others"
    own = replace(
        dataset, y=problem.labels(dataset.y), class_names=(against, names[problem.positive])
    )
    held_out = test[problem.uses(dataset.y[test])]
    every = -(-len(held_out) // HELD_OUT)  # the result of all classes is that of all rows
    return own, train[problem.uses(dataset.y[train])], held_out[::every]


def _expected(
    config: TrainConfig,
    task: Task,
    encoder: Encoder,
    x: NDArray[np.float64],
    y: NDArray[np.integer[Any]],
) -> Expected | None:
    """What is known of the posterior of unwhitened weights; None if they are whitened."""
    if config.whiten:
        return None
    if task.hidden:
        return Expected.of_prior(encoder.inputs, encoder.sigma)
    fit = encoder.posterior(x, y)
    mean = skewed_mean(encoder.training_points(x, y), fit)
    return Expected(mean, np.sqrt(np.diag(fit.covariance())), fit.hessian)


def build_supervised(config: TrainConfig, say: Say = silent) -> SupervisedExperiment:
    """Load and split the data, and ``prepare`` the training half."""
    task = get_task(config.task)
    several = config.problem is not None
    dataset = load(task.dataset, regression=False if several else None, **config.columns)
    train, test = dataset.split(config.seed, config.train_points)
    if several:
        dataset, train, test = _one_problem(config, dataset, train, test)
    elif len(dataset.class_names) > 2:
        raise UsageError(f"{config.task} has {len(dataset.class_names)} classes, two are needed")
    setup, encoder = prepare(
        config, task, dataset.x[train], dataset.y[train], dataset.feature_names, say
    )
    return SupervisedExperiment(
        setup=setup,
        encoder=encoder,
        dataset=dataset,
        train=train,
        test=test,
        test_points=encoder.encode(dataset.x[test]),
    )
