"""Memory windows: how the host loads tables and data, one 32-bit word a clock, write only."""

from __future__ import annotations

from amaranth.lib import wiring
from amaranth.lib.wiring import Out


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
