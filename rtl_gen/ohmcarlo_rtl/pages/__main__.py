"""``python -m ohmcarlo_rtl.pages``: renew the generated parts of the documentation."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from ohmcarlo.errors import OhmcarloError

from ..sources import REPOSITORY, require_checkout
from . import (
    buses,
    constraints,
    daughterboard,
    device_requirements,
    formats,
    integration,
    protocol,
    reference,
    resources,
    timing,
)
from .markers import renewed


def pages() -> dict[Path, str]:
    """File → its text, with all generated parts renewed."""
    made = {constraints.FOLDER / name: text for name, text in constraints.files().items()}
    for room in (
        buses,
        daughterboard,
        device_requirements,
        formats,
        integration,
        protocol,
        reference,
    ):
        made[room.PAGE] = renewed(room.PAGE.read_text(encoding="utf-8"), room.tables())
    made |= timing.files()
    results = resources.PAGE.read_text(encoding="utf-8")
    made[resources.PAGE] = resources.renewed(results, resources.read_results())
    return made


def main(arguments: list[str] | None = None) -> int:
    """Exit code 0: done, or no difference; 1: ``--check`` found a difference; 2: bad use."""
    parser = argparse.ArgumentParser(
        prog="python -m ohmcarlo_rtl.pages",
        description="Renew constraints/<board>/, the diagrams docs/pictures/timing/, and the "
        "generated tables of docs/device-requirements.md, docs/formats.md, "
        "docs/integration.md, docs/results.md, "
        "firmware/PROTOCOL.md, constraints/daughterboard.md, hdl/README.md and "
        "rtl_gen/reference/README.md.",
    )
    parser.add_argument("--check", action="store_true", help="compare, write nothing")
    options = parser.parse_args(arguments)
    try:
        require_checkout("the documentation")
        made = pages()
    except OhmcarloError as error:
        print(f"ohmcarlo_rtl.pages: {error}", file=sys.stderr)
        return error.exit_code
    different = [
        path for path, text in made.items() if not path.is_file() or path.read_text("utf-8") != text
    ]
    for path in different:
        if options.check:
            print(
                f"{path.relative_to(REPOSITORY)} differs from its sources: run "
                "`python -m ohmcarlo_rtl.pages`, and commit the changes",
                file=sys.stderr,
            )
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(made[path], encoding="utf-8", newline="\n")
    return int(bool(options.check and different))


if __name__ == "__main__":
    sys.exit(main())
