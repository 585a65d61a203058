"""What a run costs against points, features, rows and steps.

    python tests/bench/bench_cost.py [--share 1.0] [--picture docs/pictures/figures/cost.png]

One quantity is varied at a time, on the model with the emulated array; the others are those of the
middle case. Data are normally distributed and the labels those of a logistic model. Every case is a
run in a process of its own. Times are processor seconds without imports; memory is the peak of the
process, of which imports take about 350 MB. Where the program refuses a case, the curve ends with
its line. ``--share`` below 1 leaves out the largest cases.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ohmcarlo.errors import OhmcarloError

MB = 1024  # of the kilobytes of ru_maxrss


@dataclass(frozen=True)
class Case:
    """Sizes of a run.

    Attributes
    ----------
    points : int
        Training points.
    features : int
    rows : int
        Of the array.
    steps : int
        Of each of four chains.
    """

    points: int = 1000
    features: int = 15
    rows: int = 256
    steps: int = 4000


CURVES: dict[str, tuple[int, ...]] = {
    "points": (100, 1000, 10_000, 100_000),
    "features": (5, 15, 60, 125, 250),
    "rows": (64, 256, 1024, 4096),
    "steps": (1000, 10_000, 100_000, 1_000_000),
}
BUDGET = 4_000_000_000
"""Points × features × steps of all chains: a case with more makes fewer steps."""


def table_of(case: Case, path: Path) -> None:
    """As many held-out rows as training points, because a table is split in halves."""
    rng = np.random.default_rng(case.points + case.features)
    x = rng.normal(size=(2 * case.points, case.features))
    weights = rng.normal(size=case.features) / np.sqrt(case.features)
    label = x @ weights + rng.logistic(size=len(x)) > 0
    names = [f"x{i}" for i in range(case.features)] + ["label"]
    content = np.column_stack([x, label])
    np.savetxt(path, content, "%.4g", ",", header=",".join(names), comments="")


def run_one(case: Case, path: Path) -> dict[str, Any]:
    """Cost of one run, in this process."""
    from ohmcarlo.boards import silent
    from ohmcarlo.runs.algebra import few_threads
    from ohmcarlo.runs.chain_run import ChainRun
    from ohmcarlo.runs.config import TrainConfig
    from ohmcarlo.runs.defaults import complete
    from ohmcarlo.runs.kinds import SUPERVISED
    from ohmcarlo.runs.train import train
    from ohmcarlo.tasks import get_task

    table_of(case, path)
    task = get_task(str(path))
    chosen = {"adapt": False, "whiten": True, "chains": 4, "steps": case.steps, "rows": case.rows}
    unchosen = dict.fromkeys(("pairs", "entropy_pairs", "access_bits", "rho", "gamma", "hidden"))
    options = {**unchosen, "kernel": "corrected", "features": case.features, **chosen}
    config = complete(task, options).config
    train(TrainConfig("toy2d", rows=64, pairs=8, chains=4, steps=100, whiten=True))  # imports
    began = time.process_time()
    with closing(SUPERVISED.build(config, silent)) as experiment:
        prepared = time.process_time()
        run = ChainRun(experiment.setup)
        run.run()
        evaluated = time.process_time()
        with few_threads(experiment.setup.points):
            values = SUPERVISED.evaluate(
                experiment.after(run.setup), run.streamed(), run.seconds
            ).values
        ended = time.process_time()
    return {
        "prepare": prepared - began,
        "step": run.cpu_seconds / case.steps / values["chains"],
        "evaluate": ended - evaluated,
        "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / MB,
        "ess": values["ess_min"] / run.cpu_seconds,
        "steps": case.steps,
    }


def measure(case: Case, base: Path) -> dict[str, Any] | str:
    """Cost of a case, or the line with which it is refused."""
    command = [sys.executable, __file__, "--one", json.dumps(asdict(case))]
    run = subprocess.run([*command, str(base / "t.csv")], capture_output=True, text=True)
    lines = (run.stdout if not run.returncode else run.stderr).strip().splitlines()
    last = lines[-1] if lines else f"ended with code {run.returncode}"
    return last if run.returncode else json.loads(last)


def affordable(case: Case) -> Case:
    """The case with fewer steps, if it would take long."""
    most = BUDGET // (4 * case.points * case.features)
    return replace(case, steps=max(500, min(case.steps, most)))


def measure_curve(name: str, sizes: tuple[int, ...], base: Path) -> list[dict[str, Any]]:
    """The cases of a curve that the program makes, printed as a table."""
    print(f"\n| {name} | steps | prepare (s) | µs per step | evaluate (s) | peak (MB) | ESS/s |")
    print("|---|---|---|---|---|---|---|")
    rows = []
    for size in sizes:
        case = replace(Case(), **{name: size})
        found = measure(case if name == "steps" else affordable(case), base)
        if isinstance(found, str):
            print(f"| {size:,} | {found} | | | | | |")
            break
        print(
            f"| {size:,} | {found['steps']:,} | {found['prepare']:.2f} | {1e6 * found['step']:.1f} "
            f"| {found['evaluate']:.2f} | {found['memory']:.0f} | {found['ess']:,.0f} |",
            flush=True,
        )
        rows.append({"size": size, **found})
    return rows


def draw(curves: dict[str, list[dict[str, Any]]], path: Path) -> None:
    """One picture: time per step, evaluation, memory and effective samples of every curve."""
    from ohmcarlo.pictures.canvas import new_panels

    quantities = {
        "step": ("processor time per step (µs)", 1e6),
        "evaluate": ("evaluation (s)", 1.0),
        "memory": ("peak memory (MB)", 1.0),
        "ess": ("effective samples per second", 1.0),
    }
    figure, axes = new_panels(1, 4, (15.0, 3.6))
    for ax, (key, (label, unit)) in zip(axes, quantities.items(), strict=True):
        for name, rows in curves.items():
            sizes = [row["size"] for row in rows]
            ax.plot(sizes, [unit * row[key] for row in rows], marker="o", ms=3, label=name)
        ax.set(xscale="log", yscale="log", xlabel="points, features, rows or steps", ylabel=label)
    axes[0].legend(frameon=False, fontsize=8)
    figure.savefig(path, dpi=100)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--share", type=float, default=1.0, help="share of the cases of a curve")
    parser.add_argument("--json", type=Path, help="file of the numbers")
    parser.add_argument("--picture", type=Path, help="file of the picture")
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.one:
        try:
            print(json.dumps(run_one(Case(**json.loads(chosen.one[0])), Path(chosen.one[1]))))
        except OhmcarloError as error:
            raise SystemExit(str(error)) from None
        return
    with tempfile.TemporaryDirectory() as folder:
        measure(Case(steps=500), Path(folder))  # compile
        curves = {
            name: measure_curve(name, sizes[: round(chosen.share * len(sizes))], Path(folder))
            for name, sizes in CURVES.items()
        }
    if chosen.json is not None:
        chosen.json.write_text(json.dumps(curves, indent=1) + "\n", encoding="utf-8")
    if chosen.picture is not None:
        draw(curves, chosen.picture)


if __name__ == "__main__":
    main()
