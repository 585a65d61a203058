"""The bit-serial board (no processor): its registers, windows and samples over the serial line."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ..errors import OhmcarloError, UsageError
from ..spec.bit_serial_link import (
    ADDRESS_BYTES,
    FLAG_BYTES,
    LONGEST_REQUEST,
    READ,
    SAMPLE,
    SAMPLE_LAST,
    SAMPLE_THERE,
    WORD_BYTES,
    WRITE,
)
from ..spec.link import SAMPLE_HEADER_WORDS, Reason
from .base import BoardLost
from .memory.image import Image

PAIR_BITS = 16
CODE_MASK = 0x3FF
QUIET_S = 0.05
"""Silence after which the sample stream is regarded as empty, s."""
FIXED = {
    "proposal.wide_every.value": (0, "no wide steps: use wide_every = 0"),
    "entropy.fold.value": (1, "no fold of raw bits: use an array whose devices spread more"),
}
"""Fields that it may lack: the only value there, and what to say about others."""
ANSWER_S = 1.0
"""Time after which a board that does not answer is regarded as lost, s."""


class Port(Protocol):
    """A serial line; ``ports.SerialPort`` is one."""

    def write(self, data: bytes) -> None: ...

    def read(self, timeout_s: float) -> bytes: ...


class Samples:
    """Records of samples, in order of arrival.

    Attributes
    ----------
    codes : uint16 (n, devices)
    multiplicity : int64 (n,)
    loglik, prior : int64 (n,)
        LSB 2**-LOGLIK_FRAC nat.
    current : bool (n,)
        Whether the sample is the current one of the chain (``flush``), not a retired one.
    """

    def __init__(self, records: list[list[int]]) -> None:
        table = np.array(records, np.int64)
        header, pairs = table[:, :SAMPLE_HEADER_WORDS], table[:, SAMPLE_HEADER_WORDS:]
        sides = np.stack([pairs & CODE_MASK, pairs >> PAIR_BITS & CODE_MASK], axis=2)
        signed = header.astype(np.uint32).astype(np.int32).astype(np.int64)
        self.codes: NDArray[np.uint16] = sides.reshape(len(table), -1).astype(np.uint16)
        self.multiplicity: NDArray[np.int64] = header[:, 1]
        self.loglik: NDArray[np.int64] = signed[:, 2]
        self.prior: NDArray[np.int64] = signed[:, 3]
        self.current: NDArray[np.bool_] = (header[:, 0] >> 8 & 1).astype(bool)


class BitSerialClient:
    """The host side of ``ohmcarlo.spec.bit_serial_link``.

    Parameters
    ----------
    port : Port
    layout : dict
        ``fields``: path of a field to [byte address, lowest bit, width]; ``windows``: name to byte
        address; ``hash``: of the register map, as the controller shows it in id.map_hash.
        ``ohmcarlo_hdl.regs.map.layout_of`` makes it.

    Raises UsageError when the controller has another register map.
    """

    def __init__(self, port: Port, layout: Mapping[str, Any]) -> None:
        self.port = port
        self.fields: Mapping[str, list[int]] = layout["fields"]
        self.windows: Mapping[str, int] = layout["windows"]
        self._words: list[int] = []
        self._records: list[list[int]] = []
        # end a request that another program began, and drop its answer
        port.write(bytes(LONGEST_REQUEST))
        while port.read(QUIET_S):
            pass
        found = self.get("id.map_hash.value")
        if found != layout["hash"]:
            raise UsageError(
                f"the board has register map {found:08x}, this program has {layout['hash']:08x}: "
                "load the bitstream that belongs to it"
            )

    # -- words -------------------------------------------------------------------------------
    def write(self, address: int, *words: int) -> None:
        """Write words from the byte address ``address`` on."""
        data = bytearray()
        for number, word in enumerate(words):
            data.append(WRITE)
            data += (address // WORD_BYTES + number).to_bytes(ADDRESS_BYTES, "little")
            data += (word & 0xFFFFFFFF).to_bytes(WORD_BYTES, "little")
        self.port.write(bytes(data))

    def read(self, address: int) -> int:
        where = (address // WORD_BYTES).to_bytes(ADDRESS_BYTES, "little")
        self.port.write(bytes([READ]) + where)
        return int.from_bytes(self._answer(WORD_BYTES), "little")

    def _answer(self, size: int) -> bytes:
        data, until = b"", time.monotonic() + ANSWER_S
        while len(data) < size:
            data += self.port.read(ANSWER_S)
            if len(data) < size and time.monotonic() > until:
                raise BoardLost(f"the board answered {len(data)} of {size} bytes: check its cable")
        return data

    # -- names -------------------------------------------------------------------------------
    def get(self, field: str) -> int:
        address, low, width = self.fields[field]
        return self.read(address) >> low & ((1 << width) - 1)

    def load(self, image: Image) -> None:
        """Load registers and windows of an image, without those that the controller lacks.

        Raises UsageError for a setting that the controller cannot have.
        """
        for name, (only, remedy) in FIXED.items():
            if name not in self.fields and image.fields.get(name, only) != only:
                raise UsageError(f"the bit-serial controller has {remedy}")
        registers: dict[int, int] = {}
        for name, value in image.fields.items():
            if name in self.fields:
                address, low, width = self.fields[name]
                word = (value & ((1 << width) - 1)) << low
                registers[address] = registers.get(address, 0) | word
        for address, word in registers.items():
            self.write(address, word)
        for name, words in image.windows.items():
            if name in self.windows:
                self.write(self.windows[name], *(int(word) for word in words))

    def command(self, name: str) -> None:
        address, low, _ = self.fields[f"control.command.{name}"]
        self.write(address, 1 << low)

    # -- a chain -----------------------------------------------------------------------------
    def start(self) -> Reason:
        """Test the coin and program the first sample; returns the reason of the end."""
        self.command("emulator_restart")
        self.command("start")
        return self._finished()

    def run(self, steps: int) -> Reason:
        """Make ``steps`` steps; returns the reason of the end. See ``samples``."""
        self.write(self.fields["control.steps.value"][0], steps)
        self.command("run")
        return self._finished()

    def samples(self) -> Samples:
        """All samples since the last call, the current one last."""
        self.command("flush")
        self._finished()
        if self._words or not self._records:
            raise OhmcarloError("the last sample record is incomplete: start the chain again")
        records, self._records = self._records, []
        return Samples(records)

    def _finished(self) -> Reason:
        """Wait for the end of a command, and read its stream meanwhile."""
        while self.get("status.state.busy"):
            self._take()
        while self._take():
            pass
        return Reason(self.get("status.state.reason"))

    def _take(self) -> bool:
        """Read a word of the sample stream, if there is one."""
        self.port.write(bytes([SAMPLE]))
        flags, *word = self._answer(FLAG_BYTES + WORD_BYTES)
        if flags & SAMPLE_THERE:
            self._words.append(int.from_bytes(word, "little"))
            if flags & SAMPLE_LAST:
                self._records.append(self._words)
                self._words = []
        return bool(flags & SAMPLE_THERE)
