"""The command line: results, and errors for bad requests."""

from __future__ import annotations

import csv
import json
import os
import re
import resource
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from ohmcarlo.cli import app as cli
from ohmcarlo.files import TEMPORARY
from ohmcarlo.runs import provenance, stored

SMALL = ["--rows", "64", "--pairs", "16", "--chains", "2", "--steps", "120", "--no-whiten"]
KEYS = {
    "task", "backend", "array", "kernel", "seed", "geometry", "chains", "steps", "accepted",
    "acceptance_rate", "samples", "accuracy", "balanced_accuracy", "log_loss", "ece", "accesses",
    "accesses_without_early_reject", "pulses", "energy_joules", "wall_seconds", "clock_cycles",
    "clock_hz", "ess_min", "rhat_max", "entropy", "retired_rows", "status",
}  # fmt: skip


@pytest.fixture
def call(capfd: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Run the command line in this process: exit code, standard output, standard error."""

    def run(*arguments: object) -> tuple[int, str, str]:
        code = cli.main([str(a) for a in arguments])
        out, err = capfd.readouterr()
        return code, out, err

    return run


Call = Callable[..., tuple[int, str, str]]


def assert_refused(answer: tuple[int, str, str], code: int, *words: str) -> None:
    """Check for one line on standard error that contains ``words``, and an empty standard
    output."""
    got, out, err = answer
    assert got == code, err
    assert out == ""
    lines = err.splitlines()
    assert len(lines) == 1, err
    assert lines[0].startswith("ohmcarlo: ")
    for word in words:
        assert word in lines[0]


def write_csv(path: Path, rows: list[list[object]]) -> Path:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    return path


def table(n: int = 60, features: int = 2, seed: int = 0) -> list[list[object]]:
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % 2
    x = rng.normal(size=(n, features)) + labels[:, None]
    names: list[object] = [f"f{i}" for i in range(features)]
    body = [[*(round(v, 4) for v in row), int(c)] for row, c in zip(x, labels, strict=True)]
    return [[*names, "label"], *body]


# -- valid commands ----------------------------------------------------------------------------


def test_json_and_trace_keep_their_promise(call: Call, tmp_path: Path) -> None:
    arguments = ["train", "breast-cancer", *SMALL, "--features", 9, "--whiten", "--rho", 0.8]
    code, out, _ = call(
        *arguments, "--json", tmp_path / "r.json", "--trace", tmp_path / "t.npz", "--seed", 3
    )
    assert code == 0
    assert "accuracy on held-out data" in out
    result = json.loads((tmp_path / "r.json").read_text())
    assert set(result) >= KEYS
    assert set(result["pulses"]) >= {"set", "reset", "read", "dot"}
    assert set(result["geometry"]) >= {"rows", "pairs", "row_group"}
    assert set(result["entropy"]) >= {"min_entropy", "alarms"}
    assert result["accuracy"] > 0.85
    low, high = result["accuracy_interval_95"]
    assert low < result["accuracy"] < high
    assert result["status"] == "complete"
    assert result["accesses"] <= result["accesses_without_early_reject"]
    assert result["pulses"]["set"] > 0 and result["energy_joules"] > 0
    with np.load(tmp_path / "t.npz") as stored:
        t = dict(stored)
    assert t["accepted"].dtype == bool and t["accepted"].shape == (240,)
    assert t["log_posterior"].dtype.kind == "i" and t["log_posterior"].shape == (240,)
    assert t["codes"].dtype == np.uint16
    assert t["codes"].shape == (result["samples"], 2 * 10)
    assert t["accepted"].sum() == result["accepted"]
    # every step belongs to a sample: the first sample of a chain counts its start as one
    assert t["multiplicity"].sum() == 240 + 2
    assert len(t["codes"]) == result["accepted"] + 2


def test_equal_seeds_equal_traces_with_and_without_early_rejection(
    call: Call, tmp_path: Path
) -> None:
    for name, extra in (("a", []), ("b", []), ("c", ["--no-early-reject"]), ("d", ["--seed", 9])):
        assert call("train", "toy2d", *SMALL, *extra, "--trace", tmp_path / f"{name}.npz")[0] == 0
    a, b, c, d = (dict(np.load(tmp_path / f"{n}.npz")) for n in "abcd")
    assert all(np.array_equal(a[k], b[k]) and np.array_equal(a[k], c[k]) for k in a)
    assert not np.array_equal(a["log_posterior"], d["log_posterior"])


def test_json_on_standard_output_is_nothing_but_json(call: Call) -> None:
    code, out, _ = call("train", "toy2d", *SMALL, "--json", "-")
    assert code == 0
    assert json.loads(out)["task"] == "toy2d"


def test_run_folder_report_and_predict(call: Call, tmp_path: Path) -> None:
    data = write_csv(tmp_path / "data.csv", table())
    run = tmp_path / "run"
    assert call("train", data, *SMALL, "--out", run)[0] == 0
    names = {p.name for p in run.iterdir()}
    assert names >= {
        stored.MANIFEST, stored.CHECKPOINT, stored.POSTERIOR, stored.TRACE, stored.EVALUATION,
        stored.RESULT, "chunk-000000.npz",
    }  # fmt: skip
    assert not [n for n in names if n.endswith(TEMPORARY)]
    manifest = json.loads((run / stored.MANIFEST).read_text())
    assert manifest["config"]["seed"] == 0
    assert {"ohmcarlo", "python", "numpy"} <= set(manifest["versions"])
    assert len(manifest["inputs"]["data"]) == 64

    code, out, _ = call("report", run)
    assert code == 0 and "accuracy" in out
    pictures = {p.name for p in (run / "report").glob("*.png")}
    assert pictures == {
        "log-posterior.png", "weights.png", "reliability.png", "referral.png", "wear.png",
        "boundary.png", "uncertainty.png",
    }  # fmt: skip

    code, out, _ = call("predict", run, data)
    assert code == 0
    lines = list(csv.DictReader(out.splitlines()))
    assert len(lines) == 60
    assert list(lines[0]) == ["row", "class", "p_0", "p_1", "spread", "extrapolated"]
    for line in lines:
        p = {name: float(line[f"p_{name}"]) for name in "01"}
        assert sum(p.values()) == pytest.approx(1) and line["class"] == max(p, key=lambda c: p[c])
    assert call("predict", run, data, "--json", tmp_path / "p.json")[0] == 0
    assert json.loads((tmp_path / "p.json").read_text())["accuracy"] > 0.6


def test_the_choice_of_columns_is_said(call: Call, tmp_path: Path) -> None:
    rows = [["id" if i == 0 else i * i % 61, *row] for i, row in enumerate(table())]
    data, run = write_csv(tmp_path / "data.csv", rows), tmp_path / "run"
    chosen = ["--label", "Label", "--drop", "id,f1", "--positive", 0]
    code, out, err = call("train", data, *SMALL, *chosen, "--out", run)
    said = "commas, label 'label': 1 = 0, 0 = 1 (positive), 60 rows, 1 feature (without id, f1)"
    assert code == 0 and f"data: {said}" in err
    for answer in (out, call("resume", run)[1]):
        assert said in re.sub(r"[^\x21-\x7e]+", " ", answer).replace(" | ", " ")
    _, out, err = call("predict", run, data)
    assert "data: commas, label 'label', 60 rows, 1 feature" in err and "accuracy" in err
    assert out.startswith("row,class,p_1,p_0,")


def test_posterior_file_is_arviz(call: Call, tmp_path: Path) -> None:
    import arviz

    assert call("train", "toy2d", *SMALL, "--out", tmp_path / "run")[0] == 0
    data = arviz.from_netcdf(tmp_path / "run" / stored.POSTERIOR)
    result = json.loads((tmp_path / "run" / stored.RESULT).read_text())
    assert data.posterior["w"].shape == (2, 120 - result["burn_in"], 3)
    assert "lp" in data.sample_stats


def test_predict_without_labels_and_in_another_order(call: Call, tmp_path: Path) -> None:
    rows = table()
    run = tmp_path / "run"
    assert call("train", write_csv(tmp_path / "d.csv", rows), *SMALL, "--out", run)[0] == 0
    plain = write_csv(tmp_path / "plain.csv", [row[:2] for row in rows[:6]])
    shuffled = write_csv(tmp_path / "s.csv", [[r[1], i, r[0]] for i, r in enumerate(rows[:6])])
    first, second = call("predict", run, plain), call("predict", run, shuffled)
    assert first[0] == second[0] == 0
    assert first[1] == second[1]
    assert "accuracy" not in first[2]


def test_predict_knows_the_label_of_the_training_file(call: Call, tmp_path: Path) -> None:
    """The label column may have any name if no other column can be the label. Numbers are compared
    by value."""
    rows = [[*r[:2], "grade" if i == 0 else r[2]] for i, r in enumerate(table())]
    run = tmp_path / "run"
    assert call("train", write_csv(tmp_path / "d.csv", rows), *SMALL, "--out", run)[0] == 0
    as_floats = [rows[0], *[[*r[:2], f"{r[2]}.0"] for r in rows[1:]]]
    first = call("predict", run, tmp_path / "d.csv")
    assert "accuracy" in first[2] and "p_1: probability of class 1" in first[2]
    assert call("predict", run, write_csv(tmp_path / "f.csv", as_floats)) == first
    remarks = [[*r[:2], "remark" if i == 0 else "?"] for i, r in enumerate(rows)]
    assert "accuracy" not in call("predict", run, write_csv(tmp_path / "r.csv", remarks))[2]


def test_predict_says_what_is_extrapolated(call: Call, tmp_path: Path) -> None:
    run = tmp_path / "run"
    assert call("train", write_csv(tmp_path / "d.csv", table()), *SMALL, "--out", run)[0] == 0
    data = write_csv(tmp_path / "n.csv", [["f0", "f1"], [0.5, 0.5], [1e9, 0.5]])
    code, out, err = call("predict", run, data, "--json", tmp_path / "p.json")
    assert code == 0
    assert [line["extrapolated"] for line in csv.DictReader(out.splitlines())] == ["false", "true"]
    assert "note: 1 row beyond the range" in err and "(2)" in err
    answers = json.loads((tmp_path / "p.json").read_text())
    assert [p["extrapolated"] for p in answers["predictions"]] == [False, True]
    assert set(answers["columns"]) == set(answers["predictions"][0])
    _, commented, _ = call("predict", run, data, "--comments")
    comments = [line for line in commented.splitlines() if line.startswith("# ")]
    assert commented == "\n".join([*comments, out])
    assert any(line.startswith("# extrapolated: true") for line in comments)
    assert any("1 row beyond the range" in line for line in comments)


def test_predict_names_the_class_of_each_probability(call: Call, tmp_path: Path) -> None:
    """A case that is clearly of one class has the larger number under the name of that class,
    whichever class comes first in the file or in the alphabet."""
    rows = [[*row[:2], "label" if i == 0 else ("well", "sick")[int(str(row[2]))]]
            for i, row in enumerate(table())]  # fmt: skip
    run = tmp_path / "run"
    assert call("train", write_csv(tmp_path / "d.csv", rows), *SMALL, "--out", run)[0] == 0
    clear = write_csv(tmp_path / "n.csv", [["f0", "f1"], [3, 3], [-3, -3]])
    sick, well = csv.DictReader(call("predict", run, clear)[1].splitlines())
    assert (sick["class"], well["class"]) == ("sick", "well")
    assert float(sick["p_sick"]) > 0.9 and float(well["p_well"]) > 0.9


def test_report_of_a_network_and_of_a_perfect_run(call: Call, tmp_path: Path) -> None:
    """Pictures of hidden weights, bins whose share is exactly 1, and names that resemble markup."""
    rows = [["$a[red]", "b", "label"]] + [[i % 2 * 5 + i / 60, i % 7, i % 2] for i in range(60)]
    data = write_csv(tmp_path / "[bold]d.csv", rows)  # type: ignore[arg-type]
    for run, extra in ((tmp_path / "n", ["--hidden", 2]), (tmp_path / "w", ["--whiten"])):
        code, out, _ = call("train", data, *SMALL, *extra, "--out", run, "--json", tmp_path / "a")
        assert code == 0 and "[bold]d.csv" in out.replace("\n", "")
        assert call("report", run, "--json", tmp_path / "b")[0] == 0
        assert len(list((run / "report").glob("*.png"))) == 7
        assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_the_result_says_how_far_to_trust_it(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    """A short random walk of one chain is reported as unreliable, four that adapt are not."""
    monkeypatch.setenv("COLUMNS", "200")
    _, walk, _ = call("train", "breast-cancer", "--paper", "--steps", 500)
    _, good, _ = call("train", "toy2d", "--steps", 3000)
    _, still, _ = call("train", "toy2d", "--steps", 1)
    assert "DO NOT TRUST" in walk and "two halves of the chain do not agree" in walk
    assert "95 % interval" in walk and "energy, not measured" in walk
    assert "settled: " in good and "DO NOT TRUST" not in good and "note:" not in good
    assert "the array found its coordinates itself" in good
    _, fitted, _ = call("train", "toy2d", "--steps", 1, "--whiten")
    assert "the computer fits the mode" in fitted
    assert "UNKNOWN" in still


def test_tasks_and_selftest(call: Call, tmp_path: Path) -> None:
    code, out, _ = call("tasks", "--json", "-")
    assert code == 0
    listed = json.loads(out)
    assert {"toy2d", "breast-cancer", "breast-cancer-original"} <= set(listed)
    assert listed["breast-cancer"]["features"] == 15
    code, out, err = call("selftest", "--json", "-", "--html", tmp_path / "test.html")
    assert code == 0 and json.loads(out)["passed"] and "wrote" in err
    page = (tmp_path / "test.html").read_text(encoding="utf-8")
    assert "All 5 checks passed" in page and "No board was tested" in page


def test_warnings_are_one_line_each(call: Call, tmp_path: Path) -> None:
    rows = [[*r[:2], "same" if i == 0 else 1, r[2]] for i, r in enumerate(table())]
    data = write_csv(tmp_path / "data.csv", rows)
    code, _, err = call("train", data, *SMALL)
    assert code == 0
    notes = [line for line in err.splitlines() if "note:" in line]
    assert len(notes) == 1 and "same" in notes[0]
    assert "Warning" not in err


@pytest.mark.parametrize("array", ["emulator", "physics"])
def test_characterize(call: Call, array: str, tmp_path: Path) -> None:
    size = ["--rows", "32", "--pairs", "8", "--steps", "0"]
    code, out, _ = call(
        "characterize", "--array", array, *size, "--json", "-", "--out", tmp_path / "trim.npz"
    )
    assert code == 0
    values = json.loads(out)
    assert values["untrimmed"]["random_walk"] == (array == "emulator")
    every = "carries every kernel"
    assert (values["verdict"]["standing"] == every) is (array == "emulator")
    assert values["trimmed"]["d2d_rel"] <= max(0.02, values["untrimmed"]["d2d_rel"])
    assert (tmp_path / "trim.npz").stat().st_size > 0


def test_characterize_fits_own_measurements(call: Call, tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    rows: list[list[object]] = [["device", "target_us", "g_us"]]
    for device in range(8):
        for _ in range(10):
            rows += [[device, t, round(rng.normal(t, 6.0), 3)] for t in (60, 100, 140, 180)]
    data = write_csv(tmp_path / "own.csv", rows)
    size = ["--rows", "32", "--pairs", "8"]
    code, out, _ = call("characterize", "--fit", data, *size, "--steps", 0)
    assert code == 0 and out.count("c2c_intercept_us") == 1
    assert "fitted" in out and "from the data's range" in out and "assumed" in out
    assert call("train", "toy2d", *SMALL, "--array", "physics", "--preset", data)[0] == 0
    data.write_text("device,target_us\n1,2\n")
    assert_refused(call("characterize", "--fit", data), cli.BAD_USE, "own.csv")


def test_physics_beyond_its_sources_is_one_line(
    call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    code, out, err = call("train", "toy2d", *SMALL, "--array", "physics", "--preset", "rram-1t1r")
    assert code == 0
    notes = [line for line in err.splitlines() if line.startswith("ohmcarlo: note:")]
    assert len(notes) == 1 and "rram-1t1r" in notes[0]
    assert "Warning" not in err + out
    assert out.count("characterisation included") == 2  # wear and energy


def test_help_names_every_option(call: Call) -> None:
    code, out, _ = call("train", "--help")
    assert code == 0
    for option in ("--backend", "--array", "--preset", "--kernel", "--rho", "--whiten", "--rows",
                   "--pairs", "--chains", "--steps", "--paper", "--seed", "--out", "--trace",
                   "--json", "--no-early-reject"):  # fmt: skip
        assert option in out


# -- rejected commands -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["train", "no-such-task"], ["no-such-task"]),
        (["train", "toy2d", "--kernel", "metropolis"], ["metropolis", "corrected"]),
        (["train", "toy2d", "--array", "physics", "--preset", "unobtainium"], ["unobtainium"]),
        (["train", "toy2d", "--preset", "unobtainium"], ["unobtainium"]),
        (["train", "toy2d", "--array", "abacus"], ["abacus", "emulator"]),
        (["train", "toy2d", "--array", "measured:"], ["file"]),
        (["train", "toy2d", "--array", "measured:nowhere.csv"], ["nowhere.csv"]),
        (["train", "toy2d", "--backend", "rtl", "--array", "physics"], ["emulated array", "model"]),
        (["train", "toy2d", "--backend", "serial:"], ["serial:PORT"]),
        (["train", "toy2d", "--backend", "abacus"], ["abacus", "model", "rtl", "serial:PORT"]),
        (["train", "toy2d", "--rows", "3"], ["rows"]),
        (["train", "toy2d", "--pairs", "1"], ["pairs"]),
        (["train", "toy2d", "--entropy-pairs", "32"], ["entropy_pairs"]),
        (["train", "toy2d", "--rows", "8", "--chains", "4"], ["--rows 16 or more"]),
        (["train", "toy2d", "--chains", "0"], ["chains"]),
        (["train", "toy2d", "--steps", "0"], ["steps"]),
        (["train", "toy2d", "--steps", "many"], ["--steps"]),
        (["train", "toy2d", "--rho", "1.5"], ["rho"]),
        (["train", "toy2d", "--rho", "nan"], ["rho"]),
        (["train", "toy2d", "--gamma", "-1"], ["gamma"]),
        (["train", "toy2d", "--sigma-p", "0"], ["sigma_p"]),
        (["train", "toy2d", "--tau", "inf"], ["tau"]),
        (["train", "toy2d", "--tau", "nan"], ["tau", "choose"]),
        (["train", "toy2d", "--gamma", "1e-9"], ["gamma", "choose"]),
        (["train", "toy2d", "--gamma", "1e9"], ["gamma", "choose"]),
        (["train", "toy2d", "--sigma-p", "1e-12"], ["sigma_p", "choose"]),
        (["train", "toy2d", "--seed", "-1"], ["seed"]),
        (["train", "toy2d", "--hidden", "99"], ["hidden"]),
        (["train", "toy2d", "--whiten", "--hidden", "3"], ["whiten"]),
        (["train", "toy2d", "--whiten", "--paper"], ["leave out --paper"]),
        (["train", "toy2d", "--features", "0"], ["features"]),
        (["train", "breast-cancer", "--features", "30", "--pairs", "32"], ["--pairs 35"]),
        (["train", "toy2d", "--trace", "no/such/folder/t.npz"], ["folder"]),
        (["train", "toy2d", "--json", "no/such/folder/r.json"], ["folder"]),
        (["train", "toy2d", "--json", ""], ["file name"]),
        (["train", "toy2d", "--trace", "."], ["file name"]),
        (["characterize", "--json", "no/such/folder/r.json"], ["folder"]),
        (["characterize", "--out", "no/such/folder/c.npz"], ["folder"]),
        (["characterize", "--out", "."], ["file name"]),
        (["selftest", "--json", "no/such/folder/r.json"], ["folder"]),
        (["selftest", "--html", "no/such/folder/p.html"], ["folder"]),
        (["characterize", "--html", "."], ["file name"]),
        (["tasks", "--json", "."], ["file name"]),
        (["train"], ["TASK"]),
        (["train", "toy2d", "--no-such-option"], ["--no-such-option"]),
        (["no-such-verb"], ["no-such-verb"]),
        (["resume", "no/such/run"], ["no/such/run"]),
        (["report", "no/such/run"], ["no/such/run"]),
        (["predict", "no/such/run", "x.csv"], ["no/such/run"]),
        (["data", "fetch", "no-such-data"], ["no-such-data"]),
        (["characterize", "--array", "abacus"], ["abacus"]),
        (["characterize", "--report", "die.html"], [".pdf", "folder"]),
        (["characterize", "--steps", "9"], ["--steps 9", "100"]),
        (["selftest", "--preset", "unobtainium"], ["unobtainium"]),
    ],
    ids=lambda v: " ".join(v) if isinstance(v, list) and v and v[0] in cli_verbs() else "",
)
def test_bad_use(call: Call, arguments: list[str], words: list[str]) -> None:
    assert_refused(call(*arguments), cli.BAD_USE, *words)


def cli_verbs() -> set[str]:
    return {
        "train", "resume", "report", "predict", "data", "characterize", "selftest", "tasks",
        "no-such-verb",
    }  # fmt: skip


def damaged(rows: list[list[object]], line: int, column: int, cell: object) -> list[list[object]]:
    rows[line][column] = cell
    return rows


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        pytest.param([], ["empty"], id="empty"),
        pytest.param(table()[:1], [], id="header only"),
        pytest.param(damaged(table(), 7, 1, "wet"), ["wet", "8"], id="non-numeric cell"),
        pytest.param(damaged(table(), 7, 1, "nan"), ["8"], id="not a number"),
        pytest.param([*table()[:9], [1.0], *table()[9:]], ["10"], id="short line"),
        pytest.param(
            [[*r[:2], "x" if i == 0 else 1] for i, r in enumerate(table())],
            ["class"],
            id="one class",
        ),
        pytest.param(
            [[*r[:2], "label" if i == 0 else f"c{i % 25}"] for i, r in enumerate(table(n=100))],
            ["25", "classes"],
            id="too many classes",
        ),
        pytest.param(table(n=3), [], id="too few points"),
        pytest.param(table(features=260), ["--pairs 256"], id="more features than any array has"),
    ],
)
def test_bad_csv(call: Call, rows: list[list[object]], words: list[str], tmp_path: Path) -> None:
    data = write_csv(tmp_path / "data.csv", rows)
    out = tmp_path / "run"
    assert_refused(call("train", data, "--steps", 10, "--out", out), cli.BAD_USE, *words)
    assert not out.exists()


@pytest.mark.parametrize("content", [b"\xff\xfe\x00\x01binary", b'1,"2\n3,4,0\n'])
def test_files_that_are_no_csv(call: Call, content: bytes, tmp_path: Path) -> None:
    data = tmp_path / "data.csv"
    data.write_bytes(content)
    assert_refused(call("train", data, "--out", tmp_path / "run"), cli.BAD_USE, "data.csv")
    assert not (tmp_path / "run").exists()


def test_a_folder_is_never_overwritten(call: Call, tmp_path: Path) -> None:
    run = tmp_path / "run"
    assert call("train", "toy2d", *SMALL, "--out", run)[0] == 0
    before = {p.name: p.read_bytes() for p in run.iterdir()}
    assert_refused(call("train", "toy2d", *SMALL, "--out", run), cli.BAD_USE, "resume")
    assert {p.name: p.read_bytes() for p in run.iterdir()} == before
    other = tmp_path / "other"
    other.mkdir()
    (other / "thesis.txt").write_text("precious")
    assert_refused(call("train", "toy2d", *SMALL, "--out", other), cli.BAD_USE, "not empty")
    assert_refused(call("resume", other), cli.BAD_USE, "no run")
    assert_refused(call("train", "toy2d", "--out", other / "thesis.txt"), cli.BAD_USE, "file")
    assert [p.name for p in other.iterdir()] == ["thesis.txt"]


def test_an_unfinished_run_is_no_result(call: Call, tmp_path: Path) -> None:
    run = tmp_path / "run"
    assert call("train", "toy2d", *SMALL, "--out", run)[0] == 0
    (run / stored.RESULT).unlink()
    assert_refused(call("report", run), cli.BAD_USE, "resume")
    assert_refused(call("predict", run, "x.csv"), cli.BAD_USE, "resume")
    (run / stored.MANIFEST).write_text("{")
    assert_refused(call("resume", run), cli.FAILED, stored.MANIFEST, "damaged")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_unreadable_run_folder(call: Call, tmp_path: Path) -> None:
    run = tmp_path / "run"
    assert call("train", "toy2d", *SMALL, "--out", run)[0] == 0
    run.chmod(0)
    try:
        assert_refused(call("resume", run), cli.FAILED, "cannot read")
    finally:
        run.chmod(0o700)


def test_unreadable_checkpoint(call: Call, tmp_path: Path) -> None:
    """A folder in place of a file, which not even root can read."""
    run = tmp_path / "run"
    assert call("train", "toy2d", *SMALL, "--out", run)[0] == 0
    (run / stored.RESULT).unlink()
    (run / stored.CHECKPOINT).unlink()
    (run / stored.CHECKPOINT).mkdir()
    code, _, err = call("resume", run)
    assert code == cli.FAILED
    assert "cannot read" in err.splitlines()[-1] and "Traceback" not in err


def test_unwritable_place(call: Call, tmp_path: Path) -> None:
    """A file in place of a folder stops even root."""
    (tmp_path / "file").write_text("")
    answer = call("train", "toy2d", *SMALL, "--out", tmp_path / "file" / "run")
    assert_refused(answer, cli.FAILED, "cannot make")


def test_predict_refuses_what_does_not_fit(call: Call, tmp_path: Path) -> None:
    run = tmp_path / "run"
    assert call("train", write_csv(tmp_path / "d.csv", table()), *SMALL, "--out", run)[0] == 0
    for name, rows, words in (
        ("column", [["f0", "label"], [1, 0]], ["f1"]),
        ("cell", [["f0", "f1"], [1, "wet"]], ["wet", "line 2"]),
        ("length", [["f0", "f1"], [1, 2, 3]], ["line 2", "3 columns"]),
        ("label", [["f0", "f1", "label"], [1, 2, "maybe"]], ["maybe"]),
        ("rows", [["f0", "f1"]], ["no data"]),
        ("twice", [["f0", "f0", "f1"], [1, 2, 3]], ["second column", "f0"]),
        ("underscore", [["f0", "f1"], ["1_0", 2]], ["1_0"]),
        ("huge", [["f0", "f1"], [1, 1e300]], ["line 2", "size"]),
    ):
        data = write_csv(tmp_path / f"{name}.csv", rows)  # type: ignore[arg-type]
        assert_refused(call("predict", run, data), cli.BAD_USE, f"{name}.csv", *words)
    assert_refused(call("predict", run, tmp_path / "none.csv"), cli.BAD_USE, "none.csv")
    data = write_csv(tmp_path / "good.csv", [["f0", "f1"], [1, 2]])
    semicolons = write_csv(tmp_path / "s.csv", [["f0;f1"], ["1;2"]])
    answers = [call("predict", run, path) for path in (data, semicolons)]
    assert answers[0][:2] == answers[1][:2] and "data: semicolons, 1 row" in answers[1][2]
    for option in ("--out", "--json"):
        for target, word in ((tmp_path, "file name"), (tmp_path / "no" / "x", "make it first")):
            assert_refused(call("predict", run, data, option, target), cli.BAD_USE, word)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        (stored.MANIFEST, b'{"format": 2}', ["SHA-256", "train again"]),
        (stored.RESULT, b"{}", ["no 'task'", "resume"]),
        (stored.RESULT, b"[1]", ["JSON object", "resume"]),
        (stored.TRACE, b"garbage", ["resume"]),
        (stored.TRACE, {"accepted": [True]}, ["log_posterior", "resume"]),
        (stored.EVALUATION, {"labels": [1]}, ["probability", "resume"]),
    ],
)
def test_a_damaged_result(
    call: Call, name: str, content: bytes | dict[str, object], words: list[str], tmp_path: Path
) -> None:
    """The message names the file and a remedy, and the remedy works."""
    run = tmp_path / "run"
    assert call("train", "toy2d", *SMALL, "--out", run)[0] == 0
    before = (run / stored.TRACE).read_bytes()
    if isinstance(content, dict):
        np.savez(run / name, **content)  # type: ignore[arg-type]
    else:
        (run / name).write_bytes(content)
    assert_refused(call("report", run), cli.FAILED, name, "damaged", *words)
    assert not (run / "report").exists()
    if name != stored.MANIFEST:
        (run / stored.RESULT).unlink()
        assert call("resume", run)[0] == 0
        assert call("report", run)[0] == 0
        assert (run / stored.TRACE).read_bytes() == before


# -- the checkout that it runs from -------------------------------------------------------------


def test_the_state_of_the_checkout_is_looked_at_and_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Git renews its index if the time of a file has changed. A commit of the user would then
    fail."""

    def git(*arguments: str) -> str:
        who = ("-c", "user.name=A", "-c", "user.email=a@example.org")
        command = ["git", *who, "-C", str(tmp_path), *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    source, index = tmp_path / "__init__.py", tmp_path / ".git" / "index"
    source.write_text("1\n")
    git("init")
    git("add", ".")
    git("commit", "--message", "first")
    monkeypatch.setattr(provenance, "PACKAGE", tmp_path)
    os.utime(source, (1, 1))
    before = index.read_bytes()
    assert provenance.git_state() == {"commit": git("rev-parse", "HEAD"), "changed": False}
    assert index.read_bytes() == before
    source.write_text("2\n")
    assert provenance.git_state() == {"commit": git("rev-parse", "HEAD"), "changed": True}


# -- a full disk -------------------------------------------------------------------------------


def no_file_longer_than(size: int) -> None:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # the write fails instead
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


def limited(size: int, *arguments: object) -> tuple[int, str]:
    """Exit code and output of the command line in a fork of this process that cannot write a file
    longer than ``size`` bytes."""
    ours, its = map(os.fdopen, os.pipe(), "rw")
    child = os.fork()
    if not child:
        no_file_longer_than(size)
        sys.stdout = sys.stderr = its
        code = cli.main([str(a) for a in arguments])
        its.flush()
        os._exit(code)
    its.close()
    with ours:
        output = ours.read()
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), output


@pytest.fixture
def compiled(call: Call) -> None:
    """The machine code of the sampler is on disk already, so it is not the file that does not
    fit."""
    assert call("train", "toy2d", *SMALL)[0] == 0


@pytest.mark.usefixtures("compiled")
def test_disk_full_from_the_start(tmp_path: Path) -> None:
    code, err = limited(100, "train", "toy2d", *SMALL, "--out", tmp_path / "run")
    assert code == cli.FAILED
    assert "manifest.json" in err.splitlines()[-1]
    assert "Traceback" not in err
    assert not (tmp_path / "run").exists()


@pytest.mark.usefixtures("compiled")
def test_disk_full_later(call: Call, tmp_path: Path) -> None:
    """The checkpoint does not fit. The manifest stays, no partial file is left, and resume
    works."""
    run, whole = tmp_path / "run", tmp_path / "whole"
    code, err = limited(20_000, "train", "toy2d", *SMALL, "--out", run)
    assert code == cli.FAILED
    assert "File too large" in err.splitlines()[-1]
    assert "Traceback" not in err
    assert not (run / stored.RESULT).exists()
    assert not list(run.glob(f"*{TEMPORARY}"))
    assert call("resume", run)[0] == 0
    assert call("train", "toy2d", *SMALL, "--out", whole)[0] == 0
    a, b = stored.read_trace(run).arrays(), stored.read_trace(whole).arrays()
    assert all(np.array_equal(a[k], b[k]) for k in a)


@pytest.mark.usefixtures("compiled")
@pytest.mark.parametrize("option", ["--json", "--trace"])
def test_disk_full_beside_the_run(option: str, tmp_path: Path) -> None:
    code, err = limited(300, "train", "toy2d", *SMALL, option, tmp_path / "file")
    assert code == cli.FAILED
    assert "File too large" in err.splitlines()[-1]
    assert list(tmp_path.iterdir()) == []


def test_disk_full_while_compiling(tmp_path: Path) -> None:
    """The run is a process of its own, because loaded machine code is not compiled again."""
    done = subprocess.run(
        [sys.executable, "-m", "ohmcarlo.cli.app", "train", "toy2d", *SMALL],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"XDG_CACHE_HOME": str(tmp_path / "cache")},
        preexec_fn=lambda: no_file_longer_than(20_000),
    )
    assert done.returncode == cli.FAILED
    assert "compiled code" in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_standard_output_is_full() -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "ohmcarlo.cli.app", "tasks"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == cli.FAILED
    assert "No space left" in done.stderr
    assert "Traceback" not in done.stderr
