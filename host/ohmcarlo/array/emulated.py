"""The emulated array: integers only, the twin of the emulator that runs in an FPGA.

Every SET takes the next word of a counter-based generator, so equal seeds give equal arrays in
Python, in simulation and on a board. Its coin is therefore *pseudo-random by construction*.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import UsageError
from ..jit import compiled
from ..spec import (
    CODE_MAX,
    D2D_FRAC,
    DAC_MAX,
    DEVICE_KEY,
    GAUSS_FRAC,
    HRS_CODE,
    MEDIAN_FRAC,
    MEDIAN_GAIN_FRAC,
    MEDIAN_SEGMENT_SHIFT,
    SEGMENT_FRAC,
    SIGMA_FRAC,
    SIGMA_GAIN_FRAC,
    STUCK_BITS,
    Geometry,
    gauss,
    gauss_table,
    identity_dac,
    interpolate,
    median_table,
    shift_round,
    sigma_table,
    to_fixed,
)
from .base import READ, RESET, SET, SET_CODES, IntArray, Ledger, ledger_of
from .checks import COUNT_MAX, check_array
from .threefry import MASK, threefry2x32, threefry_words

NOT_STUCK = -1
Law = Callable[[NDArray[np.float64]], NDArray[np.float64]]


class Emulator(NamedTuple):
    """Arrays of the compiled functions below (shared, not copied)."""

    key0: int
    key1: int
    counter: NDArray[np.int64]  # (1,) SET pulses so far
    codes: NDArray[np.int32]  # (rows, row_devices)
    d2d: NDArray[np.int32]  # (rows, row_devices) relative offset, LSB 2**-D2D_FRAC
    stuck: NDArray[np.int32]  # (rows, row_devices) code, or NOT_STUCK
    median: NDArray[np.int64]  # (257,)
    sigma: NDArray[np.int64]  # (257,)
    gauss: NDArray[np.int64]
    median_gain: int
    sigma_gain: int
    words: NDArray[np.uint32]  # (row_devices,) of the SETs of one call
    counts: NDArray[np.int64]  # the ledger's
    wear: NDArray[np.int32]


@compiled
def emulator_device(
    key0: int, key1: int, row: int, device: int, d2d_rel: int, stuck_level: int, nodes: Any
) -> tuple[int, int]:
    """Device-to-device offset and stuck code of one device: a hash of its address, no memory."""
    address = (row << 16) | device
    word0, word1 = threefry2x32(key0 ^ DEVICE_KEY, key1, address, address >> 32)
    offset = shift_round(d2d_rel * gauss(nodes, word0), GAUSS_FRAC)
    if (word1 >> STUCK_BITS) < stuck_level:
        return offset, CODE_MAX * (word1 & 1)
    return offset, NOT_STUCK


@compiled
def emulator_devices(
    key0: int, key1: int, d2d_rel: int, stuck_level: int, nodes: Any, d2d: Any, stuck: Any
) -> None:
    """``emulator_device`` of the whole array."""
    for row in range(d2d.shape[0]):
        for device in range(d2d.shape[1]):
            offset, code = emulator_device(key0, key1, row, device, d2d_rel, stuck_level, nodes)
            d2d[row, device] = offset
            stuck[row, device] = code


@compiled
def emulator_reset(e: Emulator, row: int) -> None:
    """RESET a row: every device that still moves goes to the high-resistance state."""
    for device in range(e.codes.shape[1]):
        if e.stuck[row, device] == NOT_STUCK:
            e.codes[row, device] = HRS_CODE
    e.counts[RESET] += e.codes.shape[1]


@compiled
def emulator_code(
    medians: Any, sigmas: Any, normal: int, dac: int, d2d: int, median_gain: int, sigma_gain: int
) -> int:
    """The code that a SET gives: median and spread from tables, one standard normal."""
    median = interpolate(medians, dac, SEGMENT_FRAC)
    median += shift_round(median * d2d, D2D_FRAC)
    median = shift_round(median * median_gain, MEDIAN_GAIN_FRAC)
    median = min(max(median, 0), ((CODE_MAX + 1) << MEDIAN_FRAC) - 1)
    sigma = interpolate(sigmas, median, MEDIAN_SEGMENT_SHIFT)
    sigma = shift_round(sigma * sigma_gain, SIGMA_GAIN_FRAC)
    point = SIGMA_FRAC + GAUSS_FRAC
    value = (median << (point - MEDIAN_FRAC)) + sigma * normal
    return min(max(shift_round(value, point), 0), CODE_MAX)


@compiled
def emulator_program(e: Emulator, row: int, devices: Any, dac: Any, out: Any) -> None:
    """SET and READ ``devices`` (at most ``row_devices``) of a row in order; codes into ``out``.

    SET pulse n takes word n of the generator, whether its device is stuck or not.
    """
    medians, sigmas, normals, stuck, d2d = e.median, e.sigma, e.gauss, e.stuck, e.d2d
    codes, wear, words = e.codes, e.wear, e.words
    threefry_words(e.key0, e.key1, e.counter[0], len(devices), words)
    total = 0
    for i in range(len(devices)):
        device = devices[i]
        code = stuck[row, device]
        if code == NOT_STUCK:
            code = emulator_code(
                medians, sigmas, gauss(normals, np.int64(words[i])), np.int64(dac[i]),
                d2d[row, device], e.median_gain, e.sigma_gain,
            )  # fmt: skip
        out[i] = code
        codes[row, device] = code
        wear[row, device] += 1
        total += code
    e.counter[0] += len(devices)
    e.counts[SET] += len(devices)
    e.counts[READ] += len(devices)
    e.counts[SET_CODES] += total


def _reset_codes(stuck: IntArray) -> IntArray:
    return np.where(stuck == NOT_STUCK, HRS_CODE, stuck).astype(np.int32)


class EmulatedArray:
    """``ohmcarlo.array.Array`` in integers.

    Parameters
    ----------
    geometry : Geometry
    seed : int
        64-bit seed; equal seeds give equal arrays on every backend.
    rel : float
        Cycle-to-cycle spread as a fraction of the median (0.05: 5 %).
    sigma_law_us : callable, optional
        Spread (µS) over the median (µS) instead of ``rel`` (a preset's law, say).
    d2d_rel : float
        Device-to-device spread of the median, as a fraction.
    stuck : float
        Fraction of devices that do not move; half read 0, half read full scale.
    median_gain, sigma_gain : float
        Age: what medians and spreads are multiplied by (1: fresh).

    Examples
    --------
    >>> import numpy as np
    >>> from ohmcarlo.array import EmulatedArray
    >>> from ohmcarlo.spec import Geometry
    >>> array = EmulatedArray(Geometry(rows=4, pairs=8), seed=1, rel=0.05)
    >>> devices, dac = np.arange(4), np.full(4, 1680)
    >>> array.reset(0)
    >>> array.program(0, devices, dac).tolist()  # codes of 0.25 µS
    [403, 453, 469, 416]
    >>> again = EmulatedArray(Geometry(rows=4, pairs=8), seed=1, rel=0.05)
    >>> again.reset(0)
    >>> again.program(0, devices, dac).tolist()
    [403, 453, 469, 416]
    """

    name = "emulator"
    exact_dot = True
    read_noise_rel = 0.0

    def __init__(
        self,
        geometry: Geometry,
        seed: int = 0,
        *,
        rel: float = 0.05,
        sigma_law_us: Law | None = None,
        d2d_rel: float = 0.0,
        stuck: float = 0.0,
        median_gain: float = 1.0,
        sigma_gain: float = 1.0,
    ) -> None:
        if not 0 <= seed < 1 << 64:
            raise UsageError(f"seed = {seed}: choose 0 to 2**64 - 1")
        if not 0.002 <= rel <= 0.5:
            raise UsageError(f"rel = {rel:g} is a fraction of the median: choose 0.002 to 0.5")
        if not 0 <= d2d_rel <= 0.2:
            raise UsageError(f"d2d_rel = {d2d_rel:g} is a fraction: choose 0 to 0.2")
        if not 0 <= stuck <= 0.5:
            raise UsageError(f"stuck = {stuck:g} is a fraction: choose 0 to 0.5")
        if not (0.5 <= median_gain <= 1.5 and 0.1 <= sigma_gain <= 10):
            raise UsageError(
                f"median_gain = {median_gain:g}, sigma_gain = {sigma_gain:g}: "
                "choose 0.5 to 1.5 and 0.1 to 10"
            )
        self.geometry = geometry
        self.seed = seed
        self.ledger = Ledger(geometry)
        self._law: Law = sigma_law_us or (lambda g: rel * g)
        self._sigma_gain = sigma_gain
        shape = (geometry.rows, geometry.row_devices)
        nodes = gauss_table()
        d2d, stuck_codes = np.zeros(shape, np.int32), np.full(shape, NOT_STUCK, np.int32)
        key0, key1 = seed & MASK, seed >> 32
        self.d2d_level = to_fixed(d2d_rel, D2D_FRAC)
        self.stuck_level = to_fixed(stuck, STUCK_BITS)
        levels = self.d2d_level, self.stuck_level
        emulator_devices(key0, key1, *levels, nodes, d2d, stuck_codes)
        self.state = Emulator(
            key0=key0,
            key1=key1,
            counter=np.zeros(1, np.int64),
            codes=_reset_codes(stuck_codes),
            d2d=d2d,
            stuck=stuck_codes,
            median=median_table(lambda g: g),
            sigma=sigma_table(self._law),
            gauss=nodes,
            median_gain=to_fixed(median_gain, MEDIAN_GAIN_FRAC),
            sigma_gain=to_fixed(sigma_gain, SIGMA_GAIN_FRAC),
            words=np.zeros(geometry.row_devices, np.uint32),
            counts=self.ledger.counts,
            wear=self.ledger.wear,
        )

    def sigma_us(self, target_us: NDArray[np.float64]) -> NDArray[np.float64]:
        """The true law of a fresh device; an aged array must be characterised again."""
        return np.asarray(self._law(target_us), np.float64)

    def dac_of_target(self) -> IntArray:
        return identity_dac()

    def reset(self, row: int) -> None:
        emulator_reset(self.state, row)

    def program(self, row: int, devices: IntArray, dac: IntArray) -> IntArray:
        if len(dac) and (dac.min() < 0 or dac.max() > DAC_MAX):
            raise UsageError(f"DAC codes must lie in 0..{DAC_MAX}")
        out = np.empty(len(devices), np.int32)
        most = len(self.state.words)  # of one call; a caller may name a device several times
        for first in range(0, len(devices), most):
            part = slice(first, first + most)
            emulator_program(self.state, row, devices[part], dac[part], out[part])
        return out

    def read(self, row: int, devices: IntArray) -> IntArray:
        self.ledger.note_read(len(devices))
        return self.state.codes[row, devices]

    def reset_codes(self) -> IntArray:
        """Codes when every row has just been reset, int32 (rows, row_devices)."""
        return _reset_codes(self.state.stuck)

    def dot(self, row: int, inputs: NDArray[np.int8]) -> NDArray[np.int32]:
        codes = self.state.codes[row, : 2 * inputs.shape[1]]
        difference = codes[0::2] - codes[1::2]
        return inputs.astype(np.int32) @ difference

    def state_dict(self) -> dict[str, NDArray[Any]]:
        return {
            "counter": self.state.counter.copy(),
            "codes": self.state.codes.copy(),
            **{f"ledger.{k}": v for k, v in self.ledger.state_dict().items()},
        }

    def load_state_dict(self, state: dict[str, NDArray[Any]]) -> None:
        check_array(state, "counter", self.state.counter, 0, COUNT_MAX)
        check_array(state, "codes", self.state.codes, 0, CODE_MAX)
        self.ledger.load_state_dict(ledger_of(state))
        self.state.counter[:] = state["counter"]
        self.state.codes[:] = state["codes"]
