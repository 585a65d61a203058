"""The options ``--quiet`` and ``--verbose``, before a verb and after it."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Annotated, Any, get_type_hints

import typer

from . import logs
from .options import MESSAGES


def _choose(level: int, other: int, wanted: bool) -> None:
    if not wanted:
        return
    if logs.package.level == other:
        raise typer.BadParameter("choose one of --quiet and --verbose")
    logs.show_from(level)


def _quiet(wanted: bool) -> None:
    _choose(logs.QUIET, logs.VERBOSE, wanted)


def _verbose(wanted: bool) -> None:
    _choose(logs.VERBOSE, logs.QUIET, wanted)


QuietOption = Annotated[
    bool,
    typer.Option(
        "--quiet",
        "-q",
        callback=_quiet,
        help="Show results, warnings and errors only.",
        rich_help_panel=MESSAGES,
    ),
]
VerboseOption = Annotated[
    bool,
    typer.Option(
        "--verbose",
        "-v",
        callback=_verbose,
        help="Show internal steps with their times: caches, compilation, boards, the link.",
        rich_help_panel=MESSAGES,
    ),
]
OPTIONS = {"quiet": QuietOption, "verbose": VerboseOption}


def with_verbosity(verb: Callable[..., Any]) -> Callable[..., Any]:
    """``verb`` with both options; their callbacks do everything."""
    hints = get_type_hints(verb, include_extras=True)
    own = inspect.signature(verb)

    @functools.wraps(verb)
    def run(**arguments: Any) -> Any:
        return verb(**{name: arguments[name] for name in own.parameters})

    parameters = [p.replace(annotation=hints[p.name]) for p in own.parameters.values()]
    parameters += [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=False, annotation=option)
        for name, option in OPTIONS.items()
    ]
    run.__signature__ = own.replace(parameters=parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {**hints, **OPTIONS}
    return run
