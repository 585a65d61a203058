"""Colours of every picture, and the text of names."""

from __future__ import annotations

# Okabe and Ito's colours for colour-blind readers, and grey
BLUE, ORANGE, GREEN, PURPLE, GREY = "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#8a8a8a"
COLOURS = (BLUE, ORANGE, GREEN, PURPLE)


def plain_name(name: str) -> str:
    """A name whose dollar signs are escaped, because matplotlib reads them as formulas."""
    return name.replace("$", r"\$")
