"""Train: build an experiment, run its chains, evaluate, write the files."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from ..boards import BoardLost, silent
from ..errors import UsageError
from ..files import write_bytes, write_json
from ..progress import Observer, Silence, observed_by, phase
from .advice import advised, as_resumed
from .algebra import few_threads
from .chain_run import ChainRun, Interrupted
from .config import TrainConfig
from .folder import RunFolder, check_free
from .kind import Experiment, RunKind, RunResult
from .kinds import (
    POLICY,
    REGRESSION,
    SUPERVISED,
    AnyKind,
    chain_kind_of,
    kind_of,
    read_complete,
)
from .live_notes import ChainNote, NotedProgress, remove_notes
from .multiclass.kind import MulticlassKind
from .multiclass.sampling import complete_multiclass, traces
from .outputs import Outputs as Outputs
from .policy.result import PolicyResult
from .provenance import require_same_files, require_same_inputs, require_same_version
from .regression.result import RegressionResult
from .setup import ChainSetup
from .stored import (
    EVALUATION,
    MANIFEST,
    POSTERIOR,
    RESULT,
    TRACE,
    read_manifest,
    read_trace,
    require_run,
    write_arrays,
    write_result,
)
from .summary import ChainResult, request_of
from .supervised.result import SupervisedResult

E = TypeVar("E", bound=Experiment)
R = TypeVar("R", bound=RunResult)


def train(config: TrainConfig, observer: Observer | None = None) -> SupervisedResult:
    """Train on labelled data, in memory; see ``train_run`` for a run that is kept.

    Examples
    --------
    >>> from ohmcarlo.runs.config import TrainConfig
    >>> from ohmcarlo.runs.train import train
    >>> result = train(TrainConfig("toy2d", rows=16, pairs=8, steps=100))
    >>> result.weight_names
    ['x1', 'x2', 'bias']
    >>> result.probability.shape == result.labels.shape
    True
    """
    return _train_in_memory(SUPERVISED, config, observer)


def train_policy(config: TrainConfig, observer: Observer | None = None) -> PolicyResult:
    """``train`` for a task that learns a policy.

    Examples
    --------
    >>> from ohmcarlo.runs.config import TrainConfig
    >>> from ohmcarlo.runs.train import train_policy
    >>> result = train_policy(TrainConfig("cartpole", steps=5))
    >>> len(result.trace.accepted)
    5
    """
    return _train_in_memory(POLICY, config, observer)


def train_regression(config: TrainConfig, observer: Observer | None = None) -> RegressionResult:
    """``train`` for labels that are numbers.

    Examples
    --------
    >>> from ohmcarlo.runs.config import TrainConfig
    >>> from ohmcarlo.runs.train import train_regression
    >>> result = train_regression(TrainConfig("diabetes", steps=200, sigma_p=1.0, whiten=True))
    >>> result.weight_names[:3]
    ['age', 'sex', 'bmi']
    """
    return _train_in_memory(REGRESSION, config, observer)


def train_chains(config: TrainConfig, observer: Observer | None = None) -> ChainResult:
    """``train`` for any kind with one set of chains, in memory; UsageError for several classes.

    Examples
    --------
    >>> from ohmcarlo.runs.config import TrainConfig
    >>> from ohmcarlo.runs.train import train_chains
    >>> result = train_chains(TrainConfig("toy2d", rows=16, pairs=8, steps=100))
    >>> result.draws.shape
    (1, 100, 3)
    """
    kind = chain_kind_of(config.task, config.kind)
    result: ChainResult = _train_in_memory(kind, config, observer)
    return result


def _train_in_memory(kind: RunKind[E, R], config: TrainConfig, observer: Observer | None) -> R:
    with closing(kind.build(config, silent)) as experiment:
        return _complete(kind, experiment, None, Outputs(), observer or Silence())


def train_run(config: TrainConfig, outputs: Outputs, observer: Observer) -> dict[str, Any]:
    """Train, write the ``outputs``, and return the result (as in the JSON).

    Raises
    ------
    UsageError
        For a bad request.
    OhmcarloError
        When the run fails, or its files cannot be written.
    Interrupted
        After Ctrl-C.

    Examples
    --------
    >>> from pathlib import Path
    >>> from ohmcarlo.progress import Silence
    >>> from ohmcarlo.runs.config import TrainConfig
    >>> from ohmcarlo.runs.outputs import Outputs
    >>> from ohmcarlo.runs.train import train_run
    >>> config = TrainConfig("toy2d", chains=4, steps=4000, whiten=True, rho=0.8, wide_every=10)
    >>> values = train_run(config, Outputs(folder=Path("first")), Silence())
    >>> values["verdict"], Path("first/result.json").is_file()
    ('settled', True)
    """
    outputs.check()
    if outputs.folder is not None:
        check_free(outputs.folder)
        config = config.located()
    kind = kind_of(config.task, config.kind)
    with closing(_built(kind, config, observer)) as experiment:
        if outputs.folder is None:
            return _finish(kind, experiment, None, outputs, observer)
        with RunFolder.create(outputs.folder, experiment.manifest()) as folder:
            return _finish(kind, experiment, folder, outputs, observer)


def resume_run(outputs: Outputs, observer: Observer, backend: str | None = None) -> dict[str, Any]:
    """Finish the run in ``outputs.folder``; a complete one is only shown again.

    ``backend``: the board that takes the run over, None for the one that it began on. The chain is
    the same on every board that can have its array.

    Examples
    --------
    >>> from pathlib import Path
    >>> from ohmcarlo.progress import Silence
    >>> from ohmcarlo.runs.config import TrainConfig
    >>> from ohmcarlo.runs.outputs import Outputs
    >>> from ohmcarlo.runs.train import resume_run, train_run
    >>> files = Outputs(folder=Path("first"))
    >>> values = train_run(TrainConfig("toy2d", rows=16, pairs=8, steps=100), files, Silence())
    >>> resume_run(files, Silence())["verdict"] == values["verdict"]
    True
    """
    outputs.check()
    path = outputs.folder
    if path is None:
        raise UsageError("resume needs a run folder")
    require_run(path)
    with RunFolder.open(path) as folder:
        if (path / RESULT).exists():
            observer.say(f"the run in {path} is complete already")
            return _write_complete(path, outputs)
        manifest = read_manifest(path)
        known = TrainConfig.from_dict(manifest["config"])
        if backend is not None:
            known = replace(known, backend=backend, boards=known.arrays)
        for line in require_same_version(manifest):
            observer.say(line)
        require_same_files(known, manifest)
        kind = kind_of(known.task, known.kind)
        with advised(as_resumed), closing(_built(kind, known, observer)) as experiment:
            require_same_inputs(manifest, experiment.inputs())
            return _finish(kind, experiment, folder, outputs, observer)


def _built(kind: AnyKind, config: TrainConfig, observer: Observer) -> Any:
    """The experiment of a run: data, array and board."""
    with phase("preparing data and array"):
        return kind.build(config, observer.say)


def _write_complete(path: Path, outputs: Outputs) -> dict[str, Any]:
    """Write the trace and the JSON of a complete run again; its result."""
    kind, values = read_complete(path)
    if outputs.trace is not None:
        several = isinstance(kind, MulticlassKind)
        arrays = traces(path, len(values["problems"])) if several else read_trace(path).arrays()
        write_arrays(outputs.trace, arrays)
    if outputs.json is not None:
        write_json(outputs.json, values)
    return values


def _finish(
    kind: AnyKind, experiment: Any, folder: RunFolder | None, outputs: Outputs, observer: Observer
) -> dict[str, Any]:
    """Complete a run of any kind; its result."""
    if folder is None:
        return _complete_any(kind, experiment, folder, outputs, observer)
    observer = NotedProgress(folder.path, observer)
    with observed_by(observer):
        values = _complete_any(kind, experiment, folder, outputs, observer)
    remove_notes(folder.path)
    return values


def _complete_any(
    kind: AnyKind, experiment: Any, folder: RunFolder | None, outputs: Outputs, observer: Observer
) -> dict[str, Any]:
    if isinstance(kind, MulticlassKind):
        for line in experiment.description():
            observer.say(line)
        return complete_multiclass(experiment, folder, outputs, observer, _train_or_resume).values
    return _complete(kind, experiment, folder, outputs, observer).values


def _train_or_resume(config: TrainConfig, outputs: Outputs, observer: Observer) -> None:
    """One problem of a run of several classes."""
    if outputs.folder is not None and (outputs.folder / MANIFEST).exists():
        resume_run(outputs, observer, config.backend)
    else:
        train_run(config, outputs, observer)


def _complete(
    kind: RunKind[E, R],
    experiment: E,
    folder: RunFolder | None,
    outputs: Outputs,
    observer: Observer,
) -> R:
    for line in experiment.description():
        observer.say(line)
    chain_run = ChainRun(
        experiment.setup,
        folder,
        outputs.checkpoint_seconds,
        observer,
        lambda setup: _note_chain(experiment, setup, folder),
    )
    try:
        chain_run.run()
        experiment = experiment.after(chain_run.setup)
        with phase("evaluating the run"), few_threads(experiment.setup.points):
            result = kind.evaluate(experiment, chain_run.streamed(), chain_run.seconds)
        with phase("writing the run"):
            _write(result, folder, outputs)
    except KeyboardInterrupt as interrupt:
        raise Interrupted(chain_run.resume_hint()) from interrupt
    except BoardLost as lost:
        raise BoardLost(f"{lost}; {chain_run.resume_hint()}") from lost
    return result


def _note_chain(experiment: Experiment, setup: ChainSetup, folder: RunFolder | None) -> None:
    """Note the sampling chain in the run folder, for those who watch the run."""
    if folder is not None:
        length = {"chains": setup.config.chains, "steps": setup.config.steps}
        values = request_of(setup) | length
        ChainNote(values, experiment.weight_map(setup)).write(folder.path)


def _write(result: RunResult, folder: RunFolder | None, outputs: Outputs) -> None:
    """Write every output. The run's own result comes last, because it marks the run complete."""
    arrays = result.trace.arrays()
    if folder is not None:
        write_bytes(folder.path / POSTERIOR, result.posterior)
        write_arrays(folder.path / TRACE, arrays)
        write_arrays(folder.path / EVALUATION, result.evaluation())
    if outputs.trace is not None:
        write_arrays(outputs.trace, arrays)
    if outputs.json is not None:
        write_json(outputs.json, result.values)
    if folder is not None:
        write_result(folder.path, result.values)
