"""The flat memory image of an ELF file, and the sizes of its parts."""

from __future__ import annotations

import struct
from dataclasses import dataclass

NOBITS, WRITABLE, ALLOCATED, EXECUTABLE = 8, 1, 2, 4
"""ELF: a section type, and three section flags."""


@dataclass(frozen=True)
class Flat:
    """``image``: the memory from address 0 on. Sizes in bytes: ``code``, ``text`` (code and
    constants), ``data`` (variables with an initial value), ``bss`` (zeroed variables)."""

    image: bytes
    code: int
    text: int
    data: int
    bss: int


def flattened(elf: bytes) -> Flat:
    """The image and sizes of a 32-bit little-endian ELF file."""
    (section_at,) = struct.unpack_from("<I", elf, 0x20)
    size, count = struct.unpack_from("<HH", elf, 0x2E)
    image, code, text, data, bss = bytearray(), 0, 0, 0, 0
    for index in range(count):
        fields = struct.unpack_from("<10I", elf, section_at + index * size)
        _, kind, flags, address, offset, length = fields[:6]
        if not flags & ALLOCATED:
            continue
        if kind == NOBITS:
            bss += length
            continue
        image.extend(bytes(max(0, address + length - len(image))))
        image[address : address + length] = elf[offset : offset + length]
        code += length if flags & EXECUTABLE else 0
        text, data = (text, data + length) if flags & WRITABLE else (text + length, data)
    return Flat(bytes(image), code, text, data, bss)
