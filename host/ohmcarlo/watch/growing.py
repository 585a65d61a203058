"""A run folder that another process writes, read again and again.

A file is read when it appears or is replaced. Each chunk is therefore read once, and its place in
the hash chain is compared with the chunk before it. When `resume` writes chunks again, or another
run takes the folder, reading begins at the first chunk. Nothing is written or locked.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, Generic, TypeVar

from ..errors import OhmcarloError
from ..runs.adaptation.record import Record
from ..runs.digests import SEAL
from ..runs.folder import block_of, board_path, chunk_path, first_of_board, is_worked_on
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
from .thinned import JointChains, ThinnedChains

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


class GrowingChains:
    """The chunks of one set of chains, each of which is read once.

    Parameters
    ----------
    path : Path
        Folder of the chunks.
    chains : int

    Attributes
    ----------
    chains : ThinnedChains
    problem : str
        A sentence about a file that cannot be used; empty otherwise.
    behind : bool
        Whether chunks on disk are not read yet.
    """

    def __init__(self, path: Path, chains: int) -> None:
        self._path = path
        self.chains = ThinnedChains(chains)
        self._read: list[Identity] = []
        self._last: str | None = None  # SHA-256 of the last chunk
        self._refused: Identity | None = None
        self.problem = ""
        self.behind = False

    def rewritten(self) -> bool:
        """Whether a chunk that was read is gone or another one."""
        return any(
            identity_of(chunk_path(self._path, index)) != identity
            for index, identity in enumerate(self._read)
        )

    def read(self, until: float, run: str, before: Callable[[], str]) -> bool:
        """Read chunks, none after the time ``until``; whether anything changed. ``run`` is the
        number of the run, ``before`` gives the SHA-256 of what the first chunk follows."""
        known = len(self._read)
        while time.monotonic() < until:
            path = chunk_path(self._path, len(self._read))
            found = identity_of(path)
            if found is None or found == self._refused or not run:
                break
            try:
                self._read_chunk(path, run, before)
            except OhmcarloError as error:
                if identity_of(path) is None:  # `resume` removed it meanwhile
                    break
                self._refused, self.problem = found, f"{error}."
                return True
            self._read.append(found)
            self._refused, self.problem = None, ""
        self.behind = chunk_path(self._path, len(self._read)).exists() and not self.problem
        return len(self._read) > known

    def _read_chunk(self, path: Path, run: str, before: Callable[[], str]) -> None:
        stored, link, digest = read_linked(path)
        with intact(path):
            if link.run != run:
                raise ValueError("it belongs to another run")
            if link.previous != (before() if self._last is None else self._last):
                raise ValueError("it does not follow the file before it")
        block = block_of(path, stored)
        with intact(path):
            self.chains.add(block)
        self._last = digest


class GrowingRun:
    """The chains in a run folder.

    Attributes
    ----------
    manifest : dict
        Empty before the run has one.
    chains : ThinnedChains or JointChains
        Of all boards.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._manifest = Kept[dict[str, Any]](path / MANIFEST, lambda: read_manifest(path), {})
        self._note = Kept[ChainNote | None](path / CHAIN, lambda: read_chain(path), None)
        self._record = Kept(path / ADAPTATION, lambda: _read_record(path), Record())
        self._begin_again()

    def _begin_again(self) -> None:
        chains = int(self.manifest.get("config", {}).get("chains", 1))
        boards = self.boards
        numbers = range(len(boards)) if boards else (None,)
        folders = [self.path if n is None else board_path(self.path, n) for n in numbers]
        self._parts = [GrowingChains(own, max(1, chains // len(folders))) for own in folders]
        several = [part.chains for part in self._parts]
        self.chains: ThinnedChains | JointChains = JointChains(several) if boards else several[0]
        self._states = [
            Kept(own / CHECKPOINT, partial(read_state, self.path, n), BoardState({}))
            for own, n in zip(folders, numbers, strict=True)
        ]

    @property
    def manifest(self) -> dict[str, Any]:
        return self._manifest.value

    @property
    def boards(self) -> list[str]:
        """The backend of each of several boards; empty for one board."""
        own = self.manifest.get("board", {}).get("boards", ())
        return [str(board.get("backend")) for board in own]

    @property
    def problem(self) -> str:
        """A sentence about a file that cannot be used; empty otherwise."""
        return next((part.problem for part in self._parts if part.problem), "")

    @property
    def behind(self) -> bool:
        """Whether chunks on disk are not read yet."""
        return any(part.behind for part in self._parts)

    @property
    def note(self) -> ChainNote | None:
        """Settings of the sampling chain; None before it was set up."""
        return self._note.value

    @property
    def record(self) -> Record:
        """The stages of the adaptation that are kept so far."""
        return self._record.value

    @property
    def states(self) -> list[BoardState]:
        """Each board at its last checkpoint."""
        return [kept.value for kept in self._states]

    def progress(self) -> Progress:
        """What the run has noted last."""
        return read_progress(self.path)

    def worked_on(self) -> bool | None:
        """See ``folder.is_worked_on``."""
        return is_worked_on(self.path)

    def look(self, seconds: float) -> bool:
        """Read what is new, chunks for so many ``seconds``; whether anything was."""
        changed = self._manifest.look()
        if changed or any(part.rewritten() for part in self._parts):
            self._begin_again()
            changed = True
        changed |= self._note.look() | self._record.look()
        for kept in self._states:
            changed |= kept.look()
        until = time.monotonic() + seconds
        for number, part in enumerate(self._parts):
            run = str(self.manifest.get(RUN, ""))
            changed |= part.read(until, run, partial(self._before, number))
        return changed

    def _before(self, number: int) -> str:
        """What the first chunk of a board follows."""
        adaptation = self.path / ADAPTATION
        exists = adaptation.exists()
        found = read_linked(adaptation)[2] if exists else str(self.manifest[SEAL])
        return first_of_board(found, number) if self.boards else found


def _read_record(path: Path) -> Record:
    stored, _, _ = read_linked(path / ADAPTATION)
    with intact(path / ADAPTATION):
        return Record.of(stored)
