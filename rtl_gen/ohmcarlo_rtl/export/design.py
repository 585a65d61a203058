"""The Verilog of a core, and what is generated from its register map."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

from systemrdl.node import AddrmapNode

from ohmcarlo.imports import without_collection
from ohmcarlo_hdl.ip.core import IpCore
from ohmcarlo_hdl.ip.ports import EMULATOR
from ohmcarlo_hdl.regs.map import RegisterMap, compile_rdl, register_map

from ..controller.images import readmemh, table_words
from ..controller.tidy import tidy
from ..verilog import verilog_text
from .ports import CorePorts, with_latency
from .request import ExportRequest


class Design:
    """A core with its ports and registers, each made once, when it is needed."""

    def __init__(self, request: ExportRequest) -> None:
        self.request = request

    @cached_property
    def core(self) -> IpCore:
        return self.request.core()

    @cached_property
    def ports(self) -> CorePorts:
        return CorePorts(self.request.bus, tuple(map(with_latency, self.core.ports)))

    @cached_property
    def verilog(self) -> str:
        with without_collection():
            return tidy(verilog_text(self.core, self.request.module))

    @cached_property
    def registers(self) -> RegisterMap:
        return register_map(self.request.config, self._emulated, ip=True)

    @cached_property
    def rdl(self) -> AddrmapNode:
        return compile_rdl(self.request.config, self._emulated, ip=True)

    @cached_property
    def images(self) -> Mapping[str, str]:
        """File → memory image, for the windows that the core has."""
        names = {window.name for window in self.registers.windows}
        return {
            f"{name}.hex": readmemh(words) for name, words in table_words().items() if name in names
        }

    @property
    def _emulated(self) -> bool:
        return self.request.array == EMULATOR
