"""The tests of a bench's module, once for each of its cases.

``run_bench`` names module, tests and cases in the environment. A test of several cases appears as
``test[0]``, ``test[1]``, ..., or ``test[name]`` if the case has a "name". All of them run in one
simulation, one after the other. A case with "tests" takes part in these tests only, separated by
``|``. A "mutant" of a case is the value of the block's input of that name.
"""

from __future__ import annotations

import json
import os
from importlib import import_module
from typing import Any

import cocotb

from .streams import Stalls, check_stalls

CASES, MODULE, TESTS = "OHMCARLO_CASES", "OHMCARLO_BENCH", "OHMCARLO_TESTS"

_current: dict[str, Any] = {}


def case_parameters() -> dict[str, Any]:
    """Inside the simulation: the parameters of the case that runs."""
    return dict(_current)


def _once(test: Any, case: dict[str, Any], name: str) -> Any:
    async def run(dut: Any) -> None:
        _current.clear()
        _current.update(case)
        Stalls.made.clear()
        if "mutant" in case:
            dut.mutant.value = case["mutant"]
        await test.func(dut)
        check_stalls()

    run.__doc__, run.__module__ = test.doc, test.module
    return cocotb.test(name=name)(run)


def cocotb_tests() -> dict[str, Any]:
    """Inside the simulation: the tests that cocotb runs, by name."""
    module = import_module(os.environ[MODULE])
    cases = json.loads(os.environ[CASES])
    chosen = os.environ[TESTS].split("|") if os.environ[TESTS] else None
    kind = type(cocotb.test()(_once))
    found = [test for test in vars(module).values() if isinstance(test, kind)]
    names = [test.name for test in found]
    made = {}
    for index, case in enumerate(cases):
        of_case = case["tests"].split("|") if "tests" in case else chosen
        assert all(name in names for name in of_case or []), of_case
        for test in found:
            if of_case is None or test.name in of_case:
                label = case.get("name", index)
                name = f"{test.name}[{label}]" if len(cases) > 1 else test.name
                made[name] = _once(test, case, name)
    return made
