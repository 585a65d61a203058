"""Every task on the simulated hardware: bit-identical to the model, and the cost in clocks."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..boards import MODEL, RTL, HardwareBoard, silent
from ..datasets.fetch import MITDB, WBC, find
from ..errors import UsageError
from ..pictures.canvas import new_canvas
from ..pictures.style import BLUE, GREEN, ORANGE
from ..runs.chain_run import ChainRun
from ..runs.config import TrainConfig
from ..runs.kinds import chain_kind_of
from ..runs.trace import Trace
from ..tasks import CARTPOLE
from .base import Bench, Cell, Figure, Goal, Table

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Picture

COMPARED = ("accepted", "log_posterior", "chain", "codes", "multiplicity")
SEED = 0


@dataclass(frozen=True)
class Case:
    """A task on both backends."""

    name: str
    task: str
    steps: int
    options: dict[str, Any]
    data: str = ""  # a data set that cannot ship


CASES = (
    Case("toy2d", "toy2d", 1000, {}),
    Case("breast-cancer", "breast-cancer", 1000, {}),
    Case("breast-cancer, whitened", "breast-cancer", 1000, {"whiten": True}),
    Case("breast-cancer-original", "breast-cancer-original", 1000, {}, WBC),
    Case("ecg", "ecg", 500, {}, MITDB),
    Case("ecg, H = 4", "ecg", 300, {"hidden": 4}, MITDB),
    Case("cartpole", CARTPOLE, 60, {}),
)


def run(task: str, steps: int, options: dict[str, Any], seed: int) -> Cell:
    """The chain of a task on both backends, and the arrays in which the two are equal."""
    traces = []
    cell: Cell = {"task": task, "steps": steps, "options": options, "seed": seed}
    for backend in (MODEL, RTL):
        config = TrainConfig(task, backend=backend, steps=steps, seed=seed, **options)
        with closing(chain_kind_of(config.task, config.kind).build(config, silent)) as experiment:
            board = experiment.setup.board
            before = board.board_clocks if isinstance(board, HardwareBoard) else 0
            chain = ChainRun(experiment.setup)
            chain.run()
            traces.append(Trace.of(chain.streamed(), board.current()).arrays())
            cell[backend] = {"seconds": chain.seconds}
            if isinstance(board, HardwareBoard):
                cell[backend] |= {
                    "controller_clocks": board.clock_cycles(),
                    "board_clocks": board.board_clocks - before,
                    "clock_hz": board.clock_hz,
                }
    golden, hardware = traces
    cell["equal"] = [n for n in COMPARED if np.array_equal(golden[n], hardware[n])]
    cell["samples"], cell["accepted"] = len(golden["codes"]), int(golden["accepted"].sum())
    return cell


def make(bench: Bench) -> Figure:
    """One seed of every task."""
    cases, missing = [], []
    for case in CASES:
        try:
            if case.data:
                find(case.data)
            cases.append(case)
        except UsageError as error:
            missing.append(f"without {case.name}: {error}")
    cells = [{"task": c.task, "steps": c.steps, "options": c.options, "seed": SEED} for c in cases]
    found = dict(zip([c.name for c in cases], bench.map("backends", run, cells), strict=True))
    return Figure(
        title="Every task on the simulated board: bit-identical to the model",
        tables=[_table(name, cell) for name, cell in found.items()],
        pictures={"backends": _picture(found)},
        values={"cells": found, "seed": SEED, "compared": list(COMPARED)},
        notes=[
            "Controller: clocks in which it worked, without those in which a proposal of cartpole "
            "waited for its episodes. Board: all clocks from the load of the chain to its last "
            "command, including the work of the processor (link, episodes). A simulated board "
            "stops its clock while it is idle.",
            f"At {found[cases[0].name][RTL]['clock_hz'] / 1e6:.0f} MHz: time of the same clocks on "
            "hardware. The table has the time of the simulation.",
            *missing,
        ],
    )


def _table(name: str, cell: Cell) -> Table:
    hardware, steps = cell[RTL], cell["steps"]
    equal = len(cell["equal"])
    rows = [
        Goal(
            f"arrays of the trace that are equal ({', '.join(COMPARED)})",
            [equal],
            wanted=f"{len(COMPARED)} of {len(COMPARED)}",
            met=equal == len(COMPARED),
        ),
        Goal("accepted steps", [cell["accepted"]]),
        Goal("clocks a step, controller", [hardware["controller_clocks"] / steps]),
        Goal("clocks a step, board", [hardware["board_clocks"] / steps]),
        Goal("time, simulated board", [hardware["seconds"]], unit="s"),
        Goal("time, model", [cell[MODEL]["seconds"]], unit="s"),
    ]
    return Table(f"{name}, {steps:,} steps", rows)


def _picture(found: dict[str, Cell]) -> Picture:
    figure = new_canvas((9.0, 4.6))
    ax = figure.add_subplot()
    rows = np.arange(len(found))[::-1]
    hz = [c[RTL]["clock_hz"] for c in found.values()]
    lines = (
        ("simulated board", ORANGE, [c[RTL]["seconds"] for c in found.values()]),
        ("model", BLUE, [c[MODEL]["seconds"] for c in found.values()]),
        (
            f"board's clocks at {hz[0] / 1e6:.0f} MHz",
            GREEN,
            [c[RTL]["board_clocks"] / f for c, f in zip(found.values(), hz, strict=True)],
        ),
    )
    for label, colour, seconds in lines:
        a_step = [1e3 * s / c["steps"] for s, c in zip(seconds, found.values(), strict=True)]
        ax.scatter(a_step, rows, color=colour, s=48, label=label, zorder=3)
    ax.set_xscale("log")
    ax.set_yticks(rows, list(found))
    ax.grid(axis="x", color="#e4e4e4", lw=0.8)
    ax.spines[["top", "right"]].set_visible(False)
    ax.set(xlabel="time a step (ms)")
    ax.set_title("The same chain on the model and on the simulated board")
    ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.15), fontsize=8, ncols=3, frameon=False)
    return figure
