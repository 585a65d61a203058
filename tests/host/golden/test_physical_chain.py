"""Physical and measured arrays in the compiled loop: equal to the chain operation by operation."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from importlib.resources import files
from typing import Any

import numpy as np
import pytest

from ohmcarlo.array import MeasuredArray, PhysicsArray, get_preset
from ohmcarlo.array.base import Array
from ohmcarlo.array.physics import Effects, ValidityWarning
from ohmcarlo.array.sweep import load_sweep
from ohmcarlo.golden import Controller, SamplerSettings
from ohmcarlo.golden.physical_chain import draw_normals
from ohmcarlo.spec import Geometry, Points
from problems import same_trace, trace, wdbc_points, xor_points

Maker = Callable[[Geometry, int], Array]
BLOCKS = (1, 37, 60)
NETWORK = {"hidden": 3, "sigma_p": 2.0}
COARSE = Geometry(rows=128, access_bits=2, tile_pairs=7, dot_bits=14, dot_shift=4)

pytestmark = pytest.mark.filterwarnings("ignore::ohmcarlo.array.physics.ValidityWarning")


def physics(preset: str = "relative-5pct", cycles: float = 0.0, **changes: Any) -> Maker:
    """A physical array; ``changes`` are constants of the preset, or effects switched off."""
    off = {name: False for name in changes if name in Effects.names()}
    chosen = get_preset(preset).with_values(**{k: v for k, v in changes.items() if k not in off})
    return lambda geometry, seed: PhysicsArray(geometry, chosen, seed, cycles=cycles, **off)


def cells(**options: str) -> Maker:
    sweep = load_sweep(files("ohmcarlo.measurements") / "example.csv")
    return lambda geometry, seed: MeasuredArray(sweep, geometry, seed, **options)


def built(
    make: Maker,
    compiled: bool,
    points: Points,
    geometry: Geometry | None = None,
    seed: int = 3,
    **settings: Any,
) -> Controller:
    """A controller before its start; ``compiled`` False: operation by operation."""
    geometry = geometry or Geometry(rows=128)
    array = make(geometry, seed)
    registers = SamplerSettings(**settings).registers(geometry, points.features, array.sigma_us)
    made = Controller(registers, array, points)
    assert made._physical is not None
    if not compiled:
        made._physical = None
    return made


def equal_states(one: Controller, other: Controller) -> bool:
    """Whether the controllers, their arrays, generators and ledgers are in the same state."""
    first, second = one.state_dict(), other.state_dict()
    return first.keys() == second.keys() and all(
        np.array_equal(first[name], second[name]) for name in first
    )


def compare(make: Maker, points: Points, **case: Any) -> None:
    fast, slow = (built(make, compiled, points, **case) for compiled in (True, False))
    fast.start()
    slow.start()
    assert equal_states(fast, slow)
    for steps in BLOCKS:
        assert same_trace(trace(fast, steps), trace(slow, steps))
    assert equal_states(fast, slow)
    assert fast.array.ledger.set > 0


CODES, ARRAY = {"dot_products": "codes"}, {"dot_products": "array"}
CASES = {
    "codes": (physics(), CODES),
    "array": (physics(), ARRAY),
    "read noise": (physics(read_noise_rel=0.02), ARRAY),
    "no noise": (physics("rram-1t1r", read_noise=False, drift=False), ARRAY),
    "measured devices": (physics("rram-1t1r"), CODES),
    "all effects": (physics("stress"), CODES),
    "ageing begins": (physics("stress", cycles=999_990.0), CODES),
    "old": (physics("stress", cycles=3e7), ARRAY),
    "drift": (physics("rram-1t1r", drift_rel_per_decade=0.01), ARRAY),
    "lines": (physics("rram-1t1r", wire_ohm=3.0), CODES),
    "lines in dot products": (physics("rram-1t1r", wire_ohm=3.0), ARRAY),
    "calibrated lines": (
        physics(wire_ohm=3.0, line_calibration=1.0, read_noise_rel=0.01),
        ARRAY | {"geometry": COARSE},
    ),
    "converter and tiles": (physics(read_noise_rel=0.01), ARRAY | {"geometry": COARSE}),
    "converter, from codes": (physics(read_noise_rel=0.01), CODES | {"geometry": COARSE}),
    "published": (physics(), ARRAY | {"kernel": "published", "early_reject": False}),
    "several chains": (
        physics(read_noise_rel=0.01),
        ARRAY | {"geometry": Geometry(rows=128, regions=4), "rho": 0.8, "wide_every": 5},
    ),
    "kept samples": (physics(), CODES | {"stream": False}),
    "folded coin": (physics(), CODES | {"fold": 4}),
    "cells": (cells(), {}),
    "nearest cells": (cells(between="nearest", half="all"), {}),
    "chains of cells": (cells(), {"geometry": Geometry(rows=128, regions=2), "rho": 0.9}),
}


@pytest.mark.parametrize("name", CASES)
def test_the_compiled_loop_has_the_trace_of_single_operations(name: str) -> None:
    """Stream, state, generators, clock and ledger, over blocks of several lengths."""
    make, case = CASES[name]
    compare(make, wdbc_points(7), **case)


@pytest.mark.parametrize("effect", Effects.names())
def test_equal_traces_without_one_effect(effect: str) -> None:
    compare(physics("stress", **{effect: False}), wdbc_points(7), **ARRAY)


@pytest.mark.parametrize(
    ("make", "settings"),
    [
        (physics(read_noise_rel=0.01), ARRAY),
        (physics(read_noise_rel=0.01), CODES),
        # a version of the loop that no other test of `make test` compiles
        pytest.param(cells(), {}, marks=pytest.mark.verify),
    ],
    ids=["array", "codes", "cells"],
)
def test_equal_traces_of_networks(make: Maker, settings: dict[str, Any]) -> None:
    geometry = Geometry(rows=128, row_group=4)
    compare(make, xor_points(60), geometry=geometry, **NETWORK, **settings)


@pytest.mark.parametrize(
    ("make", "settings"),
    [(physics("stress", read_noise_rel=0.02), ARRAY), (cells(), {})],
    ids=["physics", "cells"],
)
def test_a_checkpoint_of_one_way_continues_on_the_other(
    make: Maker, settings: dict[str, Any]
) -> None:
    """The control: without its generators, a checkpoint continues with other draws."""
    points = wdbc_points(7)
    first = built(make, True, points, **settings)
    first.start()
    first.run(30)
    for compiled in (False, True):
        state = first.state_dict()
        expected = trace(first, 40)
        other = built(make, compiled, points, **settings)
        other.load_state_dict(state)
        assert same_trace(trace(other, 40), expected)
        assert equal_states(first, other)
        fresh = built(make, compiled, points, **settings).state_dict()
        other.load_state_dict(state | {"array.pulses": fresh["array.pulses"]})
        assert not same_trace(trace(other, 40), expected)
        first = other
        first.load_state_dict(state)


def test_compiled_draws_are_those_of_numpy() -> None:
    """Tails of the normal distribution and the state of the generator included."""
    ours, theirs = (np.random.Generator(np.random.Philox(11)) for _ in range(2))
    out = np.empty(200_000)
    draw_normals(ours, out, len(out))
    assert np.array_equal(out, theirs.standard_normal(len(out)))
    assert np.abs(out).max() > 4.0
    assert np.array_equal(ours.random(3), theirs.random(3))


def test_single_operations_where_there_is_no_loop() -> None:
    """Repeated reads, likelihoods from outside, and arrays of other classes."""
    points = wdbc_points(3)
    array = PhysicsArray(Geometry(rows=128), "relative-5pct", 1)

    class Other(PhysicsArray):
        pass

    def loop(settings: SamplerSettings, array: Array, external: Any = None) -> Any:
        registers = settings.registers(array.geometry, points.features, array.sigma_us)
        return Controller(registers, array, points, external)._physical

    assert loop(SamplerSettings(), array) is not None
    assert loop(SamplerSettings(repeats=2), array) is None
    assert loop(SamplerSettings(), array, lambda codes: 0) is None
    assert loop(SamplerSettings(), Other(Geometry(rows=128), "relative-5pct", 1)) is None


def test_the_loop_warns_once_outside_the_sources() -> None:
    """``rram-1t1r`` is sourced from 45 µS on."""
    low = {"lo_us": 30.0, "centre_us": 40.0, "hi_us": 60.0, "gamma_us": 3.0}
    made = built(physics("rram-1t1r"), True, wdbc_points(3), **CODES, **low)
    with pytest.warns(ValidityWarning, match="45 to 195 µS"):
        made.start()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        made.run(5)
