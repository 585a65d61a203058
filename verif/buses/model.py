"""What software sees of the registers of a board, from PeakRDL's C header of them.

It knows neither the register bank nor the bridges.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random

from ohmcarlo_hdl.regs.map import BOARD, board_map
from verif.test_board_registers import RINGS, SOFTWARE, STROBES
from verif.test_registers import header_of

from .lanes import HARDWARE, stored

WHOLE = 0xF
LOW, HIGH = "timer.clocks.lo", "timer.clocks.hi"


@dataclass
class Expected:
    """Answer of an access: whether it fails, and the possible words of a read."""

    error: bool
    words: set[int] = field(default_factory=lambda: {0})


class Registers:
    """The registers and windows of a board behind a bus.

    An access fails if its address is no multiple of four or has no register that can be read, or
    written; a write also fails, without an effect, if some but not all of its byte strobes are set.
    Without any strobe it succeeds without an effect.

    A write that was withdrawn was made or not: until it is read, the register has several possible
    words, and the counts of strobes are a range.
    """

    def __init__(self, rng: Random) -> None:
        self.registers, self.windows = header_of(BOARD)
        self.names = {register.address: name for name, register in self.registers.items()}
        self.places = {
            address + 4 * place: (name, place)
            for name, (address, words) in self.windows.items()
            for place in range(words)
        }
        self.rng = rng
        self.top = 4 << board_map().addr_width
        self.constants = {"id.map_hash": int(board_map().hash[:8], 16)}
        self.software = [self.registers[name].address for name in SOFTWARE]
        self.reset()

    def reset(self) -> None:
        """The state after a reset."""
        self.words = {name: {self.registers[name].reset} for name in SOFTWARE}
        self.latched = {0}
        self.writes, self.reads, self.bytes = [0, 0], [0, 0], [0, 0]
        self.stored, self.sums = [0, 0], {0}

    def address(self) -> int:
        """An address: often a register of software, or any register, window, unknown or odd."""
        kind = self.rng.random()
        if kind < 0.4:
            return self.rng.choice(self.software)
        if kind < 0.6:
            return self.rng.choice(list(self.names))
        if kind < 0.8:
            first, words = self.rng.choice(list(self.windows.values()))
            return first + 4 * self.rng.choice((0, words - 1, self.rng.randrange(words)))
        if kind < 0.9:
            return 4 * self.rng.randrange(self.top // 4)
        return self.rng.randrange(self.top)

    def strobes(self) -> int:
        """Byte strobes: mostly all, some, or none."""
        return self.rng.choices((WHOLE, self.rng.randrange(16), 0), (8, 2, 1))[0]

    def read(self, address: int, certain: bool = True) -> Expected:
        """A read, and its answer; not ``certain``: it may have been made or not."""
        if address % 4:
            return Expected(True)
        _count(self.reads, certain)
        name = self.names.get(address)
        if name in SOFTWARE:
            return Expected(False, self.words[name])
        if name == LOW:
            upper = HARDWARE["timer_clocks"] >> 32
            self.latched = {upper} if certain else self.latched | {upper}
            return Expected(False, {HARDWARE["timer_clocks"] & 0xFFFF_FFFF})
        if name == HIGH:
            return Expected(False, self.latched)
        if name is not None and name not in STROBES:
            constant = self.constants.get(name, self.registers[name].reset)
            return Expected(False, {HARDWARE.get(name.replace(".", "_"), constant)})
        window, place = self.places.get(address, ("", 0))
        if window and RINGS[window] == "r":
            return Expected(False, {stored(window, place)})
        return Expected(True)

    def write(self, address: int, word: int, strobes: int, certain: bool = True) -> Expected:
        """A write, and its answer; not ``certain``: it may have been made or not."""
        if strobes == 0:
            return Expected(False)
        if address % 4 or strobes != WHOLE:
            return Expected(True)
        _count(self.writes, certain)
        name = self.names.get(address)
        if name in SOFTWARE:
            kept = word & self.registers[name].mask
            self.words[name] = {kept} if certain else self.words[name] | {kept}
        elif name == "crc.byte":
            if word >> self.registers[name].fields["strobe"][0] & 1:
                _count(self.bytes, certain)
        elif name not in STROBES:
            window, place = self.places.get(address, ("", 0))
            if not window or RINGS[window] != "w":
                return Expected(True)
            _count(self.stored, certain)
            made = {(total + word + place) & 0xFFFF_FFFF for total in self.sums}
            self.sums = made if certain else self.sums | made
        return Expected(False)

    def seen(self, address: int, word: int) -> None:
        """A read returned ``word``: no other one is possible any more."""
        name = self.names.get(address)
        if name in SOFTWARE:
            self.words[name] = {word}
        elif name == HIGH:
            self.latched = {word}


def _count(counts: list[int], certain: bool) -> None:
    """One event more, or perhaps: ``counts`` are the least and the most possible ones."""
    counts[0] += certain
    counts[1] += 1
