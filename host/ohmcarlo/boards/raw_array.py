"""The array behind a board, driven by single operations. Used for bring-up."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..array.base import Array, IntArray
from ..errors import UsageError
from ..spec import DAC_MAX
from ..spec.link import Operation
from .controller import OPERATION, Controller

_, RESET, SET, READ = Operation


class RawArray:
    """``ohmcarlo.array.Array`` over raw operations.

    RESETs are sent together with the operations that follow them.

    Parameters
    ----------
    remote : Controller
        An idle controller, whose emulator (if any) is loaded.
    twin : Array
        Provides the spread and the DAC table of the devices, and the ledger.
    """

    exact_dot = True

    def __init__(self, remote: Controller, twin: Array) -> None:
        self.remote = remote
        self.twin = twin
        self.geometry = twin.geometry
        self.ledger = twin.ledger
        self.name = twin.name
        self._resets: list[int] = []

    @property
    def read_noise_rel(self) -> float:
        return self.twin.read_noise_rel

    def sigma_us(self, target_us: NDArray[np.float64]) -> NDArray[np.float64]:
        return self.twin.sigma_us(target_us)

    def dac_of_target(self) -> IntArray:
        return self.twin.dac_of_target()

    def reset(self, row: int) -> None:
        self._resets.append(row)
        self.ledger.note_reset(self.geometry.row_devices)

    def program(self, row: int, devices: IntArray, dac: IntArray) -> IntArray:
        if len(dac) and (dac.min() < 0 or dac.max() > DAC_MAX):
            raise UsageError(f"DAC codes must lie in 0..{DAC_MAX}")
        operations = np.zeros(2 * len(devices), OPERATION)
        operations["operation"][0::2], operations["operation"][1::2] = SET, READ
        operations["row"] = row
        operations["device"] = np.repeat(devices, 2)
        operations["dac"][0::2] = dac
        codes = self._operate(operations)
        self.ledger.note_program(row, devices, codes)
        return codes

    def read(self, row: int, devices: IntArray) -> IntArray:
        operations = np.zeros(len(devices), OPERATION)
        operations["operation"], operations["row"], operations["device"] = READ, row, devices
        self.ledger.note_read(len(devices))
        return self._operate(operations)

    def _operate(self, operations: NDArray[Any]) -> IntArray:
        first = np.zeros(len(self._resets), OPERATION)
        first["operation"], first["row"] = RESET, self._resets
        self._resets.clear()
        return self.remote.operate(np.concatenate([first, operations])).astype(np.int32)

    def dot(self, row: int, inputs: NDArray[np.int8]) -> NDArray[np.int32]:
        """Computed from the codes that READ returns, because DOT is not a raw operation."""
        codes = self.read(row, np.arange(2 * inputs.shape[1], dtype=np.int32))
        return inputs.astype(np.int32) @ (codes[0::2] - codes[1::2])

    def state_dict(self) -> dict[str, NDArray[Any]]:
        raise UsageError("an array behind a board is saved with the board")

    def load_state_dict(self, state: dict[str, NDArray[Any]]) -> None:
        raise UsageError("an array behind a board is loaded with the board")
