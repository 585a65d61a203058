"""A run folder that another process writes, read again and again.

A file is read when it appears or is replaced. Each chunk is therefore read once, and its place in
the hash chain is compared with the chunk before it. When `resume` writes chunks again, or another
run takes the folder, reading begins at the first chunk. Nothing is written or locked.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Generic, TypeVar

from ..errors import OhmcarloError
from ..runs.adaptation.record import Record
from ..runs.digests import SEAL
from ..runs.folder import block_of, chunk_path, is_worked_on
from ..runs.live_notes import CHAIN, ChainNote, Progress, read_chain, read_progress
from ..runs.sections.state import BoardState, read_state
from ..runs.stored import (
    ADAPTATION,
    CHECKPOINT,
    MANIFEST,
    RUN,
    intact,
    read_linked,
    read_manifest,
)
from .thinned import ThinnedChains

Identity = tuple[int, int, int]
T = TypeVar("T")


def identity_of(path: Path) -> Identity | None:
    """What changes when a file is replaced; None if there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size


class Kept(Generic[T]):
    """The content of a file, read again when the file is replaced.

    Parameters
    ----------
    path : Path
    read : callable
        Reads it; an OhmcarloError means that there is nothing to show.
    nothing : object
        The content where there is no such file.
    """

    def __init__(self, path: Path, read: Callable[[], T], nothing: T) -> None:
        self._path, self._read, self._nothing = path, read, nothing
        self._identity: Identity | None = None
        self.value = nothing

    def look(self) -> bool:
        """Read the file if it was replaced; whether it was."""
        found = identity_of(self._path)
        if found == self._identity:
            return False
        self.value = self._nothing
        if found is not None:
            with suppress(OhmcarloError):
                self.value = self._read()
        self._identity = found
        return True


class GrowingRun:
    """One set of chains in a run folder.

    Attributes
    ----------
    manifest : dict
        Empty before the run has one.
    chains : ThinnedChains
    problem : str
        A sentence about a file that cannot be used; empty otherwise.
    behind : bool
        Whether chunks on disk are not read yet.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._manifest = Kept[dict[str, Any]](path / MANIFEST, lambda: read_manifest(path), {})
        self._note = Kept[ChainNote | None](path / CHAIN, lambda: read_chain(path), None)
        self._record = Kept(path / ADAPTATION, lambda: _read_record(path), Record())
        self._state = Kept(path / CHECKPOINT, lambda: read_state(path), BoardState({}))
        self._begin_again()

    def _begin_again(self) -> None:
        config = self.manifest.get("config", {})
        self.chains = ThinnedChains(int(config.get("chains", 1)))
        self._read: list[Identity] = []
        self._last: str | None = None  # SHA-256 of the last chunk
        self._refused: Identity | None = None
        self.problem = ""
        self.behind = False

    @property
    def manifest(self) -> dict[str, Any]:
        return self._manifest.value

    @property
    def note(self) -> ChainNote | None:
        """Settings of the sampling chain; None before it was set up."""
        return self._note.value

    @property
    def record(self) -> Record:
        """The stages of the adaptation that are kept so far."""
        return self._record.value

    @property
    def state(self) -> BoardState:
        """The board at its last checkpoint."""
        return self._state.value

    def progress(self) -> Progress:
        """What the run has noted last."""
        return read_progress(self.path)

    def worked_on(self) -> bool | None:
        """See ``folder.is_worked_on``."""
        return is_worked_on(self.path)

    def look(self, seconds: float) -> bool:
        """Read what is new, no chunk after so many ``seconds``; whether anything was."""
        changed = self._manifest.look()
        if changed or self._rewritten():
            self._begin_again()
            changed = True
        for kept in (self._note, self._record, self._state):
            changed |= kept.look()
        return self._read_chunks(time.monotonic() + seconds) or changed

    def _rewritten(self) -> bool:
        """Whether a chunk that was read is gone or another one."""
        return any(
            identity_of(chunk_path(self.path, index)) != identity
            for index, identity in enumerate(self._read)
        )

    def _read_chunks(self, until: float) -> bool:
        before = len(self._read)
        while time.monotonic() < until:
            path = chunk_path(self.path, len(self._read))
            found = identity_of(path)
            if found is None or found == self._refused or not self.manifest:
                break
            try:
                self._read_chunk(path)
            except OhmcarloError as error:
                if identity_of(path) is None:  # `resume` removed it meanwhile
                    break
                self._refused, self.problem = found, f"{error}."
                return True
            self._read.append(found)
            self._refused, self.problem = None, ""
        self.behind = chunk_path(self.path, len(self._read)).exists() and not self.problem
        return len(self._read) > before

    def _read_chunk(self, path: Path) -> None:
        stored, link, digest = read_linked(path)
        with intact(path):
            if link.run != self.manifest[RUN]:
                raise ValueError("it belongs to another run")
            if link.previous != self._before():
                raise ValueError("it does not follow the file before it")
        block = block_of(path, stored)
        with intact(path):
            self.chains.add(block)
        self._last = digest

    def _before(self) -> str:
        """SHA-256 of the file before the next chunk."""
        if self._last is not None:
            return self._last
        adaptation = self.path / ADAPTATION
        return read_linked(adaptation)[2] if adaptation.exists() else str(self.manifest[SEAL])


def _read_record(path: Path) -> Record:
    stored, _, _ = read_linked(path / ADAPTATION)
    with intact(path / ADAPTATION):
        return Record.of(stored)
