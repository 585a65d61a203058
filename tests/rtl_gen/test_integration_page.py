"""``docs/integration.md``: its tables are those of the hardware."""

from __future__ import annotations

import re

from ohmcarlo_rtl.pages.integration import PAGE, tables
from ohmcarlo_rtl.pages.markers import renewed
from ohmcarlo_rtl.pages.timing import SCENES


def test_tables_are_renewed() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert text == renewed(text, tables()), "run python -m ohmcarlo_rtl.pages"


def test_every_diagram_is_shown() -> None:
    shown = re.findall(r"\(pictures/timing/([\w-]+)\.svg\)", PAGE.read_text(encoding="utf-8"))
    assert sorted(shown) == sorted(SCENES)
