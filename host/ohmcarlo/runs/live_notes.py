"""What a run tells about itself while it works, in two small files of its folder.

    progress.json   the phase, steps and acceptance, about once a second
    chain.npz       settings of the sampling chain, and how its weights follow from codes

Nothing reads them to resume or to evaluate: they are no part of the hash chain, they are not synced
to the disk, and a run without them is as good as one with them. ``ohmcarlo watch`` reads them. A
complete run has none.
"""

from __future__ import annotations

import io
import json
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import OhmcarloError
from ..files import TEMPORARY, json_ready, replace_unsynced
from ..progress import SAMPLING, STEPS, Observer, Work, seconds_left
from .stored import read_arrays

PROGRESS, CHAIN = "progress.json", "chain.npz"
EVERY_S = 0.5
"""Least time between two progress files while steps are made. One takes about 0.2 ms."""
MOST_LINES = 40

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Progress:
    """The state of a run at one moment.

    Attributes
    ----------
    phase : str
        What the run does, in the words of the terminal.
    steps, total : int
        Steps of every chain, or other units, so far and in all; ``total`` is 0 for a phase of
        unknown length.
    first_step : int
        Steps when this process began with this phase.
    unit : str
        What is counted.
    seconds : float
        Since then, s.
    acceptance : float
        Acceptance rate since the progress file before this one.
    written : float
        Time of the clock, s since 1970.
    lines : tuple of str
        The last lines that the run wrote on the terminal.
    """

    phase: str = ""
    steps: int = 0
    total: int = 0
    first_step: int = 0
    unit: str = STEPS
    seconds: float = 0.0
    acceptance: float = 0.0
    written: float = 0.0
    lines: tuple[str, ...] = ()

    @classmethod
    def of(cls, values: Any) -> Progress:
        """Raises KeyError, TypeError or ValueError if ``values`` are not those of a progress."""
        kinds: dict[str, Callable[[Any], Any]] = {
            "phase": str, "steps": int, "total": int, "first_step": int, "unit": str,
            "seconds": float, "acceptance": float, "written": float,
            "lines": lambda v: tuple(str(x) for x in v),
        }  # fmt: skip
        return cls(**{f.name: kinds[f.name](values[f.name]) for f in fields(cls)})

    def remaining_s(self) -> float | None:
        """Time to the last step at the rate so far, s; None if it is unknown."""
        return seconds_left(self.steps, self.first_step, self.total, self.seconds)


class NotedProgress:
    """An ``Observer`` that writes progress files and passes everything on to another one.

    Parameters
    ----------
    path : Path
        The run folder.
    observer : Observer
    """

    def __init__(self, path: Path, observer: Observer) -> None:
        self._path, self._observer = path, observer
        self._lines: deque[str] = deque(maxlen=MOST_LINES)
        self._works: list[Work] = []
        self._noted = 0.0
        self._rates: list[float] = []
        self._acceptance = 0.0

    def say(self, text: str) -> None:
        self._lines.append(text)
        self._observer.say(text)

    def wait(self, text: str) -> None:
        self._works.append(Work(text, time.monotonic()))
        self._note()
        self._observer.wait(text)

    def rename(self, text: str, steps: int = 0, total: int = 0, unit: str = STEPS) -> None:
        if self._works:
            self._works[-1].become(text, steps, total, unit)
        self._note()
        self._observer.rename(text, steps, total, unit)

    def begin(self, steps: int, total: int, what: str = SAMPLING, unit: str = STEPS) -> None:
        self._works.append(Work(what, time.monotonic(), total, unit, steps, steps))
        self._note()
        self._observer.begin(steps, total, what, unit)

    def advance(self, steps: int, acceptance: float | None = None) -> None:
        if self._works:
            self._works[-1].done = steps
        if acceptance is not None:
            self._rates.append(acceptance)
        if time.monotonic() - self._noted >= EVERY_S:
            self._note()
        self._observer.advance(steps, acceptance)

    def end(self) -> None:
        if self._works:
            self._works.pop()
        self._note()
        self._observer.end()

    def _note(self) -> None:
        self._noted = time.monotonic()
        if self._rates:
            self._acceptance = sum(self._rates) / len(self._rates)
            self._rates.clear()
        work = self._works[-1] if self._works else Work("", self._noted)
        progress = Progress(
            phase=work.text,
            steps=work.done,
            total=work.total or 0,
            first_step=work.first,
            unit=work.unit,
            seconds=self._noted - work.began if work.total else 0.0,
            acceptance=self._acceptance,
            written=time.time(),
            lines=tuple(self._lines),
        )
        _write(self._path / PROGRESS, json.dumps(asdict(progress)).encode())


def read_progress(path: Path) -> Progress:
    """The last progress of the run in ``path``; an empty one if there is none that can be read."""
    try:
        return Progress.of(json.loads((path / PROGRESS).read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, TypeError):
        return Progress()


@dataclass(frozen=True, eq=False)
class WeightMap:
    """Weights as an affine function of codes.

    Attributes
    ----------
    matrix : float64 (weights, devices of a sample)
    offset : float64 (weights,)
    names : tuple of str
        Names of the weights.
    """

    matrix: FloatArray
    offset: FloatArray
    names: tuple[str, ...]

    def __post_init__(self) -> None:
        if self.matrix.ndim != 2 or self.offset.shape != self.matrix.shape[:1]:
            raise ValueError(f"a matrix {self.matrix.shape} with offsets {self.offset.shape}")
        if len(self.names) != len(self.offset):
            raise ValueError(f"{len(self.names)} names of {len(self.offset)} weights")

    @classmethod
    def of(
        cls,
        weights: Callable[[NDArray[np.uint16]], FloatArray],
        devices: int,
        names: Sequence[str],
    ) -> WeightMap:
        """The map of an affine function: codes uint16 (n, devices) → weights (n, m)."""
        offset = weights(np.zeros((1, devices), np.uint16))[0]
        matrix = (weights(np.eye(devices, dtype=np.uint16)) - offset).T
        return cls(np.ascontiguousarray(matrix), offset, tuple(names))

    def weights(self, codes: NDArray[np.uint16]) -> FloatArray:
        """(…, devices) → (…, weights)."""
        return codes @ self.matrix.T + self.offset


@dataclass(frozen=True, eq=False)
class ChainNote:
    """The sampling chain of a run, as it was set up.

    Attributes
    ----------
    values : dict
        The part of the result that is known before the first step, with ``chains`` and ``steps``.
    weights : WeightMap
    """

    values: Mapping[str, Any]
    weights: WeightMap

    def write(self, path: Path) -> None:
        """Write the note into the run folder ``path``, if that is possible."""
        buffer = io.BytesIO()
        np.savez(
            buffer,
            allow_pickle=False,
            values=np.array(json.dumps(json_ready(self.values))),
            matrix=self.weights.matrix,
            offset=self.weights.offset,
            names=np.array(self.weights.names),
        )
        _write(path / CHAIN, buffer.getvalue())


def read_chain(path: Path) -> ChainNote | None:
    """The note in the run folder ``path``; None if there is none that can be read."""
    try:
        stored = read_arrays(path / CHAIN)
        weights = WeightMap(
            np.asarray(stored["matrix"], np.float64),
            np.asarray(stored["offset"], np.float64),
            tuple(str(name) for name in stored["names"]),
        )
        values = dict(json.loads(str(stored["values"])))
        for name in ("chains", "steps"):
            values[name] = int(values[name])
        return ChainNote(values, weights)
    except (OhmcarloError, KeyError, TypeError, ValueError):
        return None


def remove_notes(path: Path) -> None:
    """Remove the files of this module: the run in ``path`` is complete."""
    for name in (PROGRESS, CHAIN, PROGRESS + TEMPORARY, CHAIN + TEMPORARY):
        with suppress(OSError):
            (path / name).unlink(missing_ok=True)


def _write(path: Path, content: bytes) -> None:
    with suppress(OSError):  # a full disk stops a run at its next checkpoint, with a message
        replace_unsynced(path, content)
