"""Damaged files of every imported format are read or refused in one line, whatever the damage."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from measurement_examples import READ, REFUSED
from ohmcarlo.errors import UsageError
from ohmcarlo.measurements.reading import read_recording

LINES = 1200  # of an example, so that a case takes little time
CASES = 60
CELLS = ("9.9e37", "", "n/a", "OVFL", "-1", "0", "1e400", "1,5", "x", "#REF", "1e-30", '"', "µ")
LINES_OF_OTHERS = ("", "# note", "Target: 50 uS", "a,b,c", "1,2,3", "V,A", "\t\t")
WHERE = ({}, {"vread": "0.2"}, {"vread": "x"}, {"icc": "30uA"}, {"vwl": "1"}, {"colour": "1"})


def damaged(text: str, chance: random.Random) -> str:
    lines = text.split("\n")[:LINES]
    for _ in range(chance.randint(1, 3)):
        k = chance.randrange(min(len(lines), chance.choice((5, 60, LINES))))
        mark = max(",;\t", key=lines[k].count)
        cells = lines[k].split(mark)
        match chance.randrange(6):
            case 0:
                lines[k] = lines[k][: chance.randrange(len(lines[k]) + 1)]
            case 1 | 2:
                cells[chance.randrange(len(cells))] = chance.choice(CELLS)
                lines[k] = mark.join(cells)
            case 3:
                lines = lines[: k + 1]
            case 4:
                lines.insert(k, chance.choice(LINES_OF_OTHERS))
            case _:
                n = chance.randrange(len(cells))
                lines = [mark.join(c[:n] + c[n + 1 :]) for c in (x.split(mark) for x in lines)]
    return "\n".join(lines)


@pytest.mark.verify
@pytest.mark.parametrize("name", sorted({**READ, **REFUSED}))
def test_damage_is_refused_in_one_line(tmp_path: Path, name: str) -> None:
    chance = random.Random(name)
    text = {**READ, **REFUSED}[name][0]()
    path = tmp_path / "file.csv"
    read = 0
    for _ in range(CASES):
        path.write_text(damaged(text, chance), encoding="utf-8")
        try:
            read_recording(path, chance.choice(WHERE))
            read += 1
        except UsageError as error:
            assert ("\n" not in str(error) and "file.csv" in str(error)) or "--where" in str(error)
    assert read < CASES
