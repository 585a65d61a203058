"""Chains that grow, kept at equal distances: a run of any length takes bounded memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..boards import RUNNING, Block
from ..spec import LOGLIK_FRAC

MOST = 1000
"""Steps of every chain that are kept at least, once there are so many; at most twice as many."""


class _Chain:
    """One chain: its log-posteriors and codes after the steps that are multiples of a distance.

    The codes of a sample are known when the chain has left it, so that they end before the
    log-posteriors do.
    """

    def __init__(self) -> None:
        self.steps = self.accepted = 0
        self.states = 0  # known ones, with the state before the first step
        self.levels: NDArray[np.int64] = np.empty(0, np.int64)
        self.codes: NDArray[np.uint16] | None = None

    def add_levels(self, levels: NDArray[np.int64], every: int) -> None:
        kept = levels[-(self.steps + 1) % every :: every]
        self.levels = np.concatenate([self.levels, kept])
        self.steps += len(levels)

    def add_codes(
        self, codes: NDArray[np.uint16], multiplicity: NDArray[np.int32], every: int
    ) -> None:
        ends = self.states + np.cumsum(multiplicity, dtype=np.int64)
        first = -(-max(self.states, 1) // every) * every
        grid = np.arange(first, ends[-1] if len(ends) else 0, every)
        kept = codes[np.searchsorted(ends, grid, side="right")]
        self.codes = kept if self.codes is None else np.concatenate([self.codes, kept])
        if len(ends):
            self.states = int(ends[-1])

    def halve(self) -> None:
        """Keep the steps that are multiples of twice the distance."""
        self.levels = self.levels[1::2]
        if self.codes is not None:
            self.codes = self.codes[1::2]


class ThinnedChains:
    """The chains of a run so far, from its blocks in their order.

    Parameters
    ----------
    chains : int

    Attributes
    ----------
    every : int
        Distance of the steps that are kept: ``every``, 2 ``every``, …, counted from 1.
    status : str
        ``Block.status`` of the last block; empty before the first.
    """

    def __init__(self, chains: int) -> None:
        self._chains = [_Chain() for _ in range(chains)]
        self.every = 1
        self.status = ""

    def add(self, block: Block) -> None:
        """Add the next block."""
        for number, chain in enumerate(self._chains):
            of, sampled = block.chain == number, block.sample_chain == number
            chain.accepted += int(block.accepted[of].sum())
            chain.add_levels(block.log_posterior[of], self.every)
            chain.add_codes(block.codes[sampled], block.multiplicity[sampled], self.every)
        while max(len(chain.levels) for chain in self._chains) > 2 * MOST:
            self.every *= 2
            for chain in self._chains:
                chain.halve()
        self.status = block.status

    @property
    def steps(self) -> int:
        """Steps that every chain has made."""
        return min(chain.steps for chain in self._chains)

    def acceptance(self) -> list[float]:
        """Acceptance rate of each chain; 0 before its first step."""
        return [chain.accepted / max(1, chain.steps) for chain in self._chains]

    def log_posterior(self) -> NDArray[np.float64]:
        """float64 (chains, steps kept), nat."""
        length = min(len(chain.levels) for chain in self._chains)
        return np.stack([chain.levels[:length] for chain in self._chains]) / 2.0**LOGLIK_FRAC

    def codes(self) -> NDArray[np.uint16] | None:
        """uint16 (chains, steps kept, devices), up to the last step that is known of every chain;
        None before the first."""
        found = [chain.codes for chain in self._chains if chain.codes is not None]
        length = min((len(codes) for codes in found), default=0)
        if len(found) < len(self._chains) or not length:
            return None
        return np.stack([codes[:length] for codes in found])


class JointChains:
    """The chains of several boards, at the largest of their distances.

    Parameters
    ----------
    boards : sequence of ThinnedChains
        The chains of each board. Boards may be at different steps.
    """

    def __init__(self, boards: Sequence[ThinnedChains]) -> None:
        self._boards = tuple(boards)

    @property
    def every(self) -> int:
        """Distance of the steps that are kept."""
        return max(board.every for board in self._boards)

    @property
    def status(self) -> str:
        """``Block.status`` of the first board that has stopped, otherwise of any."""
        found = [board.status for board in self._boards if board.status]
        return next((status for status in found if status != RUNNING), found[0] if found else "")

    @property
    def steps(self) -> int:
        """Steps that every chain has made."""
        return min(board.steps for board in self._boards)

    def acceptance(self) -> list[float]:
        """Acceptance rate of each chain; 0 before its first step."""
        return [rate for board in self._boards for rate in board.acceptance()]

    def log_posterior(self) -> NDArray[np.float64]:
        """float64 (chains, steps kept), nat."""
        return self._joined([board.log_posterior() for board in self._boards])

    def codes(self) -> NDArray[np.uint16] | None:
        """As ``ThinnedChains.codes``."""
        found = [codes for board in self._boards if (codes := board.codes()) is not None]
        if len(found) < len(self._boards):
            return None
        joined = self._joined(found)
        return joined if joined.shape[1] else None

    def _joined(self, found: Sequence[NDArray[Any]]) -> NDArray[Any]:
        """Arrays (chains, steps kept, ...) of the boards as one, with the steps that all have."""
        times = [self.every // board.every for board in self._boards]
        kept = [each[:, n - 1 :: n] for each, n in zip(found, times, strict=True)]
        length = min(each.shape[1] for each in kept)
        return np.concatenate([each[:, :length] for each in kept])
