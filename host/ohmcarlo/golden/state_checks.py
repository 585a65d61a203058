"""Checks of a state from a checkpoint, before compiled code or a board works with it.

A state between two steps has these invariants: every row group is free, retired, current or out of
service, exactly one of them; a group holds a sample exactly if it is retired; rings lie inside
their memory.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..array.checks import COUNT_MAX, check_array
from ..errors import UsageError
from ..spec import (
    ACC_MAX,
    APT_WINDOW,
    CODE_MAX,
    COIN_BITS,
    DAC_MAX,
    FOLD_MAX,
    SYMBOL_BITS,
    WIDE_EVERY_MAX,
    Geometry,
)
from .machine import (
    ALARM,
    APT_FIRST,
    APT_MATCHES,
    APT_SEEN,
    COIN_READY,
    FOLD_SEEN,
    FOLDED,
    NO_BIT,
    RCT_LAST,
    ROUND,
    TURN,
    WORD,
    WORD_BITS,
    build_state,
)
from .registers import Registers

StateDict = Mapping[str, NDArray[Any]]
Limits = tuple[float, float]

COUNTS: Limits = (0, COUNT_MAX)
MULTIPLICITY_MAX = (1 << 31) - 1  # of a streamed sample
SCALAR_MAX = {  # of State.scalars; the others are counts
    RCT_LAST: NO_BIT,
    APT_FIRST: 1,
    APT_SEEN: APT_WINDOW,
    APT_MATCHES: APT_WINDOW,
    ALARM: 1,
    WORD: (1 << COIN_BITS) - 1,
    WORD_BITS: COIN_BITS,
    COIN_READY: 1,
    ROUND: WIDE_EVERY_MAX - 1,
    FOLDED: (1 << SYMBOL_BITS) - 1,
    FOLD_SEEN: FOLD_MAX - 1,
}


def check_state(state: StateDict, registers: Registers) -> None:
    """Raise UsageError unless ``state`` is one that a chain with these registers can have.

    ``state`` has the names of ``State``.
    """
    like = build_state(registers)
    limits = _limits(registers)
    for name, own in like._asdict().items():
        check_array(state, name, own, *limits.get(name, COUNTS))
    for place, value in enumerate(state["scalars"]):
        most = registers.geometry.regions - 1 if place == TURN else SCALAR_MAX.get(place, COUNT_MAX)
        if value > most:
            raise UsageError(f"the checkpoint's scalars have {value} at {place}, at most {most}")
    _check_rows(state, registers.geometry)


def check_order(order: NDArray[Any], points: int) -> None:
    """Raise UsageError unless ``order`` names every point once."""
    if not np.issubdtype(order.dtype, np.integer) or not np.array_equal(
        np.sort(order), np.arange(points)
    ):
        raise UsageError("the order table must name every point once")


def _limits(registers: Registers) -> dict[str, Limits]:
    """Limits of the arrays of ``State`` that are not counts."""
    g = registers.geometry
    return {
        "codes": (0, CODE_MAX),
        "group": (-1, g.groups - 1),
        "multiplicity": (0, MULTIPLICITY_MAX),
        "loglik": (-ACC_MAX - 1, ACC_MAX),
        "prior": (-ACC_MAX - 1, ACC_MAX),
        "free": (0, g.groups - 1),
        "free_head": (0, g.region_groups - 1),
        "free_count": (0, g.region_groups),
        "retired": (0, g.groups - 1),
        "retired_head": (0, g.region_groups - 1),
        "retired_count": (0, g.region_groups),
        "held": (0, MULTIPLICITY_MAX),
        "failures": (0, registers.retries),
        "symbol_last": (-1, (1 << SYMBOL_BITS) - 1),
        "proposed": (0, CODE_MAX),
        "dac": (0, DAC_MAX),
        "coin_dac": (0, DAC_MAX),
        "coin_codes": (0, CODE_MAX),
    }


def _check_rows(state: StateDict, g: Geometry) -> None:
    """The invariants of the row groups."""
    for region in range(g.regions):
        first = region * g.region_groups
        own = range(first, first + g.region_groups)
        retired = _ring(state, "retired", region, g)
        current = [group for group in (int(state["group"][region]),) if group >= 0]
        bad = first + np.flatnonzero(state["bad"][own.start : own.stop])
        places = np.concatenate([_ring(state, "free", region, g), retired, current, bad])
        if not np.array_equal(np.sort(places), own):
            raise UsageError(
                f"the checkpoint's row groups of chain {region} do not add up: each must be free, "
                "retired, current or out of service, and only one of them"
            )
        holds = first + np.flatnonzero(state["held"][own.start : own.stop])
        if not np.array_equal(np.sort(retired), holds):
            raise UsageError(
                f"the checkpoint's samples of chain {region} are in other row groups than those "
                "that it retired"
            )
        if current and not state["multiplicity"][region]:
            raise UsageError(f"the checkpoint's sample of chain {region} was never current")


def _ring(state: StateDict, name: str, region: int, g: Geometry) -> NDArray[Any]:
    """Row groups in a ring of a region, head first."""
    head, count = (int(state[f"{name}_{part}"][region]) for part in ("head", "count"))
    groups: NDArray[Any] = state[name][region, (head + np.arange(count)) % g.region_groups]
    return groups
