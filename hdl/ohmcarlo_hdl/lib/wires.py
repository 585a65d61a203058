"""Connections of many ports by their names."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from amaranth import Module
from amaranth.hdl import ValueLike
from amaranth.lib import wiring
from amaranth.lib.wiring import Flow


def drive(m: Module, sink: Any, values: Mapping[str, ValueLike]) -> None:
    """Drive the ports of ``sink`` that ``values`` names."""
    for name, value in values.items():
        m.d.comb += getattr(sink, name).eq(value)


def drive_from(m: Module, sink: Any, source: Any, names: Iterable[str], prefix: str = "") -> None:
    """Drive each of the ports ``names`` of ``sink`` from ``source``'s port ``prefix`` + name."""
    for name in names:
        m.d.comb += getattr(sink, name).eq(getattr(source, prefix + name))


def forward(
    m: Module,
    outer: wiring.Component,
    inner: wiring.Component,
    *,
    without: Collection[str] = (),
) -> None:
    """Give ``outer``, a component under elaboration, the ports of the same names of ``inner``.

    Ports of ``outer`` that are named in ``without`` are left to the caller.
    """
    for name, member in outer.signature.members.items():
        if name in without:
            continue
        ours, theirs = getattr(outer, name), getattr(inner, name)
        if not member.is_port:
            wiring.connect(m, theirs, wiring.flipped(ours))
        elif member.flow is Flow.In:
            m.d.comb += theirs.eq(ours)
        else:
            m.d.comb += ours.eq(theirs)
