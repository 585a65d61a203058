"""The verdict on a run: each cause, its remedy, and one decision for every output."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ohmcarlo.cli.app import main
from ohmcarlo.files import json_ready
from ohmcarlo.posterior_error import PosteriorError
from ohmcarlo.runs.config import TrainConfig
from ohmcarlo.runs.defaults import NETWORK_RHO, NETWORK_STEPS
from ohmcarlo.runs.rows import mixing
from ohmcarlo.runs.supervised.result import SupervisedResult
from ohmcarlo.runs.supervised.rows import result_warnings
from ohmcarlo.runs.train import train
from ohmcarlo.runs.verdict import SEVERITY, Verdict, judge

GOOD: dict[str, Any] = {
    "accepted": 20_000, "kernel": "corrected", "rho": 0.8, "wide_every": 0, "whiten": True,
    "hidden": 0, "gamma_us": 16.0, "chains": 4, "steps": 10_000, "burn_in": 2500, "ess_min": 2000.0,
    "ess_tail_min": 4000.0, "rhat_max": 1.004, "longest_stay": 30, "longest_stay_expected": 25.0,
    "posterior_error": {}, "retired_rows": [], "acceptance_rate": 0.5, "status": "complete",
}  # fmt: skip


def error(mean: float = 0.0, spread: float = 1.0, *sources: str) -> dict[str, Any]:
    return {
        source: PosteriorError(source, mean, mean / 3, spread, "take logs").to_dict()
        for source in ("encoding", *sources)
    }


@pytest.mark.parametrize(
    ("changes", "verdict", "words"),
    [
        ({}, Verdict.SETTLED, []),
        ({"rhat_max": 1.06}, Verdict.DISAGREE, ["R-hat 1.06", "more --steps"]),
        ({"rhat_max": 1.06, "whiten": False}, Verdict.DISAGREE, ["--whiten"]),
        ({"ess_min": 225.0}, Verdict.ROUGH, ["only 225 effective", "try --steps 40000"]),
        ({"ess_tail_min": 254.0}, Verdict.ROUGH, ["254", "in the tails", "try --steps 40000"]),
        ({"longest_stay": 422}, Verdict.STICKY, ["422 steps, 17 times", "--wide-every 10"]),
        ({"longest_stay": 422, "wide_every": 10}, Verdict.STICKY, ["--rho 0.9"]),
        ({"longest_stay": 422, "trimmed": True}, Verdict.STICKY, ["--rho 0.9"]),
        ({"longest_stay": 422, "trimmed": True, "rho": 0.6}, Verdict.STICKY, ["--rho 0.8"]),
        ({"longest_stay": 422, "rho": 1.0}, Verdict.STICKY, ["four times the --steps"]),
        ({"kernel": "published"}, Verdict.BIASED, ["--kernel corrected"]),
        ({"posterior_error": error(0.09, 1.09)}, Verdict.SETTLED, []),
        ({"posterior_error": error(0.22)}, Verdict.BIASED,
         ["because of the encoding", "0.22 posterior standard deviations", "take logs"]),
        ({"posterior_error": error(0.0, 1.4)}, Verdict.BIASED, ["a factor of 1.40"]),
        ({"posterior_error": error(0.06, 1.04, "devices")}, Verdict.SETTLED, []),
        ({"posterior_error": error(0.08, 1.0, "devices")}, Verdict.BIASED,
         ["because of the encoding and devices", "0.11 posterior"]),
        ({"posterior_error": error(0.0, 1.06, "devices")}, Verdict.BIASED, ["a factor of 1.12"]),
        ({"accepted": 0, "ess_min": 1.0, "rhat_max": None}, Verdict.UNKNOWN, ["learnt nothing"]),
        ({"ess_min": None, "rhat_max": None}, Verdict.UNKNOWN, ["too few steps"]),
    ],
)  # fmt: skip
def test_every_cause_has_a_verdict_and_a_remedy(
    changes: dict[str, Any], verdict: Verdict, words: list[str]
) -> None:
    found = judge(GOOD | changes)
    assert found.verdict is verdict
    assert bool(found.reasons) == (verdict is not Verdict.SETTLED)
    for word in words:
        assert word in found.reasons[0]
    assert mixing(GOOD | changes).startswith(verdict.label)
    assert result_warnings(GOOD | changes)[: len(found.reasons)] == found.reasons


def test_the_gravest_cause_decides_and_none_is_lost() -> None:
    found = judge(GOOD | {"longest_stay": 422, "ess_min": 225.0, "posterior_error": error(0.3)})
    assert found.verdict is Verdict.STICKY and len(found.reasons) == 3
    assert found.to_dict() == json_ready(found.to_dict())
    assert SEVERITY[0] is Verdict.SETTLED and SEVERITY[-1] is Verdict.UNKNOWN


def test_the_result_of_an_older_version_can_be_judged() -> None:
    later = {"ess_tail_min", "longest_stay", "longest_stay_expected", "posterior_error"}
    old = {name: value for name, value in GOOD.items() if name not in later}
    assert judge(old).verdict is Verdict.SETTLED
    assert judge(old | {"ess_min": 90.0}).verdict is Verdict.ROUGH
    assert mixing(old).startswith("settled: 2,000 effective samples for the worst weight (66.7")


# -- networks ----------------------------------------------------------------------------------

NETWORK = GOOD | {
    "hidden": 4, "whiten": False, "rho": 1.0, "rhat_max": 2.1, "ess_min": 5.0,
    "prediction_error_max": 0.03, "prediction_rhat_max": 1.02, "log_posterior_rhat": 1.01,
}  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "verdict", "words"),
    [
        ({}, Verdict.PREDICTIONS, ["do not interpret the weights", "--steps 700000"]),
        ({"prediction_error_max": 0.1}, Verdict.DISAGREE, ["--steps 80000", "probabilities"]),
        ({"log_posterior_rhat": 1.1}, Verdict.DISAGREE, ["R-hat 1.10", "--steps 50000"]),
        ({"prediction_rhat_max": 1.1}, Verdict.DISAGREE, ["R-hat 1.10", "--steps 50000"]),
        ({"prediction_error_max": None, "chains": 1}, Verdict.UNKNOWN, ["--chains 4"]),
        ({"chains": 2}, Verdict.UNKNOWN, ["--chains 4"]),
        ({"rhat_max": 1.01}, Verdict.PREDICTIONS, ["only 5 effective", "do not interpret"]),
        ({"rhat_max": 1.01, "ess_min": 2000.0}, Verdict.SETTLED, []),
    ],
)
def test_a_network_is_judged_by_its_predictions(
    changes: dict[str, Any], verdict: Verdict, words: list[str]
) -> None:
    found = judge(NETWORK | changes)
    assert found.verdict is verdict
    for word in words:
        assert word in found.reasons[0]


@pytest.fixture
def xor(tmp_path: Path) -> Path:
    """Two classes in opposite quadrants: no logistic model separates them."""
    x = np.random.default_rng(0).normal(size=(200, 2))
    lines = [f"{a},{b},{int(a * b > 0)}" for a, b in x]
    path = tmp_path / "xor.csv"
    path.write_text("\n".join(["a,b,label", *lines, ""]))
    return path


def of_xor(path: Path, steps: int, seed: int = 0) -> SupervisedResult:
    rho = NETWORK_RHO
    return train(TrainConfig(str(path), hidden=4, chains=4, rho=rho, steps=steps, seed=seed))


@pytest.mark.parametrize("steps", [1000, 2500])
def test_a_short_network_is_not_trusted(steps: int, xor: Path) -> None:
    """After 1,000 steps no chain has found the quadrants, and all predict one half; after 2,500
    some have. The control is the test below."""
    values = of_xor(xor, steps).values
    assert values["verdict"] == Verdict.DISAGREE
    assert (values["prediction_error_max"] > 0.05) == (steps == 2500)
    assert values["log_posterior_rhat"] > 1.2 and "--steps" in values["verdict_reasons"][0]


@pytest.mark.verify
@pytest.mark.stats
def test_no_short_network_is_trusted(xor: Path) -> None:
    """XOR in ten arrays, 1,500 steps: some chains have found the quadrants in none or few of them.
    The control is the test below."""
    for seed in range(10):
        values = of_xor(xor, 1500, seed).values
        assert values["verdict"] == Verdict.DISAGREE, seed
        assert max(values["log_posterior_rhat"], values["prediction_rhat_max"]) > 1.1, seed


@pytest.mark.verify
@pytest.mark.stats
def test_the_advice_for_a_network_leads_to_trusted_predictions(xor: Path) -> None:
    """XOR with four hidden units: the number of steps in the warning of the default suffices."""
    first = of_xor(xor, NETWORK_STEPS, seed=1).values
    assert first["verdict"] == Verdict.DISAGREE
    advice = re.search(r"--steps (\d+)", first["verdict_reasons"][0])
    assert advice is not None
    values = of_xor(xor, int(advice[1]), seed=1).values
    assert values["rhat_max"] > 1.05, "the weights agree even later"
    assert values["verdict"] == Verdict.PREDICTIONS
    assert values["accuracy"] > 0.85


# -- one decision for every output -------------------------------------------------------------


def test_table_json_picture_and_report_agree(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    run, file = tmp_path / "run", tmp_path / "r.json"
    options = ["--paper", "--steps", "200", "--rows", "32", "--pairs", "16"]
    assert main(["train", "toy2d", *options, "--out", str(run), "--json", str(file)]) == 0
    shown = capfd.readouterr().out
    values = json.loads(file.read_text())
    verdict = Verdict(values["verdict"])
    assert verdict is not Verdict.SETTLED
    assert f"{verdict.label}: " in shown and values["verdict_reasons"][0] in shown
    drawn: list[str] = []
    monkeypatch.setattr(
        "ohmcarlo.runs.supervised.figures.draw_weights", lambda *a: drawn.append(a[-1])
    )
    monkeypatch.setattr("ohmcarlo.runs.report.write_pictures", lambda *a: [])
    assert main(["report", str(run)]) == 0
    assert drawn == [verdict.label] and f"{verdict.label}: " in capfd.readouterr().out
