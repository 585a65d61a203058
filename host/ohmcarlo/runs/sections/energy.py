"""The energy of a run by operation, with its bounds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...pages.charts import bars
from ...pages.content import Chart, Section, Table
from ...readable import si

PARTS = {
    "set": "SET pulses",
    "reset": "RESET",
    "form": "forming",
    "read_devices": "READ: devices",
    "read_adc": "READ: converters",
    "dot_devices": "dot products: devices",
    "dot_adc": "dot products: converters",
    "dot_lines": "dot products: line drivers",
    "word_line": "word lines",
    "digital_dot": "digital dot products",
    "digital": "logic and memory",
}
PULSES = {
    "set": "SET pulses",
    "reset": "devices reset",
    "read": "devices read",
    "dot": "array accesses of dot products",
    "digital_dot": "digital dot products",
}
Bounds = Mapping[str, float]


def energy_section(v: Mapping[str, Any]) -> Section:
    """From ``energy`` and ``pulses`` of a result."""
    total, parts = v["energy"]["total"], _largest_first(v["energy"]["parts"])
    rows = [(PARTS.get(name, name), *_cells(part, total)) for name, part in parts]
    table = Table(
        ("part", "energy", "lower bound", "upper bound", "share"),
        (*rows, ("total", *_cells(total, total))),
        "Energy by operation. The bounds take every constant at its own bound.",
        folded=f"Numbers of all {len(rows)} parts",
    )
    name, part = parts[0]
    return Section(
        "energy",
        "Energy",
        sentences=(
            f"The energy is modelled, not measured. It is {si(total['joules'], 'J')}, between "
            f"{si(total['low'], 'J')} and {si(total['high'], 'J')}. The operations are counted; "
            "the energy of each comes from published constants with their bounds.",
            f"The largest part is {PARTS.get(name, name)} with "
            f"{part['joules'] / total['joules']:.0%} of the total."
            if total["joules"]
            else "The ledger holds no operation.",
        ),
        facts=[(PULSES[n], f"{v['pulses'][n]:,}") for n in PULSES if v.get("pulses", {}).get(n)],
        charts=(_chart(parts),),
        tables=(table,),
    )


def _chart(parts: list[tuple[str, Bounds]]) -> Chart:
    """Energy of each part with its bounds, µJ."""
    joules = {key: [1e6 * part[key] for _, part in parts] for key in ("joules", "low", "high")}
    largest, part = parts[0]
    return bars(
        "energy-parts",
        "Energy by operation, with bounds (modelled)",
        f"The largest part is {PARTS.get(largest, largest)}: {si(part['joules'], 'J')}, between "
        f"{si(part['low'], 'J')} and {si(part['high'], 'J')}.",
        [PARTS.get(name, name) for name, _ in parts],
        joules["joules"],
        axis="energy (µJ)",
        low=joules["low"],
        high=joules["high"],
        what="part",
    )


def _largest_first(parts: Mapping[str, Bounds]) -> list[tuple[str, Bounds]]:
    used = [(name, part) for name, part in parts.items() if part["high"] > 0]
    return sorted(used or list(parts.items()), key=lambda item: -item[1]["joules"])


def _cells(part: Bounds, total: Bounds) -> tuple[str, ...]:
    share = part["joules"] / total["joules"] if total["joules"] else 0.0
    return (*(si(part[name], "J") for name in ("joules", "low", "high")), f"{share:.1%}")
