"""Named assertions, assumptions and cover points of a proof."""

from __future__ import annotations

import re
from collections.abc import Container

from amaranth import Module, Value
from amaranth.back import rtlil
from amaranth.hdl import Assert, Assume, Cover, ValueLike
from amaranth.lib import wiring

CELL = re.compile(r"cell \$check \S+\n((?:\s+(?:parameter|connect) .*\n)*)")
NAME = re.compile(r'parameter \\FORMAT "([\w.]+)')


class Checks:
    """Adds properties to ``m``. The name ``group.what`` identifies a property in a failed proof.

    ``keep``: assertions to add, by name or by group (None: all).
    """

    def __init__(self, m: Module, keep: Container[str] | None = None) -> None:
        self.m = m
        self.keep = keep
        self.names: list[str] = []
        self.covers: list[str] = []

    def always(self, name: str, test: ValueLike) -> None:
        """``test`` holds in every clock."""
        if self.keep is None or name in self.keep or name.split(".")[0] in self.keep:
            assert name not in self.names, f"two assertions are called {name}"
            self.names.append(name)
            self.m.d.comb += Assert(Value.cast(test).bool(), name)

    def implies(self, name: str, condition: ValueLike, test: ValueLike) -> None:
        self.always(name, ~Value.cast(condition).bool() | Value.cast(test).bool())

    def assume(self, test: ValueLike) -> None:
        """The environment guarantees that ``test`` holds in every clock."""
        self.m.d.comb += Assume(Value.cast(test).bool())

    def cover(self, name: str, test: ValueLike) -> None:
        """``test`` must be reachable."""
        self.covers.append(name)
        self.m.d.comb += Cover(Value.cast(test).bool(), name)


def rtlil_of(component: wiring.Component) -> str:
    """RTLIL (module ``top``) in which the cell of a property has the property's name."""

    def named(cell: re.Match[str]) -> str:
        name = NAME.search(cell[0])
        return re.sub(r"\$check \S+", rf"$check \\{name[1]}", cell[0], count=1) if name else cell[0]

    return CELL.sub(named, str(rtlil.convert(component, name="top", emit_src=False)))
