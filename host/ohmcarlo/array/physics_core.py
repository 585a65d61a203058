"""Compiled operations of the physical array, with the normal draws as arguments.

``PhysicsArray`` draws with NumPy, the compiled chain with numba, which takes the same numbers from
the same generators. Both call the functions below, so that their results are bit-identical.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..jit import compiled
from ..spec import CODE_LSB_US, CODE_MAX
from .base import READ, RESET, SET, SET_CODES
from .device_preset import FloatArray

MEDIAN_GAIN, SIGMA_GAIN, HRS_GAIN = range(3)  # lines of ``Physics.age_gains``
SET_DRAWS = 3  # of a SET: slow part, new part, relaxation


class Physics(NamedTuple):
    """Constants and arrays of a ``PhysicsArray`` (shared, not copied)."""

    g_us: FloatArray  # (rows, row_devices) after the last pulse
    slow: FloatArray  # (rows, row_devices) slow part of the deviation, in standard deviations
    relax: FloatArray  # (rows, row_devices) relaxation, in standard deviations
    time_s: FloatArray  # (rows, row_devices) clock at the last pulse
    clock_s: FloatArray  # (1,)
    outside: NDArray[np.bool_]  # (1,) whether a SET was outside ``valid_dac``
    moves: NDArray[np.bool_]  # (rows, row_devices) not stuck
    d2d: FloatArray  # (rows, row_devices) offset of the median, in standard deviations
    sigma_device: FloatArray  # (rows, row_devices) factor of the c2c spread
    medians: FloatArray  # (row_devices or 1, DAC codes) µS
    age_nodes: FloatArray  # (k,) log10(cycles)
    age_gains: FloatArray  # (3, k) of median, c2c spread and high-resistance state
    counts: NDArray[np.int64]  # the ledger's
    wear: NDArray[np.int32]
    cycles: float  # of every device before the first pulse
    fresh: float  # cycles up to which a device does not age
    slow_weight: float
    new_weight: float
    phi: float
    phi_new: float
    d2d_rel: float
    d2d_max_us: float
    sigma_floor_us: float
    sigma_rel: float
    sigma_intercept_us: float
    sigma_slope: float
    hrs_us: float
    hrs_spread: float
    hrs_max_us: float
    relax_us: float  # per decade
    relax_onset_s: float
    drift_rel: float  # per decade
    drifts: int  # 0: the state does not change after a pulse
    read_rel: float
    read_power: float  # square of it
    reset_s: float
    set_read_s: float
    read_s: float
    line_s: float  # resistance of a line per cell in 1/µS
    line_ohm: float
    line_tile: int  # devices of a row that an access drives
    valid_lo: int  # DAC codes that the sources cover
    valid_hi: int
    access_bits: int
    tile_pairs: int  # 0: all
    dot_shift: int
    dot_limit: int


@compiled
def interpolated(x: float, nodes: Any, values: Any) -> float:
    """``np.interp``."""
    last = len(nodes) - 1
    if x <= nodes[0]:
        return values[0]
    if x >= nodes[last]:
        return values[last]
    j = 0
    while nodes[j + 1] <= x:
        j += 1
    slope = (values[j + 1] - values[j]) / (nodes[j + 1] - nodes[j])
    return slope * (x - nodes[j]) + values[j]


@compiled
def set_us(e: Physics, row: int, device: int, dac: int, slow: float, new: float) -> float:
    """Conductance (µS) after a SET pulse on a device that is not stuck."""
    line = device if e.medians.shape[0] > 1 else 0
    median = e.medians[line, dac]
    median += e.d2d[row, device] * min(e.d2d_rel * median, e.d2d_max_us)
    cycles = e.cycles + e.wear[row, device]
    median_gain = sigma_gain = 1.0
    if cycles > e.fresh:
        decade = math.log10(max(cycles, 1.0))
        median_gain = interpolated(decade, e.age_nodes, e.age_gains[MEDIAN_GAIN])
        sigma_gain = interpolated(decade, e.age_nodes, e.age_gains[SIGMA_GAIN])
    median = max(median * median_gain, 0.0)
    line_us = e.sigma_intercept_us - e.sigma_slope * median
    law_us = max(e.sigma_floor_us, min(e.sigma_rel * median, line_us))
    sigma = law_us * (sigma_gain * e.sigma_device[row, device])
    return max(median + sigma * (e.slow_weight * slow + e.new_weight * new), 0.0)


@compiled
def read_code(e: Physics, row: int, device: int, g_us: float, noise: Any, i: int) -> int:
    """Code of a READ: the lines, the noise of this read, the converter."""
    if e.line_s:
        g_us = g_us / (1 + g_us * (e.line_s * (row + device + 2)))
    if e.read_rel:
        g_us = g_us * (1 + e.read_rel * noise[i])
    return int(min(max(np.rint(g_us / CODE_LSB_US), 0.0), float(CODE_MAX)))


@compiled
def physics_reset(e: Physics, row: int, normals: Any, visible: bool) -> None:
    """RESET a row with one normal draw for each device.

    ``visible``: the state is kept. False if another RESET follows before anything can see it.
    """
    g, moves, wear, relax, time = e.g_us, e.moves, e.wear, e.relax, e.time_s
    width = g.shape[1]
    e.clock_s[0] += e.reset_s
    now = e.clock_s[0]
    for device in range(width):
        relax[row, device] = 0.0
        time[row, device] = now
        if visible and moves[row, device]:
            cycles = e.cycles + wear[row, device]
            gain = 1.0
            if cycles > e.fresh:
                decade = math.log10(max(cycles, 1.0))
                gain = interpolated(decade, e.age_nodes, e.age_gains[HRS_GAIN])
            high = e.hrs_us * gain * math.exp(e.hrs_spread * normals[device])
            g[row, device] = min(high, e.hrs_max_us * gain)
    e.counts[RESET] += width


@compiled
def physics_program(
    e: Physics, row: int, devices: Any, dac: Any, normals: Any, noise: Any, out: Any
) -> None:
    """SET and READ ``devices`` of a row in order; codes into ``out``.

    ``normals`` has SET_DRAWS × n draws; ``noise`` n draws, or none without read noise.
    """
    g, slow, relax, time, wear, moves = e.g_us, e.slow, e.relax, e.time_s, e.wear, e.moves
    n = len(devices)
    e.clock_s[0] += n * e.set_read_s
    now = e.clock_s[0]
    total = 0
    for i in range(n):
        device, level = np.int64(devices[i]), np.int64(dac[i])
        if level < e.valid_lo or level > e.valid_hi:
            e.outside[0] = True
        part = e.phi * slow[row, device] + e.phi_new * normals[i]
        slow[row, device] = part
        relax[row, device] = 0.0
        if moves[row, device]:
            g[row, device] = set_us(e, row, device, level, part, normals[n + i])
            relax[row, device] = normals[2 * n + i]
        time[row, device] = now
        code = read_code(e, row, device, g[row, device], noise, i)
        out[i] = code
        wear[row, device] += 1
        total += code
    e.counts[SET] += n
    e.counts[READ] += n
    e.counts[SET_CODES] += total


@compiled
def physics_cycle(
    e: Physics, row: int, devices: Any, dac: Any, normals: Any, noise: Any, out: Any
) -> None:
    """RESET ``row``, SET and READ ``devices``, for each line of ``dac`` (pulses, n).

    ``normals`` (pulses, row_devices + SET_DRAWS × n); ``noise`` (pulses, n or 0).
    """
    width, pulses = e.g_us.shape[1], dac.shape[0]
    for k in range(pulses):
        physics_reset(e, row, normals[k, :width], k == pulses - 1)
        physics_program(e, row, devices, dac[k], normals[k, width:], noise[k], out[k])


@compiled
def physics_row(e: Physics, row: int, out: Any) -> None:
    """Conductance (µS) of a row at present, without read noise, into ``out`` (row_devices,)."""
    g, relax, time, moves = e.g_us, e.relax, e.time_s, e.moves
    clock = e.clock_s[0]
    elapsed, decades = -1.0, 0.0
    for device in range(g.shape[1]):
        here = g[row, device]
        if e.drifts:
            since = clock - time[row, device]
            if since != elapsed:  # the devices of a pulse train have one time
                elapsed = since
                decades = math.log10(1 + elapsed / e.relax_onset_s)
            change = relax[row, device] * e.relax_us
            if moves[row, device]:
                change -= e.drift_rel * here
            here = max(here + change * decades, 0.0)
        out[device] = here


@compiled
def physics_read(e: Physics, row: int, devices: Any, row_us: Any, noise: Any, out: Any) -> None:
    """READ ``devices`` of a row; ``row_us`` (row_devices,) is a buffer."""
    n = len(devices)
    e.clock_s[0] += n * e.read_s
    e.counts[READ] += n
    physics_row(e, row, row_us)
    for i in range(n):
        device = np.int64(devices[i])
        out[i] = read_code(e, row, device, row_us[device], noise, i)
