"""The register bank: the register map in hardware."""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce
from operator import or_
from typing import Any

from amaranth import Cat, Const, Module, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from ..lib.pipeline import delayed
from ..lib.window import Access, Window
from .bus import Bus
from .map import WORD_BYTES, Field, MemoryWindow, Register, RegisterMap

WORD_BITS = 32
HITS_AT_ONCE = 8
MISSED_AFTER = 2
"""Clocks from a strobe to the decision that nothing was hit."""


class RegisterBank(wiring.Component):
    """Registers and memory windows on a bus.

    One port for each register that is not constant, named ``group_register``:

    * written by software: ``Out``; a new value one clock after the write. Fields that pulse are
      high for that one clock, and low otherwise;
    * driven by hardware: ``In``; a read gives its value in the clock after the strobe. A 64-bit
      counter is one port for both of its registers.

    A register with a single field called ``value`` has a port of the field's shape, any other a
    struct of its fields. A memory window ``w`` is the port ``load_w``, also one clock after the
    write: writes of software arrive in their order. A window that can be read is the port
    ``access_w``; its ``r_stb`` also follows one clock after the read.

    ``status.state.bus_error``, where the map has it, is driven by the bank itself: set by a write
    or read that finds no register that can be written or read, cleared by
    ``control.command.clear_fault``.

    Parameters
    ----------
    layout : RegisterMap
        ``register_map`` of a controller, or ``board_map``.
    constants : mapping, optional
        Values for constant registers with one field, by name ("id.clock_hz"), instead of those in
        the map; likewise reset values of registers that software writes ("uart.divisor").
        A field of a constant register may be a Value, by name ("id.features.emulator"): a read
        returns its value in the clock after the strobe.

    Attributes
    ----------
    bus : In(Bus)
        Accesses of software.
    * : RegisterMap
        Ports of the registers and windows; ``regs/ohmcarlo.rdl`` describes each of them.
    """

    def __init__(
        self, layout: RegisterMap, constants: Mapping[str, int | Value] | None = None
    ) -> None:
        self.map = layout
        given = constants or {}
        self.inputs = {name: v for name, v in given.items() if isinstance(v, Value)}
        self.constants = {name: v for name, v in given.items() if isinstance(v, int)}
        for name in self.inputs:
            path, _, member = name.rpartition(".")
            register = layout[path]
            if not register.constant or member not in {f.name for f in register.fields}:
                raise ValueError(f"{name} is no field of a constant register")
        for name in self.constants:
            register = layout[name]
            if len(register.fields) != 1 or not (register.constant or register.writable):
                raise ValueError(f"{name} is neither a constant nor a register of one field")
        ports: dict[str, Any] = {"bus": In(Bus(self.map.addr_width))}
        for register in self.map.registers:
            if not register.constant:
                flow = Out if register.writable else In
                ports[register.port] = flow(register.shape, **_init(register, self.constants))
        for window in self.map.windows:
            signature = Access if window.readable else Window
            ports[window.port] = Out(signature(window.addr_width))
        super().__init__(ports)

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        bus = self.bus
        bus_error = Signal()
        can_write: list[Value] = []  # whether an access hits a writable register, or a readable one
        can_read: list[Value] = []
        shadow = Signal(WORD_BITS)
        for register in self.map.registers:
            if register.writable:
                self._write(m, register, can_write)
        window_data: list[Value] = [
            self._window(m, window, can_write, can_read) for window in self.map.windows
        ]

        # A read is pipelined over Bus.LATENCY clocks. 1: decode. 2: multiplexer of the registers of
        # each group; strobe of a window. 3: multiplexer of the groups; answer of a window.
        # 4: multiplexer of the windows. 5: registers or windows. Each group ends in registers
        # beside its blocks: a single multiplexer of two thousand bits would congest routing.
        values: dict[str, list[Value]] = {}
        for register in (r for r in self.map.registers if r.readable):
            hit, chosen = Signal(), Signal(name=f"{register.name}_read")
            m.d.comb += hit.eq(bus.addr == register.address // WORD_BYTES)
            can_read.append(hit)
            m.d.sync += chosen.eq(hit & bus.r_stb)
            value = self._read(register, bus_error, shadow)
            values.setdefault(register.name.partition(".")[0], []).append(
                chosen.replicate(len(value)) & value
            )
            if register.half == "lo":
                with m.If(chosen):
                    m.d.sync += shadow.eq(getattr(self, register.port)[WORD_BITS:])
        registered, latest, said = (Signal(WORD_BITS) for _ in range(3))
        groups = {name: Signal(WORD_BITS, name=f"{name}_value") for name in values}
        m.d.sync += [group.eq(reduce(or_, values[name])) for name, group in groups.items()]
        m.d.sync += [
            registered.eq(reduce(or_, groups.values())),
            latest.eq(registered),
            said.eq(reduce(or_, window_data, Const(0, WORD_BITS))),
            bus.r_data.eq(latest | said),
        ]

        missed = Signal()
        self._missed(m, missed, {"w_stb": can_write, "r_stb": can_read})
        error = delayed(m, missed, Bus.LATENCY - MISSED_AFTER, "error", reset=True)
        m.d.comb += bus.error.eq(error)
        if any(field.own for register in self.map.registers for field in register.fields):
            with m.If(self.control_command.clear_fault):
                m.d.sync += bus_error.eq(0)
            with m.If(missed):
                m.d.sync += bus_error.eq(1)
        return m

    def _missed(self, m: Module, missed: Signal, found: Mapping[str, list[Value]]) -> None:
        """``missed``, MISSED_AFTER clocks after a strobe: it hit no place of its list."""
        was_there = []
        for strobe, there in found.items():
            # in two steps, because there are many
            some = Signal(-(-len(there) // HITS_AT_ONCE), name=f"{strobe}_hits")
            m.d.sync += [
                some[i].eq(Cat(there[HITS_AT_ONCE * i :][:HITS_AT_ONCE]).any())
                for i in range(len(some))
            ]
            was_there.append(some.any())
        strobes = Signal(len(found))
        m.d.sync += [
            strobes.eq(Cat(getattr(self.bus, strobe) for strobe in found)),
            missed.eq((strobes & ~Cat(*was_there)).any()),
        ]

    def _write(self, m: Module, register: Register, can_write: list[Value]) -> None:
        port, bus = getattr(self, register.port), self.bus
        m.d.sync += [port[f.name].eq(0) for f in register.fields if f.pulse]
        hit = Signal(name=f"{register.port}_hit")
        m.d.comb += hit.eq(bus.addr == register.address // WORD_BYTES)
        can_write.append(hit)
        with m.If(hit & bus.w_stb):
            for field in register.fields:
                target = port[field.name] if isinstance(port, data.View) else port
                m.d.sync += target.eq(bus.w_data[field.low : field.low + field.width])

    def _read(self, register: Register, bus_error: Value, shadow: Value) -> Value:
        """Read data of ``register``, from bit 0 on."""
        if register.half == "hi":
            return shadow
        if register.half == "lo":
            return getattr(self, register.port)[:WORD_BITS]
        parts: list[Value] = []
        end = 0
        for field in register.fields:
            if field.low > end:
                parts.append(Const(0, field.low - end))
            parts.append(self._value(register, field, bus_error))
            end = field.low + field.width
        return Cat(*parts)

    def _value(self, register: Register, field: Field, bus_error: Value) -> Value:
        if field.own:
            return bus_error
        if register.constant:
            value = Const(self.constants.get(register.name, field.reset), field.width)
            return self.inputs.get(f"{register.name}.{field.name}", value)
        port = getattr(self, register.port)
        if register.elements > 1:
            port = port[register.index]
        return Value.cast(port[field.name] if isinstance(port, data.View) else port)

    def _window(
        self, m: Module, window: MemoryWindow, can_write: list[Value], can_read: list[Value]
    ) -> Value:
        """Connect a window; return its contribution to the read data, zero unless it was read."""
        port, bus = getattr(self, window.port), self.bus
        first, width = window.address // WORD_BYTES, window.addr_width
        inside = bus.addr[width:] == first >> width
        if window.words < 1 << width:
            inside &= bus.addr[:width] < window.words
        hit = Signal(name=f"{window.port}_hit")
        m.d.comb += hit.eq(inside)
        if window.writable:
            can_write.append(hit)
            m.d.sync += [
                port.stb.eq(hit & bus.w_stb),
                port.addr.eq(bus.addr[:width]),
                port.data.eq(bus.w_data),
            ]
        if not window.readable:
            return Const(0, WORD_BITS)
        can_read.append(hit)
        was_read = Signal(name=f"{window.port}_was_read")
        answer = Signal(WORD_BITS, name=f"{window.port}_answer")
        m.d.sync += [
            port.r_stb.eq(hit & bus.r_stb),
            port.r_addr.eq(bus.addr[:width]),
            was_read.eq(port.r_stb),
            answer.eq(was_read.replicate(WORD_BITS) & port.r_data),
        ]
        return answer


def _init(register: Register, values: dict[str, int]) -> dict[str, Any]:
    """Reset value of a port that software writes."""
    if not register.writable:
        return {}
    if isinstance(register.shape, data.Layout):
        return {"init": {f.name: f.reset for f in register.fields}}
    return {"init": values.get(register.name, register.fields[0].reset)}
