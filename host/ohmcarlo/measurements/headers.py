"""What the columns of a table of measurements hold, by their headers."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from .quantities import (
    BIT_LINE,
    COMPLIANCE,
    SOURCE_LINE,
    TARGET,
    TEMPERATURE,
    VOLTAGE,
    WIDTH,
    WORD_LINE,
)
from .units import Kind, factor, split_header

DEVICE, PLACE = "device", "place"  # PLACE: a part of the address of a device
CYCLE, READ, OPERATION = "cycle", "read", "operation"
AFTER, BEFORE, CURRENT, READ_VOLTAGE = "after", "before", "current", "read_voltage"
G, R = Kind.CONDUCTANCE, Kind.RESISTANCE

CONDUCTANCE_WORDS = ("g", "conductance", "cond")
RESISTANCE_WORDS = ("r", "resistance", "res")
CURRENT_WORDS = ("i", "current", "id", "ids")
AFTER_WORDS = ("", "after", "final", "post", "f", "end", "read", "meas", "measured", "out", "set")
BEFORE_WORDS = ("before", "initial", "pre", "i", "init", "start", "0", "in", "prev")
LINE_WORDS = {
    WORD_LINE: ("wl", "wordline", "word", "g", "gate", "gs"),
    BIT_LINE: ("bl", "bitline", "bit", "d", "drain", "te", "topelectrode"),
    SOURCE_LINE: ("sl", "sourceline", "source", "s", "be"),
    VOLTAGE: ("", "pulse", "prog", "program", "programming", "pulseheight", "p", "app", "applied"),
}
NAMES: dict[str, tuple[str, ...]] = {
    DEVICE: (
        "device", "dev", "deviceid", "devicename", "deviceno", "cell", "cellid", "celladdress",
        "address", "addr", "id", "dut", "memristor", "junction", "synapse", "deviceindex",
        "cellindex", "celladdr",
    ),
    PLACE: ("row", "col", "column", "chip", "die", "wafer", "array", "block", "module", "x", "y"),
    CYCLE: (
        "cycle", "cycles", "cycleno", "cyclenumber", "repeat", "repetition", "rep", "sweep",
        "loop", "iteration", "iter", "trial", "run", "sweepno", "repeatno", "n",
    ),
    READ: ("read", "readno", "readnumber", "readindex", "readrepeat", "reads"),
    OPERATION: ("operation", "op", "pulsetype", "kind", "mode", "direction", "setreset", "type"),
    WIDTH: ("width", "pw", "pulsewidth", "tpulse", "duration", "pulseduration", "tp", "tw",
            "pulselength", "tset"),
    COMPLIANCE: ("icc", "compliance", "compliancecurrent", "icomp", "icompliance", "currentlimit"),
    TEMPERATURE: ("temperature", "temp", "t"),
    READ_VOLTAGE: ("vread", "readvoltage", "readv", "voltageread", "vr"),
}  # fmt: skip
KINDS = {
    WIDTH: (Kind.TIME,),
    COMPLIANCE: (Kind.CURRENT,),
    TEMPERATURE: (Kind.CELSIUS,),
    READ_VOLTAGE: (Kind.VOLTS,),
    CURRENT: (Kind.CURRENT,),
    TARGET: (G, R),
    AFTER: (G, R),
    BEFORE: (G, R),
    **dict.fromkeys(LINE_WORDS, (Kind.VOLTS,)),
}

COUNTS = ("pulse", "p")
"""Headers that are a voltage with its unit only; without it, they count the pulses."""


def _names() -> Iterator[tuple[str, str, Kind | None]]:
    """(name, role, kind) of every header that is known, without gaps and units."""
    for role, names in NAMES.items():
        for name in names:
            yield name, role, KINDS.get(role, (None,))[0]
    for kind, words in ((G, CONDUCTANCE_WORDS), (R, RESISTANCE_WORDS)):
        for word in words:
            for when, role in ((AFTER_WORDS, AFTER), (BEFORE_WORDS, BEFORE)):
                for mark in when:
                    yield f"{word}{mark}", role, kind
                    yield f"{mark}{word}", role, kind
            for goal in ("target", "goal", "desired", "wanted", "setpoint"):
                yield f"{word}{goal}", TARGET, kind
                yield f"{goal}{word}", TARGET, kind
    yield from ((name, TARGET, G) for name in ("target", "goal", "setpoint"))
    for word in CURRENT_WORDS:
        for mark in ("", "read", "meas", "measured", "after", "out"):
            yield f"{word}{mark}", CURRENT, Kind.CURRENT
            yield f"{mark}{word}", CURRENT, Kind.CURRENT
    for role, lines in LINE_WORDS.items():
        for line in lines:
            for volts in ("v", "voltage", "amplitude", "bias"):
                yield f"{volts}{line}", role, Kind.VOLTS
                yield f"{line}{volts}", role, Kind.VOLTS
        yield from ((line, role, Kind.VOLTS) for line in lines if len(line) > 1)
    yield from ((name, VOLTAGE, Kind.VOLTS) for name in ("vset", "setvoltage"))


KNOWN: dict[str, tuple[str, Kind | None]] = {}
for _name, _role, _kind in _names():
    KNOWN.setdefault(_name, (_role, _kind))


@dataclass(frozen=True)
class Column:
    """What a column holds.

    Attributes
    ----------
    index : int
    role : str
        DEVICE, AFTER, a name of ``quantities.QUANTITIES``, or another constant of this module.
    kind : Kind or None
        Of its numbers; None for text.
    scale : float or None
        What its numbers are multiplied by; None where the header has no unit.
    unit : str
        As the header has it.
    """

    index: int
    role: str
    kind: Kind | None
    scale: float | None
    unit: str


def plain(name: str) -> str:
    """A header without gaps, in small letters: what the names of this module are compared with.

    >>> plain(" V_WL "), plain("Word-line voltage")
    ('vwl', 'wordlinevoltage')
    """
    text = unicodedata.normalize("NFKC", name).lower()
    return re.sub(r"[^0-9a-zω]", "", text.replace("μ", "u"))


def column_of(index: int, header: str) -> Column | None:
    """What a column with this header holds; None if it is not known.

    The unit stands in brackets or is the last part of the name: ``R (kOhm)``, ``g_us``.
    """
    name, unit = split_header(header)
    found = KNOWN.get(plain(name))
    parts = re.split(r"[_\s/.]+", name.strip())
    siemens = not unit and parts[-1] == "S" and _is_conductance("".join(parts[:-1]))
    if not siemens and (unit or found is not None):
        role, kind = found or ("", None)
        counts = plain(name) in COUNTS and not unit
        return _with_unit(index, role, kind, unit) if role and not counts else None
    if len(parts) > 1:
        found = KNOWN.get(plain("".join(parts[:-1])))
        if found is not None:
            column = _with_unit(index, *found, parts[-1])
            return column if column.scale is not None or column.kind is None else None
    return None


def _is_conductance(name: str) -> bool:
    return KNOWN.get(plain(name), ("", None))[1] is G


def _with_unit(index: int, role: str, kind: Kind | None, unit: str) -> Column:
    """The column; a unit decides whether it is a conductance or a resistance."""
    for possible in KINDS.get(role, ()):
        scale = factor(unit, possible) if unit else None
        if scale is not None:
            return Column(index, role, possible, scale, unit)
    return Column(index, role, kind, None, unit)


def columns_of(header: Sequence[str]) -> dict[str, list[Column]]:
    """The known columns of a table by their role, in their order."""
    found: dict[str, list[Column]] = {}
    for index, name in enumerate(header):
        column = column_of(index, name)
        if column is not None:
            found.setdefault(column.role, []).append(column)
    return found
