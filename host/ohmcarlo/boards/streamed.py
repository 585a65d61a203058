"""Points beyond the data memory of a controller: what a pass contains, and what it costs.

The first ``max_points`` points of a chain lie in the data memory. An evaluation that goes beyond
them takes all others from the data stream, once and in their own order (a *pass*). The source
repeats the pass for ever. An evaluation that ends early drops the rest of its pass.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ..errors import UsageError
from ..spec import Geometry
from ..spec.link import BAUD

WORD_BYTES = 4
SERIAL_BITS = 10  # of a byte on the serial line: start bit, 8 data bits, stop bit


class Feeder(Protocol):
    """The source of the data stream of a core."""

    def feed(self, words: NDArray[np.uint32]) -> None:
        """Repeat these words as packets, from now on, with TLAST at the last one."""
        ...

    def stop(self) -> None:
        """End the packets; words that were not taken are given up."""
        ...


@dataclass(frozen=True)
class Streamed:
    """Points beyond the data memory.

    Attributes
    ----------
    points : int
        Points of the chain.
    resident : int
        Points in the data memory; positions of the order table.
    words : int
        32-bit words of a pass: the most that a step takes.

    Examples
    --------
    >>> cost = Streamed.of(5000, 1024, Geometry())
    >>> cost.bytes, cost.seconds(100e6), cost.serial_seconds
    (127232, 0.00031808, 1.27232)
    """

    points: int
    resident: int
    words: int

    @classmethod
    def of(cls, points: int, resident: int, geometry: Geometry) -> Streamed:
        """For so many points, of which ``resident`` fit into the memory."""
        return cls(points, resident, (points - resident) * geometry.point_words)

    @property
    def bytes(self) -> int:
        """Bytes of a pass: the most that the evaluation of a proposal takes."""
        return WORD_BYTES * self.words

    def seconds(self, clock_hz: float) -> float:
        """Time of a pass at a clock of ``clock_hz``, one word per clock."""
        return self.words / clock_hz

    @property
    def serial_seconds(self) -> float:
        """Time of a pass over the serial line of a board."""
        return self.bytes * SERIAL_BITS / BAUD

    def describe(self, clock_hz: int | None) -> str:
        """One line for the user of a run."""
        line = (
            f"{self.resident:,} of {self.points:,} data points fit the memory; the others are "
            f"streamed: at most {self.bytes:,} bytes for each step"
        )
        if not clock_hz:
            return line
        return f"{line}, {self.seconds(clock_hz) * 1e3:.3g} ms at {clock_hz / 1e6:g} MHz"


def require_own_order(order: NDArray[np.integer], resident: int, place: str) -> None:
    """Raise UsageError if the order moves points that are streamed."""
    rest = np.arange(resident, len(order))
    if not np.array_equal(order[resident:], rest):
        raise UsageError(
            f"the order table of {place} has {resident} positions: the points behind them are "
            "streamed, and keep their own order"
        )
