"""``python -m ohmcarlo_rtl.driver``: a training job in C, with the driver of the IP core."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from ohmcarlo.errors import OhmcarloError, UsageError
from ohmcarlo.runs.config import TrainConfig
from ohmcarlo.spec import Geometry
from ohmcarlo_hdl.config import REFERENCE, CoreConfig

from .files import example_files
from .job import Job, training_job
from .package import EXAMPLE

DESCRIPTION = """Write a training job as C: the driver of the IP core, the headers of the core, the
data and settings of a run, and an example that trains and predicts. The data are split and encoded
as by `ohmcarlo train --whiten`. Files of an earlier call are renewed, except main.c."""


def parser() -> argparse.ArgumentParser:
    """The options; those of the core are named as those of ``ohmcarlo export``."""
    made = argparse.ArgumentParser(prog="python -m ohmcarlo_rtl.driver", description=DESCRIPTION)
    made.add_argument(
        "task",
        metavar="TASK",
        help="a task (see `ohmcarlo tasks`) or a CSV file with a label column",
    )
    made.add_argument("out", type=Path, metavar="DIR", help="folder of the files")
    core = made.add_argument_group("core")
    g = REFERENCE.geometry
    for name, value, text in (
        ("rows", g.rows, "rows of the array"),
        ("pairs", g.pairs, "device pairs of a row"),
        ("access-bits", g.access_bits, "bits of an input that one access applies"),
        ("max-points", REFERENCE.max_points, "data points that the data memory holds"),
    ):
        core.add_argument(
            f"--{name}", type=int, default=value, metavar="N", help=f"{text} (default: {value})"
        )
    chain = made.add_argument_group("chain and data")
    for name, value, text in (
        ("chains", 1, "independent chains"),
        ("steps", 2000, "steps of each chain"),
        ("seed", 0, "seed of split and array"),
    ):
        text = f"{text} (default: {value})"
        chain.add_argument(f"--{name}", type=int, default=value, metavar="N", help=text)
    text = "number of features, by chi² score (default: that of the task)"
    chain.add_argument("--features", type=int, metavar="N", help=text)
    chain.add_argument("--label", metavar="NAME", help="label column of a CSV file")
    chain.add_argument("--positive", metavar="CLASS", help="class of two that is 1")
    chain.add_argument(
        "--drop",
        action="append",
        default=[],
        metavar="NAME",
        help="column to leave out",
    )
    return made


def train_of(options: argparse.Namespace) -> TrainConfig:
    """The run for parsed options."""
    return TrainConfig(
        options.task,
        rows=options.rows,
        pairs=options.pairs,
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
    geometry = Geometry(rows=options.rows, pairs=options.pairs, access_bits=options.access_bits)
    return training_job(CoreConfig(geometry, max_points=options.max_points), train_of(options))


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
    """Exit code 0: done; 2: bad use."""
    options = parser().parse_args(arguments)
    try:
        if options.out.exists() and not options.out.is_dir():
            raise UsageError(f"{options.out} is no folder: name another one")
        job = job_of(options)
        write_files(job, options.out)
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
