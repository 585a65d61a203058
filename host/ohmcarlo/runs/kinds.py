"""The kinds of runs, and the kind of a given run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..errors import UsageError
from ..tasks import get_task
from .kind import RunKind
from .multiclass.kind import MulticlassKind
from .policy.kind import PolicyKind
from .regression.kind import RegressionKind
from .stored import POSTERIOR, RESULT, intact, read_result, require_keys, require_result_file
from .supervised.kind import SupervisedKind

AnyKind = RunKind[Any, Any] | MulticlassKind

SUPERVISED, MULTICLASS, REGRESSION = SupervisedKind(), MulticlassKind(), RegressionKind()
POLICY = PolicyKind()
KINDS: dict[str, AnyKind] = {
    kind.name: kind for kind in (SUPERVISED, MULTICLASS, REGRESSION, POLICY)
}


def kind_of(task: str, kind: str | None = None) -> AnyKind:
    """The kind of run that a task needs; UsageError for an unknown task.

    ``kind``: its name, as in configuration and result; None: that of the task.
    """
    return KINDS[get_task(task).kind if kind is None else kind]


def chain_kind_of(task: str, kind: str | None = None) -> RunKind[Any, Any]:
    """``kind_of`` a run with one set of chains; UsageError for one of several classes."""
    found = kind_of(task, kind)
    if isinstance(found, MulticlassKind):
        raise UsageError(f"{task} has several classes, each with chains of its own")
    return found


def read_complete(path: Path) -> tuple[AnyKind, dict[str, Any]]:
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
