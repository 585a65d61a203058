"""A list of pulses in the place of an array."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from types import SimpleNamespace

import numpy as np
from numpy.typing import NDArray

from ohmcarlo.runs.pulses.columns import EMPTY, OPERATIONS
from ohmcarlo.runs.pulses.reading import Lines, read_lines
from ohmcarlo.spec import Geometry


class ListedArray:
    """Gives the codes of a list. It raises AssertionError, which names the line, for the first
    operation that the list does not have.

    ``table`` is the conductance→DAC table of the array that was listed.
    """

    def __init__(self, path: Path, geometry: Geometry, table: NDArray[np.int32]) -> None:
        blocks = list(read_lines(path))
        columns = {f.name: [getattr(b, f.name) for b in blocks] for f in fields(Lines)}
        self._lines = Lines(**{name: np.concatenate(parts) for name, parts in columns.items()})
        self._at = 0
        self._table = table
        self.geometry = geometry
        self.state = SimpleNamespace(codes=np.zeros((geometry.rows, geometry.row_devices), int))

    def dac_of_target(self) -> NDArray[np.int32]:
        return self._table

    def reset(self, row: int) -> None:
        self._next("RESET", row, EMPTY, EMPTY)

    def program_one(self, row: int, device: int, dac: int) -> int:
        """The code of a SET and of the READs that follow it."""
        code = self._next("SET", row, row * self.geometry.row_devices + device, dac)
        self.state.codes[row, device] = code
        return code

    def finish(self) -> None:
        """Raise AssertionError if the list goes on."""
        left = len(self._lines.line) - self._at
        assert not left, f"line {self._lines.line[self._at]}: the hardware omits {left} operations"

    def _next(self, kind: str, row: int, device: int, dac: int) -> int:
        lines, at = self._lines, self._at
        assert at < len(lines.line), f"the list ends before {kind} in row {row}"
        listed = [int(c[at]) for c in (lines.operation, lines.row, lines.device, lines.dac)]
        asked = [OPERATIONS.index(kind), row, device, dac]
        where = f"line {lines.line[at]}"
        assert asked == listed, f"{where}: the hardware asks for {asked}, the list has {listed}"
        self._at += 1
        return int(lines.code[at])
