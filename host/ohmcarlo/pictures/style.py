"""Colours of every picture, and names as they are drawn."""

from __future__ import annotations

# Okabe and Ito's colours, which colour-blind people tell apart, and grey
BLUE, ORANGE, GREEN, PURPLE, GREY = "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#8a8a8a"
COLOURS = (BLUE, ORANGE, GREEN, PURPLE)


def plain_name(name: str) -> str:
    """A name as it is: a dollar sign would begin a formula."""
    return name.replace("$", r"\$")
