"""The energy of the counted operations, and of the same chain in software."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...array.base import DOT, DOT_CODES, DOT_DEVICES, SET, SET_CODES, Ledger
from ...array.energy import EnergyReport, energy, monte_carlo, software_energy
from ...spec import Geometry
from ...tasks import POLICY, get_task
from ..base import Cell

DRAWS = 1000
GROUPS = {
    "SET": ("set",),
    "RESET": ("reset",),
    "reads of devices": ("read_devices", "read_adc"),
    "dot products: devices, lines": ("dot_devices", "dot_lines"),
    "dot products: converter": ("dot_adc",),
    "word lines": ("word_line",),
    "digital": ("digital", "digital_dot"),
}


def ledger_of(counts: Sequence[float], geometry: dict[str, int]) -> tuple[Ledger, Geometry]:
    """A ledger with these counts (means over seeds are rounded), and its geometry."""
    shape = Geometry(**geometry)
    ledger = Ledger(shape)
    ledger.counts[: len(counts)] = np.rint(np.asarray(counts)).astype(np.int64)
    return ledger, shape


def report_of(found: Cell) -> EnergyReport:
    """Energy of one cell at the reference constants."""
    return energy(*ledger_of(found["counts"], found["geometry"]))


def with_playing(found: Cell) -> Cell:
    """A policy's cell with an access of the array for every control step."""
    counts = np.array(found["counts"], np.int64)
    steps, devices = found["control_steps"], 2 * found["weights"]
    mean_code = counts[SET_CODES] / max(1, counts[SET])
    counts[DOT] += steps
    counts[DOT_DEVICES] += steps * devices
    counts[DOT_CODES] += int(steps * devices * mean_code)
    return found | {"counts": counts.tolist()}


class Spent:
    """Energy of one task and kernel, from its cells."""

    def __init__(self, cells: Sequence[Cell]) -> None:
        self.runs = [c for c in cells if c["early"]]
        self.full = [c for c in cells if not c["early"]]
        self.reports = [report_of(c) for c in self.runs]
        mean = np.mean([c["counts"] for c in self.runs], axis=0)
        self.ledger, self.geometry = ledger_of(mean.tolist(), self.runs[0]["geometry"])
        self.mean = energy(self.ledger, self.geometry)
        self.drawn = monte_carlo(self.ledger, self.geometry, DRAWS)
        seconds = min(c["cpu_seconds"] for c in self.runs)
        acts = get_task(self.runs[0]["task"]).kind == POLICY  # mostly the time of the cart
        self.software = software_energy(self.ledger, self.geometry, seconds)
        if acts:
            del self.software["cpu_time"]
        self.cpu_seconds = seconds
        bare = [c["numpy_seconds"] for c in self.runs if c["numpy_seconds"]]
        self.numpy_seconds = min(bare) if bare else None
        if self.numpy_seconds:
            found = software_energy(self.ledger, self.geometry, self.numpy_seconds)
            self.software["numpy_time"] = found["cpu_time"]

    def range(self, part: str) -> tuple[float, float]:
        """90 % of the draws, J."""
        low, high = np.quantile(self.drawn[part], [0.05, 0.95])
        return float(low), float(high)

    def group(self, name: str) -> float:
        """Mean energy of a group of operations, J."""
        return sum(self.mean.parts[p].joules for p in GROUPS[name])

    def same_decisions(self) -> bool:
        """Whether runs with and without early rejection made the same decisions."""
        by_seed = {c["seed"]: c["decisions"] for c in self.runs}
        return all(by_seed[c["seed"]] == c["decisions"] for c in self.full)

    def saved(self) -> list[float]:
        """Share of the energy that early rejection saved, seed by seed."""
        by_seed = {c["seed"]: report_of(c).total.joules for c in self.runs}
        return [1 - by_seed[c["seed"]] / report_of(c).total.joules for c in self.full]

    def ratios(self) -> dict[str, tuple[float, float, float]]:
        """Software over array, total: (value, low, high) by kind of software."""
        low, high = self.range("total")
        total = self.mean.total.joules
        return {
            name: (j.joules / total, j.low / high, j.high / low)
            for name, j in self.software.items()
        }

    def values(self) -> dict[str, Any]:
        return {
            "joules": self.mean.to_dict(),
            "array_joules": self.mean.array.joules,
            "interval_90": {name: self.range(name) for name in self.drawn},
            "software": {k: vars(v) for k, v in self.software.items()},
            "ratios": self.ratios(),
            "cpu_seconds": self.cpu_seconds,
            "numpy_seconds": self.numpy_seconds,
            "early_saved": self.saved(),
            "same_decisions": self.same_decisions(),
        }
