"""Terminals that lack characters, and results that go into devices, pipes and links."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from ohmcarlo.cli import app as cli
from ohmcarlo.cli.streams import PLAIN, SUBSTITUTES
from ohmcarlo.errors import UsageError
from ohmcarlo.files import check_file, write_bytes, write_json

SMALL = ["--rows", "64", "--pairs", "16", "--chains", "2", "--steps", "120"]
ARRAY = ["--rows", "32", "--pairs", "8"]
CLASS = "müde σ"


def ascii_stream() -> io.TextIOWrapper:
    return io.TextIOWrapper(io.BytesIO(), encoding="ascii", errors="strict")


@pytest.fixture
def ascii_call(monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[bytes, bytes]]:
    """Run the command line with strict ASCII streams: what it wrote, after an exit code of 0."""

    def run(*arguments: object) -> tuple[bytes, bytes]:
        written = []
        with monkeypatch.context() as patch:
            for name in ("stdout", "stderr"):
                patch.setattr(sys, name, ascii_stream())
            code = cli.main([str(a) for a in arguments])
            for stream in (sys.stdout, sys.stderr):
                stream.flush()
                written.append(stream.buffer.getvalue())  # type: ignore[attr-defined]
        assert code == 0, written
        return written[0], written[1]

    return run


AsciiCall = Callable[..., tuple[bytes, bytes]]


@pytest.fixture
def cases(tmp_path: Path) -> Path:
    """A CSV file whose classes and whose name are not ASCII."""
    rng = np.random.default_rng(0)
    lines = [
        f"{a:.3f},{a + b:.3f},{CLASS if a > 0 else 'wach'}" for a, b in rng.normal(0, 1, (60, 2))
    ]
    path = tmp_path / "Fälle.csv"
    path.write_text("\n".join(["länge,breite,label", *lines, ""]), encoding="utf-8")
    return path


def test_every_verb_of_a_run_on_an_ascii_terminal(
    ascii_call: AsciiCall, cases: Path, tmp_path: Path
) -> None:
    run = tmp_path / "Lauf"
    out, _ = ascii_call("train", cases, *SMALL, "--out", run)
    assert b"2 x 120 steps" in out and b"\\xe4" in out  # the name of the file, escaped
    assert b"2 x 120 steps" in ascii_call("resume", run)[0]
    result, shown = ascii_call("report", run, "--json", "-")
    assert json.loads(result.decode("ascii"))["task"] == str(cases)
    assert b"2 x 120 steps" in shown
    table, notes = ascii_call("predict", run, cases)
    assert notes.isascii()
    ascii_call("predict", run, cases, "--out", tmp_path / "answers.csv")
    assert table == (tmp_path / "answers.csv").read_bytes()
    assert CLASS in table.decode()


def test_every_other_verb_on_an_ascii_terminal(ascii_call: AsciiCall, tmp_path: Path) -> None:
    ascii_call("tasks")
    ascii_call("data", "export", "toy2d", tmp_path / "t.csv")
    ascii_call("train", "--help")
    out, _ = ascii_call("characterize", "--array", "physics", *ARRAY, "--steps", "0")
    assert b"sigma" in out and b"+/-" in out
    out, _ = ascii_call("selftest")
    assert b"ok" in out


@pytest.mark.parametrize("code", ["ascii", "latin-1", "cp437"])
def test_every_symbol_has_a_substitute(code: str) -> None:
    """Without the handler, the same text is an error."""
    text = "".join(SUBSTITUTES)
    with pytest.raises(UnicodeEncodeError):
        text.encode(code)
    assert "\\" not in text.encode(code, PLAIN).decode(code)


def test_the_environment_of_a_bare_system() -> None:
    bare = {"PYTHONIOENCODING": "ascii", "LANG": "C", "LC_ALL": "C", "PYTHONUTF8": "0"}
    done = subprocess.run(
        [sys.executable, "-m", "ohmcarlo.cli.app", "tasks"],
        capture_output=True,
        env=os.environ | bare | {"PYTHONCOERCECLOCALE": "0"},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.isascii() and b"breast-cancer" in done.stdout


# -- files that are none -----------------------------------------------------------------------


def test_a_device_stays_a_device() -> None:
    null = Path(os.devnull)
    before = null.stat()
    assert cli.main(["tasks", "--json", os.devnull]) == 0
    after = null.stat()
    assert (after.st_mode, after.st_rdev, after.st_ino) == (
        before.st_mode, before.st_rdev, before.st_ino,
    )  # fmt: skip
    assert not list(null.parent.glob("null?*"))


def test_a_pipe_gets_the_content(tmp_path: Path) -> None:
    fifo = tmp_path / "pipe"
    os.mkfifo(fifo)
    got: list[bytes] = []
    reader = threading.Thread(target=lambda: got.append(fifo.read_bytes()))
    reader.start()
    assert cli.main(["tasks", "--json", str(fifo)]) == 0
    reader.join(60)
    assert "toy2d" in json.loads(got[0])
    assert fifo.is_fifo()


def test_a_descriptor_gets_the_content(tmp_path: Path) -> None:
    """``--json >(jq .)`` of a shell is the path of a descriptor; so is a file that is open."""
    with (tmp_path / "open").open("w+b") as file:
        file.write(b"before ")
        file.flush()
        write_bytes(Path(f"/dev/fd/{file.fileno()}"), b"after")
        file.seek(0)
        assert file.read() == b"before after"
    with pytest.raises(UsageError, match="open pipe"):
        check_file(Path("/dev/fd/987"))


def test_dev_stdout_is_standard_output(capfd: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["tasks", "--json", "/dev/stdout"]) == 0
    out, err = capfd.readouterr()
    assert "toy2d" in json.loads(out) and "toy2d" in err


@pytest.mark.parametrize("exists", [True, False])
def test_a_link_stays_a_link(exists: bool, tmp_path: Path) -> None:
    target, link = tmp_path / "real.json", tmp_path / "link.json"
    if exists:
        target.write_text("old")
    link.symlink_to(target)
    assert cli.main(["tasks", "--json", str(link)]) == 0
    assert link.is_symlink() and "toy2d" in json.loads(target.read_text())
    lost = tmp_path / "lost"
    lost.symlink_to(tmp_path / "no" / "where")
    with pytest.raises(UsageError, match="does not exist"):
        check_file(lost)


def test_a_name_that_is_no_text_is_escaped(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"task": "\udcff.csv"})
    assert json.loads((tmp_path / "a.json").read_text())["task"] == "\udcff.csv"
