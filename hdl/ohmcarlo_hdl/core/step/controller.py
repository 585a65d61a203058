"""The step controller: start-up, Metropolis-Hastings steps, and commands between runs."""

from __future__ import annotations

from typing import Any

from amaranth import Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

from ...array.flow import flow
from ...array.interface import array_request, array_response
from ...config import CoreConfig
from ...entropy.interface import T_BITS, Coin, coin_code
from ...lib.window import Window
from ..acceptance import Acceptance
from ..interface import (
    PRICE,
    PROGRAMMED,
    RECORD_WORD,
    TERM,
    RowQuery,
    RowsSettings,
    StepCommands,
    StepSettings,
    StepState,
    StepStatus,
    device_order,
    device_target,
    kept_code,
    likelihood_job,
    step_record,
)
from .blocks import Blocks
from .current import CurrentSamples
from .jobs import Jobs
from .outcome import Outcome
from .parts import Parts
from .progress import Progress, Rounds, StepCount
from .raw import RawOperation
from .read_backs import ReadBacks
from .sequence import Sequence
from .turn import Turn
from .windows import attach_regions, attach_samples, attach_step


class StepController(wiring.Component):
    """Runs the chains: one Metropolis-Hastings step after the other, region after region.

    The order of operations is that of ``golden/README.md``. Independent work overlaps: the coin of
    the next step is prepared, not programmed, while the likelihood is evaluated; targets of the
    sample are computed while the coin is programmed; a retired sample is streamed out during the
    step that follows.

    Commands are strobes, accepted between runs (``status.busy`` low), except ``halt``. While
    ``status.busy`` is low, the windows of ``state`` give access to all state that the next run
    depends on.

    Twins: ``golden.controller.Controller`` and ``golden.chain``.

    Parameters
    ----------
    config : CoreConfig
    acceptance : Component with AcceptancePorts, optional
        Decides about proposals; ``Acceptance`` by default.

    Attributes
    ----------
    settings : In(StepSettings)
        Registers of the chain.
    rows : In(RowsSettings)
        Registers of the row groups.
    load_bad_rows : In(Window)
        Rows that are out of service from the beginning.
    commands : In(StepCommands)
        Commands of software.
    status : Out(StepStatus)
        Status for software.
    query : In(RowQuery)
        Query of a row group.
    state : In(StepState)
        State windows.
    step_records : Out(stream of step_record)
        One item for each step, if ``settings.record_steps``.
    samples : Out(stream of RECORD_WORD)
        Records of retired samples, of current ones (``flush``) and of external proposals.
    step_ends : Out(1)
        A step ends in this clock; ``step`` is its record.
    step : Out(step_record(config))
        Record of the step, for the counters.
    wide : Out(1)
        The present step uses rho = 1; it changes within two clocks of the end of a step.
    orders : Out(stream of device_order)
        Devices and rows to be programmed, to the proposal.
    targets : In(stream of device_target)
        The same with DAC codes.
    programmed : Out(stream of PROGRAMMED)
        Programmed devices of the sample, to the pricing.
    price : In(stream of PRICE)
        Price of the proposal.
    coin_codes : Out(stream of coin_code)
        Read-backs of entropy devices, to the entropy unit.
    coin : Out(Coin)
        Control of the entropy unit.
    t : In(T_BITS)
        -log u of the coin.
    t_valid : In(1)
        ``t`` is valid.
    jobs : Out(stream of likelihood_job)
        Evaluations and predictions, to the likelihood.
    terms : In(stream of TERM)
        Log-likelihood of each data point.
    stop : Out(1)
        Drop the evaluation in progress.
    likelihood_idle : In(1)
        The likelihood has no job.
    dots : In(stream of array_request)
        Accesses of the likelihood.
    readings : Out(stream of array_response)
        Readings of these accesses.
    operations : Out(stream of array_request)
        Operations, to the sequencer.
    results : In(stream of array_response)
        Readings, from the sequencer.
    kept : Out(flow of kept_code)
        Read-backs of the sample; only with ``digital_dots`` of the configuration.
    """

    def __init__(self, config: CoreConfig, acceptance: Any = None) -> None:
        self.config = config
        self._acceptance = acceptance or Acceptance(config)
        # Every coin fits one round of harvest, except after all-zero words. Only then are targets
        # of the sample computed before the coin is known.
        self.one_round = config.geometry.coin_rounds() == 1
        super().__init__(
            {
                "settings": In(StepSettings(config)),
                "rows": In(RowsSettings(config)),
                "load_bad_rows": In(Window(bits_for(config.geometry.rows - 1))),
                "commands": In(StepCommands(config)),
                "status": Out(StepStatus(config)),
                "query": In(RowQuery(config)),
                "state": In(StepState(config)),
                "step_records": Out(stream.Signature(step_record(config))),
                "samples": Out(stream.Signature(RECORD_WORD)),
                "step_ends": Out(1),
                "step": Out(step_record(config)),
                "wide": Out(1),
                "orders": Out(stream.Signature(device_order(config))),
                "targets": In(stream.Signature(device_target(config))),
                "programmed": Out(stream.Signature(PROGRAMMED)),
                "price": In(stream.Signature(PRICE)),
                "coin_codes": Out(stream.Signature(coin_code(config))),
                "coin": Out(Coin()),
                "t": In(T_BITS),
                "t_valid": In(1),
                "jobs": Out(stream.Signature(likelihood_job(config))),
                "terms": In(stream.Signature(TERM)),
                "stop": Out(1),
                "likelihood_idle": In(1),
                "dots": In(stream.Signature(array_request(config))),
                "readings": Out(stream.Signature(array_response(config))),
                "operations": Out(stream.Signature(array_request(config))),
                "results": In(stream.Signature(array_response(config))),
            }
            | ({"kept": Out(flow(kept_code(config)))} if config.digital_dots else {})
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        config, state = self.config, self.state
        blocks = Blocks(m, config, self._acceptance)
        turn = Turn(m, config, self.rows.regions, state.state_regions)
        current = CurrentSamples(config, turn.here)
        progress = Progress()
        blocks.connect_streams(m, self)
        blocks.connect_settings(m, self, turn, current, progress)
        parts = Parts(blocks, turn, current, progress)
        count = StepCount(m, self.status, self.step_ends, self.commands.halt)
        back = ReadBacks(m, self, parts)
        rounds = Rounds(m, self.settings.wide_every, self.step_ends & turn.last_region)
        m.d.comb += self.wide.eq(rounds.wide)
        raw = RawOperation(m, self, parts)
        jobs = Jobs(m, self, parts)
        outcome = Outcome(m, self, parts)
        sequence = Sequence(
            m, self, parts, count=count, back=back, raw=raw, jobs=jobs, outcome=outcome
        )
        fsm = sequence.elaborate()
        outcome.conclude(m, jobs, back, count)
        jobs.offer(m, fsm)
        # The windows come last, so that writes of software take precedence.
        attach_regions(
            m,
            state.state_regions,
            blocks.rows.state_regions,
            current,
            blocks.acceptance.decision.payload,
        )
        attach_samples(m, config, state.state_samples, blocks.memory, current.banks)
        attach_step(m, state.state_step, turn, progress, rounds, self.status.started)
        return m
