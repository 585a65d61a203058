"""What the keys of a sweep file mean, for those who open its table and its draws."""

from __future__ import annotations

from functools import cache

from ..array.device_preset import DevicePreset
from ..array.presets import get_preset
from ..runs.config_writing import meanings_in, meanings_of_settings
from .description import CONSTANT

UNITS = {"gamma": "µS", "tau": "µS"}
"""Of settings. Others are numbers without a unit, or texts."""
LAWS = ("rram-1t1r", "relative-5pct")
"""Presets that have the constants of both laws of the cycle-to-cycle spread."""
LAW = "cycle-to-cycle spread"


def unit_of(key: str) -> str:
    """The unit of a key; empty if it has none.

    >>> unit_of("preset.read_noise_rel"), unit_of("tau"), unit_of("rows")
    ('fraction of g', 'µS', '')
    """
    if key.startswith(CONSTANT):
        return _units().get(key.removeprefix(CONSTANT), "")
    return UNITS.get(key, "")


def meaning_of(key: str) -> str:
    """What a key means: one phrase, with the unit.

    >>> meaning_of("preset.read_noise_rel")
    'Standard deviation of one read, fraction of g'
    >>> meaning_of("rows")
    'Rows of the array'
    """
    if not key.startswith(CONSTANT):
        return _phrase(meanings_of_settings().get(key, ["setting of the run"]))
    name, unit = key.removeprefix(CONSTANT), unit_of(key)
    phrase = _phrase(meanings_in(DevicePreset).get(name, [LAW]))
    return phrase if not unit or phrase.endswith(f", {unit}") else f"{phrase}, {unit}"


@cache
def _units() -> dict[str, str]:
    presets = [get_preset(name).constants() for name in LAWS]
    return {name: value.unit for known in presets for name, value in known.items()}


def _phrase(lines: list[str]) -> str:
    return " ".join(lines).rstrip(".")
