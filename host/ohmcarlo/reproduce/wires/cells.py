"""The cells of the figure: predicted costs of sizes and lines, and sampled posteriors."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from ...array.device_preset import DevicePreset
from ...array.physics import PhysicsArray, ValidityWarning
from ...array.presets import get_preset
from ...array.wires import SIEMENS
from ...errors import OhmcarloError
from ...golden import SamplerSettings
from ...runs.config import TrainConfig
from ...runs.reach import Expected
from ...runs.wire_errors import SOURCE, Lines, wire_error
from ...spec import DEFAULT_MID_US, Geometry
from ..base import Cell
from ..exactness.problems import PROBLEMS, digest, reference
from ..sampled import sample_posterior
from .passive import dot_us

PRESET, SAMPLED_PRESET = "rram-1t1r", "relative-5pct"
RHO, UNIT = 0.6, 1.0
ARRAY, CALIBRATED, CODES = "array", "calibrated drivers", "codes"
CHAINS, STEPS = 4, 4000
WAYS = {ARRAY: ("", "array"), CALIBRATED: (",line_calibration=1", "array"), CODES: ("", "codes")}
"""Change of the preset, and dot products."""
PLACES = 17


def cost(rows: int, pairs: int, ohm: float) -> Cell:
    """A cell: the cost of lines for an array whose inputs are all used.

    ``shift`` and ``spread``: predicted for a whitened posterior (sd, ratio), by way. ``reach`` and
    ``passive_reach``: share of the rows whose devices can all be read at the centre, with selectors
    and without. ``passive``: share of the current of the farthest device that is left without.
    """
    geometry = Geometry(rows=rows, pairs=pairs)
    out: Cell = {"rows": rows, "pairs": pairs, "ohm": ohm, "shift": {}, "spread": {}}
    device = get_preset(PRESET).with_values(wire_ohm=ohm)
    for way, on in ((ARRAY, 0.0), (CALIBRATED, 1.0)):
        error = _predicted(geometry, device.with_values(line_calibration=on))
        out["shift"][way], out["spread"][way] = error
    return out | {"reach": reach(geometry, device)} | _passive(geometry, device)


def _predicted(geometry: Geometry, device: DevicePreset) -> tuple[float, float]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ValidityWarning)
        lines = Lines.of(PhysicsArray(geometry, device), geometry.max_features)
    if lines is None:
        return 0.0, 1.0
    low, high = device.valid_us
    rel = float(device.c2c(np.array([DEFAULT_MID_US]))[0]) / DEFAULT_MID_US
    settings = SamplerSettings.whitened(rel, RHO, lo_us=low, hi_us=high)
    error = wire_error(lines, settings, Expected.of_prior(lines.pairs, UNIT))
    return error.mean_sd, error.spread


def reach(geometry: Geometry, device: DevicePreset) -> float:
    """Share of the rows whose farthest device can be read at the centre."""
    most_ohm = (1 / DEFAULT_MID_US - 1 / device.set_law.y[-1]) / SIEMENS
    pieces = np.arange(geometry.rows) + 1 + geometry.row_devices
    return float(np.mean(pieces * device.wire_ohm.value <= most_ohm))


def _passive(geometry: Geometry, device: DevicePreset) -> dict[str, float]:
    """The same without selectors, while all devices are at the centre."""
    ohm = device.wire_ohm.value
    if not ohm:
        return {"passive": 1.0, "passive_reach": 1.0}
    rows = np.unique(np.linspace(0, geometry.rows - 1, PLACES).astype(np.int64))
    g = np.full((geometry.rows, geometry.row_devices), DEFAULT_MID_US)
    left = dot_us(g, ohm, rows).min(axis=1) / DEFAULT_MID_US
    needed = DEFAULT_MID_US / device.set_law.y[-1]
    every = np.interp(np.arange(geometry.rows), rows, left)
    return {"passive": float(left.min()), "passive_reach": float(np.mean(every >= needed))}


def sample(problem: str, rows: int, pairs: int, ohm: float, way: str, seed: int) -> Cell:
    """A cell: a posterior on an array whose lines are its only imperfection, against NUTS.

    ``shift``: root mean square over the weights (sd); ``spread``: geometric mean of the ratios;
    ``predicted``: the error of the lines that the run predicts.
    """
    chosen = PROBLEMS[problem]
    x, y = chosen.data()
    truth = reference(chosen)
    if digest(x, y) != truth.digest:
        raise OhmcarloError(f"the data of {chosen.title} are not those of the reference")
    change, dot_products = WAYS[way]
    config = TrainConfig(
        task=problem, array=PhysicsArray.name, preset=f"{SAMPLED_PRESET},wire_ohm={ohm:g}{change}",
        whiten=True, adapt=False, chains=CHAINS, steps=STEPS, seed=seed, sigma_p=chosen.sigma_p,
        rows=rows, pairs=pairs, dot_products=dot_products,
    )  # fmt: skip
    found = sample_posterior(config, chosen.title, x, y)
    moments = found.moments()
    shift = (np.array(moments["mean"]) - truth.mean) / truth.sd
    ratio = np.array(moments["sd"]) / truth.sd
    predicted: dict[str, Any] = found.values["posterior_error"].get(SOURCE, {})
    return {
        "problem": problem, "rows": rows, "pairs": pairs, "ohm": ohm, "way": way, "seed": seed,
        "shift": float(np.sqrt(np.mean(shift**2))),
        "spread": float(np.exp(np.log(ratio).mean())),
        "floor": float(np.sqrt(np.mean(1 / np.array(moments["ess"])))),
        "acceptance": found.values["acceptance_rate"],
        "dead_rows": len(found.values["retired_rows"]),
        "predicted": predicted,
    }  # fmt: skip
