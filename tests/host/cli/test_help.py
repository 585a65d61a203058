"""The help of every verb: examples, and the options that all verbs have."""

from __future__ import annotations

import re

import pytest
import typer.main

from ohmcarlo.cli import app as cli


def verbs() -> dict[str, object]:
    """Every verb by the words that call it."""
    root = typer.main.get_command(cli.app)
    found: dict[str, object] = {}
    for name, command in root.commands.items():  # type: ignore[attr-defined]
        if hasattr(command, "commands"):
            found |= {f"{name} {own}": verb for own, verb in command.commands.items()}
        else:
            found[name] = command
    return found


VERBS = verbs()


@pytest.mark.parametrize("name", VERBS)
def test_every_verb_has_an_example_and_the_options_of_all(name: str) -> None:
    verb = VERBS[name]
    text, options = verb.help, {p.name for p in verb.params}  # type: ignore[attr-defined]
    shown = re.findall(r"`ohmcarlo ([^`]*)`", " ".join(text.split()))
    assert any(example.startswith(name) for example in shown), text
    assert {"quiet", "verbose"} <= options


@pytest.mark.parametrize("name", VERBS)
def test_examples_name_verbs_and_options_that_exist(name: str) -> None:
    text = " ".join(VERBS[name].help.split())  # type: ignore[attr-defined]
    for example in re.findall(r"`ohmcarlo ([^`]*)`", text):
        words = example.split()
        called = " ".join(words[:2]) if words[0] == "data" else words[0]
        known = {o for p in VERBS[called].params for o in (*p.opts, *p.secondary_opts)}  # type: ignore[attr-defined]
        for word in words:
            if word.startswith("--"):
                assert word in known, (example, word)


def test_the_list_of_verbs_begins_with_runs(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--help"]) == 0
    out = capsys.readouterr().out
    places = [out.index(title) for title in ("Runs", "Arrays and boards", "Paper and data")]
    assert places == sorted(places)
    assert out.index("│ tasks") < out.index("│ train") < out.index("│ characterize")
