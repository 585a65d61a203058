"""Registers of the progress of a run, set by the state machine."""

from __future__ import annotations

from typing import Any

from amaranth import Module, Mux, Signal, Value, unsigned
from amaranth.lib import enum


class Phase(enum.Enum, shape=unsigned(2)):  # type: ignore[call-arg]
    """Purpose of the proposals."""

    START_UP = 0
    """Health tests of the coin over two clean windows."""
    FIRST = 1
    """The first sample of every region that has none."""
    STEP = 2
    """Metropolis-Hastings steps."""


class Progress:
    """Registers of the progress of a run.

    Attributes
    ----------
    phase : Signal(Phase)
    stepping : Signal
        The phase is STEP.
    initialised : Signal
        The row groups were initialised since the last reset.
    sample_issued, next_issued : Signal
        The orders of the sample, and of the next step's coin, were issued.
    allow_coin, allow_sample, hold_dots : Signal
        Permissions of the programmer and the arbiter. They are registers because the path from
        them to the array is long.
    declining, deciding : Signal
        The states TURN DOWN and DECISION, as registers because much logic depends on them.
    preparing : Signal
        The next step's coin may be prepared.
    """

    def __init__(self) -> None:
        self.phase: Any = Signal(Phase)
        self.stepping = Signal()
        self.initialised = Signal()
        self.sample_issued = Signal()
        self.next_issued = Signal()
        self.allow_coin = Signal()
        self.allow_sample = Signal()
        self.hold_dots = Signal()
        self.declining = Signal()
        self.deciding = Signal()
        self.preparing = Signal()


class Rounds:
    """Counts rounds over the regions, and finds the wide ones.

    Twin: ``ohmcarlo.golden.chain.count_round``, and the choice in ``proposal.step_rho``.

    Parameters
    ----------
    m : Module
        The module that holds the logic.
    wide_every : Signal
        Every so many rounds, one is wide; 0: none.
    round_ends : Value
        The last region's step ends.

    Attributes
    ----------
    number : Signal
        Rounds since the last wide one.
    wide : Signal
        The present round is wide; valid two clocks after ``round_ends``.
    """

    def __init__(self, m: Module, wide_every: Signal, round_ends: Value) -> None:
        self.number = number = Signal.like(wide_every)
        self.wide = Signal()
        last = Signal()
        m.d.comb += last.eq(number + 1 >= wide_every)
        m.d.sync += self.wide.eq(last & (wide_every != 0))
        with m.If(round_ends):
            m.d.sync += number.eq(Mux(last, 0, number + 1))


class StepCount:
    """Counts the steps of a run.

    Parameters
    ----------
    m : Module
        The module that holds the logic.
    status : interface of StepStatus
        Its ``steps_done`` is driven.
    step_ends, halt : Signal
        A step ends; the run is to end after its step.

    Attributes
    ----------
    none_left : Signal
        No step of the run is left. The end of a step sets it.
    last_step : Signal
        The step in progress is the last one.
    halting : Signal
        ``halt`` was given.
    more_to_come : Signal
        Another step follows the one in progress.
    """

    def __init__(self, m: Module, status: Any, step_ends: Signal, halt: Signal) -> None:
        self._steps_done = status.steps_done
        self.remaining = remaining = Signal(32)
        self.last_step = Signal()
        self.none_left = Signal()
        self.halting = Signal()
        self.more_to_come = Signal()
        step_over = Signal()  # a step ended in the clock before
        m.d.sync += [self.last_step.eq(remaining <= 1), step_over.eq(step_ends)]
        with m.If(step_over):
            m.d.sync += [
                remaining.eq(remaining - 1),
                self._steps_done.eq(self._steps_done + 1),
            ]
        m.d.comb += self.more_to_come.eq(~self.last_step & ~self.halting)
        with m.If(halt):
            m.d.sync += self.halting.eq(1)

    def begin(self, steps: Signal) -> list[Any]:
        """Statements of the sync domain: a run of ``steps`` steps begins."""
        return [
            self.remaining.eq(steps),
            self.none_left.eq(steps == 0),
            self._steps_done.eq(0),
        ]
