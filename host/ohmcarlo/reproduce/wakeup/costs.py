"""The energy of a beat: array, processor of the board, and the radio that wakes the host."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from ...array.base import Ledger
from ...array.device_preset import Tag, Value
from ...array.energy import SoftwareModel, energy
from ...spec import Geometry

SCALE = 1000
"""Beats of which the operations are counted as integers."""


@dataclass(frozen=True)
class Costs:
    """Constants of the energy of a beat.

    ``point_clocks`` and ``doubtful_clocks`` are those of the processor of the simulated board, in
    which its memory has wait states (tests/host/runs/test_rtl_board.py measures them). The
    controller predicts meanwhile, six clocks for each row that holds a sample: with 250 rows it
    takes as long.
    """

    point_clocks: Value = field(
        default=Value(1500, "clocks/point", Tag.DERIVED, "MODEL", 1000, 2000, "answer, two doubts")
    )
    doubtful_clocks: Value = field(
        default=Value(1800, "clocks/point", Tag.DERIVED, "MODEL", 1200, 2500, "its transmission")
    )
    wakeup_uj: Value = field(
        default=Value(
            100, "µJ/wake-up", Tag.ASSUMED, "ESTIMATE", 10, 1000,
            "excerpt of 256 samples of two leads of 11 bits at 1 Mbit/s and 16 mW",
        )
    )  # fmt: skip
    clock_pj: Value = field(default=SoftwareModel().mcu_cycle_pj)


@dataclass(frozen=True)
class BeatEnergy:
    """Energy of a beat, µJ: array with converters and controller, processor, and each wake-up."""

    array: float
    processor: float
    wakeup: float

    def at(self, rate: float) -> float:
        """Mean energy of a beat if the share ``rate`` of the beats wakes the host, µJ."""
        return self.array + self.processor + rate * self.wakeup


def beat_energy(
    counts: Sequence[float], geometry: dict[str, int], costs: Costs | None = None
) -> BeatEnergy:
    """Energy of a beat with these counts of operations (``Ledger.counts``)."""
    c = costs or Costs()
    shape = Geometry(**geometry)
    ledger = Ledger(shape)
    for i, count in enumerate(counts):
        ledger.counts[i] = round(SCALE * count)
    clock_uj = 1e-6 * c.clock_pj.value
    return BeatEnergy(
        array=1e6 * energy(ledger, shape).total.joules / SCALE,
        processor=c.point_clocks.value * clock_uj,
        wakeup=c.wakeup_uj.value + c.doubtful_clocks.value * clock_uj,
    )
