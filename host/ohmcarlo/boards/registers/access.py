"""Accesses to registers: the protocol, and memory that the operating system maps."""

from __future__ import annotations

import errno
import fcntl
import mmap
import os
import select
import struct
import time
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ...errors import OhmcarloError
from ..base import BoardLost

Words = NDArray[np.uint32]
WORD_BYTES = 4
UIO_CLASS = Path("/sys/class/uio")
UIO_COUNT = struct.Struct("=I")
"""Number of interrupts, read from a UIO device; 1, written to it, enables the next interrupt."""
MEMORY = Path("/dev/mem")
PAGE = mmap.PAGESIZE


class RegisterAccess(Protocol):
    """32-bit reads and writes. Addresses are byte addresses, from the first register on."""

    name: str = "the core"
    interrupts: bool = False
    """Whether ``wait`` returns at an interrupt of the controller."""

    def reach(self, size: int) -> None:
        """Make sure that ``size`` bytes can be reached; OhmcarloError with both sizes otherwise."""
        return

    def read(self, address: int) -> int: ...

    def write(self, address: int, value: int) -> None: ...

    def read_words(self, address: int, count: int) -> Words:
        """``count`` words at successive addresses."""
        return np.array([self.read(address + WORD_BYTES * i) for i in range(count)], np.uint32)

    def write_words(self, address: int, words: Words) -> None:
        """Write words to successive addresses."""
        for i, word in enumerate(words.tolist()):
            self.write(address + WORD_BYTES * i, word)

    def wait(self, seconds: float) -> None:
        """Return at the next interrupt, or after ``seconds``."""
        time.sleep(seconds)

    def close(self) -> None:
        return None


class MappedMemory(RegisterAccess):
    """Registers in a file of memory, mapped into this process.

    Each access is one load or store of 32 bits, an item of an aligned array. Copies of memory,
    whose width is not defined, are not used.

    Parameters
    ----------
    descriptor : int
        File, open for reading and writing; closed by ``close``.
    size : int
        Bytes.
    page : int
        Place of the first page in the file.
    skip : int
        Bytes from there to the first register.

    Raises OSError if the file cannot be mapped.
    """

    def __init__(self, descriptor: int, size: int, page: int = 0, skip: int = 0) -> None:
        self._descriptor, self._page, self._skip = descriptor, page, skip
        self._enlarge(size)

    def _enlarge(self, size: int) -> None:
        access = mmap.PROT_READ | mmap.PROT_WRITE
        length = self._skip + size
        self._map = mmap.mmap(self._descriptor, length, mmap.MAP_SHARED, access, offset=self._page)
        words = np.frombuffer(self._map, np.uint32, size // WORD_BYTES, self._skip)
        self._words, self.size = words, size

    def read(self, address: int) -> int:
        return int(self._words.item(address // WORD_BYTES))

    def write(self, address: int, value: int) -> None:
        self._words[address // WORD_BYTES] = np.uint32(value)

    def _release(self) -> None:
        del self._words  # the map cannot be closed while the array refers to it
        self._map.close()

    def close(self) -> None:
        if self._descriptor >= 0:
            self._release()
            os.close(self._descriptor)
            self._descriptor = -1


class UioMemory(MappedMemory):
    """Map 0 of a UIO device, and its interrupt.

    Parameters
    ----------
    device : str
        Such as ``/dev/uio0``. Its size comes from sysfs.

    Raises OhmcarloError with advice if it cannot be opened.
    """

    def __init__(self, device: str, sysfs: Path = UIO_CLASS) -> None:
        self.name = device
        node = Path(device)
        place = sysfs / node.name / "maps" / "map0"
        try:
            descriptor = os.open(node, os.O_RDWR | os.O_SYNC)
        except OSError as error:
            raise OhmcarloError(_explain_uio(device, error, sysfs)) from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            size, skip = (int((place / name).read_text(), 0) for name in ("size", "offset"))
            super().__init__(descriptor, size, skip=skip)
        except (OSError, ValueError) as error:
            os.close(descriptor)
            raise OhmcarloError(_explain_uio(device, error, sysfs)) from error
        self.interrupts = self._enable()

    def reach(self, size: int) -> None:
        if size > self.size:
            raise OhmcarloError(
                f"{self.name} has {self.size:#x} bytes, the controller there needs {size:#x}: "
                "enlarge `reg` of its node in the device tree"
            )

    def _enable(self) -> bool:
        """Enable the next interrupt; False if the device has none."""
        try:
            os.write(self._descriptor, UIO_COUNT.pack(1))
        except OSError:
            return False
        return True

    def wait(self, seconds: float) -> None:
        if not self.interrupts:
            time.sleep(seconds)
        elif not self._enable():
            raise BoardLost(f"{self.name} is gone: load its overlay again, then resume the run")
        elif select.select([self._descriptor], [], [], seconds)[0]:
            os.read(self._descriptor, UIO_COUNT.size)


def _explain_uio(device: str, error: Exception, sysfs: Path) -> str:
    """One line with the reason why a UIO device cannot be used, and advice."""
    number = getattr(error, "errno", None)
    if number in (errno.EACCES, errno.EPERM):
        return f"no permission for {device}: add a udev rule for it (docs/guide.md), or use sudo"
    if number in (errno.EWOULDBLOCK, errno.EBUSY):
        return f"{device} is in use by another program: stop that program first"
    there = sorted(f"/dev/{p.name}" for p in sysfs.glob("uio*"))
    if number in (errno.ENOENT, errno.ENXIO, errno.ENODEV) and device not in there:
        listed = ", ".join(there) or "none"
        return f"there is no UIO device {device}: load the overlay; available devices: {listed}"
    reason = getattr(error, "strerror", None) or error
    return f"{device} cannot be used as a UIO device ({reason}): check its driver"


class DeviceMemory(MappedMemory):
    """Physical addresses from ``address`` on, through ``/dev/mem``.

    Parameters
    ----------
    address : int
        Of the first register; a multiple of the page size.
    size : int, optional
        Bytes of the controller; None: as many as it needs.

    Raises OhmcarloError with advice if they cannot be mapped.
    """

    def __init__(self, address: int, size: int | None = None, memory: Path = MEMORY) -> None:
        self.name = f"address {address:#x} of {memory}"
        self._fixed = size is not None
        try:
            descriptor = os.open(memory, os.O_RDWR | os.O_SYNC)
        except OSError as error:
            raise OhmcarloError(f"{self.name} {_explain_memory(error)}") from error
        try:
            super().__init__(descriptor, size or PAGE, page=address)
        except (OSError, ValueError, OverflowError) as error:
            os.close(descriptor)
            raise OhmcarloError(f"{self.name} {_explain_memory(error)}") from error

    def reach(self, size: int) -> None:
        if size <= self.size:
            return
        if self._fixed:
            raise OhmcarloError(
                f"{self.size:#x} bytes are given for {self.name}, the controller there needs "
                f"{size:#x}: give that size, or none"
            )
        self._release()
        try:
            self._enlarge(size)
        except (OSError, ValueError) as error:
            self._enlarge(PAGE)
            raise OhmcarloError(f"{self.name} {_explain_memory(error)}") from error


def _explain_memory(error: Exception) -> str:
    number = getattr(error, "errno", None)
    if number == errno.EACCES:
        return "needs more rights: use sudo, or --backend mmio:/dev/uioN with a UIO driver"
    if number == errno.EPERM:
        return (
            "is protected by the kernel (CONFIG_STRICT_DEVMEM or lockdown): use "
            "--backend mmio:/dev/uioN with a UIO driver"
        )
    if number == errno.ENOENT:
        return "cannot be reached, this computer has no such file: use --backend mmio:/dev/uioN"
    return f"cannot be mapped ({getattr(error, 'strerror', None) or error}): check the address"
