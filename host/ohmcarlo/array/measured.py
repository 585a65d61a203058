"""Measured cells: every SET draws one of the repeats of a real cell, without a model."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import UsageError
from ..spec import CODE_LSB_US, CODE_MAX, DAC_MAX, Geometry, target_nodes_us
from .base import IntArray, Ledger, ledger_of
from .cells_core import CELL_DRAWS, Cells, cells_program, cells_reset
from .checks import check_array
from .generator import check_generator, pack_generator, philox, unpack_generator
from .presets import RESET_LIMIT_US, RRAM_1T1R
from .sweep import FloatArray, Sweep, load_sweep

HALVES = ("calibration", "operation", "all")
SPLITS = ("alternate", "sequential")
BETWEEN = ("mixture", "nearest")
MIN_SIGMA_US = 5.0  # σ law of the 50 cells of RADAR, 45-171 µS: max(5, 21.15 - 0.085 g)
SIGMA_INTERCEPT_US, SIGMA_SLOPE = 21.15, 0.085
WEAK_CELLS = 0.25  # of the cells, which need not reach the upper limit of the targets
USUAL_HRS_US = RRAM_1T1R.hrs_median_us.value  # after RESET, where it was not measured


class MeasuredArray:
    """``ohmcarlo.array.Array`` made of real cells.

    Every device is one of the recorded cells, chosen by the seed. A SET draws one of the cell's
    repeats at the voltage, or target, of the DAC code; correlation between cycles is lost. Repeated
    reads of one state are not replayed, so that a device keeps the code drawn, and a dot product
    is the exact sum over the codes.

    Parameters
    ----------
    sweep : Sweep
    geometry : Geometry
    seed : int
        Assigns cells to devices, the same for both halves, and decides the draws.
    half : {"operation", "calibration", "all"}
        The sweeps of each cell that are drawn from: characterise on one half, run on the other.
    split : {"alternate", "sequential"}
        Halves are every other sweep (equal age), or the first and the second half in time, of
        which the second comes from older cells.
    between : {"mixture", "nearest"}
        Between two measured voltages: draw from one of the two neighbours, the nearer more often
        (the mean interpolates linearly), or always from the nearest.

    Examples
    --------
    >>> from importlib.resources import files
    >>> import numpy as np
    >>> from ohmcarlo.array import MeasuredArray
    >>> from ohmcarlo.array.sweep import load_sweep
    >>> from ohmcarlo.spec import Geometry
    >>> sweep = load_sweep(files("ohmcarlo.measurements") / "example.csv")
    >>> array = MeasuredArray(sweep, Geometry(rows=4, pairs=8), seed=1)
    >>> array.reset(0)
    >>> array.program(0, np.array([0, 1]), np.array([2000, 2000])).shape
    (2,)
    """

    name = "measured"
    exact_dot = True
    read_noise_rel = 0.0

    def __init__(
        self,
        sweep: Sweep,
        geometry: Geometry,
        seed: int = 0,
        *,
        half: str = "operation",
        split: str = "alternate",
        between: str = "mixture",
    ) -> None:
        for word, value, known in (
            ("half", half, HALVES),
            ("split", split, SPLITS),
            ("between", between, BETWEEN),
        ):
            if value not in known:
                raise UsageError(f"{word} {value!r} is unknown: choose one of {', '.join(known)}")
        if not 0 <= seed < 1 << 64:
            raise UsageError(f"seed = {seed}: choose 0 to 2**64 - 1")
        self.geometry = geometry
        self.seed = seed
        self.half = half
        self.ledger = Ledger(geometry)
        self.cells, self.sweeps = sweep.cells, sweep.sweeps
        self._mix = between == "mixture"
        index = np.arange(sweep.sweeps)
        first = index % 2 == 0 if split == "alternate" else index < sweep.sweeps // 2
        chosen = {"calibration": first, "operation": ~first, "all": index >= 0}[half]
        self._codes = self._to_codes(sweep.set_us[:, :, chosen])
        self._repeats = np.isfinite(sweep.set_us[:, 0, chosen]).sum(axis=1)
        self._top = sweep.top
        self._hrs = self._hrs_codes(sweep.before_us[:, :, chosen])
        self._volts = sweep.volts
        self._top_v = float(sweep.volts[sweep.top.max()])
        self._nominal = self._nominal_us(sweep.set_us[:, :, first], sweep.top)
        self._sigma = None if sweep.word_line else self._median_sigma_us(sweep)
        self.reach_us = self._reach_us(sweep)
        shape = (geometry.rows, geometry.row_devices)
        places, self.generator = philox(seed, 2)
        self.cell = places.integers(sweep.cells, size=shape)
        self._state = self._hrs[self.cell, 0]
        self.state = self._build_state()

    @classmethod
    def from_sweep(
        cls,
        path: str | Path,
        geometry: Geometry,
        seed: int = 0,
        *,
        half: str = "operation",
        split: str = "alternate",
        between: str = "mixture",
        where: Mapping[str, str] | None = None,
    ) -> MeasuredArray:
        """An array from a file of measurements; see the class and ``load_sweep`` for the errors.

        ``where`` chooses conditions, as in ``{"vbl": "2.0"}``.
        """
        sweep = load_sweep(path, where)
        return cls(sweep, geometry, seed, half=half, split=split, between=between)

    @staticmethod
    def _to_codes(g_us: FloatArray) -> IntArray:
        codes = np.clip(np.rint(g_us / CODE_LSB_US), 0, CODE_MAX)
        return np.nan_to_num(codes, nan=0).astype(np.int32)  # NaN: beyond `top`, never drawn

    def _hrs_codes(self, before_us: FloatArray) -> IntArray:
        """States of each cell after RESET, (cells, n): those above 60 kΩ before a SET.

        Cells have unequal numbers of states: each is resampled to the same number of quantiles.
        A cell whose states were not measured has those of the others, or the usual state.
        """
        steps = (np.arange(64) + 0.5) / 64
        measured = before_us[np.isfinite(before_us)]
        out = []
        for cell in before_us:
            known = cell[np.isfinite(cell)]
            if not len(known):
                known = measured if len(measured) else np.array([USUAL_HRS_US])
            high = known[known <= RESET_LIMIT_US]
            out.append(np.quantile(high if len(high) else known, steps, method="nearest"))
        return self._to_codes(np.array(out))

    @staticmethod
    def _nominal_us(calibration_us: FloatArray, top: NDArray[np.int64]) -> FloatArray:
        """Median over cells of the mean conductance at each voltage, rising; (voltages,).

        Beyond its last complete voltage a cell keeps the value there, as when it is programmed. The
        calibration half is used for both halves, which share one conductance→DAC table.
        """
        level = np.minimum(np.arange(calibration_us.shape[1])[None, :], top[:, None])
        means = np.nanmean(np.take_along_axis(calibration_us, level[:, :, None], axis=1), axis=2)
        return np.maximum.accumulate(np.median(means, axis=0))

    @staticmethod
    def _median_sigma_us(sweep: Sweep) -> tuple[FloatArray, FloatArray]:
        """Mean and σ over the repeats, µS, of the median cell at each level that cells cover."""
        levels = [sweep.set_us[sweep.top >= k, k] for k in range(int(sweep.top.max()) + 1)]
        means = [np.median(np.nanmean(g, axis=1)) for g in levels]
        sigmas = [np.median(np.nanstd(g, axis=1, ddof=1)) for g in levels]
        return np.maximum.accumulate(means), np.maximum(sigmas, CODE_LSB_US)

    @staticmethod
    def _reach_us(sweep: Sweep) -> tuple[float, float, float]:
        """Mean conductances: of the median cell at the lowest level, and at the highest level of a
        weak cell (WEAK_CELLS) and of the median cell."""
        at_top = np.take_along_axis(sweep.set_us, sweep.top[:, None, None], axis=1)[:, 0]
        lowest, highest = (np.nanmean(g, axis=1) for g in (sweep.set_us[:, 0], at_top))
        weak, typical = np.quantile(highest, [WEAK_CELLS, 0.5])
        return float(np.median(lowest)), float(weak), float(typical)

    def _build_state(self) -> Cells:
        """Arrays of the compiled operations."""
        volts = self.volts_of_dac(np.arange(DAC_MAX + 1))
        upper = np.clip(np.searchsorted(self._volts, volts), 1, len(self._volts) - 1)
        below, above = self._volts[upper - 1], self._volts[upper]
        return Cells(
            cell=self.cell,
            codes=self._state,
            high=self._hrs,
            repeats=np.ascontiguousarray(self._codes),
            counted=self._repeats,
            top=self._top.astype(np.int64),
            below=upper - 1,
            distance=(volts - below) / (above - below),
            mix=int(self._mix),
            counts=self.ledger.counts,
            wear=self.ledger.wear,
        )

    def volts_of_dac(self, dac: NDArray[Any]) -> FloatArray:
        """Level of DAC codes: voltage (V) of the swept line, or target (µS)."""
        low = self._volts[0]
        return low + np.asarray(dac, np.float64) * ((self._top_v - low) / DAC_MAX)

    def sigma_us(self, target_us: NDArray[np.float64]) -> NDArray[np.float64]:
        """One law for all cells, which differ by 0.5-2 ×.

        Word-line sweeps have that of RADAR, derived over 45-171 µS; other levels have the median
        over the recorded cells.
        """
        if self._sigma is not None:
            return np.interp(np.asarray(target_us, np.float64), *self._sigma)
        return np.maximum(MIN_SIGMA_US, SIGMA_INTERCEPT_US - SIGMA_SLOPE * np.asarray(target_us))

    def dac_of_target(self) -> IntArray:
        rising, index = np.unique(self._nominal, return_index=True)
        volts = np.interp(target_nodes_us(), rising, self._volts[index])
        low = self._volts[0]
        code = np.rint((volts - low) * (DAC_MAX / (self._top_v - low)))
        return np.clip(code, 0, DAC_MAX).astype(np.int32)

    def reset(self, row: int) -> None:
        draws = self.generator.integers(self._hrs.shape[1], size=self.geometry.row_devices)
        cells_reset(self.state, row, draws)

    def program(self, row: int, devices: IntArray, dac: IntArray) -> IntArray:
        out = np.empty(len(devices), np.int32)
        if len(devices) == 0:
            return out
        if dac.min() < 0 or dac.max() > DAC_MAX:
            raise UsageError(f"DAC codes must lie in 0..{DAC_MAX}")
        draws = self.generator.random(CELL_DRAWS * len(devices))
        cells_program(self.state, row, devices, dac, draws, out)
        return out

    def read(self, row: int, devices: IntArray) -> IntArray:
        self.ledger.note_read(len(devices))
        return self._state[row, devices]

    def dot(self, row: int, inputs: NDArray[np.int8]) -> NDArray[np.int32]:
        codes = self._state[row, : 2 * inputs.shape[1]]
        return inputs.astype(np.int32) @ (codes[0::2] - codes[1::2])

    def state_dict(self) -> dict[str, NDArray[Any]]:
        return {
            "seed": np.array([self.seed], np.uint64),
            "cells": self.cell.copy(),
            "codes": self._state.copy(),
            "pulses": pack_generator(self.generator),
            **{f"ledger.{k}": v for k, v in self.ledger.state_dict().items()},
        }

    def load_state_dict(self, state: dict[str, NDArray[Any]]) -> None:
        check_array(state, "cells", self.cell)
        if not np.array_equal(state["cells"], self.cell):
            raise UsageError(
                "the checkpoint belongs to another measured array: build this one with the same "
                f"sweep file, geometry and seed (this one has seed {self.seed})"
            )
        check_array(state, "codes", self._state, 0, CODE_MAX)
        check_generator("pulses", state)
        self.ledger.load_state_dict(ledger_of(state))
        self._state[...] = state["codes"]
        unpack_generator(self.generator, state["pulses"])
