"""The controller of a board without a processor: its registers, windows, commands and samples."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...errors import OhmcarloError
from ...spec import Geometry
from ...spec.link import (
    CONTROLLER_MAGIC,
    SAMPLE_CURRENT_BIT,
    SAMPLE_HEADER_WORDS,
    FaultCause,
    Reason,
)
from ...spec.register_map import RegisterMap, Sizes
from ..base import BoardLost
from ..link.transport import TIMEOUT_VARIABLE
from ..memory.image import Image, Words
from ..memory.layout import Layout
from ..memory.words import unpacked
from ..records.decode import signed
from .line import ANSWER_S, SAMPLE_WORD, Line, Port, Request, read, write

DONE_S = 10.0
"""Longest time of an operation of the array, and shortest time without any progress after which a
board is regarded as lost, s."""
POLL_S = 0.001
"""Pause of the host while the controller computes and streams nothing, s."""
WORDS_AT_ONCE = 16
"""Words of the sample stream that are asked for at once."""


def map_of(geometry: Geometry, max_points: int) -> RegisterMap:
    """The register map of a bit-serial controller of these sizes."""
    return RegisterMap.of(
        Sizes(
            rows=geometry.rows,
            pairs=geometry.pairs,
            entropy_pairs=geometry.entropy_pairs,
            max_points=max_points,
            max_group_rows=1,
            max_regions=1,
            device_calibration=False,
            ip=False,
            bit_serial=True,
        )
    )


ANY = map_of(Geometry(), 1)
"""The addresses of registers do not depend on the sizes."""
FIELDS = ANY.fields
IDENTIFICATION = {
    name.removeprefix("id."): at for name, at in ANY.registers.items() if name.startswith("id.")
}
"""Register of the group ``id`` → byte address."""
STATUS_AT, STEPS_AT, STEPS_DONE_AT = (
    ANY.registers[name] for name in ("status.state", "control.steps", "status.steps_done")
)
REASONS = (Reason.DONE, Reason.EXHAUSTED, Reason.ENTROPY_ALARM, Reason.NO_ROWS)


def placed(field: str, value: int) -> tuple[int, int]:
    """Byte address of a field, and its value at its place in the word."""
    place = FIELDS[field]
    return place.address, (value & place.mask) << place.low


def status_of(word: int) -> dict[str, int]:
    """The fields of a word of the register ``status.state``, by name."""
    fields = {name: FIELDS[name] for name in FIELDS if name.startswith("status.state.")}
    return {name.split(".")[2]: word >> place.low & place.mask for name, place in fields.items()}


@dataclass(frozen=True, eq=False)
class Samples:
    """Sample records, in the order of the stream.

    Attributes
    ----------
    codes : uint16 (n, devices of a sample)
    multiplicity : int64 (n,)
    loglik, prior : int64 (n,)
        LSB 2**-LOGLIK_FRAC nat.
    current : bool (n,)
        Whether the sample is the current one of the chain (``flush``), not a retired one.
    """

    codes: NDArray[np.uint16]
    multiplicity: NDArray[np.int64]
    loglik: NDArray[np.int64]
    prior: NDArray[np.int64]
    current: NDArray[np.bool_]

    @classmethod
    def of(cls, records: list[list[int]], devices: int) -> Samples:
        """From the words of records; OhmcarloError unless each has so many devices."""
        length = SAMPLE_HEADER_WORDS + devices // 2
        if any(len(record) != length for record in records):
            raise BoardLost(
                f"the board streamed a sample without {devices} devices: noise on the line, "
                "check the cable"
            )
        table = np.array(records, np.int64).reshape(-1, length)
        header, pairs = table[:, :SAMPLE_HEADER_WORDS], table[:, SAMPLE_HEADER_WORDS:]
        return cls(
            codes=unpacked(pairs).astype(np.uint16),
            multiplicity=header[:, 1],
            loglik=signed(header[:, 2]),
            prior=signed(header[:, 3]),
            current=(header[:, 0] >> SAMPLE_CURRENT_BIT & 1).astype(np.bool_),
        )

    @property
    def last(self) -> Samples:
        """The last record alone."""
        return Samples(
            self.codes[-1:],
            self.multiplicity[-1:],
            self.loglik[-1:],
            self.prior[-1:],
            self.current[-1:],
        )

    @property
    def log_posterior(self) -> NDArray[np.int64]:
        return self.loglik + self.prior


class BitSerialClient:
    """The bit-serial controller at a port. ``open`` begins a session.

    Parameters
    ----------
    port : Port
    timeout_s : float
        Time after which a board that does not answer is regarded as lost.

    Attributes
    ----------
    layout : Layout
        Sizes of the controller, from its identification; set by ``open``.
    map : RegisterMap
        Of these sizes; set by ``open``.
    """

    layout: Layout
    map: RegisterMap

    def __init__(self, port: Port, timeout_s: float = ANSWER_S) -> None:
        self.line = Line(port, timeout_s)
        self._patience_s = max(timeout_s, DONE_S)
        self._words: list[int] = []
        self._records: list[list[int]] = []

    def open(self) -> dict[str, int]:
        """End what another session began; returns the identification, by name.

        Raises BoardLost if there is no answer, OhmcarloError if there is no controller.
        """
        self.line.begin()
        place = self.line.port.name
        words = self.line.words(*IDENTIFICATION.values())
        found = dict(zip(IDENTIFICATION, words, strict=True))
        if found["magic"] != CONTROLLER_MAGIC:
            raise OhmcarloError(
                f"the board at {place} holds no ohmcarlo controller (magic {found['magic']:#010x} "
                f"instead of {CONTROLLER_MAGIC:#010x}): load its bitstream, and check its cable"
            )
        self.layout = Layout.of(found)
        self.map = map_of(self.layout.geometry, self.layout.max_points)
        return found

    # -- names -------------------------------------------------------------------------------
    def load(self, image: Image, there: Mapping[str, Words] | None = None) -> None:
        """Load registers and windows of an image, without those that the controller lacks.

        Windows that hold the words of ``there`` already are left out. ``limits`` refuses settings
        that the controller cannot have. Raises BoardLost if a write did not reach its register.
        """
        registers: dict[int, int] = {}
        for name, value in image.fields.items():
            if name in FIELDS:
                address, word = placed(name, value)
                registers[address] = registers.get(address, 0) | word
        requests = [self._command("clear_fault")]
        requests += [write(address, word) for address, word in registers.items()]
        for name, words in image.windows.items():
            held = None if there is None else there.get(name)
            window = self.map.windows.get(name)
            if window is not None and not (held is not None and np.array_equal(held, words)):
                requests.append(write(window.address, *(int(word) for word in words)))
        self.line.exchange(*requests)
        self._require_no_bus_error(self.status())

    def status(self) -> dict[str, int]:
        """The fields of the register ``status.state``, by name."""
        (word,) = self.line.words(STATUS_AT)
        return status_of(word)

    def _require_no_bus_error(self, status: Mapping[str, int]) -> None:
        if status["bus_error"]:
            raise BoardLost(
                f"noise on the line to {self.line.port.name} (a write had an address without a "
                "register): check the cable"
            )

    def _command(self, name: str) -> Request:
        return write(*placed(f"control.command.{name}", 1))

    # -- a chain -----------------------------------------------------------------------------
    def reset(self) -> None:
        """Forget the chain, also one that runs. The emulated array is idle then, and keeps the
        number of its next pulse."""
        self._finish(self._command("halt"))
        self._words, self._records = [], []
        self.line.exchange(self._command("reset_state"), self._command("clear_fault"))
        self._wait_for_the_array()

    def restart_emulator(self) -> None:
        """The next pulse is the one in the register ``emulator.first_pulse_lo``."""
        self.line.exchange(self._command("emulator_restart"))
        self._wait_for_the_array()

    def _wait_for_the_array(self) -> None:
        until = time.monotonic() + DONE_S
        while not self.status()["emulator_idle"]:
            if time.monotonic() > until:
                raise BoardLost(
                    f"the array of the board at {self.line.port.name} does not become idle: load "
                    "its bitstream again"
                )

    def start(self) -> Reason:
        """Test the coin and program the first sample; returns the reason of the end."""
        return self._finished(self._command("start"))

    def run(self, steps: int) -> tuple[Reason, int]:
        """Make ``steps`` steps; returns the reason of the end and the steps that were made."""
        reason = self._finished(write(STEPS_AT, steps), self._command("run"))
        (made,) = self.line.words(STEPS_DONE_AT)
        return reason, made

    def samples(self, devices: int) -> Samples:
        """All samples since the last call, the current one last; each has so many ``devices``."""
        self._finished(self._command("flush"))
        if self._words or not self._records:
            raise BoardLost("the last sample record is incomplete: noise on the line")
        records, self._records = self._records, []
        return Samples.of(records, devices)

    def _finished(self, *begin: Request) -> Reason:
        """Begin a command, wait for its end, and read its stream meanwhile."""
        status = self._finish(*begin)
        if status["fault"]:
            cause = status["fault_cause"]
            known = cause in FaultCause._value2member_map_
            name = FaultCause(cause).name.lower().replace("_", " ") if known else str(cause)
            raise OhmcarloError(
                f"the sequencer of {self.line.port.name} has stopped ({name}) and switched "
                "everything off: load the bitstream again, then resume the run"
            )
        self._require_no_bus_error(status)
        if status["reason"] not in REASONS:
            raise BoardLost(
                f"the board stopped for reason {status['reason']}, which is unknown: noise "
                f"on the line to {self.line.port.name}"
            )
        return Reason(status["reason"])

    def _finish(self, *begin: Request) -> dict[str, int]:
        """The status after the end of a command, whose stream was read to its end."""
        wanted, steps, until = 1, -1, self._deadline()
        while True:
            asked = (read(STATUS_AT), *[SAMPLE_WORD] * wanted)
            first, *answers = self.line.exchange(*begin, *asked)
            begin = ()
            found = [self.line.sample_word(answer) for answer in answers]
            self._take(found)
            wanted = 1 if found[0] is None else WORDS_AT_ONCE
            status = status_of(int.from_bytes(first, "little"))
            if found[-1] is not None:  # there may be more
                until = self._deadline()
                continue
            if not status["busy"]:
                return status
            if time.monotonic() > until:
                steps, until = self._progress(steps), self._deadline()
            if found[0] is None:
                time.sleep(POLL_S)

    def _deadline(self) -> float:
        return time.monotonic() + self._patience_s

    def _progress(self, before: int) -> int:
        """Steps that are made; BoardLost if there are no more than ``before``."""
        (steps,) = self.line.words(STEPS_DONE_AT)
        if steps == before:
            raise BoardLost(
                f"the board at {self.line.port.name} makes no progress for {self._patience_s:g} s: "
                f"load its bitstream again, then resume the run, or set {TIMEOUT_VARIABLE} to a "
                "longer time"
            )
        return steps

    def _take(self, found: list[tuple[int, bool] | None]) -> None:
        """Note words of the sample stream."""
        for taken in found:
            if taken is None:
                continue
            word, last = taken
            self._words.append(word)
            if last:
                self._records.append(self._words)
                self._words = []

    def close(self) -> None:
        self.line.port.close()
