"""The host side of the link: ordered messages in both directions over a lossy line (go-back-N).

Frames are numbered and acknowledged (``spec.link``). Lost and damaged frames are sent again.
"""

from __future__ import annotations

import logging
import math
import os
import random
import struct
import time
from collections import deque
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Protocol

from ...errors import OhmcarloError, UsageError
from ...spec.link import OPEN_FORMAT, PROTOCOL_VERSION, WINDOW, Kind
from ..base import BoardLost
from .frames import Decoder, Frame

LINK_TIMEOUT_S = 5.0
"""Time after which a board that does not answer polls is regarded as lost, s."""
SIMULATED_TIMEOUT_S = 30.0
"""The same for a simulated board, whose speed depends on the load of the computer."""
SIMULATED = "the simulated board"
"""Place of a simulated board, in messages."""
STUCK_TIMEOUTS = 6
"""Such times after which a board that answers but accepts no message is regarded as lost."""
TIMEOUT_VARIABLE = "OHMCARLO_LINK_TIMEOUT"
"""Environment variable that replaces both times, in seconds."""
POLL_S = 0.5  # silence after which the board is polled
OPEN_S = 0.25  # between two attempts to open a session
FIRST_RESEND_S, MIN_RESEND_S, MAX_RESEND_S = 0.5, 0.02, 1.0  # wait for an acknowledgement
READ_S = 0.1  # longest time between looks at the clock
SEQUENCES = 1 << 16
Clock = Callable[[], float]
log = logging.getLogger(__name__)


def link_timeout_s(default: float) -> float:
    """The value of ``TIMEOUT_VARIABLE`` if it is set, otherwise ``default``.

    Raises UsageError unless it is a positive number.
    """
    text = os.environ.get(TIMEOUT_VARIABLE, "")
    if not text:
        return default
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds < math.inf:
        raise UsageError(f"{TIMEOUT_VARIABLE}={text!r}: give a number of seconds, such as 30")
    return seconds


class Port(Protocol):
    """Bytes to and from a board."""

    name: str

    def write(self, data: bytes) -> None:
        """Write to the port. Raises BoardLost if the other end has closed."""
        ...

    def read(self, timeout_s: float) -> bytes:
        """Received bytes, possibly none after ``timeout_s``. Raises BoardLost if the other end has
        closed."""
        ...

    def close(self) -> None: ...


@dataclass
class Counters:
    """Counts of a link: bytes, frames and repairs."""

    bytes_sent: int = 0
    bytes_received: int = 0
    frames_sent: int = 0
    frames_received: int = 0
    resent: int = 0  # frames sent again
    damaged: int = 0  # received frames with a wrong checksum
    duplicates: int = 0  # frames received again
    out_of_order: int = 0  # received frames whose predecessor was missing
    timeouts: int = 0  # acknowledgements that did not arrive in time

    def to_dict(self) -> dict[str, int]:
        return asdict(self)


@dataclass
class _Sent:
    """A message under way."""

    payload: bytes
    since: float
    again: bool = False


class Transport:
    """A session with the board at ``port``. ``open`` begins it.

    Parameters
    ----------
    port : Port
    deliver : callable
        Receives the messages of the board, each once and in order.
    clock : callable
        Seconds, monotonic.
    timeout_s : float
        Time after which a board that does not answer polls is regarded as lost.
    """

    def __init__(
        self,
        port: Port,
        deliver: Callable[[bytes], None],
        clock: Clock = time.monotonic,
        timeout_s: float = LINK_TIMEOUT_S,
    ) -> None:
        self.port = port
        self.timeout_s = timeout_s
        self.counters = Counters()
        self._deliver = deliver
        self._clock = clock
        self._decoder = Decoder()
        self._session = 0
        self._opened: bytes | None = None
        self._resend_s = FIRST_RESEND_S
        self._mean_s, self._deviation_s = 0.0, 0.0
        self._begin()

    def _begin(self) -> None:
        """Reset to a session without messages."""
        self._waiting: deque[bytes] = deque()  # messages that are not sent yet
        self._under_way: deque[_Sent] = deque()  # messages that are not acknowledged yet
        self._base = 0  # number of the first of them
        self._expected = 0  # number of the next message of the board
        self._progress = self._advanced = self._heard = self._asked = self._told = self._clock()
        self._went_back = -1  # `base` at the last repetition after a NACK
        self._asked_again = (-1, 0.0)  # message and time of the last NACK
        self._owe_ack = False

    # -- sessions ------------------------------------------------------------------------------

    def open(self, patience: int) -> bytes:
        """Begin a session in any state of the board; returns its identification.

        ``patience``: clocks after which the board sends unacknowledged messages again. Raises
        BoardLost if there is no answer, OhmcarloError if the answer has another version of the
        protocol.
        """
        self._begin()
        self._session = random.SystemRandom().randrange(1, SEQUENCES)
        self._opened = None
        request = Frame(Kind.OPEN, self._session, 0, 0, struct.pack(OPEN_FORMAT, patience))
        began, asked, damaged = self._clock(), -OPEN_S, self.counters.damaged
        while self._opened is None:
            now = self._clock()
            if now - began > self.timeout_s:
                raise BoardLost(self._no_answer(self.counters.damaged > damaged))
            if now - asked >= OPEN_S:
                self._write(request.encode())
                asked = now
            self._receive(min(READ_S, OPEN_S))
        self._heard = self._progress = self._clock()
        return self._opened

    @property
    def stuck_s(self) -> float:
        """Longest time without an accepted message or an answer, s."""
        return STUCK_TIMEOUTS * self.timeout_s

    def _no_answer(self, noise: bool) -> str:
        if noise:
            return (
                f"the bytes from {self.port.name} cannot be decoded: check that an ohmcarlo board "
                "is connected there, and the cable"
            )
        return (
            f"no answer from {self.port.name} within {self.timeout_s:g} s: check that the board is "
            "powered and runs the ohmcarlo firmware (boards without a processor are small:PORT)"
        )

    # -- messages ------------------------------------------------------------------------------

    def send(self, message: bytes) -> None:
        """Send a message as soon as the window has room for it."""
        self._waiting.append(message)
        self._send_waiting()

    def until(self, done: Callable[[], bool], limit_s: float = math.inf) -> None:
        """Serve the link until ``done``.

        Raises BoardLost after ``timeout_s`` of silence, and if the board sends no message for
        ``limit_s`` although it answers polls.
        """
        now = self._clock()
        self._told = now
        # the port was not read before, so silence is measured from here
        self._heard, self._asked = max(self._heard, now), now
        while not done():
            self._send_waiting()
            self._receive(min(READ_S, self._resend_s / 2))
            self._watch()
            if self._clock() - self._told > limit_s:
                raise BoardLost(
                    f"the board at {self.port.name} is connected but does not answer: restart it"
                )

    def _watch(self) -> None:
        """Repeat unacknowledged messages, poll a silent board, raise BoardLost for a lost one."""
        now = self._clock()
        if self._under_way and now - self._progress > self._resend_s:
            self.counters.timeouts += 1
            self._resend_s = min(2 * self._resend_s, MAX_RESEND_S)
            self._go_back(now)
        if self._under_way and now - self._advanced > self.stuck_s:
            raise BoardLost(
                f"the board at {self.port.name} answers, but has accepted no message for "
                f"{self.stuck_s:g} s: restart it"
            )
        silent = now - self._heard
        if silent > self.timeout_s:
            raise BoardLost(
                f"the board at {self.port.name} has not answered for {self.timeout_s:g} s: check "
                f"its power and its cable, or set {TIMEOUT_VARIABLE} to a longer time"
            )
        if silent > POLL_S and now - self._asked > POLL_S:
            self._asked = now
            self._send(Kind.POLL, self._next())

    # -- sending ---------------------------------------------------------------------------------

    def _next(self) -> int:
        """Number of the next message."""
        return (self._base + len(self._under_way)) % SEQUENCES

    def _send(self, kind: Kind, sequence: int, payload: bytes = b"") -> None:
        self._write(Frame(kind, self._session, sequence, self._expected, payload).encode())
        self.counters.frames_sent += 1
        self._owe_ack = False

    def _write(self, data: bytes) -> None:
        self.counters.bytes_sent += len(data)
        self.port.write(data)

    def _send_waiting(self) -> None:
        """Send new messages while the window has room."""
        while self._waiting and len(self._under_way) < WINDOW:
            now = self._clock()
            if not self._under_way:
                self._progress = self._advanced = now
            payload = self._waiting.popleft()
            self._send(Kind.DATA, self._next(), payload)
            self._under_way.append(_Sent(payload, now))

    def _go_back(self, now: float) -> None:
        """Send all messages under way again."""
        self._progress = now
        log.debug("%s: %d frames are sent again", self.port.name, len(self._under_way))
        for i, sent in enumerate(self._under_way):
            self._send(Kind.DATA, (self._base + i) % SEQUENCES, sent.payload)
            sent.again = True
        self.counters.resent += len(self._under_way)

    # -- receiving -------------------------------------------------------------------------------

    def _receive(self, timeout_s: float) -> None:
        data = self.port.read(timeout_s)
        if not data:
            return
        self.counters.bytes_received += len(data)
        for frame in self._decoder.feed(data):
            if frame is None:
                log.debug("%s: a frame was damaged", self.port.name)
                self.counters.damaged += 1
                self._ask_again()
            else:
                self.counters.frames_received += 1
                self._take(frame)
        if self._owe_ack:
            self._send(Kind.ACK, self._next())

    def _take(self, frame: Frame) -> None:
        if frame.version != PROTOCOL_VERSION:
            raise OhmcarloError(
                f"the board at {self.port.name} has version {frame.version} of the link protocol, "
                f"this version of ohmcarlo has {PROTOCOL_VERSION}: use the firmware of this version"
            )
        if frame.session != self._session:
            return
        if self._opened is None:
            if frame.kind == Kind.OPENED:
                self._opened = frame.payload
            return
        if frame.kind == Kind.UNKNOWN:
            raise BoardLost(
                f"the board at {self.port.name} was restarted, or another program has taken it "
                "over: its state is lost"
            )
        self._heard = self._clock()
        if frame.kind not in (Kind.DATA, Kind.ACK, Kind.NACK):
            return
        if not self._acknowledge(frame.acknowledgement):
            return
        if frame.kind == Kind.NACK and self._under_way and self._went_back != self._base:
            self._went_back = self._base
            self._go_back(self._heard)
        if frame.kind == Kind.DATA:
            self._take_message(frame)

    def _acknowledge(self, acknowledgement: int) -> bool:
        """False: the frame acknowledges a message that was never sent. An old acknowledgement, in a
        repeated frame, has no effect."""
        done = (acknowledgement - self._base) % SEQUENCES
        if done == 0 or done >= SEQUENCES // 2:
            return True
        if done > len(self._under_way):
            return False
        for _ in range(done):
            last = self._under_way.popleft()
        self._base = acknowledgement
        self._progress = self._advanced = self._heard
        self._went_back = -1
        if not last.again:  # the answer to a message that was sent twice is ambiguous
            self._note_delay(self._heard - last.since)
        return True

    def _note_delay(self, seconds: float) -> None:
        """Update the time to wait for an acknowledgement: mean and four deviations (RFC 6298)."""
        if not self._mean_s:
            self._mean_s, self._deviation_s = seconds, seconds / 2
        else:
            self._deviation_s += (abs(seconds - self._mean_s) - self._deviation_s) / 4
            self._mean_s += (seconds - self._mean_s) / 8
        wanted = 2 * (self._mean_s + 4 * self._deviation_s)
        self._resend_s = min(max(wanted, MIN_RESEND_S), MAX_RESEND_S)

    def _ask_again(self) -> None:
        """Send a NACK at once for every gap, and repeat it at the resend interval."""
        if self._opened is None:
            return
        now = self._clock()
        expected, when = self._asked_again
        if expected != self._expected or now - when > self._resend_s:
            self._asked_again = (self._expected, now)
            self._send(Kind.NACK, self._next())

    def _take_message(self, frame: Frame) -> None:
        ahead = (frame.sequence - self._expected) % SEQUENCES
        if not self._is_next(ahead):
            return
        self._expected = (self._expected + 1) % SEQUENCES
        self._told = self._heard
        self._owe_ack = True
        self._deliver(frame.payload)

    def _is_next(self, ahead: int) -> bool:
        """Whether the message at distance ``ahead`` of the expected one is the expected one."""
        if ahead == 0:
            return True
        if ahead < SEQUENCES // 2:
            self.counters.out_of_order += 1
            self._ask_again()
        else:
            self.counters.duplicates += 1
            self._owe_ack = True
        return False
