"""Characterisation recovers planted properties, and its trim removes device differences."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ohmcarlo.array.characterize.characterization import Characterization
from ohmcarlo.array.characterize.evaluation import characterize
from ohmcarlo.array.characterize.measure import trimmed_dac
from ohmcarlo.array.emulated import EmulatedArray
from ohmcarlo.array.physics import PhysicsArray
from ohmcarlo.array.presets import get_preset
from ohmcarlo.errors import UsageError
from ohmcarlo.runs.characterize import advice
from ohmcarlo.spec import Geometry, dac_of, identity_dac

GEOMETRY = Geometry(rows=32, pairs=32)


def planted(**values: float) -> PhysicsArray:
    """σ = 5 % of g and the named effects."""
    return PhysicsArray(GEOMETRY, get_preset("relative-5pct").with_values(**values), 21)


@pytest.fixture(scope="module")
def ideal() -> Characterization:
    return characterize(planted())


# -- recovery --------------------------------------------------------------------------------


@pytest.mark.stats
def test_ideal_array(ideal: Characterization):
    assert ideal.mean_us == pytest.approx(ideal.targets_us, rel=0.002)
    assert ideal.sigma_us_at == pytest.approx(0.05 * ideal.targets_us, rel=0.03)
    assert ideal.d2d_rel < 0.004
    assert abs(ideal.common_offset_rel) < 0.001
    assert abs(ideal.cycle_correlation) < 0.01
    assert ideal.read_noise_rel == 0
    assert ideal.sigma_spread_ln < 0.05
    assert not ideal.dead.any()
    assert ideal.random_walk


def test_sigma_is_continued_beyond_the_targets(ideal: Characterization):
    assert ideal.sigma_nodes_us.shape == (257,)
    for g in (20.0, 30.0, 115.0, 200.0, 250.0):
        assert ideal.sigma_us(np.array([g]))[0] == pytest.approx(0.05 * g, rel=0.06)


@pytest.mark.stats
@pytest.mark.parametrize("d2d_rel", [0.02, 0.05])
def test_device_to_device(d2d_rel: float):
    found = characterize(planted(d2d_rel=d2d_rel))
    assert found.d2d_rel == pytest.approx(d2d_rel, rel=0.08)
    assert found.d2d_us == pytest.approx(d2d_rel * found.targets_us, rel=0.12)


@pytest.mark.stats
def test_correlation():
    found = characterize(planted(slow_share=0.6, slow_phi=0.5), cycles=40)
    assert found.cycle_correlation == pytest.approx(0.3, abs=0.02)


@pytest.mark.stats
def test_read_noise():
    assert characterize(planted(read_noise_rel=0.01)).read_noise_rel == pytest.approx(0.01, rel=0.1)


@pytest.mark.stats
def test_read_noise_decides_the_dot_products(ideal: Characterization):
    """σ(read)² / σ(SET)² is 0.16 and 0.01."""
    noisy, quiet = (characterize(planted(read_noise_rel=noise)) for noise in (0.02, 0.005))
    assert noisy.excess_spread == pytest.approx(0.16, rel=0.15)
    assert (noisy.dot_products, quiet.dot_products) == ("codes", "array")
    assert ideal.dot_products == "array" and ideal.excess_spread == 0
    assert "dot products: use codes; those of the array" in noisy.summary()[-1]
    assert "use --dot-products codes" in advice(noisy, noisy)
    assert "--dot-products" not in advice(quiet, quiet)


@pytest.mark.stats
def test_spread_of_sigma():
    found = characterize(planted(c2c_device_ln=0.4), cycles=40)
    assert found.sigma_spread_ln == pytest.approx(0.4, rel=0.1)


@pytest.mark.stats
def test_sigma_law_of_the_chip():
    """Derived from the sweep ``RADAR``: 13.8 µS at 97.5, 11.1 at 119.8, 8.0 at 152.6."""
    array = PhysicsArray(GEOMETRY, "rram-1t1r", 22, d2d=False, correlation=False, stuck=False)
    found = characterize(array, cycles=30)
    for g, sigma in ((97.5, 13.8), (119.8, 11.1), (152.6, 8.0)):
        assert found.sigma_us(np.array([g]))[0] == pytest.approx(sigma, rel=0.07)


@pytest.mark.stats
def test_common_offset_decides_the_kernel(ideal: Characterization):
    one_percent = EmulatedArray(GEOMETRY, 23, median_gain=0.99)
    found = characterize(one_percent)
    assert found.common_offset_rel == pytest.approx(-0.01, abs=0.001)
    assert not found.random_walk
    assert any("use rho < 1" in line for line in found.summary())
    assert any("random walk (rho = 1) is suitable" in line for line in ideal.summary())
    left = characterize(one_percent, trim=found)
    assert abs(left.common_offset_rel) < 0.002
    assert left.random_walk


@pytest.mark.stats
def test_ageing_is_seen_and_corrected():
    """−5 % and σ × 1.2 at 1e7 cycles: the ageing that the preset assumes."""
    switches = {"d2d": False, "correlation": False, "stuck": False, "read_noise": False}
    aged = PhysicsArray(GEOMETRY, "rram-1t1r", 24, cycles=1e7, **switches)
    found = characterize(aged)
    assert found.common_offset_rel == pytest.approx(-0.05, abs=0.005)
    assert abs(characterize(aged, trim=found).common_offset_rel) < 0.005
    at = found.mean_us
    assert np.mean(found.sigma_us_at / aged.preset.c2c(at)) == pytest.approx(1.2, abs=0.03)


# -- trim ------------------------------------------------------------------------------------


@pytest.mark.stats
def test_trim_makes_devices_alike():
    array = planted(d2d_rel=0.05)
    found = characterize(array)
    assert characterize(array, trim=found).d2d_rel < 0.01  # 5 % untrimmed
    untrimmed = characterize(array)
    assert untrimmed.d2d_rel > 0.045


@pytest.mark.stats
def test_gain_and_offset_are_those_of_the_devices():
    """A device x % strong everywhere needs gain and offset of −x %, about the centre."""
    array = planted(d2d_rel=0.05)
    found = characterize(array, cycles=40)
    # the device's own factor, from many pulses at one target
    devices = np.arange(64, dtype=np.int32)
    dac = np.full(64, array.dac_of_target()[115], np.int32)
    codes = np.array([array.program(5, devices, dac) for _ in range(2000)])
    factor = codes.mean(axis=0) * 0.25 / 115
    offset = 115 * (1 / factor - 1) / 0.25
    assert np.corrcoef(found.trim_offset[5], offset)[0, 1] > 0.98
    assert np.abs(found.trim_offset[5] - offset).mean() < 3
    gain = (1 / factor - 1) * 128
    assert np.corrcoef(found.trim_gain[5], gain)[0, 1] > 0.8


@pytest.mark.stats
def test_few_cycles_are_trusted_little():
    """For identical devices a trim can only do harm, so it must stay near zero."""
    found = characterize(planted(), cycles=2)
    assert np.abs(found.trim_offset).mean() < 2  # an unshrunk fit: about 5 codes
    assert np.abs(found.trim_gain).mean() < 1


def test_trimmed_dac_is_the_controllers_arithmetic():
    target = np.array([1840, 1840, 1900, 1000, 4000, 100])
    offset = np.array([0, 3, -2, 10, 200, -100])
    gain = np.array([0, 5, 13, -7, 63, 63])
    expected = []
    for t, o, k in zip(target.tolist(), offset.tolist(), gain.tolist(), strict=True):
        expected.append(min(max(t + 4 * o + int(np.floor((t - 1840) * k / 128 + 0.5)), 0), 4095))
    assert trimmed_dac(target, 1840, offset, gain, identity_dac()).tolist() == expected


# -- what the trim leaves --------------------------------------------------------------------


@pytest.mark.stats
def test_spread_is_that_of_later_read_backs():
    """Later means: after the slow process has forgotten its values at the calibration.

    Read-backs about their targets, over all trimmed devices, are the expected value: 2,048 devices
    in 3 periods of the slow process, of 10 pulses each, give it to 0.7 %. The control is the
    cycle-to-cycle spread, which lacks the error that the trim leaves.
    """
    memory = 40.0
    effects = {"slow_share": 0.4, "slow_phi": float(np.exp(-1 / memory)), "d2d_rel": 0.05}
    array = planted(**effects)
    targets = (95.0, 115.0, 135.0)
    found = characterize(array, targets_us=targets, cycles=30)
    assert found.slow_share == pytest.approx(0.4, abs=0.06)
    assert found.slow_length == pytest.approx(memory, rel=0.3)
    devices = np.arange(64, dtype=np.int32)
    squares = np.zeros(3)
    for row in range(GEOMETRY.rows):
        for _ in range(3):
            array.cycle(row, devices, np.full((120, 64), 1840, np.int32))
            for i, target in enumerate(targets):
                dac = trimmed_dac(
                    np.full(64, int(16 * target)), 1840, found.trim_offset[row],
                    found.trim_gain[row], found.dac,
                )  # fmt: skip
                codes = array.cycle(row, devices, np.tile(dac, (10, 1)))
                squares[i] += np.mean((codes * 0.25 - target) ** 2)
    seen = np.sqrt(squares / GEOMETRY.rows / 3)
    assert found.spread_us == pytest.approx(seen, rel=0.03)
    assert np.all(found.sigma_us_at < 0.94 * seen)


@pytest.mark.stats
def test_spread_without_mismatch_is_that_of_the_cycles(ideal: Characterization):
    assert ideal.spread_us == pytest.approx(ideal.sigma_us_at, rel=0.02)
    assert ideal.static_us < 0.5  # of 5.75 µS
    assert ideal.tails == pytest.approx(3, abs=0.1)
    assert ideal.slow_share < 0.1


@pytest.mark.stats
def test_a_stuck_device_does_not_widen_the_spread():
    found = characterize(planted(stuck_fraction=0.02))
    assert found.spread_us == pytest.approx(0.05 * found.targets_us, rel=0.03)


# -- devices that do not follow ----------------------------------------------------------------


@pytest.mark.stats
def test_stuck_devices_are_found():
    array = planted(stuck_fraction=0.02, d2d_rel=0.05)
    found = characterize(array)
    assert array.stuck.sum() > 20
    assert np.array_equal(found.dead, array.stuck)
    assert np.array_equal(found.bad_rows, array.stuck.any(axis=1))
    assert not found.trim_offset[found.dead].any()
    assert not characterize(planted(d2d_rel=0.05)).dead.any()


def test_an_array_that_does_not_answer_is_an_error():
    class Silent(EmulatedArray):
        def program(self, row, devices, dac):
            super().program(row, devices, dac)
            return np.full(len(devices), 400, np.int32)

    with pytest.raises(UsageError, match="no device follows its target"):
        characterize(Silent(GEOMETRY), rows=[0])


# -- use -------------------------------------------------------------------------------------


def test_a_subset_leaves_the_rest_alone():
    array = planted(d2d_rel=0.05)
    calls: list[tuple[int, int]] = []
    found = characterize(
        array, rows=[3, 7], devices=range(8), cycles=4, progress=lambda *a: calls.append(a)
    )
    assert calls == [(4, 8), (8, 8)]
    assert found.devices == 16
    assert found.trim_offset.shape == (32, 64)
    touched = np.zeros((32, 64), bool)
    touched[np.ix_([3, 7], range(8))] = True
    assert not found.trim_offset[~touched].any()
    assert not array.ledger.wear[~touched].any()


def test_nonsense_is_refused():
    array = planted()
    for wrong, message in (
        ({"rows": [99]}, "rows must be a list of numbers in 0..31"),
        ({"devices": [1, 1]}, "same number twice"),
        ({"cycles": 1}, "at least 2"),
        ({"targets_us": (50, 40, 30)}, "rising"),
        ({"targets_us": (4, 50, 100)}, "above 5"),
        ({"centre_us": 200.0}, "among the targets"),
    ):
        with pytest.raises(UsageError, match=message):
            characterize(array, **wrong)


def test_file_round_trip(tmp_path: Path, ideal: Characterization):
    path = tmp_path / "chip.npz"
    ideal.save(path)
    ideal.save(path)  # replaces
    assert [p.name for p in tmp_path.iterdir()] == ["chip.npz"]
    back = Characterization.load(path)
    for name, value in vars(ideal).items():
        assert np.array_equal(getattr(back, name), value), name
        assert type(getattr(back, name)) is type(value), name
    assert back.summary() == ideal.summary()


def test_foreign_files_are_refused(tmp_path: Path):
    with pytest.raises(UsageError, match="cannot read"):
        Characterization.load(tmp_path / "none.npz")
    other = tmp_path / "other.npz"
    np.savez(other, a=1)
    with pytest.raises(UsageError, match="is not a characterization: it lacks"):
        Characterization.load(other)
    other.write_bytes(b"hello")
    with pytest.raises(UsageError, match="cannot read"):
        Characterization.load(other)


def test_programs_through_the_trim_as_the_controller_does() -> None:
    """``trimmed_dac`` is ``dac_of`` over whole arrays."""
    rng = np.random.default_rng(4)
    nodes = np.sort(rng.integers(0, 4096, 257)).astype(np.int32)
    centre = 1840
    for _ in range(2000):
        target, offset, gain = (int(rng.integers(*r)) for r in ((0, 4096), (-256, 256), (-64, 64)))
        ours = trimmed_dac(np.array([target]), centre, offset, gain, nodes)[0]
        assert ours == dac_of(nodes.astype(np.int64), centre, offset, gain, target)
