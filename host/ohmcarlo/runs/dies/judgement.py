"""The verdict on an array: which kernels suit it, and what limits its use."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from ...array.characterize.characterization import (
    RANDOM_WALK_D2D,
    RANDOM_WALK_OFFSET,
    Characterization,
)
from ...array.raw_bits import RawBits
from ...array.read_noise import ARRAY, CODES
from ...diagnostics import ESS_LIMIT
from ...posterior_error import TRUSTED_SD, TRUSTED_SPREAD, PosteriorError, together
from ...readable import power
from ..defaults import CHAIN_GROUPS, CHAINS
from ..device_errors import WHITENED_RHO_TRIMMED
from ..wire_errors import Lines, usual_wire_errors
from .expectation import Expectation, Rows, Wear

ENDURANCE_CYCLES = 1e6
"""Of 28 nm 1T1R OxRAM (doi 10.3389/fnano.2025.1549547); others reach 10⁵ to 10¹⁰ cycles."""
WRONG = 2.0
"""A predicted error of so many times its limit makes an array unusable."""
WORN_SHARE = 0.1
"""Share of the endurance from which on the pulses of one run are a limit."""
REFERENCE_RHAT = 1.3
"""Largest R-hat of the short chains of a reference run; those of usual arrays are below 1.1."""


class Standing(StrEnum):
    """Verdicts on an array, the best first."""

    EVERY = "carries every kernel"
    ADAPTED = "carries chains that adapt"
    LIMITED = "usable with limits"
    UNUSABLE = "not usable"


class Carried(StrEnum):
    """Whether an array carries a kernel."""

    YES = "yes"
    LIMITED = "with limits"
    NO = "no"


@dataclass(frozen=True)
class Kernel:
    """Whether an array carries a kernel.

    Attributes
    ----------
    name : str
    trimmed : bool
        The devices are corrected first.
    carried : Carried
    of_limit : float
        The largest of the numbers in ``reason`` over its limit.
    reason : str
        A phrase with numbers.
    """

    name: str
    trimmed: bool
    carried: Carried
    of_limit: float
    reason: str

    @property
    def usable(self) -> bool:
        """Whether the kernel is carried without limits."""
        return self.carried is Carried.YES


@dataclass(frozen=True)
class Endurance:
    """SET pulses of a default run against the endurance of the devices.

    Attributes
    ----------
    cycles : float
        Endurance of a device.
    given : bool
        The user gave ``cycles``; otherwise they are assumed.
    wear : Wear
        Of a default run.
    """

    cycles: float
    given: bool
    wear: Wear

    @property
    def runs(self) -> float:
        """Runs until the device with the most pulses reaches its endurance."""
        return self.cycles / max(self.wear.most, 1.0)

    def to_dict(self) -> dict[str, Any]:
        """Values for JSON."""
        return asdict(self) | {"runs": self.runs}


@dataclass(frozen=True)
class DieVerdict:
    """The verdict.

    Attributes
    ----------
    standing : Standing
    advice : str
        What to do with the array, or why it cannot be used.
    limits : tuple of str
        What makes it unusable, or limits its use; a sentence without a full stop each.
    kernels : tuple of Kernel
    dot_products : str
        Where they should be computed: ``array`` or ``codes``.
    error : PosteriorError
        Predicted for a run with the default settings.
    """

    standing: Standing
    advice: str
    limits: tuple[str, ...]
    kernels: tuple[Kernel, ...]
    dot_products: str
    error: PosteriorError

    def to_dict(self) -> dict[str, Any]:
        """Values for JSON."""
        return asdict(self) | {
            "standing": self.standing.value,
            "error": self.error.to_dict(),
        }


@dataclass(frozen=True, eq=False)
class Evidence:
    """What a verdict rests on.

    Attributes
    ----------
    untrimmed, trimmed : Characterization
        Before and after the correction of the devices.
    rows : Rows
    expectation : Expectation or None
        Of the reference run, if one was made.
    failure : str
        Why the reference run could not be made; empty if it was, or if it was left out.
    endurance : Endurance or None
        None without a reference run.
    usual, usual_untrimmed : PosteriorError
        The predicted error of a run with the usual options, as far as the devices alone tell: on
        devices that are corrected, and as they are.
    lines : Lines or None
        With resistance.
    coin : RawBits or None
        Quality of the coin's raw bits; None: as measured on ``untrimmed``.
    """

    untrimmed: Characterization
    trimmed: Characterization
    rows: Rows
    expectation: Expectation | None
    failure: str
    endurance: Endurance | None
    usual: PosteriorError
    usual_untrimmed: PosteriorError
    lines: Lines | None = None
    coin: RawBits | None = None

    @property
    def dot_products(self) -> str:
        """Where they should be computed: ``array`` or ``codes``."""
        if self.lines is not None and not self.lines.tolerable:
            return CODES
        return self.untrimmed.dot_products

    @property
    def usual_wires(self) -> tuple[PosteriorError, ...]:
        """The error that the lines would cause with dot products of the array, all inputs used."""
        return usual_wire_errors(self.lines, self.untrimmed)

    @property
    def usual_errors(self) -> tuple[PosteriorError, ...]:
        """The predicted errors of a run with the usual options on devices that are corrected."""
        return (self.usual, *(self.usual_wires if self.dot_products == ARRAY else ()))

    @property
    def error(self) -> PosteriorError:
        """The predicted error of a run with the default settings."""
        if self.expectation is None:
            return together(self.usual_errors)
        return together(self.expectation.errors) if self.expectation.errors else NO_ERROR


NO_ERROR = PosteriorError("devices", 0.0, 0.0, 1.0)


def judge_die(evidence: Evidence) -> DieVerdict:
    """The verdict on an array."""
    hopeless, limits = list(_hopeless(evidence)), list(_limits(evidence))
    kernels = kernels_of(evidence)
    random_walk = kernels[0].usable or kernels[1].usable
    standing = Standing.EVERY if random_walk else Standing.ADAPTED
    if limits:
        standing = Standing.LIMITED
    if hopeless:
        standing = Standing.UNUSABLE
    return DieVerdict(
        standing=standing,
        advice=_advice(evidence, kernels, hopeless),
        limits=(*hopeless, *limits),
        kernels=kernels,
        dot_products=evidence.dot_products,
        error=evidence.error,
    )


def kernels_of(evidence: Evidence) -> tuple[Kernel, ...]:
    """Whether the array carries the random walk and the autoregressive proposal, each without a
    trim and with it."""
    expected = evidence.expectation
    rho = WHITENED_RHO_TRIMMED if expected is None else expected.rho
    name = f"autoregressive, rho {rho:g} (whitened or adapted)"
    return (
        _walk(evidence.untrimmed, False),
        _walk(evidence.trimmed, True),
        _autoregressive(name, evidence.usual_untrimmed, False, bool(evidence.failure)),
        _autoregressive(name, evidence.error, True, bool(evidence.failure)),
    )


def _walk(found: Characterization, trimmed: bool) -> Kernel:
    of_limit = max(
        abs(found.common_offset_rel) / RANDOM_WALK_OFFSET, found.d2d_rel / RANDOM_WALK_D2D
    )
    carried = Carried.YES if found.random_walk else Carried.NO
    return Kernel("random walk", trimmed, carried, of_limit, _walk_reason(found))


def _autoregressive(name: str, error: PosteriorError, trimmed: bool, failed: bool) -> Kernel:
    of_limit = _of_limit(error)
    carried = Carried.YES if error.trusted else Carried.LIMITED
    if failed or of_limit > WRONG:
        carried = Carried.NO
    return Kernel(name, trimmed, carried, of_limit, error_text(error))


def _of_limit(error: PosteriorError) -> float:
    """The larger of the errors of mean and spread, over its limit."""
    return max(error.mean_sd / TRUSTED_SD, abs(error.spread - 1) / TRUSTED_SPREAD)


def _walk_reason(found: Characterization) -> str:
    return (
        f"common offset {found.common_offset_rel:+.2%} (limit ±{RANDOM_WALK_OFFSET:.1%}), device "
        f"to device {found.d2d_rel:.1%} (limit {RANDOM_WALK_D2D:.0%})"
    )


def error_text(error: PosteriorError) -> str:
    """A predicted error and its limits, as a phrase."""
    return (
        f"means within {error.mean_sd:.3f} posterior sd (rms {error.mean_sd_rms:.3f}; limit "
        f"{TRUSTED_SD:g}), spreads {error.spread - 1:+.0%} (limit ±{TRUSTED_SPREAD:.0%})"
    )


def _hopeless(evidence: Evidence) -> Iterator[str]:
    """Reasons why the array carries no kernel."""
    rows = len(evidence.untrimmed.bad_rows)
    if problem := (evidence.coin or evidence.untrimmed.raw_bits).problem:
        yield problem
    if evidence.rows.inputs < 2:
        yield "a row has room for the bias only: use more --pairs"
    elif not evidence.rows.chains:
        yield (
            f"only {evidence.rows.good} of {rows} rows have no dead device among those of "
            f"{evidence.rows.inputs} inputs and the coin, and a chain needs {CHAIN_GROUPS} rows: "
            f"{_fewer_inputs(evidence.rows)}"
        )
    elif evidence.failure:
        yield f"the reference run failed: {evidence.failure}"
    if _of_limit(evidence.error) > WRONG and evidence.rows.chains:
        yield (
            f"the posterior is predicted to be wrong: {error_text(evidence.error)}; use a larger "
            "--rows"
        )
    if evidence.endurance is not None and evidence.endurance.runs < 1:
        yield (
            f"one default run takes up to {evidence.endurance.wear.most:,.0f} SET pulses of a "
            f"device, more than its {power(evidence.endurance.cycles)} cycles of endurance"
        )


def _fewer_inputs(rows: Rows) -> str:
    """A remedy for too many dead devices."""
    if rows.most_inputs > 1:
        return (
            f"with up to {rows.most_inputs} inputs there are enough for {CHAINS} chains "
            f"(--features {rows.most_inputs - 1})"
        )
    return "use a larger --rows"


def _limits(evidence: Evidence) -> Iterator[str]:
    """What limits the use of the array."""
    rows = evidence.rows
    if 0 < rows.chains < CHAINS:
        yield (
            f"{rows.good} rows work with {rows.inputs} inputs, too few for {CHAINS} chains: use "
            f"--chains {rows.chains}, or {_fewer_inputs(rows)}"
        )
    error = evidence.error
    if not error.trusted and _of_limit(error) <= WRONG:
        yield (
            f"a default run is not called settled: {error_text(error)}; take more --steps or --rows"
        )
    expected = evidence.expectation
    if expected is not None:
        reached = expected.ess_per_1000_steps.value * expected.sampling_steps / 1000
        if reached < ESS_LIMIT:
            yield (
                f"a default run reaches about {reached:,.0f} effective samples, and {ESS_LIMIT} "
                "are needed: take more --steps"
            )
        if expected.rhat > REFERENCE_RHAT:
            yield f"the chains of the reference run do not agree (R-hat {expected.rhat:.2f})"
    endurance = evidence.endurance
    if endurance is not None and 1 <= endurance.runs < 1 / WORN_SHARE:
        yield (
            f"{int(endurance.runs)} default runs use up the endurance of the most used device "
            f"({endurance.wear.most:,.0f} of {power(endurance.cycles)} cycles each)"
        )


def _advice(evidence: Evidence, kernels: tuple[Kernel, ...], hopeless: list[str]) -> str:
    """What to do with the array; the best kernel comes first."""
    if hopeless:
        return f"not usable because {hopeless[0]}"
    plain, trimmed, untrimmed_adapted, _ = kernels
    adapting = "let the chains adapt (the default of train)"
    if plain.usable:
        kernel = f"any kernel works, trimmed or not; {adapting}, which mixes best"
    elif trimmed.usable:
        kernel = f"trim it (train does), then any kernel works; {adapting}, which mixes best"
    elif untrimmed_adapted.usable:
        kernel = f"{adapting}, trimmed or not; the random walk stalls or is biased"
    else:
        kernel = f"trim it and {adapting}; the random walk stalls or is biased"
    return f"{kernel}; {_dots_advice(evidence)}"


def _dots_advice(evidence: Evidence) -> str:
    """Where to compute dot products, and why."""
    if evidence.dot_products == ARRAY:
        return "dot products of the array"
    noisy = evidence.untrimmed.dot_products == CODES
    reason = (
        f"read noise (spreads would be {evidence.untrimmed.excess_spread:.0%} too wide)"
        if noisy or evidence.lines is None
        else f"line resistance (weights would be off by up to {evidence.lines.loss:.0%})"
    )
    return f"dot products from the codes read back, because of the {reason}"
