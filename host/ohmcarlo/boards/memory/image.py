"""The contents that are loaded into a controller: fields and words of windows, by name."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...array.base import Array
from ...array.emulated import EmulatedArray
from ...array.threefry import MASK
from ...golden import Registers
from ...golden.machine import Machine, build_machine, build_state
from ...spec import TRIM_GAIN_BITS, TRIM_OFFSET_BITS, Geometry, Points, segment_words

Words = NDArray[np.uint32]
TABLES = ("dac", "inv_sigma", "log_sigma")
"""Windows of ``controller_image`` that can be read back."""
LASTING = (*TABLES, "bad_rows", "calibration")
"""Windows of ``controller_image`` that change only when another image is loaded."""


@dataclass
class Image:
    """Fields and windows of a controller, named as in ``spec.link.FIELDS`` and ``WINDOWS``.

    Attributes
    ----------
    fields : dict of str to int
    windows : dict of str to uint32 (n,)
        Words from the first one on.
    """

    fields: dict[str, int] = field(default_factory=dict)
    windows: dict[str, Words] = field(default_factory=dict)


def controller_image(
    registers: Registers,
    points: Points,
    array: Array | None,
    geometry: Geometry,
    external: bool = False,
    room: int | None = None,
) -> Image:
    """The hardware form of ``golden.Controller(registers, array, points)``.

    ``geometry`` is that of the hardware, which determines the places of points and devices in
    memory. ``external``: log-likelihoods come from outside. ``room``: as in ``data_image``.
    """
    r, g = registers, registers.geometry
    machine = build_machine(r, array)
    trimmed = r.calibration.trim_offset is not None or r.calibration.trim_gain is not None
    centred = r.calibration.centre is not None
    fields = {
        "model.features.value": r.features,
        "model.hidden.value": r.hidden,
        "model.regions.value": g.regions,
        "model.region_groups.value": g.region_groups,
        "model.rows_per_region.value": machine.rows_per_region,
        "model.min_free.value": machine.min_free,
        "model.retries.value": r.retries,
        "model.options.early_reject": int(r.early_reject),
        "model.options.hastings": int(r.hastings),
        "model.options.stream": int(r.stream),
        "model.options.record_steps": 1,
        "model.options.trim_enable": int(trimmed),
        "model.options.centre_enable": int(centred),
        "model.options.external": int(external),
        "model.dots.digital": int(r.digital),
        "model.dots.log_repeats": r.log_repeats,
        "proposal.rho.value": r.rho,
        "proposal.wide_every.value": r.wide_every,
        "proposal.mid.value": r.centre,
        "proposal.lo.value": r.lo,
        "proposal.hi.value": r.hi,
        "proposal.valid_lo.value": r.valid_lo,
        "proposal.valid_hi.value": r.valid_hi,
        "entropy.rct_cutoff.value": r.rct_cutoff,
        "entropy.rct_symbol_cutoff.value": r.rct_symbol_cutoff,
        "entropy.apt_cutoff.value": r.apt_cutoff,
        "entropy.fold.value": r.fold,
    }
    for name in ("logit", "weight", "common"):
        mantissa, shift = getattr(r, f"{name}_coef")
        fields |= {f"proposal.{name}.mantissa": mantissa, f"proposal.{name}.shift": shift}
    tables = (machine.dac, r.inv_sigma, r.log_sigma)
    windows = {name: table_words(nodes) for name, nodes in zip(TABLES, tables, strict=True)}
    windows["bad_rows"] = bad_row_words(r)
    if trimmed or centred:
        windows["calibration"] = calibration_words(machine, geometry)
    loaded = data_image(points, geometry, room=room)
    return Image(fields | loaded.fields, windows | loaded.windows)


def data_image(
    points: Points,
    geometry: Geometry,
    order: NDArray[np.integer[Any]] | None = None,
    room: int | None = None,
) -> Image:
    """The data memory and the order table (None: points in their own order).

    ``room``: points that the memory holds; those behind them are streamed. None: all of them.
    """
    visited = np.arange(len(points)) if order is None else order
    kept = slice(room)
    resident = points.part(kept)
    return Image(
        {"model.points.value": len(points)},
        {"points": point_words(resident, geometry), "order": visited[kept].astype(np.uint32)},
    )


def streamed_words(points: Points, resident: int, geometry: Geometry) -> Words:
    """The words of a pass, as the window ``points`` has them."""
    part = slice(resident, None)
    rest = points.part(part)
    return point_words(rest, geometry)


def emulator_image(array: EmulatedArray, first_pulse: int) -> Image:
    """The emulated array without its codes, with ``first_pulse`` as its next pulse.

    It takes effect with a restart of the emulator.
    """
    e = array.state
    return Image(
        {
            "emulator.key0.value": e.key0,
            "emulator.key1.value": e.key1,
            "emulator.d2d_rel.value": array.d2d_level,
            "emulator.stuck_level.value": array.stuck_level,
            "emulator.median_gain.value": e.median_gain,
            "emulator.sigma_gain.value": e.sigma_gain,
            "emulator.first_pulse_lo.value": first_pulse & MASK,
            "emulator.first_pulse_hi.value": first_pulse >> 32,
        },
        {"median": table_words(e.median), "sigma": table_words(e.sigma)},
    )


# -- words ---------------------------------------------------------------------------------------


def table_words(nodes: NDArray[np.integer[Any]]) -> Words:
    """The words of a table of linear segments with these nodes."""
    return np.array(segment_words(nodes), np.int64).astype(np.uint32)


def point_words(points: Points, geometry: Geometry) -> Words:
    """The data memory: ``geometry.point_words`` words for each point, flat."""
    words = np.zeros((len(points), geometry.point_words), np.uint32)
    words[:, 0] = points.labels.astype(np.uint32) << 16 | points.offsets.astype(np.uint16)
    inputs = np.zeros((len(points), 4 * (geometry.point_words - 1)), np.int8)
    inputs[:, : points.features] = points.inputs
    words[:, 1:] = inputs.view("<u4")
    return words.ravel()


def calibration_words(machine: Machine, geometry: Geometry) -> Words:
    """Trim offset, trim gain and centre of every device, flat."""
    shape = (geometry.rows, geometry.row_devices)
    offset, gain, centre = (
        np.broadcast_to(table, shape).astype(np.int64)
        for table in (machine.trim_offset, machine.trim_gain, machine.centre)
    )
    words = np.zeros((geometry.rows, 1 << geometry.device_bits), np.uint32)
    words[:, : geometry.row_devices] = (
        (offset & ((1 << TRIM_OFFSET_BITS) - 1))
        | (gain & ((1 << TRIM_GAIN_BITS) - 1)) << TRIM_OFFSET_BITS
        | centre << 16
    )
    return words.ravel()


def bad_row_words(registers: Registers) -> Words:
    """One word per row: 1 at the first row of a row group that contains a bad row."""
    g = registers.geometry
    words = np.zeros(g.rows, np.uint32)
    for group in np.flatnonzero(build_state(registers).bad):
        words[g.group_row(int(group))] = 1
    return words
