"""Programming pulses of devices, as a measurement recorded them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

MICROSIEMENS, VOLT = "µS", "V"


@dataclass(frozen=True)
class LeftOut:
    """Lines of a file that are not used, and why.

    Attributes
    ----------
    reason : str
        A phrase, as in "instrument overload" or "the cell had not been reset".
    lines : tuple of int
        Counted from 1, rising.
    device : str
        The device that the lines belong to; empty for several devices.
    """

    reason: str
    lines: tuple[int, ...]
    device: str = ""


@dataclass(frozen=True, eq=False)
class Recording:
    """SET pulses of some devices, one entry a pulse, in the order in which they were applied.

    Every reader of measurements gives this record. ``characterize --fit`` and ``--array measured:``
    use the same one.

    Attributes
    ----------
    source : Path
        The file.
    format : str
        Name of its format, as in ``docs/measurements.md``.
    devices : tuple of str (D,)
        Names, in the order of their first pulse. Every one has at least one pulse.
    device : int (n,)
        Index of the device of each pulse.
    level : float (n,)
        Programming level of each pulse: target conductance (µS) or voltage (V).
    unit : str
        Of ``level``: MICROSIEMENS or VOLT.
    swept : str
        What the level is: "target", "word line", "bit line", "source line" or "voltage".
    cycle : int (n,)
        Sweep or repeat of its device that a pulse belongs to, from 0.
    after_us : float (n,)
        Conductance after the pulse, µS; finite, not negative.
    before_us : float (n,)
        Conductance before the pulse, µS; NaN where it was not measured.
    line : int (n,)
        Line of the file, from 1.
    silent : tuple of str
        Devices of the file without a usable pulse, as open cells; they count as stuck.
    conditions : mapping of str to float
        Conditions that all pulses share, by name with unit, as in ``{"width_ns": 100.0,
        "bit_line_v": 2.0}``.
    left_out : tuple of LeftOut
    read_noise_rel : float or None
        Noise of a single read, fraction of the conductance, where the file has repeated reads.
    compliance_v : float or None
        Compliance current over conductance reached, V, where the current is the level.
    recognised : tuple of str
        What the reader recognised, phrases for one line on screen.

    Examples
    --------
    >>> from importlib.resources import files
    >>> from ohmcarlo.measurements.reading import read_recording
    >>> recording = read_recording(files("ohmcarlo.measurements") / "example.csv")
    >>> first = recording.device == 0
    >>> len(recording), int(first.sum()), recording.unit
    (3840, 160, 'V')
    """

    source: Path
    format: str
    devices: tuple[str, ...]
    device: IntArray
    level: FloatArray
    unit: str
    swept: str
    cycle: IntArray
    after_us: FloatArray
    before_us: FloatArray
    line: IntArray
    silent: tuple[str, ...] = ()
    conditions: Mapping[str, float] = field(default_factory=dict)
    left_out: tuple[LeftOut, ...] = ()
    read_noise_rel: float | None = None
    compliance_v: float | None = None
    recognised: tuple[str, ...] = ()

    def __len__(self) -> int:
        """Number of pulses."""
        return len(self.device)

    def describe(self) -> dict[str, Any]:
        """What was recognised and what was left out, for JSON."""
        return {
            "file": str(self.source),
            "format": self.format,
            "devices": len(self.devices),
            "pulses": len(self),
            "level": self.swept,
            "unit": self.unit,
            "conditions": dict(self.conditions),
            **({} if self.compliance_v is None else {"compliance_v": self.compliance_v}),
            "silent_devices": list(self.silent),
            "left_out": [
                {"reason": left.reason, "device": left.device, "lines": list(left.lines)}
                for left in self.left_out
            ],
            "recognised": list(self.recognised),
        }
