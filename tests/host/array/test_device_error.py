"""The predicted error of a posterior on devices that differ, against simulations."""

from __future__ import annotations

import json
from pathlib import Path

import device_errors as simulation
import numpy as np
import pytest

from ohmcarlo.array.characterize.device_error import (
    Mismatch,
    Proposal,
    device_error,
    worst_of,
)

TESTS = Path(__file__).parents[2]

TABLE = json.loads((TESTS / "data" / "device_errors.json").read_text())
CASES = [(line["case"], line) for line in TABLE["cases"]]
SHIFT_ERROR, SPREAD_ERROR = 0.2, 0.02
"""The table gives a shift to about 8 %: 160 weights, which share the devices of their array."""


def misses(shift_gain: float = 1.0) -> list[str]:
    """Cases where the formula differs from the simulation by more than the limits."""
    out = []
    for case, seen in CASES:
        shift, spread = simulation.predicted(case, seen["tails"])
        shift *= shift_gain
        if abs(shift - seen["shift_rms"]) > SHIFT_ERROR * seen["shift_rms"] + 0.01:
            out.append(f"{case}: shift {shift:.3f}, simulated {seen['shift_rms']:.3f}")
        limit = SPREAD_ERROR + max(0.0, seen["shift_rms"] - 0.1) / 2
        if abs(spread - seen["spread"]) > limit:
            out.append(f"{case}: spread {spread:.3f}, simulated {seen['spread']:.3f}")
    return out


@pytest.mark.stats
def test_formula_is_that_of_the_simulations() -> None:
    assert misses() == []
    assert misses(1.4)  # a control
    assert misses(0.7)


FINE = simulation.CASES.index({"static": 0.35, "rho": 0.6})
BAD = next(i for i, case in enumerate(simulation.CASES) if case.get("steps") == 5_000)


@pytest.mark.stats
def test_both_sides_of_the_boundary() -> None:
    """An array that is called fine and is fine, and one that is off by 0.2 sd, as predicted."""
    for number, trusted in ((FINE, True), (BAD, False)):
        case, seen = CASES[number]
        error = _error(case)
        assert error.trusted is trusted
        assert error.mean_sd_rms == pytest.approx(seen["shift_rms"], rel=0.2)
        assert (seen["shift_rms"] > 0.2) is not trusted
    ideal = _error({"static": 0.0})  # a control: without errors of the devices nothing is predicted
    assert ideal.mean_sd == 0


@pytest.mark.stats
@pytest.mark.verify
@pytest.mark.parametrize("number", [FINE, BAD])
def test_table_is_that_of_its_program(number: int) -> None:
    """The same seeds give the same numbers, to the rounding of the machine."""
    case, table = CASES[number]
    assert case == simulation.CASES[number]
    assert simulation.simulated(number)["shift_rms"] == pytest.approx(table["shift_rms"], rel=0.05)


def test_more_pulses_and_a_smaller_rho_make_the_error_smaller() -> None:
    slow = {"slow_share": 0.5, "static": 0.2}
    usual = _error(slow)
    assert _error(slow | {"steps": 1_000_000}).mean_sd < 0.6 * usual.mean_sd
    assert _error(slow | {"rho": 0.3, "scale": 0.8}).mean_sd < 0.8 * usual.mean_sd
    assert _error(slow | {"rows": 960, "steps": 80_000}).mean_sd == pytest.approx(usual.mean_sd / 2)


def _error(case: dict[str, float]):
    c = simulation.NONE | case
    total = simulation.SIGMA_US * float(np.sqrt(1 + c["static"] ** 2))
    devices = Mismatch(
        static_us=c["static"] * simulation.SIGMA_US,
        cycle_us=simulation.SIGMA_US,
        spread_us=total,
        assumed_us=total,
        slow_share=c.get("slow_share", 0.0),
        slow_length=c["slow_length"],
        tails=3.0,
    )
    width = c["scale"] * np.sqrt(2) * total / np.sqrt(1 - c["rho"] ** 2)
    proposal = Proposal(c["rho"], int(c["rows"]), c["steps"] / c["rows"])
    return device_error(devices, proposal, np.full(simulation.WEIGHTS, width))


def test_worst_of_several_weights() -> None:
    """Median of the largest of n half-normal numbers: Φ⁻¹((1 + 2^(-1/n))/2), by simulation."""
    rng = np.random.default_rng(0)
    for n in (1, 10, 25):
        largest = np.abs(rng.normal(size=(20_000, n))).max(axis=1)
        assert worst_of(n) == pytest.approx(np.median(largest), abs=0.02)
