"""``python -m ohmcarlo_rtl.driver``: a training job in C, with the driver of the IP core."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from ohmcarlo.errors import OhmcarloError, UsageError
from ohmcarlo.runs.config import TrainConfig
from ohmcarlo_hdl.config import CoreConfig

from ..processes import INTERRUPTED, interruptible
from .core import add_core_options, core_of
from .files import example_files
from .job import Job, training_job
from .package import EXAMPLE

DESCRIPTION = """Write a training job as C: the driver of the IP core, its headers, the data and
settings of a run, and an example that trains and predicts. The data are split and encoded as by
`ohmcarlo train --whiten`. Files of an earlier call are renewed, except main.c."""


def parser(
    steps: int = 2000, out: str = "DIR", out_help: str = "folder of the files"
) -> argparse.ArgumentParser:
    """The options; those of the IP core are named as those of ``ohmcarlo export``."""
    made = argparse.ArgumentParser(prog="python -m ohmcarlo_rtl.driver", description=DESCRIPTION)
    made.add_argument(
        "task",
        metavar="TASK",
        help="a task (see `ohmcarlo tasks`) or a CSV file with a label column",
    )
    made.add_argument("out", type=Path, metavar=out, help=out_help)
    add_core_options(made)
    chain = made.add_argument_group("chain and data")
    for name, value, text in (
        ("chains", 1, "independent chains"),
        ("steps", steps, "steps of each chain"),
        ("seed", 0, "seed of split and array"),
    ):
        text = f"{text} (default: {value})"
        chain.add_argument(f"--{name}", type=int, default=value, metavar="N", help=text)
    text = "number of features, by chi² score (default: that of the task)"
    chain.add_argument("--features", type=int, metavar="N", help=text)
    chain.add_argument("--label", metavar="NAME", help="label column of a CSV file")
    chain.add_argument("--positive", metavar="CLASS", help="class that counts as 1, of two")
    chain.add_argument(
        "--drop",
        action="append",
        default=[],
        metavar="NAME",
        help="column to leave out; repeat the option for others",
    )
    return made


def train_of(options: argparse.Namespace, core: CoreConfig) -> TrainConfig:
    """The run for parsed options on a core."""
    geometry = core.geometry
    return TrainConfig(
        options.task,
        rows=geometry.rows,
        pairs=geometry.pairs,
        entropy_pairs=geometry.entropy_pairs,
        chains=options.chains,
        steps=options.steps,
        seed=options.seed,
        features=options.features,
        label=options.label,
        positive=options.positive,
        drop=tuple(options.drop),
        hidden=0,
        whiten=True,
    )


def job_of(options: argparse.Namespace) -> Job:
    """The job for parsed options; raises UsageError for a request that cannot be met."""
    core = core_of(options)
    try:
        return training_job(core, train_of(options, core))
    except UsageError as error:
        sized = any(size in str(error) for size in ("--rows", "--pairs", "--max-points"))
        if options.core is None or not sized:
            raise
        raise UsageError(
            f"{error}; the sizes are those of the core in {options.core}: `ohmcarlo export` makes "
            "another core"
        ) from None


def write_files(job: Job, folder: Path) -> None:
    """Write the files of ``job``; a ``main.c`` that is there stays."""
    files = example_files(job)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            if name == EXAMPLE and (folder / name).exists():
                continue
            (folder / name).write_text(text, encoding="utf-8", newline="\n")
    except OSError as error:
        raise UsageError(f"{folder} cannot be written: {error.strerror}") from None


def main(arguments: list[str] | None = None) -> int:
    """Exit code 0: done; 2: bad use; 130: interrupted."""
    options = parser().parse_args(arguments)
    try:
        if options.out.exists() and not options.out.is_dir():
            raise UsageError(f"{options.out} is not a folder: give another one")
        with interruptible():
            job = job_of(options)
            write_files(job, options.out)
    except KeyboardInterrupt:
        print("ohmcarlo_rtl.driver: interrupted", file=sys.stderr)
        return INTERRUPTED
    except OhmcarloError as error:
        print(f"ohmcarlo_rtl.driver: {error}", file=sys.stderr)
        return error.exit_code
    print(
        f"{options.out}: {job.name}, {len(job.points)} data points, "
        f"{len(job.test_points)} to predict, {job.steps} steps"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
