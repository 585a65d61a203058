"""The firmware in this process over a model of the hardware: a board with a byte interface."""

from __future__ import annotations

import ctypes
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from ohmcarlo.spec.link import Operation
from ohmcarlo_hdl.config import REFERENCE, CoreConfig
from ohmcarlo_rtl.firmware.image import build_image
from ohmcarlo_rtl.firmware.native import build_native
from ohmcarlo_rtl.sources import firmware_sources

FORM, RESET, SET, READ = Operation
POLL_CLOCKS = 100_000


def mutants() -> list[str]:
    """Names of the planted bugs, by number. The first one is none."""
    text = (firmware_sources() / "mutant.h").read_text("utf-8")
    return re.findall(r"^    (\w+),$", text, re.M)


class NativeBoard:
    """``write`` and ``read`` are the two directions of the line; ``poll`` advances the time.

    The firmware runs only within ``poll``, and ``read`` returns what has arrived. Each board has
    its own copy of the library and thus its own variables. ``close`` it at the end, or use
    ``opened``. With ``image``, a model of the processor runs the image of the board.
    """

    def __init__(self, config: CoreConfig = REFERENCE, *, image: bool = False) -> None:
        self._image = build_image(config) if image else b""
        self._folder = Path(tempfile.mkdtemp(prefix="ohmcarlo-"))
        copy = self._folder / "firmware.so"
        shutil.copy(build_native(config), copy)
        self._library = ctypes.CDLL(str(copy))
        for name in ("native_clocks", "native_accesses", "native_instructions"):
            getattr(self._library, name).restype = ctypes.c_uint64
        for name in (
            "native_pulses",
            "native_unsafe",
            "native_lost",
            "native_send",
            "native_stack",
        ):
            getattr(self._library, name).restype = ctypes.c_uint32
        self._library.native_peek.restype = ctypes.c_uint32
        self._library.native_unsafe_reason.restype = ctypes.c_char_p
        self.reset()

    # -- the wire --------------------------------------------------------------------------------
    def write(self, data: bytes) -> None:
        """Send bytes from the host. Bytes beyond the 4096 of the ring are lost."""
        self._library.native_receive(data, len(data))

    def read(self, limit: int = 4096) -> bytes:
        """Bytes that the board has sent and that were not read yet, at most ``limit``."""
        buffer = ctypes.create_string_buffer(limit)
        count = self._library.native_send(buffer, limit)
        return buffer.raw[:count]

    def poll(self, clocks: int = POLL_CLOCKS) -> None:
        """Run the firmware for this number of clocks, or until it is idle."""
        self._library.native_poll(ctypes.c_uint32(clocks))

    # -- inspection --------------------------------------------------------------------------------
    def pulses(self, operation: int, row: int, device: int = 0) -> int:
        """Operations that reached a device (FORM 1, RESET 2, SET 3, READ 4); RESET: device 0."""
        return self._library.native_pulses(operation, row, device)

    @property
    def unsafe(self) -> int:
        """Number of forbidden actions of the firmware (firmware/native/native.h)."""
        return self._library.native_unsafe()

    @property
    def unsafe_reason(self) -> str:
        return self._library.native_unsafe_reason().decode()

    @property
    def lost(self) -> int:
        """Number of bytes from the host that found the ring full."""
        return self._library.native_lost()

    @property
    def idle(self) -> bool:
        """State of control.idle, as set by the firmware."""
        return bool(self._library.native_idle())

    @property
    def clocks(self) -> int:
        return self._library.native_clocks()

    @property
    def accesses(self) -> int:
        """Reads and writes of the hardware so far."""
        return self._library.native_accesses()

    @property
    def instructions(self) -> int:
        """Clocks of the image so far."""
        return self._library.native_instructions()

    @property
    def stack(self) -> int:
        """Largest stack depth of the image, in bytes."""
        return self._library.native_stack()

    def peek(self, address: int) -> int:
        """A register of the controller, or a word of a window, by its byte address."""
        return self._library.native_peek(address)

    # -- events that a test causes -----------------------------------------------------------------
    def reset(self) -> None:
        """Power up."""
        self._library.native_reset()
        if self._image:
            self._library.native_image(self._image, len(self._image))

    def restart(self) -> None:
        """Restart the processor; the hardware keeps its state."""
        self._library.native_restart()

    def fault(self, cause: int = 3) -> None:
        """Stop the sequencer."""
        self._library.native_fault(cause)

    def alarm(self) -> None:
        """Make the coin fail a health test."""
        self._library.native_alarm()

    def hang(self, first: int = 1) -> None:
        """Leave the ``first``-th operation from now and all later ones unanswered; 0: answer
        all."""
        self._library.native_hang(first)

    def break_at(self, operation: int) -> None:
        """Stop the sequencer in the course of that operation, counted from 1."""
        self._library.native_break(operation)

    def delay_records(self, clocks: int) -> None:
        """Clocks of a record word between controller and ring."""
        self._library.native_delay(clocks)

    def advance(self, clocks: int, watched: bool = False) -> None:
        """Advance the clock, without any work; ``watched``: the watchdog counts this time."""
        self._library.native_advance(ctypes.c_uint64(clocks), int(watched))

    def slow(self, clocks: int) -> None:
        """More clocks of a single operation, and of a step of the chain."""
        self._library.native_slow(clocks)

    def vary(self) -> None:
        """SETs of an entropy device end in different codes from now on, as on a real array."""
        self._library.native_vary(1)

    def predict_as(self, sums: Any) -> None:
        """Sum and sum of squares of each point in predictions from now on: integers (n, 2)."""
        words = np.ascontiguousarray(sums, np.uint64)
        self._library.native_sums(words.ctypes.data_as(ctypes.c_void_p), len(words))

    def freeze(self, frozen: bool = True) -> None:
        """Let the array answer no step of a chain, from now on."""
        self._library.native_freeze(int(frozen))

    def mismatch(self, controller: bool = False, board: bool = False) -> None:
        """Give the board other register maps than those of the firmware."""
        self._library.native_mismatch(int(controller), int(board))

    def plant(self, mutant: str) -> None:
        """Plant a bug of firmware/src/mutant.h in the firmware; it stays until the board is
        closed."""
        self._library.native_mutant(mutants().index(mutant))

    def close(self) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)


@contextmanager
def opened(config: CoreConfig = REFERENCE, *, image: bool = False) -> Iterator[NativeBoard]:
    """A board that is closed at the end of the block."""
    board = NativeBoard(config, image=image)
    try:
        yield board
    finally:
        board.close()
