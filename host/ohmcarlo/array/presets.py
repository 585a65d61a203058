"""The presets of the device model, by name."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from ..errors import UsageError
from ..spec import DAC_MAX, TARGET_LSB_US
from .device_preset import Ageing, DevicePreset, LinearSpread, RelativeSpread, Table, Tag, Value
from .noise_models import noise_model_of, preset_of_noise


def _set(value: float, unit: str, low: float, high: float) -> Value:
    return Value(value, unit, Tag.DEFINED, "MODEL", low, high)


def _off(unit: str, high: float) -> Value:
    return _set(0.0, unit, 0.0, high)


RESET_LIMIT_US = 1e6 / 60e3  # the sweep resets again while R < 60 kΩ

OXRAM_AGEING = Ageing(
    cycles=(1e6, 1e7, 1e8),
    median_gain=(1.0, 0.95, 0.85),
    sigma_gain=(1.0, 1.2, 1.7),
    hrs_gain=(1.0, 1.0, 2.0),
    tag=Tag.ASSUMED,
    source="ESTIMATE",
    note="learning is robust at 1e7 cycles (FOUND, DAL); the filament shrinks with cycling",
)
NO_AGEING = Ageing((1.0, 1e8), (1.0, 1.0), (1.0, 1.0), (1.0, 1.0), Tag.DEFINED, "MODEL")

RRAM_1T1R = DevicePreset(
    name="rram-1t1r",
    description="open-loop SET of a 1T1R RRAM chip, 100 ns, 2 V bit line",
    set_law=Table(
        x=(2.10, 2.20, 2.25, 2.30, 2.35, 2.40, 2.45, 2.50, 2.55, 2.60, 2.97),
        y=(7.2, 13.6, 26.1, 45.0, 73.0, 97.5, 119.8, 139.2, 152.6, 164.6, 256.0),
        x_unit="V",
        y_unit="µS",
        tag=Tag.DERIVED,
        source="RADAR",
        valid_x=(2.30, 2.60),
        note="medians over 50 cells of means of 20 repeats; above 2.60 V the last slope continues",
    ),
    dac_low_v=_set(2.10, "V", 0.0, 5.0),
    dac_high_v=_set(2.97, "V", 0.0, 5.0),
    compliance_v=Value(0.5, "V", Tag.ASSUMED, "ESTIMATE", 0.3, 0.7, "g = I_SET / V_C"),
    valid_us=(45.0, 195.0),
    c2c=LinearSpread(
        floor_us=Value(4.0, "µS", Tag.ASSUMED, "ESTIMATE", 1.0, 8.0),
        max_rel=Value(
            0.30, "fraction of g", Tag.ASSUMED, "ESTIMATE", 0.05, 0.35,
            "0.25-0.3 below 45 µS (DERIVED, RADAR); below 30 µS not covered",
        ),
        intercept_us=Value(21.15, "µS", Tag.DERIVED, "RADAR", 10.0, 40.0),
        slope=Value(0.085, "µS per µS", Tag.DERIVED, "RADAR", 0.0, 0.1),
    ),
    c2c_device_ln=Value(
        0.0, "ln σ", Tag.DEFINED, "MODEL", 0.0, 0.6,
        "all devices alike; the cells of RADAR differ by 0.5-2 x (P10-P90), that is 0.54",
    ),
    slow_share=Value(0.285, "fraction of variance", Tag.DERIVED, "RADAR", 0.0, 1.0),
    slow_phi=Value(
        math.exp(-1 / 48), "per cycle", Tag.DERIVED, "RADAR", 0.0, 0.999,
        "0.285 exp(-lag/48 cycles); about 40 cycles in HfO2 OxRAM (FOUND, PIC)",
    ),
    d2d_max_us=Value(12.0, "µS", Tag.DERIVED, "RADAR", 0.0, 20.0),
    d2d_rel=Value(0.25, "fraction of g", Tag.ASSUMED, "ESTIMATE", 0.0, 0.35),
    hrs_median_us=Value(1e6 / 208e3, "µS", Tag.DERIVED, "RADAR", 0.5, 16.0, "208 kΩ"),
    hrs_ln_sigma=Value(0.6, "ln R", Tag.DERIVED, "RADAR", 0.0, 1.2, "0.56 within, 0.80 pooled"),
    hrs_max_us=Value(RESET_LIMIT_US, "µS", Tag.DERIVED, "RADAR", 1.0, 34.0, "60 kΩ"),
    read_noise_rel=Value(0.01, "fraction of g", Tag.ASSUMED, "ESTIMATE", 0.0, 0.05),
    relax_us=Value(
        1.0, "µS at 1 s", Tag.DERIVED, "RELAX", 0.0, 7.0,
        "technology B, 80-130 µS; 6.3-6.9 below 80 µS; technology C 1.5-2.3",
    ),
    relax_onset_s=Value(100e-9, "s", Tag.ASSUMED, "ESTIMATE", 1e-9, 1e-3, "one pulse width"),
    drift_rel_per_decade=Value(0.0, "fraction of g", Tag.ASSUMED, "ESTIMATE", 0.0, 0.02),
    ageing=OXRAM_AGEING,
    stuck_fraction=Value(0.002, "fraction of devices", Tag.ASSUMED, "ESTIMATE", 0.0, 0.135,
                         "9.8-13.5 % corrupt devices reported (FOUND, AIHW)"),
    stuck_hrs_share=Value(0.5, "fraction of stuck", Tag.ASSUMED, "ESTIMATE", 0.0, 1.0),
)  # fmt: skip


def _relative(rel: float) -> DevicePreset:
    top = DAC_MAX * TARGET_LSB_US
    return DevicePreset(
        name=f"relative-{rel * 100:g}pct",
        description=f"σ = {rel * 100:g} % of g and no other effect: the emulator's setting",
        set_law=Table(
            (0.0, 4.095), (0.0, top), "V", "µS", Tag.DEFINED, "MODEL", (0.0, 4.095),
            "1 mV per DAC code: the code is the target",
        ),
        dac_low_v=_set(0.0, "V", 0.0, 5.0),
        dac_high_v=_set(4.095, "V", 0.0, 5.0),
        compliance_v=RRAM_1T1R.compliance_v,
        valid_us=(0.0, top),
        c2c=RelativeSpread(_set(rel, "fraction of g", 0.002, 0.5)),
        c2c_device_ln=_off("ln σ", 0.6),
        slow_share=_off("fraction of variance", 1.0),
        slow_phi=_off("per cycle", 0.999),
        d2d_max_us=_set(256.0, "µS", 0.0, 256.0),
        d2d_rel=_off("fraction of g", 0.35),
        hrs_median_us=_set(2.0, "µS", 0.5, 16.0),
        hrs_ln_sigma=_off("ln R", 1.2),
        hrs_max_us=_set(RESET_LIMIT_US, "µS", 1.0, 34.0),
        read_noise_rel=_off("fraction of g", 0.05),
        relax_us=_off("µS at 1 s", 7.0),
        relax_onset_s=_set(100e-9, "s", 1e-9, 1e-3),
        drift_rel_per_decade=_off("fraction of g", 0.02),
        ageing=NO_AGEING,
        stuck_fraction=_off("fraction of devices", 0.135),
        stuck_hrs_share=_set(0.5, "fraction of stuck", 0.0, 1.0),
    )  # fmt: skip


STRESS = replace(
    RRAM_1T1R.with_values(
        c2c_intercept_us=32.0,  # σ 18-27 µS over 54-170 µS was measured for a weak SET
        c2c_slope=0.085,
        c2c_device_ln=0.54,
        d2d_max_us=18.0,
        read_noise_rel=0.02,
        relax_us=6.9,
        drift_rel_per_decade=0.005,
        hrs_ln_sigma=0.8,
        stuck_fraction=0.10,
        slow_share=0.5,
    ),
    name="stress",
    description="every effect at the strong end of its range, 10 % of the devices stuck",
)

_PRESETS: dict[str, Callable[[], DevicePreset]] = {
    "rram-1t1r": lambda: RRAM_1T1R,
    "relative-5pct": lambda: _relative(0.05),
    "relative-2pct": lambda: _relative(0.02),
    "stress": lambda: STRESS,
}
PRESET_NAMES = tuple(_PRESETS)


def get_preset(name: str) -> DevicePreset:
    """The preset of that name, or in that ``.json`` file.

    The file holds a preset, or a noise model of another simulator (``noise_models``).

    Raises
    ------
    UsageError
        For an unknown name. It lists the names.

    Examples
    --------
    >>> from ohmcarlo.array import get_preset
    >>> preset = get_preset("rram-1t1r")
    >>> preset.pulse_set_s.value, preset.pulse_set_s.unit
    (1e-07, 's')
    """
    if name.lower().endswith(".json"):
        try:
            content = json.loads(Path(name).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise UsageError(f"cannot read a preset from {name}: {error}") from error
        try:
            if (model := noise_model_of(content)) is not None:
                return preset_of_noise(model, Path(name).stem, _relative(0.05))
        except UsageError as error:
            raise UsageError(f"{name}: {error}") from error
        return DevicePreset.from_dict(content)
    if name not in _PRESETS:
        raise UsageError(
            f"preset {name!r} is unknown: choose one of {', '.join(PRESET_NAMES)}, or a file"
        )
    return _PRESETS[name]()
