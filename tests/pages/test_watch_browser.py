"""The live view in a browser: it follows a run without a reload and becomes the report's page."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from browser import Opened
from ohmcarlo.runs.report import read_page

pytestmark = [pytest.mark.verify, pytest.mark.hdl]
Open = Callable[..., Opened]
OPTIONS = {
    "model": ["--steps", "250000"],
    "rtl": ["--steps", "2000", "--whiten", "--rho", "0.8", "--backend", "rtl"],
}
LABEL = "document.querySelector('#result .label').textContent"
SECTIONS = "[...document.querySelectorAll('section')].map((s) => s.id)"
DRAWINGS = "document.querySelectorAll('.drawing svg, .drawing canvas').length"


def until(page: Any, expression: str, seconds: float = 300.0) -> None:
    """Wait until an expression is true in the page."""
    end = time.monotonic() + seconds
    while not page.evaluate(expression):
        assert time.monotonic() < end, f"{expression}: {page.evaluate(LABEL)}"
        page.wait_for_timeout(100)


@contextmanager
def live_run(backend: str, run: Path) -> Iterator[str]:
    """A run that begins, and the address of its page."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        port = str(found.getsockname()[1])
    options = [*OPTIONS[backend], "--out", str(run), "--live", "--port", port, "--no-browser"]
    command = [sys.executable, "-m", "ohmcarlo.cli.app", "train", "breast-cancer", *options]
    quiet = subprocess.DEVNULL
    process = subprocess.Popen(command, stdout=quiet, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    for line in process.stderr:
        if "live view: http" in line:
            break
    try:
        yield f"http://127.0.0.1:{port}/"
        _, err = process.communicate(timeout=120)
        assert process.returncode == 0, err
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize("backend", sorted(OPTIONS))
def test_a_browser_follows_a_run(backend: str, browser_page: Open, tmp_path: Path) -> None:
    run = tmp_path / "run"
    with live_run(backend, run) as address:
        opened = browser_page(address, width=390)
        page = opened.page
        until(page, f"{LABEL} === 'running'", 900)  # the simulated board is built first
        until(page, "document.querySelector('#trace .drawing svg') !== null")
        assert page.evaluate(LABEL) in ("running", "finishing")  # there is no result yet
        page.evaluate("window.same = true")
        until(page, "document.querySelector('#progress') === null")
    expected = read_page(run)
    assert page.evaluate("window.same"), "the page was loaded again"
    assert page.evaluate(LABEL) == expected.headline.label
    assert page.evaluate(SECTIONS) == [section.name for section in expected.sections]
    charts = len(list(expected.charts()))
    until(page, f"{DRAWINGS} === {charts}", 60)
    assert opened.problems == []
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
