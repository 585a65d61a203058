"""The controller over any array: the bit-exact reference of the hardware, step by step."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..array.base import READ, Array
from ..array.checks import check_array
from ..array.emulated import EmulatedArray
from ..array.read_noise import RepeatedReads
from ..errors import OhmcarloError, UsageError
from ..spec import ACC_MAX, CODE_MAX, LOGIT_FRAC, STARTUP_WINDOWS, Points
from ..threads import share_range, threads
from .chain import (
    ENTROPY_ALARM,
    EXHAUSTED,
    MAKE_STEPS,
    RUNNING,
    START,
    conclude,
    count_dots,
    first_sample,
    log_posteriors_of,
    run_emulated,
    threshold_of,
)
from .entropy import begin_coin, harvest, minus_log_u, restart_tests
from .likelihood import (
    NEVER,
    evaluate,
    hidden_layer,
    logits_from_dots,
    logits_of,
    no_logits,
    predict_sums,
    terms_of,
)
from .machine import (
    ALARM,
    ALARMS,
    CLEAN_WINDOWS,
    COIN_READY,
    RAW_BITS,
    STEPS,
    TURN,
    Stream,
    build_data,
    build_machine,
    build_state,
    build_stream,
    in_turn,
)
from .parallel import LEAST_WORK, Parallel, least_rounds
from .physical_chain import PhysicalChain, has_compiled_loop
from .proposal import is_stuck, is_valid, propose, propose_coin
from .registers import Registers
from .rows import NO_GROUP, first_row, give_back, push_free, take_free
from .state_checks import check_order, check_state
from .sums import require_summable
from .triage import Thresholds, Triage, moments, triage_of

External = Callable[[NDArray[np.int32]], int]


NO_COIN = (
    "the coin failed its start-up health test: the entropy devices do not vary; "
    "run `ohmcarlo characterize` on this array"
)


class EntropyAlarm(OhmcarloError):
    """The coin failed its health tests; nothing is accepted until a start-up test passes."""


class Controller:
    """The MH chain of an array, bit-identical to that of the hardware.

    Parameters
    ----------
    registers : Registers
    array : Array
        An ``EmulatedArray``, ``PhysicsArray`` or ``MeasuredArray`` runs in one compiled loop, any
        other one operation by operation.
    points : Points
        The data memory (may be empty in external-likelihood mode).
    external : callable, optional
        External-likelihood mode: codes of a proposal, int32 (sample devices,) → log-likelihood,
        LSB 2**-LOGLIK_FRAC. Equal codes must give equal values.

    Examples
    --------
    >>> import numpy as np
    >>> from ohmcarlo.array import EmulatedArray
    >>> from ohmcarlo.golden import Controller, SamplerSettings
    >>> from ohmcarlo.spec import Geometry, Points
    >>> inputs = np.array([[32, 32], [-32, 32], [48, 32], [-48, 32]], np.int8)  # 32 is 1.0
    >>> points = Points.of(inputs, np.array([1, 0, 1, 0], np.uint8))
    >>> array = EmulatedArray(Geometry(rows=16, pairs=8), seed=1)
    >>> registers = SamplerSettings().registers(array.geometry, 2, array.sigma_us)
    >>> controller = Controller(registers, array, points)
    >>> controller.start()
    >>> stream, status = controller.run(100)
    >>> len(stream.accepted), status
    (100, 0)
    """

    def __init__(
        self,
        registers: Registers,
        array: Array,
        points: Points,
        external: External | None = None,
    ) -> None:
        if len(points) and points.features != registers.features:
            raise UsageError(
                f"the points have {points.features} inputs, the registers are set for "
                f"{registers.features}"
            )
        require_summable(points)
        self.registers = registers
        self.array = array
        self.points = points
        self._operated: Any = array
        if registers.log_repeats:
            self._operated = RepeatedReads(array, registers.log_repeats)
        self.machine = build_machine(registers, array)
        self.state = build_state(registers)
        self.data = build_data(points)
        self.external = external
        self._parallel: Parallel | None = None
        self._rows = [
            np.flatnonzero(self.machine.slot_row == i) for i in range(self.machine.group_rows)
        ]
        self._inputs = np.zeros((len(points), registers.geometry.pairs), np.int8)
        self._inputs[:, : registers.features] = points.inputs
        # the codes of the samples in the array, where a READ may give others
        self._stored: NDArray[np.int32] | None = None
        if registers.digital and not array.exact_dot:
            shape = (registers.geometry.rows, registers.geometry.row_devices)
            self._stored = np.zeros(shape, np.int32)
        self._physical: PhysicalChain | None = None
        if has_compiled_loop(array) and external is None and not registers.log_repeats:
            self._physical = PhysicalChain(self.machine, self.data, self.state, array, self._stored)

    # -- running -----------------------------------------------------------------------------

    def start(self) -> None:
        """Start-up test of the coin, then the first sample of every region that has none.

        Raises EntropyAlarm when the test fails; the rows of the array are then reset.
        """
        if self._in_one_loop():
            out = build_stream(0, self.registers.sample_devices)
            status = self._run_loop(out, START, 0)
            if status == ENTROPY_ALARM:
                raise EntropyAlarm(NO_COIN)
            if status == EXHAUSTED:
                waiting = np.flatnonzero(self.state.group < 0)
                tested = self.state.scalars[CLEAN_WINDOWS] >= STARTUP_WINDOWS
                raise self._no_rows(int(waiting[0] if tested else self.state.scalars[TURN]))
            return
        restart_tests(self.state)
        scalars = self.state.scalars
        turn = scalars[TURN]
        while scalars[CLEAN_WINDOWS] < STARTUP_WINDOWS:
            region = int(scalars[TURN])
            group = self._take(region)
            row = first_row(self.machine, group)
            begin_coin(self.state)
            propose_coin(self.machine, self.state, row)
            self._harvest(row)
            stuck = not is_valid(self.machine, self.state.coin_codes)
            give_back(self.machine, self.state, region, group, stuck)
            scalars[TURN] = (region + 1) % self.machine.regions
            if scalars[ALARM]:
                raise EntropyAlarm(NO_COIN)
        scalars[TURN] = turn  # a chain that resumes after an alarm keeps the turn
        for region in range(self.machine.regions):
            while self.state.group[region] < 0:
                self._start_region(region)

    def _start_region(self, region: int) -> None:
        group = self._take(region)
        row = first_row(self.machine, group)
        propose(self.machine, self.state, region, row, True)
        self.array.reset(row)
        self._program(row)
        if not is_valid(self.machine, self.state.proposed):
            give_back(self.machine, self.state, region, group, True)
            return
        loglik, _ = self._evaluate(row, NEVER)
        first_sample(self.machine, self.state, region, group, loglik)

    def _take(self, region: int) -> int:
        group = int(take_free(self.machine, self.state, region))
        if group == NO_GROUP:
            raise self._no_rows(region)
        return group

    def _no_rows(self, region: int) -> OhmcarloError:
        return OhmcarloError(
            f"region {region} has no working rows left: "
            f"{int(self.state.bad.sum())} row groups are out of service"
        )

    def _in_one_loop(self) -> bool:
        """Whether one compiled loop runs the whole chain."""
        return self._physical is not None or self._emulated()

    def _run_loop(self, out: Stream, work: int, steps: int) -> int:
        if self._physical is not None:
            return self._physical.run(out, steps, work == START)
        return self._run_emulated(out, work, steps)

    def _emulated(self) -> bool:
        """Whether the loop is that of the emulated array."""
        single = not self.registers.log_repeats
        return isinstance(self.array, EmulatedArray) and self.external is None and single

    def _run_emulated(self, out: Stream, work: int, steps: int) -> int:
        array: Any = self.array
        m = self.machine
        arguments = self.data, self.state, array.state, out, work, steps, no_logits(m), in_turn()
        return int(run_emulated(m, *arguments))

    def _several(self) -> bool:
        """Whether threads can share the chains."""
        return self.machine.regions > 1 and threads() > 1

    def _run_threads(self, out: Stream, steps: int) -> int:
        """The chains in threads, with the trace of ``_run_emulated``."""
        array: Any = self.array
        chains = self.machine, self.data, self.state, array.state
        if self._parallel is None or not self._parallel.is_of(*chains):
            self._parallel = Parallel(*chains)
        return self._parallel.run(out, steps, threads())

    def run(self, steps: int) -> tuple[Stream, int]:
        """``steps`` steps of every region, in turn; returns the stream and the status."""
        if self.state.group.min() < 0:
            raise UsageError("start() comes before run()")
        total = steps * self.machine.regions
        out = build_stream(total, self.registers.sample_devices)
        if self.state.scalars[ALARM]:
            return out, ENTROPY_ALARM
        if self._emulated() and self._several() and steps >= least_rounds(self.machine, self.data):
            return out, self._run_threads(out, total)
        if self._in_one_loop():
            return out, self._run_loop(out, MAKE_STEPS, total)
        for _ in range(total):
            status = self._step(out)
            if status != RUNNING:
                return out, status
        return out, RUNNING

    def _step(self, out: Stream) -> int:
        m, state = self.machine, self.state
        region = int(state.scalars[TURN])
        group = int(take_free(m, state, region))
        if group == NO_GROUP:
            return EXHAUSTED
        row = int(first_row(m, group))
        begin_coin(state)
        propose_coin(m, state, row)
        while not state.scalars[COIN_READY]:
            self._harvest(row)
            if state.scalars[ALARM]:
                push_free(m, state, region, group)
                return ENTROPY_ALARM
            if not is_valid(m, state.coin_codes):
                conclude(m, state, out, region, group, False, True, False, 0, 0, 0)
                return RUNNING
        t = minus_log_u(m, state)
        propose(m, state, region, row, False)
        self._program(row)
        valid = bool(is_valid(m, state.proposed))
        stuck = not valid and bool(is_stuck(m, state, region, row))
        loglik, prior, points, accepted = 0, 0, 0, False
        if valid:
            threshold, prior = threshold_of(m, state, region, row, t)
            loglik, points = self._evaluate(row, threshold)
            accepted = loglik >= threshold
        conclude(m, state, out, region, group, valid, stuck, accepted, loglik, prior, points)
        return RUNNING

    # -- the array ---------------------------------------------------------------------------

    def _harvest(self, row: int) -> None:
        """RESET ``row``, program and read its entropy devices once, test and take the bits."""
        self.array.reset(row)
        codes = self._operated.program(row, self.machine.coin_devices, self.state.coin_dac)
        self.state.coin_codes[:] = codes
        harvest(self.machine, self.state)

    def _program(self, row: int) -> None:
        """Program and read back every device of the sample; the first row is reset already."""
        for i, slots in enumerate(self._rows):
            if i:
                self.array.reset(row + i)
            devices = self.machine.slot_device[slots]
            codes = self._operated.program(row + i, devices, self.state.dac[slots])
            self.state.proposed[slots] = codes
            if self._stored is not None:
                self._stored[row + i, devices] = codes

    def _evaluate(self, row: int, threshold: int) -> tuple[int, int]:
        """Log-likelihood of the proposal in ``row``; stops early below ``threshold``."""
        proposed = self.state.proposed
        if self.external is not None:
            loglik = int(self.external(proposed))
            if abs(loglik) > ACC_MAX:
                raise OhmcarloError(f"external log-likelihood {loglik} does not fit 32 bits")
            return loglik, 0
        logits = no_logits(self.machine)
        if not (self.array.exact_dot or self.machine.digital):
            logits = np.empty(len(self.points), np.int64)
            self._logits(row, self._inputs, self.data.offsets, logits)
        loglik, points = evaluate(self.machine, self.data, proposed, logits, threshold)
        count_dots(self.machine, self.array.ledger.counts, proposed, points)
        return int(loglik), int(points)

    def _logits(
        self,
        row: int,
        inputs: NDArray[np.int8],
        offsets: NDArray[np.int16],
        out: NDArray[np.int64],
    ) -> None:
        """Logits computed by the array: inputs int8 (n, pairs) → ``out``, int64 (n,)."""
        m = self.machine
        if m.hidden:
            dots = np.stack([self._operated.dot(row + h, inputs) for h in range(m.hidden)])
            hidden = np.zeros_like(inputs)
            hidden_layer(m, dots, hidden)
            inputs = hidden
        logits_from_dots(m, self._operated.dot(row + m.group_rows - 1, inputs), offsets, out)

    # -- inspection --------------------------------------------------------------------------

    def set_order(self, order: NDArray[np.int32]) -> None:
        """Load the order table: a permutation of the points."""
        check_order(order, len(self.points))
        self.data.order[:] = order

    def held_samples(self) -> tuple[NDArray[np.int32], NDArray[np.int64], NDArray[np.int32]]:
        """Samples in the array, including the current ones.

        First rows (n,), multiplicities (n,) and codes (n, sample devices): those read back when the
        sample was programmed if dot products are digital, otherwise those of new READs.
        """
        m, state = self.machine, self.state
        held = state.held.copy()
        current = state.group[state.group >= 0]
        held[current] = state.multiplicity[state.group >= 0]
        groups = np.flatnonzero(held)
        rows = np.array([first_row(m, g) for g in groups], np.int32)
        codes = np.zeros((len(groups), self.registers.sample_devices), np.int32)
        for i, row in enumerate(rows):
            for j, slots in enumerate(self._rows):
                place, devices = int(row) + j, m.slot_device[slots]
                if self._stored is None:
                    codes[i, slots] = self._operated.read(place, devices)
                else:
                    codes[i, slots] = self._stored[place, devices]
        return rows, held[groups], codes

    def predict(self, points: Points) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Prediction mode: mean and variance of sigmoid(z), float64 (n,) each, over the samples in
        the array, weighted with their multiplicities. The accesses of the array are counted."""
        return moments(*self._prediction_sums(points))

    def triage(self, points: Points, thresholds: Thresholds) -> Triage:
        """Predict, answer, and keep the sums of doubtful points only."""
        return triage_of(*self._prediction_sums(points), thresholds)

    def _prediction_sums(self, points: Points) -> tuple[NDArray[np.int64], int]:
        """Sums of the prediction mode, and the number of samples."""
        counts = self.array.ledger.counts
        reads = counts[READ]
        _, multiplicity, codes = self.held_samples()
        counts[READ] = reads  # the hardware drives the rows without a READ
        for sample in codes:
            count_dots(self.machine, counts, sample, len(points))
        return prediction_sums(self.registers, points, codes, multiplicity)

    def entropy(self) -> dict[str, Any]:
        """Counters of the entropy unit."""
        s = self.state.scalars
        return {
            "alarms": int(s[ALARMS]),
            "raw_bits": int(s[RAW_BITS]),
            "symbol_counts": self.state.symbol_counts.copy(),
        }

    def bad_rows(self) -> list[int]:
        """First rows of the row groups out of service."""
        return [int(first_row(self.machine, g)) for g in np.flatnonzero(self.state.bad)]

    @property
    def steps(self) -> int:
        """Steps so far, over all regions."""
        return int(self.state.scalars[STEPS])

    def state_dict(self) -> dict[str, NDArray[Any]]:
        """Controller and array, complete."""
        state = {f"controller.{k}": v for k, v in self.state.state_dict().items()}
        state["controller.order"] = self.data.order.copy()
        if self._stored is not None:
            state["controller.stored"] = self._stored.copy()
        state |= {f"array.{k}": v for k, v in self.array.state_dict().items()}
        return state

    def load_state_dict(self, state: dict[str, NDArray[Any]]) -> None:
        """Load the ``state_dict()`` of a controller with the same registers, array and data.

        Raises UsageError, and changes nothing, if the values cannot be those of such a state.
        """
        own, array = (
            {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}
            for prefix in ("controller.", "array.")
        )
        check_state(own, self.registers)
        check_order(own.get("order", np.zeros(0)), len(self.points))
        if self._stored is not None:
            check_array(own, "stored", self._stored, 0, CODE_MAX)
        self.array.load_state_dict(array)
        self.set_order(own["order"])
        self.state.load_state_dict(own)
        if self._stored is not None:
            self._stored[...] = own["stored"]


def predict(
    registers: Registers,
    points: Points,
    codes: NDArray[Any],
    multiplicity: NDArray[Any],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and variance of sigmoid(z), float64 (n,) each, over samples (s, sample devices).

    Examples
    --------
    >>> import numpy as np
    >>> from ohmcarlo.array import EmulatedArray
    >>> from ohmcarlo.golden import SamplerSettings, predict
    >>> from ohmcarlo.spec import Geometry, Points
    >>> inputs = np.array([[32, 32], [-32, 32], [48, 32], [-48, 32]], np.int8)  # 32 is 1.0
    >>> points = Points.of(inputs, np.array([1, 0, 1, 0], np.uint8))
    >>> array = EmulatedArray(Geometry(rows=16, pairs=8), seed=1)
    >>> registers = SamplerSettings().registers(array.geometry, 2, array.sigma_us)
    >>> samples = np.array([[500, 420, 440, 430], [510, 400, 430, 450]], np.uint16)  # codes
    >>> mean, variance = predict(registers, points, samples, np.array([3, 1]))
    >>> mean.round(2).tolist()
    [0.71, 0.3, 0.79, 0.22]
    """
    return moments(*prediction_sums(registers, points, codes, multiplicity))


def prediction_sums(
    registers: Registers,
    points: Points,
    codes: NDArray[Any],
    multiplicity: NDArray[Any],
) -> tuple[NDArray[np.int64], int]:
    """The integers that the controller's prediction mode accumulates over samples (s, sample
    devices): sum and sum of squares, int64 (n, 2), and the number of samples."""
    if not len(codes):
        raise UsageError("prediction needs at least one sample")
    sums = np.zeros((len(points), 2), np.int64)
    machine, data, adding = build_machine(registers), build_data(points), Lock()
    samples = np.ascontiguousarray(codes)

    def add(part: slice) -> None:
        own = np.zeros_like(sums)
        predict_sums(machine, data, samples[part], multiplicity[part], own)
        with adding:
            np.add(sums, own, out=sums)

    share_range(len(samples), add, _threads_over(samples, points))
    return sums, int(multiplicity.sum())


def _threads_over(samples: NDArray[Any], points: Points) -> int:
    """Threads that an evaluation of the points under each sample is worth."""
    work = samples.size // 2 * len(points)
    return min(threads(), max(1, work // LEAST_WORK), max(1, len(samples)))


def log_posteriors(registers: Registers, points: Points, codes: NDArray[Any]) -> NDArray[np.int64]:
    """Log-posterior of samples (n, sample devices), int64 (n,), LSB 2**-LOGLIK_FRAC.

    The dot products are those of the codes, without read noise.
    """
    out = np.empty(len(codes), np.int64)
    machine, data = build_machine(registers), build_data(points)
    samples = np.ascontiguousarray(codes, np.uint16)

    def fill(part: slice) -> None:
        log_posteriors_of(machine, data, samples[part], no_logits(machine), out[part])

    share_range(len(samples), fill, _threads_over(samples, points))
    return out


def terms(registers: Registers, points: Points, codes: NDArray[Any]) -> NDArray[np.int64]:
    """Log-likelihood term of every point under one sample, int64 (n,), LSB 2**-LOGLIK_FRAC."""
    out = np.empty(len(points), np.int64)
    data = build_data(points)
    terms_of(build_machine(registers), data, np.ascontiguousarray(codes, np.int32), out)
    return out


def logits(registers: Registers, points: Points, codes: NDArray[Any]) -> NDArray[np.float32]:
    """Logit of every point under every sample, from the codes, without read noise.

    Samples (s, sample devices) → float32 (s, points), which holds every logit exactly.
    """
    machine, data = build_machine(registers), build_data(points)
    out = np.empty((len(codes), len(points)), np.float32)
    samples = np.ascontiguousarray(codes, np.int32)

    def fill(part: slice) -> None:
        found = np.empty(len(points), np.int64)
        for sample, row in zip(samples[part], out[part], strict=True):
            logits_of(machine, data, sample, found)
            np.ldexp(found.astype(np.float32), -LOGIT_FRAC, out=row)

    share_range(len(samples), fill, _threads_over(samples, points))
    return out
