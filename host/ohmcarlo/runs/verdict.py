"""How far the result of a run can be trusted: one verdict, and its reasons with a remedy each.

Table, pictures, JSON and estimator use ``judge``. Its argument holds the values of a result, as in
the JSON file; values that an older version did not write are taken as unknown.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from ..diagnostics import ESS_LIMIT, RHAT_LIMIT, STAY_LIMIT
from ..golden import PUBLISHED
from ..posterior_error import PosteriorError, together
from ..spec.geometry import MIN_GROUPS
from .config import MAX_STEPS

Values = Mapping[str, Any]
PREDICTION_LIMIT = 0.05
"""Standard error of a probability of a network, up to which it can be used."""
NETWORK_CHAINS = 4
"""Fewer chains cannot show that the posterior of a network has other modes."""


class Verdict(StrEnum):
    """What a result is worth, the best first."""

    SETTLED = "settled"
    """Weights, probabilities and their uncertainty can be used."""
    PREDICTIONS = "predictions settled"
    """The chains of a network agree on its probabilities, but not on its weights."""
    ROUGH = "rough"
    """Unbiased, with too few effective samples for an interval."""
    BIASED = "biased"
    """A known imperfection moves the posterior further than a run may be trusted."""
    STICKY = "sticky"
    """A chain stayed in one place for too long; others may have missed that place."""
    DISAGREE = "do not trust"
    """The chains do not agree."""
    UNKNOWN = "unknown"
    """The chains did not move, or too few steps were made."""

    @property
    def label(self) -> str:
        """The verdict as tables and pictures show it."""
        if self in (Verdict.BIASED, Verdict.STICKY):
            return f"DO NOT TRUST ({self.value})"
        return self.value.upper() if self in (Verdict.DISAGREE, Verdict.UNKNOWN) else self.value

    @property
    def usable(self) -> bool:
        """Whether predictions and their uncertainty can be used."""
        return self in (Verdict.SETTLED, Verdict.PREDICTIONS)


SEVERITY = list(Verdict)


@dataclass(frozen=True)
class Finding:
    """One reason for a verdict: a sentence without a full stop, with its remedy."""

    verdict: Verdict
    text: str


@dataclass(frozen=True)
class Judgement:
    """The verdict on a run.

    Attributes
    ----------
    verdict : Verdict
        That of the gravest finding; SETTLED without any.
    findings : tuple of Finding
        The gravest first.
    """

    verdict: Verdict
    findings: tuple[Finding, ...]

    @property
    def reasons(self) -> list[str]:
        """The findings as text."""
        return [finding.text for finding in self.findings]

    def to_dict(self) -> dict[str, Any]:
        """Values for JSON."""
        return {"verdict": self.verdict.value, "verdict_reasons": self.reasons}


def judge(v: Values) -> Judgement:
    """The verdict on a run with the values ``v``."""
    findings = [finding for check in CHECKS for finding in check(v)]
    findings.sort(key=lambda finding: -SEVERITY.index(finding.verdict))
    worst = findings[0].verdict if findings else Verdict.SETTLED
    return Judgement(worst, tuple(findings))


def judge_all(parts: Mapping[str, Values]) -> Judgement:
    """The verdict on several runs that one result needs, by name: that of the worst one."""
    findings = [
        Finding(finding.verdict, f"{name}: {finding.text}")
        for name, values in parts.items()
        for finding in judge(values).findings
    ]
    findings.sort(key=lambda finding: -SEVERITY.index(finding.verdict))
    return Judgement(findings[0].verdict if findings else Verdict.SETTLED, tuple(findings))


def _movement(v: Values) -> Iterator[Finding]:
    if not v["accepted"]:
        fitted = v.get("whiten") and not v.get("adapt")
        first = "fit that the computer began with" if fitted else "first, random weights"
        yield Finding(
            Verdict.UNKNOWN,
            f"no proposal was accepted: every answer is that of the {first}, and the array learnt "
            "nothing; do not trust weights and uncertainties of this run; try " + remedy(v),
        )
    elif v["ess_min"] is None or v["rhat_max"] is None:
        yield Finding(Verdict.UNKNOWN, "too few steps to judge the chains: use more --steps")


def _agreement(v: Values) -> Iterator[Finding]:
    rhat = v["rhat_max"]
    if not v["accepted"] or rhat is None or rhat <= RHAT_LIMIT or v.get("hidden"):
        return
    parts = "two halves of the chain do" if v["chains"] == 1 else "chains do"
    yield Finding(
        Verdict.DISAGREE,
        f"the {parts} not agree yet (R-hat {rhat:.2f}, should be below {RHAT_LIMIT}): do not trust "
        f"weights and uncertainties of this run; try {remedy(v)}",
    )


def _network(v: Values) -> Iterator[Finding]:
    error, level = v.get("prediction_error_max"), _network_rhat(v)
    if not v.get("hidden") or not v["accepted"]:
        return
    if v["chains"] < NETWORK_CHAINS or error is None or level is None:
        yield Finding(
            Verdict.UNKNOWN,
            "the posterior of a network has several modes, and fewer than four chains do not show "
            f"whether they were found: use {_four_chains(v)}",
        )
    elif error > PREDICTION_LIMIT or level > RHAT_LIMIT:
        yield Finding(
            Verdict.DISAGREE,
            "the chains of the network do not agree on its predictions yet (standard error of a "
            f"probability {error:.3f}, should be below {PREDICTION_LIMIT}; R-hat {level:.2f} of "
            f"log-posterior or probabilities, should be below {RHAT_LIMIT}): do not trust "
            f"probabilities and weights of this run; try --steps {_network_steps(v)}",
        )
    elif doubt := _network_weights(v):
        yield Finding(
            Verdict.PREDICTIONS,
            f"the chains agree on the probabilities (standard error {error:.3f} at most), but "
            f"{doubt}: do not interpret the weights of this network",
        )


def _four_chains(v: Values) -> str:
    """The options of a run with ``NETWORK_CHAINS`` chains, and with rows for them."""
    needed = MIN_GROUPS * (v["hidden"] + 1) * NETWORK_CHAINS
    enough = v.get("geometry", {}).get("rows", needed) >= needed
    return f"--chains {NETWORK_CHAINS}{'' if enough else f' --rows {needed}'}"


def _network_weights(v: Values) -> str:
    """What is wrong with the weights of a network whose probabilities are settled; or nothing."""
    if v["rhat_max"] is None or v["ess_min"] is None:
        return ""
    if v["rhat_max"] > RHAT_LIMIT:
        return (
            f"not on the weights (R-hat {v['rhat_max']:.2f}, equivalent hidden units matched; try "
            f"--steps {_steps_for(v, v['rhat_max'])})"
        )
    if (found := min(v["ess_min"], v.get("ess_tail_min") or ESS_LIMIT)) < ESS_LIMIT:
        return (
            f"the worst weight has only {found:,.0f} effective samples ({ESS_LIMIT} are needed; "
            f"try {_more_steps(v)})"
        )
    return ""


def _network_rhat(v: Values) -> float | None:
    """The larger R-hat of log-posterior and probabilities. Chains with the same probabilities in
    other modes differ in the log-posterior, and their shares are not those of the modes."""
    found = [v.get(name) for name in ("log_posterior_rhat", "prediction_rhat_max")]
    return max((rhat for rhat in found if rhat is not None), default=None)


def _network_steps(v: Values) -> int:
    """Steps after which both measures are half their limits: a variance falls with the number of
    steps."""
    error = (v["prediction_error_max"] / PREDICTION_LIMIT) ** 2
    return max(_round_up(2 * v["steps"] * error), _steps_for(v, _network_rhat(v) or 1.0))


def _steps_for(v: Values, rhat: float) -> int:
    """Steps after which R-hat² - 1 is half of its limit, in proportion to 1 / steps."""
    return _round_up(2 * v["steps"] * (rhat**2 - 1) / (RHAT_LIMIT**2 - 1))


def _stickiness(v: Values) -> Iterator[Finding]:
    longest, expected = v.get("longest_stay"), v.get("longest_stay_expected")
    if not longest or not expected or longest <= STAY_LIMIT * expected:
        return
    yield Finding(
        Verdict.STICKY,
        f"a chain stayed at one sample for {longest:,} steps, {longest / expected:.0f} times the "
        f"longest stay that its acceptance rate explains (at most {STAY_LIMIT:g} times is usual): "
        f"it was caught in a far tail, where other chains may be missing; {_unstick(v)}",
    )


def _unstick(v: Values) -> str:
    if v["rho"] == 1 or v.get("hidden"):  # a wide step of a network is hardly wider
        return "use four times the --steps"
    if not v.get("wide_every") and not v.get("trimmed"):  # wide steps need devices that are alike
        return "use --wide-every 10, whose wide steps leave such places, and twice the --steps"
    nearer = 0.8 if v["rho"] < 0.8 else 0.9
    return f"use --rho {nearer}, whose steps depend less on the tails, and twice the --steps"


def _bias(v: Values) -> Iterator[Finding]:
    if v["kernel"] == PUBLISHED:
        yield Finding(
            Verdict.BIASED,
            "the published kernel's posterior is biased (spreads about 20 % too small); "
            "--kernel corrected is exact",
        )
    errors = [PosteriorError.from_dict(e) for e in v.get("posterior_error", {}).values()]
    suspects = [error for error in errors if not error.trusted]
    if not suspects and len(errors) > 1:
        suspects = [error for error in (together(errors),) if not error.trusted]
    for error in suspects:
        way_out = f"; {error.remedy}" if error.remedy else ""
        cause = error.source.replace("_", " ")
        yield Finding(
            Verdict.BIASED,
            f"the posterior is predicted to be off because of the {cause}: means by up to "
            f"{error.mean_sd:.2f} posterior standard deviations, spreads by a factor of "
            f"{error.spread:.2f}{way_out}",
        )


def _sample_size(v: Values) -> Iterator[Finding]:
    bulk, tail = v["ess_min"], v.get("ess_tail_min")
    if not v["accepted"] or bulk is None or v.get("hidden"):
        return
    if bulk < ESS_LIMIT:
        found = f"{bulk:,.0f} effective samples for the worst weight"
    elif tail is not None and tail < ESS_LIMIT:
        found = f"{tail:,.0f} effective samples in the tails of the worst weight"
    else:
        return
    yield Finding(
        Verdict.ROUGH,
        f"only {found} ({ESS_LIMIT} are needed): intervals are rough; try {remedy(v)}",
    )


CHECKS: tuple[Callable[[Values], Iterator[Finding]], ...] = (
    _movement,
    _agreement,
    _network,
    _stickiness,
    _bias,
    _sample_size,
)


def remedy(v: Values) -> str:
    """Options that would make a run like this mix better."""
    if not v["accepted"] and v["retired_rows"]:
        return "an array with more working rows"
    if v.get("hidden"):
        return f"more --steps, or another step size (--gamma, now {v['gamma_us']:.3g} µS)"
    if "whiten" in v and not v["whiten"]:
        return "--whiten, or more --steps"
    return _more_steps(v)


def _more_steps(v: Values) -> str:
    """The number of steps that reaches ESS_LIMIT at the rate of this run, with a reserve."""
    found = [n for n in (v["ess_min"], v.get("ess_tail_min")) if n]
    if not found or min(found) >= ESS_LIMIT:
        return "more --steps"
    return f"--steps {_round_up(2 * v['steps'] * ESS_LIMIT / min(found)):d}"


def _round_up(number: float) -> int:
    """To one digit; at most ``MAX_STEPS``."""
    scale = 10 ** (len(str(int(number))) - 1)
    return min(int(-(-number // scale) * scale), MAX_STEPS)
