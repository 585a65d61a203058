# amaranth: UnusedElaboratable=no
"""The Verilog modules of the IP core."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from amaranth.lib import wiring

from ohmcarlo_hdl.config import CoreConfig
from ohmcarlo_hdl.core.core import Core
from ohmcarlo_hdl.core.phy_core import PhyCore
from ohmcarlo_hdl.ip.core import IpCore
from ohmcarlo_hdl.ip.ports import BUSES, EMULATOR, PHY, PORTS

from ..verilog import verilog_text
from .modules import CORE, EMULATED_CORE, Instantiated, Wrapper, module_text
from .modules import EMULATOR as EMULATOR_MODULE
from .tidy import tidy

PHY_CORE = "ohmcarlo_phy_core"

CONTROLLERS: Mapping[str, tuple[str, Callable[[CoreConfig], wiring.Component]]] = {
    EMULATOR: (EMULATED_CORE, Wrapper),
    PORTS: (CORE, Core),
    PHY: (PHY_CORE, PhyCore),
}
"""Array of a core → module of the controller that it instantiates, and its component."""


class IpWrapper(IpCore):
    """``IpCore`` with an instance of the controller's module."""

    def controller(self) -> Any:
        name, component = CONTROLLERS[self.array]
        return Instantiated(name, component(self.config))


def ip_files(config: CoreConfig, bus: str, array: str = EMULATOR, **options: Any) -> dict[str, str]:
    """The Verilog of a core, file name → text: the top module first, then those that it contains.

    Each module of the controller has a file of its own, named like the module. ``options`` are
    those of ``IpCore``: ``streams``, ``clock_hz``, ``design_hash``.

    >>> from ohmcarlo_hdl.config import COMPACT
    >>> list(ip_files(COMPACT, "apb4"))  # doctest: +NORMALIZE_WHITESPACE
    ['ohmcarlo_apb4.v', 'ohmcarlo_emulated_core.v', 'ohmcarlo_core.v', 'ohmcarlo_emulator.v']
    """
    top = IpWrapper(config, bus, array, **options)
    module = BUSES[bus].module
    texts = {module: tidy(verilog_text(top, module))}
    if array == EMULATOR:
        names = (EMULATED_CORE, CORE, EMULATOR_MODULE)
        texts |= {name: module_text(name, config) for name in names}
    else:
        name, component = CONTROLLERS[array]
        texts[name] = tidy(verilog_text(component(config), name))
    return {f"{name}.v": text for name, text in texts.items()}


def ip_text(config: CoreConfig, bus: str, array: str = EMULATOR, **options: Any) -> str:
    """The Verilog of a core with all modules that it contains; the top module is the first."""
    return "\n".join(ip_files(config, bus, array, **options).values())
