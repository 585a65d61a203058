"""Device presets from the noise models of other simulators: aihwkit and CrossSim.

Both describe programming by a spread over the target conductance: aihwkit by a polynomial,
CrossSim by a named law and a magnitude. That is what a SET to a target needs here. Neither
separates devices from cycles: the spread is taken as cycle to cycle, and the device-to-device
spread is 0 (assumed). Models of small steps by equal pulses have no target and are refused.

The files are JSON: the arguments of an aihwkit noise model, ``CrossSimParameters.to_json``, or a
table of spreads (``TABLE_EXAMPLE``).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np

from ..errors import UsageError
from ..spec import DEFAULT_HI_US, DEFAULT_LO_US
from .device_preset import DevicePreset, FloatArray, LinearSpread, Tag, Value

AIHWKIT, CROSSSIM = "aihwkit", "CrossSim"
SOURCE = "IMPORTED"
TOP_US = 200.0  # where the highest conductance of a device is mapped to if it is far from here
NEAR = (0.6, 1.25)  # of TOP_US: such a device is used as it is
LOWEST_REL = DEFAULT_LO_US / TOP_US  # of the highest conductance: the law is fitted above
LAW_ERROR_REL = 0.2  # largest relative error of the fitted law
STEP_MODELS = {
    "dw_min", "up_down", "piecewise_up", "piecewise_down", "gamma_up", "w_max", "dw_min_dtod",
    "dw_min_std", "nodes_up", "gamma_up_dtod", "pow_gamma",
}  # fmt: skip
TABLE_EXAMPLE = '{"target_us": [50, 100, 150], "sigma_us": [4, 6, 7]}'
BUILT_IN = ("RRAMMilo", "RRAMWan", "PCMJoshi", "SONOS")


@dataclass(frozen=True)
class NoiseModel:
    """Programming spread of a device over its target.

    Attributes
    ----------
    name : str
        Of the model, with its simulator.
    sigma_us : callable
        Standard deviation (µS) over the target (µS).
    low_us, high_us : float
        Targets that the model covers.
    read_rel : float or None
        Standard deviation of a read, fraction of g.
    notes : tuple of str
        What the model leaves out, for the description.
    """

    name: str
    sigma_us: Callable[[FloatArray], FloatArray]
    low_us: float
    high_us: float
    read_rel: float | None = None
    notes: tuple[str, ...] = ()


def noise_model_of(content: Any) -> NoiseModel | None:
    """The noise model in a JSON file of another simulator; None for other content.

    Raises UsageError, which names the model, for one that has no spread over a target.

    >>> model = noise_model_of({"prog_coeff": [0.2, 2.0], "g_max": 25.0})
    >>> model.name, round(float(model.sigma_us(np.array([12.5]))[0]), 2)
    ('aihwkit noise model', 1.2)
    """
    try:
        return _recognised(content) if isinstance(content, dict) else None
    except (TypeError, ValueError, AttributeError) as error:
        if isinstance(error, UsageError):
            raise
        raise UsageError(f"a noise model with an unexpected value: {error}") from error


def _recognised(content: Mapping[str, Any]) -> NoiseModel | None:
    device = content.get("xbar", content)
    device = device.get("device", device) if isinstance(device, dict) else {}
    if isinstance(device, dict) and "programming_error" in device:
        return _crosssim(device)
    arguments = content.get("noise_model", content)
    if not isinstance(arguments, dict):
        return None
    if {"prog_coeff", "coeff_dic", "coeff_dict"} & set(arguments):
        return _aihwkit(arguments)
    if {"target_us", "sigma_us"} <= set(arguments):
        return _table(arguments)
    step = STEP_MODELS & set(content.get("device", content) or {})
    if len(step) > 1:
        raise UsageError(
            f"an aihwkit device of small steps ({', '.join(sorted(step))}): each pulse changes the "
            "weight a little, so that there is no target and no spread of a SET; give the noise "
            "model of inference (prog_coeff and g_max), or pulses to targets"
        )
    return None


def _aihwkit(arguments: Mapping[str, Any]) -> NoiseModel:
    name = f"{AIHWKIT} {arguments.get('model') or arguments.get('class') or 'noise model'}"
    g_max = _number(arguments, "g_max", name)
    scale = float(arguments.get("prog_noise_scale", arguments.get("noise_scale", 1.0)))
    if "coeff_dict" in arguments:  # over the conductance in µS, one polynomial for each tolerance
        chosen, key = _first(arguments["coeff_dict"], name)
        low = float(arguments.get("g_min") or LOWEST_REL * g_max)
        notes: tuple[str, ...] = (f"after program-and-verify within {key:g} %",)
        return NoiseModel(name, lambda g: scale * _polynomial(chosen, g), low, g_max, notes=notes)
    if "coeff_dic" in arguments:
        chosen, key = _first(arguments["coeff_dic"], name)
        notes = (f"{key:g} s after programming",)
        reference = arguments.get("coeff_g_max_reference")
    else:
        chosen, notes = _coefficients(arguments["prog_coeff"], name), ()
        reference = arguments.get("prog_coeff_g_max_reference")
    factor = scale * (g_max / float(reference) if reference else 1.0)
    return NoiseModel(
        name,
        lambda g: factor * _polynomial(chosen, g / g_max),
        LOWEST_REL * g_max,
        g_max,
        notes=notes,
    )


def _table(arguments: Mapping[str, Any]) -> NoiseModel:
    """Standard deviations at targets, interpolated linearly."""
    name = "table of spreads"
    target, sigma = (_coefficients(arguments[key], name) for key in ("target_us", "sigma_us"))
    rising = all(b > a for a, b in pairwise(target))
    if len(target) != len(sigma) or len(target) < 2 or not rising or not target[0] > 0:
        raise UsageError(
            f"{name}: target_us must rise from above 0, and sigma_us must be as long: write "
            f"{TABLE_EXAMPLE}"
        )
    return NoiseModel(name, lambda g: np.interp(g, target, sigma), target[0], target[-1])


def _number(arguments: Mapping[str, Any], key: str, name: str) -> float:
    value = arguments.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < math.inf:
        raise UsageError(f"{name}: {key} must be a positive number (µS), not {value!r}")
    return float(value)


def _first(table: Any, name: str) -> tuple[list[float], float]:
    """The polynomial with the lowest key, and the key."""
    try:
        key = min(table, key=float)
        return _coefficients(table[key], name), float(key)
    except (TypeError, ValueError) as error:
        raise UsageError(f"{name}: the coefficients must be a table of lists: {error}") from error


def _coefficients(values: Any, name: str) -> list[float]:
    if (
        not isinstance(values, list)
        or not values
        or not all(isinstance(v, int | float) and math.isfinite(v) for v in values)
    ):
        raise UsageError(f"{name}: coefficients must be a list of numbers, not {values!r}")
    return [float(v) for v in values]


def _polynomial(coefficients: Sequence[float], x: FloatArray) -> FloatArray:
    return np.asarray(np.polynomial.polynomial.polyval(x, coefficients))


def _crosssim(device: Mapping[str, Any]) -> NoiseModel:
    error = device["programming_error"]
    error = error if isinstance(error, dict) else {}
    model, size = str(error.get("model")), error.get("magnitude")
    name = f"{CROSSSIM} {model}"
    if not error.get("enable", True) or model == "IdealDevice":
        raise UsageError(f"{name}: programming_error is off: there is no spread to import")
    if model in BUILT_IN:
        raise UsageError(
            f"{name}: the file has only the name of a law in {CROSSSIM}; write its spread "
            f"into a file as {TABLE_EXAMPLE}"
        )
    if isinstance(size, bool) or not isinstance(size, int | float) or not 0 < size < 1:
        raise UsageError(f"{name}: magnitude must be a fraction between 0 and 1, not {size!r}")
    resistance = _number(device, "Rmin", name)
    g_max = 1e6 / resistance
    ratio = float(device.get("Rmax") or math.inf) / resistance
    laws: dict[str, Callable[[FloatArray], FloatArray]] = {
        "NormalIndependentDevice": lambda g: np.full_like(g, size * g_max),
        "NormalProportionalDevice": lambda g: size * g,
        "NormalInverseProportionalDevice": lambda g: size * g_max**2 / g,
    }
    if model not in laws:
        raise UsageError(f"{name}: unknown law; the spread here is normal: {', '.join(laws)}")
    read = device.get("read_noise") or {}
    by_g = read.get("enable") and read.get("model") == "NormalProportionalDevice"
    notes = ("drift is left out",) * bool((device.get("drift_error") or {}).get("enable"))
    low = max(g_max / ratio, LOWEST_REL * g_max)
    read_rel = float(read["magnitude"]) if by_g else None
    return NoiseModel(name, laws[model], low, g_max, read_rel, notes)


def preset_of_noise(model: NoiseModel, name: str, base: DevicePreset) -> DevicePreset:
    """A preset with the spread of ``model``; ``base`` gives the law of a target that is reached on
    average (``relative-5pct``).

    Conductances far below or above the range of the read amplifier are scaled to it, which leaves
    every ratio as it is. Raises UsageError if the spread has no fit by the law of the presets.
    """
    near = NEAR[0] * TOP_US <= model.high_us <= NEAR[1] * TOP_US
    scale = 1.0 if near else TOP_US / model.high_us
    g = np.linspace(model.low_us, model.high_us, 200)
    sigma = model.sigma_us(g)
    if not (np.isfinite(sigma).all() and (sigma > 0).all()):
        raise UsageError(f"{model.name}: its spread is not positive over all of its range")
    law, error = _law(g * scale, sigma * scale)
    notes = [*model.notes, f"spread within {error:.0%} of the model's"]
    if scale != 1.0:
        notes.append(f"conductances × {scale:.4g}")
    assumed = "the model pools devices and cycles"
    read = base.read_noise_rel
    if model.read_rel is not None:
        read = Value(model.read_rel, "fraction of g", Tag.FOUND, SOURCE, 0.0, 0.5)
    return replace(
        base,
        name=name,
        description=f"programming spread of {model.name}; {'; '.join(notes)}",
        c2c=law,
        d2d_rel=replace(base.d2d_rel, tag=Tag.ASSUMED, source="ESTIMATE", note=assumed),
        slow_share=replace(base.slow_share, tag=Tag.ASSUMED, source="ESTIMATE", note=assumed),
        read_noise_rel=read,
        valid_us=(model.low_us * scale, min(model.high_us * scale, DEFAULT_HI_US)),
    )


def _law(g: FloatArray, sigma: FloatArray) -> tuple[LinearSpread, float]:
    """max(floor, min(rel g, intercept - slope g)) nearest to a spread, and its relative error."""
    from scipy.optimize import least_squares

    def value(v: FloatArray) -> FloatArray:
        return np.asarray(np.minimum(v[0] * g, v[1] - v[2] * g))

    slope, intercept = np.polyfit(g, sigma, 1)
    starts = [
        np.array([(sigma / g).max(), intercept, -slope]),
        np.array([(sigma / g).max(), sigma.max(), 0.0]),
        np.array([1.0, intercept, -slope]),
    ]
    bounds = ([1e-3, -64.0, -1.0], [1.0, 128.0, 1.0])
    fits = [
        least_squares(lambda v: value(v) / sigma - 1, np.clip(start, *bounds), bounds=bounds)
        for start in starts
    ]
    best = min(fits, key=lambda fit: float(fit.cost)).x
    floor = 0.5 * float(sigma.min())
    error = float(np.abs(np.maximum(value(best), floor) / sigma - 1).max())
    if error > LAW_ERROR_REL:
        raise UsageError(
            f"a spread that differs from every law min(rel g, a - b g) by up to {error:.0%}; "
            "restrict its range of conductance"
        )
    names = ("max_rel", "intercept_us", "slope")
    units = ("fraction of g", "µS", "µS per µS")
    parts = {
        name: Value(float(v), unit, Tag.FOUND, SOURCE, low, high)
        for name, unit, v, low, high in zip(names, units, best, *bounds, strict=True)
    }
    floor_us = Value(floor, "µS", Tag.ASSUMED, SOURCE, 0.0, 64.0)
    return LinearSpread(floor_us=floor_us, **parts), error
