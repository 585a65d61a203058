"""Sizes of a controller: the constants of its identification."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

from ...spec import Geometry
from ...spec.register_map import features_of
from ...spec.room import FULL_ROOM, Room


@dataclass(frozen=True)
class Layout:
    """Sizes of a controller, named as in the group ``id`` of the register map.

    Attributes
    ----------
    rows, pairs, entropy_pairs, access_bits, tile_pairs, dot_bits, dot_shift : int
        As in ``Geometry``; ``tile_pairs`` is never 0.
    max_points, max_group_rows, max_regions : int
        Largest number of data points, of rows of a row group, and of chains.
    device_calibration, emulator, phy : bool
        Whether every device has a trim and a centre; whether the array is the emulator; whether it
        is a real one.
    digital, repeats : bool
        Whether the controller can compute dot products from codes, and average repeated reads.
    max_streamed_points : int
        Largest number of data points of a chain whose points beyond ``max_points`` are streamed; 0:
        the controller has no stream of points.
    """

    rows: int
    pairs: int
    entropy_pairs: int
    access_bits: int
    tile_pairs: int
    dot_bits: int
    dot_shift: int
    max_points: int
    max_group_rows: int
    max_regions: int
    device_calibration: bool
    emulator: bool
    phy: bool = False
    digital: bool = False
    repeats: bool = False
    max_streamed_points: int = 0

    @classmethod
    def of(cls, identification: Mapping[str, int]) -> Layout:
        """Made from the numbers of an OPENED frame, by name."""
        sizes = {n: identification[n] for n in cls.__dataclass_fields__ if n in identification}
        has = features_of(identification["features"])
        return cls(
            **sizes,
            device_calibration=has["device_calibration"],
            emulator=has["emulator"],
            phy=has["phy"],
            digital=has["digital"],
            repeats=has["repeats"],
        )

    @classmethod
    def simulated(cls, g: Geometry, room: Room) -> Layout:
        """Of a simulated board for arrays of this shape, before it is built."""
        return cls(
            rows=g.rows,
            pairs=g.pairs,
            entropy_pairs=g.entropy_pairs,
            access_bits=g.access_bits,
            tile_pairs=g.tile_pairs or g.pairs,
            dot_bits=g.dot_bits,
            dot_shift=g.dot_shift,
            **asdict(room),
            device_calibration=room == FULL_ROOM,
            emulator=True,
        )

    @property
    def geometry(self) -> Geometry:
        """The array, as one region of single rows."""
        return Geometry(
            rows=self.rows,
            pairs=self.pairs,
            entropy_pairs=self.entropy_pairs,
            access_bits=self.access_bits,
            tile_pairs=0 if self.tile_pairs == self.pairs else self.tile_pairs,
            dot_bits=self.dot_bits,
            dot_shift=self.dot_shift,
        )
