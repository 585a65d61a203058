"""Connections of a controller's blocks with each other and with the register bank.

``Core`` and ``BitSerialCore`` have the same blocks in two forms. This module holds the connections
that both share.
"""

from __future__ import annotations

from typing import Any

from amaranth import Module, Signal

from ohmcarlo.spec.link import Reason

from ..lib.wires import drive, drive_from

KERNEL = ("mid", "lo", "hi")
VALID = ("valid_lo", "valid_hi")


def latched_fault(m: Module, sequencer: Any, command: Any) -> Signal:
    """A fault of the sequencer, kept until ``reset_state``.

    It ends the chain until everything is reset, because an operation may have been lost.
    """
    faulted = Signal()
    with m.If(command.reset_state):
        m.d.sync += faulted.eq(0)
    with m.Elif(sequencer.fault):
        m.d.sync += faulted.eq(1)
    return faulted


def connect_proposal(m: Module, bank: Any, proposal: Any, pricing: Any) -> None:
    """Registers of the kernel and of the price, without the step factor."""
    for block in (proposal, pricing):
        drive_from(m, block, bank, KERNEL, "proposal_")
    drive_from(m, pricing, bank, VALID, "proposal_")
    m.d.comb += pricing.hastings.eq(bank.model_options.hastings)
    for name in ("weight", "common"):
        coefficient = getattr(bank, f"proposal_{name}")
        drive(
            m,
            pricing,
            {f"{name}_mantissa": coefficient.mantissa, f"{name}_shift": coefficient.shift},
        )


def connect_entropy(m: Module, bank: Any, step: Any, entropy: Any) -> None:
    """Cut-offs of the health tests, and the coin of the step controller."""
    drive_from(m, entropy, bank, ("rct_cutoff", "rct_symbol_cutoff", "apt_cutoff"), "entropy_")
    drive_from(m, entropy, step.coin, ("begin", "restart"))
    drive_from(m, step.coin, entropy, ("ready", "settled", "alarm", "clean_windows"))
    drive_from(m, step, entropy, ("t", "t_valid"))


def connect_likelihood(m: Module, bank: Any, step: Any, likelihood: Any) -> None:
    """Registers of the model, and the step controller's hold on an evaluation."""
    drive_from(m, likelihood, bank, ("points", "features"), "model_")
    drive(
        m,
        likelihood,
        {
            "stop": step.stop,
            "logit_mantissa": bank.proposal_logit.mantissa,
            "logit_shift": bank.proposal_logit.shift,
        },
    )
    if not likelihood.config.max_streamed_points:  # otherwise, its stream is idle, too
        m.d.comb += step.likelihood_idle.eq(likelihood.idle)


def connect_step(m: Module, bank: Any, step: Any, faulted: Signal) -> None:
    """Registers and commands that every step controller has."""
    options, command = bank.model_options, bank.control_command
    drive_from(m, step.settings, bank, ("points", "features"), "model_")
    drive_from(m, step.settings, bank, VALID, "proposal_")
    drive_from(m, step.rows, bank, ("region_groups", "min_free", "retries"), "model_")
    m.d.comb += [
        step.settings.steps.eq(bank.control_steps),
        step.settings.early_reject.eq(options.early_reject),
        step.rows.stream.eq(options.stream),
        step.commands.closed.eq(faulted),
    ]
    drive_from(m, step.commands, command, ("start", "run", "halt", "flush"))


def connect_status(
    m: Module, bank: Any, step: Any, entropy: Any, sequencer: Any, faulted: Signal
) -> None:
    """Status registers that every controller has."""
    state, status = bank.status_state, step.status
    m.d.comb += [
        state.busy.eq(status.busy),
        state.started.eq(status.started),
        state.state.eq(status.activity),
        state.reason.eq(status.reason),
        state.alarm.eq(entropy.alarm),
        state.fault.eq(sequencer.fault),
        state.fault_cause.eq(sequencer.fault_cause),
        bank.status_steps_done.eq(status.steps_done),
    ]
    with m.If(faulted):
        m.d.comb += state.reason.eq(Reason.FAULT)
