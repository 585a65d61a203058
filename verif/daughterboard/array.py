"""The physical array of the board model; its read noise does not depend on the number of reads."""

from __future__ import annotations

import hashlib
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ohmcarlo.array.base import IntArray
from ohmcarlo.array.physics import PhysicsArray
from ohmcarlo.spec import CODE_LSB_US, CODE_MAX

_NORMAL = NormalDist()


class KeyedArray(PhysicsArray):
    """A ``PhysicsArray`` that golden model and hardware may read in different orders.

    The hardware makes accesses that the golden model does not count (those under way when a
    proposal is rejected) and omits those after an early stop. The golden model evaluates all points
    at once. The class therefore differs from ``PhysicsArray`` in three points; medians, spreads,
    correlation, high-resistance states, relaxation, ageing and stuck devices are the same:

    * the noise of a read is a hash of the seed, the row, the number of the row's last programming
      pulse, and the driven lines with their levels. A repeated access without programming in
      between has the same noise;
    * time advances with programming pulses only;
    * ``program`` programs device by device, with the random numbers of single SETs.
    """

    name = "keyed"

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._programmed = np.zeros(self.geometry.rows, np.int64)
        self._row = 0
        self._what: Any = b""

    def _noise(self, what: bytes) -> float:
        key = b"%d,%d,%d," % (self.seed, self._row, self._programmed[self._row])
        word = hashlib.blake2b(key + what, digest_size=8).digest()
        return _NORMAL.inv_cdf((int.from_bytes(word, "little") + 0.5) / 2.0**64)

    # -- interface of the golden controller ------------------------------------------------------

    def reset(self, row: int) -> None:
        self._programmed[row] += 1
        super().reset(row)

    def program(self, row: int, devices: IntArray, dac: IntArray) -> IntArray:
        codes = [self.program_one(row, int(d), int(v)) for d, v in zip(devices, dac, strict=True)]
        return np.array(codes, np.int32)

    def read(self, row: int, devices: IntArray) -> IntArray:
        codes = [self.sense(row, int(d)) for d in devices]
        return np.clip(np.array(codes, np.int32), 0, CODE_MAX)

    def dot(self, row: int, inputs: NDArray[np.int8]) -> NDArray[np.int32]:
        """Access by access, so that no sum depends on the other accesses."""
        self._row = row
        geometry, (points, pairs) = self.geometry, inputs.shape
        weights, power = self._pairs(row, pairs)
        planes = 8 // geometry.access_bits
        total = np.zeros(points, np.int64)
        tile = geometry.tile_pairs or pairs
        for start in range(0, pairs, tile):
            columns = slice(start, min(start + tile, pairs))
            for plane in range(planes):
                shift = plane * geometry.access_bits
                levels = inputs[:, columns] >> shift
                if plane < planes - 1:
                    levels = levels & np.int8((1 << geometry.access_bits) - 1)
                drive = levels.astype(np.float64)
                total += self._access(drive, weights[columns], power[columns]) << shift
        return total.astype(np.int32)

    # -- interface of the hardware ---------------------------------------------------------------

    def program_one(self, row: int, device: int, dac: int) -> int:
        """SET one device; return the code that a READ gives from now on."""
        self._programmed[row] += 1
        self._row, self._what = row, b"read %d" % device
        found = super().program(row, np.array([device], np.int32), np.array([dac], np.int32))
        return int(found[0])

    def sense(self, row: int, device: int) -> int:
        """READ one device with a converter of unlimited range."""
        self._row = row
        self.ledger.note_read(1)
        devices = np.array([device], np.int32)
        seen = self.conductance_us(row)[devices]
        if self.wires is not None:
            seen = self.wires.read_us(seen, row, devices)
        return self._rounded(float(seen[0]), b"read %d" % device)

    def access(self, row: int, tile: int, drive: NDArray[np.int64]) -> int:
        """One DOT with a drive of 0, 1 or -1 and a converter of unlimited range, in LSBs of
        2**dot_shift codes."""
        self._row = row
        width = self.geometry.tile_pairs or self.geometry.pairs
        columns = slice(tile * width, min((tile + 1) * width, self.geometry.pairs))
        weights, power = (each[columns] for each in self._pairs(row, self.geometry.pairs))
        lines = drive[: len(weights)].astype(np.float64)
        step = 1 << self.geometry.dot_shift
        return int(np.floor(self._sum(lines, weights, power) / step + 0.5))

    # -- the model -------------------------------------------------------------------------------

    def _read_noise(self, shape: int | tuple[int, ...]) -> NDArray[np.float64]:
        """Of the READ of one device after its SET."""
        assert shape == 1
        return np.array([self._noise(self._what) if self._read_rel else 0.0])

    def _pairs(self, row: int, pairs: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Weight and noise power of each pair in a DOT over ``pairs`` pairs, in codes: (pairs,)."""
        g_us = self.conductance_us(row)
        if self.wires is not None:
            g_us = self.wires.dot_us(g_us, row) * self.line_gains(pairs)
        g = g_us[: 2 * pairs] / CODE_LSB_US
        plus, minus = g[0::2], g[1::2]
        return plus - minus, (plus**2 + minus**2) * self._read_rel**2

    def _rounded(self, g_us: float, what: bytes) -> int:
        if self._read_rel:
            g_us *= 1 + self._read_rel * self._noise(what)
        return int(np.rint(g_us / CODE_LSB_US))

    def _sum(
        self, lines: NDArray[np.float64], weights: NDArray[np.float64], power: NDArray[np.float64]
    ) -> float:
        """Result of one access in codes, with its noise."""
        value = float(np.dot(lines, weights))
        if self._read_rel:
            # the conductances distinguish the columns
            noise = self._noise(lines.astype(np.int8).tobytes() + weights.tobytes())
            value += noise * float(np.sqrt(np.dot(lines * lines, power)))
        return value

    def _access(
        self, drive: NDArray[np.float64], weights: NDArray[np.float64], power: NDArray[np.float64]
    ) -> NDArray[np.int64]:
        """Results of one access for each point, with the limits of the converter."""
        geometry = self.geometry
        step = 1 << geometry.dot_shift
        values = np.array([self._sum(lines, weights, power) for lines in drive])
        readings = np.floor(values / step + 0.5)
        np.clip(readings, -geometry.dot_limit - 1, geometry.dot_limit, out=readings)
        return readings.astype(np.int64) * step
