"""From the points of a sweep file to cells: complete configurations, each computed once."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cache, cached_property, lru_cache
from pathlib import Path
from typing import Any

from ..array.device_preset import DevicePreset
from ..array.emulated import EmulatedArray
from ..array.physics import PhysicsArray
from ..cluster.cells import Cell, name_of
from ..errors import OhmcarloError, UsageError
from ..files import stamp_of
from ..measurements.names import split_name
from ..readable import listed
from ..runs.advice import as_keys
from ..runs.arrays import DEFAULT_PHYSICS, device_preset
from ..runs.config import TrainConfig
from ..runs.config_reading import setting_types
from ..runs.defaults import complete
from ..tasks import REGRESSION, TASKS, Task, get_task, labelled_task, require_kind
from .cell import compute
from .description import CONSTANT, PRESET, Description, Settings
from .files import beside, packed_files
from .table import TASK

KEPT = 64
"""Presets that are kept: each point of a sweep may have one of its own."""
EMULATED, EMULATED_NETWORK = "relative-5pct", "relative-2pct"
"""Presets that are the usual emulator of a logistic model, and of a network."""
OF_EMULATOR = ("c2c_", "d2d_", "stuck_fraction", "wire_ohm")
"""Begins of the constants that the emulated array has; it refuses line resistance itself."""
UNCHOSEN = (
    "rho", "wide_every", "whiten", "adapt", "pilot", "more_steps", "rows", "pairs",
    "entropy_pairs", "access_bits", "chains", "steps",
)  # fmt: skip
"""Settings that ``complete`` chooses although the configuration has a usual value."""


@dataclass(frozen=True, eq=False)
class Planned:
    """A cell of a sweep.

    Attributes
    ----------
    parameters : dict
        The value of every swept parameter, as the configuration has it.
    work : Cell
    config : TrainConfig or None
        None: the cell cannot be computed.
    problem : str
        Why it cannot be computed; empty if it can.
    """

    parameters: dict[str, Any]
    work: Cell
    config: TrainConfig | None = None
    problem: str = ""


@dataclass(frozen=True, eq=False)
class Plan:
    """All cells of a sweep, in the order of the file, each once.

    Attributes
    ----------
    description : Description
    cells : tuple of Planned
    reference : dict
        The value of every swept parameter in ``[base]``; empty if the base cannot be computed.
    """

    description: Description
    cells: tuple[Planned, ...]
    reference: dict[str, Any]

    @cached_property
    def possible(self) -> tuple[Planned, ...]:
        """The cells that can be computed."""
        return tuple(cell for cell in self.cells if not cell.problem)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the swept parameters."""
        return self.description.swept


def plan(description: Description) -> Plan:
    """The cells of a sweep. A point that cannot be computed is a cell with a ``problem``.

    >>> from pathlib import Path
    >>> from ohmcarlo.sweeps.description import Description
    >>> base = {"task": "toy2d", "steps": 500}
    >>> points = ({**base, "pairs": 8}, {**base, "pairs": 4}, {**base, "pairs": 8})
    >>> found = plan(Description(Path("x.toml"), "", base, points, ("pairs",), 100))
    >>> [cell.parameters["pairs"] for cell in found.cells], len(found.possible)
    ([8, 4], 1)
    """
    base = planned(description, description.base, {})
    reference = {} if base.problem else base.parameters
    found: dict[str, Planned] = {}
    for point in description.points:
        cell = planned(description, point, reference)
        found.setdefault(cell.work.digest(""), cell)
    return Plan(description, tuple(found.values()), reference)


def planned(description: Description, point: Settings, reference: Mapping[str, Any]) -> Planned:
    """The cell of a point. ``reference`` has the parameters of the base, which are shown where a
    point that cannot be computed has none of its own."""
    try:
        point = _with_preset(point, description.swept)
        config = completed(beside(description.folder, point))
        values = _parameters(description, point, config)
        packed, files = packed_files(config)
    except OhmcarloError as error:
        shown = {
            name: table_value(point.get(name, reference.get(name))) for name in description.swept
        }
        work = Cell(name_of(compute), {"settings": _json(point), "draws": description.draws})
        return Planned(shown, work, None, as_keys(" ".join(str(error).split())))
    arguments = {"config": _json(packed.to_dict()), "files": files, "draws": description.draws}
    return Planned(values, Cell(name_of(compute), arguments), config)


def _with_preset(point: Settings, swept: Sequence[str]) -> Settings:
    """The point with the name of the usual preset, if the sweep changes constants and the array
    has some."""
    array = str(point.get("array", EmulatedArray.name))
    emulated = array == EmulatedArray.name
    varied = any(name.startswith(CONSTANT) for name in (*swept, *point))
    if not varied or point.get(PRESET) or not (emulated or array.startswith(PhysicsArray.name)):
        return point
    usual = EMULATED_NETWORK if point.get("hidden") else EMULATED
    return {**point, PRESET: usual if emulated else DEFAULT_PHYSICS}


def completed(settings: Settings) -> TrainConfig:
    """The configuration of a run with these settings, as ``ohmcarlo train`` completes it.

    Raises UsageError for a request that cannot be met.

    >>> completed({"task": "toy2d", "steps": 500}).chains
    4
    """
    if TASK not in settings:
        raise UsageError('no task: write task = "NAME" below [base]')
    chosen = {f.name: f.default for f in fields(TrainConfig) if f.name != TASK}
    chosen |= dict.fromkeys(UNCHOSEN)
    chosen |= {k: v for k, v in settings.items() if not k.startswith(CONSTANT) and k != TASK}
    chosen["drop"] = tuple(settings.get("drop", ()))
    chosen[PRESET] = _preset(settings, str(chosen["array"]))
    task = _task(str(settings[TASK]), chosen)
    return complete(task, chosen).config


def _task(name: str, chosen: Mapping[str, Any]) -> Task:
    kind = chosen.get("kind")
    if name in TASKS:
        if kind is not None and chosen.get("problem") is None:
            require_kind(name, kind)
        return get_task(name)
    columns = json.dumps([chosen.get(each) for each in ("label", "drop", "positive")])
    regression = None if kind is None else kind == REGRESSION
    return _labelled(name, regression, columns, stamp_of(Path(name)))


@cache
def _labelled(name: str, regression: bool | None, columns: str, stamp: tuple[int, int]) -> Task:
    """``labelled_task``, which reads a file that has this ``stamp`` once for all cells."""
    label, drop, positive = json.loads(columns)
    return labelled_task(name, regression, label=label, drop=tuple(drop), positive=positive)


def _preset(settings: Settings, array: str) -> str | None:
    """The name of the preset, with the constants that differ from its own."""
    name = settings.get(PRESET)
    if name is not None:
        _device(str(name))  # an unknown one is reported before the work
    constants = {k.removeprefix(CONSTANT): v for k, v in settings.items() if k.startswith(CONSTANT)}
    if not constants:
        return name
    if array == EmulatedArray.name:
        _require_emulated(constants)
    name = str(name or DEFAULT_PHYSICS)
    own = _device(name)
    own.with_values(**constants)  # an error of a constant comes before the work
    known = own.constants()
    changed = [f"{k}={v!r}" for k, v in sorted(constants.items()) if known[k].value != v]
    return ",".join([name, *changed])


def _require_emulated(constants: Mapping[str, float]) -> None:
    missing = [name for name in constants if not name.startswith(OF_EMULATOR)]
    if missing:
        raise UsageError(
            f"the emulated array has no {listed(missing) if missing[1:] else missing[0]}: use "
            'array = "physics"'
        )


def _device(name: str) -> DevicePreset:
    return _kept_device(name, stamp_of(split_name(name)[0]))


@lru_cache(maxsize=KEPT)
def _kept_device(name: str, stamp: tuple[int, int]) -> DevicePreset:
    """``device_preset``, which reads or fits a file that has this ``stamp`` once."""
    return device_preset(name)


def _parameters(description: Description, point: Settings, config: TrainConfig) -> dict[str, Any]:
    """The value of every swept parameter in a configuration; names of files as they were typed."""
    found: dict[str, Any] = {}
    constants = _constants(config)
    for name in description.swept:
        if name.startswith(CONSTANT):
            found[name] = constants.get(name.removeprefix(CONSTANT))
        elif name in (TASK, "array", PRESET):
            found[name] = point.get(name, getattr(config, name))
        else:
            found[name] = table_value(getattr(config, name))
    return found


def _constants(config: TrainConfig) -> dict[str, float]:
    """The constants of the array of a configuration by name; empty if it has none."""
    if config.preset is None and not config.array.startswith(PhysicsArray.name):
        return {}
    known = _device(config.preset or DEFAULT_PHYSICS).constants()
    return {name: constant.value for name, constant in known.items()}


def table_value(value: Any) -> Any:
    """A value as a cell of a table: a number, a text, a truth value or None."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    return json.dumps(value, ensure_ascii=False)


def _json(values: Mapping[str, Any]) -> dict[str, Any]:
    """Settings as JSON holds them, floats where a setting is one."""
    found: dict[str, Any] = json.loads(json.dumps(values))
    for name, value in found.items():
        hint = str(setting_types().get(name, ""))
        if isinstance(value, int) and not isinstance(value, bool) and "float" in hint:
            found[name] = float(value)
    return found
