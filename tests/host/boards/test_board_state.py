"""The golden state as the windows of a controller, and back (hardware: verif/test_state.py)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from ohmcarlo.array.base import DOT, READ, RESET, SET, SET_CODES
from ohmcarlo.boards.memory.layout import Layout
from ohmcarlo.boards.memory.state import (
    COUNTERS,
    SAVED,
    State,
    first_pulse_of,
    sizes,
    state_of,
    windows_of,
)
from ohmcarlo.errors import UsageError
from ohmcarlo.golden import Controller
from ohmcarlo.golden.machine import ALARM, APT_FIRST, CLEAN_WINDOWS, RCT_LAST, RCT_RUN
from ohmcarlo.spec import Geometry
from problems import controller, trace, xor_points

LAYOUT = Layout(
    rows=64,
    pairs=12,
    entropy_pairs=3,
    access_bits=8,
    tile_pairs=12,
    dot_bits=0,
    dot_shift=0,
    max_points=512,
    max_group_rows=4,
    max_regions=2,
    device_calibration=True,
    emulator=True,
)


def chain(steps: int = 50, **options: Any) -> Controller:
    """Two networks in one array, after some steps."""
    geometry = Geometry(rows=64, pairs=12, entropy_pairs=3, row_group=3, regions=2)
    made = controller(xor_points(), geometry, hidden=2, array={"stuck": 0.003}, **options)
    trace(made, steps)
    return made


def back(made: Controller, words: dict[str, np.ndarray], **others: Any) -> State:
    """``state_of`` of a controller that holds ``words``."""
    return state_of(
        words,
        registers=made.registers,
        layout=LAYOUT,
        codes=made.array.state_dict()["codes"],
        pulses=int(made.array.state_dict()["counter"][0]),
        order=made.data.order,
        steps=made.steps,
        **others,
    )


def test_words_are_as_the_register_map_says() -> None:
    """Some words, decoded by hand."""
    made = chain()
    words = windows_of(made.state_dict(), made.registers, LAYOUT)
    state, per_region, groups = made.state, 32, made.machine.region_groups
    assert {name: len(w) for name, w in words.items() if name != "order"} == sizes(LAYOUT)
    assert list(words)[-1] == "state_step" and list(words["order"]) == list(range(200))
    assert all(w.dtype == np.uint32 for w in words.values())
    for region in (0, 1):
        group = int(state.group[region])
        row = region * per_region + 3 * (group - region * groups)
        own = words["state_regions"][8 * region : 8 * region + 8].tolist()
        assert own[4] == row | 1 << 31
        assert own[5] == state.multiplicity[region]
        assert np.array(own[6:], np.uint32).view(np.int32).tolist() == [
            state.loglik[region],
            state.prior[region],
        ]
        head, tail = (int(getattr(state, f"free_{n}")[region]) for n in ("head", "count"))
        assert own[:2] == [head, tail]
        oldest = int(state.free[region, head]) - region * groups
        queue = words["state_queues"][region * per_region + head]
        assert queue & 0xFFFF == region * per_region + 3 * oldest
        # the second hidden unit's third input is pair 2 of the second row
        sample = words["state_samples"].reshape(2, 4, 16)[region, 1, 2]
        first = 2 * (made.registers.features + 2)
        assert [sample & 0x3FF, sample >> 16] == state.codes[region, first : first + 2].tolist()
    codes = words["state_codes"].reshape(64, 16)
    array = made.array.state_dict()["codes"]
    assert codes[17, 5] == array[17, 10] | array[17, 11] << 16 and not codes[:, 12:].any()
    assert words["state_step"][0] == made.state.scalars[0] | 3 << 8


@pytest.mark.parametrize("steps", [0, 1, 50])
def test_there_and_back(steps: int) -> None:
    """A chain that is restored from its own words continues unchanged."""
    made = chain(steps)
    words = windows_of(made.state_dict(), made.registers, LAYOUT)
    found = back(made, {name: words[name] for name in SAVED}, ledger=made.array.ledger)
    assert first_pulse_of(found) == made.array.ledger.set
    again = windows_of(found, made.registers, LAYOUT)
    assert all(np.array_equal(again[name], words[name]) for name in words)
    twin = chain(3, seed=1)
    twin.load_state_dict(found)
    expected, other = trace(made, 60), trace(twin, 60)
    assert all(np.array_equal(expected[name], other[name]) for name in expected)
    assert twin.steps == made.steps
    a, b = made.state_dict(), twin.state_dict()
    for name in ("array.ledger.counts", "array.ledger.wear", "controller.free"):
        assert np.array_equal(a[name], b[name])


def test_the_ledger_without_a_host() -> None:
    """Counters become a ledger: RESET counts the devices of the rows, conductances are unknown."""
    made = chain()
    words = windows_of(made.state_dict(), made.registers, LAYOUT)
    count = dict(zip(COUNTERS, words["state_counters"].view("<u8"), strict=True))
    ledger = made.array.ledger
    assert [count[n] for n in ("set", "read", "dot")] == list(ledger.counts[[SET, READ, DOT]])
    assert count["reset"] * 24 == ledger.reset and count["clocks"] == 0
    words["state_wear"][3] = 1000
    found = back(made, words)
    counts = found["array.ledger.counts"]
    assert list(counts[[SET, READ, DOT, RESET]]) == list(ledger.counts[[SET, READ, DOT, RESET]])
    assert counts[SET_CODES] == 0 < ledger.counts[SET_CODES]
    assert (found["array.ledger.wear"][3:6] == 1000).all()
    # counters of the board that the golden state lacks are loaded again
    found["board.counters"][0] = 5 << 32 | 7
    again = windows_of(found, made.registers, LAYOUT)
    assert list(again["state_counters"][:2]) == [7, 5] and again["state_wear"][3] == 1000


def test_a_controller_that_was_just_switched_on() -> None:
    """The state of a controller at power-up, whose queues are empty, is the golden one at
    power-up."""
    made = chain()
    fresh = Controller(made.registers, made.array, made.points)
    zeros = {name: np.zeros(size, np.uint32) for name, size in sizes(LAYOUT).items()}
    found = back(made, zeros)
    for name, value in fresh.state.state_dict().items():
        if name != "scalars":
            assert np.array_equal(found[f"controller.{name}"], value), name
    assert (found["controller.scalars"][2:] == fresh.state.scalars[2:]).all()


def test_counters_saturate_as_in_hardware() -> None:
    made = chain()
    made.state.scalars[[RCT_LAST, RCT_RUN, CLEAN_WINDOWS, ALARM]] = (1, 700, 3000, 1)
    made.state.symbol_last[2], made.state.symbol_run[2] = 6, 300
    made.state.symbol_last[3] = -1
    made.state.symbol_counts[4] += 1 << 32
    first = made.state.scalars[APT_FIRST]
    words = windows_of(made.state_dict(), made.registers, LAYOUT)["state_coin"].tolist()
    assert words[0] == 511 << 16 | 3 and words[1] & 1 == first
    assert words[2] == 255 << 8 | 1
    assert words[12] == made.state.symbol_counts[4] & 0xFFFFFFFF
    assert words[18:20] == [255 << 8 | 1 << 3 | 6, 0]


def test_boards_that_do_not_fit() -> None:
    made = chain(0)
    state = made.state_dict()
    with pytest.raises(UsageError, match="64 × 12 pairs, 3 of a row for the coin, the board's 128"):
        windows_of(state, made.registers, replace(LAYOUT, rows=128))
    with pytest.raises(UsageError, match="2 chains in row groups of 3 do not fit the board"):
        windows_of(state, made.registers, replace(LAYOUT, max_regions=1))
    with pytest.raises(UsageError, match="it has room for 2 and 2"):
        windows_of(state, made.registers, replace(LAYOUT, max_group_rows=2))
