"""Names of files of measurements with conditions: ``sweep.csv,vbl=2.0,width=100ns``."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from ..errors import UsageError

CONDITION = re.compile(r"\s*[A-Za-z_][\w .#-]*\s*=[^=]*")


def split_name(name: str) -> tuple[Path, dict[str, str]]:
    """The file and the conditions of a name.

    >>> split_name("sweep.csv,vbl=2.0,width=100ns")
    (PosixPath('sweep.csv'), {'vbl': '2.0', 'width': '100ns'})
    """
    parts = name.split(",")
    end = len(parts)
    if not Path(name).exists():  # a file may have such a name
        while end > 1 and CONDITION.fullmatch(parts[end - 1]):
            end -= 1
    return Path(",".join(parts[:end])), conditions_of(parts[end:])


def conditions_of(texts: Sequence[str]) -> dict[str, str]:
    """The conditions in texts as ``vbl=2.0,width=100ns``.

    Raises UsageError for a text without ``=``.
    """
    where = {}
    for text in (part for whole in texts for part in whole.split(",")):
        key, equals, value = text.partition("=")
        if not equals or not key.strip() or not value.strip():
            raise UsageError(f"--where {text!r}: write key=value, as in vbl=2.0,width=100ns")
        where[key.strip()] = value.strip()
    return where


def joined(name: str, where: Mapping[str, str]) -> str:
    """A name with further conditions.

    >>> joined("sweep.csv", {"vbl": "2.0"})
    'sweep.csv,vbl=2.0'
    """
    return ",".join([name, *(f"{key}={value}" for key, value in where.items())])
