"""How a compact model is pulsed: the options of ``--array veriloga:FILE.va,KEY=VALUE,…``."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path

from ...errors import UsageError
from ..names import split_name
from ..units import Kind, quantity_text
from .model_file import VerilogModel, read_model

FORMAT = 1
"""Version of the pulses; another one measures anew."""
DEVICE_SPREAD, CYCLE_SPREAD = "d2d_", "c2c_"
TIMES = ("width", "reset_width")
COUNTS = {"devices": (5, 200), "cycles": (5, 100), "levels": (3, 30), "seed": (0, 1 << 31)}
VOLTS = {"vset": (0.05, 10.0), "vreset": (0.05, 10.0), "vread": (0.005, 1.0), "gate": (0.1, 10.0)}
SHORTEST_NS, LONGEST_NS = 0.1, 1e9
LARGEST_SPREAD = 2.0
NAMES = ("module", "terminals")


@dataclass(frozen=True)
class PulseSettings:
    """Pulses of a compact model, and the spread of its parameters.

    Attributes
    ----------
    vset, vreset : float
        SET pulse of the bit line and RESET pulse of the source line, V.
    vread : float
        Reads, V on the bit line.
    gate : float
        Largest voltage of the word line, V; RESET and reads use it.
    width, reset_width : float
        Pulse widths, ns.
    devices, cycles, levels : int
        Devices, cycles of each at each level, levels of the word line.
    seed : int
        Of the spreads.
    parameters : mapping of str to float
        Parameters of the model that are not at their default.
    d2d, c2c : mapping of str to float
        Spread of parameters between devices and between cycles, as a fraction of the median
        (lognormal).
    """

    vset: float = 2.0
    vreset: float = 1.8
    vread: float = 0.1
    gate: float = 3.0
    width: float = 100.0
    reset_width: float = 1000.0
    devices: int = 24
    cycles: int = 10
    levels: int = 8
    seed: int = 0
    parameters: Mapping[str, float] = field(default_factory=dict)
    d2d: Mapping[str, float] = field(default_factory=dict)
    c2c: Mapping[str, float] = field(default_factory=dict)

    def digest(self, model: VerilogModel) -> str:
        """SHA-256 of everything that decides the pulses of ``model``."""
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        ports = (model.module, model.ports, model.top, model.bottom, model.gate)
        text = repr((FORMAT, model.digest, ports, sorted(map(repr, _flat(values)))))
        return hashlib.sha256(text.encode()).hexdigest()


def read_request(name: str) -> tuple[VerilogModel, PulseSettings]:
    """Model and settings of ``FILE.va,KEY=VALUE,…``.

    Raises UsageError, which names the key, for anything that cannot be used.
    """
    path, options = split_name(name)
    terminals = [t for t in options.get("terminals", "").split(":") if t]
    model = read_model(path, options.get("module", ""), terminals)
    values: dict[str, float] = {}
    parameters: dict[str, float] = {}
    spreads: dict[str, dict[str, float]] = {DEVICE_SPREAD: {}, CYCLE_SPREAD: {}}
    for key, text in options.items():
        spread = next((s for s in spreads if key.startswith(s)), None)
        if key in NAMES:
            continue
        if spread:
            parameter = key.removeprefix(spread)
            model.require_parameter(parameter, key)
            spreads[spread][parameter] = _number(path, key, text, 0.0, LARGEST_SPREAD)
        elif key in TIMES:
            values[key] = _time(path, key, text)
        elif key in VOLTS:
            values[key] = _volts(path, key, text)
        elif key in COUNTS:
            values[key] = _count(path, key, text)
        else:
            _known(model, key)
            parameters[key] = _number(path, key, text, -1e300, 1e300)
    settings = PulseSettings(
        **values,  # type: ignore[arg-type]
        parameters=parameters,
        d2d=spreads[DEVICE_SPREAD],
        c2c=spreads[CYCLE_SPREAD],
    )
    _require_spread(model, settings)
    return model, settings


def _require_spread(model: VerilogModel, settings: PulseSettings) -> None:
    """Raise UsageError unless pulses differ, and unless medians of spreads are known."""
    for name in (*settings.d2d, *settings.c2c):
        if settings.parameters.get(name, model.parameters[name]) is None:
            raise UsageError(
                f"{model.path}: the default of {name} is an expression: give its median, too, as "
                f"in {name}=1.0"
            )
    if not any(settings.c2c.values()):
        example = next((n for n, value in model.parameters.items() if value), "PARAMETER")
        raise UsageError(
            f"{model.path}: the cycles of a compact model have no spread, and without spread an "
            "array cannot sample: give the spread of a parameter between cycles and between "
            f"devices as fractions, as in {CYCLE_SPREAD}{example}=0.1,{DEVICE_SPREAD}{example}=0.1"
        )


def _known(model: VerilogModel, key: str) -> None:
    if key not in model.parameters:
        own = (*NAMES, *TIMES, *VOLTS, *COUNTS)
        raise UsageError(
            f"{model.path}: {key} is unknown: choose {', '.join(own)}, a parameter of module "
            f"{model.module}, or {DEVICE_SPREAD}PARAMETER and {CYCLE_SPREAD}PARAMETER"
        )


def _number(path: Path, key: str, text: str, low: float, high: float) -> float:
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not low <= value <= high:
        raise UsageError(f"{path}: {key}={text}: give a number from {low:g} to {high:g}")
    return value


def _count(path: Path, key: str, text: str) -> int:
    low, high = COUNTS[key]
    value = _number(path, key, text, low, high)
    if value != int(value):
        raise UsageError(f"{path}: {key}={text}: give a whole number from {low} to {high}")
    return int(value)


def _volts(path: Path, key: str, text: str) -> float:
    low, high = VOLTS[key]
    value = quantity_text(text, Kind.VOLTS)
    return _number(path, key, text if value is None else repr(value), low, high)


def _time(path: Path, key: str, text: str) -> float:
    value = quantity_text(text, Kind.TIME)
    if value is None or not SHORTEST_NS <= value <= LONGEST_NS:
        raise UsageError(f"{path}: {key}={text}: give a time with its unit, as in {key}=100ns")
    return value


def _flat(values: Mapping[str, object]) -> list[tuple[str, object]]:
    return [
        (name, sorted(value.items()) if isinstance(value, Mapping) else value)
        for name, value in values.items()
    ]
