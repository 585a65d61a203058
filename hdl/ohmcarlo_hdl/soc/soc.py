"""The board as one component."""

from __future__ import annotations

from typing import Any

from amaranth import DomainRenamer, Module, Signal, unsigned
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from ohmcarlo.errors import UsageError

from ..array.phy.pins import pins_signature
from ..config import CoreConfig
from ..regs.map import WORD_BYTES, board_map
from .bridge import Bridge
from .cpu import Cpu
from .island import CoreIsland
from .memory_map import RAM_BYTES
from .peripherals import Peripherals
from .uart import DIVISOR_BITS, LEAST_DIVISOR
from .wake import Wake


class Soc(wiring.Component):
    """Processor, memory, serial link, and the controller with its array.

    There are two clock domains of one frequency: ``sync``, and ``core`` for the controller. On an
    FPGA both have the same clock. A simulator may skip an edge of ``core`` if ``core_wanted`` is
    low before it. The state of the controller does not change then. The only visible difference is
    ``counters.clocks`` while a proposal waits for its log-likelihood.

    Parameters
    ----------
    config : CoreConfig
    firmware : bytes
        Initial content of the memory, from address 0 on.
    clock_hz, simulated, design_hash : int, bool, int
        Values of the group ``id`` for software.
    uart_divisor : int
        Clocks of a bit of the serial link, at reset.
    ram_bytes : int
        Size of the memory, a power of two.
    watchdog_clocks : int
        Time of the processor's watchdog; by default the value of the register map.

    Attributes
    ----------
    rx : In(1)
        Serial line from the host.
    tx : Out(1)
        Serial line to the host.
    trap : Out(1)
        The processor has stopped at an illegal instruction; this also stops the array until a
        reset. The watchdog stops the array, too, and restarts the processor.
    idle : Out(1)
        Software waits for bytes from the host, and no other activity is in progress: with no byte
        on ``rx``, a simulator may stop both clocks.
    core_wanted : Out(1)
        The controller needs the next edge of its clock.
    pins : Out(pins_signature)
        Wires to a daughterboard; only with ``config.phy``.
    """

    def __init__(
        self,
        config: CoreConfig,
        firmware: bytes,
        *,
        clock_hz: int,
        uart_divisor: int,
        simulated: bool,
        design_hash: int,
        ram_bytes: int = RAM_BYTES,
        watchdog_clocks: int | None = None,
    ) -> None:
        if len(firmware) > ram_bytes:
            raise UsageError(
                f"the firmware has {len(firmware)} bytes and the memory {ram_bytes}: "
                "make one smaller or the other larger (soc/memory_map.py)"
            )
        if not LEAST_DIVISOR <= uart_divisor < 1 << DIVISOR_BITS:
            most = (1 << DIVISOR_BITS) - 1
            raise UsageError(f"uart_divisor = {uart_divisor}: choose {LEAST_DIVISOR} to {most}")
        if config.max_streamed_points:
            raise UsageError(
                f"max_streamed_points = {config.max_streamed_points}: a board with a serial link "
                "has no stream of data points; set max_streamed_points = 0, or use a core with "
                "AXI4-Stream"
            )
        default = board_map()["id.watchdog_clocks"].fields[0]
        self.config = config
        self.firmware = firmware
        self.uart_divisor = uart_divisor
        self.ram_bytes = ram_bytes
        self.constants = {
            "clock_hz": clock_hz,
            "ram_bytes": ram_bytes,
            "simulated": int(simulated),
            "design_hash": design_hash,
            "watchdog_clocks": watchdog_clocks or default.reset,
        }
        ports: dict[str, Any] = {
            "rx": In(1, init=1),
            "tx": Out(1, init=1),
            "trap": Out(1),
            "idle": Out(1),
            "core_wanted": Out(1),
        }
        if config.phy is not None:
            ports["pins"] = Out(pins_signature())
        super().__init__(ports)

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.cpu = cpu = Cpu(self.ram_bytes)
        m.submodules.board = board = Peripherals(self.constants, self.uart_divisor)
        island = CoreIsland(self.config)
        m.submodules.island = DomainRenamer("core")(island)
        words = self.ram_bytes // WORD_BYTES
        m.submodules.bridge = bridge = Bridge(
            exact_log2(words), island.bus.signature.addr_width, board.bus.signature.addr_width
        )
        wiring.connect(m, cpu.memory, bridge.cpu)
        wiring.connect(m, bridge.controller, island.bus)
        wiring.connect(m, bridge.board, board.bus)
        wiring.connect(m, island.records, board.records)
        if self.config.phy is not None:
            wiring.connect(m, island.pins, wiring.flipped(self.pins))
        self._memory(m, bridge, words)

        m.submodules.wake = wake = Wake()
        trapped = Signal()
        m.d.sync += trapped.eq(cpu.trap)
        m.d.comb += [
            wake.writes.eq(bridge.controller.w_stb | (cpu.trap & ~trapped) | board.expired),
            wake.reads.eq(bridge.controller.r_stb),
            wake.active.eq(island.active),
            board.rx.eq(self.rx),
            self.tx.eq(board.tx),
            self.trap.eq(cpu.trap),
            island.off.eq(cpu.trap | board.expired),
            cpu.restart.eq(board.expired),
            board.trap.eq(cpu.trap),
            self.core_wanted.eq(wake.wanted),
            self.idle.eq(board.waiting & ~island.active),
        ]
        return m

    def _memory(self, m: Module, bridge: Bridge, words: int) -> None:
        image = self.firmware + bytes(-len(self.firmware) % WORD_BYTES)
        m.submodules.memory = memory = Memory(
            shape=unsigned(8 * WORD_BYTES),
            depth=words,
            init=[
                int.from_bytes(image[i : i + WORD_BYTES], "little")
                for i in range(0, len(image), WORD_BYTES)
            ],
        )
        write, read = memory.write_port(granularity=8), memory.read_port()
        m.d.comb += [
            write.en.eq(bridge.ram.w_en),
            write.addr.eq(bridge.ram.addr),
            write.data.eq(bridge.ram.w_data),
            read.addr.eq(bridge.ram.r_addr),
            bridge.ram.r_data.eq(read.data),
        ]
