"""A state with impossible values is refused before compiled code or a board works with it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from ohmcarlo.array.emulated import EmulatedArray
from ohmcarlo.array.measured import MeasuredArray
from ohmcarlo.array.physics import PhysicsArray
from ohmcarlo.array.sweep import Sweep
from ohmcarlo.boards.memory.layout import Layout
from ohmcarlo.boards.memory.state import BOARD_COUNTERS, BOARD_WEAR, check_board_state
from ohmcarlo.errors import OhmcarloError, UsageError
from ohmcarlo.golden import ENTROPY_ALARM, EXHAUSTED, Controller, SamplerSettings
from ohmcarlo.golden.machine import SCALARS, State
from ohmcarlo.spec import Geometry, Points

GEOMETRY = Geometry(rows=32, pairs=8, regions=2)
POINTS = Points.of(np.random.default_rng(0).integers(-99, 99, (12, 3)).astype(np.int8))
StateDict = dict[str, np.ndarray]


def controller(array: Any = None, steps: int = 40) -> Controller:
    array = EmulatedArray(GEOMETRY, 5) if array is None else array
    registers = SamplerSettings().registers(GEOMETRY, 3, lambda g: 0.05 * g)
    made = Controller(registers, array, POINTS)
    if steps:
        made.start()
        made.run(steps)
    return made


@pytest.fixture(scope="module")
def state() -> StateDict:
    return controller().state_dict()


def refused(state: StateDict, name: str, match: str = "") -> None:
    """The model refuses the state and stays as it was; a board refuses it, too."""
    made = controller(steps=3)
    before = made.state_dict()
    with pytest.raises(UsageError, match=match or name.rpartition(".")[2]):
        made.load_state_dict(state)
    after = made.state_dict()
    assert all(np.array_equal(after[key], before[key]) for key in before)
    with pytest.raises(UsageError):
        check_board_state(state, made.registers, len(POINTS), LAYOUT)


SHAPE = {"rows": 32, "pairs": 8, "entropy_pairs": 4, "max_regions": 2, "max_group_rows": 1}
LAYOUT = Layout(**(dict.fromkeys(Layout.__dataclass_fields__, 0) | SHAPE))  # type: ignore[arg-type]


@pytest.mark.parametrize("steps", [0, 1, 40, 400])
def test_every_state_of_a_chain_is_accepted(steps: int) -> None:
    """The control, at several ages of the queues."""
    made = controller(steps=steps)
    other = controller(steps=7)
    other.load_state_dict(made.state_dict())
    check_board_state(made.state_dict(), made.registers, len(POINTS), LAYOUT)
    if steps:
        a, b = made.run(30)[0], other.run(30)[0]
        assert np.array_equal(a.codes, b.codes) and np.array_equal(a.accepted, b.accepted)


def test_states_of_chains_that_ended_are_accepted() -> None:
    """After an alarm of the coin, at a start or in a step, and without free rows."""
    plain = SamplerSettings(stream=False, retries=2).registers(GEOMETRY, 3, lambda g: 0.05 * g)
    registers = replace(plain, rct_cutoff=13)
    ends = set()
    for seed in range(20):
        made, other = (
            Controller(registers, EmulatedArray(GEOMETRY, seed, stuck=0.05), POINTS)
            for _ in range(2)
        )
        for _ in range(2):
            try:
                made.start()
                ends.add(str(made.run(30)[1]))
            except OhmcarloError as error:
                ends.add(type(error).__name__)
            other.load_state_dict(made.state_dict())
    assert {"EntropyAlarm", str(EXHAUSTED), str(ENTROPY_ALARM)} <= ends


NAMES = sorted(controller(steps=0).state_dict())
NUMBERS = [name for name in NAMES if controller(steps=0).state_dict()[name].dtype != np.bool_]


def test_names_cover_the_state() -> None:
    assert {f"controller.{name}" for name in State._fields} <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_missing_shape_and_type(name: str, state: StateDict) -> None:
    others = {key: value for key, value in state.items() if key != name}
    refused(others, name)
    for value in (state[name].ravel()[:1].reshape(1, 1, 1), state[name].astype(np.float32)):
        refused(others | {name: value}, name)


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize("extreme", ["least", "greatest"])
def test_extreme_values(name: str, extreme: str, state: StateDict) -> None:
    value = state[name].copy()
    limits = np.iinfo(value.dtype)
    if name == "array.ledger.wear" and extreme == "greatest":
        return  # a count without a limit below that of its type
    if name == "controller.symbol_run" and extreme == "greatest":
        return
    value.flat[-1] = limits.min if extreme == "least" else limits.max
    refused(state | {name: value}, name)


@pytest.mark.parametrize("place", range(SCALARS))
def test_extreme_scalars(place: int, state: StateDict) -> None:
    for extreme in (-1, 1 << 62 | 1):
        value = state["controller.scalars"].copy()
        value[place] = extreme
        refused(state | {"controller.scalars": value}, "scalars")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("free_head", 10**6), ("free_head", 16), ("retired_head", 16), ("free_count", 17),
        ("free", 32), ("group", 32), ("codes", 1024), ("loglik", 1 << 31), ("failures", 4),
        ("symbol_last", 8), ("coin_dac", 4096), ("multiplicity", 0), ("retired", -1),
    ],
)  # fmt: skip
def test_values_just_outside(name: str, value: int, state: StateDict) -> None:
    name = f"controller.{name}"
    changed = state[name].copy()
    changed.flat[0] = value
    refused(state | {name: changed}, name, "checkpoint")


@pytest.mark.parametrize("name", ["free_head", "retired_head"])
def test_a_head_that_went_round_its_ring(name: str, state: StateDict) -> None:
    """The same place modulo the length of the ring, and beyond its memory."""
    changed = state[f"controller.{name}"] + 16
    refused(state | {f"controller.{name}": changed}, name)


def ring(state: StateDict, name: str) -> list[tuple[int, int]]:
    """Used places of the ring of region 0."""
    head, count = (int(state[f"controller.{name}_{part}"][0]) for part in ("head", "count"))
    return [(0, (head + i) % 16) for i in range(count)]


@pytest.mark.parametrize("how", ["twice", "lost", "also retired", "of another chain", "in no row"])
def test_queues_hold_each_group_once(how: str, state: StateDict) -> None:
    changed = {key: value.copy() for key, value in state.items()}
    free, places = changed["controller.free"], ring(state, "free")
    if how == "twice":
        free[places[0]] = free[places[1]]
    elif how == "lost":
        changed["controller.free_count"][0] -= 1
    elif how == "also retired":
        retired = ring(state, "retired")
        free[places[0]] = state["controller.retired"][retired[0]]
    elif how == "of another chain":
        free[places[0]] = 31
    else:
        changed["controller.group"][0] = -1
    refused(changed, "", "row groups of chain 0 do not add up")


@pytest.mark.parametrize("held", [0, 3])
def test_samples_are_where_they_were_retired(held: int, state: StateDict) -> None:
    changed = state["controller.held"].copy()
    where = ring(state, "retired" if held == 0 else "free")[0]
    ring_of = state["controller.retired" if held == 0 else "controller.free"]
    changed[ring_of[where]] = held
    refused(state | {"controller.held": changed}, "", "samples of chain 0")


@pytest.mark.parametrize("order", [np.zeros(12, np.int32), np.arange(13), np.arange(12.0)])
def test_the_order_is_a_permutation(order: np.ndarray, state: StateDict) -> None:
    refused(state | {"controller.order": order}, "", "order table")


def test_random_edits_never_crash(state: StateDict) -> None:
    """Whatever is accepted can be run."""
    rng = np.random.default_rng(8)
    made, accepted = controller(steps=0), 0
    for _ in range(150):
        name = NUMBERS[rng.integers(len(NUMBERS))]
        value = state[name].copy()
        value.flat[rng.integers(value.size)] = rng.choice([-1, 0, 1, 15, 16, 31, 32, 1023, 1 << 20])
        try:
            made.load_state_dict(state | {name: value})
        except UsageError:
            continue
        accepted += 1
        made.run(20)
    assert 20 < accepted < 140


# -- arrays ----------------------------------------------------------------------------------------


def physics() -> PhysicsArray:
    return PhysicsArray(GEOMETRY, "rram-1t1r", seed=1)


def measured() -> MeasuredArray:
    rng = np.random.default_rng(2)
    after = 50.0 + 30 * np.arange(5)[:, None] + rng.normal(0, 4, (3, 5, 40))
    sweep = Sweep(2 + 0.1 * np.arange(5), after, np.full((3, 5, 40), 10.0), np.full(3, 4))
    return MeasuredArray(sweep, GEOMETRY, 6)


@pytest.mark.parametrize(
    ("make", "name", "place", "value"),
    [
        (physics, "pulses", 10, 10**6), (physics, "reads", 11, 7), (physics, "pulses", 12, 1 << 40),
        (physics, "g_us", 0, np.nan), (physics, "g_us", 0, -1.0), (physics, "time_s", 0, 9e9),
        (physics, "slow", 0, np.inf), (physics, "clock_s", 0, -1.0),
        (physics, "ledger.wear", 0, -1),
        (measured, "codes", 0, 1024), (measured, "codes", 0, -1), (measured, "pulses", 10, 5),
        (measured, "ledger.counts", 2, -1),
    ],
)  # fmt: skip
def test_states_of_arrays(make: Any, name: str, place: int, value: float) -> None:
    array = make()
    devices = np.arange(4, dtype=np.int32)
    array.reset(0)
    array.program(0, devices, np.full(4, 2000, np.int32))
    state = array.state_dict()
    changed = {key: content.copy() for key, content in state.items()}
    changed[name].flat[place] = value
    other = make()
    before = other.state_dict()
    with pytest.raises(UsageError, match=name.rpartition(".")[2] if name != "time_s" else "future"):
        other.load_state_dict(changed)
    after = other.state_dict()
    assert all(np.array_equal(after[key], before[key]) for key in before)
    other.load_state_dict(state)  # the control


def test_counters_of_a_board(state: StateDict) -> None:
    registers = controller(steps=0).registers
    for name, size in ((BOARD_COUNTERS, 3), (BOARD_WEAR, 5)):
        with pytest.raises(UsageError, match=r"board\."):
            check_board_state(state | {name: np.zeros(size, np.int64)}, registers, 12, LAYOUT)
    wear = np.zeros(32, np.int64)
    check_board_state(state | {BOARD_WEAR: wear}, registers, 12, LAYOUT)
    with pytest.raises(UsageError, match=r"board\.wear"):
        check_board_state(state | {BOARD_WEAR: wear - 1}, registers, 12, LAYOUT)
