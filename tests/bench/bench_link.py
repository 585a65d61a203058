"""Benchmark of the simulated board: training speed, and commands over a faulty line.

The trace of a training run is compared with that of the golden model. Then 100,000 commands (a SET
and a READ each) go over lines that corrupt frames in both directions; no command may be lost or
executed twice.
"""

from __future__ import annotations

import sys
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "helpers"))
from faults import FaultyPort
from ohmcarlo.array.emulated import EmulatedArray
from ohmcarlo.boards import SerialBoard
from ohmcarlo.boards.link.ports import SimulatedPort, build_simulated
from ohmcarlo.boards.link.remote import OPERATION, READ, SET
from ohmcarlo.runs.config import TrainConfig
from ohmcarlo.runs.supervised.experiment import build_supervised
from ohmcarlo.runs.train import train
from ohmcarlo.spec import DAC_MAX, Geometry
from ohmcarlo.spec.link import Message

COMMANDS = 100_000
SHOWN_EVERY = 20_000
STEPS = 4000


def commands(probability: float) -> None:
    """Send the commands one by one, with a window of them under way, and check their effects."""
    geometry = Geometry()
    array, twin = (EmulatedArray(geometry, 7) for _ in range(2))
    port = FaultyPort(SimulatedPort(build_simulated(geometry, print)), probability, seed=7)
    rng = np.random.default_rng(7)
    rows = rng.integers(0, geometry.rows, COMMANDS)
    devices = rng.integers(0, geometry.row_devices, COMMANDS)
    dac = rng.integers(0, DAC_MAX + 1, COMMANDS)
    with closing(SerialBoard(port, array, "rtl")) as board:
        board.raw_array()
        clocks = board.identification["clocks"]
        operations = np.zeros((COMMANDS, 2), OPERATION)
        operations["operation"] = SET, READ
        operations["row"], operations["device"] = rows[:, None], devices[:, None]
        operations["dac"][:, 0] = dac
        wanted = (
            twin.program(int(row), np.array([device], np.int32), np.array([code], np.int32))
            for row, device, code in zip(rows, devices, dac, strict=True)
        )
        began = time.perf_counter()
        answers = board.link.requests((Message.OPERATE, each.tobytes()) for each in operations)
        for i, (answer, code) in enumerate(zip(answers, wanted, strict=True), 1):
            assert int.from_bytes(answer, "little") == code[0], f"command {i}"
            if i % SHOWN_EVERY == 0:
                print(f"  {i:,} commands, {time.perf_counter() - began:.0f} s", flush=True)
        taken = time.perf_counter() - began
        pulses = board.remote.read_counters(["emulator.pulses", "counters.read"])
        assert pulses == {"emulator.pulses": COMMANDS, "counters.read": COMMANDS}, pulses
        clocks = board.link.open()["clocks"] - clocks
        counters = board.link.counters
    print(
        f"{COMMANDS:,} commands, {probability:g} of the frames spoilt: {taken:.0f} s, "
        f"{COMMANDS / taken:,.0f} commands/s, {clocks / taken / 1e6:.2f} M clocks/s"
    )
    print(f"  faults {dict(port.done)}\n  link {counters.to_dict()}")


def training() -> None:
    """Measure steps and clocks per second, and compare the chain with that of the model."""
    rtl = TrainConfig("breast-cancer", backend="rtl", steps=STEPS, whiten=True, rho=0.8)
    with closing(build_supervised(rtl)):
        pass  # builds the board and imports everything
    began = time.perf_counter()
    found, model = train(rtl), train(replace(rtl, backend="model"))
    for name, values in model.trace.arrays().items():
        assert np.array_equal(found.trace.arrays()[name], values), name
    values = found.values
    seconds = values["wall_seconds"]
    print(
        f"training on the simulated board: {STEPS:,} steps in {seconds:.1f} s "
        f"({STEPS / seconds:.0f} a second; golden model "
        f"{STEPS / model.values['wall_seconds']:,.0f}), {values['clock_cycles']:,} clocks of the "
        f"controller ({values['clock_cycles'] / STEPS:.0f} a step, "
        f"{values['clock_cycles'] / seconds / 1e6:.2f} M a second); trace equal to the model's; "
        f"all in all {time.perf_counter() - began:.0f} s"
    )


if __name__ == "__main__":
    training()
    for probability in (1e-3, 1e-2):
        commands(probability)
