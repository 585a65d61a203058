"""Waiting for a controller: pauses, and the time after which it is regarded as lost."""

from __future__ import annotations

from collections.abc import Callable

from ...errors import OhmcarloError
from ...spec.link import CONTROLLER_MAGIC
from ..base import BoardLost
from ..link.transport import TIMEOUT_VARIABLE
from .core import Core

SPINS = 100
"""Polls without a pause."""
FIRST_PAUSE_S, LAST_PAUSE_S = 50e-6, 1e-3
"""The pauses after them, each twice as long as the one before."""
INTERRUPT_S = 0.1
"""Longest wait for an interrupt."""
LOOKS = 4
"""Looks at the progress within the time-out."""
MOVING = (
    "records.received.value",
    "status.steps_done.value",
    *(f"counters.{name}.lo.value" for name in ("form", "reset", "set", "read", "dot")),
)
"""Fields that change while a command is executed."""


class Waiting:
    """One wait for a controller.

    Parameters
    ----------
    core : Core
    clock : callable
        Seconds, monotonic.
    timeout_s : float
        Time without any progress after which the controller is regarded as lost.
    for_interrupts : bool
        Whether an interrupt tells the end of the wait; otherwise the pauses are short.
    """

    def __init__(
        self, core: Core, clock: Callable[[], float], timeout_s: float, for_interrupts: bool
    ) -> None:
        self._interrupts = for_interrupts and core.access.interrupts
        self._core, self._clock, self._timeout_s = core, clock, timeout_s
        self._polls, self._pause_s = 0, FIRST_PAUSE_S
        self._reached: list[int] = []
        self._since = self._looked = clock()

    def moved(self) -> None:
        """Something arrived: poll again at once."""
        self._polls, self._pause_s = 0, FIRST_PAUSE_S
        self._since = self._looked = self._clock()

    def pause(self) -> None:
        """Wait a little. Raises BoardLost if the controller makes no progress."""
        self._watch()
        self._polls += 1
        if self._interrupts:
            self._core.access.wait(INTERRUPT_S)
        elif self._polls > SPINS:
            self._core.access.wait(self._pause_s)
            self._pause_s = min(2 * self._pause_s, LAST_PAUSE_S)

    def _watch(self) -> None:
        now = self._clock()
        if now - self._looked < self._timeout_s / LOOKS:
            return
        self._looked = now
        reached = [self._core.get(name) for name in MOVING]
        if reached != self._reached:
            self._reached, self._since = reached, now
        elif now - self._since > self._timeout_s:
            raise self._lost()

    def _lost(self) -> OhmcarloError:
        core = self._core
        magic = core.get("id.magic.value")
        if magic != CONTROLLER_MAGIC:
            return BoardLost(
                f"the controller at {core.place} is gone (magic {magic:#010x} instead of "
                f"{CONTROLLER_MAGIC:#010x}): load its bitstream again, then resume the run"
            )
        core.command("off")
        return BoardLost(
            f"the controller at {core.place} makes no progress for {self._timeout_s:g} s and was "
            "switched off: check the array and its clock, then resume the run, or set "
            f"{TIMEOUT_VARIABLE} to a longer time"
        )
