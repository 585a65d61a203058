"""Presets from noise models of aihwkit and CrossSim; expected spreads are computed by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ohmcarlo.array.device_preset import DevicePreset, Tag
from ohmcarlo.array.noise_models import TABLE_EXAMPLE
from ohmcarlo.array.presets import get_preset
from ohmcarlo.errors import UsageError
from ohmcarlo.measurements.other_kinds import MOMENTS

# a polynomial in g / g_max with coefficients in µS, as aihwkit documents prog_coeff
POLYNOMIAL = {"model": "PCMLikeNoiseModel", "prog_coeff": [0.25, 2.0, -1.2], "g_max": 25.0}


def crosssim(**error: Any) -> dict[str, Any]:
    device = {"Rmin": 5000.0, "Rmax": 1e6, "programming_error": {"enable": True, **error}}
    return {"core": {}, "xbar": {"device": device}}


def preset_of(folder: Path, content: dict[str, Any]) -> DevicePreset:
    path = folder / "model.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    return get_preset(str(path))


def spread(preset: DevicePreset, *g_us: float) -> list[float]:
    return preset.c2c(np.array(g_us)).tolist()


def test_a_polynomial_of_aihwkit_is_scaled_to_the_read_amplifier(tmp_path: Path) -> None:
    # 25 µS become 200 µS: the spread at half of g_max, 0.25 + 1 - 0.3 = 0.95 µS, becomes 7.6 µS
    preset = preset_of(tmp_path, POLYNOMIAL)
    assert preset.valid_us == (30.0, 200.0)
    wanted = [8 * (0.25 + 2 * x - 1.2 * x * x) for x in (0.25, 0.5, 1.0)]
    assert wanted[1] == pytest.approx(7.6)
    assert spread(preset, 50.0, 100.0, 200.0) == pytest.approx(wanted, rel=0.2)
    assert "PCMLikeNoiseModel" in preset.description and "× 8" in preset.description


def test_the_reference_of_the_coefficients_counts(tmp_path: Path) -> None:
    plain = preset_of(tmp_path, POLYNOMIAL)
    other = preset_of(tmp_path, POLYNOMIAL | {"prog_coeff_g_max_reference": 50.0})
    ratio = np.array(spread(other, 60.0, 150.0)) / spread(plain, 60.0, 150.0)
    assert ratio == pytest.approx(0.5, rel=0.05)


def test_the_earliest_time_of_a_table_of_polynomials_is_taken(tmp_path: Path) -> None:
    late = [9.0, 9.0]
    table = {"coeff_dic": {"86400.0": late, "1.0": [1.0, 1.0]}, "g_max": 200.0}
    preset = preset_of(tmp_path, table)
    assert spread(preset, 100.0) == pytest.approx([1.5], rel=0.02)
    assert "1 s after programming" in preset.description


def test_the_table_that_messages_advise(tmp_path: Path) -> None:
    preset = preset_of(tmp_path, json.loads(TABLE_EXAMPLE))
    assert spread(preset, 50.0, 100.0, 150.0) == pytest.approx([4.0, 6.0, 7.0], rel=0.1)
    assert preset.valid_us == (50.0, 150.0) and TABLE_EXAMPLE in MOMENTS


@pytest.mark.parametrize(
    ("model", "wanted"),
    [("NormalProportionalDevice", [4.0, 8.0]), ("NormalIndependentDevice", [8.0, 8.0])],
)
def test_laws_of_crosssim(tmp_path: Path, model: str, wanted: list[float]) -> None:
    # 4 % of the conductance, or of the highest one, which is 1 / Rmin = 200 µS
    preset = preset_of(tmp_path, crosssim(model=model, magnitude=0.04))
    assert spread(preset, 100.0, 200.0) == pytest.approx(wanted, rel=0.02)


def test_what_the_model_does_not_separate_is_marked_as_assumed(tmp_path: Path) -> None:
    preset = preset_of(tmp_path, POLYNOMIAL)
    assert preset.d2d_rel.value == 0.0 and preset.d2d_rel.tag is Tag.ASSUMED
    assert "pools devices and cycles" in preset.d2d_rel.note
    assert isinstance(preset.c2c.intercept_us.source, str)
    assert preset.c2c.intercept_us.tag is Tag.FOUND


def test_an_imported_preset_survives_its_own_file(tmp_path: Path) -> None:
    preset = preset_of(tmp_path, POLYNOMIAL)
    preset.save(tmp_path / "own.json")
    assert get_preset(str(tmp_path / "own.json")) == preset


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"dw_min": 0.001, "up_down": 0.0, "w_max": 1.0}, "aihwkit device of small steps"),
        ({"device": {"piecewise_up": [1.0], "piecewise_down": [1.0]}}, "of small steps"),
        (crosssim(model="RRAMMilo", magnitude=0), '{"target_us": [50, 100, 150]'),
        (crosssim(model="UniformIndependentDevice", magnitude=0.1), "the spread here is normal"),
        (crosssim(model="NormalInverseProportionalDevice", magnitude=0.05), "from every law"),
        (crosssim(model="IdealDevice", magnitude=0), "programming_error is off"),
        (crosssim(model="NormalProportionalDevice", magnitude=5), "magnitude must be a fraction"),
        ({"prog_coeff": [0.2, 0.1]}, "g_max must be a positive number"),
        ({"prog_coeff": "0.2", "g_max": 25}, "coefficients must be a list"),
        ({"target_us": [100, 50], "sigma_us": [4, 6]}, "must rise"),
        ({"prog_coeff": [0.2, -9.0], "g_max": 25}, "not positive"),
        ({"coeff_dic": {"soon": [1.0]}, "g_max": 25}, "table of lists"),
        (POLYNOMIAL | {"prog_noise_scale": "high"}, "unexpected value"),
        (crosssim(model="NormalProportionalDevice", magnitude=0.1) | {"xbar": 3}, "not a device"),
        ({"colour": "red"}, "not a device preset"),
    ],
)
def test_models_without_a_spread_over_the_target_are_refused_by_name(
    tmp_path: Path, content: dict[str, Any], words: str
) -> None:
    with pytest.raises(UsageError) as error:
        preset_of(tmp_path, content)
    assert words in str(error.value)
    assert "\n" not in str(error.value)
