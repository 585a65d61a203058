"""The files of a program that drives a core: driver, headers, job, example."""

from __future__ import annotations

from collections.abc import Mapping

from ohmcarlo_hdl.config import CoreConfig

from ..sources import driver_sources
from .headers import driver_headers
from .job import Job, job_files

EXAMPLE = "main.c"
"""The source among the driver's that trains and predicts; users replace it."""


def driver_files(config: CoreConfig, emulator: bool = True) -> Mapping[str, str]:
    """File name → text: the driver and the headers of its core."""
    sources = {name: text for name, text in _sources().items() if name != EXAMPLE}
    return {**sources, **driver_headers(config, emulator)}


def example_files(job: Job) -> Mapping[str, str]:
    """The same with a job, and with a program that trains and predicts."""
    return {
        **driver_files(job.config),
        EXAMPLE: _sources()[EXAMPLE],
        **job_files(job),
    }


def _sources() -> Mapping[str, str]:
    found = sorted(p for p in driver_sources().iterdir() if p.suffix in {".c", ".h"})
    return {path.name: path.read_text("utf-8") for path in found}
