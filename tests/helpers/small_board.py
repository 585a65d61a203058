"""A board without a processor at the wire level: bytes in, bytes out, the golden chain inside.

It knows nothing but the bytes that it receives. A register or a table that is loaded wrongly gives
another chain. As the hardware, it loses bytes that arrive while it answers.
"""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Callable
from typing import Any

import numpy as np

from ohmcarlo import __version__
from ohmcarlo.array.emulated import EmulatedArray
from ohmcarlo.boards import BoardLost
from ohmcarlo.boards.memory.words import packed
from ohmcarlo.boards.small.client import FIELDS, IDENTIFICATION, map_of
from ohmcarlo.golden import Calibration, Controller, EntropyAlarm, Registers
from ohmcarlo.spec import Geometry, Points
from ohmcarlo.spec.bit_serial_link import READ, SAMPLE, SAMPLE_LAST, SAMPLE_THERE, WRITE
from ohmcarlo.spec.link import CONTROLLER_MAGIC, SAMPLE_CURRENT_BIT, Reason

SHAPE = Geometry(rows=16, pairs=8, entropy_pairs=1, access_bits=1)
ROOM = 64
ARGUMENTS = {WRITE: 6, READ: 2, SAMPLE: 0}
BUSY_READS = 2  # of the status, after a command
MASK = 0xFFFFFFFF
COMMANDS = {n.split(".")[2]: FIELDS[n] for n in FIELDS if n.startswith("control.command.")}
COMMAND_AT = FIELDS["control.command.start"].address
READ_ONLY = ("id.", "status.", "control.command.")
SETTINGS = {f.address for name, f in FIELDS.items() if not name.startswith(READ_ONLY)}
FIRST_WINDOW = 0x1000
PROPOSAL = ("rho", "lo", "hi", "valid_lo", "valid_hi")
OPTIONS = ("early_reject", "hastings", "stream")
CUTOFFS = ("rct_cutoff", "rct_symbol_cutoff", "apt_cutoff")
FEATURE_EMULATOR = 1 << 1


class SmallBoardPort:
    """The port of such a board.

    ``damage`` changes every answer byte (as noise, or None to lose it); ``unplugged`` ends the
    line; with ``hung``, no command ends.
    """

    name = "the small board"

    def __init__(self, geometry: Geometry = SHAPE, max_points: int = ROOM) -> None:
        self.geometry, self.max_points = geometry, max_points
        self.words: dict[int, int] = self._identification()
        self.array: EmulatedArray | None = None
        self.controller: Controller | None = None
        self.received = 0
        self.requests = 0
        self.commands: list[str] = []
        self.unplugged = False
        self.closed = self.hung = False
        self.damage: Callable[[int], int | None] = lambda byte: byte
        self._request = bytearray()
        self._answer = bytearray()
        self._deaf = 0  # bytes that are lost, because an answer is sent meanwhile
        self._stream: deque[tuple[int, bool]] = deque()
        self._busy = 0
        self._bus_error = self._fault = False
        self._reason = Reason.RUNNING
        self._steps_done = 0

    def _identification(self) -> dict[str, Any]:
        g = self.geometry
        major, minor, patch = (int(part) for part in __version__.split(".")[:3])
        values = {
            "magic": CONTROLLER_MAGIC,
            "version": major << 16 | minor << 8 | patch,
            "map_hash": map_of(g, self.max_points).hash,
            "features": FEATURE_EMULATOR,
            "rows": g.rows,
            "pairs": g.pairs,
            "entropy_pairs": g.entropy_pairs,
            "access_bits": g.access_bits,
            "tile_pairs": g.pairs,
            "dot_bits": 0,
            "dot_shift": 0,
            "max_points": self.max_points,
            "max_group_rows": 1,
            "max_regions": 1,
        }
        return {IDENTIFICATION[name]: value for name, value in values.items()}

    # -- the port --------------------------------------------------------------------------------
    def write(self, data: bytes) -> None:
        self._require_plugged()
        for byte in data:
            self._take(byte)

    def read(self, timeout_s: float) -> bytes:
        self._require_plugged()
        found = [self.damage(byte) for byte in self._answer]
        self._answer.clear()
        return bytes(byte for byte in found if byte is not None)

    def close(self) -> None:
        self.closed = True

    def _require_plugged(self) -> None:
        if self.unplugged:
            raise BoardLost(f"the board at {self.name} is gone: check its cable")

    # -- requests --------------------------------------------------------------------------------
    def _take(self, byte: int) -> None:
        self.received += 1
        if self._deaf:
            self._deaf -= 1
            return
        if not self._request and byte not in ARGUMENTS:
            return
        self._request.append(byte)
        if len(self._request) > ARGUMENTS[self._request[0]]:
            self.requests += 1
            kind, arguments = self._request[0], bytes(self._request[1:])
            self._request.clear()
            self._serve(kind, arguments)

    def _serve(self, kind: int, arguments: bytes) -> None:
        if kind == WRITE:
            where, word = struct.unpack("<HI", arguments)
            self._write(4 * where, word)
            return
        if kind == READ:
            (where,) = struct.unpack("<H", arguments)
            answer = struct.pack("<I", self._read(4 * where))
        else:
            flags = SAMPLE_THERE if self._stream else 0
            word, last = self._stream.popleft() if self._stream else (0, False)
            answer = struct.pack("<BI", flags | (SAMPLE_LAST if last else 0), word)
        self._answer += answer
        self._deaf = len(answer)

    def _write(self, address: int, word: int) -> None:
        if address == COMMAND_AT:
            for name, field in COMMANDS.items():
                if word >> field.low & 1:
                    self.commands.append(name)
                    getattr(self, name, lambda: None)()
        elif address < FIRST_WINDOW and address not in SETTINGS:
            self._bus_error = True
        else:
            self.words[address] = word

    def _read(self, address: int) -> int:
        if address == FIELDS["status.steps_done.value"].address:
            return self._steps_done
        if address != FIELDS["status.state.busy"].address:
            return self.words.get(address, 0)
        busy = self._busy > 0
        self._busy = max(0, self._busy - (not self.hung))
        values = {
            "busy": busy,
            "reason": self._reason,
            "fault": self._fault,
            "bus_error": self._bus_error,
            "emulator_idle": 1,
        }
        places = {name: FIELDS[f"status.state.{name}"].low for name in values}
        return sum(int(value) << places[name] for name, value in values.items())

    # -- commands --------------------------------------------------------------------------------
    def emulator_restart(self) -> None:
        key0, key1 = (self.field(f"emulator.key{n}.value") for n in (0, 1))
        array = EmulatedArray(self.geometry, key0 | key1 << 32)
        array.state = array.state._replace(
            median=self.nodes("median").astype(array.state.median.dtype),
            sigma=self.nodes("sigma").astype(array.state.sigma.dtype),
        )
        array.state.counter[0] = self.field("emulator.first_pulse_lo.value")
        self.array = array

    def reset_state(self) -> None:
        # an operation of the array that is cut off gives a response that nobody has asked for
        self._fault = self._busy > 0 or bool(self._stream)
        self.controller = None
        self._stream.clear()

    def clear_fault(self) -> None:
        self._bus_error = False

    def start(self) -> None:
        assert self.array is not None, "the emulator was never restarted"
        self._busy = BUSY_READS
        points = self.points()
        self.controller = Controller(self.registers(), self.array, points)
        self.controller.set_order(self.window("order", len(points)).astype(np.int32))
        try:
            self.controller.start()
            self._reason = Reason.DONE
        except EntropyAlarm:
            self._reason = Reason.ENTROPY_ALARM

    def run(self) -> None:
        assert self.controller is not None
        self._busy = BUSY_READS
        self.controller.set_order(self.window("order", len(self.points())).astype(np.int32))
        out, _ = self.controller.run(self.field("control.steps.value"))
        self._steps_done, samples = (int(count) for count in out.cursor)
        self._reason = Reason.DONE
        for i in range(samples):
            level = int(out.sample_log_posterior[i])
            self._record(out.codes[i], int(out.multiplicity[i]), level, 0, 0)

    def flush(self) -> None:
        if self.controller is None:
            return
        s = self.controller.state
        levels = int(s.loglik[0]), int(s.prior[0])
        self._record(s.codes[0], int(s.multiplicity[0]), *levels, 1 << SAMPLE_CURRENT_BIT)

    def _record(self, codes: Any, multiplicity: int, loglik: int, prior: int, head: int) -> None:
        words = [head, multiplicity, loglik & MASK, prior & MASK, *packed(codes).tolist()]
        self._stream.extend((int(word), False) for word in words[:-1])
        self._stream.append((int(words[-1]), True))

    # -- what was loaded -------------------------------------------------------------------------
    def field(self, name: str) -> int:
        field = FIELDS[name]
        return self.words.get(field.address, 0) >> field.low & field.mask

    def window(self, name: str, count: int) -> np.ndarray:
        first = map_of(self.geometry, self.max_points).windows[name].address
        words = [self.words.get(first + 4 * i, 0) for i in range(count)]
        return np.array(words, np.uint32)

    def nodes(self, name: str) -> np.ndarray:
        """The nodes of a table of segments: word 2i is node i, word 2i + 1 the step to the next."""
        words = self.window(name, 512).view(np.int32).astype(np.int64)
        return np.append(words[0::2], words[-2] + words[-1])

    def registers(self) -> Registers:
        tables = {name: self.nodes(name) for name in ("inv_sigma", "log_sigma")}
        fields = {name: self.field(f"proposal.{name}.value") for name in PROPOSAL}
        options = {name: bool(self.field(f"model.options.{name}")) for name in OPTIONS}
        cutoffs = {name: self.field(f"entropy.{name}.value") for name in CUTOFFS}
        coefficients = {
            f"{name}_coef": tuple(self.field(f"proposal.{name}.{p}") for p in ("mantissa", "shift"))
            for name in ("logit", "weight", "common")
        }
        return Registers(
            geometry=self.geometry,
            features=self.field("model.features.value"),
            hidden=0,
            gamma_us=1.0,
            centre=self.field("proposal.mid.value"),
            wide_every=0,
            fold=1,
            retries=self.field("model.retries.value"),
            calibration=Calibration(dac=self.nodes("dac").astype(np.int32)),
            **fields, **options, **cutoffs, **coefficients, **tables,
        )  # fmt: skip

    def points(self) -> Points:
        count, width = self.field("model.points.value"), self.geometry.point_words
        words = self.window("points", count * width).reshape(count, width)
        inputs = np.ascontiguousarray(words[:, 1:]).view(np.int8)
        offsets = (words[:, 0] & 0xFFFF).astype(np.uint16).view(np.int16)
        labels = (words[:, 0] >> 16 & 3).astype(np.uint8)
        features = self.field("model.features.value")
        return Points(np.ascontiguousarray(inputs[:, :features]), labels, offsets)
