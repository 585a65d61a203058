"""Values of a cell as the bytes of one file that contains no code.

The file is a ZIP archive: ``values.json``, and one ``.npy`` for each array. NumPy reads such an
array without pickle. What JSON lacks is written as an object with one name that begins with ``$``.
"""

from __future__ import annotations

import io
import json
import lzma
import struct
import tokenize
import zipfile
import zlib
from typing import Any

import numpy as np

DOCUMENT = "values.json"
ARRAY, BYTES, TUPLE, PAIRS = "$array", "$bytes", "$tuple", "$dict"
FIRST_DATE = (1980, 1, 1, 0, 0, 0)  # of ZIP: equal values give equal bytes
DAMAGE = (
    zipfile.BadZipFile, zlib.error, KeyError, ValueError, TypeError, IndexError, EOFError,
    RuntimeError, NotImplementedError, RecursionError, MemoryError, OverflowError, OSError,
    lzma.LZMAError, struct.error, tokenize.TokenError, SyntaxError,
)  # fmt: skip
"""What ``unpack`` may raise for bytes that ``pack`` did not write."""


def pack(content: dict[str, Any]) -> bytes:
    """The bytes of ``content``.

    It holds JSON values (infinities and NaN as well), bytes, arrays and scalars of NumPy, and
    lists, tuples and dicts of them. Scalars of NumPy become Python's numbers. Raises TypeError,
    which names the type, for anything else.
    """
    arrays: list[np.ndarray] = []
    text = json.dumps(_plain(content, arrays))
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(zipfile.ZipInfo(DOCUMENT, FIRST_DATE), text)
        for number, array in enumerate(arrays):
            with archive.open(zipfile.ZipInfo(_member(number), FIRST_DATE), "w") as member:
                np.lib.format.write_array(member, array, allow_pickle=False)
    return file.getvalue()


def unpack(packed: bytes) -> dict[str, Any]:
    """What ``pack`` was given. Raises an error of ``DAMAGE`` for other bytes; runs no code."""
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        document = json.loads(archive.read(DOCUMENT))
        if not isinstance(document, dict):
            raise ValueError("not an object")
        found = _restored(document, archive)
    return dict(found)


def _member(number: int) -> str:
    return f"{number}.npy"


def _plain(value: Any, arrays: list[np.ndarray]) -> Any:
    if value is None or isinstance(value, bool | int | str | float):
        return value
    if isinstance(value, bytes):
        return {BYTES: _added(np.frombuffer(value, np.uint8), arrays)}
    if isinstance(value, np.generic) and value.dtype.kind in "biufSU":
        return _plain(value.item(), arrays)
    if isinstance(value, np.ndarray) and not value.dtype.hasobject:
        return {ARRAY: _added(value, arrays)}
    if isinstance(value, list | tuple):
        items = [_plain(item, arrays) for item in value]
        return items if isinstance(value, list) else {TUPLE: items}
    if isinstance(value, dict):
        return _plain_dict(value, arrays)
    raise TypeError(f"{type(value).__name__} cannot be stored")


def _plain_dict(value: dict[Any, Any], arrays: list[np.ndarray]) -> dict[str, Any]:
    if all(isinstance(key, str) and not key.startswith("$") for key in value):
        return {key: _plain(item, arrays) for key, item in value.items()}
    return {PAIRS: [[_plain(k, arrays), _plain(v, arrays)] for k, v in value.items()]}


def _added(array: np.ndarray, arrays: list[np.ndarray]) -> int:
    arrays.append(array)
    return len(arrays) - 1


def _restored(value: Any, archive: zipfile.ZipFile) -> Any:
    if isinstance(value, list):
        return [_restored(item, archive) for item in value]
    if not isinstance(value, dict):
        return value
    if len(value) != 1 or not next(iter(value)).startswith("$"):
        return {key: _restored(item, archive) for key, item in value.items()}
    ((mark, content),) = value.items()
    if mark == TUPLE:
        return tuple(_restored(item, archive) for item in content)
    if mark == PAIRS:
        return {_restored(k, archive): _restored(v, archive) for k, v in content}
    if mark not in (ARRAY, BYTES):
        raise ValueError(f"unknown mark {mark}")
    whole = archive.read(_member(content))  # to its end, where its checksum is compared
    array = np.lib.format.read_array(io.BytesIO(whole), allow_pickle=False)
    return array if mark == ARRAY else array.tobytes()
