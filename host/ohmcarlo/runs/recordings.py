"""Files of measurements in the names of arrays and presets, and what was read from them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..array.measured import MeasuredArray
from ..array.presets import PRESET_NAMES, RRAM_1T1R
from ..errors import UsageError
from ..measurements.assembly import describe_left_out
from ..measurements.names import joined, split_name
from ..measurements.reading import read_recording
from ..measurements.recording import Recording
from ..measurements.veriloga.measuring import VERILOGA, is_veriloga, measured_table
from ..readable import count

MEASURED = f"{MeasuredArray.name}:"
PRESET_SUFFIX = ".json"


def measurements_of(array: str) -> tuple[Path, dict[str, str]] | None:
    """The file of measurements of an array's name and the conditions, if it has one.

    >>> measurements_of("measured:sweep.csv,vbl=2.0")
    (PosixPath('sweep.csv'), {'vbl': '2.0'})
    """
    return split_name(array.removeprefix(MEASURED)) if array.startswith(MEASURED) else None


def sweep_of(array: str) -> Path | None:
    """The file of measurements of an array's name, if it has one."""
    found = measurements_of(array)
    return None if found is None else found[0]


def located_array(array: str) -> str:
    """The name with the absolute path of its file of measurements or its model, if it has one."""
    kind = next((k for k in (MEASURED, VERILOGA) if array.startswith(k)), None)
    if kind is None:
        return array
    path, options = split_name(array.removeprefix(kind))
    return joined(f"{kind}{path.absolute()}", options)


def preset_file_of(preset: str | None) -> Path | None:
    """The file of a preset's name, if it has one: a preset, or measurements with any suffix."""
    return None if preset is None or is_named(preset) else split_name(preset)[0]


def located_preset(preset: str) -> str:
    """The name with the absolute path of its file, if it has one."""
    if is_named(preset):
        return preset
    path, changes = split_name(preset)
    return joined(str(path.absolute()), changes)


def is_named(preset: str) -> bool:
    """Whether a preset is one of the project, or has no form of a file."""
    path, _ = split_name(preset)
    name = preset.partition(",")[0]
    return name in PRESET_NAMES or not (path.suffix or len(path.parts) > 1 or path.exists())


def with_conditions(
    array: str, preset: str | None, where: Mapping[str, str]
) -> tuple[str, str | None]:
    """The names of array and preset, of which the one with measurements has further conditions.

    Raises UsageError if ``where`` names conditions and there are no measurements.
    """
    if not where:
        return array, preset
    if array.startswith(MEASURED):
        return joined(array, where), preset
    path = preset_file_of(preset)
    if preset is None or path is None or path.suffix.lower() == PRESET_SUFFIX:
        raise UsageError(
            f"--where chooses among measurements: use it with --fit FILE, --array {MEASURED}FILE "
            "or --preset FILE"
        )
    return array, joined(preset, where)


def recording_behind(array: str, preset: str | None = None) -> Recording | None:
    """The recording that the names of array and preset refer to, if there is one.

    Raises UsageError for a file that cannot be used.
    """
    if array.startswith(MEASURED) and array != MEASURED:
        return read_recording(array.removeprefix(MEASURED))
    if is_veriloga(array) and array != VERILOGA:
        return read_recording(measured_table(array.removeprefix(VERILOGA)))
    path = preset_file_of(preset)
    if preset is None or path is None or path.suffix.lower() == PRESET_SUFFIX:
        return None
    known = RRAM_1T1R.constants()
    where = {k: v for k, v in split_name(preset)[1].items() if k not in known}
    return read_recording(path, where)


def lines_about(recording: Recording) -> list[str]:
    """What was recognised in a file, and what was left out: a line each."""
    devices, pulses = count(len(recording.devices), "device"), count(len(recording), "pulse")
    lines = [f"{recording.source}: {pulses} of {devices}; {', '.join(recording.recognised)}"]
    if recording.silent:
        names = ", ".join(recording.silent[:4]) + (", …" if len(recording.silent) > 4 else "")
        lines.append(f"{count(len(recording.silent), 'open cell')} ({names})")
    left_out = describe_left_out(recording)
    return [*lines, left_out] if left_out else lines


def recording_in_json(array: str, preset: str | None = None) -> dict[str, Any] | None:
    """What was read from the measurements behind an array or preset, for the JSON of a result.

    None without measurements, or if their file has gone since.
    """
    try:
        recording = recording_behind(array, preset)
    except UsageError:
        return None
    return None if recording is None else recording.describe()
