"""A stream without back-pressure: the requester reserves space for every item."""

from __future__ import annotations

from amaranth.hdl import ShapeLike
from amaranth.lib import wiring
from amaranth.lib.wiring import Out


def flow(shape: ShapeLike) -> wiring.Signature:
    """Each clock with ``valid`` high transfers ``payload``."""
    return wiring.Signature({"valid": Out(1), "payload": Out(shape)})
