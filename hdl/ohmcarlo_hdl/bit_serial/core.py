"""The controller and an emulated array in the fewest gates: for FPGAs of a few thousand LUTs."""

from __future__ import annotations

from typing import Any

from amaranth import Module, ResetInserter, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from ohmcarlo.spec.link import Reason

from ..array.sequencer import PULSES, Sequencer, array_lines
from ..config import BitSerialConfig
from ..core.sample import RECORD_WORD
from ..core.step.controller import StepController
from ..entropy.unit import EntropyUnit
from ..regs.bank import RegisterBank
from ..regs.bus import Bus
from ..regs.map import register_map
from .emulator import BitSerialEmulator
from .likelihood import BitSerialLikelihood
from .pricing import BitSerialPricing
from .proposal import BitSerialProposal


class BitSerialCore(wiring.Component):
    """``EmulatedCore`` in its bit-serial form: the same chain for the same seed, bit for bit.

    What it leaves out has no register in its map: predictions, log-likelihoods from outside, raw
    operations, state windows, counters, timing of pulses (one clock, no guards, no watchdog), bad
    rows, devices that differ. Registers that software writes cannot be read back.

    ``bus``: registers and memory windows. ``samples``: records of retired samples
    (``core/sample.py``); nobody taking them holds up the chain. ``lines``: the array's pulses.
    ``off``: emergency stop. ``busy``: a command is being executed.
    """

    def __init__(self, config: BitSerialConfig) -> None:
        self.config = config
        self.map = register_map(config, emulator=True)
        super().__init__(
            {
                "bus": In(Bus(self.map.addr_width)),
                "samples": Out(stream.Signature(RECORD_WORD)),
                "lines": Out(array_lines(config)),
                "off": In(1),
                "busy": Out(1),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        config = self.config
        m.submodules.registers = bank = RegisterBank(self.map)
        wiring.connect(m, wiring.flipped(self.bus), bank.bus)
        command = bank.control_command
        restart = ResetInserter(command.reset_state)
        step = StepController(config)
        proposal, pricing = BitSerialProposal(config), BitSerialPricing(config)
        entropy, likelihood = EntropyUnit(config, fast=False), BitSerialLikelihood(config)
        one_clock = dict.fromkeys(PULSES, 1)
        sequencer = Sequencer(config, max_width=one_clock, max_outstanding=3)
        emulator = BitSerialEmulator(config)
        m.submodules.controller = restart(step)
        m.submodules.proposal = restart(proposal)
        m.submodules.pricing = restart(pricing)
        m.submodules.entropy = restart(entropy)
        m.submodules.likelihood = restart(likelihood)
        m.submodules.sequencer = restart(sequencer)
        m.submodules.emulator = emulator

        for source, sink in (
            (step.orders, proposal.orders),
            (proposal.targets, step.targets),
            (step.programmed, pricing.devices),
            (pricing.price, step.price),
            (step.coin_codes, entropy.codes),
            (step.jobs, likelihood.jobs),
            (likelihood.terms, step.terms),
            (likelihood.requests, step.dots),
            (step.readings, likelihood.readings),
            (step.commands, sequencer.commands),
            (sequencer.results, step.results),
            (sequencer.requests, emulator.requests),
            (emulator.responses, sequencer.responses),
            (step.samples, wiring.flipped(self.samples)),
            (bank.load_points, likelihood.load_points),
            (bank.load_order, likelihood.load_order),
            (bank.load_dac, proposal.load_dac),
            (bank.load_inv_sigma, pricing.load_inv_sigma),
            (bank.load_log_sigma, pricing.load_log_sigma),
            (bank.load_median, emulator.load_median),
            (bank.load_sigma, emulator.load_sigma),
        ):
            wiring.connect(m, source, sink)

        # A fault ends the chain until everything is reset: an operation may have been lost.
        faulted = Signal()
        with m.If(command.reset_state):
            m.d.sync += faulted.eq(0)
        with m.Elif(sequencer.fault):
            m.d.sync += faulted.eq(1)

        options = bank.model_options
        m.d.comb += [
            pricing.hastings.eq(options.hastings),
            pricing.weight_mantissa.eq(bank.proposal_weight.mantissa),
            pricing.weight_shift.eq(bank.proposal_weight.shift),
            pricing.common_mantissa.eq(bank.proposal_common.mantissa),
            pricing.common_shift.eq(bank.proposal_common.shift),
            entropy.begin.eq(step.coin_begin),
            entropy.restart.eq(step.coin_restart),
            entropy.rct_cutoff.eq(bank.entropy_rct_cutoff),
            entropy.rct_symbol_cutoff.eq(bank.entropy_rct_symbol_cutoff),
            entropy.apt_cutoff.eq(bank.entropy_apt_cutoff),
            likelihood.stop.eq(step.stop),
            likelihood.logit_mantissa.eq(bank.proposal_logit.mantissa),
            likelihood.logit_shift.eq(bank.proposal_logit.shift),
            emulator.key0.eq(bank.emulator_key0),
            emulator.key1.eq(bank.emulator_key1),
            emulator.first_pulse.eq(bank.emulator_first_pulse_lo),
            emulator.restart.eq(command.emulator_restart),
        ]
        for block in (proposal, pricing):
            for name in ("rho", "mid", "lo", "hi"):
                m.d.comb += getattr(block, name).eq(getattr(bank, f"proposal_{name}"))
        for block in (pricing, step):
            for name in ("valid_lo", "valid_hi"):
                m.d.comb += getattr(block, name).eq(getattr(bank, f"proposal_{name}"))
        for block in (likelihood, step):
            for name in ("points", "features"):
                m.d.comb += getattr(block, name).eq(getattr(bank, f"model_{name}"))
        for name in ("region_groups", "min_free", "retries"):
            m.d.comb += getattr(step, name).eq(getattr(bank, f"model_{name}"))
        for name in ("start", "run", "halt", "flush"):
            m.d.comb += getattr(step, name).eq(command[name])
        m.d.comb += [
            step.steps.eq(bank.control_steps),
            step.regions.eq(1),
            step.rows_per_region.eq(config.geometry.rows),
            step.stream.eq(options.stream),
            step.early_reject.eq(options.early_reject),
            step.closed.eq(faulted),
            step.coin_ready.eq(entropy.ready),
            step.coin_settled.eq(entropy.settled),
            step.coin_alarm.eq(entropy.alarm),
            step.clean_windows.eq(entropy.clean_windows),
            step.t.eq(entropy.t),
            step.t_valid.eq(entropy.t_valid),
            step.likelihood_idle.eq(likelihood.idle),
            sequencer.clear.eq(command.clear_fault),
            sequencer.off.eq(command.off | self.off | faulted),
            self.lines.eq(sequencer.lines),
            self.busy.eq(step.busy),
        ]
        for name in PULSES:
            m.d.comb += sequencer.settings[name].width.eq(1)

        status = bank.status_state
        m.d.comb += [
            status.busy.eq(step.busy),
            status.started.eq(step.started),
            status.state.eq(step.activity),
            status.reason.eq(step.reason),
            status.alarm.eq(entropy.alarm),
            status.fault.eq(sequencer.fault),
            status.fault_cause.eq(sequencer.fault_cause),
            status.emulator_idle.eq(emulator.idle),
            bank.status_steps_done.eq(step.steps_done),
        ]
        with m.If(faulted):
            m.d.comb += status.reason.eq(Reason.FAULT)
        return m
