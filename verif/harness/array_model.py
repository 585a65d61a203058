"""The array side in Python: an array model behind the request and response streams."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ohmcarlo.array.emulated import EmulatedArray
from ohmcarlo.spec import SYMBOL_BITS
from ohmcarlo_hdl.array.interface import Op, array_request, array_response
from ohmcarlo_hdl.config import CoreConfig

from .seeds import array_stimuli
from .streams import Sink, Source


class FaultyArray:
    """An emulated array, programmed device by device, whose coin fails from a given harvest on.

    Golden controller and hardware use arrays of this class. ``fault``: "" (none), "stuck" (entropy
    devices at full scale), "frozen" (each at its own mixed-looking code), "biased" (their low bits
    are one with probability 0.6). It begins with harvest ``after``.
    """

    name = "faulty"
    exact_dot = True

    def __init__(self, array: EmulatedArray, fault: str = "", after: int = 0) -> None:
        self.inner = array
        self.geometry = array.geometry
        self.ledger = array.ledger
        self.fault, self.after, self.harvests = fault, after, 0
        self.rng = array_stimuli(9)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def program_one(self, row: int, device: int, dac: int) -> int:
        """SET one device; return the code that a READ gives from now on."""
        one = np.array([device], np.int32)
        code = int(self.inner.program(row, one, np.array([dac], np.int32))[0])
        column = device - 2 * self.geometry.max_features
        if column < 0:
            return code
        self.harvests += column == 0
        if self.fault and self.harvests > self.after:
            if self.fault == "stuck":
                code = 1000
            elif self.fault == "frozen":
                code = 389 + 37 * column
            else:
                bits = self.rng.random(SYMBOL_BITS) < 0.6
                code = 456 + int(bits @ (1 << np.arange(SYMBOL_BITS)))
            self.inner.state.codes[row, device] = code
        return code

    def program(self, row: int, devices: Any, dac: Any) -> NDArray[np.int32]:
        pairs = zip(devices, dac, strict=True)
        return np.array([self.program_one(row, int(d), int(v)) for d, v in pairs], np.int32)


class ArrayModel:
    """Answers the requests of a ``Core`` from an array, with stalls on both streams.

    A part of a ``Clocked`` bench. ``array`` is a ``FaultyArray`` or a ``ListedArray``.
    ``operations`` counts the requests by ``Op``.
    """

    def __init__(
        self, dut: Any, config: CoreConfig, array: Any, stall: float, rng: random.Random
    ) -> None:
        self.config, self.array = config, array
        self.requests = Sink(dut, "requests", array_request(config), stall, rng)
        self.responses = Source(dut, "responses", array_response(config), (), stall, rng)
        self.operations = dict.fromkeys((op.value for op in Op), 0)

    def tick(self) -> None:
        self.requests.tick()
        while self.requests.items:
            self._serve(self.requests.items.pop(0))
        self.responses.tick()

    def _serve(self, request: dict[str, Any]) -> None:
        op, row, device = request["op"], request["row"], request["device"]
        self.operations[op] += 1
        if op == Op.RESET.value:
            self.array.reset(row)
        elif op == Op.SET.value:
            self.array.program_one(row, device, request["dac"])
        elif op == Op.READ.value:
            self.responses.put([{"value": int(self.array.state.codes[row, device])}])
        elif op == Op.DOT.value:
            self.responses.put([{"value": self._dot(request)}])

    def _dot(self, request: dict[str, Any]) -> int:
        bits = self.config.access_bits
        codes = self.array.state.codes[request["row"]].astype(int)
        first = request["tile"] * self.config.tile_pairs
        total = 0
        for i, x in enumerate(request["inputs"]):
            signed = x - (1 << bits) if request["top"] and x >> (bits - 1) else x
            pair = first + i
            if signed and pair < self.config.geometry.pairs:
                total += signed * (codes[2 * pair] - codes[2 * pair + 1])
        return total
