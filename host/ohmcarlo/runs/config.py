"""The configuration of a training run, which is stored as JSON."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from ..boards import check_backends, is_small, names_of
from ..boards.small.limits import check_request
from ..datasets import is_path
from ..datasets.prior import OTHERS, Widths
from ..datasets.several_classes import MULTI_CLASS
from ..errors import UsageError
from ..golden import KERNELS
from ..golden.registers import require_dot_products
from ..measurements.veriloga.measuring import model_of
from ..readable import count
from ..spec import WIDE_EVERY_MAX, Geometry
from ..tasks import TASKS, require_own_columns
from .adaptation.choice import LOWER_RHOS, RHOS
from .arrays import check_array_name
from .reach import MIN_GAMMA_US
from .recordings import located_array, located_preset, preset_file_of, sweep_of

DATA_FILE, PRESET_FILE, SWEEP_FILE = "data file", "preset file", "sweep file"
MODEL_FILE = "model file"
AUTO = "auto"
MAX_STEPS = 100_000_000
# Ranges of the fixed-point coefficients, whatever the values of the other two.
RANGES = {
    "gamma": (MIN_GAMMA_US, 2000.0, "µS"),
    "sigma_p": (0.05, 1000.0, ""),
    "tau": (0.1, 1e4, "µS"),
}


@dataclass(frozen=True)
class TrainConfig:
    """One training run; None stands for the default of the task.

    Attributes
    ----------
    task : str
        Name of a task, or a CSV file with a label column.
    backend : str
        Board that runs the chain: ``model``, ``rtl``, ``serial:PORT``, ``small:PORT``,
        ``mmio:/dev/uio0`` or ``devmem:0x43C00000``; or several with commas between them, each with
        an array of its own and an equal share of the chains.
    array : str
        ``emulator``, ``physics``, ``measured:FILE`` or ``veriloga:FILE.va``.
    preset : str or None
        Device preset of the array (None: the array's own).
    kernel : str
        ``corrected`` (exact) or ``published`` (as in the paper).
    rho : float or None
        Autoregression of the proposal, (0, 1]; 1 is the random walk.
    least_rho : float or None
        The smallest rho that an adaptation may choose, 0.05 to 0.7; None: the usual one.
    wide_every : int or None
        Steps of a chain from one step with rho = 1 to the next; 0: no such step.
    whiten : bool
        Sample whitened weights, for far better mixing.
    adapt : bool
        The array finds the coordinates of whitened weights itself, in stages before it samples;
        otherwise they come from a fit on the computer.
    pilot : bool
        Choose rho of a network in pilot stages, from ``rho`` on.
    more_steps : bool
        Take more than ``steps`` steps if the adaptation predicts too few effective samples.
    rows : int
        Rows of the array.
    pairs : int
        Device pairs of each row, entropy pairs included.
    entropy_pairs : int
        Pairs of every row whose bits are the coin.
    access_bits : int
        Input bits of one access: 1, 2, 4 or 8.
    boards : int or None
        Arrays, each with an equal share of the chains; None: one for each board of ``backend``.
        Fewer boards have the arrays one after the other.
    chains : int
        Independent chains of all arrays, in equal shares of the rows.
    steps : int
        Steps of each chain.
    seed : int
        Seed of split and array; equal seeds give equal runs.
    train_points : int or None
        Points to learn from, drawn from the training half; None: all of it.
    features : int or None
        Features kept (the bias not counted).
    hidden : int or None
        Hidden units; 0 is logistic regression.
    gamma : float or None
        µS per unit of weight; None: chosen to suit the spread of the array.
    tau : float or None
        Standard deviation of the common-mode prior, µS.
    sigma_p : float, sequence, mapping, "auto" or None
        Weight prior's standard deviation: one number, or a table of numbers by feature, bias and
        ``*`` (all others). "auto": the one that predicts best (``supervised.prior_choice``).
    sigma_p_choice : mapping or None
        Scores from which ``sigma_p`` was chosen; None: it was not chosen by the program.
    early_reject : bool
        Stop reading data once a proposal can no longer be accepted (the decisions are the same).
    dot_products : str or None
        ``array`` (accesses of the array, as in the paper) or ``codes`` (digital, from the codes
        read back); None: whichever suits the read noise of the array.
    repeats : int
        READs and accesses that are averaged, a power of two.
    multi_class : str or None
        Likelihood of more than two classes, ``stick-breaking`` or ``one-vs-rest``; None: two
        classes.
    problem : int or None
        Number of a binary problem of several classes, from 0: the run samples this one only.
    trim : bool
        Characterise the array and correct its devices first (measured arrays).
    kind : str or None
        Kind of run that the labels of a CSV file need; None: that of the task.
    label : str or None
        Label column of a CSV file; None: by its name, or the last one.
    drop : tuple of str
        Columns of a CSV file that are left out.
    positive : str or None
        Class that counts as 1, of two; None: the last one, by number or alphabet.

    Examples
    --------
    >>> from ohmcarlo.runs.config import TrainConfig
    >>> config = TrainConfig("toy2d", rows=16, pairs=8, steps=100, seed=7)
    >>> config.backend, config.array, config.chains
    ('model', 'emulator', 1)
    """

    task: str
    backend: str = "model"
    boards: int | None = None
    array: str = "emulator"
    preset: str | None = None
    kernel: str = "corrected"
    rho: float | None = None
    least_rho: float | None = None
    wide_every: int | None = None
    whiten: bool = False
    adapt: bool = False
    pilot: bool = False
    more_steps: bool = False
    rows: int = 256
    pairs: int = 32
    entropy_pairs: int = 4
    access_bits: int = 8
    chains: int = 1
    steps: int = 2000
    seed: int = 0
    train_points: int | None = None
    features: int | None = None
    hidden: int | None = None
    gamma: float | None = None
    sigma_p: Widths | Literal["auto"] | None = None
    sigma_p_choice: Mapping[str, Any] | None = None
    tau: float | None = None
    early_reject: bool = True
    trim: bool = True
    dot_products: str | None = None
    repeats: int = 1
    kind: str | None = None
    multi_class: str | None = None
    problem: int | None = None
    label: str | None = None
    drop: tuple[str, ...] = ()
    positive: str | None = None

    @property
    def columns(self) -> dict[str, Any]:
        """The choice of columns and classes for ``datasets.load``."""
        return {"label": self.label, "drop": self.drop, "positive": self.positive}

    @property
    def array_seed(self) -> int:
        """Seed of the array: each binary problem has an array of its own."""
        if self.problem is None:
            return self.seed
        return int(np.random.SeedSequence([self.seed, self.problem]).generate_state(1)[0])

    @property
    def arrays(self) -> int:
        """Number of arrays."""
        return len(names_of(self.backend)) if self.boards is None else self.boards

    @property
    def chains_of_board(self) -> int:
        """Chains of each array."""
        return self.chains // self.arrays

    @property
    def array_seeds(self) -> tuple[int, ...]:
        """Seed of each array. The first is that of a run with one array."""
        first = self.array_seed
        others = (
            np.random.SeedSequence(first, spawn_key=(board,)) for board in range(1, self.arrays)
        )
        return first, *(int(seed.generate_state(1)[0]) for seed in others)

    def of_board(self, number: int) -> TrainConfig:
        """The part of a board: its name, and its share of the chains."""
        names = names_of(self.backend)
        return replace(
            self, backend=names[number % len(names)], boards=1, chains=self.chains_of_board
        )

    def __post_init__(self) -> None:
        self.validate()

    def validate(self) -> None:
        """Raise UsageError, which names what to change; ``Geometry`` checks the geometry."""
        check_array_name(self.array)
        self._validate_boards()
        if is_small(self.backend):
            check_request(
                chains=self.chains_of_board,
                hidden=self.hidden,
                wide_every=self.wide_every,
                repeats=self.repeats,
                dot_products=self.dot_products,
                access_bits=self.access_bits,
            )
        if self.kernel not in KERNELS:
            raise UsageError(f"kernel {self.kernel!r} is unknown: choose {' or '.join(KERNELS)}")
        if not 1 <= self.steps <= MAX_STEPS:
            raise UsageError(f"steps = {self.steps}: choose 1 to {MAX_STEPS}")
        if not 0 <= self.seed < 1 << 32:
            raise UsageError(f"seed = {self.seed}: choose 0 to {(1 << 32) - 1}")
        if self.rho is not None and not 0 < self.rho <= 1:
            raise UsageError(f"rho = {self.rho:g}: choose a value in (0, 1]; 1 is the random walk")
        low, usual = LOWER_RHOS[-1], RHOS[0]
        if self.least_rho is not None and not low <= self.least_rho <= usual:
            raise UsageError(
                f"least_rho = {self.least_rho:g}: choose {low:g} to {usual:g}, or --rho for others"
            )
        if self.wide_every is not None and not 0 <= self.wide_every <= WIDE_EVERY_MAX:
            raise UsageError(
                f"wide_every = {self.wide_every}: choose 1 to {WIDE_EVERY_MAX}, or 0 for no wide "
                "steps"
            )
        if self.train_points is not None and self.train_points < 2:
            raise UsageError(f"train_points = {self.train_points}: choose 2 or more")
        if self.features is not None and self.features < 1:
            raise UsageError(f"features = {self.features}: keep at least one")
        if self.hidden is not None and not 0 <= self.hidden <= 63:
            raise UsageError(f"hidden = {self.hidden}: choose 0 (none) to 63")
        require_dot_products(self.dot_products, self.repeats)
        if self.multi_class not in (None, *MULTI_CLASS):
            raise UsageError(
                f"multi_class {self.multi_class!r} is unknown: choose {' or '.join(MULTI_CLASS)}"
            )
        if self.problem is not None and self.problem < 0:
            raise UsageError(f"problem = {self.problem}: problems are numbered from 0")
        for name, (low, high, unit) in RANGES.items():
            for value in self._numbers(name):
                if not low <= value <= high:
                    raise UsageError(
                        f"{name} = {value:g}: choose {low:g} to {high:g} {unit}".rstrip()
                    )
        if self.task in TASKS:
            require_own_columns(self.task, self.columns)
        if self.adapt and not self.whiten:
            raise UsageError("an adaptation whitens the weights: choose whiten, too")
        if self.whiten and self.hidden:
            raise UsageError(
                "whitening needs a logistic model: leave out --whiten or use --hidden 0"
            )
        if self.pilot and not (self.hidden and self.rho is not None and self.rho < 1):
            raise UsageError("a pilot needs a network with rho below 1: choose hidden and rho")

    def _validate_boards(self) -> None:
        """Raise UsageError unless the boards can have the arrays, and the arrays the chains."""
        if self.boards is not None and self.boards < 1:
            raise UsageError(f"boards = {self.boards}: choose 1 or more")
        check_backends(self.backend, self.array, self.arrays)
        if self.arrays > 1 and self.chains % self.arrays:
            more = (self.chains // self.arrays + 1) * self.arrays
            raise UsageError(
                f"{count(self.chains, 'chain')} cannot be shared equally by {self.arrays} boards: "
                f"use --chains {more}"
            )

    def _numbers(self, name: str) -> Iterable[float]:
        """The numbers of a setting that may be one, several, or several by name."""
        value = getattr(self, name)
        if value is None or (name == "sigma_p" and value == AUTO):
            return ()
        found = list(value.values() if isinstance(value, Mapping) else np.ravel(value))
        if not all(isinstance(number, int | float | np.number) for number in found):
            wanted = f"give a number, or {AUTO}" if name == "sigma_p" else "give a number"
            raise UsageError(f"{name} = {value!r}: {wanted}")
        return [float(number) for number in found]

    def widths(self, usual: float) -> Widths:
        """Widths of the prior for an encoder; ``usual`` is that of the task."""
        if isinstance(self.sigma_p, Mapping):
            return {OTHERS: usual, **self.sigma_p}
        if isinstance(self.sigma_p, str):
            raise UsageError(
                f"sigma_p = {self.sigma_p}: a network and a policy do not choose their prior; give "
                "a number"
            )
        return usual if self.sigma_p is None else self.sigma_p

    def width(self, usual: float) -> float:
        """The width of a prior that is one for all weights; UsageError for any other request."""
        found = self.widths(usual)
        if isinstance(found, Mapping | Sequence):
            raise UsageError("this model has one prior width: give a single number as sigma_p")
        return float(found)

    def geometry(self, hidden: int = 0) -> Geometry:
        """Each array of a model with so many hidden units; UsageError if it is impossible."""
        return Geometry(
            rows=self.rows,
            pairs=self.pairs,
            entropy_pairs=self.entropy_pairs,
            access_bits=self.access_bits,
            row_group=hidden + 1 if hidden else 1,
            regions=self.chains_of_board,
        )

    def files(self) -> dict[str, Path]:
        """The files of the user that the run reads, by their role."""
        found = {
            DATA_FILE: Path(self.task) if self.task not in TASKS and is_path(self.task) else None,
            PRESET_FILE: preset_file_of(self.preset),
            SWEEP_FILE: sweep_of(self.array),
            MODEL_FILE: model_of(self.array),
        }
        return {role: path for role, path in found.items() if path is not None}

    def located(self) -> TrainConfig:
        """The same run with absolute names of its files: it can be resumed from any folder."""
        files = {role: path.absolute() for role, path in self.files().items()}
        changes: dict[str, Any] = {}
        if DATA_FILE in files:
            changes["task"] = str(files[DATA_FILE])
        if PRESET_FILE in files and self.preset is not None:
            changes["preset"] = located_preset(self.preset)
        if SWEEP_FILE in files or MODEL_FILE in files:
            changes["array"] = located_array(self.array)
        return replace(self, **changes)

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> TrainConfig:
        """Raises UsageError for an unknown name or a value that cannot be used."""
        unknown = set(values) - {f.name for f in fields(cls)}
        if unknown:
            raise UsageError(
                f"the configuration has unknown entries: {', '.join(sorted(unknown))}; "
                "use the version of ohmcarlo that wrote it"
            )
        try:
            return cls(**{**values, "drop": tuple(values.get("drop", ()))})
        except TypeError as error:
            raise UsageError(f"the configuration cannot be used ({error}): train again") from error
