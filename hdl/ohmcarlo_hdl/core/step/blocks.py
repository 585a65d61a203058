"""Submodules of the step controller, the streams between them, and their settings."""

from __future__ import annotations

from typing import Any

from amaranth import Module, Mux, Signal
from amaranth.lib import wiring

from ...config import CoreConfig
from ...lib.fifo import StreamRegister
from ...lib.wires import drive_from
from ..arbiter import CommandArbiter
from ..interface import RowsSettings, RowsState
from ..orders import OrderIssuer
from ..programmer import Programmer, ResultRouter, program
from ..rows import Rows
from ..sample import Recorder, SampleMemory
from .current import CurrentSamples
from .progress import Phase, Progress
from .turn import Turn


class Blocks:
    """The submodules, created in ``m`` and connected to each other.

    Parameters
    ----------
    m : Module
        The module that holds the blocks.
    config : CoreConfig
    acceptance : Component with AcceptancePorts
        Decides about proposals.

    Attributes
    ----------
    nothing_ordered : Signal
        No order or target is under way.
    """

    def __init__(self, m: Module, config: CoreConfig, acceptance: Any) -> None:
        m.submodules.rows = self.rows = Rows(config)
        m.submodules.memory = self.memory = SampleMemory(config)
        m.submodules.issuer = self.issuer = OrderIssuer(config)
        m.submodules.programmer = self.programmer = Programmer(config)
        self._programs = self.programmer.commands
        if not config.bit_serial:  # a register between handshakes
            m.submodules.programs = register = StreamRegister(program(config))
            wiring.connect(m, self._programs, register.input)
            self._programs = register.output
        m.submodules.arbiter = self.arbiter = CommandArbiter(config)
        m.submodules.router = self.router = ResultRouter(config)
        m.submodules.acceptance = self.acceptance = acceptance
        m.submodules.recorder = self.recorder = Recorder(config)
        self.nothing_ordered = Signal()

    def connect_streams(self, m: Module, ports: Any) -> None:
        """Connect the streams and the windows of the row groups with those of the controller."""
        for source, sink in (
            (self.issuer.orders, wiring.flipped(ports.orders)),
            (wiring.flipped(ports.targets), self.programmer.targets),
            (self._programs, self.arbiter.program),
            (wiring.flipped(ports.dots), self.arbiter.dots),
            (self.arbiter.commands, wiring.flipped(ports.operations)),
            (self.arbiter.tags, self.router.tags),
            (wiring.flipped(ports.results), self.router.results),
            (self.router.readings, wiring.flipped(ports.readings)),
            (wiring.flipped(ports.price), self.acceptance.price),
            (wiring.flipped(ports.terms), self.acceptance.terms),
            (self.recorder.record, wiring.flipped(ports.samples)),
            (wiring.flipped(ports.load_bad_rows), self.rows.load_bad_rows),
            *(
                (wiring.flipped(getattr(ports.state, name)), getattr(self.rows, name))
                for name in RowsState(ports.config).members
                if name != "state_regions"
            ),
        ):
            wiring.connect(m, source, sink)
        pending = Signal(8)  # orders under way
        m.d.sync += pending.eq(
            pending
            + (ports.orders.valid & ports.orders.ready)
            - (ports.targets.valid & ports.targets.ready)
        )
        m.d.comb += self.nothing_ordered.eq(
            ~self.issuer.busy & (pending == 0) & ~self._programs.valid
        )

    def connect_settings(
        self, m: Module, ports: Any, turn: Turn, current: CurrentSamples, progress: Progress
    ) -> None:
        """Drive the settings of the blocks that do not depend on the state machine."""
        settings = ports.settings
        rows, memory, recorder = self.rows, self.memory, self.recorder
        issuer, acceptance = self.issuer, self.acceptance
        drive_from(m, rows, ports.rows, RowsSettings(ports.config).members)
        drive_from(m, issuer, settings, ("features", "hidden"))
        drive_from(m, recorder, settings, ("features", "hidden"))
        drive_from(m, acceptance, settings, ("early_reject", "external", "external_loglik"))
        drive_from(m, acceptance, ports, ("t", "t_valid"))
        drive_from(m, acceptance, current, ("loglik", "prior"))
        drive_from(m, recorder, current, ("bank", "loglik", "prior"))
        m.d.comb += [
            rows.group_rows.eq(settings.hidden + 1),
            rows.region.eq(turn.here),
            # the head of the queue is that of the present region, except while the next step's coin
            # is prepared
            rows.next_region.eq(Mux(progress.preparing, turn.next_region, turn.region)),
            issuer.region.eq(turn.region),
            issuer.bank.eq(current.bank),
            issuer.cold.eq(progress.phase == Phase.FIRST),
            issuer.row.eq(rows.row),
            issuer.codes.eq(memory.order_codes),
            memory.order_read.eq(issuer.read),
            memory.order_place.eq(issuer.place),
            memory.record_read.eq(recorder.read),
            memory.record_place.eq(recorder.place),
            recorder.codes.eq(memory.record_codes),
            recorder.region.eq(turn.region),
            recorder.multiplicity.eq(rows.multiplicity),
            acceptance.empty.eq(settings.points == 0),
            self.arbiter.closed.eq(ports.commands.closed),
        ]
        if ports.config.repeats:
            for block in (self.programmer, self.router):
                m.d.comb += block.log_repeats.eq(settings.log_repeats)
        query = ports.query
        m.d.comb += rows.query_row.eq(query.row)
        for name in ("bad", "failures", "held", "wear"):
            m.d.comb += getattr(query, name).eq(getattr(rows, f"query_{name}"))
