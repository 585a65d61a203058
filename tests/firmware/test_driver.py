"""The bare-metal driver over stubbed registers: results, records, interrupts, warnings.

``verif/test_driver_soc.py`` runs it on the simulated hardware.
"""

from __future__ import annotations

import ctypes
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from driver_stub import (
    CONFIG,
    ERRORS,
    MAP,
    PAUSE,
    WARNINGS,
    Driver,
    Record,
    Registers,
    array,
    build,
    image_of,
)
from ohmcarlo.boards.records.decode import Records
from ohmcarlo.spec import link
from ohmcarlo_rtl.driver.package import driver_files
from ohmcarlo_rtl.firmware.compile import ZIG
from ohmcarlo_rtl.firmware.image import BOARD_FLAGS
from ohmcarlo_rtl.sources import driver_sources

pytestmark = pytest.mark.hdl

POINT_WORDS = CONFIG.point_words
MAX = CONFIG.max_points
PAIRS = 3
SETTINGS = {"model.features": PAIRS, "proposal.rho": 200, "model.region_groups": 64}
MASK = (1 << 32) - 1


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("driver"))


Make = Callable[..., Driver]


@pytest.fixture
def make(library: Path) -> Make:
    def made(registers: Registers | None = None, **options: int) -> Driver:
        return Driver(library, registers or Registers(), **options)

    return made


@pytest.fixture
def loaded(make: Make) -> Driver:
    """A driver after ``load`` of three points."""
    driver = make()
    driver.image = image_of(SETTINGS, range(3 * POINT_WORDS), 3)  # type: ignore[attr-defined]
    assert driver.call("open") == "OK"
    assert driver.load(driver.image) == "OK"  # type: ignore[attr-defined]
    return driver


def step(accepted: bool, points: int, loglik: int = 0, prior: int = 0) -> list[int]:
    first = link.RECORD_STEP << link.RECORD_KIND_SHIFT | points | 1 << link.STEP_VALID_SHIFT
    if not accepted:
        return [first]
    return [first | 1 << link.STEP_ACCEPTED_SHIFT, loglik & MASK, prior & MASK]


def sample(multiplicity: int, loglik: int, prior: int, pairs: list[int]) -> list[int]:
    first = link.RECORD_SAMPLE << link.RECORD_KIND_SHIFT | link.SAMPLE_HEADER_WORDS + len(pairs)
    return [first, 0, multiplicity, loglik & MASK, prior & MASK, *pairs]


def prediction(total: int, square: int) -> list[int]:
    halves = [part >> shift & MASK for part in (total, square) for shift in (0, 32)]
    return [link.RECORD_PREDICTION << link.RECORD_KIND_SHIFT, *halves]


def random_records(seed: int, steps: int) -> list[int]:
    rng = np.random.default_rng(seed)
    words = []
    for _ in range(steps):
        accepted = bool(rng.random() < 0.4)
        low, high = (int(v) for v in rng.integers(-(1 << 31), 1 << 31, 2))
        words += step(accepted, int(rng.integers(0, 300)), low, high)
        if accepted:
            pairs = [int(v) for v in rng.integers(0, 1 << 10, PAIRS) * 0x10001]
            words += sample(int(rng.integers(1, 9)), high, low, pairs)
    return words


def start(driver: Driver) -> None:
    assert driver.call("start") == "OK"


# -- identification --------------------------------------------------------------------------------
def test_open_and_load(loaded: Driver) -> None:
    core = loaded.registers
    assert {name: core.get(name) for name in SETTINGS} == SETTINGS
    assert core.get("model.points") == 3
    assert core.memory["points"] == {i: i for i in range(3 * POINT_WORDS)}
    assert core.memory["order"] == {0: 0, 1: 1, 2: 2}
    assert core.memory["bad_rows"] == {i: i for i in range(4)}
    assert core.commands[-1] == "emulator_restart"
    events = core.events
    first, last = (events.index("bad_rows"), len(events) - events[::-1].index("order"))
    assert "reset_state" in events[:first], "the model of a started chain is fixed"
    assert "reset_state" in events[last:], "rows out of service take effect"


@pytest.mark.parametrize(
    ("register", "value", "error"),
    [("id.magic", 0, "NO_CORE"), ("ip.magic", 0xFFFFFFFF, "NO_CORE"),
     ("ip.map_hash", 1, "OTHER_MAP")],
)  # fmt: skip
def test_another_core_is_refused(make: Make, register: str, value: int, error: str) -> None:
    """Nothing is written to what is not a core of this register map."""
    driver = make()
    driver.registers.set(register, value)
    before = dict(driver.registers.values)
    assert driver.call("open") == error
    assert driver.registers.values == before and not driver.registers.commands


def test_an_image_that_does_not_fit_is_refused(loaded: Driver) -> None:
    points = range(3 * POINT_WORDS)
    before = len(loaded.registers.commands)
    assert loaded.load(image_of(SETTINGS, points, 3, map_hash=5)) == "OTHER_IMAGE"
    assert loaded.load(image_of(SETTINGS, points, MAX + 1)) == "TOO_MANY_POINTS"
    large = image_of(SETTINGS, points, 3)
    large.record_words = loaded.core.buffer_words + 1
    assert loaded.load(large) == "SMALL_BUFFER"
    assert len(loaded.registers.commands) == before


def test_a_register_that_keeps_no_value(make: Make) -> None:
    driver = make(Registers(dead={"proposal.rho"}))
    assert driver.call("open") == "OK"
    assert driver.load(image_of(SETTINGS, [0] * POINT_WORDS, 1)) == "NOT_WRITTEN"


def test_the_order_of_calls(make: Make) -> None:
    driver = make()
    assert driver.call("open") == "OK"
    for name in ("start", "flush", "run"):
        assert driver.run(5, lambda _: None, name) == "NOT_LOADED" if name != "start" else True
    assert driver.call("start") == "NOT_LOADED"
    assert driver.predict(None, 0)[0] == "NOT_LOADED"
    image = image_of(SETTINGS, range(3 * POINT_WORDS), 3)
    assert driver.load(image) == "OK"
    assert driver.run(5, lambda _: None) == "NOT_STARTED"
    assert driver.predict(None, 3)[0] == "NOT_STARTED"
    words = array(range(50, 50 + 2 * POINT_WORDS))
    assert driver.call("load_points", words, 2) == "OK"
    assert driver.registers.get("model.points") == 2
    assert driver.call("load_points", words, MAX + 1) == "TOO_MANY_POINTS"
    start(driver)
    assert driver.call("load_points", words, 2) == "STARTED"
    driver.registers.endless.add("run")
    assert driver.call("begin_run", 7) == "OK"
    assert driver.registers.get("control.steps") == 7
    assert driver.call("begin_run", 8) == "BUSY"
    assert driver.registers.get("control.steps") == 7
    assert driver.predict(None, 1)[0] == "BUSY"
    assert driver.call("load_points", words, 2) == "BUSY"


# -- records ---------------------------------------------------------------------------------------
def test_records_are_those_of_the_host(loaded: Driver) -> None:
    """The driver decodes a run of several rings as the host does."""
    words = random_records(3, 400)
    assert len(words) > 4 * len(loaded.registers.ring)
    loaded.registers.answers["run"] = words
    loaded.registers.set("records.received", MASK - 50)  # the counters pass 2**32
    loaded.registers.set("records.taken", MASK - 50)
    loaded.core.taken = MASK - 50
    start(loaded)
    steps, samples = [], []

    def take(record: Record) -> None:
        if record.kind == link.RECORD_STEP:
            s = record.as_.step
            steps.append((s.accepted, s.valid, s.region, s.points, s.log_posterior))
        else:
            s = record.as_.sample
            codes = [c for p in s.pairs[: s.pair_count] for c in (p & 0x3FF, p >> 16 & 0x3FF)]
            samples.append((s.current, s.region, s.multiplicity, s.log_posterior, codes))

    assert loaded.run(400, take) == "OK"
    found = Records(np.array(words, np.uint32))
    expected = found.steps()
    columns = (expected.accepted, expected.valid, expected.region, expected.points,
               expected.log_posterior)  # fmt: skip
    assert steps == list(zip(*(c.tolist() for c in columns), strict=True))
    held = found.samples(2 * PAIRS)
    columns = (held.current, held.region, held.multiplicity, held.log_posterior, held.codes)
    assert samples == list(zip(*(c.tolist() for c in columns), strict=True))


def test_a_record_longer_than_the_buffer(make: Make) -> None:
    driver = make(Registers(answers={"run": sample(1, 0, 0, [0] * 9)}), buffer_words=12)
    assert driver.call("open") == "OK"
    assert driver.load(image_of(SETTINGS, [0] * POINT_WORDS, 1)) == "OK"
    start(driver)
    assert driver.run(1, lambda _: None) == "SMALL_BUFFER"


@pytest.mark.parametrize("words", [[0], [0xF000_0000], [link.RECORD_SAMPLE << 28 | 3, 0, 0, 0],
                                   sample(1, 0, 0, [0] * 3)[:-1]])  # fmt: skip
def test_words_that_are_no_record(loaded: Driver, words: list[int]) -> None:
    """An unknown kind, a sample without its header, a record that is cut off."""
    loaded.registers.answers["run"] = words
    start(loaded)
    assert loaded.run(1, lambda _: None) == "BAD_RECORD"
    assert loaded.call("reset") == "OK"


def test_any_words_stay_within_the_buffer(loaded: Driver) -> None:
    """Random words end a run with a result; nothing is written behind the buffer."""
    rng = np.random.default_rng(5)
    guard = 0xDEADBEEF
    for trial in range(60):
        words = [int(w) for w in rng.integers(0, 1 << 32, 40)]
        for i in range(0, 40, 5):  # kinds that exist, with any length
            words[i] = int(rng.integers(1, 4)) << 28 | int(rng.integers(0, 70))
        loaded.registers.answers["run"] = words
        space = (ctypes.c_uint32 * 70)(*[guard] * 70)
        loaded.core.buffer, loaded.core.buffer_words = space, 1 + trial % 64
        assert loaded.call("reset") == "OK"
        start(loaded)
        assert loaded.run(1, lambda _: None) in ("OK", "BAD_RECORD", "SMALL_BUFFER")
        assert list(space)[loaded.core.buffer_words :] == [guard] * (70 - 1 - trial % 64)


def test_the_sink_ends_a_run(loaded: Driver) -> None:
    loaded.registers.answers["run"] = random_records(1, 300)
    start(loaded)
    taken: list[int] = []

    def take(record: Record) -> bool:
        taken.append(record.kind)
        return len(taken) < 10

    assert loaded.run(300, take) == "STOPPED"
    assert len(taken) == 10 and loaded.registers.commands[-1] == "halt"
    loaded.registers.answers["run"] = step(True, 5)
    kept: list[int] = []
    assert loaded.run(1, lambda record: kept.append(record.kind)) == "OK"
    assert kept == [link.RECORD_STEP], "no record of the run before"


# -- ends of a command -----------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("fields", "error"),
    [({"fault": 1, "fault_cause": 4, "reason": 3}, "FAULT"), ({"alarm": 1, "reason": 2}, "ALARM"),
     ({"reason": 5}, "NO_ROWS"), ({"reason": 1}, "EXHAUSTED"), ({"reason": 4}, "OK")],
)  # fmt: skip
def test_the_reason_of_the_end(loaded: Driver, fields: dict[str, int], error: str) -> None:
    core = loaded.registers
    core.answers["run"] = step(False, 9)
    core.after["run"] = fields
    start(loaded)
    kinds: list[int] = []
    assert loaded.run(5, lambda record: kinds.append(record.kind)) == error
    assert kinds == [link.RECORD_STEP], "records before the end are taken"
    if error == "FAULT":
        assert loaded.number("fault_cause") == 4
        assert loaded.run(5, lambda _: None) == "FAULT" and loaded.call("start") == "FAULT"
        assert loaded.call("reset") == "OK"
        assert loaded.run(5, lambda _: None) == "NOT_STARTED"
    if error == "ALARM":
        assert loaded.run(5, lambda _: None) == "ALARM", "until the next start"


def test_a_command_without_an_end(loaded: Driver) -> None:
    """The time-out is that of the caller; a reset halts the command, or switches it off."""
    core = loaded.registers
    core.endless.add("run")
    start(loaded)
    for patience in (10, 200):
        loaded.core.patience = patience
        if core.running:
            assert loaded.call("reset") == "OK"
            core.endless.add("run")
            start(loaded)
        pauses: list[int] = []
        loaded.core.pause = PAUSE(lambda _, pauses=pauses: pauses.append(1))
        assert loaded.run(5, lambda _: None) == "TIMEOUT"
        assert len(pauses) == patience
    assert "off" not in core.commands
    core.endless.add("run")
    core._command = _without_halt(core)  # type: ignore[method-assign]
    assert loaded.call("reset") == "OK"
    assert "off" in core.commands and core.commands[-1] == "clear_fault"


def test_words_behind_a_full_ring(loaded: Driver) -> None:
    """After a fault with a full ring, words that waited for room arrive while it is emptied."""
    core = loaded.registers
    core.set("records.received", core.get("records.taken") + len(core.ring))
    core.behind = [1 << link.RECORD_KIND_SHIFT] * 3
    assert loaded.call("reset") == "OK"
    assert not core.waiting
    assert core.get("records.received") == core.get("records.taken") == loaded.core.taken


def _without_halt(core: Registers) -> Callable[[str], None]:
    inner = core._command
    return lambda name: None if name == "halt" else inner(name)


def test_progress_restarts_the_time_out(make: Make) -> None:
    """Every other poll shows no progress, in sum far more than the patience."""
    driver = make(Registers(answers={"run": random_records(2, 600)}, every=9))
    assert driver.call("open") == "OK"
    assert driver.load(image_of(SETTINGS, [0] * POINT_WORDS, 1)) == "OK"
    start(driver)
    driver.core.patience = 12
    assert driver.run(600, lambda _: None) == "OK"
    driver.core.patience = 2
    driver.registers.answers["run"] = random_records(2, 600)
    assert driver.run(600, lambda _: None) == "TIMEOUT"


def test_an_end_after_a_time_out_is_not_that_of_the_next_run(loaded: Driver) -> None:
    core = loaded.registers
    core.endless.add("run")
    start(loaded)
    assert loaded.run(5, lambda _: None) == "TIMEOUT"
    core.endless.clear()
    core._end()
    core.answers["run"] = step(False, 9) * 40
    core.every = 5
    kinds: list[int] = []
    assert loaded.run(40, lambda record: kinds.append(record.kind)) == "OK"
    assert kinds == [link.RECORD_STEP] * 40


# -- interrupts ------------------------------------------------------------------------------------
def test_a_handler_acknowledges(loaded: Driver) -> None:
    """The driver sees the end although the handler has cleared its cause, and record_waiting is
    enabled again once the ring is empty."""
    core = loaded.registers
    cause = {f.name: 1 << f.low for f in MAP["interrupt.cause"].fields}
    enabled = cause["run_ended"] | cause["record_waiting"] | cause["fault"]
    loaded.library.ohmcarlo_enable_interrupts(ctypes.byref(loaded.core), enabled, 16)
    assert core.get("interrupt.enable") == enabled and core.get("interrupt.threshold") == 16
    core.answers["run"] = step(False, 9) * 3
    start(loaded)
    seen: list[int] = []

    def handler(_: int | None) -> None:
        core.set("interrupt.cause.record_waiting", int(not seen))
        seen.append(loaded.number("acknowledge"))
        if len(seen) == 1:
            assert core.get("interrupt.enable") == enabled & ~cause["record_waiting"]

    assert loaded.call("begin_run", 3) == "OK"
    handler(None)
    loaded.core.pause = PAUSE(handler)
    record, taken, kinds = Record(), ctypes.c_bool(), []
    for _ in range(20):
        result = loaded.call("poll", ctypes.byref(record), ctypes.byref(taken))
        kinds += [record.kind] if taken else []
        handler(None)
        if result != "BUSY":
            break
    assert result == "OK" and kinds == [link.RECORD_STEP] * 3
    assert any(s & cause["run_ended"] for s in seen)
    assert core.get("interrupt.enable") == enabled


# -- predictions -----------------------------------------------------------------------------------
def hold_samples(core: Registers) -> int:
    """Samples in the array, as the state windows hold them."""
    core.set("model.regions", 1)
    held = {0: 3, 5: 90, 63: 1}
    core.memory["state_held"] = dict(held)
    core.memory["state_regions"] = {5: 6}
    return sum(held.values()) + 6


def test_predictions_of_any_number_of_points(loaded: Driver) -> None:
    """Points in parts of the data memory; the points of the chain are back afterwards."""
    core = loaded.registers
    samples = hold_samples(core)
    start(loaded)
    assert loaded.number("samples") == samples
    count = 2 * MAX + 5
    rng = np.random.default_rng(0)
    sums = rng.integers(0, samples << 16, count).tolist()
    parts = [sums[:MAX], sums[MAX : 2 * MAX], sums[2 * MAX :]]
    inner = core._command
    loads: list[tuple[int, int]] = []

    def command(name: str) -> None:
        if name == "predict":
            loads.append((core.get("model.points"), core.memory["points"][0]))
            core.answers["predict"] = [w for s in parts.pop(0) for w in prediction(s, 1)]
        inner(name)

    core._command = command  # type: ignore[method-assign]
    words = np.repeat(np.arange(count) + 1000, POINT_WORDS).tolist()
    result, means = loaded.predict(words, count)
    assert result == "OK" and means == [s // samples for s in sums]
    assert loads == [(MAX, 1000), (MAX, 1000 + MAX), (5, 1000 + 2 * MAX)]
    assert core.get("model.points") == 3
    assert core.memory["points"][0] == 0 and core.memory["points"][POINT_WORDS] == POINT_WORDS


def test_predictions_of_the_points_of_the_chain(loaded: Driver) -> None:
    core = loaded.registers
    samples = hold_samples(core)
    start(loaded)
    core.answers["predict"] = [*prediction(samples << 15, 1), *prediction(5, 1)]
    assert loaded.predict(None, 2) == ("OK", [1 << 15, 0])
    assert core.get("model.points") == 3
    assert loaded.predict(None, 4)[0] == "TOO_MANY_POINTS"
    core.answers["predict"] = prediction(5, 1)
    assert loaded.predict(None, 2)[0] == "BAD_RECORD", "a prediction is missing"
    core.answers["predict"] = prediction(5, 1) * 3
    assert loaded.predict(None, 2)[0] == "BAD_RECORD", "one too many"


@given(st.integers(0, (1 << 47) - 1), st.integers(1, MASK))
@example(0xFFFF_FFFF_FFFF, 1 << 31)
def test_mean_is_the_quotient(library: Path, total: int, samples: int) -> None:
    mean = ctypes.CDLL(str(library)).ohmcarlo_mean
    mean.argtypes, mean.restype = [ctypes.c_uint64, ctypes.c_uint32], ctypes.c_uint32
    assert mean(total, samples) == total // samples & MASK


# -- the text --------------------------------------------------------------------------------------
def test_names_of_the_results(make: Make) -> None:
    names = make().library.ohmcarlo_error_name
    assert [names(i).decode() for i in range(len(ERRORS) + 1)] == [*ERRORS, "UNKNOWN"]
    text = (driver_sources() / "ohmcarlo_driver.h").read_text()
    listed = re.findall(
        r"^    OHMCARLO_(\w+),", text.partition("enum ohmcarlo_error {")[2].partition("};")[0], re.M
    )
    assert listed == list(ERRORS)


TO_OBJECT = (*WARNINGS, "-ffreestanding", "-Os", "-c", "ohmcarlo_driver.c", "-o", "driver.o")
FROM_CPP = ("-Wall", "-Wextra", "-Werror", "-fsyntax-only", "main.cpp")


@pytest.mark.parametrize("target", ["here", "riscv32"])
def test_the_driver_needs_no_library(tmp_path: Path, target: str) -> None:
    """No warning in C99 from GCC or Clang, no symbol from outside, headers that C++ takes, too."""
    commands = [["gcc", *TO_OBJECT], ["g++", *FROM_CPP]]
    if target == "riscv32":
        board = [f for f in BOARD_FLAGS if not f.startswith("-O")]
        commands = [[*ZIG, "cc", *board, *TO_OBJECT]]
    elif shutil.which("gcc") is None:
        pytest.skip("gcc is not installed")
    for name, text in driver_files(CONFIG).items():
        (tmp_path / name).write_text(text)
    text = '#include "ohmcarlo_driver.h"\nint main() { return ohmcarlo_pair_difference(0); }\n'
    (tmp_path / "main.cpp").write_text(text)
    for command in commands:
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    symbols = subprocess.run(
        ["nm", "-u", "driver.o"], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert symbols.stdout.split() in ([], ["U", "_GLOBAL_OFFSET_TABLE_"])


def test_no_number_of_the_map_is_typed() -> None:
    """Addresses, bits and codes come from the generated headers."""
    text = (driver_sources() / "ohmcarlo_driver.c").read_text()
    code = re.sub(r"//.*", "", text)
    assert not re.findall(r"0x[0-9a-fA-F]+", code)
    assert {int(n) for n in re.findall(r"\b(\d+)u?\b", code)} <= {0, 1, 2, 3, 4, 32}
