"""The verdict on an array as lines of text, for the screen and for a report."""

from __future__ import annotations

from ...readable import count, power, si
from .expectation import Expectation, Range
from .judgement import DieVerdict, Endurance, Evidence, Standing, error_text

Rows = list[tuple[str, str]]


def verdict_rows(evidence: Evidence, verdict: DieVerdict) -> Rows:
    """Verdict, advice, limits, and what a run with the default settings is expected to cost."""
    standing = verdict.standing
    shown = standing.value.upper() if standing == Standing.UNUSABLE else standing.value
    rows = [("verdict", shown), ("advice", verdict.advice)]
    # the advice names the first limit of an array that cannot be used
    skipped = 1 if standing == Standing.UNUSABLE else 0
    rows += [("limit", limit) for limit in verdict.limits[skipped:]]
    if evidence.expectation is not None:
        rows += expectation_rows(evidence.expectation)
    rows.append(("posterior error to expect", error_text(verdict.error)))
    if evidence.endurance is not None:
        rows.append(("endurance", endurance_text(evidence.endurance)))
    rows.append(("basis", basis_text(evidence)))
    return rows


def expectation_rows(expected: Expectation) -> Rows:
    """Effective samples and energy of a run with the default settings."""
    return [
        (
            "effective samples to expect",
            f"{_range(expected.ess_per_1000_steps)} per 1,000 steps (worst weight), "
            f"{_range(expected.ess_per_million_pulses)} per million SET pulses",
        ),
        ("energy to expect", f"{_joules(expected.energy_per_ess_j)} per effective sample"),
    ]


def endurance_text(endurance: Endurance) -> str:
    """Pulses of a default run against the endurance."""
    origin = "given" if endurance.given else "assumed: --endurance"
    wear = endurance.wear
    return (
        f"a device that holds weights takes {_digits(wear.mean)} SET pulses in a default run "
        f"(trim {_digits(wear.trim)}, adaptation {_digits(wear.adaptation)}, sampling "
        f"{_digits(wear.sampling)}), the most used one {_digits(wear.most)}: "
        f"{count(int(_plain(endurance.runs)), 'run')} in {power(endurance.cycles)} cycles "
        f"({origin})"
    )


def basis_text(evidence: Evidence) -> str:
    """What the expectation rests on."""
    expected = evidence.expectation
    if expected is None:
        return "no reference run: the error follows from the measured devices alone"
    return (
        f"reference run on this array: {expected.task}, {expected.weights} weights, "
        f"{expected.chains} × {expected.steps:,} steps, rho {expected.rho:g}, "
        f"{expected.acceptance:.0%} accepted; a default run has "
        f"{count(expected.run_steps, 'step')}, adaptation included"
    )


def _range(found: Range) -> str:
    return f"{_digits(found.value)} [{_digits(found.low)}, {_digits(found.high)}]"


def _plain(value: float) -> float:
    """A number with two digits."""
    return float(f"{value:.2g}")


def _digits(value: float) -> str:
    """Two digits, and a comma in large numbers."""
    return f"{_plain(value):,.10g}"


def _joules(found: Range) -> str:
    """An energy with its interval."""
    return f"{si(found.value, 'J')} [{si(found.low, 'J')}, {si(found.high, 'J')}]"
