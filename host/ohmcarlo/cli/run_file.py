"""The options ``--config`` and ``--write-config`` of ``train``."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import typer

from ..errors import UsageError
from ..files import check_file, write_bytes
from ..runs.config import TrainConfig
from ..runs.config_reading import DERIVED, RunFile, read_run_file
from ..runs.config_writing import config_text
from ..runs.defaults import Completed, complete, require_room
from ..runs.provenance import changed_files, changed_versions
from ..tasks import REGRESSION, TASKS, get_task, labelled_task, require_kind
from .console import Console
from .streams import write_data

FOLLOWERS = {"steps": ("more_steps",), "rho": ("pilot", "least_rho"), "gamma": ("pilot",)}
"""Entries of a file that lose their meaning when an option replaces another one."""
MODEL = {"task", "kernel", "hidden", "whiten", "adapt", "paper", "regression"}
"""Options that change the model: what follows from it is chosen again."""


def read_config(path: Path | None) -> RunFile | None:
    """The file of ``--config``, if there is one."""
    return None if path is None else read_run_file(path)


def typed_options(context: typer.Context) -> set[str]:
    """Names of the parameters that the user typed."""
    sources = {name: context.get_parameter_source(name) for name in context.params}
    return {name for name, source in sources.items() if source and source.name == "COMMANDLINE"}


def merged(
    file: RunFile | None, options: Mapping[str, Any], typed: Collection[str]
) -> dict[str, Any]:
    """Settings of a run: options that were typed, then entries of the file, then defaults."""
    if file is None:
        return dict(options)
    chosen = {name: value for name, value in options.items() if name in typed}
    lost = {other for name in chosen for other in FOLLOWERS.get(name, ())}
    if set(chosen) - {"backend"}:  # the scores of another run
        lost.add("sigma_p_choice")
    if MODEL & set(typed):
        lost |= {*DERIVED, *({"kind"} if MODEL & {"task", "regression"} & set(typed) else ())}
    kept = {name: value for name, value in file.values.items() if name not in lost}
    return {**options, **kept, **chosen}


def describe_replaced(
    file: RunFile, options: Mapping[str, Any], typed: Collection[str]
) -> str | None:
    """A line about entries of the file that options replace."""
    replaced = [
        f"{name} = {_shown(options[name])} (file: {_shown(value)})"
        for name, value in file.values.items()
        if name in typed and name in options and _shown(options[name]) != _shown(value)
    ]
    return f"{file.path}: the command line replaces {', '.join(replaced)}" if replaced else None


def _shown(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def require_task(file: RunFile | None, values: Mapping[str, Any]) -> str:
    """The task of a run; UsageError if neither command nor file names it."""
    if values.get("task"):
        return str(values["task"])
    if file is None:
        raise UsageError(
            "TASK is missing: name a task (`ohmcarlo tasks` lists them) or a CSV file, or give "
            "--config FILE"
        )
    raise UsageError(f'{file.path} has no task: add a line task = "NAME", or type the name')


def completed_run(
    file: RunFile | None,
    values: Mapping[str, Any],
    paper: bool = False,
    regression: bool | None = None,
) -> Completed:
    """The configuration of a run: as a complete file states it, else with the defaults of the
    task. An error about an entry of the file names its line."""
    try:
        return _completed(file, values, paper, regression)
    except UsageError as error:
        key = str(error).split(" ", 1)[0]
        if file is None or key not in file.values or file.values[key] != values.get(key):
            raise
        raise UsageError(f"{file.place(key)}: {error}") from error


def _completed(
    file: RunFile | None, values: Mapping[str, Any], paper: bool, regression: bool | None
) -> Completed:
    task = require_task(file, values)
    chosen = {name: value for name, value in values.items() if name != "task"}
    if "drop" in chosen:
        chosen["drop"] = tuple(chosen["drop"])
    if file is not None and all(chosen.get(name) is not None for name in DERIVED):
        config = TrainConfig(task=task, **chosen)
        require_room(get_task(task), config)
        return Completed(config, tuple(_changes(file, config)))
    kind = chosen.get("kind")
    if kind is not None and task in TASKS and chosen.get("problem") is None:
        require_kind(task, kind)
    elif kind is not None and regression is None and task not in TASKS:
        regression = kind == REGRESSION
    columns = {name: chosen.get(name) for name in ("label", "drop", "positive")}
    return complete(labelled_task(task, regression, **columns), chosen, paper)


def _changes(file: RunFile, config: TrainConfig) -> list[str]:
    """Lines about what has changed since the run of a manifest."""
    if file.manifest is None:
        return []
    return [*changed_versions(file.manifest), *changed_files(config, file.manifest)]


def write_config(console: Console, path: Path, config: TrainConfig) -> None:
    """Write the settings of a run as TOML; ``-`` is standard output."""
    text = config_text(config)
    if str(path) == "-":
        write_data(text)
        return
    check_file(path)
    write_bytes(path, text.encode())
    console.say(f"wrote {path}: ohmcarlo train --config {path}")
