"""A controller behind a link: fields, windows, operations and commands by name."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...golden import EpisodeLikelihood
from ...spec.link import (
    ANSWERS_FORMAT,
    ANSWERS_RESULT_FORMAT,
    COMMAND_FORMAT,
    EPISODE_FORMAT,
    EPISODE_RESULT_FORMAT,
    FIELDS,
    MAX_BODY,
    OPERATION_FORMAT,
    POLICY_FORMAT,
    READ_ROW_FORMAT,
    WINDOW_FORMAT,
    WINDOWS,
    WRITE_FORMAT,
    Command,
    Message,
    Operation,
)
from .messages import Finished, Link

Words = NDArray[np.uint32]
FIELD_NUMBER = {name: number for number, name in enumerate(FIELDS)}
WINDOW_NUMBER = {name: number for number, name in enumerate(WINDOWS)}
WORD_BYTES, WORD_BITS = 4, 32
FORM, RESET, SET, READ = Operation
OPERATION = np.dtype(
    [("operation", "u1"), ("zero", "u1"), ("row", "<u2"), ("device", "<u2"), ("dac", "<u2")]
)
"""OPERATION_FORMAT, as numpy has it."""

WRITES = MAX_BODY // struct.calcsize(WRITE_FORMAT)
READS = MAX_BODY // WORD_BYTES
LOADS = (MAX_BODY - struct.calcsize(WINDOW_FORMAT)) // WORD_BYTES
OPERATIONS = MAX_BODY // struct.calcsize(OPERATION_FORMAT)
ROW_READS = MAX_BODY // 2
ANSWER_WORDS = (MAX_BODY - struct.calcsize(ANSWERS_RESULT_FORMAT)) // WORD_BYTES


class RemoteController:
    """Requests to the controller at the other end of ``link``.

    Every method raises ``Refused`` if the board refuses the request and ``BoardLost`` if it does
    not answer.
    """

    def __init__(self, link: Link) -> None:
        self.link = link

    def _all(self, message: Message, bodies: Iterator[bytes]) -> bytes:
        """The joined answers to many requests of one kind."""
        return b"".join(self.link.requests((message, body) for body in bodies))

    # -- fields --------------------------------------------------------------------------------

    def write(self, fields: Mapping[str, int]) -> None:
        """Set fields, in order."""
        items = [struct.pack(WRITE_FORMAT, FIELD_NUMBER[n], v) for n, v in fields.items()]
        self._all(Message.WRITE, (b"".join(part) for part in _parts(items, WRITES)))

    def read(self, names: Sequence[str]) -> dict[str, int]:
        """Read fields, in order."""
        items = [struct.pack("<H", FIELD_NUMBER[name]) for name in names]
        answer = self._all(Message.READ, (b"".join(part) for part in _parts(items, READS)))
        return dict(zip(names, np.frombuffer(answer, "<u4").tolist(), strict=True))

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
        number, data = WINDOW_NUMBER[window], words.astype("<u4")
        self._all(
            Message.LOAD,
            (
                struct.pack(WINDOW_FORMAT, number, first + i) + data[i : i + LOADS].tobytes()
                for i in range(0, len(data), LOADS)
            ),
        )

    def unload(self, window: str, count: int, first: int = 0) -> Words:
        """``count`` words of a memory window."""
        number = WINDOW_NUMBER[window]
        answer = self._all(
            Message.UNLOAD,
            (
                struct.pack(WINDOW_FORMAT, number, first + i)
                + struct.pack("<H", min(READS, count - i))
                for i in range(0, count, READS)
            ),
        )
        return np.frombuffer(answer, "<u4").astype(np.uint32)

    # -- the array -----------------------------------------------------------------------------

    def operate(self, operations: NDArray[Any]) -> NDArray[np.uint16]:
        """Execute raw operations (dtype OPERATION), in order; the codes of its READs."""
        parts = range(0, len(operations), OPERATIONS)
        bodies = (operations[i : i + OPERATIONS].tobytes() for i in parts)
        return np.frombuffer(self._all(Message.OPERATE, bodies), "<u2")

    def read_rows(self, rows: Sequence[int], first: int, devices: int) -> NDArray[np.uint16]:
        """Codes of ``devices`` devices from ``first`` on, of each of ``rows``: (rows, devices)."""
        bodies = (
            struct.pack(READ_ROW_FORMAT, row, first + i, min(ROW_READS, devices - i))
            for row in rows
            for i in range(0, devices, ROW_READS)
        )
        codes = np.frombuffer(self._all(Message.READ_ROW, bodies), "<u2")
        return codes.reshape(len(rows), devices)

    # -- commands ------------------------------------------------------------------------------

    def command(self, command: Command, argument: int = 0) -> None:
        """Give a short command."""
        self.link.request(Message.COMMAND, struct.pack(COMMAND_FORMAT, command, argument))

    def execute(self, command: Command, argument: int = 0) -> Finished:
        """Give a long command and wait for its end. Its records have arrived by then."""
        self.command(command, argument)
        return self.link.wait_finished()

    def judge(self, judge: EpisodeLikelihood | None) -> None:
        """Let the board compute log-likelihoods by the episodes of ``judge``; None: the host
        does."""
        values = (judge.seed, judge.first, judge.scale, judge.episodes) if judge else (0, 0, 0, 0)
        self.link.request(Message.POLICY, struct.pack(POLICY_FORMAT, *values))

    def episodes(self, weights: Sequence[int], seed: int, first: int, episodes: int) -> list[int]:
        """Steps of each episode under a policy: ``golden.cartpole.episode_steps``, on the board.

        They are requested one by one, so that each answer arrives in time.
        """
        bodies = (
            struct.pack(EPISODE_FORMAT, *weights, 1, seed, first + i & 0xFFFFFFFF)
            for i in range(episodes)
        )
        # the board refuses further episodes while it plays one
        answers = [self.link.request(Message.EPISODE, body) for body in bodies]
        return [struct.unpack_from(EPISODE_RESULT_FORMAT, answer)[0] for answer in answers]

    def answers(self, points: int) -> tuple[NDArray[np.bool_], int]:
        """Answers of the last TRIAGE, bool (points,), and the number of its samples."""
        words = -(-points // WORD_BITS)
        bodies = (
            (Message.ANSWERS, struct.pack(ANSWERS_FORMAT, i, min(ANSWER_WORDS, words - i)))
            for i in range(0, words, ANSWER_WORDS)
        )
        head = struct.calcsize(ANSWERS_RESULT_FORMAT)
        bits = b""
        samples = 0
        for answer in self.link.requests(bodies):
            samples = struct.unpack_from(ANSWERS_RESULT_FORMAT, answer)[0]
            bits += answer[head:]
        answers = np.unpackbits(np.frombuffer(bits, np.uint8), bitorder="little")
        return answers[:points].astype(np.bool_), samples

    def echo(self, data: bytes) -> bytes:
        return self.link.request(Message.ECHO, data)


def _parts(items: Sequence[bytes], size: int) -> Iterator[Sequence[bytes]]:
    return (items[i : i + size] for i in range(0, len(items), size))
