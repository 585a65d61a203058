"""Open an array by its name, and characterise it for a chain."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..array.base import Array
from ..array.characterize.characterization import Characterization
from ..array.characterize.evaluation import characterize
from ..array.characterize.fit import fit_preset
from ..array.characterize.levels import MIN_DEVICES, MIN_REPEATS
from ..array.device_preset import DevicePreset
from ..array.die import Die
from ..array.emulated import EmulatedArray
from ..array.measured import MeasuredArray
from ..array.physics import AGED_LIMIT, PhysicsArray
from ..array.presets import PRESET_NAMES, get_preset
from ..array.raw_bits import RawBits, Recorded, law_raw_bits
from ..datasets.fetch import SWEEP, find
from ..errors import UsageError
from ..golden import Calibration
from ..measurements.names import split_name
from ..measurements.veriloga.measuring import VERILOGA, is_veriloga, measured_table
from ..spec import DEFAULT_HI_US, DEFAULT_LO_US, DEFAULT_MID_US, Geometry
from .recordings import MEASURED, PRESET_SUFFIX, is_named

KNOWN = (EmulatedArray.name, PhysicsArray.name, Die.name)
AGED = f"{PhysicsArray.name}:"
MEASURED_WINDOW_US = (45.0, 165.0)  # reached by the weaker cells of the sweep
DEFAULT_PHYSICS = "rram-1t1r"
TARGETS = 7
TOP_TARGET_US = 215.0  # above it, the ADC saturates and the mean appears too low
Law = Callable[[NDArray[np.float64]], NDArray[np.float64]]


def check_array_name(name: str) -> None:
    """Raise UsageError, which lists the arrays, unless ``name`` can be an array."""
    if name.startswith(AGED):
        ages_of(name)
    elif name not in KNOWN and not name.startswith((MEASURED, VERILOGA)):
        raise UsageError(
            f"array {name!r} is unknown: choose {', '.join(KNOWN)}, {AGED}CYCLES, {MEASURED}FILE "
            f"or {VERILOGA}FILE.va"
        )
    if name == MEASURED:
        raise UsageError(f"--array {MEASURED}FILE needs the name of a file of measurements")
    if name == VERILOGA:
        raise UsageError(f"--array {VERILOGA}FILE.va needs the name of a Verilog-A file")


def recorded_cells() -> str:
    """The name of the array of 50 recorded cells.

    Raises UsageError, which names the source, when the recording is not on this machine.
    """
    return f"{MEASURED}{find(SWEEP)}"


def ages_of(name: str) -> tuple[float, float]:
    """Cycles of the devices of ``physics:CYCLES`` at present, and when they were trimmed.

    ``physics:CYCLES@TRIMMED`` names both; without TRIMMED the two are equal. Raises UsageError for
    anything but a number of cycles.
    """
    now, _, trimmed = name.removeprefix(AGED).partition("@")
    try:
        ages = float(now), float(trimmed or now)
    except ValueError:
        ages = (-1.0, -1.0)
    if not all(0 <= age <= AGED_LIMIT for age in ages):
        raise UsageError(
            f"array {name!r}: give the endurance cycles as a number from 0 to {AGED_LIMIT:g}, as "
            f"in {AGED}1e7, or {AGED}1e7@0 for a trim that was learnt at 0 cycles"
        )
    return ages


@dataclass(frozen=True, eq=False)
class OpenedArray:
    """An array, the array that it is calibrated on, and the limits of its devices.

    Attributes
    ----------
    array : Array
        Where the chain runs.
    calibration_array : Array
        Array that the trim is learnt on: the same, or the other half of its cells' repeats.
    window_us : (float, float)
        Limits of a programming target, µS.
    ideal : bool
        Devices are alike and hit their targets, so that no trim is needed.
    """

    array: Array
    calibration_array: Array
    window_us: tuple[float, float]
    ideal: bool

    def rel(self) -> float:
        """Cycle-to-cycle spread at the centre, as a fraction of the conductance."""
        centre = np.array([DEFAULT_MID_US])
        return float(self.array.sigma_us(centre)[0] / DEFAULT_MID_US)

    def raw_bits(self, found: Characterization | None) -> RawBits:
        """Quality of the coin's raw bits: as measured, or from the law of the spread.

        Recorded cells that are not trimmed are measured on the repeats for calibration.
        """
        if isinstance(self.array, MeasuredArray):
            return self._of_recorded(self.array, found)
        if found is not None:
            return found.raw_bits
        return law_raw_bits(self.rel() * DEFAULT_MID_US)

    def _of_recorded(self, array: MeasuredArray, found: Characterization | None) -> RawBits:
        """Quality of the raw bits of recorded cells; it names the repeats where these are too few
        for a coin that the spread of the cells would make fair."""
        if found is None:
            g = array.geometry
            found = self.characterize(range(2 * g.max_features, g.row_devices))
        raw = found.raw_bits
        sigma_us = float(np.interp(DEFAULT_MID_US, found.targets_us, found.sigma_us_at))
        fits = array.cells >= MIN_DEVICES and array.sweeps >= MIN_REPEATS
        recorded = Recorded(array.cells, array.sweeps, fits)
        narrow = law_raw_bits(sigma_us, found.sigma_spread_ln).problem
        if not raw.problem or narrow or recorded.repeats >= recorded.needed:
            return raw
        return replace(raw, recorded=recorded)

    def characterize(
        self,
        devices: Sequence[int] | None = None,
        reach_us: float = np.inf,
        rows: Sequence[int] | None = None,
    ) -> Characterization:
        """Learn offset, spread, trim and bad rows of ``devices`` of ``rows`` (default: all).

        ``reach_us`` is the distance from the centre that the targets of the chain keep within.
        """
        low, high = self.window_us
        low = max(low, DEFAULT_MID_US - reach_us)
        targets = np.linspace(low, min(high, TOP_TARGET_US, DEFAULT_MID_US + reach_us), TARGETS)
        return characterize(
            self.calibration_array, rows=rows, devices=devices, targets_us=tuple(targets)
        )


def open_array(
    name: str, preset: str | None, geometry: Geometry, seed: int, rel: float | None = None
) -> OpenedArray:
    """The array that ``name`` and ``preset`` describe.

    ``rel`` is the emulator's cycle-to-cycle spread as a fraction of the median, where no preset
    gives one. Raises UsageError for an unknown name or preset, or a sweep that cannot be read.
    """
    check_array_name(name)
    if name.startswith(MEASURED):
        return _open_measured(name, preset, geometry, seed)
    if name == PhysicsArray.name or is_veriloga(name):
        device = _model_preset(name, preset)
        physics = PhysicsArray(geometry, device, seed)
        alike = _is_ideal(device) and _is_steady(device)
        return OpenedArray(physics, physics, _window(device), alike)
    if name == Die.name:
        die = Die(geometry, device_preset(preset or DEFAULT_PHYSICS))
        return OpenedArray(die, die, _window(die.preset), ideal=False)
    if name.startswith(AGED):
        return _open_aged(name, device_preset(preset or DEFAULT_PHYSICS), geometry, seed)
    if preset is None:
        ideal = (
            EmulatedArray(geometry, seed) if rel is None else EmulatedArray(geometry, seed, rel=rel)
        )
        return OpenedArray(ideal, ideal, (DEFAULT_LO_US, DEFAULT_HI_US), True)
    device = device_preset(preset)
    if device.wire_ohm.value:
        raise UsageError(
            f"the emulated array has no line resistance (wire_ohm = {device.wire_ohm.value:g} Ω): "
            f"use --array {PhysicsArray.name}, or leave out wire_ohm"
        )
    emulated = EmulatedArray(
        geometry,
        seed,
        sigma_law_us=device.c2c,
        d2d_rel=float(device.d2d_us(np.array([DEFAULT_MID_US]))[0] / DEFAULT_MID_US),
        stuck=device.stuck_fraction.value,
    )
    return OpenedArray(emulated, emulated, _window(device), _is_ideal(device))


def _model_preset(name: str, preset: str | None) -> DevicePreset:
    """The preset of a physical array, or that which a compact model's pulses give."""
    if not is_veriloga(name):
        return device_preset(preset or DEFAULT_PHYSICS)
    if preset is not None:
        raise UsageError("a Verilog-A model has constants of its own: leave out --preset")
    table = measured_table(name.removeprefix(VERILOGA))
    return fit_preset(table, table.stem.rpartition("-")[0])


def device_preset(name: str) -> DevicePreset:
    """A preset by name or from its file, or one fitted to a file of measurements.

    Constants can be moved: ``rram-1t1r,stuck_fraction=0.01``. Other keys choose conditions of the
    measurements: ``sweep.csv,vbl=2.0``. Raises UsageError, which lists the choices, for an unknown
    name, constant or condition, or a value outside its range.
    """
    path, changes = split_name(name)
    first, comma, _ = str(path).partition(",")
    known = get_preset(DEFAULT_PHYSICS).constants()
    if comma and not path.exists() and (first in PRESET_NAMES or Path(first).exists()):
        raise _no_change(str(path).rpartition(",")[2])
    constants = {key: text for key, text in changes.items() if key in known}
    where = {key: text for key, text in changes.items() if key not in known}
    if is_named(name) or path.suffix.lower() == PRESET_SUFFIX:
        device = get_preset(str(path))
        constants = changes  # one that is unknown is an error
    else:
        device = fit_preset(path, path.stem, where)
    for constant, text in constants.items():
        device = device.with_values(**{constant: _number(constant, text)})
    return device


def _no_change(text: str) -> UsageError:
    return UsageError(
        f"preset: {text!r} is not a change of a constant; write constant=number, one of "
        f"{', '.join(get_preset(DEFAULT_PHYSICS).constants())}"
    )


def _number(constant: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise _no_change(f"{constant}={text}") from None


def _open_measured(name: str, preset: str | None, geometry: Geometry, seed: int) -> OpenedArray:
    if preset is not None:
        raise UsageError("a measured array has no preset: leave out --preset")
    path, where = split_name(name.removeprefix(MEASURED))
    array, calibration_array = (
        MeasuredArray.from_sweep(path, geometry, seed, half=half, where=where)
        for half in ("operation", "calibration")
    )
    lowest, weak, typical = array.reach_us
    reach = weak if weak > DEFAULT_MID_US else typical
    window = max(MEASURED_WINDOW_US[0], lowest), min(MEASURED_WINDOW_US[1], reach)
    check_window((lowest, reach), str(path))
    return OpenedArray(array, calibration_array, window, ideal=False)


def check_window(reach_us: tuple[float, float], devices: str) -> None:
    """Raise UsageError unless the targets of a chain lie within what devices reach."""
    low, high = reach_us
    if not low < DEFAULT_MID_US < high:
        raise UsageError(
            f"{devices}: the devices reach {low:.3g} to {high:.3g} µS and cannot carry a chain, "
            f"whose targets lie around {DEFAULT_MID_US:g} µS; measure pulses that reach it"
        )


def _open_aged(name: str, device: DevicePreset, geometry: Geometry, seed: int) -> OpenedArray:
    """The chip, and the same chip at the age of its trim; the seed decides its devices."""
    now, trimmed = ages_of(name)
    array = PhysicsArray(geometry, device, seed, cycles=now)
    calibrated = array if now == trimmed else PhysicsArray(geometry, device, seed, cycles=trimmed)
    # an array of unknown age is trimmed in any case, as a fresh one would be
    return OpenedArray(array, calibrated, _window(device), ideal=False)


def _window(device: DevicePreset) -> tuple[float, float]:
    low, high = device.valid_us
    return max(DEFAULT_LO_US, low), min(DEFAULT_HI_US, high)


def _is_ideal(device: DevicePreset) -> bool:
    return not (device.d2d_rel.value or device.stuck_fraction.value or device.wire_ohm.value)


def _is_steady(device: DevicePreset) -> bool:
    """Cycles are independent, and equally wide on all devices."""
    return not (device.slow_share.value or device.c2c_device_ln.value)


def calibration_of(found: Characterization) -> Calibration:
    """The part of a characterisation that the controller uses."""
    return Calibration(
        dac=found.dac,
        trim_offset=found.trim_offset,
        trim_gain=found.trim_gain,
        bad_rows=found.bad_rows,
    )
