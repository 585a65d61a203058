"""Boards: platform, pins, clock, and options of the tools."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ohmcarlo.errors import UsageError
from ohmcarlo.spec.link import BAUD

from ..config import CoreConfig
from ..soc.memory_map import RAM_BYTES
from ..soc.uart import DIVISOR_BITS, LEAST_DIVISOR
from .flows import Flow
from .pll import megahertz

BAUD_ERROR = 0.02
"""Largest deviation of the serial link's speed. A receiver samples up to 9.5 bits after its start
edge, and therefore fails at 5 %. The other side is exact (USB bridges divide 3 MHz or 12 MHz by a
whole number)."""

Resource = tuple[str, int]
"""Name and number of a resource of amaranth-boards; ``name.part`` for a part of one."""


@dataclass(frozen=True)
class Board:
    """One FPGA board.

    Attributes
    ----------
    name, title : str
        Its name on the command line, and its full name.
    device : str
        The FPGA, with package and speed grade.
    platform_class : str
        ``package.module:class``: in ``amaranth_boards``, or in ``platforms`` for a board that it
        lacks.
    flow : Flow
    config, compact : CoreConfig
        The default controller, and the one with the smaller array.
    clock_hz : int
        Requested clock of processor and controller.
    ram_bytes : int
        Memory of the processor, a power of two.
    alive, busy, fault : tuple or None
        Resources of the three lights; each is a separate resource.
    uart : tuple
        Resource of the serial link, with parts ``rx`` and ``tx``.
    reset : tuple or None
        Resource of the reset button, if any.
    loader : tuple of str
        Arguments of openFPGALoader.
    tool_options : str
        Options that select the device in the place-and-route tool, for manual use.
    header : str or None
        Header of the daughterboard: a key of ``HEADERS`` in array/phy/pins.py.
    options : mapping
        Overrides of the flow's options.
    """

    name: str
    title: str
    device: str
    platform_class: str
    flow: Flow
    config: CoreConfig
    compact: CoreConfig
    clock_hz: int
    alive: Resource
    busy: Resource | None
    fault: Resource | None
    loader: tuple[str, ...]
    tool_options: str
    ram_bytes: int = RAM_BYTES
    uart: Resource = ("uart", 0)
    reset: Resource | None = None
    header: str | None = None
    options: Mapping[str, str] = field(default_factory=dict)

    def platform(self) -> Any:
        """A new platform of Amaranth, for one design."""
        module, name = self.platform_class.split(":")
        described = getattr(importlib.import_module(module), name)
        wanted = (self.flow.tooling, described) if self.flow.tooling else (described,)
        return type(name, wanted, {})(toolchain=self.flow.toolchain)

    @property
    def build_options(self) -> dict[str, str]:
        return {**self.flow.options, **self.options}

    @property
    def open_flow(self) -> bool:
        """Whether open tools make its bitstream."""
        return bool(self.flow.tools)


def uart_divisor(clock_hz: int) -> int:
    """Clocks of a bit of the serial link.

    Raises UsageError when no divisor is within ``BAUD_ERROR``.
    """
    divisor = round(clock_hz / BAUD)
    if not LEAST_DIVISOR <= divisor < 1 << DIVISOR_BITS:
        raise UsageError(
            f"a clock of {megahertz(clock_hz)} MHz makes no serial link of {BAUD:,} baud: choose "
            f"{megahertz(LEAST_DIVISOR * BAUD)} MHz or more"
        )
    error = abs(clock_hz / divisor / BAUD - 1)
    if error > BAUD_ERROR:
        raise UsageError(
            f"a clock of {megahertz(clock_hz)} MHz makes {clock_hz / divisor:,.0f} baud, "
            f"{error:.1%} from {BAUD:,}: choose a clock near {megahertz(divisor * BAUD)} MHz"
        )
    return divisor
