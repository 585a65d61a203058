"""Interface of an array: a stream of requests, and a stream of responses in the same order."""

from __future__ import annotations

from amaranth import Cat, Const, Shape, Value, signed, unsigned
from amaranth.hdl import ValueLike
from amaranth.lib import data, enum

from ohmcarlo.spec import DAC_BITS

from ..config import CoreConfig


class Op(enum.Enum, shape=unsigned(3)):  # type: ignore[call-arg]
    """Operations of an array. Codes that are not listed are refused by the sequencer."""

    FORM = 1
    """FORM one device (once in its life)."""
    RESET = 2
    """RESET a whole row: every device to its high-resistance state."""
    SET = 3
    """SET one device with the compliance of ``dac``."""
    READ = 4
    """READ one device; answered with its code."""
    DOT = 5
    """One access: Σ inputs · (code⁺ - code⁻) over one tile of a row; answered with a reading."""
    SELECT = 6
    """Hint: this row is used next. It changes no code; an array may prepare for the row."""


def array_request(config: CoreConfig) -> data.StructLayout:
    """Payload of a request.

    ``op`` is an ``Op`` (as bits: unknown codes must be representable); ``device`` is twice the
    pair, plus one for g⁻; ``dac`` belongs to SET and FORM; ``tile``, ``top`` and ``inputs`` to DOT:
    ``inputs[i]`` drives pair ``tile * tile_pairs + i`` with ``access_bits`` bits of its int8 input,
    the *top* bits are two's complement, the others unsigned. Fields that an operation does not use
    are zero.
    """
    return data.StructLayout(
        {
            "op": unsigned(3),
            "row": unsigned(config.row_bits),
            "device": unsigned(config.device_bits),
            "dac": unsigned(DAC_BITS),
            "tile": unsigned(config.tile_bits),
            "top": unsigned(1),
            "inputs": data.ArrayLayout(unsigned(config.access_bits), config.tile_pairs),
        }
    )


def request_of(config: CoreConfig, **fields: ValueLike) -> Value:
    """A whole request from some of its fields, the others zero.

    A single assignment becomes one expression. With one assignment per field, the constant fields
    would become processes that no event triggers.
    """
    layout = array_request(config)
    parts = []
    for name, member in layout:
        part = Value.cast(fields.pop(name, Const(0, Shape.cast(member.shape).width)))
        parts.append((part | Const(0, member.width))[: member.width])
    return Cat(parts)


def array_response(config: CoreConfig) -> data.StructLayout:
    """Payload of a response: one for each READ and DOT, in the order of the requests.

    A DOT reading is ``saturate(shift_round(sum, dot_shift), dot_limit)`` where the geometry gives
    the converter a resolution, the sum itself otherwise.
    """
    return data.StructLayout({"value": signed(config.reading_bits)})
