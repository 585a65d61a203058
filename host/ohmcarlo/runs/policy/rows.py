"""The table and the warnings of a run that learnt a policy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...spec.cartpole import EPISODE_STEPS
from ..rows import Rows, array, chains, closing_rows, method, mixing, out_of_service, wear
from ..verdict import judge


def policy_rows(v: Mapping[str, Any]) -> Rows:
    """The result of a run, the most important line first."""
    training, test = v["training"], v["test"]
    full = training["episodes_to_full_return"]
    weights = ", ".join(f"{name} {w:+.1f}" for name, w in v["policy"]["weights_us"].items())
    return [
        (
            "return in Gymnasium",
            f"{test['mean_return']:.1f} ± {test['sd']:.1f} of {EPISODE_STEPS} over "
            f"{test['episodes']} episodes; in {test['full']:.0%} of them, the pole did not fall",
        ),
        (
            "training",
            f"{training['episodes']:,} episodes, {training['episodes_of_a_policy']} per policy; "
            f"return {training['first_return']:.1f} at first, "
            f"{training['mean_return_after_burn_in']:.1f} after burn-in; "
            + (f"the first {EPISODE_STEPS} after {full}" if full else f"never {EPISODE_STEPS}"),
        ),
        ("policy", f"{v['policy']['rule']}: {weights} µS"),
        ("method", method(v)),
        ("chains", chains(v)),
        ("weights, uncertainties", mixing(v)),
        ("array", array(v)),
        ("wear", wear(v)),
        *closing_rows(v),
    ]


def policy_warnings(v: Mapping[str, Any]) -> list[str]:
    """Warnings about conclusions that the result does not support, with a remedy each."""
    warnings = []
    if not v["accepted"]:
        warnings.append(
            "no proposal was accepted: the policy is the first, random one; `ohmcarlo "
            "characterize` shows which kernel suits this array"
        )
    elif v["training"]["episodes_to_full_return"] is None:
        warnings.append(
            "no policy kept the pole up for a whole training episode: use more "
            "--steps, or another --seed"
        )
    judgement = judge(v)
    if v["accepted"] and not judgement.verdict.usable:
        warnings.append(
            "the run is a search, and its samples do not show the uncertainty of the weights: "
            f"{judgement.reasons[0]}"
        )
    return warnings + out_of_service(v)
