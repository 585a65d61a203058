"""Provenance of a run: versions, git state, configuration, and the digest of its data."""

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

PACKAGE = Path(__file__).parents[1]
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


def data_digest(dataset: Dataset) -> str:
    """SHA-256 of the training and test data."""
    digest = hashlib.sha256()
    digest.update(np.ascontiguousarray(dataset.x, np.float64).tobytes())
    digest.update(np.ascontiguousarray(dataset.y, np.int64).tobytes())
    return digest.hexdigest()
