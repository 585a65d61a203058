"""Checks whether this version of the package can drive a board, and whether a chain fits it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ... import __version__
from ...array.base import Array
from ...array.die import Die
from ...array.emulated import EmulatedArray
from ...errors import OhmcarloError, UsageError
from ...golden import Registers
from ...spec import LABEL_QUADRATIC, Geometry, Points
from ...spec.link import BAUD, CONTROLLER_MAGIC, PROTOCOL_VERSION
from ..streamed import Streamed
from .layout import Layout

Identification = Mapping[str, int]
OPTIONS = ("rows", "pairs", "entropy_pairs")  # of the command line


def require_compatible(found: Identification, place: str) -> None:
    """Raise OhmcarloError with both versions unless board, firmware and package are compatible.

    Behind a bus there is no firmware: nothing about it is in ``found``.
    """
    linked = "protocol_version" in found
    if linked and found["protocol_version"] != PROTOCOL_VERSION:
        raise OhmcarloError(
            f"the board at {place} has version {found['protocol_version']} of the link protocol, "
            f"this version of ohmcarlo has {PROTOCOL_VERSION}: use the firmware of this version"
        )
    if found["magic"] != CONTROLLER_MAGIC:
        raise OhmcarloError(
            f"the board at {place} holds no ohmcarlo controller (magic {found['magic']:#010x} "
            f"instead of {CONTROLLER_MAGIC:#010x}): load its bitstream"
        )
    versions = {"controller": hardware_version(found)}
    if linked:
        _require_firmware(found, place)
        versions = {"firmware": firmware_version(found), **versions}
    package = __version__
    for what, version in versions.items():
        if version != package:
            made = "bitstream and firmware" if linked else "bitstream"
            raise OhmcarloError(
                f"the {what} of the board at {place} has version {version}, this is ohmcarlo "
                f"{package}: use the {made} of {package}, or ohmcarlo {version}"
            )


def _require_firmware(found: Identification, place: str) -> None:
    """Raise OhmcarloError unless the firmware was built for this hardware."""
    for what, firmware, there in (
        ("controller", found["firmware_map_hash"], found["map_hash"]),
        ("board", found["firmware_board_hash"], found["board_hash"]),
    ):
        if firmware != there:
            raise OhmcarloError(
                f"the firmware of the board at {place} was built for the {what} with register map "
                f"{firmware:08x}, the hardware has {there:08x}: build both from one version"
            )


def firmware_version(found: Identification) -> str:
    return ".".join(str(found[f"firmware_{part}"]) for part in ("major", "minor", "patch"))


def hardware_version(found: Identification) -> str:
    """Version of the package that generated the controller."""
    return ".".join(str(found["version"] >> shift & 0xFF) for shift in (16, 8, 0))


def describe(found: Identification) -> dict[str, Any]:
    """The identification, for a manifest."""
    hashes = ("map_hash", "board_hash", "design_hash")
    firmware = {}
    if "firmware_major" in found:
        firmware["firmware_version"] = firmware_version(found)
    return {
        **firmware,
        "controller_version": hardware_version(found),
        "simulated": bool(found["simulated"]),
        "clock_hz": found["clock_hz"],
        **{name: f"{found[name]:08x}" for name in hashes if name in found},
    }


# -- the chain -------------------------------------------------------------------------------------


def behind_a_board(array: Array, place: str) -> EmulatedArray | Die:
    """``array`` if a board can have it. Raises UsageError otherwise."""
    if not isinstance(array, EmulatedArray | Die):
        raise UsageError(
            f"{place} holds the emulated array or a die, not {array.name!r}: use --array emulator "
            "or phy here, or --backend model for other arrays"
        )
    return array


def require_behind(array: EmulatedArray | Die, layout: Layout, place: str) -> None:
    """Raise UsageError unless ``array`` is the one of the board: its emulator or its die."""
    if layout.phy and not isinstance(array, Die):
        raise UsageError(
            f"{place} has a die on a daughterboard and no emulated array: use --array phy here, or "
            "a bitstream with the emulated array"
        )
    if not layout.phy and isinstance(array, Die):
        raise UsageError(
            f"{place} has no die: use --array emulator here, or a bitstream of "
            "`ohmcarlo build BOARD --array phy`"
        )


def require_array(g: Geometry, layout: Layout, place: str) -> None:
    """Raise UsageError with both values unless the array of the controller has this shape."""
    wanted = {
        "rows": g.rows,
        "pairs": g.pairs,
        "entropy_pairs": g.entropy_pairs,
        "access_bits": g.access_bits,
        "tile_pairs": g.tile_pairs or g.pairs,
        "dot_bits": g.dot_bits,
        "dot_shift": g.dot_shift,
    }
    for name, value in wanted.items():
        if value != (there := getattr(layout, name)):
            option = f"; use --{name.replace('_', '-')} {there}" if name in OPTIONS else ""
            raise UsageError(f"{name} = {value} here, {there} at {place}{option}")


def require_fit(
    registers: Registers, points: Points, layout: Layout, place: str, fed: bool = False
) -> None:
    """Raise UsageError with both values unless the chain fits the controller.

    ``fed``: as in ``require_room``.
    """
    g = registers.geometry
    require_array(g, layout, place)
    require_sizes(g, points, layout, place, fed)
    _require_dot_products(registers, layout, place)
    c = registers.calibration
    tables = (c.trim_offset, c.trim_gain, c.centre)
    if not layout.device_calibration and any(table is not None for table in tables):
        raise UsageError(f"{place} was built without a trim for each device: use --no-trim")


def require_sizes(
    g: Geometry, points: Points, layout: Layout, place: str, fed: bool = False
) -> None:
    """Raise UsageError with both values unless row groups, chains and points fit.

    ``fed``: as in ``require_room``.
    """
    if g.row_group > layout.max_group_rows:
        raise UsageError(
            f"a sample of {g.row_group - 1} hidden units takes {g.row_group} rows, {place} has "
            f"room for {layout.max_group_rows}: use --hidden {layout.max_group_rows - 1} or less"
        )
    if g.regions > layout.max_regions:
        raise UsageError(
            f"{g.regions} chains, {place} has room for {layout.max_regions}: use --chains "
            f"{layout.max_regions} or less"
        )
    require_room(points, layout, place, fed)


def _require_dot_products(registers: Registers, layout: Layout, place: str) -> None:
    """Raise UsageError unless the controller has the dot products and averages of the chain."""
    if registers.digital and not layout.digital:
        raise UsageError(
            f"{place} was built without digital dot products: use --dot-products array, or a "
            "bitstream of `ohmcarlo build BOARD --array phy`"
        )
    if registers.log_repeats and not layout.repeats:
        raise UsageError(f"{place} was built without repeated reads: use --repeats 1")


def require_room(points: Points, layout: Layout, place: str, fed: bool = False) -> None:
    """Raise UsageError unless the points fit the data memory, or the rest can be streamed.

    ``fed``: the controller's data stream has a source.
    """
    count = len(points)
    if count <= layout.max_points:
        return
    said = (
        f"{count} data points (those of a whitened prior included) do not fit: {place} has room "
        f"for {layout.max_points}"
    )
    streamed = Streamed.of(count, layout.max_points, layout.geometry)
    if not layout.max_streamed_points:
        raise UsageError(
            f"{said}; use --train-points {_training_points(points, layout.max_points)}, or "
            "--backend model; more need the core with AXI4-Stream (ohmcarlo export "
            f"--streamed-points), because over a serial line at {BAUD / 1e6:g} Mbit/s each step "
            f"would take {streamed.serial_seconds:.2g} s"
        )
    if count > layout.max_streamed_points:
        most = _training_points(points, layout.max_streamed_points)
        raise UsageError(
            f"{said}, and {layout.max_streamed_points} with streamed points; use --train-points "
            f"{most}, or --backend model"
        )
    if not fed:
        raise UsageError(
            f"{said}; the others must be streamed ({streamed.bytes} bytes for each step), and its "
            "data stream has no source here: open the board with a feeder (docs/guide.md), or use "
            f"--train-points {_training_points(points, layout.max_points)}"
        )


def _training_points(points: Points, room: int) -> int:
    """Training points that fit together with those of the prior."""
    prior = points.labels == LABEL_QUADRATIC
    return room - int(points.features if prior.all() else np.count_nonzero(prior))
