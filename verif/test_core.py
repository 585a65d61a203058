"""The whole controller: every decision, log-posterior, code, multiplicity of the golden trace."""

from __future__ import annotations

import json
import os
import time
from dataclasses import fields
from pathlib import Path
from typing import Any

import cocotb
import numpy as np
import pytest

from ohmcarlo.golden import EXHAUSTED, RUNNING, Calibration, Registers, terms
from ohmcarlo.spec import Geometry, Points
from ohmcarlo.spec.link import Reason
from ohmcarlo_hdl.config import CoreConfig
from ohmcarlo_hdl.core.core import EmulatedCore
from ohmcarlo_hdl.core.step import controller as controller_module
from ohmcarlo_hdl.core.step import sequence
from ohmcarlo_hdl.ip.core import IpCore
from ohmcarlo_hdl.ip.ports import NATIVE
from ohmcarlo_rtl.controller.modules import EMULATED_CORE, complete_text
from problems import controller, trace, xor_points
from verif.harness import (
    BenchFailure,
    Case,
    array_stimuli,
    case_parameters,
    run_bench,
    seed_of,
    start_clock,
)
from verif.harness.core import CoreDriver, CoreTrace
from verif.harness.ip import IpDriver
from verif.harness.points import wdbc_half
from verif.harness.seeds import SEED
from verif.harness.verilog import kept_verilog
from verif.mutants.source import mutant

REASONS = {RUNNING: Reason.DONE, EXHAUSTED: Reason.EXHAUSTED}


def config_of(case: Case) -> CoreConfig:
    """The hardware of a case."""
    options = case.get("config", {})
    return CoreConfig(**(options | {"geometry": Geometry(**options.get("geometry", {}))}))


def points_of(case: Case) -> Points:
    """Its data: all or some of the features, the bias among them."""
    points = {"wdbc": wdbc_half, "xor": xor_points}[case.get("data", "wdbc")]()
    kept = [*range(case.get("features", points.features) - 1), points.features - 1]
    inputs = np.ascontiguousarray(points.inputs[:, kept])
    return Points(inputs, points.labels, points.offsets)


def calibration_of(case: Case, geometry: Geometry) -> Calibration | None:
    """Random trims and centres for every device, if the case requires them."""
    if not case.get("calibrated"):
        return None
    rng = array_stimuli(3)
    shape = (geometry.rows, geometry.row_devices)
    bad_rows = np.zeros(geometry.rows, bool)
    bad_rows[rng.choice(geometry.rows, geometry.rows // 8, replace=False)] = True
    return Calibration(
        dac=np.clip(np.arange(257) * 16 + rng.integers(-9, 10, 257), 0, 4096).astype(np.int32),
        trim_offset=rng.integers(-6, 7, shape).astype(np.int16),
        trim_gain=rng.integers(-4, 5, shape).astype(np.int8),
        centre=rng.integers(1800, 1880, shape).astype(np.uint16),
        bad_rows=bad_rows,
    )


def golden_of(case: Case, points: Points) -> Any:
    """The started golden controller of a case."""
    geometry = Geometry(**(case.get("config", {}).get("geometry", {}) | case.get("chain", {})))
    return controller(
        points,
        geometry,
        seed_of(case.get("seed", 1)),
        array=case.get("array"),
        calibration=calibration_of(case, geometry),
        **case.get("settings", {}),
    )


def first_difference(golden: dict[str, np.ndarray], found: CoreTrace) -> str:
    """The first difference between two traces, a step or a sample; empty if there is none."""
    for name in (f.name for f in fields(found) if f.name in golden):
        a, b = golden[name], getattr(found, name)
        n = min(len(a), len(b))
        unequal = np.flatnonzero((a[:n] != b[:n]).reshape(n, -1).any(1)) if n else []
        if len(unequal):
            i = int(unequal[0])
            return f"{name}[{i}]: golden {a[i]}, hardware {b[i]}"
        if len(a) != len(b):
            return f"{name}: golden has {len(a)}, hardware {len(b)}"
    return ""


OTHER_SEEDS = 1.01
"""The bound is that of a mean step: with ``SEED``, a short chain may exceed it by this factor."""


def clock_bound(registers: Registers, points: np.ndarray) -> float:
    """Clocks that docs/design.md#speed allows for a run that evaluated ``points``."""
    g = registers.geometry
    pairs = registers.sample_devices // 2 + g.entropy_pairs
    accesses = points.astype(np.int64) * g.row_group * (8 // g.access_bits)
    return float((1.1 * (4 * pairs + accesses) + 40).sum())


@cocotb.test()
async def equals_the_golden_trace(dut) -> None:  # type: ignore[no-untyped-def]
    case = case_parameters()
    points = points_of(case)
    made = golden_of(case, points)
    # two runs, so that the prepared next step is dropped and started again
    first = case["steps"] // 3
    expected = trace(made, first)
    order = np.arange(len(points), dtype=np.int32)
    if case.get("sorted"):  # hardest first, as hosts do during burn-in
        worst = terms(made.registers, points, made.state.codes[0])
        order = np.argsort(worst, kind="stable").astype(np.int32)
        made.set_order(order)
    rest = trace(made, case["steps"] - first)
    expected = {
        name: np.concatenate([expected[name], rest[name]]) if np.ndim(rest[name]) else rest[name]
        for name in rest
    }
    stall = case.get("stall", 0.0)
    parts = (dut, config_of(case), made.registers, points, made.array, stall)
    driver = IpDriver(*parts, way=case["ip"]) if "ip" in case else CoreDriver(*parts)
    if "ip" in case:  # the words of a rejected step hold no log-posterior
        expected["log_posterior"] = np.where(expected["accepted"], expected["log_posterior"], 0)
    await start_clock(dut)
    await driver.load()
    assert await driver.start() == Reason.DONE
    before = await driver.counters()
    clock = time.monotonic()
    assert await driver.run(first) == Reason.DONE
    await driver.bus.load("order", order)
    reason = await driver.run(case["steps"] - first)
    clock = time.monotonic() - clock
    assert reason == REASONS[int(expected["status"])]
    after = await driver.counters()
    found = driver.trace()
    assert not (where := first_difference(expected, found)), where
    assert 0 < found.accepted.sum() < len(found.accepted)

    done = {name: after[name] - before[name] for name in after}
    assert done["points"] == found.points.sum()
    assert done["samples"] == found.accepted.sum()
    assert done["invalid"] == (~found.valid).sum()
    assert done["set"] == done["read"]
    assert (done["dot"] == 0) == case.get("no_access", False)
    # the emulator's counter equals the ledger: prepared steps cost no pulse
    assert await driver.bus.get_counter("emulator.pulses") == made.array.ledger.set
    assert (await driver.status())["bus_error"] == 0
    await check_samples_and_rows(driver, made)
    if "report" in case:
        measured = {
            "steps": len(found.accepted),
            "clocks": done["clocks"],
            "bound": clock_bound(made.registers, found.points),
            "clocks_per_second": done["clocks"] / clock,
            "dots": done["dot"],
            "points": done["points"],
        }
        Path(case["report"]).write_text(json.dumps(measured))
    if case.get("bounded"):
        margin = OTHER_SEEDS if os.environ.get(SEED) else 1
        assert done["clocks"] <= margin * clock_bound(made.registers, found.points)


async def check_samples_and_rows(driver: CoreDriver, made: Any) -> None:
    """The flushed current samples, and the state of every row group."""
    streamed = len(driver.trace().codes)
    await driver.flush()
    found, state = driver.trace(), made.state
    assert np.array_equal(found.codes[streamed:], state.codes)
    assert np.array_equal(found.multiplicity[streamed:], state.multiplicity)
    assert np.array_equal(found.sample_log_posterior[streamed:], state.loglik + state.prior)
    assert (found.flags[streamed:] == 1).all() and (found.flags[:streamed] == 0).all()
    g = made.registers.geometry
    for group in range(0, g.groups, max(1, g.groups // 16)):
        await driver.bus.set("row.select", g.group_row(group))
        for _ in range(3):
            await driver.edge
        row = await driver.bus.get("row.status")
        assert row["bad"] == state.bad[group]
        if not state.bad[group]:
            assert row["failures"] == state.failures[group]
        assert (await driver.bus.get("row.held"))["value"] == state.held[group]


def verilog_for(config: CoreConfig) -> str:
    """Elaborated once for all the cases of a configuration, in any file."""
    return kept_verilog(lambda: EmulatedCore(config), "EmulatedCore", config)


GOLDEN = "equals_the_golden_trace"


def verilog_for_ip(config: CoreConfig) -> str:
    """The same controller within a core for other designs."""
    return kept_verilog(lambda: IpCore(config, NATIVE), "IpCore", config)


def simulate(*cases: Case, module: str = __name__, test: str = GOLDEN) -> None:
    """Run ``test`` for cases of one configuration, in one simulation."""
    config = config_of(cases[0])
    assert all(config_of(case) == config for case in cases)
    ip = "ip" in cases[0]
    text = verilog_for_ip(config) if ip else verilog_for(config)
    run_bench("IpCore" if ip else "EmulatedCore", module, cases, testcase=test, verilog_text=text)


def test_both_kernels_with_and_without_early_rejection() -> None:
    choices = [(kernel, early) for kernel in ("corrected", "published") for early in (True, False)]
    simulate(
        *(
            {
                "name": f"{kernel} {'early' if early else 'full'}",
                "steps": 1000,
                "settings": {"kernel": kernel, "early_reject": early},
                "bounded": True,
            }
            for kernel, early in choices
        )
    )


def test_hardest_first() -> None:
    """The order table changes the work, not the chain; the bound holds for short runs too."""
    simulate({"steps": 600, "sorted": True, "bounded": True})


def test_autoregressive_kernel() -> None:
    """A run that is long enough to recycle the rows of retired samples."""
    simulate({"steps": 700, "seed": (7 << 40) + 5, "settings": {"rho": 0.8}, "bounded": True})


def test_wide_steps_and_folded_coins() -> None:
    """Two chains whose every fourth step has rho = 1; a coin takes three rounds of programming."""
    simulate(
        {
            "steps": 240,
            "chain": {"regions": 2},
            "settings": {"rho": 0.8, "wide_every": 4, "fold": 3, "min_entropy": 0.7},
            "array": {"rel": 0.01},
        }
    )


def test_three_regions() -> None:
    simulate({"steps": 300, "chain": {"regions": 3}, "bounded": True})


def test_stuck_devices() -> None:
    """2 % stuck devices, 2 % device-to-device spread: rows are retired, the chain continues."""
    simulate({"steps": 1000, "array": {"stuck": 0.02, "d2d_rel": 0.02}})


def test_trims_centres_and_bad_rows() -> None:
    simulate({"steps": 300, "calibrated": True, "settings": {"rho": 0.8}})


STALLED = {"steps": 300, "stall": 0.3, "settings": {"rho": 0.8}}


def test_sample_stream_stalled_at_random() -> None:
    simulate(STALLED)


@pytest.mark.verify
def test_codes_overwritten_while_they_are_streamed_are_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A planted bug: the next sample is programmed while the last one is still streamed."""
    held = "progress.allow_sample & self._outcome.recorder_free"
    broken = mutant(sequence, {held: "progress.allow_sample"})
    monkeypatch.setattr(controller_module, "Sequence", broken.Sequence)
    with pytest.raises(BenchFailure, match="codes"):
        run_bench(EmulatedCore(config_of(STALLED)), __name__, STALLED, testcase=GOLDEN)


WIDE = {"geometry": {"rows": 512, "pairs": 16}}


def test_two_layer_network() -> None:
    """16 pairs, three hidden units: a sample in four rows."""
    settings = {"hidden": 3, "sigma_p": 2.0}
    chain = {"row_group": 4}
    simulate(
        {"steps": 300, "config": WIDE, "chain": chain, "features": 12, "settings": settings}
        | {"array": {"rel": 0.02}, "bounded": True}
    )


def test_two_regions_of_networks_with_stuck_devices() -> None:
    settings = {"hidden": 2, "sigma_p": 2.0}
    chain = {"row_group": 3, "regions": 2}
    array = {"stuck": 0.01, "d2d_rel": 0.01, "rel": 0.02}
    simulate(
        {"steps": 150, "config": WIDE, "chain": chain, "data": "xor", "settings": settings}
        | {"array": array}
    )


def test_512_by_16() -> None:
    simulate({"steps": 300, "config": WIDE, "features": 12, "bounded": True})


@pytest.mark.verify
def test_128_by_64() -> None:
    simulate({"steps": 300, "config": {"geometry": {"rows": 128, "pairs": 64}}, "bounded": True})


SMALL = {"rows": 64, "pairs": 16}


@pytest.mark.parametrize(
    "access_bits",
    [1, *(pytest.param(bits, marks=pytest.mark.verify) for bits in (2, 4, 8))],
)
def test_64_by_16_with_each_width_of_access(access_bits: int) -> None:
    """Within a core for other designs: records through the ring, and as an AXI4-Stream."""
    small = {"max_points": 512, "max_group_rows": 1, "max_regions": 1}
    config = small | {"geometry": SMALL | {"access_bits": access_bits}}
    case = {"config": config, "features": 12, "bounded": True}
    ways = {"ring": 120, "stream": 80}
    simulate(*(case | {"name": way, "ip": way, "steps": steps} for way, steps in ways.items()))


DIGITAL = {"geometry": SMALL, "max_points": 512, "digital_dots": True}


@pytest.mark.verify
@pytest.mark.parametrize(
    ("access_bits", "chain", "settings"),
    [(8, {"regions": 2}, {"rho": 0.8}), (2, {"row_group": 3}, {"hidden": 2})],
)
def test_digital_dot_products(access_bits: int, chain: Case, settings: Case) -> None:
    """The array gets no access, and the chain is that of the golden model."""
    config = DIGITAL | {"geometry": SMALL | {"access_bits": access_bits}}
    case = {"steps": 150, "config": config, "chain": chain, "features": 12, "bounded": True}
    codes = settings | {"dot_products": "codes"}
    simulate(
        case | {"name": "from codes", "settings": codes, "no_access": True},
        case | {"name": "by the array", "settings": settings},
    )


def test_until_the_array_is_full() -> None:
    """Without streaming the run ends when no row is left."""
    small = {"max_points": 512, "max_group_rows": 1, "max_regions": 1}
    config = small | {"geometry": SMALL | {"access_bits": 1}}
    settings = {"stream": False, "rho": 0.8}
    case = {"steps": 2000, "config": config, "features": 12, "settings": settings}
    simulate(case | {"ip": "stream"})


def test_coarse_converter_tiles_and_one_entropy_pair() -> None:
    """Tiles of five columns, a converter of eight bits, and four rounds of harvest for a coin."""
    geometry = SMALL | {"entropy_pairs": 1, "tile_pairs": 5, "dot_bits": 8, "dot_shift": 8}
    config = {"max_points": 512, "device_calibration": False, "geometry": geometry}
    simulate({"steps": 200, "config": config, "features": 12, "array": {"stuck": 0.002}})


@pytest.mark.verify
def test_published_modules() -> None:
    """The published form of the Verilog: controller and emulator in files of their own."""
    case: Case = {"steps": 300, "bounded": True}
    text = complete_text(EMULATED_CORE, config_of(case), "dut")
    run_bench("Published", __name__, case, testcase="equals_the_golden_trace", verilog_text=text)
