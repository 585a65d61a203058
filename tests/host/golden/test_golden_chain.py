"""The golden controller: equal traces on every path, and the use of row groups."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from ohmcarlo.errors import OhmcarloError, UsageError
from ohmcarlo.golden import EXHAUSTED, Calibration, terms
from ohmcarlo.golden.rows import first_row
from ohmcarlo.spec import LOGLIK_FRAC, TARGET_FRAC, Geometry, Points
from paths import HELPERS
from problems import controller, same_trace, trace, wdbc_points, xor_points

NETWORK = {"geometry": Geometry(row_group=4), "hidden": 3, "sigma_p": 2.0}


@pytest.mark.parametrize("kernel", ["corrected", "published"])
@pytest.mark.parametrize("rho", [1.0, 0.8])
def test_early_rejection_changes_nothing_but_the_work(kernel: str, rho: float) -> None:
    points = wdbc_points()
    runs = []
    for early in (True, False):
        made = controller(points, kernel=kernel, rho=rho, early_reject=early)
        runs.append(trace(made, 600))
    assert runs[0]["accepted"].any() and not runs[0]["accepted"].all()
    assert same_trace(*runs, but=("points",))
    assert runs[0]["points"].sum() < 0.99 * runs[1]["points"].sum()
    assert (runs[1]["points"][runs[1]["valid"]] == len(points)).all()


def test_hardest_first_changes_nothing_but_the_work() -> None:
    points = wdbc_points()
    plain, sorted_ = controller(points), controller(points)
    first = [trace(c, 300) for c in (plain, sorted_)]
    order = np.argsort(terms(sorted_.registers, points, sorted_.state.codes[0]), kind="stable")
    sorted_.set_order(order.astype(np.int32))
    second = [trace(c, 700) for c in (plain, sorted_)]
    assert same_trace(*first) and same_trace(*second, but=("points",))
    share = second[1]["points"].mean() / len(points)
    assert share <= 0.45 < second[0]["points"].mean() / len(points)


def test_order_table_must_be_a_permutation() -> None:
    made = controller(wdbc_points())
    with pytest.raises(UsageError, match="every point once"):
        made.set_order(np.zeros(285, np.int32))


@pytest.mark.parametrize("exact", [True, False])
@pytest.mark.parametrize(
    "case",
    [
        {},
        {"rho": 0.8},
        {"rho": 0.8, "wide_every": 3, "geometry": Geometry(regions=2)},
        {"kernel": "published"},
        {"geometry": Geometry(regions=3)},
        {"geometry": Geometry(entropy_pairs=1)},
        {"fold": 3, "min_entropy": 0.7},
        {"array": {"stuck": 0.02, "d2d_rel": 0.02}},
        NETWORK,
    ],
    ids=lambda c: "-".join(c) or "default",
)
def test_operation_by_operation_gives_the_compiled_trace(case: dict, exact: bool) -> None:
    points = xor_points() if "hidden" in case else wdbc_points()
    fast = controller(points, **case)
    slow = controller(points, slow=exact, **case)
    assert same_trace(trace(fast, 250), trace(slow, 250))
    assert np.array_equal(fast.array.ledger.counts, slow.array.ledger.counts)
    assert np.array_equal(fast.array.ledger.wear, slow.array.ledger.wear)


def test_wide_steps_come_to_every_chain_alike() -> None:
    """One step in ``n`` of each chain, although ``n`` and the number of chains share a factor."""
    regions, every = 2, 4
    geometry = Geometry(regions=regions)
    made = controller(wdbc_points(), geometry, slow=True, rho=0.8, wide_every=every)
    seen = []
    program = made.array.inner.program

    def note(row: int, devices: np.ndarray, dac: np.ndarray) -> np.ndarray:
        if devices[0] == 0:  # the sample, not the coin
            region, code = row // 128, made.state.codes[row // 128, 0]
            target = dac[0] / (1 << TARGET_FRAC)  # an ideal array's table is the identity
            middle = made.machine.mid / (1 << TARGET_FRAC)
            seen.append((region, abs(target - code) < abs(target - middle - 0.8 * (code - middle))))
        return program(row, devices, dac)

    made.array.program = note
    for _ in range(6 * every):  # in runs of one step
        trace(made, 1)
    order = [(i % regions, i // regions % every == every - 1) for i in range(len(seen))]
    assert len(seen) == 6 * every * regions and seen == order


def test_without_wide_steps_the_trace_is_that_of_rho_alone() -> None:
    """Wide steps change an autoregressive chain, and a random walk not at all."""
    points = wdbc_points()
    for rho in (1.0, 0.8):
        plain, mixed = (
            trace(controller(points, rho=rho, wide_every=every), 200) for every in (0, 5)
        )
        assert same_trace(plain, mixed) == (rho == 1.0)


def test_other_seed_other_trace() -> None:
    points = wdbc_points()
    a, b = (trace(controller(points, seed=s), 100) for s in (1, 2))
    assert not same_trace(a, b)


def test_uncompiled_python_gives_the_compiled_trace(tmp_path: Path) -> None:
    """The integers must not depend on machine types: plain Python integers give the same ones."""
    code = (
        "import sys; from problems import *\n"
        "np.savez(sys.argv[1], **trace(controller(wdbc_points(), rho=0.8), 3))"
    )
    env = {**os.environ, "NUMBA_DISABLE_JIT": "1"}
    env["PYTHONPATH"] = os.pathsep.join([str(HELPERS), *filter(None, [env.get("PYTHONPATH")])])
    command = [sys.executable, "-W", "ignore", "-c", code, str(tmp_path / "trace.npz")]
    run = subprocess.run(command, env=env, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    with np.load(tmp_path / "trace.npz") as uncompiled:
        assert same_trace(dict(uncompiled), trace(controller(wdbc_points(), rho=0.8), 3))


def test_checkpoint_goes_on_bit_for_bit() -> None:
    points = wdbc_points()
    case = {"geometry": Geometry(regions=2), "array": {"stuck": 0.01}, "rho": 0.8, "wide_every": 7}
    straight = controller(points, **case)
    first = trace(straight, 200)
    resumed = controller(points, **case)
    assert same_trace(first, trace(resumed, 200))
    state = {k: v.copy() for k, v in resumed.state_dict().items()}
    other = controller(points, seed=1, **case)
    other.load_state_dict(state)
    rest = [trace(c, 300) for c in (straight, other)]
    assert same_trace(*rest)
    assert np.array_equal(straight.array.state.codes, other.array.state.codes)


def test_a_rejected_row_is_never_programmed_twice_in_a_row() -> None:
    made = controller(wdbc_points(), geometry=Geometry(rows=64, pairs=24), slow=True)
    rows: list[int] = []
    program = made.array.inner.program
    made.array.program = lambda row, devices, dac: (rows.append(row), program(row, devices, dac))[1]
    trace(made, 2000)
    visited = np.array(rows).reshape(-1, 2)  # coin, then sample
    assert (visited[:, 0] == visited[:, 1]).all()
    assert (np.diff(visited[:, 0]) != 0).all()


def test_current_sample_and_ring_match_the_array() -> None:
    """The rows of the array hold the samples that the controller assumes to be there."""
    made = controller(wdbc_points(), geometry=Geometry(rows=64, pairs=24))
    streamed = trace(made, 3000)
    rows, multiplicity, codes = made.held_samples()
    assert len(np.unique(rows)) == len(rows)
    current = first_row(made.machine, made.state.group[0])
    at = int(np.flatnonzero(rows == current)[0])
    assert np.array_equal(codes[at], made.state.codes[0])
    assert multiplicity[at] == made.state.multiplicity[0]
    pairs = zip(streamed["codes"], streamed["multiplicity"], strict=True)
    emitted = {tuple(c): m for c, m in pairs}
    for i in range(len(rows)):
        if i != at:
            assert emitted[tuple(codes[i])] == multiplicity[i]


def test_multiplicities_count_every_step_once() -> None:
    made = controller(wdbc_points(), geometry=Geometry(regions=3))
    t = trace(made, 400)
    for region in range(3):
        total = t["multiplicity"][t["sample_chain"] == region].sum()
        assert total + made.state.multiplicity[region] == 400 + 1  # the first sample is step zero
        assert (t["chain"] == region).sum() == 400


def test_without_streaming_the_run_ends_when_the_array_is_full() -> None:
    made = controller(wdbc_points(), geometry=Geometry(rows=64, pairs=24), stream=False)
    t = trace(made, 5000)
    assert t["status"] == EXHAUSTED
    assert len(t["codes"]) == 64 - 1 - 1  # the last sample is current, and one row must stay free
    assert len(t["accepted"]) < 5000


def test_wear_spreads_over_the_rows() -> None:
    made = controller(wdbc_points())
    trace(made, 20_000)
    wear = made.array.ledger.wear[:, :32].max(1)
    assert wear.min() > 0.2 * wear.mean() and wear.max() < 2.5 * wear.mean()


def test_stuck_rows_are_retired_and_the_chain_goes_on() -> None:
    made = controller(wdbc_points(), array={"stuck": 0.01})
    t = trace(made, 3000)
    stuck = made.array.state.stuck >= 0
    stuck[:, 32:56] = False  # pairs that neither a feature nor the coin uses
    planted = set(np.flatnonzero(stuck.any(1)))
    assert planted and set(made.bad_rows()) == planted
    assert t["accepted"].mean() > 0.05
    assert (t["codes"] >= 20).all() and (t["codes"] <= 1022).all()
    healthy = trace(controller(wdbc_points()), 3000)
    half = len(t["log_posterior"]) // 2
    gap = t["log_posterior"][half:].mean() - healthy["log_posterior"][half:].mean()
    assert abs(gap) / (1 << LOGLIK_FRAC) < 3.0


def test_samples_near_the_end_of_the_range_retire_no_healthy_row() -> None:
    """100 µS per unit of weight and a flat likelihood: read-backs beyond the range are common."""
    empty = Points.of(np.zeros((0, 8), np.int8))
    made = controller(empty, gamma_us=100.0, sigma_p=1.5, tau_us=100.0)
    t = trace(made, 5000)
    assert (~t["valid"]).sum() > 20 and len(t["valid"]) == 5000
    assert made.bad_rows() == []


def test_all_rows_bad_is_an_error_not_a_hang() -> None:
    with pytest.raises((OhmcarloError, UsageError), match=r"out of service|bad row"):
        controller(wdbc_points(), array={"stuck": 0.5})


def test_known_bad_rows_are_never_programmed() -> None:
    bad = np.zeros(256, bool)
    bad[10:200] = True
    made = controller(wdbc_points(), calibration=Calibration(bad_rows=bad))
    trace(made, 2000)
    assert made.array.ledger.wear[bad].sum() == 0
    assert len(made.bad_rows()) == 190


def test_per_device_centre_moves_the_proposal() -> None:
    """With rho < 1 and a flat likelihood, devices settle around their own centres."""
    empty = Points.of(np.zeros((0, 8), np.int8))
    rng = np.random.default_rng(3)
    centre = np.rint(rng.uniform(90, 140, 64) / 0.0625).astype(np.uint16)
    calibration = Calibration(centre=np.tile(centre, (256, 1)))
    made = controller(empty, rho=0.5, sigma_p=1e3, tau_us=1e3, gamma_us=50, calibration=calibration)
    t = trace(made, 4000)
    mean = np.average(t["codes"], axis=0, weights=t["multiplicity"]) * 0.25
    # The Hastings term compensates for the pull of the proposal, so a flat target stays flat. The
    # centre is visible in the proposals, not in the samples.
    dac = made.state.dac * 0.0625
    expected = centre[:16] * 0.0625 + 0.5 * (made.state.codes[0] * 0.25 - centre[:16] * 0.0625)
    assert np.abs(dac - expected).max() < 60  # the last proposal started from an earlier sample
    assert np.isfinite(mean).all()


@pytest.mark.parametrize("shape", [(512, 16), (128, 64), (64, 16)])
def test_other_shapes(shape: tuple[int, int]) -> None:
    rows, pairs = shape
    points = wdbc_points(7)
    t = trace(controller(points, geometry=Geometry(rows=rows, pairs=pairs)), 300)
    assert 0.03 < t["accepted"].mean() < 0.6


def test_access_bits_do_not_change_the_chain_at_full_resolution() -> None:
    points = wdbc_points()
    runs, accesses = [], []
    for bits in (1, 2, 4, 8):
        made = controller(points, geometry=Geometry(access_bits=bits))
        runs.append(trace(made, 200))
        accesses.append(made.array.ledger.dot)
    assert all(same_trace(runs[0], r) for r in runs[1:])
    assert accesses == [accesses[-1] * n for n in (8, 4, 2, 1)]


def test_a_coarse_converter_changes_the_chain() -> None:
    points = wdbc_points()
    fine = trace(controller(points), 200)
    for bits in (1, 8):
        g = Geometry(access_bits=bits, dot_bits=8, dot_shift=6 if bits == 1 else 12)
        coarse = trace(controller(points, geometry=g), 200)
        assert not same_trace(fine, coarse)


def test_network_learns_what_a_line_cannot() -> None:
    points = xor_points()
    accuracy = {}
    for hidden in (0, 3):
        g = Geometry(row_group=hidden + 1)
        settings = {"hidden": hidden, "sigma_p": 2.0, "array": {"rel": 0.02}}
        made = controller(points, geometry=g, **settings)
        trace(made, 3000)
        t = trace(made, 2000)
        mean, _ = predicted(made, points, t)
        accuracy[hidden] = ((mean > 0.5) == points.labels).mean()
    assert accuracy[3] > 0.95 and accuracy[0] < 0.75


def predicted(made, points, t):  # type: ignore[no-untyped-def]
    from ohmcarlo.golden import predict

    return predict(made.registers, points, t["codes"], t["multiplicity"])


def test_external_likelihood() -> None:
    """A likelihood from outside, which fixes w0 at 1 ± 0.1."""
    empty = Points.of(np.zeros((0, 2), np.int8))
    registers = None

    def external(codes: np.ndarray) -> int:
        w = registers.weights(codes.astype(np.uint16))  # type: ignore[attr-defined]
        return int(-(((w[0] - 1.0) / 0.1) ** 2) / 2 * (1 << LOGLIK_FRAC))

    from ohmcarlo.array import EmulatedArray
    from ohmcarlo.golden import Controller, SamplerSettings

    array = EmulatedArray(Geometry(), 5)
    registers = SamplerSettings().registers(Geometry(), 2, array.sigma_us)
    made = Controller(registers, array, empty, external)
    made.start()
    trace(made, 1000)
    t = trace(made, 20_000)
    w = registers.weights(t["codes"])
    mean = np.average(w, axis=0, weights=t["multiplicity"])
    spread = np.sqrt(np.average((w - mean) ** 2, axis=0, weights=t["multiplicity"]))
    # closed form: N(1, 0.1²) times the prior N(0, 1)
    assert abs(mean[0] - 1 / 1.01) < 0.02 and abs(spread[0] - 0.0995) < 0.02
    assert abs(mean[1]) < 0.3 and abs(spread[1] - 1.0) < 0.25
    assert made.array.ledger.dot == 0


def test_registers_and_points_must_agree() -> None:
    from ohmcarlo.array import EmulatedArray
    from ohmcarlo.golden import Controller, SamplerSettings

    array = EmulatedArray(Geometry(), 5)
    registers = SamplerSettings().registers(Geometry(), 12, array.sigma_us)
    with pytest.raises(UsageError, match="16 inputs, the registers are set for 12"):
        Controller(registers, array, wdbc_points())
    with pytest.raises(UsageError, match="start"):
        Controller(registers, array, wdbc_points(11)).run(1)
