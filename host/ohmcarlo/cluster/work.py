"""The computation of one cell: the part that runs on a worker."""

from __future__ import annotations

import json
import os
import time
import traceback
from dataclasses import dataclass
from typing import Any

from ..errors import Interrupted, OhmcarloError, UsageError
from ..threads import VARIABLE
from . import sources
from .cells import BROKEN, REFUSED, STOPPED, Cell, Values, function_of
from .encoding import pack


@dataclass(frozen=True)
class Reply:
    """What a worker returns.

    Attributes
    ----------
    packed : bytes
        The file of a finished cell; empty if there is none.
    kind, message, details : str
        As in ``Failure``; empty if there is none.
    sources : str
        Digest of the worker's sources if they are others; nothing was computed then.
    """

    packed: bytes = b""
    kind: str = ""
    message: str = ""
    details: str = ""
    sources: str = ""


def compute(function: str, arguments: str, digest: str, wanted: str) -> Reply:
    """Compute a cell; ``arguments`` is its canonical JSON, ``wanted`` the digest of the sources
    that it is for. An error of the cell is a reply."""
    if (here := sources.sources_digest()) != wanted:
        return Reply(sources=here)
    began = time.perf_counter()
    cell = Cell(function, json.loads(arguments))
    try:
        values = function_of(function)(**json.loads(arguments))
        if not isinstance(values, dict):
            raise TypeError(f"{function} returned {type(values).__name__}, not a dict")
        packed = pack(content_of(cell, digest, values, time.perf_counter() - began))
        return Reply(packed)
    except Interrupted as error:  # a cell that the user stopped has not failed
        raise KeyboardInterrupt from error
    except OhmcarloError as error:
        kind = REFUSED if isinstance(error, UsageError) else STOPPED
        return Reply(kind=kind, message=_line(error))
    except (Exception, SystemExit) as error:
        message = f"{type(error).__name__}: {_line(error)}".rstrip(": ")
        return Reply(kind=BROKEN, message=message, details=traceback.format_exc())


def compute_on_worker(function: str, arguments: str, digest: str, wanted: str) -> Reply:
    """``compute`` in a worker. Workers share the cores: a cell takes one thread, unless the
    environment of the worker sets another number.

    Libraries that know Dask, such as xarray, would find themselves in a task of it, and lock files
    through its scheduler. For them, a cell runs without Dask."""
    import dask

    os.environ.setdefault(VARIABLE, "1")
    with dask.config.set(scheduler="synchronous"):
        return compute(function, arguments, digest, wanted)


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())


def content_of(cell: Cell, digest: str, values: Values, seconds: float) -> dict[str, Any]:
    """What the file of a finished cell holds."""
    return {
        "function": cell.function,
        "arguments": cell.arguments,
        "digest": digest,
        "seconds": seconds,
        "values": values,
    }
