"""Currents of arrays with line resistance by badcrossbar: the reference of ``array/wires.py``.

    pip install badcrossbar==1.1.0        (needs the headers of cairo, which it draws with)
    python tests/reference/wires.py

Writes tests/data/wires.json. The library solves Kirchhoff's equations of a passive crossbar: word
lines driven at column 0, bit lines held at ground behind the last row. Its word lines are the bit
lines of this project, and its bit lines the source lines. They are sensed at device 0 here, so that
the order of the devices is reversed. A selector that is off is an infinite resistance, and so is
the device of a line that floats.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

OUT = Path(__file__).parents[1] / "data" / "wires.json"
SHAPES = ((4, 4), (16, 8), (64, 32))
OHMS = (0.5, 2.0, 10.0)
SEED = 20
Floats = NDArray[np.float64]


def currents(g_us: Floats, ohm: float, volts: Floats) -> Floats:
    """Currents (µA) out of every source line; g (rows, devices), volts (devices, n) → (n, rows)."""
    import badcrossbar

    with np.errstate(divide="ignore"):
        resistances = 1e6 / g_us.T[::-1]
    found = badcrossbar.compute(
        volts[::-1], resistances, ohm, node_voltages=False, all_currents=False
    )
    return np.asarray(found.currents.output) * 1e6


def case(shape: tuple[int, int], ohm: float, rng: np.random.Generator) -> dict[str, Any]:
    """DOT and READ of one row of a 1T1R array, and the DOT of the same array without selectors."""
    rows, devices = shape
    g = rng.uniform(5, 250, shape).round(1)
    row = int(rng.integers(rows))
    each = np.eye(devices)
    selected = np.zeros(shape)
    selected[row] = g[row]
    read = []
    for device in range(devices):
        alone = np.zeros(shape)
        alone[row, device] = g[row, device]
        read.append(float(currents(alone, ohm, each[:, device : device + 1])[0, row]))
    return {
        "ohm": ohm,
        "row": row,
        "g_us": g.tolist(),
        "dot_us": currents(selected, ohm, each)[:, row].tolist(),
        "read_us": read,
        "passive_dot_us": currents(g, ohm, each)[:, row].tolist(),
    }


if __name__ == "__main__":
    rng = np.random.default_rng(SEED)
    cases = [case(shape, ohm, rng) for shape in SHAPES for ohm in OHMS]
    OUT.write_text(json.dumps({"badcrossbar": "1.1.0", "cases": cases}) + "\n")
