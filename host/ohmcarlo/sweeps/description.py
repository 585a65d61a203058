"""A sweep file: settings of all cells, and blocks that vary some of them.

    seeds = 20

    [base]
    task = "breast-cancer"
    array = "physics"
    preset = "relative-5pct"

    [one_at_a_time]
    rows = [64, 128, 256]
    preset.d2d_rel = {from = 0.0, to = 0.1, steps = 6}

The keys are those of ``train --config``, and ``preset.NAME`` for a constant of the device preset.
``docs/sweeps.md`` describes the format.
"""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..array.presets import RRAM_1T1R
from ..errors import UsageError
from ..readable import did_you_mean
from ..runs.config_reading import (
    RunFile,
    parsed_toml,
    plain_type,
    setting_types,
    shown_value,
    text_of_file,
    wanted_of,
)
from .values import is_range, range_values

BASE, SEEDS, DRAWS = "base", "seeds", "draws"
GRID, ONE_AT_A_TIME, ZIP, CELL = "grid", "one_at_a_time", "zip", "cell"
BLOCKS = (GRID, ONE_AT_A_TIME, ZIP, CELL)
TOP = (SEEDS, DRAWS, BASE, *BLOCKS)
PRESET, PRESET_NAME, SEED = "preset", "name", "seed"
CONSTANT = f"{PRESET}."
"""Begin of the key of a constant of the preset."""
USUAL_DRAWS = 100
MOST_SEEDS, MOST_DRAWS, MOST_CELLS = 100_000, 100_000, 1_000_000
MOST_WHOLE = (1 << 63) - 1
"""The largest whole number of a table."""
Settings = dict[str, Any]


@dataclass(frozen=True)
class Description:
    """The content of a sweep file.

    Attributes
    ----------
    path : Path
    text : str
        Content of the file.
    base : dict
        Settings of all cells, by key; constants of the preset as ``preset.NAME``.
    points : tuple of dict
        The settings of every cell, in the order of the file, seeds included. Points may be equal.
    swept : tuple of str
        Keys that the blocks vary, in the order of the file; then ``seed`` if there are several.
    draws : int
        Draws of every chain that are kept.
    """

    path: Path
    text: str
    base: Settings
    points: tuple[Settings, ...]
    swept: tuple[str, ...]
    draws: int

    @property
    def folder(self) -> Path:
        """The folder from which relative file names start."""
        return self.path.parent


def read_description(path: Path) -> Description:
    """Read a sweep file.

    Raises UsageError, which names file, line and key, for content that is no sweep; OhmcarloError
    for a file that cannot be read.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder) / "sweep.toml"
    ...     _ = path.write_text('[base]\\ntask = "toy2d"\\n[grid]\\nrows = [64, 128]\\n')
    ...     found = read_description(path)
    >>> found.points
    ({'task': 'toy2d', 'rows': 64}, {'task': 'toy2d', 'rows': 128})
    >>> found.swept
    ('rows',)
    """
    text = text_of_file(path, "sweep needs a TOML file; `ohmcarlo sweep FILE --example` writes one")
    return _Reader(path, text).read(parsed_toml(path, text))


class _Reader:
    """Turns the tables of a file into settings; its errors name file and line."""

    def __init__(self, path: Path, text: str) -> None:
        self._path, self._text = path, text
        self._file = RunFile(path, {}, text=text)
        self._swept: dict[str, None] = {}  # in the order of the file
        self._table_read, self._number = "", 1  # the table whose keys are read, which of its name

    def read(self, content: Mapping[str, Any]) -> Description:
        for key in content:
            if key not in TOP:
                raise self._unknown_table(key)
        seeds = self._seeds(content.get(SEEDS))
        draws = content.get(DRAWS, USUAL_DRAWS)
        if not _is_whole(draws) or not 1 <= draws <= MOST_DRAWS:
            shown = shown_value(draws)
            raise self._error(DRAWS, f"draws = {shown}: choose 1 to {MOST_DRAWS:,} of each chain")
        base = self._base(content)
        points = list(self._points(content, base, seeds))
        swept = [key for key in (*self._swept, SEED) if _varies(key, points)]
        return Description(
            self._path, self._text, base, tuple(points), tuple(dict.fromkeys(swept)), draws
        )

    # -- tables --------------------------------------------------------------------------------

    def _base(self, content: Mapping[str, Any]) -> Settings:
        if BASE not in content:
            raise UsageError(
                f"{self._path} has no table [{BASE}]: add it with the settings of all cells, as in "
                'task = "breast-cancer"'
            )
        table = self._table(BASE, content[BASE])
        self._table_read, self._number = BASE, 1
        return {key: self._checked(key, value) for key, value in self._flat(table)}

    def _points(
        self, content: Mapping[str, Any], base: Settings, seeds: list[int] | None
    ) -> Iterator[Settings]:
        count, blocks = 0, False
        for kind in (key for key in content if key in BLOCKS):
            given = content[kind]
            for number, table in enumerate(given if isinstance(given, list) else [given], 1):
                self._table_read, self._number = kind, number
                blocks = True
                for point in self._block(kind, self._table(kind, table), base, seeds):
                    count += 1
                    if count > MOST_CELLS:
                        raise UsageError(
                            f"{self._path} describes more than {MOST_CELLS:,} cells: split it"
                        )
                    yield point
        if not blocks:
            yield from _with_seeds(base, seeds)

    def _block(
        self, kind: str, table: Mapping[str, Any], base: Settings, seeds: list[int] | None
    ) -> Iterator[Settings]:
        own = self._seeds(table[SEEDS]) if SEEDS in table else seeds
        entries = {k: v for k, v in table.items() if k != SEEDS}
        varied: dict[str, list[Any]] = {}
        fixed: Settings = {}
        for key, value in self._flat(entries):
            if key == SEED and own is not None:
                raise self._error(key, f"{SEEDS} gives the seeds of this block: leave out one")
            self._swept[key] = None
            if kind != CELL and (isinstance(value, list) or self._means_range(key, value)):
                varied[key] = self._values(key, value)
            else:
                fixed[key] = self._checked(key, value)
        ways = {GRID: _product, ONE_AT_A_TIME: _alone, ZIP: self._together, CELL: _product}
        for chosen in ways[kind](varied):
            yield from _with_seeds({**base, **fixed, **chosen}, own)

    def _together(self, varied: Mapping[str, list[Any]]) -> Iterator[Settings]:
        """The first values of all keys, then the second ones, …"""
        if not varied:
            yield {}
            return
        lengths = {key: len(values) for key, values in varied.items()}
        if len(set(lengths.values())) > 1:
            key = list(varied)[-1]
            shown = ", ".join(f"{name} {length}" for name, length in lengths.items())
            raise self._error(
                key, f"the lists of [{ZIP}] differ in length: {shown}; make them equal"
            )
        for values in zip(*varied.values(), strict=True):
            yield dict(zip(varied, values, strict=True))

    def _table(self, name: str, value: Any) -> Mapping[str, Any]:
        if not isinstance(value, Mapping):
            raise self._error(name, f"{name} is no table: write [{name}], and its keys below")
        return value

    # -- keys and values -----------------------------------------------------------------------

    def _flat(self, table: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
        """Keys and values, with ``preset.NAME`` for a constant."""
        for key, value in table.items():
            if key != PRESET or not isinstance(value, Mapping):
                self._check_key(key)
                yield key, value
                continue
            for name, inner in value.items():
                if name == PRESET_NAME:
                    yield PRESET, inner
                    continue
                self._check_constant(name)
                yield CONSTANT + name, inner

    def _check_key(self, key: str) -> None:
        known = setting_types()
        if key in known:
            return
        if key in TOP:
            places = {SEEDS: "above the first table, or in a block", DRAWS: "above the first table"}
            where = places.get(key, f"as a table of its own, [{key}]")
            raise self._error(key, f"{key} is not a setting of a run: write it {where}")
        constants = RRAM_1T1R.constants()
        near = {name: name for name in known} | {name: CONSTANT + name for name in constants}
        raise self._error(
            key,
            f"the key {key!r} is unknown{did_you_mean(key, near)}: `ohmcarlo train TASK "
            f"--write-config -` lists the keys; constants of a preset are {CONSTANT}NAME",
        )

    def _check_constant(self, name: str) -> None:
        known = constant_names()
        if name in known:
            return
        guess = did_you_mean(name, {each: CONSTANT + each for each in known})
        raise self._error(
            CONSTANT + name,
            f"a preset has no constant {name!r}{guess}: choose one of {', '.join(known)}",
        )

    def _means_range(self, key: str, value: Any) -> bool:
        """Whether a table is a range, perhaps a wrong one: few settings take a table."""
        table = isinstance(value, Mapping)
        return is_range(value) or (table and _wanted(key, value) is not None)

    def _values(self, key: str, value: Any) -> list[Any]:
        if isinstance(value, Mapping):
            try:
                found: list[Any] = list(range_values(key, value, _type_of(key) is int))
            except UsageError as error:
                raise self._error(key, str(error)) from error
        else:
            found = value
        if not found:
            raise self._error(key, f"{key} = []: give at least one value")
        return [self._checked(key, each) for each in found]

    def _checked(self, key: str, value: Any) -> Any:
        """The value in the type of its key. Raises UsageError for another type."""
        kind = _type_of(key)
        if kind is int and isinstance(value, float) and value.is_integer():
            value = int(value)
        elif kind is float and _is_whole(value):
            value = float(value)
        wrong = _wanted(key, value)
        if wrong and (isinstance(value, list) or is_range(value)):
            wrong = f"one value: lists and ranges belong in a block, as in [{GRID}]"
        elif isinstance(value, float) and not math.isfinite(value):
            wrong = "a finite number"
        elif _is_whole(value) and abs(value) > MOST_WHOLE:
            wrong = f"a number of at most {MOST_WHOLE}"
        if wrong:
            raise self._error(key, f"{key} = {shown_value(value)}: give {wrong}")
        return value

    def _seeds(self, value: Any) -> list[int] | None:
        """The seeds of a number of seeds, or of a list."""
        if value is None:
            return None
        if _is_whole(value) and 1 <= value <= MOST_SEEDS:
            return list(range(value))
        if isinstance(value, list) and value and all(map(_is_whole, value)):
            return [self._checked(SEED, seed) for seed in value]
        raise self._error(
            SEEDS,
            f"seeds = {shown_value(value)}: give a number of seeds, 1 to {MOST_SEEDS:,}, or a list",
        )

    # -- errors --------------------------------------------------------------------------------

    def _error(self, key: str, text: str) -> UsageError:
        place = self._file.place(key, self._table_read, self._number)
        return UsageError(f"{place}: {text}")

    def _unknown_table(self, key: str) -> UsageError:
        if key in setting_types():
            return self._error(key, f"{key} is a setting: write it below [{BASE}], or in a block")
        guess = did_you_mean(key, {name: name for name in TOP})
        return self._error(
            key, f"{key!r} is no part of a sweep{guess}: choose among {', '.join(TOP)}"
        )


def constant_names() -> list[str]:
    """Names of the constants of presets; those of the cycle-to-cycle law depend on the preset."""
    return [*RRAM_1T1R.constants(), "c2c_rel"]


def _wanted(key: str, value: Any) -> str | None:
    if key.startswith(CONSTANT):
        number = isinstance(value, int | float) and not isinstance(value, bool)
        return None if number else "a number"
    return wanted_of(key, value)


def _type_of(key: str) -> Any:
    """int or float for a key that takes one of these, otherwise anything else."""
    if key.startswith(CONSTANT):
        return float
    return float if key == "sigma_p" else plain_type(setting_types()[key])


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _varies(key: str, points: Sequence[Settings]) -> bool:
    """Whether the points have several values of a key."""
    return len({json.dumps(point.get(key)) for point in points}) > 1


def _with_seeds(settings: Settings, seeds: list[int] | None) -> Iterator[Settings]:
    if seeds is None:
        yield settings
        return
    for seed in seeds:
        yield {**settings, SEED: seed}


def _product(varied: Mapping[str, list[Any]]) -> Iterator[Settings]:
    """Every combination; the last key varies fastest."""
    for values in itertools.product(*varied.values()):
        yield dict(zip(varied, values, strict=True))


def _alone(varied: Mapping[str, list[Any]]) -> Iterator[Settings]:
    """The base, then every value of each key while the others stay."""
    yield {}
    for key, values in varied.items():
        for value in values:
            yield {key: value}
