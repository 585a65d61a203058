"""A bitstream from the options of a command line: built, or found up to date; then loaded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..processes import interruptible
from ..progress import Say, silent, timed
from .build import build, product_of
from .program import program
from .request import request_of

BUILDS = Path("build")
"""Folder of the results, below the current one."""


def make_bitstream(
    board: str,
    say: Say = silent,
    *,
    out: Path | None = None,
    force: bool = False,
    load: bool = False,
    **options: Any,
) -> tuple[Path, dict[str, Any]]:
    """The folder of the bitstream and its manifest.

    Parameters
    ----------
    board : str
        A name of ``ohmcarlo_hdl.boards.BOARDS``.
    say : callable
        Gets a line for each stage.
    out : Path
        Default: ``build/NAME`` in the current folder; NAME is the board and the options that differ
        from its defaults.
    force : bool
        Build it even if it is up to date.
    load : bool
        Load it into the board that is connected.
    **options
        Those of ``request_of``.

    Raises
    ------
    UsageError
        For an unknown board, an impossible array or clock, missing tools, a folder with other
        content.
    OhmcarloError
        When the design does not fit or is too slow, a tool fails, or no board can be programmed.
    """
    say = timed(say)
    with interruptible():
        request = request_of(board, **options)
        folder = (out or BUILDS / request.name).absolute()
        manifest = build(request, folder, say, force=force)
        if load:
            say("programming ...")
            program(request.board, folder / product_of(manifest)["file"])
    return folder, manifest
