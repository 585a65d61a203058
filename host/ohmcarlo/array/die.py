"""A real array behind a board: its description before it is measured."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from ..errors import UsageError
from ..spec import Geometry, target_nodes_us
from .base import IntArray, Ledger
from .device_preset import DevicePreset
from .read_noise import with_read_noise


class Die:
    """``ohmcarlo.array.Array`` without devices: spread and DAC table that a preset expects.

    It is not loaded into a board. Its operations raise UsageError;
    ``SerialBoard.raw_array`` has those of the real array.

    Parameters
    ----------
    geometry : Geometry
        Except ``access_bits``, which is 1: the line drivers of a die are on or off.
    preset : DevicePreset

    Raises UsageError for a preset with calibrated line drivers.
    """

    name = "phy"
    exact_dot = False

    def __init__(self, geometry: Geometry, preset: DevicePreset) -> None:
        if preset.line_calibration.value:
            raise UsageError(
                "the line drivers of a daughterboard are on or off: leave out line_calibration, "
                "and take dot products from the codes (--dot-products codes)"
            )
        self.geometry = replace(geometry, access_bits=1)
        self.preset = preset
        self.ledger = Ledger(self.geometry)

    def sigma_us(self, target_us: NDArray[np.float64]) -> NDArray[np.float64]:
        return with_read_noise(self.preset.c2c, self.read_noise_rel)(target_us)

    @property
    def read_noise_rel(self) -> float:
        return self.preset.read_noise_rel.value

    def dac_of_target(self) -> IntArray:
        return self.preset.dac_of_us(target_nodes_us())

    def reset(self, row: int) -> None:
        self._elsewhere()

    def program(self, row: int, devices: IntArray, dac: IntArray) -> IntArray:
        self._elsewhere()

    def read(self, row: int, devices: IntArray) -> IntArray:
        self._elsewhere()

    def dot(self, row: int, inputs: NDArray[np.int8]) -> NDArray[np.int32]:
        self._elsewhere()

    def state_dict(self) -> dict[str, NDArray[Any]]:
        self._elsewhere()

    def load_state_dict(self, state: dict[str, NDArray[Any]]) -> None:
        self._elsewhere()

    def _elsewhere(self) -> NoReturn:
        raise UsageError("a die is behind a board: use the array of the board's raw_array()")
