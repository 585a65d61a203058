"""Files of measurements that options name."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from .console import Console


def read_measurements(
    console: Console,
    array: str,
    preset: str | None,
    where: Sequence[str] | None,
    backend: str = "model",
) -> tuple[str, str | None]:
    """The names of array and preset with the conditions of ``--where``.

    The file of measurements behind them, if there is one, is read first: a bad one is refused
    before anything expensive, and a good one is described on the screen. A Verilog-A model is
    measured, if its pulses are not in the cache.
    """
    from ..boards import check_backend, names_of
    from ..measurements.names import conditions_of
    from ..measurements.veriloga.measuring import VERILOGA, is_veriloga, measured_table
    from ..runs.recordings import lines_about, recording_behind, with_conditions
    from .progress import CellProgress

    array, preset = with_conditions(array, preset, conditions_of(where or []))
    if is_veriloga(array) and array != VERILOGA:
        for name in names_of(backend):
            check_backend(name, array)
        measured_table(array.removeprefix(VERILOGA), CellProgress().track)
    recording = recording_behind(array, preset)
    for line in lines_about(recording) if recording is not None else []:
        console.say(line)
    return array, preset


def array_of_fit(fit: Path, array: str, preset: str | None) -> tuple[str, str]:
    """Array and preset that stand for a file of ``--fit``; ``array`` and ``preset`` are as given.

    Raises UsageError for a preset, which needs no fit, and for another array beside the fit.
    """
    from ..array.emulated import EmulatedArray
    from ..array.physics import PhysicsArray
    from ..errors import UsageError
    from ..runs.recordings import PRESET_SUFFIX

    if fit.suffix.lower() == PRESET_SUFFIX:
        raise UsageError(
            f"--fit {fit}: such a file holds a preset, not measurements: use "
            f"--array {PhysicsArray.name} --preset {fit}"
        )
    if preset is not None or array not in (EmulatedArray.name, PhysicsArray.name):
        other = f"--array {array}" if preset is None else f"--preset {preset}"
        raise UsageError(
            f"--fit {fit} characterises the model that is fitted to this file: leave out {other}, "
            "or leave out --fit"
        )
    return PhysicsArray.name, str(fit if fit.suffix else fit.absolute())
