"""The files of a program that drives a core: driver, headers, job, example."""

from __future__ import annotations

from collections.abc import Mapping

from .job import Job, job_files
from .package import EXAMPLE, driver_files, sources


def example_files(job: Job) -> Mapping[str, str]:
    """File name → text: driver, headers, the job, and a program that trains and predicts."""
    return {
        **driver_files(job.config),
        EXAMPLE: sources()[EXAMPLE],
        **job_files(job),
    }
