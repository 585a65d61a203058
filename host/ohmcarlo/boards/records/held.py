"""The samples in the rows of an array, known from the record stream without reading the array."""

from __future__ import annotations

from collections import deque
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import OhmcarloError
from ...golden import Registers, build_machine
from ..memory.state import State
from .decode import Samples


class HeldSamples:
    """Codes of the samples in the rows of a chain.

    A retired sample is streamed and stays in its rows. The oldest one gives its rows back first.
    The retired samples in a region are therefore the last ones that it streamed.

    Parameters
    ----------
    registers : Registers
    """

    def __init__(self, registers: Registers) -> None:
        self.geometry = registers.geometry
        machine = build_machine(registers)
        self._rows, self._devices = machine.slot_row, machine.slot_device
        self._last: list[deque[NDArray[Any]]] = [
            deque(maxlen=self.geometry.region_groups) for _ in range(self.geometry.regions)
        ]

    def note(self, samples: Samples) -> None:
        """Samples that were retired, in the order of the record stream."""
        for region, codes in zip(samples.region, samples.codes, strict=True):
            self._last[region].append(codes)

    def put(self, state: State) -> None:
        """Write the codes of all samples into ``array.codes`` of a state."""
        codes = state["array.codes"]
        for region, last in enumerate(self._last):
            groups = self._retired(state, region)
            if len(groups) > len(last):
                raise OhmcarloError(
                    f"the board holds {len(groups)} retired samples of chain {region}, "
                    f"{len(last)} were streamed: this should not happen, please report it"
                )
            for group, sample in zip(reversed(groups), reversed(last), strict=False):
                codes[self._place(group)] = sample
            current = int(state["controller.group"][region])
            if current >= 0:
                codes[self._place(current)] = state["controller.codes"][region]

    def take(self, state: State) -> None:
        """Replace the remembered samples by those in ``array.codes`` of a state."""
        for region, last in enumerate(self._last):
            last.clear()
            for group in self._retired(state, region):
                last.append(state["array.codes"][self._place(group)])

    def _retired(self, state: State, region: int) -> list[int]:
        """Row groups with a retired sample, the oldest first."""
        head, count = (int(state[f"controller.retired_{p}"][region]) for p in ("head", "count"))
        places = (head + np.arange(count)) % self.geometry.region_groups
        groups: list[int] = state["controller.retired"][region, places].tolist()
        return groups

    def _place(self, group: int) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """Where the devices of a sample are."""
        return self._rows + self.geometry.group_row(group), self._devices
