"""The columns of a list of pulses, and the values in units of the devices."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...array.base import Array
from ...array.device_preset import DevicePreset
from ...array.measured import MeasuredArray
from ...array.physics import PhysicsArray
from ...measurements.reading import read_recording
from ...measurements.recording import VOLT, Recording
from ...spec import CODE_LSB_US, CODE_MAX, DAC_MAX, target_nodes_us
from ...spec.daughterboard import PROGRAM_NS
from ..arrays import MEASURED, device_preset
from ..config import TrainConfig
from ..setup import OpenedArray

VERSION = 1
NAME = "ohmcarlo pulses"
"""First words of the head of a list, before the version of its format."""
RESET, SET, READ, DOT = OPERATIONS = ("RESET", "SET", "READ", "DOT")
PLUS, MINUS = "plus", "minus"
EMPTY = -1
"""An integer for an empty cell."""
COLUMNS = {
    "number": "number of the operation, from 1; DOT has none",
    "phase": "`characterise` (the devices are measured first), `adapt-1`, … (stages before "
    "sampling), `sample`",
    "chain": "number of the chain, from 0; empty while the devices are measured",
    "step": "step of this chain in this phase, from 1; 0: the test of the coin and the first "
    "sample",
    "operation": "RESET (all devices of the row), SET (one device, and a READ of it at once), READ "
    "(one device), DOT (accesses of dot products)",
    "row": "row of the array, from 0",
    "pair": "pair of the row, from 0",
    "side": "device of the pair: `plus` (g⁺) or `minus` (g⁻)",
    "device": "address of the device: row × devices of a row + 2 × pair + 1 for g⁻",
    "dac": "12-bit code of the DAC, 0 to 4095",
    "target_us": "conductance that this code gives a typical device, µS",
    "gate_v": "gate voltage of this code, V; empty if the array has no voltages",
    "width_ns": "width of the pulse, ns",
    "code": "10-bit code read back, 0 to 1023",
    "g_us": "conductance read back, µS: 0.25 × code",
    "accesses": "accesses of a DOT line",
}
"""Name and meaning of every column, in order. The last one is there with ``--dot``."""
WITHOUT_DOT = tuple(COLUMNS)[:-1]


@dataclass(frozen=True, eq=False)
class Operations:
    """Consecutive operations, a column an attribute; EMPTY where a cell is empty.

    Attributes
    ----------
    number, step : int64 (n,)
    phase : list of str (n,)
    operation : int64 (n,)
        Index into OPERATIONS.
    chain, row, device, dac, code, accesses : int64 (n,)
        ``device`` is that of the row.
    """

    number: NDArray[np.int64]
    phase: list[str]
    chain: NDArray[np.int64]
    step: NDArray[np.int64]
    operation: NDArray[np.int64]
    row: NDArray[np.int64]
    device: NDArray[np.int64]
    dac: NDArray[np.int64]
    code: NDArray[np.int64]
    accesses: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.phase)


@dataclass(frozen=True, eq=False)
class Units:
    """What codes mean at the devices of an array.

    Attributes
    ----------
    row_devices : int
    target_us : float64 (4096,)
        Conductance that each DAC code gives a typical device.
    gate_v : float64 (4096,)
        NaN if the array has no voltages.
    g_us : float64 (1024,)
    width_ns : float64 (4,)
        Of each operation; NaN if it is not known.
    sources : dict of str to str
        Where ``gate_v`` and ``width_ns`` come from, for the head of a list.
    """

    row_devices: int
    target_us: NDArray[np.float64]
    gate_v: NDArray[np.float64]
    g_us: NDArray[np.float64]
    width_ns: NDArray[np.float64]
    sources: dict[str, str]

    @classmethod
    def of(cls, config: TrainConfig, opened: OpenedArray) -> Units:
        """Those of the array of a run."""
        array, dac = opened.array, np.arange(DAC_MAX + 1)
        target_us = _targets_of(array, dac)
        preset = _preset_of(config, array)
        widths, board = _widths_of(preset)
        if isinstance(array, MeasuredArray):
            recording = read_recording(config.array.removeprefix(MEASURED))
            gate_v, law = _recorded_gate(array, recording, dac)
            if "width_ns" in recording.conditions:
                widths[OPERATIONS.index(SET)] = recording.conditions["width_ns"]
                board = f"SET of the recorded cells, {board}"
        else:
            gate_v, law = _gate_of(array, preset, dac, target_us)
        return cls(
            row_devices=array.geometry.row_devices,
            target_us=target_us,
            gate_v=gate_v,
            g_us=np.arange(CODE_MAX + 1, dtype=np.float64) * CODE_LSB_US,
            width_ns=widths,
            sources={"gate_v": law, "width_ns": board},
        )


def _targets_of(array: Array, dac: NDArray[np.int64]) -> NDArray[np.float64]:
    """The inverse of the conductance→DAC table; at its ends, where targets are clipped, the target
    that is nearest to the others."""
    table = np.asarray(array.dac_of_target(), np.int64)
    codes, first = np.unique(table, return_index=True)
    last = len(table) - 1 - np.unique(table[::-1], return_index=True)[1]
    place = (first + last) / 2
    place[0], place[-1] = last[0], first[-1]
    nodes = target_nodes_us()
    return np.interp(dac, codes, np.interp(place, np.arange(len(nodes)), nodes))


def _preset_of(config: TrainConfig, array: Array) -> DevicePreset | None:
    if isinstance(array, PhysicsArray):
        return array.preset
    return None if config.preset is None else device_preset(config.preset)


def _recorded_gate(
    array: MeasuredArray, recording: Recording, dac: NDArray[np.int64]
) -> tuple[NDArray[np.float64], str]:
    if recording.unit != VOLT:
        return np.full(len(dac), np.nan), "the recorded cells were programmed to targets"
    return array.volts_of_dac(dac), f"{recording.swept} of the recorded cells"


def _gate_of(
    array: Array, preset: DevicePreset | None, dac: NDArray[Any], target_us: NDArray[np.float64]
) -> tuple[NDArray[np.float64], str]:
    if preset is None:
        return np.full(len(dac), np.nan), "the array has no voltages"
    if isinstance(array, PhysicsArray):
        return preset.gate_v(dac), f"preset {preset.name}"
    return preset.set_law.inverse(target_us), f"SET law of preset {preset.name} at target_us"


def _widths_of(preset: DevicePreset | None) -> tuple[NDArray[np.float64], str]:
    """Widths in the order of OPERATIONS, and their source."""
    if preset is None:
        known = [PROGRAM_NS["reset"], PROGRAM_NS["set"], np.nan, np.nan]
        return np.array(known, np.float64), "reset values of the daughterboard"
    read = preset.pulse_read_s.value
    seconds = [preset.pulse_reset_s.value, preset.pulse_set_s.value, read, read]
    return np.array(seconds) * 1e9, f"preset {preset.name}"
