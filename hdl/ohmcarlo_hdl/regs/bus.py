"""The bus from software to registers and memory windows."""

from __future__ import annotations

from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out


class Bus(wiring.Signature):
    """A register bus: one access per clock, no wait states.

    A read is pipelined over ``LATENCY`` clocks. A write and a read in the same clock are allowed:
    the read gives the new value of a register, and ``error`` belongs to both.

    Attributes
    ----------
    addr : Out(addr_width)
        Address of a 32-bit word.
    w_stb : Out(1)
        Write ``w_data``.
    w_data : Out(32)
        The word to write.
    r_stb : Out(1)
        Read a word.
    r_data : In(32)
        The word, ``LATENCY`` clocks after ``r_stb``; 0 if ``error`` is high.
    error : In(1)
        ``LATENCY`` clocks after ``w_stb``: no register or window can be written there; after
        ``r_stb``: none can be read there. Low in all other clocks.
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
                "error": In(1),
            }
        )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Bus) and self.addr_width == other.addr_width

    def __repr__(self) -> str:
        return f"Bus({self.addr_width})"
