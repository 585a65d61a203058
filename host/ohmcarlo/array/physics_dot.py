"""Compiled dot products of the physical array: lines, accesses, noise and converter.

Sums over pairs run in the order of the pairs, for several points at once. They are therefore the
same on every computer and in both ways of running a chain.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from ..jit import compiled
from ..spec import CODE_LSB_US
from .device_preset import FloatArray
from .physics_core import Physics, physics_row
from .wires import SIEMENS, along_line

INPUT_BITS = 8
BLOCK = 1024  # points whose sums stay in the first cache


class DotBuffers(NamedTuple):
    """Buffers of ``physics_dot`` for n points."""

    noise: FloatArray  # (accesses, n) normal draws, or (accesses, 0) without read noise
    value: FloatArray  # (n,) sum of an access
    variance: FloatArray  # (n,) of its noise
    row_us: FloatArray  # (row_devices,)
    load: FloatArray  # (1, row_devices)
    reached: FloatArray  # (1, row_devices)
    weights: FloatArray  # (row_devices / 2,)
    power: FloatArray  # (row_devices / 2,)


def dot_buffers(e: Physics, points: int, accesses: int) -> DotBuffers:
    """Buffers for dot products of ``points`` points with so many accesses each."""
    devices = e.g_us.shape[1]
    return DotBuffers(
        noise=np.empty((accesses, points if e.read_rel else 0)),
        value=np.empty(points),
        variance=np.empty(points),
        row_us=np.empty(devices),
        load=np.empty((1, devices)),
        reached=np.empty((1, devices)),
        weights=np.empty(devices // 2),
        power=np.empty(devices // 2),
    )


@compiled
def lines_of_dot(e: Physics, row: int, gains: Any, b: DotBuffers) -> None:
    """Turn conductances in ``b.row_us`` into currents per volt at the drivers of a DOT, µS."""
    row_us, load, reached = b.row_us, b.load, b.reached
    devices = len(row_us)
    for device in range(devices):
        g = row_us[device]
        row_us[device] = g / (1 + g * (e.line_s * (row + 1)))
    tile = e.line_tile if e.line_tile else devices
    for start in range(0, devices, tile):
        stop = min(start + tile, devices)
        for device in range(devices):
            inside = start <= device < stop
            load[0, device] = row_us[device] * SIEMENS if inside else 0.0
        along_line(load, e.line_ohm, reached)
        for device in range(start, stop):
            row_us[device] = row_us[device] * reached[0, device] * gains[device]


@compiled
def add_input(
    inputs: Any, shift: int, mask: int, weight: float, power: float, value: Any, variance: Any
) -> None:
    """Add x w to ``value`` and x² p to ``variance`` for the bits x of one input, (n,)."""
    for i in range(len(value)):
        x = float((np.int32(inputs[i]) >> shift) & mask)
        value[i] += x * weight
        variance[i] += x * x * power


@compiled
def sums_of_access(
    inputs: Any, first: int, last: int, shift: int, mask: int, b: DotBuffers
) -> None:  # fmt: skip
    """Σ x w and Σ x² p over pairs ``first`` to ``last``, of every point."""
    b.value[:] = 0.0
    b.variance[:] = 0.0
    points = len(b.value)
    for start in range(0, points, BLOCK):
        stop = min(start + BLOCK, points)
        value, variance = b.value[start:stop], b.variance[start:stop]
        for j in range(first, last):
            line = inputs[j, start:stop]
            add_input(line, shift, mask, b.weights[j], b.power[j], value, variance)


@compiled
def convert_access(e: Physics, shift: int, noise: Any, b: DotBuffers, out: Any) -> None:
    """Add noise to the sums of an access, convert them, and add them to ``out``."""
    value, variance = b.value, b.variance
    step = 1 << e.dot_shift
    low, high = float(-e.dot_limit - 1), float(e.dot_limit)
    noisy = len(noise) > 0
    for i in range(len(out)):
        seen = value[i]
        if noisy:
            seen += noise[i] * math.sqrt(variance[i])
        reading = min(max(math.floor(seen / step + 0.5), low), high)
        out[i] += (np.int64(reading) * step) << shift


@compiled
def physics_dot(
    e: Physics, row: int, inputs: Any, pairs: int, gains: Any, b: DotBuffers, out: Any
) -> None:
    """Dot products of a row over ``pairs`` pairs, into ``out`` int32 (n,).

    ``inputs`` int8 (k, n): inputs of the first k pairs; those of the other pairs are 0.
    """
    physics_row(e, row, b.row_us)
    if e.line_s:
        lines_of_dot(e, row, gains, b)
    for j in range(inputs.shape[0]):
        plus, minus = b.row_us[2 * j] / CODE_LSB_US, b.row_us[2 * j + 1] / CODE_LSB_US
        b.weights[j] = plus - minus
        b.power[j] = (plus * plus + minus * minus) * e.read_power
    out[:] = 0
    planes = INPUT_BITS // e.access_bits
    access = 0
    for first in range(0, pairs, e.tile_pairs if e.tile_pairs else pairs):
        last = min(first + (e.tile_pairs if e.tile_pairs else pairs), inputs.shape[0])
        for plane in range(planes):
            shift = plane * e.access_bits
            mask = -1 if plane == planes - 1 else (1 << e.access_bits) - 1
            noise = b.noise[access]
            sums_of_access(inputs, first, last, shift, mask, b)
            convert_access(e, shift, noise, b, out)
            access += 1
    e.clock_s[0] += len(out) * access * e.read_s
