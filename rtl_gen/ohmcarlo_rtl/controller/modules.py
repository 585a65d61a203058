# amaranth: UnusedElaboratable=no
"""The Verilog modules of a configuration: controller, array emulator, and both together."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from amaranth import ClockSignal, Instance, ResetSignal
from amaranth.lib import wiring
from amaranth.lib.wiring import In

from ohmcarlo_hdl.array.emulator import Emulator
from ohmcarlo_hdl.config import CoreConfig
from ohmcarlo_hdl.core.core import Core, EmulatedCore

from ..verilog import verilog_text
from .tidy import tidy

CORE, EMULATOR, EMULATED_CORE = "ohmcarlo_core", "ohmcarlo_emulator", "ohmcarlo_emulated_core"


class Instantiated(wiring.Component):
    """An instance of a Verilog module with the ports of a component."""

    def __init__(self, module: str, component: wiring.Component) -> None:
        self.module = module
        super().__init__(component.signature)

    def elaborate(self, platform: Any) -> Instance:
        ports: dict[str, Any] = {"i_clk": ClockSignal(), "i_rst": ResetSignal()}
        for path, member, value in self.signature.flatten(self):
            ports[f"{'i' if member.flow is In else 'o'}_{'__'.join(map(str, path))}"] = value
        return Instance(self.module, **ports)


class Wrapper(EmulatedCore):
    """``EmulatedCore`` with instances of the modules ``CORE`` and ``EMULATOR`` as its parts."""

    def parts(self) -> tuple[Any, Any]:
        core, emulator = Core(self.config, emulator=True), Emulator(self.config)
        return Instantiated(CORE, core), Instantiated(EMULATOR, emulator)


MODULES: Mapping[str, Callable[[CoreConfig], wiring.Component]] = {
    CORE: lambda config: Core(config, emulator=True),
    EMULATOR: Emulator,
    EMULATED_CORE: Wrapper,
}
"""Verilog module → its component. Each module has a file of its own."""


def module_text(name: str, config: CoreConfig, top: str = "") -> str:
    """Verilog of a module, without the modules of other files; ``top``: another name for it."""
    return tidy(verilog_text(MODULES[name](config), top or name))


def complete_text(name: str, config: CoreConfig, top: str = "") -> str:
    """As ``module_text``, with all modules that it contains."""
    text = module_text(name, config, top)
    if name != EMULATED_CORE:
        return text
    return "\n".join([text, module_text(CORE, config), module_text(EMULATOR, config)])
