"""The state of a chain: ``state_dict()`` of the golden model, and memory windows of a controller.

To save a chain while no command runs, read every window of ``SAVED``, then every code by READ
operations (the counters come first, because READs are counted), and the other arguments of
``state_of``. To load one, execute RESET_STATE, load registers and tables, set the field
``emulator.first_pulse`` with ``first_pulse_of``, execute EMULATOR_RESTART, and load the windows of
``windows_of`` in their order. The chain then continues with its next step, whether the golden model
or a controller ran it before.

Differences between the two sides:

- The hardware has no counter for the sums over conductances and driven devices of the ledger, nor
  for the wear of a single device. ``state_of`` uses the ledger of the host, or estimates it. RESET
  counts rows in hardware and devices in the ledger.
- The golden state has no place for the wear of row groups and the counters of clocks, invalid
  proposals, samples and points. They are saved beside it, under ``board.``, with the numbers from
  which the host estimates its ledger (``records.tally``). A state without them loads zero for
  clocks and steps, and the wear of the busiest device for that of a group.
- Between two steps no coin is in progress. The word of the coin and the scratch arrays of a
  proposal are not saved and read as zeros.
- Health-test counters of the hardware saturate (runs at 511 and 255, clean windows at 255). Symbol
  counts and alarms are modulo 2**32. No decision depends on these limits.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...array.base import DOT, FORM, READ, RESET, SET, Ledger, ledger_of
from ...array.checks import COUNT_MAX, check_array
from ...errors import UsageError
from ...golden import Registers, check_order, check_state
from ...golden import machine as golden
from ...spec import CODE_MAX, WIDE_EVERY_MAX, Geometry
from ...spec.link import FIELDS, WINDOWS
from .layout import Layout
from .words import COLUMNS_AT, State, coin_words, packed, pairs_of, read_coin, row_words, unpacked

Words = dict[str, NDArray[np.uint32]]

SAVED = tuple(w for w in WINDOWS if w.startswith("state_") and w != "state_codes")
"""Windows with the state of a controller. All of them can be read."""
COUNTERS = tuple(f.split(".")[1] for f in FIELDS if f.startswith("counters.") and ".lo." in f)
"""Names of the counters, in the order of the window ``state_counters``."""
BOARD_COUNTERS, BOARD_WEAR, BOARD_TALLY = "board.counters", "board.wear", "board.tally"

REGION_WORDS = 8
HEADS = ("free_head", "free_count", "retired_head", "retired_count")
HAS_SAMPLE = 1 << 31
INITIALISED, STARTED, ROUND_AT = 1 << 8, 1 << 9, 16


def sizes(layout: Layout) -> dict[str, int]:
    """Number of words of each window of the state."""
    columns = 2 * layout.entropy_pairs
    return {
        "state_queues": layout.rows,
        "state_groups": layout.rows,
        "state_held": layout.rows,
        "state_wear": layout.rows,
        "state_regions": layout.max_regions * REGION_WORDS,
        "state_samples": layout.max_regions * layout.max_group_rows * row_words(layout),
        "state_coin": COLUMNS_AT + columns,
        "state_counters": 2 * len(COUNTERS),
        "state_step": 1,
        "state_codes": layout.rows * row_words(layout),
    }


def counters_of(words: NDArray[Any]) -> NDArray[np.int64]:
    """The counters of a board from the window ``state_counters``, in the order of ``COUNTERS``."""
    return np.asarray(words, "<u4").view("<u8").astype(np.int64)


def first_pulse_of(state: State) -> int:
    """Number of the emulator's next SET pulse."""
    return int(state["array.counter"][0])


def check_board_state(state: State, registers: Registers, points: int, layout: Layout) -> None:
    """Raise UsageError unless ``state`` is one that a chain with these registers, over so many
    points, can have: of the golden model over an ``EmulatedArray``, or ``state_of``."""
    own, array = (
        {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}
        for prefix in ("controller.", "array.")
    )
    check_state(own, registers)
    check_order(own.get("order", np.zeros(0)), points)
    codes = np.zeros((layout.rows, 2 * layout.pairs), np.int32)
    check_array(array, "codes", codes, 0, CODE_MAX)
    check_array(array, "counter", np.zeros(1, np.int64), 0, COUNT_MAX)
    Ledger(registers.geometry).check_state_dict(ledger_of(array))
    for name, size in ((BOARD_COUNTERS, len(COUNTERS)), (BOARD_WEAR, layout.rows)):
        if name in state:
            check_array(state, name, np.zeros(size, np.int64), 0, COUNT_MAX)


def windows_of(state: State, registers: Registers, layout: Layout) -> Words:
    """Words to load, by window, in the order of loading.

    Parameters
    ----------
    state : dict
        ``state_dict()`` of a golden controller over an ``EmulatedArray``, or ``state_of``.
    registers : Registers
        Of the chain.
    layout : Layout
        Of the controller that receives them.

    Returns
    -------
    dict of str to uint32 (words,)
        ``order`` and every window ``state_…`` whole, ``state_step`` last.

    Raises
    ------
    UsageError
        If the controller has another array, or too little memory.
    """
    g = registers.geometry
    _require(g, layout)
    of = {k.removeprefix("controller."): v for k, v in state.items()}
    words = {name: np.zeros(size, np.uint32) for name, size in sizes(layout).items()}
    first = _first_rows(g)

    regions = words["state_regions"].reshape(-1, REGION_WORDS)[: g.regions]
    queues = words["state_queues"]
    for n, name in enumerate(HEADS):
        regions[:, n] = of[name]
    has = of["group"] >= 0
    regions[:, 4] = np.where(has, first[of["group"]] | HAS_SAMPLE, 0)
    for n, name in enumerate(("multiplicity", "loglik", "prior"), 5):
        regions[:, n] = of[name] & 0xFFFFFFFF
    for ring, shift in (("free", 0), ("retired", 16)):
        for region in range(g.regions):
            places = _places(of, ring, region, g)
            rows = first[of[ring][region, places]]
            queues[_base(g, region) + places] |= (rows << shift).astype(np.uint32)
    words["state_groups"][first] = of["bad"] | of["failures"] << 1
    words["state_held"][first] = of["held"]
    words["state_wear"][:] = state[BOARD_WEAR] if BOARD_WEAR in state else _group_wear(state, g)

    pair_row, pair = pairs_of(registers)
    samples = words["state_samples"].reshape(layout.max_regions, layout.max_group_rows, -1)
    samples[: g.regions, pair_row, pair] = packed(of["codes"])
    words["state_coin"][:] = coin_words(of, layout)
    words["state_counters"][:] = _counters(state, g).view("<u4")
    started = STARTED if has.all() else 0
    scalars = of["scalars"]
    rounds = int(scalars[golden.ROUND]) << ROUND_AT
    words["state_step"][0] = scalars[golden.TURN] | INITIALISED | started | rounds
    codes = words["state_codes"].reshape(layout.rows, -1)
    codes[:, : g.pairs] = packed(state["array.codes"])
    step = words.pop("state_step")
    return {"order": of["order"].astype(np.uint32), **words, "state_step": step}


def state_of(
    windows: Mapping[str, NDArray[Any]],
    *,
    registers: Registers,
    layout: Layout,
    codes: NDArray[Any],
    pulses: int,
    order: NDArray[Any],
    steps: int,
    ledger: Ledger | None = None,
) -> State:
    """The golden ``state_dict()`` of a controller with its emulated array.

    Parameters
    ----------
    windows : mapping of str to uint32 (words,)
        Every window of ``SAVED``, whole.
    registers, layout :
        As for ``windows_of``.
    codes : int (rows, row_devices)
        Result of READ for every device.
    pulses : int
        Field ``emulator.pulses``.
    order : int (points,)
        The order table.
    steps : int
        Steps that the chain has made so far, all regions together (the golden STEPS).
    ledger : Ledger, optional
        The counts of the host. Without it, the ledger follows from ``state_counters``: it has no
        sums over conductances or devices, and each device has the wear of its row group.
    """
    g = registers.geometry
    _require(g, layout)
    words = {name: np.asarray(windows[name], np.uint32).astype(np.int64) for name in SAVED}
    first = _first_rows(g)
    of = golden.build_state(registers).state_dict()
    step = int(words["state_step"][0])
    if step & INITIALISED:
        _read_rows(of, words, g)
    has = of["group"] >= 0
    pair_row, pair = pairs_of(registers)
    samples = words["state_samples"].reshape(layout.max_regions, layout.max_group_rows, -1)
    of["codes"][has] = unpacked(samples[: g.regions, pair_row, pair])[has]
    read_coin(of, words["state_coin"])
    of["scalars"][golden.TURN] = step & 0x3F
    of["scalars"][golden.ROUND] = step >> ROUND_AT & WIDE_EVERY_MAX
    of["scalars"][golden.STEPS] = steps

    counters = counters_of(windows["state_counters"])
    wear = words["state_wear"]
    if ledger is None:
        ledger = Ledger(g)
        count = dict(zip(COUNTERS, counters, strict=True))
        ledger.counts[[SET, READ, DOT, FORM]] = [count[n] for n in ("set", "read", "dot", "form")]
        ledger.counts[RESET] = count["reset"] * g.row_devices
        for row in range(g.row_group):
            ledger.wear[first + row] = wear[first, None]
    state: State = {f"controller.{name}": value for name, value in of.items()}
    state["controller.order"] = np.asarray(order, np.int32)
    state["array.counter"] = np.array([pulses], np.int64)
    state["array.codes"] = np.asarray(codes, np.int32)
    state |= {f"array.ledger.{name}": value for name, value in ledger.state_dict().items()}
    return state | {BOARD_COUNTERS: counters, BOARD_WEAR: wear}


# -- rows ----------------------------------------------------------------------------------------


def _require(g: Geometry, layout: Layout) -> None:
    """Raise UsageError if the controller is too small for the chain."""
    array = (layout.rows, layout.pairs, layout.entropy_pairs)
    if (g.rows, g.pairs, g.entropy_pairs) != array:
        raise UsageError(
            f"the chain's array has {g.rows} × {g.pairs} pairs, {g.entropy_pairs} of a row for the "
            f"coin, the board's {layout.rows} × {layout.pairs} and {layout.entropy_pairs}"
        )
    if g.regions > layout.max_regions or g.row_group > layout.max_group_rows:
        raise UsageError(
            f"{g.regions} chains in row groups of {g.row_group} do not fit the board: it has room "
            f"for {layout.max_regions} and {layout.max_group_rows}"
        )


def _first_rows(g: Geometry) -> NDArray[np.int64]:
    return np.array([g.group_row(group) for group in range(g.groups)], np.int64)


def _base(g: Geometry, region: int) -> int:
    return region * (g.rows // g.regions)


def _places(of: State, ring: str, region: int, g: Geometry) -> NDArray[np.int64]:
    """Used places of the ring of a region, head first."""
    head, count = (int(of[f"{ring}_{part}"][region]) for part in ("head", "count"))
    places: NDArray[np.int64] = (head + np.arange(count)) % g.region_groups
    return places


def _read_rows(of: State, words: State, g: Geometry) -> None:
    """Row groups and the samples in them."""
    first = _first_rows(g)
    group_of = np.full(g.rows, -1, np.int64)
    group_of[first] = np.arange(g.groups)
    regions = words["state_regions"].reshape(-1, REGION_WORDS)[: g.regions]
    for n, name in enumerate(HEADS):
        of[name][:] = regions[:, n]
    has = regions[:, 4] & HAS_SAMPLE != 0
    of["group"][:] = np.where(has, group_of[regions[:, 4] & 0xFFFF], -1)
    for n, name in enumerate(("multiplicity", "loglik", "prior"), 5):
        of[name][:] = np.where(has, regions[:, n], 0)
    for name in ("loglik", "prior"):
        of[name][:] -= of[name] >> 31 << 32  # signed
    for ring, shift in (("free", 0), ("retired", 16)):
        of[ring][:] = 0
        for region in range(g.regions):
            places = _places(of, ring, region, g)
            rows = words["state_queues"][_base(g, region) + places] >> shift & 0xFFFF
            of[ring][region, places] = group_of[rows]
    of["bad"][:] = words["state_groups"][first] & 1
    of["failures"][:] = words["state_groups"][first] >> 1
    of["held"][:] = words["state_held"][first]


def _group_wear(state: State, g: Geometry) -> NDArray[np.uint32]:
    """SET pulses of the busiest device of each row group, at its first row; uint32 (rows,)."""
    worn = state["array.ledger.wear"].max(1)
    wear = np.zeros(g.rows, np.uint32)
    for row in _first_rows(g):
        wear[row] = worn[row : row + g.row_group].max()
    return wear


def _counters(state: State, g: Geometry) -> NDArray[np.uint64]:
    if BOARD_COUNTERS in state:
        return state[BOARD_COUNTERS].astype("<u8")
    ledger = state["array.ledger.counts"]
    count = dict.fromkeys(COUNTERS, 0) | {
        "form": ledger[FORM],
        "reset": ledger[RESET] // g.row_devices,
        "set": ledger[SET],
        "read": ledger[READ],
        "dot": ledger[DOT],
    }
    return np.array([int(count[name]) for name in COUNTERS], "<u8")
