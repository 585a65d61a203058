"""Settings of a run from a file: TOML, or the manifest of a run.

The keys are those of ``config`` in a manifest, the fields of ``TrainConfig``. A file that holds
all of ``DERIVED`` describes a run completely, as a manifest does: a key that it lacks is unset.
Another file holds what its user chose, and the defaults of the task complete it.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import UnionType
from typing import Any, get_args, get_origin, get_type_hints

from ..errors import UsageError
from ..files import explain
from ..readable import did_you_mean
from ..tasks import MULTICLASS, POLICY, REGRESSION, SUPERVISED
from .config import AUTO, TrainConfig
from .stored import MANIFEST, read_manifest

DERIVED = ("whiten", "adapt", "pilot", "more_steps")
"""Settings that follow from others if they are not chosen."""
RUN_KINDS = (SUPERVISED, MULTICLASS, REGRESSION, POLICY)
SIMPLE: dict[type, tuple[tuple[type, ...], str]] = {
    bool: ((bool,), "true or false"),
    int: ((int,), "a whole number"),
    float: ((int, float), "a number"),
    str: ((str,), "text in quotes"),
}
"""What a setting of a type may be in a file, and its name in a message."""
LONGEST = 1 << 24  # bytes
HEAD_OF_TABLE = re.compile(r"""\s*\[{1,2}\s*["']?([\w.-]+?)["']?\s*\]{1,2}\s*(?:#.*)?$""")


@dataclass(frozen=True)
class RunFile:
    """The settings that a file holds.

    Attributes
    ----------
    path : Path
    values : dict
        Fields of ``TrainConfig`` by name; those without a value are absent.
    manifest : dict or None
        The whole manifest, if the file is one.
    text : str
        Content of another file.
    """

    path: Path
    values: dict[str, Any]
    manifest: dict[str, Any] | None = field(default=None, repr=False)

    text: str = field(default="", repr=False)

    def place(self, key: str, table: str = "", number: int = 1) -> str:
        """The file, and the line of a key if it has one.

        ``table``: the name of the table that holds the key, and ``number`` which of the tables of
        that name it is; the line of the table stands for that of a key inside braces.
        """
        return _place(self.path, self.text, key, table, number)

    @property
    def complete(self) -> bool:
        """Whether a key that is absent is unset, rather than left to the defaults of the task."""
        return set(DERIVED) <= set(self.values)


def read_run_file(path: Path) -> RunFile:
    """Read a TOML file, the manifest of a run, or the manifest in a run folder.

    Raises UsageError, which names file, line and key, for content that is no configuration;
    OhmcarloError for a file that cannot be read, or a manifest that was edited.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder) / "run.toml"
    ...     _ = path.write_text('task = "toy2d"\\nsteps = 500\\n')
    ...     read_run_file(path).values
    {'task': 'toy2d', 'steps': 500}
    """
    if path.is_dir() or path.name == MANIFEST:
        folder = path if path.is_dir() else path.parent
        manifest = read_manifest(folder)
        values = _checked(folder / MANIFEST, "", manifest["config"])
        return RunFile(folder / MANIFEST, values, manifest)
    text = text_of_file(path, "--config needs a file or a run folder")
    return RunFile(path, _checked(path, text, _parsed(path, text)), text=text)


def text_of_file(path: Path, needed: str) -> str:
    """The text of a TOML file; UsageError, which ends in ``needed``, if it cannot be read."""
    try:
        if path.stat().st_size > LONGEST:
            raise UsageError(f"{path} is longer than {LONGEST} bytes: give a TOML file")
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise UsageError(f"{explain(error, path)}: {needed}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is not text in UTF-8: give a TOML file") from error


def _parsed(path: Path, text: str) -> dict[str, Any]:
    if text.lstrip().startswith("{"):
        return _parsed_json(path, text)
    return parsed_toml(path, text)


def parsed_toml(path: Path, text: str) -> dict[str, Any]:
    """The content of a TOML file; UsageError, which names file and line, for any other text."""
    try:
        return tomllib.loads(text)
    except RecursionError as error:
        raise UsageError(f"{path} is not a TOML file of settings: it nests too deep") from error
    except tomllib.TOMLDecodeError as error:
        what, _, place = str(error).partition(" (at ")
        line = re.match(r"line (\d+)", place)
        raise UsageError(
            f"{path}{f', line {line[1]}' if line else ''}: this is not TOML ({what}): write a line "
            "as key = value, and text in quotes"
        ) from error


def _parsed_json(path: Path, text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path} is not JSON: {error}") from error
    if "format" in found and "config" in found:
        raise UsageError(
            f"{path} is a manifest outside its run: give RUN/{MANIFEST}, or write a TOML file with "
            "ohmcarlo train --config RUN --write-config run.toml"
        )
    return dict(found)


def _checked(path: Path, text: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """The values that are set. Raises UsageError for an unknown key or a wrong type."""
    known = setting_types()
    for key, value in values.items():
        if key not in known:
            guess = did_you_mean(key, {name: name for name in known})
            raise UsageError(
                f"{_place(path, text, key)}: the key {key!r} is unknown{guess}: `ohmcarlo train "
                "TASK --write-config -` lists the keys"
            )
        wanted = None if value is None else wanted_of(key, value)
        if wanted:
            raise UsageError(
                f"{_place(path, text, key)}: {key} = {shown_value(value)}: give {wanted}"
            )
    return {key: value for key, value in values.items() if value is not None}


def _place(path: Path, text: str, key: str, table: str = "", number: int = 1) -> str:
    """The file, and the line of a key at the begin of a line."""
    lines = text.splitlines()
    first, last = _extent(lines, table, number) if table else (0, len(lines))
    line = _line_of(lines, key, first, last)
    if line is None and first:
        line = first
    if line is None and table:
        line = _line_of(lines, table, 0, len(lines)) or _line_of(lines, key, 0, len(lines))
    return str(path) if line is None else f"{path}, line {line}"


def _line_of(lines: Sequence[str], key: str, first: int, last: int) -> int | None:
    """The number, from 1, of the line among ``lines[first:last]`` that begins with a key."""
    pattern = re.compile(rf"""\s*\[*\s*["']?{re.escape(key)}["']?\s*[=:.\]]""")
    found = (number for number in range(first, last) if pattern.match(lines[number]))
    line = next(found, None)
    return None if line is None else line + 1


def _extent(lines: Sequence[str], table: str, number: int) -> tuple[int, int]:
    """The lines of the table of that name and number, without its head: first, and end. Both are
    0 for a table without a head."""
    heads = [place for place, line in enumerate(lines) if HEAD_OF_TABLE.match(line)]
    own = [k for k in heads if (found := HEAD_OF_TABLE.match(lines[k])) and found[1] == table]
    if len(own) < number:
        return 0, 0
    start = own[number - 1]
    ends = (k for k in heads if k > start and not lines[k].strip("[ \t").startswith(f"{table}."))
    return start + 1, next(ends, len(lines))


def shown_value(value: Any) -> str:
    """A value as a TOML file has it.

    >>> shown_value({"from": 1, "scale": "log"}), shown_value(True)
    ('{from = 1, scale = "log"}', 'true')
    """
    import tomlkit

    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{key} = {shown_value(inner)}' for key, inner in value.items())}}}"
    return "nothing" if value is None else tomlkit.item(value).as_string()


@cache
def setting_types() -> dict[str, Any]:
    """The type of every setting, by name."""
    return get_type_hints(TrainConfig)


def wanted_of(key: str, value: Any) -> str | None:
    """What the setting ``key`` needs, if ``value`` is not that.

    >>> wanted_of("rows", "many")
    'a whole number'
    """
    if key == "sigma_p":
        return None if _is_width(value) else f'a number, "{AUTO}", or a table of numbers'
    if key == "kind":
        known = isinstance(value, str) and value in RUN_KINDS
        return None if known else f"one of {', '.join(RUN_KINDS)}"
    plain = plain_type(setting_types()[key])
    if get_origin(plain) is tuple:
        fits = isinstance(value, list) and all(isinstance(each, str) for each in value)
        return None if fits else 'a list of strings, as in ["id", "name"]'
    if plain not in SIMPLE:
        return None if isinstance(value, Mapping) else "a table"
    types, wanted = SIMPLE[plain]
    fits = isinstance(value, types) and isinstance(value, bool) == (plain is bool)
    return None if fits else wanted


def plain_type(hint: Any) -> Any:
    """A type without its None."""
    if get_origin(hint) is UnionType:
        return next(each for each in get_args(hint) if each is not type(None))
    return hint


def _is_width(value: Any) -> bool:
    if isinstance(value, Mapping):
        return _are_numbers(value.values())
    if isinstance(value, list):
        return _are_numbers(value)
    return value == AUTO or _are_numbers([value])


def _are_numbers(values: Iterable[Any]) -> bool:
    return all(isinstance(v, int | float) and not isinstance(v, bool) for v in values)
