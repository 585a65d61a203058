"""An initiator of the register bus, word by word or by the names of the register map."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from cocotb.triggers import RisingEdge

from ohmcarlo_hdl.regs.bus import Bus
from ohmcarlo_hdl.regs.map import WORD_BYTES, RegisterMap


class BusDriver:
    """Reads and writes through the bus ``name`` of ``dut``, one access at a time.

    Addresses are byte addresses. ``layout`` is required for accesses by name. ``between`` stands
    between the name of the bus and that of a signal.
    """

    def __init__(
        self,
        dut: Any,
        name: str = "bus",
        layout: RegisterMap | None = None,
        between: str = "__",
    ) -> None:
        parts = ("addr", "w_stb", "w_data", "r_stb", "r_data", "error")
        self.addr, self.w_stb, self.w_data, self.r_stb, self.r_data, self.error = (
            getattr(dut, f"{name}{between}{part}") for part in parts
        )
        self.layout = layout
        self.edge = RisingEdge(dut.clk)
        self.addr.value = self.w_stb.value = self.w_data.value = self.r_stb.value = 0

    async def write(self, address: int, word: int) -> None:
        """Returns at the edge at which the word is taken."""
        self.addr.value, self.w_data.value, self.w_stb.value = (
            address // WORD_BYTES,
            word & 0xFFFFFFFF,
            1,
        )
        await self.edge
        self.w_stb.value = 0

    async def read(self, address: int) -> int:
        self.addr.value, self.r_stb.value = address // WORD_BYTES, 1
        await self.edge
        self.r_stb.value = 0
        for _ in range(Bus.LATENCY):
            await self.edge
        return int(self.r_data.value)

    async def set(self, register: str, value: int | None = None, **fields: int) -> None:
        """Write a register: its one field ``value``, or some fields of it (the others 0)."""
        assert self.layout is not None
        found = self.layout[register]
        if value is not None:
            fields = {"value": value}
        word = 0
        for field in found.fields:
            word |= (fields.pop(field.name, 0) & ((1 << field.width) - 1)) << field.low
        assert not fields, f"{register} has no field {', '.join(fields)}"
        await self.write(found.address, word)

    async def get(self, register: str) -> dict[str, int]:
        """Read a register: its fields by name."""
        assert self.layout is not None
        found = self.layout[register]
        word = await self.read(found.address)
        values = {}
        for field in found.fields:
            bits = word >> field.low & ((1 << field.width) - 1)
            negative = field.signed and bits >> (field.width - 1)
            values[field.name] = bits - (1 << field.width) if negative else bits
        return values

    async def get_counter(self, counter: str) -> int:
        """Read a 64-bit counter."""
        low = await self.get(f"{counter}.lo")
        high = await self.get(f"{counter}.hi")
        return high["value"] << 32 | low["value"]

    async def load(self, window: str, words: Iterable[int]) -> None:
        """Fill a memory window from its first word on, one word per clock."""
        assert self.layout is not None
        address = self.layout.window(window).address
        for word in words:
            await self.write(address, int(word))
            address += WORD_BYTES

    async def unload(self, window: str) -> list[int]:
        """Read a whole memory window, one word per clock."""
        assert self.layout is not None
        found = self.layout.window(window)
        first = found.address // WORD_BYTES
        words: list[int] = []
        self.r_stb.value = 1
        for index in range(found.words + Bus.LATENCY):
            self.addr.value = first + min(index, found.words - 1)
            self.r_stb.value = int(index < found.words)
            await self.edge
            if index >= Bus.LATENCY:  # of the read LATENCY clocks ago
                words.append(int(self.r_data.value))
        return words
