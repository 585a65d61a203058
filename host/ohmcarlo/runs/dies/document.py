"""The report of an array: what a group shows in its meeting.

The numbers are those of ``DieFindings``; ``pictures.pages`` draws them.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ...array.characterize.estimates import Estimate, Estimates, Origin
from ...array.characterize.fit import preset_of
from ...array.characterize.population import Population, quantiles
from ...array.read_noise import Law
from ...errors import UsageError
from ...pictures.devices import draw_ages, draw_correlation, draw_read_noise
from ...pictures.document import Document, Page, Panel, TextTable
from ...pictures.population import (
    draw_hrs,
    draw_kernels,
    draw_set_law,
    draw_sigma_ratio,
    draw_spreads,
)
from ...readable import brief, count, first_few
from ..recordings import MEASURED, sweep_of
from .findings import DieFindings
from .lines import verdict_rows

SHORTEST = 1.0  # correlation length of a slow process, pulses
NOT_REPLAYED = ("slow_share", "slow_phi", "memory", "read_noise_rel")
"""Constants that recorded cells lose when single values are drawn from them."""
PAIR = (28, 100)  # widths of a column of names and a column of text


def document_of(findings: DieFindings) -> Document:
    """The pages about an array."""
    return Document(
        title=f"Report of {_name(findings)}",
        subtitle=_subtitle(findings),
        pages=(
            _verdict(findings),
            _kernels(findings),
            _programming(findings),
            _cycles(findings),
            *_age(findings),
            _constants(findings),
        ),
    )


def _name(findings: DieFindings) -> str:
    config = findings.config
    if findings.fitted:
        return f"devices fitted to {Path(findings.fitted).name}"  # with its conditions
    path = sweep_of(config.array)
    if path is not None:
        return f"recorded cells of {path.name}"
    return f"array {config.array}{f' ({config.preset})' if config.preset else ''}"


def _subtitle(findings: DieFindings) -> str:
    config = findings.config
    return (
        f"{_name(findings)} · {config.rows} rows × {config.pairs} pairs = "
        f"{findings.geometry.devices:,} devices · seed {config.seed} · ohmcarlo characterize"
    )


def _verdict(findings: DieFindings) -> Page:
    (_, shown), *rows = verdict_rows(findings.evidence, findings.verdict)
    return Page(
        title=f"Verdict: {shown}",
        sentences=tuple(_origin(findings)),
        tables=(TextTable((), tuple(rows), PAIR),),
    )


def _kernels(findings: DieFindings) -> Page:
    kernels = findings.verdict.kernels
    names = [
        f"{kernel.name.partition(' (')[0]}\n{_trim(kernel.trimmed)}"
        for kernel in findings.verdict.kernels
    ]
    loads = [kernel.of_limit for kernel in kernels]
    rows = tuple(
        (kernel.name, _trim(kernel.trimmed), kernel.carried.value, kernel.reason)
        for kernel in kernels
    )
    header = ("kernel", "devices", "carried", "measured and predicted errors")
    return Page(
        title="Kernels",
        sentences=(
            "The random walk is exact on devices that hit their targets: offset and differences "
            "between devices bias it.",
            "The autoregressive proposal on whitened weights, which train uses, tolerates far "
            "more. Its error is that of the posterior means (in posterior standard deviations) "
            "and spreads of a run with the default settings, as predicted from the devices.",
        ),
        panels=(Panel("kernels", partial(draw_kernels, names=names, of_limit=loads), 0.22),),
        tables=(TextTable(header, rows, (38, 12, 12, 70)),),
    )


def _trim(trimmed: bool) -> str:
    return "trimmed" if trimmed else "untrimmed"


def _origin(findings: DieFindings) -> Iterator[str]:
    """Where devices and array come from."""
    if findings.fitted:
        yield (
            f"The device model was fitted to {findings.estimates.pulses:,} pulses of "
            f"{count(findings.estimates.devices, 'device')}. The array is made of such devices; it "
            "is a model, not a die."
        )
    elif _recorded(findings):
        yield (
            "Each device of the array is a recorded cell. A SET draws one of the values that the "
            "cell gave at that level, so that the order of its pulses is lost."
        )
    else:
        yield (
            f"Every device of the array was programmed and read: {findings.untrimmed.cycles} "
            f"pulses at each of {len(findings.untrimmed.targets_us)} targets, before and after "
            "its trim."
        )
    if findings.evidence.expectation is not None:
        yield (
            "Effective samples, energy and pulses are expected from a short run on this array; "
            "brackets are 95 % intervals. The energy is modelled: counted operations times "
            "published constants."
        )


# -- devices -----------------------------------------------------------------------------------


def _programming(findings: DieFindings) -> Page:
    found, devices = findings.estimates, findings.population
    # the recording of an array of recorded cells has voltages, the array has targets
    same = findings.recording.get("unit") == found.unit
    level = str(findings.recording["level"]) if same else ""
    panels = [
        Panel("set-law", partial(draw_set_law, found=found, devices=devices, level=level)),
        Panel("spread", partial(draw_spreads, found=found, laws=laws_of(found))),
    ]
    if devices.sigma_ratio.size:
        panels.append(Panel("spread-of-devices", partial(draw_sigma_ratio, devices=devices)))
    return Page("SET law and spread", tuple(_spread_sentences(findings)), tuple(panels))


def laws_of(found: Estimates) -> tuple[Law, Law] | None:
    """The laws of both spreads over the conductance in the fitted model; None without a model."""
    try:
        preset = preset_of(found, "fitted")
    except UsageError:
        return None
    return preset.c2c, preset.d2d_us


def _spread_sentences(findings: DieFindings) -> Iterator[str]:
    found, devices = findings.estimates, findings.population
    means, sigmas, between = (
        np.array([e.value for e in values])
        for values in (found.mean_us, found.sigma_us, found.d2d_us)
    )
    unit = found.unit
    yield (
        f"The median conductance rises from {means[0]:.0f} to {means[-1]:.0f} µS between "
        f"{found.levels[0]:.3g} and {found.levels[-1]:.3g} {unit} "
        f"({len(means)} levels, {found.pulses:,} pulses of {count(found.devices, 'device')})."
    )
    middle = int(np.abs(means - (means[0] + means[-1]) / 2).argmin())
    yield (
        f"At {means[middle]:.0f} µS, the spread from cycle to cycle is {sigmas[middle]:.1f} µS "
        f"({sigmas[middle] / means[middle]:.1%}), and the spread from device to device is "
        f"{between[middle]:.1f} µS ({between[middle] / means[middle]:.1%})."
    )
    yield _sigma_of_devices(found, devices)
    if devices.silent:
        yield (
            f"{count(devices.silent, 'device')} of {devices.devices:,} "
            f"({devices.silent / devices.devices:.1%}) did not follow the programming level or "
            "gave no usable value."
        )
    else:
        yield f"All {devices.devices:,} devices follow the programming level."


def _sigma_of_devices(found: Estimates, devices: Population) -> str:
    """Whether single devices differ in their spread."""
    if not devices.sigma_ratio.size:
        return "The spread of single devices is not known: their pulses show none."
    low, _, high = quantiles(devices.sigma_ratio)
    beyond = found.constants.get("c2c_device_ln")
    seen = (
        f"80 % of them have {low:.2f} to {high:.2f} times the typical σ. With "
        f"{np.median(devices.pulses):.0f} pulses a device, chance alone explains "
        f"±{devices.chance:.0%}."
    )
    if beyond is None or not beyond.low:
        return f"Devices do not differ in their spread beyond chance: {seen}"
    return (
        f"Devices differ in their spread: {seen} Beyond chance, ln σ has a standard deviation of "
        f"{_constant(found, 'c2c_device_ln')}."
    )


def _cycles(findings: DieFindings) -> Page:
    found, devices = findings.estimates, findings.population
    panels = []
    if not _recorded(findings):
        panels.append(Panel("correlation", partial(draw_correlation, found=found)))
    if found.read_noise and not _recorded(findings):
        panels.append(Panel("read-noise", partial(draw_read_noise, found=found)))
    if devices.hrs_us.size:
        panels.append(Panel("state-after-reset", partial(draw_hrs, devices=devices)))
    return Page(
        title="Correlation, read noise and RESET",
        sentences=tuple(_cycle_sentences(findings)),
        panels=tuple(panels),
    )


def _cycle_sentences(findings: DieFindings) -> Iterator[str]:
    found, devices = findings.estimates, findings.population
    if _recorded(findings):
        yield (
            "Correlation over cycles: an array of recorded cells does not keep it; "
            "`characterize --fit` on the same file estimates it."
        )
    else:
        yield _correlation(found)
    yield _read_noise(findings)
    if devices.hrs_us.size:
        low, middle, high = quantiles(devices.hrs_us)
        yield (
            f"After RESET, the median conductance is {middle:.3g} µS (80 % between {low:.3g} and "
            f"{high:.3g} µS). The lowest SET level is {devices.window:.1f} times the 90 % quantile."
        )
    else:
        yield "State after RESET: it is not known, because the file does not contain it."


def _age(findings: DieFindings) -> list[Page]:
    """Effect of endurance cycles; no page without a model of it."""
    if not findings.ages:
        return []
    sentence = "The effect of endurance cycles is modelled; this array was not aged."
    panel = Panel("age", partial(draw_ages, ages=findings.ages))
    return [Page("Age", (sentence,), (panel,))]


def _correlation(found: Estimates) -> str:
    """What is known of the slow process of a device."""
    share = _constant(found, "slow_share")
    slow = found.constants.get("slow_share")
    if slow is not None and slow.origin is Origin.ASSUMED:
        return (
            "Correlation over cycles: the cycles are too few to show a slow process; its share of "
            f"the variance is assumed to be {share}."
        )
    memory = found.constants.get("memory")
    if slow is None or not slow.low or memory is None or memory.value < SHORTEST:
        return (
            "Correlation over cycles: no slow process is seen; its share of the variance is "
            f"{share}."
        )
    return (
        f"Correlation over cycles: a slow process of each device carries the share {share} of the "
        f"variance, with a correlation length of {_constant(found, 'memory')} pulses."
    )


def _read_noise(findings: DieFindings) -> str:
    """What is known of the noise of a read."""
    noise = findings.estimates.constants.get("read_noise_rel")
    measured = noise is not None and noise.origin is Origin.FITTED and not _recorded(findings)
    if measured:
        percent = _constant(findings.estimates, "read_noise_rel", 100)
        return f"Read noise of a single read: {percent} % of the conductance."
    unknown = (
        "Read noise: it is not known, because the file has no repeated reads of one state. The "
        "spread from cycle to cycle includes it."
    )
    if noise is None or _recorded(findings):
        return unknown
    return f"{unknown} The model takes {noise.value:.2%} of the conductance ({noise.origin})."


def _recorded(findings: DieFindings) -> bool:
    """Whether the devices replay values of a file."""
    return findings.config.array.startswith(MEASURED)


def _constant(found: Estimates, name: str, scale: float = 1.0) -> str:
    """A constant with its interval, both times ``scale``, without a unit."""
    e = found.constants.get(name)
    if e is None:
        return "unknown"
    if e.low is None or e.high is None:
        return f"{scale * e.value:.3g}"
    return f"{scale * e.value:.3g} [{scale * e.low:.3g}, {scale * e.high:.3g}]"


# -- constants and file ------------------------------------------------------------------------


def _constants(findings: DieFindings) -> Page:
    rows = tuple(
        (name, *_parts(e))
        for name, e in findings.estimates.constants.items()
        if not (_recorded(findings) and name in NOT_REPLAYED)
    )
    header = ("constant", "value", "95 % interval", "unit", "origin")
    tables = [TextTable(header, rows, (30, 16, 30, 30, 24), "Constants of the device model")]
    if findings.recording:
        tables.append(TextTable((), tuple(_file(findings.recording)), PAIR, "File"))
    return Page(title="Constants and file", tables=tuple(tables))


def _parts(e: Estimate) -> tuple[str, str, str, str]:
    interval = "none" if e.low is None else f"{e.low:.4g} to {e.high:.4g}"
    return f"{e.value:.4g}", interval, e.unit, str(e.origin)


def _file(recording: Any) -> Iterator[tuple[str, str]]:
    """What was recognised in a file, and what was left out."""
    yield "file", f"{Path(recording['file']).name}, {recording['format']}"
    yield (
        "content",
        f"{count(recording['pulses'], 'pulse')} of {count(recording['devices'], 'device')}; "
        f"swept: {recording['level']} ({recording['unit']})",
    )
    if recording["conditions"]:
        yield "conditions", brief(recording["conditions"])
    if recording["recognised"]:
        yield "recognised", "; ".join(recording["recognised"])
    silent = recording["silent_devices"]
    yield "silent devices", first_few(silent) if silent else "none"
    reasons: dict[str, list[int]] = {}
    for left in recording["left_out"]:
        reasons.setdefault(left["reason"], []).extend(left["lines"])
    for reason, lines in reasons.items():
        yield "left out", f"{count(len(lines), 'line')}: {reason} (line {first_few(sorted(lines))})"
    if not reasons:
        yield "left out", "nothing"
