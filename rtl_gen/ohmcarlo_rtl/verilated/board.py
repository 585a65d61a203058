"""The board of a configuration as a program: found in the cache, or built there.

A cached program needs no hardware tool: the module imports the tools only to build.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ohmcarlo.errors import OhmcarloError
from ohmcarlo_hdl.soc.design import design_hash, tool_versions

from ..folders import explained, user_cache
from ..processes import ToolFailed, interruptible
from ..progress import Say, silent, timed
from ..requirements import HARDWARE, SIMULATED_BOARD, require_compiler, require_packages
from ..sources import firmware_digest, generator_digest
from .cache import FIRMWARE, NEEDED, OPTION, PROGRAM, published

if TYPE_CHECKING:
    from ohmcarlo_hdl.config import CoreConfig

SIZES = {
    "rows": "rows of the array",
    "pairs": "device pairs of a row",
    "entropy_pairs": "pairs of a row that the coin uses",
    "access_bits": "bits of an input that one access applies",
    "tile_pairs": "pairs that one access sums (0: all)",
    "dot_bits": "resolution of the DOT converter (0: full)",
    "dot_shift": "least significant bit of the DOT converter",
    "max_points": "data points that the data memory holds",
    "max_group_rows": "rows of the largest row group",
    "max_regions": "chains that can share the array",
}
"""Name of a size → its meaning. ``Geometry`` or ``CoreConfig`` has a field of that name."""
SMALL_SIZES = ("rows", "pairs", "entropy_pairs", "max_points")
"""Sizes of ``SIZES`` that a board without a processor can have other than its own."""
CONTROLLER_SIZES = ("max_points", "max_group_rows", "max_regions")
"""Sizes of ``CoreConfig``; the others are those of ``Geometry``."""
PROFILE_VARIABLE = "OHMCARLO_BOARD_PROFILE"
"""Environment variable. ``0``: compile once, without a profile. This halves the time of a build;
the program is slower."""


def default_cache() -> Path:
    """The folder of boards: ``ohmcarlo/boards`` in the user's cache folder."""
    return user_cache() / "boards"


def simulated_board(
    sizes: Mapping[str, int],
    say: Say = silent,
    *,
    device_calibration: bool = True,
    cache: Path | None = None,
) -> Path:
    """Return the path of the program; build it unless ``cache`` contains it.

    Parameters
    ----------
    sizes : mapping
        Those of ``SIZES`` that differ from the reference configuration.
    say : callable
        Gets a line for each stage of a build.
    device_calibration : bool
        Whether each device has a trim and a centre.
    cache : Path
        Default: ``default_cache()``.

    Raises
    ------
    UsageError
        For incompatible sizes, or a missing tool.
    OhmcarloError
        When a tool fails or the cache cannot be written.
    """
    say, cache = timed(say), (cache or default_cache()).absolute()
    given = {**sizes, "device_calibration": device_calibration}
    model_key, key = keys(given)

    def make_model(folder: Path) -> None:
        _make_model(config_of(given), folder, say)

    def make(folder: Path) -> None:
        has_model = (cache / f"model-{model_key}").is_dir()
        require_packages(HARDWARE if has_model else SIMULATED_BOARD)
        model = published(cache, f"model-{model_key}", make_model)
        say("firmware ...")
        from ..firmware.image import build_image

        (folder / FIRMWARE).write_bytes(build_image(config_of(given)))
        shutil.copy(model / PROGRAM, folder / PROGRAM)

    with _logging(cache, f"model-{model_key}"):
        return published(cache, f"board-{key}", make) / PROGRAM


def simulated_small_board(
    sizes: Mapping[str, int], say: Say = silent, *, cache: Path | None = None
) -> Path:
    """``simulated_board`` for the board without a processor (``BitSerialBoard``).

    ``sizes``: those of ``SMALL_SIZES`` that differ from the board of the ULX3S 12F.
    """
    say, cache = timed(say), (cache or default_cache()).absolute()
    name = f"small-{_digest(_model_parts({'bit_serial': True, **sizes}))}"

    def make(folder: Path) -> None:
        require_packages(SIMULATED_BOARD)
        _make_model(small_config_of(sizes), folder, say)

    with _logging(cache, name):
        return published(cache, name, make) / PROGRAM


def _make_model(config: CoreConfig, folder: Path, say: Say) -> None:
    require_compiler()
    from .build import build_model

    build_model(config, folder, say, profile=_profile_is_wanted())


@contextmanager
def _logging(cache: Path, name: str) -> Iterator[None]:
    """Keep the output of a tool that fails in ``cache``."""
    with explained(cache, NEEDED, OPTION), interruptible():
        try:
            yield
        except ToolFailed as failed:
            log = cache / f"{name}.log"
            log.write_text(failed.printed, encoding="utf-8")
            raise OhmcarloError(f"{failed}; the whole output: {log}") from failed


def config_of(given: Mapping[str, Any]) -> CoreConfig:
    """The configuration; raises UsageError for incompatible sizes."""
    from ohmcarlo.spec import Geometry
    from ohmcarlo_hdl.config import CoreConfig

    outside = {
        name: given[name] for name in (*CONTROLLER_SIZES, "device_calibration") if name in given
    }
    inside = {name: value for name, value in given.items() if name not in outside}
    return CoreConfig(Geometry(**inside), **outside)


def small_config_of(sizes: Mapping[str, int]) -> CoreConfig:
    """The configuration of a board without a processor; UsageError for incompatible sizes."""
    from ohmcarlo_hdl.boards.ulx3s import BIT_SERIAL

    shape = {name: value for name, value in sizes.items() if name not in CONTROLLER_SIZES}
    points = sizes.get("max_points", BIT_SERIAL.max_points)
    return replace(BIT_SERIAL, geometry=replace(BIT_SERIAL.geometry, **shape), max_points=points)


def keys(given: Mapping[str, Any]) -> tuple[str, str]:
    """Hashes of all inputs of the program, without and with the firmware."""
    model = _model_parts(given)
    rooms = ["verilated", "controller", "registers", "firmware"]
    whole = [model, generator_digest(rooms), firmware_digest(), tool_versions(["ziglang"])]
    return _digest(model), _digest(whole)


def _model_parts(given: Mapping[str, Any]) -> list[Any]:
    """All inputs of the Verilated model."""
    return [
        design_hash(dict(given)),
        generator_digest(["verilated"]),
        tool_versions(["verilator"]),
        *([] if _profile_is_wanted() else ["without a profile"]),
    ]


def _profile_is_wanted() -> bool:
    return os.environ.get(PROFILE_VARIABLE) != "0"


def _digest(parts: list[Any]) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]
