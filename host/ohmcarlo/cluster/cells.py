"""Cells: units of work that depend on nothing but their arguments."""

from __future__ import annotations

import hashlib
import importlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..errors import UsageError

Values = dict[str, Any]
REFUSED, STOPPED, BROKEN, DIED = "refused", "stopped", "broken", "died"
"""Kinds of failures: a wrong request (UsageError), another error of ohmcarlo, any other exception,
processes that died."""


@dataclass(frozen=True, eq=False)
class Cell:
    """A function of a module, and the arguments of one call.

    Attributes
    ----------
    function : str
        ``"package.module:name"``. It takes the arguments as keywords and returns a dict, as
        ``encoding.pack`` describes. The result must depend on nothing but the arguments.
    arguments : dict
        JSON values, seeds included. UsageError for anything else.

    Examples
    --------
    >>> cell = Cell("ohmcarlo.readable:duration", {"seconds": 90})
    >>> cell.arguments
    {'seconds': 90}
    """

    function: str
    arguments: Values

    def __post_init__(self) -> None:
        if self.function.count(":") != 1:
            raise UsageError(f"{self.function!r} names no function: write package.module:name")
        try:
            same = json.loads(self.canonical) == self.arguments
        except (TypeError, ValueError) as error:
            raise UsageError(f"arguments of {self.function}: {error}") from error
        if not same:
            raise UsageError(f"arguments of {self.function} are no JSON: use lists and text keys")

    @property
    def canonical(self) -> str:
        """The arguments as JSON that is the same for equal arguments.

        It is not kept: thousands of cells may share a large argument, such as a data file.
        """
        return json.dumps(self.arguments, sort_keys=True, allow_nan=False, separators=(",", ":"))

    def digest(self, sources: str) -> str:
        """The name of the result: 64 hexadecimal digits.

        ``sources`` is the digest of the package's sources (``sources.sources_digest``).
        """
        text = json.dumps([self.function, self.canonical, sources])
        return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True, eq=False)
class Outcome:
    """The result of a cell; ``seconds`` is the time that its function took."""

    cell: Cell
    digest: str
    values: Values
    seconds: float


@dataclass(frozen=True, eq=False)
class Failure:
    """A cell without a result.

    Attributes
    ----------
    message : str
        One line.
    kind : str
        ``REFUSED``, ``STOPPED``, ``BROKEN`` or ``DIED``.
    details : str
        The traceback of a broken cell, otherwise empty.
    """

    cell: Cell
    digest: str
    message: str
    kind: str
    details: str = ""


def function_of(name: str) -> Callable[..., Values]:
    """The function that ``"package.module:name"`` names; UsageError if there is none."""
    module, _, attribute = name.partition(":")
    try:
        found: Callable[..., Values] = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise UsageError(f"there is no function {name}: {error}") from error
    return found


def name_of(function: Callable[..., Values]) -> str:
    """``"package.module:name"`` of a function of a module.

    >>> name_of(function_of("ohmcarlo.readable:duration"))
    'ohmcarlo.readable:duration'
    """
    return f"{function.__module__}:{function.__qualname__}"
