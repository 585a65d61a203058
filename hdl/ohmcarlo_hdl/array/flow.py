"""A stream without back-pressure: whoever asked for what comes has room for it."""

from __future__ import annotations

from amaranth.hdl import ShapeLike
from amaranth.lib import wiring
from amaranth.lib.wiring import Out


def flow(shape: ShapeLike) -> wiring.Signature:
    """``payload`` counts in every clock in which ``valid`` is high."""
    return wiring.Signature({"valid": Out(1), "payload": Out(shape)})
