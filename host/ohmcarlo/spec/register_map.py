"""The register map of one controller, computed from the table of all of them.

``register_table.py`` is generated from the SystemRDL source of the hardware. It has names of
parameters where the map depends on the configuration. This module fills in the parameters, which a
controller reports in its group ``id``. Neither a compiler of SystemRDL nor a file is needed on the
computer that drives a controller.

>>> found = RegisterMap.of(Sizes(rows=256, pairs=32, entropy_pairs=4, max_points=1024,
...                              max_group_rows=8, max_regions=4, device_calibration=True))
>>> found.fields["model.points.value"]
Field(address=256, low=0, width=17, readable=True, writable=True)
>>> found.windows["points"].words
8192
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from .geometry import Geometry
from .register_table import DEFAULTS, REGISTERS, SMALL_LACKS, SMALL_WRITES, WINDOWS

WORD_BYTES = 4
IP_PART, PHY_PART, STREAMED_PART = "ip", "phy", "streamed"
"""Groups of presence in the table."""
PARTS_OF_FIELDS = {"id.features.streamed": STREAMED_PART}
"""Fields that are present only with a part, unlike the others of their register."""


@dataclass(frozen=True)
class Sizes:
    """Sizes of a controller on which its register map depends, as in its group ``id``.

    Attributes
    ----------
    rows, pairs, entropy_pairs, max_points, max_group_rows, max_regions : int
    device_calibration, phy : bool
        As in ``id.features``.
    ip : bool
        Whether the map has the registers of the IP core.
    streamed : bool
        As in ``id.features``.
    bit_serial : bool
        Whether it is the bit-serial controller, which has fewer registers and does not read
        settings back. ``device_calibration``, ``phy`` and ``ip`` are then False.
    """

    rows: int
    pairs: int
    entropy_pairs: int
    max_points: int
    max_group_rows: int
    max_regions: int
    device_calibration: bool
    phy: bool = False
    ip: bool = True
    streamed: bool = False
    bit_serial: bool = False

    @property
    def _geometry(self) -> Geometry:
        return Geometry(rows=self.rows, pairs=self.pairs, entropy_pairs=self.entropy_pairs)

    @property
    def point_words(self) -> int:
        """32-bit words of a data point."""
        return self._geometry.point_words

    @property
    def device_bits(self) -> int:
        """Address bits of a device within its row."""
        return self._geometry.device_bits

    def has(self, part: str, name: str = "") -> bool:
        """Whether the register or window ``name``, of a part of the table, is present."""
        lacks = self.bit_serial and name in SMALL_LACKS
        return not lacks and (not part or bool(getattr(self, part)))

    def access(self, name: str, sw: str) -> str:
        """Access of software to what has the access ``sw`` in the table."""
        return "w" if self.bit_serial and name in SMALL_WRITES and "w" in sw else sw


@dataclass(frozen=True)
class Field:
    """Bits ``low`` to ``low + width - 1`` of the register at byte address ``address``."""

    address: int
    low: int
    width: int
    readable: bool
    writable: bool

    @property
    def mask(self) -> int:
        """The bits of the field, shifted to bit 0."""
        return (1 << self.width) - 1


@dataclass(frozen=True)
class Window:
    """``words`` 32-bit words from byte address ``address`` on."""

    address: int
    words: int
    readable: bool
    writable: bool


@dataclass(frozen=True, eq=False)
class RegisterMap:
    """Addresses of a controller.

    Attributes
    ----------
    registers : dict of str to int
        Byte address of each register, by "group.register".
    fields : dict of str to Field
        By "group.register.field".
    windows : dict of str to Window
    hash : int or None
        ``id.map_hash`` of the controller with these addresses. None for one with a real array,
        whose reset values depend on its clock and its timing.
    """

    registers: Mapping[str, int]
    fields: Mapping[str, Field]
    windows: Mapping[str, Window]
    hash: int | None

    @classmethod
    def of(cls, sizes: Sizes) -> RegisterMap:
        """The map of a controller of these sizes."""
        registers = _registers(sizes)
        windows = _windows(sizes)
        fields = {
            f"{name}.{field}": Field(address, low, width, "r" in sw, "w" in sw)
            for _, name, _, address, *_, listed in registers
            for field, low, width, table_sw, *_ in listed
            for sw in [sizes.access(name, table_sw)]
        }
        return cls(
            {entry[1]: entry[3] for entry in registers},
            fields,
            {n: Window(a, words, "r" in sw, "w" in sw) for _, n, a, words, sw in windows},
            None if sizes.phy else _hash(sizes),
        )

    def span(self) -> int:
        """Bytes from the first register to the end of the last window."""
        return max(w.address + WORD_BYTES * w.words for w in self.windows.values())


def magic_of(register: str) -> int:
    """The value of ``id.magic`` or ``ip.magic``."""
    return next(int(entry[-1][0][5]) for entry in REGISTERS if entry[1] == register)


def features_of(word: int) -> dict[str, bool]:
    """The bits of a word of ``id.features``, by name."""
    bits = next(entry[-1] for entry in REGISTERS if entry[1] == "id.features")
    return {name: bool(word >> low & 1) for name, low, *_ in bits}


def _registers(sizes: Sizes) -> list[Any]:
    """Entries of the registers that are there, each with the fields that are there."""
    return [
        (
            *entry[:-1],
            [f for f in entry[-1] if sizes.has(PARTS_OF_FIELDS.get(f"{entry[1]}.{f[0]}", ""))],
        )
        for entry in REGISTERS
        if sizes.has(entry[0], entry[1])
    ]


def _windows(sizes: Sizes) -> list[tuple[str, str, int, int, str]]:
    """Part, name, address, words and access of each window that is there. Windows without an
    address of their own follow each other, each aligned to its size, rounded up. A window that is
    absent keeps its place."""
    found = []
    end = 0
    for part, name, address, formula, sw in WINDOWS:
        words = _value(formula, sizes)
        size = WORD_BYTES << (words - 1).bit_length()
        begin = -(-end // size) * size if address is None else address
        if sizes.has(part, name):
            found.append((part, name, begin, words, sizes.access(name, sw)))
        end = begin + WORD_BYTES * words
    return found


def _value(formula: int | str | Callable[[Any], int], sizes: Sizes) -> int:
    if isinstance(formula, int):
        return formula
    if callable(formula):
        return formula(sizes)
    return int(getattr(sizes, formula, DEFAULTS.get(formula, 0)))


def _hash(sizes: Sizes) -> int:
    """First 32 bits of the SHA-256 of the controller's map, as ``ohmcarlo_hdl.regs.map`` has it."""
    registers = [_register(e, sizes) for e in _registers(sizes) if e[0] != IP_PART]
    windows = [
        {"name": name, "address": address, "words": words, "sw": sw}
        for part, name, address, words, sw in _windows(sizes)
        if part != IP_PART
    ]
    text = json.dumps([registers, windows], sort_keys=True)
    return int(hashlib.sha256(text.encode()).hexdigest()[:8], 16)


def _register(entry: Any, sizes: Sizes) -> dict[str, Any]:
    _, name, port, address, half, index, elements, listed = entry
    constant = all(sw == "r" and hw == "na" and not own for _, _, _, sw, hw, *_, own in listed)
    fields = [
        {
            "name": field,
            "low": low,
            "width": width,
            "sw": sizes.access(name, sw),
            "hw": hw,
            "reset": None if constant else _value(reset, sizes),
            "signed": bool(signed),
            "pulse": bool(pulse),
            "own": bool(own),
        }
        for field, low, width, sw, hw, reset, signed, pulse, own in listed
    ]
    return {
        "name": name,
        "port": port,
        "address": address,
        "half": half,
        "index": index,
        "elements": elements,
        "fields": fields,
    }
