"""The folder of a sweep.

    sweep.json         the file that made it, with its digest; written first
    sweep.toml         a copy of that file
    cells/             one file for each finished or failed cell, named by its digest
    table.parquet      one row for each cell
    posteriors.nc      draws of all finished cells
    curves.csv         response curves of each parameter
    pictures/          the same, drawn
    summary.json       counts, time, failures

Cells are added, and the other files are replaced as wholes. The file may change between two calls:
finished cells that it still describes are kept, and those that it no longer describes stay in
``cells/`` without a row.
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

from .. import __version__
from ..cluster.store import CellStore
from ..errors import OhmcarloError, UsageError
from ..files import TEMPORARY, explain, make_folder, write_bytes, write_json
from ..runs.folder import take_lock
from .description import Description

ABOUT, COPY, CELLS = "sweep.json", "sweep.toml", "cells"
TABLE, POSTERIORS, SUMMARY = "table.parquet", "posteriors.nc", "summary.json"
PICTURES, CURVES = "pictures", "curves.csv"
FORMAT = 1


class SweepFolder:
    """One sweep on disk, held for this process until ``close``."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = take_lock(path)
        try:
            self.store = CellStore(path / CELLS)
        except OhmcarloError:
            self.close()
            raise

    def __enter__(self) -> SweepFolder:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Release the folder for other processes."""
        if self._lock is not None:
            os.close(self._lock)
        self._lock = None

    @classmethod
    def open(cls, path: Path, description: Description) -> SweepFolder:
        """The folder of a sweep, a new one if there is none.

        Raises UsageError for a folder of something else, or of another sweep; OhmcarloError where
        it cannot be written, or while another process works in it.
        """
        check_folder(path, description)
        make_folder(path, "--out")
        folder = cls(path)
        try:
            folder._note(description)
        except OhmcarloError:
            folder.close()
            raise
        return folder

    def _note(self, description: Description) -> None:
        """Note the file that makes the sweep, and keep a copy."""
        content = description.text.encode()
        about = {
            "format": FORMAT,
            "file": description.path.name,
            "sha256": hashlib.sha256(content).hexdigest(),
            "version": __version__,
        }
        write_json(self.path / ABOUT, about)
        write_bytes(self.path / COPY, content)


def check_folder(path: Path, description: Description) -> bool:
    """Whether ``path`` holds this sweep already. Raises UsageError unless it can hold it."""
    if not path.exists():
        return False
    if not path.is_dir():
        raise UsageError(f"{path} is a file: --out names a folder")
    try:
        found = [p.name for p in path.iterdir() if not p.name.endswith(TEMPORARY)]
    except OSError as error:
        raise OhmcarloError(f"{explain(error, path)}: cannot read this folder") from error
    if not found or found == [CELLS]:  # new, or stopped at its first write
        return False
    if ABOUT not in found:
        raise UsageError(f"{path} is not empty and holds no sweep: choose another --out")
    about = _about(path / ABOUT)
    if about.get("format") != FORMAT:
        raise UsageError(
            f"{path / ABOUT} was not written by this version of ohmcarlo: choose another --out"
        )
    if about.get("file") != description.path.name:
        raise UsageError(
            f"{path} holds the sweep of {about.get('file')}, not of {description.path.name}: "
            "choose another --out"
        )
    return True


def _about(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_bytes())
    except OSError as error:
        raise OhmcarloError(f"{explain(error, path)}: make it readable") from error
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
