"""``python -m ohmcarlo_rtl.fuzz``: the firmware's fuzzers, one after the other. Needs clang."""

from __future__ import annotations

import argparse
import subprocess
import sys

from ohmcarlo.errors import OhmcarloError

from .configs import config_of
from .firmware import BUILT, FIRMWARE, build_fuzzer

FUZZERS = ("fuzz_wire", "fuzz_messages")
CONFIG = "small"  # a small array is soon cleared between two inputs
LONGEST_INPUT = 1000


def run(name: str, runs: int, seconds: int) -> int:
    """Exit code of one fuzzer; what it finds stays in ``build/firmware``."""
    program = build_fuzzer(name, config_of(CONFIG), libfuzzer=True)
    found = BUILT / f"{name}-found"
    found.mkdir(parents=True, exist_ok=True)
    corpus = FIRMWARE / "fuzz" / "corpus" / name
    options = [f"-runs={runs}", f"-max_total_time={seconds}", f"-max_len={LONGEST_INPUT}"]
    return subprocess.run(
        [program, *options, "-print_final_stats=1", f"-artifact_prefix={found}-", found, corpus]
    ).returncode


def main(arguments: list[str] | None = None) -> int:
    """Exit code 0: nothing was found; 1: something was; 2: bad use."""
    parser = argparse.ArgumentParser(prog="python -m ohmcarlo_rtl.fuzz", description=__doc__)
    parser.add_argument("--runs", type=int, default=-1, help="executions of each (default: any)")
    parser.add_argument("--seconds", type=int, default=60, help="of each (default: 60; 0: any)")
    options = parser.parse_args(arguments)
    try:
        return max(run(name, options.runs, options.seconds) != 0 for name in FUZZERS)
    except OhmcarloError as error:
        print(f"ohmcarlo_rtl.fuzz: {error}", file=sys.stderr)
        return error.exit_code


if __name__ == "__main__":
    sys.exit(main())
