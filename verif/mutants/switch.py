"""Switchable mutants: planted bugs in one build of a block, each behind a value of an input."""

from __future__ import annotations

import types
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from amaranth import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In

from ohmcarlo_hdl.lib.wires import forward
from verif.harness.verilog import verilog_of

from .source import mutant, planted

INPUT = "mutant"
"""Input of a ``Switched`` block: the number of the mutant that is on, or 0."""


@dataclass(frozen=True)
class Mutant:
    """A planted bug: an expression ``old`` in the source of ``module`` becomes ``new``.

    Attributes
    ----------
    name : str
        What the mutant does wrong.
    module : module
        A module of the hardware.
    old, new : str
        Source before and after; ``old`` occurs once in the module. Both are expressions of values,
        or ``new`` contains ``{on}``, which is high while the mutant is on.
    tests : str
        The cocotb tests of the bed that must fail, separated by ``|``; one of them is enough.
    """

    name: str
    module: types.ModuleType
    old: str
    new: str
    tests: str


class Switched(wiring.Component):
    """``inner`` with a further input ``mutant``, which drives ``select``."""

    def __init__(self, inner: wiring.Component, select: Signal) -> None:
        self.inner, self.select = inner, select
        super().__init__({**inner.signature.members, INPUT: In(len(select))})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.inner = self.inner
        forward(m, self, self.inner, without={INPUT})
        m.d.comb += self.select.eq(getattr(self, INPUT))
        return m


def switched_verilog(
    make: Callable[[], wiring.Component], mutants: Sequence[Mutant], name: str = "dut"
) -> str:
    """Verilog of ``make()`` with all of ``mutants``: number i of them, from 1 on, is on while the
    input ``mutant`` is i."""
    select = Signal(range(len(mutants) + 1), name="selected_mutant")
    on = {i: select == i for i in range(1, len(mutants) + 1)}
    changes: dict[types.ModuleType, dict[str, str]] = {}
    for i, bug in enumerate(mutants, 1):
        of_module = changes.setdefault(bug.module, {})
        if "{on}" in bug.new:
            if bug.old in of_module:
                raise ValueError(f"{bug.old!r} has another mutant: choose a longer text")
            of_module[bug.old] = bug.new.replace("{on}", f"ON[{i}]")
        else:  # several mutants of one expression are nested
            of_module[bug.old] = f"Mux(ON[{i}], {bug.new}, {of_module.get(bug.old, bug.old)})"
    with ExitStack() as stack:
        for module, replacements in changes.items():
            broken = mutant(module, replacements, Mux=Mux, ON=on)
            stack.enter_context(planted(broken, module))
        return verilog_of(Switched(make(), select), name)
