"""Where a run comes from: versions, git state, configuration, and the digest of its data."""

from __future__ import annotations

import hashlib
import platform
import subprocess
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from .. import __version__
from ..datasets import Dataset
from .setup import ChainSetup

VERSIONS_OF = ("numpy", "scipy", "numba", "scikit-learn", "arviz")


def origin_of(setup: ChainSetup) -> dict[str, Any]:
    """The part of a manifest that does not depend on what is learnt."""
    return {
        "config": setup.config.to_dict(),
        "seed": setup.config.seed,
        "versions": versions(),
        "git": git_state(),
        "board": setup.board.identify(),
    }


def versions() -> dict[str, str]:
    """Versions of everything that decides a run's numbers."""
    found = {"ohmcarlo": __version__, "python": platform.python_version()}
    return found | {name: metadata.version(name) for name in VERSIONS_OF}


def git_state() -> dict[str, Any] | None:
    """Commit of the checkout that the package runs from, and whether files were changed."""
    folder = Path(__file__).parent
    try:
        _git(folder, "ls-files", "--error-unmatch", Path(__file__).name)  # not merely inside one
        commit = _git(folder, "rev-parse", "HEAD")
        changed = bool(_git(folder, "status", "--porcelain", "--untracked-files=no", "."))
    except (OSError, subprocess.SubprocessError):
        return None
    return {"commit": commit, "changed": changed}


def _git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        # status would renew the index, and be in the way of the user's own git
        ["git", "--no-optional-locks", "-C", str(folder), *arguments],
        capture_output=True,
        text=True,
        check=True,
        timeout=10,
    )
    return done.stdout.strip()


def data_digest(dataset: Dataset) -> str:
    """SHA-256 of the numbers that a run learns from and is tested on."""
    digest = hashlib.sha256()
    digest.update(np.ascontiguousarray(dataset.x, np.float64).tobytes())
    digest.update(np.ascontiguousarray(dataset.y, np.int64).tobytes())
    return digest.hexdigest()
