"""What the live view says of a run: running, interrupted, complete, damaged, not there yet."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from grown_run import CONFIG, Grown
from ohmcarlo.boards import ENTROPY_ALARM
from ohmcarlo.diagnostics import ESS_LIMIT
from ohmcarlo.pages.content import Headline, HtmlPage, Tone
from ohmcarlo.pages.render import fragments
from ohmcarlo.progress import Silence
from ohmcarlo.runs import folder as folders
from ohmcarlo.runs.folder import RunFolder
from ohmcarlo.runs.live_notes import NotedProgress, Progress, read_chain, read_progress
from ohmcarlo.runs.multiclass.predict import folder_of
from ohmcarlo.runs.report import read_page
from ohmcarlo.runs.sections.array import geometry_of
from ohmcarlo.runs.sections.state import BoardState
from ohmcarlo.runs.stored import MANIFEST, RESULT
from ohmcarlo.runs.verdict import Verdict
from ohmcarlo.watch.growing import GrowingRun
from ohmcarlo.watch.headline import State, headline
from ohmcarlo.watch.page import BAD, ChainParts, _array_sections, chains_of
from ohmcarlo.watch.several import SeveralRuns
from ohmcarlo.watch.view import RunView, Shown


@pytest.fixture
def late(grown: Grown, tmp_path: Path) -> Path:
    return Path(shutil.copytree(grown.late, tmp_path / "run"))


@pytest.fixture
def written(late: Path) -> Iterator[Path]:
    """A folder in which a process works."""
    with RunFolder.open(late):
        yield late


@pytest.fixture
def no_charts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out the sections of the chains, which take time."""
    monkeypatch.setattr(ChainParts, "of", lambda run: ChainParts())


def words(page: HtmlPage) -> str:
    return " ".join(page.headline.sentences)


def names(page: HtmlPage) -> list[str]:
    return [section.name for section in page.sections]


def test_a_run_that_samples(written: Path) -> None:
    shown = RunView(written).look()
    page = shown.page
    assert not shown.complete
    assert (page.headline.tone, page.headline.label) == (Tone.RUNNING, "running")
    assert f"of {CONFIG.steps} steps per chain" in words(page)
    assert "% of the latest proposals were accepted" in words(page)
    assert {"progress", "chains", "array", "adaptation", "data", "repeat"} <= set(names(page))
    charts = {chart.name for chart in page.charts()}
    assert {"trace", "array-wear", "array-conductance", "ess", "rhat"} <= charts
    # diagnostics with a caution, and no verdict
    assert "These values are preliminary" in words(page)
    assert page.headline.label not in {verdict.label for verdict in Verdict}
    sizes = [row[3:5] for row in page.sections[1].tables[0].rows]
    fewest = min(float(size.replace(",", "")) for row in sizes for size in row)
    assert ("too early to judge" in words(page)) == (fewest < ESS_LIMIT)


@pytest.mark.usefixtures("no_charts")
def test_a_run_that_nobody_samples(late: Path) -> None:
    page = RunView(late).look().page
    assert (page.headline.tone, page.headline.label) == (Tone.CAUTION, "interrupted")
    assert "No process is sampling this run." in words(page)
    assert f"`ohmcarlo resume {late}` continues it" in words(page)
    assert page.sections[0].code == f"ohmcarlo resume {late}"


@pytest.mark.usefixtures("no_charts")
def test_a_run_that_is_resumed(late: Path) -> None:
    view = RunView(late)
    labels = [view.look().page.headline.label]
    with RunFolder.open(late):
        labels.append(view.look().page.headline.label)
    labels.append(view.look().page.headline.label)
    assert labels == ["interrupted", "running", "interrupted"]


@pytest.mark.usefixtures("no_charts")
def test_without_locks_the_notes_tell(late: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a system without locks, a run counts as running while its notes are fresh."""
    monkeypatch.setattr(folders, "fcntl", None)
    NotedProgress(late, Silence()).wait("the array adapts")
    assert words(RunView(late).look().page).startswith("The array adapts.")
    old = json.loads((late / "progress.json").read_text())
    (late / "progress.json").write_text(json.dumps(old | {"written": 1.0}))
    assert RunView(late).look().page.headline.label == "interrupted"


@pytest.fixture
def all_steps(grown: Grown, tmp_path: Path) -> Path:
    """All steps are on disk, and no result yet."""
    run = Path(shutil.copytree(grown.complete, tmp_path / "made"))
    for name in (RESULT, "evaluation.npz", "posterior.nc", "trace.npz"):
        (run / name).unlink()
    return run


@pytest.mark.usefixtures("no_charts")
def test_a_run_that_finishes(all_steps: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the last step and the result it is neither sampling nor interrupted."""
    view = RunView(all_steps)
    with RunFolder.open(all_steps):
        page = view.look().page
        assert (page.headline.tone, page.headline.label) == (Tone.RUNNING, "finishing")
    page = view.look().page
    assert page.headline.label == "interrupted"
    assert f"All {CONFIG.steps} steps per chain are complete" in words(page)
    assert f"`ohmcarlo resume {all_steps}` writes it" in words(page)
    monkeypatch.setattr(folders, "fcntl", None)  # without locks nobody can tell
    page = view.look().page
    assert page.headline.label == "finishing"
    assert f"If no process works on this run any more, `ohmcarlo resume {all_steps}`" in words(page)


def test_one_of_several_problems_does_not_finish_the_run() -> None:
    state = State(Path("run"), Progress(), True, kept_steps=600, total=600)
    assert headline(state, None).label == "finishing"
    assert headline(replace(state, further=True), None).label == "running"


@pytest.mark.usefixtures("no_charts")
def test_a_failed_coin(late: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    view = RunView(late)
    view.look()
    monkeypatch.setattr(view._run.chains, "status", ENTROPY_ALARM)
    page = view.look().page
    assert page.headline.tone == Tone.BAD
    assert "coin failed its health test" in words(page)


def test_it_ends_with_the_report(grown: Grown, late: Path) -> None:
    view = RunView(late)
    assert not view.look().complete
    for file in grown.complete.iterdir():
        shutil.copy2(file, late / file.name)
    for name in ("progress.json", "chain.npz"):
        (late / name).unlink()
    shown = view.look()
    assert shown.complete
    assert fragments(shown.page) == fragments(read_page(late))
    assert view.look() is shown


@pytest.mark.usefixtures("no_charts")
def test_a_damaged_result(grown: Grown, tmp_path: Path) -> None:
    run = Path(shutil.copytree(grown.complete, tmp_path / "run"))
    (run / RESULT).write_text("{")
    shown = RunView(run).look()
    assert not shown.complete and shown.page.headline.tone == Tone.BAD
    assert "result.json is damaged" in words(shown.page)
    shutil.copy(grown.complete / RESULT, run / RESULT)


@pytest.mark.usefixtures("no_charts")
def test_a_manifest_of_another_version(late: Path) -> None:
    manifest = json.loads((late / "manifest.json").read_text())
    (late / "manifest.json").write_text(json.dumps(manifest | {"format": 1}))
    page = RunView(late).look().page
    assert page.headline.tone == Tone.BAD and "run format 1" in words(page)


def test_a_folder_without_a_run(tmp_path: Path) -> None:
    page = RunView(tmp_path / "none").look().page
    assert (page.headline.tone, page.headline.label) == (Tone.RUNNING, "waiting")
    assert page.sections == ()


def test_without_notes(written: Path) -> None:
    """A run of an earlier version writes none: steps and log-posteriors are shown, weights not."""
    for name in ("progress.json", "chain.npz"):
        (written / name).unlink()
    page = RunView(written).look().page
    assert {"progress", "chains"} <= set(names(page)) and "array" not in names(page)
    assert next(chart.name for chart in page.charts()) == "trace"


@pytest.mark.parametrize("content", [b"", b"{}", b"[1]", b"\xff\xfe"])
def test_notes_that_cannot_be_read(content: bytes, written: Path) -> None:
    for name in ("progress.json", "chain.npz", "checkpoint.npz"):
        (written / name).write_bytes(content)
    assert read_progress(written) == Progress()
    run = GrowingRun(written)
    run.look(0.0)
    assert run.note is None and not run.states[0].arrays


def test_a_note_of_another_model(written: Path) -> None:
    """Codes and map do not fit together: the weights are left out."""
    stored = dict(np.load(written / "chain.npz"))
    np.savez(written / "chain.npz", **(stored | {"matrix": stored["matrix"][:, :-2]}))
    run = GrowingRun(written)
    run.look(60.0)
    assert run.note is not None and chains_of(run) is None


def test_progress_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """About two a second, one at each change of the phase; the remaining time is that of the
    rate."""
    clock = [100.0]
    monkeypatch.setattr("ohmcarlo.runs.live_notes.time.monotonic", lambda: clock[0])
    notes = NotedProgress(tmp_path, Silence())
    notes.say("a line")
    notes.wait("the array adapts")
    assert read_progress(tmp_path).phase == "the array adapts"
    assert read_progress(tmp_path).lines == ("a line",)
    notes.begin(1000, 5000)
    seen = []
    for step in range(10):
        clock[0] += 0.125
        notes.advance(1100 + 100 * step, 0.5 if step % 2 else 0.3)
        seen.append(read_progress(tmp_path).steps)
    assert sorted(set(seen)) == [1000, 1400, 1800]
    last = read_progress(tmp_path)
    assert last.acceptance == pytest.approx(0.4, abs=0.05)
    assert last.remaining_s() == pytest.approx(4.0)


def test_a_full_disk_does_not_stop_the_run(tmp_path: Path) -> None:
    NotedProgress(tmp_path / "none", Silence()).wait("the array adapts")


def test_rows_out_of_service_are_rows(late: Path) -> None:
    """The state of a board has the map of bad row groups; a group of a network has several rows."""
    run = GrowingRun(late)
    run.look(60.0)
    assert run.note is not None
    values = json.loads(json.dumps(dict(run.note.values)))
    values["geometry"]["row_group"] = 2
    geometry = geometry_of(values)
    bad = np.zeros(geometry.groups, bool)
    bad[[3, geometry.region_groups]] = True
    run._note.value = replace(run.note, values=values)
    run._states[0].value = BoardState({**run.states[0].arrays, BAD: bad}, 500)
    (found,) = _array_sections(run)
    assert dict(found.facts)["rows out of service"] == f"6, {geometry.rows // 2}"


def test_a_note_without_the_number_of_steps(late: Path) -> None:
    stored = dict(np.load(late / "chain.npz"))
    values = json.loads(str(stored["values"]))
    del values["steps"]
    np.savez(late / "chain.npz", **(stored | {"values": np.array(json.dumps(values))}))
    assert read_chain(late) is None
    assert RunView(late).look().page.headline.label == "interrupted"


def test_a_result_that_is_replaced_has_another_page(
    grown: Grown, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A result that stays is read once."""
    run, read = Path(shutil.copytree(grown.complete, tmp_path / "run")), list[Shown]()

    def complete(view: RunView) -> Shown:
        read.append(Shown(HtmlPage("t", "s", Headline(Tone.GOOD, "settled", ()), ()), True))
        return read[-1]

    monkeypatch.setattr(RunView, "_complete", complete)
    view = RunView(run)
    assert [view.look(), view.look()] == [read[0]] * 2 and len(read) == 1
    os.utime(run / RESULT, ns=(1, 1))
    assert view.look() is read[1]


def test_several_classes_show_the_problem_that_began_last(tmp_path: Path) -> None:
    whole: Any = SimpleNamespace(path=tmp_path, manifest={"data": {"problems": [[0], [1]]}})
    runs = SeveralRuns(whole)
    assert runs.current() is whole
    for number in range(2):
        folder = tmp_path / folder_of(number)
        folder.mkdir()
        assert runs.current().path != folder
        (folder / MANIFEST).touch()
        assert runs.current().path == folder and runs.current() is runs.current()
