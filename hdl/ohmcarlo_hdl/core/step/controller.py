"""The step controller: start-up, Metropolis-Hastings steps, and what the host asks in between."""

from __future__ import annotations

from typing import Any

from amaranth import Array, Module, Mux, Signal, Value, signed, unsigned
from amaranth.lib import data, enum, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

from ohmcarlo.spec import CODE_BITS, STARTUP_WINDOWS
from ohmcarlo.spec.link import Reason

from ...array.interface import Op, array_request, array_response, request_of
from ...bit_serial.acceptance import BitSerialAcceptance
from ...config import CoreConfig
from ...lib.fifo import StreamRegister
from ...lib.window import Access
from ..acceptance import Acceptance, Mode
from ..arbiter import CommandArbiter
from ..interface import (
    ACC_BITS,
    MULTIPLICITY_BITS,
    PRICE,
    PROGRAMMED,
    TERM,
    coin_code,
    device_order,
    device_target,
    likelihood_job,
)
from ..orders import OrderIssuer
from ..programmer import Programmer, Reader, ResultRouter, program
from ..regions import WORD_ADDRESS_BITS
from ..rows import RETRY_BITS, WEAR_BITS, Rows, rows_registers, rows_state
from ..sample import RECORD_WORD, Recorder, SampleMemory


class Activity(enum.Enum, shape=unsigned(4)):  # type: ignore[call-arg]
    """What the controller is at (``activity_e`` of the register map)."""

    IDLE = 0
    BETWEEN = 1
    COIN = 2
    SAMPLE = 3
    DECISION = 4
    EXTERNAL = 5
    RECORDS = 6
    PREDICTION = 7
    RAW = 8


ACTIVITIES = {
    Activity.IDLE: ("IDLE",),
    Activity.COIN: ("COIN", "COIN BACK"),
    Activity.SAMPLE: ("SAMPLE", "SAMPLE BACK"),
    Activity.DECISION: ("DECISION",),
    Activity.EXTERNAL: ("SHOW", "EXTERNAL"),
    Activity.RECORDS: ("FLUSH",),
    Activity.PREDICTION: ("HELD", "HELD PLACE", "HELD ROW", "MULTIPLICITY", "JOB"),
    Activity.RAW: ("RAW", "RAW BACK"),
}


class Phase(enum.Enum, shape=unsigned(2)):  # type: ignore[call-arg]
    """What proposals are made for."""

    START_UP = 0
    """Health tests of the coin over two clean windows."""
    FIRST = 1
    """The first sample of every region that has none."""
    STEP = 2


def step_record(config: CoreConfig) -> data.StructLayout:
    """What one step did: ``loglik`` and ``prior`` are those of the current sample after it."""
    return data.StructLayout(
        {
            "accepted": unsigned(1),
            "valid": unsigned(1),
            "region": unsigned(config.region_bits),
            "points": unsigned(config.point_bits + 1),
            "loglik": signed(ACC_BITS),
            "prior": signed(ACC_BITS),
        }
    )


def raw_operation(config: CoreConfig) -> data.StructLayout:
    """One operation that the host asks for, while no chain runs (not a DOT)."""
    full = array_request(config)
    return data.StructLayout({name: full[name].shape for name in ("op", "row", "device", "dac")})


LOGLIK_WORD, PRIOR_WORD = 6, 7
"""Words of a region in the window ``state_regions`` that ``Rows`` does not have."""


def step_state(config: CoreConfig) -> dict[str, Any]:
    """Windows of all that the step controller keeps between runs; words as in the register map."""
    samples = config.max_regions * config.max_group_rows << config.device_bits - 1
    return rows_state(config) | {
        "state_samples": In(Access(bits_for(samples - 1))),
        "state_step": In(Access(bits_for(0))),
    }


class StepController(wiring.Component):
    """Twin: ``golden.controller.Controller`` and ``golden.chain``.

    The order of operations is that of ``golden/README.md``. What may overlap does: the coin of the
    next step is prepared, not programmed, while the likelihood is evaluated; targets of the sample
    are computed while the coin is programmed; a retired sample is streamed out during the step that
    follows.

    Commands are strobes and taken between runs (``busy`` low): ``start``, ``run`` (``steps`` steps
    over all regions), ``flush`` (a record of every current sample), ``predict`` (every data
    point), ``raw_start``. ``halt`` ends a run after its step. ``closed`` (a latched fault) keeps
    new operations from the array: the chain stands still until the core is reset.

    While ``busy`` is low, the ``state_*`` windows show and load all that a run goes on from.
    """

    def __init__(self, config: CoreConfig) -> None:
        self.config = config
        c = config
        # Every coin fits one round of harvest, all-zero words apart: then targets of the sample
        # are worth computing before the coin is known.
        self.one_round = c.geometry.coin_rounds == 1
        super().__init__(
            rows_registers(c)
            | step_state(c)
            | {
                # registers
                "steps": In(32),
                "features": In(range(c.max_features + 1)),
                "hidden": In(range(c.max_group_rows)),
                "points": In(c.point_bits + 1),
                "valid_lo": In(10),
                "valid_hi": In(10),
                "early_reject": In(1),
                "record_steps": In(1),
                "external": In(1),
                "external_loglik": In(signed(ACC_BITS)),
                # commands
                "start": In(1),
                "run": In(1),
                "halt": In(1),
                "flush": In(1),
                "predict": In(1),
                "external_given": In(1),
                "closed": In(1),
                "raw_start": In(1),
                "raw_operation": In(raw_operation(c)),
                "query_row": In(c.row_bits),
                # status
                "busy": Out(1),
                "started": Out(1),
                "activity": Out(Activity),
                "reason": Out(Reason),
                "waiting_external": Out(1),
                "raw_valid": Out(1),
                "raw_result": Out(signed(32)),
                "steps_done": Out(32),
                "turn": Out(c.region_bits),
                "query_bad": Out(1),
                "query_failures": Out(RETRY_BITS),
                "query_held": Out(MULTIPLICITY_BITS),
                "query_wear": Out(WEAR_BITS),
                # what leaves the controller
                "step_records": Out(stream.Signature(step_record(c))),
                "samples": Out(stream.Signature(RECORD_WORD)),
                # for the counters: one step, as it ends
                "step_ends": Out(1),
                "step": Out(step_record(c)),
                # other blocks
                "orders": Out(stream.Signature(device_order(c))),
                "targets": In(stream.Signature(device_target(c))),
                "programmed": Out(stream.Signature(PROGRAMMED)),
                "price": In(stream.Signature(PRICE)),
                "coin_codes": Out(stream.Signature(coin_code(c))),
                "coin_begin": Out(1),
                "coin_restart": Out(1),
                "coin_ready": In(1),
                "coin_settled": In(1),
                "coin_alarm": In(1),
                "clean_windows": In(8),
                "t": In(32),
                "t_valid": In(1),
                "jobs": Out(stream.Signature(likelihood_job(c))),
                "terms": In(stream.Signature(TERM)),
                "stop": Out(1),
                "likelihood_idle": In(1),
                "dots": In(stream.Signature(array_request(c))),
                "readings": Out(stream.Signature(array_response(c))),
                "commands": Out(stream.Signature(array_request(c))),
                "results": In(stream.Signature(array_response(c))),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        c = self.config
        m.submodules.rows = rows = Rows(c)
        m.submodules.memory = memory = SampleMemory(c)
        m.submodules.issuer = issuer = OrderIssuer(c)
        m.submodules.programmer = programmer = Programmer(c)
        programs = programmer.commands
        if not c.bit_serial:  # a register between knots of handshakes
            m.submodules.programs = register = StreamRegister(program(c))
            wiring.connect(m, programs, register.input)
            programs = register.output
        m.submodules.arbiter = arbiter = CommandArbiter(c)
        m.submodules.router = router = ResultRouter(c)
        m.submodules.acceptance = acceptance = (
            BitSerialAcceptance if c.bit_serial else Acceptance
        )(c)
        m.submodules.recorder = recorder = Recorder(c)

        for source, sink in (
            (issuer.orders, wiring.flipped(self.orders)),
            (wiring.flipped(self.targets), programmer.targets),
            (programs, arbiter.program),
            (wiring.flipped(self.dots), arbiter.dots),
            (arbiter.commands, wiring.flipped(self.commands)),
            (arbiter.tags, router.tags),
            (wiring.flipped(self.results), router.results),
            (router.readings, wiring.flipped(self.readings)),
            (wiring.flipped(self.price), acceptance.price),
            (wiring.flipped(self.terms), acceptance.terms),
            (recorder.record, wiring.flipped(self.samples)),
            (wiring.flipped(self.load_bad_rows), rows.load_bad_rows),
            *(
                (wiring.flipped(getattr(self, name)), getattr(rows, name))
                for name in rows_state(c)
                if name != "state_regions"
            ),
        ):
            wiring.connect(m, source, sink)

        region = Signal(c.region_bits)  # whose turn it is
        saved_region = Signal.like(region)
        moved = Signal.like(region)  # whose turn it is in the next clock
        # what follows ``region``, a clock after it changed
        next_region = Signal.like(region)
        last_region = Signal()
        settled = Signal()

        def turn_to(index: Any) -> None:
            m.d.comb += moved.eq(index)

        row = rows.row
        banks = Array(Signal(name=f"bank{i}") for i in range(c.max_regions))
        logliks = Array(Signal(signed(ACC_BITS), name=f"loglik{i}") for i in range(c.max_regions))
        priors = Array(Signal(signed(ACC_BITS), name=f"prior{i}") for i in range(c.max_regions))
        # between runs, the region that software looks at; else ``region``. A register of its own:
        # whatever belongs to a region is chosen with it.
        here = Signal.like(region)
        bank = banks[here]
        phase = Signal(Phase)
        stepping = Signal()  # the phase is STEP
        remaining = Signal(32)
        step_over = Signal()  # as of the clock before
        last_step, none_left = Signal(), Signal()
        m.d.sync += [last_step.eq(remaining <= 1), step_over.eq(self.step_ends)]
        with m.If(step_over):
            m.d.sync += [
                remaining.eq(remaining - 1),
                self.steps_done.eq(self.steps_done + 1),
            ]
        clean = Signal()
        m.d.sync += clean.eq(self.clean_windows >= STARTUP_WINDOWS)
        halting = Signal()
        initialised = Signal()
        put_loglik, put_prior = Signal(), Signal()
        looking = Signal()  # no run begins in this clock
        preparing = Signal()

        last = region + 1 >= self.regions
        m.d.comb += moved.eq(region)
        m.d.sync += [
            region.eq(moved),
            settled.eq(moved == region),
            last_region.eq(last),
            next_region.eq(Mux(last, 0, region + 1)),
        ]
        m.d.comb += [
            rows.regions.eq(self.regions),
            rows.region_groups.eq(self.region_groups),
            rows.rows_per_region.eq(self.rows_per_region),
            rows.group_rows.eq(self.hidden + 1),
            rows.min_free.eq(self.min_free),
            rows.stream.eq(self.stream),
            rows.retries.eq(self.retries),
            rows.region.eq(here),
            # the head of the queue is that of the region whose turn it is, except while the next
            # step's coin is prepared
            rows.next_region.eq(Mux(preparing, next_region, region)),
            rows.query_row.eq(self.query_row),
            self.query_bad.eq(rows.query_bad),
            self.query_failures.eq(rows.query_failures),
            self.query_held.eq(rows.query_held),
            self.query_wear.eq(rows.query_wear),
            issuer.features.eq(self.features),
            issuer.hidden.eq(self.hidden),
            issuer.region.eq(region),
            issuer.bank.eq(bank),
            issuer.cold.eq(phase == Phase.FIRST),
            issuer.row.eq(row),
            issuer.codes.eq(memory.order_codes),
            memory.order_read.eq(issuer.read),
            memory.order_place.eq(issuer.place),
            memory.record_read.eq(recorder.read),
            memory.record_place.eq(recorder.place),
            recorder.codes.eq(memory.record_codes),
            recorder.features.eq(self.features),
            recorder.hidden.eq(self.hidden),
            recorder.region.eq(region),
            recorder.bank.eq(bank),
            recorder.multiplicity.eq(rows.multiplicity),
            recorder.loglik.eq(logliks[here]),
            recorder.prior.eq(priors[here]),
            acceptance.early_reject.eq(self.early_reject),
            acceptance.loglik.eq(logliks[here]),
            acceptance.prior.eq(priors[here]),
            acceptance.external.eq(self.external),
            acceptance.external_loglik.eq(self.external_loglik),
            acceptance.empty.eq(self.points == 0),
            acceptance.t.eq(self.t),
            acceptance.t_valid.eq(self.t_valid),
            arbiter.closed.eq(self.closed),
            self.turn.eq(region),
            self.activity.eq(Activity.BETWEEN),
        ]

        # -- orders on their way -----------------------------------------------------------
        pending = Signal(8)
        m.d.sync += pending.eq(
            pending
            + (self.orders.valid & self.orders.ready)
            - (self.targets.valid & self.targets.ready)
        )
        nothing_ordered = Signal()
        m.d.comb += nothing_ordered.eq(~issuer.busy & (pending == 0) & ~programs.valid)

        # -- read-backs --------------------------------------------------------------------
        back = router.read_backs
        tag, code = back.payload.tag, back.payload.code
        is_coin = tag.reader == Reader.COIN
        all_valid, all_back = Signal(), Signal()
        code_valid = Signal()
        group_row = Signal(c.group_row_bits)
        m.d.comb += [
            code_valid.eq((code >= self.valid_lo) & (code <= self.valid_hi)),
            group_row.eq(tag.row - row),
            self.coin_codes.payload.code.eq(code),
            self.coin_codes.payload.column.eq(tag.device - 2 * c.max_features),
            self.coin_codes.valid.eq(back.valid & is_coin),
            self.programmed.payload.old.eq(tag.old),
            self.programmed.payload.new.eq(code),
            self.programmed.payload.centre.eq(tag.centre),
            self.programmed.payload.odd.eq(tag.device[0]),
            self.programmed.payload.last.eq(tag.last),
            self.programmed.valid.eq(back.valid & ~is_coin),
            back.ready.eq(Mux(is_coin, self.coin_codes.ready, self.programmed.ready)),
            memory.write.eq(back.valid & back.ready & ~is_coin),
            memory.write_place.region.eq(region),
            memory.write_place.bank.eq(~bank),
            memory.write_place.group_row.eq(group_row),
            memory.write_place.pair.eq(tag.device >> 1),
            memory.write_odd.eq(tag.device[0]),
            memory.write_code.eq(code),
        ]
        clear_back = Signal()
        with m.If(clear_back):
            m.d.sync += [all_valid.eq(1), all_back.eq(0)]
        with m.Elif(back.valid & back.ready):
            m.d.sync += [all_valid.eq(all_valid & code_valid), all_back.eq(tag.last)]

        # -- raw operations ----------------------------------------------------------------
        raw_waiting = Signal()
        m.d.comb += [router.raw.ready.eq(1), arbiter.raw.valid.eq(raw_waiting)]
        operation = self.raw_operation
        m.d.comb += Value.cast(arbiter.raw.payload).eq(
            request_of(
                c,
                op=operation.op,
                row=operation.row,
                device=operation.device,
                dac=operation.dac,
            )
        )
        with m.If(router.raw.valid):
            m.d.sync += [self.raw_result.eq(router.raw.payload.value), self.raw_valid.eq(1)]

        # -- the end of a step -------------------------------------------------------------
        decision = acceptance.decision.payload
        record = self.step
        m.d.comb += [
            record.region.eq(region),
            record.loglik.eq(logliks[here]),
            record.prior.eq(priors[here]),
            self.step_records.payload.eq(self.step),
        ]
        ending = Signal()  # everything the end of a proposal needs is there
        room = Signal()
        m.d.comb += [
            room.eq(~stepping | ~self.record_steps | self.step_records.ready),
            self.step_ends.eq(ending & stepping),
            self.step_records.valid.eq(0),
        ]

        # Permissions are registers of their own: the way from them to the array is long.
        allow_coin, allow_sample, hold_dots = Signal(), Signal(), Signal()
        drop = Signal()  # what is left of the evaluation
        discard = Signal()  # what was ordered
        declining, deciding = Signal(), Signal()
        put_back, coin_begin, coin_restart = Signal(), Signal(), Signal()
        # as of the clock before: neither begins anything by itself
        recorder_free, rows_free = Signal(), Signal()
        m.d.comb += [
            programmer.allow_coin.eq(allow_coin),
            programmer.allow_sample.eq(allow_sample & recorder_free),
            arbiter.hold_dots.eq(hold_dots & ~all_back),
        ]
        m.d.sync += [
            self.stop.eq(drop),
            programmer.discard.eq(discard),
            recorder_free.eq(~recorder.busy),
            rows_free.eq(~rows.busy),
            rows.put_back.eq(put_back),
            self.coin_begin.eq(coin_begin),
            self.coin_restart.eq(coin_restart),
            rows.init.eq(0),
        ]

        job_pending, predicting = Signal(), Signal()  # a job is offered, of either kind
        job = self.jobs.payload
        sample_issued, next_issued = Signal(), Signal()
        more_to_come = Signal()
        m.d.comb += more_to_come.eq(~last_step & ~halting)
        point = Signal(c.point_bits + 1)
        index = Signal(range(c.geometry.rows + 1))
        current = Signal()  # not a retired sample but the current one; two clocks after ``index``
        m.d.sync += current.eq(index == rows.retired_count)
        with m.If(self.halt):
            m.d.sync += halting.eq(1)

        with m.FSM(name="state") as fsm:
            asked = self.start | self.run | self.flush | self.predict | self.raw_start
            # high from the strobe on: who gives a command and looks next finds it busy
            m.d.comb += self.busy.eq((~fsm.ongoing("IDLE") | asked) & ~self.closed)
            with m.State("IDLE"):
                m.d.comb += looking.eq(~asked)
                m.d.sync += halting.eq(0)
                with m.If(self.closed):
                    pass
                with m.Elif(self.start):
                    m.d.sync += [
                        self.reason.eq(Reason.RUNNING),
                        phase.eq(Phase.START_UP),
                        stepping.eq(0),
                        saved_region.eq(region),
                    ]
                    m.d.comb += coin_restart.eq(1)
                    m.d.sync += [rows.init.eq(~initialised), initialised.eq(1)]
                    m.next = "INIT"
                with m.Elif(self.run & self.started & self.coin_alarm):
                    m.d.sync += self.reason.eq(Reason.ENTROPY_ALARM)
                with m.Elif(self.run & self.started):
                    m.d.sync += [
                        self.reason.eq(Reason.RUNNING),
                        phase.eq(Phase.STEP),
                        stepping.eq(1),
                        remaining.eq(self.steps),
                        none_left.eq(self.steps == 0),
                        self.steps_done.eq(0),
                    ]
                    m.next = "BEGIN"
                with m.Elif(self.flush & self.started):
                    turn_to(0)
                    m.d.sync += saved_region.eq(region)
                    m.next = "FLUSH"
                with m.Elif(self.predict & self.started & (self.points != 0)):
                    turn_to(0)
                    m.d.sync += [saved_region.eq(region), point.eq(0), index.eq(0)]
                    m.next = "HELD"
                with m.Elif(self.raw_start):
                    m.d.sync += [self.raw_valid.eq(0), raw_waiting.eq(1)]
                    m.next = "RAW"

            with (
                m.State("INIT"),
                m.If(~(rows.init | rows.busy | self.coin_restart) & self.coin_settled),
            ):
                m.next = "BEGIN"

            # -- a proposal begins ---------------------------------------------------------
            with m.State("BEGIN"):
                take = Signal()
                m.d.comb += [
                    clear_back.eq(1),
                    coin_begin.eq(1),
                    rows.take.eq(take),
                ]
                m.d.sync += sample_issued.eq(0)
                with m.Switch(phase):
                    with m.Case(Phase.START_UP):
                        with m.If(clean):
                            turn_to(0)
                            m.d.sync += phase.eq(Phase.FIRST)
                        with m.Else():
                            m.d.comb += take.eq(1)
                            m.next = "TAKE"
                    with m.Case(Phase.FIRST):
                        with m.If(~settled):
                            pass
                        with m.Elif(~rows.has_sample):
                            m.d.comb += take.eq(1)
                            m.next = "TAKE"
                        with m.Elif(last_region):
                            turn_to(saved_region)
                            m.d.sync += [self.started.eq(1), self.reason.eq(Reason.DONE)]
                            m.next = "END"
                        with m.Else():
                            turn_to(next_region)
                    with m.Default():
                        with m.If(none_left | halting):
                            m.d.sync += self.reason.eq(Reason.DONE)
                            m.next = "END"
                        with m.Else():
                            m.d.comb += take.eq(1)
                            m.next = "TAKE"

            with m.State("TAKE"):
                with m.If(rows.none):
                    m.d.sync += self.reason.eq(Reason.NO_ROWS)
                    with m.If(stepping):
                        m.d.sync += self.reason.eq(Reason.EXHAUSTED)
                    m.next = "END"
                with m.If(rows.taken):
                    with m.If(phase == Phase.FIRST):
                        m.next = "ORDER SAMPLE"
                    with m.Elif(next_issued):
                        m.d.sync += [next_issued.eq(0), allow_coin.eq(1)]
                        m.next = "COIN"
                    with m.Else():
                        m.next = "ORDER COIN"

            # -- the coin ------------------------------------------------------------------
            with m.State("ORDER COIN"):
                m.d.comb += clear_back.eq(1)
                with m.If(~issuer.busy):
                    m.d.comb += issuer.coin.eq(1)
                    m.d.sync += allow_coin.eq(1)
                    m.next = "COIN"
            with m.State("COIN"):
                if self.one_round:
                    with m.If(stepping & ~issuer.busy & ~sample_issued):
                        m.d.comb += issuer.sample.eq(1)
                        m.d.sync += sample_issued.eq(1)
                with m.If(programmer.coin_done):
                    m.d.sync += allow_coin.eq(0)
                    m.next = "COIN BACK"
            with m.State("COIN BACK"), m.If(all_back & self.coin_settled):
                with m.If(phase == Phase.START_UP):
                    m.d.sync += declining.eq(1)
                    m.next = "TURN DOWN"
                with m.Elif(self.coin_alarm):
                    m.d.comb += put_back.eq(1)
                    m.d.sync += self.reason.eq(Reason.ENTROPY_ALARM)
                    m.next = "END"
                with m.Elif(~all_valid):
                    m.next = "DROP"
                with m.Elif(self.coin_ready):
                    m.d.comb += clear_back.eq(1)
                    m.next = "ORDER SAMPLE"
                    with m.If(sample_issued):
                        m.d.sync += allow_sample.eq(1)
                        m.next = "SAMPLE"
                with m.Else():
                    m.next = "AGAIN"
            with m.State("AGAIN"):
                # the word is not complete, or all zero: another round of the same devices
                m.d.comb += discard.eq(1)
                m.d.sync += sample_issued.eq(0)
                with m.If(nothing_ordered):
                    m.next = "ORDER COIN"
            with m.State("DROP"):
                m.d.comb += discard.eq(1)
                with m.If(nothing_ordered):
                    m.d.sync += declining.eq(1)
                    m.next = "TURN DOWN"
            with m.State("TURN DOWN"):
                with m.If(room):
                    m.d.sync += declining.eq(0)
                    turn_to(next_region)
                    m.next = "BEGIN"
                    with m.If(stepping):
                        m.d.sync += none_left.eq(last_step)
                    with m.Elif(self.coin_alarm):
                        m.d.sync += self.reason.eq(Reason.ENTROPY_ALARM)
                        m.next = "END"

            # -- the sample ----------------------------------------------------------------
            with m.State("ORDER SAMPLE"):
                m.d.comb += clear_back.eq(1)
                with m.If(~issuer.busy):
                    m.d.comb += issuer.sample.eq(1)
                    m.d.sync += [sample_issued.eq(1), allow_sample.eq(1)]
                    m.next = "SAMPLE"
            with m.State("SAMPLE"):
                # not before the bank to be written is on its way out
                with m.If(stepping & more_to_come & ~issuer.busy & ~next_issued):
                    # prepare the next step's coin; who is next is known already
                    m.d.comb += [
                        issuer.coin.eq(1),
                        issuer.ahead.eq(1),
                        issuer.row.eq(rows.next_row),
                    ]
                    m.d.sync += next_issued.eq(1)
                with m.If(programmer.sample_done):
                    m.d.sync += [allow_sample.eq(0), hold_dots.eq(1)]
                    m.d.sync += job_pending.eq(~self.external & (self.points != 0))
                    m.next = "SAMPLE BACK"
            with m.State("SAMPLE BACK"):
                m.d.comb += drop.eq(all_back & ~all_valid)
                with m.If(all_back):
                    m.d.comb += acceptance.start.eq(1)
                    m.d.sync += [hold_dots.eq(0), deciding.eq(1)]
                    m.next = "DECISION"
                    with m.If(~all_valid):
                        m.d.comb += acceptance.mode.eq(Mode.INVALID)
                    with m.Elif(self.external):
                        m.d.comb += acceptance.start.eq(0)
                        m.d.sync += deciding.eq(0)
                        m.next = "SHOW"
                    with m.Elif(phase == Phase.FIRST):
                        m.d.comb += acceptance.mode.eq(Mode.FIRST)

            # -- a log-likelihood from outside ---------------------------------------------
            with m.State("SHOW"), m.If(~recorder.busy):
                m.d.comb += [
                    recorder.start.eq(1),
                    recorder.bank.eq(~bank),
                    recorder.proposal.eq(1),
                ]
                m.next = "EXTERNAL"
            with m.State("EXTERNAL"):
                m.d.comb += self.waiting_external.eq(~recorder.busy & ~self.external_given)
                with m.If(self.external_given & ~recorder.busy):
                    m.d.comb += acceptance.start.eq(1)
                    with m.If(phase == Phase.FIRST):
                        m.d.comb += acceptance.mode.eq(Mode.FIRST)
                    m.d.sync += deciding.eq(1)
                    m.next = "DECISION"

            # -- the decision --------------------------------------------------------------
            with m.State("DECISION"), m.If(ending):
                m.d.sync += deciding.eq(0)
                m.next = "BEGIN"

            # -- the end of a run ----------------------------------------------------------
            with m.State("END"):
                m.d.comb += discard.eq(1)
                m.d.sync += next_issued.eq(0)
                with m.If(nothing_ordered & self.likelihood_idle & ~recorder.busy):
                    m.next = "IDLE"

            # -- between runs --------------------------------------------------------------
            with m.State("FLUSH"), m.If(~recorder.busy & settled):
                m.d.comb += [recorder.start.eq(1), recorder.current.eq(1)]
                turn_to(next_region)
                with m.If(last_region):
                    turn_to(saved_region)
                    m.next = "END"
            with m.State("HELD"):
                # four clocks from the index to the row and its multiplicity
                m.next = "HELD PLACE"
            with m.State("HELD PLACE"):
                m.next = "HELD ROW"
            with m.State("HELD ROW"):
                m.next = "MULTIPLICITY"
            with m.State("MULTIPLICITY"):
                m.d.sync += predicting.eq(1)
                m.next = "JOB"
            with m.State("JOB"):
                with m.If(~predicting):
                    m.d.sync += index.eq(index + 1)
                    m.next = "HELD"
                    with m.If(current):
                        turn_to(next_region)
                        m.d.sync += index.eq(0)
                        with m.If(last_region):
                            m.d.sync += point.eq(point + 1)
                            with m.If(point + 1 == self.points):
                                turn_to(saved_region)
                                m.next = "END"
            with m.State("RAW"):
                with m.If(arbiter.raw.ready):
                    m.d.sync += raw_waiting.eq(0)
                    m.next = "RAW BACK"
            with m.State("RAW BACK"):
                with m.If((self.raw_operation.op != Op.READ) | self.raw_valid | self.closed):
                    m.d.sync += self.raw_valid.eq(1)
                    m.next = "IDLE"

        # The states TURN DOWN and DECISION, known by registers: much follows from them.
        with m.If(declining):
            # an entropy device is stuck (or the start-up test is done with its row)
            m.d.comb += [
                rows.stuck.eq(~all_valid),
                rows.counts.eq(stepping),
                rows.conclude.eq(room),
                ending.eq(room),
                self.step_records.valid.eq(stepping & self.record_steps),
            ]
        with m.If(deciding):
            accepted = decision.accepted
            ready = Signal()  # once it is, it stays so until the end
            m.d.sync += ready.eq(
                acceptance.decision.valid
                & ~job_pending
                & (~accepted | recorder_free)
                & rows_free
                & ~ending
            )
            m.d.comb += [
                drop.eq(acceptance.stop | ~all_valid),
                self.step_records.valid.eq(ready & stepping & self.record_steps),
                ending.eq(ready & room),
                acceptance.decision.ready.eq(ending),
                record.accepted.eq(accepted),
                record.valid.eq(all_valid),
                record.points.eq(decision.points),
                rows.conclude.eq(ending),
                rows.accepted.eq(accepted),
                rows.counts.eq(stepping),
                rows.stuck.eq(~all_valid & (decision.stuck | (phase == Phase.FIRST))),
            ]
            with m.If(accepted):
                m.d.comb += [
                    record.loglik.eq(decision.loglik),
                    record.prior.eq(decision.prior),
                ]
            with m.If(ending):
                with m.If(accepted):
                    m.d.comb += recorder.start.eq(stepping)
                    m.d.sync += bank.eq(~bank)
                    m.d.comb += [put_loglik.eq(1), put_prior.eq(1)]
                with m.If(stepping):
                    turn_to(next_region)
                    m.d.sync += none_left.eq(last_step)

        m.d.sync += [
            preparing.eq(fsm.ongoing("COIN") | fsm.ongoing("COIN BACK") | fsm.ongoing("SAMPLE")),
            rows.query.eq(fsm.ongoing("IDLE")),
        ]
        for activity, states in ACTIVITIES.items():
            for state in states:
                with m.If(fsm.ongoing(state)):
                    m.d.comb += self.activity.eq(activity)
        for state in ACTIVITIES[Activity.PREDICTION]:
            with m.If(fsm.ongoing(state)):
                m.d.comb += rows.held_index.eq(index)
        with m.If(predicting):
            m.d.comb += [
                self.jobs.valid.eq(1),
                job.predict.eq(1),
                job.point.eq(point),
                job.row.eq(Mux(current, rows.sample_row, rows.held_row)),
                job.multiplicity.eq(Mux(current, rows.multiplicity, rows.held_multiplicity)),
                job.last.eq(current & last_region),
            ]
            with m.If(self.jobs.ready):
                m.d.sync += predicting.eq(0)
        with m.If(job_pending):
            m.d.comb += [self.jobs.valid.eq(1), job.row.eq(row)]
            with m.If(self.jobs.ready):
                m.d.sync += job_pending.eq(0)

        # -- state, as software looks at it and loads it: last, so that it wins --------------
        regions = self.state_regions
        looked_at = Signal.like(regions.r_addr)
        at = looked_at[:WORD_ADDRESS_BITS]
        m.d.sync += looked_at.eq(regions.r_addr)
        m.d.sync += here.eq(Mux(looking, regions.r_addr >> WORD_ADDRESS_BITS, moved))
        for name in ("stb", "addr", "data", "r_stb", "r_addr"):
            m.d.comb += getattr(rows.state_regions, name).eq(getattr(regions, name))
        m.d.comb += regions.r_data.eq(rows.state_regions.r_data)
        # one source for the registers of all regions
        target = Mux(regions.stb, regions.addr >> WORD_ADDRESS_BITS, here)
        for word, put, values, decided in (
            (LOGLIK_WORD, put_loglik, logliks, decision.loglik),
            (PRIOR_WORD, put_prior, priors, decision.prior),
        ):
            loaded = regions.stb & (regions.addr[:WORD_ADDRESS_BITS] == word)
            value = Signal(signed(ACC_BITS), name=f"next_{word}")
            m.d.comb += value.eq(Mux(regions.stb, regions.data, decided))
            with m.If(at == word):
                m.d.comb += regions.r_data.eq(values[here])
            with m.If(loaded | put):
                m.d.sync += values[target].eq(value)

        samples = self.state_samples
        with m.If(samples.r_stb):
            m.d.comb += memory.record_read.eq(1)
            m.d.comb += self._current(memory.record_place, samples.r_addr, banks)
        m.d.comb += memory.load.eq(samples.stb)
        m.d.comb += self._current(memory.load_place, samples.addr, banks)
        for side, low in enumerate((0, 16)):
            m.d.comb += [
                memory.load_codes[side].eq(samples.data[low:]),
                samples.r_data[low : low + CODE_BITS].eq(memory.record_codes[side]),
            ]

        turn = self.state_step
        m.d.comb += turn.r_data.eq(region | initialised << 8 | self.started << 9)
        with m.If(turn.stb):
            turn_to(turn.data)
            m.d.sync += [
                initialised.eq(turn.data[8]),
                self.started.eq(turn.data[9]),
            ]
        return m

    def _current(self, place: Any, addr: Value, banks: Any) -> list[Any]:
        """``place`` of what ``addr`` of the window ``state_samples`` names in a current sample."""
        pair = self.config.device_bits - 1
        row = pair + self.config.max_group_rows.bit_length() - 1
        return [
            place.pair.eq(addr[:pair]),
            place.group_row.eq(addr[pair:row]),
            place.region.eq(addr[row:]),
            place.bank.eq(banks[addr[row:]]),
        ]
