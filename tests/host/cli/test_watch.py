"""Verb ``watch`` and option ``--live``: what is refused, and a run from its start to its report."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from ohmcarlo.cli.app import main
from ohmcarlo.cli.exit_codes import BAD_USE, DONE, FAILED
from ohmcarlo.cli.watching import free_run
from ohmcarlo.pages.render import fragments
from ohmcarlo.runs.chain_run import Interrupted
from ohmcarlo.runs.report import read_page
from ohmcarlo.runs.stored import MANIFEST_KEYS, RESULT, write_manifest

COMMAND = [sys.executable, "-m", "ohmcarlo.cli.app"]
LONG = ["train", "toy2d", "--paper", "--steps", "50000000", "--chains", "2", "--rows", "64"]


def refused(capfd: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str]:
    """Exit code and the one line of an error."""
    code = main([str(argument) for argument in arguments])
    out, err = capfd.readouterr()
    assert out == "" and err.count("\n") == 1 and "Traceback" not in err
    return code, err


def test_what_cannot_be_watched(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """One line each: no folder, no run, a run of another format, a damaged one."""
    code, err = refused(capfd, "watch", tmp_path / "none", "--no-browser")
    assert code == BAD_USE and "is not a run folder" in err
    code, err = refused(capfd, "watch", tmp_path, "--no-browser")
    assert code == BAD_USE and "holds no run" in err
    write_manifest(tmp_path, {key: {} for key in MANIFEST_KEYS})
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    (tmp_path / "manifest.json").write_text(json.dumps(manifest | {"format": 1}))
    code, err = refused(capfd, "watch", tmp_path, "--no-browser")
    assert code == FAILED and "was written in run format 1" in err
    (tmp_path / "manifest.json").write_text(json.dumps(manifest)[:-5])
    code, err = refused(capfd, "watch", tmp_path, "--no-browser")
    assert code == FAILED and "manifest.json is damaged" in err


def test_a_port_in_use(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """It is refused before the run begins, and nothing is left."""
    write_manifest(tmp_path, {key: {} for key in MANIFEST_KEYS})
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, err = refused(capfd, "watch", tmp_path, "--port", port, "--no-browser")
        assert code == BAD_USE and f"port {port} is in use: choose another --port" in err
        new = tmp_path / "new"
        code, err = refused(capfd, "train", "toy2d", "--live", "--port", port, "--out", new)
        assert code == BAD_USE and f"port {port} is in use" in err
        assert not new.exists()


@pytest.mark.parametrize("package", ["altair", "jinja2", "starlette", "uvicorn", "vl_convert"])
def test_without_the_extra(
    package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """What the pages need is missed before the server or a run begins, too."""
    write_manifest(tmp_path, {name: {} for name in MANIFEST_KEYS})
    monkeypatch.setitem(sys.modules, package, None)
    code, err = refused(capfd, "watch", tmp_path, "--no-browser")
    assert code == BAD_USE and package in err and "pip install 'ohmcarlo[report]'" in err
    new = tmp_path / "new"
    code, err = refused(capfd, "train", "toy2d", "--live", "--out", new, "--no-browser")
    assert code == BAD_USE and package in err and not new.exists()


def test_a_run_without_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert free_run("toy2d") == Path("runs/toy2d")
    Path("runs/toy2d").mkdir(parents=True)
    assert free_run("toy2d") == Path("runs/toy2d-2")
    assert free_run("/data/my cases.csv.gz") == Path("runs/my cases.csv")


# -- processes -------------------------------------------------------------------------------------


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


def started(*arguments: object, **options: Any) -> subprocess.Popen[str]:
    pipe = subprocess.PIPE
    return subprocess.Popen(
        [*COMMAND, *map(str, arguments)], stdout=pipe, stderr=pipe, text=True, **options
    )


def events(port: int, seconds: float = 300.0) -> Iterator[dict[str, Any] | None]:
    """Messages of a server, as soon as it answers; None at the end."""
    until, address = time.monotonic() + seconds, f"http://127.0.0.1:{port}/events"
    while True:
        try:
            stream = urllib.request.urlopen(address, timeout=seconds)
            break
        except OSError:
            assert time.monotonic() < until, "no server"
            time.sleep(0.05)
    with closing(stream):
        for line in stream:
            if line.startswith(b"event: end"):
                yield None
            elif line.startswith(b"data: {"):
                yield json.loads(line.removeprefix(b"data: "))


def until_said(port: int, text: str) -> dict[str, Any]:
    """The first message whose headline has a text."""
    for message in events(port):
        if message is not None and text in message["headline"]:
            return message
    raise AssertionError(f"{text!r} was not said")


@pytest.mark.verify
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs SIGKILL")
def test_killed_resumed_and_served_again(tmp_path: Path) -> None:
    """Sampler and server are killed and begin again; the page follows at the same port."""
    run, port = tmp_path / "run", free_port()
    sampler = started(*LONG, "--out", run)
    while not (run / "chunk-000000.npz").exists():
        assert sampler.poll() is None
        time.sleep(0.05)
    server = started("watch", run, "--port", port, "--no-browser")
    assert "steps per chain" in until_said(port, "chain")["headline"]
    sampler.kill()
    sampler.wait()
    message = until_said(port, "No process is sampling")
    assert f"ohmcarlo resume {run}" in message["headline"]
    server.kill()
    server.wait()
    sampler = started("resume", run)
    server = started("watch", run, "--port", port, "--no-browser")
    until_said(port, ">running<")
    sampler.send_signal(signal.SIGINT)
    assert sampler.wait(60) == Interrupted.exit_code
    until_said(port, ">interrupted<")
    server.send_signal(signal.SIGINT)
    out, err = server.communicate(timeout=60)
    assert server.returncode == DONE
    assert out == f"http://127.0.0.1:{port}/ shows {run} (Ctrl-C stops the server)\n"
    assert err == "\n"


@pytest.mark.verify
def test_live_ends_with_the_report(tmp_path: Path) -> None:
    """``train --live`` without a terminal: phases, chains, the report, the end."""
    port = free_port()
    options = ["--steps", "40000", "--live", "--port", port, "--no-browser"]
    sampler = started("train", "breast-cancer", *options, cwd=tmp_path)
    messages = list(events(port))
    _, err = sampler.communicate(timeout=120)
    assert sampler.returncode == DONE
    assert f"live view: http://127.0.0.1:{port}/" in err
    assert "the run is kept in runs/breast-cancer" in err
    assert messages[-1] is None and messages[-2] is not None
    expected = fragments(read_page(tmp_path / "runs" / "breast-cancer"))
    assert messages[-2]["sections"].keys() == expected["sections"].keys()
    assert messages[-2]["headline"] == expected["headline"]
    with pytest.raises(OSError):
        while True:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5)
            time.sleep(0.1)


@pytest.mark.verify
@pytest.mark.parametrize("task", ["cartpole", "diabetes", "wine"])
def test_every_kind(task: str, tmp_path: Path) -> None:
    """A policy, a regression and several classes are followed to their pages."""
    port, run = free_port(), tmp_path / "run"
    options = ["--out", run, "--live", "--port", port, "--no-browser"]
    options += ["--steps", "2000000"] if task == "diabetes" else []  # or it ends within a second
    sampler = started("train", task, *options)
    messages = list(events(port))
    _, err = sampler.communicate(timeout=300)
    assert sampler.returncode == DONE, err
    assert messages[-1] is None
    charts = {name for message in messages[:-2] if message for name in message["charts"]}
    assert "trace" in charts or task == "cartpole"
    assert (run / RESULT).exists()
    shutil.rmtree(run)
