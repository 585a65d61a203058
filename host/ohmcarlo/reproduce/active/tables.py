"""Labels that a strategy saves, quality at equal labels, and the cost in the array."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..base import Cell, Goal, Table
from .curves import (
    DOUBT,
    ENTROPY,
    PLAIN,
    RANDOM,
    difference,
    interval_of_labels,
    labels_needed,
)
from .problems import START_PER_CLASS, TITLES, rounds

Cells = dict[str, list[Cell]]
QUALITIES = {"accuracy": "accuracy", "balanced_accuracy": "balanced accuracy"}
AT = (60, 100, 200)
"""Labels bought at random, whose accuracy is to be reached with half of them."""
SHOWN = (10, 20, 30, 60, 100, 200)
COMPARED = (10, 30, 100)
"""Labels at which the table compares strategies; the JSON compares them at SHOWN."""
PAIRS = ((DOUBT, RANDOM), (ENTROPY, PLAIN))
RIVALS = (RANDOM, ENTROPY, PLAIN)
Z_95 = 1.96


def curves(cells: list[Cell], quality: str) -> NDArray[np.float64]:
    """Quality after each round, (seeds, rounds)."""
    return np.array([cell[quality] for cell in cells], np.float64)


def savings(cells: Cells) -> list[dict[str, Any]]:
    """For every quality, pair of strategies and number N: the labels that choosing needs for the
    quality of N random ones, and the gain of N/2 chosen ones over N random ones."""
    found = []
    labels = rounds()
    for quality in QUALITIES:
        for chosen, random in PAIRS:
            ours, theirs = (curves(cells[s], quality) for s in (chosen, random))
            for n in AT:
                column, half = labels.index(n), labels.index(n // 2)
                wanted = float(theirs[:, column].mean())
                gain, error = difference(ours[:, half], theirs[:, column])
                found.append(
                    {
                        "quality": quality,
                        "chosen": chosen,
                        "random": random,
                        "labels": n,
                        "value": wanted,
                        "needed": labels_needed(labels, ours[:, : column + 1], wanted),
                        "needed_95": interval_of_labels(labels, ours, theirs, n),
                        "gain_of_half": gain,
                        "gain_of_half_se": error,
                    }
                )
    return found


def gains(cells: Cells) -> list[dict[str, Any]]:
    """Paired differences of the array's own choice against each rival, with equal labels."""
    found = []
    labels = rounds()
    for quality in QUALITIES:
        ours = curves(cells[DOUBT], quality)
        for rival in RIVALS:
            theirs = curves(cells[rival], quality)
            for n in SHOWN:
                column = labels.index(n)
                gain, error = difference(ours[:, column], theirs[:, column])
                entry = {"quality": quality, "against": rival, "labels": n}
                found.append(entry | {"gain": gain, "gain_se": error})
    return found


def saving_table(task: str, cells: Cells) -> Table:
    rows = []
    for entry in savings(cells):
        n, quality, chosen = entry["labels"], QUALITIES[entry["quality"]], entry["chosen"]
        value = f"{quality} of {n} random labels ({100 * entry['value']:.1f} %)"
        own = chosen == DOUBT
        rows.append(
            Goal(
                f"{chosen}: labels for the {value}",
                [entry["needed"]],
                interval=entry["needed_95"],
            )
        )
        error = Z_95 * entry["gain_of_half_se"]
        rows.append(
            Goal(
                f"{chosen}: {quality} of {n // 2} labels less that of {n} at random",
                [entry["gain_of_half"]],
                unit="%",
                wanted=">= 0" if own else "",
                met=entry["gain_of_half"] >= 0 if own else None,
                interval=(entry["gain_of_half"] - error, entry["gain_of_half"] + error),
            )
        )
    return Table(f"{TITLES[task]}: labels saved", rows)


def quality_table(task: str, cells: Cells) -> Table:
    rows, labels = [], rounds()
    for quality, name in QUALITIES.items():
        for strategy, own in cells.items():
            for n in COMPARED:
                values = curves(own, quality)[:, labels.index(n)]
                rows.append(Goal(f"{strategy}: {name}, {n} labels", values.tolist(), unit="%"))
    for entry in gains(cells):
        if entry["labels"] not in COMPARED or entry["against"] == PLAIN:
            continue
        error = Z_95 * entry["gain_se"]
        name = QUALITIES[entry["quality"]]
        rows.append(
            Goal(
                f"{DOUBT} less {entry['against']}: {name}, {entry['labels']} labels",
                [entry["gain"]],
                unit="%",
                interval=(entry["gain"] - error, entry["gain"] + error),
            )
        )
    return Table(f"{TITLES[task]}: quality with equal labels", rows)


def cost_table(task: str, cells: Cells) -> Table:
    """What the array spends for a label, over all rounds."""
    bought = rounds()[-1] - 2 * START_PER_CLASS
    own = cells[DOUBT]
    learning = [1e6 * sum(c["learning_joules"]) / bought for c in own]
    choosing = [1e6 * sum(c["choosing_joules"]) / bought for c in own]
    return Table(
        f"{TITLES[task]}: cost of the array per label bought, {len(rounds())} rounds",
        [
            Goal("energy of learning", learning, unit="µJ"),
            Goal("energy of choosing", choosing, unit="µJ"),
            Goal("SET pulses", [c["set_pulses"] / bought for c in own]),
            Goal(
                "steps of a chain in a round, adaptation",
                [float(np.mean(c["adaptation_steps"])) for c in own],
            ),
            Goal("SET pulses of a device, mean, all rounds", [c["wear_mean"] for c in own]),
            Goal("SET pulses of the most worn device, all rounds", [c["wear_max"] for c in own]),
            Goal("acceptance", [float(np.mean(c["acceptance"])) for c in own], unit="%"),
        ],
    )
