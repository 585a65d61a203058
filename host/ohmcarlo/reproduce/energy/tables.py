"""The tables of the figure."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...tasks import CARTPOLE
from ..base import Goal, Table
from .spent import GROUPS, Spent, report_of, with_playing

GOAL_J, GOAL_TASKS = 10e-6, ("toy2d", "breast-cancer", "breast-cancer-original", CARTPOLE)
PUBLISHED = "order of microjoules"
SOFTWARE = {
    "numpy_time": "CPU core, NumPy's time × power",
    "cpu_time": "CPU core, golden model's time × power",
    "cpu_operations": "CPU core, operations × price",
    "mcu": "Cortex-M4, operations × price",
    "logic": "dedicated 45 nm logic",
}


def micro(values: Sequence[float]) -> list[float]:
    return [1e6 * v for v in values]


def array_goal(task: str, joules: Sequence[float], name: str = "array + converter") -> Goal:
    """Goal: at most 10 µJ on average, for the tasks that the goal is set for."""
    wanted = task in GOAL_TASKS
    return Goal(
        name,
        micro(joules),
        "µJ",
        PUBLISHED,
        f"<= {GOAL_J * 1e6:.0f} µJ" if wanted else "",
        bool(np.mean(joules) <= GOAL_J) if wanted else None,
    )


def cost_table(setting: tuple[str, str], spent: Spent) -> Table:
    task, kernel = setting
    low, high = micro(spent.range("array"))
    whole_low, whole_high = micro(spent.range("total"))
    rows = [
        Goal("steps", [spent.runs[0]["steps"]]),
        Goal("acceptance", [c["acceptance"] for c in spent.runs], "%"),
        array_goal(task, [r.array.joules for r in spent.reports]),
        Goal("the same, 90 % from", [low], "µJ"),
        Goal("to", [high], "µJ"),
        Goal("digital part", micro([r.digital.joules for r in spent.reports]), "µJ"),
        Goal("all together", micro([r.total.joules for r in spent.reports]), "µJ", PUBLISHED),
        Goal("the same, 90 % from", [whole_low], "µJ"),
        Goal("to", [whole_high], "µJ"),
    ]
    if task == CARTPOLE:
        acting = [report_of(with_playing(c)).array.joules for c in spent.runs]
        rows.append(array_goal(task, acting, "array + converter if the array acted"))
        rows.append(Goal("control steps", [c["control_steps"] for c in spent.runs]))
    else:
        rows.insert(1, Goal("accuracy", [c["accuracy"] for c in spent.runs], "%"))
        rows += [
            Goal("saved by early rejection, all together", spent.saved(), "%"),
            Goal(
                "decisions with and without it are the same",
                [float(spent.same_decisions())],
                wanted="all",
                met=spent.same_decisions(),
            ),
        ]
    largest = max(GROUPS, key=spent.group)
    share = spent.group(largest) / spent.mean.total.joules
    rows.append(Goal(f"largest part: {largest}", [share], "%"))
    return Table(f"{task}, {kernel}", rows)


def software_table(spent: dict[tuple[str, str], Spent]) -> Table:
    rows = []
    for (task, kernel), s in spent.items():
        where = f"{task}, {kernel}"
        if s.numpy_seconds:
            rows.append(Goal(f"{where}: NumPy, time", [1e3 * s.numpy_seconds], "ms of a core"))
        rows.append(Goal(f"{where}: golden model, time", [1e3 * s.cpu_seconds], "ms of a core"))
        for kind, (value, low, high) in s.ratios().items():
            rows.append(
                Goal(
                    f"{where}: {SOFTWARE[kind]}, × the array's ({low:.2g} to {high:.2g})",
                    [value],
                    published="about 10⁵ (press)" if kind != "logic" else "",
                )
            )
    return Table("Software over array (everything, digital part included)", rows)
