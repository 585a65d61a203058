"""The controller's registers, memories and state, as named tuples for compiled code.

``Machine`` is constant while a chain runs; ``State`` changes. ``Data`` is the data memory, and
``Stream`` is the output of the controller. Each block of the golden model is a function of these
integers and arrays, and the twin of a block of hardware. Functions bind the arrays of their loops
to local names: an array that is looked up in a tuple is reference-counted each time, which can cost
more than the arithmetic.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..array.base import Array
from ..errors import UsageError
from ..spec import (
    SYMBOL_BITS,
    Geometry,
    Points,
    cost_lines,
    identity_dac,
    neg_log_table,
    sigmoid_lines,
    softplus_table,
)
from ..spec.geometry import MAX_ROWS, MIN_GROUPS
from .registers import Registers

# Scalars of State.scalars
TURN = 0  # region that takes the next step
STEPS = 1  # steps so far, all regions
RAW_BITS = 2
RCT_LAST = 3  # repetition count over raw bits: last bit (2: none yet) and run length
RCT_RUN = 4
APT_FIRST = 5  # adaptive proportion: the bit counted, bits seen in the window, matches
APT_SEEN = 6
APT_MATCHES = 7
CLEAN_WINDOWS = 8
ALARMS = 9
ALARM = 10  # latched until the next start-up test
WORD = 11  # the coin's word so far, its bits, and leading zeros from earlier words
WORD_BITS = 12
ZEROS_BEFORE = 13
COIN_READY = 14
ROUND = 15  # rounds over the regions since the last wide one
FOLDED = 16  # exclusive or of the raw symbols that wait to be folded, and their number
FOLD_SEEN = 17
SCALARS = 18
NO_BIT = 2


class Scale(NamedTuple):
    """A coefficient: ``x`` becomes ``shift_round(x * mantissa, shift)``."""

    mantissa: int
    shift: int


class Converter(NamedTuple):
    """Accesses of a dot product, and the conversion of their results."""

    access_bits: int
    tile_pairs: int
    shift: int
    limit: int


class Machine(NamedTuple):
    """Registers and tables. Device lists are positions within a row."""

    rows_per_region: int
    region_groups: int
    regions: int
    group_rows: int
    features: int
    hidden: int
    min_free: int
    stream: int
    retries: int
    early_reject: int
    hastings: int
    rho: int
    wide_every: int
    mid: int
    lo: int
    hi: int
    valid_lo: int
    valid_hi: int
    logit: Scale
    weight: Scale
    common: Scale
    fold: int
    rct_cutoff: int
    rct_symbol_cutoff: int
    apt_cutoff: int
    digital: int
    log_repeats: int
    converter: Converter
    centre: NDArray[np.int32]  # (rows, row_devices), or (1, 1): the same for all
    trim_offset: NDArray[np.int32]  # likewise
    trim_gain: NDArray[np.int32]
    dac: NDArray[np.int64]  # (257,)
    inv_sigma: NDArray[np.int64]
    log_sigma: NDArray[np.int64]
    softplus: NDArray[np.int64]
    cost: NDArray[np.int64]
    sigmoid: NDArray[np.int64]
    neg_log: NDArray[np.int64]
    coin_devices: NDArray[np.int32]  # (2 entropy_pairs,)
    slot_row: NDArray[np.int32]  # (sample devices,) row within the group
    slot_device: NDArray[np.int32]  # (sample devices,) device within the row


class Data(NamedTuple):
    """The data memory and the order table."""

    inputs: NDArray[np.int8]  # (n, features)
    labels: NDArray[np.uint8]  # (n,)
    offsets: NDArray[np.int16]  # (n,)
    order: NDArray[np.int32]  # (n,)


class State(NamedTuple):
    """The changing part of the controller."""

    scalars: NDArray[np.int64]  # (SCALARS,)
    codes: NDArray[np.int32]  # (regions, sample devices) the current sample
    group: NDArray[np.int32]  # (regions,) where it is; -1 before the first
    multiplicity: NDArray[np.int64]  # (regions,)
    loglik: NDArray[np.int64]
    prior: NDArray[np.int64]
    free: NDArray[np.int32]  # (regions, region_groups) queue of free row groups, a ring
    free_head: NDArray[np.int64]
    free_count: NDArray[np.int64]
    retired: NDArray[np.int32]  # (regions, region_groups) samples still in the array, a ring
    retired_head: NDArray[np.int64]
    retired_count: NDArray[np.int64]
    held: NDArray[np.int64]  # (groups,) multiplicity of the sample that a group holds
    failures: NDArray[np.int32]  # (groups,) invalid read-backs in a row
    bad: NDArray[np.bool_]  # (groups,) out of service
    symbol_last: NDArray[np.int32]  # (coin devices,) repetition count over symbols
    symbol_run: NDArray[np.int32]
    symbol_counts: NDArray[np.int64]  # (2**SYMBOL_BITS,) for the estimate of min-entropy
    proposed: NDArray[np.int32]  # (sample devices,) codes read back from the proposal
    dac: NDArray[np.int32]  # (sample devices,) DAC codes of the proposal
    coin_dac: NDArray[np.int32]  # (coin devices,)
    coin_codes: NDArray[np.int32]

    def state_dict(self) -> dict[str, NDArray[Any]]:
        return {name: value.copy() for name, value in self._asdict().items()}

    def load_state_dict(self, state: dict[str, NDArray[Any]]) -> None:
        """Take over a state that ``state_checks.check_state`` has accepted."""
        for name, value in self._asdict().items():
            value[...] = state[name]


class Stream(NamedTuple):
    """Output of a block of steps; ``cursor`` counts steps and samples."""

    cursor: NDArray[np.int64]  # (2,)
    accepted: NDArray[np.bool_]  # (steps,)
    valid: NDArray[np.bool_]
    log_posterior: NDArray[np.int64]
    chain: NDArray[np.uint8]
    points: NDArray[np.int32]
    codes: NDArray[np.uint16]  # (steps, sample devices), `cursor[1]` rows of it used
    multiplicity: NDArray[np.int32]
    sample_chain: NDArray[np.uint8]
    sample_log_posterior: NDArray[np.int64]


class Ahead(NamedTuple):
    """How one chain runs ahead of the others of its array, see ``parallel.py``."""

    harvests: int  # of a regular step; 0: the chains take turns
    others: int  # SET pulses of the other chains between two steps of this one
    chain: int
    symbols: NDArray[np.uint8]  # (chains, n) of the coin, for tests that come later
    taken: NDArray[np.int64]  # (1,) symbols so far


def in_turn() -> Ahead:
    """The chains take turns."""
    return Ahead(0, 0, 0, np.zeros((0, 0), np.uint8), np.zeros(1, np.int64))


def _per_device(values: NDArray[Any] | None, default: int) -> NDArray[np.int32]:
    if values is None:
        return np.full((1, 1), default, np.int32)
    return np.ascontiguousarray(values, np.int32)


def sample_slots(features: int, hidden: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Row within the group, and device within the row, of each device of a sample.

    A sample of a logistic model fills one row with ``features`` pairs. That of a network fills a
    row for each hidden unit, and one with the weights of the output.

    >>> sample_slots(1, 1)
    (array([0, 0, 1, 1, 1, 1]), array([0, 1, 0, 1, 2, 3]))
    """
    inputs, output = 2 * features, 2 * (hidden + 1)
    if not hidden:
        return np.zeros(inputs, np.int64), np.arange(inputs)
    row = np.repeat(np.arange(hidden + 1), [inputs] * hidden + [output])
    return row, np.concatenate([np.tile(np.arange(inputs), hidden), np.arange(output)])


def build_machine(registers: Registers, array: Array | None = None) -> Machine:
    """Elaborate ``registers`` for ``array``; raises UsageError if the two do not fit.

    Without an array the machine can evaluate and predict, not program.
    """
    r, g, c = registers, registers.geometry, registers.calibration
    if array is not None and (g.rows, g.pairs) != (array.geometry.rows, array.geometry.pairs):
        raise UsageError(
            f"the registers are for {g.rows} × {g.pairs} pairs, the array has "
            f"{array.geometry.rows} × {array.geometry.pairs}"
        )
    shape = (g.rows, g.row_devices)
    for name in ("trim_offset", "trim_gain", "centre"):
        table = getattr(c, name)
        if table is not None and table.shape != shape:
            raise UsageError(f"the calibration's {name} has shape {table.shape}, not {shape}")
    slot_row, slot_device = sample_slots(r.features, r.hidden)
    dac = c.dac
    if dac is None:
        dac = identity_dac() if array is None else array.dac_of_target()
    return Machine(
        rows_per_region=g.rows // g.regions,
        region_groups=g.region_groups,
        regions=g.regions,
        group_rows=g.row_group,
        features=r.features,
        hidden=r.hidden,
        min_free=max(2, min(8, g.region_groups // 4)),
        stream=int(r.stream),
        retries=r.retries,
        early_reject=int(r.early_reject),
        hastings=int(r.hastings),
        rho=r.rho,
        wide_every=r.wide_every,
        mid=r.centre,
        lo=r.lo,
        hi=r.hi,
        valid_lo=r.valid_lo,
        valid_hi=r.valid_hi,
        logit=Scale(*r.logit_coef),
        weight=Scale(*r.weight_coef),
        common=Scale(*r.common_coef),
        fold=r.fold,
        rct_cutoff=r.rct_cutoff,
        rct_symbol_cutoff=r.rct_symbol_cutoff,
        apt_cutoff=r.apt_cutoff,
        digital=int(r.digital),
        log_repeats=r.log_repeats,
        converter=Converter(g.access_bits, g.tile_pairs or g.pairs, g.dot_shift, g.dot_limit),
        centre=_per_device(c.centre, r.centre),
        trim_offset=_per_device(c.trim_offset, 0),
        trim_gain=_per_device(c.trim_gain, 0),
        dac=np.ascontiguousarray(dac, np.int64),
        inv_sigma=r.inv_sigma,
        log_sigma=r.log_sigma,
        softplus=softplus_table(),
        cost=cost_lines(),
        sigmoid=sigmoid_lines(),
        neg_log=neg_log_table(),
        coin_devices=np.arange(2 * g.max_features, 2 * g.pairs, dtype=np.int32),
        slot_row=slot_row.astype(np.int32),
        slot_device=slot_device.astype(np.int32),
    )


def _more_good_rows(g: Geometry, share: float) -> str:
    """An advice for an array of whose row groups so large a share has no bad row."""
    ways = ["an array with fewer stuck devices"]
    if share:
        rows = max(2 * g.rows, round(2 * MIN_GROUPS * g.regions * g.row_group / share))
        ways = ([f"--rows {rows}"] if rows <= MAX_ROWS else []) + ways
    if g.regions > 1 and share * g.groups >= MIN_GROUPS:
        ways = ["--chains 1", *ways]
    return ", or ".join(ways)


def build_state(registers: Registers) -> State:
    """Power-up state: every good row group is free, without a sample or bits of the coin."""
    g = registers.geometry
    c, groups, devices = g.regions, g.groups, registers.sample_devices
    coin = 2 * g.entropy_pairs
    bad = np.zeros(groups, np.bool_)
    bad_rows = registers.calibration.bad_rows
    if bad_rows is not None:
        if bad_rows.shape != (g.rows,):
            raise UsageError(f"the bad-row map has {bad_rows.shape} entries for {g.rows} rows")
        for group in range(groups):
            first = g.group_row(group)
            bad[group] = bad_rows[first : first + g.row_group].any()
    free = np.zeros((c, g.region_groups), np.int32)
    free_count = np.zeros(c, np.int64)
    for region in range(c):
        first = region * g.region_groups
        good = first + np.flatnonzero(~bad[first : first + g.region_groups])
        if len(good) < MIN_GROUPS:
            raise UsageError(
                f"region {region} has {len(good)} row groups without a bad row, a chain needs "
                f"{MIN_GROUPS}: use {_more_good_rows(g, 1 - float(bad.mean()))}"
            )
        free[region, : len(good)] = good
        free_count[region] = len(good)
    scalars = np.zeros(SCALARS, np.int64)
    scalars[RCT_LAST] = NO_BIT
    return State(
        scalars=scalars,
        codes=np.zeros((c, devices), np.int32),
        group=np.full(c, -1, np.int32),
        multiplicity=np.zeros(c, np.int64),
        loglik=np.zeros(c, np.int64),
        prior=np.zeros(c, np.int64),
        free=free,
        free_head=np.zeros(c, np.int64),
        free_count=free_count,
        retired=np.zeros((c, g.region_groups), np.int32),
        retired_head=np.zeros(c, np.int64),
        retired_count=np.zeros(c, np.int64),
        held=np.zeros(groups, np.int64),
        failures=np.zeros(groups, np.int32),
        bad=bad,
        symbol_last=np.full(coin, -1, np.int32),
        symbol_run=np.zeros(coin, np.int32),
        symbol_counts=np.zeros(1 << SYMBOL_BITS, np.int64),
        proposed=np.zeros(devices, np.int32),
        dac=np.zeros(devices, np.int32),
        coin_dac=np.zeros(coin, np.int32),
        coin_codes=np.zeros(coin, np.int32),
    )


def build_data(points: Points, order: NDArray[np.int32] | None = None) -> Data:
    """The data memory; the default order is that of the points."""
    return Data(
        inputs=np.ascontiguousarray(points.inputs),
        labels=points.labels,
        offsets=points.offsets,
        order=np.arange(len(points), dtype=np.int32) if order is None else order,
    )


def build_stream(steps: int, devices: int) -> Stream:
    """Room for ``steps`` steps, each of which can retire one sample."""
    return Stream(
        cursor=np.zeros(2, np.int64),
        accepted=np.zeros(steps, np.bool_),
        valid=np.zeros(steps, np.bool_),
        log_posterior=np.zeros(steps, np.int64),
        chain=np.zeros(steps, np.uint8),
        points=np.zeros(steps, np.int32),
        codes=np.zeros((steps, devices), np.uint16),
        multiplicity=np.zeros(steps, np.int32),
        sample_chain=np.zeros(steps, np.uint8),
        sample_log_posterior=np.zeros(steps, np.int64),
    )
