"""Converters, lines and array of a daughterboard; edges of selects, latches, pulses trigger
them."""

from __future__ import annotations

from collections import Counter
from typing import Any

import cocotb
import numpy as np
from cocotb.triggers import ValueChange
from cocotb.utils import get_sim_time

from ohmcarlo_hdl.config import CoreConfig

from .array import KeyedArray
from .limits import ElectricalFault, Limits
from .wires import WATCHED

PULSES = tuple(name.removeprefix("pulse_") for name in WATCHED if name.startswith("pulse_"))
ON = (1 << len(PULSES)) - 1
BIT = {name: 1 << i for i, name in enumerate(WATCHED)}
MID = 1 << 15
RAILS = {  # channels of the DAC that a pulse connects to the array: gate first
    "form": (0, 3),
    "reset": (1, 5),
    "set": (0, 4),
    "read": (2, 6, 7),
    "dot": (2, 6, 7),
}
LONG_AGO = -(1 << 60)


class Daughterboard:
    """The board behind the wires of ``dut``, a simulated ``Wired``.

    ``array`` receives a pulse at its end, and a read at its sample. A stimulus beyond the limits of
    the array or of a part is a fault: it is kept in ``faults``, and raised at once if ``strict``.
    The model does not depend on the controller: it decodes frames according to the datasheets and
    the wiring page.

    ``seen`` counts operations, frames and latches.
    """

    def __init__(
        self,
        dut: Any,
        config: CoreConfig,
        array: KeyedArray,
        limits: Limits | None = None,
        *,
        period_ns: int = 10,
        strict: bool = True,
    ) -> None:
        self.dut, self.config, self.array = dut, config, array
        self.limits = limits or Limits()
        self.period_ns = period_ns
        self.strict = strict
        self.faults: list[str] = []
        self.seen: Counter[str] = Counter()
        self.codes: list[int | None] = [None] * 8
        self.reference = False
        self.rail_moved = [LONG_AGO] * 8
        self.lines: dict[str, int | None] = {"address": None, "inputs": None}
        self.moved = {"address": LONG_AGO, "inputs": LONG_AGO}
        self.chain_bits = {"address": self._padded(self._address_bits()),
                           "inputs": self._padded(config.tile_pairs + 1)}  # fmt: skip
        self.rose = self.fell = LONG_AGO
        self.released = LONG_AGO  # when ``hold_off`` last fell
        self.sampled = self.converted = LONG_AGO
        self.sync_rose = LONG_AGO
        self.samples = 0
        self.kept: list[tuple[str, int]] = []  # operations, with their begin
        self.frames: list[int] = []
        self.dut.adc_code.value = 0
        self._old = int(dut.watched.value)
        self.task = cocotb.start_soon(self._run())

    # -- wires ----------------------------------------------------------------------------------

    async def _run(self) -> None:
        watched = self.dut.watched
        change = ValueChange(watched)
        while True:
            await change
            new = int(watched.value)
            now = int(get_sim_time("ns"))
            self._edges(self._old, new, now)
            self._old = new

    def _edges(self, old: int, new: int, now: int) -> None:
        rises, falls = new & ~old, old & ~new
        if falls & ON:
            self._pulse_ends(old & ON, falls & ON, new, now)
        if rises & BIT["hold_off"]:
            self.seen["held off"] += 1
        if falls & BIT["hold_off"]:
            self.released = now
        if (rises | falls) & BIT["dac_sync_n"]:
            self._dac(bool(rises & BIT["dac_sync_n"]), new, now)
        if rises & BIT["address_latch"]:
            self._latch("address", new, now)
        if rises & BIT["inputs_latch"]:
            self._latch("inputs", new, now)
        if rises & ON:
            self._pulse_begins(rises & ON, new, now)
        if rises & BIT["adc_convst"]:
            self._sample(new, now)
        if falls & BIT["adc_convst"] and now - self.sampled < self.limits.convert_ns:
            self._shout("the ADC is read before its conversion is over", new, now)

    def _shout(self, what: str, wires: int, now: int) -> None:
        high = [name for name in WATCHED if wires & BIT[name]]
        fault = f"{what}, at {now} ns, with {', '.join(high) or 'nothing'} high"
        self.faults.append(fault)
        if self.strict:
            raise ElectricalFault(fault)

    # -- pulses ---------------------------------------------------------------------------------

    def _pulse_begins(self, rises: int, new: int, now: int) -> None:
        limits = self.limits
        on = new & ON
        if on & (on - 1):
            both = [name for name in PULSES if on & BIT[f"pulse_{name}"]]
            self._shout(f"pulses overlap: {' and '.join(both)}", new, now)
        if new & BIT["hold_off"]:
            self._shout("a pulse while the array is held off", new, now)
        for name in PULSES:
            if not rises & BIT[f"pulse_{name}"]:
                continue
            self.kept.append((name, now))
            for channel in RAILS[name]:
                if self.codes[channel] is None or not self.reference:
                    self._shout(f"{name}: rail {'ABCDEFGH'[channel]} was never set", new, now)
                elif now - self.rail_moved[channel] < limits.dac_settle_ns:
                    self._shout(f"{name} before rail {'ABCDEFGH'[channel]} settled", new, now)
            for chain in ("address", *(["inputs"] if name == "dot" else [])):
                moved = max(self.moved[chain], self.released)
                if self.lines[chain] is None:
                    self._shout(f"{name}: the {chain} lines were never set", new, now)
                elif now - moved < limits.line_settle_ns:
                    self._shout(f"{name} before the {chain} lines settled", new, now)
        if now - self.fell < limits.guard_ns:
            self._shout("a pulse within the guard time of the last one", new, now)
        self.rose, self.samples = now, 0

    def _pulse_ends(self, was_on: int, falls: int, new: int, now: int) -> None:
        lasted = now - self.rose
        for name in PULSES:
            if not falls & BIT[f"pulse_{name}"]:
                continue
            if lasted > self.limits.longest_ns[name]:
                self._shout(f"{name} is too long: {lasted} ns", new, now)
            if lasted < self.limits.shortest_ns[name] and not new & BIT["hold_off"]:
                self._shout(f"{name} is too short: {lasted} ns", new, now)
            self.seen[name] += 1
            if self.lines["address"] is not None and not was_on & (was_on - 1):
                self._program(name)
        self.fell = now

    def _program(self, name: str) -> None:
        row, device = self.row, self.device
        if name == "reset":
            self.array.reset(row)
        elif name == "set":
            self.array.program_one(row, device, self.codes[0] or 0)
        elif name == "form":
            self.array.ledger.note_form(1)

    # -- rails and lines ------------------------------------------------------------------------

    def _still(self, what: str, new: int, now: int) -> None:
        """``what`` moves now: a fault during a pulse and within its guard time."""
        if new & ON or (now == self.fell and self.rose < now):
            self._shout(f"{what} moves during a pulse", new, now)
        elif now - self.fell < self.limits.guard_ns:
            self._shout(f"{what} moves within a pulse's guard time", new, now)

    def _dac(self, over: bool, new: int, now: int) -> None:
        if not over:
            if now - self.sync_rose < self.limits.dac_select_ns:
                self._shout("SYNC of the DAC is high for too short a time", new, now)
            return
        self.sync_rose = now
        bits, word = int(self.dut.dac_bits.value), int(self.dut.dac_word.value)
        self._clock("dac", self.limits.dac_level_ns, new, now)
        if bits != 32:
            self._shout(f"a frame of the DAC has {bits} bits, not 32", new, now)
            return
        self.frames.append(word)
        self.seen["dac frame"] += 1
        prefix, command, channel, code = word >> 28, word >> 24 & 15, word >> 20 & 15, word >> 8
        if prefix:
            self._shout(f"a frame of the DAC begins with {prefix:04b}", new, now)
        if command == 0b0111:
            self.codes, self.reference = [None] * 8, False
        elif command == 0b1000:
            self.reference = bool(word & 1)
        elif command == 0b0011 and channel < 8:
            self._still(f"rail {'ABCDEFGH'[channel]}", new, now)
            self.codes[channel], self.rail_moved[channel] = code & 0xFFF, now
        else:
            self._shout(f"the DAC has no command {word:08x}", new, now)

    def _latch(self, chain: str, new: int, now: int) -> None:
        bits = int(getattr(self.dut, f"{chain}_bits").value)
        self._clock(chain, self.limits.chain_level_ns, new, now)
        if bits != self.chain_bits[chain]:
            self._shout(f"{bits} bits for the {self.chain_bits[chain]} {chain} lines", new, now)
        self._still(f"{chain} lines", new, now)
        word = int(getattr(self.dut, f"{chain}_word").value)
        self.lines[chain] = word & ((1 << self.chain_bits[chain]) - 1)
        self.moved[chain] = now
        self.seen[f"{chain} latch"] += 1

    def _clock(self, name: str, least_ns: float, new: int, now: int) -> None:
        level = int(getattr(self.dut, f"{name}_level").value) * self.period_ns
        if level < least_ns:
            self._shout(f"the clock of {name} is too fast: {level} ns high or low", new, now)
        if int(getattr(self.dut, f"{name}_unsteady").value):
            self._shout(f"a bit of {name} moves at the edge that samples it", new, now)

    # -- read-out -------------------------------------------------------------------------------

    def _sample(self, new: int, now: int) -> None:
        limits = self.limits
        read, dot = new & BIT["pulse_read"], new & BIT["pulse_dot"]
        if not (read or dot):
            self._shout("the ADC samples outside a read pulse", new, now)
        elif now - self.rose < limits.front_end_ns:
            self._shout(f"the ADC samples {now - self.rose} ns after a pulse began", new, now)
        if self.converted != LONG_AGO:
            bits = int(self.dut.adc_bits.value)
            self._clock("adc", limits.adc_level_ns, new, now)
            if bits != 16:
                self._shout(f"{bits} bits of the ADC were read, not 16", new, now)
            quiet = int(self.dut.adc_since.value) * self.period_ns
            if quiet < limits.quiet_ns:
                self._shout(f"the ADC samples {quiet} ns after its last bit", new, now)
        if now - self.sampled < limits.cycle_ns or now - self.converted < limits.acquire_ns:
            self._shout("the ADC had no time to acquire", new, now)
        self.sampled, self.converted = now, now + limits.convert_ns
        self.seen["sample"] += 1
        self.samples += 1
        code = 0
        if self.lines["address"] is not None and (read or dot):
            code = self._dot() if dot else self._read()
        self.dut.adc_code.value = int(np.clip(code + MID, 0, (1 << 16) - 1))

    def _read(self) -> int:
        return self.array.sense(self.row, self.device)

    def _dot(self) -> int:
        lines = self.lines["inputs"] or 0
        width = self.config.tile_pairs
        bits = np.array([lines >> i & 1 for i in range(width)], np.int64)
        return self.array.access(self.row, self.tile, -bits if lines >> width & 1 else bits)

    # -- address lines: row, device, tile, coarse, from QA of the first register on ---------------

    def _address_bits(self) -> int:
        c = self.config
        return c.row_bits + c.device_bits + c.tile_bits + bool(c.geometry.dot_shift)

    @staticmethod
    def _padded(bits: int) -> int:
        return -(-bits // 8) * 8

    def _field(self, low: int, width: int) -> int:
        return (self.lines["address"] or 0) >> low & ((1 << width) - 1)

    @property
    def row(self) -> int:
        return self._field(0, self.config.row_bits)

    @property
    def device(self) -> int:
        return self._field(self.config.row_bits, self.config.device_bits)

    @property
    def tile(self) -> int:
        return self._field(self.config.row_bits + self.config.device_bits, self.config.tile_bits)
