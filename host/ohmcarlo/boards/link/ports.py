"""Ports of a board: a serial port, or the port of a simulated board that this process starts."""

from __future__ import annotations

import errno
import subprocess
import tempfile
import time
from pathlib import Path

import serial
from serial.tools import list_ports

from ...builder import Say, simulated_board, simulated_small_board
from ...errors import OhmcarloError
from ...spec import Geometry
from ...spec.link import BAUD
from ..base import BoardLost
from .transport import LINK_TIMEOUT_S, SIMULATED, SIMULATED_TIMEOUT_S

READ_SLICE_S = 0.02
EXIT_S = 2.0
PORT_LINE = "port "
SHAPE = (
    "rows",
    "pairs",
    "entropy_pairs",
    "access_bits",
    "tile_pairs",
    "dot_bits",
    "dot_shift",
)
SMALL_SHAPE = ("rows", "pairs", "entropy_pairs")


class SerialPort:
    """The port ``name``: 8 data bits, no parity, one stop bit.

    ``timeout_s``: longest time of a write. Raises OhmcarloError with advice if it cannot be opened.
    """

    def __init__(self, name: str, timeout_s: float = LINK_TIMEOUT_S) -> None:
        self.name = name
        try:
            self._port = serial.Serial(
                name, BAUD, timeout=READ_SLICE_S, write_timeout=timeout_s, exclusive=True
            )
        except (serial.SerialException, OSError, ValueError) as error:
            raise OhmcarloError(_explain(name, error)) from error

    def write(self, data: bytes) -> None:
        try:
            self._port.write(data)
        except (serial.SerialException, OSError) as error:
            raise self._lost(error) from error

    def read(self, timeout_s: float) -> bytes:
        until = time.monotonic() + timeout_s
        try:
            data: bytes = self._port.read(self._port.in_waiting)
            while not data and time.monotonic() < until:
                data = self._port.read(1)
                data += self._port.read(self._port.in_waiting)
        except (serial.SerialException, OSError) as error:
            raise self._lost(error) from error
        return data

    def close(self) -> None:
        self._port.close()

    def _lost(self, error: Exception) -> BoardLost:
        return BoardLost(f"the board at {self.name} is gone ({error}): check its cable")


def _explain(name: str, error: Exception) -> str:
    """One line with the reason why a port cannot be opened, and advice."""
    number = getattr(error, "errno", None)
    text = str(error)
    found = ", ".join(sorted(port.device for port in list_ports.comports())) or "none"
    if number == errno.EACCES:
        return (
            f"no permission for port {name}: become a member of the group that owns it (dialout, "
            "uucp), and log in again"
        )
    if number in (errno.EBUSY, errno.EAGAIN) or "exclusively lock" in text:
        return f"port {name} is in use by another program: stop that program first"
    if number in (errno.ENOENT, errno.ENXIO, errno.ENODEV) or "FileNotFound" in text:
        return f"there is no port {name}: connect the board; available ports: {found}"
    return f"port {name} cannot be opened ({text}); available ports: {found}"


class SimulatedPort:
    """A simulated board. Its program ends with this object or this process.

    Parameters
    ----------
    program : Path
        Prints ``port NAME`` when that port can be opened, and ends when its standard input ends.
    timeout_s : float
        Longest time of a write.

    Raises OhmcarloError if it does not start.
    """

    def __init__(self, program: Path, timeout_s: float = SIMULATED_TIMEOUT_S) -> None:
        self.name = SIMULATED
        self._complaints = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the board
        try:
            self.process = subprocess.Popen(
                [program],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._complaints,
                start_new_session=True,  # Ctrl-C must not end it before the checkpoint
            )
        except OSError as error:
            raise OhmcarloError(f"the simulated board {program} does not start: {error}") from error
        try:
            place = self._place()
            try:
                self._port = SerialPort(place, timeout_s)
            except OhmcarloError as error:
                if self.process.poll() is None:
                    raise
                raise self._ended() from error
        except BaseException:
            self._end()
            raise

    def _place(self) -> str:
        """The name of the port that the program prints."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline().decode(errors="replace")
        if not line.startswith(PORT_LINE):
            raise self._ended()
        return line.removeprefix(PORT_LINE).strip()

    def write(self, data: bytes) -> None:
        try:
            self._port.write(data)
        except BoardLost as error:
            raise self._ended() from error

    def read(self, timeout_s: float) -> bytes:
        try:
            data = self._port.read(timeout_s)
        except BoardLost as error:
            raise self._ended() from error
        if not data and self.process.poll() is not None:
            raise self._ended()
        return data

    def close(self) -> None:
        self._port.close()
        self._end()

    def _end(self) -> None:
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                pipe.close()
        try:
            self.process.wait(EXIT_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self._complaints.close()

    def _ended(self) -> BoardLost:
        """The error for a program that has ended."""
        try:
            code = self.process.wait(EXIT_S)
        except subprocess.TimeoutExpired:
            return BoardLost("the simulated board has closed its port")
        how = f"by signal {-code}" if code < 0 else f"with exit code {code}"
        self._complaints.seek(0)
        said = self._complaints.read().decode(errors="replace").strip().splitlines()
        return BoardLost(f"the simulated board ended {how}" + (f": {said[-1]}" if said else ""))


def build_simulated(geometry: Geometry, say: Say) -> Path:
    """The program of the simulated board for arrays of a shape; see ``builder.simulated_board``."""
    return simulated_board({name: getattr(geometry, name) for name in SHAPE}, say)


def build_simulated_small(geometry: Geometry | None, say: Say) -> Path:
    """The program of the simulated board without a processor, for arrays of a shape; None: that of
    the board of the ULX3S 12F. See ``builder.simulated_small_board``."""
    names = () if geometry is None else SMALL_SHAPE
    return simulated_small_board({name: getattr(geometry, name) for name in names}, say)
