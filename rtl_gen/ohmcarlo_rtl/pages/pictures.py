"""Pictures of ``docs/results.md`` and of the README: those of figures and runs, made small.

``python -m ohmcarlo_rtl.pages.pictures FOLDER`` takes the folder of ``ohmcarlo reproduce``. Each
figure that is in it and in ``FIGURES`` becomes a file in ``docs/pictures/figures/``. With the
folder of ``ohmcarlo report``, it writes the picture of the README, ``BOUNDARY``.
"""

from __future__ import annotations

import argparse
import io
import sys
from pathlib import Path

from PIL import Image

from ohmcarlo.errors import OhmcarloError, UsageError

from ..sources import REPOSITORY, require_checkout

PICTURES = REPOSITORY / "docs" / "pictures"
FIGURES_IN = "figures/"
FIGURES = (
    *("fig1", "fig2", "fig3", "fig4", "tissue", "fig6"),
    *("wakeup", "active", "exactness", "classes", "wires"),
)
"""Figures that the page shows; the picture of a figure has its name."""
BOUNDARY = "boundary.png"
MOST_BYTES = 120_000
TRIED = ((1960, 96), (1960, 64), (1600, 64), (1400, 64), (1200, 64), (1000, 64))
"""Widths in pixels and numbers of colours, the best first."""


def reduced(path: Path) -> bytes:
    """A picture as PNG with a palette, as good as ``MOST_BYTES`` allow.

    Raises UsageError if it is too large even with the last entry of ``TRIED``.
    """
    with Image.open(path) as picture:
        whole = picture.convert("RGB")
    for width, colours in TRIED:
        content = _png(whole, width, colours)
        if len(content) <= MOST_BYTES:
            return content
    raise UsageError(f"{path}: {len(content):,} bytes, more than {MOST_BYTES:,}: draw less in it")


def _png(whole: Image.Image, width: int, colours: int) -> bytes:
    """A picture of at most this width, with a palette of so many colours."""
    if whole.width > width:
        size = (width, round(whole.height * width / whole.width))
        whole = whole.resize(size, Image.Resampling.LANCZOS)
    # the means of the k-means are near the colours of the drawing; median cut alone shifts them
    palette = whole.quantize(colours, Image.Quantize.MEDIANCUT, 2, dither=Image.Dither.NONE)
    content = io.BytesIO()
    palette.save(content, "PNG", optimize=True)
    return content.getvalue()


def write_pictures(source: Path, folder: Path = PICTURES) -> list[Path]:
    """Write the pictures that ``source`` holds below ``folder``; returns their paths.

    Raises UsageError if it holds none.
    """
    places = {source / name / f"{name}.png": FIGURES_IN + f"{name}.png" for name in FIGURES}
    places |= {source / BOUNDARY: BOUNDARY}
    found = {path: folder / place for path, place in places.items() if path.is_file()}
    if not found:
        raise UsageError(
            f"{source} holds neither {BOUNDARY} nor one of the figures {', '.join(FIGURES)}: run "
            f"`ohmcarlo reproduce fig4 --out {source}` first"
        )
    for path, target in found.items():
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(reduced(path))
    return list(found.values())


def main(arguments: list[str] | None = None) -> int:
    """Exit code 0: done; 2: bad use."""
    parser = argparse.ArgumentParser(
        prog="python -m ohmcarlo_rtl.pages.pictures",
        description="Renew docs/pictures from figures of `ohmcarlo reproduce`, or from a report.",
    )
    parser.add_argument(
        "source", type=Path, metavar="FOLDER", help="--out of figures, or RUN/report"
    )
    options = parser.parse_args(arguments)
    try:
        require_checkout("the documentation")
        for path in write_pictures(options.source):
            print(f"wrote {path.relative_to(REPOSITORY)}: {path.stat().st_size:,} bytes")
    except OhmcarloError as error:
        print(f"ohmcarlo_rtl.pages.pictures: {error}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
