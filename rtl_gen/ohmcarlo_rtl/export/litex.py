"""A LiteX module: the core on the bus of a SoC, with interrupt and streams."""

from __future__ import annotations

from string import Template

from ohmcarlo_hdl.ip.ports import AXI4_LITE, WISHBONE, Port

from .ports import INTERRUPT_PORT, STREAM_OUT, CorePorts, is_input
from .request import ExportRequest

BUSES = (AXI4_LITE, WISHBONE)
"""Buses that a SoC of LiteX has."""

MODULE = Template('''\
"""The core of this folder in a LiteX SoC, as a region of its bus.

    from ohmcarlo_litex import add_ohmcarlo

    class MySoC(SoCCore):
        def __init__(self, platform, **kwargs):
            super().__init__(platform, clk_freq=$clock, **kwargs)
            core = add_ohmcarlo(self, platform)

The registers are those of sw/ohmcarlo.h, from the origin of the region on (``OHMCARLO_BASE`` in
LiteX's mem.h). The core has no CSRs. Its interrupt is ``OHMCARLO_INTERRUPT``.
"""

from pathlib import Path

from litex.gen import LiteXModule
from litex.soc.integration.soc import SoCRegion
$imports
from migen import ClockSignal, Instance, Module, ResetSignal, Signal

VERILOG = Path(__file__).resolve().parents[1].joinpath("rtl", "$module.v")
SIZE = 0x$size
"""Bytes of the region."""


class Ohmcarlo(LiteXModule):
    """The core $module: $title.

    ``bus`` is its bus.$stream_words ``off`` (in) and ``busy`` (out) are signals.
    ``ev.irq`` is its interrupt.$array_words
    """

    def __init__(self, platform, clock_domain="sys"):
        self.bus = $bus
        self.ev = Module()
        self.ev.irq = Signal()
$signals
        self.specials += Instance(
            "$module",
$instance
        )
        platform.add_source(str(VERILOG))


def add_ohmcarlo(soc, platform, name="ohmcarlo", origin=None):
    """Add the core to ``soc`` as ``name``; LiteX chooses the address unless ``origin`` is given."""
    core = Ohmcarlo(platform)
    soc.add_module(name, core)
    soc.bus.add_slave(name, core.bus, SoCRegion(origin=origin, size=SIZE, cached=False))
    if soc.irq.enabled:
        soc.irq.add(name, use_loc_if_exists=True)
    return core
''')
NEW_BUS = {
    AXI4_LITE: "axi.AXILiteInterface(data_width=32, address_width=32, clock_domain=clock_domain)",
    WISHBONE: 'wishbone.Interface(data_width=32, address_width=32, addressing="word")',
}
IMPORTED = {AXI4_LITE: "axi", WISHBONE: "wishbone"}
WISHBONE_NAMES = {
    "adr": "adr", "dat_w": "dat_w", "dat_r": "dat_r", "sel": "sel", "we": "we", "cyc": "cyc",
    "stb": "stb", "ack": "ack", "err": "err",
}  # fmt: skip
STREAM_NAMES = {"tdata": "data", "tlast": "last", "tvalid": "valid", "tready": "ready",
                "tdest": "kind"}  # fmt: skip
ENDPOINTS = {
    "m_axis_records": ("records", '[("data", 32), ("kind", 2)]'),
    "s_axis_data": ("data", '[("data", 32)]'),
}
"""Stream → its endpoint in LiteX, and the layout."""


def litex_module(request: ExportRequest, ports: CorePorts) -> str:
    """The text of the module; the bus is one of ``BUSES``."""
    streams = [ENDPOINTS[stream.name] for stream in ports.streams]
    imports = [IMPORTED[request.bus], *(["stream"] if streams else [])]
    names = " and ".join(f"``{name}``" for name, _ in streams)
    return MODULE.substitute(
        module=request.module,
        title=request.title,
        clock=f"{request.clock_hz or 50_000_000:.3g}".replace("e+0", "e"),
        imports=f"from litex.soc.interconnect import {', '.join(sorted(imports))}",
        size=f"{ports.address_bytes:x}",
        stream_words=f" {names} are streams." if streams else "",
        array_words=" The ports of the array have their own names." if ports.array else "",
        bus=NEW_BUS[request.bus],
        signals="\n".join(_signals(ports)),
        instance="\n".join(_instance(ports)),
    )


def _signals(ports: CorePorts) -> list[str]:
    lines = []
    for stream in ports.streams:
        name, layout = ENDPOINTS[stream.name]
        lines.append(f"        self.{name} = stream.Endpoint({layout})")
    for port in ports.signals:
        width = "" if port.width == 1 else str(port.width)
        lines.append(f"        self.{port.name} = Signal({width})")
    return lines


def _instance(ports: CorePorts) -> list[str]:
    protocol = ports.protocol
    values = {
        protocol.clock: "ClockSignal(clock_domain)",
        protocol.reset: f"{'~' if protocol.active_low else ''}ResetSignal(clock_domain)",
    }
    values |= _axi(ports) if ports.bus == AXI4_LITE else _wishbone(ports)
    for stream in ports.streams:
        name, _ = ENDPOINTS[stream.name]
        values |= {
            port.name: f"self.{name}.{STREAM_NAMES[signal]}"
            for signal, port in stream.ports.items()
            if signal in STREAM_NAMES
        }
        if stream.kind != STREAM_OUT:  # every byte is data
            values[stream.ports["tkeep"].name] = "0b1111"
    values |= {port.name: f"self.{port.name}" for port in ports.signals}
    values[INTERRUPT_PORT] = "self.ev.irq"
    return [f"            {_way(port)}_{port.name}={values[port.name]}," for port in ports
            if port.name in values]  # fmt: skip


def _axi(ports: CorePorts) -> dict[str, str]:
    """Channels of LiteX's interface: awvalid is ``aw.valid``. It has no protection."""
    found = {}
    for signal, port in ports.slave.ports.items():
        channel = signal[: 2 if signal.startswith("a") else 1]
        part = signal.removeprefix(channel)
        cut = f"[:{port.width}]" if part == "addr" else ""
        found[port.name] = "Signal(3)" if part == "prot" else f"self.bus.{channel}.{part}{cut}"
    return found


def _wishbone(ports: CorePorts) -> dict[str, str]:
    return {
        port.name: f"self.bus.{WISHBONE_NAMES[signal]}"
        + (f"[:{port.width}]" if signal == "adr" else "")
        for signal, port in ports.slave.ports.items()
        if signal in WISHBONE_NAMES
    }


def _way(port: Port) -> str:
    return "i" if is_input(port) else "o"
