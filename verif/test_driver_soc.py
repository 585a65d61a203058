"""The driver in C on a processor with an AXI4-Lite master beside the IP core: WDBC, 200 steps.

Records and predictions are compared with the golden model.
"""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import cocotb
import numpy as np
import pytest
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge, First, RisingEdge, Timer

from ohmcarlo.boards import ModelBoard
from ohmcarlo.golden.controller import prediction_sums
from ohmcarlo.runs.config import TrainConfig
from ohmcarlo.spec.link import RECORD_SAMPLE, RECORD_STEP
from ohmcarlo_hdl.config import CoreConfig
from ohmcarlo_hdl.ip.ports import AXI4_LITE
from ohmcarlo_hdl.regs.map import register_map
from ohmcarlo_hdl.soc.cpu import picorv32_verilog
from ohmcarlo_rtl.controller.ip import ip_text
from ohmcarlo_rtl.driver.job import Job, training_job
from verif.driver_soc.program import HERE, linked, other_map, program_files, words_of
from verif.harness import run_bench
from verif.harness.cases import case_parameters
from verif.harness.streams import PERIOD_NS

pytestmark = [pytest.mark.hdl, pytest.mark.verify]

CONFIG = CoreConfig(max_points=512, max_group_rows=1, max_regions=2, device_calibration=False)
TRAIN = TrainConfig("breast-cancer", steps=200, whiten=True)
LOAD_WORDS = 32
LIMIT_CLOCKS = 12_000_000
CHARACTER, WORD, EXIT, ERROR = range(4)  # ports of the console
EXIT_MASK = (1 << 32) - 1


@cache
def job() -> Job:
    return training_job(CONFIG, TRAIN)


def system() -> str:
    """Verilog of the test system."""
    bits = register_map(CONFIG, True, ip=True).addr_width + 2
    text = (HERE / "soc.v").read_text().replace("ADDR_WIDTH", str(bits))
    return "\n".join([text, picorv32_verilog(), ip_text(CONFIG, AXI4_LITE, streams=False)])


def run_program(words: list[int], folder: Path) -> dict[str, Any]:
    """Run a program; what it wrote to the console, by port, and the clocks."""
    given, taken = folder / "program.json", folder / "console.json"
    given.write_text(json.dumps(words))
    case = {"program": str(given), "console": str(taken)}
    run_bench("driver_soc", __name__, case, verilog_text=system())
    return json.loads(taken.read_text())


@cocotb.test()
async def program(dut: Any) -> None:
    case = case_parameters()
    words = json.loads(Path(case["program"]).read_text())
    dut.rst.value, dut.load.value = 1, 0
    Clock(dut.clk, PERIOD_NS, "ns", impl="gpi").start(start_high=False)
    await load(dut, words)
    dut.rst.value = 0
    console: dict[str, Any] = {"text": "", "words": [], "errors": [], "exit": None}
    end = Timer(LIMIT_CLOCKS * PERIOD_NS, "ns")
    trap = RisingEdge(dut.trap)
    while console["exit"] is None:
        happened = await First(RisingEdge(dut.out_valid), trap, end)
        assert happened is not end, f"no end; {console['text']!r}, {len(console['words'])} words"
        assert happened is not trap, "the processor trapped"
        await FallingEdge(dut.clk)
        port, word = int(dut.out_port.value), int(dut.out_data.value)
        if port == CHARACTER:
            console["text"] += chr(word)
        elif port == WORD:
            console["words"].append(word)
        elif port == EXIT:
            console["exit"] = word
        else:
            console["errors"].append(word)
    console["clocks"] = cocotb.utils.get_sim_time("ns") / PERIOD_NS
    Path(case["console"]).write_text(json.dumps(console))


async def load(dut: Any, words: list[int]) -> None:
    dut.load.value = 1
    for block in range(0, len(words), LOAD_WORDS):
        part = words[block : block + LOAD_WORDS]
        await FallingEdge(dut.clk)
        dut.load_block.value = block // LOAD_WORDS
        dut.load_words.value = sum(word << 32 * i for i, word in enumerate(part))
    await FallingEdge(dut.clk)
    await FallingEdge(dut.clk)
    dut.load.value = 0


class Words:
    """Takes numbers from what a program sent."""

    def __init__(self, words: list[int]) -> None:
        self.words = iter(words)

    def one(self) -> int:
        return next(self.words)

    def wide(self) -> int:
        value = self.one() | self.one() << 32
        return value - (value >> 63 << 64)

    def step(self) -> tuple[int, ...]:
        flags, points, log_posterior = self.one(), self.one(), self.wide()
        return flags & 1, flags >> 1 & 1, flags >> 2, points, log_posterior

    def sample(self) -> tuple[Any, ...]:
        flags, multiplicity, log_posterior = self.one(), self.one(), self.wide()
        pairs = [self.one() for _ in range(self.one())]
        codes = tuple(c for pair in pairs for c in (pair & 0x3FF, pair >> 16))
        return flags & 1, flags >> 1, multiplicity, log_posterior, codes

    def means(self, points: int) -> tuple[int, list[int]]:
        return self.one(), [self.one() for _ in range(points)]


def sent_trace(words: list[int], job: Job) -> dict[str, Any]:
    stream = Words(words)
    steps, samples = [], []
    while kind := stream.one():
        (steps if kind == RECORD_STEP else samples).append(
            stream.step() if kind == RECORD_STEP else stream.sample()
        )
        assert kind in (RECORD_STEP, RECORD_SAMPLE)
    test = stream.means(len(job.test_points))
    assert stream.one() == 0
    trained = stream.means(len(job.points))
    return {"steps": steps, "samples": samples, "test": test, "trained": trained}


def golden_trace(job: Job) -> dict[str, Any]:
    """The same from the golden model, with the mean of a probability as an integer quotient."""
    board = ModelBoard(fresh_array(job))
    board.configure(job.registers, job.points)
    board.start()
    block = board.run(job.steps)
    accepted = block.accepted.astype(int)
    steps = zip(accepted.tolist(), block.valid.astype(int).tolist(), block.chain.tolist(),
                block.points.tolist(), (block.log_posterior * accepted).tolist(),
                strict=True)  # fmt: skip
    codes = [tuple(row) for row in block.codes.tolist()]
    retired = zip([0] * len(codes), block.sample_chain.tolist(), block.multiplicity.tolist(),
                  block.sample_log_posterior.tolist(), codes, strict=True)  # fmt: skip
    codes_now, multiplicity, log_posterior = board.current()
    current = [
        (1, region, int(multiplicity[region]), int(log_posterior[region]), tuple(row))
        for region, row in enumerate(codes_now.tolist())
    ]
    _, held, samples = board.controller.held_samples()

    def means(points: Any) -> tuple[int, list[int]]:
        sums, total = prediction_sums(job.registers, points, samples, held)
        return total, [int(s) // total for s in sums[:, 0]]

    return {
        "steps": list(steps),
        "samples": [*retired, *current],
        "test": means(job.test_points),
        "trained": means(job.points),
    }


def fresh_array(job: Job) -> Any:
    """The array before its first step, again."""
    array = training_job(job.config, TRAIN).array
    assert np.array_equal(array.state.counter, job.array.state.counter)
    return array


def test_wdbc_through_the_driver(tmp_path: Path) -> None:
    """Bring-up with its errors, then 200 steps with interrupts, and predictions in the array."""
    console = run_program(words_of(linked(program_files(job(), "trace.c"))), tmp_path)
    assert (console["exit"], console["errors"]) == (0, [])
    found, expected = sent_trace(console["words"], job()), golden_trace(job())
    for part, value in expected.items():
        assert found[part] == value, part
    assert len(found["steps"]) == 200 and sum(s[0] for s in found["steps"]) > 20
    other = replace(job(), registers=replace(job().registers, rho=job().registers.rho - 1))
    assert golden_trace(other)["steps"] != found["steps"], "control: a proposal that differs a bit"


def test_the_example_trains_and_predicts(tmp_path: Path) -> None:
    """The printed numbers of main.c are those of the golden model."""
    console = run_program(words_of(linked(program_files(job()))), tmp_path)
    assert (console["exit"], console["errors"]) == (0, [])
    expected = golden_trace(job())
    total, means = expected["test"]
    labels = job().test_labels.tolist()
    right = sum((mean >= 1 << 15) == label for mean, label in zip(means, labels, strict=True))
    assert console["text"].splitlines() == [
        "steps: 200",
        f"accepted: {sum(s[0] for s in expected['steps'])}",
        f"samples: {len(expected['samples']) - 1}",
        f"samples in the array: {total}",
        f"test points: {len(labels)}",
        f"right answers: {right}",
    ]
    assert right > 0.93 * len(labels)


def test_another_register_map(tmp_path: Path) -> None:
    files = other_map(program_files(job()), job())
    console = run_program(words_of(linked(files)), tmp_path)
    assert console["text"] == "error: OTHER_MAP\n"
    assert console["exit"] not in (None, 0)
