"""The figures, and the module of each."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from typing import NamedTuple

from ..datasets.fetch import MITDB, SWEEP, WBC, find
from ..errors import UsageError
from .base import Bench, Figure


class Entry(NamedTuple):
    """A figure: its name, its content, data sets that it cannot do without, whether ``all``
    includes it, and what the paper states, in a sentence (empty: no number)."""

    name: str
    description: str
    data: tuple[str, ...] = ()
    in_all: bool = True
    claim: str = ""


ENTRIES: dict[str, Entry] = {
    entry.name: entry
    for entry in (
        Entry(
            "fig1",
            "strategies for training an array, compared on equal memory",
            (WBC, SWEEP),
            claim="sampling in the array beats a network of equal memory, in all cases.",
        ),
        Entry(
            "fig2",
            "the devices: spread, correlation, noise, endurance; fits that recover them",
            claim="the deviations of a device from cycle to cycle are normal.",
        ),
        Entry("fig3", "the chain on 16,384 devices: rows, multiplicities, acceptance"),
        Entry("fig4", "the two-dimensional set: boundary, samples, map of the uncertainty"),
        Entry(
            "tissue",
            "figure 5, malignant tissue: both Wisconsin sets",
            (WBC,),
            claim="the accuracy on malignant tissue is 96.3 %.",
        ),
        Entry("ecg", "figure 5, heart arrhythmia: MIT-BIH, unseen patients", (MITDB,)),
        Entry("fig6", "cartpole: a policy found by sampling"),
        Entry(
            "endurance",
            "accuracy over the life of the array, with and without recalibration",
            (WBC,),
            claim="learning is robust at 10⁷ cycles of the devices.",
        ),
        Entry(
            "energy",
            "energy per training, what dominates, and what early rejection saved",
            claim="a training needs an energy of the order of microjoules.",
        ),
        Entry("measured", "the supervised tasks on recorded real cells", (WBC, MITDB, SWEEP)),
        Entry(
            "active",
            "learning from few labels: the array chooses the points to have labelled",
            (MITDB,),
        ),
        Entry(
            "wakeup",
            "doubtful heart beats wake the host: accuracy and energy against wake-up rate",
            (MITDB,),
            in_all=False,
        ),
        Entry(
            "exactness",
            "the sampled posterior against NUTS: seven problems, three arrays, adapted and fitted",
            in_all=False,
        ),
        Entry(
            "adaptation",
            "arrays that adapt themselves, beside chains around a fit on the computer: nine sets",
            in_all=False,
        ),
        Entry(
            "regression",
            "numbers with intervals: three data sets against BayesianRidge and the closed form",
            in_all=False,
        ),
        Entry(
            "classes",
            "more than two classes: two likelihoods in the array, against scikit-learn",
            (MITDB,),
            in_all=False,
        ),
        Entry(
            "wires",
            "line resistance: what the size of an array costs the posterior, and its correction",
            in_all=False,
        ),
        Entry(
            "backends", "every task on the simulated hardware: the trace of the model", in_all=False
        ),
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


def require_data_of(names: Sequence[str]) -> None:
    """Raise UsageError, which names every source, when data of one of these figures are missing.

    It is called before any figure is computed, because that takes hours.
    """
    missing = []
    for source in dict.fromkeys(data for name in names for data in ENTRIES[name].data):
        try:
            find(source)
        except UsageError as error:
            missing.append(str(error))
    if missing:
        raise UsageError("; ".join(missing))


def maker(name: str) -> Callable[[Bench], Figure]:
    """``make`` of an entry's module."""
    module = importlib.import_module(f".{name}", __package__)
    make: Callable[[Bench], Figure] = module.make
    return make
