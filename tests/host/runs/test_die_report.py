"""The report and the page of an array: what they contain, and that nothing lies outside a page."""

from __future__ import annotations

import re
import sys
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ohmcarlo.array.characterize.estimates import Estimate, Origin
from ohmcarlo.boards import silent
from ohmcarlo.errors import UsageError
from ohmcarlo.pages import charts_devices
from ohmcarlo.pages.content import HtmlPage, Tone
from ohmcarlo.pages.render import render
from ohmcarlo.pictures.document import Document, Page, TextTable
from ohmcarlo.pictures.pages import draw_pages, markdown, write_folder, write_pdf
from ohmcarlo.runs.arrays import open_array
from ohmcarlo.runs.characterize import DeviceOutputs, Reference, examine
from ohmcarlo.runs.config import TrainConfig
from ohmcarlo.runs.dies.document import document_of
from ohmcarlo.runs.dies.findings import DieFindings
from ohmcarlo.runs.dies.judgement import DieVerdict, Standing
from ohmcarlo.runs.dies.page import headline_of, missing_section, page_of
from ohmcarlo.spec import Geometry

pytestmark = pytest.mark.filterwarnings("ignore::ohmcarlo.array.physics.ValidityWarning")
RECORDING: dict[str, Any] = {
    "file": "/somewhere/die $7$.csv",
    "format": "long table",
    "devices": 40,
    "pulses": 1200,
    "level": "word line",
    "unit": "V",
    "conditions": {"width_ns": 100.0},
    "silent_devices": ["a9"],
    "left_out": [
        {"reason": "instrument overload", "device": "a1", "lines": [7, 12]},
        {"reason": "instrument overload", "device": "a2", "lines": [9]},
    ],
    "recognised": ["semicolons", "decimal comma"],
}


@lru_cache
def findings() -> DieFindings:
    """A small array without a reference run."""
    config = TrainConfig("breast-cancer", array="physics", rows=16, pairs=12)
    opened = open_array(config.array, None, Geometry(rows=16, pairs=12), 0)
    found = examine(config, opened, Reference(), silent)
    return replace(found, recording=RECORDING)


def text_of(document: Document) -> str:
    return markdown(document)


def outside(document: Document) -> list[str]:
    """Texts that reach beyond their page."""
    found = []
    for figure in draw_pages(document):
        figure.draw_without_rendering()
        renderer = figure.canvas.get_renderer()  # type: ignore[attr-defined]
        axes_texts = [t for ax in figure.axes for t in (ax.title, ax.xaxis.label, ax.yaxis.label)]
        for text in [*figure.texts, *axes_texts]:
            box = text.get_window_extent(renderer).transformed(figure.transFigure.inverted())
            if box.x0 < 0 or box.y0 < 0 or box.x1 > 1 or box.y1 > 1:
                found.append(text.get_text())
    return found


def test_every_part_is_in_the_report() -> None:
    text = text_of(document_of(findings()))
    for title in ("Verdict", "Kernels", "SET law", "Correlation", "Age", "Constants and file"):
        assert re.search(rf"^## {title}", text, re.MULTILINE), title
    for part in ("posterior error to expect", "of the variance", "Read noise", "After RESET"):
        assert part in text, part
    assert "3 lines: instrument overload (line 7, 9, 12)" in text
    assert "a9" in text and "decimal comma" in text
    assert "| fitted |" in text


def test_numbers_are_those_of_the_estimates() -> None:
    found = findings()
    text = text_of(document_of(found))
    middle = found.estimates.mean_us[3].value
    assert f"At {middle:.0f} µS" in text
    stuck = found.population.silent
    assert (f"{stuck} device" in text) is bool(stuck)
    low, high = np.quantile(found.population.sigma_ratio, [0.1, 0.9])
    assert f"{low:.2f} to {high:.2f} times" in text


@pytest.mark.parametrize(
    ("noise", "words"),
    [
        (Estimate(0.02, 0.019, 0.021, "fraction of g", Origin.FITTED), ["2 [1.9, 2.1] %"]),
        (Estimate(0.01, None, None, "fraction of g", Origin.ASSUMED), ["not known", "assumed"]),
        (None, ["not known"]),
    ],
)
def test_read_noise_that_was_not_measured_is_called_unknown(
    noise: Estimate | None, words: list[str]
) -> None:
    constants = {k: e for k, e in findings().estimates.constants.items() if k != "read_noise_rel"}
    constants |= {} if noise is None else {"read_noise_rel": noise}
    changed = replace(findings(), estimates=replace(findings().estimates, constants=constants))
    sentence = next(
        s for page in document_of(changed).pages for s in page.sentences if "Read noise" in s
    )
    assert all(word in sentence for word in words)


def test_nothing_lies_outside_a_page() -> None:
    """The control is a table whose cells cannot be wrapped."""
    assert outside(document_of(findings())) == []
    word = "x" * 400
    control = Document("t", "s", (Page("p", tables=(TextTable((), ((word, "a"),), (9, 1)),)),))
    assert outside(control) == []  # long words are broken
    assert outside(Document(word, word, (Page(word),)))


def test_a_long_table_goes_on_on_a_new_page() -> None:
    rows = tuple((f"line {n}", "left out") for n in range(100))
    document = Document("t", "s", (Page("p", tables=(TextTable((), rows, (1, 1)),)),))
    pages = draw_pages(document)
    shown = [text.get_text() for page in pages for text in page.texts]
    assert len(pages) == 4 and shown.count("line 99") == 1
    assert shown.count("p (continued)") == 3 and "4 / 4" in shown


def test_files_of_a_report(tmp_path: Path) -> None:
    document = document_of(findings())
    short = replace(document, pages=(document.pages[0], document.pages[-1]))
    write_pdf(tmp_path / "a.pdf", short)
    write_pdf(tmp_path / "b.pdf", short)
    content = (tmp_path / "a.pdf").read_bytes()
    assert content.startswith(b"%PDF") and content == (tmp_path / "b.pdf").read_bytes()
    assert len(re.findall(rb"/Type /Page\b", content)) == len(draw_pages(short))
    write_folder(tmp_path, document)
    text = (tmp_path / "report.md").read_text(encoding="utf-8")
    pictures = re.findall(r"\]\((.+?)\)", text)
    assert len(pictures) >= 5 and all((tmp_path / name).stat().st_size for name in pictures)


@pytest.mark.parametrize("name", ["die.txt", "die.html", "no/such/folder/die.pdf"])
def test_a_report_that_cannot_be_written_is_refused_first(name: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"\.pdf|folder"):
        DeviceOutputs(report=tmp_path / name).check()
    DeviceOutputs(report=tmp_path / "die.pdf").check()
    DeviceOutputs(report=tmp_path / "folder").check()


# -- the page --------------------------------------------------------------------------------------

COMMAND = "ohmcarlo characterize --array physics --rows 16 --pairs 12"


@lru_cache
def page() -> HtmlPage:
    return page_of(findings(), COMMAND)


def words_of(page: HtmlPage) -> str:
    """Sentences, facts and tables of all sections."""
    parts = []
    for section in page.sections:
        parts += [*section.sentences, *(" ".join(fact) for fact in section.facts)]
        parts += [" | ".join(row) for table in section.tables for row in table.rows]
    return "\n".join(parts)


def test_the_page_has_the_report_and_a_chart_for_each_panel() -> None:
    found = findings()
    words, document = words_of(page()), document_of(found)
    for part in document.pages:
        assert all(sentence in words for sentence in part.sentences)
    constants = found.estimates.constants
    assert all(f"| {name} | {e.value:.4g} |" in words for name, e in constants.items())
    assert {chart.name for chart in page().charts()} == {
        "kernel-errors", "set-law", "spread", "spread-of-devices", "shape", "correlation",
        "read-noise", "state-after-reset", "ages", "offsets",
    }  # fmt: skip
    text = render(page())
    assert COMMAND in text and "https:" not in text.partition("<script")[0]


def test_charts_show_the_measured_numbers() -> None:
    found = findings()
    charts = {chart.name: chart for chart in page().charts()}
    drawn = [
        row["y"]
        for rows in charts["set-law"].spec["datasets"].values()
        for row in rows
        if row["name"] == "mean"
    ]
    assert drawn == pytest.approx([e.value for e in found.estimates.mean_us], rel=1e-4)
    (cells,) = (rows[0]["v"] for rows in charts["offsets"].spec["datasets"].values())
    offsets = np.array(cells, float).reshape(found.untrimmed.dead.shape)
    assert np.array_equal(np.isnan(offsets), found.untrimmed.dead)
    # a device above its target gets a lower target: 4 codes are 1 µS
    known = ~found.untrimmed.dead
    assert offsets[known] == pytest.approx(-found.untrimmed.trim_offset[known] / 4)
    table = charts["spread"].table
    assert table is not None and len(table.rows) == len(found.estimates.mean_us)


def test_a_large_array_is_shown_in_blocks_of_rows() -> None:
    """65,536 devices make blocks of four rows; a device that does not follow leaves a gap."""
    offset = np.repeat(np.arange(1024, dtype=np.int16)[:, None], 64, axis=1)
    dead = np.zeros(offset.shape, bool)
    dead[5, 7] = True
    large = replace(findings().untrimmed, trim_offset=-offset, dead=dead)
    chart = charts_devices.offset_map(large)
    (cells,) = (rows[0]["v"] for rows in chart.spec["datasets"].values())
    shown = np.array(cells, float).reshape(256, 64)
    # codes of 0.25 µS: rows 0 to 3 have 0, 0.25, 0.5 and 0.75 µS
    assert shown[0, 0] == 0.375 and np.isnan(shown[1, 7]) and np.isfinite(shown).sum() == 16383
    assert "mean of 4 rows" in chart.description and "1 device of 65,536" in chart.description


@pytest.mark.parametrize(
    ("standing", "tone", "words"),
    [
        (Standing.EVERY, Tone.GOOD, "can sample a posterior, with every kernel"),
        (Standing.ADAPTED, Tone.GOOD, "chains that adapt"),
        (Standing.LIMITED, Tone.CAUTION, "within limits"),
        (Standing.UNUSABLE, Tone.BAD, "cannot sample"),
    ],
)
def test_the_headline_answers_first(standing: Standing, tone: Tone, words: str) -> None:
    verdict: DieVerdict = replace(
        findings().verdict, standing=standing, limits=("too few rows work: use --rows 64",)
    )
    headline = headline_of(replace(findings(), verdict=verdict))
    assert headline.tone is tone and words in headline.sentences[0]
    assert headline.sentences[1] == "Too few rows work: use --rows 64."


def test_the_page_says_what_is_not_known() -> None:
    """The control is the constant that is measured."""
    found = findings()
    assumed = Estimate(0.01, None, None, "fraction of g", Origin.ASSUMED)
    constants = found.estimates.constants | {"read_noise_rel": assumed}
    changed = replace(found, estimates=replace(found.estimates, constants=constants), shape={})
    texts = [" ".join(missing_section(one).sentences) for one in (found, changed)]
    assert "reference run" in texts[0] and "Ageing is modelled" in texts[0]
    for words in ("noise of a single read", "shape of the deviations"):
        assert words in texts[1] and words not in texts[0]


def test_a_page_without_its_libraries_is_refused_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UsageError, match="folder"):
        DeviceOutputs(html=tmp_path / "no" / "die.html").check()
    monkeypatch.setitem(sys.modules, "altair", None)
    with pytest.raises(UsageError, match=r"needs altair: pip install 'ohmcarlo\[report\]'"):
        DeviceOutputs(html=tmp_path / "die.html").check()
