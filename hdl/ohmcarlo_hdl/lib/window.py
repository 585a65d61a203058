"""Memory windows: software loads tables and data, and reads state; 32-bit words."""

from __future__ import annotations

from typing import Any

from amaranth import Module, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out


class Window(wiring.Signature):
    """Write port of a memory window.

    There is no back-pressure, because nothing uses a table while it is loaded.

    Attributes
    ----------
    stb : Out(1)
        Write a word.
    addr : Out(addr_width)
        Its place in the window, in 32-bit words.
    data : Out(32)
        The word.
    """

    def __init__(self, addr_width: int) -> None:
        self.addr_width = addr_width
        super().__init__({"stb": Out(1), "addr": Out(addr_width), "data": Out(32)})

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Window) and self.addr_width == other.addr_width

    def __repr__(self) -> str:
        return f"Window({self.addr_width})"


class Access(wiring.Signature):
    """Write and read port of a memory window that software can read.

    A read of a word that is written in the same clock, or in the one before (``LateWrite``), may
    give the old or the new word. ``stb`` of a read-only window is always low.

    Attributes
    ----------
    stb : Out(1)
        Write a word.
    addr : Out(addr_width)
        Its place in the window, in 32-bit words.
    data : Out(32)
        The word.
    r_stb : Out(1)
        Read a word.
    r_addr : Out(addr_width)
        Its place in the window.
    r_data : In(32)
        The word, in the next clock.
    """

    def __init__(self, addr_width: int) -> None:
        self.addr_width = addr_width
        super().__init__(
            {
                "stb": Out(1),
                "addr": Out(addr_width),
                "data": Out(32),
                "r_stb": Out(1),
                "r_addr": Out(addr_width),
                "r_data": In(32),
            }
        )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Access) and self.addr_width == other.addr_width

    def __repr__(self) -> str:
        return f"Access({self.addr_width})"


class LateWrite:
    """A memory's write port, with a register before it: a word is written a clock later.

    For memories whose words are not read in the next clock: the path to the port may be long, and
    transparent memories of some families need logic that compares addresses.
    """

    def __init__(self, m: Module, port: Any) -> None:
        self.en = Signal.like(port.en)
        self.addr = Signal.like(port.addr)
        self.data: Any = Signal(port.signature.members["data"].shape)
        m.d.sync += [
            port.en.eq(self.en),
            port.addr.eq(self.addr),
            port.data.eq(self.data),
        ]


def attach(m: Module, window: Any, read: Any, write: Any, low: int = 0) -> None:
    """Connect ``window`` to ports of a memory that other logic uses at other times.

    The window uses ``read``, which must be enabled, and ``write`` in the clocks of its strobes. The
    words of the memory are the bits from ``low`` on of the window's words. Call it after the other
    uses of the ports.
    """
    with m.If(window.r_stb):
        m.d.comb += read.addr.eq(window.r_addr)
    with m.If(window.stb):
        m.d.comb += [
            write.en.eq(1),
            write.addr.eq(window.addr),
            Value.cast(write.data).eq(window.data[low:]),
        ]
    held = Value.cast(read.data)
    m.d.comb += window.r_data[low : low + len(held)].eq(held)
