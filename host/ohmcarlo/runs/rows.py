"""The lines of a result's table, and the warnings, that every kind of run shares.

``v`` holds the values of a result, as in its JSON file.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from statistics import mode
from typing import Any

from ..array.read_noise import CODES
from ..readable import brief, count, first_few, si
from .setup import proposal_name
from .summary import COMPLETE, distance_in
from .verdict import judge

Rows = list[tuple[str, str]]


def closing_rows(v: Mapping[str, Any]) -> Rows:
    """Energy, coin and time, the last lines of every table."""
    return [("energy, not measured", _energy(v)), ("coin", _coin(v["entropy"])), ("time", _time(v))]


def data(v: Mapping[str, Any]) -> Rows:
    """What was recognised in the data; nothing for a run of an earlier version, or for one of
    several problems."""
    return [("data", v["data"]["recognised"])] if v.get("data") else []


def method(v: Mapping[str, Any]) -> str:
    """Kernel and proposal."""
    return f"{v['kernel']} kernel, {proposal_name(v['rho'], v['wide_every'])}"


def whitened_method(v: Mapping[str, Any], fitted: str) -> str:
    """``method``, and where the coordinates of the chains come from.

    ``fitted`` names what the computer fits if the array does not adapt.
    """
    if not v.get("adapt"):
        return f"{method(v)}, whitened: the computer fits the {fitted}, the array samples around it"
    adaptation = v["adaptation"]
    share = adaptation["energy_joules"] / v["energy_joules"]
    return (
        f"{method(v)}; the array found its coordinates itself, in {adaptation['steps']} steps "
        f"of every chain ({len(adaptation['stages'])} stages, {share:.1%} of the energy)"
    )


def chains(v: Mapping[str, Any]) -> str:
    """Length, acceptance, samples, burn-in."""
    return (
        f"{v['chains']} × {count(v['steps'], 'step')}, {v['acceptance_rate']:.1%} accepted, "
        f"{count(v['samples'], 'sample')}, the first {count(v['burn_in'], 'step')} left out"
        f"{_thinned(v)}"
    )


def _thinned(v: Mapping[str, Any]) -> str:
    every = distance_in(v)
    return f", one step in {every} kept" if every > 1 else ""


def array(v: Mapping[str, Any]) -> str:
    """Size and model of the array."""
    geometry, boards = v["geometry"], v.get("boards") or ()
    several = f"{len(boards)} boards, each with " if boards else ""
    return (
        f"{several}{geometry['rows']} × {geometry['pairs']} pairs = {geometry['devices']:,} "
        f"devices, {array_name(v)}{', trimmed' if v['trimmed'] else ''}"
    )


def array_name(v: Mapping[str, Any]) -> str:
    """The model of the array with its preset or file."""
    kind, _, file = v["array"].partition(":")
    detail = Path(file).name if file else v["preset"]
    return f"{kind} ({detail})" if detail else kind


def wear(v: Mapping[str, Any]) -> str:
    """Pulses per device, retired rows."""
    return (
        f"{v['wear']['mean']:,.1f} SET pulses per device on average, {v['wear']['max']:,} at "
        f"most{_characterisation(v)}; {count(len(v['retired_rows']), 'row')} retired"
    )


def data_reads(v: Mapping[str, Any]) -> tuple[str, str]:
    """The reads for the data, with the share that early rejection left."""
    digital = v.get("dot_products") == CODES
    return (
        "digital dot products" if digital else "array reads for the data",
        f"{v['accesses']:,} = {v['accesses'] / max(1, v['accesses_without_early_reject']):.0%} "
        "of those without early rejection",
    )


def mixing(v: Mapping[str, Any]) -> str:
    """The verdict, and the numbers behind it."""
    verdict, ess, rhat = judge(v).verdict, v["ess_min"], v["rhat_max"]
    if not v["accepted"]:
        return f"{verdict.label}: the chain never moved"
    if ess is None or rhat is None:
        return f"{verdict.label}: too few steps to tell"
    between = " (two halves of one chain)" if v["chains"] == 1 else ""
    if (error := v.get("prediction_error_max")) is not None:
        return (
            f"{verdict.label}: standard error of a probability {error:.3f} at most; split R-hat of "
            f"the log-posterior {v['log_posterior_rhat']:.3f}, of the probabilities "
            f"{v['prediction_rhat_max']:.3f}, of the weights {rhat:.3f}"
        )
    tail = v.get("ess_tail_min")
    tails = "" if tail is None else f", {tail:,.0f} in the tails"
    return (
        f"{verdict.label}: {ess:,.0f} effective samples for the worst weight{tails} "
        f"({1000 * ess / (v['chains'] * (v['steps'] - v['burn_in'])):.1f} per 1,000 steps), split "
        f"R-hat {rhat:.3f}{between}"
    )


def _energy(v: Mapping[str, Any]) -> str:
    low, high = v["energy"]["total"]["low"], v["energy"]["total"]["high"]
    return (
        f"{si(v['energy_joules'], 'J')} modelled from published constants, range "
        f"{si(low, 'J')} to {si(high, 'J')}{_characterisation(v)}"
    )


def _characterisation(v: Mapping[str, Any]) -> str:
    """Whether wear and energy include the characterisation before the run."""
    if not v["trimmed"]:
        return ""
    # recorded cells are characterised on repeats of their own, an aged array before it aged
    apart = v["array"].startswith("measured:") or "@" in v["array"]
    return ", without the characterisation" if apart else ", characterisation included"


def _coin(entropy: Mapping[str, Any]) -> str:
    source = " (emulated: pseudo-random by construction)" if entropy["pseudo_random"] else ""
    fold = entropy["fold"]
    folded = f"each bit is the XOR of {fold} raw bits, " if fold > 1 else ""
    return (
        f"{entropy['min_entropy']:.3f} bit of min-entropy per raw bit, {folded}tested for "
        f"{entropy['tested_min_entropy']:.2f}, {entropy['alarms']} alarms{source}"
    )


def _time(v: Mapping[str, Any]) -> str:
    time = f"{v['wall_seconds']:.2f} s of sampling"
    if not v["clock_cycles"]:
        return time
    clocks, hz = v["clock_cycles"], v["clock_hz"]
    return f"{time}; {clocks:,} clocks, which are {si(clocks / hz, 's')} at {si(hz, 'Hz')}"


def out_of_service(v: Mapping[str, Any]) -> list[str]:
    """Warnings about retired rows, and about chains that stopped early."""
    warnings = []
    if v["retired_rows"]:
        warnings.append(
            f"{count(len(v['retired_rows']), 'row')} out of service: devices that are dead, or "
            f"were driven beyond the range of the ADC ({first_few(v['retired_rows'])})"
        )
    if v["status"] != COMPLETE:
        warnings.append(
            f"the chains stopped after {count(v['steps'], 'step')} ({v['status']}): no free rows "
            "were left; use more --rows or a smaller --gamma"
        )
    return warnings


def widths_text(widths: float | Mapping[str, float]) -> str:
    """Widths of a prior in a few words: the usual one, and those that differ."""
    if not isinstance(widths, Mapping):
        return f"{widths:.3g}"
    usual = mode(widths.values())
    others = {name: width for name, width in widths.items() if width != usual}
    return f"{usual:.3g}, except {brief(others)}"
