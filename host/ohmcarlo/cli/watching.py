"""Verb ``watch``, and the options of a live view."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .options import RunArgument

if TYPE_CHECKING:
    from .console import Console

PANEL = "Live view"
LiveOption = Annotated[
    bool,
    typer.Option(
        "--live",
        help="Show the run in a browser while it works, as `ohmcarlo watch` does.",
        rich_help_panel=PANEL,
    ),
]
PortOption = Annotated[
    int | None,
    typer.Option(
        min=1,
        max=65535,
        metavar="N",
        help="Port of the live view on this computer (default: the first free one from 8417 on).",
        rich_help_panel=PANEL,
    ),
]
BrowserOption = Annotated[
    bool,
    typer.Option(
        "--browser/--no-browser",
        help="Open the live view in a browser; its address is printed in any case.",
        rich_help_panel=PANEL,
    ),
]


def watch(run: RunArgument, port: PortOption = None, browser: BrowserOption = True) -> None:
    """Show a run in a browser, while it works and afterwards; Ctrl-C ends the view.

    The page shows phase, steps, remaining time, traces, effective samples and R-hat so far, wear
    and conductances of the array, and the stages of an adaptation. At the end it becomes the page
    of `ohmcarlo report --html`. It works for all boards, because it reads only the run folder;
    the run may be interrupted and resumed meanwhile.

    The server listens on this computer only (127.0.0.1). From another computer, use
    `ssh -L 8417:localhost:8417 HOST`.

    Example: `ohmcarlo watch runs/first`, in a second terminal
    """
    from ..runs.kinds import read_complete
    from ..runs.stored import RESULT, read_manifest
    from ..watch.browser import open_quietly
    from ..watch.server import address_of, listen, require_server, serve, step_back
    from ..watch.view import RunView

    read_manifest(run)
    if (run / RESULT).exists():
        read_complete(run)
    require_server()
    listening = listen(port)
    address = address_of(listening)
    print(f"{address} shows {run} (Ctrl-C stops the server)", flush=True)
    if browser:
        open_quietly(address)
    step_back()
    with suppress(KeyboardInterrupt):
        serve(RunView(run), listening)
    print(file=sys.stderr)


@contextmanager
def live_view(
    console: Console, run: Path | None, live: bool, port: int | None, browser: bool
) -> Iterator[None]:
    """A live view of ``run`` beside the work of the block, if ``live`` asks for it.

    On a terminal, the view stays after the work until Ctrl-C; otherwise it ends with the work.
    """
    if not live or run is None:
        yield
        return
    from ..watch.beside import Beside

    view = Beside(run, port, browser)
    try:
        console.say(f"live view: {view.address}")
        yield
        if sys.stdin.isatty() and sys.stderr.isatty():
            console.say(f"the page stays available at {view.address} until Ctrl-C")
            with suppress(KeyboardInterrupt):
                view.wait()
            print(file=sys.stderr)
    finally:
        view.close()


def free_run(task: str) -> Path:
    """A folder for a run whose user gave none: ``runs/TASK``, or that with a number."""
    name = Path(task).stem or "run"
    first = Path("runs") / name
    number, path = 1, first
    while path.exists():
        number += 1
        path = first.with_name(f"{name}-{number}")
    return path
