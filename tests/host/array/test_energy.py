"""Energy: hand-computed from the constants in the references."""

from __future__ import annotations

import json

import numpy as np
import pytest

from ohmcarlo.array.base import DOT, DOT_CODES, DOT_DEVICES, Ledger
from ohmcarlo.array.energy import EnergyModel, energy
from ohmcarlo.spec import Geometry

GEOMETRY = Geometry()
DEVICES = np.arange(10, dtype=np.int32)


def programmed() -> Ledger:
    """A row reset, ten devices set to 100 µS (code 400) and read, then read once more."""
    ledger = Ledger(GEOMETRY)
    ledger.note_reset(64)
    ledger.note_program(0, DEVICES, np.full(10, 400, np.int32))
    ledger.note_read(10)
    return ledger


def test_programming():
    """10 pJ per SET at 100 µS, 10 pJ per RESET and device, 0.1 pJ per read at 100 µS."""
    parts = energy(programmed(), GEOMETRY).parts
    dac = 10 * 0.5e-12
    assert parts["set"].joules == pytest.approx(10 * 10e-12 + dac)
    assert parts["set"].high == pytest.approx(10 * 40e-12 + 10 * 2e-12)  # V² g t
    assert parts["reset"].joules == pytest.approx(64 * 10e-12)
    assert (parts["reset"].low, parts["reset"].high) == pytest.approx((64 * 5e-12, 64 * 25e-12))
    assert parts["read_devices"].joules == pytest.approx(20 * 0.1e-12)
    assert parts["read_adc"].joules == pytest.approx(20 * 15e-12)
    assert parts["word_line"].joules == pytest.approx((10 + 20 + 1) * 3e-12)


def accessed(count: int) -> Ledger:
    """``count`` accesses of 32 devices of 50 µS (code 200) each."""
    ledger = Ledger(GEOMETRY)
    ledger.counts[DOT] = count
    ledger.counts[DOT_DEVICES] = 32 * count
    ledger.counts[DOT_CODES] = 32 * 200 * count
    return ledger


def test_dot_products():
    parts = energy(accessed(1000), GEOMETRY).parts
    assert parts["dot_devices"].joules == pytest.approx(1000 * 32 * 0.05e-12)
    assert parts["dot_adc"].joules == pytest.approx(1000 * 15e-12)
    assert parts["dot_lines"].joules == pytest.approx(1000 * 16 * 0.5e-12)
    assert parts["set"].joules == parts["reset"].joules == parts["read_adc"].joules == 0
    # two multiplications, six additions, one table and four words of memory per access
    assert parts["digital"].joules == pytest.approx(1000 * (2 * 3.1 + 6 * 0.1 + 1 + 4 * 5) * 1e-12)


def test_geometry_chooses_converter_and_driver():
    one_bit = energy(accessed(1000), Geometry(access_bits=1, dot_bits=8)).parts
    assert one_bit["dot_adc"].joules == pytest.approx(1000 * 5e-12)
    assert one_bit["dot_lines"].joules == pytest.approx(1000 * 16 * 0.417e-12)


def test_total_is_the_sum_and_lies_within_its_bounds():
    ledger = programmed()
    ledger.counts += accessed(500).counts
    report = energy(ledger, GEOMETRY)
    assert report.total.joules == pytest.approx(sum(p.joules for p in report.parts.values()))
    assert report.total.joules - report.array.joules == pytest.approx(
        report.parts["digital"].joules
    )
    for part in (*report.parts.values(), report.total):
        assert part.low <= part.joules <= part.high
    content = json.loads(json.dumps(report.to_dict(), allow_nan=False))
    assert set(content["parts"]) == set(report.parts)
    assert content["total"]["joules"] == report.total.joules


def test_nothing_costs_nothing():
    assert energy(Ledger(GEOMETRY), GEOMETRY).total.high == 0


def test_energy_is_proportional_to_the_counts():
    one, two = (energy(accessed(n), GEOMETRY).total for n in (100, 200))
    assert two.joules == pytest.approx(2 * one.joules)


def test_constants_are_sourced():
    for name, value in vars(EnergyModel()).items():
        assert value.low <= value.value <= value.high, name
        assert value.unit, name
