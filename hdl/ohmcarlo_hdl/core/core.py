"""The controller as one component, alone or with the emulator behind it."""

from __future__ import annotations

from typing import Any

from amaranth import Cat, Module, Mux, ResetInserter, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Member, Out

from ohmcarlo.spec import RHO_FRAC

from ..array.emulator import (
    EMULATOR_REGISTERS,
    EMULATOR_STATUS,
    EMULATOR_WINDOWS,
    Emulator,
    EmulatorRegisters,
)
from ..array.interface import array_request, array_response
from ..array.owed import OwedReadings
from ..array.phy.dac import phy_voltages
from ..array.sequencer import Sequencer, array_lines
from ..config import REFERENCE, CoreConfig
from ..entropy.interface import raw_symbol
from ..entropy.unit import EntropyUnit
from ..lib.fifo import AlternatingRegister, ReadyRegister, StreamRegister
from ..lib.wires import drive_from, forward
from ..regs.bank import RegisterBank
from ..regs.bus import Bus
from ..regs.map import register_map
from .connections import (
    connect_entropy,
    connect_likelihood,
    connect_proposal,
    connect_status,
    connect_step,
    latched_fault,
)
from .counters import COUNTED, Counters
from .digital_dots import DigitalDots
from .interface import PREDICTION, RECORD_WORD, TERM, StepState, device_target, step_record
from .likelihood import Likelihood
from .point_stream import POINT_WORD, PointStream
from .pricing import Pricing
from .proposal import Proposal
from .sample import sample_pairs
from .step.controller import StepController

COMMANDS = ("start", "run", "flush", "predict", "raw")
"""Commands that take time."""


class ControllerPorts(wiring.Signature):
    """Ports of a controller that do not depend on the array behind it.

    A stream that is not taken stalls the chain; no item is lost.

    Attributes
    ----------
    bus : In(Bus)
        Registers and memory windows (``regs/ohmcarlo.rdl``).
    samples : Out(stream of RECORD_WORD)
        Sample records (``Recorder``).
    step_records : Out(stream of step_record)
        One item for each step, if ``model.options`` enables it.
    predictions : Out(stream of PREDICTION)
        Sums of one data point each.
    raw_bits : Out(raw_symbol(config))
        Raw symbols of the coin; no back-pressure.
    off : In(1)
        Emergency stop, like the command of that name, for as long as it is high.
    busy : Out(1)
        A command is executed, or the array is active. While it is low, only ``bus`` and ``off``
        change the state.
    sample_pairs : Out(range(max_sample_pairs + 1))
        Device pairs of a sample record, from the registers of the group ``model``.
    executing : Out(1)
        ``status.state.busy``, and the clock of every command, even if it is refused.
    fault : Out(1)
        ``status.state.fault``.
    alarm : Out(1)
        ``status.state.alarm``.
    restart : Out(1)
        Everything but registers and tables is reset. The array must drop outstanding responses; the
        rest of a record will not come.
    data_points : In(stream of POINT_WORD)
        Points beyond the data memory (``PointStream``); only with ``max_streamed_points`` of the
        configuration, like the next one.
    points_streamed : Out(1)
        ``model.points`` exceeds the data memory: evaluations take passes of ``data_points``.
    """

    def __init__(self, config: CoreConfig) -> None:
        streamed = {
            "data_points": In(stream.Signature(POINT_WORD)),
            "points_streamed": Out(1),
        }
        super().__init__(
            {
                "bus": In(Bus(register_map(config).addr_width)),
                "samples": Out(stream.Signature(RECORD_WORD)),
                "step_records": Out(stream.Signature(step_record(config))),
                "predictions": Out(stream.Signature(PREDICTION)),
                "raw_bits": Out(raw_symbol(config)),
                "off": In(1),
                "busy": Out(1),
                "sample_pairs": Out(range(config.max_sample_pairs + 1)),
                "executing": Out(1),
                "fault": Out(1),
                "alarm": Out(1),
                "restart": Out(1),
            }
            | (streamed if config.max_streamed_points else {})
        )


def array_ports(config: CoreConfig) -> dict[str, Member]:
    """The ports of ``Core`` towards an array, without ``restart``."""
    return {
        "requests": Out(stream.Signature(array_request(config))),
        "responses": In(stream.Signature(array_response(config))),
        "lines": Out(array_lines(config)),
        "hold": Out(1),
    }


class _Blocks:
    """The blocks of a controller in ``m``; ``restart`` resets everything but registers and tables.

    Registers separate blocks with handshakes: targets, dots, commands, results, terms and the
    three streams that leave the controller.
    """

    def __init__(self, m: Module, config: CoreConfig, restart: Any, min_guard: int) -> None:
        inserter = ResetInserter(restart)

        def block(name: str, component: Any) -> Any:
            m.submodules[name] = inserter(component)
            return component

        self.step = block("controller", StepController(config))
        self.proposal = block("proposal", Proposal(config))
        self.pricing = block("pricing", Pricing(config))
        self.entropy = block("entropy", EntropyUnit(config))
        self.likelihood = block("likelihood", Likelihood(config))
        self.sequencer = block("sequencer", Sequencer(config, min_guard=min_guard))
        self.targets = block("targets", StreamRegister(device_target(config)))
        self.dots = block("dots", AlternatingRegister(array_request(config)))
        self.commands = block("commands", AlternatingRegister(array_request(config)))
        self.results = block("results", ReadyRegister(array_response(config)))
        if config.digital_dots:
            self.digital = block("digital_dots", DigitalDots(config))
        self.step_records = block("step_records", StreamRegister(step_record(config)))
        self.samples = block("samples", StreamRegister(RECORD_WORD))
        self.predictions = block("predictions", StreamRegister(PREDICTION))
        self.terms = StreamRegister(TERM)
        m.submodules.terms = ResetInserter(restart | self.step.stop)(self.terms)
        self.counters = block("counters", Counters(config))
        if config.max_streamed_points:
            m.submodules.points = self.points = PointStream(config)


class Core(wiring.Component):
    """The controller, without an array.

    Parameters
    ----------
    config : CoreConfig
    emulator : bool
        The register map has the group of an emulator, at the port of that name.
    min_guard : int
        As in ``Sequencer``.

    Attributes
    ----------
    bus, samples, step_records, predictions, raw_bits, off, busy, sample_pairs : ControllerPorts
    executing, fault, alarm, restart, data_points, points_streamed : ControllerPorts
        As in ``ControllerPorts``.
    requests : Out(stream of array_request)
        Operations, to the array.
    responses : In(stream of array_response)
        Readings, in the order of the requests.
    lines : Out(array_lines(config))
        Pulses of the array.
    hold : Out(1)
        The driver of a real array must switch it off (fault, emergency stop, restart).
    emulator : Out(EmulatorRegisters)
        Registers of the emulator; only with ``emulator``.
    rails : Out(phy_voltages())
        DAC codes of the quasi-static rails; only with ``config.phy``.
    """

    def __init__(
        self, config: CoreConfig = REFERENCE, emulator: bool = False, min_guard: int = 0
    ) -> None:
        self.config = config
        self.has_emulator = emulator
        self.min_guard = min_guard
        ports = {
            **ControllerPorts(config).members,
            **array_ports(config),
        }
        if emulator:
            ports["emulator"] = Out(EmulatorRegisters(config))
        if config.phy is not None:
            ports["rails"] = Out(phy_voltages())
        super().__init__(ports)

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.registers = bank = RegisterBank(
            register_map(self.config, self.has_emulator), self._constants()
        )
        wiring.connect(m, wiring.flipped(self.bus), bank.bus)
        reset = bank.control_command.reset_state
        blocks = _Blocks(m, self.config, reset, self.min_guard)
        faulted = latched_fault(m, blocks.sequencer, bank.control_command)
        self._connect_streams(m, bank, blocks)
        self._connect_settings(m, bank, blocks, faulted)
        self._connect_sequencer(m, bank, blocks, faulted)
        self._connect_status(m, bank, blocks, faulted)
        # one clock late, because software gives no command while it uses a state window
        quiet = Signal()
        m.d.sync += quiet.eq(~blocks.step.status.busy)
        self._connect_state(m, bank, blocks, quiet)
        if self.has_emulator:
            self._connect_emulator(m, bank, quiet)
            if self.config.digital_dots:
                codes = self.emulator.load_state_codes
                drive_from(m, blocks.digital.load, codes, ("stb", "addr", "data"))
        if self.config.max_streamed_points:
            self._connect_points(m, bank, blocks)
        if self.config.phy is not None:
            for name in phy_voltages().members:
                m.d.comb += self.rails[name].eq(getattr(bank, f"rails_{name}"))
        return m

    def _connect_streams(self, m: Module, bank: RegisterBank, blocks: _Blocks) -> None:
        step, proposal, pricing = blocks.step, blocks.proposal, blocks.pricing
        likelihood, sequencer = blocks.likelihood, blocks.sequencer
        for source, sink in (
            (step.orders, proposal.orders),
            (proposal.targets, blocks.targets.input),
            (blocks.targets.output, step.targets),
            (step.programmed, pricing.devices),
            (pricing.price, step.price),
            (step.coin_codes, blocks.entropy.codes),
            (step.jobs, likelihood.jobs),
            (likelihood.terms, blocks.terms.input),
            (blocks.terms.output, step.terms),
            (likelihood.requests, blocks.dots.input),
            (blocks.dots.output, step.dots),
            (step.readings, likelihood.readings),
            (likelihood.predictions, blocks.predictions.input),
            (blocks.predictions.output, wiring.flipped(self.predictions)),
            (step.operations, blocks.commands.input),
            *self._around_sequencer(m, bank, blocks),
            (blocks.results.output, step.results),
            (sequencer.requests, wiring.flipped(self.requests)),
            (wiring.flipped(self.responses), sequencer.responses),
            (step.samples, blocks.samples.input),
            (blocks.samples.output, wiring.flipped(self.samples)),
            (step.step_records, blocks.step_records.input),
            (blocks.step_records.output, wiring.flipped(self.step_records)),
            (bank.load_points, likelihood.load_points),
            (bank.load_order, likelihood.load_order),
            (bank.load_bad_rows, step.load_bad_rows),
        ):
            wiring.connect(m, source, sink)
        if self.config.device_calibration:
            wiring.connect(m, bank.load_calibration, proposal.load_calibration)

    def _connect_points(self, m: Module, bank: RegisterBank, blocks: _Blocks) -> None:
        """Points beyond the data memory. A run ends when the last pass has ended."""
        points, likelihood = blocks.points, blocks.likelihood
        wiring.connect(m, wiring.flipped(self.data_points), points.words)
        wiring.connect(m, points.points, likelihood.streamed)
        m.d.sync += self.points_streamed.eq(bank.model_points > self.config.max_points)
        m.d.comb += [
            points.points_used.eq(bank.model_points),
            points.wants.eq(likelihood.wants_streamed),
            points.drop.eq(likelihood.drop_streamed),
            points.restart.eq(bank.control_command.reset_state),
            blocks.step.likelihood_idle.eq(likelihood.idle & ~points.busy),
            blocks.step.settings.points_streamed.eq(self.points_streamed),
            blocks.sequencer.wrong_points.eq(points.wrong_length),
        ]

    def _around_sequencer(self, m: Module, bank: RegisterBank, blocks: _Blocks) -> list[Any]:
        """Streams from the commands to the sequencer, and back to the results."""
        there, back = blocks.commands.output, blocks.results.input
        sequencer = blocks.sequencer
        if not self.config.digital_dots:
            return [(there, sequencer.commands), (sequencer.results, back)]
        digital = blocks.digital
        m.d.comb += digital.enable.eq(bank.model_dots.digital)
        wiring.connect(m, blocks.step.kept, digital.kept)
        return [
            (there, digital.commands),
            (digital.operations, sequencer.commands),
            (sequencer.results, digital.readings),
            (digital.results, back),
        ]

    def _connect_settings(
        self, m: Module, bank: RegisterBank, blocks: _Blocks, faulted: Signal
    ) -> None:
        step, likelihood = blocks.step, blocks.likelihood
        options, command = bank.model_options, bank.control_command
        connect_proposal(m, bank, blocks.proposal, blocks.pricing)
        rho = Signal.like(bank.proposal_rho)
        m.d.sync += rho.eq(Mux(step.wide, 1 << RHO_FRAC, bank.proposal_rho))
        m.d.comb += [blocks.proposal.rho.eq(rho), blocks.pricing.rho.eq(rho)]
        connect_entropy(m, bank, step, blocks.entropy)
        connect_likelihood(m, bank, step, likelihood)
        connect_step(m, bank, step, faulted)
        drive_from(m, blocks.proposal, options, ("trim_enable", "centre_enable"))
        drive_from(m, likelihood, bank, ("hidden",), "model_")
        drive_from(m, step.settings, bank, ("hidden",), "model_")
        drive_from(m, step.rows, bank, ("regions", "rows_per_region"), "model_")
        drive_from(m, step.settings, options, ("record_steps", "external"))
        drive_from(m, step.settings, bank.model_dots, ("log_repeats",))
        if self.config.repeats:
            # digital dot products are exact
            single = bank.model_dots.digital & self.config.digital_dots
            repeats = Mux(single, 0, bank.model_dots.log_repeats)
            m.d.comb += likelihood.log_repeats.eq(repeats)
        raw = step.commands.raw_operation
        m.d.comb += [
            step.settings.external_loglik.eq(bank.control_external_loglik),
            step.settings.wide_every.eq(bank.proposal_wide_every),
            step.settings.folds.eq(bank.entropy_fold > 1),
            blocks.entropy.fold.eq(bank.entropy_fold),
            step.commands.predict.eq(command.predict),
            step.commands.external_given.eq(command.external),
            step.commands.raw_start.eq(command.raw),
            raw.op.eq(bank.raw_command.op),
            raw.row.eq(bank.raw_command.row),
            raw.device.eq(bank.raw_command.device),
            raw.dac.eq(bank.raw_dac),
            step.query.row.eq(bank.row_select),
        ]

    def _connect_sequencer(
        self, m: Module, bank: RegisterBank, blocks: _Blocks, faulted: Signal
    ) -> None:
        sequencer, command = blocks.sequencer, bank.control_command
        m.d.comb += [
            self.lines.eq(sequencer.lines),
            sequencer.clear.eq(command.clear_fault),
            sequencer.off.eq(command.off | self.off | faulted),
            self.hold.eq(sequencer.off | sequencer.fault | command.reset_state),
            self.restart.eq(command.reset_state),
            sequencer.settings.watchdog.eq(bank.sequencer_watchdog),
        ]
        for name in ("form", "reset", "set", "read", "dot"):
            pulse, register = sequencer.settings[name], getattr(bank, f"sequencer_{name}")
            for field in ("width", "guard_before", "guard_after"):
                m.d.comb += pulse[field].eq(register[field])

    def _connect_status(
        self, m: Module, bank: RegisterBank, blocks: _Blocks, faulted: Signal
    ) -> None:
        step, entropy, counters = blocks.step, blocks.entropy, blocks.counters
        command = bank.control_command
        connect_status(m, bank, step, entropy, blocks.sequencer, faulted)
        m.d.comb += [
            bank.status_state.waiting_external.eq(step.status.waiting_external),
            bank.status_state.raw_valid.eq(step.status.raw_valid),
            bank.status_turn.eq(step.status.turn),
            bank.raw_result.eq(step.status.raw_result),
            self.busy.eq(step.status.busy),
            self.executing.eq(step.status.busy | Cat(command[name] for name in COMMANDS).any()),
            self.fault.eq(blocks.sequencer.fault),
            self.alarm.eq(entropy.alarm),
            self.raw_bits.eq(entropy.raw),
        ]
        for name in ("alarms", "clean_windows", "raw_bits"):
            m.d.comb += getattr(bank, f"entropy_{name}").eq(getattr(entropy, name))
        for i in range(len(bank.entropy_symbol_counts)):
            m.d.comb += bank.entropy_symbol_counts[i].eq(entropy.symbol_counts[i])
        # the answers of the query come from memories, so a register follows
        m.d.sync += [
            bank.row_status.bad.eq(step.query.bad),
            bank.row_status.failures.eq(step.query.failures),
            bank.row_held.eq(step.query.held),
            bank.row_wear.eq(step.query.wear),
            self.sample_pairs.eq(sample_pairs(bank.model_features, bank.model_hidden)),
        ]
        m.d.comb += [
            counters.busy.eq(step.status.busy),
            counters.request.eq(self.requests.valid & self.requests.ready),
            counters.op.eq(self.requests.payload.op),
        ]
        # the counters count a step one clock later
        m.d.sync += [
            counters.step.eq(step.step_ends),
            counters.valid.eq(step.step.valid),
            counters.accepted.eq(step.step.accepted),
            counters.evaluated.eq(step.step.points),
        ]
        for name in COUNTED:
            m.d.comb += getattr(bank, f"counters_{name}").eq(getattr(counters, name))

    def _connect_state(self, m: Module, bank: RegisterBank, blocks: _Blocks, quiet: Signal) -> None:
        """State and tables are read and loaded only while no command runs."""
        step, pricing = blocks.step, blocks.pricing
        for name, window in {
            **{name: getattr(step.state, name) for name in StepState(self.config).members},
            "state_coin": blocks.entropy.state,
            "state_counters": blocks.counters.state,
            "dac": blocks.proposal.load_dac,
            "inv_sigma": pricing.load_inv_sigma,
            "log_sigma": pricing.load_log_sigma,
        }.items():
            software = getattr(bank, f"access_{name}")
            drive_from(m, window, software, ("addr", "data", "r_addr"))
            m.d.comb += [
                window.stb.eq(software.stb & quiet),
                window.r_stb.eq(software.r_stb & quiet),
                software.r_data.eq(window.r_data),
            ]

    def _constants(self) -> dict[str, Value]:
        """The bits of ``id.features`` that depend on the blocks connected to this component."""
        return {"id.features.emulator": self.emulator.present} if self.has_emulator else {}

    def _connect_emulator(self, m: Module, bank: RegisterBank, quiet: Signal) -> None:
        there = self.emulator
        drive_from(m, there, bank, EMULATOR_REGISTERS, "emulator_")
        for name in ("load_median", "load_sigma"):
            wiring.connect(m, getattr(bank, name), wiring.flipped(getattr(there, name)))
        # a part of the state, like the other state windows
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
    """The controller with the emulated array behind it, for boards without devices.

    Parameters
    ----------
    config : CoreConfig
    fast : bool
        As in ``Emulator``.

    Attributes
    ----------
    bus, samples, step_records, predictions, raw_bits, off, busy, sample_pairs : ControllerPorts
    executing, fault, alarm, restart, data_points, points_streamed : ControllerPorts
        As in ``ControllerPorts``.
    """

    def __init__(self, config: CoreConfig = REFERENCE, fast: bool = True) -> None:
        self.config = config
        self.fast = fast
        super().__init__(ControllerPorts(config))

    def parts(self) -> tuple[Core, Emulator]:
        """Controller and array; a subclass may return other components with these ports."""
        return Core(self.config, emulator=True), Emulator(self.config, fast=self.fast)

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.core, m.submodules.emulator = core, emulator = self.parts()
        # the emulator goes on when the controller is restarted
        m.submodules.owed = owed = OwedReadings(self.config)
        wiring.connect(m, core.requests, owed.requests)
        wiring.connect(m, owed.array_requests, emulator.requests)
        wiring.connect(m, emulator.responses, owed.array_responses)
        wiring.connect(m, owed.responses, core.responses)
        m.d.comb += owed.restart.eq(core.restart)
        drive_from(m, emulator, core.emulator, (*EMULATOR_REGISTERS, "first_pulse", "restart"))
        drive_from(m, core.emulator, emulator, EMULATOR_STATUS)
        m.d.comb += core.emulator.present.eq(1)
        for name in EMULATOR_WINDOWS:
            wiring.connect(m, getattr(core.emulator, name), getattr(emulator, name))
        forward(m, self, core, without={"busy"})
        m.d.comb += self.busy.eq(core.busy | ~emulator.idle)
        return m
