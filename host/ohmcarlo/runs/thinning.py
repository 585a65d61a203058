"""Draws of a run: every step of a usual one, at equal distances in a long one.

A run of any length takes bounded memory. Up to ``most_draws`` steps of all chains are kept as they
are. With more, every second one is dropped, again and again: the distance of the steps that are
kept is a power of two, and follows from the number of steps alone, however often the run was
interrupted. Steps are counted from 1, so that the steps ``every``, 2 ``every``, … are kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..boards.base import RUNNING, Block, Steps
from ..boards.several.merging import merged, numbered, steps_of

MOST_DRAWS = 1_000_000
"""Steps of all chains that are kept. The longest run that `train` chooses has 640,000."""
MOST_WEIGHTS = 100_000_000
"""Weights of all draws, 400 MB: a model with more than 100 weights keeps fewer steps."""
PER_SAMPLE = ("codes", "multiplicity", "sample_chain", "sample_log_posterior")
BETWEEN = {"moves": np.int32, "proposals": np.int32, "read": np.int64}
"""Sums over the steps from one draw to the next: accepted ones, valid ones, points."""


@dataclass(frozen=True, eq=False)
class _Part(Steps):
    """Steps at equal distances, with the sums over those between; attributes as in LongBlock."""

    stays: NDArray[np.int32]
    moves: NDArray[np.int32]
    proposals: NDArray[np.int32]
    read: NDArray[np.int64]

    @classmethod
    def of(cls, block: Block) -> _Part:
        """All steps of a block. A sample is retired in the accepted step that ends its stay."""
        arrays = {f.name: getattr(block, f.name) for f in fields(Steps)}
        stays = np.zeros(len(block.accepted), np.int32)
        stays[block.accepted] = block.multiplicity
        return cls(
            **arrays,
            stays=stays,
            moves=block.accepted.astype(np.int32),
            proposals=block.valid.astype(np.int32),
            read=block.points.astype(np.int64),
        )

    @classmethod
    def joined(cls, parts: list[_Part]) -> _Part:
        return cls(**_concatenated(cls, parts))


@dataclass(frozen=True, eq=False)
class LongBlock(Block, _Part):
    """Every ``every``-th step of all chains, the samples that were current then, and sums.

    The multiplicity of a sample counts the steps that are kept. ``accepted``, ``valid`` and
    ``points`` are those of the kept steps. Further attributes:

    Attributes
    ----------
    every : int
        Steps of a chain from one draw to the next.
    stays : int32 (n,)
        Longest stay that ended since the draw before, in steps.
    moves, proposals : int32 (n,)
        Accepted steps and valid steps since the draw before.
    read : int64 (n,)
        Points evaluated since the draw before.
    passed : int64 (chains,)
        States of each chain, the start included, whose samples are retired.
    total : Totals
        Of all steps.
    """

    every: int
    passed: NDArray[np.int64]
    total: Totals

    def kept_multiplicity(self, multiplicity: NDArray[np.int32]) -> NDArray[np.int32]:
        """Kept steps of the current samples of all chains from their steps so far, (chains,)."""
        ends = self.passed + multiplicity
        return _multiples(self.passed, ends, self.every).astype(np.int32)


@dataclass(frozen=True)
class Totals:
    """Counts over all steps of all chains.

    Attributes
    ----------
    steps, accepted, valid, points : int
        Steps, accepted ones, those with a valid proposal, and points that were evaluated.
    """

    steps: int = 0
    accepted: int = 0
    valid: int = 0
    points: int = 0

    def plus(self, block: Block) -> Totals:
        """With the steps of another block."""
        return Totals(
            self.steps + len(block.accepted),
            self.accepted + int(block.accepted.sum()),
            self.valid + int(block.valid.sum()),
            self.points + int(block.points.sum(dtype=np.int64)),
        )


def totals_of(streamed: Block) -> Totals:
    """Counts over all steps of a run."""
    return streamed.total if isinstance(streamed, LongBlock) else Totals().plus(streamed)


def most_draws(weights: int) -> int:
    """Steps of all chains that are kept for a model with so many weights."""
    return min(MOST_DRAWS, MOST_WEIGHTS // max(1, weights))


def distance_of(steps: int, chains: int, weights: int) -> int:
    """Steps from one draw to the next in ``chains`` of so many ``steps`` each.

    >>> distance_of(160_000, 4, 16), distance_of(1_000_000, 4, 16), distance_of(160_000, 4, 500)
    (1, 4, 4)
    """
    every = 1
    while chains * (steps // every) > most_draws(weights):
        every *= 2
    return every


class Draws:
    """What is kept of the blocks of a run, in their order.

    Parameters
    ----------
    chains : int
    every : int
        Distance of the steps that are kept from the beginning.
    """

    def __init__(self, chains: int, every: int = 1) -> None:
        self._chains, self._first_every = chains, every
        self.clear()

    def clear(self) -> None:
        """Forget all blocks."""
        self._parts: list[Any] = []
        self._kept = 0
        self._total = Totals()
        self._status = RUNNING
        every = self._first_every
        self._thinner = None if every == 1 else _Thinner(self._chains, every)

    def add(self, block: Block) -> None:
        """Add the next block."""
        self._status, self._total = block.status, self._total.plus(block)
        part = block if self._thinner is None else self._thinner.thinned(_Part.of(block))
        self._parts.append(part)
        self._kept += len(part.accepted)
        while self._kept > most_draws(block.codes.shape[1] // 2):
            self._halve()

    @property
    def empty(self) -> bool:
        """Whether no step was made."""
        return not self._total.steps

    def block(self) -> Block:
        """All blocks as one: a ``LongBlock`` where not every step is kept."""
        if self._thinner is None:
            return join_blocks(self._parts)
        joined = _Part.joined(self._parts)
        return LongBlock(
            **vars(joined),
            status=self._status,
            every=self._thinner.every,
            passed=self._thinner.passed,
            total=self._total,
        )

    def _halve(self) -> None:
        """Keep every second step of those that are kept."""
        if self._thinner is None:
            joined = _Part.of(join_blocks(self._parts))
        else:
            joined = _Part.joined(self._parts)
        self._parts.clear()
        halving = _Thinner(self._chains, 2)
        part = halving.thinned(joined)
        if self._thinner is None:
            self._thinner = halving
        else:
            self._thinner.halved(halving)
        self._parts, self._kept = [part], len(part.accepted)


class _Thinner:
    """Keeps every ``every``-th step of each chain of consecutive parts, and their samples."""

    def __init__(self, chains: int, every: int) -> None:
        self.every = every
        self.made = np.zeros(chains, np.int64)
        self.passed = np.zeros(chains, np.int64)
        self.stay = np.zeros(chains, np.int32)  # since the last step that was kept
        self.sums = {name: np.zeros(chains, dtype) for name, dtype in BETWEEN.items()}

    def halved(self, halving: _Thinner) -> None:
        """The steps that were kept so far went through ``halving``."""
        self.every *= halving.every
        self.stay = np.maximum(self.stay, halving.stay)
        for name, before in halving.sums.items():
            self.sums[name] += before

    def thinned(self, part: _Part) -> _Part:
        """What is kept of the next part."""
        out: dict[str, NDArray[Any]] = {
            name: getattr(part, name).copy() for name in ("stays", *BETWEEN)
        }
        kept = [self._of_chain(c, part, out) for c in range(len(self.made))]
        steps = np.sort(np.concatenate(kept))
        counts = self._multiplicities(part)
        samples = np.flatnonzero(counts)
        arrays = {f.name: getattr(part, f.name) for f in fields(_Part)} | out
        arrays["multiplicity"] = counts
        return _Part(
            **{n: a[samples if n in PER_SAMPLE else steps] for n, a in arrays.items()},
        )

    def _of_chain(self, c: int, part: _Part, out: dict[str, NDArray[Any]]) -> NDArray[np.intp]:
        """Indices of the steps of a chain that are kept; writes their sums into ``out``."""
        steps = np.flatnonzero(part.chain == c)
        first = int(-(self.made[c] + 1) % self.every)
        kept = steps[first :: self.every]
        ends = np.arange(first, len(steps), self.every)
        self.made[c] += len(steps)
        for name, before in self.sums.items():
            along = np.cumsum(getattr(part, name)[steps], dtype=np.int64)
            whole = int(along[-1]) if len(steps) else 0
            sums = np.diff(along[ends], prepend=-before[c])
            out[name][kept] = sums
            before[c] = whole - along[ends[-1]] if len(ends) else before[c] + whole
        self._stays_of_chain(c, part.stays[steps], ends, out["stays"], kept)
        return kept

    def _stays_of_chain(
        self,
        c: int,
        stays: NDArray[np.int32],
        ends: NDArray[np.int64],
        out: NDArray[np.int32],
        kept: NDArray[np.intp],
    ) -> None:
        """The longest stays between the steps that are kept."""
        begins = np.concatenate([[0], ends + 1])
        begins = begins[begins < len(stays)]
        longest = np.maximum.reduceat(stays, begins) if len(begins) else np.zeros(0, np.int32)
        if len(longest):
            longest[0] = max(longest[0], self.stay[c])
            out[kept] = longest[: len(kept)]
            self.stay[c] = longest[-1] if len(longest) > len(kept) else 0

    def _multiplicities(self, part: _Part) -> NDArray[np.int32]:
        """Kept steps of each sample."""
        counts = np.zeros(len(part.multiplicity), np.int32)
        for c in range(len(self.passed)):
            own = np.flatnonzero(part.sample_chain == c)
            ends = self.passed[c] + np.cumsum(part.multiplicity[own], dtype=np.int64)
            counts[own] = _multiples(ends - part.multiplicity[own], ends, self.every)
            self.passed[c] += int(part.multiplicity[own].sum(dtype=np.int64))
        return counts


def _multiples(begins: NDArray[np.int64], ends: NDArray[np.int64], every: int) -> NDArray[np.int64]:
    """Multiples of ``every`` from each begin to before its end."""
    return -(-ends // every) + (-begins // every)


def merged_draws(blocks: Sequence[Block], regions: int) -> Block:
    """The streams of several boards with ``regions`` chains each as one, as ``merged`` does.

    If not every step can be kept, all boards keep steps at the same distance. Samples of a long
    stream are in the order of the boards.
    """
    weights = blocks[0].codes.shape[1] // 2
    every = max(block.every if isinstance(block, LongBlock) else 1 for block in blocks)
    own = [_at_distance(block, regions, every) for block in blocks]
    while sum(len(block.accepted) for block in own) > most_draws(weights):
        every *= 2
        own = [_at_distance(block, regions, every) for block in own]
    if every == 1:
        return merged(blocks, regions)
    order = np.argsort(np.concatenate([steps_of(block, regions) for block in own]), kind="stable")
    long = [block for block in own if isinstance(block, LongBlock)]
    arrays = _concatenated(_Part, long)
    for name in ("chain", "sample_chain"):
        arrays[name] = numbered([getattr(block, name) for block in long], regions)
    return LongBlock(
        **{n: a if n in PER_SAMPLE else a[order] for n, a in arrays.items()},
        status=next((b.status for b in own if b.status != RUNNING), RUNNING),
        every=every,
        passed=np.concatenate([block.passed for block in long]),
        total=Totals(*np.sum([astuple(block.total) for block in long], axis=0).tolist()),
    )


def _at_distance(block: Block, chains: int, every: int) -> Block:
    """A stream that keeps every ``every``-th step, a multiple of its distance."""
    if not isinstance(block, LongBlock):
        if every == 1:
            return block
        thinner = _Thinner(chains, every)
        part, passed, total = thinner.thinned(_Part.of(block)), thinner.passed, totals_of(block)
    else:
        if every == block.every:
            return block
        part = _Thinner(chains, every // block.every).thinned(block)
        passed, total = block.passed, block.total
    return LongBlock(**vars(part), status=block.status, every=every, passed=passed, total=total)


def join_blocks(blocks: list[Block]) -> Block:
    """Consecutive blocks as one; ``blocks`` must not be empty."""
    return Block(**_concatenated(Steps, blocks), status=blocks[-1].status)


def _concatenated(kind: type[Steps], parts: Sequence[Steps]) -> dict[str, Any]:
    """The arrays that ``kind`` has, each joined over ``parts``."""
    return {f.name: np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(kind)}
