"""The IP core for other designs."""

from __future__ import annotations

from typing import Any

from amaranth import Cat, ClockDomain, Module, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Member

from ..config import REFERENCE, CoreConfig
from ..core.core import Core, EmulatedCore
from ..core.phy_core import PhyCore
from ..lib.wires import drive_from
from ..regs.bank import RegisterBank
from ..regs.bus import Bus
from ..regs.map import IP_WINDOWS, WORD_BYTES, ip_map, register_map
from .data_in import DataIn
from .interrupts import LATCHED, Interrupts
from .ports import (
    AXI4_LITE,
    BUSES,
    EMULATOR,
    PHY,
    PORTS,
    Port,
    addr_width,
    checked,
    ports_of,
)
from .records import RecordPath

PAGE_BITS = 9
"""The registers of the IP core are on a page of 2**PAGE_BITS words."""
PAGE = 1
"""Number of that page."""


class IpCore(wiring.Component):
    """Controller, registers, records and interrupt behind a standard bus.

    The registers of the controller and those of the IP core share one address space (``ip_map``).
    Records leave through the window ``records_ring`` or as an AXI4-Stream. The IP core has one
    clock domain; its clock and reset are ports.

    Parameters
    ----------
    config : CoreConfig
    bus : str
        Bus in front of the registers, one of ``BUSES``.
    array : str
        Array of the controller, one of ``ARRAYS``. "phy" needs ``config.phy``.
    streams : bool
        Whether the core has AXI4-Stream ports for records and data points.
    clock_hz, design_hash : int
        Values of the registers ``ip.clock_hz`` and ``ip.design_hash``; 0 if not stated.

    Raises UsageError if there is no such core.

    Attributes
    ----------
    * : ports_of
        As ``ip.ports.ports_of`` returns them.
    """

    def __init__(
        self,
        config: CoreConfig = REFERENCE,
        bus: str = AXI4_LITE,
        array: str = EMULATOR,
        streams: bool = True,
        clock_hz: int = 0,
        design_hash: int = 0,
    ) -> None:
        checked(config, bus, array)
        self.config, self.bus, self.array, self.streams = config, bus, array, streams
        self.constants = {
            "ip.bus": BUSES[bus].code,
            "ip.streams": int(streams),
            "ip.clock_hz": clock_hz,
            "ip.design_hash": design_hash,
        }
        self.ports = ports_of(config, bus, array, streams)
        super().__init__({port.name: Member(port.flow, port.width) for port in self.ports})

    def controller(self) -> Any:
        """The controller; a subclass may return another component with these ports."""
        if self.array == PHY:
            return PhyCore(self.config)
        return Core(self.config) if self.array == PORTS else EmulatedCore(self.config)

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        self._clock(m)
        m.submodules.controller = core = self.controller()
        m.submodules.registers = bank = RegisterBank(ip_map(self.config), self.constants)
        host = self._host_bus(m)
        data_error = Signal()
        loads = self._data_in(m, core, bank, data_error) if self.streams else None
        self._route(m, host, core, bank, loads)
        records = self._records(m, core, bank)
        self._interrupts(m, core, bank, records.ended, data_error)
        if self.array != EMULATOR:
            self._connect(m, "array", core.pins if self.array == PHY else core)
        m.d.comb += core.off.eq(self.off)
        m.d.sync += self.busy.eq(core.busy | records.active)
        return m

    def _clock(self, m: Module) -> None:
        kind = BUSES[self.bus]
        domain = ClockDomain("sync", local=True)
        domain.clk = getattr(self, kind.clock)
        m.domains += domain
        reset = getattr(self, kind.reset)
        m.d.comb += domain.rst.eq(~reset if kind.active_low else reset)

    def _connect(self, m: Module, group: str, block: Any) -> None:
        """Connect the ports of a group to the places of ``block`` that they name."""
        for port in self.ports:
            if port.group == group:
                self._connect_port(m, port, block)

    def _connect_port(self, m: Module, port: Port, block: Any) -> None:
        inner = block
        for name in port.path:
            inner = getattr(inner, name)
        inner, outer = Value.cast(inner), getattr(self, port.name)
        m.d.comb += inner.eq(outer) if port.flow is In else outer.eq(inner)

    # -- registers ---------------------------------------------------------------------------
    def _host_bus(self, m: Module) -> Any:
        """The register bus behind the bus of the core, ``In``."""
        kind, width = BUSES[self.bus], addr_width(self.config)
        host = Bus(width).flip().create(path=("host",))
        if kind.bridge is None:
            self._connect(m, "bus", host)
        else:
            m.submodules.bridge = bridge = kind.bridge(width)
            wiring.connect(m, bridge.bus, host)
            self._connect(m, "bus", getattr(bridge, kind.side))
        return host

    def _route(self, m: Module, host: Any, core: Any, bank: RegisterBank, loads: Any) -> None:
        """Accesses go to the controller or to the page; the stream uses clocks without access."""
        on_page = Signal()
        m.d.comb += [
            on_page.eq(host.addr[PAGE_BITS:] == PAGE),
            bank.bus.addr.eq(host.addr),
            bank.bus.w_data.eq(host.w_data),
            bank.bus.w_stb.eq(host.w_stb & on_page),
            bank.bus.r_stb.eq(host.r_stb & on_page),
            core.bus.addr.eq(host.addr),
            core.bus.w_data.eq(host.w_data),
            core.bus.w_stb.eq(host.w_stb & ~on_page),
            core.bus.r_stb.eq(host.r_stb & ~on_page),
            # each is 0 unless it answers
            host.r_data.eq(core.bus.r_data | bank.bus.r_data),
            host.error.eq(core.bus.error | bank.bus.error),
        ]
        if loads is not None:
            window = register_map(self.config).window("points")
            m.d.comb += loads.ready.eq(~(host.w_stb | host.r_stb))
            with m.If(loads.ready):
                m.d.comb += [
                    core.bus.addr.eq(window.address // WORD_BYTES | loads.payload.addr),
                    core.bus.w_data.eq(loads.payload.word),
                    core.bus.w_stb.eq(loads.valid),
                ]

    # -- records -----------------------------------------------------------------------------
    def _records(self, m: Module, core: Any, bank: RegisterBank) -> RecordPath:
        (window,) = IP_WINDOWS
        items = ip_map(self.config).window(window).words
        m.submodules.records = path = RecordPath(self.config, items, self.streams)
        for name in ("step_records", "samples", "predictions"):
            wiring.connect(m, getattr(core, name), getattr(path, name))
        wiring.connect(m, getattr(bank, f"access_{window}"), path.window)
        drive_from(m, path, core, ("sample_pairs", "executing", "restart"))
        drive_from(m, path, bank.records_options, ("to_stream", "whole_command"))
        m.d.comb += [
            path.taken.eq(bank.records_taken),
            bank.records_received.eq(path.received),
        ]
        if self.streams:
            self._connect(m, "records", path.axis)
        return path

    # -- interrupt ---------------------------------------------------------------------------
    def _interrupts(
        self, m: Module, core: Any, bank: RegisterBank, ended: Signal, data_error: Signal
    ) -> None:
        m.submodules.interrupts = interrupts = Interrupts()
        inside = Signal.like(bank.interrupt_threshold)
        m.d.sync += inside.eq(bank.records_received - bank.records_taken)
        before = Signal(2)
        levels = Cat(core.fault, core.alarm)
        m.d.sync += before.eq(levels)
        rises = levels & ~before
        m.d.comb += [
            interrupts.events.run_ended.eq(ended),
            Cat(interrupts.events.fault, interrupts.events.alarm).eq(rises),
            interrupts.events.data_error.eq(data_error),
            interrupts.waiting.eq((inside != 0) & (inside >= bank.interrupt_threshold)),
            interrupts.enable.eq(bank.interrupt_enable),
            bank.interrupt_cause.eq(interrupts.cause),
            self.irq.eq(interrupts.irq),
        ]
        for name in LATCHED:
            m.d.comb += interrupts.clear[name].eq(bank.interrupt_clear[name])

    # -- data points -------------------------------------------------------------------------
    def _data_in(self, m: Module, core: Any, bank: RegisterBank, error: Signal) -> Any:
        """Words for the data memory, from the stream; it feeds evaluations, too."""
        m.submodules.data_in = data_in = DataIn(self.config)
        self._connect(m, "data", data_in.axis)
        m.d.comb += [
            data_in.hold.eq(core.executing),
            data_in.first.eq(bank.data_in_first),
            data_in.clear.eq(bank.interrupt_clear.data_error),
            error.eq(data_in.error),
            bank.data_in_state.words.eq(data_in.count),
            bank.data_in_state.wrong_length.eq(data_in.wrong_length),
            bank.data_in_state.incomplete.eq(data_in.incomplete),
        ]
        if self.config.max_streamed_points:
            wiring.connect(m, data_in.points, core.data_points)
            m.d.comb += [
                data_in.streamed.eq(core.points_streamed),
                data_in.restart.eq(core.restart),
            ]
        return data_in.load
