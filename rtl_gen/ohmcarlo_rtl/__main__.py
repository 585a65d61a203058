"""``python -m ohmcarlo_rtl``: write, compare or lint the generated outputs."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from ohmcarlo.errors import OhmcarloError

from .configs import CONFIGS, REFERENCE, config_of
from .controller.generate import PYTHON, files_of, first_difference, python_of, register_site, write
from .controller.lint import lint
from .controller.modules import MODULES, complete_text
from .registers.table import PLACE, table_differs, write_table
from .sources import require_checkout

ELSEWHERE = Path("build/rtl")
DESCRIPTION = """\
Generate files from the hardware description, one folder for each configuration: Verilog of the
controller, of the array emulator and of both together, memory images, C header, register page
and a manifest with the sha256 of each file. Equal sources give equal bytes."""
EPILOG = """\
examples:
  python -m ohmcarlo_rtl                      renew the committed outputs: rtl_gen/reference, and
                                              the register table in ohmcarlo.spec
  python -m ohmcarlo_rtl --check              compare them with the sources (1: different)
  python -m ohmcarlo_rtl --config all --out build/rtl
  python -m ohmcarlo_rtl --config all --lint  Verilator's lint, without writing anything"""


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="python -m ohmcarlo_rtl",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument(
        "--config",
        default=REFERENCE,
        metavar="NAME",
        help=f"one of {', '.join(CONFIGS)}, or all (default: {REFERENCE})",
    )
    made.add_argument(
        "--out",
        type=Path,
        metavar="DIR",
        help="folder in which NAME/ is written (default: rtl_gen for the reference "
        f"configuration, {ELSEWHERE} otherwise)",
    )
    made.add_argument(
        "--site",
        action="store_true",
        help="write PeakRDL's interactive register pages, too (NAME/site; never in rtl_gen)",
    )
    what = made.add_mutually_exclusive_group()
    what.add_argument(
        "--check",
        action="store_true",
        help="write nothing; compare with the files and name the first difference",
    )
    what.add_argument(
        "--lint", action="store_true", help="write nothing; run Verilator's lint on the Verilog"
    )
    return made


def main(arguments: list[str] | None = None) -> int:
    """Exit code 0: done, or no difference; 1: a difference, or lint; 2: bad use."""
    options = parser().parse_args(arguments)
    try:
        names = list(CONFIGS) if options.config == "all" else [options.config]
        return max([_one(name, options) for name in names])
    except OhmcarloError as error:
        print(f"ohmcarlo_rtl: {error}", file=sys.stderr)
        return error.exit_code


def _one(name: str, options: argparse.Namespace) -> int:
    config = config_of(name)
    if options.lint:
        return max(_lint(name, module) for module in MODULES)
    folder = (options.out or _default_folder(name)) / name
    files = files_of(name, config)
    committed = name == REFERENCE and options.out is None
    if options.check:
        if committed and table_differs():
            print(f"{PLACE}: run `python -m ohmcarlo_rtl`, and commit it", file=sys.stderr)
            return 1
        if difference := first_difference(files, folder):
            other = python_of(folder)
            advice = "run `python -m ohmcarlo_rtl`, and commit the changes"
            if other != PYTHON:
                advice = f"compare with Python {other}, on which the names of wires depend"
            print(f"{difference}: {advice}", file=sys.stderr)
            return 1
        print(f"{folder}: {len(files)} files match the sources")
        return 0
    write(files, folder)
    if committed:
        write_table()
    if options.site:
        register_site(config, (options.out or ELSEWHERE) / name / "site")
    print(f"{folder}: {len(files)} files")
    return 0


def _default_folder(name: str) -> Path:
    if name != REFERENCE:
        return ELSEWHERE
    return require_checkout("the folder of the committed outputs (without --out)") / "rtl_gen"


def _lint(name: str, module: str) -> int:
    found = lint(complete_text(module, config_of(name)), module)
    print(f"{name}, {module}: {found or 'clean'}", file=sys.stderr if found else sys.stdout)
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
