"""Codes, and the state of the coin, as words of the windows of a controller; for ``state.py``."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...golden import Registers
from ...golden import machine as golden
from ...spec import CODE_BITS, SYMBOL_BITS
from ...spec.link import PAIR_MINUS_SHIFT
from .layout import Layout

State = dict[str, NDArray[Any]]

COUNTS_AT, COLUMNS_AT = 8, 16  # words of ``state_coin``
RUN_MAX, SYMBOL_RUN_MAX, CLEAN_MAX = 511, 255, 255
CODE_MASK = (1 << CODE_BITS) - 1


def row_words(layout: Layout) -> int:
    """Words for the pairs of a row, a power of two."""
    return 1 << (layout.pairs - 1).bit_length()


def pairs_of(registers: Registers) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Row within the group and position in the row of every pair of a sample."""
    machine = golden.build_machine(registers)
    return machine.slot_row[::2], machine.slot_device[::2] // 2


def packed(codes: NDArray[Any]) -> NDArray[np.uint32]:
    """(…, devices) → (…, pairs): g⁺ in bits 9:0, g⁻ in bits 25:16."""
    codes = codes.astype(np.uint32)
    words: NDArray[np.uint32] = codes[..., 0::2] | codes[..., 1::2] << np.uint32(PAIR_MINUS_SHIFT)
    return words


def unpacked(words: NDArray[np.int64]) -> NDArray[np.int64]:
    """(…, pairs) → (…, devices)."""
    both = np.stack([words & CODE_MASK, words >> PAIR_MINUS_SHIFT & CODE_MASK], axis=-1)
    return both.reshape(*words.shape[:-1], 2 * words.shape[-1])


# -- the coin ------------------------------------------------------------------------------------


def coin_words(of: State, layout: Layout) -> NDArray[np.uint32]:
    """The window ``state_coin`` of a golden state."""
    s = of["scalars"]
    words = np.zeros(COLUMNS_AT + 2 * layout.entropy_pairs, np.int64)
    if s[golden.RCT_LAST] != golden.NO_BIT:
        words[0] = s[golden.RCT_LAST] | 1 << 1 | min(s[golden.RCT_RUN], RUN_MAX) << 16
    words[1] = s[golden.APT_FIRST] | s[golden.APT_SEEN] << 1 | s[golden.APT_MATCHES] << 16
    words[2] = s[golden.ALARM] | min(s[golden.CLEAN_WINDOWS], CLEAN_MAX) << 8
    words[3] = s[golden.ALARMS]
    words[4], words[5] = s[golden.RAW_BITS], s[golden.RAW_BITS] >> 32
    words[COUNTS_AT : COUNTS_AT + (1 << SYMBOL_BITS)] = of["symbol_counts"]
    last, run = of["symbol_last"].astype(np.int64), np.minimum(of["symbol_run"], SYMBOL_RUN_MAX)
    words[COLUMNS_AT:] = np.where(last >= 0, last | 1 << SYMBOL_BITS | run << 8, 0)
    return (words & 0xFFFFFFFF).astype(np.uint32)


def read_coin(of: State, words: NDArray[np.int64]) -> None:
    """Fill in the coin of the golden state ``of``."""
    s = of["scalars"]
    if words[0] >> 1 & 1:
        s[golden.RCT_LAST], s[golden.RCT_RUN] = words[0] & 1, words[0] >> 16
    s[golden.APT_FIRST], s[golden.APT_SEEN] = words[1] & 1, words[1] >> 1 & 0x3FF
    # the hardware clears the matches of a window when the next one begins
    s[golden.APT_MATCHES] = words[1] >> 16 if s[golden.APT_SEEN] else 0
    s[golden.ALARM], s[golden.CLEAN_WINDOWS] = words[2] & 1, words[2] >> 8 & CLEAN_MAX
    s[golden.ALARMS] = words[3]
    s[golden.RAW_BITS] = words[5] << 32 | words[4]
    of["symbol_counts"][:] = words[COUNTS_AT : COUNTS_AT + (1 << SYMBOL_BITS)]
    columns = words[COLUMNS_AT:]
    heard = columns >> SYMBOL_BITS & 1 != 0
    of["symbol_last"][:] = np.where(heard, columns & (1 << SYMBOL_BITS) - 1, -1)
    of["symbol_run"][:] = np.where(heard, columns >> 8, 0)
