"""Runs a component under the cocotb tests of a bench, as a call in a pytest function.

The model is built once (``verif.harness.model``); a simulation runs in a folder of its own below
``build/verif``, which is removed when it passes. In the environment:

- ``WAVES=1`` writes the waves into that folder, as FST, or as VCD where the compiler finds no
  ``zlib.h`` and ``lz4.h``; ``WAVES=fst`` and ``WAVES=vcd`` choose the format;
- ``COVERAGE=1`` collects line and toggle coverage there (``make coverage`` reports it);
- ``SEED=7`` changes the stimuli (``verif.harness.seeds``).
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import uuid
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from unittest.mock import patch

from amaranth.lib import wiring
from cocotb_tools.runner import Verilator

from .cases import CASES, MODULE, TESTS
from .model import LIBRARIES, SOURCE, Probe, current_target, fst_compiles, model_of
from .seeds import seed_of
from .verilog import TOP

ROOT = Path(__file__).parents[2]
BUILDS = ROOT / "build" / "verif"
WAVES, COVERAGE = "WAVES", "COVERAGE"
LOG = "simulation.log"

Case = dict[str, Any]

waves_written: list[Path] = []
"""Files of waves that this process's benches wrote, and that no report named yet."""


class BenchFailure(AssertionError):
    """A test of a bench failed, with the message of the test. Not raised for a failed build."""


def run_bench(
    component: wiring.Component | Callable[[], wiring.Component] | str,
    module: str,
    case: Case | Sequence[Case] | None = None,
    *,
    seed: int = 1,
    testcase: str | None = None,
    verilog_text: str | None = None,
) -> None:
    """Simulate ``component`` under the ``@cocotb.test()`` functions of ``module``.

    Parameters
    ----------
    component : Component, a function that makes one, or the name of ``verilog_text``
    module : str
        Module with the cocotb tests, usually the caller's ``__name__``.
    case : dict or several of them, optional
        JSON-able; the tests read it with ``case_parameters()``. Several cases run one after the
        other in one simulation, which saves the start of Python for each.
    seed : int
        Of Python's ``random`` in the simulation.
    testcase : str, optional
        Name of the one cocotb test to run; several are separated by ``|``.
    verilog_text : str, optional
        Simulate this text (module ``dut``) instead of the component's own Verilog; for the source
        only, because other targets generate their own Verilog.

    Raises BenchFailure with the first failure's own message when a test failed, AssertionError when
    nothing was tested.
    """
    cases = [case or {}] if case is None or isinstance(case, dict) else list(case)
    with _simulation(component, module, cases, seed, testcase, verilog_text) as (outcomes, work):
        _judge(outcomes, work)


def bench_outcomes(
    name: str,
    module: str,
    cases: Sequence[Case],
    *,
    verilog_text: str,
    seed: int = 1,
    testcase: str | None = None,
) -> dict[str, str | None]:
    """As ``run_bench``, but return the message of each failed test, and None for the others."""
    with _simulation(name, module, cases, seed, testcase, verilog_text) as (outcomes, _):
        return outcomes


@contextmanager
def _simulation(
    component: wiring.Component | Callable[[], wiring.Component] | str,
    module: str,
    cases: Sequence[Case],
    seed: int,
    testcase: str | None,
    verilog_text: str | None,
) -> Iterator[tuple[dict[str, str | None], Path]]:
    """Outcomes of the tests, by name, and the folder of the simulation."""
    __tracebackhide__ = True
    name, target = str(component), current_target()
    text = verilog_text if target is SOURCE else None
    if not isinstance(component, str):
        if not isinstance(component, wiring.Component):
            component = component()
        name = type(component).__name__
        text = text or target.verilog(component)
    assert text is not None, "a component that is only named needs its Verilog"
    name = "-".join(part for part in (name, target.name) if part)
    probe = Probe(_waves_format(), os.environ.get(COVERAGE, "0") == "1")
    model = model_of(name, text, target, probe)
    work = BUILDS / model.name / f"run-{uuid.uuid4().hex[:8]}"
    work.mkdir(parents=True)
    if probe.coverage:  # for the lines of the report
        shutil.copyfile(model / f"{TOP}.v", work.parent / f"{TOP}.v")
    waves = work / f"waves.{probe.waves}" if probe.waves else None
    environment = {MODULE: module, CASES: json.dumps(cases), TESTS: testcase or ""}
    results = _simulate(model, work, environment, seed_of(seed), waves)
    if waves is not None and waves.exists():
        waves_written.append(waves)
    try:
        yield _outcomes(results, module, work), work
    except AssertionError:
        print((work / LOG).read_text(errors="replace"))  # for pytest's report
        raise
    if not (probe.waves or probe.coverage):
        shutil.rmtree(work)


def _waves_format() -> str:
    """The format that ``WAVES`` selects; empty for no waves."""
    chosen = os.environ.get(WAVES, "0").lower()
    assert chosen in ("", "0", "1", "fst", "vcd"), f"WAVES={chosen}: use 1, fst or vcd"
    if chosen == "1":
        return "fst" if fst_compiles() else "vcd"
    if chosen == "fst":
        assert fst_compiles(), (
            "WAVES=fst needs the headers zlib.h and lz4.h (Debian, Ubuntu: apt install zlib1g-dev "
            "liblz4-dev); WAVES=vcd needs nothing"
        )
    return chosen if chosen in ("fst", "vcd") else ""


def _simulate(
    model: Path, work: Path, environment: dict[str, str], seed: int, waves: Path | None
) -> Path:
    """Run the model; return the path of the results, which do not exist after a crash."""
    results = work / "results.xml"
    paths = [p for p in (str(ROOT), str(ROOT / "tests" / "helpers")) if p not in sys.path]
    with (
        patch.dict(os.environ, environment),
        patch.object(sys, "path", [*sys.path, *paths]),  # cocotb's runner passes it on
        suppress(SystemExit, RuntimeError),  # SystemExit would end pytest
    ):
        for name in (WAVES, COVERAGE):  # cocotb gives them another meaning
            os.environ.pop(name, None)
        there = [p for p in [os.environ.get("LD_LIBRARY_PATH")] if p]
        os.environ["LD_LIBRARY_PATH"] = os.pathsep.join([str(LIBRARIES), *there])
        Verilator().test(
            test_module="verif.harness.entry",
            hdl_toplevel=TOP,
            hdl_toplevel_lang="verilog",
            build_dir=model,
            test_dir=work,
            results_xml=str(results),
            seed=seed,
            test_args=["--trace", "--trace-file", str(waves)] if waves else [],
            extra_env={"COCOTB_REWRITE_ASSERTION_FILES": "test_*.py"},
            log_file=work / LOG,
        )
    return results


def _outcomes(results: Path, module: str, work: Path) -> dict[str, str | None]:
    """The message of each failed test, and None for the others."""
    __tracebackhide__ = True
    if not results.exists():
        last = (work / LOG).read_text(errors="replace").strip().splitlines()[-1:]
        raise AssertionError(f"{module}: no results; the simulation ended with {last}; see {work}")
    found = list(ET.parse(results).getroot().iter("testcase"))
    ran = [test for test in found if test.find("skipped") is None]
    assert ran, f"{module} has no cocotb test to run: nothing was checked"
    failures = {str(test.get("name")): test.find("failure") for test in ran}
    return {n: None if f is None else str(f.get("message")) for n, f in failures.items()}


def _judge(outcomes: dict[str, str | None], work: Path) -> None:
    __tracebackhide__ = True
    failed = [(name, message) for name, message in outcomes.items() if message is not None]
    if failed:
        name, message = failed[0]
        others = f" (and {len(failed) - 1} more tests)" if len(failed) > 1 else ""
        raise BenchFailure(f"{name}: {message}{others}; see {work}")
