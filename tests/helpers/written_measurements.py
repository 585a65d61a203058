"""Measurements written by a test, and what the reader makes of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ohmcarlo.errors import UsageError
from ohmcarlo.measurements.reading import read_recording
from ohmcarlo.measurements.recording import Recording


def recorded(folder: Path, text: str, **where: str) -> Recording:
    """What is read from a file with this text; its name says nothing about the format."""
    path = folder / "table"
    path.write_text(text, encoding="utf-8")
    return read_recording(path, where)


def refused(folder: Path, text: str, **where: str) -> str:
    """The message, one line, that refuses a file with this text."""
    path = folder / "table"
    path.write_text(text, encoding="utf-8")
    return refused_file(path, **where)


def refused_file(path: Path, **where: str) -> str:
    """The message, one line, that refuses a file."""
    with pytest.raises(UsageError) as error:
        read_recording(path, where)
    assert "\n" not in str(error.value)
    return str(error.value)


def conductances(recording: Recording, devices: int, cycles: int) -> np.ndarray:
    """Conductances after the pulses, µS (device, cycle, level); NaN where there is no pulse.

    Names of devices hold their numbers, as c3.
    """
    levels, level = np.unique(recording.level, return_inverse=True)
    number = np.array([int("".join(filter(str.isdigit, name))) for name in recording.devices])
    out = np.full((devices, cycles, len(levels)), np.nan)
    out[number[recording.device], recording.cycle, level] = recording.after_us
    return out
