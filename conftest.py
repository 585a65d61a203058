"""The option of all tests: ``--cpu-times=FILE``, the processor time that each test took.

``python -m pytest --cpu-times=build/cpu.txt verif/test_fifo.py`` writes one line a test, the most
expensive first: CPU seconds of the test's process and of every process that it started and waited
for, then a line for each file. The times do not depend on how busy the machine is, unlike those of
``--durations``. The last line is the sum with imports and collection.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest_plugins = ["tests.helpers.data_isolation", "tests.helpers.steady_output"]

CPU = "cpu_seconds"
"""Attribute of a test's report, and key of what a worker of pytest-xdist returns."""


def cpu_seconds() -> float:
    """CPU time of this process and of the children that it waited for, user and system."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


class CpuTimes:
    """Measures the phases of every test; the process that reports writes the table."""

    def __init__(self, config: pytest.Config, file: str) -> None:
        self.config, self.file = config, Path(file)
        self.tests: dict[str, float] = defaultdict(float)
        self.processes = 0.0
        self._before = 0.0

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_runtest_setup(self) -> Iterator[None]:
        self._before = cpu_seconds()
        yield

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_makereport(self) -> Iterator[None]:
        outcome: Any = yield
        now = cpu_seconds()
        setattr(outcome.get_result(), CPU, now - self._before)
        self._before = now

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.tests[report.nodeid] += getattr(report, CPU, 0.0)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        self.processes += getattr(node, "workeroutput", {}).get(CPU, 0.0)

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        output = getattr(session.config, "workeroutput", None)
        if output is not None:
            output[CPU] = cpu_seconds()
            return
        files: dict[str, float] = defaultdict(float)
        for name, seconds in self.tests.items():
            files[name.split("::")[0]] += seconds
        lines = ["CPU seconds by test"]
        for table in (self.tests, files):
            ordered = sorted(table.items(), key=lambda entry: -entry[1])
            lines += [f"{seconds:9.2f}  {name}" for name, seconds in ordered]
            lines += ["", "CPU seconds by file"] if table is self.tests else [""]
        # workers are counted by what they return, not as children
        whole = self.processes or cpu_seconds()
        lines.append(f"{whole:9.2f}  all, with imports and collection")
        self.file.parent.mkdir(parents=True, exist_ok=True)
        self.file.write_text("\n".join([*lines, ""]))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--cpu-times", metavar="FILE", help="write CPU seconds by test and by file")


def pytest_configure(config: pytest.Config) -> None:
    file = config.getoption("--cpu-times")
    if file:
        config.pluginmanager.register(CpuTimes(config, file), "cpu-times")
