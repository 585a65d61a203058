"""The boards of a run that has several."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...pages.content import Section, Table
from ...readable import first_few, si
from .link import REPAIRS

HEADER = (
    "board", "backend", "chains", "energy", "min-entropy", "alarms", "rows out of service",
    "clocks", "link",
)  # fmt: skip


@dataclass(frozen=True)
class BoardPart:
    """One of several boards.

    Attributes
    ----------
    number : int
    name : str
        Its backend.
    first_chain : int
        Number of its first chain in the run.
    """

    number: int
    name: str
    first_chain: int

    def wear(
        self, wear: NDArray[np.integer[Any]] | None, rows: int
    ) -> NDArray[np.integer[Any]] | None:
        """Its part of the wear of all arrays; each array has ``rows`` rows."""
        return None if wear is None else wear[self.number * rows : (self.number + 1) * rows]


def parts_of(values: Mapping[str, Any]) -> Iterator[tuple[BoardPart, dict[str, Any]]]:
    """Each board of a result, with the values of a run that had its chains alone; nothing for a run
    on one board. ``rows.wear`` of such values would be that of all arrays, so they have none."""
    shared = {name: value for name, value in values.items() if name not in ("wear", "boards")}
    for number, own in enumerate(values.get("boards") or ()):
        part = BoardPart(number, str(own["backend"]), int(own["chains"][0]))
        count = {"chains": len(own["chains"]), "retired_rows": own["retired_rows"]}
        yield part, shared | count


def boards_section(values: Mapping[str, Any]) -> Section | None:
    """A table of the boards of a result; None for a run on one board."""
    boards = values.get("boards")
    if not boards:
        return None
    return Section(
        "boards",
        "Boards",
        sentences=(
            "Each board has an array of its own and an equal share of the chains. Other sections "
            "show the sum of the energies, and coin and link of all boards together.",
        ),
        tables=(Table(HEADER, tuple(_row(i, board) for i, board in enumerate(boards))),),
    )


def _row(number: int, board: Mapping[str, Any]) -> tuple[str, ...]:
    coin, retired = board["entropy"], board["retired_rows"]
    clocks = "none" if board["clock_cycles"] is None else f"{board['clock_cycles']:,}"
    return (
        str(number),
        str(board["backend"]),
        first_few(board["chains"]),
        si(board["energy_joules"], "J"),
        f"{coin['min_entropy']:.3f}",
        str(coin["alarms"]),
        first_few(retired) if retired else "none",
        clocks,
        _link(board["link"]),
    )


def _link(statistics: Mapping[str, int] | None) -> str:
    if statistics is None:
        return "none"
    repairs = sum(statistics[name] for name in REPAIRS if name in statistics)
    return f"{repairs:,} repairs" if repairs else "no repair"
