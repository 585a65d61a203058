"""Write a recording as the documented long table."""

from __future__ import annotations

import numpy as np

from .long_table import VERSION_WORDS
from .quantities import QUANTITIES, quantity_in_words
from .recording import Recording

VERSION = 1
DEVICE, CYCLE, BEFORE, AFTER = "device", "cycle", "g_before (uS)", "g (uS)"


def as_text(recording: Recording, comments: tuple[str, ...] = ()) -> str:
    """A recording as text: version line, comments, header, and a line for each pulse.

    Silent devices have one line without a conductance. Noise of single reads is not kept.

    Examples
    --------
    >>> from importlib.resources import files
    >>> from ohmcarlo.measurements.reading import read_recording
    >>> from ohmcarlo.measurements.writing import as_text
    >>> recording = read_recording(files("ohmcarlo.measurements") / "example.csv")
    >>> as_text(recording).splitlines()[0]
    '# ohmcarlo measurements 1'
    """
    level = QUANTITIES[quantity_in_words(recording.swept)]
    held = [
        (quantity.header, f"{recording.conditions[name]:.9g}")
        for name, quantity in QUANTITIES.items()
        if name in recording.conditions
    ]
    measured = bool(np.isfinite(recording.before_us).any())
    names = [DEVICE, level.header, *(name for name, _ in held), CYCLE]
    names += [BEFORE] if measured else []
    fixed = [value for _, value in held]
    lines = [f"# {VERSION_WORDS} {VERSION}", *(f"# {comment}" for comment in comments)]
    lines.append(",".join([*names, AFTER]))
    for k in range(len(recording)):
        row = [_quoted(recording.devices[recording.device[k]]), f"{recording.level[k]:.9g}", *fixed]
        row.append(str(recording.cycle[k]))
        row += [_number(recording.before_us[k])] if measured else []
        lines.append(",".join([*row, _number(recording.after_us[k])]))
    first = f"{recording.level[0]:.9g}"
    for name in recording.silent:
        lines.append(",".join([_quoted(name), first, *fixed, "0", *([""] if measured else []), ""]))
    return "\n".join(lines) + "\n"


def _number(value: float) -> str:
    return f"{value:.9g}" if np.isfinite(value) else ""


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"' if any(mark in name for mark in ',"#') else name
