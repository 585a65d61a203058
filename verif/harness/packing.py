"""Between the bits of a port and the fields of its layout."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Shape, ShapeCastable
from amaranth.lib import data


def _signed(value: int, width: int) -> int:
    return value - (1 << width) if value >> (width - 1) & 1 else value


class Packer:
    """Packs and unpacks payloads: ``{"field": int, "array": [ints]}`` for a struct, an int else."""

    def __init__(self, shape: Any) -> None:
        self.shape = shape
        self.width = Shape.cast(shape).width

    def pack(self, value: Any) -> int:
        if isinstance(self.shape, data.Layout):
            items = value.items() if isinstance(value, dict) else enumerate(value)
            total = 0
            for key, item in items:
                field = self.shape[key]
                total |= Packer(field.shape).pack(item) << field.offset
            return total
        return int(value) & ((1 << self.width) - 1)

    def unpack(self, bits: int) -> Any:
        if isinstance(self.shape, data.Layout):
            parts = {
                key: Packer(field.shape).unpack(bits >> field.offset & ((1 << field.width) - 1))
                for key, field in self.shape
            }
            return list(parts.values()) if isinstance(self.shape, data.ArrayLayout) else parts
        shape = Shape.cast(self.shape) if isinstance(self.shape, ShapeCastable) else self.shape
        return _signed(bits, self.width) if Shape.cast(shape).signed and self.width else bits
