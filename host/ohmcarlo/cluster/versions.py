"""Whether the workers of a scheduler run the same programs as this process."""

from __future__ import annotations

from typing import Any

from ..errors import UsageError

PACKAGES = ("distributed", "ohmcarlo")


def check_workers(client: Any, address: str) -> None:
    """Raise UsageError, with both versions, if a worker has another Python, Dask or ohmcarlo.

    A worker with several threads is an error, too: a cell has its process for itself.
    """
    for worker, known in client.scheduler_info(n_workers=-1)["workers"].items():
        if known["nthreads"] != 1:
            raise UsageError(
                f"worker {worker} of {address} has {known['nthreads']} threads: start it with "
                f"--nthreads 1 --nworkers {known['nthreads']}"
            )
    found = client.get_versions(packages=["ohmcarlo"])
    ours = _versions(found["client"])
    for worker, theirs in found["workers"].items():
        for name, version in _versions(theirs).items():
            if version != ours[name]:
                raise UsageError(
                    f"worker {worker} of {address} has {_named(name, version)}, this computer "
                    f"has {_named(name, ours[name])}: install the same version on both"
                )


def other_sources(address: str) -> UsageError:
    return UsageError(
        f"a worker of {address} has other sources of ohmcarlo than this computer: install the "
        "same ones, and start the worker again"
    )


def _named(name: str, version: str | None) -> str:
    return f"{name} {version}" if version else f"no {name}"


def _versions(found: dict[str, Any]) -> dict[str, str | None]:
    python = ".".join(found["host"]["python"].split(".")[:2])
    return {"Python": python, **{name: found["packages"].get(name) for name in PACKAGES}}
