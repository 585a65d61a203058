"""Boards: everything that runs a chain, behind one interface."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from contextlib import closing
from functools import partial

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
from .several.board import SeveralBoards
from .several.names import names_of, require_distinct, require_distinct_places
from .several.turns import Place, TurnBoard
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
    "SeveralBoards",
    "SmallBoard",
    "check_backend",
    "check_backends",
    "is_small",
    "names_of",
    "open_board",
    "open_boards",
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
    """Whether ``backend`` is a board without a processor, or names one among several boards."""
    return any(name.startswith(SMALL) for name in names_of(backend))


def check_backends(backend: str, array: str, boards: int) -> None:
    """Raise UsageError unless ``backend`` names boards for so many arrays ``array``."""
    names = names_of(backend)
    for name in names:
        check_backend(name, array)
    require_distinct(names)
    if len(names) > boards:
        arrays = "1 array" if boards == 1 else f"{boards} arrays"
        raise UsageError(
            f"--backend names {len(names)} boards, and the run has {arrays}: name at most {boards}"
        )
    if array == Die.name and boards > 1:
        raise UsageError(
            f"--array {Die.name} with {boards} boards is not possible: a chain on a die cannot be "
            f"taken up again; name one board, --backend {names[0]}"
        )


def check_backend(backend: str, array: str = EmulatedArray.name) -> None:
    """Raise UsageError unless ``backend`` names one board that can have ``array``."""
    names = names_of(backend)
    if len(names) > 1:
        raise UsageError(
            f"one board is needed here, and --backend {backend} names {len(names)}: name one of "
            "them"
        )
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


def open_boards(backend: str, arrays: Sequence[Array], say: Say = silent) -> Board:
    """The boards that ``backend`` names, each with one of ``arrays``; ``close`` the result.

    With fewer boards than arrays, boards have several arrays one after the other. The result is a
    ``SeveralBoards``, or the board itself for one array.

    Parameters
    ----------
    backend : str
        One or more backends of ``open_board`` with commas between them.
    arrays : sequence of Array
    say : callable
        As for ``open_board``.

    Raises
    ------
    UsageError, OhmcarloError
        As ``open_board`` does. What was opened is then closed.

    Examples
    --------
    >>> from ohmcarlo.array import EmulatedArray
    >>> from ohmcarlo.boards import open_boards
    >>> from ohmcarlo.spec import Geometry
    >>> arrays = [EmulatedArray(Geometry(rows=16, pairs=8), seed=seed) for seed in (1, 2)]
    >>> board = open_boards("model,model", arrays)
    >>> board.name
    'model,model'
    >>> board.close()
    """
    names = names_of(backend)
    check_backends(backend, arrays[0].name, len(arrays))
    require_distinct_places(names)
    if len(arrays) == 1:
        return open_board(backend, arrays[0], say)
    own = [i % len(names) for i in range(len(arrays))]
    shared = [Place() for _ in names]
    members: list[Board] = []
    places: list[Hashable] = []
    try:
        for number, array in zip(own, arrays, strict=True):
            opens = partial(open_board, names[number], array, say)
            alone = names[number] == MODEL or own.count(number) == 1
            places.append(len(members) if alone else shared[number])
            members.append(opens() if alone else TurnBoard(shared[number], opens))
        return SeveralBoards(members, places)
    except BaseException:
        for member in members:
            member.close()
        raise


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
