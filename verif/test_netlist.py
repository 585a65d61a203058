"""Netlists of the FPGA families: the benches that the source passes, and a chain of steps.

``make test`` runs one bench of iCE40 and ECP5, ``make verify`` and ``make netlist`` all of them. Of
Gowin and GateMate, ``make verify`` runs a few benches and the chain of the bit-serial controller.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from verif import (
    test_acceptance,
    test_bit_serial,
    test_core,
    test_counters,
    test_emulator,
    test_entropy_unit,
    test_fifo,
    test_gauss,
    test_likelihood,
    test_neg_log,
    test_orders,
    test_pricing,
    test_programmer,
    test_proposal,
    test_recorder,
    test_rows,
    test_sequencer,
    test_threefry,
)
from verif.harness import BenchFailure, building, run_bench
from verif.harness.model import SOURCE
from verif.netlist import ECP5, FLOWS, OTHERS, Flow, Netlist
from verif.netlist.faults import FlippedBit, FlippedMemoryBit

BENCHES: dict[str, Callable[[], None]] = {
    "acceptance": test_acceptance.test_acceptance,
    "counters": test_counters.test_counters,
    "emulator": lambda: test_emulator.test_emulator("small", False, 36, 4),
    "entropy": lambda: test_entropy_unit.test_equals_golden(1),
    "entropy-promises": lambda: test_entropy_unit.test_promises(1),
    "fifo": test_fifo.test_fifo,
    "gauss": test_gauss.test_gauss,
    "likelihood": lambda: test_likelihood.test_likelihood("logistic"),
    "likelihood-network": lambda: test_likelihood.test_likelihood("planes"),
    "neg-log": test_neg_log.test_neg_log,
    "orders": test_orders.test_orders,
    "pricing": lambda: test_pricing.test_pricing("reference"),
    "pricing-bit-serial": lambda: test_pricing.test_pricing("bit-serial"),
    "programmer": test_programmer.test_operations,
    "proposal": lambda: test_proposal.test_proposal(True),
    "proposal-bit-serial": test_proposal.test_bit_serial_proposal,
    "pulse-law": test_emulator.test_pulse_law,
    "recorder": test_recorder.test_recorder,
    "rows": lambda: test_rows.test_rows(1),
    "sequencer": lambda: test_sequencer.test_sequencer("guarded"),
    "threefry": lambda: test_threefry.test_threefry("iterative"),
}
# `make test` runs one of each family: arithmetic, and memory with tables
CHOICE = [("ice40", "acceptance"), ("ecp5", "neg-log")]
ALL = [
    pytest.param(flow, bench, marks=() if (flow, bench) in CHOICE else pytest.mark.verify)
    for flow in FLOWS
    for bench in BENCHES
]
# arithmetic, memory with tables, memory with bytes, distributed memory
SHORT = ("acceptance", "neg-log", "emulator", "fifo")
STEPS = 50
LONG = SOURCE.optimisation  # a long chain justifies the compile time
CORE = {
    "max_points": 512, "max_group_rows": 1, "max_regions": 1, "device_calibration": False,
    "geometry": {"rows": 64, "pairs": 16, "access_bits": 1},
}  # fmt: skip


@pytest.mark.parametrize(("flow", "bench"), ALL)
def test_block(flow: str, bench: str) -> None:
    with building(Netlist(FLOWS[flow])):
        BENCHES[bench]()


@pytest.mark.verify
@pytest.mark.parametrize("flow", OTHERS)
@pytest.mark.parametrize("bench", SHORT)
def test_block_of_another_family(flow: str, bench: str) -> None:
    with building(Netlist(OTHERS[flow])):
        BENCHES[bench]()


@pytest.mark.verify
@pytest.mark.parametrize("flow", (FLOWS | OTHERS).values(), ids=lambda f: f.name)
def test_chain(flow: Flow) -> None:
    """The bit-serial controller with its array: every sample of the golden trace."""
    case = {"steps": STEPS, "seed": 1, "config": test_bit_serial.SMALLEST, "stall": 0.0}
    with building(Netlist(flow, optimisation=LONG)):
        test_bit_serial.test_bit_serial_core(case)


@pytest.mark.verify
@pytest.mark.parametrize("flow", FLOWS)
def test_chain_of_the_whole_controller(flow: str) -> None:
    """Every step's decision, points and log-posterior, every sample."""
    case = {"steps": STEPS, "config": CORE, "features": 12}
    core = test_core.EmulatedCore(test_core.config_of(case))
    with building(Netlist(FLOWS[flow], optimisation=LONG)):
        run_bench(core, "verif.test_core", case, testcase="equals_the_golden_trace")


# A single bit may be unreachable. Of so many, at least one must be found.
MUTANTS = 4


def finds(bench: str, netlists: list[Netlist]) -> bool:
    """Whether the bench fails with one of ``netlists``, for another reason than a broken build.

    Without a change, it passes.
    """
    assert netlists
    with building(Netlist(netlists[0].flow)):
        BENCHES[bench]()
    for netlist in netlists:
        try:
            with building(netlist):
                BENCHES[bench]()
        except BenchFailure:
            return True
    return False


@pytest.mark.verify
def test_flipped_bit_of_a_lookup_table() -> None:
    assert finds("neg-log", [Netlist(ECP5, FlippedBit(ECP5, s)) for s in range(MUTANTS)])


@pytest.mark.verify
def test_flipped_bit_of_a_memory() -> None:
    assert finds("neg-log", [Netlist(ECP5, FlippedMemoryBit(s)) for s in range(MUTANTS)])
