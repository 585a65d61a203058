"""Runs the builders of the hardware: they are in the repository, not in an installed package."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO

from .errors import OhmcarloError, UsageError

REPOSITORY = Path(__file__).parents[2]
GENERATOR = "rtl_gen"
END_S = 10.0
Say = Callable[[str], None]


def require_sources(module: str, what: str, instead: str = "") -> None:
    """Raise UsageError, saying what to do, where the sources of a builder are missing."""
    if not (REPOSITORY / GENERATOR / module.partition(".")[0]).is_dir():
        raise UsageError(
            f"{what} is built from the sources of the hardware, which an installed package does "
            "not have: clone the repository, install it with "
            f"`pip install --editable '.[hdl,sim]'`{instead}"
        )


def run_builder(module: str, options: Sequence[str], what: str, say: Say) -> Path:
    """Run ``python -m module`` in the repository; ``say`` hears its progress.

    Returns the absolute path that it prints. Raises OhmcarloError with its last words and its
    exit code's meaning (UsageError for bad use) when it fails.
    """
    with tempfile.TemporaryFile() as complaints:
        found, code = _run([sys.executable, "-m", module, *options], complaints, say)
        complaints.seek(0)
        said = complaints.read().decode(errors="replace").strip().splitlines()
    if code == 0 and found is not None:
        return found
    why = said[-1].removeprefix(f"{module}: ") if said else "the builder named no program"
    kind = UsageError if code == UsageError.exit_code else OhmcarloError
    raise kind(f"{what} cannot be built: {why}")


def _run(command: list[str], complaints: IO[bytes], say: Say) -> tuple[Path | None, int]:
    """Run the builder; the absolute path among what it says, the rest being progress."""
    found = None
    with subprocess.Popen(
        command,
        cwd=REPOSITORY / GENERATOR,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=complaints,
        text=True,
    ) as builder:
        assert builder.stdout is not None
        try:
            for line in map(str.rstrip, builder.stdout):
                if Path(line).is_absolute():
                    found = Path(line)
                else:
                    say(line)
        except BaseException:
            builder.terminate()  # so that it can end its tools, too
            try:
                builder.wait(END_S)
            except subprocess.TimeoutExpired:
                builder.kill()
            raise
    return found, builder.returncode
