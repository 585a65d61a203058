"""Programs beside this process: which modules they find."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ohmcarlo.cluster.programs import own_paths, python_program
from ohmcarlo.watch import beside
from ohmcarlo.watch.browser import open_quietly


def test_files_of_the_current_folder_hide_no_module(tmp_path: Path) -> None:
    """A user may have a file with the name of a module beside the data."""
    (tmp_path / "shlex.py").write_text("raise SystemExit('hidden')")
    done = subprocess.run(
        python_program("webbrowser", "--no-such-option"),
        cwd=tmp_path,
        env=os.environ | own_paths(),
        capture_output=True,
        text=True,
    )
    assert "hidden" not in done.stderr and "--no-such-option" in done.stderr


def test_live_view_and_browser_are_such_programs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[list[str]] = []

    def popen(command: list[str], **_: Any) -> Any:
        started.append(command)
        return SimpleNamespace()

    monkeypatch.setattr(subprocess, "Popen", popen)
    monkeypatch.setenv("BROWSER", "true")
    beside.Beside(tmp_path, None, browser=False)
    open_quietly("http://127.0.0.1/")
    assert started[0][:4] == python_program("ohmcarlo.watch.beside")
    assert started[1] == python_program("webbrowser", "http://127.0.0.1/")
