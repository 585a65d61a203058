"""The clocks of a stream's transfers."""

from __future__ import annotations

from typing import Any

from .streams import Clocked


class Transfers:
    """A part of ``bench`` that records the clock of every transfer on the stream ``name``."""

    def __init__(self, bench: Clocked, name: str) -> None:
        self.bench = bench
        self.valid: Any = getattr(bench.dut, f"{name}__valid")
        self.ready: Any = getattr(bench.dut, f"{name}__ready")
        self.clocks: list[int] = []
        bench.parts.append(self)

    def tick(self) -> None:
        if int(self.valid.value) and int(self.ready.value):
            self.clocks.append(self.bench.cycle)
