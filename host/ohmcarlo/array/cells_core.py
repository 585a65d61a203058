"""Compiled operations of the array of measured cells, with the uniform draws as arguments."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..jit import compiled
from .base import READ, RESET, SET, SET_CODES
from .device_preset import FloatArray

CELL_DRAWS = 2  # of a SET: which of two measured levels, which repeat
NEAREST = 0.5


class Cells(NamedTuple):
    """Arrays of a ``MeasuredArray`` (shared, not copied)."""

    cell: NDArray[np.int64]  # (rows, row_devices) the recorded cell of each device
    codes: NDArray[np.int32]  # (rows, row_devices) the state
    high: NDArray[np.int32]  # (cells, n) states after RESET
    repeats: NDArray[np.int32]  # (cells, levels, repeats) codes that were measured
    counted: NDArray[np.int64]  # (cells,) repeats of a cell
    top: NDArray[np.int64]  # (cells,) highest level of a cell
    below: NDArray[np.int64]  # (DAC codes,) measured level below each DAC code
    distance: FloatArray  # (DAC codes,) from it, as a share of the distance to the next level
    mix: int  # 0: always the nearest level
    counts: NDArray[np.int64]  # the ledger's
    wear: NDArray[np.int32]


@compiled
def cells_reset(e: Cells, row: int, draws: Any) -> None:
    """RESET a row with one draw 0..n - 1 for each device."""
    codes, cell, high = e.codes, e.cell, e.high
    for device in range(codes.shape[1]):
        codes[row, device] = high[cell[row, device], draws[device]]
    e.counts[RESET] += codes.shape[1]


@compiled
def cells_program(e: Cells, row: int, devices: Any, dac: Any, draws: Any, out: Any) -> None:
    """SET and READ ``devices`` of a row in order; codes into ``out``.

    ``draws`` has CELL_DRAWS × n uniform numbers from 0 to 1.
    """
    codes, cell, repeats, wear, top = e.codes, e.cell, e.repeats, e.wear, e.top
    below, distance, counted = e.below, e.distance, e.counted
    n, total = len(devices), 0
    for i in range(n):
        device, target = np.int64(devices[i]), np.int64(dac[i])
        here = cell[row, device]
        level = below[target]
        if distance[target] > (draws[i] if e.mix else NEAREST):
            level += 1
        code = repeats[here, min(level, top[here]), int(draws[n + i] * counted[here])]
        out[i] = code
        codes[row, device] = code
        wear[row, device] += 1
        total += code
    e.counts[SET] += n
    e.counts[READ] += n
    e.counts[SET_CODES] += total
