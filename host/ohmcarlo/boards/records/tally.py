"""The ledger of an array behind a board, from the counters of the board and from estimates."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from ...array.base import (
    DIGITAL,
    DIGITAL_MACS,
    DOT,
    DOT_CODES,
    DOT_DEVICES,
    FORM,
    READ,
    RESET,
    SET,
    SET_CODES,
    Array,
    Ledger,
)
from ...golden import Registers, build_machine
from ...golden.chain import count_dots
from ...spec import TARGET_FRAC


class Tally:
    """Makes a ledger from the counters of a board.

    A board counts operations, and how often each row group was taken for a proposal. It has no sum
    of conductances and no wear of single devices. These are estimated:

    - A SET reaches the mean code of the samples so far (an entropy device: its target), and a DOT
      drives those means.
    - Digital dot products are those of the points that were evaluated in steps.
    - Each use of a row group wears every device of its sample once, and every entropy device once
      for each regular round of a coin. This overestimates the start-up test, which programs the
      coin alone, and underestimates coins that took more rounds.

    Parameters
    ----------
    array : Array
        Its earlier operations (a characterisation) stay counted.
    registers : Registers
    """

    COUNTED = ("form", "reset", "set", "read", "dot", "points")

    def __init__(self, array: Array, registers: Registers) -> None:
        self._registers = registers
        self._geometry = registers.geometry
        self._before = array.ledger.state_dict()
        self._code_sum = np.zeros(registers.sample_devices, np.int64)
        self._samples = 0

    def note(self, codes: NDArray[np.uint16]) -> None:
        """Samples that the board streamed, (n, devices)."""
        self._code_sum += codes.sum(axis=0, dtype=np.int64)
        self._samples += len(codes)

    def goes_on(self, counted_elsewhere: bool) -> None:
        """Note that the state of a chain was loaded, with or without its earlier counters."""
        if counted_elsewhere:
            self._before = Ledger(self._geometry).state_dict()

    def ledger(self, counters: Mapping[str, int], wear: NDArray[np.uint32]) -> Ledger:
        """The ledger so far.

        ``counters`` are those of the board, by their names in the register map. ``wear`` holds, at
        the first row of each row group, how often it was taken.
        """
        ledger = Ledger(self._geometry)
        ledger.load_state_dict(self._before)
        n = {name: counters[f"counters.{name}"] for name in self.COUNTED}
        ledger.counts[FORM] += n["form"]
        ledger.counts[RESET] += n["reset"] * self._geometry.row_devices
        ledger.counts[SET] += n["set"]
        ledger.counts[READ] += n["read"]
        self._add_conductances(ledger, n)
        self._add_wear(ledger, wear)
        return ledger

    def _mean_codes(self) -> NDArray[np.int64]:
        if not self._samples:
            return np.full(len(self._code_sum), self._registers.centre >> TARGET_FRAC, np.int64)
        return np.rint(self._code_sum / self._samples).astype(np.int64)

    def _add_conductances(self, ledger: Ledger, n: dict[str, int]) -> None:
        mean, g = self._mean_codes(), self._geometry
        coin = 2 * g.entropy_pairs * self._registers.coin_rounds
        reached = int(mean.sum()) + coin * (self._registers.centre >> TARGET_FRAC)
        ledger.counts[SET_CODES] += n["set"] * reached // (len(mean) + coin)
        per_point = np.zeros_like(ledger.counts)
        count_dots(build_machine(self._registers), per_point, mean, 1)
        if self._registers.digital:
            for place in (DIGITAL, DIGITAL_MACS):
                ledger.counts[place] += n["points"] * int(per_point[place])
            return
        ledger.counts[DOT] += n["dot"]
        for place in (DOT_CODES, DOT_DEVICES):
            ledger.counts[place] += n["dot"] * int(per_point[place]) // int(per_point[DOT])

    def _add_wear(self, ledger: Ledger, wear: NDArray[np.uint32]) -> None:
        machine, g = build_machine(self._registers), self._geometry
        first = np.array([g.group_row(group) for group in range(g.groups)])
        taken, rounds = wear[first].astype(np.int32), self._registers.coin_rounds
        for row in range(g.row_group):
            devices = machine.slot_device[machine.slot_row == row]
            ledger.wear[np.ix_(first + row, devices)] += taken[:, None]
        ledger.wear[np.ix_(first, machine.coin_devices)] += taken[:, None] * rounds
