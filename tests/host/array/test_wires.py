"""Lines with resistance: Kirchhoff's equations from outside, and no change without resistance."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.sparse import csc_matrix
from scipy.sparse.linalg import spsolve

from ohmcarlo.array.die import Die
from ohmcarlo.array.physics import PhysicsArray, ValidityWarning
from ohmcarlo.array.presets import get_preset
from ohmcarlo.array.wires import Wires, usual_row
from ohmcarlo.errors import UsageError
from ohmcarlo.runs.arrays import open_array
from ohmcarlo.spec import CODE_LSB_US, Geometry

Floats = NDArray[np.float64]
REFERENCE = Path(__file__).parents[2] / "data" / "wires.json"
CASES = json.loads(REFERENCE.read_text())["cases"]
TOLERANCE = 1e-9
QUIET = {"c2c": False, "d2d": False, "hrs": False, "read_noise": False, "drift": False,
         "stuck": False}  # fmt: skip


def source_line_current(g_us: Floats, ohm: float, row: int, volts: Floats) -> float:
    """Current (µA) out of the source line of the only selected row, by nodal analysis.

    A bit line with NaN volts floats. Nodes: N on every bit line, then those of the source line.
    """
    rows, devices = g_us.shape
    nodes = rows * devices + devices
    bit, source = np.arange(rows * devices).reshape(rows, devices), nodes - devices
    a: dict[tuple[int, int], float] = {}
    known = np.zeros(nodes)

    def add(i: int, j: int | None, siemens: float) -> None:
        a[i, i] = a.get((i, i), 0.0) + siemens
        if j is not None:
            a[j, j] = a.get((j, j), 0.0) + siemens
            a[i, j] = a[j, i] = a.get((i, j), 0.0) - siemens

    for d in range(devices):
        if not np.isnan(volts[d]):
            add(int(bit[0, d]), None, 1 / ohm)
            known[bit[0, d]] += volts[d] / ohm
        for k in range(rows - 1):
            add(int(bit[k, d]), int(bit[k + 1, d]), 1 / ohm)
        add(int(bit[row, d]), source + d, g_us[row, d] * 1e-6)
        add(source + d, None if d == 0 else source + d - 1, 1 / ohm)
    places, values = np.array(list(a)).T, list(a.values())
    found = spsolve(csc_matrix((values, places), shape=(nodes, nodes)), known)
    return float(found[source] / ohm * 1e6)


def array_with_wires(geometry: Geometry, ohm: float, **constants: float) -> PhysicsArray:
    """An array whose only imperfection is its lines, with different devices in every row."""
    preset = get_preset("relative-5pct").with_values(wire_ohm=ohm, **constants)
    array = PhysicsArray(geometry, preset, **QUIET)
    rng = np.random.default_rng(3)
    array._g[:] = rng.uniform(20, 240, array._g.shape)
    return array


def test_lines_are_those_of_the_nodal_solution() -> None:
    """Controls: a transposed array and half the resistance are seen."""
    rng = np.random.default_rng(1)
    for ohm in (0.5, 3.0, 10.0):
        rows, devices = (int(n) for n in rng.integers(2, 9, 2))
        g = rng.uniform(5, 250, (rows, devices))
        row, volts = int(rng.integers(rows)), rng.uniform(-1, 1, devices)
        want = source_line_current(g, ohm, row, volts)
        assert volts @ Wires(ohm).dot_us(g[row], row) == pytest.approx(want, rel=TOLERANCE)
        assert volts @ Wires(ohm / 2).dot_us(g[row], row) != pytest.approx(want, rel=1e-7)
        other = (row + 1) % rows
        assert volts @ Wires(ohm).dot_us(g[row], other) != pytest.approx(want, rel=1e-7)
        backwards = Wires(ohm).dot_us(g[row, ::-1], row)[::-1]
        assert volts @ backwards != pytest.approx(want, rel=1e-7)
        each = np.arange(devices)
        for device in range(devices):
            alone = np.where(each == device, 1.0, np.nan)
            want = source_line_current(g, ohm, row, alone)
            read = Wires(ohm).read_us(g[row], row, each)
            assert read[device] == pytest.approx(want, rel=TOLERANCE)


@pytest.mark.parametrize("case", CASES, ids=lambda c: f"{len(c['g_us'])}-{c['ohm']}")
def test_lines_are_those_of_badcrossbar(case: dict[str, Any]) -> None:
    g = np.array(case["g_us"])[case["row"]]
    wires, each = Wires(case["ohm"]), np.arange(len(g))
    assert wires.dot_us(g, case["row"]) == pytest.approx(case["dot_us"], rel=TOLERANCE)
    assert wires.read_us(g, case["row"], each) == pytest.approx(case["read_us"], rel=TOLERANCE)
    read = np.array(case["read_us"])
    assert wires.dot_us_of_read(read) == pytest.approx(case["dot_us"], rel=TOLERANCE)


@pytest.mark.parametrize("tile", [0, 2])
def test_reads_and_dots_of_an_array_go_through_its_lines(tile: int) -> None:
    """A DOT with tiles holds the lines of one tile at a time; the others float."""
    geometry = Geometry(rows=6, pairs=5, entropy_pairs=1, tile_pairs=tile)
    array, row, ohm = array_with_wires(geometry, 8.0), 4, 8.0
    devices = np.arange(geometry.row_devices, dtype=np.int32)
    codes = array.read(row, devices)
    inputs = np.random.default_rng(2).integers(-128, 128, (5, 4)).astype(np.int8)
    want = np.zeros(5)
    for start in range(0, 10, 2 * tile or 10):
        held = (devices >= start) & (devices < start + (2 * tile or 10))
        for point, x in enumerate(inputs):
            volts = np.zeros(10)
            volts[:8:2], volts[1:8:2] = x, -x.astype(float)
            volts[~held] = np.nan
            want[point] += source_line_current(array._g, ohm, row, volts) / CODE_LSB_US
    assert np.abs(array.dot(row, inputs) - want).max() <= (1 if tile else 0.5) + 1e-6
    for device in (0, 9):
        alone = np.where(devices == device, 1.0, np.nan)
        seen = source_line_current(array._g, ohm, row, alone)
        assert codes[device] == pytest.approx(seen / CODE_LSB_US, abs=0.5)


def test_a_set_loses_gate_voltage_along_the_source_line() -> None:
    """The state is where law and compliance current agree: g = law(V - g V_C R (d + 1))."""
    preset = get_preset("rram-1t1r").with_values(wire_ohm=10.0)
    array = PhysicsArray(Geometry(rows=8, pairs=16), preset, **QUIET)
    devices = np.arange(32, dtype=np.int32)
    dac = np.full(32, 1500, np.int32)
    array.reset(2)
    array.program(2, devices, dac)
    volts = float(preset.gate_v(dac[:1])[0])
    for d in (0, 31):
        lost = preset.compliance_v.value * 10.0 * (d + 1) * 1e-6
        want = brentq(lambda g, k=lost: preset.set_law(np.array(volts - g * k)) - g, 1, 250)
        assert array.conductance_us(2)[d] == pytest.approx(want, rel=1e-9)
    assert array._g[2, 31] < array._g[2, 0] - 5


@pytest.mark.parametrize(
    ("preset", "geometry", "digest"),
    [
        ("rram-1t1r", Geometry(rows=16, pairs=16), "74e82f53d4ce8eb8"),
        ("rram-1t1r", Geometry(rows=16, pairs=16, access_bits=1, tile_pairs=5), "e636522c8ddbf8bb"),
        ("relative-5pct", Geometry(rows=16, pairs=16), "5b471c61c445996c"),
        ("stress", Geometry(rows=16, pairs=16), "dc959d81a8aa351a"),
    ],
)
@pytest.mark.filterwarnings("ignore::ohmcarlo.array.physics.ValidityWarning")
def test_without_resistance_nothing_changes(preset: str, geometry: Geometry, digest: str) -> None:
    """The digests are those of the array before it had lines. Control: 0.5 Ω changes them."""
    assert operations_digest(PhysicsArray(geometry, preset, 11)) == digest
    wired = get_preset(preset).with_values(wire_ohm=0.5)
    assert operations_digest(PhysicsArray(geometry, wired, 11)) != digest


def operations_digest(array: PhysicsArray) -> str:
    geometry, found, rng = array.geometry, hashlib.sha256(), np.random.default_rng(5)
    devices = np.arange(geometry.row_devices, dtype=np.int32)

    def dac(*shape: int) -> NDArray[np.int32]:
        return rng.integers(900, 2600, shape).astype(np.int32)

    for row in (0, 7, 15, 7):
        array.reset(row)
        found.update(array.program(row, devices, dac(len(devices))).tobytes())
        found.update(array.read(row, devices).tobytes())
        inputs = rng.integers(-128, 128, (50, geometry.max_features)).astype(np.int8)
        found.update(array.dot(row, inputs).tobytes())
        found.update(array.cycle(row, devices, dac(4, len(devices))).tobytes())
    return found.hexdigest()[:16]


def test_calibrated_drivers_correct_the_lines_at_the_centre() -> None:
    """Control: without the gains, the current of the farthest input is far too small."""
    geometry = Geometry(rows=8, pairs=16)
    off_us = get_preset("relative-5pct").hrs_median_us.value
    usual = usual_row(geometry, 10, off_us)
    wires = Wires(2.0)
    seen = wires.dot_us_of_read(usual)[:20]
    assert seen[-1] < 0.97 * 115
    gains = wires.line_gains(geometry, 10, off_us)
    assert (seen * gains[:20]) == pytest.approx(np.full(20, 115.0), rel=1 / 500)
    assert np.all(gains[20:] == 1)
    for calibrated, low, high in ((1.0, 0.0, 0.45), (0.0, 2.0, 10.0)):
        array = array_with_wires(geometry, 2.0, line_calibration=calibrated)
        row, pair = 5, 9
        row_us = usual.copy()
        row_us[2 * pair] = 60.0
        lines = 2.0e-6 * (row + np.arange(32) + 2)
        array._g[row] = row_us / (1 - row_us * lines)  # READs give row_us
        inputs = np.zeros((1, 10), np.int8)
        inputs[0, pair] = 127
        found = array.dot(row, inputs)[0] * CODE_LSB_US / 127
        assert low <= abs(found - (60 - 115)) <= high


def test_long_lines_leave_the_range_of_the_set_law() -> None:
    preset = get_preset("rram-1t1r").with_values(wire_ohm=10.0)
    with pytest.warns(ValidityWarning, match=r"0\.56 V from a SET pulse.*smaller array"):
        PhysicsArray(Geometry(rows=512, pairs=32), preset)


def test_a_die_has_drivers_that_are_on_or_off() -> None:
    lined = get_preset("rram-1t1r").with_values(wire_ohm=2.0)
    assert Wires.of(Die(Geometry(rows=8), lined).preset, Geometry(rows=8)) == Wires(2.0)
    with pytest.raises(UsageError, match="on or off: leave out line_calibration"):
        Die(Geometry(rows=8), lined.with_values(line_calibration=1.0))


def test_the_emulator_has_no_lines() -> None:
    with pytest.raises(UsageError, match=r"no line resistance.*--array physics"):
        open_array("emulator", "rram-1t1r,wire_ohm=2", Geometry(rows=8), 0)
    opened = open_array("physics", "relative-5pct,wire_ohm=2", Geometry(rows=8), 0)
    assert not opened.ideal  # the lines make its devices different: they are trimmed
