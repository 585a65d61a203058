"""``python -m ohmcarlo_rtl.firmware``: build the board's firmware and report its memory use."""

from __future__ import annotations

import argparse
import hashlib
import sys
from pathlib import Path

from ohmcarlo.errors import OhmcarloError
from ohmcarlo_hdl.soc import memory_map

from ..configs import CONFIGS, REFERENCE, config_of
from .headers import headers
from .image import link_image


def main(arguments: list[str] | None = None) -> int:
    """Exit code 0: done; 1: it does not compile; 2: bad use."""
    parser = argparse.ArgumentParser(
        prog="python -m ohmcarlo_rtl.firmware", description="Build the board's firmware."
    )
    parser.add_argument(
        "--config",
        default=REFERENCE,
        metavar="NAME",
        help=f"one of {', '.join(CONFIGS)} (default: {REFERENCE})",
    )
    parser.add_argument("--out", type=Path, metavar="FILE", help="write the image here")
    parser.add_argument("--elf", type=Path, metavar="FILE", help="write the ELF file here")
    parser.add_argument(
        "--headers", type=Path, metavar="DIR", help="write the generated headers here"
    )
    options = parser.parse_args(arguments)
    try:
        config = config_of(options.config)
        built = link_image(config)
    except OhmcarloError as error:
        print(f"ohmcarlo_rtl.firmware: {error}", file=sys.stderr)
        return error.exit_code
    if options.out:
        options.out.write_bytes(built.image)
    if options.elf:
        options.elf.write_bytes(built.elf)
    if options.headers:
        options.headers.mkdir(parents=True, exist_ok=True)
        for name, text in headers(config).items():
            (options.headers / name).write_text(text, encoding="utf-8", newline="\n")
    print(
        f"text {built.text}, data {built.data}, zeroed {built.bss}, stack left "
        f"{built.stack_left} bytes of {memory_map.RAM_BYTES}; sha256 "
        f"{hashlib.sha256(built.image).hexdigest()[:16]}"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
