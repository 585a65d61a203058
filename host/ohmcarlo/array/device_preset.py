"""The constants of a device model, each with unit, range, source and how well it is known.

Four kinds of spread are kept apart throughout: *c2c* (cycle to cycle: the same device programmed
again), *d2d* (device to device: the medians of different devices), *read* (the same state read
again) and *relaxation* (the same state, later). ``*_rel`` is a fraction of the conductance, never
a percentage; ``*_us`` is in µS.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, fields, replace
from enum import StrEnum
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import UsageError
from ..spec import DAC_MAX

FloatArray = NDArray[np.float64]


class Tag(StrEnum):
    """How well a number is known."""

    FOUND = "FOUND"  # stated in a source
    DERIVED = "DERIVED"  # computed from a public data set
    ASSUMED = "ASSUMED"  # engineering estimate; vary it before relying on it
    DEFINED = "DEFINED"  # a setting of the model, not a claim about a device


# Public sources, cited by the short names below.
SOURCES = {
    "RADAR": "github.com/akashlevy/RRAM-RADAR-Tuning @5038af3, data of 10.1109/TED.2021.3097975",
    "RELAX": "github.com/akashlevy/RRAM-Relaxation-Master-Model @ca0cfff",
    "AIHW": "github.com/IBM/aihwkit, presets/devices.py",
    "PIC": "10.1109/LED.2016.2553370, abstract",
    "DAL": "10.1038/s41928-020-00523-3, abstract",
    "NVS": "github.com/SEAL-UCSB/NVSim, sample_RRAM.cell",
    "ISAAC": "hwcomponents-library, isaac.py (32 nm)",
    "SURVEY": "github.com/bmurmann/ADC-survey, rev 20250609",
    "HOROWITZ": "stillwater-sc/esim, energy.py (Horowitz 2014, 45 nm)",
    "EIE": "arXiv 1602.01528, table I (45 nm)",
    "M4": "Zephyr and RT-Thread board pages, STM32L452 and L496 at 3.3 V",
    "FIT": "fitted to the user's own measurements",
    "IMPORTED": "noise model of another simulator, from the user's file",
    "MODEL": "a setting of the model",
    "ESTIMATE": "engineering estimate",
}


@dataclass(frozen=True)
class Value:
    """One number with unit, evidence, source and its range of validity ``[low, high]``."""

    value: float
    unit: str
    tag: Tag
    source: str
    low: float
    high: float
    note: str = ""

    def __post_init__(self) -> None:
        if self.source not in SOURCES:
            raise UsageError(f"source {self.source!r} is unknown: add it to SOURCES first")
        if not self.low <= self.value <= self.high:
            raise UsageError(
                f"{self.value:g} {self.unit} lies outside its range of validity, {self.low:g} to "
                f"{self.high:g} {self.unit} ({SOURCES[self.source]})"
            )

    def moved(self, value: float) -> Value:
        """The same constant with another value; UsageError outside its range."""
        return replace(self, value=value)


@dataclass(frozen=True)
class Table:
    """A measured curve, interpolated linearly; both columns rise.

    ``valid_x`` is the range that the source covers; beyond it the curve is ASSUMED.
    """

    x: tuple[float, ...]
    y: tuple[float, ...]
    x_unit: str
    y_unit: str
    tag: Tag
    source: str
    valid_x: tuple[float, float]
    note: str = ""

    def __post_init__(self) -> None:
        if len(self.x) != len(self.y) or len(self.x) < 2:
            raise UsageError(f"a table needs two equally long columns, got {self.x} and {self.y}")
        for column in (self.x, self.y):
            if any(b <= a for a, b in pairwise(column)):
                raise UsageError(f"the columns of a table must rise, got {column}")
        if self.source not in SOURCES:
            raise UsageError(f"source {self.source!r} is unknown: add it to SOURCES first")

    def __call__(self, x: FloatArray) -> FloatArray:
        return np.interp(x, self.x, self.y)

    def inverse(self, y: FloatArray) -> FloatArray:
        return np.interp(y, self.y, self.x)


@dataclass(frozen=True)
class RelativeSpread:
    """σ = rel · g."""

    rel: Value

    def __call__(self, g_us: FloatArray) -> FloatArray:
        return np.asarray(self.rel.value * np.asarray(g_us, np.float64))


@dataclass(frozen=True)
class LinearSpread:
    """σ = max(floor, min(max_rel · g, intercept - slope · g)), all in µS of median conductance."""

    floor_us: Value
    max_rel: Value
    intercept_us: Value
    slope: Value

    def __call__(self, g_us: FloatArray) -> FloatArray:
        g = np.asarray(g_us, np.float64)
        line = self.intercept_us.value - self.slope.value * g
        return np.maximum(self.floor_us.value, np.minimum(self.max_rel.value * g, line))


Spread = RelativeSpread | LinearSpread


@dataclass(frozen=True)
class Ageing:
    """Effect of endurance cycles, interpolated linearly in log10(cycles); none up to ``cycles[0]``.

    ``median_gain`` and ``sigma_gain`` multiply median and c2c spread of a SET; ``hrs_gain`` the
    conductance after RESET (2: the HRS/LRS window is halved).
    """

    cycles: tuple[float, ...]
    median_gain: tuple[float, ...]
    sigma_gain: tuple[float, ...]
    hrs_gain: tuple[float, ...]
    tag: Tag
    source: str
    note: str = ""

    def at(self, cycles: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """(median gain, σ gain, HRS gain) of devices with that many cycles, same shape."""
        x = np.log10(np.maximum(cycles, 1.0))
        nodes = np.log10(self.cycles)
        return (
            np.interp(x, nodes, self.median_gain),
            np.interp(x, nodes, self.sigma_gain),
            np.interp(x, nodes, self.hrs_gain),
        )


@dataclass(frozen=True)
class DevicePreset:
    """All constants of one device technology.

    Attributes
    ----------
    set_law : Table
        Gate voltage of the selector (V) → median conductance of a SET (µS).
    dac_low_v, dac_high_v : Value
        Gate voltage at DAC code 0 and at the highest one.
    compliance_v : Value
        V_C of g = I_SET / V_C: translates a conductance into a compliance current.
    valid_us : (float, float)
        Range of median conductance that the sources cover; programming outside warns.
    c2c : Spread
        Cycle-to-cycle σ (µS) over the median (µS); normal in g.
    c2c_device_ln : Value
        Spread of σ itself from device to device: standard deviation of ln σ.
    slow_share, slow_phi : Value
        Share of the c2c *variance* that is an AR(1) process of the device, and its coefficient per
        cycle: the correlation at ``lag`` is ``slow_share * slow_phi**lag``.
    d2d_max_us, d2d_rel : Value
        Device-to-device σ of the median: min(d2d_rel · g, d2d_max_us).
    hrs_median_us, hrs_ln_sigma, hrs_max_us : Value
        Log-normal state after RESET, and the conductance above which RESET is repeated.
    read_noise_rel : Value
        Standard deviation of one read, fraction of g.
    relax_us : Value
        Standard deviation of the change of g at 1 s after programming; grows with log(time).
    relax_onset_s : Value
        Time at which the logarithm starts.
    drift_rel_per_decade : Value
        Loss of g per decade of time since programming, fraction of g.
    ageing : Ageing
    stuck_fraction, stuck_hrs_share : Value
        Fraction of devices that are stuck, and the share of those that are stuck in the HRS.
    pulse_set_s, pulse_reset_s, pulse_read_s : Value
        Lengths of the pulses; a DOT takes as long as a read.
    wire_ohm : Value
        Resistance of bit and source lines from cell to cell (``array/wires.py``).
    line_calibration : Value
        Whether the drivers of the bit lines correct it.

    Examples
    --------
    >>> from dataclasses import replace
    >>> from ohmcarlo.array import PhysicsArray, get_preset
    >>> from ohmcarlo.spec import Geometry
    >>> preset = get_preset("rram-1t1r")
    >>> wires = replace(preset.wire_ohm, value=2.0)  # Ω from cell to cell
    >>> array = PhysicsArray(Geometry(rows=16, pairs=8), replace(preset, wire_ohm=wires))
    >>> array.preset.wire_ohm.value
    2.0
    """

    name: str
    description: str
    set_law: Table
    dac_low_v: Value
    dac_high_v: Value
    compliance_v: Value
    valid_us: tuple[float, float]
    c2c: Spread
    c2c_device_ln: Value
    slow_share: Value
    slow_phi: Value
    d2d_max_us: Value
    d2d_rel: Value
    hrs_median_us: Value
    hrs_ln_sigma: Value
    hrs_max_us: Value
    read_noise_rel: Value
    relax_us: Value
    relax_onset_s: Value
    drift_rel_per_decade: Value
    ageing: Ageing
    stuck_fraction: Value
    stuck_hrs_share: Value
    pulse_set_s: Value = field(
        default=Value(100e-9, "s", Tag.FOUND, "RADAR", 1e-9, 1e-5, "SET pulse")
    )
    pulse_reset_s: Value = field(
        default=Value(100e-9, "s", Tag.FOUND, "RADAR", 1e-9, 1e-5, "RESET pulse")
    )
    pulse_read_s: Value = field(
        default=Value(25e-9, "s", Tag.FOUND, "RADAR", 1e-9, 1e-5, "read and DOT access")
    )
    wire_ohm: Value = field(
        default=Value(
            0.0, "Ω per cell", Tag.DEFINED, "MODEL", 0.0, 50.0,
            "0: ideal lines; real ones have about 0.5 to 10 Ω, narrow metal more (ASSUMED)",
        )
    )  # fmt: skip
    line_calibration: Value = field(
        default=Value(
            0.0, "0 or 1", Tag.DEFINED, "MODEL", 0.0, 1.0,
            "1: the gain of every line driver corrects the wires at the centre",
        )
    )  # fmt: skip

    def __post_init__(self) -> None:
        if self.dac_low_v.value >= self.dac_high_v.value:
            raise UsageError("dac_low_v must lie below dac_high_v")

    def gate_v(self, dac: NDArray[Any]) -> FloatArray:
        """Gate voltage (V) of DAC codes."""
        low, high = self.dac_low_v.value, self.dac_high_v.value
        return low + np.asarray(dac, np.float64) * ((high - low) / DAC_MAX)

    def median_us(self, dac: NDArray[Any]) -> FloatArray:
        """Median conductance (µS) that a fresh, typical device takes at DAC codes."""
        return self.set_law(self.gate_v(dac))

    def dac_of_us(self, g_us: FloatArray) -> NDArray[np.int32]:
        """The DAC code whose median conductance is nearest to ``g_us``, clipped to 0..DAC_MAX."""
        low, high = self.dac_low_v.value, self.dac_high_v.value
        code = (self.set_law.inverse(g_us) - low) * (DAC_MAX / (high - low))
        return np.clip(np.rint(code), 0, DAC_MAX).astype(np.int32)

    def d2d_us(self, g_us: FloatArray) -> FloatArray:
        """Device-to-device σ of the median (µS) at a median conductance (µS)."""
        return np.minimum(self.d2d_rel.value * g_us, self.d2d_max_us.value)

    def with_values(self, **values: float) -> DevicePreset:
        """This preset with other constants: ``preset.with_values(read_noise_rel=0.02)``.

        The parameters of the c2c law go by ``c2c_rel`` or ``c2c_floor_us``, ``c2c_max_rel``,
        ``c2c_intercept_us``, ``c2c_slope``. UsageError on an unknown name or outside the range.
        """
        changes: dict[str, Any] = {}
        law: dict[str, Value] = {}
        for name, value in values.items():
            inner = name.removeprefix("c2c_")
            old = getattr(self, name, None)
            if isinstance(old, Value):
                changes[name] = _moved(name, old, value)
            elif inner != name and isinstance(getattr(self.c2c, inner, None), Value):
                law[inner] = _moved(name, getattr(self.c2c, inner), value)
            else:
                raise UsageError(
                    f"preset {self.name} has no constant {name!r}: choose one of "
                    f"{', '.join(self.constants())}"
                )
        c2c = type(self.c2c)(**{**vars(self.c2c), **law})
        return replace(self, **changes, c2c=c2c)

    def constants(self) -> dict[str, Value]:
        """Every single-number constant by the name that ``with_values`` takes."""
        law = {f"c2c_{f.name}": getattr(self.c2c, f.name) for f in fields(self.c2c)}
        own = {f.name: getattr(self, f.name) for f in fields(self)}
        return law | {k: v for k, v in own.items() if isinstance(v, Value)}

    def to_dict(self) -> dict[str, Any]:
        """Everything, with units, tags and sources, for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> DevicePreset:
        """The preset of a ``to_dict``; UsageError for other content."""
        try:
            parts: dict[str, Any] = {
                name: _value(part) if isinstance(part, dict) and "value" in part else part
                for name, part in content.items()
            }
            law = {name: _value(part) for name, part in content["c2c"].items()}
            parts["c2c"] = RelativeSpread(**law) if "rel" in law else LinearSpread(**law)
            parts["set_law"] = Table(**_tagged(content["set_law"]))
            parts["ageing"] = Ageing(**_tagged(content["ageing"]))
            parts["valid_us"] = tuple(content["valid_us"])
            return cls(**parts)
        except (KeyError, TypeError, AttributeError) as error:
            raise UsageError(f"this is not a device preset: {error}") from error

    def save(self, path: str | Path) -> None:
        """Write the preset as JSON; ``get_preset`` reads a name that ends in ``.json``."""
        text = json.dumps(self.to_dict(), indent=1, ensure_ascii=False, allow_nan=False)
        Path(path).write_text(text + "\n", encoding="utf-8")


def _tagged(part: dict[str, Any]) -> dict[str, Any]:
    """Fields of a part as JSON gives them: lists become tuples, the tag a Tag."""
    out = {k: tuple(v) if isinstance(v, list) else v for k, v in part.items()}
    try:
        return out | {"tag": Tag(part["tag"])}
    except ValueError as error:
        raise UsageError(f"{error}: choose one of {', '.join(Tag)}") from error


def _value(part: dict[str, Any]) -> Value:
    return Value(**_tagged(part))


def _moved(name: str, constant: Value, value: float) -> Value:
    """``constant.moved(value)``; the error names the constant."""
    try:
        return constant.moved(value)
    except UsageError as error:
        raise UsageError(f"{name}: {error}") from error
