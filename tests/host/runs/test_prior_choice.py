"""``sigma_p="auto"``: the width that predicts best, by integration and by short runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_diabetes

from integration import GridPosterior, standard
from ohmcarlo.datasets import load, split_half
from ohmcarlo.errors import UsageError
from ohmcarlo.runs.chain_run import Silence
from ohmcarlo.runs.config import TrainConfig
from ohmcarlo.runs.regression.experiment import prepare_regression
from ohmcarlo.runs.supervised import prior_choice
from ohmcarlo.runs.supervised.rows import prior_rows
from ohmcarlo.runs.train import Outputs, resume_run, train_run
from ohmcarlo.sklearn import MemristorClassifier
from ohmcarlo.tasks import Task, get_task

AUTO = TrainConfig(
    "toy2d", whiten=True, chains=4, steps=200, rows=128, pairs=8, sigma_p="auto", rho=0.8
)


def toy() -> tuple[np.ndarray, np.ndarray]:
    data = load("toy2d")
    rows, _ = split_half(data.y, AUTO.seed)
    return data.x[rows], data.y[rows]


@pytest.mark.stats
def test_the_scores_are_those_of_integration() -> None:
    """The score of a width varies by 0.1 to 0.3 nat from seed to seed.

    The control is the score of the points that were learnt from: it rises with the width, so that a
    choice by it takes the widest.
    """
    from ohmcarlo.runs.supervised.experiment import prepare

    x, y = toy()
    chosen = prior_choice.with_chosen_width(
        AUTO, get_task("toy2d"), x, y, None, lambda _: None, prepare
    )
    posteriors = {width: GridPosterior(standard(x), y, width) for width in prior_choice.GRID}
    exact = {width: found.loo() for width, found in posteriors.items()}
    assert chosen.sigma_p_choice is not None
    candidates = chosen.sigma_p_choice["candidates"]
    assert [c["sigma_p"] for c in candidates] == list(prior_choice.GRID)
    best = max(exact, key=lambda width: exact[width].sum())
    assert chosen.sigma_p == best == 2.0, "the next narrower one is 1.7 nat worse"
    for found in candidates:
        points = exact[found["sigma_p"]]
        gaps = exact[best] - points
        assert found["elpd"] == pytest.approx(points.sum(), abs=0.8)
        assert found["difference"] == pytest.approx(gaps.sum(), abs=0.8)
        assert found["difference_se"] == pytest.approx(np.sqrt(len(x)) * gaps.std(), abs=0.4)
    in_sample = {width: found.in_sample().sum() for width, found in posteriors.items()}
    assert max(in_sample, key=lambda width: in_sample[width]) == 5.0, "the control"


def test_the_narrowest_of_those_that_predict_alike() -> None:
    def score(total: float) -> prior_choice._Score:
        return prior_choice._Score(np.full(10, total / 10), np.zeros(10), 500.0, 1, 1e-6)

    scores = {0.5: score(-12.0), 1.0: score(-10.4), 2.0: score(-10.0), 5.0: score(-10.1)}
    choice = prior_choice.choice_of(scores)
    assert choice["sigma_p"] == 1.0 and choice["set_pulses"] == 4
    assert [c["difference"] for c in choice["candidates"]] == pytest.approx([2.0, 0.4, 0.0, 0.1])


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two widths that differ by far more than the noise of 300 steps."""
    monkeypatch.setattr(prior_choice, "GRID", (0.1, 2.0))
    monkeypatch.setattr(prior_choice, "STEPS", 300)


@pytest.mark.usefixtures("quick")
def test_a_run_keeps_its_choice(tmp_path: Path) -> None:
    """The manifest has the chosen width. A run that is finished later gives the same result."""
    run, json_file = tmp_path / "run", tmp_path / "again.json"
    values = train_run(AUTO, Outputs(folder=run), Silence())
    assert values["sigma_p"] == 2.0
    assert values["sigma_p_choice"]["sigma_p"] == 2.0
    assert len(values["sigma_p_choice"]["candidates"]) == 2
    assert values["sigma_p_choice"]["set_pulses"] > 1000
    assert json.loads((run / "manifest.json").read_text())["config"]["sigma_p"] == 2.0
    ((name, text),) = prior_rows(values)
    assert name == "prior" and text.startswith("sigma_p 2, chosen among 0.1, 2 by leave-one-out")
    (run / "result.json").unlink()
    (run / "checkpoint.npz").unlink()
    again = resume_run(Outputs(folder=run, json=json_file), Silence())
    assert again["sigma_p_choice"] == values["sigma_p_choice"]
    assert again["accuracy"] == values["accuracy"]


def test_a_linear_model_of_numbers_chooses_by_its_evidence() -> None:
    """As without a width."""
    x, y = load_diabetes(return_X_y=True)
    task = Task(name="numbers", dataset="numbers", description="", kind="regression")
    found = []
    for sigma_p in (None, "auto", 0.5):
        config = TrainConfig("diabetes", whiten=True, steps=10, sigma_p=sigma_p)  # type: ignore[arg-type]
        setup, encoder = prepare_regression(config, task, x, y)
        setup.close()
        found.append(encoder.sigma_p)
    assert found[0] == found[1] and found[2] == 0.5


@pytest.mark.usefixtures("quick")
@pytest.mark.filterwarnings("ignore::ohmcarlo.sklearn.UnsettledWarning")
def test_the_classifier_chooses() -> None:
    x, y = toy()
    model = MemristorClassifier(300, chains=2, sigma_p="auto", random_state=0).fit(x, y)
    assert model.sigma_p_ == 2.0 and model.get_params()["sigma_p"] == "auto"
    model = MemristorClassifier(300, chains=2, sigma_p={"x1": 0.5}, random_state=0).fit(x, y)
    assert model.sigma_p_ == {"x0": 1.0, "x1": 0.5, "bias": 1.0}


def refused_width(*_: Any) -> Any:
    raise UsageError("the whitened data do not fit")


def test_what_is_refused() -> None:
    with pytest.raises(UsageError, match="a network and a policy do not choose"):
        MemristorClassifier(100, hidden=2, sigma_p="auto").fit(*toy())
    with pytest.raises(UsageError, match="give a number, or auto"):
        TrainConfig("toy2d", sigma_p="wide")  # type: ignore[arg-type]
    x, y = toy()
    with pytest.raises(UsageError, match="can be sampled: the whitened data do not fit"):
        prior_choice.with_chosen_width(
            AUTO, get_task("toy2d"), x, y, None, lambda _: None, refused_width
        )
