"""Every mutant of the hardware makes a test of its bench fail, and the unchanged block passes."""

from __future__ import annotations

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


@pytest.mark.parametrize(
    "bed", [pytest.param(n, marks=pytest.mark.verify if b.verify else ()) for n, b in BEDS.items()]
)
def test_mutants(bed: str) -> None:
    block = BEDS[bed]
    outcomes = bench_outcomes(
        f"mutants-{bed.replace(' ', '-')}",
        block.bench.__name__,
        cases_of(block),
        verilog_text=switched_verilog(block.make, block.mutants),
    )
    failed = {test.partition("[")[2][:-1] for test, message in outcomes.items() if message}
    broken = {test: m for test, m in outcomes.items() if m and test[:-1].endswith(UNCHANGED)}
    assert not broken, broken
    survivors = [m.name for m in block.mutants if m.name not in failed]
    assert not survivors, "no test fails for these mutants"
