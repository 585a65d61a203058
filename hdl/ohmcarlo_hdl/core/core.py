"""The controller as one component, alone or with the emulator behind it."""

from __future__ import annotations

from typing import Any

from amaranth import Cat, Module, ResetInserter, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from ohmcarlo.spec import D2D_FRAC, SEGMENT_BITS, STUCK_BITS
from ohmcarlo.spec.link import Reason

from ..array.emulator import Emulator, codes_window
from ..array.interface import array_request, array_response
from ..array.pulse import MEDIAN_GAIN_BITS, SIGMA_GAIN_BITS
from ..array.sequencer import Sequencer, array_lines
from ..config import REFERENCE, CoreConfig
from ..entropy.unit import EntropyUnit, raw_symbol
from ..lib.fifo import AlternatingRegister, ReadyRegister, StreamRegister
from ..lib.window import Window
from ..regs.bank import RegisterBank
from ..regs.bus import Bus
from ..regs.map import register_map
from .counters import COUNTED, Counters
from .interface import PREDICTION, TERM, device_target
from .likelihood import Likelihood
from .pricing import Pricing
from .proposal import Proposal
from .sample import RECORD_WORD, sample_pairs
from .step.controller import StepController, step_record, step_state


def outputs(config: CoreConfig) -> dict[str, Any]:
    """Ports of a controller that do not depend on what is behind it.

    ``bus``: registers and memory windows (``regs/ohmcarlo.rdl``). ``samples``: records of retired
    samples (``core/sample.py``); ``step_records``: one item a step, if ``model.options`` asks for
    it; ``predictions``: sums of one data point. A stream that nobody takes holds up the chain;
    nothing is lost. ``raw_bits``: the coin's raw symbols. ``off``: emergency stop, as the command
    of that name, for as long as it is high. ``busy``: a command is being executed, or the emulator
    does something; without it, only ``bus`` and ``off`` change anything. ``sample_pairs``: device
    pairs of a sample record, as ``model`` of the register map says.
    """
    return {
        "bus": In(Bus(register_map(config).addr_width)),
        "samples": Out(stream.Signature(RECORD_WORD)),
        "step_records": Out(stream.Signature(step_record(config))),
        "predictions": Out(stream.Signature(PREDICTION)),
        "raw_bits": Out(raw_symbol(config)),
        "off": In(1),
        "busy": Out(1),
        "sample_pairs": Out(range(config.max_sample_pairs + 1)),
    }


EMULATOR_REGISTERS = ("key0", "key1", "d2d_rel", "stuck_level", "median_gain", "sigma_gain")
EMULATOR_STATUS = ("pulses", "idle")
EMULATOR_WINDOWS = ("load_median", "load_sigma", "load_state_codes")


class EmulatorRegisters(wiring.Signature):
    """The emulator's part of the register map: registers, windows, a strobe; and its status."""

    def __init__(self, config: CoreConfig) -> None:
        super().__init__(
            {
                "key0": Out(32),
                "key1": Out(32),
                "d2d_rel": Out(D2D_FRAC + 1),
                "stuck_level": Out(STUCK_BITS + 1),
                "median_gain": Out(MEDIAN_GAIN_BITS),
                "sigma_gain": Out(SIGMA_GAIN_BITS),
                "load_median": Out(Window(1 + SEGMENT_BITS)),
                "load_sigma": Out(Window(1 + SEGMENT_BITS)),
                "load_state_codes": Out(codes_window(config)),
                "first_pulse": Out(64),
                "restart": Out(1),
                "pulses": In(64),
                "idle": In(1),
            }
        )


def _connect_settings(m: Module, component: wiring.Component, source: dict[str, Any]) -> None:
    """Drive each port of ``component`` that ``source`` names."""
    for name, value in source.items():
        m.d.comb += getattr(component, name).eq(value)


class Core(wiring.Component):
    """The controller. ``requests`` and ``responses`` go to an array; ``lines`` are its pulses.

    ``hold``: whatever drives a real array is to switch it off (fault, emergency stop, restart);
    after ``restart`` the controller waits for no answer any more. With ``emulator`` the register
    map has those of an emulator too, at the port of that name, for whoever puts one behind the
    controller. ``min_guard`` is the sequencer's.
    """

    def __init__(
        self, config: CoreConfig = REFERENCE, emulator: bool = False, min_guard: int = 0
    ) -> None:
        self.config = config
        self.has_emulator = emulator
        self.min_guard = min_guard
        ports = outputs(config) | {
            "requests": Out(stream.Signature(array_request(config))),
            "responses": In(stream.Signature(array_response(config))),
            "lines": Out(array_lines(config)),
            "hold": Out(1),
            "restart": Out(1),
        }
        if emulator:
            ports["emulator"] = Out(EmulatorRegisters(config))
        super().__init__(ports)

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        config = self.config
        m.submodules.registers = bank = RegisterBank(register_map(config, self.has_emulator))
        wiring.connect(m, wiring.flipped(self.bus), bank.bus)
        command = bank.control_command
        # "forget everything": whatever is not a register, a table or the array
        restart = ResetInserter(command.reset_state)
        step = StepController(config)
        proposal, pricing = Proposal(config), Pricing(config)
        entropy, likelihood = EntropyUnit(config), Likelihood(config)
        sequencer, counters = Sequencer(config, min_guard=self.min_guard), Counters(config)
        m.submodules.controller = restart(step)
        m.submodules.proposal = restart(proposal)
        m.submodules.pricing = restart(pricing)
        m.submodules.entropy = restart(entropy)
        m.submodules.likelihood = restart(likelihood)
        m.submodules.sequencer = restart(sequencer)
        # between knots of handshakes
        targets = StreamRegister(device_target(config))
        dots = AlternatingRegister(array_request(config))
        m.submodules.targets = restart(targets)
        m.submodules.dots = restart(dots)
        commands = AlternatingRegister(array_request(config))
        m.submodules.commands = restart(commands)
        results = ReadyRegister(array_response(config))
        m.submodules.results = restart(results)
        step_records = StreamRegister(step_record(config))
        m.submodules.step_records = restart(step_records)
        samples = StreamRegister(RECORD_WORD)
        m.submodules.samples = restart(samples)
        predictions = StreamRegister(PREDICTION)
        m.submodules.predictions = restart(predictions)
        terms = StreamRegister(TERM)
        m.submodules.terms = ResetInserter(command.reset_state | step.stop)(terms)
        m.submodules.counters = restart(counters)

        for source, sink in (
            (step.orders, proposal.orders),
            (proposal.targets, targets.input),
            (targets.output, step.targets),
            (step.programmed, pricing.devices),
            (pricing.price, step.price),
            (step.coin_codes, entropy.codes),
            (step.jobs, likelihood.jobs),
            (likelihood.terms, terms.input),
            (terms.output, step.terms),
            (likelihood.requests, dots.input),
            (dots.output, step.dots),
            (step.readings, likelihood.readings),
            (likelihood.predictions, predictions.input),
            (predictions.output, wiring.flipped(self.predictions)),
            (step.commands, commands.input),
            (commands.output, sequencer.commands),
            (sequencer.results, results.input),
            (results.output, step.results),
            (sequencer.requests, wiring.flipped(self.requests)),
            (wiring.flipped(self.responses), sequencer.responses),
            (step.samples, samples.input),
            (samples.output, wiring.flipped(self.samples)),
            (step.step_records, step_records.input),
            (step_records.output, wiring.flipped(self.step_records)),
            (bank.load_points, likelihood.load_points),
            (bank.load_order, likelihood.load_order),
            (bank.load_dac, proposal.load_dac),
            (bank.load_inv_sigma, pricing.load_inv_sigma),
            (bank.load_log_sigma, pricing.load_log_sigma),
            (bank.load_bad_rows, step.load_bad_rows),
        ):
            wiring.connect(m, source, sink)
        if config.device_calibration:
            wiring.connect(m, bank.load_calibration, proposal.load_calibration)

        options = bank.model_options
        kernel = {
            "rho": bank.proposal_rho,
            "mid": bank.proposal_mid,
            "lo": bank.proposal_lo,
            "hi": bank.proposal_hi,
        }
        valid = {"valid_lo": bank.proposal_valid_lo, "valid_hi": bank.proposal_valid_hi}
        model = {"features": bank.model_features, "hidden": bank.model_hidden}
        _connect_settings(
            m,
            proposal,
            kernel | {"trim_enable": options.trim_enable, "centre_enable": options.centre_enable},
        )
        _connect_settings(
            m,
            pricing,
            kernel
            | valid
            | {
                "hastings": options.hastings,
                "weight_mantissa": bank.proposal_weight.mantissa,
                "weight_shift": bank.proposal_weight.shift,
                "common_mantissa": bank.proposal_common.mantissa,
                "common_shift": bank.proposal_common.shift,
            },
        )
        _connect_settings(
            m,
            entropy,
            {
                "begin": step.coin_begin,
                "restart": step.coin_restart,
                "rct_cutoff": bank.entropy_rct_cutoff,
                "rct_symbol_cutoff": bank.entropy_rct_symbol_cutoff,
                "apt_cutoff": bank.entropy_apt_cutoff,
            },
        )
        _connect_settings(
            m,
            likelihood,
            model
            | {
                "stop": step.stop,
                "points": bank.model_points,
                "logit_mantissa": bank.proposal_logit.mantissa,
                "logit_shift": bank.proposal_logit.shift,
            },
        )
        # A fault ends the chain until everything is reset: an operation may have been lost.
        faulted = Signal()
        with m.If(command.reset_state):
            m.d.sync += faulted.eq(0)
        with m.Elif(sequencer.fault):
            m.d.sync += faulted.eq(1)
        _connect_settings(
            m,
            step,
            model
            | valid
            | {
                "steps": bank.control_steps,
                "regions": bank.model_regions,
                "region_groups": bank.model_region_groups,
                "rows_per_region": bank.model_rows_per_region,
                "min_free": bank.model_min_free,
                "stream": options.stream,
                "retries": bank.model_retries,
                "points": bank.model_points,
                "early_reject": options.early_reject,
                "record_steps": options.record_steps,
                "external": options.external,
                "external_loglik": bank.control_external_loglik,
                "start": command.start,
                "run": command.run,
                "halt": command.halt,
                "flush": command.flush,
                "predict": command.predict,
                "external_given": command.external,
                "closed": faulted,
                "raw_start": command.raw,
                "query_row": bank.row_select,
                "coin_ready": entropy.ready,
                "coin_settled": entropy.settled,
                "coin_alarm": entropy.alarm,
                "clean_windows": entropy.clean_windows,
                "t": entropy.t,
                "t_valid": entropy.t_valid,
                "likelihood_idle": likelihood.idle,
            },
        )
        raw = step.raw_operation
        m.d.comb += [
            raw.op.eq(bank.raw_command.op),
            raw.row.eq(bank.raw_command.row),
            raw.device.eq(bank.raw_command.device),
            raw.dac.eq(bank.raw_dac),
            self.lines.eq(sequencer.lines),
            self.raw_bits.eq(entropy.raw),
            sequencer.clear.eq(command.clear_fault),
            sequencer.off.eq(command.off | self.off | faulted),
            self.hold.eq(sequencer.off | sequencer.fault | command.reset_state),
            self.restart.eq(command.reset_state),
            self.busy.eq(step.busy),
            sequencer.settings.watchdog.eq(bank.sequencer_watchdog),
        ]
        m.d.sync += self.sample_pairs.eq(sample_pairs(bank.model_features, bank.model_hidden))
        for name in ("form", "reset", "set", "read", "dot"):
            pulse, register = sequencer.settings[name], getattr(bank, f"sequencer_{name}")
            for field in ("width", "guard_before", "guard_after"):
                m.d.comb += pulse[field].eq(register[field])

        # -- what software reads ------------------------------------------------------------
        status = bank.status_state
        m.d.comb += [
            status.busy.eq(step.busy),
            status.started.eq(step.started),
            status.state.eq(step.activity),
            status.reason.eq(step.reason),
            status.alarm.eq(entropy.alarm),
            status.fault.eq(sequencer.fault),
            status.fault_cause.eq(sequencer.fault_cause),
            status.waiting_external.eq(step.waiting_external),
            status.raw_valid.eq(step.raw_valid),
            bank.status_steps_done.eq(step.steps_done),
            bank.status_turn.eq(step.turn),
            bank.entropy_alarms.eq(entropy.alarms),
            bank.entropy_clean_windows.eq(entropy.clean_windows),
            bank.entropy_raw_bits.eq(entropy.raw_bits),
            bank.raw_result.eq(step.raw_result),
            counters.busy.eq(step.busy),
            counters.request.eq(self.requests.valid & self.requests.ready),
            counters.op.eq(self.requests.payload.op),
        ]
        # out of memories
        m.d.sync += [
            bank.row_status.bad.eq(step.query_bad),
            bank.row_status.failures.eq(step.query_failures),
            bank.row_held.eq(step.query_held),
            bank.row_wear.eq(step.query_wear),
        ]
        # they count what was in the clock before
        m.d.sync += [
            counters.step.eq(step.step_ends),
            counters.valid.eq(step.step.valid),
            counters.accepted.eq(step.step.accepted),
            counters.evaluated.eq(step.step.points),
        ]
        with m.If(faulted):
            m.d.comb += status.reason.eq(Reason.FAULT)
        for i in range(len(bank.entropy_symbol_counts)):
            m.d.comb += bank.entropy_symbol_counts[i].eq(entropy.symbol_counts[i])
        for name in COUNTED:
            m.d.comb += getattr(bank, f"counters_{name}").eq(getattr(counters, name))
        # as of the clock before: no command is given while a window is looked at
        quiet = Signal()
        m.d.sync += quiet.eq(~step.busy)
        for name, window in {
            **{name: getattr(step, name) for name in step_state(config)},
            "state_coin": entropy.state,
            "state_counters": counters.state,
        }.items():
            self._connect_state(m, getattr(bank, f"access_{name}"), window, quiet)
        if self.has_emulator:
            self._connect_emulator(m, bank, quiet)
        return m

    def _connect_state(self, m: Module, software: Any, window: Any, quiet: Signal) -> None:
        """State is read and loaded while the chain stands still, or not at all."""
        for name in ("addr", "data", "r_addr"):
            m.d.comb += getattr(window, name).eq(getattr(software, name))
        m.d.comb += [
            window.stb.eq(software.stb & quiet),
            window.r_stb.eq(software.r_stb & quiet),
            software.r_data.eq(window.r_data),
        ]

    def _connect_emulator(self, m: Module, bank: RegisterBank, quiet: Signal) -> None:
        there = self.emulator
        for name in EMULATOR_REGISTERS:
            m.d.comb += getattr(there, name).eq(getattr(bank, f"emulator_{name}"))
        for name in ("load_median", "load_sigma"):
            wiring.connect(m, getattr(bank, name), wiring.flipped(getattr(there, name)))
        # a part of the state, as the other windows
        codes, load = there.load_state_codes, bank.load_state_codes
        m.d.sync += [
            codes.stb.eq(load.stb & quiet),
            codes.addr.eq(load.addr),
            codes.data.eq(load.data),
        ]
        m.d.comb += [
            there.first_pulse.eq(Cat(bank.emulator_first_pulse_lo, bank.emulator_first_pulse_hi)),
            there.restart.eq(bank.control_command.emulator_restart),
            bank.emulator_pulses.eq(there.pulses),
            bank.status_state.emulator_idle.eq(there.idle),
        ]


class EmulatedCore(wiring.Component):
    """The controller with the emulated array behind it: what runs on a board without devices.

    ``fast`` as in ``Emulator``.
    """

    def __init__(self, config: CoreConfig = REFERENCE, fast: bool = True) -> None:
        self.config = config
        self.fast = fast
        super().__init__(outputs(config))

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.core = core = Core(self.config, emulator=True)
        m.submodules.emulator = emulator = Emulator(self.config, fast=self.fast)
        wiring.connect(m, core.requests, emulator.requests)
        wiring.connect(m, emulator.responses, core.responses)
        for name in (*EMULATOR_REGISTERS, "first_pulse", "restart"):
            m.d.comb += getattr(emulator, name).eq(getattr(core.emulator, name))
        for name in EMULATOR_WINDOWS:
            wiring.connect(m, getattr(core.emulator, name), getattr(emulator, name))
        for name in EMULATOR_STATUS:
            m.d.comb += getattr(core.emulator, name).eq(getattr(emulator, name))
        for name in outputs(self.config):
            inner, outer = getattr(core, name), getattr(self, name)
            if name == "bus":
                wiring.connect(m, wiring.flipped(outer), inner)
            elif name == "off":
                m.d.comb += inner.eq(outer)
            elif name == "busy":
                m.d.comb += outer.eq(inner | ~emulator.idle)
            elif name in ("raw_bits", "sample_pairs"):
                m.d.comb += outer.eq(inner)
            else:
                wiring.connect(m, inner, wiring.flipped(outer))
        return m
