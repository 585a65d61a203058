"""The settings of a run that the user did not choose: those that end in a settled posterior.

A logistic model is sampled by ``CHAINS`` chains in coordinates that the array has found itself, or
with ``whiten`` in those of a fit on the computer. The paper's way is one random walk on
the features as they are. It is the default with ``paper``, and for the published kernel, which is
for comparison with the paper. A network and a policy cannot be whitened. The proposal of a network
moves around its prior (``SamplerSettings.around_prior``), and pilot stages choose the size of its
steps.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..boards import MODEL, is_small, names_of, shape_of
from ..boards.small.limits import WHAT, check_request, require_no_episodes
from ..datasets.several_classes import STICK_BREAKING
from ..errors import UsageError
from ..golden import PUBLISHED
from ..spec.geometry import MAX_PAIRS
from ..tasks import MULTICLASS, POLICY, REGRESSION, SUPERVISED, TASKS, Task
from .config import TrainConfig
from .room import require_room_for

CHAINS = 4
"""R-hat is reliable with four chains (Vehtari et al. 2021, doi 10.1214/20-BA1221)."""
NETWORK_STEPS = 40_000
"""A network mixes slowly; the verdict names the number of steps if these do not suffice."""
NETWORK_RHO = 0.98
"""Where the pilot stages of a network begin (see ``network_pilot``)."""
SEVERAL_RHO = 0.9
"""Often a plane separates some of several classes. Their posterior has a long tail, which catches
chains with a smaller rho. A short pilot stage does not show it."""
SHAPE = ("rows", "pairs", "entropy_pairs", "access_bits")
"""Sizes of the array: not chosen, they are those of the board, or the usual ones."""
PAIRS_STEP = 8
"""Rows that are wider than usual have a multiple of so many pairs."""
CHAIN_GROUPS = 8
"""Row groups for each of several chains, so that rows can be retired without ending a chain."""


@dataclass(frozen=True)
class Completed:
    """A configuration, and lines of text about choices that the user may want to know."""

    config: TrainConfig
    notes: tuple[str, ...] = ()


def complete(task: Task, chosen: Mapping[str, Any], paper: bool = False) -> Completed:
    """The configuration of a run on ``task``.

    Parameters
    ----------
    chosen : mapping
        Fields of ``TrainConfig``. ``whiten``, ``adapt``, ``chains`` and ``steps`` may be None: not
        chosen. To choose ``whiten`` alone means a fit on the computer. ``kind`` counts for one
        ``problem`` of several classes only.
    paper : bool
        Use the paper's way for what is not chosen.

    Raises UsageError for a request that cannot be met.
    """
    options = dict(chosen)
    notes = _fill_in_board(options, task)
    if paper and options["whiten"]:
        raise UsageError("--paper samples the features as they are: leave out --paper or --whiten")
    hidden = int(task.hidden if options["hidden"] is None else options["hidden"])
    plain = paper or options["kernel"] == PUBLISHED
    supervised = task.kind in (SUPERVISED, MULTICLASS, REGRESSION)
    options["multi_class"] = _multi_class(task, options.get("multi_class"))
    can_adapt = supervised and not (plain or hidden or options["rho"] == 1)
    if options.get("adapt") and (not can_adapt or options["whiten"] is False):
        raise UsageError(_cannot_adapt(task, options, paper))
    if options.get("adapt") is None:
        options["adapt"] = can_adapt and options["whiten"] is None
    if options["whiten"] is None:
        options["whiten"] = can_adapt
    _check_least_rho(task, options)
    unchosen = options["rho"] is options.get("gamma") is None
    if options.get("pilot") is None:
        options["pilot"] = bool(hidden) and not plain and unchosen
    if options["rho"] is None:
        options["rho"] = _rho(task, options, plain, hidden)
    if options["chains"] is None:
        options["chains"], fewer = _chains(options, supervised and not plain, hidden)
        notes += fewer
    if options.get("more_steps") is None:
        options["more_steps"] = options["adapt"] and options["steps"] is None
    if options["steps"] is None:
        options["steps"] = _steps(task, plain and supervised, hidden)
    options["kind"] = _kind(task, options)
    config = TrainConfig(task=task.name, **options)
    require_room(task, config)  # an impossible one is refused before any note
    return Completed(config, tuple(notes))


def require_room(task: Task, config: TrainConfig) -> None:
    """Raise UsageError, which names options that work, if the array cannot hold the model."""
    hidden = int(task.hidden if config.hidden is None else config.hidden)
    geometry = config.geometry(hidden)
    if task.kind != POLICY:
        require_room_for(task, geometry, config.features, hidden)


def _fill_in_board(options: dict[str, Any], task: Task) -> list[str]:
    """Fill in what the backend decides: the shape of the array, and the settings of a board without
    a processor. Returns notes. Raises UsageError for what such a board cannot do."""
    backend, notes = str(options.get("backend", MODEL)), list[str]()
    unknown = [name for name in SHAPE if options.get(name) is None]
    own: dict[str, int] = {}
    if is_small(backend):
        if task.kind == POLICY:
            require_no_episodes()
        check_request(hidden=task.hidden if options["hidden"] is None else options["hidden"])
        if options["chains"] is None:
            options["chains"] = arrays_of(options)
            notes.append(f"{WHAT} has 1 chain without wide steps; other backends have {CHAINS}")
        if options.get("wide_every") is None:
            options["wide_every"] = 0
        own = shape_of(_small_of(backend)) if unknown else {}
    for name in unknown:
        options[name] = own.get(name, getattr(TrainConfig, name))
    if set(names_of(backend)) == {MODEL} and "pairs" in unknown:
        notes += _widen(options, task)
    return notes


def _small_of(backend: str) -> str:
    """The first board without a processor that ``backend`` names: all arrays have its shape."""
    return next(name for name in names_of(backend) if is_small(name))


def _widen(options: dict[str, Any], task: Task) -> list[str]:
    """Give an array of the model, whose width was not chosen, as many pairs as the data need."""
    chosen, taken, pairs = options.get("features"), options["entropy_pairs"], options["pairs"]
    inputs = task.least_features if chosen is None else chosen
    if inputs is None or inputs + 1 + taken <= pairs:
        return []
    most = task.all_features if chosen is None else chosen
    needed = -(-((most or inputs) + 1 + taken) // PAIRS_STEP) * PAIRS_STEP
    if needed > MAX_PAIRS:
        return []  # refused later, with the numbers that are possible
    options["pairs"] = needed
    return [f"a row has {needed} pairs instead of {pairs}, so that all features fit"]


def _kind(task: Task, options: Mapping[str, Any]) -> str | None:
    """The kind in a configuration: None where the task says it."""
    if options.get("problem") is not None:
        return options.get("kind")
    return None if task.name in TASKS or task.kind == SUPERVISED else task.kind


def _cannot_adapt(task: Task, options: Mapping[str, Any], paper: bool) -> str:
    """Why an array does not adapt, and the options to leave out."""
    given = {
        "--paper": paper,
        "--no-whiten": options["whiten"] is False,
        "--hidden": bool(options["hidden"]),
        "--rho 1": options["rho"] == 1,
        "--kernel published": options["kernel"] == PUBLISHED,
    }
    others = [name for name, chosen in given.items() if chosen]
    instead = "" if task.kind == POLICY else f", or {' and '.join(others)}"
    return (
        "an array adapts for a logistic model with rho below 1 and the corrected kernel: leave out "
        f"--adapt{instead}"
    )


def _check_least_rho(task: Task, options: Mapping[str, Any]) -> None:
    """Raise UsageError for a bound of a rho that no adaptation chooses."""
    if options.get("least_rho") is None:
        return
    if options["rho"] is not None:
        raise UsageError(
            "--rho chooses rho, and --least-rho lets the adaptation choose it: leave out one of "
            "them"
        )
    if not options["adapt"] or task.kind == MULTICLASS:
        raise UsageError(
            "--least-rho is for models whose array chooses rho as it adapts: logistic models of "
            "two classes and linear ones, without --paper, --whiten and --no-whiten; choose --rho "
            "here"
        )


def _rho(task: Task, options: Mapping[str, Any], plain: bool, hidden: int) -> float | None:
    """The autoregression of a task; None: chosen by the array's spread or from a pilot stage."""
    if not options["whiten"]:
        return NETWORK_RHO if hidden and not plain else None
    if not options["adapt"]:
        return task.whitened_rho
    return SEVERAL_RHO if task.kind == MULTICLASS else None


def _multi_class(task: Task, chosen: str | None) -> str | None:
    """The likelihood of several classes, None for other tasks."""
    if task.kind == MULTICLASS:
        return chosen or STICK_BREAKING
    if chosen is not None:
        raise UsageError(f"{task.name} does not have several classes: leave out --multi-class")
    return None


def _steps(task: Task, plain: bool, hidden: int) -> int:
    if plain:
        return TrainConfig.steps
    return max(task.steps, NETWORK_STEPS) if hidden else task.steps


def _chains(options: Mapping[str, Any], several: bool, hidden: int) -> tuple[int, tuple[str, ...]]:
    """Chains of all arrays, in equal shares, and a note if they are fewer than usual."""
    boards = arrays_of(options)
    wanted = -(-CHAINS // boards) if several else 1
    chains = _fitting(int(options["rows"]), wanted, hidden)
    fewer = (_fewer_chains(options["rows"], chains, wanted, hidden),) if chains < wanted else ()
    return boards * chains, fewer


def arrays_of(options: Mapping[str, Any]) -> int:
    """Number of arrays of a run with these options."""
    chosen = options.get("boards")
    return int(chosen or len(names_of(str(options.get("backend", MODEL)))))


def _fitting(rows: int, wanted: int, hidden: int) -> int:
    """The largest power of two up to ``wanted`` for which every chain has enough rows."""
    chains = wanted
    while chains > 1 and rows // chains < CHAIN_GROUPS * (hidden + 1):
        chains //= 2
    return chains


def _fewer_chains(rows: int, chains: int, wanted: int, hidden: int) -> str:
    shown = "1 chain" if chains == 1 else f"{chains} chains"
    return (
        f"{rows} rows are too few for {wanted} chains: {shown} instead "
        f"(--rows {wanted * CHAIN_GROUPS * (hidden + 1)} for {wanted})"
    )
