"""From a configuration to a configured board: array, settings, registers."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..array.base import Array
from ..array.characterize.characterization import Characterization
from ..array.die import Die
from ..boards import (
    MODEL,
    Board,
    HardwareBoard,
    Say,
    SmallBoard,
    open_board,
    require_simulated_room,
)
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
        return (
            f"array: {geometry.rows} rows × {geometry.pairs} pairs "
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
    """

    task: Task
    opened: OpenedArray
    found: Characterization | None
    calibration: Calibration
    read_back: ReadBack
    lines: Lines | None
    dot_products: str
    can_be_computed: tuple[str, ...]
    judged: bool
    hidden: int

    @classmethod
    def measure(
        cls,
        config: TrainConfig,
        task: Task,
        opened: OpenedArray,
        board: Board,
        say: Say,
        *,
        inputs: int,
        reach_us: float,
        judged: bool,
        hidden: int,
    ) -> ChainSource:
        """Characterise the array, unless its devices are alike. ``reach_us`` is the distance from
        the centre that the targets keep within, ``inputs`` the inputs of a row."""
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
        if self.found is not None:
            settings = with_spread(config, settings, self.opened, self.found)
        raw = self.opened.raw_bits(self.found)
        return replace(
            settings,
            dot_products=self.dot_products,
            repeats=config.repeats,
            fold=raw.fold,
            min_entropy=raw.min_entropy,
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
        """The predicted errors of a posterior that the window and the devices cause."""
        errors: tuple[PosteriorError, ...] = ()
        if expected is not None:
            errors += window_errors(expected, settings, config.gamma is not None)
        known = expected
        if known is None:
            known = Expected(np.zeros(features), np.full(features, unit))
        if not (self.hidden or self.judged):
            found = self.found
            if found is None:
                found = measure_untrimmed(config, self.opened, self.task.rel, features)
            sigma = self.read_back.averaged(config.repeats)
            errors += mismatch_errors(config, settings, found, self.trimmed, sigma, known.sd)
        if not self.judged:  # a policy is that of the codes
            errors += read_noise_error(
                self.dot_products, config.repeats, self.read_back, self.can_be_computed
            )
            errors += wire_errors(self.lines, settings, known, self.can_be_computed)
        return errors


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
    opened = open_array(config.array, config.preset, geometry, config.array_seed, task.rel)
    geometry = opened.array.geometry
    first = choose_settings(config, task, opened, hidden, unit)
    board: Board
    tap = current_tap()
    if tap is None:
        require_simulated_room(config.backend, geometry, points)
        board = open_board(config.backend, opened.array, say)
    else:
        opened, board = tap.between(opened)
    try:
        if isinstance(board, HardwareBoard) and isinstance(opened.array, Die):
            opened = replace(opened, calibration_array=board.raw_array())
        source = ChainSource.measure(
            config,
            task,
            opened,
            board,
            say,
            inputs=max(points.features, hidden + 1),
            reach_us=reach_us(config, first, opened),
            judged=episodes is not None,
            hidden=hidden,
        )
        settings = source.settings(config, unit, sigma_p, expected)
        cautions: tuple[str, ...] = ()
        if expected is not None:
            cautions = step_cautions(expected, settings, opened.rel())
        registers = source.registers(settings, points.features)
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
        opened.array,
        errors,
        cautions,
        episodes,
        source=source,
        learner=learner,
        encoder=None if learner is None else learner.first,
    )


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
    config: TrainConfig, settings: SamplerSettings, opened: OpenedArray, found: Characterization
) -> SamplerSettings:
    """Settings with the gamma of whitened weights for the spread that was measured."""
    if not config.whiten or config.gamma is not None:
        return settings
    measured = float(found.sigma_us(np.array([settings.centre_us]))[0])
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
