"""Show an address in the browser of the user."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import suppress

from ..cluster.programs import python_program

SCREENS = ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER")
"""Variables of the environment, one of which is set where a browser can open a window."""


def has_screen() -> bool:
    """Whether a browser can open a window; otherwise it might take over the terminal."""
    if sys.platform in ("darwin", "win32"):
        return True
    return any(os.environ.get(name) for name in SCREENS)


def open_quietly(address: str) -> None:
    """Open ``address``, in a process of its own; without a browser, nothing happens."""
    if not has_screen():
        return
    nothing = subprocess.DEVNULL
    with suppress(OSError):
        subprocess.Popen(
            python_program("webbrowser", address),
            stdin=nothing,
            stdout=nothing,
            stderr=nothing,
            start_new_session=True,
        )
