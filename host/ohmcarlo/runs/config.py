"""The configuration of a training run, which is stored as JSON."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any

from ..boards import check_backend
from ..errors import UsageError
from ..golden import KERNELS
from ..spec import WIDE_EVERY_MAX
from .arrays import check_array_name

MAX_STEPS = 100_000_000
# Ranges of the fixed-point coefficients, whatever the values of the other two.
RANGES = {"gamma": (5.0, 2000.0, "µS"), "sigma_p": (0.05, 1000.0, ""), "tau": (0.1, 1e4, "µS")}


@dataclass(frozen=True)
class TrainConfig:
    """One training run; None stands for the default of the task.

    Attributes
    ----------
    task : str
        Name of a task, or a CSV file with a label column.
    backend : str
        Board that runs the chain: ``model``, ``rtl`` or ``serial:PORT``.
    array : str
        ``emulator``, ``physics`` or ``measured:FILE``.
    preset : str or None
        Device preset of the array (None: the array's own).
    kernel : str
        ``corrected`` (exact) or ``published`` (as in the paper).
    rho : float or None
        Autoregression of the proposal, (0, 1]; 1 is the random walk.
    wide_every : int or None
        Every so many steps of a chain, one uses rho = 1; 0: none.
    whiten : bool
        Sample whitened weights: far better mixing.
    rows, pairs, entropy_pairs : int
        Geometry of the array.
    chains, steps : int
        Independent chains, and steps of each.
    seed : int
        Seed of split and array; equal seeds give equal runs.
    features : int or None
        Features kept (the bias not counted).
    hidden : int or None
        Hidden units; 0 is logistic regression.
    gamma, sigma_p, tau : float or None
        µS per unit of weight; weight prior's standard deviation; common-mode prior's, µS.
    early_reject : bool
        Stop reading data once a proposal can no longer be accepted (the decisions are the same).
    trim : bool
        Characterise the array and correct its devices first (measured arrays).
    """

    task: str
    backend: str = "model"
    array: str = "emulator"
    preset: str | None = None
    kernel: str = "corrected"
    rho: float | None = None
    wide_every: int | None = None
    whiten: bool = False
    rows: int = 256
    pairs: int = 32
    entropy_pairs: int = 4
    chains: int = 1
    steps: int = 2000
    seed: int = 0
    features: int | None = None
    hidden: int | None = None
    gamma: float | None = None
    sigma_p: float | None = None
    tau: float | None = None
    early_reject: bool = True
    trim: bool = True

    def __post_init__(self) -> None:
        self.validate()

    def validate(self) -> None:
        """Raise UsageError, which names what to change; ``Geometry`` checks the geometry."""
        check_array_name(self.array)
        check_backend(self.backend, self.array)
        if self.kernel not in KERNELS:
            raise UsageError(f"kernel {self.kernel!r} is unknown: choose {' or '.join(KERNELS)}")
        if not 1 <= self.steps <= MAX_STEPS:
            raise UsageError(f"steps = {self.steps}: choose 1 to {MAX_STEPS}")
        if not 0 <= self.seed < 1 << 32:
            raise UsageError(f"seed = {self.seed}: choose 0 to {(1 << 32) - 1}")
        if self.rho is not None and not 0 < self.rho <= 1:
            raise UsageError(f"rho = {self.rho:g}: choose a value in (0, 1]; 1 is the random walk")
        if self.wide_every is not None and not 0 <= self.wide_every <= WIDE_EVERY_MAX:
            raise UsageError(
                f"wide_every = {self.wide_every}: choose 1 to {WIDE_EVERY_MAX}, or 0 for no wide "
                "steps"
            )
        if self.features is not None and self.features < 1:
            raise UsageError(f"features = {self.features}: keep at least one")
        if self.hidden is not None and not 0 <= self.hidden <= 63:
            raise UsageError(f"hidden = {self.hidden}: choose 0 (none) to 63")
        for name, (low, high, unit) in RANGES.items():
            value = getattr(self, name)
            if value is not None and not low <= value <= high:
                raise UsageError(f"{name} = {value:g}: choose {low:g} to {high:g} {unit}".rstrip())
        if self.whiten and self.hidden:
            raise UsageError(
                "whitening needs a logistic model: leave out --whiten or use --hidden 0"
            )

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
            return cls(**values)
        except TypeError as error:
            raise UsageError(f"the configuration cannot be used ({error}): train again") from error
