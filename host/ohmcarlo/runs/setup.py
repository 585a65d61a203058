"""From a configuration to the objects of a run: data, encoder, registers, array, board."""

from __future__ import annotations

import hashlib
import platform
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from importlib import metadata
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from .. import __version__
from ..array.die import Die
from ..boards import MODEL, Board, Say, SerialBoard, open_board, silent
from ..datasets import Dataset, Encoder, load
from ..errors import UsageError
from ..golden import Calibration, Registers, SamplerSettings
from ..spec import Geometry, Points
from ..tasks import Task, get_task
from .arrays import OpenedArray, calibration_of, open_array
from .config import TrainConfig

VERSIONS_OF = ("numpy", "scipy", "numba", "scikit-learn", "arviz")
WHITENED_RHO = 0.8
WARM_UP_WORTH_SAYING_S = 1.0


@dataclass(frozen=True, eq=False)
class Equipped:
    """What every run has, whatever it learns.

    Attributes
    ----------
    config : TrainConfig
    settings : SamplerSettings
    registers : Registers
    board : Board
        Configured, not started.
    trimmed : bool
        The array was characterised and its devices corrected.
    """

    config: TrainConfig
    settings: SamplerSettings
    registers: Registers
    board: Board
    trimmed: bool

    def close(self) -> None:
        """Let go of the board."""
        self.board.close()

    def origin(self) -> dict[str, Any]:
        """The part of a manifest that does not depend on what is learnt."""
        return {
            "config": self.config.to_dict(),
            "seed": self.config.seed,
            "versions": versions(),
            "git": git_state(),
            "board": self.board.identify(),
        }

    def describe_array(self) -> str:
        """The array and its chains, for a person."""
        geometry = self.registers.geometry
        chains = "1 chain" if geometry.regions == 1 else f"{geometry.regions} chains"
        return (
            f"array: {geometry.rows} rows × {geometry.pairs} pairs "
            f"({geometry.devices:,} devices), {chains} of "
            f"{self.config.steps:,} steps, rho {self.settings.rho:g}, "
            f"gamma {self.registers.gamma_us:.3g} µS"
        )


@dataclass(frozen=True, eq=False)
class Prepared(Equipped):
    """A training half, encoded and loaded into a board.

    Attributes
    ----------
    encoder : Encoder
    points : Points
        The data memory (with quadratic points for a whitened prior).
    """

    encoder: Encoder
    points: Points

    def weights(self, codes: NDArray[np.uint16]) -> NDArray[np.float64]:
        """Weights of the standardised features: uint16 (n, devices) → float64 (n, weights)."""
        sampled = self.registers.weights(codes)
        return self.encoder.weights_to_original(sampled) if self.config.whiten else sampled


@dataclass(frozen=True, eq=False)
class Experiment(Prepared):
    """Everything a run works with; two built from equal configurations are equal.

    Attributes
    ----------
    dataset : Dataset
    train, test : int64 (n,)
        Rows of the data set in either half.
    test_points : Points
        The held-out half.
    """

    dataset: Dataset
    train: NDArray[np.int64]
    test: NDArray[np.int64]
    test_points: Points

    # -- what results and reports ask ----------------------------------------------------------

    @property
    def train_count(self) -> int:
        """Data points learnt from, without the quadratic points of a whitened prior."""
        return len(self.train)

    @property
    def test_labels(self) -> NDArray[np.integer[Any]]:
        """0/1 (n,)."""
        return self.dataset.y[self.test]

    @property
    def test_inputs(self) -> NDArray[np.float64]:
        """Held-out points before encoding, (n, features of the data)."""
        return self.dataset.x[self.test]

    @property
    def accesses_per_point(self) -> int:
        """Array accesses that evaluating one point costs."""
        registers, geometry = self.registers, self.registers.geometry
        first = geometry.accesses_per_row(registers.features)
        if not registers.hidden:
            return first
        return registers.hidden * first + geometry.accesses_per_row(registers.hidden + 1)

    @property
    def pseudo_random(self) -> bool:
        """The coin is computed, because the array is."""
        return self.board.pseudo_random

    @property
    def weight_names(self) -> list[str]:
        """Names of the weights, in the order of ``weights``."""
        inputs = [*self.encoder.feature_names, "bias"]
        hidden = self.registers.hidden
        if not hidden:
            return inputs
        first = [f"h{h}: {name}" for h in range(hidden) for name in inputs]
        return first + [f"out: h{h}" for h in range(hidden)] + ["out: bias"]

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

    def manifest(self) -> dict[str, Any]:
        """What a run folder says about how it was made."""
        return {
            **self.origin(),
            "data": {
                "sha256": data_digest(self.dataset),
                "feature_names": list(self.dataset.feature_names),
                "class_names": list(self.dataset.class_names),
            },
            "encoder": self.encoder.to_dict(),
            "weight_names": self.weight_names,
        }

    def require_same_data(self, manifest: dict[str, Any]) -> None:
        """Refuse to go on with a run whose data are not what they were."""
        if data_digest(self.dataset) != manifest["data"]["sha256"]:
            raise UsageError(
                f"the data of {self.config.task} have changed since this run began: "
                "put the old data back, or start a new run"
            )

    def description(self) -> list[str]:
        """What is about to happen, for a person."""
        return [
            f"{self.config.task}: {len(self.train)} points to learn from, {len(self.test)} held "
            f"out, {len(self.encoder.columns)} of {self.dataset.x.shape[1]} features",
            self.describe_array(),
        ]


def equip(
    config: TrainConfig,
    task: Task,
    geometry: Geometry,
    features: int,
    configure: Callable[[Board, Registers], None],
    say: Say,
    *,
    hidden: int = 0,
    unit: float = 1.0,
) -> Equipped:
    """Open and calibrate the array, and have ``configure`` load its board.

    ``features``: inputs of the model, the bias included; ``unit`` as in ``choose_settings``.
    """
    opened = open_array(config.array, config.preset, geometry, config.seed, task.rel)
    geometry = opened.array.geometry
    settings = choose_settings(config, task, opened, hidden, unit)
    sigma, calibration = opened.array.sigma_us, Calibration()
    trimmed = config.trim and not opened.ideal
    board = open_board(config.backend, opened.array, say)
    try:
        if isinstance(board, SerialBoard) and isinstance(opened.array, Die):
            opened = replace(opened, teacher=board.raw_array())
        if trimmed:
            say("characterising the array first: offsets, spreads, dead devices (--no-trim skips)")
            found = opened.characterize(devices_in_use(geometry, max(features, hidden + 1)))
            sigma, calibration = found.sigma_us, calibration_of(found)
        registers = settings.registers(geometry, features, sigma, calibration)
        configure(board, registers)
    except BaseException:
        board.close()
        raise
    return Equipped(config, settings, registers, board, trimmed)


def prepare(
    config: TrainConfig,
    task: Task,
    x: NDArray[np.float64],
    y: NDArray[np.integer[Any]],
    feature_names: Sequence[str] | None = None,
    say: Say = silent,
) -> Prepared:
    """Encode x (n, d) and y 0/1 (n,), open and calibrate the array, configure the board.

    Close the result in the end. ``say`` hears what takes long. Raises UsageError for whatever in
    the request cannot be done, OhmcarloError when the board cannot be reached.
    """
    hidden = task.hidden if config.hidden is None else config.hidden
    task = task.with_hidden(hidden)
    geometry = Geometry(
        rows=config.rows,
        pairs=config.pairs,
        entropy_pairs=config.entropy_pairs,
        row_group=hidden + 1 if hidden else 1,
        regions=config.chains,
    )
    features = task.features_for(geometry.max_features)
    encoder = Encoder.fit(
        x,
        y,
        feature_names=feature_names,
        features=features if config.features is None else config.features,
        whiten=config.whiten,
        sigma_p=config.sigma_p or task.sigma_p,
    )
    geometry.require_features(max(encoder.inputs, hidden + 1))
    points = encoder.training_points(x, y)
    ready = equip(
        config,
        task,
        geometry,
        points.features,
        lambda board, registers: board.configure(registers, points),
        say,
        hidden=hidden,
        unit=encoder.spread,
    )
    return Prepared(**vars(ready), encoder=encoder, points=points)


def build_experiment(config: TrainConfig, say: Say = silent) -> Experiment:
    """Load and split the data, and ``prepare`` the training half."""
    task = get_task(config.task)
    dataset = load(task.dataset)
    train, test = dataset.split(config.seed)
    ready = prepare(config, task, dataset.x[train], dataset.y[train], dataset.feature_names, say)
    return Experiment(
        **vars(ready),
        dataset=dataset,
        train=train,
        test=test,
        test_points=ready.encoder.encode(dataset.x[test]),
    )


def devices_in_use(geometry: Geometry, inputs: int) -> list[int]:
    """Devices of a row that a model with ``inputs`` inputs or the coin programs."""
    coin = range(2 * geometry.max_features, 2 * geometry.pairs)
    return [*range(2 * inputs), *coin]


def choose_settings(
    config: TrainConfig, task: Task, opened: OpenedArray, hidden: int, unit: float
) -> SamplerSettings:
    """What the user asked for; where nothing was asked, what suits task and devices.

    A proposal should move a weight by the same amount whatever the devices: gamma follows the
    spread of the array. ``unit`` is the posterior spread of a whitened weight.
    """
    rel = opened.rel()
    low, high = opened.window_us
    common: dict[str, Any] = {
        "kernel": config.kernel,
        "early_reject": config.early_reject,
        "lo_us": low,
        "hi_us": high,
    }
    if config.whiten:
        rho = WHITENED_RHO if config.rho is None else config.rho
        settings = SamplerSettings.whitened(rel, rho, **common)
        scales = opened.whitened_scales
    else:
        settings = SamplerSettings(
            rho=1.0 if config.rho is None else config.rho,
            gamma_us=task.gamma_us * rel / task.rel,
            sigma_p=task.sigma_p if config.sigma_p is None else config.sigma_p,
            hidden=hidden,
            **common,
        )
        scales = (1.0, 1.0)
    gamma = settings.gamma_us * scales[0] if config.gamma is None else config.gamma
    tau = settings.tau_us * scales[1] if config.tau is None else config.tau
    return replace(settings, gamma_us=gamma / unit, tau_us=tau)


class Runnable(Protocol):
    """What a chain is run with: ``Prepared``, or a policy's."""

    @property
    def config(self) -> TrainConfig: ...

    @property
    def registers(self) -> Registers: ...

    @property
    def points(self) -> Points: ...

    @property
    def board(self) -> Board: ...


def warm_up(experiment: Runnable, say: Say) -> None:
    """Compile what the run will need, so that the time of the run is the chain's own.

    The golden model is run for a step and then set back, to the bit.
    """
    if experiment.config.backend != MODEL:
        return
    began = time.perf_counter()
    board = experiment.board
    before = board.state_dict()
    board.start()
    board.run(1)
    board.load_state_dict(before)
    taken = time.perf_counter() - began
    if taken > WARM_UP_WORTH_SAYING_S:
        say(f"compiled the sampler in {taken:.0f} s (once per version and machine)")


def versions() -> dict[str, str]:
    """Versions of everything that decides a run's numbers."""
    found = {"ohmcarlo": __version__, "python": platform.python_version()}
    return found | {name: metadata.version(name) for name in VERSIONS_OF}


def git_state() -> dict[str, Any] | None:
    """Commit of the checkout that the package runs from, and whether files were changed."""
    folder = Path(__file__).parent
    try:
        _git(folder, "ls-files", "--error-unmatch", Path(__file__).name)  # not merely inside one
        commit = _git(folder, "rev-parse", "HEAD")
        changed = bool(_git(folder, "status", "--porcelain", "--untracked-files=no", "."))
    except (OSError, subprocess.SubprocessError):
        return None
    return {"commit": commit, "changed": changed}


def _git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        # status would renew the index, and be in the way of the user's own git
        ["git", "--no-optional-locks", "-C", str(folder), *arguments],
        capture_output=True,
        text=True,
        check=True,
        timeout=10,
    )
    return done.stdout.strip()


def data_digest(dataset: Dataset) -> str:
    """SHA-256 of the numbers that a run learns from and is tested on."""
    digest = hashlib.sha256()
    digest.update(np.ascontiguousarray(dataset.x, np.float64).tobytes())
    digest.update(np.ascontiguousarray(dataset.y, np.int64).tobytes())
    return digest.hexdigest()
