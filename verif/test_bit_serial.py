"""The bit-serial controller: the golden trace, over its register bus and over its serial line."""

from __future__ import annotations

from typing import Any

import cocotb
import numpy as np
import pytest
from cocotb.task import bridge, resume
from cocotb.triggers import FallingEdge, RisingEdge, Timer

from ohmcarlo.array import EmulatedArray
from ohmcarlo.boards.memory.image import Image, controller_image, emulator_image
from ohmcarlo.boards.small.client import BitSerialClient, Samples
from ohmcarlo.boards.small.limits import require_controller
from ohmcarlo.errors import OhmcarloError, UsageError
from ohmcarlo.golden import Controller
from ohmcarlo.spec import Geometry, Points
from ohmcarlo.spec.bit_serial_link import READ, WRITE
from ohmcarlo.spec.link import SAMPLE_HEADER_WORDS, Reason
from ohmcarlo_hdl.bit_serial.core import BitSerialCore
from ohmcarlo_hdl.bit_serial.emulator import BitSerialEmulator
from ohmcarlo_hdl.config import BitSerialConfig
from ohmcarlo_hdl.core.interface import RECORD_WORD
from ohmcarlo_hdl.regs.map import layout_of, register_map
from ohmcarlo_hdl.soc.bit_serial import BitSerialBoard, SerialBridge
from problems import controller, trace
from verif.harness import Case, case_parameters, run_bench, seed_of, start_clock, stimuli
from verif.harness.bus import BusDriver
from verif.harness.core import RecordSink
from verif.harness.points import wdbc_half
from verif.harness.streams import PERIOD_NS

DIVISOR = 2  # most of the simulation is bytes on the line
BIT_NS = DIVISOR * PERIOD_NS
TIMEOUT_S = 60.0


def config_of(case: Case) -> BitSerialConfig:
    """The hardware of a case."""
    return BitSerialConfig(
        **(case["config"] | {"geometry": Geometry(**case["config"]["geometry"])})
    )


def points_of(config: BitSerialConfig) -> Points:
    """As many points and inputs of the tumour data as fit, the bias among them."""
    points = wdbc_half()
    kept = [*range(config.max_features - 1), points.features - 1]
    n = min(config.max_points, len(points))
    inputs = np.ascontiguousarray(points.inputs[:n, kept])
    return Points(inputs, points.labels[:n], points.offsets[:n])


def images(made: Controller, array: EmulatedArray, points: Points) -> list[Image]:
    """The content to load into the hardware, with the array before its first pulse."""
    geometry = array.geometry
    return [controller_image(made.registers, points, array, geometry), emulator_image(array, 0)]


def check(found: Samples, expected: dict[str, np.ndarray], made: Controller) -> None:
    """Every sample and its multiplicity, and so every decision."""
    state = made.state
    n = len(expected["codes"])
    assert 2 < n < expected["accepted"].size, "some are accepted, some are not"
    posterior = found.loglik + found.prior
    for name, streamed, right, current in (
        ("codes", found.codes, expected["codes"], state.codes),
        ("multiplicity", found.multiplicity, expected["multiplicity"], state.multiplicity),
        (
            "log-posterior",
            posterior,
            expected["sample_log_posterior"],
            state.loglik + state.prior,
        ),
    ):
        assert len(streamed) == n + 1, f"{name}: golden has {n + 1} samples"
        wrong = np.flatnonzero((streamed[:n] != right).reshape(n, -1).any(1))
        assert not len(wrong), f"{name} of sample {wrong[0]}"
        assert np.array_equal(streamed[n:], current), f"{name} of the current sample"
    assert found.current.tolist() == [False] * n + [True]


@cocotb.test()
async def equals_the_golden_trace(dut) -> None:  # type: ignore[no-untyped-def]
    case = case_parameters()
    config = config_of(case)
    points = points_of(config)
    made = controller(points, config.geometry, seed_of(case["seed"]), **case.get("settings", {}))
    expected = trace(made, case["steps"])
    layout = register_map(config, emulator=True)
    bus = BusDriver(dut, layout=layout)
    records = RecordSink(dut, "samples", RECORD_WORD, case.get("stall", 0.0), stimuli(5))
    edge = RisingEdge(dut.clk)
    dut.off.value = 0
    await start_clock(dut)
    fields = layout_of(layout)["fields"]
    for image in images(made, made.array, points):
        registers: dict[int, int] = {}
        for name, value in image.fields.items():
            if name in fields:
                address, low, _ = fields[name]
                registers[address] = registers.get(address, 0) | value << low
        for address, word in registers.items():
            await bus.write(address, word)
        for window, words in image.windows.items():
            if window in {w.name for w in layout.windows}:
                await bus.load(window, words)

    async def command(name: str) -> Reason:
        await bus.set("control.command", **{name: 1})
        for _ in range(4):
            await edge
        if int(dut.busy.value):
            await FallingEdge(dut.busy)
        while int(dut.samples__valid.value):
            await edge
        for _ in range(4):
            await edge
        status = await bus.get("status.state")
        assert not (status["busy"] or status["bus_error"] or status["fault"])
        return Reason(status["reason"])

    await command("emulator_restart")
    assert await command("start") is Reason.DONE
    first = case["steps"] // 3  # two runs: the prepared next step is dropped
    for steps in (first, case["steps"] - first):
        await bus.set("control.steps", steps)
        assert await command("run") is Reason.DONE
        assert (await bus.get("status.steps_done"))["value"] == steps
    await command("flush")
    words = [records.packer.unpack(bits)["word"] for bits in records.items]
    devices = made.registers.sample_devices
    table = np.reshape(words, (-1, SAMPLE_HEADER_WORDS + devices // 2)).tolist()
    check(Samples.of(table, devices), expected, made)


class Line:
    """The bench's end of the serial line: the port of the client, and the received answers."""

    name = "the bench"

    def __init__(self, dut: Any) -> None:
        self.dut = dut
        self.received = bytearray()
        dut.rx.value = 1
        cocotb.start_soon(self._listen())
        self.write = resume(self._write)
        self.read = resume(self._read)

    async def _write(self, data: bytes) -> None:
        bit = Timer(BIT_NS, "ns")
        for byte in data:
            for level in (0, *(byte >> i & 1 for i in range(8)), 1):
                self.dut.rx.value = level
                await bit

    async def _read(self, timeout_s: float) -> bytes:
        bit = Timer(BIT_NS, "ns")
        for _ in range(400):
            if self.received:
                break
            await bit
        data, self.received = bytes(self.received), bytearray()
        return data

    def close(self) -> None: ...

    async def _listen(self) -> None:
        fall, bit = FallingEdge(self.dut.tx), Timer(BIT_NS, "ns")
        middle = Timer(3 * BIT_NS // 2, "ns")
        while True:
            await fall
            await middle
            byte = 0
            for i in range(8):
                byte |= int(self.dut.tx.value) << i
                await bit
            assert int(self.dut.tx.value) == 1, "no stop bit"
            self.received.append(byte)


@cocotb.test()
async def serves_a_host(dut) -> None:  # type: ignore[no-untyped-def]
    """A host runs the chain through nothing but the serial line."""
    case = case_parameters()
    config = config_of(case)
    points = points_of(config)
    made = controller(points, config.geometry, seed_of(case["seed"]))
    expected = trace(made, case["steps"])
    line = Line(dut)
    await start_clock(dut)
    map_hash = layout_of(register_map(config, emulator=True))["hash"]
    first = case["steps"] // 3

    def host() -> Samples:
        # another program was stopped in the middle of a request
        line.write(bytes([WRITE, 1, 2, 3]))
        client = BitSerialClient(line, TIMEOUT_S)
        require_controller(client.open(), map_hash, line.name)
        line.write(bytes([0x11, 0xFF, READ, 0x40]))
        with pytest.raises(OhmcarloError, match="register map"):
            require_controller(client.open(), map_hash ^ 1, line.name)
        assert client.layout.rows == config.geometry.rows
        assert client.layout.max_points == config.max_points
        client.reset()
        for image in images(made, made.array, points):
            client.load(image)
        client.restart_emulator()
        assert client.start() is Reason.DONE
        assert client.run(first) == (Reason.DONE, first)
        rest = case["steps"] - first
        assert client.run(rest) == (Reason.DONE, rest)
        return client.samples(made.registers.sample_devices)

    check(await bridge(host)(), expected, made)


GEOMETRY = {"rows": 16, "pairs": 8, "entropy_pairs": 1, "access_bits": 1}
SMALLEST = {"geometry": GEOMETRY, "max_points": 64}
LARGER = {"geometry": GEOMETRY | {"rows": 32, "pairs": 16, "entropy_pairs": 4}, "max_points": 128}


@pytest.mark.parametrize(
    "case",
    [
        {"steps": 30, "seed": 1, "config": SMALLEST, "stall": 0.2},
        pytest.param(
            {"steps": 20, "seed": 5 << 40, "config": LARGER, "settings": {"rho": 0.8}},
            marks=pytest.mark.verify,
        ),
        {"steps": 30, "seed": 2, "config": SMALLEST, "settings": {"kernel": "published"}},
        pytest.param(
            {"steps": 100, "seed": 4, "config": LARGER, "stall": 0.2}, marks=pytest.mark.verify
        ),
    ],
    ids=["smallest", "larger", "published", "long"],
)
def test_bit_serial_core(case: Case) -> None:
    core = BitSerialCore(config_of(case))
    run_bench(core, __name__, case, testcase="equals_the_golden_trace")


def test_bit_serial_board() -> None:
    case = {"steps": 24, "seed": 3, "config": SMALLEST}
    board = BitSerialBoard(config_of(case), DIVISOR * 1_000_000, 1_000_000)
    run_bench(board, __name__, case, testcase="serves_a_host")


def test_bit_serial_forms_refuse_other_sizes() -> None:
    with pytest.raises(UsageError, match="set max_group_rows = 1"):
        BitSerialConfig(max_group_rows=2)
    with pytest.raises(UsageError, match="set access_bits = 1"):
        BitSerialEmulator(BitSerialConfig(Geometry(rows=16, pairs=8, access_bits=2)))
    with pytest.raises(UsageError, match="choose a baud rate"):
        SerialBridge(12, 1)
