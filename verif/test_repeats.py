"""Repeated READs and accesses: the whole controller over an array whose readings wobble.

The k-th READ of a device, and the k-th access with the same inputs, are off by a hash of k. The
golden controller over the same array gives the same chain only if both average the same readings.
"""

from __future__ import annotations

import zlib
from collections import Counter, defaultdict
from typing import Any

import cocotb
import numpy as np
import pytest
from numpy.typing import NDArray

from ohmcarlo.array.emulated import EmulatedArray
from ohmcarlo.golden import Controller, SamplerSettings
from ohmcarlo.spec import CODE_MAX, Geometry
from ohmcarlo.spec.link import Reason
from ohmcarlo_hdl.array.interface import Op
from ohmcarlo_hdl.core.core import Core
from problems import trace
from verif.harness import Case, Clocked, case_parameters, run_bench, start_clock, stimuli
from verif.harness.array_model import ArrayModel, FaultyArray
from verif.harness.core import CoreDriver
from verif.test_core import config_of, first_difference, points_of

CONFIG = {
    "max_points": 512,
    "max_group_rows": 4,
    "max_regions": 2,
    "geometry": {"rows": 64, "pairs": 16},
    "digital_dots": True,
    "repeats": True,
}
READ_WOBBLE, DOT_WOBBLE = 9, 600


def wobble(most: int, *key: object) -> int:
    """-most … most, a hash of the key."""
    return zlib.crc32(repr(key).encode()) % (2 * most + 1) - most


class WobblingArray(FaultyArray):
    """An emulated array whose readings depend on how often they were repeated."""

    name = "wobbling"
    exact_dot = False

    def __init__(self, array: EmulatedArray, repeats: int) -> None:
        super().__init__(array)
        self.repeats = repeats
        self.seen: dict[int, Counter[Any]] = defaultdict(Counter)

    def _next(self, row: int, what: object) -> int:
        self.seen[row][what] += 1
        return self.seen[row][what] - 1

    def reset(self, row: int) -> None:
        self.seen[row].clear()
        self.inner.reset(row)

    def program_one(self, row: int, device: int, dac: int) -> int:
        self.seen[row][device] = 0
        return super().program_one(row, device, dac)

    def program(self, row: int, devices: Any, dac: Any) -> NDArray[np.int32]:
        for device, code in zip(devices, dac, strict=True):
            self.program_one(row, int(device), int(code))
        return np.array([self.sense(row, int(device)) for device in devices], np.int32)

    def read(self, row: int, devices: Any) -> NDArray[np.int32]:
        self.ledger.note_read(len(devices))
        return np.array([self.sense(row, int(device)) for device in devices], np.int32)

    def sense(self, row: int, device: int) -> int:
        off = wobble(READ_WOBBLE, row, device, self._next(row, device))
        return min(max(int(self.state.codes[row, device]) + off, 0), CODE_MAX)

    def dot(self, row: int, inputs: NDArray[np.int8]) -> NDArray[np.int32]:
        turn = self._next(row, "dot") % self.repeats
        off = [wobble(DOT_WOBBLE, row, line.tobytes(), turn) for line in inputs]
        return self.inner.dot(row, inputs) + np.array(off, np.int32)

    def access(self, row: int, drive: list[int], value: int) -> int:
        """The reading of one access with 8-bit inputs, whose sum is ``value``."""
        key = bytes(drive)
        return value + wobble(DOT_WOBBLE, row, key, self._next(row, key) % self.repeats)


class WobblingModel(ArrayModel):
    """Answers the requests of a controller from a ``WobblingArray``."""

    def _serve(self, request: dict[str, Any]) -> None:
        row, array = request["row"], self.array
        assert isinstance(array, WobblingArray)
        if request["op"] == Op.READ.value:
            self.operations[Op.READ.value] += 1
            self.responses.put([{"value": array.sense(row, request["device"])}])
        else:
            super()._serve(request)

    def _dot(self, request: dict[str, Any]) -> int:
        array = self.array
        assert isinstance(array, WobblingArray)
        return array.access(request["row"], request["inputs"], super()._dot(request))


@cocotb.test()
async def repeats(dut) -> None:  # type: ignore[no-untyped-def]
    case = case_parameters()
    settings = case["settings"]
    geometry = Geometry(**(case["config"]["geometry"] | case.get("chain", {})))
    golden, array = (
        WobblingArray(EmulatedArray(geometry, 3), settings["repeats"]) for _ in range(2)
    )
    points = points_of(case)
    registers = SamplerSettings(**settings).registers(geometry, points.features, array.sigma_us)
    made = Controller(registers, golden, points)
    made.start()
    expected = trace(made, case["steps"])

    config = config_of(case)
    driver = CoreDriver(dut, config, registers, points)
    model = WobblingModel(dut, config, array, case["stall"], stimuli(2))
    await start_clock(dut)
    await driver.load(array)
    Clocked(dut, model).start()
    assert await driver.start() == Reason.DONE
    assert await driver.run(case["steps"]) == Reason.DONE
    found = driver.trace()
    assert not (where := first_difference(expected, found)), where
    assert 0 < found.accepted.sum() < len(found.accepted)
    counted = await driver.counters()
    assert counted["read"] == settings["repeats"] * counted["set"]
    if registers.digital:
        assert counted["dot"] == 0
    else:
        assert counted["dot"] >= golden.ledger.dot > 0


@pytest.mark.verify
def test_repeated_reads_and_accesses() -> None:
    network = {"chain": {"row_group": 3}, "features": 4}
    choices: list[tuple[str, Case, Case, float]] = [
        ("4 of the array, stalled", {"rho": 0.8, "repeats": 4}, {"features": 5}, 0.3),
        ("16 of the array", {"repeats": 16}, {"features": 5}, 0.0),
        ("2 for codes", {"rho": 0.8, "repeats": 2, "dot_products": "codes"}, {"features": 5}, 0.3),
        ("2 of a network", {"hidden": 2, "sigma_p": 2.0, "repeats": 2}, network, 0.0),
        ("single", {"rho": 0.8, "repeats": 1}, {"features": 5}, 0.3),
    ]
    cases = [
        {"name": name, "config": CONFIG, "settings": settings, "steps": 25, "stall": stall} | more
        for name, settings, more, stall in choices
    ]
    run_bench(lambda: Core(config_of(cases[0])), __name__, cases)
