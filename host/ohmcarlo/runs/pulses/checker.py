"""Gives the read-backs of a list to the controller, and compares its operations with the list."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...array.base import IntArray
from ...errors import OhmcarloError, UsageError
from ...progress import Observer
from ...spec import CODE_MAX
from ..tap import Tap
from .columns import EMPTY, OPERATIONS, READ, RESET, SET
from .reading import UNKNOWN, Lines, read_head, read_lines
from .recorder import ALL, Part
from .rerun import StoredRun, chains_of, make_again

OWN = (
    "; the read-backs differ from those of the run from line {line} on, so that the chain differs, "
    "too"
)


@dataclass(frozen=True)
class Checked:
    """The result of a check: the list belongs to the run.

    Attributes
    ----------
    operations : int
        RESET, SET and READ.
    changed : int or None
        Line of the first read-back that is not that of the run, and had no effect on the chain.
    """

    operations: int
    changed: int | None


class Unequal(OhmcarloError):
    """The list differs from the operations of the controller."""


class Checker:
    """``Listener`` in the place of a die.

    Attributes
    ----------
    operations : int
        Operations that were compared.
    changed : int or None
        Line of the first read-back that is not that of the run.
    """

    def __init__(self, path: Path, lines: Iterator[Lines], part: Part) -> None:
        self.operations = 0
        self.changed: int | None = None
        self.tap: Tap | None = None
        self._path, self._blocks, self._part = path, lines, part
        self._block: Lines | None = None
        self._at = 0
        self._line = 0  # the last one

    # -- the listener ------------------------------------------------------------------------------

    def reset(self, row: int) -> None:
        if self._active():
            none = np.full(1, EMPTY)
            self._compare(RESET, row, none, none)

    def program(self, row: int, devices: IntArray, dac: IntArray, codes: IntArray) -> IntArray:
        return self._answer(SET, row, devices, dac, codes)

    def read(self, row: int, devices: IntArray, codes: IntArray) -> IntArray:
        return self._answer(READ, row, devices, np.full(len(devices), EMPTY), codes)

    def dot(self, row: int, accesses: int) -> None:
        """The accesses are not compared: hardware makes more of them than the model counts."""

    def require_lines(self) -> None:
        """Raise UsageError for a list without operations, before the run is repeated."""
        if not self._more():
            raise UsageError(f"{self._path} has no operation: give a list of `ohmcarlo pulses`")

    def require_own_devices(self) -> None:
        """Raise Unequal if other devices were measured than those of the run."""
        if self.changed is not None:
            raise Unequal(
                f"{self._path}, line {self.changed}: the read-backs differ from those of the run "
                "from here on, so that the trim of the devices, and every chain, differs, too"
            )

    def finish(self) -> None:
        """Raise Unequal if the list continues after the end of the run."""
        if self._more():
            assert self._block is not None
            raise Unequal(
                f"{self._path}, line {self._block.line[self._at]}: the run ends at the line "
                f"before, but the list continues{self._own()}"
            )

    # -- comparing ---------------------------------------------------------------------------------

    def _active(self) -> bool:
        assert self.tap is not None
        return self.tap in self._part

    def _answer(
        self, kind: str, row: int, devices: IntArray, dac: NDArray[np.integer], codes: IntArray
    ) -> IntArray:
        if not self._active():
            return codes
        found = self._compare(kind, row, devices, dac)
        differ = np.flatnonzero(found.code != codes)
        if len(differ) and self.changed is None:
            self.changed = int(found.line[differ[0]])
        return found.code.astype(np.int32)

    def _compare(
        self, kind: str, row: int, devices: NDArray[np.integer], dac: NDArray[np.integer]
    ) -> Lines:
        """The next lines, which must be these operations."""
        found = self._take(len(devices), kind, row, devices, dac)
        address = np.where(devices == EMPTY, EMPTY, row * self._row_devices + devices)
        same = (
            (found.operation == OPERATIONS.index(kind))
            & (found.row == row)
            & (found.device == address)
            & (found.dac == dac)
        )
        if not same.all():
            i = int(np.argmin(same))
            wanted = _operation(kind, row, int(address[i]), int(dac[i]))
            raise Unequal(
                f"{self._path}, line {found.line[i]}: the controller requests {wanted}, the list "
                f"has {_listed(found, i)}{self._own(int(found.line[i]))}"
            )
        if kind != RESET and ((found.code < 0) | (found.code > CODE_MAX)).any():
            i = int(np.argmax((found.code < 0) | (found.code > CODE_MAX)))
            problem = {EMPTY: "it is empty", UNKNOWN: "it is no whole number"}.get(
                int(found.code[i]), f"it is {found.code[i]}"
            )
            raise UsageError(
                f"{self._path}, line {found.line[i]}, column code: {problem}; a read-back is a "
                f"code of 0 to {CODE_MAX}"
            )
        self.operations += len(same)
        self._line = int(found.line[-1]) if len(same) else self._line
        return found

    @property
    def _row_devices(self) -> int:
        assert self.tap is not None and self.tap.opened is not None
        return self.tap.opened.array.geometry.row_devices

    def _take(
        self, n: int, kind: str, row: int, devices: NDArray[np.integer], dac: NDArray[np.integer]
    ) -> Lines:
        """The next ``n`` lines."""
        parts: list[Lines] = []
        while n:
            if not self._more():
                i = sum(len(part.line) for part in parts)
                address = EMPTY if devices[i] == EMPTY else row * self._row_devices + devices[i]
                raise Unequal(
                    f"{self._path} ends after line {self._end()}, but the run continues with "
                    f"{_operation(kind, row, int(address), int(dac[i]))}: the list is cut; make it "
                    f"again with `ohmcarlo pulses`{self._own()}"
                )
            assert self._block is not None
            part = _slice(self._block, self._at, self._at + n)
            self._at += len(part.line)
            n -= len(part.line)
            parts.append(part)
        if len(parts) == 1:
            return parts[0]
        return _joined(parts)

    def _end(self) -> int:
        return self._line if self._block is None else int(self._block.line[-1])

    def _more(self) -> bool:
        """Whether there is another line; reads the next block if necessary."""
        while self._block is None or self._at >= len(self._block.line):
            block = next(self._blocks, None)
            if block is None:
                return False
            if len(block.line):
                self._block, self._at = block, 0
        return True

    def _own(self, before: int | None = None) -> str:
        if self.changed is None or (before is not None and self.changed >= before):
            return ""
        return OWN.format(line=self.changed)


def _slice(lines: Lines, start: int, stop: int) -> Lines:
    return Lines(*(getattr(lines, f.name)[start:stop] for f in fields(Lines)))


def _joined(parts: list[Lines]) -> Lines:
    if not parts:
        return Lines(*(np.empty(0, np.int64) for _ in fields(Lines)))
    return Lines(*(np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(Lines)))


def _operation(kind: str, row: int, address: int, dac: int) -> str:
    device = "" if address == EMPTY else f" of device {address}"
    code = "" if dac == EMPTY else f" to DAC code {dac}"
    return f"{kind}{device}{' in' if device else ' of'} row {row}{code}"


def _listed(lines: Lines, i: int) -> str:
    if lines.operation[i] == UNKNOWN:
        return "an operation that is unknown"
    row, address, dac = (int(column[i]) for column in (lines.row, lines.device, lines.dac))
    return _operation(OPERATIONS[lines.operation[i]], row, address, dac)


def check_pulses(path: Path, run: Path, observer: Observer) -> Checked:
    """Check that a list belongs to a run.

    The read-backs of the list take the place of those of the array, and the controller must
    request the same operations in the same order. Its chain is then compared with the stored one.

    Raises
    ------
    UsageError
        For a list of another run.
    Unequal
        For the first difference.
    OhmcarloError
        For a list that cannot be read.

    Examples
    --------
    >>> from pathlib import Path
    >>> from ohmcarlo.progress import Silence
    >>> from ohmcarlo.runs.config import TrainConfig
    >>> from ohmcarlo.runs.outputs import Outputs
    >>> from ohmcarlo.runs.pulses.checker import check_pulses
    >>> from ohmcarlo.runs.pulses.listing import list_pulses
    >>> from ohmcarlo.runs.train import train_run
    >>> run, listed = Path("first"), Path("first.csv.gz")
    >>> config = TrainConfig("toy2d", rows=16, pairs=8, steps=20)
    >>> _ = train_run(config, Outputs(folder=run), Silence())
    >>> lines = list_pulses(run, listed, Silence())
    >>> check_pulses(listed, run, Silence()).changed is None
    True
    """
    if not path.is_file():
        raise UsageError(f"{path} is not a file: give a list that `ohmcarlo pulses` wrote")
    head = read_head(path)
    stored = _run_of(head, path, run)
    part = _part_of(head, path)
    checker = Checker(path, read_lines(path), part)
    checker.require_lines()
    tap = checker.tap = Tap(checker)
    try:
        make_again(stored, tap, observer, part.last, checker.require_own_devices)
    except Unequal:
        raise
    except OhmcarloError as error:
        if checker.changed is None:
            raise
        raise Unequal(f"{path}: {error}{OWN.format(line=checker.changed)}") from error
    checker.finish()
    return Checked(checker.operations, checker.changed)


def _run_of(head: dict[str, str], path: Path, run: Path) -> StoredRun:
    """The run that the head of the list names: ``run``, or one of its problems."""
    runs = [StoredRun.of(folder) for folder in chains_of(run)]
    wanted = head.get("trace")
    if wanted is None and len(runs) == 1:
        return runs[0]
    for stored in runs:
        if stored.digest == wanted:
            return stored
    raise UsageError(
        f"{path} is the list of another run (trace {str(wanted)[:12]}…), not of {run} (trace "
        f"{runs[0].digest[:12]}…): give the run of the list"
    )


def _part_of(head: dict[str, str], path: Path) -> Part:
    try:
        return Part.of(head.get("steps", str(ALL)))
    except ValueError as error:
        raise UsageError(f"{path}: its head has an unknown part ({error})") from error
