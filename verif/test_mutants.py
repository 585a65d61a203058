"""Every mutant of the hardware makes a test of its bench fail, and the unchanged block passes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from verif.harness import bench_outcomes
from verif.mutants.hardware import BEDS, Bed
from verif.mutants.switch import switched_verilog

UNCHANGED = ("unchanged", "unchanged again")
"""Before and after all mutants: no failure is left over from the case before."""


def cases_of(bed: Bed) -> list[dict[str, Any]]:
    """A case for each mutant, between two cases of the unchanged block with the same tests."""
    numbered = list(enumerate(bed.mutants, 1))
    all_tests = "|".join(dict.fromkeys(test for m in bed.mutants for test in m.tests.split("|")))
    cases = [{"name": m.name, "mutant": i, "tests": m.tests} for i, m in numbered]
    first, last = ({"name": name, "mutant": 0, "tests": all_tests} for name in UNCHANGED)
    return [bed.case | case for case in (first, *cases, last)]


def survivors(name: str, bed: Bed) -> list[str]:
    """Names of the mutants for which no test fails; AssertionError if the unchanged block fails."""
    outcomes = bench_outcomes(
        f"mutants-{name.replace(' ', '-')}",
        bed.bench.__name__,
        cases_of(bed),
        verilog_text=switched_verilog(bed.make, bed.mutants),
    )
    broken = {test: m for test, m in outcomes.items() if m and test[:-1].endswith(UNCHANGED)}
    assert not broken, broken
    failed = {test.partition("[")[2][:-1] for test, message in outcomes.items() if message}
    return [m.name for m in bed.mutants if m.name not in failed]


@pytest.mark.parametrize(
    "bed", [pytest.param(n, marks=pytest.mark.verify if b.verify else ()) for n, b in BEDS.items()]
)
def test_mutants(bed: str) -> None:
    assert not survivors(bed, BEDS[bed]), "no test fails for these mutants"


@pytest.mark.verify
def test_survivor_is_reported() -> None:
    """A mutant without an effect survives beside others that do not."""
    bed = BEDS["acceptance"]
    same = replace(bed.mutants[0], name="equal", new="threshold > total")
    assert survivors("control", replace(bed, mutants=[*bed.mutants, same])) == ["equal"]


def test_text_of_a_mutant_is_found_once() -> None:
    """A mutant whose text is gone, or not unique, does not pass silently."""
    bed = BEDS["acceptance"]
    first = bed.mutants[0]
    for old in ("no such text", "self."):
        with pytest.raises(ValueError, match="not once"):
            switched_verilog(bed.make, [replace(first, old=old)])
    with pytest.raises(ValueError, match="another mutant"):
        switched_verilog(bed.make, [first, replace(first, new="{on}")])
