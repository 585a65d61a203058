"""The conditions of pulses: those that ``--where`` chooses, the level, and what must be alike."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import UsageError
from .quantities import QUANTITIES, SWEPT_LINES, TARGET, quantity_of, shown
from .readings import Readings
from .recording import FloatArray, IntArray
from .screening import FALLS, RISES, check_direction, direction
from .units import Kind, quantity_text

LISTED = 8  # values in a message
KIND_OF_UNIT = {
    "µS": Kind.CONDUCTANCE,
    "V": Kind.VOLTS,
    "ns": Kind.TIME,
    "µA": Kind.CURRENT,
    "°C": Kind.CELSIUS,
}
DEVICE_KEYS, OPERATION_KEYS = ("device", "cell"), ("operation", "op")
BoolArray = NDArray[np.bool_]


def grouped(values: FloatArray, same: float) -> tuple[FloatArray, IntArray]:
    """Different values, rising, and the index of each entry; NaN has the index -1.

    Values within ``same`` of their neighbour are one value, which is their median.
    """
    finite = np.isfinite(values)
    known = np.unique(values[finite])
    number = np.cumsum(np.diff(known, prepend=known[:1]) > same) if len(known) else known
    index = np.full(len(values), -1)
    index[finite] = number[np.searchsorted(known, values[finite])] if len(known) else 0
    groups = int(number[-1]) + 1 if len(known) else 0
    return np.array([float(np.median(known[number == k])) for k in range(groups)]), index


def chosen(readings: Readings, where: Mapping[str, str]) -> Readings:
    """The readings under the conditions that ``where`` names.

    Raises UsageError for a key or a value that the file does not have; the message lists those
    that it has.
    """
    for key, text in where.items():
        kept = _matches(readings, key.strip(), text.strip())
        if not kept.any():
            raise UsageError(
                f"{readings.source} has no pulse with {key}={text}: it has "
                f"{_values_text(readings, key.strip())}"
            )
        readings = readings.only(kept)
    named = tuple(f"{key}={text}" for key, text in where.items())
    return replace(readings.noting(*named), chosen=named)


def _matches(readings: Readings, key: str, text: str) -> BoolArray:
    name = quantity_of(key)
    if name in readings.quantities and name is not None:
        quantity = QUANTITIES[name]
        value = quantity_text(text, KIND_OF_UNIT[quantity.unit])
        if value is None:
            raise UsageError(
                f"--where {key}={text}: give a number with its unit, as in "
                f"{quantity.key}={_example(readings.quantities[name], name)}"
            )
        return np.abs(readings.quantities[name] - value) <= max(quantity.same, 1e-6 * abs(value))
    column = _label(readings, key)
    if column is None:
        raise UsageError(f"--where {key}: unknown; the keys of {readings.source} are "
                         f"{', '.join(keys_of(readings))}")  # fmt: skip
    return np.array([_same_text(cell, text) for cell in column])


def _label(readings: Readings, key: str) -> NDArray[Any] | None:
    low = key.lower()
    if low in DEVICE_KEYS:
        return readings.device
    if low in OPERATION_KEYS and (readings.operation != "").any():
        return readings.operation
    return next((cells for name, cells in readings.labels.items() if name.lower() == low), None)


def _same_text(cell: str, text: str) -> bool:
    if cell.strip().lower() == text.lower():
        return True
    try:
        return float(cell) == float(text)
    except ValueError:
        return False


def keys_of(readings: Readings) -> list[str]:
    """The keys of ``--where`` that a file has."""
    named = [q.key for name, q in QUANTITIES.items() if name in readings.quantities]
    operation = [OPERATION_KEYS[0]] if (readings.operation != "").any() else []
    return [*named, DEVICE_KEYS[0], *operation, *readings.labels]


def _values_text(readings: Readings, key: str) -> str:
    name = quantity_of(key)
    if name is not None and name in readings.quantities:
        values, _ = grouped(readings.quantities[name], QUANTITIES[name].same)
        return _listed([shown(name, value) for value in values], QUANTITIES[name].key)
    column = _label(readings, key)
    assert column is not None
    return _listed([str(word) for word in np.unique(column)], key)


def _listed(words: list[str], key: str) -> str:
    more = f", … ({len(words)} values)" if len(words) > LISTED else ""
    return f"{key} = {', '.join(words[:LISTED])}{more}"


def _example(values: FloatArray, name: str) -> str:
    known = values[np.isfinite(values)]
    return shown(name, float(known[0])) if len(known) else "1"


def level_of(readings: Readings) -> tuple[Readings, str]:
    """The readings, and the name of the quantity that is their level: the one that varies.

    A target goes before voltages. Pulses whose conductance falls as one line rises, as in a RESET
    sweep, are left out if the others vary over one line. Raises UsageError where no line varies, or
    several do.
    """
    varying = varying_levels(readings)
    if TARGET in varying:
        return readings, TARGET
    if not varying:
        raise _one_level(readings)
    if len(varying) > 1:
        readings = _without_reset_sweeps(readings, varying)
        varying = varying_levels(readings)
    if len(varying) == 1:
        return readings, varying[0]
    raise _several_lines(readings, varying)


def varying_levels(readings: Readings) -> list[str]:
    """The lines, or the target, that have more than one value; that with most values last."""
    there = [name for name in (TARGET, *SWEPT_LINES) if name in readings.quantities]
    numbers = {name: len(_levels(readings, name)) for name in there}
    return sorted((name for name in there if numbers[name] > 1), key=lambda name: numbers[name])


def _one_level(readings: Readings) -> UsageError:
    single = ", ".join(
        f"{QUANTITIES[name].words} {value:.6g} {QUANTITIES[name].unit}"
        for name in (TARGET, *SWEPT_LINES)
        if name in readings.quantities
        for value in _levels(readings, name)
    )
    return UsageError(
        f"{readings.source} holds pulses at one level only ({single or 'none named'}): at least "
        "two targets or voltages are needed"
    )


def _without_reset_sweeps(readings: Readings, varying: list[str]) -> Readings:
    """Readings without groups whose conductance falls with the line that varies most.

    Raises UsageError if there is no other sweep.
    """
    *held, swept = varying
    group = _groups(readings, held)
    parts = [readings.only(group == number) for number in range(int(group.max()) + 1)]
    trends = np.array([direction(part, part.quantities[swept]) for part in parts])
    rest = readings.without((trends == FALLS)[group], "RESET pulses")
    left = varying_levels(rest) if len(rest) else []
    if RISES not in trends and not (
        len(left) == 1 and direction(rest, rest.quantities[left[0]]) == RISES
    ):
        for part in parts:
            check_direction(part, swept)
    return rest


def _levels(readings: Readings, name: str) -> FloatArray:
    return grouped(readings.quantities[name], QUANTITIES[name].same)[0]


def _several_lines(readings: Readings, varying: list[str]) -> UsageError:
    """An error that lists the values of the lines that are held while another one is swept."""
    *held, swept = varying
    others = [name for name in readings.quantities if name not in (*SWEPT_LINES, TARGET)]
    held += [name for name in others if len(_levels(readings, name)) > 1]
    texts = " and ".join(
        _listed([shown(n, v) for v in _levels(readings, n)], QUANTITIES[n].key) for n in held
    )
    return UsageError(
        f"{readings.source}: several lines vary: {QUANTITIES[swept].words} over "
        f"{len(_levels(readings, swept))} voltages at {texts}; choose one, as with "
        f"--where {_advice(readings, held, swept)}"
    )


def _advice(readings: Readings, names: list[str], level: str) -> str:
    """What to write after ``--where``: conditions of most pulses, after those chosen already."""
    best = _best_group(readings, _groups(readings, names), level)
    values = (f"{QUANTITIES[n].key}={shown(n, readings.quantities[n][best])}" for n in names)
    return ",".join((*readings.chosen, *values))


def _groups(readings: Readings, names: list[str]) -> IntArray:
    """Number of the combination of values of each entry."""
    index = [grouped(readings.quantities[n], QUANTITIES[n].same)[1] for n in names]
    return np.unique(np.array(index), axis=1, return_inverse=True)[1].reshape(-1)


def _best_group(readings: Readings, group: IntArray, level: str) -> int:
    """An entry of the group with most pulses, among those with several levels whose conductance
    does not fall."""
    sizes = np.bincount(group).astype(float)
    for number in range(len(sizes)):
        part = readings.only(group == number)
        single = len(_levels(part, level)) < 2
        if single or direction(part, part.quantities[level]) == FALLS:
            sizes[number] -= len(group)
    return int(np.flatnonzero(group == np.argmax(sizes))[0])


def single_condition(readings: Readings, level: str) -> tuple[Readings, dict[str, float]]:
    """Readings under one condition, and the condition by name.

    Groups of readings whose conductance falls with the level, as in a RESET sweep, are left out
    if others rise. Raises UsageError, which lists the values, for several conditions.
    """
    names = [
        name
        for name in readings.quantities
        if name != level and (level != TARGET or name not in SWEPT_LINES)
    ]
    varying = [name for name in names if len(_levels(readings, name)) > 1]
    if varying:
        readings = _without_resets(readings, _groups(readings, varying), level)
    varying = [name for name in names if len(_levels(readings, name)) > 1]
    if varying:
        raise _several_conditions(readings, varying, level)
    medians = {name: _levels(readings, name) for name in names}
    return readings, {name: float(values[0]) for name, values in medians.items() if len(values)}


def _without_resets(readings: Readings, group: IntArray, level: str) -> Readings:
    falls = np.zeros(len(group), bool)
    for number in range(int(group.max()) + 1):
        part = readings.only(group == number)
        if direction(part, part.quantities[level]) == FALLS:
            falls |= group == number
    if falls.all():
        return readings
    return readings.without(falls, "RESET pulses")


def _several_conditions(readings: Readings, varying: list[str], level: str) -> UsageError:
    lists = "; ".join(
        _listed([shown(n, v) for v in _levels(readings, n)], QUANTITIES[n].key) for n in varying
    )
    words = " and ".join(QUANTITIES[name].words for name in varying)
    return UsageError(
        f"{readings.source}: {words} {'varies' if len(varying) == 1 else 'vary'} ({lists}); choose "
        f"one value{'' if len(varying) == 1 else ' of each'}, as with --where "
        f"{_advice(readings, varying, level)}"
    )
