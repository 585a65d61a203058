"""The self-test of a board: its link, its memory, its registers, its devices."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from ..array.base import Array
from ..array.emulated import EmulatedArray
from ..boards import (
    MODEL,
    HardwareBoard,
    SerialBoard,
    SmallBoard,
    is_small,
    open_hardware,
    open_small,
)
from ..boards.controller import Refused
from ..boards.memory.layout import Layout
from ..boards.small.client import IDENTIFICATION
from ..spec import DAC_MAX
from ..spec.link import DIE_FIELDS, FIELDS, MAX_BODY, Message, Status

ECHOES = 100
REPEATS = 8  # reads of a window
PATTERNS = (0x00000000, 0xFFFFFFFF, 0x55555555, 0xAAAAAAAA)
MEMORY = "state_held"  # a window with all bits of every word, readable and writable
WORD_BITS = 32
DEVICE_ROWS = 8
D2D_REL, STUCK = 0.02, 0.05  # to exercise every part of the emulator
LINK, DEVICES = "link", "devices"
Finding = tuple[bool, str]


def layout_of(backend: str, array: Array, say: Callable[[str], None]) -> Layout | None:
    """Layout of the board of a backend, with such an ``array``; None if it is unlimited (the
    software model)."""
    if backend == MODEL:
        return None
    board: HardwareBoard | SmallBoard
    if is_small(backend):
        board = open_small(backend, None, say)
    else:
        board = open_hardware(backend, array, say)
    board.close()
    return board.layout


def check_link(board: HardwareBoard, seed: int) -> Finding:
    """A link echoes messages of any length; a bus gives the same words again. The detail has speed
    and errors."""
    return _echoes(board, seed) if isinstance(board, SerialBoard) else _repeated_reads(board)


def _echoes(board: SerialBoard, seed: int) -> Finding:
    rng = np.random.default_rng(seed)
    bodies = [rng.bytes(n) for n in rng.integers(0, MAX_BODY + 1, ECHOES)] + [bytes(MAX_BODY)]
    sent = sum(map(len, bodies))
    began = time.perf_counter()
    echoes = list(board.link.requests((Message.ECHO, body) for body in bodies))
    rate = sent / (time.perf_counter() - began)
    counters = board.link.counters
    return echoes == bodies, (
        f"{len(bodies)} messages echoed, {rate / 1000:.3g} kB/s each way; "
        f"{counters.damaged} frames damaged, {counters.resent} sent again"
    )


def link_counts(board: HardwareBoard) -> tuple[tuple[str, str], ...]:
    """Bytes, frames and repairs of the link so far, by name; empty for a board on a bus."""
    if not isinstance(board, SerialBoard):
        return ()
    counters = board.link.counters.to_dict()
    return tuple((name.replace("_", " "), f"{n:,}") for name, n in counters.items())


def _repeated_reads(board: HardwareBoard) -> Finding:
    rows = board.layout.rows
    first = board.remote.unload(MEMORY, rows)
    began = time.perf_counter()
    again = [board.remote.unload(MEMORY, rows) for _ in range(REPEATS)]
    rate = REPEATS * rows / (time.perf_counter() - began)
    differ = sum(int(np.count_nonzero(words != first)) for words in again)
    return differ == 0, f"{REPEATS * rows} words read back, {differ} differ; {rate:.3g} words/s"


def check_memory(board: HardwareBoard, seed: int) -> Finding:
    """A window keeps the patterns that are written into it, and the number of every word."""
    rows = board.layout.rows
    numbers = np.random.default_rng(seed).permutation(rows).astype(np.uint32)
    contents = [np.full(rows, pattern, np.uint32) for pattern in PATTERNS] + [numbers]
    before, wrong = board.remote.unload(MEMORY, rows), 0
    for words in contents:
        board.remote.load(MEMORY, words)
        wrong += int(np.count_nonzero(board.remote.unload(MEMORY, rows) != words))
    board.remote.load(MEMORY, before)
    return wrong == 0, f"{len(contents)} patterns in {rows} words, {wrong} words wrong"


def check_registers(board: HardwareBoard, _: int) -> Finding:
    """Every bit of every register can be set alone; the old values are restored."""
    remote, readable = board.remote, [name for name in FIELDS if not _read_only(name)]
    readable += DIE_FIELDS if board.layout.phy else ()
    before = remote.read(readable)
    bits, wrong = 0, []
    for name in readable:
        width, good = _walk(board, name)
        remote.write({name: before[name]})
        bits += width
        if not width or not good or remote.read(readable) != before:
            wrong.append(name)
    text = f"{bits} bits of {len(readable)} fields"
    return not wrong, f"{text}; wrong: {', '.join(wrong)}" if wrong else text


def _read_only(name: str) -> bool:
    return FIELDS.index(name) > FIELDS.index("row.select.value")


def _walk(board: HardwareBoard, name: str) -> tuple[int, bool]:
    """Set the bits of a field one by one; their number, and whether each was read back."""
    good = True
    for bit in range(WORD_BITS):
        try:
            board.remote.write({name: 1 << bit})
        except Refused as refused:
            if refused.status != Status.OUT_OF_RANGE:
                raise
            return bit, good
        good &= board.remote.read_one(name) == 1 << bit
    return WORD_BITS, good


def check_emulator(board: HardwareBoard, seed: int) -> Finding:
    """The codes of devices are those of the emulated array in this process, bit for bit."""
    geometry = board.layout.geometry
    twin = EmulatedArray(geometry, seed, d2d_rel=D2D_REL, stuck=STUCK)
    board.array = twin
    array = board.raw_array()
    rng = np.random.default_rng(seed)
    pulses = differ = 0
    for row in rng.choice(geometry.rows, DEVICE_ROWS, replace=False).tolist():
        devices = rng.permutation(geometry.row_devices).astype(np.int32)
        dac = rng.integers(0, DAC_MAX + 1, len(devices)).astype(np.int32)
        for one in (array, twin):
            one.reset(row)
        found, wanted = (one.program(row, devices, dac) for one in (array, twin))
        again = array.read(row, devices)
        differ += int(np.count_nonzero((found != wanted) | (again != wanted)))
        pulses += len(devices)
    return differ == 0, f"{pulses} pulses, {differ} codes that differ from the emulated array's"


def check_small_line(board: SmallBoard, _: int) -> Finding:
    """The identification of a board without a processor is the same at every read."""
    wanted = list(board.identification.values())
    addresses = [IDENTIFICATION[name] for name in board.identification]
    began = time.perf_counter()
    found = [board.client.line.words(*addresses) for _ in range(ECHOES)]
    rate = ECHOES * len(wanted) / (time.perf_counter() - began)
    differ = sum(one != two for words in found for one, two in zip(words, wanted, strict=True))
    return differ == 0, (
        f"{ECHOES * len(wanted)} words read back, {differ} differ; {rate:.3g} words/s; memory, "
        "registers and devices cannot be read back: the chain shows them"
    )


BOARD_CHECKS: dict[str, Callable[[HardwareBoard, int], Finding]] = {
    LINK: check_link,
    "memory": check_memory,
    "registers": check_registers,
    DEVICES: check_emulator,
}
