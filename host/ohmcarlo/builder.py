"""Calls of the hardware builders (``ohmcarlo_rtl``). No other module of this package calls them.

They are imported at the call, because they need tools that the rest of the host does not need.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .errors import OhmcarloError, UsageError

log = logging.getLogger(__name__)
Say = Callable[[str], None]


def simulated_board(sizes: Mapping[str, int], say: Say) -> Path:
    """The program of the simulated board for an array of these sizes; built at its first use.

    ``say`` is called with a line for each stage of the build. Raises UsageError, which names what
    to install, if a tool is missing; OhmcarloError if the build fails.
    """
    from ohmcarlo_rtl.requirements import MissingTools
    from ohmcarlo_rtl.verilated.board import simulated_board

    with _named("the simulated board"):
        try:
            return _found(simulated_board(sizes, say))
        except MissingTools as missing:
            raise MissingTools(f"{missing}, or use --backend model") from missing


def simulated_small_board(sizes: Mapping[str, int], say: Say) -> Path:
    """As ``simulated_board``, for the board without a processor."""
    from ohmcarlo_rtl.requirements import MissingTools
    from ohmcarlo_rtl.verilated.board import simulated_small_board

    with _named("the simulated small board"):
        try:
            return _found(simulated_small_board(sizes, say))
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


def exported_core(out: Path, say: Say, **options: Any) -> dict[str, Any]:
    """The manifest of an IP core, written into the new folder ``out``.

    ``options``: those of ``ohmcarlo_rtl.export.order.export_core``. Raises as ``simulated_board``.
    """
    from ohmcarlo_rtl.requirements import EXPORT, require_packages

    with _named("the core"):
        require_packages(EXPORT)
        from ohmcarlo_rtl.export.order import export_core

        return export_core(out, say, **options)


def _found(program: Path) -> Path:
    log.debug("simulated board: %s", program)
    return program


@contextmanager
def _named(what: str) -> Iterator[None]:
    """Prefix errors with the name of the product."""
    try:
        yield
    except OhmcarloError as error:
        kind = UsageError if isinstance(error, UsageError) else OhmcarloError
        raise kind(f"{what} cannot be built: {error}") from error
