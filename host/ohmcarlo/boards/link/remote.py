"""A controller behind a link: fields, windows, operations and commands by name."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...golden import EpisodeLikelihood, Triage
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
    PREDICTION_WORDS,
    READ_ROW_FORMAT,
    WINDOW_FORMAT,
    WINDOWS,
    WRITE_FORMAT,
    Command,
    Message,
    Operation,
)
from ..controller import OPERATION, Controller, Finished, Words
from .messages import Link

__all__ = ["FORM", "OPERATION", "READ", "RESET", "SET", "RemoteController"]

FIELD_NUMBER = {name: number for number, name in enumerate(FIELDS)}
WINDOW_NUMBER = {name: number for number, name in enumerate(WINDOWS)}
WORD_BYTES, WORD_BITS = 4, 32
FORM, RESET, SET, READ = Operation
WRITES = MAX_BODY // struct.calcsize(WRITE_FORMAT)
READS = MAX_BODY // WORD_BYTES
LOADS = (MAX_BODY - struct.calcsize(WINDOW_FORMAT)) // WORD_BYTES
OPERATIONS = MAX_BODY // struct.calcsize(OPERATION_FORMAT)
ROW_READS = MAX_BODY // 2
ANSWER_WORDS = (MAX_BODY - struct.calcsize(ANSWERS_RESULT_FORMAT)) // WORD_BYTES


class RemoteController(Controller):
    """Requests to the controller at the other end of ``link``."""

    def __init__(self, link: Link) -> None:
        self.link = link
        self._waits = False  # a long command was given, and its end was not seen

    @property
    def place(self) -> str:
        return self.link.port.name

    def link_statistics(self) -> dict[str, int]:
        return self.link.counters.to_dict()

    def open(self) -> dict[str, int]:
        return self.link.open()

    def close(self) -> None:
        self.link.close()

    def _all(self, message: Message, bodies: Iterator[bytes]) -> bytes:
        """The joined answers to many requests of one kind."""
        return b"".join(self.link.requests((message, body) for body in bodies))

    # -- fields --------------------------------------------------------------------------------

    def write(self, fields: Mapping[str, int]) -> None:
        items = [struct.pack(WRITE_FORMAT, FIELD_NUMBER[n], v) for n, v in fields.items()]
        self._all(Message.WRITE, (b"".join(part) for part in _parts(items, WRITES)))

    def read(self, names: Sequence[str]) -> dict[str, int]:
        items = [struct.pack("<H", FIELD_NUMBER[name]) for name in names]
        answer = self._all(Message.READ, (b"".join(part) for part in _parts(items, READS)))
        return dict(zip(names, np.frombuffer(answer, "<u4").tolist(), strict=True))

    # -- windows -------------------------------------------------------------------------------

    def load(self, window: str, words: Words, first: int = 0) -> None:
        number, data = WINDOW_NUMBER[window], words.astype("<u4")
        self._all(
            Message.LOAD,
            (
                struct.pack(WINDOW_FORMAT, number, first + i) + data[i : i + LOADS].tobytes()
                for i in range(0, len(data), LOADS)
            ),
        )

    def unload(self, window: str, count: int, first: int = 0) -> Words:
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
        parts = range(0, len(operations), OPERATIONS)
        bodies = (operations[i : i + OPERATIONS].tobytes() for i in parts)
        return np.frombuffer(self._all(Message.OPERATE, bodies), "<u2")

    def read_rows(self, rows: Sequence[int], first: int, devices: int) -> NDArray[np.uint16]:
        bodies = (
            struct.pack(READ_ROW_FORMAT, row, first + i, min(ROW_READS, devices - i))
            for row in rows
            for i in range(0, devices, ROW_READS)
        )
        codes = np.frombuffer(self._all(Message.READ_ROW, bodies), "<u2")
        return codes.reshape(len(rows), devices)

    # -- commands ------------------------------------------------------------------------------

    def command(self, command: Command, argument: int = 0) -> None:
        self.link.request(Message.COMMAND, struct.pack(COMMAND_FORMAT, command, argument))

    def execute(self, command: Command, argument: int = 0) -> Finished:
        self.command(command, argument)
        self._waits = True
        ended = self.link.wait_finished()
        self._waits = False
        return ended

    def settle(self) -> None:
        if self._waits:
            self.command(Command.HALT)
            self.link.wait_finished()
            self._waits = False
        self.link.take_records()

    def take_records(self) -> Words:
        return self.link.take_records()

    def triaged(self, points: int) -> Triage:
        self.link.skip_records(points * (1 + PREDICTION_WORDS))
        answers, samples = self.answers(points)
        sent = self.link.take_doubtful()
        doubtful = np.zeros(points, np.bool_)
        doubtful[sent["point"]] = True
        return Triage(answers, doubtful, samples, sent["sums"].astype(np.int64))

    def judge(self, judge: EpisodeLikelihood | None) -> None:
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
