"""Backends on a memory-mapped bus: names, maps of memory, and what is said where there are none."""

from __future__ import annotations

import errno
import fcntl
import mmap
import os
import struct
from pathlib import Path

import numpy as np
import pytest

from ohmcarlo import boards
from ohmcarlo.array.emulated import EmulatedArray
from ohmcarlo.boards import check_backend
from ohmcarlo.boards.registers import access, places
from ohmcarlo.boards.registers.access import DeviceMemory, MappedMemory, UioMemory
from ohmcarlo.errors import OhmcarloError, UsageError
from ohmcarlo.spec import Geometry

PAGE = mmap.PAGESIZE
SIZE = 2 * PAGE


@pytest.fixture
def memory(tmp_path: Path) -> Path:
    """A file of words in place of registers: word i is i."""
    path = tmp_path / "uio7"
    path.write_bytes(np.arange(SIZE // 4, dtype="<u4").tobytes())
    return path


def sysfs_of(path: Path, size: int = SIZE, skip: int = 0) -> Path:
    """The folder of UIO devices in sysfs."""
    place = path.parent / "sysfs" / path.name / "maps" / "map0"
    place.mkdir(parents=True, exist_ok=True)
    (place / "size").write_text(f"{size:#x}\n")
    (place / "offset").write_text(f"{skip:#x}\n")
    return path.parent / "sysfs"


# -- names -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "backend, said",
    [
        ("mmio", "--backend mmio: needs a place, such as mmio:/dev/uio0"),
        ("mmio:", "--backend mmio: needs a place, such as mmio:/dev/uio0"),
        ("devmem:", "--backend devmem: needs a place, such as devmem:0x43C00000"),
        ("devmem:there", "'there' is no number: write devmem:ADDRESS or devmem:ADDRESS,SIZE"),
        ("devmem:-4096", "'-4096' is no number"),
        ("devmem:0x43C00004", "the address is no multiple of 0x1000"),
        ("devmem:0x43C00000,", "'' is no number"),
        ("devmem:0x43C00000,100", "the size is no multiple of 0x1000"),
        ("devmem:0x43C00000,0", "the size is 0: leave it out, or give the one that"),
        ("mmioo:/dev/uio0", "mmio:/dev/uioN, devmem:ADDRESS"),
    ],
)
def test_names_that_are_none(backend: str, said: str) -> None:
    with pytest.raises(UsageError) as error:
        check_backend(backend)
    assert said in str(error.value) and "\n" not in str(error.value)


def test_names() -> None:
    for backend in ("mmio:/dev/uio0", "devmem:0x43C00000", "devmem:1136656384,0x40000"):
        for array in ("emulator", "phy"):
            check_backend(backend, array)
        with pytest.raises(UsageError, match="holds the emulated array or a die"):
            check_backend(backend, "physics")
    assert places.physical_place("devmem:0x43C00000,0x40000") == (0x43C00000, 0x40000)


# -- maps --------------------------------------------------------------------------------------


def test_words_of_a_map(memory: Path) -> None:
    """Reads and writes reach the words of the file."""
    found = MappedMemory(os.open(memory, os.O_RDWR), SIZE)
    assert found.read(0x40) == 0x10
    assert found.read_words(PAGE - 4, 3).tolist() == [PAGE // 4 - 1, PAGE // 4, PAGE // 4 + 1]
    found.write(8, 0xDEADBEEF)
    found.write_words(PAGE, np.array([5, 0xFFFFFFFF], np.uint32))
    found.close()
    found.close()
    words = np.frombuffer(memory.read_bytes(), "<u4")
    changed = np.flatnonzero(words != np.arange(SIZE // 4))
    assert changed.tolist() == [2, PAGE // 4, PAGE // 4 + 1]
    assert words[changed].tolist() == [0xDEADBEEF, 5, 0xFFFFFFFF]


def test_every_access_is_one_of_a_word(memory: Path) -> None:
    """No slice is read or written, because a copy of memory may use accesses of any width."""

    class Words:
        def __init__(self, words: np.ndarray) -> None:
            self.words = words
            self.seen: list[object] = []

        def item(self, place: object) -> int:
            self.seen.append(place)
            return int(self.words.item(place))

        def __setitem__(self, place: object, word: object) -> None:
            assert isinstance(word, np.uint32)
            self.seen.append(place)

    found = MappedMemory(os.open(memory, os.O_RDWR), SIZE)
    assert found._words.dtype == np.uint32 and found._words.flags.aligned
    watched = Words(found._words)
    found._words = watched
    found.read_words(0, 3)
    found.write_words(16, np.zeros(2, np.uint32))
    assert watched.seen == [0, 1, 2, 4, 5]
    found._words = watched.words
    del watched.words
    found.close()


def test_a_uio_device(memory: Path) -> None:
    """Its size and the place of its first register come from sysfs."""
    found = UioMemory(str(memory), sysfs_of(memory, PAGE, skip=0x80))
    assert found.size == PAGE and found.read(0x10) == 0x90 // 4
    found.reach(PAGE)
    with pytest.raises(OhmcarloError, match=r"has 0x1000 bytes, the controller there needs 0x300"):
        found.reach(0x3000)
    with pytest.raises(OhmcarloError, match="is in use by another program"):
        UioMemory(str(memory), sysfs_of(memory))
    found.close()
    UioMemory(str(memory), sysfs_of(memory)).close()


def test_interrupts_of_a_uio_device(memory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each wait enables the interrupt, and takes its count when it came."""
    found = UioMemory(str(memory), sysfs_of(memory))
    line, other_end = os.pipe()
    given: list[bytes] = []
    monkeypatch.setattr(access.os, "write", lambda _, data: given.append(data) or 4)
    os_read = os.read
    map_of, found._descriptor = found._descriptor, line
    taken: list[bytes] = []
    monkeypatch.setattr(access.os, "read", lambda fd, n: taken.append(os_read(fd, n)) or b"")
    assert found.interrupts
    found.wait(0.0)
    assert given == [struct.pack("=I", 1)] and taken == []
    monkeypatch.undo()
    os.write(other_end, struct.pack("=I", 9))
    monkeypatch.setattr(access.os, "write", lambda _, data: 4)
    found.wait(60.0)
    assert not access.select.select([line], [], [], 0)[0]  # the count was read
    monkeypatch.setattr(access.os, "write", _no_interrupt)
    with pytest.raises(boards.BoardLost, match="is gone: load its overlay again"):
        found.wait(0.0)
    found.interrupts = False  # a device without an interrupt is polled
    found.wait(0.0)
    found._descriptor = map_of
    found.close()


def _no_interrupt(*_: object) -> int:
    raise OSError(errno.EIO, "no interrupt")


def test_uio_devices_that_cannot_be_used(tmp_path: Path, memory: Path) -> None:
    nowhere = tmp_path / "uio9"
    with pytest.raises(OhmcarloError, match=r"no UIO device .*uio9: .*available devices: none"):
        UioMemory(str(nowhere), tmp_path / "none")
    with pytest.raises(OhmcarloError, match=r"available devices: /dev/uio7"):
        UioMemory(str(nowhere), sysfs_of(memory))
    other = tmp_path / "null"
    other.write_bytes(b"")
    with pytest.raises(OhmcarloError, match=r"null: load the overlay; available"):
        UioMemory(str(other), sysfs_of(memory))
    with pytest.raises(OhmcarloError, match=r"as a UIO device \(Is a directory\): check"):
        UioMemory(str(tmp_path), sysfs_of(memory))


@pytest.mark.parametrize("number, said", [
    (errno.EACCES, "no permission for {0}: add a udev rule for it"),
    (errno.EIO, "{0} cannot be used as a UIO device"),
])  # fmt: skip
def test_uio_devices_that_do_not_open(
    memory: Path, monkeypatch: pytest.MonkeyPatch, number: int, said: str
) -> None:
    def refuse(*_: object) -> int:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(access.os, "open", refuse)
    with pytest.raises(OhmcarloError) as error:
        UioMemory(str(memory), sysfs_of(memory))
    assert said.format(memory) in str(error.value)


def test_physical_addresses(memory: Path) -> None:
    """Without a size, as many bytes are mapped as the controller needs."""
    found = DeviceMemory(0, memory=memory)
    assert found.size == PAGE
    found.reach(SIZE)
    assert found.read(PAGE + 4) == PAGE // 4 + 1
    found.close()
    second = DeviceMemory(PAGE, PAGE, memory=memory)
    assert second.read(0) == PAGE // 4
    with pytest.raises(OhmcarloError, match=r"0x1000 bytes are given for address 0x1000 of .*"):
        second.reach(SIZE)
    second.close()


@pytest.mark.parametrize("number, said", [
    (errno.EACCES, "needs more rights: use sudo"),
    (errno.EPERM, "is protected by the kernel (CONFIG_STRICT_DEVMEM or lockdown)"),
    (errno.ENOENT, "cannot be reached, this computer has no such file: use --backend mmio:"),
    (errno.EINVAL, "cannot be mapped"),
])  # fmt: skip
@pytest.mark.parametrize("where", ["open", "mmap"])
def test_physical_addresses_that_cannot_be_mapped(
    memory: Path, monkeypatch: pytest.MonkeyPatch, number: int, said: str, where: str
) -> None:
    def refuse(*_: object, **__: object) -> int:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(access.os if where == "open" else access.mmap, where, refuse)
    with pytest.raises(OhmcarloError) as error:
        DeviceMemory(0x43C00000, memory=memory)
    assert str(error.value).startswith(f"address 0x43c00000 of {memory} {said}")


def test_a_backend_opens_its_place(memory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is there is examined, and the place is released again."""
    sysfs = sysfs_of(memory)
    monkeypatch.setattr(access.UioMemory.__init__, "__defaults__", (sysfs,))
    with pytest.raises(OhmcarloError, match=rf"^{memory} holds no ohmcarlo controller \(magic 0x"):
        boards.open_board(f"mmio:{memory}", EmulatedArray(Geometry()))
    with memory.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
