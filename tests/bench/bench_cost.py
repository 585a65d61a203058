"""What a run costs against points, features, rows and steps.

    python tests/bench/bench_cost.py [--curve points …] [--json FILE] [--picture FILE]

One quantity is varied at a time, on the model with the emulated array; the others are those of the
middle case. Data are normally distributed and the labels those of a logistic model. Every case is a
run in a process of its own. Times are processor seconds without imports; memory is the peak of the
process, of which imports take about 350 MB. Where the program refuses a case, the curve ends with
its line. Curves that are not measured keep their numbers in the JSON file.
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
    held_out : int
        Held-out points; 0: as many as training points.
    features : int
    rows : int
        Of the array.
    steps : int
        Of each of four chains.
    """

    points: int = 1000
    held_out: int = 0
    features: int = 15
    rows: int = 256
    steps: int = 4000


CURVES: dict[str, tuple[int, ...]] = {
    "points": (100, 1000, 10_000, 47_000, 100_000),
    "held_out": (1000, 10_000, 100_000),
    "features": (5, 15, 60, 125, 250),
    "rows": (64, 256, 1024, 4096),
    "steps": (1000, 10_000, 100_000, 1_000_000),
}
TITLES = {
    "points": "training points",
    "held_out": "held-out points",
    "features": "features",
    "rows": "rows of the array",
    "steps": "steps of each chain",
}
COLUMNS = ("steps", "prepare (s)", "µs per step", "evaluate (s)", "peak (MB)", "ESS/s")
BUDGET = 4_000_000_000
"""Points × features × steps of all chains: a case with more makes fewer steps."""


def table_of(case: Case, path: Path) -> None:
    """Twice the held-out points, because a table is split in halves."""
    half = max(case.points, case.held_out)
    rng = np.random.default_rng(case.points + case.features)
    x = rng.normal(size=(2 * half, case.features))
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
    chosen |= {"train_points": case.points} if case.held_out else {}
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
    print(f"\n| {' | '.join((TITLES[name], *COLUMNS))} |")
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


QUANTITIES = {
    "step": ("CPU time per step (µs)", 1e6),
    "evaluate": ("CPU time of evaluation (s)", 1.0),
    "memory": ("peak memory (MB)", 1.0),
    "ess": ("ESS per second of sampling", 1.0),
}


def draw(curves: dict[str, list[dict[str, Any]]], path: Path) -> None:
    """A row of panels for each quantity, a column for what is varied."""
    from matplotlib.ticker import NullFormatter

    from ohmcarlo.pictures.canvas import new_panels

    figure, axes = new_panels(len(QUANTITIES), len(curves), (11.0, 8.0))
    for row, (key, (label, unit)) in zip(axes, QUANTITIES.items(), strict=True):
        values = [unit * found[key] for rows in curves.values() for found in rows]
        for ax, (name, found) in zip(row, curves.items(), strict=True):
            ax.plot([r["size"] for r in found], [unit * r[key] for r in found], marker="o", ms=4)
            ax.set(xscale="log", yscale="log", ylim=(min(values) / 1.5, max(values) * 1.5))
            if key == "memory":
                ax.set(yscale="linear", ylim=(0, max(values) * 1.1))
            ax.xaxis.set_minor_formatter(NullFormatter())
            ax.yaxis.set_minor_formatter(NullFormatter())
            ax.tick_params(labelleft=ax is row[0])
            ax.set_xlabel(TITLES[name] if key == "ess" else "")
        row[0].set_ylabel(label)
    metadata = {"Date": None} if path.suffix == ".svg" else None
    figure.savefig(path, metadata=metadata)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--curve", nargs="+", choices=CURVES, default=[*CURVES], help="which ones")
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
    curves = {}
    if chosen.json is not None and chosen.json.exists():
        curves = json.loads(chosen.json.read_text(encoding="utf-8"))
    with tempfile.TemporaryDirectory() as folder:
        measure(Case(steps=500), Path(folder))  # compile
        for name in chosen.curve:
            curves[name] = measure_curve(name, CURVES[name], Path(folder))
    if chosen.json is not None:
        chosen.json.write_text(json.dumps(curves, indent=1) + "\n", encoding="utf-8")
    if chosen.picture is not None:
        draw(curves, chosen.picture)


if __name__ == "__main__":
    main()
