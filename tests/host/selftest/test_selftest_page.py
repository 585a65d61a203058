"""The page of a self-test: result first, what to do, what was not tested."""

from __future__ import annotations

import numpy as np

from ohmcarlo.pages.content import Tone
from ohmcarlo.pages.render import render
from ohmcarlo.selftest.chain import Check, _first
from ohmcarlo.selftest.page import ABOUT, page_of

COUNTS = (("frames sent", "1,204"), ("damaged", "3"))
CHECKS = [
    Check("generator", True, "3 known answers"),
    Check("link", True, "101 messages echoed", COUNTS),
    Check("chain", False, "different from the model: accepted; the first differing step is step 7"),
    Check("coin", False, "the board <does> not answer"),
]


def test_a_failure_comes_first_with_what_to_do() -> None:
    page = page_of(CHECKS, "serial:/dev/ttyUSB0", "emulator", 3, "ohmcarlo selftest --seed 3")
    assert page.headline.tone is Tone.BAD
    text = " ".join(page.headline.sentences)
    assert "2 of 4 checks failed: chain, coin" in text and "step 7" in text
    assert ABOUT["chain"].remedy in text
    remedies = dict(next(s.facts for s in page.sections if s.name == "remedies"))
    assert list(remedies) == ["chain", "coin"] and "characterize" in remedies["coin"]
    assert next(s.facts for s in page.sections if s.name == "numbers-link") == list(COUNTS)
    html = render(page)
    assert "&lt;does&gt;" in html and "<code>ohmcarlo build BOARD</code>" in html
    assert "ohmcarlo selftest --seed 3" in html


def test_a_page_of_passed_checks_has_no_remedies() -> None:
    page = page_of(CHECKS[:2], "rtl", "emulator", 0, "ohmcarlo selftest")
    assert page.headline.tone is Tone.GOOD
    assert "remedies" not in [section.name for section in page.sections]


def test_the_first_differing_step_is_counted_in_its_chain() -> None:
    """Steps of two chains alternate. The control is a trace that is the same."""
    wanted = {
        "chain": np.array([0, 1, 0, 1, 0, 1]),
        "accepted": np.array([True] * 6),
        "log_posterior": np.arange(6),
    }
    found = {name: values.copy() for name, values in wanted.items()}
    assert _first(found, wanted) == ""
    found["log_posterior"][3] += 1
    assert "step 2 of chain 1" in _first(found, wanted)
