"""The driver with the headers of a core."""

from __future__ import annotations

from collections.abc import Mapping

from ohmcarlo_hdl.config import CoreConfig

from ..sources import driver_sources
from .headers import driver_headers

EXAMPLE = "main.c"
"""The source among the driver's that trains and predicts; users replace it."""


def driver_files(config: CoreConfig, emulator: bool = True) -> Mapping[str, str]:
    """File name → text: the driver and the headers of its core."""
    driver = {name: text for name, text in sources().items() if name != EXAMPLE}
    return {**driver, **driver_headers(config, emulator)}


def sources() -> Mapping[str, str]:
    """File name → text of the driver and of the example, which every core shares."""
    found = sorted(p for p in driver_sources().iterdir() if p.suffix in {".c", ".h"})
    return {path.name: path.read_text("utf-8") for path in found}
