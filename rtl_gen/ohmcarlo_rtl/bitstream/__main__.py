"""``python -m ohmcarlo_rtl.bitstream BOARD``: its last line is the folder of the bitstream."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from ohmcarlo.errors import OhmcarloError
from ohmcarlo_hdl.boards import BOARDS
from ohmcarlo_hdl.config import ARRAYS, EMULATOR

from ..processes import INTERRUPTED
from .order import make_bitstream
from .request import TRIES


def parser() -> argparse.ArgumentParser:
    boards = "\n".join(
        f"  {b.name:<12} {b.title}, {b.clock_hz / 1e6:g} MHz" for b in BOARDS.values()
    )
    made = argparse.ArgumentParser(
        prog="python -m ohmcarlo_rtl.bitstream",
        description=f"Build the bitstream of a board.\n\nboards:\n{boards}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument("board", metavar="BOARD", help="one of these boards")
    made.add_argument("--array", default=EMULATOR, metavar="NAME", help=" or ".join(ARRAYS))
    made.add_argument("--compact", action="store_true", help="the smaller array of the board")
    made.add_argument("--rows", type=int, metavar="N", help="rows of the array")
    made.add_argument("--pairs", type=int, metavar="N", help="device pairs of a row")
    made.add_argument(
        "--access-bits", type=int, metavar="N", help="bits of an input that one access applies"
    )
    made.add_argument("--clock", type=float, metavar="MHZ", help="clock of the controller")
    made.add_argument(
        "--seed",
        type=int,
        metavar="K",
        help=f"of place and route (default: 1, up to {TRIES} if the clock is just missed)",
    )
    made.add_argument("--out", type=Path, metavar="DIR", help="folder (default: build/BOARD)")
    made.add_argument("--force", action="store_true", help="build even if it is up to date")
    made.add_argument("--program", action="store_true", help="load it into the board afterwards")
    return made


def main(arguments: list[str] | None = None) -> int:
    """Exit code 0: the last line is the folder; 1: it was not built; 2: bad use."""
    options = parser().parse_args(arguments)
    try:
        folder, _ = make_bitstream(
            options.board,
            lambda line: print(line, flush=True),
            array=options.array,
            compact=options.compact,
            rows=options.rows,
            pairs=options.pairs,
            access_bits=options.access_bits,
            clock_mhz=options.clock,
            seed=options.seed,
            out=options.out,
            force=options.force,
            load=options.program,
        )
    except OhmcarloError as error:
        print(f"ohmcarlo_rtl.bitstream: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("ohmcarlo_rtl.bitstream: interrupted", file=sys.stderr)
        return INTERRUPTED
    print(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
