"""Bit flips: which upsets of a register end in a wrong chain that nobody notices.

    python -m verif.flips --flips 600

Each run of the campaign inverts one random flip-flop of the controller, at a random clock of a
short chain on an ideal emulated array. The run is then compared with the golden model, and checked
as the host checks a board (``ohmcarlo.boards.integrity``). Its outcome is one of ``OUTCOMES``.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import sys
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

MASKED, REPORTED, SILENT = "masked", "reported", "silent"
OUTCOMES = (MASKED, REPORTED, SILENT)
"""The chain equals the golden one; the controller or the host reports an error; neither."""
RESULTS = "FLIP_RESULTS"
"""Environment variable: the file to which the simulation appends one JSON line a flip."""
ID_BITS, BIT_BITS = 16, 8
ARRAY = "dut.emulator"
"""Modules below it are the array, which stands for devices, not for logic."""
BENCH = "verif.test_flips"
_MODULE = re.compile(r"^module (?:\\(\S+) |(\w+)) ?\((.*?)^endmodule", re.S | re.M)
_UPDATE = re.compile(r"^(  always @\(posedge clk\)\n    )(\\?\S+)( +)<= (\S+) ;$", re.M)


@dataclass(frozen=True)
class Register:
    """A register of the controller: its number (from 1), module, name and width."""

    number: int
    module: str
    name: str
    width: int


def with_flips(verilog: str) -> tuple[str, list[Register]]:
    """Verilog of module ``dut`` with the ports ``flip_id`` and ``flip_bit``, and its registers.

    In a clock in which ``flip_id`` is the number of a register, its bit ``flip_bit`` is loaded
    inverted. Words of memories have no number.
    """
    registers: list[Register] = []

    def instrument(found: re.Match[str]) -> str:
        module, text = found[1] or found[2], found[0]
        if module.startswith(ARRAY):
            return text

        def update(line: re.Match[str]) -> str:
            declared = re.search(
                rf"^  reg (?:signed )?(?:\[(\d+):0\] )?{re.escape(line[2])}[ ;]", text, re.M
            )
            assert declared is not None, (module, line[2])
            width = int(declared[1] or 0) + 1
            number = len(registers) + 1
            registers.append(Register(number, module, line[2].lstrip("\\"), width))
            here = f"{{{width}{{dut.flip_id == {ID_BITS}'d{number}}}}}"
            mask = f"({here} & ({width}'d1 << dut.flip_bit))"
            return f"{line[1]}{line[2]}{line[3]}<= {line[4]} ^ {mask};"

        return _UPDATE.sub(update, text)

    made = _MODULE.sub(instrument, verilog)
    made = re.sub(r"^module dut\(", "module dut(flip_id, flip_bit, ", made, count=1, flags=re.M)
    head = made.index(";\n", made.index("module dut("))
    ports = f"\n  input [{ID_BITS - 1}:0] flip_id;\n  input [{BIT_BITS - 1}:0] flip_bit;\n"
    return made[: head + 2] + ports + made[head + 2 :], registers


@dataclass(frozen=True)
class Flip:
    """One upset: bit ``bit`` of a register at the share ``moment`` of the run's clocks."""

    register: Register
    bit: int
    moment: float


def draw(registers: list[Register], count: int, seed: int) -> list[Flip]:
    """Flips that are uniform over the bits of all registers, and over time."""
    rng = random.Random(seed)
    weights = [register.width for register in registers]
    chosen = rng.choices(registers, weights, k=count)
    return [Flip(r, rng.randrange(r.width), rng.random()) for r in chosen]


def simulate(verilog: str, chosen: Sequence[Flip]) -> list[dict[str, Any]]:
    """The results of some flips, in their order: outcome, reason, and the first difference."""
    from verif.harness import run_bench

    with TemporaryDirectory() as folder:
        results = Path(folder) / "results.jsonl"
        os.environ[RESULTS] = str(results)
        case = {"flips": [[f.register.number, f.bit, f.moment] for f in chosen]}
        run_bench("flips", BENCH, case, testcase="flips", verilog_text=verilog)
        found = [json.loads(line) for line in results.read_text().splitlines()]
    assert len(found) == len(chosen)
    return [
        result | {"register": f"{flip.register.module}.{flip.register.name}", "bit": flip.bit}
        for flip, result in zip(chosen, found, strict=True)
    ]


def campaign(count: int, seed: int, jobs: int) -> list[dict[str, Any]]:
    """The results of ``count`` random flips, on ``jobs`` processes."""
    sys.path.append(str(Path(__file__).parents[1] / "tests" / "helpers"))  # as in conftest.py
    from verif.test_flips import instrumented

    verilog, registers = instrumented()
    chosen = draw(registers, count, seed)
    simulate(verilog, [])  # compiles the model once
    with ProcessPoolExecutor(jobs) as pool:
        parts = pool.map(simulate, [verilog] * jobs, [chosen[i::jobs] for i in range(jobs)])
        return [result for part in parts for result in part]


def main() -> int:
    """Exit code 0: at most 0.5 % of the flips are silent; 1: more."""
    parser = argparse.ArgumentParser(prog="python -m verif.flips", description=__doc__)
    parser.add_argument("--flips", type=int, default=600)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--json", type=Path, help="write every result to this file")
    options = parser.parse_args()
    results = campaign(options.flips, options.seed, options.jobs)
    if options.json:
        options.json.write_text(json.dumps(results, indent=1) + "\n")
    counts = Counter(result["outcome"] for result in results)
    for outcome in OUTCOMES:
        print(f"{outcome:9} {counts[outcome]:4}  {counts[outcome] / len(results):6.1%}")
    for result in results:
        if result["outcome"] == SILENT:
            print(f"silent: {result['register']}[{result['bit']}]: {result['difference']}")
    return int(counts[SILENT] > 0.005 * len(results))


if __name__ == "__main__":
    sys.exit(main())
