"""How software reaches registers and memory windows."""

from __future__ import annotations

from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out


class Bus(wiring.Signature):
    """A register bus, as its initiator sees it: one access a clock, no waiting.

    ``addr`` counts 32-bit words. A clock with ``w_stb`` high writes ``w_data``; one with ``r_stb``
    high reads, and ``r_data`` is valid ``LATENCY`` clocks later. Both at once is allowed: the read
    sees a register's new value.
    """

    LATENCY = 5

    def __init__(self, addr_width: int) -> None:
        self.addr_width = addr_width
        super().__init__(
            {
                "addr": Out(addr_width),
                "w_stb": Out(1),
                "w_data": Out(32),
                "r_stb": Out(1),
                "r_data": In(32),
            }
        )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Bus) and self.addr_width == other.addr_width

    def __repr__(self) -> str:
        return f"Bus({self.addr_width})"
