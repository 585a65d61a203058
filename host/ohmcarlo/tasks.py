"""Tasks: a data set with settings that were measured to work."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from .datasets import Dataset, is_path, load
from .datasets.fetch import WBC
from .datasets.names import unknown
from .errors import UsageError
from .spec.cartpole import POLICY_INPUTS

CARTPOLE = "cartpole"
SUPERVISED, MULTICLASS, REGRESSION = "supervised", "multiclass", "regression"
POLICY = "policy"


@dataclass(frozen=True)
class Network:
    """Settings of a two-layer network that differ from those of a logistic model.

    A network needs smaller steps: 163 rel / gamma = 0.13 to 0.18 for its random walk.
    """

    rel: float = 0.02
    gamma_us: float = 25.0
    sigma_p: float = 1.0


@dataclass(frozen=True)
class Task:
    """A data set, and the default settings of a run on it.

    Attributes
    ----------
    name : str
    dataset : str
        For ``datasets.load``: a name, or the path of a CSV file.
    description : str
        One line.
    features : int or None
        Features to keep (bias not counted); None: all.
    all_features : int or None
        Number of features in the data, if it is known.
    least_features : int or None
        Number of features that a run keeps at least, unless fewer are chosen; None: not known.
    rel : float
        Cycle-to-cycle spread that the settings are for, fraction of the conductance.
    gamma_us : float
        µS per unit of weight, for the plain random walk on unwhitened features.
    sigma_p : float
        Standard deviation of the weight prior, per standardised feature.
    whitened_rho : float or None
        Autoregression of the proposal on whitened data; None: that of all tasks.
    hidden : int
        Hidden units; 0: logistic regression.
    steps : int
        Steps of a chain; a multiple of those that suffice for ESS_LIMIT on whitened data.
    kind : str
        Kind of run: SUPERVISED learns two classes from a data set, MULTICLASS several, REGRESSION
        numbers; POLICY learns from the episodes that it plays.
    network : Network
        Settings that replace those above for a model with hidden units.
    """

    name: str
    dataset: str
    description: str
    features: int | None = None
    all_features: int | None = None
    least_features: int | None = None
    rel: float = 0.05
    gamma_us: float = 25.0
    sigma_p: float = 1.0
    whitened_rho: float | None = None
    hidden: int = 0
    steps: int = 10_000
    kind: str = SUPERVISED
    network: Network = Network()

    def with_hidden(self, hidden: int) -> Task:
        """The task with the settings for a model with so many hidden units."""
        if not hidden:
            return replace(self, hidden=hidden)
        changed = {f.name: getattr(self.network, f.name) for f in fields(self.network)}
        return replace(self, hidden=hidden, **changed)

    def features_for(self, inputs: int) -> int | None:
        """Features to keep in an array with ``inputs`` inputs a row, including the bias: all if
        they fit, else the default of the task."""
        if self.all_features is not None and self.all_features < inputs:
            return None
        return self.features


# A proposal moves a weight by about 163 rel / gamma = 0.33: measured to suit logistic models.
TASKS: dict[str, Task] = {
    task.name: task
    for task in (
        Task(
            name="toy2d",
            dataset="toy2d",
            description="two features, two overlapping classes: to look at uncertainty",
            all_features=2,
        ),
        Task(
            name="breast-cancer",
            dataset="breast-cancer",
            description="WDBC: malignant or benign? the 15 most telling of 30 measurements",
            features=15,
            all_features=30,
        ),
        Task(
            name="breast-cancer-original",
            dataset=WBC,
            description="WBC (1990): malignant or benign? 9 grades by a pathologist; "
            "`ohmcarlo data fetch breast-cancer-original` gets it",
            all_features=9,
        ),
        Task(
            name="ecg",
            dataset="ecg",
            description="MIT-BIH: ventricular or normal heart beat? unseen patients; "
            "`ohmcarlo data fetch mitdb` gets it",
            all_features=14,
            steps=15_000,
            whitened_rho=0.9,  # one weight has a heavy tail, where chains with 0.8 are caught
            # width of the prior as found on patients of DS1 that were left out
            sigma_p=0.6,
            network=Network(gamma_us=18.0, sigma_p=0.6),
        ),
        # Several classes: 2 has a better log loss than 1 in cross-validations of training halves.
        Task(
            name="iris",
            dataset="iris",
            description="which of three species is an iris? four lengths of its flower",
            all_features=4,
            sigma_p=2.0,
            kind=MULTICLASS,
        ),
        Task(
            name="wine",
            dataset="wine",
            description="from which of three grapes is a wine? 13 chemical measurements",
            all_features=13,
            steps=15_000,
            sigma_p=2.0,
            kind=MULTICLASS,
        ),
        Task(
            name="digits",
            dataset="digits",
            description="which of ten digits is it? for each, the 20 most telling of 64 pixels",
            all_features=64,
            features=20,  # with more, the acceptance falls: 0.22 with 32, 0.02 with all
            steps=20_000,
            sigma_p=2.0,
            kind=MULTICLASS,
        ),
        Task(
            name="ecg-aami",
            dataset="ecg-aami",
            description="MIT-BIH: which of the five AAMI classes is a heart beat? unseen patients; "
            "`ohmcarlo data fetch mitdb` gets it",
            all_features=14,
            steps=15_000,
            whitened_rho=0.9,
            sigma_p=0.6,
            kind=MULTICLASS,
        ),
        Task(
            name="diabetes",
            dataset="diabetes",
            description="how far diabetes progresses in a year: a number, with an interval",
            all_features=10,
            kind=REGRESSION,
        ),
        Task(
            name=CARTPOLE,
            dataset="",
            description="keep a pole upright on a cart: a policy, learnt from 1,200 episodes",
            all_features=POLICY_INPUTS - 1,
            gamma_us=15.0,
            steps=299,  # with the first sample: 300 policies, 4 episodes each
            kind=POLICY,
        ),
    )
}


def get_task(name: str) -> Task:
    """A task by name, or the task that a CSV file with a label column is.

    Raises
    ------
    UsageError
        For any other name. It lists the tasks.

    Examples
    --------
    >>> from ohmcarlo.tasks import get_task
    >>> get_task("breast-cancer").dataset
    'breast-cancer'
    """
    if name in TASKS:
        return TASKS[name]
    if is_path(name):
        return Task(name=name, dataset=name, description="a CSV file with a label column")
    raise unknown("task", name, TASKS, "or give a CSV file with a label column")


def labelled_task(name: str, regression: bool | None = None, **columns: Any) -> Task:
    """``get_task``; for a CSV file, with the kind of run that its labels need.

    ``regression``: the labels are numbers to predict (True) or classes (False); None: by the rule
    of ``datasets.labels``. ``columns`` are ``label``, ``drop`` and ``positive`` of
    ``datasets.load``. Raises UsageError for a file that cannot be used.
    """
    task = get_task(name)
    if name in TASKS:
        if regression is not None and regression != (task.kind == REGRESSION):
            raise UsageError(
                f"{name} does not have such labels: --regression and --no-regression are for CSV "
                "files"
            )
        require_own_columns(name, columns)
        return task
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the run reads the file again
        dataset = load(name, regression=regression, **columns)
    return replace(
        task,
        kind=kind_of_labels(dataset),
        all_features=dataset.x.shape[1],
        least_features=dataset.surely_varying(),
    )


def require_kind(name: str, kind: str) -> None:
    """Raise UsageError if a configuration has another kind of run than its task."""
    own = get_task(name).kind
    if kind != own:
        raise UsageError(f"kind = {kind}: {name} is of kind {own}; remove the line of kind")


def require_own_columns(name: str, columns: Mapping[str, Any]) -> None:
    """Raise UsageError if columns are chosen for a task that is not a file."""
    if any(columns.values()):
        raise UsageError(
            f"{name} has its own label and features: --label, --drop and --positive are for files"
        )


def kind_of_labels(dataset: Dataset) -> str:
    """The kind of run that learns such labels."""
    if dataset.numeric:
        return REGRESSION
    return MULTICLASS if len(dataset.class_names) > 2 else SUPERVISED
