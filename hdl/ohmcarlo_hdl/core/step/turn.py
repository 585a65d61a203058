"""The region whose turn it is."""

from __future__ import annotations

from typing import Any

from amaranth import Module, Mux, Signal
from amaranth.hdl import ValueLike

from ...config import CoreConfig
from ..regions import WORD_ADDRESS_BITS


class Turn:
    """The region of the proposal in progress, or of the next one.

    Parameters
    ----------
    m : Module
        The module that holds the logic.
    config : CoreConfig
    regions : Signal
        Regions in use.
    window : interface of region_access
        The window ``state_regions``: while no run begins, ``here`` is the region that it reads.

    Attributes
    ----------
    region : Signal
        The present region.
    here : Signal
        ``region``; between runs, the region that software reads. It is a register of its own
        because it selects among the registers of all regions.
    next_region, last_region, settled : Signal
        They follow ``region`` a clock later: the region after it, whether it is the last one, and
        whether it did not change.
    looking : Signal
        No run begins in this clock; driven by the state machine.
    """

    def __init__(self, m: Module, config: CoreConfig, regions: Signal, window: Any) -> None:
        self.region = region = Signal(config.region_bits)
        self._saved_region = Signal.like(region)
        self._moved = moved = Signal.like(region)  # the region in the next clock
        self.here = Signal.like(region)
        self.next_region = Signal.like(region)
        self.last_region = Signal()
        self.settled = Signal()
        self.looking = Signal()
        last = region + 1 >= regions
        m.d.comb += moved.eq(region)
        m.d.sync += [
            region.eq(moved),
            self.settled.eq(moved == region),
            self.last_region.eq(last),
            self.next_region.eq(Mux(last, 0, region + 1)),
            self.here.eq(Mux(self.looking, window.r_addr >> WORD_ADDRESS_BITS, moved)),
        ]

    def to(self, region: ValueLike) -> Any:
        """Statement of the comb domain: the turn moves to ``region``."""
        return self._moved.eq(region)

    def to_next(self) -> Any:
        """Statement of the comb domain: the turn moves to the region after this one."""
        return self.to(self.next_region)

    def save(self) -> Any:
        """Statement of the sync domain: remember the region for ``restore``."""
        return self._saved_region.eq(self.region)

    def restore(self) -> Any:
        """Statement of the comb domain: the turn moves to the saved region."""
        return self.to(self._saved_region)
