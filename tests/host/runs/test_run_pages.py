"""The HTML page of a run: numbers of the stored files, marks of the verdict.

One short run of two chains on a table with hostile column names serves all tests.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ohmcarlo.cli.app import main
from ohmcarlo.pages.content import Chart, HtmlPage, Section, Tone
from ohmcarlo.pages.render import render
from ohmcarlo.runs.config import TrainConfig
from ohmcarlo.runs.outputs import Outputs
from ohmcarlo.runs.report import read_page, write_html
from ohmcarlo.runs.sections.array import array_section, geometry_of
from ohmcarlo.runs.sections.link import link_section
from ohmcarlo.runs.sections.marks import headline, mark
from ohmcarlo.runs.sections.page import numbers_section
from ohmcarlo.runs.sections.state import HeldRows, read_state
from ohmcarlo.runs.supervised.page import crossings, supervised_page
from ohmcarlo.runs.train import Silence, train_run
from ohmcarlo.runs.verdict import Finding, Judgement, Verdict
from ohmcarlo.spec import CODE_LSB_US

HOSTILE = ("<script>window.broken=1</script>", '$a\\" onerror="window.broken=2')
ROWS, PAIRS, CHAINS = 64, 8, 2


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A complete run; do not write into it."""
    folder = tmp_path_factory.mktemp("page")
    rng = np.random.default_rng(3)
    x = rng.normal(size=(120, 2)) * [1.0, 40.0] + [0.0, 100.0]
    label = np.where(x[:, 0] + (x[:, 1] - 100) / 40 + rng.normal(size=120) > 0, "yes", "no")
    quoted = ",".join('"' + name.replace('"', '""') + '"' for name in HOSTILE)
    lines = [f"{a:.6f},{b:.6f},{c}" for (a, b), c in zip(x, label, strict=True)]
    (folder / "table.csv").write_text("\n".join([f"{quoted},label", *lines]) + "\n")
    config = TrainConfig(
        str(folder / "table.csv"), rows=ROWS, pairs=PAIRS, chains=CHAINS, steps=200, whiten=True,
        rho=0.7,
    )  # fmt: skip
    train_run(config, Outputs(folder / "run"), Silence())
    return folder / "run"


@pytest.fixture(scope="module")
def page(run: Path) -> HtmlPage:
    return read_page(run)


@pytest.fixture(scope="module")
def result(run: Path) -> dict[str, Any]:
    values: dict[str, Any] = json.loads((run / "result.json").read_text())
    return values


@pytest.fixture
def copy(run: Path, tmp_path: Path) -> Path:
    """A copy of the run, to damage."""
    shutil.copytree(run, tmp_path / "copy")
    return tmp_path / "copy"


def section(page: HtmlPage, name: str) -> Section:
    return next(s for s in page.sections if s.name == name)


def chart(page: HtmlPage, name: str) -> Chart:
    return next(c for c in page.charts() if c.name == name)


def rows_of(drawn: Chart) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = drawn.spec["datasets"]["rows"]
    return found


def near(found: Any, wanted: Any) -> None:
    """Equal to five digits, which a drawing has."""
    np.testing.assert_allclose(np.asarray(found, float), wanted, rtol=1e-4, atol=1e-9)


# -- numbers ---------------------------------------------------------------------------------------


def test_the_headline_is_the_answer(page: HtmlPage, result: dict[str, Any]) -> None:
    low, high = result["accuracy_interval_95"]
    answer = page.headline.sentences[0]
    assert f"{result['accuracy']:.1%}" in answer and f"{low:.1%} to {high:.1%}" in answer
    for reason in result["verdict_reasons"]:
        assert any(reason[1:] in text for text in page.headline.sentences)


def test_probabilities(page: HtmlPage, run: Path, result: dict[str, Any]) -> None:
    from sklearn.calibration import calibration_curve
    from sklearn.metrics import confusion_matrix

    held_out = np.load(run / "evaluation.npz")
    y, p = held_out["labels"], held_out["probability"]
    share, mean = calibration_curve(y, p, n_bins=10)
    rows = rows_of(chart(page, "reliability"))
    near([row["x"] for row in rows], mean)
    near([row["y"] for row in rows], share)
    counts = [row["n"] for row in rows_of(chart(page, "confusion-table"))]
    assert counts == confusion_matrix(y, p >= 0.5).ravel().tolist()
    referral = rows_of(chart(page, "referral-curve"))[0]
    near(referral["y"][0], 100 * result["accuracy"])
    kept = round(0.9 * len(y))
    at = int(np.argmin(np.abs(np.array(referral["x"]) - 100 * (1 - kept / len(y)))))
    near(referral["y"][at], 100 * result["referral"]["accuracy"])


def test_weights(page: HtmlPage, run: Path, result: dict[str, Any]) -> None:
    """Intervals of the posterior file; slopes in units of the data."""
    import xarray

    with xarray.open_datatree(run / "posterior.nc", engine="h5netcdf") as tree:
        draws = tree["posterior"]["w"].stack(s=("chain", "draw")).transpose("s", "weight")
        names, w = [str(n) for n in draws["weight"].to_numpy()], draws.to_numpy().astype(float)
    found = {row["name"]: row for row in rows_of(chart(page, "weight-intervals"))}
    assert set(found) == {*HOSTILE, "bias"} == set(names)
    for name, values in zip(names, w.T, strict=True):
        ends = [found[name][key] for key in "abmcd"]
        near(ends, np.quantile(values, [0.05, 0.25, 0.5, 0.75, 0.95]))
    table = {row[0]: row for row in section(page, "weights").tables[1].rows}
    encoder = json.loads((run / "manifest.json").read_text())["encoder"]
    for name, values, scale in zip(names, w.T, encoder["scale"], strict=False):
        low, middle, high = np.quantile(values / scale, [0.05, 0.5, 0.95])
        assert table[f"{name}, per unit"][1:4] == (f"{middle:.4g}", f"{low:.4g}", f"{high:.4g}")
    bias = w[:, 2] - w[:, 0] * (encoder["mean"][0] / encoder["scale"][0])
    bias -= w[:, 1] * (encoder["mean"][1] / encoder["scale"][1])
    assert float(table["bias, all features 0"][1]) == pytest.approx(np.median(bias), rel=1e-3)


def test_chains(page: HtmlPage, result: dict[str, Any]) -> None:
    table = section(page, "chains").tables[0]
    assert min(int(row[3]) for row in table.rows) == round(result["ess_min"])
    assert min(int(row[4]) for row in table.rows) == round(result["ess_tail_min"])
    assert max(float(row[5]) for row in table.rows) == pytest.approx(result["rhat_max"], abs=6e-4)
    assert len(rows_of(chart(page, "trace"))) == CHAINS


def test_the_array_shows_the_samples_that_it_holds(page: HtmlPage, run: Path) -> None:
    """Current samples of the chains, where the checkpoint says that they are."""
    state = np.load(run / "checkpoint.npz")
    (drawn,) = rows_of(chart(page, "array-conductance"))
    shown = np.array(drawn["v"], float).reshape(ROWS, 2 * PAIRS)
    groups = state["board.controller.group"]
    for row, codes in zip(groups, state["board.controller.codes"], strict=True):
        near(shown[row, : len(codes)], codes * CODE_LSB_US)
        assert np.isnan(shown[row, len(codes) :]).all()
    held = int(np.isfinite(shown).any(axis=1).sum())
    assert held == (state["board.controller.held"] > 0).sum() + CHAINS
    assert state["state_steps"] == state["steps"] == 200
    wear = np.load(run / "evaluation.npz")["wear"]
    (drawn,) = rows_of(chart(page, "array-wear"))
    near(np.nan_to_num(np.array(drawn["v"], float)), wear.ravel())


def test_the_physics_array_shows_its_conductances(run: Path, result: dict[str, Any]) -> None:
    state = read_state(run).arrays
    conductance = np.arange(ROWS * 2.0 * PAIRS).reshape(ROWS, 2 * PAIRS)
    physics = {n: v for n, v in state.items() if n != "array.codes"} | {"array.g_us": conductance}
    held = HeldRows.of(physics, geometry_of(result)).conductance
    known = np.isfinite(held)
    assert np.array_equal(held[known], conductance[known])
    assert np.array_equal(known, np.isfinite(HeldRows.of(state, geometry_of(result)).conductance))


def test_what_a_pointer_shows_of_a_device(page: HtmlPage, run: Path) -> None:
    drawn = chart(page, "array-conductance")
    first, *_ = drawn.spec.get("layer", [drawn.spec])
    titles = [tip["title"] for tip in first["encoding"]["tooltip"]]
    assert titles == ["row", "device of the row", "conductance (µS)", "pair", "line", "row holds",
                      "SET pulses"]  # fmt: skip
    (rows,) = rows_of(drawn)
    assert rows["h0"][:4] == [0, 0, 1, 1] and rows["h1"][:2] == ["plus", "minus"]
    groups = np.load(run / "checkpoint.npz")["board.controller.group"]
    assert [rows["allh2"][g] for g in groups] == [
        f"current sample of chain {c}" for c in range(CHAINS)
    ]


def test_energy_and_coin(page: HtmlPage, result: dict[str, Any]) -> None:
    parts = {n: part for n, part in result["energy"]["parts"].items() if part["high"] > 0}
    bars = rows_of(chart(page, "energy-parts"))
    wanted = sorted(parts.values(), key=lambda part: -part["joules"])
    for key, name in (("x", "joules"), ("a", "low"), ("b", "high")):
        near([row[key] for row in bars], [1e6 * part[name] for part in wanted])
    assert "not measured" in section(page, "energy").sentences[0]
    facts = dict(section(page, "coin").facts)
    assert facts["raw bits"] == f"{result['entropy']['raw_bits']:,}"
    assert facts["min-entropy"].startswith(f"{result['entropy']['min_entropy']:.3f} bit")


def test_data_and_repetition(page: HtmlPage, run: Path) -> None:
    manifest = json.loads((run / "manifest.json").read_text())
    assert manifest["data"]["recognised"] in section(page, "data").sentences[0]
    repeat = section(page, "repeat")
    assert dict(repeat.facts)["numpy"] == manifest["versions"]["numpy"]
    assert set(manifest["inputs"].items()) <= set(repeat.tables[0].rows)
    assert f"--config {run}" in repeat.code


def test_the_settings_repeat_the_run(page: HtmlPage, run: Path, tmp_path: Path) -> None:
    from ohmcarlo.runs.config_reading import read_run_file

    file = tmp_path / "run.toml"
    file.write_text(section(page, "settings").code, encoding="utf-8")
    found, stored = read_run_file(file), json.loads((run / "manifest.json").read_text())["config"]
    assert found.complete
    assert found.values == {k: v for k, v in stored.items() if v is not None}


# -- marks -----------------------------------------------------------------------------------------

ANSWERS, INTERVALS = ("confusion-table", "reliability"), ("weight-intervals", "referral-curve")


def test_figures_that_cannot_be_used_are_marked(
    page: HtmlPage, run: Path, result: dict[str, Any]
) -> None:
    """The short run is not to be trusted. With the diagnostics of a long one it has no mark."""
    assert result["verdict"] == "do not trust"
    long = {"ess_min": 900.0, "ess_tail_min": 900.0, "rhat_max": 1.0}
    settled = supervised_page(run, result | long)
    assert (page.headline.tone, page.headline.label) == (Tone.BAD, "DO NOT TRUST")
    assert (settled.headline.tone, settled.headline.label) == (Tone.GOOD, "settled")
    for name in (*ANSWERS, *INTERVALS):
        assert "(DO NOT TRUST)" in chart(page, name).title
        assert "(" not in chart(settled, name).title
    for made, warned in ((page, True), (settled, False)):
        sentences = section(made, "weights").sentences
        assert any("Do not use" in text for text in sentences) == warned


def test_a_headline_has_few_reasons() -> None:
    """Those that it leaves out stand in the result in numbers."""
    reasons = tuple(Finding(Verdict.DISAGREE, f"class {k}: no") for k in range(9))
    judgement = Judgement(Verdict.DISAGREE, reasons)
    sentences = headline(judgement, ("Right.",), "not for this one").sentences
    assert sentences[0] == "Right." and sentences[2] == "Class 0: no."
    assert sentences[-1] == "The result in numbers has 5 more reasons."
    numbers = numbers_section([], [finding.text for finding in reasons], judgement)
    assert numbers.sentences == tuple(f"Class {k}: no." for k in range(4, 9))


@pytest.mark.parametrize(
    ("verdict", "weights", "spreads", "answers"),
    [
        (Verdict.SETTLED, "", "", ""),
        (Verdict.PREDICTIONS, "predictions settled", "", ""),
        (Verdict.ROUGH, "rough", "rough", ""),
        *((v, v.label, v.label, v.label) for v in list(Verdict)[3:]),
    ],
)
def test_marks(verdict: Verdict, weights: str, spreads: str, answers: str) -> None:
    assert mark(verdict, weights=True) == weights
    assert mark(verdict) == spreads
    assert mark(verdict, answers=True) == answers


def test_names_are_text(page: HtmlPage) -> None:
    text = render(page)
    for name in HOSTILE:
        assert escape(name) in text or escape(name).replace("&quot;", "&#34;") in text
    assert "<script>window" not in text and 'onerror="window' not in text


def test_crossings_of_a_plane() -> None:
    axes = (np.linspace(0, 1, 9), np.linspace(0, 2, 5))
    level = np.add.outer(axes[1], axes[0])
    found = crossings(axes, level, 0.77)
    assert len(found) > 8
    near(found.sum(axis=1), np.full(len(found), 0.77))


def test_the_link_is_told_apart_from_none() -> None:
    counts = dict.fromkeys(("bytes_sent", "resent", "damaged", "duplicates", "out_of_order",
                            "timeouts"), 0)  # fmt: skip
    assert link_section(None) is None
    clean, repaired = link_section(counts), link_section(counts | {"damaged": 3, "resent": 2})
    assert clean is not None and "undamaged" in clean.sentences[0]
    assert repaired is not None and "3 damaged frames" in repaired.sentences[0]


# -- files -----------------------------------------------------------------------------------------


def test_a_page_needs_no_matplotlib(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    file = tmp_path / "page.html"
    file.write_text("old")
    assert main(["report", str(run), "--html", str(file)]) == 0
    assert file.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["page.html"]
    assert not (run / "report").exists()


def test_without_the_extra(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "altair", None)
    with pytest.raises(Exception, match=r"ohmcarlo\[report\]"):
        write_html(run, tmp_path / "page.html")


def unfinished(path: Path) -> None:
    (path / "result.json").unlink()


def old(path: Path) -> None:
    manifest = json.loads((path / "manifest.json").read_text())
    (path / "manifest.json").write_text(json.dumps(manifest | {"format": 1}))


def damaged(path: Path) -> None:
    content = bytearray((path / "trace.npz").read_bytes())
    content[len(content) // 2] ^= 0xFF
    (path / "trace.npz").write_bytes(content)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [(unfinished, "ohmcarlo resume"), (old, "run format 1"), (damaged, "trace.npz")],
)
def test_runs_without_a_page(
    spoil: Callable[[Path], None], message: str, copy: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """One line, and the page of before stays."""
    spoil(copy)
    file = copy.parent / "page.html"
    file.write_text("old")
    assert main(["report", str(copy), "--html", str(file)]) in (1, 2)
    found = capfd.readouterr()
    assert message in found.err and len(found.err.strip().splitlines()) == 1 and not found.out
    assert file.read_text() == "old"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--html", "missing/page.html"], "make it first"),
        (["--html", "."], "is a folder"),
        (["--open"], "give --html FILE"),
    ],
)
def test_places_where_no_page_can_be(
    words: list[str], message: str, run: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["report", str(run), *words]) == 2
    found = capfd.readouterr()
    assert message in found.err and len(found.err.strip().splitlines()) == 1


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda path: path.unlink(), "has no checkpoint.npz"),
        (lambda path: path.write_bytes(b"nothing"), "cannot be used"),
    ],
)
def test_a_page_without_the_state_of_the_board(
    spoil: Callable[[Path], None], message: str, copy: Path, result: dict[str, Any]
) -> None:
    """The section says so, and shows the wear alone."""
    spoil(copy / "checkpoint.npz")
    wear = np.load(copy / "evaluation.npz")["wear"]
    found = array_section(result, wear, read_state(copy))
    assert message in found.sentences[0]
    assert [drawn.name for drawn in found.charts] == ["array-wear"]


def test_a_browser_is_asked_for(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    shown: list[str] = []
    monkeypatch.setattr("webbrowser.open", lambda address: shown.append(address))
    monkeypatch.setattr("ohmcarlo.runs.report.write_page", lambda *_: None)
    file = tmp_path / "my page.html"
    assert main(["report", str(run), "--html", str(file), "--open"]) == 0
    assert shown == [file.as_uri()] and "no browser was found" in capfd.readouterr().err
