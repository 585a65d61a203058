"""Array accesses that the likelihoods of a run cost."""

from __future__ import annotations

from typing import Any

from ..boards import Block
from ..golden import Registers
from .setup import ChainSetup
from .summary import adaptation_of, cost_of
from .thinning import totals_of


def accesses_per_point(registers: Registers) -> int:
    """Array accesses that the evaluation of one point costs; digital dot products if they are not
    computed in the array."""
    geometry = registers.geometry
    if registers.digital:
        return geometry.row_group
    first = geometry.accesses_per_row(registers.features)
    if registers.hidden:
        first *= registers.hidden
        first += geometry.accesses_per_row(registers.hidden + 1)
    return first << registers.log_repeats


def accesses_of(setup: ChainSetup, streamed: Block) -> dict[str, Any]:
    """Accesses of a run, and those that it would have needed without early rejection."""
    per_point = accesses_per_point(setup.registers)
    total = totals_of(streamed)
    return {
        "accesses": total.points * per_point,
        "accesses_without_early_reject": total.valid * len(setup.points) * per_point,
    }


def learning_costs(setup: ChainSetup, streamed: Block, seconds: float) -> dict[str, Any]:
    """All costs of a run that learnt from data, and its adaptation."""
    return {**accesses_of(setup, streamed), **cost_of(setup, seconds), **adaptation_of(setup)}
