"""A stream without back-pressure. The requester must reserve space for every response."""

from __future__ import annotations

from amaranth.hdl import ShapeLike
from amaranth.lib import wiring
from amaranth.lib.wiring import Out


def flow(shape: ShapeLike) -> wiring.Signature:
    """``payload`` is an item in every clock in which ``valid`` is high."""
    return wiring.Signature({"valid": Out(1), "payload": Out(shape)})
