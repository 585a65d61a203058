"""Drivers of the three buses, with random gaps, back-pressure and resets; each checks its bus.

They keep the rules of the specifications, not those of the bridges: the address and the data of a
write come in any order (AXI4-Lite), a request is withdrawn or follows the last one at once
(Wishbone). Answers are compared with ``model.Registers`` in the order of the accesses.
"""

from __future__ import annotations

from collections import Counter, deque
from random import Random
from typing import Any

from amaranth.lib.wiring import In, Out

from .lanes import bus_layout
from .model import Expected, Registers

PACES = (1.0, 0.5, 0.1)
"""Probabilities of an offer, or of being ready, in a clock."""
PACE_CLOCKS = 256
DRAIN, RESET = 1 / 1000, 1 / 3000
"""Probabilities, in a clock, to let all accesses end and compare the counts, and to reset."""
SETTLED = 10
"""Idle clocks after which nothing is under way, a withdrawn access included."""
OKAY, SLVERR = 0b00, 0b10


class Manager:
    """Drives the bus ``name`` until ``transactions`` are done; a part of ``Clocked``.

    ``seen`` counts the situations that occurred.
    """

    name = ""
    paces: tuple[str, ...] = ()

    def __init__(self, dut: Any, transactions: int, rng: Random) -> None:
        self.rng, self.transactions = rng, transactions
        self.model = Registers(rng)
        self.inputs, self.outputs = getattr(dut, f"{self.name}_i"), getattr(dut, f"{self.name}_o")
        self.reset_port = getattr(dut, f"{self.name}_reset")
        self.counts = {
            part: getattr(dut, f"{self.name}_{part}")
            for part in ("writes", "reads", "bytes", "stored", "sum")
        }
        self.places = {
            name: (f.offset, (1 << f.width) - 1)
            for flow in (In, Out)
            for name, f in bus_layout(self.name, flow)
        }
        self.width = len(self.inputs)
        self.seen: Counter[str] = Counter()
        self.pace: dict[str, float] = {}
        self.clock = self.done = self.idle = self.resetting = 0
        self.draining = self.finished = False
        self.after_reset = True
        self.driven = 0
        self.clear()
        self.inputs.value = 0
        self.reset_port.value = 0

    def clear(self) -> None:
        """Forget all requests."""
        raise NotImplementedError

    def sample(self, word: int) -> None:
        """Check the outputs ``word`` of the clock that ends, and note what was answered."""
        raise NotImplementedError

    def drive(self) -> dict[str, int]:
        """The inputs of the next clock."""
        raise NotImplementedError

    def pending(self) -> bool:
        """Whether a request or an answer is missing."""
        raise NotImplementedError

    def quiet(self, word: int) -> bool:
        """Whether the outputs ``word`` contain no answer."""
        raise NotImplementedError

    def get(self, word: int, name: str) -> int:
        offset, mask = self.places[name]
        return word >> offset & mask

    def chance(self, name: str) -> bool:
        return self.rng.random() < self.pace[name]

    def tick(self) -> None:
        if self.finished:
            return
        word = int(self.outputs.value)
        if self.resetting:
            self._reset_clock()
            return
        if self.after_reset:
            assert self.quiet(word), f"{self.name}: an answer after a reset"
            self.after_reset = False
        self.sample(word)
        if self.clock % PACE_CLOCKS == 0:
            self.pace = {name: self.rng.choice(PACES) for name in self.paces}
        self.clock += 1
        self.idle = 0 if self.pending() else self.idle + 1
        if self.rng.random() < RESET:
            self._begin_reset()
            return
        self.draining |= self.done >= self.transactions or self.rng.random() < DRAIN
        if self.draining and self.idle > SETTLED:
            self._compare()
        self._put(self._pack(self.drive()))

    def _pack(self, fields: dict[str, int]) -> int:
        packed = 0
        for name, value in fields.items():
            packed |= value << self.places[name][0]
        return packed

    def _put(self, word: int) -> None:
        if word != self.driven:
            self.driven = word
            self.inputs.value = word

    def _begin_reset(self) -> None:
        self.seen["reset while busy" if self.pending() else "reset while idle"] += 1
        self.resetting = self.rng.randrange(1, 4)
        self.reset_port.value = 1
        self._put(self.rng.getrandbits(self.width))
        self.clear()
        self.model.reset()

    def _reset_clock(self) -> None:
        """Inputs have no effect during a reset."""
        self.resetting -= 1
        self.after_reset = True
        self._put(self.rng.getrandbits(self.width) if self.resetting else 0)
        if not self.resetting:
            self.reset_port.value = 0

    def _compare(self) -> None:
        """The strobes of the register bus, and what arrived, since the last reset."""
        self.seen["counts"] += 1
        self.draining = False
        self.finished = self.done >= self.transactions
        for name in ("writes", "reads", "bytes", "stored"):
            count, (least, most) = int(self.counts[name].value), getattr(self.model, name)
            assert least <= count <= most, f"{self.name}: {count} {name}, not {least} to {most}"
            setattr(self.model, name, [count, count])
        total = int(self.counts["sum"].value)
        assert total in self.model.sums, f"{self.name}: sum {total} of the window tx"
        self.model.sums = {total}

    def judge(self, what: str, expected: Expected, failed: bool, word: int | None = None) -> None:
        """Compare an answer, that of a read with its ``word``."""
        assert failed == expected.error, f"{self.name}: {what}: error {failed}"
        if word is not None and not failed:
            assert word in expected.words, f"{self.name}: {what}: {word:x}, not {expected.words}"
        self.done += 1
        self.seen[f"{what.partition(' ')[0]} {'fails' if failed else 'succeeds'}"] += 1


class AxiManager(Manager):
    """Five channels, each at its own pace."""

    name = "axi"
    paces = ("aw", "w", "ar", "b", "r")
    AHEAD = 2
    """Addresses that may be ahead of their data, and vice versa."""
    PROGRESS = 8
    """Clocks without back-pressure in which something passes."""

    def clear(self) -> None:
        self.offers: dict[str, Any] = {"aw": None, "w": None, "ar": None}
        self.ready = {"b": 0, "r": 0}
        self.planned: dict[str, deque[Any]] = {"aw": deque(), "w": deque()}
        self.sent: dict[str, deque[Any]] = {"aw": deque(), "w": deque()}
        self.due: dict[str, deque[tuple[int, Expected]]] = {"b": deque(), "r": deque()}
        self.kept: dict[str, int | None] = {"b": None, "r": None}
        self.overtaken = {"write": 0, "read": 0}
        self.waits = 0

    def pending(self) -> bool:
        return bool(
            any(offer is not None for offer in self.offers.values())
            or any(self.planned.values())
            or any(self.due.values())
            or any(self.sent.values())
        )

    def quiet(self, word: int) -> bool:
        return not (self.get(word, "bvalid") or self.get(word, "rvalid"))

    def sample(self, word: int) -> None:
        passed = blocked = False
        for channel, what in (("b", "write"), ("r", "read")):
            valid = self.get(word, f"{channel}valid")
            answer = self.get(word, f"{channel}resp")
            data = self.get(word, "rdata") if channel == "r" else None
            shown = answer | (data or 0) << 2
            kept = self.kept[channel]
            assert kept is None or (valid and shown == kept), f"axi: {channel} has changed"
            self.kept[channel] = None
            if not valid:
                continue
            assert self.due[channel], f"axi: {channel} without a request"
            assert answer in (OKAY, SLVERR), f"axi: {channel}resp {answer}"
            if not self.ready[channel]:
                self.kept[channel], blocked = shown, True
                self.seen[f"{channel} blocked"] += 1
                continue
            passed = True
            address, expected = self.due[channel].popleft()
            self.judge(f"{what} {address:x}", expected, answer == SLVERR, data)
            if data is not None and answer == OKAY:
                self.model.seen(address, data)
        self._requests(word, passed, blocked)

    def _requests(self, word: int, passed: bool, blocked: bool) -> None:
        accesses = 0
        asked = self._asked()
        self.seen["write and read wait"] += all(o is not None for o in self.offers.values())
        for channel, offer in self.offers.items():
            if offer is None or not self.get(word, f"{channel}ready"):
                continue
            passed = True
            self.offers[channel] = None
            if channel == "ar":
                self.due["r"].append((offer, self.model.read(offer)))
                accesses += 1
            else:
                self.sent[channel].append(offer)
        if self.sent["aw"] and self.sent["w"]:
            address, (data, strobes) = (self.sent[c].popleft() for c in ("aw", "w"))
            self.due["b"].append((address, self.model.write(address, data, strobes)))
            accesses += 1
        assert accesses <= 1, "axi: a write and a read are taken together"
        self._turns(asked, accesses)
        asks = any(self._asked().values()) or any(self.due.values())
        self.waits = self.waits + 1 if asks and not (passed or blocked) else 0
        assert self.waits <= self.PROGRESS, "axi: nothing passes"

    def _asked(self) -> dict[str, bool]:
        offered = {channel: offer is not None for channel, offer in self.offers.items()}
        return {"write": offered["aw"] and offered["w"], "read": offered["ar"]}

    def _turns(self, asked: dict[str, bool], accesses: int) -> None:
        """A request that waits is overtaken once at most."""
        for kind, still in self._asked().items():
            self.overtaken[kind] += asked[kind] and accesses
            self.overtaken[kind] *= still
            assert self.overtaken[kind] <= 1, f"axi: a {kind} is overtaken again"

    def drive(self) -> dict[str, int]:
        fields: dict[str, int] = {}
        for channel, other in (("aw", "w"), ("w", "aw")):
            planned = self.planned[channel]
            if self.offers[channel] is None and self.chance(channel):
                room = len(self.planned[other]) < self.AHEAD and not self.draining
                if not planned and room:
                    self.planned["aw"].append(self.model.address())
                    self.planned["w"].append((self.rng.getrandbits(32), self.model.strobes()))
                if planned:
                    self.offers[channel] = planned.popleft()
                    self.seen[f"{channel} first"] += len(self.planned[other]) > len(planned)
        if self.offers["ar"] is None and not self.draining and self.chance("ar"):
            self.offers["ar"] = self.model.address()
        aw, w, ar = self.offers.values()
        for channel, address in (("aw", aw), ("ar", ar)):
            if address is not None:
                fields |= {f"{channel}addr": address, f"{channel}valid": 1}
                fields[f"{channel}prot"] = address >> 2 & 7
        if w is not None:
            fields |= {"wdata": w[0], "wstrb": w[1], "wvalid": 1}
        for channel in self.ready:
            self.ready[channel] = fields[f"{channel}ready"] = int(self.chance(channel))
        return fields


class ApbManager(Manager):
    """Setup phase, access phase, and gaps between transfers."""

    name = "apb"
    paces = ("transfer",)
    LONGEST = 7
    """Clocks of the longest access phase."""

    def clear(self) -> None:
        self.fields: dict[str, int] = {}
        self.waits = 0

    def pending(self) -> bool:
        return bool(self.fields)

    def quiet(self, word: int) -> bool:
        return not (self.get(word, "pready") or self.get(word, "pslverr"))

    def sample(self, word: int) -> None:
        ready, failed = self.get(word, "pready"), self.get(word, "pslverr")
        if "penable" not in self.fields:
            assert self.quiet(word), "apb: an answer outside of an access phase"
            return
        assert ready or not failed, "apb: pslverr before the end"
        self.waits += 1
        assert self.waits <= self.LONGEST, "apb: the access phase does not end"
        if not ready:
            return
        address = self.fields["paddr"]
        if self.fields["pwrite"]:
            answer = self.model.write(address, self.fields["pwdata"], self.fields["pstrb"])
            self.judge(f"write {address:x}", answer, bool(failed))
        else:
            data = self.get(word, "prdata")
            self.judge(f"read {address:x}", self.model.read(address), bool(failed), data)
            if not failed:
                self.model.seen(address, data)
        self.clear()

    def drive(self) -> dict[str, int]:
        if self.fields:
            self.fields["penable"] = 1
        elif not self.draining and self.chance("transfer"):
            self.seen["at once"] += self.idle == 1
            write = int(self.rng.random() < 0.5)
            self.fields = {
                "paddr": self.model.address(),
                "psel": 1,
                "pwrite": write,
                "pwdata": self.rng.getrandbits(32),
                "pstrb": self.model.strobes() if write else 0,
                "pprot": self.rng.randrange(8),
            }
        return self.fields


class WishboneManager(Manager):
    """Classic and pipelined cycles of any number of requests; some requests are withdrawn."""

    name = "wb"
    paces = ("request", "cycle")
    LONGEST = 12
    """Clocks that a request waits for its answer, after the clock in which it begins."""
    WITHDRAWS = 0.01

    def clear(self) -> None:
        self.fields: dict[str, int] = {}
        self.cycle = self.waits = 0

    def pending(self) -> bool:
        return bool(self.fields)

    def quiet(self, word: int) -> bool:
        return not (self.get(word, "ack") or self.get(word, "err"))

    def sample(self, word: int) -> None:
        acknowledged, failed = self.get(word, "ack"), self.get(word, "err")
        assert not (acknowledged and failed), "wb: ack and err"
        if not self.fields:
            assert self.quiet(word), "wb: an answer without a request"
            return
        answered = acknowledged | failed
        assert self.get(word, "stall") == 1 - answered, "wb: stall is not the end of a request"
        address = 4 * self.fields["adr"]
        if not answered:
            assert self.waits < self.LONGEST, "wb: no answer"
            self.waits += 1
            if self.rng.random() < self.WITHDRAWS:
                self._withdraw(address)
            return
        if self.fields["we"]:
            answer = self.model.write(address, self.fields["dat_w"], self.fields["sel"])
            self.judge(f"write {address:x}", answer, bool(failed))
        else:
            data = self.get(word, "dat_r")
            self.judge(f"read {address:x}", self.model.read(address), bool(failed), data)
            if not failed:
                self.model.seen(address, data)
        self.seen["at once"] += self.idle == 0
        self._end()

    def _withdraw(self, address: int) -> None:
        self.seen["withdrawn"] += 1
        if self.fields["we"]:
            self.model.write(address, self.fields["dat_w"], self.fields["sel"], certain=False)
        else:
            self.model.read(address, certain=False)
        self._end()
        self.gap = True

    def _end(self) -> None:
        """The request is over; its cycle goes on at random."""
        self.cycle = int(self.chance("cycle"))
        self.fields = {}
        self.waits = 0
        self.gap = False

    gap = False
    """The request must be low for a clock, because the last one was withdrawn."""

    def drive(self) -> dict[str, int]:
        if self.gap:
            self.gap = False
        elif not self.fields and not self.draining and self.chance("request"):
            self.cycle = 1
            self.fields = {
                "adr": self.model.address() // 4,
                "stb": 1,
                "we": int(self.rng.random() < 0.5),
                "dat_w": self.rng.getrandbits(32),
                "sel": self.model.strobes(),
            }
        elif not self.fields:
            self.cycle &= not self.draining
        return self.fields | {"cyc": int(self.cycle)}


MANAGERS = (AxiManager, ApbManager, WishboneManager)
