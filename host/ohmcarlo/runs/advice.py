"""Remedies in the words of whoever reads them.

Messages advise options of the command line. Whoever describes runs in a file has keys instead, and
whoever writes Python has parameters.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import fields
from functools import cache
from typing import get_type_hints

from ..errors import OhmcarloError
from ..tasks import REGRESSION, SUPERVISED
from .config import TrainConfig

Value = str | bool | None
"""What an option is given; None: the message names the option alone."""
LISTS, NAMES = ("drop",), ("drop", "label", "positive")
"""Settings that are lists, and those whose values are names of the user's table."""
NUMBER = r"\d+(?:\.\d+)?(?:e[+-]?\d+)?(?![\w:])"
QUOTED = r"'[^']*'(?:\"'\"'[^']*')*"  # as ``shlex.quote`` writes it
WORD = (
    r"(?:array|codes|corrected|published|emulator|physics|phy|model|auto|stick-breaking|"
    r"one-vs-rest)(?![\w:-])"
)
PLACE = (
    r"(?:physics|measured|veriloga|rtl|serial|small|mmio|devmem|pynq):[\w:/.@=-]*\w"
    r"(?:,[\w:/.@=-]*\w)*"
)
STANDS_FOR = r"[A-Z]{3,}\b"  # as in --preset FILE
NAME = r"(?!(?:or|and|takes|for|with|to|is|are|here)\b)[^\s,;:.)]+(?:[,.:][^\s,;:.)]+)*"
SETTING = re.compile(r"[;:] use --(?!backend).*$", re.DOTALL)
"""The remedy of a message that advises another setting."""
OPTION = re.compile(
    rf"(?<![\w-])--(?P<name>(?:{'|'.join(NAMES)}))(?![\w-])(?: (?P<column>{QUOTED}|{NAME}))?"
    r"|(?<![\w-])--(?P<other>[a-z]+(?:-[a-z]+)*)"
    rf"(?: (?P<value>{NUMBER}|{QUOTED}|{PLACE}|{WORD}|{STANDS_FOR}))?"
)
OPTIONS = re.compile(rf"(?:{re.sub(r'[?]P<[a-z]+>', '?:', OPTION.pattern)})(?: (?=--))?")
PAPER = "--paper, "
"""In a list of options that exclude something. Only the command line has it."""
CONDITION = re.compile(r"--where (\w+=[^\s;:)]+)(?![\w:])")
CONDITION_AT_FAULT = re.compile("--where (?=['\\w])")


def as_keys(text: str) -> str:
    """A message with keys of a file of settings in place of options of the command line.

    Commands in backticks stay, and options that no setting has.

    >>> as_keys("use --features 27, or --no-whiten; --drop 'id,mean radius' leaves columns out")
    'use features = 27, or whiten = false; drop = ["id", "mean radius"] leaves columns out'
    """

    def key(name: str, values: list[Value]) -> str:
        (value, *_) = values
        if name in LISTS and value is not None:
            names = [part for text in values for part in _names(text, len(values) > 1)]
            return f"{name} = [{', '.join(map(_quoted, names))}]"
        if isinstance(value, bool):
            return f"{name} = {str(value).lower()}"
        return name if value is None else f"{name} = {_shown(value)}"

    return _translated(text, key)


def as_parameters(text: str) -> str:
    """A message with parameters of an estimator in place of options of the command line.

    >>> as_parameters("use --wide-every 10, or --whiten")
    'use wide_every=10, or whiten=True'
    """

    def parameter(name: str, values: list[Value]) -> str:
        (value, *_) = values
        name = "random_state" if name == "seed" else name
        if isinstance(value, bool):
            return f"{name}={value}"
        return name if value is None else f"{name}={_shown(value)}"

    return _translated(text, parameter)


@contextmanager
def advised(words: Callable[[str], str]) -> Iterator[None]:
    """Let the errors of a block advise in other ``words``, such as ``as_keys``."""
    try:
        yield
    except OhmcarloError as error:
        error.args = (words(str(error)), *error.args[1:])
        raise


def as_resumed(text: str) -> str:
    """A message of a board to a run that is resumed. Its settings are those that it began with, so
    that another board is the remedy.

    >>> as_resumed("rows = 32 here, 256 at /dev/ttyUSB1; use --rows 256")
    'rows = 32 here, 256 at /dev/ttyUSB1: a resumed run keeps its settings, so name a board \
that can have them, or --backend model'
    """
    return SETTING.sub(
        ": a resumed run keeps its settings, so name a board that can have them, or --backend "
        "model",
        text,
    )


@cache
def _switches() -> frozenset[str]:
    """Settings that are true or false."""
    return frozenset(name for name, kind in get_type_hints(TrainConfig).items() if kind is bool)


def _translated(text: str, said: Callable[[str, list[Value]], str]) -> str:
    """The text with ``said(setting, values)`` in place of options, outside backticks."""
    parts = text.split("`")
    for place in range(0, len(parts), 2):
        part = parts[place].replace(PAPER, "")
        part = CONDITION.sub(r",\1 after the name of the file", part)
        part = CONDITION_AT_FAULT.sub("", part)
        parts[place] = re.sub(rf"(?:{OPTIONS.pattern})+", lambda found: _group(found, said), part)
    return "`".join(parts)


def _group(found: re.Match[str], said: Callable[[str, list[Value]], str]) -> str:
    """Options that follow each other, with "and" between them."""
    settings: dict[str, list[Value]] = {}
    for option in OPTION.finditer(found[0]):
        name, value = _setting(option)
        if name not in _known():
            return found[0]
        settings.setdefault(name, []).append(value)
    end = " " if found[0].endswith(" ") else ""
    return " and ".join(said(name, values) for name, values in settings.items()) + end


def _setting(option: re.Match[str]) -> tuple[str, Value]:
    """The setting that an option chooses, and its value."""
    name = (option["name"] or option["other"]).replace("-", "_")
    value: Value = option["column"] or option["value"]
    bare = name.removeprefix("no_")
    if bare in _switches():
        return bare, bare == name
    if bare == REGRESSION:
        return "kind", REGRESSION if bare == name else SUPERVISED
    if isinstance(value, str) and value.startswith("'"):
        value = shlex.split(value)[0]
    return name, value


@cache
def _known() -> frozenset[str]:
    return frozenset(field.name for field in fields(TrainConfig))


def _names(value: Value, several: bool) -> list[str]:
    """The names in a value. Where an option is repeated, each value is one name."""
    return [str(value)] if several else str(value).split(",")


def _shown(value: str) -> str:
    return value if re.fullmatch(NUMBER, value) else _quoted(value)


def _quoted(value: str) -> str:
    """Text as TOML and Python quote it."""
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
