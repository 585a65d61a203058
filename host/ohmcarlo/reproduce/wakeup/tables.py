"""The tables and notes of the figure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields

import numpy as np

from ...datasets import ecg
from ..base import Cell, Goal, Table
from .cells import MARGIN, ONCE, PRESET, RECALIBRATED, STEPS, VARIANCE
from .costs import Costs, beat_energy
from .sweep import METRICS, at_rate, random_at, rate_for, threshold_for

RATES = (0.01, 0.02, 0.05, 0.1)
WANTED = 0.995
CHOSEN_RATE = 0.05  # of a threshold that is chosen on the training patients
FRESH, WORN, LAST = 0.0, 1e7, 1e8
BETWEEN = (1e5, 1e6)
LOSS_GOAL = 0.002
NAMES = {"accuracy": "accuracy", "balanced_accuracy": "balanced accuracy"}
HOSTS = {"ideal": "a host that is always right", "host": "a larger model as host"}


def select(cells: Sequence[Cell], cycles: float, trim: str = RECALIBRATED) -> list[Cell]:
    """Cells of one age, by seed."""
    found = [c for c in cells if c["cycles"] == cycles and c["trim"] == trim]
    return sorted(found, key=lambda c: int(c["seed"]))


def rate_table(kind: str, fresh: Sequence[Cell], rival: Sequence[Cell]) -> Table:
    """Accuracy at wake-up rates, with one kind of host."""
    rows = []
    for metric in METRICS:
        name = f"{metric}.{kind}"
        alone = [c[MARGIN][name][-1] for c in fresh]
        rows.append(Goal(f"{NAMES[metric]}, no wake-up", alone, "%"))
        theirs = [c[MARGIN][name][-1] for c in rival]
        rows.append(Goal(f"{NAMES[metric]}, no wake-up, logistic regression", theirs, "%"))
        for rate in RATES:
            rows += _at_rate(NAMES[metric], name, rate, fresh, rival)
        rows.append(
            Goal(f"{NAMES[metric]}, the host alone", [c[MARGIN][name][0] for c in fresh], "%")
        )
    return Table(f"Devices fresh, {HOSTS[kind]}", rows)


def _at_rate(
    metric: str, name: str, rate: float, fresh: Sequence[Cell], rival: Sequence[Cell]
) -> list[Goal]:
    at = f"{metric}, {rate:.0%} wake-ups"
    margin = [at_rate(c[MARGIN], name, rate) for c in fresh]
    chance = [random_at(c[MARGIN], name, rate) for c in fresh]
    better = bool(np.mean(margin) > np.mean(chance))
    return [
        Goal(f"{at} by the margin", margin, "%", "", "> random beats", better),
        Goal(f"{at} by the variance", [at_rate(c[VARIANCE], name, rate) for c in fresh], "%"),
        Goal(
            f"{at} by the margin of logistic regression",
            [at_rate(c[MARGIN], name, rate) for c in rival],
            "%",
        ),
        Goal(f"{at}, random beats", chance, "%"),
    ]


def needed_table(fresh: Sequence[Cell], worn: Sequence[Cell], rival: Sequence[Cell]) -> Table:
    """Wake-up rates for an accuracy, with a host that is always right."""
    name = "accuracy.ideal"
    cases = {
        "margin": [rate_for(c[MARGIN], name, WANTED) for c in fresh],
        "variance": [rate_for(c[VARIANCE], name, WANTED) for c in fresh],
        "margin, 10⁷ cycles": [rate_for(c[MARGIN], name, WANTED) for c in worn],
        "variance, 10⁷ cycles": [rate_for(c[VARIANCE], name, WANTED) for c in worn],
        "margin of logistic regression": [rate_for(c[MARGIN], name, WANTED) for c in rival],
    }
    rows = [Goal(case, rates, "%") for case, rates in cases.items()]
    chance = [1 - (1 - WANTED) / (1 - c[MARGIN][name][-1]) for c in fresh]
    rows.append(Goal("random beats", [max(0.0, rate) for rate in chance], "%"))
    return Table(f"Wake-up rate for an accuracy of {WANTED:.1%}, a host that is always right", rows)


def chosen(fresh: Sequence[Cell]) -> dict[int, int]:
    """Seed → place of the threshold that wakes CHOSEN_RATE of the training patients' beats."""
    return {c["seed"]: threshold_for(c[MARGIN]["woken_before"], CHOSEN_RATE) for c in fresh}


def age_table(cells: Sequence[Cell]) -> Table:
    """One threshold for all ages: rates and accuracies, and what changes on the same seeds."""
    fresh = select(cells, FRESH)
    places = chosen(fresh)
    rows = _at_age("fresh", fresh, places)
    for trim in (RECALIBRATED, ONCE):
        found = select(cells, WORN, trim)
        rows += _at_age(age_name(WORN, trim), found, places)
        rows += _change(age_name(WORN, trim), fresh, found, places, LOSS_GOAL)
    for cycles, trim in (*((c, RECALIBRATED) for c in (*BETWEEN, LAST)), (LAST, ONCE)):
        rows += _change(age_name(cycles, trim), fresh, select(cells, cycles, trim), places)
    title = f"One threshold: {CHOSEN_RATE:.0%} wake-ups on the training patients, fresh devices"
    return Table(title, rows)


def _at_age(age: str, found: Sequence[Cell], places: dict[int, int]) -> list[Goal]:
    return [
        Goal(f"{age}: beats that wake the host", _column(found, places, "woken"), "%"),
        *(Goal(f"{age}: {n} beats that do", _column(found, places, n), "%") for n in ("S", "F")),
        Goal(f"{age}: accuracy, no wake-up", [c[MARGIN]["accuracy.ideal"][-1] for c in found], "%"),
        Goal(f"{age}: accuracy, ideal host", _column(found, places, "accuracy.ideal"), "%"),
        Goal(f"{age}: accuracy, larger model", _column(found, places, "accuracy.host"), "%"),
    ]


def _change(
    age: str,
    fresh: Sequence[Cell],
    found: Sequence[Cell],
    places: dict[int, int],
    goal: float | None = None,
) -> list[Goal]:
    """Differences to the fresh devices of the same seeds; a loss of ``goal`` at most is wanted."""
    lost = [-d for d in differences(fresh, found, places, "accuracy.ideal")]
    wanted, met = "", None
    if goal is not None:
        wanted, met = f"<= {100 * goal:g} points", bool(np.mean(lost) <= goal)
    return [
        Goal(f"{age}: more wake-ups", differences(fresh, found, places, "woken"), "%"),
        Goal(f"{age}: accuracy lost, ideal host", lost, "%", "maintained", wanted, met),
    ]


def differences(
    fresh: Sequence[Cell], found: Sequence[Cell], places: dict[int, int], name: str
) -> list[float]:
    """A result at the chosen threshold less that of the fresh devices, seed by seed."""
    before = {c["seed"]: _at_place(c, places, name) for c in fresh}
    return [_at_place(c, places, name) - before[c["seed"]] for c in found]


def _at_place(cell: Cell, places: dict[int, int], name: str) -> float:
    return float(cell[MARGIN][name][places[cell["seed"]]])


def _column(cells: Sequence[Cell], places: dict[int, int], name: str) -> list[float]:
    return [_at_place(c, places, name) for c in cells]


def age_name(cycles: float, trim: str) -> str:
    if cycles == FRESH:
        return "fresh"
    return f"10^{np.log10(cycles):.0f} cycles, {trim}"


def energy_table(fresh: Sequence[Cell]) -> Table:
    spent = [beat_energy(c["counts"], c["geometry"]) for c in fresh]
    rows = [
        Goal("array, converters and controller", [s.array for s in spent], "µJ/beat"),
        Goal("processor", [s.processor for s in spent], "µJ/beat"),
        Goal("a wake-up", [s.wakeup for s in spent], "µJ"),
        *(
            Goal(f"mean, {rate:.0%} wake-ups", [s.at(rate) for s in spent], "µJ/beat")
            for rate in (0.0, *RATES, 1.0)
        ),
        Goal("every beat sent, × that of 5 % wake-ups", [s.at(1.0) / s.at(0.05) for s in spent]),
        Goal("wake-up rate at which radio and board spend alike",
             [(s.array + s.processor) / s.wakeup for s in spent], "%"),
    ]  # fmt: skip
    return Table("Energy of a beat, fresh devices", rows)


def notes(fresh: Sequence[Cell], few: int) -> list[str]:
    costs = Costs()
    assumed = (
        f"{v.value:g} {v.unit} ({v.tag}, {v.low:g} to {v.high:g}{': ' if v.note else ''}{v.note})"
        for v in (getattr(costs, f.name) for f in fields(costs))
    )
    samples = np.mean([c["samples"] for c in fresh])
    return [
        "Ballet et al. 2026, arXiv:2605.29533, wake a processor by the doubt of a memristor "
        "Bayesian machine that classifies heart beats. They find that accuracy is maintained with "
        "a degraded front end and that the wake-up rate governs the energy. Their machine, data "
        "split and back end differ from those here, so that no number of theirs is compared.",
        f"The array learns {2 * ecg.PER_CLASS} beats of {len(ecg.training_records())} patients "
        f"without a fit on the computer ({STEPS:,} steps after its adaptation, {PRESET}); its "
        f"{samples:.0f} samples answer all N and V beats of {len(ecg.DS2)} other patients. "
        "Decisions are those of the "
        "firmware's command TRIAGE, in integers; tests compare model, firmware and board.",
        "The larger model is trained on every N and V beat of the training patients "
        "(wakeup/cells.py). S and F beats are in no training and have no right answer here.",
        f"Ageing is ASSUMED, as in `reproduce endurance`: none below 10⁶ cycles, medians -5 % and "
        f"spreads × 1.2 at 10⁷, -15 % and × 1.7 at 10⁸. {few} seeds at 10⁵, 10⁶ and 10⁸. The array "
        "learns on the worn devices; trimmed once: with trim and spread of the fresh chip.",
        "Energies: array as in `reproduce energy`; " + "; ".join(assumed) + ". The features of a "
        "beat and the host's own energy are not counted.",
    ]
