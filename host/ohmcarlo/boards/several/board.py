"""Several boards behind the interface of one."""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from ...array.base import Ledger
from ...errors import OhmcarloError, UsageError
from ...golden import EpisodeLikelihood, Registers, Thresholds, Triage
from ...spec import Points
from ..base import Block, Board, BoardLost
from ..streamed import Streamed
from .merging import OwnTables, merged, sum_of_ledgers

T = TypeVar("T")
MOST_CHAINS = 256
"""Numbers of chains are bytes."""


class SeveralBoards:
    """``Board`` of several members, which work at the same time.

    Each member has an array of its own and an equal share of the chains. The first chains are those
    of the first member. The output does not depend on the speed of the members.

    Parameters
    ----------
    members : sequence of Board
    places : sequence
        What each member works on. Members with the same place work one after the other.

    Attributes
    ----------
    geometry : Geometry
        Of the array of each member, and of its chains.
    lost : set of int
        Members that were lost in ``together``.

    Examples
    --------
    >>> import numpy as np
    >>> from ohmcarlo.array import EmulatedArray
    >>> from ohmcarlo.boards import open_board
    >>> from ohmcarlo.boards.several.board import SeveralBoards
    >>> from ohmcarlo.golden import SamplerSettings
    >>> from ohmcarlo.spec import Geometry, Points
    >>> inputs = np.array([[32, 32], [-32, 32], [48, 32], [-48, 32]], np.int8)  # 32 is 1.0
    >>> points = Points.of(inputs, np.array([1, 0, 1, 0], np.uint8))
    >>> arrays = [EmulatedArray(Geometry(rows=16, pairs=8), seed=seed) for seed in (1, 2)]
    >>> registers = SamplerSettings().registers(arrays[0].geometry, 2, arrays[0].sigma_us)
    >>> board = SeveralBoards([open_board("model", array) for array in arrays])
    >>> board.configure(registers, points)
    >>> board.start()
    >>> block = board.run(100)
    >>> block.chain[:4].tolist(), len(block.accepted)
    ([0, 1, 0, 1], 200)
    >>> board.close()
    """

    def __init__(self, members: Sequence[Board], places: Sequence[Hashable] = ()) -> None:
        self.members = tuple(members)
        self.places = tuple(places) or tuple(range(len(self.members)))
        self.geometry = self.members[0].geometry
        self.lost: set[int] = set()
        self.name = ",".join(member.name for member in self.members)
        self.pseudo_random = any(member.pseudo_random for member in self.members)
        common = set.intersection(*(set(member.dot_products) for member in self.members))
        self.dot_products = tuple(d for d in self.members[0].dot_products if d in common)
        self._tables: tuple[OwnTables, ...] | None = None
        self._registers: Registers | None = None
        chains = len(self.members) * self.geometry.regions
        if chains > MOST_CHAINS:
            raise UsageError(
                f"{len(self.members)} boards with {self.geometry.regions} chains each have "
                f"{chains} chains: choose at most {MOST_CHAINS} chains"
            )

    # -- what the members have in common ---------------------------------------------------------

    @property
    def streamed(self) -> Streamed | None:
        """Of the member that streams most."""
        found = [member.streamed for member in self.members]
        return max((s for s in found if s is not None), key=lambda s: s.words, default=None)

    @property
    def clock_hz(self) -> int | None:
        """The clock of all members; None if they have none, or different ones."""
        found = {member.clock_hz for member in self.members}
        return found.pop() if len(found) == 1 else None

    def clock_cycles(self) -> int | None:
        """Of the member that took most."""
        if self.clock_hz is None:
            return None
        return max(cycles for m in self.members if (cycles := m.clock_cycles()) is not None)

    def identify(self) -> dict[str, Any]:
        own = [member.identify() for member in self.members]
        common = {k: v for k, v in own[0].items() if all(o.get(k) == v for o in own)}
        return common | {"backend": self.name, "boards": own}

    # -- work ------------------------------------------------------------------------------------

    def together(self, work: Callable[[int, Board], T]) -> list[T]:
        """``work(number, member)`` of all members at the same time; the results in their order.

        Raises the error of the first member that has one, after all members have ended.
        """

        def named(i: int) -> T:
            try:
                return work(i, self.members[i])
            except OhmcarloError as error:
                if isinstance(error, BoardLost):
                    self.lost.add(i)
                error.args = (f"board {i}, {self.members[i].name}: {error}", *error.args[1:])
                raise

        groups = [
            [i for i, own in enumerate(self.places) if own == place]
            for place in dict.fromkeys(self.places)
        ]
        if len(groups) == 1:
            return [named(i) for i in groups[0]]
        pool = ThreadPoolExecutor(len(groups))
        try:
            futures = [pool.submit(lambda g: [named(i) for i in g], group) for group in groups]
            wait(futures)
        finally:  # after Ctrl-C, `close` ends what the members still do
            pool.shutdown(wait=False)
        found: dict[int, T] = {}
        for group, future in zip(groups, futures, strict=True):
            found |= zip(group, future.result(), strict=True)
        return [found[i] for i in range(len(self.members))]

    def left(self, failed: Collection[int]) -> str | None:
        """The backend of the places where no member failed; None if all or none did."""
        away = {self.places[i] for i in failed}
        members = zip(self.places, self.members, strict=True)
        names = {place: member.name for place, member in members if place not in away}
        return ",".join(names.values()) if away and names else None

    def take_tables(self, tables: Sequence[OwnTables]) -> None:
        """Use these tables for the members, in all later calls of ``configure`` and ``reload``."""
        self._tables = tuple(tables)

    def registers_of(self, number: int, registers: Registers) -> Registers:
        """The registers of a member: the common ones, with the tables of its array."""
        return registers if self._tables is None else self._tables[number].within(registers)

    def configure(
        self, registers: Registers, points: Points, judge: EpisodeLikelihood | None = None
    ) -> None:
        self.together(lambda i, m: m.configure(self.registers_of(i, registers), points, judge))
        self._registers, self.geometry = registers, registers.geometry

    def reload(self, registers: Registers, points: Points) -> None:
        self.together(lambda i, m: m.reload(self.registers_of(i, registers), points))
        self._registers = registers

    def start(self) -> None:
        self.together(lambda _, m: m.start())

    def run(self, steps: int) -> Block:
        return merged(self.together(lambda _, m: m.run(steps)), self.geometry.regions)

    def current(self) -> tuple[NDArray[np.uint16], NDArray[np.int32], NDArray[np.int64]]:
        codes, multiplicity, levels = zip(*self.together(lambda _, m: m.current()), strict=True)
        return np.concatenate(codes), np.concatenate(multiplicity), np.concatenate(levels)

    def set_order(self, order: NDArray[np.int32]) -> None:
        self.together(lambda _, m: m.set_order(order))

    def predict(self, points: Points) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Over the samples held in all arrays; each array counts equally."""
        found = self.together(lambda _, m: m.predict(points))
        means = np.array([mean for mean, _ in found])
        squares = np.array([variance for _, variance in found]) + means**2
        mean = means.mean(axis=0)
        return mean, np.maximum(squares.mean(axis=0) - mean**2, 0.0)

    def triage(self, points: Points, thresholds: Thresholds) -> Triage:
        raise UsageError("a triage takes place on one board: name one")

    # -- status ----------------------------------------------------------------------------------

    @property
    def ledger(self) -> Ledger:
        """The counts of all members; rows of the first member come first in its ``wear``."""
        return sum_of_ledgers(self.together(lambda _, m: m.ledger), self.geometry)

    def entropy(self) -> dict[str, Any]:
        """The smallest min-entropy of a member, and the sums of their alarms and raw bits."""
        own = self.together(lambda _, m: m.entropy())
        return {
            "min_entropy": min(e["min_entropy"] for e in own),
            "alarms": sum(e["alarms"] for e in own),
            "raw_bits": sum(e["raw_bits"] for e in own),
        }

    def link_statistics(self) -> dict[str, int] | None:
        """Sums over the members that have a link."""
        own = [s for s in self.together(lambda _, m: m.link_statistics()) if s is not None]
        return {name: sum(s[name] for s in own) for name in own[0]} if own else None

    def retired_rows(self) -> list[int]:
        """The rows of the second member are counted on after those of the first, and so on."""
        own = self.together(lambda _, m: m.retired_rows())
        return [i * self.geometry.rows + row for i, rows in enumerate(own) for row in rows]

    def state_dict(self) -> dict[str, NDArray[Any]]:
        return _joined(self.together(lambda _, m: m.state_dict()))

    def counters(self) -> dict[str, NDArray[Any]]:
        return _joined(self.together(lambda _, m: m.counters()))

    def load_state_dict(self, state: Mapping[str, NDArray[Any]]) -> None:
        self.together(lambda i, m: m.load_state_dict(state_of_member(state, i)))

    def close(self) -> None:
        """Release all members, even if one of them fails."""
        errors = []
        for member in self.members:
            try:
                member.close()
            except Exception as error:
                errors.append(error)
        if errors:
            raise errors[0]


def state_of_member(state: Mapping[str, NDArray[Any]], number: int) -> dict[str, NDArray[Any]]:
    """A member's part of the ``state_dict`` of several boards."""
    prefix = _prefix(number)
    return {n.removeprefix(prefix): v for n, v in state.items() if n.startswith(prefix)}


def _joined(states: Sequence[Mapping[str, NDArray[Any]]]) -> dict[str, NDArray[Any]]:
    return {_prefix(i) + n: v for i, own in enumerate(states) for n, v in own.items()}


def _prefix(number: int) -> str:
    return f"board{number}."
