"""The kinds of runs, and the kind of a given run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..tasks import get_task
from .kind import RunKind
from .policy.kind import PolicyKind
from .stored import POSTERIOR, RESULT, intact, read_result, require_keys, require_result_file
from .supervised.kind import SupervisedKind

SUPERVISED, POLICY = SupervisedKind(), PolicyKind()
KINDS: dict[str, RunKind[Any, Any]] = {kind.name: kind for kind in (SUPERVISED, POLICY)}


def kind_of(task: str, kind: str | None = None) -> RunKind[Any, Any]:
    """The kind of run that a task needs; UsageError for an unknown task.

    ``kind``: its name, as in configuration and result; None: that of the task.
    """
    return KINDS[get_task(task).kind if kind is None else kind]


def read_complete(path: Path) -> tuple[RunKind[Any, Any], dict[str, Any]]:
    """Kind and result of the complete run in ``path``.

    Raises UsageError when the run is not complete, OhmcarloError when its result is damaged.
    """
    values = read_result(path)
    with intact(path / RESULT):
        kind = kind_of(values["task"], values.get("kind"))
    require_keys(path, values, kind.result_keys)
    if (path / POSTERIOR).exists():  # nothing here reads it, so it may be absent
        require_result_file(path, POSTERIOR)
    return kind, values
