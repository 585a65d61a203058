"""Commands about a run, as a shell takes them."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def repeating(path: Path, manifest: Mapping[str, Any]) -> str:
    """Lines that make the run in ``path`` again, in another folder."""
    git, problem = manifest.get("git"), manifest["config"].get("problem")
    whole = path.absolute() if problem is None else path.absolute().parent
    given = path if problem is None else whole
    command = ["ohmcarlo", "train", "--config", str(given), "--out", f"{whole.name}-again"]
    lines = [f"git checkout {git['commit']}"] if git else [
        f"python -m pip install ohmcarlo=={manifest['versions']['ohmcarlo']}"
    ]  # fmt: skip
    if problem is not None:
        lines.append(f"# this is problem {problem + 1} of the run in {whole}")
    return "\n".join([*lines, shlex.join(command)])


def predicting(path: Path) -> str:
    """The command that predicts new cases by the run in ``path``."""
    return shlex.join(["ohmcarlo", "predict", str(path), "NEW.csv"])


def showing(path: Path) -> str:
    """The command that writes the page of the run in ``path``."""
    return shlex.join(["ohmcarlo", "report", str(path), "--html", f"{path.name}.html"])
