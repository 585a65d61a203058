"""Every binary problem of a run, one after the other, as an ordinary run in a folder of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...boards import BoardLost
from ...files import write_json
from ...progress import SAMPLING, STEPS, Observer, counted
from ..chain_run import NOTHING_KEPT, Interrupted
from ..config import TrainConfig
from ..folder import RunFolder
from ..outputs import Outputs
from ..stored import EVALUATION, RESULT, read_trace, write_arrays, write_result
from .experiment import MulticlassExperiment
from .predict import folder_of
from .result import MulticlassResult, evaluate_multiclass

RunOne = Callable[[TrainConfig, Outputs, Observer], object]
"""Trains a run, or resumes the one that the folder holds."""


@dataclass(frozen=True)
class OfProblem:
    """An ``Observer`` of one of several problems; its progress names the problem."""

    observer: Observer
    name: str

    def say(self, text: str) -> None:
        self.observer.say(f"{self.name}: {text}")

    def wait(self, text: str) -> None:
        self.observer.wait(f"{self.name}: {text}")

    def rename(self, text: str, steps: int = 0, total: int = 0, unit: str = STEPS) -> None:
        self.observer.rename(f"{self.name}: {text}", steps, total, unit)

    def begin(self, steps: int, total: int, what: str = SAMPLING, unit: str = STEPS) -> None:
        self.observer.begin(steps, total, f"{what} {self.name}", unit)

    def advance(self, steps: int, acceptance: float | None = None) -> None:
        self.observer.advance(steps, acceptance)

    def end(self) -> None:
        self.observer.end()


def complete_multiclass(
    experiment: MulticlassExperiment,
    folder: RunFolder | None,
    outputs: Outputs,
    observer: Observer,
    run_one: RunOne,
) -> MulticlassResult:
    """Sample what is not sampled yet, evaluate all problems together, and write the outputs."""
    with _place(folder) as path:
        count = len(experiment.problems)
        with counted(count, "all problems", "problems") as done:
            for number in range(count):
                _sample(experiment, number, path, folder is not None, outputs, observer, run_one)
                done(number + 1)
        observer.wait("predicting the held-out points")
        try:
            result = evaluate_multiclass(experiment, path)
        finally:
            observer.end()
        if outputs.trace is not None:
            write_arrays(outputs.trace, traces(path, len(experiment.problems)))
    if outputs.json is not None:
        write_json(outputs.json, result.values)
    if folder is not None:
        write_arrays(folder.path / EVALUATION, result.evaluation())
        own = [f"{folder_of(k)}/{RESULT}" for k in range(len(experiment.problems))]
        write_result(folder.path, result.values, [EVALUATION, *own])
    return result


@contextmanager
def _place(folder: RunFolder | None) -> Iterator[Path]:
    """The folder of the run, or one that is removed afterwards."""
    if folder is not None:
        yield folder.path
        return
    with TemporaryDirectory(prefix="ohmcarlo-") as path:
        yield Path(path)


def _sample(
    experiment: MulticlassExperiment,
    number: int,
    path: Path,
    kept: bool,
    outputs: Outputs,
    observer: Observer,
    run_one: RunOne,
) -> None:
    """Sample one problem, unless its run is complete."""
    own = path / folder_of(number)
    if (own / RESULT).exists():
        return
    name = f"{experiment.name_of(number)} ({number + 1} of {len(experiment.problems)})"
    seconds = outputs.checkpoint_seconds if kept else np.inf
    try:
        run_one(
            experiment.config_of(number),
            Outputs(own, checkpoint_seconds=seconds),
            OfProblem(observer, name),
        )
    except (Interrupted, BoardLost) as stopped:
        text = str(stopped)
        if kept:  # the command resumes the whole run
            text = text.replace(str(own), str(path))
        else:
            text = f"{text.partition(';')[0]}; {NOTHING_KEPT}"
        raise type(stopped)(f"{name}: {text}") from stopped


def traces(path: Path, problems: int) -> dict[str, NDArray[Any]]:
    """The arrays of the traces of all problems: ``problem-1.accepted``, …"""
    return {
        f"{folder_of(k)}.{name}": array
        for k in range(problems)
        for name, array in read_trace(path / folder_of(k)).arrays().items()
    }
