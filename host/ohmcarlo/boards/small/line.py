"""Requests and answers on the serial line of a board without a processor.

The line has no checksum. This module detects missing and additional bytes. ``board`` detects other
errors: it compares every sample with that of the golden model.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from itertools import accumulate
from typing import Protocol

from ...errors import OhmcarloError
from ...spec.bit_serial_link import (
    ADDRESS_BYTES,
    FLAG_BYTES,
    LONGEST_REQUEST,
    READ,
    SAMPLE,
    SAMPLE_LAST,
    SAMPLE_THERE,
    WORD_BYTES,
    WRITE,
)
from ..base import BoardLost

QUIET_S = 0.05
"""Silence after which the line is regarded as empty, s."""
DRAIN_S = 2.0
"""Longest time that an interrupted session may go on sending, s."""
ANSWER_S = 1.0
"""Time after which a board that does not answer is regarded as lost, s."""
SPARE = 2
"""Bytes of a pause beyond those of the answer: the board takes some clocks to begin each byte."""
WRITE_BYTES = 4096
"""Bytes that are given to the port at once, so that a slow line does not exceed its timeout."""
FLAGS = SAMPLE_THERE | SAMPLE_LAST


class Port(Protocol):
    """A serial line; ``link.ports.SerialPort`` is one."""

    name: str

    def write(self, data: bytes) -> None: ...

    def read(self, timeout_s: float) -> bytes: ...

    def close(self) -> None: ...


@dataclass(frozen=True)
class Request:
    """Bytes for the board, and how many it answers."""

    sent: bytes
    answer: int = 0

    @property
    def padded(self) -> bytes:
        """The request, and a pause in which its answer is sent: the board loses what arrives
        meanwhile, and ignores zeros after it."""
        return self.sent + bytes(self.answer + SPARE if self.answer else 0)


def write(address: int, *words: int) -> Request:
    """Write words from the byte address ``address`` on. There is no answer."""
    data = bytearray()
    for number, word in enumerate(words):
        data.append(WRITE)
        data += (address // WORD_BYTES + number).to_bytes(ADDRESS_BYTES, "little")
        data += (word & 0xFFFFFFFF).to_bytes(WORD_BYTES, "little")
    return Request(bytes(data))


def read(address: int) -> Request:
    """Read the word at a byte address."""
    where = (address // WORD_BYTES).to_bytes(ADDRESS_BYTES, "little")
    return Request(bytes([READ]) + where, WORD_BYTES)


SAMPLE_WORD = Request(bytes([SAMPLE]), FLAG_BYTES + WORD_BYTES)
"""Take a word of the sample stream, if there is one."""


class Line:
    """The host side of ``ohmcarlo.spec.bit_serial_link``.

    Parameters
    ----------
    port : Port
    timeout_s : float
        Longest wait for answers.

    Every method raises BoardLost when the board does not answer as the protocol says.
    """

    def __init__(self, port: Port, timeout_s: float = ANSWER_S) -> None:
        self.port = port
        self._timeout_s = timeout_s

    def begin(self) -> None:
        """End a request that another program began, and drop its answer."""
        self.port.write(bytes(LONGEST_REQUEST))
        until = time.monotonic() + DRAIN_S
        while self.port.read(QUIET_S):
            if time.monotonic() > until:
                raise OhmcarloError(
                    f"{self.port.name} sends bytes without a request: no small board is "
                    "connected there; boards with a processor are serial:PORT"
                )

    def exchange(self, *requests: Request) -> list[bytes]:
        """Send requests; returns the answers of those that have one."""
        sent = b"".join(request.padded for request in requests)
        for first in range(0, len(sent), WRITE_BYTES):
            self.port.write(sent[first : first + WRITE_BYTES])
        sizes = [request.answer for request in requests if request.answer]
        data, places = self._answer(sum(sizes)), accumulate(sizes, initial=0)
        return [data[place : place + size] for place, size in zip(places, sizes, strict=False)]

    def words(self, *addresses: int) -> list[int]:
        """The words at byte addresses."""
        answers = self.exchange(*(read(address) for address in addresses))
        return [int.from_bytes(answer, "little") for answer in answers]

    def sample_word(self, answer: bytes) -> tuple[int, bool] | None:
        """The word in an answer to ``SAMPLE_WORD``, and whether it ends a record; None: there was
        none."""
        flags, word = answer[0], answer[FLAG_BYTES:]
        if flags & ~FLAGS or flags == SAMPLE_LAST:
            raise self._noise(f"flags {flags:#04x}")
        if not flags & SAMPLE_THERE:
            return None
        return int.from_bytes(word, "little"), bool(flags & SAMPLE_LAST)

    def _answer(self, size: int) -> bytes:
        data, until = b"", time.monotonic() + self._timeout_s
        while len(data) < size:
            received = self.port.read(self._timeout_s)
            data += received
            if received:
                until = time.monotonic() + self._timeout_s
            elif time.monotonic() > until:
                raise BoardLost(
                    f"the board at {self.port.name} answered {len(data)} of {size} bytes within "
                    f"{self._timeout_s:g} s: check its power, its cable and its bitstream; boards "
                    "with a processor are serial:PORT"
                )
        if len(data) > size:
            raise self._noise(f"{len(data)} bytes instead of {size}")
        return data

    def _noise(self, found: str) -> BoardLost:
        return BoardLost(
            f"noise on the line to {self.port.name} (an answer had {found}): check the cable"
        )
