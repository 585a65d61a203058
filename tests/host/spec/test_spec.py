"""Geometry and settings reject invalid values with a message that names a remedy."""

from __future__ import annotations

import numpy as np
import pytest

from ohmcarlo.array import EmulatedArray
from ohmcarlo.errors import UsageError
from ohmcarlo.golden import Calibration, SamplerSettings, build_machine
from ohmcarlo.spec import REFERENCE, Geometry, Points


def test_reference_array_has_the_devices_of_the_paper() -> None:
    assert REFERENCE.devices == 16_384


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ({"rows": 3}, "4 to 65536 rows"),
        ({"pairs": 1}, "2 to 256 pairs"),
        ({"entropy_pairs": 0}, "at least one pair"),
        ({"entropy_pairs": 32}, "leave at least one"),
        ({"access_bits": 3}, "1, 2, 4, 8"),
        ({"row_group": 100}, "1 to 64"),
        ({"regions": 0}, "1 to 64"),
        ({"regions": 64, "rows": 128}, "use --rows 256 or more, or fewer chains"),
        ({"rows": 16, "row_group": 5}, "use --rows 20 or more$"),
        ({"tile_pairs": 40}, "tile_pairs"),
        ({"dot_bits": 2}, "4 to 24 bits"),
        ({"dot_shift": 3}, "dot_bits"),
    ],
)
def test_geometry(shape: dict, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Geometry(**shape)


def test_too_many_features_names_the_number_of_pairs_that_would_do() -> None:
    with pytest.raises(UsageError, match="--pairs 35"):
        REFERENCE.require_features(31)


def test_row_groups_do_not_overlap_and_stay_in_their_region() -> None:
    g = Geometry(rows=256, row_group=4, regions=3)
    rows = [set(range(g.group_row(i), g.group_row(i) + 4)) for i in range(g.groups)]
    assert sum(len(r) for r in rows) == len(set().union(*rows)) == g.groups * 4
    for region in range(3):
        span = range(region * 85, region * 85 + 85)
        for group in range(region * g.region_groups, (region + 1) * g.region_groups):
            assert rows[group] <= set(span)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"kernel": "gibbs"}, "corrected"),
        ({"rho": 0}, "random walk"),
        ({"rho": 1.2}, "random walk"),
        ({"wide_every": 256}, "1 to 255"),
        ({"gamma_us": 0}, "positive"),
        ({"tau_us": float("nan")}, "positive"),
        ({"lo_us": 200.0}, "lo < centre < hi"),
        ({"hi_us": 300.0}, "<= 255"),
        ({"hidden": 64}, "hidden units"),
        ({"retries": 0}, "retries"),
        ({"min_entropy": 0.0}, "min_entropy"),
        ({"fold": 9}, "1 to 8 raw"),
    ],
)
def test_settings(settings: dict, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        SamplerSettings(**settings)


def test_network_needs_its_row_groups() -> None:
    law = EmulatedArray(Geometry()).sigma_us
    with pytest.raises(UsageError, match="row groups of 4 rows"):
        SamplerSettings(hidden=3).registers(Geometry(), 4, law)
    with pytest.raises(UsageError, match="row_group = 1"):
        SamplerSettings().registers(Geometry(row_group=4), 4, law)


def test_gamma_is_what_the_coefficient_represents() -> None:
    r = SamplerSettings(gamma_us=25.0).registers(Geometry(), 4, EmulatedArray(Geometry()).sigma_us)
    mantissa, shift = r.logit_coef
    one_unit = 25.0 / 0.25 * 32  # g⁺ - g⁻ of 25 µS times an input of 1.0, in raw units
    assert one_unit * mantissa / 2.0**shift / 4096 == pytest.approx(1.0, rel=2**-15)
    assert r.weights(np.array([[500, 400]], np.uint16))[0, 0] == pytest.approx(1.0, rel=2**-15)


def test_whitened_settings_follow_the_rule() -> None:
    """S = 163 rel / sqrt(1 - rho²), tau = S, gamma = 0.85 S (0.75 S at rho = 0.9)."""
    s = SamplerSettings.whitened(0.05, 0.8)
    assert s.tau_us == pytest.approx(13.6, rel=0.01)
    assert s.gamma_us == pytest.approx(11.5, rel=0.01)
    assert SamplerSettings.whitened(0.05, 0.9).gamma_us == pytest.approx(14.0, rel=0.01)
    with pytest.raises(UsageError, match="whitened"):
        SamplerSettings.whitened(0.05, 1.0)


def test_calibration_must_fit_the_array() -> None:
    array = EmulatedArray(Geometry())
    short = Calibration(trim_offset=np.zeros((2, 64), np.int16))
    registers = SamplerSettings().registers(Geometry(), 4, array.sigma_us, short)
    with pytest.raises(UsageError, match="trim_offset has shape"):
        build_machine(registers, array)


def test_points_check_themselves() -> None:
    good = np.zeros((3, 4), np.int8)
    with pytest.raises(UsageError, match="same points"):
        Points(good, np.zeros(2, np.uint8), np.zeros(3, np.int16))
    with pytest.raises(UsageError, match="int8"):
        Points(good.astype(int), np.zeros(3, np.uint8), np.zeros(3, np.int16))
    with pytest.raises(UsageError, match="0, 1 or 2"):
        Points(good, np.full(3, 3, np.uint8), np.zeros(3, np.int16))
