"""docs/measurements.md: its examples are the first lines of files that are read or refused."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from measurement_examples import CYCLES, FIRST, MODELS, READ, REFUSED, model
from ohmcarlo.array.presets import get_preset
from ohmcarlo.errors import UsageError
from ohmcarlo.measurements.reading import read_recording

PAGE = Path(__file__).parents[3] / "docs" / "measurements.md"
EXAMPLE = re.compile(r"<!-- example (?P<name>[\w-]+) -->\n```\w+\n(?P<text>.*?)\n```", re.S)
SHOWN = {found["name"]: found["text"] for found in EXAMPLE.finditer(PAGE.read_text("utf-8"))}
WITHOUT_EXAMPLE = {"single-level"}  # it begins as the example of EasyEXPERT


def test_the_page_shows_every_kind() -> None:
    assert set(SHOWN) == {*READ, *REFUSED, *MODELS} - WITHOUT_EXAMPLE
    assert len(READ) >= 8 and len(REFUSED) >= 3


@pytest.mark.parametrize("name", sorted(SHOWN))
def test_examples_are_first_lines_of_the_files(name: str) -> None:
    if name in MODELS:
        assert json.loads(SHOWN[name]) == MODELS[name]
        return
    *lines, end = SHOWN[name].split("\n")
    whole = {**READ, **REFUSED}[name][0]().splitlines()
    assert lines == whole[: len(lines)] and end == "…"


@pytest.mark.parametrize("name", sorted(READ))
def test_every_format_is_read(tmp_path: Path, name: str) -> None:
    write, form = READ[name]
    (tmp_path / "file.txt").write_text(write(), encoding="utf-8")
    recording = read_recording(tmp_path / "file.txt")
    assert recording.format == form
    cycles = FIRST if len(recording) == len(FIRST) else CYCLES
    assert sorted(recording.after_us) == pytest.approx(
        sorted(cycle.after_us for cycle in cycles), rel=2e-4
    )
    assert recording.left_out == () and recording.silent == ()


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_every_other_kind_is_refused_by_name(tmp_path: Path, name: str) -> None:
    write, words = REFUSED[name]
    (tmp_path / "file.txt").write_text(write(), encoding="utf-8")
    with pytest.raises(UsageError) as error:
        read_recording(tmp_path / "file.txt")
    assert words in str(error.value)


@pytest.mark.parametrize("name", sorted(MODELS))
def test_every_model_is_a_preset(tmp_path: Path, name: str) -> None:
    (tmp_path / "model.json").write_text(model(name), encoding="utf-8")
    assert get_preset(str(tmp_path / "model.json")).valid_us == (30.0, 200.0)
