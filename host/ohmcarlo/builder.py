"""Calls of the hardware's builders (``ohmcarlo_rtl``), the only ones in this package.

They are imported when they are called: they need tools that the rest of the host does without.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .errors import OhmcarloError, UsageError

Say = Callable[[str], None]


def simulated_board(sizes: Mapping[str, int], say: Say) -> Path:
    """The program of the simulated board for an array of these sizes; built at the first time.

    ``say`` gets a line for each stage of the build. Raises UsageError, with what to install, where
    a tool is missing; OhmcarloError when the build fails.
    """
    from ohmcarlo_rtl.requirements import MissingTools
    from ohmcarlo_rtl.verilated.board import simulated_board

    with _named("the simulated board"):
        try:
            return simulated_board(sizes, say)
        except MissingTools as missing:
            raise MissingTools(f"{missing}, or use --backend model") from missing


def bitstream(board: str, say: Say, **options: Any) -> tuple[Path, dict[str, Any]]:
    """The folder of a board's bitstream and its manifest; built unless it is up to date.

    ``options``: those of ``ohmcarlo_rtl.bitstream.order.make_bitstream``. Raises as
    ``simulated_board``.
    """
    from ohmcarlo_rtl.requirements import BITSTREAM, require_packages

    with _named(f"the bitstream of {board}"):
        require_packages(BITSTREAM)
        from ohmcarlo_rtl.bitstream.order import make_bitstream

        return make_bitstream(board, say, **options)


@contextmanager
def _named(what: str) -> Iterator[None]:
    """Errors begin with what cannot be built."""
    try:
        yield
    except OhmcarloError as error:
        kind = UsageError if isinstance(error, UsageError) else OhmcarloError
        raise kind(f"{what} cannot be built: {error}") from error
