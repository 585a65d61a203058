"""The record stream of a controller, decoded from words to arrays."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...errors import OhmcarloError
from ...spec.link import (
    ACCEPTED_WORDS,
    PREDICTION_WORDS,
    RECORD_KIND_SHIFT,
    RECORD_PREDICTION,
    RECORD_SAMPLE,
    RECORD_STEP,
    SAMPLE_CURRENT_BIT,
    SAMPLE_HEADER_WORDS,
    SAMPLE_PROPOSAL_BIT,
    SAMPLE_REGION_BITS,
    SAMPLE_WORDS_BITS,
    STEP_ACCEPTED_SHIFT,
    STEP_POINTS_BITS,
    STEP_REGION_BITS,
    STEP_REGION_SHIFT,
    STEP_VALID_SHIFT,
)
from ..memory.words import unpacked

Words = NDArray[np.uint32]


@dataclass(frozen=True, eq=False)
class Steps:
    """Step records, in the order of the steps.

    Attributes
    ----------
    accepted, valid : bool (n,)
    region : uint8 (n,)
    points : int32 (n,)
    log_posterior : int64 (n,)
        Of the new sample for an accepted step, 0 otherwise.
    """

    accepted: NDArray[np.bool_]
    valid: NDArray[np.bool_]
    region: NDArray[np.uint8]
    points: NDArray[np.int32]
    log_posterior: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Samples:
    """Sample records.

    Attributes
    ----------
    current : bool (n,)
        Whether it is a current sample (command FLUSH), not a retired one.
    region : uint8 (n,)
    multiplicity : int32 (n,)
    log_posterior : int64 (n,)
    codes : uint16 (n, devices of a sample)
    """

    current: NDArray[np.bool_]
    region: NDArray[np.uint8]
    multiplicity: NDArray[np.int32]
    log_posterior: NDArray[np.int64]
    codes: NDArray[np.uint16]


class Records:
    """A part of the record stream that consists of whole records.

    Parameters
    ----------
    words : uint32 (n,)

    Raises OhmcarloError for words that are not records.
    """

    def __init__(self, words: Words) -> None:
        self.words = words
        kinds = (words >> RECORD_KIND_SHIFT).astype(np.uint32)
        self._starts, complete = record_starts(words, kinds)
        self._kinds = kinds[self._starts]
        known = np.isin(self._kinds, (RECORD_STEP, RECORD_SAMPLE, RECORD_PREDICTION))
        if not complete or not known.all():
            raise OhmcarloError(
                "the board's record stream cannot be read: firmware and hardware do not belong "
                "together, or this is a bug; please report it"
            )

    def _table(self, starts: NDArray[np.intp], width: int) -> NDArray[np.int64]:
        """The first ``width`` words of records, int64 (records, width)."""
        return self.words[starts[:, None] + np.arange(width)].astype(np.int64)

    def steps(self) -> Steps:
        starts = self._starts[self._kinds == RECORD_STEP]
        word = self.words[starts]
        accepted = (word >> STEP_ACCEPTED_SHIFT & 1).astype(np.bool_)
        log_posterior = np.zeros(len(starts), np.int64)
        log_posterior[accepted] = signed(self._table(starts[accepted] + 1, ACCEPTED_WORDS)).sum(1)
        return Steps(
            accepted=accepted,
            valid=(word >> STEP_VALID_SHIFT & 1).astype(np.bool_),
            region=(word >> STEP_REGION_SHIFT & low_bits(STEP_REGION_BITS)).astype(np.uint8),
            points=(word & low_bits(STEP_POINTS_BITS)).astype(np.int32),
            log_posterior=log_posterior,
        )

    def samples(self, devices: int) -> Samples:
        """Samples of ``devices`` devices each, without proposals; OhmcarloError otherwise."""
        starts = self._starts[self._kinds == RECORD_SAMPLE]
        starts = starts[self.words[starts + 1] >> SAMPLE_PROPOSAL_BIT & 1 == 0]
        length = SAMPLE_HEADER_WORDS + devices // 2
        if np.any(self.words[starts] & low_bits(SAMPLE_WORDS_BITS) != length):
            raise OhmcarloError(f"the board streamed a sample that has not {devices} devices")
        table = self._table(starts + 1, length)
        head, pairs = table[:, :SAMPLE_HEADER_WORDS], table[:, SAMPLE_HEADER_WORDS:]
        return Samples(
            current=(head[:, 0] >> SAMPLE_CURRENT_BIT & 1).astype(np.bool_),
            region=(head[:, 0] & low_bits(SAMPLE_REGION_BITS)).astype(np.uint8),
            multiplicity=head[:, 1].astype(np.int32),
            log_posterior=signed(head[:, 2:4]).sum(axis=1),
            codes=unpacked(pairs).astype(np.uint16),
        )

    def predictions(self) -> NDArray[np.int64]:
        """Sum and sum of squares of every point, int64 (n, 2)."""
        starts = self._starts[self._kinds == RECORD_PREDICTION]
        halves = self._table(starts + 1, PREDICTION_WORDS)
        return halves[:, 0::2] | halves[:, 1::2] << 32


def record_starts(words: Words, kinds: Words) -> tuple[NDArray[np.intp], bool]:
    """First word of each record, and whether the last record is complete.

    The first word of a record holds its length. The successor of every word is computed at once,
    and the chain of records follows by pointer doubling, in log₂(records) rounds.
    """
    count = len(words)
    length = np.ones(count, np.int64)
    accepted = (words >> STEP_ACCEPTED_SHIFT & 1).astype(np.int64)
    length += np.where(kinds == RECORD_STEP, ACCEPTED_WORDS * accepted, 0)
    length += np.where(kinds == RECORD_SAMPLE, words & low_bits(SAMPLE_WORDS_BITS), 0)
    length += np.where(kinds == RECORD_PREDICTION, PREDICTION_WORDS, 0)
    after = np.arange(count) + length
    jump = np.append(np.minimum(after, count), count)
    reached = np.zeros(count + 1, np.bool_)
    reached[0] = True
    while np.any(jump[:-1] < count):
        reached[jump[reached]] = True
        jump = jump[jump]
    starts = np.flatnonzero(reached[:-1])
    return starts, not count or after[starts[-1]] == count


def signed(words: NDArray[np.int64]) -> NDArray[np.int64]:
    """32-bit words as two's complement."""
    return (words ^ (1 << 31)) - (1 << 31)


def low_bits(count: int) -> int:
    return (1 << count) - 1
