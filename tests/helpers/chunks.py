"""The chunks of a run, as a resume reads them."""

from __future__ import annotations

from ohmcarlo.boards import Block


class Chunks(list[Block]):
    """A ``folder.Taker`` that keeps all of them."""

    def add(self, block: Block) -> None:
        self.append(block)
