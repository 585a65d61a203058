"""Effective samples per second beside NumPyro, nutpie and BlackJAX, in one run.

    python tests/bench/bench_samplers.py [--rounds 5] [--problems wdbc,german] [--json FILE]

All samplers draw from the same posteriors on one core, with four chains. A first round tries every
configuration of a sampler; the one with the most effective samples per second is measured (the
smaller of bulk and tail, worst weight). The samplers then take turns. Rates are medians over the
rounds, per second of the processor, without compilation. The board's time is the clocks that the
Verilated board counts, at the clock that nextpnr reached (table of docs/results.md). Needs the
extras `samplers` and, for the board, `dev`.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.bench.samplers import array_sampler, jax_samplers, tables
from tests.bench.samplers.array_sampler import BoardClock, GoldenModel
from tests.bench.samplers.measuring import Rates, Row, Sampler, Sizes, measured
from tests.bench.samplers.nutpie_sampler import JAX, NUMBA, Nutpie
from tests.bench.samplers.problems import MAKERS, Problem, available
from tests.bench.samplers.tables import Result
from threadpoolctl import threadpool_limits

from ohmcarlo.errors import OhmcarloError

ROOT = Path(__file__).parents[2]
SMALL_RHO: dict[str, dict[str, float]] = {
    "`--least-rho 0.05`": {"least_rho": 0.05},
    "`--least-rho 0.05 --wide-every 0`": {"least_rho": 0.05, "wide_every": 0},
}
LEAPS = (3, 4)
REACHED = "Radiona ULX3S 85F | 256 × 32 | 8 |"
"""Beginning of the row of docs/results.md that has the clock of the board."""
FIRST_SEED = 100
EXTRA = ("numpyro", "blackjax", "nutpie")
RATIOS = {
    "bulk": "bulk effective samples per second of sampling",
    "tail": "tail effective samples per second of sampling",
    "bulk_all": "bulk effective samples per second, adaptation included",
    "bulk_first": "bulk effective samples per second, adaptation and compilation included",
}


def reached_hz(page: str) -> float:
    """The clock that nextpnr reached, from the table of boards of docs/results.md."""
    for line in page.splitlines():
        if line.startswith(f"| {REACHED}"):
            return float(line.split("|")[5].strip().removesuffix(" MHz")) * 1e6
    raise OhmcarloError(f"docs/results.md has no row {REACHED!r} in its table of boards")


def contenders(problem: Problem, more: bool) -> dict[str, list[Sampler]]:
    """The configurations of every sampler, by the name of its row.

    ``more``: also diagonal mass matrices, and the chains of JAX one after the other. Both were
    slower on every problem.
    """
    golden = [GoldenModel(tables.GOLDEN, problem, "`train`", {})]
    fast = [GoldenModel(tables.FAST_GOLDEN, problem, n, o) for n, o in SMALL_RHO.items()]
    found: dict[str, list[Sampler]] = {tables.GOLDEN: [*golden], tables.FAST_GOLDEN: [*fast]}
    both = (True, False) if more else (True,)
    found[tables.NUMPYRO] = [
        jax_samplers.numpyro_nuts(problem, dense=dense, together=together)
        for dense in both
        for together in both
    ]
    found[tables.NUTPIE] = [
        Nutpie(problem, low_rank, kernel) for low_rank in both for kernel in (NUMBA, JAX)
    ]
    found[tables.BLACKJAX] = [
        jax_samplers.blackjax_nuts(problem, dense=dense, together=together)
        for dense in both
        for together in both
    ]
    found[tables.HMC] = [jax_samplers.blackjax_hmc(problem, leaps=leaps) for leaps in LEAPS]
    return found


@dataclass
class Comparison:
    """The comparison on one problem.

    Attributes
    ----------
    problem : Problem
    hz : float or None
        Clock of the board; None: no board.
    compiled : dict
        Seconds of compilation of the measured configurations, by the name of the row.
    """

    problem: Problem
    hz: float | None
    more: bool
    compiled: dict[str, float] = field(default_factory=dict)
    _rounds: dict[str, list[Rates]] = field(default_factory=dict)
    _clocks: dict[str, BoardClock] = field(default_factory=dict)

    def prepare(self) -> dict[str, Sampler]:
        """Compile and try all configurations; the best one of every row."""
        best: dict[str, Sampler] = {}
        for name, samplers in contenders(self.problem, self.more).items():
            rates, costs = [], []
            for sampler in samplers:
                began = time.process_time()
                sampler.compile()
                costs.append(time.process_time() - began)
                rates.append(measured(sampler.run(0)).worst)
            chosen = max(range(len(samplers)), key=lambda i: rates[i])
            best[name], self.compiled[name] = samplers[chosen], costs[chosen]
            say(f"{self.problem.name}: {name}, {samplers[chosen].configuration}")
        if self.hz is not None and self.problem.fits_the_board:
            self._count(best, self.hz)
        return best

    def _count(self, best: dict[str, Sampler], hz: float) -> None:
        for name in (tables.GOLDEN, tables.FAST_GOLDEN):
            model = best[name]
            assert isinstance(model, GoldenModel)
            self._clocks[name] = BoardClock.count(self.problem, model.options, hz)
            say(f"{self.problem.name}: clocks of the board counted, {model.configuration}")

    def round(self, best: dict[str, Sampler], number: int) -> None:
        """One run of every sampler; the first one is another in every round."""
        names = list(best)
        for i in range(len(names)):
            self._turn(best[names[(i + number) % len(names)]], FIRST_SEED + number)

    def _turn(self, sampler: Sampler, seed: int) -> None:
        if not isinstance(sampler, GoldenModel):
            self._add(sampler.name, measured(sampler.run(seed), self.compiled[sampler.name]))
            return
        done = sampler.work(seed)
        sizes = Sizes.of(done.draws)
        seconds = done.adaptation.seconds, done.sampling.seconds
        golden = Rates.of(sizes, *seconds, self.compiled[sampler.name])
        self._add(sampler.name, golden)
        if sampler.name in self._clocks:
            clock = self._clocks[sampler.name]
            adaptation, sampling = clock.adaptation(done), clock.sampling(done)
            board = tables.BOARD if sampler.name == tables.GOLDEN else tables.FAST_BOARD
            host = self.compiled[sampler.name]  # the host adapts with the same compiled functions
            self._add(board, Rates.of(sizes, adaptation, sampling, host))
            if board == tables.BOARD:
                line = sampling + array_sampler.serial_seconds(done)
                self._add(tables.LINE, Rates.of(sizes, adaptation, line, host))

    def _add(self, name: str, rates: Rates) -> None:
        self._rounds.setdefault(name, []).append(rates)

    def result(self, best: dict[str, Sampler]) -> Result:
        order = (
            tables.GOLDEN, tables.FAST_GOLDEN, tables.BOARD, tables.FAST_BOARD, tables.LINE,
            *tables.OTHERS,
        )  # fmt: skip
        model = {
            tables.BOARD: tables.GOLDEN, tables.FAST_BOARD: tables.FAST_GOLDEN,
            tables.LINE: tables.GOLDEN,
        }  # fmt: skip
        rows = tuple(
            Row(name, best[model.get(name, name)].configuration, tuple(self._rounds[name]))
            for name in order
            if name in self._rounds
        )
        return Result(self.problem.title, len(self.problem.x), rows)


def say(line: str) -> None:
    print(f"[{time.perf_counter() - BEGAN:4.0f} s] {line}", file=sys.stderr, flush=True)


BEGAN = time.perf_counter()


def compare(
    problems: Sequence[Problem], rounds: int, hz: float | None, more: bool
) -> tuple[list[Result], dict[str, dict[str, float]]]:
    """Results and compilation times."""
    comparisons = [Comparison(problem, hz, more) for problem in problems]
    best = [comparison.prepare() for comparison in comparisons]
    share_compilation(comparisons)
    for number in range(rounds):
        for comparison, samplers in zip(comparisons, best, strict=True):
            comparison.round(samplers, number)
        say(f"round {number + 1} of {rounds}")
    results = [c.result(samplers) for c, samplers in zip(comparisons, best, strict=True)]
    return results, {c.problem.title: c.compiled for c in comparisons}


def share_compilation(comparisons: Sequence[Comparison]) -> None:
    """All problems have one compiled golden model, which the first one loads from the cache."""
    names = (tables.GOLDEN, tables.FAST_GOLDEN)
    cost = max(comparison.compiled[name] for comparison in comparisons for name in names)
    for comparison in comparisons:
        comparison.compiled.update(dict.fromkeys(names, cost))


def show(results: Sequence[Result], compiled: dict[str, dict[str, float]]) -> None:
    for result in results:
        print(f"\n{result.title}, {result.points:,} points:\n")
        print(tables.rates_table(result))
    for rate, what in RATIOS.items():
        print(f"\n{what}, array as a multiple of the other samplers:\n")
        print(tables.ratios_table(results, rate))
        print()
        print("\n".join(tables.losses(results, rate) or ["- no losses"]))
    print("\ngoals, bulk:\n")
    print("\n".join(tables.goals(results)))
    print("\nseconds of compilation:\n")
    print(tables.costs_table(results, compiled))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--problems", default=",".join(MAKERS), help="names, with commas")
    parser.add_argument("--json", type=Path, default=ROOT / "build" / "samplers.json")
    parser.add_argument("--no-board", action="store_true", help="do not count clocks")
    parser.add_argument("--float64", action="store_true", help="JAX in double precision")
    parser.add_argument(
        "--more", action="store_true", help="try diagonal mass matrices and sequential chains, too"
    )
    given = parser.parse_args()
    absent = [name for name in EXTRA if importlib.util.find_spec(name) is None]
    if absent:
        sys.exit(f"{', '.join(absent)} missing: pip install 'ohmcarlo[samplers]'")
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})  # one core
    threadpool_limits(1)
    jax_samplers.import_jax(given.float64)
    problems, missing = available(given.problems.split(","))
    print("\n".join(missing), file=sys.stderr)
    page = (ROOT / "docs" / "results.md").read_text(encoding="utf-8")
    hz = None if given.no_board else reached_hz(page)
    results, compiled = compare(problems, given.rounds, hz, given.more)
    show(results, compiled)
    given.json.parent.mkdir(parents=True, exist_ok=True)
    values = [
        {"data": r.title, "points": r.points, "rows": [row.to_dict() for row in r.rows]}
        for r in results
    ]
    given.json.write_text(json.dumps({"results": values, "compilation": compiled}, indent=1))


if __name__ == "__main__":
    main()
