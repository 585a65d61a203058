"""The error that line resistance causes: predicted, chosen against, stated, and measured."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from ohmcarlo.array.physics import PhysicsArray
from ohmcarlo.array.presets import get_preset
from ohmcarlo.cli.app import main
from ohmcarlo.golden import SamplerSettings
from ohmcarlo.reproduce.exactness.problems import PROBLEMS, reference
from ohmcarlo.reproduce.sampled import sample_posterior
from ohmcarlo.runs.arrays import open_array
from ohmcarlo.runs.config import TrainConfig
from ohmcarlo.runs.device_errors import measure_untrimmed
from ohmcarlo.runs.reach import Expected
from ohmcarlo.runs.wire_errors import Lines, Transfer, wire_error
from ohmcarlo.spec import Geometry

GEOMETRY = Geometry(rows=16, pairs=8, entropy_pairs=2)
SETTINGS = replace(SamplerSettings.whitened(0.05, 0.6), gamma_us=20.0, lo_us=30, hi_us=250)


def lines_of(ohm: float, pairs: int, **constants: float) -> Lines:
    preset = get_preset("relative-5pct").with_values(wire_ohm=ohm, **constants)
    found = Lines.of(PhysicsArray(GEOMETRY, preset), pairs)
    assert found is not None
    return found


def sensed(read_us: NDArray[np.float64], ohm: float) -> NDArray[np.float64]:
    """Current of each device per volt in a DOT, by a dense nodal solution of the source line."""
    devices = len(read_us)
    own = 1 / (1 / read_us - ohm * 1e-6 * np.arange(1, devices + 1)) * 1e-6
    laplace = 2 * np.eye(devices) - np.eye(devices, k=1) - np.eye(devices, k=-1)
    laplace[-1, -1] = 1
    end = np.linalg.solve(laplace / ohm + np.diag(own), np.eye(devices)[0] / ohm)
    return end * own * 1e6


@pytest.mark.parametrize("sigma_p", [np.inf, 1.0])
def test_prediction_is_the_posterior_of_the_circuit(sigma_p: float) -> None:
    """One weight, whose posterior over the read-back is integrated on a grid.

    Control: the prediction of half the resistance is another one.
    """
    ohm, gamma, mean, sd = 50.0, SETTINGS.gamma_us, 0.8, 0.5
    data_precision = sd**-2 - sigma_p**-2
    centre = mean * sd**-2 / data_precision  # of the likelihood alone
    weights = np.linspace(-2, 4, 241)
    row = np.full(GEOMETRY.row_devices, get_preset("relative-5pct").hrs_median_us.value)
    row[12:] = 115.0
    acting = []
    for w in weights:
        row[:2] = 115 + gamma * w / 2, 115 - gamma * w / 2
        acting.append(np.diff(sensed(row, ohm)[1::-1])[0] / gamma)
    log = -data_precision * (np.array(acting) - centre) ** 2 / 2 - (weights / sigma_p) ** 2 / 2
    density = np.exp(log - log.max())
    density /= density.sum()
    got_mean = density @ weights
    got_sd = np.sqrt(density @ (weights - got_mean) ** 2)

    settings = replace(SETTINGS, sigma_p=sigma_p, tau_us=1e-3)
    hessian = None if np.isinf(sigma_p) else np.array([[sd**-2]])
    expected = Expected(np.array([mean]), np.array([sd]), hessian)
    found = wire_error(lines_of(ohm, 1), settings, expected)
    assert found.mean_sd == pytest.approx(abs(got_mean - mean) / sd, rel=0.1)
    assert found.spread == pytest.approx(got_sd / sd, rel=0.003)
    half = wire_error(lines_of(ohm / 2, 1), settings, expected)
    assert abs(half.spread - got_sd / sd) > 0.008


def test_what_other_devices_add_widens_the_spread(monkeypatch: pytest.MonkeyPatch) -> None:
    """Independent spreads of 0.3 and 0.4 make 0.5."""
    of_others = 0.4 * SETTINGS.gamma_us
    monkeypatch.setattr(
        Lines, "transfer", lambda *_: Transfer(np.ones(1), np.zeros(1), np.array([of_others]))
    )
    found = wire_error(lines_of(50.0, 1), SETTINGS, Expected(np.array([0.8]), np.array([0.3])))
    assert (found.mean_sd, found.spread) == (pytest.approx(0), pytest.approx(5 / 3))


def test_loss_grows_with_resistance_and_size_and_calibration_removes_it() -> None:
    assert lines_of(1.0, 6).loss < lines_of(5.0, 6).loss
    assert lines_of(5.0, 3).loss < lines_of(5.0, 6).loss
    assert not lines_of(10.0, 6).tolerable
    assert lines_of(10.0, 6, line_calibration=1.0).tolerable
    assert Lines.of(PhysicsArray(GEOMETRY, "relative-5pct"), 6) is None


def trained(tmp_path: Path, *options: str) -> dict[str, Any]:
    values = tmp_path / "values.json"
    arguments = [
        "train",
        "toy2d",
        "--array",
        "physics",
        "--whiten",
        "--steps",
        "60",
        "--rows",
        "64",
    ]
    assert main([*arguments, "--rows", "16", "--chains", "1", *options, "--json", str(values)]) == 0
    return dict(json.loads(values.read_text()))


def test_runs_avoid_lines_that_cost_too_much(tmp_path: Path) -> None:
    """By default they take the codes; if they must not, they state the error and a remedy."""
    preset = "relative-5pct,wire_ohm=10"
    found = trained(tmp_path, "--preset", preset)
    assert found["dot_products"] == "codes"
    assert "wires" not in found["posterior_error"]
    error = trained(tmp_path, "--preset", preset, "--dot-products", "array")["posterior_error"]
    assert not error["wires"]["trusted"]
    assert error["wires"]["remedy"] == "use --dot-products codes"  # the first run of this test
    found = trained(tmp_path, "--preset", f"{preset},line_calibration=1")
    assert found["dot_products"] == "array"
    assert found["posterior_error"]["wires"]["trusted"]


def test_characterize_states_the_cost_of_lines(tmp_path: Path) -> None:
    values = tmp_path / "values.json"
    arguments = ["characterize", "--array", "physics", "--rows", "8", "--pairs", "8", "--steps"]
    arguments += ["0", "--preset", "relative-5pct,wire_ohm=5", "--json", str(values)]
    assert main(arguments) == 0
    found = json.loads(values.read_text())
    assert found["dot_products"] == "codes"
    assert found["wires"]["weight_error"] > 0.02
    assert found["wires"]["posterior_error"]["spread"] > 1.02
    assert "line resistance (weights would be off by up to" in found["verdict"]["advice"]


def test_an_array_without_trim_is_measured_in_far_rows_too() -> None:
    """The lines make rows differ. Control: the first rows alone look alike."""
    config = TrainConfig("toy2d", array="physics", preset="relative-5pct,wire_ohm=10", rows=256)
    opened = open_array(config.array, config.preset, Geometry(rows=256, pairs=8), 0)
    found = measure_untrimmed(config, opened, config.array_seed, 0.05, 2)
    near = opened.characterize(range(4), rows=range(16))
    assert found is not None and found.d2d_rel > 0.05 > 3 * near.d2d_rel


@pytest.mark.verify
@pytest.mark.stats
@pytest.mark.parametrize(
    ("change", "dot_products", "wide"),
    [("", "array", True), (",line_calibration=1", "array", False), ("", "codes", False)],
)
def test_sampled_posteriors_are_as_predicted(change: str, dot_products: str, wide: bool) -> None:
    """Against NUTS. Control: without a correction the spreads are far too large."""
    problem = PROBLEMS["ill-conditioned"]
    config = TrainConfig(
        task=problem.name, array="physics", preset=f"relative-5pct,wire_ohm=10{change}",
        whiten=True, adapt=False, chains=4, steps=4000, seed=0, sigma_p=problem.sigma_p,
        rows=64, pairs=16, dot_products=dot_products,
    )  # fmt: skip
    found = sample_posterior(config, problem.title, *problem.data())
    ratio = np.array(found.moments()["sd"]) / reference(problem).sd
    mean_ratio = float(np.exp(np.log(ratio).mean()))
    if wide:
        predicted = found.setup.errors[-1]
        assert predicted.source == "wires" and not predicted.trusted
        assert 1.1 < mean_ratio < predicted.spread + 0.05
    else:
        assert mean_ratio == pytest.approx(1, abs=0.04)
