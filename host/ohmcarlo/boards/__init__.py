"""Boards: everything that runs a chain, behind one interface."""

from __future__ import annotations

from collections.abc import Callable

from ..array.base import Array
from ..array.die import Die
from ..array.emulated import EmulatedArray
from ..errors import UsageError
from .base import ENTROPY_ALARM, EXHAUSTED, RUNNING, Block, Board, BoardLost
from .hardware_board import HardwareBoard
from .link.transport import LINK_TIMEOUT_S, SIMULATED_TIMEOUT_S, Port, link_timeout_s
from .model import ModelBoard
from .registers.places import FORMS, check_mapped, is_mapped, open_mapped
from .serial_board import SerialBoard

__all__ = [
    "BACKENDS",
    "ENTROPY_ALARM",
    "EXHAUSTED",
    "MODEL",
    "RTL",
    "RUNNING",
    "Block",
    "Board",
    "BoardLost",
    "HardwareBoard",
    "ModelBoard",
    "Say",
    "SerialBoard",
    "check_backend",
    "open_board",
    "open_hardware",
    "silent",
]

MODEL, RTL, SERIAL = "model", "rtl", "serial:"
BACKENDS = (MODEL, RTL, f"{SERIAL}PORT", *FORMS)
Say = Callable[[str], None]


def silent(_: str) -> None:
    """A ``Say`` that drops its message."""


def check_backend(backend: str, array: str = EmulatedArray.name) -> None:
    """Raise UsageError unless ``backend`` names a board that can have ``array``."""
    mapped = is_mapped(backend)
    if array == Die.name and not (mapped or backend.startswith(SERIAL)):
        raise UsageError(
            f"--array {Die.name} is a die behind a board: name its port, --backend {SERIAL}PORT"
        )
    if backend == MODEL:
        return
    if backend == SERIAL.rstrip(":") or backend == SERIAL:
        raise UsageError(f"--backend {SERIAL}PORT needs the name of a port")
    if mapped:
        check_mapped(backend)
    elif backend != RTL and not backend.startswith(SERIAL):
        raise UsageError(f"backend {backend!r} is unknown: choose {', '.join(BACKENDS)}")
    if array not in (EmulatedArray.name, Die.name):
        raise UsageError(
            f"a board holds the emulated array or a die, not {array!r}: use --array "
            f"{EmulatedArray.name}, or --backend {MODEL}"
        )


def open_board(backend: str, array: Array, say: Say = silent) -> Board:
    """The board that ``backend`` names, with ``array`` behind its controller; ``close`` it.

    Parameters
    ----------
    backend : str
        ``"model"``: the golden model in this process. ``"rtl"``: the hardware, simulated, in a
        process of its own. ``"serial:PORT"``: a board at a serial port. ``"mmio:/dev/uio0"`` and
        ``"devmem:0x43C00000"``: the IP core on a bus of this computer.
    array : Array
        Its geometry is the board's until ``configure`` gives another split into chains.
    say : callable
        Called with a line before a long operation: the simulated board is built at its first use.

    Raises
    ------
    UsageError
        For an unknown backend, or one that cannot have this array.
    OhmcarloError
        When no board of this version can be opened.
    """
    check_backend(backend, array.name)
    if backend == MODEL:
        return ModelBoard(array)
    return open_hardware(backend, array, say)


def open_hardware(backend: str, array: Array, say: Say = silent) -> HardwareBoard:
    """As ``open_board``, for every backend but the model."""
    from .link.ports import SerialPort, SimulatedPort, build_simulated

    if is_mapped(backend):
        return _open_mapped(backend, array)
    port: Port
    timeout_s = link_timeout_s(SIMULATED_TIMEOUT_S if backend == RTL else LINK_TIMEOUT_S)
    if backend == RTL:
        port = SimulatedPort(build_simulated(array.geometry, say), timeout_s)
    else:
        port = SerialPort(backend.removeprefix(SERIAL), timeout_s)
    return SerialBoard(port, array, backend, timeout_s=timeout_s)


def _open_mapped(backend: str, array: Array) -> HardwareBoard:
    from .registers.controller import RegisterController

    access, timeout_s = open_mapped(backend), link_timeout_s(LINK_TIMEOUT_S)
    return HardwareBoard(RegisterController(access, access.name, timeout_s), array, backend)
