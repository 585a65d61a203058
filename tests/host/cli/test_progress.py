"""Progress: bars on a terminal, lines elsewhere, nothing for what is short; quiet and verbose."""

from __future__ import annotations

import json
import logging
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ohmcarlo.cli import app as cli
from ohmcarlo.cli import logs
from ohmcarlo.cli.progress import Display, Lines
from ohmcarlo.progress import Silence, counted, observed_by, phase, tracked
from terminal import Terminal

SMALL = ["--rows", "64", "--pairs", "8", "--chains", "2", "--steps", "120", "--no-whiten"]
Call = Callable[..., tuple[int, str, str]]


@pytest.fixture
def call(capfd: pytest.CaptureFixture[str]) -> Call:
    def run(*arguments: object) -> tuple[int, str, str]:
        code = cli.main([str(a) for a in arguments])
        return code, *capfd.readouterr()

    return run


class Told:
    """A display without a terminal whose clock is told the time, and the lines that it wrote."""

    def __init__(self, capfd: pytest.CaptureFixture[str]) -> None:
        self.now = 0.0
        self.display = Display(Lines, lambda: self.now, threaded=False)
        self._capfd = capfd

    def at(self, seconds: float) -> list[str]:
        """The lines that were written until then, with a look at the clock every half second."""
        while self.now < seconds:
            self.now += 0.5
            self.display.tick()
        return self._capfd.readouterr().err.splitlines()


@pytest.fixture
def told(capfd: pytest.CaptureFixture[str]) -> Iterator[Told]:
    made = Told(capfd)
    with logs.messages(), made.display:
        yield made


# -- off a terminal ----------------------------------------------------------------------------


def test_a_line_every_ten_seconds_with_the_time_that_is_left(told: Told) -> None:
    display = told.display
    display.begin(0, 40_000)
    assert told.at(1.5) == []
    assert told.at(2) == ["sampling: 40,000 steps …"]
    display.advance(12_000, 0.4321)
    assert told.at(11.5) == []
    assert told.at(12) == ["sampling: 12,000 of 40,000 steps, 30 %, 43 % accepted, about 28 s left"]
    display.advance(39_999)
    (line,) = told.at(22)
    assert line == "sampling: 39,999 of 40,000 steps, 99 %, about 1 s left"
    display.end()
    assert told.at(60) == []


def test_a_resumed_count_is_no_speed(told: Told) -> None:
    """The steps of a checkpoint were not made in this time."""
    told.display.begin(30_000, 40_000)
    told.at(2)
    told.display.advance(31_000)
    assert told.at(12) == ["sampling: 31,000 of 40,000 steps, 77 %, about 2 min left"]


def test_an_operation_becomes_counted(told: Told) -> None:
    """The stages of an adaptation: their number is known when the search has ended."""
    told.display.wait("adaptation, stage 1")
    assert told.at(2) == ["adaptation, stage 1 …"]
    told.display.rename("adaptation, stage 3", 80, 480, "steps per chain")
    told.at(6)
    told.display.rename("adaptation, stage 5", 200, 440, "steps per chain")
    assert told.at(12) == ["adaptation, stage 5: 200 of 440 steps per chain, 45 %, about 24 s left"]


def test_one_of_a_kind_is_no_plural(told: Told) -> None:
    told.display.begin(0, 1, "drawing", "pictures")
    assert told.at(2) == ["drawing: 1 picture …"]
    assert told.at(12) == ["drawing: 0 of 1 picture, 0 %"]
    told.display.end()
    told.display.wait("adaptation")
    told.display.rename("adaptation", 0, 1, "steps per chain")
    assert told.at(14) == ["adaptation: 1 step per chain …"]


def test_what_takes_less_than_two_seconds_is_not_shown(told: Told) -> None:
    for _ in range(20):
        with phase("short"):
            assert told.at(told.now + 1.5) == []
    assert list(tracked(range(5), 5, "drawing", "pictures")) == [0, 1, 2, 3, 4]
    assert told.at(told.now + 30) == []


def test_short_phases_inside_a_long_one(told: Told) -> None:
    lines = []
    with phase("preparing"):
        for name in ("reading", "encoding", "measuring"):
            with phase(name):
                lines += told.at(told.now + 1.5)
        with phase("fitting"):
            lines += told.at(told.now + 15)
    assert lines == ["preparing …", "fitting …", "fitting: 12 s so far"]


def test_a_line_of_a_builder_is_a_stage_until_the_next_one(told: Told) -> None:
    told.display.say("   3 s  synthesis ...")
    assert told.at(9.5) == ["   3 s  synthesis ..."]
    assert told.at(10) == ["synthesis: 10 s so far"]
    told.display.say("  11 s  seed 1 reaches 95.2% of the clock")
    assert told.at(50) == ["  11 s  seed 1 reaches 95.2% of the clock"]


def test_a_count_ends_with_its_block(told: Told) -> None:
    with pytest.raises(OSError), counted(9, "downloading", "files") as done:
        done(3)
        assert told.at(12)[-1] == "downloading: 3 of 9 files, 33 %, about 24 s left"
        raise OSError
    assert told.at(50) == []


# -- on a terminal -----------------------------------------------------------------------------

SLOW = """
import signal, sys
from ohmcarlo.cli import app, progress
from ohmcarlo.progress import current_observer, phase
progress.SHOWN_AFTER_S = 0

def slow():
    observer = current_observer()
    observer.begin(0, 40_000)
    observer.advance(12_000, 0.5)
    observer.say("a line between")
    with phase("waiting for a signal"):
        signal.pause()

app.app.command()(slow)
app.app.command()(lambda: None)
sys.exit(app.main(["slow"]))
"""


def terminal_of(code: str, **environment: str) -> Terminal:
    return Terminal([sys.executable, "-c", code], **environment)


def test_bars_on_a_terminal_and_ctrl_c_leaves_it_as_it_was() -> None:
    terminal = terminal_of(SLOW)
    terminal.until("12,000 of 40,000 steps, 30 %, 50 % accepted")
    terminal.until("waiting for a signal")
    assert "━" in terminal.seen and "a line between" in terminal.seen
    terminal.type("\x03")
    assert terminal.close() == cli.INTERRUPTED
    assert "Traceback" not in terminal.seen
    assert "\x1b[?25l" not in terminal.seen  # the cursor is never hidden
    assert terminal.after == terminal.before
    # the bars are erased, and the message stands alone on the last line
    last = terminal.seen.rpartition("\x1b[2K")[2]
    assert re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", last).split() == ["ohmcarlo:", "interrupted"]


def test_a_terminal_that_draws_nothing_gets_lines() -> None:
    terminal = terminal_of(SLOW, TERM="dumb")
    terminal.until("waiting for a signal …")
    terminal.type("\x03")
    assert terminal.close() == cli.INTERRUPTED
    assert "━" not in terminal.seen and "\x1b" not in terminal.seen


class Recorder(Silence):
    """An observer that keeps the names of phases."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.open = 0

    def wait(self, text: str) -> None:
        self.open += 1
        self.names.append(text)

    def begin(self, steps: int, total: int, what: str = "sampling", unit: str = "steps") -> None:
        self.open += 1
        self.names.append(f"{what}: {total} {unit}")

    def end(self) -> None:
        self.open -= 1
        assert self.open >= 0


@pytest.fixture(scope="module")
def recorder() -> Iterator[Recorder]:
    """Shows the phases of all verbs in this module."""
    made = Recorder()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cli, "Display", lambda: observed_by(made))
        yield made


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, recorder: Recorder) -> Path:
    """A folder with a run, the names of its phases, and cases to predict."""
    folder = tmp_path_factory.mktemp("run")
    assert cli.main(["train", "toy2d", *SMALL, "--out", str(folder / "run")]) == 0
    (folder / "phases.json").write_text(json.dumps(recorder.names))
    assert cli.main(["data", "export", "toy2d", str(folder / "cases.csv")]) == 0
    return folder


# -- quiet and verbose -------------------------------------------------------------------------


def test_quiet_prints_nothing_but_the_result(call: Call, run: Path) -> None:
    cases, usual = run / "cases.csv", call("predict", run / "run", run / "cases.csv")
    assert usual[0] == 0 and "accuracy on these" in usual[2]
    for arguments in (
        ["--quiet", "predict", run / "run", cases],
        ["predict", run / "run", cases, "--quiet"],
        ["predict", "-q", run / "run", cases],
    ):
        assert call(*arguments) == (0, usual[1], "")
    code, out, err = call("tasks", "--json", "-", "-q")
    assert code == 0 and "toy2d" in json.loads(out) and err == ""
    code, out, err = call("resume", run / "run", "-q")
    assert code == 0 and "accuracy on held-out data" in out and err == ""


def test_quiet_keeps_errors_and_warnings(call: Call, run: Path, tmp_path: Path) -> None:
    code, out, err = call("-q", "train", "no-such-task")
    assert (code, out) == (cli.BAD_USE, "") and "no-such-task" in err
    far = tmp_path / "far.csv"
    far.write_text((run / "cases.csv").read_text().splitlines()[0] + "\n1e6,1e6,1\n")
    code, _, err = call("predict", run / "run", far, "-q")
    assert code in (0, cli.BAD_USE)
    assert len(err.splitlines()) == 1, err


def test_verbose_shows_times(call: Call, run: Path) -> None:
    code, out, err = call("predict", run / "run", run / "cases.csv", "--verbose")
    assert code == 0
    lines = re.findall(r"^ *\d+\.\d\d s  progress: (.*) took \d+\.\d\d s$", err, re.M)
    assert "predicting (100 rows)" in lines
    usual = call("predict", run / "run", run / "cases.csv")
    assert usual[1] == out and "took" not in usual[2]


def test_quiet_and_verbose_exclude_each_other(call: Call) -> None:
    for arguments in (["-q", "tasks", "-v"], ["tasks", "-v", "-q"], ["-v", "-q", "tasks"]):
        code, out, err = call(*arguments)
        assert (code, out) == (cli.BAD_USE, "") and "--quiet and --verbose" in err


def test_python_users_have_a_log_of_the_package(caplog: pytest.LogCaptureFixture) -> None:
    package = logging.getLogger("ohmcarlo")
    assert [type(h) for h in package.handlers] == [logging.NullHandler]
    assert package.level == logging.NOTSET
    with caplog.at_level(logging.DEBUG, "ohmcarlo"), phase("thinking"):
        pass
    assert [r.name for r in caplog.records] == ["ohmcarlo.progress"]
    assert caplog.messages[0].startswith("thinking took 0.")


# -- the phases of the verbs -------------------------------------------------------------------


def test_train_and_predict_have_phases(recorder: Recorder, call: Call, run: Path) -> None:
    assert json.loads((run / "phases.json").read_text()) == [
        "preparing data and array", "reading toy2d", "encoding the data", "reading the checkpoint",
        "sampling: 120 steps", "evaluating the run", "writing the run",
    ]  # fmt: skip
    recorder.names.clear()
    assert call("predict", run / "run", run / "cases.csv")[0] == 0
    assert recorder.names == [
        f"reading {run / 'cases.csv'}", "predicting: 100 rows", "writing the predictions",
    ]  # fmt: skip
    assert recorder.open == 0


@pytest.mark.verify
def test_other_verbs_have_phases(recorder: Recorder, call: Call, run: Path, tmp_path: Path) -> None:
    def phases(*arguments: object) -> set[str]:
        recorder.names.clear()
        assert call(*arguments)[0] == 0
        assert recorder.open == 0
        return set(recorder.names)

    found = phases("pulses", run / "run", "--out", tmp_path / "p.csv", "--steps", 5)
    assert {f"making {run / 'run'} again on the model", "sampling: 5 steps"} <= found
    small = ["--rows", "32", "--pairs", "8", "--steps", "0"]
    found = phases("characterize", *small)
    assert {"measuring the array", "fitting the device model", "writing the results"} <= found
    assert "checking coin" in phases("selftest")
    assert "drawing: 7 pictures" in phases("report", run / "run", "--plots", tmp_path)
