"""What the pulses need to know of a Verilog-A file: module, terminals, parameters."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from ...errors import UsageError
from ...files import explain

TOP = ("te", "top", "p", "plus", "pos", "anode", "a", "bl", "d", "drain", "t1", "in", "n1", "tp")
BOTTOM = ("be", "bot", "bottom", "n", "minus", "neg", "cathode", "c", "k", "sl", "s", "source",
          "t2", "out", "n2", "bm")  # fmt: skip
GATE = ("g", "gate", "wl", "ng")
SCALES = {"T": 1e12, "G": 1e9, "M": 1e6, "K": 1e3, "k": 1e3, "m": 1e-3, "u": 1e-6, "n": 1e-9,
          "p": 1e-12, "f": 1e-15, "a": 1e-18}  # fmt: skip
NUMBER = re.compile(r"([-+]?(?:\d[\d_]*\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)([TGMKkmunpfa]?)")
COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/|\(\*.*?\*\)", re.S)  # and attributes
MODULE = re.compile(r"\bmodule\s+(\w+)\s*\(([^)]*)\)\s*;(.*?)\bendmodule\b", re.S)
PARAMETERS = re.compile(r"\bparameter\s+(?:(?:real|integer|string)\b)?([^;]*);")
DEFAULT = re.compile(r"\s*(\w+)\s*=\s*(.*?)\s*(?:\b(?:from|exclude)\b.*)?", re.S)
INCLUDE = re.compile(r'^\s*`include\s+"([^"]+)"', re.M)
SHOWN = 8  # parameters in a message


@dataclass(frozen=True)
class VerilogModel:
    """A module of a Verilog-A file.

    Attributes
    ----------
    path : Path
    module : str
    ports : tuple of str
        All terminals, in the order of the module.
    top, bottom : str
        A positive voltage from ``top`` to ``bottom`` sets the cell.
    gate : str or None
        Terminal of a select transistor that the module contains; None: it has none.
    parameters : mapping of str to float or None
        Default values; None for an expression.
    digest : str
        SHA-256 of the file and of the files beside it that it includes.
    """

    path: Path
    module: str
    ports: tuple[str, ...]
    top: str
    bottom: str
    gate: str | None
    parameters: Mapping[str, float | None]
    digest: str

    def require_parameter(self, name: str, key: str) -> None:
        """Raise UsageError, which names similar parameters, unless the module has this one."""
        if name in self.parameters:
            return
        known = list(self.parameters)
        close = get_close_matches(name, known, n=SHOWN, cutoff=0.5) or known[:SHOWN]
        raise UsageError(
            f"{self.path}: {key}: module {self.module} has no parameter {name!r}; choose among "
            f"{', '.join(close) or 'none'}"
        )


def read_model(path: Path, module: str = "", terminals: Sequence[str] = ()) -> VerilogModel:
    """The module of a file, its terminals recognised by their names.

    Parameters
    ----------
    module : str
        Needed if the file has several modules.
    terminals : sequence of str
        Top, bottom and, if the module has one, gate; empty: by their names.

    Raises UsageError for a file that cannot be read, and where module or terminals must be named.
    """
    text = COMMENT.sub(" ", source_of(path))
    found = {m[1]: (m[2], m[3]) for m in MODULE.finditer(text)}
    if not found:
        raise UsageError(f"{path} has no module: give a Verilog-A file")
    if module and module not in found:
        raise UsageError(f"{path} has no module {module!r}: choose among {', '.join(found)}")
    if not module and len(found) > 1:
        raise UsageError(
            f"{path} has the modules {', '.join(found)}: choose one, as in "
            f"module={next(iter(found))}"
        )
    name = module or next(iter(found))
    header, body = found[name]
    ports = tuple(re.findall(r"(\w+)\s*(?:,|$)", header.strip()))
    top, bottom, gate = _terminals(path, name, ports, tuple(terminals))
    return VerilogModel(path, name, ports, top, bottom, gate, _parameters(body), _digest(path))


def source_of(path: Path) -> str:
    """The text of a file; UsageError when it cannot be read."""
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise UsageError(f"cannot read {explain(error, path)}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is not a text file: give a Verilog-A file") from error


def value_of(text: str) -> float | None:
    """A number with Verilog-A's scale factors; None for anything else.

    >>> value_of("2.1e3"), value_of("100n"), value_of("2*vt")
    (2100.0, 1e-07, None)
    """
    found = NUMBER.fullmatch(text.strip())
    if found is None:
        return None
    return float(f"{float(found[1].replace('_', '')) * SCALES.get(found[2], 1.0):.12g}")


def _parameters(body: str) -> dict[str, float | None]:
    """Parameters of a module and their defaults; one statement can have several."""
    found: dict[str, float | None] = {}
    for statement in PARAMETERS.findall(body):
        depth, parts = 0, [""]
        for sign in statement:
            depth += (sign in "([{") - (sign in ")]}")
            if sign == "," and not depth:
                parts.append("")
            else:
                parts[-1] += sign
        for part in parts:
            if default := DEFAULT.fullmatch(part):
                found[default[1]] = value_of(default[2])
    return found


def _terminals(
    path: Path, module: str, ports: tuple[str, ...], chosen: tuple[str, ...]
) -> tuple[str, str, str | None]:
    if chosen:
        if not 2 <= len(chosen) <= 3 or not set(chosen) <= set(ports):
            raise UsageError(
                f"{path}: terminals={':'.join(chosen)}: module {module} has the terminals "
                f"{', '.join(ports)}; name top and bottom, and a gate if it has one, as in "
                f"terminals={':'.join(ports[:2])}"
            )
        return chosen[0], chosen[1], chosen[2] if len(chosen) == 3 else None
    by_name = {port.lower(): port for port in ports}
    top, bottom, gate = (
        next((by_name[name] for name in names if name in by_name), None)
        for names in (TOP, BOTTOM, GATE)
    )
    if top is None or bottom is None:
        raise UsageError(
            f"{path}: the terminals {', '.join(ports) or 'none'} of module {module} are not "
            "recognised: name the one that a positive SET pulse drives, then the other, as in "
            f"terminals={':'.join((*ports, 'te', 'be')[:2])}"
        )
    return top, bottom, gate


def _digest(path: Path) -> str:
    digest, todo, seen = hashlib.sha256(), [path], set()
    while todo:
        file = todo.pop(0)
        if file in seen:
            continue
        seen.add(file)
        text = source_of(file)
        digest.update(text.encode())
        todo += [p for name in INCLUDE.findall(text) if (p := file.parent / name).is_file()]
    return digest.hexdigest()
