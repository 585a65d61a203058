"""An export from the options of a command line."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..bitstream.tools import find_tools
from ..processes import interruptible
from ..progress import Say, silent, timed
from .design import Design
from .files import MANIFEST, core_files, with_manifest
from .folder import require_new, whole
from .request import export_request
from .synthesis import YOSYS, report, report_page

WORK = "work"
"""Folder of the synthesis, removed at the end."""


def export_core(
    out: Path, say: Say = silent, *, synthesis: bool = True, **options: Any
) -> dict[str, Any]:
    """Write an IP core for other designs into the new folder ``out``; return its manifest.

    Parameters
    ----------
    out : Path
        A folder that does not exist, or is empty. It appears when it is complete.
    say : callable
        Gets a line for each stage.
    synthesis : bool
        Whether the folder has a synthesis report, which takes minutes.
    **options
        Those of ``export_request``.

    Raises
    ------
    UsageError
        For an unknown bus or array, an impossible shape or clock, missing tools, a folder that is
        not empty or cannot be written.
    OhmcarloError
        When the synthesis fails or the disk is full.
    """
    say = timed(say)
    with interruptible():
        out = out.absolute()
        require_new(out)
        request = export_request(**options)
        if synthesis:
            find_tools([YOSYS])
        design = Design(request)
        with whole(out) as new:
            files = core_files(design, say)
            found = _synthesis(design, new, say) if synthesis else None
            if found is not None:
                files["docs/synthesis.md"] = report_page(request.title, found)
            files = with_manifest(design, files, found)
            write(files, new)
    manifest: dict[str, Any] = json.loads(files[MANIFEST])
    return manifest


def write(files: Mapping[str, str], folder: Path) -> None:
    """Write files below ``folder``."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="\n")


def _synthesis(design: Design, new: Path, say: Say) -> dict[str, object]:
    work = new / WORK
    work.mkdir()
    found = report(design.verilog, design.request.module, work, say)
    shutil.rmtree(work)
    return found
