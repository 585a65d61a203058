"""The figures, and the module of each."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import NamedTuple

from ..errors import UsageError
from .base import Bench, Figure


class Entry(NamedTuple):
    """A figure: its name, its content, and whether ``all`` includes it."""

    name: str
    description: str
    in_all: bool = True


ENTRIES: dict[str, Entry] = {
    entry.name: entry
    for entry in (
        Entry("fig1", "strategies for training an array, compared on equal memory"),
        Entry("fig2", "the devices: spread, correlation, noise, endurance; fits that recover them"),
        Entry("fig3", "the chain on 16,384 devices: rows, multiplicities, acceptance"),
        Entry("fig4", "the two-dimensional set: boundary, samples, map of the uncertainty"),
        Entry("tissue", "figure 5, malignant tissue: both Wisconsin sets"),
        Entry("ecg", "figure 5, heart arrhythmia: MIT-BIH, unseen patients"),
        Entry("fig6", "cartpole: a policy found by sampling"),
        Entry("endurance", "accuracy over the life of the array, with and without recalibration"),
        Entry("energy", "energy per training, what dominates, and what early rejection saved"),
        Entry("measured", "the supervised tasks on recorded real cells"),
        Entry(
            "exactness", "the sampled posterior against NUTS: seven problems, three arrays", False
        ),
        Entry("backends", "every task on the simulated hardware: the trace of the model", False),
    )
}
ALIASES = {"fig5": ("tissue", "ecg")}
ALL = "all"


def select(name: str) -> list[str]:
    """Entries of a name on the command line; UsageError for an unknown name."""
    if name == ALL:
        return [entry.name for entry in ENTRIES.values() if entry.in_all]
    if name in ALIASES:
        return list(ALIASES[name])
    if name in ENTRIES:
        return [name]
    known = ", ".join([*ENTRIES, *ALIASES, ALL])
    raise UsageError(f"there is no figure {name!r}: choose {known}")


def maker(name: str) -> Callable[[Bench], Figure]:
    """``make`` of an entry's module."""
    module = importlib.import_module(f".{name}", __package__)
    make: Callable[[Bench], Figure] = module.make
    return make
