"""Files of measurements that options name."""

from __future__ import annotations

from collections.abc import Sequence

from .console import Console


def read_measurements(
    console: Console, array: str, preset: str | None, where: Sequence[str] | None
) -> tuple[str, str | None]:
    """The names of array and preset with the conditions of ``--where``.

    The file of measurements behind them, if there is one, is read first: a bad one is refused
    before anything expensive, and a good one is described on the screen.
    """
    from ..measurements.names import conditions_of
    from ..runs.recordings import lines_about, recording_behind, with_conditions

    array, preset = with_conditions(array, preset, conditions_of(where or []))
    recording = recording_behind(array, preset)
    for line in lines_about(recording) if recording is not None else []:
        console.say(line)
    return array, preset
