"""Python programs that run beside this process."""

from __future__ import annotations

import os
import sys


def python_program(module: str, *arguments: object) -> list[str]:
    """The command of a module that can be executed.

    Files of the current folder, such as a user's ``json.py``, hide no module (``-P``).
    """
    return [sys.executable, "-P", "-m", module, *map(str, arguments)]


def own_paths() -> dict[str, str]:
    """The environment in which such a program finds the modules that this process finds."""
    return {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
