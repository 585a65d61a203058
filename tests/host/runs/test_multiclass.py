"""A run of several classes: an ordinary run for each binary problem, and their common result."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import entropy
from sklearn import metrics

from ohmcarlo.cli.app import main
from ohmcarlo.cli.exit_codes import BAD_USE, DONE
from ohmcarlo.datasets import load
from ohmcarlo.errors import OhmcarloError, UsageError
from ohmcarlo.runs import stored
from ohmcarlo.runs.chain_run import Interrupted, Silence
from ohmcarlo.runs.config import TrainConfig
from ohmcarlo.runs.kinds import read_complete
from ohmcarlo.runs.multiclass.predict import MulticlassPredictor
from ohmcarlo.runs.report import read_page
from ohmcarlo.runs.train import Outputs, resume_run, train_run

SMALL = {"rows": 64, "pairs": 16, "chains": 2, "steps": 400, "whiten": True, "rho": 0.8, "seed": 5}
IRIS = TrainConfig("iris", **SMALL)  # type: ignore[arg-type]
COMMAND = [
    "--rows", "64", "--pairs", "16", "--chains", "2", "--steps", "400", "--rho", "0.8",
    "--seed", "5",
]  # fmt: skip


@pytest.fixture(scope="module")
def iris(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    path = tmp_path_factory.mktemp("multiclass") / "run"
    return path, train_run(IRIS, Outputs(path), Silence())


def timeless(values: Any) -> Any:
    """Values without times and names of folders."""
    if isinstance(values, dict):
        return {k: timeless(v) for k, v in values.items() if k not in ("wall_seconds", "seconds")}
    return [timeless(v) for v in values] if isinstance(values, list) else values


def test_figures_are_those_of_scikit_learn(iris: tuple[Path, dict[str, Any]]) -> None:
    path, values = iris
    data = load("iris")
    _, held_out = data.split(IRIS.seed)
    found = stored.read_arrays(path / stored.EVALUATION)
    labels, answers = data.y[held_out], found["probability"].argmax(axis=1)
    assert np.array_equal(found["labels"], labels) and np.allclose(found["probability"].sum(1), 1)
    assert values["accuracy"] == metrics.accuracy_score(labels, answers) > 0.85
    assert values["log_loss"] == pytest.approx(metrics.log_loss(labels, found["probability"]))
    assert values["confusion"] == metrics.confusion_matrix(labels, answers).tolist()
    report = metrics.classification_report(
        labels, answers, target_names=data.class_names, output_dict=True
    )
    for name, own in values["per_class"].items():
        theirs = report[name]
        for ours, key in (("f1", "f1-score"), ("recall", "recall"), ("support", "support")):
            assert own[ours] == pytest.approx(theirs[key])
    split = found["total"] - found["aleatoric"]
    assert values["epistemic_mean"] == pytest.approx(np.maximum(split, 0).mean())


def test_the_page_shows_the_classes_and_every_problem(iris: tuple[Path, dict[str, Any]]) -> None:
    path, values = iris
    page = read_page(path)
    charts = {chart.name: chart for chart in page.charts()}
    counts = [row["n"] for row in charts["confusion-table"].spec["datasets"]["rows"]]
    assert counts == np.ravel(values["confusion"]).tolist()
    sections = {section.name: section for section in page.sections}
    found = {row[0]: row[2:] for row in sections["confusion"].tables[0].rows}
    for name, figures in values["per_class"].items():
        assert found[name][:2] == (f"{figures['recall']:.1%}", f"{figures['precision']:.1%}")
    problems = sections["problems"].tables[0].rows
    assert [row[0] for row in problems] == [problem["class"] for problem in values["problems"]]
    assert [float(row[4]) for row in problems] == pytest.approx(
        [problem["rhat_max"] for problem in values["problems"]], abs=6e-4
    )
    for k, problem in enumerate(values["problems"], 1):
        drawn = charts[f"problem-{k}-weight-intervals"].spec["datasets"]["rows"]
        assert len(drawn) == problem["features"] + 1
    assert f"{values['accuracy']:.1%}" in page.headline.sentences[0]


def test_problems_are_ordinary_runs_of_their_own_rows(iris: tuple[Path, dict[str, Any]]) -> None:
    """The second problem has the points of the classes that are left, in another array. Cost adds
    up, and the worst verdict counts."""
    path, values = iris
    first, second = values["problems"]
    assert (first["class"], second["class"]) == ("setosa", "versicolor")
    assert second["against"] == ["virginica"]
    assert (first["train_points"], second["train_points"]) == (75, 50)
    assert (first["test_points"], second["test_points"]) == (75, 50)
    assert first["array_seed"] != second["array_seed"]
    assert values["pulses"]["set"] == first["pulses"]["set"] + second["pulses"]["set"]
    assert values["energy_joules"] == pytest.approx(
        first["energy_joules"] + second["energy_joules"]
    )
    assert values["verdict"] in (first["verdict"], second["verdict"])
    assert all(text.startswith("class ") for text in values["verdict_reasons"])
    for number, problem in enumerate((first, second), start=1):
        kind, own = read_complete(path / f"problem-{number}")
        assert kind.name == "supervised" and own["accuracy"] == problem["accuracy"]


class PressesCtrlC(Silence):
    """Interrupts the sampling of the second problem."""

    def __init__(self) -> None:
        self.problems: list[str] = []

    def begin(self, steps: int, total: int, what: str = "sampling", unit: str = "steps") -> None:
        if what.startswith("sampling"):  # and not the adaptation before it
            self.problems.append(what)

    def advance(self, steps: int, acceptance: float | None = None) -> None:
        if len(self.problems) == 2:
            signal.raise_signal(signal.SIGINT)


def test_a_run_goes_on_inside_its_second_problem(
    iris: tuple[Path, dict[str, Any]], tmp_path: Path
) -> None:
    path, whole = iris
    run, observer = tmp_path / "run", PressesCtrlC()
    with pytest.raises(Interrupted, match=rf"versicolor \(2 of 2\).*`ohmcarlo resume {run}`"):
        train_run(IRIS, Outputs(run), observer)
    assert observer.problems == ["sampling setosa (1 of 2)", "sampling versicolor (2 of 2)"]
    assert (run / "problem-1" / stored.RESULT).exists() and not (run / stored.RESULT).exists()
    resumed = resume_run(Outputs(run, trace=tmp_path / "trace.npz"), Silence())
    assert timeless(resumed) == timeless(whole)
    traces = stored.read_arrays(tmp_path / "trace.npz")
    for number in (1, 2):
        reference = stored.read_trace(path / f"problem-{number}").arrays()
        for name, array in reference.items():
            assert np.array_equal(traces[f"problem-{number}.{name}"], array)
    assert timeless(train_run(IRIS, Outputs(), Silence())) == timeless(whole), "without a folder"
    with pytest.raises(Interrupted, match="nothing was kept"):
        train_run(IRIS, Outputs(), PressesCtrlC())


def test_a_problem_of_another_run_is_refused(
    iris: tuple[Path, dict[str, Any]], tmp_path: Path
) -> None:
    path, _ = iris
    run = tmp_path / "run"
    train_run(IRIS, Outputs(run), Silence())
    MulticlassPredictor.of_run(run)
    result = (path / "problem-1" / stored.RESULT).read_bytes()
    (run / "problem-1" / stored.RESULT).write_bytes(result)
    with pytest.raises(OhmcarloError, match=r"not the one that belongs"):
        MulticlassPredictor.of_run(run)


def test_the_command_line(
    iris: tuple[Path, dict[str, Any]], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """A CSV file with the columns in another order, through all verbs."""
    data = load("iris")
    mixed = np.random.default_rng(0).permutation(150)
    names = ("petal length", "petal width", "sepal length", "sepal width")
    lines = [",".join(("species", *names))]
    for i in mixed:
        cells = data.x[i][[2, 3, 0, 1]].tolist()
        lines.append(",".join([data.class_names[data.y[i]], *map(str, cells)]))
    (tmp_path / "own.csv").write_text("\n".join(lines).replace("species", "label"))
    run = str(tmp_path / "run")
    assert main(["train", str(tmp_path / "own.csv"), *COMMAND, "--out", run]) == DONE
    out, err = capfd.readouterr()
    assert "3 classes, stick-breaking" in out and "class versicolor" in out
    assert "setosa, versicolor, virginica, the easiest to separate first" in err
    assert main(["report", run, "--plots", str(tmp_path / "plots")]) == DONE
    assert {p.stem for p in (tmp_path / "plots").iterdir()} == {
        "confusion", "reliability", "referral",
    }  # fmt: skip
    capfd.readouterr()
    answers = tmp_path / "answers.json"
    assert main(["predict", run, str(tmp_path / "own.csv"), "--json", str(answers)]) == DONE
    out, err = capfd.readouterr()
    header = "row,class,p_setosa,p_versicolor,p_virginica,entropy,aleatoric,epistemic,extrapolated"
    assert out.splitlines()[0] == header and len(out.splitlines()) == 151
    assert "accuracy on these 150" in err
    for case in json.loads(answers.read_text())["predictions"]:
        p = np.array([case[f"p_{name}"] for name in data.class_names])
        assert p.sum() == pytest.approx(1) and case["class"] == data.class_names[p.argmax()]
        assert case["entropy"] == pytest.approx(entropy(p))
        assert case["entropy"] == pytest.approx(case["aleatoric"] + case["epistemic"], abs=1e-9)
    assert main(["resume", run]) == DONE
    assert "complete already" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["breast-cancer", "--multi-class", "stick-breaking"], "leave out --multi-class"),
        (["iris", "--multi-class", "softmax"], "stick-breaking or one-vs-rest"),
        (["iris", "--hidden", "4"], "leave out --hidden"),
    ],
)
def test_requests_that_cannot_be_met(
    arguments: list[str], words: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", *arguments]) == BAD_USE
    assert words in capfd.readouterr().err


def test_one_against_the_rest_has_a_problem_for_each_class(tmp_path: Path) -> None:
    config = TrainConfig("iris", **SMALL | {"multi_class": "one-vs-rest", "steps": 200})  # type: ignore[arg-type]
    values = train_run(config, Outputs(tmp_path / "run"), Silence())
    assert [p["class"] for p in values["problems"]] == list(load("iris").class_names)
    assert {p["train_points"] for p in values["problems"]} == {75}
    with pytest.raises(UsageError, match="problem = 7"):
        train_run(TrainConfig("iris", kind="supervised", problem=7), Outputs(), Silence())
