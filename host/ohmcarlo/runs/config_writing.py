"""The configuration of a run as a TOML file with a comment for every key."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from typing import Any

from ..files import json_ready
from .config import TrainConfig

HEAD = """\
Settings of a run: ohmcarlo train --config THIS_FILE
Options on the command line replace them. Relative file names start from the current folder."""
PARAGRAPH = re.compile(r"^(\w[\w, ]*) : .*\n((?:    .*\n?)+)", re.M)


def config_text(config: TrainConfig) -> str:
    """The TOML file of ``config``; ``config_reading.read_run_file`` reads it back.

    >>> "steps = 500" in config_text(TrainConfig("toy2d", steps=500))
    True
    """
    import tomlkit

    document = tomlkit.document()
    for line in HEAD.splitlines():
        document.add(tomlkit.comment(line))
    meanings = meanings_of_settings()
    values = json_ready(config.to_dict())
    tables = [key for key, value in values.items() if isinstance(value, Mapping)]
    for key in [*(key for key in values if key not in tables), *tables]:
        document.add(tomlkit.nl())
        for line in meanings.get(key, ()):
            document.add(tomlkit.comment(line))
        value = _with_values(values[key])
        if value is None:
            document.add(tomlkit.comment(f"{key} is not set"))
        else:
            document.add(key, value)
    return tomlkit.dumps(document)


def _with_values(value: Any) -> Any:
    """``value`` without the entries of tables that have none, which TOML lacks."""
    if isinstance(value, Mapping):
        return {k: _with_values(v) for k, v in value.items() if v is not None}
    return [_with_values(v) for v in value] if isinstance(value, list) else value


def meanings_of_settings() -> dict[str, list[str]]:
    """What each setting means, in lines: the docstring of ``TrainConfig``."""
    return meanings_in(TrainConfig)


def meanings_in(described: type) -> dict[str, list[str]]:
    """What each attribute means, in lines: the docstring of a class."""
    found: dict[str, list[str]] = {}
    for names, text in PARAGRAPH.findall((inspect.getdoc(described) or "") + "\n"):
        lines = [_plain(line) for line in text.splitlines()]
        found |= {name.strip(): lines for name in names.split(",")}
    return found


def _plain(line: str) -> str:
    """A line of a docstring in the words of a TOML file, which has no None."""
    return re.sub(r"\bNone\b", "not set", line.strip().replace("``", ""))
