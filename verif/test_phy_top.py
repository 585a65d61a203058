"""The top of a bitstream with a real array: host, link, firmware, controller, pins, daughterboard.

The design is that of ``ohmcarlo build ecpix5-85f --array phy``, with another size, a faster serial
link and shorter settling times. Clock, buttons and pins are those of a platform without cells. Host
and firmware are the released ones. The Phy runs with the reset values of its registers.
"""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from functools import cache
from typing import Any

import cocotb
import numpy as np
import pytest
from amaranth import ClockSignal, DomainRenamer, Module, ResetSignal
from amaranth.lib import io, wiring
from amaranth.lib.wiring import In, Out
from cocotb.task import bridge, resume
from cocotb.triggers import Event, FallingEdge, First, Timer
from cocotb.utils import get_sim_time

from ohmcarlo.array.die import Die
from ohmcarlo.array.emulated import EmulatedArray
from ohmcarlo.array.presets import get_preset
from ohmcarlo.boards import Block, SerialBoard
from ohmcarlo.errors import UsageError
from ohmcarlo.golden import Controller, Registers
from ohmcarlo.runs.config import TrainConfig
from ohmcarlo.runs.supervised.experiment import SupervisedExperiment, build_supervised
from ohmcarlo.spec import Geometry, Points
from ohmcarlo.spec.daughterboard import FULL_SCALE_V, GUARD_NS, RAILS_V
from ohmcarlo_hdl.array.phy.dac import Channel
from ohmcarlo_hdl.array.phy.parts import PhyConfig, PhyTiming
from ohmcarlo_hdl.array.phy.pins import PINS, pins_signature
from ohmcarlo_hdl.boards.daughterboard import NAME, daughterboard
from ohmcarlo_hdl.boards.pll import Pll
from ohmcarlo_hdl.boards.top import BoardTop
from ohmcarlo_hdl.config import CoreConfig
from ohmcarlo_hdl.soc.cpu import picorv32_verilog
from ohmcarlo_rtl.bitstream import plan
from ohmcarlo_rtl.bitstream.request import Request, request_of
from problems import trace
from verif.daughterboard import Daughterboard, KeyedArray, Limits, Wired
from verif.harness import run_bench, start_clock
from verif.harness.verilog import verilog_of
from verif.test_core import first_difference
from verif.test_phy import SHORT

BOARD, PRESET, SEED = "ecpix5-85f", "rram-1t1r", 0
PERIOD_NS = 10
CLOCK_HZ = 1_000_000_000 // PERIOD_NS
DIVISOR = 4  # clocks of a bit of the link
GEOMETRY = Geometry(rows=32, pairs=8, entropy_pairs=2, access_bits=1)
CONFIG = CoreConfig(
    GEOMETRY,
    max_points=16,
    max_group_rows=1,
    max_regions=1,
    phy=PhyConfig(CLOCK_HZ, PhyTiming(**SHORT)),
)
LIMITS = Limits(dac_settle_ns=300, line_settle_ns=100, front_end_ns=300, guard_ns=GUARD_NS)
POINTS, STEPS = 12, 6
TRIED = 3  # a row for raw operations


# -- hardware --------------------------------------------------------------------------------------
class Oscillator(Pll):
    """Replaces the PLL of the board; its clock is that of the oscillator."""

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.d.comb += [self.clk.eq(self.clock_in.i), self.locked.eq(1)]
        return m


class Lines:
    """A resource with parts; the port of a part is made on request."""

    def __init__(self, inputs: tuple[str, ...]) -> None:
        self.inputs = inputs

    def __getattr__(self, part: str) -> io.SimulationPort:
        port = io.SimulationPort("i" if part in self.inputs else "o", 1, name=part)
        setattr(self, part, port)
        return port


class Bare:
    """A platform without cells: resources are ports of a simulation."""

    def __init__(self, board: Any) -> None:
        real = board.platform()
        self.default_clk, self.default_clk_frequency = real.default_clk, real.default_clk_frequency
        self.resources: dict[str, Any] = {
            self.default_clk: io.SimulationPort("i", 1),
            "uart": Lines(("rx",)),
            "rst": io.SimulationPort("i", 1),
        }

    def add_resources(self, resources: Any) -> None:
        for resource in resources:
            inputs = [part.name for part in resource.ios if part.ios[0].dir == "i"]
            self.resources.setdefault(resource.name, Lines(tuple(inputs)))

    def request(self, name: str, number: int = 0, *, dir: str = "-") -> Any:
        return self.resources.setdefault(name, Lines(()))


class BareTop(BoardTop):
    """The top on a ``Bare`` platform, independent of the platform of the bench."""

    def __init__(self, request: Request) -> None:
        super().__init__(request.board, request.settings, plan.payload_of(request))
        self.bare = Bare(request.board)

    def elaborate(self, platform: Any) -> Module:
        return super().elaborate(self.bare)


class OnBench(wiring.Component):
    """The board's top: its oscillator is the bench's clock, its button the bench's reset; its link
    and its wires to a daughterboard are ports."""

    def __init__(self, request: Request) -> None:
        self.top = BareTop(request)
        super().__init__({"rx": In(1, init=1), "tx": Out(1), "pins": Out(pins_signature())})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        top, bare = self.top, self.top.bare
        m.submodules.top = DomainRenamer("board")(top)  # beside the bench's
        clock, uart, reset = (bare.request(name) for name in (bare.default_clk, "uart", "rst"))
        m.d.comb += [
            clock.i.eq(ClockSignal()),
            reset.i.eq(ResetSignal()),
            uart.rx.i.eq(self.rx),
            self.tx.eq(uart.tx.o),
        ]
        bare.add_resources([daughterboard(top.board.header)])
        for pin in PINS:
            wire, port = getattr(self.pins, pin.name), getattr(bare.request(NAME), pin.name)
            m.d.comb += wire.eq(port.o) if pin.direction == "o" else port.i.eq(wire)
        return m


def request() -> Request:
    asked = request_of(BOARD, array="phy")
    board = replace(asked.board, flow=replace(asked.board.flow, primitive=Oscillator))
    return replace(asked, board=board, config=CONFIG)


# -- host ------------------------------------------------------------------------------------------
class Wire:
    """The host's port: bytes at the two lines of ``dut``, in simulated time."""

    name = "the bench"

    def __init__(self, dut: Any) -> None:
        self.dut = dut
        self.to_send: deque[int] = deque()
        self.received = bytearray()
        self.given, self.arrived = Event(), Event()
        dut.rx.value = 1
        self.write, self.read = resume(self._write), resume(self._read)
        cocotb.start_soon(self._send())
        cocotb.start_soon(self._receive())

    @staticmethod
    def clock() -> float:
        return get_sim_time("ns") * 1e-9

    def close(self) -> None:
        pass

    async def _write(self, data: bytes) -> None:
        self.to_send.extend(data)
        self.given.set()

    async def _read(self, timeout_s: float) -> bytes:
        if not self.received:
            self.arrived.clear()
            await First(self.arrived.wait(), Timer(max(1, round(timeout_s * 1e9)), "ns"))
        data = bytes(self.received)
        self.received.clear()
        return data

    async def _send(self) -> None:
        bit = Timer(DIVISOR * PERIOD_NS, "ns")
        while True:
            while not self.to_send:
                self.given.clear()
                await self.given.wait()
            frame = 1 << 9 | self.to_send.popleft() << 1
            for i in range(10):
                self.dut.rx.value = frame >> i & 1
                await bit

    async def _receive(self) -> None:
        start, bit = FallingEdge(self.dut.tx), Timer(DIVISOR * PERIOD_NS, "ns")
        while True:
            await start
            await Timer(DIVISOR * PERIOD_NS // 2, "ns")
            byte = 0
            for i in range(8):
                await bit
                byte |= int(self.dut.tx.value) << i
            await bit
            assert int(self.dut.tx.value), "a stop bit"
            self.received.append(byte)
            self.arrived.set()


@cache
def experiment() -> SupervisedExperiment:
    """The preparation of ``ohmcarlo train toy2d --array physics`` for an array of this size."""
    g = GEOMETRY
    return build_supervised(
        TrainConfig(
            task="toy2d", array="physics", seed=SEED, rows=g.rows, pairs=g.pairs,
            entropy_pairs=g.entropy_pairs,
        )
    )  # fmt: skip


def registers() -> Registers:
    return replace(experiment().setup.registers, geometry=GEOMETRY)


def points() -> Points:
    every = experiment().setup.points
    return Points(every.inputs[:POINTS], every.labels[:POINTS], every.offsets[:POINTS])


def under_probes() -> KeyedArray:
    return KeyedArray(GEOMETRY, PRESET, SEED)


def tried(array: Any) -> list[int]:
    """Some operations outside a chain, and their results."""
    devices = np.array([0, 5, 2 * GEOMETRY.pairs - 1], np.int32)
    array.reset(TRIED)
    found = array.program(TRIED, devices, np.array([900, 2000, 4095], np.int32))
    return [*found.tolist(), *array.read(TRIED, devices[::-1].copy()).tolist()]


def trained(wire: Wire) -> tuple[list[int], Block, dict[str, Any]]:
    """The view of a host: raw operations, a short run, the identification of the board."""
    with pytest.raises(UsageError, match=r"the bench has a die .* use --array phy here"):
        SerialBoard(wire, EmulatedArray(GEOMETRY), "serial:bench", wire.clock)
    die = Die(GEOMETRY, get_preset(PRESET))
    board = SerialBoard(wire, die, "serial:bench", wire.clock)
    raw = tried(board.raw_array())
    board.configure(registers(), points())
    board.start()
    return raw, board.run(STEPS), board.identify() | {"random": not board.pseudo_random}


@cocotb.test()
async def trains(dut) -> None:  # type: ignore[no-untyped-def]
    """Equal to the golden model over the same array; the daughterboard reports no fault."""
    twin = under_probes()
    expected_raw = tried(twin)
    golden = Controller(registers(), twin, points())
    golden.start()
    expected = {name: v for name, v in trace(golden, STEPS).items() if np.ndim(v)}

    wire = Wire(dut)
    await start_clock(dut)
    array = under_probes()
    board = Daughterboard(dut, CONFIG, array, LIMITS)
    raw, block, identity = await bridge(trained)(wire)
    assert raw == expected_raw
    assert not (where := first_difference(expected, block)), where
    assert 0 < block.accepted.sum() < STEPS
    assert identity["array"] == "phy" and identity["random"] and not identity["simulated"]
    assert not board.faults and not board.task.done()
    assert board.seen["set"] == array.ledger.set == twin.ledger.set
    assert (array.ledger.wear == twin.ledger.wear).all()
    # the rails are at the volts of the specification, from the DAC codes; no device was formed
    volts = [code and code * FULL_SCALE_V / 4096 for code in board.codes]
    assert volts[Channel.BIT_LINE_FORM] is None
    for channel in set(Channel) - {Channel.GATE_PROGRAM, Channel.BIT_LINE_FORM}:
        assert volts[channel] == pytest.approx(RAILS_V[channel.name.lower()], abs=0.002), channel


def test_train_toy2d(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan, "uart_divisor", lambda clock_hz: DIVISOR)
    text = verilog_of(Wired(OnBench(request()))) + picorv32_verilog()
    run_bench("PhyTop", __name__, testcase="trains", verilog_text=text)
