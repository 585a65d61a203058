"""From a configuration to a configured board: array, settings, registers."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..array.base import Array
from ..array.characterize.characterization import Characterization
from ..array.die import Die
from ..array.read_noise import CODES
from ..boards import (
    MODEL,
    Board,
    HardwareBoard,
    Say,
    SeveralBoards,
    SmallBoard,
    names_of,
    open_board,
    open_boards,
    require_simulated_room,
    silent,
)
from ..boards.several.board import state_of_member
from ..boards.several.merging import OwnTables
from ..errors import UsageError
from ..golden import Calibration, EpisodeLikelihood, Registers, SamplerSettings
from ..jit import before_compilation
from ..posterior_error import PosteriorError
from ..progress import phase
from ..spec import Geometry, Points
from ..tasks import Task
from .adaptation.learner import Encoding, Learner
from .adaptation.record import Record
from .arrays import OpenedArray, calibration_of, open_array
from .config import TrainConfig
from .device_errors import (
    TRIMMED_GAMMA,
    WHITENED_RHO_TRIMMED,
    measure_untrimmed,
    mismatch_errors,
)
from .dot_products import ReadBack, choose_dot_products, read_noise_error
from .reach import Expected, step_cautions, suitable_gamma, window_errors
from .tap import current_tap
from .wire_errors import Lines, wire_errors

WHITENED_RHO = 0.8
REACH = 4.5  # standard deviations of a target under the proposal alone
WHITENED_WIDE_EVERY = 10
"""Without wide steps, a chain with rho < 1 can stay far out in a tail for hundreds of steps."""


@dataclass(frozen=True, eq=False)
class ChainSetup:
    """The inputs of a chain; equal configurations give equal ones.

    Attributes
    ----------
    config : TrainConfig
    settings : SamplerSettings
    registers : Registers
    points : Points
        The data memory; empty where episodes decide.
    board : Board
        Configured, not started.
    trimmed : bool
        The array was characterised and its devices corrected.
    array : Array
        The array, before its first step: behind the board, loaded into it, or its description.
    errors : tuple of PosteriorError
        Predicted errors of the posterior: of the encoding, of the window of the devices, and of
        the devices.
    cautions : tuple of str
        Reasons why this chain will hardly move, with a remedy each.
    judge : EpisodeLikelihood or None
        Computes log-likelihoods in place of ``points``.
    source : ChainSource or None
        What further chains on the same array need.
    learner : Learner or None
        The chains adapt before they sample, and it encodes the data again after every stage.
    encoder : Encoder or None
        The encoding of ``points``, if they were encoded.
    adaptation : Record or None
        The stages that led to this chain.
    pilot : Expected or None
        Rho is chosen in pilot stages before the chains sample; what is known of the weights.
    others : tuple of Array
        The arrays of the further boards, if there are several; ``array`` is that of the first.
    """

    config: TrainConfig
    settings: SamplerSettings
    registers: Registers
    points: Points
    board: Board
    trimmed: bool
    array: Array
    errors: tuple[PosteriorError, ...] = ()
    cautions: tuple[str, ...] = ()
    judge: EpisodeLikelihood | None = None
    source: ChainSource | None = None
    learner: Learner | None = None
    encoder: Any = None
    adaptation: Record | None = None
    pilot: Expected | None = None
    others: tuple[Array, ...] = ()

    @property
    def arrays(self) -> tuple[Array, ...]:
        """The array of each board."""
        return (self.array, *self.others)

    def parts(self) -> tuple[ChainSetup, ...]:
        """The set-up of the chains of each board; of one board, the whole."""
        board = self.board
        if not isinstance(board, SeveralBoards):
            return (self,)
        return tuple(
            replace(
                self,
                config=self.config.of_board(i),
                registers=board.registers_of(i, self.registers),
                board=member,
                array=array,
                others=(),
                adaptation=None
                if self.adaptation is None
                else replace(self.adaptation, state=state_of_member(self.adaptation.state, i)),
            )
            for i, (member, array) in enumerate(zip(board.members, self.arrays, strict=True))
        )

    @property
    def adapts(self) -> bool:
        """Whether stages come before this chain."""
        return self.learner is not None or self.pilot is not None

    def encoded(self, config: TrainConfig, encoder: Encoding) -> ChainSetup:
        """The set-up of another chain on the same board, which is not told of it yet.

        ``config`` has the settings of that chain, ``encoder`` is one of the learner.
        """
        if self.source is None or self.learner is None:
            raise UsageError("this run does not adapt: set it up with a learner")
        points = self.learner.training_points(encoder)
        settings = self.source.settings(config, encoder.spread, encoder.sigma, None)
        registers = self.source.registers(settings, points.features)
        return replace(
            self,
            config=config,
            settings=settings,
            registers=registers,
            points=points,
            encoder=encoder,
        )

    def with_errors(self) -> ChainSetup:
        """The same with the predicted errors of its encoding and its settings."""
        if self.source is None or self.encoder is None:
            return self
        errors = self.source.errors(
            self.config, self.settings, self.points.features, self.encoder.spread, None
        )
        return replace(self, errors=(self.encoder.error, *errors))

    def close(self) -> None:
        """Release the board."""
        self.board.close()

    def describe_array(self) -> str:
        """One line about the array and its chains."""
        geometry = self.registers.geometry
        chains = "1 chain" if geometry.regions == 1 else f"{geometry.regions} chains"
        boards = f"{len(self.arrays)} boards ({self.board.name}), each with an " * bool(self.others)
        return (
            f"{boards}array: {geometry.rows} rows × {geometry.pairs} pairs "
            f"({geometry.devices:,} devices), {chains} of "
            f"{self.config.steps:,} steps, {self.describe_proposal()}"
        )

    def describe_proposal(self) -> str:
        """A few words about the proposal."""
        if self.adapts:
            return "after they have adapted"
        settings = self.settings
        name = proposal_name(settings.rho, settings.wide_every)
        return f"{name}, gamma {self.registers.gamma_us:.3g} µS"


def proposal_name(rho: float, wide_every: int) -> str:
    """The proposal, in a few words."""
    if rho == 1:
        return "random walk"
    every = f" (1 in one of {wide_every} steps)" if wide_every else ""
    return f"rho {rho:g}{every}"


@dataclass(frozen=True, eq=False)
class ChainSource:
    """What all chains on one array have in common: its devices, as they were measured.

    Attributes
    ----------
    task : Task
    opened : OpenedArray
    array_seed : int
    found : Characterization or None
        Of a trimmed array.
    calibration : Calibration
    read_back : ReadBack
    lines : Lines or None
        With resistance.
    dot_products : str
        Where dot products are computed: ``array`` or ``codes``.
    can_be_computed : tuple of str
        Where the board can compute them.
    judged : bool
        Episodes decide in place of points.
    hidden : int
    others : tuple of ChainSource
        Those of the further boards, if there are several. The chains on all boards have the same
        settings, and each array has its own calibration.
    """

    task: Task
    opened: OpenedArray
    array_seed: int
    found: Characterization | None
    calibration: Calibration
    read_back: ReadBack
    lines: Lines | None
    dot_products: str
    can_be_computed: tuple[str, ...]
    judged: bool
    hidden: int
    others: tuple[ChainSource, ...] = ()

    @classmethod
    def measure(
        cls,
        config: TrainConfig,
        task: Task,
        opened: OpenedArray,
        board: Board,
        say: Say,
        *,
        array_seed: int,
        inputs: int,
        reach_us: float,
        judged: bool,
        hidden: int,
    ) -> ChainSource:
        """Characterise the array, unless its devices are alike. ``reach_us`` is the distance from
        the centre that the targets keep within, ``inputs`` the inputs of a row. ``board`` has the
        array, and maybe others."""
        found: Characterization | None = None
        calibration = Calibration()
        if config.trim and not opened.ideal:
            say("characterising the array first: offsets, spreads, dead devices (--no-trim skips)")
            devices = devices_in_use(opened.array.geometry, inputs)
            with phase("characterising the array"):
                found = opened.characterize(devices, reach_us)
            calibration = calibration_of(found)
        read_back = ReadBack.of(opened, found)
        lines = Lines.of(opened.array, inputs)
        return cls(
            task=task,
            opened=opened,
            array_seed=array_seed,
            found=found,
            calibration=calibration,
            read_back=read_back,
            dot_products=choose_dot_products(config, read_back, lines, board, judged),
            lines=lines,
            can_be_computed=board.dot_products,
            judged=judged,
            hidden=hidden,
        )

    @property
    def all(self) -> tuple[ChainSource, ...]:
        """This one and the others."""
        return (self, *self.others)

    def with_others(self, others: tuple[ChainSource, ...]) -> ChainSource:
        """The source of chains on several boards, of which this is the first one's."""
        digital = any(each.dot_products == CODES for each in (self, *others))
        return replace(self, others=others, dot_products=CODES if digital else self.dot_products)

    def tables(self, settings: SamplerSettings, features: int) -> tuple[OwnTables, ...]:
        """The part of the registers that belongs to each array."""
        return tuple(OwnTables.of(each.registers(settings, features)) for each in self.all)

    @property
    def trimmed(self) -> bool:
        """Whether the devices were measured and are corrected."""
        return self.found is not None

    @property
    def ideal(self) -> bool:
        """Whether the devices are alike."""
        return self.opened.ideal

    def settings(
        self, config: TrainConfig, unit: float, sigma_p: float | None, expected: Expected | None
    ) -> SamplerSettings:
        """The settings of a chain; arguments as for ``set_up_chain``."""
        settings = choose_settings(config, self.task, self.opened, self.hidden, unit)
        if sigma_p is None:
            sigma_p = settings.sigma_p if config.whiten else config.width(self.task.sigma_p)
        settings = replace(settings, sigma_p=sigma_p)
        if expected is not None and config.gamma is None:
            rel = self.opened.rel()
            settings = replace(settings, gamma_us=suitable_gamma(expected, settings, rel))
        found = [each.found for each in self.all if each.found is not None]
        if found:
            settings = with_spread(config, settings, self.opened, found)
        raw = [each.opened.raw_bits(each.found) for each in self.all]
        return replace(
            settings,
            dot_products=self.dot_products,
            repeats=config.repeats,
            fold=max(bits.fold for bits in raw),
            min_entropy=min(bits.min_entropy for bits in raw),
        )

    def registers(self, settings: SamplerSettings, features: int) -> Registers:
        """The registers of a chain whose points have so many inputs."""
        sigma = self.read_back.averaged(settings.repeats)
        geometry = self.opened.array.geometry
        return settings.registers(geometry, features, sigma, self.calibration)

    def errors(
        self,
        config: TrainConfig,
        settings: SamplerSettings,
        features: int,
        unit: float,
        expected: Expected | None,
    ) -> tuple[PosteriorError, ...]:
        """The predicted errors of a posterior that the window and the devices cause; on several
        boards, the largest of each source."""
        own = [each._errors(config, settings, features, unit, expected) for each in self.all]
        return own[0] if len(own) == 1 else _largest(own)

    def _errors(
        self,
        config: TrainConfig,
        settings: SamplerSettings,
        features: int,
        unit: float,
        expected: Expected | None,
    ) -> tuple[PosteriorError, ...]:
        """``errors`` of the array of this source alone."""
        errors: tuple[PosteriorError, ...] = ()
        if expected is not None:
            errors += window_errors(expected, settings, config.gamma is not None)
        known = expected
        if known is None:
            known = Expected(np.zeros(features), np.full(features, unit))
        if not (self.hidden or self.judged):
            found = self.found
            if found is None:
                found = measure_untrimmed(
                    config, self.opened, self.array_seed, self.task.rel, features
                )
            sigma = self.read_back.averaged(config.repeats)
            errors += mismatch_errors(config, settings, found, self.trimmed, sigma, known.sd)
        if not self.judged:  # a policy is that of the codes
            errors += read_noise_error(
                settings.dot_products, config.repeats, self.read_back, self.can_be_computed
            )
            errors += wire_errors(self.lines, settings, known, self.can_be_computed)
        return errors


def _largest(errors: Sequence[tuple[PosteriorError, ...]]) -> tuple[PosteriorError, ...]:
    """The largest error of each source, in the order in which they come."""
    found: dict[str, PosteriorError] = {}
    for error in (e for own in errors for e in own):
        if error.source not in found or error.size > found[error.source].size:
            found[error.source] = error
    return tuple(found.values())


def set_up_chain(
    config: TrainConfig,
    task: Task,
    geometry: Geometry,
    points: Points,
    say: Say,
    *,
    hidden: int = 0,
    unit: float = 1.0,
    sigma_p: float | None = None,
    expected: Expected | None = None,
    errors: tuple[PosteriorError, ...] = (),
    episodes: EpisodeLikelihood | None = None,
    learner: Learner | None = None,
) -> ChainSetup:
    """Open and calibrate the array, and configure its board.

    Parameters
    ----------
    points : Points
        The data memory; the bias is one of its features.
    say : callable
        Called with a line of text before a step that takes long.
    hidden : int
        Hidden units of the model.
    unit : float
        Posterior spread of a whitened weight, as for ``choose_settings``.
    sigma_p : float or None
        Standard deviation of the prior in the registers; None: that of the configuration, which
        is one for all weights.
    expected : Expected or None
        What is known of the posterior of unwhitened weights, for a gamma that suits it.
    errors : tuple of PosteriorError
        Predicted errors of the posterior that are known before the array is opened.
    episodes : EpisodeLikelihood or None
        Computes log-likelihoods from episodes in place of ``points``.
    learner : Learner or None
        Encodes the data again between the stages of an adaptation.

    Close the result after use. Raises UsageError for a request that cannot be met, OhmcarloError
    when the board cannot be reached.
    """
    opened, board = _open(config, task, geometry, points, say)
    try:
        reach = reach_us(config, choose_settings(config, task, opened[0], hidden, unit), opened[0])
        first, *others = (
            ChainSource.measure(
                config,
                task,
                own,
                board,
                say if seed == config.array_seed else silent,
                array_seed=seed,
                inputs=max(points.features, hidden + 1),
                reach_us=reach,
                judged=episodes is not None,
                hidden=hidden,
            )
            for own, seed in zip(opened, config.array_seeds, strict=True)
        )
        source = first.with_others(tuple(others))
        settings = source.settings(config, unit, sigma_p, expected)
        cautions: tuple[str, ...] = ()
        if expected is not None:
            cautions = step_cautions(expected, settings, opened[0].rel())
        registers = source.registers(settings, points.features)
        if isinstance(board, SeveralBoards):
            board.take_tables(source.tables(settings, points.features))
        board.configure(registers, points, episodes)
        if learner is None:  # otherwise they follow from the settings after the adaptation
            errors += source.errors(config, settings, points.features, unit, expected)
    except BaseException:
        board.close()
        raise
    return ChainSetup(
        config,
        settings,
        registers,
        points,
        board,
        source.trimmed,
        opened[0].array,
        errors,
        cautions,
        episodes,
        source=source,
        learner=learner,
        encoder=None if learner is None else learner.first,
        others=tuple(own.array for own in opened[1:]),
    )


def _open(
    config: TrainConfig, task: Task, geometry: Geometry, points: Points, say: Say
) -> tuple[list[OpenedArray], Board]:
    """The arrays of a run, and the board or boards that have them."""
    opened = [
        open_array(config.array, config.preset, geometry, seed, task.rel)
        for seed in config.array_seeds
    ]
    geometry = opened[0].array.geometry
    tap = current_tap()
    if tap is not None:
        tapped, board = tap.between(opened[0])
        return [tapped], board
    for name in set(names_of(config.backend)):
        require_simulated_room(name, geometry, points)
    if len(opened) > 1:
        return opened, open_boards(config.backend, [own.array for own in opened], say)
    single = open_board(config.backend, opened[0].array, say)
    if isinstance(single, HardwareBoard) and isinstance(opened[0].array, Die):
        try:
            opened = [replace(opened[0], calibration_array=single.raw_array())]
        except BaseException:
            single.close()
            raise
    return opened, single


def devices_in_use(geometry: Geometry, inputs: int) -> list[int]:
    """Devices of a row that a model with ``inputs`` inputs or the coin programs."""
    coin = range(2 * geometry.max_features, 2 * geometry.pairs)
    return [*range(2 * inputs), *coin]


def reach_us(config: TrainConfig, settings: SamplerSettings, opened: OpenedArray) -> float:
    """Distance from the centre that the targets of a chain keep within, µS.

    It is finite for whitened weights, whose posterior is about as wide as the proposal.
    """
    if not config.whiten or settings.rho == 1:
        return float(np.inf)
    spread = opened.rel() * settings.centre_us / np.sqrt(1 - settings.rho**2)
    return float(REACH * settings.rho * spread)


def with_spread(
    config: TrainConfig,
    settings: SamplerSettings,
    opened: OpenedArray,
    found: Sequence[Characterization],
) -> SamplerSettings:
    """Settings with the gamma of whitened weights for the spread that was measured, the mean over
    the arrays."""
    if not config.whiten or config.gamma is not None:
        return settings
    centre = np.array([settings.centre_us])
    measured = float(np.mean([each.sigma_us(centre)[0] for each in found]))
    ratio = measured / (opened.rel() * settings.centre_us)
    return replace(settings, gamma_us=settings.gamma_us * TRIMMED_GAMMA * ratio)


def choose_settings(
    config: TrainConfig, task: Task, opened: OpenedArray, hidden: int, unit: float
) -> SamplerSettings:
    """The settings that the user chose; defaults that suit task and devices for the others.

    Gamma follows the spread of the array, so that a proposal moves a weight by the same amount on
    all devices. ``unit`` is the posterior spread of a whitened weight.
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
        usual = WHITENED_RHO if opened.ideal else WHITENED_RHO_TRIMMED
        rho = usual if config.rho is None else config.rho
        settings = SamplerSettings.whitened(rel, rho, **common)
    elif hidden and config.rho is not None and config.rho < 1:
        sigma_p = config.width(task.sigma_p)
        settings = SamplerSettings.around_prior(rel, config.rho, sigma_p, hidden=hidden, **common)
    else:
        settings = SamplerSettings(
            rho=1.0 if config.rho is None else config.rho,
            gamma_us=task.gamma_us * rel / task.rel,
            sigma_p=task.sigma_p,
            hidden=hidden,
            **common,
        )
    gamma = settings.gamma_us if config.gamma is None else config.gamma
    tau = settings.tau_us if config.tau is None else config.tau
    wide_every = config.wide_every
    if wide_every is None:  # a random walk over devices that differ would hardly ever be accepted
        wide_every = WHITENED_WIDE_EVERY if config.whiten and opened.ideal else 0
    return replace(settings, gamma_us=gamma / unit, tau_us=tau, wide_every=wide_every)


def warm_up(setup: ChainSetup, announce: Callable[[], None]) -> float | None:
    """Compile what the run needs, so that the run's time is the time of its chain.

    The golden model runs one step and is then restored, bit for bit. ``announce`` is called before
    anything is compiled. Returns the seconds of compilation, or None if the cache on disk holds
    all machine code.
    """
    if isinstance(setup.board, SeveralBoards):
        for part in setup.parts():
            if (seconds := warm_up(part, announce)) is not None:
                return seconds
        return None
    board = setup.board
    if isinstance(board, SmallBoard):
        board = board.model
    elif setup.config.backend != MODEL:
        return None
    began: list[float] = []

    def note_time() -> None:
        began.append(time.perf_counter())
        announce()

    before = board.state_dict()
    with before_compilation(note_time):
        board.start()
        board.run(1)
    taken = time.perf_counter() - began[0] if began else None
    board.load_state_dict(before)
    return taken
