"""SHA-256 digests of the inputs and the files of a run."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import UsageError
from ..files import explain

SEAL = "sha256"
"""Key of the digest of a JSON file's other content."""
FLOAT_DIGITS = 9
"""Decimal digits of a float that count, from the largest of its array on. Libraries round the last
bits in other ways on other processors; the integers that a chain computes with stay the same."""
SMALLEST = -250
"""Decimal exponent below which floats are regarded as zero."""


def digest_of(value: Any, *, exact: bool = False) -> str:
    """SHA-256 of a value: numbers, texts, arrays, and containers and dataclasses of them.

    A dataclass counts with all its fields, and so does one that gets further fields. ``exact``:
    every bit of a float counts. Raises TypeError for any other value.
    """
    digest = hashlib.sha256()
    _feed(digest, value, exact)
    return digest.hexdigest()


def file_digest(path: Path, role: str) -> str:
    """SHA-256 of a file; UsageError, which names its ``role``, when it cannot be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise UsageError(
            f"{explain(error, path)}: the run needs its {role}; put the file back"
        ) from error


def sealed(values: Mapping[str, Any]) -> dict[str, Any]:
    """``values`` of a JSON file with their digest."""
    return {**values, SEAL: _json_digest(values)}


def has_seal(values: Mapping[str, Any]) -> bool:
    """Whether ``values`` are those that were ``sealed``."""
    return values.get(SEAL) == _json_digest({k: v for k, v in values.items() if k != SEAL})


def _json_digest(values: Mapping[str, Any]) -> str:
    values = json.loads(json.dumps(values))  # as it is read again: lists, texts as keys
    text = json.dumps(values, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _feed(digest: Any, value: Any, exact: bool) -> None:
    """Add a value, with its kind and its length, so that no two values give the same bytes."""
    if value is None or isinstance(value, bool | int | str):
        _add(digest, type(value).__name__, str(value).encode("utf-8", "surrogatepass"))
    elif isinstance(value, float | np.generic | np.ndarray):
        _feed_array(digest, np.asarray(value), exact)
    elif is_dataclass(value) and not isinstance(value, type):
        _feed(digest, {f.name: getattr(value, f.name) for f in fields(value)}, exact)
    elif isinstance(value, Mapping):
        _add(digest, "mapping", str(len(value)).encode())
        for key in sorted(value):
            _feed(digest, [key, value[key]], exact)
    elif isinstance(value, list | tuple):
        _add(digest, "sequence", str(len(value)).encode())
        for item in value:
            _feed(digest, item, exact)
    else:
        raise TypeError(f"no digest of a {type(value).__name__}")


def _feed_array(digest: Any, array: np.ndarray[Any, Any], exact: bool) -> None:
    if array.dtype.kind not in "biufU":
        raise TypeError(f"no digest of an array of {array.dtype}")
    if array.dtype.kind == "f" and not exact:
        exponent, array = _coarse(array)
        _add(digest, "exponent", str(exponent).encode())
    kind = array.dtype.newbyteorder("<")
    content = np.ascontiguousarray(array, kind).reshape(-1).view(np.uint8)
    _add(digest, f"{kind.str}{array.shape}", content.data)


def _coarse(array: np.ndarray[Any, Any]) -> tuple[int, np.ndarray[Any, Any]]:
    """Decimal exponent of the largest float, and all floats as multiples of its last digit."""
    finite = np.isfinite(array)
    largest = np.abs(array[finite]).max(initial=0.0)
    # the exponent after rounding: 0.99…9 and 1.0 have the same
    exponent = max(int(f"{largest:.{FLOAT_DIGITS}e}".partition("e")[2]), SMALLEST)
    numbers = np.rint(np.where(finite, array, 0.0) / 10.0 ** (exponent - FLOAT_DIGITS))
    special = np.where(np.isnan(array), 0, np.sign(array)) + 2 * 10.0 ** (FLOAT_DIGITS + 1)
    return exponent, np.where(finite, numbers, special).astype("<i8")


def _add(digest: Any, kind: str, content: bytes | memoryview) -> None:
    digest.update(f"{kind}:{len(content)}:".encode())
    digest.update(content)
