"""Pages that show commands with their output: the commands give it."""

from __future__ import annotations

from pathlib import Path

import pytest

from console_page import Step, agrees, page_steps, run, steps_of
from paths import TESTS

PAGES = ["docs/your-die.md", "docs/guide.md", "docs/tutorials/scientist.md", "docs/sweeps.md"]


@pytest.mark.verify
@pytest.mark.parametrize("name", PAGES)
def test_a_page_shows_what_its_commands_print(name: str, tmp_path: Path) -> None:
    steps = page_steps((TESTS.parent / name).read_text(encoding="utf-8"))
    assert steps
    for step in steps:
        status, output = run(step.command, tmp_path)
        assert status == 0, f"{step.command}\n{output}"
        assert agrees(step.output, output), f"{step.command}\nexpected:\n{step.output}\n{output}"


def test_commands_and_outputs_are_told_apart() -> None:
    block = "$ echo a \\\n  b\na b\n$ true\n$ cat x\n1\n2\n"
    expected = [Step("echo a \\\n  b", "a b\n"), Step("true", ""), Step("cat x", "1\n2\n")]
    assert steps_of(block) == expected


def test_another_output_is_noticed(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("12 µS of 30\n", encoding="utf-8")
    status, output = run("cat x", tmp_path)
    assert (status, output) == (0, "12 µS of 30\n")
    assert agrees("12 µS of ...\n", output)
    assert not agrees("13 µS of ...\n", output)
    assert run("cat y", tmp_path)[0] == 1
