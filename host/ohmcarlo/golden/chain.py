"""One Metropolis-Hastings step, block by block, and the compiled loop over the emulated array.

A step has two halves. ``propose`` writes DAC codes. The array is programmed and read. ``conclude``
then acts on the decision. The loop below and the ``Controller``, which drives any array, call the
same functions.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..array.base import DIGITAL, DIGITAL_MACS, DOT, DOT_CODES, DOT_DEVICES
from ..array.emulated import Emulator, emulator_program, emulator_reset
from ..jit import allocating, compiled
from ..spec import STARTUP_WINDOWS
from .entropy import (
    begin_coin,
    harvest,
    harvest_ahead,
    late_health_tests,
    minus_log_u,
    restart_tests,
)
from .likelihood import NEVER, evaluate
from .machine import (
    ALARM,
    CLEAN_WINDOWS,
    COIN_READY,
    ROUND,
    STEPS,
    TURN,
    Ahead,
    Data,
    Machine,
    State,
    Stream,
)
from .proposal import is_stuck, is_valid, log_hastings, log_prior, propose, propose_coin
from .rows import NO_GROUP, first_row, give_back, keep_retired, push_free, take_free

RUNNING, EXHAUSTED, ENTROPY_ALARM = 0, 1, 2
START, MAKE_STEPS, LATE_TESTS = 0, 1, 2  # kinds of work of ``run_emulated``
INVALID, IRREGULAR = 3, 4  # results of a coin; the second one ends a chain that runs ahead


@compiled
def threshold_of(m: Machine, state: State, region: int, row: int, t: int) -> tuple[int, int]:
    """(L*, prior′): the log-likelihood that the proposal needs, and its log-prior."""
    prior = log_prior(m, state.proposed)
    hastings = log_hastings(m, state, region, row) if m.hastings else 0
    return state.loglik[region] + state.prior[region] - prior - hastings - t, prior


@compiled
def accept(m: Machine, state: State, out: Stream, region: int, group: int) -> None:
    """The proposal becomes the current sample; the old one is retired and streamed out."""
    sample = out.cursor[1]
    streamed, codes = out.codes, state.codes
    for i in range(codes.shape[1]):
        streamed[sample, i] = codes[region, i]
    out.multiplicity[sample] = state.multiplicity[region]
    out.sample_chain[sample] = region
    out.sample_log_posterior[sample] = state.loglik[region] + state.prior[region]
    out.cursor[1] = sample + 1
    keep_retired(m, state, region)
    settle(state, region, group)


@compiled
def settle(state: State, region: int, group: int) -> None:
    """Make ``state.proposed``, in ``group``, the current sample."""
    state.group[region] = group
    state.multiplicity[region] = 1
    state.failures[group] = 0
    codes, proposed = state.codes, state.proposed
    for i in range(len(proposed)):
        codes[region, i] = proposed[i]


@compiled
def conclude(
    m: Machine, state: State, out: Stream, region: int, group: int, valid: bool, stuck: bool,
    accepted: bool, loglik: int, prior: int, points: int,
) -> None:  # fmt: skip
    """Act on the decision and record the step."""
    if accepted:
        accept(m, state, out, region, group)
        state.loglik[region] = loglik
        state.prior[region] = prior
    else:
        state.multiplicity[region] += 1
        give_back(m, state, region, group, stuck)
    step = out.cursor[0]
    out.accepted[step] = accepted
    out.valid[step] = valid
    out.points[step] = points
    out.chain[step] = region
    out.log_posterior[step] = state.loglik[region] + state.prior[region]
    out.cursor[0] = step + 1
    state.scalars[STEPS] += 1
    state.scalars[TURN] = (region + 1) % m.regions
    if region + 1 == m.regions:
        count_round(m, state.scalars)


@compiled
def count_round(m: Machine, s: Any) -> None:
    """Count a round over the regions; the round after a wide one is the first again."""
    s[ROUND] += 1
    if s[ROUND] >= m.wide_every:
        s[ROUND] = 0


@compiled
def count_dots(m: Machine, counts: Any, codes: Any, points: int) -> None:
    """Add the accesses, or the digital dot products, of ``points`` points to a ledger's counts."""
    if m.digital:
        counts[DIGITAL] += points * m.group_rows
        counts[DIGITAL_MACS] += points * (len(codes) // 2)
        return
    planes = (8 // m.converter.access_bits) << m.log_repeats
    width = 2 * m.features
    for row in range(m.group_rows):
        start = row * width
        stop = start + width if row < m.hidden or m.hidden == 0 else len(codes)
        tiles = ((stop - start) // 2 + m.converter.tile_pairs - 1) // m.converter.tile_pairs
        held = 0
        for i in range(start, stop):
            held += codes[i]
        counts[DOT] += points * planes * tiles
        counts[DOT_CODES] += points * planes * held
        counts[DOT_DEVICES] += points * planes * (stop - start)


@compiled
def first_sample(m: Machine, state: State, region: int, group: int, loglik: int) -> None:
    """Make ``state.proposed``, in ``group``, the first sample of a region."""
    settle(state, region, group)
    state.loglik[region] = loglik
    state.prior[region] = log_prior(m, state.proposed)


@allocating
def log_posteriors_of(m: Machine, data: Data, samples: Any, logits: Any, out: Any) -> None:
    """Log-posterior of every sample (n, sample devices), into ``out`` (n,)."""
    for s in range(len(samples)):
        codes = samples[s].astype(np.int32)
        loglik, _ = evaluate(m, data, codes, logits, NEVER)
        out[s] = loglik + log_prior(m, codes)


@compiled
def _emulated_bits(m: Machine, state: State, e: Emulator, row: int, ahead: Ahead) -> None:
    """RESET ``row``, program and read its entropy devices once, test and take the bits."""
    emulator_reset(e, row)
    emulator_program(e, row, m.coin_devices, state.coin_dac, state.coin_codes)
    if ahead.harvests:
        harvest_ahead(m, state, ahead)
    else:
        harvest(m, state)


@compiled
def _emulated_coin(m: Machine, state: State, e: Emulator, row: int, ahead: Ahead) -> int:
    """Program the entropy devices of ``row`` until the coin is ready; the status.

    INVALID after an invalid read-back of an entropy device. A chain that runs ahead is IRREGULAR
    then, and if its word is zero.
    """
    begin_coin(state)
    propose_coin(m, state, row)
    harvests = 0
    while not state.scalars[COIN_READY]:
        if ahead.harvests and harvests == ahead.harvests:
            return IRREGULAR
        _emulated_bits(m, state, e, row, ahead)
        harvests += 1
        if state.scalars[ALARM]:
            return ENTROPY_ALARM
        if not is_valid(m, state.coin_codes):
            return IRREGULAR if ahead.harvests else INVALID
    return RUNNING


@compiled
def _emulated_sample(m: Machine, state: State, e: Emulator, row: int) -> None:
    """Program and read back every device of the proposal; the first row is reset already."""
    start = 0
    for i in range(m.group_rows):
        stop = start
        while stop < len(m.slot_row) and m.slot_row[stop] == i:
            stop += 1
        if i > 0:
            emulator_reset(e, row + i)
        emulator_program(
            e, row + i, m.slot_device[start:stop], state.dac[start:stop],
            state.proposed[start:stop],
        )  # fmt: skip
        start = stop


@compiled
def _start_emulated(
    m: Machine, data: Data, state: State, e: Emulator, logits: Any, ahead: Ahead
) -> int:
    """``Controller.start`` over the emulated array; returns the status."""
    scalars = state.scalars
    restart_tests(state)
    turn = scalars[TURN]
    while scalars[CLEAN_WINDOWS] < STARTUP_WINDOWS:
        region = scalars[TURN]
        group = take_free(m, state, region)
        if group == NO_GROUP:
            return EXHAUSTED
        row = first_row(m, group)
        begin_coin(state)
        propose_coin(m, state, row)
        _emulated_bits(m, state, e, row, ahead)
        give_back(m, state, region, group, not is_valid(m, state.coin_codes))
        scalars[TURN] = (region + 1) % m.regions
        if scalars[ALARM]:
            return ENTROPY_ALARM
    scalars[TURN] = turn
    for region in range(m.regions):
        while state.group[region] < 0:
            group = take_free(m, state, region)
            if group == NO_GROUP:
                return EXHAUSTED
            row = first_row(m, group)
            propose(m, state, region, row, True)
            emulator_reset(e, row)
            _emulated_sample(m, state, e, row)
            if is_valid(m, state.proposed):
                loglik, points = evaluate(m, data, state.proposed, logits, NEVER)
                count_dots(m, e.counts, state.proposed, points)
                first_sample(m, state, region, group, loglik)
            else:
                give_back(m, state, region, group, True)
    return RUNNING


@compiled
def run_emulated(
    m: Machine, data: Data, state: State, e: Emulator, out: Stream, work: int, steps: int,
    logits: Any, ahead: Ahead,
) -> int:  # fmt: skip
    """Work over the emulated array. All kinds share much of their machine code, hence one function.

    START is the start, MAKE_STEPS are MH steps; both return the status. After each step of a chain
    that runs ahead, the pulses of the others are skipped. LATE_TESTS are the health tests of
    ``steps`` steps that were made ahead; they return the steps of each chain before an alarm.
    ``logits``: ``no_logits(m)``.
    """
    if work == LATE_TESTS:
        return late_health_tests(m, state, ahead, steps)
    if work == START:
        return _start_emulated(m, data, state, e, logits, ahead)
    for _ in range(steps):
        region = state.scalars[TURN]
        group = take_free(m, state, region)
        if group == NO_GROUP:
            return EXHAUSTED
        row = first_row(m, group)
        coin = _emulated_coin(m, state, e, row, ahead)
        if coin == INVALID:
            conclude(m, state, out, region, group, False, True, False, 0, 0, 0)
            continue
        if coin != RUNNING:
            push_free(m, state, region, group)
            return coin
        t = minus_log_u(m, state)
        propose(m, state, region, row, False)
        _emulated_sample(m, state, e, row)
        valid = is_valid(m, state.proposed)
        stuck = not valid and is_stuck(m, state, region, row)
        loglik, prior, points, accepted = 0, 0, 0, False
        if valid:
            threshold, prior = threshold_of(m, state, region, row, t)
            loglik, points = evaluate(m, data, state.proposed, logits, threshold)
            count_dots(m, e.counts, state.proposed, points)
            accepted = loglik >= threshold
        conclude(m, state, out, region, group, valid, stuck, accepted, loglik, prior, points)
        e.counter[0] += ahead.others
    return RUNNING
