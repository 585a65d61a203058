"""The command line. Exit codes: 0 done, 1 failed, 2 bad use, 130 interrupted.

The verbs import heavy modules inside their functions, so that ``--help`` is fast.
"""

from __future__ import annotations

import atexit
import gc
import os
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, TextIO

import typer

from .. import __version__
from ..errors import OhmcarloError
from ..imports import rare_collection
from . import (
    bitstreams,
    cores,
    data,
    devices,
    figures,
    pulses,
    results,
    sweeping,
    training,
    watching,
)
from .exit_codes import BAD_USE, DONE, FAILED, INTERRUPTED
from .logs import messages
from .progress import Display
from .streams import replace_what_cannot_be_written
from .verbosity import QuietOption, VerboseOption, with_verbosity

PACKAGE = Path(__file__).parents[1]


app = typer.Typer(
    name="ohmcarlo",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
    help="""A resistive-memory array that samples a Bayesian posterior in place.

    Start with `ohmcarlo tasks`, then `ohmcarlo train breast-cancer --out runs/first` and
    `ohmcarlo report runs/first`. `ohmcarlo VERB --help` has examples of each verb.""",
)
data_app = typer.Typer(no_args_is_help=True, help="Data that cannot be shipped with the program.")


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"ohmcarlo {__version__}")
        raise typer.Exit()


@app.callback()
def _global(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
) -> None: ...


BOARDS, PAPER = "Arrays and boards", "Paper and data"
PANELS = {
    "characterize": BOARDS,
    "selftest": BOARDS,
    "build": BOARDS,
    "export": BOARDS,
    "reproduce": PAPER,
    "data": PAPER,
}
"""Part of the list of verbs that shows a verb; the others belong to runs."""
for _verb in (
    data.tasks,
    training.train,
    training.resume,
    results.predict,
    results.report,
    watching.watch,
    sweeping.sweep,
    pulses.pulses,
    devices.characterize,
    devices.selftest,
    bitstreams.build,
    cores.export,
    figures.reproduce,
):
    _panel = PANELS.get(_verb.__name__, "Runs")
    app.command(rich_help_panel=_panel)(with_verbosity(_verb))
for _data_verb in (data.fetch, data.export, data.example, data.convert):
    data_app.command()(with_verbosity(_data_verb))
app.add_typer(data_app, name="data", rich_help_panel=PANELS["data"])


def complain(message: str) -> None:
    """One line on standard error."""
    print(f"ohmcarlo: {' '.join(message.split())}", file=sys.stderr)


class _Notes:
    """Shows each warning of this package as one line, once; hides those of other packages."""

    def __init__(self) -> None:
        self._shown: set[str] = set()

    def __call__(
        self,
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        text = str(message)
        ours = issubclass(category, UserWarning) and PACKAGE in Path(filename).parents
        if ours and text not in self._shown:
            self._shown.add(text)
            complain(f"note: {text}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    # a last search for garbage at exit takes half a second; the process ends anyway
    atexit.register(gc.freeze)
    replace_what_cannot_be_written()
    with warnings.catch_warnings():
        if not sys.warnoptions:
            warnings.simplefilter("always")
            warnings.showwarning = _Notes()
        with messages(), rare_collection():
            return _main(arguments)


def _main(arguments: Sequence[str] | None) -> int:
    try:
        with Display():
            code: Any = app(
                args=None if arguments is None else list(arguments),
                prog_name="ohmcarlo",
                standalone_mode=False,
            )
        sys.stdout.flush()
        if code == INTERRUPTED:  # Typer turns Ctrl-C into this code
            complain("interrupted")
    except typer.TyperException as error:
        if not error.format_message():  # the help was shown instead
            return BAD_USE
        complain(f"{error.format_message()} (ohmcarlo --help shows how)")
        return BAD_USE
    except OhmcarloError as error:
        complain(str(error))
        return error.exit_code
    except (KeyboardInterrupt, typer.Abort):
        complain("interrupted")
        return INTERRUPTED
    except BrokenPipeError:
        # The reader closed the pipe (`| head`). This keeps Python quiet at exit, too.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
    except OSError as error:
        # an error without a file name comes from numba's cache; files of a run have a name
        where = error.filename or "the folder of compiled code (in XDG_CACHE_HOME or ~/.cache)"
        complain(f"{where}: {error.strerror or error}: free some space or choose another place")
        return FAILED
    return int(code or DONE)


if __name__ == "__main__":
    sys.exit(main())
