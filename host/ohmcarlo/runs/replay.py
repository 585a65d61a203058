"""Steps since the last read of a board's state: the model makes them again.

The state of a board takes time to read. Most of its checkpoints therefore hold the stream up to
the present and the state of an earlier step, or none: the start. An emulated array has the same
chain on every board, so that the model makes the steps between the two again, faster than the
board, and arrives at the state that the board had. The steps are compared with those that the
board streamed.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..array.emulated import EmulatedArray
from ..boards import Block, Board, ModelBoard
from ..datasets import hardest_first
from ..errors import OhmcarloError
from ..golden import terms
from .setup import ChainSetup

ORDER_AT = (100, 200, 400)  # steps after which the points are sorted again, hardest first
MOST_AT_ONCE = 2000
"""Steps between two reports."""
OF_SAMPLES = ("codes", "multiplicity", "sample_chain")
COMPARED = ("accepted", "log_posterior", "chain", *OF_SAMPLES)


def next_stop(steps: int, total: int) -> int:
    """The step after ``steps`` at which a block must end."""
    return min(s for s in (*ORDER_AT, total) if s > steps)


def sort_points(setup: ChainSetup, board: Board, steps: int) -> None:
    """After ``ORDER_AT`` steps, visit the points first whose terms are the largest under the
    current samples of the board. Streamed points keep their places."""
    if steps not in ORDER_AT or not len(setup.points):
        return
    codes, _, _ = board.current()
    together = np.sum([terms(setup.registers, setup.points, sample) for sample in codes], axis=0)
    count = len(setup.points)
    streamed = setup.board.streamed
    resident = count if streamed is None else streamed.resident
    order = hardest_first(together[:resident])
    board.set_order(np.concatenate([order, np.arange(resident, count)]).astype(order.dtype))


def can_replay(setup: ChainSetup) -> bool:
    """Whether the model has the chain of the board."""
    return isinstance(setup.array, EmulatedArray)


def replayed(
    setup: ChainSetup,
    state: Mapping[str, NDArray[Any]],
    first: int,
    last: int,
    streamed: Block,
    begin: Mapping[str, NDArray[Any]] = MappingProxyType({}),
    made: Callable[[int], None] = lambda steps: None,
) -> dict[str, NDArray[Any]]:
    """The state after step ``last`` of every chain.

    Parameters
    ----------
    state : dict
        Of the board after step ``first``; empty: before the start.
    streamed : Block
        What the board streamed. It ends with the steps ``first`` to ``last``.
    begin : dict
        Of the board before the start, if it is not that of a new array.
    made : callable
        Called with the number of steps made so far.

    Raises OhmcarloError when the model makes other steps than the board.
    """
    model = ModelBoard(copy.deepcopy(setup.array))
    model.configure(setup.registers, setup.points, setup.judge)
    if state:
        model.load_state_dict(dict(state))
    else:
        if begin:
            model.load_state_dict(dict(begin))
        model.start()
    steps = first
    while steps < last:
        wanted = min(next_stop(steps, last) - steps, MOST_AT_ONCE)
        block = model.run(wanted)
        steps += wanted
        _compare(block, streamed, setup, last - steps)
        sort_points(setup, model, steps)
        made(steps - first)
    return model.state_dict()


def _compare(made: Block, streamed: Block, setup: ChainSetup, after: int) -> None:
    """Compare a block with the stream; ``after`` steps of every chain come after it."""
    end = len(streamed.accepted) - after * setup.config.chains
    begin = max(end - len(made.accepted), 0)
    retired = np.concatenate([[0], np.cumsum(streamed.accepted)])
    steps, samples = slice(begin, end), slice(retired[begin], retired[end])
    differ = [
        name
        for name in COMPARED
        if not np.array_equal(
            getattr(made, name), getattr(streamed, name)[samples if name in OF_SAMPLES else steps]
        )
    ]
    if differ:
        raise OhmcarloError(
            f"the board made other steps than the model ({', '.join(differ)}): check it with "
            "`ohmcarlo selftest`, and train again, with another --out"
        )
