"""Energy of a training: counted operations times sourced constants, and the same in software.

Operations are counted by the golden model on the emulated array. The number of steps is the least,
from 1,000 on, after which accuracy stays within half a point of that of 4,000 steps, found on seeds
from 100 on, which are not reported.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .. import diagnostics
from ..array.base import DOT, DOT_CODES, DOT_DEVICES, SET, SET_CODES, Ledger
from ..array.energy import EnergyReport, energy, monte_carlo, software_energy
from ..errors import UsageError
from ..golden import EpisodeLikelihood, predict
from ..pictures.canvas import new_panels
from ..pictures.style import BLUE, GREEN, GREY, ORANGE, PURPLE
from ..runs.config import TrainConfig
from ..spec import Geometry, Points
from ..tasks import CARTPOLE, POLICY, get_task
from .base import Bench, Cell, Figure, Goal, Table, require_data
from .chains import WHITENED
from .lean import Run, lean_run

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Picture

WALK, WHITE = "random walk", "whitened"
KERNELS: dict[str, dict[str, Any]] = {WALK: {}, WHITE: WHITENED}
SUPERVISED = ("toy2d", "breast-cancer", "breast-cancer-original", "ecg")
CHOICES = (100, 250, 500, 1000, 2000, 4000)
TOLERANCE = 0.005
LEAST_STEPS = 1000  # a posterior is paid for, not only a class
TUNING_FROM, TUNING_SEEDS = 100, 10
EARLY_SEEDS = 2
GOAL_J, GOAL_TASKS = 10e-6, ("toy2d", "breast-cancer", "breast-cancer-original", CARTPOLE)
PUBLISHED = "order of microjoules"
DRAWS = 1000
GROUPS = {
    "SET": ("set",),
    "RESET": ("reset",),
    "reads of devices": ("read_devices", "read_adc"),
    "dot products: devices, lines": ("dot_devices", "dot_lines"),
    "dot products: converter": ("dot_adc",),
    "word lines": ("word_line",),
    "digital": ("digital",),
}
COLOURS = ("#e69f00", ORANGE, PURPLE, "#56b4e9", BLUE, GREEN, GREY)


# -- cells -----------------------------------------------------------------------------------------


def tuning_cell(task: str, kernel: str, seed: int) -> Cell:
    """Accuracy after each of CHOICES steps of one chain."""
    with lean_run(TrainConfig(task, seed=seed, steps=CHOICES[-1], **KERNELS[kernel])) as run:
        return {"task": task, "kernel": kernel, "seed": seed, "accuracy": _by_steps(run)}


def _by_steps(run: Run) -> list[float]:
    experiment, trace = run.experiment, run.trace
    draws, lp = trace.draws()[0], trace.log_posterior_nat()[0]
    out = []
    for steps in CHOICES:
        first = min(int(diagnostics.burn_in(lp[:steps])), steps - 2)
        counts = np.bincount(draws[first:steps], minlength=len(trace.codes))
        kept = np.flatnonzero(counts)
        probability, _ = predict(
            experiment.setup.registers,
            experiment.test_points,
            trace.codes[kept],
            counts[kept].astype(np.int32),
        )
        out.append(float(diagnostics.accuracy(experiment.test_labels, probability)))
    return out


def cell(task: str, kernel: str, steps: int, seed: int, early: bool = True) -> Cell:
    """What a training costs: counts, decisions, time."""
    if get_task(task).kind == POLICY:
        return _policy_cell(task, steps, seed)
    config = TrainConfig(task, seed=seed, steps=steps, early_reject=early, **KERNELS[kernel])
    with lean_run(config) as run:
        board, registers = run.experiment.setup.board, run.experiment.setup.registers
        return {
            "task": task,
            "kernel": kernel,
            "steps": steps,
            "seed": seed,
            "early": early,
            "accuracy": run.accuracy,
            "acceptance": run.acceptance,
            "decisions": _digest(run.trace.accepted, run.trace.codes),
            "counts": board.ledger.counts.tolist(),
            "geometry": _geometry(registers.geometry),
            "cpu_seconds": run.cpu_seconds,
            "numpy_seconds": numpy_seconds(run.experiment.setup.points, steps, seed)
            if early and seed < 3
            else None,
            "points": len(run.experiment.setup.points),
            "weights": registers.features,
        }


def _digest(*arrays: NDArray[Any]) -> str:
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()[:16]


def _geometry(geometry: Geometry) -> dict[str, int]:
    names = ("rows", "pairs", "entropy_pairs", "row_group", "access_bits", "dot_bits")
    return {name: int(getattr(geometry, name)) for name in names}


class CountingJudge(EpisodeLikelihood):
    """Judges as its parent does, and counts the steps of all episodes."""

    played: list[int]

    def __call__(self, codes: NDArray[Any]) -> int:
        total = int(self.steps(codes).sum())
        self.played.append(total)
        return self.of_steps(total)


def _policy_cell(task: str, steps: int, seed: int) -> Cell:
    from ..runs.chain_run import ChainRun
    from ..runs.policy.experiment import build_policy, no_points

    config = TrainConfig(task, seed=seed, steps=steps)
    with closing(build_policy(config)) as experiment:
        judge = CountingJudge(**vars(experiment.episodes))
        object.__setattr__(judge, "played", [])
        experiment.setup.board.configure(experiment.setup.registers, no_points(), judge)
        run = ChainRun(experiment.setup)
        run.run()
        block, registers = run.streamed(), experiment.setup.registers
        # the first sample and every valid proposal were judged; what came before was the warm-up
        judged = judge.played[-(1 + int(block.valid.sum())) :]
        ledger = experiment.setup.board.ledger
        return {
            "task": task,
            "kernel": WALK,
            "steps": steps,
            "seed": seed,
            "early": True,
            "accuracy": float("nan"),
            "acceptance": float(block.accepted.mean()),
            "decisions": _digest(block.accepted, block.codes),
            "counts": ledger.counts.tolist(),
            "geometry": _geometry(registers.geometry),
            "cpu_seconds": run.cpu_seconds,
            "numpy_seconds": None,
            "control_steps": sum(judged),
            "points": 0,
            "weights": registers.features,
        }


def numpy_seconds(points: Points, steps: int, seed: int) -> float:
    """CPU time of plain random-walk Metropolis in NumPy, float64, on the same data."""
    rng = np.random.default_rng(seed)
    sign = np.where(points.labels == 1, 1.0, -1.0)
    x = points.inputs / 32.0 * sign[:, None]
    w = np.zeros(x.shape[1])
    current = -np.logaddexp(0, -(x @ w)).sum() - w @ w / 2
    began = time.process_time()
    for _ in range(steps):
        proposal = w + 0.3 * rng.standard_normal(len(w))
        candidate = -np.logaddexp(0, -(x @ proposal)).sum() - proposal @ proposal / 2
        if candidate - current >= np.log(rng.random()):
            w, current = proposal, candidate
    return time.process_time() - began


# -- what follows from them ------------------------------------------------------------------------


def steps_needed(accuracies: Sequence[Sequence[float]]) -> int:
    """The least of CHOICES, from LEAST_STEPS on, after which the mean accuracy stays near that of
    the longest run."""
    mean = np.mean(np.array(accuracies), axis=0)
    near = np.abs(mean - mean[-1]) <= TOLERANCE
    first = len(near) - 1
    while first > 0 and near[first - 1]:
        first -= 1
    return max(LEAST_STEPS, CHOICES[first])


def ledger_of(counts: Sequence[float], geometry: dict[str, int]) -> tuple[Ledger, Geometry]:
    """A ledger with these counts (means over seeds are rounded), and its geometry."""
    shape = Geometry(**geometry)
    ledger = Ledger(shape)
    ledger.counts[:] = np.rint(np.asarray(counts)).astype(np.int64)
    return ledger, shape


def report_of(found: Cell) -> EnergyReport:
    """Energy of one cell at the reference constants."""
    return energy(*ledger_of(found["counts"], found["geometry"]))


def with_playing(found: Cell) -> Cell:
    """A policy's cell as if every control step had been an access of the array."""
    counts = np.array(found["counts"], np.int64)
    steps, devices = found["control_steps"], 2 * found["weights"]
    mean_code = counts[SET_CODES] / max(1, counts[SET])
    counts[DOT] += steps
    counts[DOT_DEVICES] += steps * devices
    counts[DOT_CODES] += int(steps * devices * mean_code)
    return found | {"counts": counts.tolist()}


def available() -> tuple[list[str], list[str]]:
    """Supervised tasks whose data are here, and why others are left out."""
    names, notes = [], []
    for task in SUPERVISED:
        try:
            require_data([task])
            names.append(task)
        except UsageError as error:
            notes.append(f"without {task}: {error}")
    return names, notes


def make(bench: Bench) -> Figure:
    """Find the number of steps, count operations, price them."""
    tasks, notes = available()
    settings = [(task, kernel) for task in tasks for kernel in KERNELS]
    tuned = bench.map(
        "steps",
        tuning_cell,
        [
            {"task": t, "kernel": k, "seed": TUNING_FROM + i}
            for t, k in settings
            for i in range(min(TUNING_SEEDS, bench.seeds))
        ],
    )
    steps = {
        (t, k): steps_needed([c["accuracy"] for c in tuned if (c["task"], c["kernel"]) == (t, k)])
        for t, k in settings
    }
    settings.append((CARTPOLE, WALK))
    steps[CARTPOLE, WALK] = get_task(CARTPOLE).steps
    cells = bench.map("energy", cell, _cells(settings, steps, bench.seeds))
    groups = {s: [c for c in cells if (c["task"], c["kernel"]) == s] for s in settings}
    spent = {s: Spent(found) for s, found in groups.items()}
    tables = [_table(s, spent[s]) for s in settings]
    return Figure(
        title="Energy per training: the array, what dominates, and the same in software",
        tables=[*tables, _software_table(spent)],
        pictures={
            "energy": _bars(spent),
            "early": _early_picture(spent),
            "ratios": _ratio_picture(spent),
            "steps": _steps_picture(tuned, steps),
        },
        values={
            "steps": {f"{t}, {k}": n for (t, k), n in steps.items()},
            "tuning": tuned,
            "cells": cells,
            "energy": {f"{t}, {k}": s.values() for (t, k), s in spent.items()},
        },
        notes=[
            "Nothing is measured: operations are counted, their energies are published or "
            "estimated (array/energy.py), and no device was at hand.",
            f"Number of steps: the least of {', '.join(map(str, CHOICES))} from which on the mean "
            f"accuracy over seeds {TUNING_FROM} to {TUNING_FROM + TUNING_SEEDS - 1} stays within "
            f"{TOLERANCE:.1%} of that after {CHOICES[-1]:,}, and never less than "
            f"{LEAST_STEPS:,}, because a posterior is wanted; cartpole: its 1,200 episodes.",
            "Ranges: 90 % of trainings priced with constants drawn between their bounds, each on "
            "its own, triangular over the logarithm.",
            "Whitened: the computer fits the mode first; that energy is not in the array's.",
            "Cartpole: actions are computed from the codes that were read back, by the processor, "
            "which is not priced here. `if the array acted` prices an access per control step. No "
            "ratio of times: the golden model's time is mostly that of the cart.",
            "CPU: time of one core (golden model, which also plays the devices; NumPy: the bare "
            "algorithm) at an assumed 10 W [4, 20]; operations at 0.5 nJ [0.05, 2]. Cortex-M4: 5 "
            "cycles [2.5, 10] an operation at 288 pJ [122, 300]. Random numbers not counted there. "
            "45 nm logic: 8-bit multipliers, weights and data in SRAM, a counter-based generator.",
            "The published factor of about 10⁵ (press coverage) does not say what CMOS it means; "
            "against a processor the ratio is that of software to logic, against logic made for "
            "the same algorithm it is of order one.",
            *notes,
        ],
    )


def _cells(
    settings: Sequence[tuple[str, str]], steps: dict[tuple[str, str], int], seeds: int
) -> list[Cell]:
    out: list[Cell] = []
    for task, kernel in settings:
        base = {"task": task, "kernel": kernel, "steps": steps[task, kernel]}
        out += [base | {"seed": seed, "early": True} for seed in range(seeds)]
        if get_task(task).kind != POLICY:
            out += [base | {"seed": s, "early": False} for s in range(min(EARLY_SEEDS, seeds))]
    return out


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
        acts = get_task(self.runs[0]["task"]).kind == POLICY  # most of its time is the cart's
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
        """Runs with and without early rejection took the same way."""
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


def _micro(values: Sequence[float]) -> list[float]:
    return [1e6 * v for v in values]


def array_goal(task: str, joules: Sequence[float], name: str = "array + converter") -> Goal:
    """At most 10 µJ on average, for the tasks that it is set for."""
    wanted = task in GOAL_TASKS
    return Goal(
        name,
        _micro(joules),
        "µJ",
        PUBLISHED,
        f"<= {GOAL_J * 1e6:.0f} µJ" if wanted else "",
        bool(np.mean(joules) <= GOAL_J) if wanted else None,
    )


def _table(setting: tuple[str, str], spent: Spent) -> Table:
    task, kernel = setting
    low, high = _micro(spent.range("array"))
    whole_low, whole_high = _micro(spent.range("total"))
    rows = [
        Goal("steps", [spent.runs[0]["steps"]]),
        Goal("acceptance", [c["acceptance"] for c in spent.runs], "%"),
        array_goal(task, [r.array.joules for r in spent.reports]),
        Goal("the same, 90 % from", [low], "µJ"),
        Goal("to", [high], "µJ"),
        Goal("digital part", _micro([r.digital.joules for r in spent.reports]), "µJ"),
        Goal("all together", _micro([r.total.joules for r in spent.reports]), "µJ", PUBLISHED),
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


SOFTWARE = {
    "numpy_time": "CPU core, NumPy's time × power",
    "cpu_time": "CPU core, golden model's time × power",
    "cpu_operations": "CPU core, operations × price",
    "mcu": "Cortex-M4, operations × price",
    "logic": "45 nm logic made for it",
}


def _software_table(spent: dict[tuple[str, str], Spent]) -> Table:
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


# -- pictures --------------------------------------------------------------------------------------


def _names(spent: dict[tuple[str, str], Spent]) -> list[str]:
    short = {"breast-cancer": "WDBC", "breast-cancer-original": "WBC (1990)"}
    return [f"{short.get(task, task)}\n{kernel}" for task, kernel in spent]


def _bars(spent: dict[tuple[str, str], Spent]) -> Picture:
    """Left: energy on a logarithmic axis with its range; right: the shares, which add up."""
    figure, axes = new_panels(2, 1, (11.0, 8.2))
    top, bottom = axes[0][0], axes[1][0]
    x = np.arange(len(spent))
    for shift, part, colour, label in (
        (-0.2, "array", BLUE, "array + converter"),
        (0.2, "total", GREY, "with the digital part"),
    ):
        middle = np.array(_micro([getattr(s.mean, part).joules for s in spent.values()]))
        bounds = np.array([_micro(s.range(part)) for s in spent.values()]).T
        top.bar(x + shift, middle, 0.38, color=colour, label=label)
        errors = np.maximum([middle - bounds[0], bounds[1] - middle], 0)
        top.errorbar(x + shift, middle, yerr=errors, fmt="none", ecolor="black", capsize=3, lw=1)
        for a, b, h in zip(x + shift, middle, bounds[1], strict=True):
            text = f"{b:.2g}" if b < 100 else f"{b:.0f}"
            top.annotate(text, (a, max(b, h)), ha="center", va="bottom", fontsize=7.5,
                         xytext=(0, 2), textcoords="offset points")  # fmt: skip
    top.axhline(GOAL_J * 1e6, color=ORANGE, ls="--", lw=1)
    top.annotate("10 µJ", (x[-1] + 0.55, GOAL_J * 1e6), color=ORANGE, fontsize=8, va="bottom")
    top.set_yscale("log")
    top.set_ylabel("energy per training (µJ)")
    top.set_title("Energy per training at the reference constants; bars: 90 % over the constants")
    top.legend(fontsize=8, loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False)
    base = np.zeros(len(spent))
    for name, colour in zip(GROUPS, COLOURS, strict=True):
        share = np.array([100 * s.group(name) / s.mean.total.joules for s in spent.values()])
        bottom.bar(x, share, 0.62, bottom=base, color=colour, label=name, edgecolor="white", lw=0.5)
        for a, b, v in zip(x, base, share, strict=True):
            if v > 6:
                bottom.annotate(f"{v:.0f}", (a, b + v / 2), ha="center", va="center", fontsize=7.5)
        base += share
    bottom.set(ylabel="share (%)", ylim=(0, 100), title="What it is spent on")
    bottom.legend(fontsize=8, loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False)
    for ax in (top, bottom):
        ax.set_xticks(x, _names(spent), fontsize=7.5)
        ax.set_xlim(-0.6, len(x) - 0.1)
    return figure


def _early_picture(spent: dict[tuple[str, str], Spent]) -> Picture:
    shown = {s: v for s, v in spent.items() if v.full}
    figure, axes = new_panels(1, 1, (9.0, 4.6))
    ax: Axes = axes[0][0]
    x = np.arange(len(shown))
    for shift, colour, label, pick in (
        (-0.2, GREY, "every point read", "full"),
        (0.2, BLUE, "early rejection", "runs"),
    ):
        seeds = [{c["seed"] for c in s.full} for s in shown.values()]
        values = [
            1e6 * np.mean([report_of(c).total.joules for c in getattr(s, pick) if c["seed"] in k])
            for s, k in zip(shown.values(), seeds, strict=True)
        ]
        ax.bar(x + shift, values, 0.38, color=colour, label=label)
    for a, s in zip(x, shown.values(), strict=True):
        full = 1e6 * np.mean([report_of(c).total.joules for c in s.full])
        ax.annotate(f"-{np.mean(s.saved()):.0%}", (a, full), ha="center", va="bottom", fontsize=9,
                    xytext=(0, 2), textcoords="offset points")  # fmt: skip
    ax.set_xticks(x, _names(shown), fontsize=7.5)
    ax.set(ylabel="energy per training (µJ)")
    ax.set_title("What early rejection saves: the same decisions, fewer reads")
    ax.legend(fontsize=8, frameon=False)
    return figure


def _ratio_picture(spent: dict[tuple[str, str], Spent]) -> Picture:
    figure, axes = new_panels(1, 1, (9.0, 4.8))
    ax: Axes = axes[0][0]
    x = np.arange(len(spent))
    colours = (PURPLE, BLUE, "#56b4e9", GREEN, GREY)
    for i, ((kind, label), colour) in enumerate(zip(SOFTWARE.items(), colours, strict=True)):
        none = (np.nan, np.nan, np.nan)
        found = np.array([s.ratios().get(kind, none) for s in spent.values()])
        errors = [found[:, 0] - found[:, 1], found[:, 2] - found[:, 0]]
        ax.errorbar(
            x + 0.15 * (i - 2), found[:, 0], yerr=errors, fmt="o", ms=5, color=colour,
            capsize=3, lw=1.4, label=label,
        )  # fmt: skip
    ax.axhline(1e5, color=ORANGE, ls="--", lw=1)
    ax.annotate("10⁵: press coverage of the paper", (-0.45, 1e5), color=ORANGE, fontsize=8,
                va="bottom")  # fmt: skip
    ax.axhline(1, color="black", lw=0.8)
    ax.set_yscale("log")
    ax.set_xticks(x, _names(spent), fontsize=7.5)
    ax.set(ylabel="energy, × that of the array with its digital part")
    ax.set_title("The same chain without an array (bars: every constant at its bounds)")
    ax.legend(fontsize=8, frameon=False, loc="upper center", bbox_to_anchor=(0.5, -0.14), ncols=2)
    return figure


def _steps_picture(tuned: Sequence[Cell], steps: dict[tuple[str, str], int]) -> Picture:
    figure, axes = new_panels(1, 1, (8.0, 4.4))
    ax: Axes = axes[0][0]
    tasks = [t for t in SUPERVISED if any(c["task"] == t for c in tuned)]
    for task, colour in zip(tasks, (BLUE, ORANGE, GREEN, PURPLE), strict=False):
        for kernel, style in ((WALK, "--"), (WHITE, "-")):
            found = [c["accuracy"] for c in tuned if (c["task"], c["kernel"]) == (task, kernel)]
            mean = 100 * np.mean(np.array(found), axis=0)
            mean -= mean[-1]
            ax.plot(CHOICES, mean, ls=style, color=colour, lw=1.4, label=f"{task}, {kernel}")
            chosen = CHOICES.index(steps[task, kernel])
            ax.plot(CHOICES[chosen], mean[chosen], "o", ms=8, mfc="white", color=colour)
    ax.set_xscale("log")
    ax.set_xticks(CHOICES, [f"{c:,}" for c in CHOICES])
    ax.minorticks_off()
    ax.set(xlabel="steps", ylabel=f"accuracy - that after {CHOICES[-1]:,} (points)")
    ax.axhspan(-100 * TOLERANCE, 100 * TOLERANCE, color=GREY, alpha=0.15, lw=0)
    ax.set_title("Steps that are needed (circles), on other seeds")
    ax.legend(fontsize=8, frameon=False, loc="center left", bbox_to_anchor=(1.0, 0.5))
    return figure
