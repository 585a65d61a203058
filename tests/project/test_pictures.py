"""Pictures of the pages: small, described, each with its command; the small copies keep colours."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ohmcarlo.errors import UsageError
from ohmcarlo.reproduce.catalogue import ENTRIES
from ohmcarlo_rtl.pages.pictures import FIGURES, MOST_BYTES, reduced, write_pictures
from ohmcarlo_rtl.pages.screenshot import BROWSERS, CHARTS, MARGIN, draw, stacked

ROOT = Path(__file__).parents[2]
PICTURES = ROOT / "docs" / "pictures"
ALL_BYTES = 1_000_000
LINES = (
    *((0, 114, 178), (213, 94, 0), (0, 158, 115)),
    *((204, 121, 167), (138, 138, 138), (0, 0, 0)),
)
SHOWN = re.compile(r"!\[([^\]]*)\]\(([^)\s]+\.png)\)\n\n(\*.+?\*|Made by .+?)(?:\n|$)", re.S)
ROW = re.compile(r"^\| `([\w/.-]+\.png)` \| (.*) \| (\d{4}-\d\d-\d\d) \|$", re.M)


def shown(page: Path) -> dict[Path, tuple[str, str]]:
    """Picture of a page → its text alternative and its caption."""
    found = SHOWN.findall(page.read_text(encoding="utf-8"))
    return {(page.parent / path).resolve(): (text, caption) for text, path, caption in found}


def test_every_figure_is_small_and_shown() -> None:
    figures = sorted((PICTURES / "figures").iterdir())
    assert [path.stem for path in figures] == sorted(FIGURES)
    assert all(path.stat().st_size <= MOST_BYTES for path in figures)
    assert sum(path.stat().st_size for path in PICTURES.rglob("*.png")) <= ALL_BYTES
    assert set(shown(ROOT / "docs" / "results.md")) == set(figures)


def test_every_picture_has_words_and_its_command() -> None:
    """The caption has the command of the figure, and the table of pictures has it, too."""
    rows = {name: command for name, command, _ in ROW.findall((PICTURES / "README.md").read_text())}
    assert set(rows) == {p.relative_to(PICTURES).as_posix() for p in PICTURES.rglob("*.png")}
    for path, (text, caption) in shown(ROOT / "docs" / "results.md").items():
        assert len(text) > 40
        command = f"`ohmcarlo reproduce {path.stem}"
        assert command in caption and path.stem in ENTRIES
        assert rows[path.relative_to(PICTURES).as_posix()].startswith(command)


def drawing(path: Path) -> np.ndarray:
    """Lines in the six colours of the pictures, a map of 256 shades, and much white."""
    rgb = np.full((600, 900, 3), 255, np.uint8)
    for number, colour in enumerate(LINES):
        rgb[20 + 12 * number : 22 + 12 * number, 50:850] = colour
    shades = np.arange(256, dtype=np.uint8)
    rgb[200:500, 50:306] = np.stack([shades, 255 - shades, 128 + shades // 2], axis=1)
    Image.fromarray(rgb).save(path)
    return rgb.astype(int)


def test_a_small_copy_keeps_lines_and_maps(tmp_path: Path) -> None:
    """Each colour is off by little, so that lines keep their meaning. Control: a palette of eight
    colours, which merges lines of different colours."""
    path = tmp_path / "made_up.png"
    rgb = drawing(path)
    (tmp_path / "small.png").write_bytes(reduced(path))

    def error(picture: Image.Image) -> int:
        return int(np.abs(np.asarray(picture.convert("RGB")).astype(int) - rgb).max())

    assert error(Image.open(tmp_path / "small.png")) <= 16
    assert error(Image.open(path).quantize(8, dither=Image.Dither.NONE)) > 60


def test_a_folder_without_figures_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="nor one of the figures fig1"):
        write_pictures(tmp_path, tmp_path)
    (tmp_path / "fig4").mkdir()
    drawing(tmp_path / "fig4" / "fig4.png")
    assert write_pictures(tmp_path, tmp_path / "out") == [tmp_path / "out/figures/fig4.png"]


def test_parts_of_a_screenshot_stand_below_each_other() -> None:
    parts = [Image.new("RGB", (40, 10), "red"), Image.new("RGB", (30, 20), "blue")]
    whole = stacked(parts)
    assert whole.size == (40 + 2 * MARGIN, 30 + 2 * MARGIN)
    assert whole.getpixel((MARGIN, 5)) == (255, 0, 0)
    assert whole.getpixel((MARGIN, 10 + MARGIN)) == (0, 0, 255)


@pytest.mark.verify
@pytest.mark.skipif(not any(map(shutil.which, BROWSERS)), reason="needs Chromium")
def test_the_beginning_of_a_page_is_drawn(tmp_path: Path) -> None:
    """A page with the two charts; each of its parts is in the picture."""
    pytest.importorskip("playwright", reason="needs the extra browser")
    chart = '<figure id="{}"><svg class="marks" width="300" height="90"></svg></figure>'
    page = tmp_path / "page.html"
    text = "<html data-drawn><h1>Made up</h1><section>{}</section></html>"
    page.write_text(text.format("".join(map(chart.format, CHARTS))))
    draw(page, tmp_path / "page.png")
    with Image.open(tmp_path / "page.png") as picture:
        assert picture.height > len(CHARTS) * (90 + MARGIN)
