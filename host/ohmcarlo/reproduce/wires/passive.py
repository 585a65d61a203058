"""Currents of a passive array: no selectors, every device conducts.

All bit lines are driven at row 0, and the source lines of all rows are held at the virtual ground
of an amplifier at device 0. If lines floated, currents through unselected devices would reach the
row that is read. So they only load the lines.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...array.wires import SIEMENS

Floats = NDArray[np.float64]


def dot_us(g_us: Floats, ohm: float, rows: NDArray[np.int64]) -> Floats:
    """Current into the amplifier of each of ``rows`` per volt at each bit line, µS.

    g_us (N, devices) → (len(rows), devices). By reciprocity it is the current into the grounded
    bit lines while the source line of the row is at 1 V.
    """
    from scipy.sparse.linalg import splu

    n, devices = g_us.shape
    cells = n * devices
    known = np.zeros((2 * cells, len(rows)))
    known[cells + rows * devices, np.arange(len(rows))] = 1 / ohm
    volts = splu(conductances(g_us, ohm)).solve(known)
    return np.asarray(volts[:devices].T / ohm / SIEMENS)  # row 0 of the bit lines


def conductances(g_us: Floats, ohm: float) -> Any:
    """The nodal matrix (S): bit line nodes (N, devices) first, then source line nodes."""
    from scipy.sparse import csc_matrix

    n, devices = g_us.shape
    bit = np.arange(n * devices).reshape(n, devices)
    source = bit + n * devices
    pairs = [
        (bit, source, g_us * SIEMENS),
        (bit[1:], bit[:-1], np.full((n - 1, devices), 1 / ohm)),
        (source[:, 1:], source[:, :-1], np.full((n, devices - 1), 1 / ohm)),
    ]
    a = np.concatenate([one.ravel() for one, _, _ in pairs])
    b = np.concatenate([other.ravel() for _, other, _ in pairs])
    g = np.concatenate([between.ravel() for _, _, between in pairs])
    ends = np.concatenate([bit[0], source[:, 0]])  # to a driver, to an amplifier
    rows = np.concatenate([a, b, a, b, ends])
    columns = np.concatenate([b, a, a, b, ends])
    values = np.concatenate([-g, -g, g, g, np.full(len(ends), 1 / ohm)])
    return csc_matrix((values, (rows, columns)), shape=(2 * bit.size, 2 * bit.size))
