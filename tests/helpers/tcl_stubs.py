"""Runs scripts of vendors' tools in a Tcl interpreter whose unknown commands are recorded.

Python's own interpreter is used (``tkinter.Tcl``, which needs no display), else the program
``tclsh``. Neither: the test is skipped.
"""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass

import pytest

RECORDER = """
set ::calls {{}}
proc ::record {{name args}} {{
  set name [string trimleft $name :]
  lappend ::calls [list $name {{*}}$args]
  return [expr {{[string match ipx::get_*parameters $name] ? "" : "<$name>"}}]
}}
namespace eval :: {{namespace unknown ::record}}
proc ::package {{args}} {{}}
set argv {{}}
info script {{{place}}}
"""
PRINTED = """
foreach call $::calls {puts "\x1e[join $call \x1f]"}
"""


@dataclass(frozen=True)
class Calls:
    """Calls of unknown commands: name and arguments of each."""

    made: list[list[str]]

    def of(self, name: str) -> list[list[str]]:
        """Arguments of the calls of a command."""
        return [words[1:] for words in self.made if words[0] == name]


def run_script(text: str, place: str) -> Calls:
    """Run a script as if it were the file ``place``; raises if Tcl finds an error.

    ``ipx::get_…parameters`` returns nothing, every other command its name.
    """
    program = RECORDER.format(place=place) + text
    try:
        import tkinter
    except ImportError:
        return _with_tclsh(program)
    tcl = tkinter.Tcl()
    tcl.eval(program)
    calls = tcl.splitlist(tcl.eval("set ::calls"))
    return Calls([[str(word) for word in tcl.splitlist(call)] for call in calls])


def _with_tclsh(program: str) -> Calls:
    tclsh = shutil.which("tclsh")
    if tclsh is None:
        pytest.skip("no Tcl interpreter: apt install tcl, or python3-tk")
    done = subprocess.run([tclsh], input=program + PRINTED, capture_output=True, text=True)
    assert done.returncode == 0 and not done.stderr, done.stderr
    lines = [line[1:] for line in done.stdout.splitlines() if line.startswith("\x1e")]
    return Calls([line.split("\x1f") for line in lines])
