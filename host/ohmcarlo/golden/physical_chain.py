"""The compiled loop over physical and measured arrays.

It makes the operations of ``Controller._step`` in the same order, with the draws of the array's own
generators: traces, states and ledgers of both ways are equal, and a checkpoint of one continues on
the other. The body takes an array's operations as arguments and is compiled for each class of
array.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..array.base import Array
from ..array.cells_core import CELL_DRAWS, Cells, cells_program, cells_reset
from ..array.measured import MeasuredArray
from ..array.physics import PULSES, READS, PhysicsArray
from ..array.physics_core import SET_DRAWS, Physics, physics_program, physics_reset
from ..array.physics_dot import DotBuffers, dot_buffers, physics_dot
from ..jit import allocating, compiled
from ..spec import FEATURE_FRAC, STARTUP_WINDOWS
from .chain import (
    ENTROPY_ALARM,
    EXHAUSTED,
    RUNNING,
    conclude,
    count_dots,
    first_sample,
    threshold_of,
)
from .entropy import begin_coin, harvest, minus_log_u, restart_tests
from .likelihood import NEVER, activation, evaluate, logits_from_dots, no_logits
from .machine import ALARM, CLEAN_WINDOWS, COIN_READY, TURN, Data, Machine, State, Stream
from .proposal import is_stuck, is_valid, propose, propose_coin
from .rows import NO_GROUP, first_row, give_back, push_free, take_free

# -- operations of an array with its own draws -----------------------------------------------


class DrawnPhysics(NamedTuple):
    """A ``PhysicsArray``, its generators, and buffers for n points."""

    core: Physics
    pulses: np.random.Generator
    reads: np.random.Generator
    normals: NDArray[np.float64]  # (SET_DRAWS * row_devices,)
    noise: NDArray[np.float64]  # (row_devices,)
    buffers: DotBuffers
    gains: NDArray[np.float64]  # (row_devices,) of the line drivers
    inputs: NDArray[np.int8]  # (features, n)
    hidden: NDArray[np.int8]  # (H + 1, n)
    dots: NDArray[np.int32]  # (n,)


class DrawnCells(NamedTuple):
    """A ``MeasuredArray``, its generator, and a buffer."""

    core: Cells
    pulses: np.random.Generator
    uniform: NDArray[np.float64]  # (CELL_DRAWS * row_devices,)


@compiled
def draw_normals(generator: Any, out: Any, n: int) -> None:
    """``generator.standard_normal(n)`` into ``out``."""
    for i in range(n):
        out[i] = generator.standard_normal()


@compiled
def reset_physics(a: DrawnPhysics, row: int) -> None:
    """``PhysicsArray.reset``."""
    draw_normals(a.pulses, a.normals, a.core.g_us.shape[1])
    physics_reset(a.core, row, a.normals, True)


@compiled
def program_physics(a: DrawnPhysics, row: int, devices: Any, dac: Any, out: Any) -> None:
    """``PhysicsArray.program``."""
    draw_normals(a.pulses, a.normals, SET_DRAWS * len(devices))
    if a.core.read_rel:
        draw_normals(a.reads, a.noise, len(devices))
    physics_program(a.core, row, devices, dac, a.normals, a.noise, out)


@compiled
def dot_physics(a: DrawnPhysics, row: int, inputs: Any) -> None:
    """``PhysicsArray.dot`` over all pairs, into ``a.dots``."""
    noise = a.buffers.noise
    for access in range(noise.shape[0]):
        draw_normals(a.reads, noise[access], noise.shape[1])
    pairs = a.core.g_us.shape[1] // 2
    physics_dot(a.core, row, inputs, pairs, a.gains, a.buffers, a.dots)


@compiled
def logits_of_physics(m: Machine, data: Data, a: DrawnPhysics, row: int, logits: Any) -> None:
    """Logits of all points, computed by the array."""
    dots, hidden = a.dots, a.hidden
    for h in range(m.hidden + 1):
        output = h == m.hidden
        place, inputs = row + h, a.inputs
        if output:
            place = row + m.group_rows - 1
            if m.hidden:
                hidden[h] = 1 << FEATURE_FRAC
                inputs = hidden
        dot_physics(a, place, inputs)
        if not output:
            for i in range(len(dots)):
                hidden[h, i] = activation(np.int64(dots[i]), m.logit)
    logits_from_dots(m, dots, data.offsets, logits)


@allocating
def reset_cells(a: DrawnCells, row: int) -> None:
    """``MeasuredArray.reset``."""
    states, devices = a.core.high.shape[1], a.core.codes.shape[1]
    cells_reset(a.core, row, a.pulses.integers(0, states, devices))


@compiled
def program_cells(a: DrawnCells, row: int, devices: Any, dac: Any, out: Any) -> None:
    """``MeasuredArray.program``."""
    for i in range(CELL_DRAWS * len(devices)):
        a.uniform[i] = a.pulses.random()
    cells_program(a.core, row, devices, dac, a.uniform, out)


# -- the loop --------------------------------------------------------------------------------


@compiled
def reset_row(physics: Any, cells: Any, row: int) -> None:
    """RESET ``row`` of the array that is there; the other one is None."""
    if physics is not None:  # the types decide: of two branches, one is compiled
        reset_physics(physics, row)
    if cells is not None:
        reset_cells(cells, row)


@compiled
def program_row(physics: Any, cells: Any, row: int, devices: Any, dac: Any, out: Any) -> None:
    """SET and READ ``devices`` of a row in order; codes into ``out``."""
    if physics is not None:
        program_physics(physics, row, devices, dac, out)
    if cells is not None:
        program_cells(cells, row, devices, dac, out)


@compiled
def log_likelihood(
    m: Machine, data: Data, state: State, physics: Any, cells: Any, row: int, threshold: int,
    logits: Any,
) -> tuple[int, int]:  # fmt: skip
    """``evaluate``; the array computes the logits unless they come from the codes."""
    if logits is None:
        return evaluate(m, data, state.proposed, logits, threshold)
    if physics is not None:  # noqa: SIM102, one condition for the types
        if not m.digital:
            logits_of_physics(m, data, physics, row, logits)
    return evaluate(m, data, state.proposed, logits, threshold)


@compiled
def toss(m: Machine, state: State, physics: Any, cells: Any, row: int, once: bool) -> bool:
    """RESET, program and read the entropy devices of ``row`` until the coin is ready, or once.

    False after an alarm or an invalid read-back of an entropy device.
    """
    begin_coin(state)
    propose_coin(m, state, row)
    while not state.scalars[COIN_READY]:
        reset_row(physics, cells, row)
        program_row(physics, cells, row, m.coin_devices, state.coin_dac, state.coin_codes)
        harvest(m, state)
        if once or state.scalars[ALARM] or not is_valid(m, state.coin_codes):
            return False
    return True


@compiled
def program_sample(
    m: Machine, state: State, physics: Any, cells: Any, stored: Any, row: int, first: bool
) -> None:
    """Program and read back every device of the proposal.

    The coin has reset the first row unless this is the first sample of a region. ``stored`` takes
    the codes: (rows, row_devices), or (0, 0).
    """
    start = 0
    for i in range(m.group_rows):
        stop = start
        while stop < len(m.slot_row) and m.slot_row[stop] == i:
            stop += 1
        if first or i > 0:
            reset_row(physics, cells, row + i)
        devices, codes = m.slot_device[start:stop], state.proposed[start:stop]
        program_row(physics, cells, row + i, devices, state.dac[start:stop], codes)
        if stored.shape[0] > 0:
            for k in range(start, stop):
                stored[row + i, m.slot_device[k]] = state.proposed[k]
        start = stop


@compiled
def waiting_region(state: State) -> int:
    """The first region without a sample, or -1."""
    for region in range(len(state.group)):
        if state.group[region] < 0:
            return region
    return -1


TEST, FIRST, STEP = range(3)  # start-up test of the coin, first sample of a region, MH step


@compiled
def run_physical(
    m: Machine, data: Data, state: State, physics: Any, cells: Any, counts: Any, stored: Any,
    out: Stream, steps: int, start: bool, logits: Any,
) -> int:  # fmt: skip
    """``steps`` MH steps, after a start if ``start``; the status.

    Test, first samples and steps share one body, which halves the time of compilation. One of
    ``physics`` and ``cells`` is None. ``counts`` is the ledger's. ``logits`` is a buffer (n,) if
    the array computes them, otherwise ``no_logits(m)``.
    """
    scalars = state.scalars
    if start:
        restart_tests(state)
    turn = scalars[TURN]  # a chain that resumes after an alarm keeps the turn
    action, done = TEST if start else STEP, 0
    while True:
        if action == TEST and scalars[CLEAN_WINDOWS] >= STARTUP_WINDOWS:
            action, scalars[TURN] = FIRST, turn
        region = scalars[TURN]
        if action == FIRST:
            region = waiting_region(state)
            if region < 0:
                action, region = STEP, turn
        if action == STEP:
            if done == steps:
                return RUNNING
            done += 1
        group = take_free(m, state, region)
        if group == NO_GROUP:
            return EXHAUSTED
        row = first_row(m, group)
        first = action == FIRST
        if not first and not toss(m, state, physics, cells, row, action == TEST):
            if action == TEST:
                give_back(m, state, region, group, not is_valid(m, state.coin_codes))
                scalars[TURN] = (region + 1) % m.regions
            elif scalars[ALARM]:
                push_free(m, state, region, group)
            else:
                conclude(m, state, out, region, group, False, True, False, 0, 0, 0)
            if scalars[ALARM]:
                return ENTROPY_ALARM
            continue
        t = 0 if first else minus_log_u(m, state)
        propose(m, state, region, row, first)
        program_sample(m, state, physics, cells, stored, row, first)
        valid = is_valid(m, state.proposed)
        threshold, loglik, prior, points = NEVER, 0, 0, 0
        if valid:
            if not first:
                threshold, prior = threshold_of(m, state, region, row, t)
            loglik, points = log_likelihood(m, data, state, physics, cells, row, threshold, logits)
            count_dots(m, counts, state.proposed, points)
        if not first:
            stuck = not valid and is_stuck(m, state, region, row)
            accepted = valid and loglik >= threshold
            conclude(m, state, out, region, group, valid, stuck, accepted, loglik, prior, points)
        elif valid:
            first_sample(m, state, region, group, loglik)
        else:
            give_back(m, state, region, group, True)


# -- from Python -----------------------------------------------------------------------------


def has_compiled_loop(array: Array) -> bool:
    """Whether ``PhysicalChain`` runs chains over this array."""
    return type(array) in (PhysicsArray, MeasuredArray)


class PhysicalChain:
    """The compiled chain over a physical or a measured array.

    Parameters
    ----------
    m, data, state : Machine, Data, State
        Of the controller; arrays are shared.
    array : PhysicsArray or MeasuredArray
    stored : int32 (rows, row_devices), optional
        For the codes of the samples in the array.
    """

    def __init__(
        self,
        m: Machine,
        data: Data,
        state: State,
        array: Array,
        stored: NDArray[np.int32] | None,
    ) -> None:
        self._array = array
        self._machine, self._data, self._state = m, data, state
        self._stored = np.zeros((0, 0), np.int32) if stored is None else stored
        self._logits = no_logits(m)
        if not (array.exact_dot or m.digital):
            self._logits = np.empty(len(data.labels), np.int64)
        self._drawn = self._with_draws()

    def _with_draws(self) -> tuple[DrawnPhysics | None, DrawnCells | None]:
        array, data = self._array, self._data
        devices, points = array.geometry.row_devices, len(data.labels)
        if isinstance(array, MeasuredArray):
            uniform = np.empty(CELL_DRAWS * devices)
            return None, DrawnCells(array.state, array.generator, uniform)
        assert isinstance(array, PhysicsArray)
        pairs = array.geometry.pairs
        accesses = array.geometry.accesses_per_row(pairs)
        physics = DrawnPhysics(
            core=array.state,
            pulses=array.generators[PULSES],
            reads=array.generators[READS],
            normals=np.empty(SET_DRAWS * devices),
            noise=np.empty(devices),
            buffers=dot_buffers(array.state, points, accesses),
            gains=array.line_gains(pairs),
            inputs=np.ascontiguousarray(data.inputs.T),
            hidden=np.empty((self._machine.hidden + 1, points), np.int8),
            dots=np.empty(points, np.int32),
        )
        return physics, None

    def run(self, out: Stream, steps: int, start: bool) -> int:
        """``steps`` steps, after a start if ``start``; the status."""
        status = run_physical(
            self._machine, self._data, self._state, *self._drawn, self._array.ledger.counts,
            self._stored, out, steps, start, self._logits,
        )  # fmt: skip
        if isinstance(self._array, PhysicsArray):
            self._array.warn_outside()
        return int(status)
