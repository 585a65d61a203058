"""The bare-metal driver in this process, over registers that behave as a test wants."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ohmcarlo.spec import link
from ohmcarlo_hdl.config import COMPACT
from ohmcarlo_hdl.regs.map import register_map
from ohmcarlo_rtl.driver.files import driver_files

CONFIG = COMPACT
MAP = register_map(CONFIG, True, ip=True)
WARNINGS = ("-std=c99", "-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Wvla", "-Wpedantic",
            "-Wcast-qual", "-Wmissing-prototypes", "-Werror")  # fmt: skip
SANITIZE = ("-fsanitize=undefined", "-fno-sanitize-recover=all")
BASE = 0x4000_0000
ERRORS = (
    "OK", "NO_CORE", "OTHER_MAP", "OTHER_IMAGE", "BUSY", "NOT_LOADED", "NOT_STARTED", "STARTED",
    "NOT_WRITTEN", "TIMEOUT", "FAULT", "ALARM", "NO_ROWS", "EXHAUSTED", "SMALL_BUFFER",
    "BAD_RECORD", "TOO_MANY_POINTS", "STOPPED",
)  # fmt: skip
"""Names of the results, in their order."""

Words = ctypes.POINTER(ctypes.c_uint32)
READ = ctypes.CFUNCTYPE(ctypes.c_uint32, ctypes.c_size_t)
WRITE = ctypes.CFUNCTYPE(None, ctypes.c_size_t, ctypes.c_uint32)
PAUSE = ctypes.CFUNCTYPE(None, ctypes.c_void_p)
ACCESS = """
#include "ohmcarlo_driver.h"
uint32_t (*stub_read)(uintptr_t address);
void (*stub_write)(uintptr_t address, uint32_t value);
uint32_t ohmcarlo_read32(uintptr_t address) { return stub_read(address); }
void ohmcarlo_write32(uintptr_t address, uint32_t value) { stub_write(address, value); }
"""


class Setting(ctypes.Structure):
    _fields_ = [("address", ctypes.c_uint32), ("value", ctypes.c_uint32)]


class Window(ctypes.Structure):
    _fields_ = [("address", ctypes.c_uint32), ("count", ctypes.c_uint32), ("words", Words)]


class Image(ctypes.Structure):
    _fields_ = [
        ("map_hash", ctypes.c_uint32),
        ("record_words", ctypes.c_uint32),
        ("points", ctypes.c_uint32),
        ("point_words", Words),
        ("settings", ctypes.POINTER(Setting)),
        ("setting_count", ctypes.c_uint32),
        ("windows", ctypes.POINTER(Window)),
        ("window_count", ctypes.c_uint32),
        ("emulator", ctypes.c_bool),
    ]


class Step(ctypes.Structure):
    _fields_ = [
        ("accepted", ctypes.c_bool),
        ("valid", ctypes.c_bool),
        ("region", ctypes.c_uint32),
        ("points", ctypes.c_uint32),
        ("log_posterior", ctypes.c_int64),
    ]


class Sample(ctypes.Structure):
    _fields_ = [
        ("current", ctypes.c_bool),
        ("region", ctypes.c_uint32),
        ("multiplicity", ctypes.c_uint32),
        ("log_posterior", ctypes.c_int64),
        ("pairs", Words),
        ("pair_count", ctypes.c_uint32),
    ]


class Prediction(ctypes.Structure):
    _fields_ = [("sum", ctypes.c_uint64), ("square", ctypes.c_uint64)]


class As(ctypes.Union):
    _fields_ = [("step", Step), ("sample", Sample), ("prediction", Prediction)]


class Record(ctypes.Structure):
    _fields_ = [("kind", ctypes.c_int), ("as_", As)]


class Core(ctypes.Structure):
    _fields_ = [
        ("base", ctypes.c_size_t),
        ("buffer", Words),
        ("buffer_words", ctypes.c_uint32),
        ("patience", ctypes.c_uint32),
        ("pause", PAUSE),
        ("pause_context", ctypes.c_void_p),
        ("image", ctypes.POINTER(Image)),
        ("point_words", Words),
        ("points", ctypes.c_uint32),
        ("taken", ctypes.c_uint32),
        ("filled", ctypes.c_uint32),
        ("enabled", ctypes.c_uint32),
        ("seen", ctypes.c_uint32),
    ]


SINK = ctypes.CFUNCTYPE(ctypes.c_bool, ctypes.c_void_p, ctypes.POINTER(Record))


def build(folder: Path) -> Path:
    """The driver as a shared library with a stub for its accesses.

    The library is checked for undefined behaviour.
    """
    for name, text in {**driver_files(CONFIG), "access.c": ACCESS}.items():
        (folder / name).write_text(text)
    compiler = shutil.which("gcc") or shutil.which("cc") or "cc"
    command = [compiler, *WARNINGS, *SANITIZE, "-O1", "-fPIC", "-shared"]
    command += ["-DOHMCARLO_CUSTOM_ACCESS", "ohmcarlo_driver.c", "access.c", "-o", "driver.so"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return folder / "driver.so"


@dataclass
class Registers:
    """A core: registers that keep their values, and commands that a test scripts.

    Attributes
    ----------
    answers : dict of str to list of words
        Record words of each command; a run takes as many as it has.
    after : dict of str to dict of str to int
        Fields of status.state after each command, besides busy and started.
    endless : set of str
        Commands that do not end by themselves.
    dead : set of str
        Registers that do not keep a value.
    every : int
        Words reach the ring with every so many-th look at it.
    events : list of str
        Commands, and names of windows that were written, in their order.
    """

    answers: dict[str, Sequence[int]] = field(default_factory=dict)
    after: dict[str, dict[str, int]] = field(default_factory=dict)
    endless: set[str] = field(default_factory=set)
    dead: set[str] = field(default_factory=set)
    every: int = 1
    events: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.values = {r.address: sum(f.reset << f.low for f in r.fields) for r in MAP.registers}
        self.names = {r.address: r.name for r in MAP.registers}
        self.memory: dict[str, dict[int, int]] = {w.name: {} for w in MAP.windows}
        self.waiting: deque[int] = deque()
        self.behind: list[int] = []  # words that are in the pipeline at a reset of the state
        self.ring = [0] * MAP.window("records_ring").words
        self.looks = 0
        self.running = ""
        self.state: dict[str, int] = {"emulator_idle": 1}

    @property
    def commands(self) -> list[str]:
        """Commands, in their order."""
        return [event for event in self.events if event not in self.memory]

    # -- fields -----------------------------------------------------------------------------------
    def set(self, name: str, value: int) -> None:
        """Set a register that has one field, or the bits of a field ("group.register.field")."""
        group, register, *rest = name.split(".")
        found = MAP[f"{group}.{register}"]
        if not rest:
            self.values[found.address] = value
            return
        (bits,) = (f for f in found.fields if f.name == rest[0])
        mask = ((1 << bits.width) - 1) << bits.low
        self.values[found.address] = self.values[found.address] & ~mask | value << bits.low

    def get(self, name: str) -> int:
        return self.values[MAP[name].address]

    # -- the bus -----------------------------------------------------------------------------------
    def read(self, address: int) -> int:
        at = address - BASE
        if at in self.names:
            return self._read_register(self.names[at])
        window, word = self._place(at)
        assert window.readable, window.name
        if window.name == "records_ring":
            return self.ring[word]
        return self.memory[window.name].get(word, 0)

    def write(self, address: int, value: int) -> None:
        at = address - BASE
        if at not in self.names:
            window, word = self._place(at)
            assert window.writable, window.name
            self.memory[window.name][word] = value
            self.events.append(window.name)
            return
        name = self.names[at]
        register = MAP[name]
        assert register.writable, name
        mask = sum(((1 << f.width) - 1) << f.low for f in register.fields if "w" in f.sw)
        assert value & ~mask == 0, f"{name} = {value:#x}"
        if name == "control.command":
            for command in (f.name for f in register.fields if value >> f.low & 1):
                self._command(command)
        elif name == "interrupt.clear":
            self.values[MAP["interrupt.cause"].address] &= ~value
        elif name not in self.dead:
            self.values[at] = value

    def _place(self, at: int) -> tuple[Any, int]:
        assert at % 4 == 0, hex(at)
        for window in MAP.windows:
            if window.address <= at < window.address + 4 * window.words:
                return window, (at - window.address) // 4
        raise AssertionError(f"no register at {at:#x}")

    def _read_register(self, name: str) -> int:
        assert MAP[name].readable, name
        if name == "status.state":
            for flag, value in self.state.items():
                self.set(f"status.state.{flag}", value)
        if name in ("records.received", "interrupt.cause"):
            self._advance()
        return self.get(name)

    # -- the chain ---------------------------------------------------------------------------------
    def _advance(self) -> None:
        """Put a few words of the records into the ring, if there is room."""
        self.looks += 1
        if self.looks % self.every:
            return
        for _ in range(7):
            received, taken = self.get("records.received"), self.get("records.taken")
            if not self.waiting or (received - taken) % (1 << 32) >= len(self.ring):
                break
            self.ring[received % len(self.ring)] = self.waiting.popleft()
            self.set("records.received", (received + 1) % (1 << 32))
        else:
            return
        if self.running and not self.waiting and self.running not in self.endless:
            self._end()

    def _end(self) -> None:
        self.state |= {"busy": 0, **self.after.get(self.running, {})}
        self.set("interrupt.cause.run_ended", 1)
        if self.state.get("fault"):
            self.set("interrupt.cause.fault", 1)
        self.running = ""

    def _command(self, name: str) -> None:
        self.events.append(name)
        if name in ("start", "run", "flush", "predict"):
            assert not self.running and not self.state.get("fault"), name
            self.running = name
            self.state |= {"busy": 1, "reason": 0}
            if name == "start":
                self.state["started"] = 1
            self.waiting.extend(self.answers.get(name, ()))
        elif name == "halt" and self.running:
            self.endless.discard(self.running)
        elif name == "off":
            self.state |= {"busy": 0, "fault": 1, "fault_cause": int(link.FaultCause.OFF)}
        elif name == "reset_state":
            self.waiting = deque(self.behind)
            self.running = ""
            self.state = {"emulator_idle": 1}
            for flag in MAP["status.state"].fields:
                self.set(f"status.state.{flag.name}", 0)


class Driver:
    """Calls of the driver; results are names of ``ERRORS``."""

    def __init__(self, library: Path, registers: Registers, buffer_words: int = 64) -> None:
        self.library = ctypes.CDLL(str(library))
        self.registers = registers
        self._keep: list[Any] = [READ(self._read), WRITE(self._write)]
        for name, function in zip(("stub_read", "stub_write"), self._keep, strict=True):
            pointer = ctypes.c_void_p.in_dll(self.library, name)
            pointer.value = ctypes.cast(function, ctypes.c_void_p).value
        self.buffer = (ctypes.c_uint32 * max(buffer_words, 1))()
        self.core = Core(BASE, self.buffer, buffer_words, 50)
        self.library.ohmcarlo_error_name.restype = ctypes.c_char_p
        self.library.ohmcarlo_mean.argtypes = [ctypes.c_uint64, ctypes.c_uint32]
        self.library.ohmcarlo_mean.restype = ctypes.c_uint32
        for name in ("samples", "acknowledge", "fault_cause"):
            getattr(self.library, f"ohmcarlo_{name}").restype = ctypes.c_uint32
        self.failure: BaseException | None = None

    def _read(self, address: int) -> int:
        try:
            return self.registers.read(address)
        except BaseException as error:  # an exception cannot pass through C
            self.failure = self.failure or error
            return 0

    def _write(self, address: int, value: int) -> None:
        try:
            self.registers.write(address, value)
        except BaseException as error:
            self.failure = self.failure or error

    def number(self, name: str, *arguments: Any) -> int:
        """Call ``ohmcarlo_<name>`` with the core as its first argument."""
        result = getattr(self.library, f"ohmcarlo_{name}")(ctypes.byref(self.core), *arguments)
        if self.failure is not None:
            raise self.failure
        return int(result)

    def call(self, name: str, *arguments: Any) -> str:
        return ERRORS[self.number(name, *arguments)]

    def load(self, image: Image) -> str:
        return self.call("load", ctypes.byref(image))

    def run(self, steps: int, take: Callable[[Record], bool | None], name: str = "run") -> str:
        """Call ``run`` or ``flush``; ``take`` returns False to stop."""
        sink = SINK(lambda _, record: take(record[0]) is not False)
        arguments = [steps, sink, None] if name == "run" else [sink, None]
        return self.call(name, *arguments)

    def predict(self, words: Sequence[int] | None, points: int) -> tuple[str, list[int]]:
        means = (ctypes.c_uint32 * max(points, 1))()
        given = None if words is None else array(words)
        return self.call("predict", given, points, means), list(means)[:points]


def array(words: Sequence[int]) -> Any:
    """A C array of words."""
    return (ctypes.c_uint32 * len(words))(*(int(w) for w in words))


def image_of(
    settings: dict[str, int], points: Sequence[int], count: int, map_hash: int | None = None
) -> Image:
    """An image with these registers and these words of points, and a window of bad rows."""
    known = int(MAP.hash[:8], 16)
    pairs = [Setting(MAP[name].address, value) for name, value in settings.items()]
    rows = array(np.arange(4, dtype=np.uint32))
    window = Window(MAP.window("bad_rows").address, 4, ctypes.cast(rows, Words))
    image = Image(
        map_hash=known if map_hash is None else map_hash,
        record_words=12,
        points=count,
        point_words=ctypes.cast(array(points), Words),
        settings=(Setting * len(pairs))(*pairs),
        setting_count=len(pairs),
        windows=(Window * 1)(window),
        window_count=1,
        emulator=True,
    )
    image.keep = (rows, points)  # type: ignore[attr-defined]
    return image
