"""What a shell offers when the user presses Tab."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ohmcarlo.array.presets import PRESET_NAMES
from ohmcarlo.cli import completion
from ohmcarlo.datasets.fetch import SOURCES
from ohmcarlo.reproduce.catalogue import ENTRIES
from ohmcarlo.runs.stored import MANIFEST, RESULT
from ohmcarlo.tasks import TASKS
from terminal import Terminal


def words(found: list[tuple[str, str]]) -> list[str]:
    return [word for word, _ in found]


@pytest.mark.skipif(not shutil.which("bash"), reason="needs bash")
def test_bash_completes_what_is_typed(tmp_path: Path) -> None:
    """An interactive bash with the script of ``--show-completion``, and the Tab key."""
    program = tmp_path / "bin" / "ohmcarlo"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m ohmcarlo.cli.app "$@"\n')
    program.chmod(0o755)
    (tmp_path / "runs" / "first").mkdir(parents=True)
    (tmp_path / "runs" / "first" / MANIFEST).write_text("{}")
    path = f"{program.parent}{os.pathsep}{os.environ['PATH']}"
    bash = Terminal(["bash", "--norc", "--noprofile", "-i"], PATH=path, PS1="ready> ")
    bash.type(f"bind 'set enable-bracketed-paste off'; cd {tmp_path}\n")
    bash.type('eval "$(ohmcarlo --show-completion)"; echo has-$((40 + 2))\n')
    bash.until("has-42")
    bash.type("echo ohmcarlo train breast-cancer-o")
    bash.type("\x15ohmcarlo train breast-cancer-o\t")
    bash.until("breast-cancer-original ")
    bash.type("\x15ohmcarlo report runs/f\t")
    bash.until("report runs/first ")
    bash.type("\x15exit\n")
    assert bash.close() == 0
    assert "Traceback" not in bash.seen


def offered(*typed: str) -> list[str]:
    """What the program answers to a bash in which this was typed."""
    done = subprocess.run(
        [sys.executable, "-m", "ohmcarlo.cli.app"],
        env=os.environ
        | {
            "_OHMCARLO_COMPLETE": "complete_bash",
            "COMP_WORDS": " ".join(("ohmcarlo", *typed)),
            "COMP_CWORD": str(len(typed)),
        },
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    return done.stdout.split()


def test_options_and_their_values_are_offered() -> None:
    assert offered("train", "toy2d", "--ker") == ["--kernel"]
    assert offered("train", "toy2d", "--kernel", "p") == ["published"]


def test_every_name_is_offered() -> None:
    assert words(completion.tasks("")) == list(TASKS)
    assert words(completion.tasks("breast-cancer-")) == ["breast-cancer-original"]
    assert "cartpole" not in words(completion.tasks_with_data(""))
    assert words(completion.presets("")) == list(PRESET_NAMES)
    assert words(completion.figures("")) == [*ENTRIES, "all"]
    assert words(completion.data_sets("")) == list(SOURCES)
    assert words(completion.backends("r")) == ["rtl"]
    assert words(completion.arrays("p")) == ["physics", "phy"]
    assert words(completion.buses("ax")) == ["axi4-lite"]
    assert words(completion.likelihoods("one")) == ["one-vs-rest"]
    assert words(completion.dot_products("")) == ["array", "codes"]


def test_serial_ports_are_backends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(completion, "_ports", lambda: [("/dev/ttyUSB7", "FT2232")])
    assert words(completion.backends("serial")) == ["serial:/dev/ttyUSB7"]
    assert words(completion.backends("small")) == ["small:rtl", "small:/dev/ttyUSB7"]


def test_run_folders_are_offered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("runs/a", "runs/b", "other/deep/run", "first", ".hidden/run"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / MANIFEST).write_text("{}")
    (tmp_path / "runs" / "b" / RESULT).write_text("{}")
    (tmp_path / "run.toml").write_text("")
    monkeypatch.chdir(tmp_path)
    assert words(completion.runs("")) == ["first", "runs/a", "runs/b"]
    assert completion.runs("runs/") == [("runs/a", "not complete"), ("runs/b", "complete")]
    assert words(completion.runs("other/deep/r")) == ["other/deep/run"]
    assert words(completion.runs(f"{tmp_path}/runs/a")) == [f"{tmp_path}/runs/a"]
    assert words(completion.settings("r")) == ["run.toml", "runs/a", "runs/b"]
    assert completion.runs("no/such/folder/") == []
