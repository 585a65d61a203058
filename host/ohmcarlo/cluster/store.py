"""The folder of finished cells: one file a cell, named by its digest, without code."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

from ..errors import OhmcarloError
from ..files import explain, make_folder, write_bytes, write_json
from ..progress import current_observer
from .cells import Cell, Failure, Outcome
from .encoding import DAMAGE, unpack

FINISHED, FAILED = ".cell", ".failed"


class CellStore:
    """Finished and failed cells in a folder.

    Parameters
    ----------
    folder : Path
        It is made if it does not exist; ``option`` is the option that the error names otherwise.

    Examples
    --------
    >>> import tempfile
    >>> from ohmcarlo.cluster.encoding import pack
    >>> from ohmcarlo.cluster.work import content_of
    >>> store = CellStore(Path(tempfile.mkdtemp()))
    >>> cell = Cell("builtins:dict", {"x": 2})
    >>> store.write("a1", pack(content_of(cell, "a1", {"x": 2}, 0.1)))
    >>> store.read("a1")
    {'x': 2}
    """

    def __init__(self, folder: Path, option: str = "--out") -> None:
        make_folder(folder, option)
        self.folder = folder

    def read(self, digest: str) -> dict[str, Any] | None:
        """The values of a finished cell; None if there is no whole file of it."""
        found = self._content(digest)
        return None if found is None else found["values"]

    def outcome(self, cell: Cell, digest: str) -> Outcome | None:
        """The stored result of a cell; None if there is none. A damaged file is one line."""
        found = self._content(digest)
        return None if found is None else Outcome(cell, digest, found["values"], found["seconds"])

    def path(self, digest: str) -> Path:
        """The file of a finished cell, whether it exists or not."""
        return self.folder / (digest + FINISHED)

    def _content(self, digest: str) -> dict[str, Any] | None:
        path = self.path(digest)
        try:
            packed = path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise OhmcarloError(f"{explain(error, path)}: make it readable or remove it") from error
        try:
            content = unpack(packed)
            if content["digest"] != digest or not isinstance(content["values"], dict):
                raise ValueError("another cell")
            content["seconds"] = float(content["seconds"])
        except DAMAGE:
            current_observer().say(f"{path} is damaged: the cell is computed again")
            return None
        return content

    def write(self, digest: str, packed: bytes) -> None:
        """Store what ``work.compute`` packed; OhmcarloError where that is impossible."""
        write_bytes(self.path(digest), packed)
        with suppress(OSError):  # a result counts more than an old failure
            (self.folder / (digest + FAILED)).unlink(missing_ok=True)

    def write_failure(self, failure: Failure) -> None:
        write_json(
            self.folder / (failure.digest + FAILED),
            {
                "function": failure.cell.function,
                "arguments": failure.cell.arguments,
                "digest": failure.digest,
                "kind": failure.kind,
                "message": failure.message,
                "details": failure.details,
            },
        )

    def note(self, failure: Failure) -> str:
        """Where the traceback of a broken cell is; empty for other failures."""
        path = self.folder / (failure.digest + FAILED)
        return f" (details in {path})" if failure.details else ""

    def failure(self, cell: Cell, digest: str) -> Failure | None:
        """The stored failure of a cell; None if there is none that can be read."""
        try:
            found = json.loads((self.folder / (digest + FAILED)).read_bytes())
            words = [found[name] for name in ("message", "kind", "details")]
            if found["digest"] != digest or not all(isinstance(word, str) for word in words):
                return None
            return Failure(cell, digest, *words)
        except (OSError, ValueError, TypeError, KeyError, RecursionError):
            return None
