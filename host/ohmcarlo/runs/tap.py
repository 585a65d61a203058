"""Tells a listener what the controller of a run gives to its array."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..array.base import IntArray
from ..array.tapped import Listener, TappedArray
from ..boards import ModelBoard
from ..golden.machine import STEPS
from ..golden.triage import Thresholds, Triage
from ..spec import Points
from .arrays import OpenedArray

CHARACTERISE, ADAPT, SAMPLE = "characterise", "adapt", "sample"
"""Phases of a run: its devices are measured; stages before sampling; the sampling chain."""


@dataclass
class Tap:
    """Between the arrays of a run and a listener; it knows which part of the run is under way.

    Attributes
    ----------
    listener : Listener
    stage : int
        Stages of the adaptation that have begun.
    sampling : bool
        The next chain that starts is the sampling one.
    opened : OpenedArray or None
        The arrays of the run, as the listener should know them.
    """

    listener: Listener
    stage: int = 0
    sampling: bool = False
    opened: OpenedArray | None = None
    _phase: str = CHARACTERISE
    _scalars: NDArray[np.int64] | None = field(default=None, repr=False)
    _regions: int = 1
    _quiet: bool = False

    @property
    def phase(self) -> str:
        """``characterise``, ``adapt-1``, … or ``sample``."""
        return self._phase

    @property
    def step(self) -> int:
        """Step of the chain that is under way, from 1; 0 until the first samples are in place."""
        if self._scalars is None:
            return 0
        return int(self._scalars[STEPS]) // self._regions + 1

    def begin_chain(self) -> None:
        """A chain starts: its coin is tested, and its first samples are made."""
        self.stage += not self.sampling
        self._phase = SAMPLE if self.sampling else f"{ADAPT}-{self.stage}"
        self._scalars = None

    def take_steps(self, scalars: NDArray[np.int64], regions: int) -> None:
        """The steps of the chain that has started begin; ``scalars`` count them."""
        self._scalars, self._regions = scalars, regions

    def between(self, opened: OpenedArray) -> tuple[OpenedArray, TappedBoard]:
        """The same arrays with this tap at the one that is measured, and the board that has a tap
        at the one that the chains use."""
        self.opened = opened
        calibrated = TappedArray(opened.calibration_array, self)
        return replace(opened, calibration_array=calibrated), TappedBoard(opened, self)

    @contextmanager
    def predicting(self) -> Iterator[None]:
        """The READs inside are those of a model: the hardware drives the rows without them."""
        self._quiet = True
        try:
            yield
        finally:
            self._quiet = False

    # -- the listener of the arrays --------------------------------------------------------------

    def reset(self, row: int) -> None:
        self.listener.reset(row)

    def program(self, row: int, devices: IntArray, dac: IntArray, codes: IntArray) -> IntArray:
        return self.listener.program(row, devices, dac, codes)

    def read(self, row: int, devices: IntArray, codes: IntArray) -> IntArray:
        return codes if self._quiet else self.listener.read(row, devices, codes)

    def dot(self, row: int, accesses: int) -> None:
        self.listener.dot(row, accesses)


class TappedBoard(ModelBoard):
    """The golden model with a tap between controller and array."""

    def __init__(self, opened: OpenedArray, tap: Tap) -> None:
        self._tapped = TappedArray(opened.array, tap)
        self._tap = tap
        super().__init__(self._tapped)

    def start(self) -> None:
        self._tap.begin_chain()
        super().start()
        self._tapped.note_dots()

    def run(self, steps: int) -> Any:
        controller = self.controller
        self._tap.take_steps(controller.state.scalars, controller.machine.regions)
        block = super().run(steps)
        self._tapped.note_dots()
        return block

    def predict(self, points: Points) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        with self._tap.predicting():
            found = super().predict(points)
        self._tapped.note_dots(one_row=False)
        return found

    def triage(self, points: Points, thresholds: Thresholds) -> Triage:
        with self._tap.predicting():
            found = super().triage(points, thresholds)
        self._tapped.note_dots(one_row=False)
        return found


_CURRENT: ContextVar[Tap | None] = ContextVar("tap", default=None)


@contextmanager
def tapped(tap: Tap) -> Iterator[None]:
    """Chains that are set up inside have this tap. Their backend is ``model``."""
    token = _CURRENT.set(tap)
    try:
        yield
    finally:
        _CURRENT.reset(token)


def current_tap() -> Tap | None:
    """The tap for the chains that are set up now; None outside of ``tapped``."""
    return _CURRENT.get()
