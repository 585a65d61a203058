"""The user's files of a cell: they travel to the worker, or are read where it runs.

The digest of a cell covers the content of its files and their names. A file up to ``CARRIED``
bytes (compressed) is part of the arguments, so that its folder does not matter. A larger one must
be readable on the worker under the same absolute path, which belongs to the digest.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import tempfile
import zlib
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from ..errors import OhmcarloError, UsageError
from ..files import explain, make_folder, stamp_of, write_bytes
from ..measurements.names import joined, split_name
from ..measurements.veriloga.measuring import VERILOGA, is_veriloga, measured_table
from ..runs.config import DATA_FILE, PRESET_FILE, SWEEP_FILE, TrainConfig
from ..runs.recordings import MEASURED, is_named
from ..tasks import TASKS

CARRIED = 1 << 18
"""Bytes of a compressed file that the arguments of a cell hold at most."""
NAME, SHA256, CONTENT, PATH = "name", "sha256", "content", "path"
Files = dict[str, dict[str, str]]
"""By role: name, digest, and the content or the path of each file."""


def beside(folder: Path, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings in which relative file names start from ``folder``.

    >>> beside(Path("study"), {"task": "mine.csv", "array": "measured:die.csv,vbl=2.0"})
    {'task': 'study/mine.csv', 'array': 'measured:study/die.csv,vbl=2.0'}
    """
    found = dict(settings)
    task, array, preset = (found.get(name) for name in ("task", "array", "preset"))
    if task is not None and task not in TASKS and _names_file(folder, task):
        found["task"] = str(folder / task)
    for kind in (MEASURED, VERILOGA):
        if array is not None and array.startswith(kind) and array != kind:
            path, options = split_name(array.removeprefix(kind))
            found["array"] = joined(f"{kind}{folder / path}", options)
    if preset is not None and (not is_named(preset) or (folder / preset).exists()):
        path, options = split_name(preset)
        found["preset"] = joined(str(folder / path), options)
    return found


def _names_file(folder: Path, task: str) -> bool:
    path = Path(task)
    return bool(path.suffix) or len(path.parts) > 1 or (folder / path).exists()


def packed_files(config: TrainConfig) -> tuple[TrainConfig, Files]:
    """The configuration with bare names of its files, and the files.

    A compact model in Verilog-A becomes the measurements that it gives, so that workers need no
    simulator. Raises UsageError for a file that cannot be read.
    """
    if is_veriloga(config.array):
        if config.preset is not None:
            raise UsageError("a Verilog-A model has constants of its own: leave out the preset")
        table = measured_table(config.array.removeprefix(VERILOGA))
        config = replace(config, array="physics", preset=str(table))
    roles = config.files()
    files = {
        role: _packed(str(path.absolute()), role, stamp_of(path)) for role, path in roles.items()
    }
    return _renamed(config, {role: Path(path.name) for role, path in roles.items()}), files


@cache
def _packed(path: str, role: str, stamp: tuple[int, int]) -> dict[str, str]:
    """The entry of a file that has this ``stamp``."""
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        what = "file of measurements" if role == SWEEP_FILE else role
        raise UsageError(
            f"{explain(error, Path(path))}: cannot read this {what}; a relative name starts from "
            "the folder of the sweep file"
        ) from error
    entry = {NAME: Path(path).name, SHA256: hashlib.sha256(content).hexdigest()}
    small = zlib.compress(content, 9)
    if len(small) > CARRIED:
        return {**entry, PATH: path}
    return {**entry, CONTENT: base64.b85encode(small).decode()}


def unpacked(config: TrainConfig, files: Files) -> TrainConfig:
    """The configuration with the names of its files on this machine."""
    return _renamed(config, {role: _place(role, entry) for role, entry in files.items()})


def _renamed(config: TrainConfig, paths: Mapping[str, Path]) -> TrainConfig:
    changes: dict[str, Any] = {}
    if DATA_FILE in paths:
        changes["task"] = str(paths[DATA_FILE])
    if PRESET_FILE in paths and config.preset is not None:
        changes["preset"] = joined(str(paths[PRESET_FILE]), split_name(config.preset)[1])
    if SWEEP_FILE in paths:
        options = split_name(config.array.removeprefix(MEASURED))[1]
        changes["array"] = joined(f"{MEASURED}{paths[SWEEP_FILE]}", options)
    return replace(config, **changes)


def _place(role: str, entry: Mapping[str, str]) -> Path:
    """The file of an entry on this machine, with the content that the entry names."""
    if CONTENT in entry:
        return _written(entry[NAME], entry[SHA256], entry[CONTENT])
    path = Path(entry[PATH])
    _require_content(path, role, entry[SHA256], stamp_of(path))
    return path


@cache
def _require_content(path: Path, role: str, wanted: str, stamp: tuple[int, int]) -> None:
    try:
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise OhmcarloError(
            f"{explain(error, path)}: make the {role} readable where the workers run"
        ) from error
    if found != wanted:
        raise OhmcarloError(f"{path} has other content than when the sweep began: put it back")


@cache
def _folder() -> Any:
    """A folder of this process, which is removed when it ends."""
    return tempfile.TemporaryDirectory(prefix="ohmcarlo-sweep-")


def bare_names(text: str) -> str:
    """A message in which the files that cells hold have no folder: it is one of this process."""
    if not _folder.cache_info().currsize:
        return text
    return re.sub(re.escape(_folder().name) + r"[\\/][0-9a-f]{16}[\\/]", "", text)


def _written(name: str, digest: str, content: str) -> Path:
    """A file of this process with this content. It is written again if it was removed, as systems
    do with temporary files of programs that run for days."""
    if Path(name).name != name:
        raise OhmcarloError(f"{name}: this is not the bare name of a file")
    path = Path(_folder().name) / digest[:16] / name
    if path.is_file():
        return path
    try:
        whole = zlib.decompress(base64.b85decode(content))
    except (zlib.error, ValueError, binascii.Error) as error:
        raise OhmcarloError(f"{name}: the content of this file was damaged: {error}") from error
    if hashlib.sha256(whole).hexdigest() != digest:
        raise OhmcarloError(f"{name}: the content of this file was damaged")
    make_folder(path.parent, "TMPDIR")
    write_bytes(path, whole)
    return path
