"""What ``HardwareBoard`` needs of a controller, whatever carries its requests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ..errors import OhmcarloError
from ..golden import EpisodeLikelihood, Triage
from ..spec.link import Command, Message, Status
from .streamed import Feeder

Words = NDArray[np.uint32]
OPERATION = np.dtype(
    [("operation", "u1"), ("zero", "u1"), ("row", "<u2"), ("device", "<u2"), ("dac", "<u2")]
)
"""``spec.link.OPERATION_FORMAT``, as numpy has it."""

REFUSALS = {
    Status.MALFORMED: "a request was malformed",
    Status.UNKNOWN_NAME: "it has no such field, window, command or operation for this use",
    Status.OUT_OF_RANGE: "a value does not fit",
    Status.BUSY: "it is busy with another command",
    Status.NOT_STARTED: "its chains are not started: start() comes first",
    Status.FAULT: "its sequencer has stopped after a fault: configure the board again",
    Status.STARTED: "the model of a started chain cannot be changed: reset its state first",
    Status.MISMATCH: "its firmware was built for other hardware: build both from one version",
}


class Refused(OhmcarloError):
    """The board refused a request; ``status`` is the reason."""

    def __init__(self, message: Message, status: int) -> None:
        self.status = Status(status) if status in Status._value2member_map_ else None
        reason = REFUSALS.get(self.status, f"status {status}") if self.status else status
        super().__init__(f"the board refused {message.name}: {reason}")


@dataclass(frozen=True)
class Finished:
    """The end of a long command (``spec.link.FINISHED_FORMAT``)."""

    reason: int
    alarm: int
    fault: int
    fault_cause: int
    steps_done: int
    clocks: int


class Controller(Protocol):
    """A controller: fields, windows, operations and commands by name.

    Names are those of ``spec.link.FIELDS`` and ``WINDOWS``. Every method raises ``Refused`` if the
    request is not allowed in the present state and ``BoardLost`` if the controller does not answer.
    """

    feeder: Feeder | None = None
    """Source of the data stream, which supplies the points beyond the data memory; None: none."""

    @property
    def place(self) -> str:
        """Where it is, for messages."""
        ...

    def open(self) -> dict[str, int]:
        """Begin a session in any state of the controller; returns its identification by name: the
        group ``id`` of the register map, ``design_hash``, ``clock_hz``, ``clocks``, ``simulated``.
        """
        ...

    def close(self) -> None: ...

    @property
    def record_room(self) -> int | None:
        """Words of records that one command may have; None if unlimited."""
        return None

    def link_statistics(self) -> dict[str, int] | None:
        """Bytes, frames and repairs of the link since ``open``; None without a link."""
        return None

    # -- fields --------------------------------------------------------------------------------

    def write(self, fields: Mapping[str, int]) -> None:
        """Set fields, in order."""
        ...

    def read(self, names: Sequence[str]) -> dict[str, int]:
        """Read fields, in order."""
        ...

    def read_one(self, name: str) -> int:
        return self.read([name])[name]

    def read_counters(self, names: Sequence[str]) -> dict[str, int]:
        """64-bit counters, by the names of their register pairs."""
        halves = [f"{name}.{half}.value" for name in names for half in ("lo", "hi")]
        words = list(self.read(halves).values())
        return {n: words[2 * i + 1] << 32 | words[2 * i] for i, n in enumerate(names)}

    # -- windows -------------------------------------------------------------------------------

    def load(self, window: str, words: Words, first: int = 0) -> None:
        """Fill a memory window from word ``first`` on."""
        ...

    def unload(self, window: str, count: int, first: int = 0) -> Words:
        """``count`` words of a memory window."""
        ...

    # -- the array -----------------------------------------------------------------------------

    def operate(self, operations: NDArray[Any]) -> NDArray[np.uint16]:
        """Execute raw operations (dtype OPERATION), in order; the codes of its READs."""
        ...

    def read_rows(self, rows: Sequence[int], first: int, devices: int) -> NDArray[np.uint16]:
        """Codes of ``devices`` devices from ``first`` on, of each of ``rows``: (rows, devices)."""
        ...

    # -- commands ------------------------------------------------------------------------------

    def command(self, command: Command, argument: int = 0) -> None:
        """Give a short command."""
        ...

    def execute(self, command: Command, argument: int = 0) -> Finished:
        """Give a long command and wait for its end. Its records have arrived by then."""
        ...

    def settle(self) -> None:
        """Wait for the end of a long command whose ``execute`` was interrupted, and give up its
        records."""
        ...

    def take_records(self) -> Words:
        """Words of the record stream since the last call."""
        ...

    def triaged(self, points: int) -> Triage:
        """Result of the last TRIAGE, over so many points. Call it once."""
        ...

    def judge(self, judge: EpisodeLikelihood | None) -> None:
        """Let the controller find log-likelihoods by the episodes of ``judge``; None: external
        log-likelihoods come from the command EXTERNAL."""
        ...

    def episodes(self, weights: Sequence[int], seed: int, first: int, episodes: int) -> list[int]:
        """Steps of each episode under a policy: ``golden.cartpole.episode_steps``."""
        ...
