"""The controller and an emulated array for FPGAs of a few thousand LUTs."""

from __future__ import annotations

from typing import Any

from amaranth import Module, ResetInserter
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from ..array.sequencer import PULSES, Sequencer, array_lines
from ..config import BitSerialConfig
from ..core.connections import (
    connect_entropy,
    connect_likelihood,
    connect_proposal,
    connect_status,
    connect_step,
    latched_fault,
)
from ..core.interface import RECORD_WORD
from ..core.step.controller import StepController
from ..entropy.unit import EntropyUnit
from ..regs.bank import RegisterBank
from ..regs.bus import Bus
from ..regs.map import register_map
from .acceptance import BitSerialAcceptance
from .emulator import BitSerialEmulator
from .likelihood import BitSerialLikelihood
from .neg_log import BitSerialNegLog
from .pricing import BitSerialPricing
from .proposal import BitSerialProposal


class BitSerialCore(wiring.Component):
    """``EmulatedCore`` in its bit-serial form: the same chain for the same seed, bit for bit.

    These functions are omitted, with their registers: predictions, log-likelihoods from software,
    raw operations, state windows, counters, timing of pulses (one clock, no guards, no watchdog),
    bad rows, differences between devices. Registers that software writes cannot be read back.

    Attributes
    ----------
    bus : In(Bus)
        Registers and memory windows.
    samples : Out(stream of RECORD_WORD)
        Sample records (``Recorder``); the chain stalls while they are not taken.
    lines : Out(array_lines(config))
        Pulses of the array.
    off : In(1)
        Emergency stop.
    busy : Out(1)
        A command is executed.
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
        step = StepController(config, BitSerialAcceptance(config))
        proposal, pricing = BitSerialProposal(config), BitSerialPricing(config)
        entropy, likelihood = EntropyUnit(config, BitSerialNegLog()), BitSerialLikelihood(config)
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
            (step.operations, sequencer.commands),
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

        faulted = latched_fault(m, sequencer, command)
        connect_proposal(m, bank, proposal, pricing)
        for block in (proposal, pricing):
            m.d.comb += block.rho.eq(bank.proposal_rho)
        connect_entropy(m, bank, step, entropy)
        connect_likelihood(m, bank, step, likelihood)
        connect_step(m, bank, step, faulted)
        connect_status(m, bank, step, entropy, sequencer, faulted)
        m.d.comb += [
            step.rows.regions.eq(1),
            step.rows.rows_per_region.eq(config.geometry.rows),
            emulator.key0.eq(bank.emulator_key0),
            emulator.key1.eq(bank.emulator_key1),
            emulator.first_pulse.eq(bank.emulator_first_pulse_lo),
            emulator.restart.eq(command.emulator_restart),
            bank.status_state.emulator_idle.eq(emulator.idle),
            sequencer.clear.eq(command.clear_fault),
            sequencer.off.eq(command.off | self.off | faulted),
            self.lines.eq(sequencer.lines),
            self.busy.eq(step.status.busy),
        ]
        for name in PULSES:
            m.d.comb += sequencer.settings[name].width.eq(1)
        return m
