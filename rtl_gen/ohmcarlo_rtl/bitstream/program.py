"""Loads a bitstream into a board with openFPGALoader."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from pathlib import Path

from ohmcarlo.errors import OhmcarloError, UsageError
from ohmcarlo_hdl.boards import Board

LOADER = "openFPGALoader"
LOADER_VARIABLE = "OPENFPGALOADER"
SECONDS = 300


def command_of(board: Board, bitstream: Path) -> list[str]:
    """The command that loads the bitstream; it is lost when the board is switched off."""
    return [os.environ.get(LOADER_VARIABLE) or LOADER, *board.loader, str(bitstream)]


def program(board: Board, bitstream: Path) -> None:
    """Load ``bitstream``.

    Raises UsageError where openFPGALoader is missing or the board has no open flow, OhmcarloError
    when it finds no board. The messages contain the command to run by hand.
    """
    command = command_of(board, bitstream)
    shown = shlex.join(command)
    if not board.open_flow:
        raise UsageError(f"--program: the bitstream of {board.name} comes from the vendor's tool")
    if shutil.which(command[0]) is None:
        raise UsageError(
            f"{LOADER} is not installed (Debian, Ubuntu: apt install openfpgaloader; "
            f"macOS: brew install openfpgaloader); load the finished bitstream with: {shown}"
        )
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=SECONDS,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise OhmcarloError(f"{LOADER} failed ({error}); the command was: {shown}") from error
    if done.returncode:
        lines = (done.stdout + done.stderr).strip().splitlines()
        why = lines[-1] if lines else f"exit code {done.returncode}"
        raise OhmcarloError(
            f"no {board.title} was programmed ({why}): connect it, check its cable and the "
            f"permissions of its USB device, and give: {shown}"
        )
