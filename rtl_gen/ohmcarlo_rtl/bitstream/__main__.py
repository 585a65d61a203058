"""``python -m ohmcarlo_rtl.bitstream BOARD``: its last line names the folder of the bitstream."""

from __future__ import annotations

import argparse
import signal
import sys
import time
from pathlib import Path
from types import FrameType

from ohmcarlo.errors import OhmcarloError
from ohmcarlo_hdl.boards import BOARDS
from ohmcarlo_hdl.config import ARRAYS, EMULATOR

from .build import build, product_of
from .program import program
from .request import ROOT, TRIES, request_of


def parser() -> argparse.ArgumentParser:
    boards = "\n".join(
        f"  {b.name:<12} {b.title}, {b.clock_hz / 1e6:g} MHz" for b in BOARDS.values()
    )
    made = argparse.ArgumentParser(
        prog="python -m ohmcarlo_rtl.bitstream",
        description=f"Build the bitstream of a board.\n\nboards:\n{boards}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument("board", metavar="BOARD", help="a board of the list")
    made.add_argument("--array", default=EMULATOR, metavar="NAME", help=" or ".join(ARRAYS))
    made.add_argument("--small", action="store_true", help="a small array")
    made.add_argument("--rows", type=int, metavar="N", help="rows of the array")
    made.add_argument("--pairs", type=int, metavar="N", help="device pairs of a row")
    made.add_argument("--access-bits", type=int, metavar="N", help="bits an access applies")
    made.add_argument("--clock", type=float, metavar="MHZ", help="clock of the controller")
    made.add_argument(
        "--seed",
        type=int,
        metavar="K",
        help=f"of place and route (default: 1, and up to {TRIES} where the clock is just missed)",
    )
    made.add_argument("--out", type=Path, metavar="DIR", help="folder (default: build/BOARD)")
    made.add_argument("--force", action="store_true", help="build even if it is up to date")
    made.add_argument("--program", action="store_true", help="load it into the board afterwards")
    return made


def main(arguments: list[str] | None = None) -> int:
    """Exit code 0: the last line is the folder; 1: it was not built; 2: bad use."""
    options = parser().parse_args(arguments)
    began = time.monotonic()

    def say(line: str) -> None:
        print(f"{time.monotonic() - began:4.0f} s  {line}", flush=True)

    signal.signal(signal.SIGTERM, _interrupt)
    try:
        request = request_of(
            options.board,
            array=options.array,
            small=options.small,
            rows=options.rows,
            pairs=options.pairs,
            access_bits=options.access_bits,
            clock_mhz=options.clock,
            seed=options.seed,
        )
        out = (options.out or ROOT / "build" / request.name).absolute()
        manifest = build(request, out, say, force=options.force)
        if options.program:
            say("programming ...")
            program(request.board, out / product_of(manifest)["file"])
        print(out)
    except OhmcarloError as error:
        print(f"ohmcarlo_rtl.bitstream: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("ohmcarlo_rtl.bitstream: interrupted", file=sys.stderr)
        return 130
    return 0


def _interrupt(number: int, frame: FrameType | None) -> None:
    """A polite kill is cleaned up after as Ctrl-C is."""
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
