"""Readings of devices, one entry a line of a file, before they are chosen and ordered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .recording import FloatArray, IntArray, LeftOut

NO_CYCLE = -1
Words = NDArray[np.object_]
"""Words of the entries, most of which are the same object."""


@dataclass(frozen=True, eq=False)
class Readings:
    """What a reader of a format finds in a file; ``recording_of`` makes a ``Recording`` of it.

    Attributes
    ----------
    source : Path
    format : str
        Name of the format, as in ``docs/measurements.md``.
    device : str (n,)
        Name of the device of each entry.
    after_us : float (n,)
        Conductance after the pulse, µS; NaN for an overload or a missing value.
    line : int (n,)
        Line of the file, from 1.
    quantities : mapping of str to float (n,)
        Levels and conditions by the names of ``quantities.QUANTITIES``; NaN where not given.
    before_us : float (n,)
        NaN where it was not measured.
    problem : str (n,)
        Why an entry cannot be used, as "instrument overload"; empty if it can.
    cycle : int (n,)
        Sweep or repeat as the file numbers it; NO_CYCLE where it does not.
    read : int (n,)
        Number of the read of one state, from 0: all but the first are repeated reads.
    labels : mapping of str to str (n,)
        Other columns of the file by their header, for ``--where``.
    operation : str (n,)
        "SET", "RESET" or another operation in capitals; empty where the file does not name it.
    left_out : tuple of LeftOut
    recognised : tuple of str
    chosen : tuple of str
        Conditions of ``--where``, as "vbl=2.0".
    """

    source: Path
    format: str
    device: NDArray[np.str_]
    after_us: FloatArray
    line: IntArray
    quantities: Mapping[str, FloatArray]
    before_us: FloatArray = field(default_factory=lambda: np.empty(0))
    problem: Words = field(default_factory=lambda: np.empty(0, object))
    cycle: IntArray = field(default_factory=lambda: np.empty(0, np.int64))
    read: IntArray = field(default_factory=lambda: np.empty(0, np.int64))
    operation: Words = field(default_factory=lambda: np.empty(0, object))
    labels: Mapping[str, NDArray[np.str_]] = field(default_factory=dict)
    left_out: tuple[LeftOut, ...] = ()
    recognised: tuple[str, ...] = ()
    chosen: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Entries that a reader does not give are filled in."""
        n = len(self.device)
        usual: dict[str, tuple[Any, Any]] = {
            "before_us": (np.nan, np.float64),
            "problem": ("", object),
            "cycle": (NO_CYCLE, np.int64),
            "read": (0, np.int64),
            "operation": ("", object),
        }
        for name, (value, kind) in usual.items():
            if len(getattr(self, name)) != n:
                object.__setattr__(self, name, np.full(n, value, kind))

    def __len__(self) -> int:
        return len(self.device)

    def only(self, kept: NDArray[Any]) -> Readings:
        """The entries that ``kept``, a mask or indices, selects."""
        changes: dict[str, Any] = {}
        for entry in fields(self):
            values = getattr(self, entry.name)
            if isinstance(values, np.ndarray):
                changes[entry.name] = values[kept]
            elif entry.name in ("quantities", "labels"):
                changes[entry.name] = {name: column[kept] for name, column in values.items()}
        return replace(self, **changes)

    def without(self, dropped: NDArray[np.bool_], reason: str, device: str = "") -> Readings:
        """The other entries; the lines of those dropped are noted with the reason."""
        if not dropped.any():
            return self
        lines = tuple(sorted({int(n) for n in self.line[dropped]}))
        noted = (*self.left_out, LeftOut(reason, lines, device))
        return replace(self.only(~dropped), left_out=noted)

    def noted_by_device(self, dropped: NDArray[np.bool_], reason: str) -> Readings:
        """The same entries; lines of those that will be dropped are noted device by device."""
        if not dropped.any():
            return self
        names, index = names_in_order(self.device[dropped])
        order = np.argsort(index, kind="stable")
        ends = np.cumsum(np.bincount(index))[:-1]
        parts = np.split(self.line[dropped][order], ends)
        noted = tuple(
            LeftOut(reason, tuple(sorted({int(n) for n in lines})), name)
            for name, lines in zip(names, parts, strict=True)
        )
        return replace(self, left_out=(*self.left_out, *noted))

    def noting(self, *phrases: str) -> Readings:
        """The same with further phrases about what was recognised."""
        return replace(self, recognised=(*self.recognised, *phrases))


def names_in_order(device: NDArray[np.str_] | Sequence[str]) -> tuple[tuple[str, ...], IntArray]:
    """Different names in the order of their first entry, and the index of each entry's name."""
    names, first, index = np.unique(device, return_index=True, return_inverse=True)
    order = np.argsort(first, kind="stable")
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order))
    return tuple(str(name) for name in names[order]), rank[index]
