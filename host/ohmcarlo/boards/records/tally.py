"""The ledger of an array behind a board, from the counters of the board and from estimates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

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
from ...array.checks import COUNT_MAX, check_array
from ...golden import Registers, build_machine
from ...golden.chain import count_dots
from ...spec import TARGET_FRAC
from ..memory.state import BOARD_TALLY, State

Counters = Mapping[str, int]


class Tally:
    """Makes a ledger from the counters of a board.

    A board counts operations, and how often each row group was taken for a proposal. It has no sum
    of conductances and no wear of single devices. These are estimated:

    - A SET reaches the mean code of the samples so far (an entropy device: its target), and a DOT
      drives those means.
    - Digital dot products are those of the points that were evaluated: in steps, which the board
      counts, by first samples and in predictions.
    - Each use of a row group in a step wears every device of its sample once, and every entropy
      device once for each regular round of a coin. This underestimates coins that took more rounds,
      and overestimates steps that ended with a stuck entropy device.
    - Each use before the steps is one of the start-up test, which programs the coin alone, except
      that of each first sample.

    Operations before ``goes_on`` are known: those of a chain before, or of a checkpoint.

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
        before = array.ledger.state_dict()
        self._counts, self._wear = before["counts"], before["wear"]
        # what the board had counted then
        self._counted = np.zeros(len(self.COUNTED), np.int64)
        self._worn = np.zeros(self._geometry.rows, np.int64)
        # of the chain since its start
        self._code_sum = np.zeros(registers.sample_devices, np.int64)
        self._samples = 0
        self._evaluated = 0  # points, beside those in steps

    def note(self, codes: NDArray[np.uint16]) -> None:
        """Samples that the board streamed, (n, devices)."""
        self._code_sum += codes.sum(axis=0, dtype=np.int64)
        self._samples += len(codes)

    def note_start(self, wear: NDArray[np.uint32], first_rows: Sequence[int]) -> None:
        """The chain was started: ``wear`` (as for ``ledger``), and the rows of the first
        samples."""
        used = wear.astype(np.int64) - self._worn
        samples = np.zeros_like(used)
        samples[list(first_rows)] = np.minimum(used[list(first_rows)], 1)
        self._wear_devices(self._wear, samples, used - samples)
        self._worn += used

    def note_evaluated(self, points: int) -> None:
        """Points that were evaluated outside of steps, once for each sample."""
        self._evaluated += points

    def goes_on(
        self, before: Mapping[str, NDArray[Any]], counters: Counters, wear: NDArray[np.uint32]
    ) -> None:
        """Begin with the ledger ``before`` (a ``state_dict``), when the board shows ``counters``
        and ``wear`` (as for ``ledger``)."""
        self._counts, self._wear = before["counts"].copy(), before["wear"].copy()
        self._counted = self._counts_of(counters)
        self._worn = wear.astype(np.int64)

    def put(self, state: State) -> None:
        """Write into a state what ``take`` needs to go on bit for bit."""
        own = [self._samples, self._evaluated]
        state[BOARD_TALLY] = np.concatenate([own, self._counted, self._counts, self._code_sum])

    def take(self, state: State, counters: Counters, wear: NDArray[np.uint32]) -> None:
        """Go on from a state that was loaded into the board.

        That of another board has no estimates to go on with: they begin again.
        """
        before = {name: state[f"array.ledger.{name}"] for name in ("counts", "wear")}
        self.goes_on(before, counters, wear)
        self._samples = self._evaluated = 0
        self._code_sum[:] = 0
        if BOARD_TALLY not in state:
            return
        own, self._counted, self._counts, codes = np.split(
            state[BOARD_TALLY].astype(np.int64),
            np.cumsum([2, len(self.COUNTED), len(self._counts)]),
        )
        self._samples, self._evaluated = own.tolist()
        self._code_sum[:] = codes

    def check(self, state: State) -> None:
        """Raise UsageError unless ``take`` can use the state."""
        if BOARD_TALLY in state:
            own: State = {}
            self.put(own)
            check_array(state, BOARD_TALLY, own[BOARD_TALLY], 0, COUNT_MAX)

    def _counts_of(self, counters: Counters) -> NDArray[np.int64]:
        return np.array([counters[f"counters.{name}"] for name in self.COUNTED], np.int64)

    def ledger(self, counters: Counters, wear: NDArray[np.uint32]) -> Ledger:
        """The ledger so far.

        ``counters`` are those of the board, by their names in the register map. ``wear`` holds, at
        the first row of each row group, how often it was taken.
        """
        ledger = Ledger(self._geometry)
        ledger.load_state_dict({"counts": self._counts, "wear": self._wear})
        fresh = (self._counts_of(counters) - self._counted).tolist()
        n = dict(zip(self.COUNTED, fresh, strict=True))
        n["points"] += self._evaluated
        ledger.counts[FORM] += n["form"]
        ledger.counts[RESET] += n["reset"] * self._geometry.row_devices
        ledger.counts[SET] += n["set"]
        ledger.counts[READ] += n["read"]
        self._add_conductances(ledger, n)
        used = wear.astype(np.int64) - self._worn
        self._wear_devices(ledger.wear, used, used * self._registers.coin_rounds)
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

    def _wear_devices(
        self, wear: NDArray[np.int32], samples: NDArray[np.int64], coins: NDArray[np.int64]
    ) -> None:
        """Add to ``wear`` so many samples and rounds of coins in each row group, both given at its
        first row."""
        machine, g = build_machine(self._registers), self._geometry
        first = np.array([g.group_row(group) for group in range(g.groups)])
        times, rounds = (n[first].astype(np.int32)[:, None] for n in (samples, coins))
        for row in range(g.row_group):
            devices = machine.slot_device[machine.slot_row == row]
            wear[np.ix_(first + row, devices)] += times
        wear[np.ix_(first, machine.coin_devices)] += rounds
