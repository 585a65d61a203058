"""Threefry-2x32 with 20 rounds (Salmon et al., SC 2011): the emulator's source of noise.

The generator is counter-based: word n needs no earlier word. Hardware computes words in a pipeline,
and the model computes any word directly.
"""

from __future__ import annotations

from typing import Any

from ..jit import compiled, inlined
from ..spec import THREEFRY_PARITY, THREEFRY_ROTATIONS, THREEFRY_ROUNDS

MASK = 0xFFFFFFFF


@inlined
def threefry2x32(key0: int, key1: int, counter0: int, counter1: int) -> tuple[int, int]:
    """Two 32-bit words from a 64-bit key and a 64-bit counter, each given as two words."""
    key2 = THREEFRY_PARITY ^ key0 ^ key1
    x0 = (counter0 + key0) & MASK
    x1 = (counter1 + key1) & MASK
    for injection in range(1, THREEFRY_ROUNDS // 4 + 1):
        for turn in THREEFRY_ROTATIONS[4:] if injection % 2 == 0 else THREEFRY_ROTATIONS[:4]:
            x0 = (x0 + x1) & MASK
            x1 = (((x1 << turn) | (x1 >> (32 - turn))) & MASK) ^ x0
        key0, key1, key2 = key1, key2, key0
        x0 = (x0 + key0) & MASK
        x1 = (x1 + key1 + injection) & MASK
    return x0, x1


@compiled
def threefry_words(key0: int, key1: int, first: int, count: int, words: Any) -> None:
    """First word of counters ``first`` to ``first + count - 1``, into ``words`` (uint32).

    The loop has no other work, so that LLVM computes several words at once in vector instructions.
    """
    for i in range(count):
        counter = first + i
        words[i], _ = threefry2x32(key0, key1, counter & MASK, counter >> 32)
