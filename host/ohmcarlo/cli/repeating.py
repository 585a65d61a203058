"""The command that a verb was called by, for pages that tell how to repeat their numbers."""

from __future__ import annotations

import inspect
import shlex
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from ..errors import Interrupted

KEPT = "finished cells are kept"
LEFT_OUT = ("json", "html")  # they change nothing of what is shown


def command_of(verb: Callable[..., None], given: Mapping[str, Any]) -> str:
    """The line that calls ``verb`` with the arguments ``given``; those at their defaults are left
    out. A parameter without a default is an argument, the others are options.

    >>> def measure(what: str, rows: int = 4, dry_run: bool = False) -> None: ...
    >>> command_of(measure, {"what": "my die", "rows": 8, "dry_run": True})
    "ohmcarlo measure 'my die' --rows 8 --dry-run"
    """
    words = ["ohmcarlo", verb.__name__]
    for name, parameter in inspect.signature(verb).parameters.items():
        value = given[name]
        if parameter.default is inspect.Parameter.empty:
            words.append(str(value))
        elif name not in LEFT_OUT and value != parameter.default:
            words += _option(name, value)
    return shlex.join(words)


def _option(name: str, value: Any) -> Iterator[str]:
    option = f"--{name.replace('_', '-')}"
    if isinstance(value, bool):
        yield option if value else f"--no-{option.removeprefix('--')}"
        return
    for one in value if isinstance(value, list | tuple) else (value,):
        yield from (option, str(one))


@contextmanager
def continued_by(command: str) -> Iterator[None]:
    """Let Ctrl-C in a block name the command that continues its cells."""
    try:
        yield
    except KeyboardInterrupt as interrupt:
        raise Interrupted(f"interrupted; {KEPT}: `{command}` continues the work") from interrupt
