"""``python -m ohmcarlo_rtl.firmware.fuzz``: run the firmware's fuzzers. It needs clang."""

from __future__ import annotations

import argparse
import subprocess
import sys

from ohmcarlo.errors import OhmcarloError

from ..configs import config_of
from ..sources import require_checkout
from .native import BUILT, build_fuzzer

FUZZERS = ("fuzz_wire", "fuzz_messages")
CONFIG = "compact"  # a compact array is cleared fast between two inputs
LONGEST_INPUT = 1000


def run(name: str, runs: int, seconds: int) -> int:
    """Run one fuzzer and return its exit code; the inputs that it finds stay in
    ``build/firmware``."""
    program = build_fuzzer(name, config_of(CONFIG), libfuzzer=True)
    found = BUILT / f"{name}-found"
    found.mkdir(parents=True, exist_ok=True)
    corpus = require_checkout("the corpus of inputs") / "firmware" / "fuzz" / "corpus" / name
    options = [f"-runs={runs}", f"-max_total_time={seconds}", f"-max_len={LONGEST_INPUT}"]
    return subprocess.run(
        [program, *options, "-print_final_stats=1", f"-artifact_prefix={found}-", found, corpus]
    ).returncode


def main(arguments: list[str] | None = None) -> int:
    """Exit code 0: no fault found; 1: a fault; 2: bad use."""
    parser = argparse.ArgumentParser(
        prog="python -m ohmcarlo_rtl.firmware.fuzz", description=__doc__
    )
    parser.add_argument("--runs", type=int, default=-1, help="executions of each (default: any)")
    parser.add_argument("--seconds", type=int, default=60, help="of each (default: 60; 0: any)")
    options = parser.parse_args(arguments)
    try:
        return max(run(name, options.runs, options.seconds) != 0 for name in FUZZERS)
    except OhmcarloError as error:
        print(f"ohmcarlo_rtl.firmware.fuzz: {error}", file=sys.stderr)
        return error.exit_code


if __name__ == "__main__":
    sys.exit(main())
