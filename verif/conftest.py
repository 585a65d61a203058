"""Makes ``verif`` and the tests' shared problems importable; names the waves that benches wrote."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
for path in (ROOT, ROOT / "tests" / "helpers"):
    if str(path) not in sys.path:
        sys.path.insert(0, str(path))

WAVES = "waves"


def pytest_configure(config: pytest.Config) -> None:
    # components that a test builds only to have them refused; a later test collects them
    config.addinivalue_line("filterwarnings", "ignore:.*created but never used")


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport() -> Iterator[None]:
    outcome: Any = yield
    bench = sys.modules.get("verif.harness.bench")
    if bench is not None:
        report = outcome.get_result()
        report.user_properties += [(WAVES, str(path)) for path in bench.waves_written]
        bench.waves_written.clear()


def pytest_terminal_summary(terminalreporter: Any) -> None:
    reports = [r for kind in ("passed", "failed") for r in terminalreporter.stats.get(kind, [])]
    files = [file for r in reports for name, file in r.user_properties if name == WAVES]
    if files:
        terminalreporter.section("waves: open with Surfer or GTKWave")
        for file in files:
            terminalreporter.write_line(file)
