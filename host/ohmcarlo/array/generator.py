"""Seeded generators for the floating-point arrays, and their state as a plain array."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import UsageError
from .checks import check_array

Generator = np.random.Generator
BUFFER = 4  # words that a Philox generator keeps; its C code reads there without a check


def philox(seed: int, count: int) -> list[Generator]:
    """``count`` independent generators from one seed."""
    return [Generator(np.random.Philox(s)) for s in np.random.SeedSequence(seed).spawn(count)]


def pack_generator(generator: Generator) -> NDArray[np.uint64]:
    """The state of a Philox generator, uint64 (13,)."""
    state = generator.bit_generator.state
    tail = (state["buffer_pos"], state["has_uint32"], state["uinteger"])
    inner = state["state"]
    parts = (inner["counter"], inner["key"], state["buffer"], np.array(tail, np.uint64))
    return np.concatenate(parts).astype(np.uint64)


def check_generator(name: str, state: Mapping[str, NDArray[Any]]) -> None:
    """Raise UsageError unless ``state[name]`` is that of a Philox generator."""
    like = pack_generator(Generator(np.random.Philox(0)))
    check_array(state, name, like, 0)
    buffer_pos, has_uint32, uinteger = (int(v) for v in state[name][10:])
    if buffer_pos > BUFFER or has_uint32 > 1 or uinteger >> 32:
        raise UsageError(f"the checkpoint's {name} is not the state of a generator")


def unpack_generator(generator: Generator, packed: NDArray[np.uint64]) -> None:
    """Restore the state of a Philox generator that ``pack_generator`` returned."""
    state: dict[str, Any] = dict(generator.bit_generator.state)
    state["state"] = {"counter": packed[:4].copy(), "key": packed[4:6].copy()}
    state["buffer"] = packed[6:10].copy()
    state["buffer_pos"], state["has_uint32"], state["uinteger"] = (int(v) for v in packed[10:])
    generator.bit_generator.state = state
