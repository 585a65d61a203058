"""An array whose operations a listener receives, in the order in which they are made."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ..spec import Geometry
from .base import DOT, Array, IntArray, Ledger

ALL_ROWS = -1


class Listener(Protocol):
    """Receives the operations of an array. It may replace the codes that are read back."""

    def reset(self, row: int) -> None:
        """A RESET of ``row``."""
        ...

    def program(self, row: int, devices: IntArray, dac: IntArray, codes: IntArray) -> IntArray:
        """SET and READ of each device in order gave ``codes``; returns those of the controller."""
        ...

    def read(self, row: int, devices: IntArray, codes: IntArray) -> IntArray:
        """READ of each device in order gave ``codes``; returns those of the controller."""
        ...

    def dot(self, row: int, accesses: int) -> None:
        """Accesses of dot products since the last operation; ``row`` was programmed last, or is
        ALL_ROWS if several rows with a sample are accessed."""
        ...


class TappedArray:
    """``ohmcarlo.array.Array`` that reports its operations to a listener.

    It has the state of the array inside, which makes every operation. It is of no other class, so
    that a controller drives it operation by operation.

    Parameters
    ----------
    inner : Array
    listener : Listener
    """

    def __init__(self, inner: Array, listener: Listener) -> None:
        self.inner = inner
        self.geometry: Geometry = inner.geometry
        self.ledger: Ledger = inner.ledger
        self.exact_dot: bool = inner.exact_dot
        self.name: str = inner.name
        self._listener = listener
        self._dots = int(inner.ledger.counts[DOT])
        self._row = 0

    @property
    def read_noise_rel(self) -> float:
        return self.inner.read_noise_rel

    def sigma_us(self, target_us: NDArray[np.float64]) -> NDArray[np.float64]:
        return self.inner.sigma_us(target_us)

    def dac_of_target(self) -> IntArray:
        return self.inner.dac_of_target()

    def reset(self, row: int) -> None:
        self.note_dots()
        self.inner.reset(row)
        self._row = row
        self._listener.reset(row)

    def program(self, row: int, devices: IntArray, dac: IntArray) -> IntArray:
        codes = self.inner.program(row, devices, dac)
        self._row = row
        return self._listener.program(row, devices, dac, codes)

    def cycle(self, row: int, devices: IntArray, dac: IntArray) -> IntArray:
        """RESET ``row``, SET and READ ``devices``, for each line of ``dac``: int32 (pulses, n)."""
        fast = getattr(self.inner, "cycle", None)
        if fast is None:
            found = [self._one_cycle(row, devices, line) for line in dac]
        else:
            found = []
            for line, codes in zip(dac, fast(row, devices, dac), strict=True):
                self._listener.reset(row)
                found.append(self._listener.program(row, devices, line, codes))
        return np.array(found, np.int32).reshape(dac.shape)

    def _one_cycle(self, row: int, devices: IntArray, dac: IntArray) -> IntArray:
        self.reset(row)
        return self.program(row, devices, dac)

    def read(self, row: int, devices: IntArray) -> IntArray:
        return self._listener.read(row, devices, self.inner.read(row, devices))

    def dot(self, row: int, inputs: NDArray[np.int8]) -> NDArray[np.int32]:
        return self.inner.dot(row, inputs)

    def note_dots(self, *, one_row: bool = True) -> None:
        """Tell the listener of the accesses that the controller has entered into the ledger;
        ``one_row``: all of them are at the row that was programmed last."""
        dots = int(self.ledger.counts[DOT])
        if dots > self._dots:
            self._listener.dot(self._row if one_row else ALL_ROWS, dots - self._dots)
        self._dots = dots

    def state_dict(self) -> dict[str, NDArray[Any]]:
        return self.inner.state_dict()

    def load_state_dict(self, state: dict[str, NDArray[Any]]) -> None:
        self.inner.load_state_dict(state)
