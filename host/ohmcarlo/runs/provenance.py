"""Provenance of a run: versions, git state, configuration, and digests of all its inputs."""

from __future__ import annotations

import platform
import subprocess
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

from .. import __version__
from ..array.base import Array
from ..array.die import Die
from ..array.emulated import EmulatedArray
from ..array.physics import PhysicsArray
from ..errors import OhmcarloError, UsageError
from .config import DATA_FILE, TrainConfig
from .digests import digest_of, file_digest
from .setup import ChainSetup

PACKAGE = Path(__file__).parents[1]
VERSIONS_OF = ("numpy", "scipy", "numba", "scikit-learn", "arviz")


def origin_of(setup: ChainSetup) -> dict[str, Any]:
    """The part of a manifest that does not depend on what is learnt."""
    return origin_of_request(setup.config) | {"board": setup.board.identify()}


def origin_of_request(config: TrainConfig) -> dict[str, Any]:
    """``origin_of`` without a board."""
    return {
        "config": config.to_dict(),
        "seed": config.seed,
        "versions": versions(),
        "git": git_state(),
        "files": {
            role: {"path": str(path.absolute()), "sha256": file_digest(path, role)}
            for role, path in config.files().items()
        },
    }


# -- inputs --------------------------------------------------------------------------------------

DATA = "data"
"""Name of the digest of what a run learns from."""


def model_inputs(setup: ChainSetup) -> dict[str, str]:
    """SHA-256 of what decides the posterior of a chain, by name."""
    return {"registers": digest_of(setup.registers), "points": digest_of(setup.points)}


def chain_inputs(setup: ChainSetup) -> dict[str, str]:
    """SHA-256 of everything that decides a chain, by name."""
    several = {}
    if setup.others:
        parts = setup.parts()
        several = {"boards": digest_of([[p.registers, _content_of(p.array)] for p in parts])}
    return {
        **model_inputs(setup),
        "settings": digest_of(setup.settings),
        "geometry": digest_of(setup.registers.geometry),
        "array": digest_of(_content_of(setup.array)),
        **several,
    }


def _content_of(array: Array) -> Any:
    """What decides the devices of an array; those of a die are outside this program."""
    if isinstance(array, Die):
        return array.preset
    if isinstance(array, EmulatedArray):
        return array.state
    preset = array.preset if isinstance(array, PhysicsArray) else None
    return [preset, array.state_dict()]


def require_same_version(manifest: Mapping[str, Any]) -> list[str]:
    """Raise OhmcarloError when another version of the package began the run.

    Returns lines of text about other packages, and a checkout, whose version has changed.
    """
    began, now = manifest["versions"], versions()
    if began["ohmcarlo"] != now["ohmcarlo"]:
        raise OhmcarloError(
            f"ohmcarlo {began['ohmcarlo']} began this run, this is ohmcarlo {now['ohmcarlo']}: "
            f"resume it with {began['ohmcarlo']}, or start a new run"
        )
    return changed_versions(manifest)


def changed_versions(manifest: Mapping[str, Any]) -> list[str]:
    """A line of text about packages, and a checkout, whose version has changed since a run began;
    none if all are the same."""
    began, now = manifest["versions"], versions()
    changes = [f"{n} {began.get(n)} → {now[n]}" for n in now if began.get(n) != now[n]]
    commits = [state["commit"][:12] for state in (manifest.get("git"), git_state()) if state]
    if len(set(commits)) == 2:
        changes.append(f"commit {' → '.join(commits)}")
    if not changes:
        return []
    return [f"note: versions have changed since the run began ({', '.join(changes)})"]


def changed_files(config: TrainConfig, manifest: Mapping[str, Any]) -> list[str]:
    """A line of text for each file of ``config`` that is not the one of the run."""
    stored = {entry["path"]: entry["sha256"] for entry in manifest["files"].values()}
    return [
        f"note: the {role} {path} has changed since the run began (SHA-256 "
        f"{stored[str(path.absolute())][:12]}…): the chain will differ"
        for role, path in config.files().items()
        if str(path.absolute()) in stored
        and file_digest(path, role) != stored[str(path.absolute())]
    ]


def require_same_files(config: TrainConfig, manifest: Mapping[str, Any]) -> None:
    """Raise UsageError when a file of the user is not the one that the run began with.

    A data file may be written in another way: its numbers are compared, not its bytes.
    """
    for role, path in config.files().items():
        began = manifest["files"][role]["sha256"]
        if file_digest(path, role) != began and role != DATA_FILE:
            raise UsageError(
                f"the {role} {path} is not the one that this run began with (SHA-256 {began[:12]}…"
                "): put the old file back, or start a new run"
            )


def require_same_inputs(manifest: Mapping[str, Any], found: Mapping[str, str]) -> None:
    """Raise UsageError unless ``found`` are the digests of the inputs that the run began with."""
    began = manifest["inputs"]
    if found[DATA] != began[DATA]:
        raise UsageError(
            f"the data of {manifest['config']['task']} have changed since this run began: put the "
            "old data back, or start a new run"
        )
    differ = [name for name in found if found[name] != began.get(name)]
    if differ:
        raise UsageError(
            f"this machine builds other inputs ({', '.join(differ)}) than those that the run began "
            "with: use the versions in its manifest.json, or start a new run"
        )


# -- versions ------------------------------------------------------------------------------------


def versions() -> dict[str, str]:
    """Versions of the packages that decide the numbers of a run."""
    found = {"ohmcarlo": __version__, "python": platform.python_version()}
    return found | {name: metadata.version(name) for name in VERSIONS_OF}


def git_state() -> dict[str, Any] | None:
    """Commit of the checkout of the package, and whether its files were changed."""
    try:
        # an installed package may lie inside another checkout, which does not track it
        _git("ls-files", "--error-unmatch", "__init__.py")
        commit = _git("rev-parse", "HEAD")
        changed = bool(_git("status", "--porcelain", "--untracked-files=no", "."))
    except (OSError, subprocess.SubprocessError):
        return None
    return {"commit": commit, "changed": changed}


def _git(*arguments: str) -> str:
    done = subprocess.run(
        # without the option, status renews the index and may block a commit of the user
        ["git", "--no-optional-locks", "-C", str(PACKAGE), *arguments],
        capture_output=True,
        text=True,
        check=True,
        timeout=10,
    )
    return done.stdout.strip()
