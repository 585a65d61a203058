"""Streams of several boards as one, in an order that does not depend on their speed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ...array.base import Ledger
from ...golden import Calibration, Registers
from ...spec import Geometry
from ..base import RUNNING, Block

PER_STEP = ("accepted", "valid", "log_posterior", "points")
PER_SAMPLE = ("codes", "multiplicity", "sample_log_posterior")


@dataclass(frozen=True, eq=False)
class OwnTables:
    """The part of the registers that belongs to one array: it follows from its devices.

    Attributes
    ----------
    calibration : Calibration
    inv_sigma, log_sigma : int64 (257,)
        Tables of the Hastings term.
    """

    calibration: Calibration
    inv_sigma: NDArray[np.int64]
    log_sigma: NDArray[np.int64]

    @classmethod
    def of(cls, registers: Registers) -> OwnTables:
        """Those that ``registers`` hold."""
        return cls(registers.calibration, registers.inv_sigma, registers.log_sigma)

    def within(self, registers: Registers) -> Registers:
        """``registers`` with these tables in place of theirs."""
        return replace(
            registers,
            calibration=self.calibration,
            inv_sigma=self.inv_sigma,
            log_sigma=self.log_sigma,
        )


def merged(blocks: Sequence[Block], regions: int) -> Block:
    """The blocks of several boards as one.

    Step by step, the chains of the first board come first, then those of the second, and so on.
    Board ``i`` has the chains from ``i * regions`` on. Samples keep the order of the steps that
    retired them. The order follows from the steps alone. A board that made fewer steps than the
    others leaves the last steps to them.

    Parameters
    ----------
    blocks : sequence of Block
        One of each board, over steps that begin at the same step.
    regions : int
        Chains of each board.
    """
    places = [steps_of(block, regions) for block in blocks]
    order = np.argsort(np.concatenate(places), kind="stable")
    accepted = np.concatenate([block.accepted for block in blocks])
    sample_of = np.cumsum(accepted) - 1
    samples = sample_of[order[accepted[order]]]
    found = {n: np.concatenate([getattr(b, n) for b in blocks])[order] for n in PER_STEP}
    found |= {n: np.concatenate([getattr(b, n) for b in blocks])[samples] for n in PER_SAMPLE}
    return Block(
        **found,
        chain=numbered([block.chain for block in blocks], regions)[order],
        sample_chain=numbered([block.sample_chain for block in blocks], regions)[samples],
        status=next((b.status for b in blocks if b.status != RUNNING), RUNNING),
    )


def steps_of(block: Block, regions: int) -> NDArray[np.int64]:
    """Step of its chain that each record belongs to, from 0."""
    steps = np.empty(len(block.chain), np.int64)
    for region in range(regions):
        own = block.chain == region
        steps[own] = np.arange(np.count_nonzero(own))
    return steps


def numbered(chains: Sequence[NDArray[np.uint8]], regions: int) -> NDArray[np.uint8]:
    """Numbers of chains in the whole run, from those on each board."""
    return np.concatenate(
        [(own + board * regions).astype(np.uint8) for board, own in enumerate(chains)]
    )


def sum_of_ledgers(ledgers: Sequence[Ledger], geometry: Geometry) -> Ledger:
    """The sum of the counts, and the wear of all rows: those of the first board come first."""
    found = Ledger(geometry)
    found.counts[:] = np.sum([ledger.counts for ledger in ledgers], axis=0)
    found.wear = np.concatenate([ledger.wear for ledger in ledgers])
    return found
