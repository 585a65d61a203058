"""Measure an array with its own operations: RESET, SET and READ give codes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import UsageError
from ...jit import compiled
from ...spec import CODE_LSB_US, DAC_MAX, TARGET_LSB_US, VALID_HI_CODE, VALID_LO_CODE, dac_of
from ..base import Array, IntArray
from ..physics import PhysicsArray
from ..tapped import TappedArray

FloatArray = NDArray[np.float64]
Progress = Callable[[int, int], None]

READ_REPEATS = 8
RESET_REPEATS = 4
SLOPE_LIMIT = 0.15  # smallest slope over the target of a device that follows it
INVALID_LIMIT = 0.5  # a device with a larger fraction of invalid read-backs is dead


@dataclass(frozen=True, eq=False)
class Trim:
    """The correction of pulses: a conductance→DAC table, offset and gain of each device.

    ``dac`` int32 (257,); ``offset`` (codes) and ``gain`` (LSB 2**-TRIM_GAIN_FRAC) of shape
    (rows, row_devices).
    """

    dac: IntArray
    offset: NDArray[np.int16]
    gain: NDArray[np.int8]


@dataclass(frozen=True, eq=False)
class Measurement:
    """Codes of an array.

    Attributes
    ----------
    targets_us : float (T,)
    rows : int32 (R,)
    devices : int32 (D,)
        Of each row.
    codes : int16 (cycles, T, R, D)
        Read back after each SET; pulses of a device in this order, target by target in a cycle.
    reads : int16 (T or 1, n, R, D)
        Repeated reads of one state, at every target (or at the last one only).
    after_reset : int16 (m, R, D)
        After RESETs; m may be 0.
    """

    targets_us: FloatArray
    rows: NDArray[np.int32]
    devices: NDArray[np.int32]
    codes: NDArray[np.int16]
    reads: NDArray[np.int16]
    after_reset: NDArray[np.int16]

    @property
    def g_us(self) -> FloatArray:
        """Conductances after each SET, µS: float (cycles, T, R, D)."""
        return self.codes.astype(np.float64) * CODE_LSB_US

    @property
    def dead(self) -> NDArray[np.bool_]:
        """Devices whose codes are mostly invalid or do not rise with the target, bool (R, D)."""
        invalid = (self.codes < VALID_LO_CODE) | (self.codes > VALID_HI_CODE)
        means = self.codes.mean(axis=0) * CODE_LSB_US
        x = self.targets_us - self.targets_us.mean()
        slope = np.tensordot(x, means, axes=1) / np.sum(x**2)
        return (invalid.mean(axis=(0, 1)) > INVALID_LIMIT) | (slope < SLOPE_LIMIT)


@compiled
def _each_dac(nodes: Any, centre: int, offset: Any, gain: Any, target: Any, out: Any) -> None:
    for i in range(len(out)):
        out[i] = dac_of(nodes, centre, offset[i], gain[i], target[i])


def trimmed_dac(
    target: NDArray[np.int64], centre: int, offset: Any, gain: Any, dac: NDArray[np.int32]
) -> NDArray[np.int32]:
    """DAC codes of 12-bit targets (n,) through a trim, as the controller computes them.

    ``offset`` in codes and ``gain`` with LSB 2**-TRIM_GAIN_FRAC broadcast against ``target``.
    """
    out = np.empty(len(target), np.int32)
    trims = (np.broadcast_to(np.asarray(t, np.int32), out.shape).copy() for t in (offset, gain))
    _each_dac(np.asarray(dac, np.int64), centre, *trims, target, out)
    return out


def _place(name: str, chosen: Sequence[int] | None, count: int) -> NDArray[np.int32]:
    places = np.arange(count) if chosen is None else np.asarray(chosen, np.int64)
    if places.ndim != 1 or not len(places) or places.min() < 0 or places.max() >= count:
        raise UsageError(f"{name} must be a list of numbers in 0..{count - 1}")
    if len(np.unique(places)) != len(places):
        raise UsageError(f"{name} holds the same number twice")
    return places.astype(np.int32)


def _check(targets_us: FloatArray, cycles: int, centre_us: float) -> None:
    top = DAC_MAX * TARGET_LSB_US
    if targets_us.ndim != 1 or len(targets_us) < 3 or np.any(np.diff(targets_us) <= 0):
        raise UsageError("targets_us needs at least three rising conductances")
    if targets_us[0] <= VALID_LO_CODE * CODE_LSB_US or targets_us[-1] > top:
        raise UsageError(
            f"targets_us must lie above {VALID_LO_CODE * CODE_LSB_US:g} and up to {top:g} µS"
        )
    if cycles < 2:
        raise UsageError(f"cycles = {cycles}: at least 2 are needed to estimate a spread")
    if not targets_us[0] <= centre_us <= targets_us[-1]:
        raise UsageError(f"centre_us = {centre_us:g} must lie among the targets")


def measure(
    array: Array,
    *,
    rows: Sequence[int] | None,
    devices: Sequence[int] | None,
    targets_us: Sequence[float],
    cycles: int,
    centre_us: float,
    trim: Trim | None = None,
    everything: bool = False,
    progress: Progress | None = None,
) -> Measurement:
    """Program and read ``devices`` of ``rows``; see ``characterize`` for the parameters.

    Targets alternate within a cycle, so that slow processes of a device shift all its targets alike
    and do not appear as a gain. ``everything`` adds repeated reads at every target, and the state
    after RESET. Raises UsageError for invalid arguments.
    """
    wanted = np.asarray(targets_us, np.float64)
    _check(wanted, cycles, centre_us)
    geometry = array.geometry
    row_list = _place("rows", rows, geometry.rows)
    device_list = _place("devices", devices, geometry.row_devices)
    targets = np.rint(wanted / TARGET_LSB_US).astype(np.int64)
    centre = int(np.rint(centre_us / TARGET_LSB_US))
    n, t, r, d = cycles, len(targets), len(row_list), len(device_list)
    codes = np.empty((n, t, r, d), np.int16)
    reads = np.empty((t if everything else 1, READ_REPEATS, r, d), np.int16)
    after_reset = np.empty((RESET_REPEATS if everything else 0, r, d), np.int16)
    nodes = array.dac_of_target() if trim is None else trim.dac
    for j, row in enumerate(row_list.tolist()):
        offset = 0 if trim is None else trim.offset[row, device_list]
        gain = 0 if trim is None else trim.gain[row, device_list]
        dac = np.array(
            [trimmed_dac(np.full(d, target), centre, offset, gain, nodes) for target in targets]
        )
        codes[:, :, j] = _cycle(array, row, device_list, np.tile(dac, (n, 1))).reshape(n, t, d)
        for i, line in enumerate(dac if everything else dac[:0]):
            _cycle(array, row, device_list, line[None])
            reads[i, :, j] = _reads(array, row, device_list)
        if not everything:
            reads[0, :, j] = _reads(array, row, device_list)
        for i in range(len(after_reset)):
            array.reset(row)
            after_reset[i, j] = array.read(row, device_list)
        if progress is not None:
            progress((j + 1) * n, r * n)
    return Measurement(wanted, row_list, device_list, codes, reads, after_reset)


def _cycle(array: Array, row: int, devices: IntArray, dac: IntArray) -> IntArray:
    """RESET, SET, READ for each line of ``dac`` (pulses, D); codes of the same shape."""
    if isinstance(array, PhysicsArray | TappedArray):
        return array.cycle(row, devices, dac)
    out = np.empty_like(dac)
    for pulse, line in enumerate(dac):
        array.reset(row)
        out[pulse] = array.program(row, devices, line)
    return out


def _reads(array: Array, row: int, devices: IntArray) -> IntArray:
    return np.array([array.read(row, devices) for _ in range(READ_REPEATS)])
