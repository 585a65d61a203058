"""Boards: everything that runs a chain, behind one interface."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing

from ..array.base import Array
from ..array.die import Die
from ..array.emulated import EmulatedArray
from ..errors import UsageError
from ..spec import Geometry, Points
from ..spec.room import BIT_SERIAL_ROOM, FULL_ROOM
from .base import ENTROPY_ALARM, EXHAUSTED, RUNNING, Block, Board, BoardLost
from .hardware_board import HardwareBoard
from .link.transport import LINK_TIMEOUT_S, SIMULATED, SIMULATED_TIMEOUT_S, Port, link_timeout_s
from .memory.identity import require_sizes
from .memory.layout import Layout
from .model import ModelBoard
from .registers.places import FORMS, check_mapped, is_mapped, open_mapped
from .serial_board import SerialBoard
from .small.board import SmallBoard

__all__ = [
    "BACKENDS",
    "ENTROPY_ALARM",
    "EXHAUSTED",
    "MODEL",
    "RTL",
    "RUNNING",
    "SMALL",
    "Block",
    "Board",
    "BoardLost",
    "HardwareBoard",
    "ModelBoard",
    "Say",
    "SerialBoard",
    "SmallBoard",
    "check_backend",
    "is_small",
    "open_board",
    "open_hardware",
    "open_small",
    "require_simulated_room",
    "shape_of",
    "silent",
]

MODEL, RTL, SERIAL, SMALL = "model", "rtl", "serial:", "small:"
BACKENDS = (MODEL, RTL, f"{SERIAL}PORT", f"{SMALL}PORT", *FORMS)
Say = Callable[[str], None]


def silent(_: str) -> None:
    """A ``Say`` that drops its message."""


def is_small(backend: str) -> bool:
    """Whether ``backend`` is a board without a processor."""
    return backend.startswith(SMALL)


def check_backend(backend: str, array: str = EmulatedArray.name) -> None:
    """Raise UsageError unless ``backend`` names a board that can have ``array``."""
    mapped = is_mapped(backend)
    if array == Die.name and not (mapped or backend.startswith(SERIAL)):
        raise UsageError(
            f"--array {Die.name} is a die behind a board: name its port, --backend {SERIAL}PORT"
        )
    if backend == MODEL:
        return
    for prefix in (SERIAL, SMALL):
        if backend in (prefix, prefix.rstrip(":")):
            simulated = f", or {SMALL}{RTL} for a simulated board" if prefix == SMALL else ""
            raise UsageError(f"--backend {prefix}PORT needs the name of a port{simulated}")
    if mapped:
        check_mapped(backend)
    elif backend != RTL and not backend.startswith((SERIAL, SMALL)):
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
        process of its own. ``"serial:PORT"``: a board at a serial port. ``"small:PORT"``: a board
        without a processor there; ``"small:rtl"``: the same, simulated. ``"mmio:/dev/uio0"`` and
        ``"devmem:0x43C00000"``: the IP core on a bus of this computer.
    array : Array
        Its geometry is the board's until ``configure`` gives another split into chains.
    say : callable
        Called with a line before a long operation, because the simulated board is built at its
        first use.

    Raises
    ------
    UsageError
        For an unknown backend, or one that cannot have this array.
    OhmcarloError
        When no board of this version can be opened.

    Examples
    --------
    >>> import numpy as np
    >>> from ohmcarlo.array import EmulatedArray
    >>> from ohmcarlo.boards import open_board
    >>> from ohmcarlo.golden import SamplerSettings
    >>> from ohmcarlo.spec import Geometry, Points
    >>> inputs = np.array([[32, 32], [-32, 32], [48, 32], [-48, 32]], np.int8)  # 32 is 1.0
    >>> points = Points.of(inputs, np.array([1, 0, 1, 0], np.uint8))
    >>> array = EmulatedArray(Geometry(rows=16, pairs=8), seed=1)
    >>> registers = SamplerSettings().registers(array.geometry, 2, array.sigma_us)
    >>> board = open_board("model", array)
    >>> board.configure(registers, points)
    >>> board.start()
    >>> board.run(100).status
    'running'
    >>> board.close()
    """
    check_backend(backend, array.name)
    if backend == MODEL:
        return ModelBoard(array)
    if is_small(backend):
        return open_small(backend, array, say)
    return open_hardware(backend, array, say)


def require_simulated_room(backend: str, geometry: Geometry, points: Points) -> None:
    """Raise UsageError unless the chains and their points fit the simulated board ``backend``.

    The board need not be built for this, which takes minutes. Boards of other backends say what
    they have room for when they are open.
    """
    room = {RTL: FULL_ROOM, f"{SMALL}{RTL}": BIT_SERIAL_ROOM}.get(backend)
    if room is not None:
        require_sizes(geometry, points, Layout.simulated(geometry, room), SIMULATED)


def shape_of(backend: str) -> dict[str, int]:
    """The shape of the array of a board without a processor, by the names of ``Geometry``."""
    if backend == f"{SMALL}{RTL}":
        return {"access_bits": 1}  # the others can be chosen
    with closing(open_small(backend, None)) as board:
        g = board.geometry
    return {
        "rows": g.rows,
        "pairs": g.pairs,
        "entropy_pairs": g.entropy_pairs,
        "access_bits": g.access_bits,
    }


def open_small(backend: str, array: Array | None, say: Say = silent) -> SmallBoard:
    """As ``open_board``, for boards without a processor. ``array``: None stands for one that suits
    the board."""
    from .link.ports import SerialPort, SimulatedPort, build_simulated_small

    port: Port
    place = backend.removeprefix(SMALL)
    if place == RTL:
        timeout_s = link_timeout_s(SIMULATED_TIMEOUT_S)
        geometry = None if array is None else array.geometry
        port = SimulatedPort(build_simulated_small(geometry, say), timeout_s)
    else:
        timeout_s = link_timeout_s(LINK_TIMEOUT_S)
        port = SerialPort(place, timeout_s)
    return SmallBoard(port, array, backend, say, timeout_s)


def open_hardware(backend: str, array: Array, say: Say = silent) -> HardwareBoard:
    """As ``open_board``, for every backend with all functions but the model."""
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
