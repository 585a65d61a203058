"""The page of a self-test: what was tested, what was found, and what to do."""

from __future__ import annotations

import platform
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from .. import __version__
from ..boards import MODEL
from ..pages.content import Headline, HtmlPage, Section, Table, Tone
from ..readable import count
from .chain import Check


class About(NamedTuple):
    """What a check tests, and what to do when it fails; a sentence each."""

    tested: str
    remedy: str


BITSTREAM = (
    "Build the bitstream of the board with this version (`ohmcarlo build BOARD`), and load it."
)
CACHE = (
    "Delete the folder ohmcarlo in $XDG_CACHE_HOME (or in ~/.cache), which holds compiled code, "
    "and install ohmcarlo again."
)
ABOUT = {
    "generator": About("The random number generator reproduces its published test vectors.", CACHE),
    "devices": About(
        "The devices of the array follow their targets; on a board, their codes are those of the "
        "emulated array in this program.",
        "Run `ohmcarlo characterize` on the array: it shows which devices fail. If the codes of a "
        f"board differ, do this: {BITSTREAM[0].lower()}{BITSTREAM[1:]}",
    ),
    "link": About(
        "The board returns messages unchanged.",
        "Check cable and power of the board, and connect it without a hub.",
    ),
    "memory": About("The memory of the board retains every test pattern.", BITSTREAM),
    "registers": About("Every bit of every register can be set independently.", BITSTREAM),
    "chain": About(
        "Two chains on the board equal those of the bit-exact reference on this computer.",
        BITSTREAM,
    ),
    "coin": About(
        "The raw bits of the coin have the expected entropy, and no health test raises an alarm.",
        'Run `ohmcarlo characterize` on the array: its part "coin" shows the entropy of the '
        "devices.",
    ),
    "early rejection": About("Early rejection does not change any decision.", BITSTREAM),
    "checkpoint": About("A board continues from a saved state.", BITSTREAM),
}


def page_of(checks: Sequence[Check], backend: str, array: str, seed: int, command: str) -> HtmlPage:
    """The page about the ``checks`` of one self-test. ``command`` is the line that made them."""
    return HtmlPage(
        title=f"Self-test of {'the software model' if backend == MODEL else backend}",
        subtitle=f"array {array} · seed {seed} · {count(len(checks), 'check')} · ohmcarlo selftest",
        headline=_headline(checks),
        sections=tuple(_sections(checks, backend, array, seed, command)),
    )


def _failed(checks: Sequence[Check]) -> list[Check]:
    return [check for check in checks if not check.passed]


def _headline(checks: Sequence[Check]) -> Headline:
    failed = _failed(checks)
    if not failed:
        return Headline(
            Tone.GOOD,
            "passed",
            (f"All {count(len(checks), 'check')} passed: this backend can run chains.",),
        )
    first = failed[0]
    return Headline(
        Tone.BAD,
        "failed",
        (
            f"{len(failed)} of {count(len(checks), 'check')} failed: "
            f"{', '.join(check.name for check in failed)}. Do not trust runs on this backend.",
            f"The first one that failed is {first.name}: {first.detail}.",
            _remedy(first),
        ),
    )


def _remedy(check: Check) -> str:
    about = ABOUT.get(check.name)
    return about.remedy if about else BITSTREAM


def _sections(
    checks: Sequence[Check], backend: str, array: str, seed: int, command: str
) -> Iterator[Section]:
    rows = tuple(
        (c.name, "passed" if c.passed else "FAILED",
         ABOUT[c.name].tested if c.name in ABOUT else "", c.detail)
        for c in checks
    )  # fmt: skip
    header = ("check", "result", "what is tested", "what was found")
    yield Section(
        "checks",
        "Checks",
        tables=(Table(header, rows, "The checks are listed in the order in which they ran."),),
    )
    if failed := _failed(checks):
        yield Section("remedies", "What to do", facts=[(c.name, _remedy(c)) for c in failed])
    for check in checks:
        if check.facts:
            yield Section(
                f"numbers-{check.name.replace(' ', '-')}",
                f"{check.name.capitalize()}: numbers",
                facts=list(check.facts),
            )
    yield _untested(checks, backend)
    yield Section(
        "repeat",
        "How to repeat this",
        facts=[
            ("version", f"ohmcarlo {__version__}"),
            ("board", backend),
            ("array", array),
            ("seed", str(seed)),
            ("computer", f"{platform.system()} {platform.machine()}, Python "
                         f"{platform.python_version()}"),
        ],
        code=command,
    )  # fmt: skip


def _untested(checks: Sequence[Check], backend: str) -> Section:
    """What the checks do not show."""
    ran = {check.name for check in checks}
    sentences = []
    if backend == MODEL:
        sentences.append(
            "No board was tested. `ohmcarlo selftest --backend rtl` tests the simulated hardware, "
            "and `--backend serial:PORT` a board."
        )
    elif "coin" not in ran:
        sentences.append(
            "The devices behind this board were not programmed, so coin, early rejection and "
            "checkpoint were not tested. `ohmcarlo characterize` measures the devices."
        )
    sentences.append(
        "The checks do not show whether the devices can sustain a long chain. `ohmcarlo "
        "characterize` shows that."
    )
    return Section("untested", "What was not tested", sentences=tuple(sentences))
