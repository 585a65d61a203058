"""The PYNQ driver over a model of the core, with stand-ins for the classes of pynq."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from test_register_board import CONFIG, GEOMETRY, SEED, chain, data, played

from ohmcarlo.array.emulated import EmulatedArray
from ohmcarlo.boards import HardwareBoard, ModelBoard, pynq
from ohmcarlo.boards.pynq import DmaRecords, PynqAccess, board_of, length_of_records
from ohmcarlo.errors import OhmcarloError, UsageError
from register_model import RegisterModel


class Mmio:
    """``pynq.MMIO`` over a model."""

    def __init__(self, model: RegisterModel, length: int = 1 << 20) -> None:
        self.base_addr, self.length = 0x43C00000, length
        self.read, self.write = model.read, model.write


class Buffer(np.ndarray):
    """An array of ``pynq.allocate``."""

    flushed = 0

    def flush(self) -> None:
        assert not self.any()  # before its transfer
        Buffer.flushed += 1


def allocate(shape: tuple[int, ...], dtype: Any) -> Buffer:
    return np.full(shape, 0x55, dtype).view(Buffer)


class Channel:
    """The receive channel of a DMA: a transfer ends with the last word of a command."""

    def __init__(self, model: RegisterModel) -> None:
        self.model = model
        self.buffer: Any = None
        self.transfers = self.stops = 0

    def transfer(self, buffer: Any) -> None:
        assert self.buffer is None, "the channel is not idle"
        self.buffer = buffer
        self.transfers += 1

    def wait(self) -> None:
        words, self.model.stream = self.model.stream, []
        assert self.buffer is not None and 0 < len(words) <= len(self.buffer)
        self.buffer[: len(words)] = words
        self.buffer = None

    def stop(self) -> None:
        self.buffer = None
        self.model.stream = []
        self.stops += 1

    def start(self) -> None:
        assert self.buffer is None


class Dma:
    def __init__(self, model: RegisterModel, size: int) -> None:
        self.recvchannel = Channel(model)
        self.buffer_max_size = size


@pytest.fixture
def model() -> RegisterModel:
    found = RegisterModel(CONFIG, EmulatedArray(GEOMETRY, SEED))
    found.put("ip.streams.value", 1)
    return found


def golden() -> dict[str, Any]:
    board = ModelBoard(EmulatedArray(GEOMETRY, SEED))
    board.configure(chain(), data())
    return played(board)


@pytest.mark.parametrize("size", [None, 1 << 23, 1 << 10])
def test_a_chain(model: RegisterModel, size: int | None) -> None:
    """Through the ring, and by DMA: in one transfer for each command, or in several parts where the
    length of a transfer is short."""
    dma = None if size is None else Dma(model, size)
    board = board_of(Mmio(model), EmulatedArray(GEOMETRY, SEED), dma, allocate)
    board.configure(chain(), data())
    model.begin(chain(), data())
    found, wanted = played(board), golden()
    assert [n for n in wanted if not np.array_equal(found[n], wanted[n])] == []
    if dma is None:
        assert model.get("records.taken.value") > 0
    elif size == 1 << 23:  # two runs, current samples, predictions of 300 and of 40 points
        assert dma.recvchannel.transfers == 2 + 1 + 2 + 1
    else:
        assert dma.recvchannel.transfers > 6 and model.get("records.taken.value") == 0


def test_the_driver(model: RegisterModel, monkeypatch: pytest.MonkeyPatch) -> None:
    """The class of the core in an overlay, with the names of the exported core."""
    package = ModuleType("pynq")

    class DefaultIP:
        mmio = Mmio(model)

    package.DefaultIP = DefaultIP  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "pynq", package)
    made = pynq.register()
    assert issubclass(made, DefaultIP) and made.__name__ == "OhmcarloIP"
    assert made.bindto == ("ohmcarlo:ip:ohmcarlo_axi4_lite:0.1",)  # type: ignore[attr-defined]
    board = made().board(EmulatedArray(GEOMETRY, SEED))
    assert isinstance(board, HardwareBoard) and board.place == "address 0x43c00000"
    board.close()


def test_without_pynq(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynq", None)
    with pytest.raises(UsageError, match="the package pynq is not installed: use the Python of a"):
        pynq.register()


def test_what_an_overlay_lacks(model: RegisterModel) -> None:
    array = EmulatedArray(GEOMETRY, SEED)
    with pytest.raises(OhmcarloError, match=r"0x1000 bytes are mapped at address 0x43c00000, the"):
        board_of(Mmio(model, 0x1000), array)
    with pytest.raises(UsageError, match="no receive channel: enable its S2MM side"):
        board_of(Mmio(model), array, object(), allocate)
    both = Dma(model, 1 << 23)
    with pytest.raises(UsageError, match="one DMA is given for records and data points"):
        board_of(Mmio(model), array, both, allocate, both)
    model.put("ip.streams.value", 0)
    with pytest.raises(UsageError, match="the core has no streams: pass no DMA"):
        board_of(Mmio(model), array, Dma(model, 1 << 23), allocate)


def source_of(model: RegisterModel) -> tuple[DmaRecords, Channel]:
    board = board_of(Mmio(model), EmulatedArray(GEOMETRY, SEED))
    dma = Dma(model, 1 << 23)
    return DmaRecords(board.remote.core, dma, allocate), dma.recvchannel  # type: ignore[attr-defined]


def test_a_command_without_records(model: RegisterModel) -> None:
    """Its transfer stays under way, and takes the records of the next command."""
    source, channel = source_of(model)
    source.begin()
    assert len(source.end(some=False)) == 0 and len(source.poll()) == 0
    source.begin()
    model.stream = [0x10000007]
    assert source.end(some=True).tolist() == [0x10000007] and channel.transfers == 1
    source.begin()
    assert channel.transfers == 2 and not channel.buffer.any() and Buffer.flushed


def test_a_dma_that_has_stopped(model: RegisterModel, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error of pynq's channel becomes one line with a remedy."""
    source, channel = source_of(model)
    source.begin()

    def fail() -> None:
        raise RuntimeError("DMA Decode Error")

    monkeypatch.setattr(channel, "wait", fail)
    with pytest.raises(OhmcarloError, match=r"DMA of the records has stopped \(DMA Decode Error\)"):
        source.end(some=True)


def test_records_that_are_given_up(model: RegisterModel) -> None:
    source, channel = source_of(model)
    source.begin()
    source.drop()
    source.begin()
    assert channel.stops == 1 and channel.transfers == 2


@pytest.mark.parametrize("words, length", [
    ([], 0),
    ([0x10000003, 0, 0], 1),
    ([0x10800003, 0, 0, 0], 3),
    ([0x20000005, 0, 1, 0, 0, 0, 0], 6),
    ([0x30000000, 0, 0, 0, 0, 0x10000001], 6),
])  # fmt: skip
def test_the_length_of_records(words: list[int], length: int) -> None:
    """Words of a record may be zero; the first one is not."""
    assert length_of_records(np.array(words, np.uint32)) == length


def test_accesses(model: RegisterModel) -> None:
    access = PynqAccess(Mmio(model))
    access.write(0x84, np.uint32(7))  # type: ignore[arg-type]
    assert access.read(0x84) == 7 and type(model.words[0x84]) is int
