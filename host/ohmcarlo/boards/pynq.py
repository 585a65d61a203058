"""The IP core in an overlay of PYNQ.

    from pynq import Overlay
    from ohmcarlo.array.emulated import EmulatedArray
    from ohmcarlo.boards import pynq
    from ohmcarlo.spec import Geometry

    pynq.register()                         # overlays have OhmcarloIP from now on
    overlay = Overlay("ohmcarlo.bit")
    array = EmulatedArray(Geometry(rows=64, pairs=16), seed=0)
    board = overlay.ohmcarlo_0.board(array, overlay.axi_dma_0)

The result is a ``Board``, as of every other backend. The calls import ``pynq``, which is not a
dependency of this package. Records come by DMA if one is given, otherwise through the ring.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from inspect import signature
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import __version__
from ..array.base import Array
from ..errors import OhmcarloError, UsageError
from ..spec.link import (
    ACCEPTED_WORDS,
    PREDICTION_WORDS,
    RECORD_KIND_SHIFT,
    RECORD_PREDICTION,
    RECORD_SAMPLE,
    RECORD_STEP,
    SAMPLE_WORDS_BITS,
    STEP_ACCEPTED_SHIFT,
)
from .hardware_board import HardwareBoard
from .link.transport import LINK_TIMEOUT_S, link_timeout_s
from .registers.access import RegisterAccess
from .registers.controller import RegisterController
from .registers.core import Core
from .registers.records import NONE, RecordSource, Words
from .streamed import Feeder

VERSION = ".".join(__version__.split(".")[:2])
VLNVS = (f"ohmcarlo:ip:ohmcarlo_axi4_lite:{VERSION}",)
"""Names of the exported core in a block design, to which the driver is bound."""
DMA_CONTROL, DMA_RESET = 0, 4
"""Control register of an AXI DMA's MM2S side, and its bit that resets the DMA."""
BUFFER_WORDS = 1 << 16
"""Words of the DMA buffer; a core with many data points gets a larger one."""


def register() -> type:
    """Make the driver class; overlays that are loaded later use it for the core.

    Returns
    -------
    type
        The class ``OhmcarloIP``.

    Raises
    ------
    UsageError
        Where ``pynq`` is not installed.

    Examples
    --------
    On a PYNQ board, overlays that are loaded later have the driver. Elsewhere:

    >>> from ohmcarlo.boards import pynq
    >>> pynq.register()
    Traceback (most recent call last):
    ohmcarlo.errors.UsageError: the package pynq is not installed: ...
    """
    pynq = _pynq()

    class OhmcarloIP(pynq.DefaultIP):  # type: ignore[name-defined]
        """The core in an overlay. ``board`` returns it as a board."""

        bindto = VLNVS

        def board(self, array: Array, dma: Any = None, data_dma: Any = None) -> HardwareBoard:
            """As ``ohmcarlo.boards.pynq.board_of`` for this core."""
            return board_of(self.mmio, array, dma, data_dma=data_dma)

    return OhmcarloIP


def _pynq() -> Any:
    try:
        import pynq
    except ImportError as error:
        raise UsageError(
            "the package pynq is not installed: use the Python of a PYNQ image, or --backend "
            "mmio:/dev/uioN on other systems"
        ) from error
    return pynq


def board_of(
    mmio: Any,
    array: Array,
    dma: Any = None,
    allocate: Callable[..., Any] | None = None,
    data_dma: Any = None,
) -> HardwareBoard:
    """The core behind ``mmio`` as a board.

    Parameters
    ----------
    mmio : pynq.MMIO
        Its registers.
    array : Array
        The emulated array that is loaded, or the description of a die.
    dma : pynq.lib.DMA, optional
        With its receive channel at the core's stream of records. None: records come through the
        ring.
    allocate : callable, optional
        Allocates the buffer of the DMA; None: ``pynq.allocate``.
    data_dma : pynq.lib.DMA, optional
        With scatter-gather, and its send channel at the core's stream of data points. It supplies
        the points beyond the data memory. None: such points are refused. It is another DMA than
        ``dma``, because its reset stops both of its channels.

    Raises OhmcarloError if no core of this version answers, UsageError for another array, for one
    DMA in both places, or for a DMA where the core has no streams.
    """
    if dma is not None and data_dma is dma:
        raise UsageError(
            "one DMA is given for records and data points, but its reset stops both: add a second "
            "AXI DMA to the block design"
        )
    access = PynqAccess(mmio)

    def stream_of(core: Core) -> RecordSource:
        if not core.get("ip.streams.value"):
            raise UsageError("the core has no streams: pass no DMA, or export it with streams")
        return DmaRecords(core, dma, allocate or _pynq().allocate)

    controller = RegisterController(
        access,
        access.name,
        link_timeout_s(LINK_TIMEOUT_S),
        stream=None if dma is None else stream_of,
        feeder=None if data_dma is None else DmaFeeder(data_dma, allocate or _pynq().allocate),
    )
    return HardwareBoard(controller, array, "pynq")


class PynqAccess(RegisterAccess):
    """Registers of a core behind ``pynq.MMIO``, whose accesses have 32 bits."""

    def __init__(self, mmio: Any) -> None:
        self._mmio = mmio
        self.name = f"address {mmio.base_addr:#x}"

    def reach(self, size: int) -> None:
        if size > self._mmio.length:
            raise OhmcarloError(
                f"{self._mmio.length:#x} bytes are mapped at {self.name}, the core there needs "
                f"{size:#x}: enlarge its range in the address editor of the block design"
            )

    def read(self, address: int) -> int:
        return int(self._mmio.read(address))

    def write(self, address: int, value: int) -> None:
        self._mmio.write(address, int(value))


class DmaRecords(RecordSource):
    """Records of whole commands by DMA: one transfer each, which ends with TLAST.

    A command without a record leaves its transfer under way for the next one.

    Parameters
    ----------
    core : Core
    dma : pynq.lib.DMA
    allocate : callable
        ``pynq.allocate``.
    """

    def __init__(self, core: Core, dma: Any, allocate: Callable[..., Any]) -> None:
        channel = getattr(dma, "recvchannel", None)
        if channel is None:
            raise UsageError("the DMA has no receive channel: enable its S2MM side")
        self._core, self._channel = core, channel
        wanted = max(BUFFER_WORDS, (1 + PREDICTION_WORDS) * core.constants["max_points"])
        self.room: int = min(wanted, (getattr(dma, "buffer_max_size", 4 * wanted) - 1) // 4)
        self._buffer = allocate(shape=(self.room,), dtype=np.uint32)
        self._under_way = False

    def select(self) -> None:
        self._core.put("records.options", to_stream=1, whole_command=1)

    def begin(self) -> None:
        if self._under_way:
            return
        self._buffer[:] = 0
        flush = getattr(self._buffer, "flush", None)
        if flush is not None:  # so that no cache line is written back over the records
            flush()
        with _explained("records"):
            self._channel.transfer(self._buffer)
        self._under_way = True

    def poll(self) -> Words:
        return NONE

    def end(self, some: bool) -> Words:
        if not some:
            return NONE
        with _explained("records"):
            self._channel.wait()
        self._under_way = False
        words = np.array(self._buffer, np.uint32)
        return words[: length_of_records(words)]

    def drop(self) -> None:
        if hasattr(self._channel, "stop"):
            self._channel.stop()
            self._channel.start()
            self._under_way = False


class DmaFeeder(Feeder):
    """Repeats the points beyond the data memory as a packet, by a cyclic transfer.

    Parameters
    ----------
    dma : pynq.lib.DMA
    allocate : callable
        ``pynq.allocate``.
    """

    def __init__(self, dma: Any, allocate: Callable[..., Any]) -> None:
        channel = getattr(dma, "sendchannel", None)
        if channel is None:
            raise UsageError("the DMA of the data points has no send channel: enable its MM2S side")
        if "cyclic" not in signature(channel.transfer).parameters:
            raise UsageError("the DMA of the data points repeats no packet: enable scatter-gather")
        self._dma, self._channel, self._allocate = dma, channel, allocate
        self._buffer: Any = None

    def feed(self, words: Words) -> None:
        self._buffer = self._allocate(shape=(len(words),), dtype=np.uint32)
        self._buffer[:] = words
        with _explained("data points"):
            self._channel.transfer(self._buffer, cyclic=True)

    def stop(self) -> None:
        if self._buffer is None:
            return
        # a channel that is only stopped would first send the words that nobody takes
        self._dma.mmio.write(DMA_CONTROL, DMA_RESET)
        while self._dma.mmio.read(DMA_CONTROL) & DMA_RESET:
            pass
        self._channel.start()
        self._buffer = None


@contextmanager
def _explained(what: str) -> Iterator[None]:
    """Turn the errors of a channel of pynq into OhmcarloError."""
    try:
        yield
    except RuntimeError as error:
        raise OhmcarloError(
            f"the DMA of the {what} has stopped ({error}): check its clock and the addresses that "
            "it can reach, then load the overlay again"
        ) from error


def length_of_records(words: NDArray[np.uint32]) -> int:
    """Words of the records at the beginning of a buffer, which is zero after them.

    >>> length_of_records(np.array([0x10000007, 0x10800003, 5, 6, 0, 0], np.uint32))
    4
    """
    place = 0
    while place < len(words):
        head = int(words[place])
        kind = head >> RECORD_KIND_SHIFT
        if kind == RECORD_STEP:
            place += 1 + ACCEPTED_WORDS * (head >> STEP_ACCEPTED_SHIFT & 1)
        elif kind == RECORD_SAMPLE:
            place += 1 + (head & (1 << SAMPLE_WORDS_BITS) - 1)
        elif kind == RECORD_PREDICTION:
            place += 1 + PREDICTION_WORDS
        else:
            break
    return place
