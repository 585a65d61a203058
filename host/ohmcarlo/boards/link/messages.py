"""Messages of the link: requests, their answers, the record stream, and the ends of commands."""

from __future__ import annotations

import itertools
import struct
import time
from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import OhmcarloError
from ...spec.link import (
    FINISHED_FORMAT,
    IDENTIFICATION,
    IDENTIFICATION_FORMAT,
    MAX_PATIENCE,
    MESSAGE_BYTES,
    MESSAGE_FORMAT,
    MIN_PATIENCE,
    RECORDS_FORMAT,
    WINDOW,
    Message,
    Status,
)
from ..controller import Finished, Refused
from .transport import LINK_TIMEOUT_S, SEQUENCES, Clock, Counters, Port, Transport

__all__ = ["DOUBTFUL", "Finished", "Link", "Refused"]

FIRST_PATIENCE = 1_000_000  # clocks, before the board is identified
SIMULATED_PATIENCE = 400_000  # a simulated board makes some million clocks per second
PATIENCE_S = 0.1  # of a board with a clock of its own
WORDS = 1 << 32
DOUBTFUL = np.dtype([("point", "<u4"), ("sums", "<i8", 2)])
"""``spec.link.DOUBTFUL_FORMAT``, as numpy has it."""


class Link:
    """A session with the board at ``port``. ``open`` begins it.

    Parameters
    ----------
    port : Port
    clock : callable
        Seconds, monotonic.
    timeout_s : float
        Time after which a board that does not answer is regarded as lost.

    Attributes
    ----------
    answer_s : float
        Longest time of a request.
    """

    def __init__(
        self, port: Port, clock: Clock = time.monotonic, timeout_s: float = LINK_TIMEOUT_S
    ) -> None:
        self.port = port
        self._transport = Transport(port, self._deliver, clock, timeout_s)
        self.answer_s = self._transport.stuck_s
        self._numbers = itertools.count(1)
        self._begin()

    def _begin(self) -> None:
        self._answers: dict[int, tuple[int, bytes]] = {}
        self._abandoned: set[int] = set()
        self._records: list[bytes] = []
        self._doubtful: list[bytes] = []
        self._next_record: int | None = None
        self._finished: deque[Finished] = deque()

    @property
    def counters(self) -> Counters:
        """Counts of everything that went over the link."""
        return self._transport.counters

    def open(self) -> dict[str, int]:
        """Begin a session in any state of the board; returns its identification by name.

        Two sessions are opened. The answer to the first one states the clock frequency of the
        board. The patience of the second one follows from it.

        Raises BoardLost if there is no answer, OhmcarloError if the answer has another version of
        the protocol.
        """
        found = self._open(FIRST_PATIENCE)
        wanted = SIMULATED_PATIENCE if found["simulated"] else int(found["clock_hz"] * PATIENCE_S)
        return self._open(min(max(wanted, MIN_PATIENCE), MAX_PATIENCE))

    def _open(self, patience: int) -> dict[str, int]:
        self._begin()
        payload = self._transport.open(patience)
        if len(payload) != struct.calcsize(IDENTIFICATION_FORMAT):
            raise OhmcarloError(
                f"the board at {self.port.name} identifies itself in {len(payload)} bytes, this "
                f"version of ohmcarlo expects {struct.calcsize(IDENTIFICATION_FORMAT)}: use the "
                "firmware of this version"
            )
        values = struct.unpack(IDENTIFICATION_FORMAT, payload)
        return dict(zip(IDENTIFICATION, values, strict=True))

    def close(self) -> None:
        self.port.close()

    # -- requests ------------------------------------------------------------------------------

    def request(self, message: Message, body: bytes = b"") -> bytes:
        """Execute one request; returns the body of its answer. Raises Refused."""
        return next(iter(self.requests([(message, body)])))

    def requests(self, wanted: Iterable[tuple[Message, bytes]]) -> Iterator[bytes]:
        """The answers to many requests, in order, with up to a window of them under way.

        The board executes them in order and continues after a refused one. Raises Refused at the
        first refused request.
        """
        asked: deque[tuple[int, Message]] = deque()
        try:
            for message, body in wanted:
                asked.append((self._submit(message, body), message))
                if len(asked) >= 2 * WINDOW:
                    yield self._answer(*asked.popleft())
            while asked:
                yield self._answer(*asked.popleft())
        finally:
            for number, _ in asked:
                if self._answers.pop(number, None) is None:
                    self._abandoned.add(number)

    def _submit(self, message: Message, body: bytes) -> int:
        number = next(self._numbers) % SEQUENCES
        self._transport.send(struct.pack(MESSAGE_FORMAT, message, 0, number) + body)
        return number

    def _answer(self, number: int, message: Message) -> bytes:
        self._transport.until(lambda: number in self._answers, self.answer_s)
        status, body = self._answers.pop(number)
        if status != Status.OK:
            raise Refused(message, status)
        return body

    # -- messages of the board -------------------------------------------------------------------

    def take_records(self) -> NDArray[np.uint32]:
        """Words of the record stream since the last call."""
        words = np.frombuffer(b"".join(self._records), "<u4")
        self._records.clear()
        return words

    def skip_records(self, words: int) -> None:
        """The board took this number of words out of the stream (command TRIAGE)."""
        if self._next_record is not None:
            self._next_record = (self._next_record + words) % WORDS

    def take_doubtful(self) -> NDArray[Any]:
        """Doubtful points since the last call (dtype DOUBTFUL)."""
        found = np.frombuffer(b"".join(self._doubtful), DOUBTFUL)
        self._doubtful.clear()
        return found

    def wait_finished(self) -> Finished:
        """Wait for the end of a long command. All of its records have arrived by then."""
        self._transport.until(lambda: bool(self._finished))
        return self._finished.popleft()

    def _deliver(self, payload: bytes) -> None:
        if len(payload) < MESSAGE_BYTES:
            return
        kind, status, number = struct.unpack_from(MESSAGE_FORMAT, payload)
        body = payload[MESSAGE_BYTES:]
        if kind == Message.RESPONSE:
            if number in self._abandoned:
                self._abandoned.discard(number)
            else:
                self._answers[number] = (status, body)
        elif kind == Message.RECORDS:
            self._take_words(body)
        elif kind == Message.DOUBTFUL:
            self._doubtful.append(body)
        elif kind == Message.FINISHED:
            self._finished.append(Finished(*struct.unpack(FINISHED_FORMAT, body)))

    def _take_words(self, body: bytes) -> None:
        (first,) = struct.unpack_from(RECORDS_FORMAT, body)
        words = body[struct.calcsize(RECORDS_FORMAT) :]
        if self._next_record not in (None, first):
            raise OhmcarloError(
                f"the board at {self.port.name} lost records: word {self._next_record} was due, "
                f"{first} came; this should not happen, please report it"
            )
        self._next_record = (first + len(words) // 4) % WORDS
        self._records.append(words)
