"""How the command line shows a characterised array and the checks of a self-test."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.markup import escape
from rich.table import Table

from ..array.characterize.estimates import Estimate, Origin
from ..runs.recordings import MEASURED
from ..runs.rows import array_name
from .console import Console, Rows

if TYPE_CHECKING:
    from ..selftest.chain import Check

FITTED = "Constants of the device model [95 % interval]"
TARGET_COLUMNS = {
    "target µS": "target_us",
    "mean reached µS": "mean_us",
    "cycle to cycle σ µS": "sigma_c2c_us",
    "device to device σ µS": "sigma_d2d_us",
}


def show_characterization(
    console: Console, values: Mapping[str, Any], constants: bool = True
) -> None:
    """A table over the programming targets, and tables of the array, the fit and the ages.

    ``constants``: those of the fit have not been shown yet.
    """
    console.json(values)
    table = Table(title="Programming (median over devices)", title_justify="left")
    for column in TARGET_COLUMNS:
        table.add_column(column, justify="right")
    for cells in zip(*(values[name] for name in TARGET_COLUMNS.values()), strict=True):
        table.add_row(*(f"{cell:.1f}" for cell in cells))
    console.out.print(table)
    console.table("Array", characterization_rows(values))
    if constants:
        console.table(FITTED, constant_rows(values["fit"]))
    console.table("Verdict", [(name, text) for name, text in values["verdict"]["lines"]])
    if values["ages"]:
        console.table("Age (a model of it: not measured)", age_rows(values["ages"]))


def characterization_rows(v: Mapping[str, Any]) -> Rows:
    """Properties of an array."""
    return [
        (
            "array",
            f"{v['rows']} × {v['pairs']} pairs = {v['devices']:,} devices, {array_name(v)}",
        ),
        ("measured", f"{v['cycles_per_target']} SET pulses per device and target"),
        ("untrimmed", _spread(v["untrimmed"])),
        ("trimmed", _spread(v["trimmed"])),
        (
            "devices that do not follow",
            f"{v['dead_devices']:,}; {v['rows_without_dead_devices']:,} of {v['rows']:,} rows have "
            "none",
        ),
        (
            "differ in spread",
            f"σ(ln σ) = {v['sigma_spread_ln']:.2f} between devices",
        ),
        *_memory_rows(v),
        ("coin", _coin(v["raw_bits"])),
        *_lines(v["wires"]),
    ]


def constant_rows(fit: Mapping[str, Any]) -> Rows:
    """Constants with interval and origin, then what was left out."""
    found = {name: Estimate(**e) for name, e in fit["constants"].items()}
    return [
        *((name, f"{e}, {Origin(e.origin)}") for name, e in found.items()),
        *(("note", note) for note in fit["notes"]),
    ]


def age_rows(ages: Sequence[Mapping[str, Any]]) -> Rows:
    """Effect of cycles on median, spread and stuck share."""
    return [
        (
            f"{age['cycles']:.0e} cycles" if age["cycles"] else "fresh",
            f"median × {age['median_gain'][0]:.3f}, σ × {age['sigma_gain'][0]:.2f}, "
            f"{age['stuck'][0]:.1%} stuck",
        )
        for age in ages
    ]


def _lines(wires: Mapping[str, Any] | None) -> Rows:
    """Effect of the lines on dot products."""
    if wires is None:
        return []
    drivers = "calibrated" if wires["calibrated"] else "uncalibrated"
    effect = f"weights off by up to {wires['weight_error']:.1%} in dot products of the array"
    return [("lines", f"{wires['wire_ohm']:g} Ω per cell, {drivers} drivers: {effect}")]


def _memory_rows(v: Mapping[str, Any]) -> Rows:
    """Correlation and read noise, which the replay of recorded cells does not have."""
    if v["array"].startswith(MEASURED):
        return [
            ("successive pulses", "not kept: each SET draws one of the recorded values"),
            ("read noise", "not known: the array replays single readings"),
        ]
    return [
        ("successive pulses", f"correlation {v['cycle_correlation']:.2f}"),
        ("read noise", f"{v['read_noise_rel']:.2%} of the conductance"),
    ]


def _coin(raw: Mapping[str, Any]) -> str:
    fold = raw["fold"]
    folded = f"a fair one needs the XOR of {fold} of them" if fold else "too few for a fair coin"
    return f"{raw['min_entropy']:.2f} bit of min-entropy per raw bit; {folded}"


def _spread(v: Mapping[str, Any]) -> str:
    return (
        f"common offset {v['common_offset_rel']:+.2%} ± {v['common_offset_error']:.2%}, device to "
        f"device {v['d2d_rel']:.1%}"
    )


def show_checks(console: Console, checks: Iterable[Check]) -> list[Check]:
    """Checks as they finish."""
    done: list[Check] = []
    for check in checks:
        done.append(check)
        mark = "[green]ok[/green]    " if check.passed else "[red]FAILED[/red]"
        console.out.print(f"{mark} {check.name}: {escape(check.detail)}", soft_wrap=True)
    passed = all(c.passed for c in done)
    console.json(
        {
            "passed": passed,
            "checks": [{"name": c.name, "passed": c.passed, "detail": c.detail} for c in done],
        }
    )
    return done
