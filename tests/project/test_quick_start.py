"""The five commands of the README lead from a clone to the page of an own table."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import webbrowser
from pathlib import Path

import numpy as np
import pytest

from ohmcarlo.cli.app import main

ROOT = Path(__file__).parents[2]
HEADING = "## From your table to a page, in five commands\n"
CLONE = "git clone <this repository> && cd ohmcarlo"
PROGRAM = ".venv/bin/ohmcarlo"
LEFT_OUT = shutil.ignore_patterns(".*", "build", "dist", "*.egg-info", "__pycache__")
SECONDS = 900


def commands() -> list[str]:
    """The first block of commands of the README."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    block = re.search(r"(?:^ {4}.+\n)+", text[text.index(HEADING) :], re.M)
    return [line.strip() for line in block[0].splitlines()] if block else []


def write_table(path: Path) -> None:
    """Forty pumps: the hot ones that vibrate fail, with noise. The label is the last column."""
    rng = np.random.default_rng(0)
    heat, vibration, age = rng.normal(60, 12, 40), rng.normal(3, 1, 40), rng.uniform(0, 9, 40)
    fails = (heat - 60) / 12 + vibration - 3 + 0.5 * rng.normal(size=40) > 0
    rows = [
        f"{h:.1f},{v:.2f},{a:.1f},{'fails' if f else 'runs'}"
        for h, v, a, f in zip(heat, vibration, age, fails, strict=True)
    ]
    path.write_text("\n".join(["temperature,vibration,age,state", *rows, ""]), encoding="utf-8")


def check_page(page: Path) -> None:
    """The page is about this table, and states a verdict."""
    text = page.read_text(encoding="utf-8")
    assert "temperature" in text and "vibration" in text and "fails" in text
    assert re.search(r"settled|rough|do not trust", text)
    assert not re.search(r"""(src|href)=["']https?:""", text)


def test_there_are_five_commands() -> None:
    found = commands()
    assert len(found) == 5
    assert found[0] == CLONE
    assert all(command.startswith(PROGRAM) for command in found[3:])


def test_the_commands_make_a_page_of_an_own_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Those after the installation, in this environment; the page is opened at the end."""
    opened: list[str] = []
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(webbrowser, "open", lambda address: opened.append(address) is None)
    write_table(tmp_path / "my.csv")
    for command in commands()[3:]:
        assert main(shlex.split(command)[1:]) == 0, capsys.readouterr().err
    (page,) = tmp_path.glob("*.html")
    check_page(page)
    assert opened == [page.as_uri()]


@pytest.mark.verify
def test_a_newcomer_types_the_commands(tmp_path: Path) -> None:
    """All five, in a shell. A copy of the working tree takes the place of the clone, and a program
    that notes its argument that of the browser."""
    shutil.copytree(ROOT, tmp_path / "ohmcarlo", ignore=LEFT_OUT)
    write_table(tmp_path / "ohmcarlo" / "my.csv")
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\necho "$1" > {tmp_path}/opened\n', encoding="utf-8")
    browser.chmod(0o755)
    base = str(Path(sys.base_prefix) / "bin")
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PYTHON", "VIRTUAL_ENV", "OHMCARLO"))
    }
    environment |= {"PATH": f"{base}{os.pathsep}{os.environ['PATH']}", "BROWSER": f"{browser} %s"}
    script = "\n".join(["set -e", "cd ohmcarlo", *commands()[1:]])
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    page = tmp_path / "ohmcarlo" / "mine.html"
    check_page(page)
    assert (tmp_path / "opened").read_text(encoding="utf-8").strip() == page.as_uri()
