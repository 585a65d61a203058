"""Memory windows: how software loads tables and data, and looks at state; 32-bit words."""

from __future__ import annotations

from typing import Any

from amaranth import Module, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out


class Window(wiring.Signature):
    """Write port of a memory window.

    ``addr`` counts 32-bit words within the window. A word is taken whenever ``stb`` is high; there
    is no back-pressure, since nothing uses a table while it is loaded.
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

    Writing is as in ``Window``. A clock with ``r_stb`` high asks for the word ``r_addr``, whose
    ``r_data`` is looked at in the next clock; a word that is written in the same clock, or in the
    one before (``LateWrite``), may be the old or the new one. A window that is only read never
    sees ``stb``.
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

    For memories that are not read so soon: the way to the port may be long, and where a family's
    memories cannot show the old word while they are written, logic that compares addresses follows.
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
    """Give ``window`` the ports of a memory that serve others at other times.

    ``read`` must be enabled; it and ``write`` are the window's in the clocks of its strobes. The
    memory's words are the bits of the window's from ``low`` on. To be called after the other uses.
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
