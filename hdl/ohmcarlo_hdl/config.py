"""Parameters that are fixed at elaboration; everything else is a register."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from amaranth.utils import bits_for

from ohmcarlo.errors import UsageError
from ohmcarlo.spec import CODE_BITS, Geometry
from ohmcarlo.spec.room import FULL_ROOM

from .array.phy.parts import PhyConfig

MAX_DATA_POINTS = 1 << 16
"""Data points of an evaluation; a step record has 17 bits for their number."""
ARRAYS = EMULATOR, PHY = "emulator", "phy"
"""Arrays of a board: a model beside the controller, or a real array on a daughterboard."""


@dataclass(frozen=True)
class CoreConfig:
    """The size of a controller.

    Attributes
    ----------
    geometry : Geometry
        Rows, pairs, entropy pairs, access bits, tiles and converter of the array. Its
        ``row_group`` and ``regions`` are registers of the hardware and have no effect here.
    max_points : int
        Data points that the data memory holds, a power of two.
    max_streamed_points : int
        Data points of an evaluation whose points beyond ``max_points`` come from a stream, a power
        of two; 0: no such stream.
    max_group_rows : int
        Rows of the largest row group, a power of two: 1 for logistic regression only,
        8 for up to 7 hidden units.
    max_regions : int
        Chains that share the array, a power of two.
    device_calibration : bool
        Whether every device has a trim and a centre of its own (28 bits of memory per device).
    digital_dots : bool
        Whether dot products can be computed from the codes read back (a memory of all codes, and
        an adder or multiplier per pair of a tile).
    repeats : bool
        Whether READs and accesses can be repeated and averaged.
    phy : PhyConfig, optional
        Interface to a real array on a daughterboard; None: the array is emulated.
    """

    bit_serial: ClassVar[bool] = False
    """Whether it is the controller of ``bit_serial/``."""

    geometry: Geometry = field(default_factory=Geometry)
    max_points: int = FULL_ROOM.max_points
    max_group_rows: int = FULL_ROOM.max_group_rows
    max_regions: int = FULL_ROOM.max_regions
    device_calibration: bool = True
    digital_dots: bool = False
    repeats: bool = False
    phy: PhyConfig | None = None
    max_streamed_points: int = 0

    def __post_init__(self) -> None:
        self.validate()

    def validate(self) -> None:
        """Raise UsageError if a value is outside its range."""
        for name, low, high in (
            ("max_points", 16, MAX_DATA_POINTS),
            ("max_group_rows", 1, 64),
            ("max_regions", 1, 64),
        ):
            value = getattr(self, name)
            if not low <= value <= high or value & (value - 1):
                raise UsageError(f"{name} = {value}: choose a power of two from {low} to {high}")
        self._validate_streamed()
        if self.max_group_rows > self.geometry.rows:
            raise UsageError(
                f"max_group_rows = {self.max_group_rows}: the array has {self.geometry.rows} rows"
            )

    def _validate_streamed(self) -> None:
        most, low = self.max_streamed_points, 2 * self.max_points
        if not most:
            return
        if low > MAX_DATA_POINTS:
            raise UsageError(
                f"max_streamed_points = {most}: a data memory of {self.max_points} points holds as "
                "many as an evaluation may have; choose 0, or a smaller max_points"
            )
        if not low <= most <= MAX_DATA_POINTS or most & (most - 1):
            raise UsageError(
                f"max_streamed_points = {most}: choose 0, or a power of two from {low} to "
                f"{MAX_DATA_POINTS} (max_points = {self.max_points})"
            )

    # -- the array -------------------------------------------------------------------------
    @property
    def array(self) -> str:
        """The array behind the controller: one of ``ARRAYS``."""
        return EMULATOR if self.phy is None else PHY

    @property
    def row_bits(self) -> int:
        return bits_for(self.geometry.rows - 1)

    @property
    def device_bits(self) -> int:
        """Bits of a device's address within its row: twice the pair, plus one for g⁻."""
        return self.geometry.device_bits

    @property
    def coin_devices(self) -> int:
        """Entropy devices of a row; the first of them is device ``2 * max_features``."""
        return 2 * self.geometry.entropy_pairs

    @property
    def max_features(self) -> int:
        """Inputs of a point, the bias among them."""
        return self.geometry.max_features

    # -- an access -------------------------------------------------------------------------
    @property
    def access_bits(self) -> int:
        return self.geometry.access_bits

    @property
    def planes(self) -> int:
        """Accesses that an 8-bit input takes."""
        return 8 // self.access_bits

    @property
    def tile_pairs(self) -> int:
        """Pairs that one access sums."""
        return self.geometry.tile_pairs or self.geometry.pairs

    @property
    def tiles(self) -> int:
        """Column tiles that hold inputs (the entropy pairs need no access of their own)."""
        return -(-self.max_features // self.tile_pairs)

    @property
    def tile_bits(self) -> int:
        return bits_for(self.tiles - 1)

    @property
    def dot_bits(self) -> int:
        """Signed width of a whole dot product: int8 × pair difference, summed over a row."""
        return 8 + (CODE_BITS + 1) + bits_for(self.geometry.pairs)

    @property
    def reading_bits(self) -> int:
        """Signed width of the result of an access; a READ returns a code in the same field."""
        if self.geometry.dot_bits:
            return max(self.geometry.dot_bits, CODE_BITS + 1)
        return self.access_bits + (CODE_BITS + 1) + bits_for(self.tile_pairs)

    # -- a model ---------------------------------------------------------------------------
    @property
    def point_bits(self) -> int:
        return bits_for(self.max_points - 1)

    @property
    def position_bits(self) -> int:
        """Bits of a position in an evaluation: ``point_bits``, or more if points are streamed."""
        return bits_for(max(self.max_points, self.max_streamed_points) - 1)

    @property
    def group_row_bits(self) -> int:
        return bits_for(self.max_group_rows - 1)

    @property
    def region_bits(self) -> int:
        return bits_for(self.max_regions - 1)

    @property
    def max_sample_pairs(self) -> int:
        """Upper bound of the device pairs of a sample."""
        return self.max_group_rows * (self.max_features + 1)

    @property
    def point_words(self) -> int:
        """32-bit words of one point in the data memory, a power of two: see core/likelihood.py."""
        return self.geometry.point_words


@dataclass(frozen=True)
class BitSerialConfig(CoreConfig):
    """Size of a ``bit_serial/`` controller: one chain of a logistic regression, uncalibrated."""

    bit_serial: ClassVar[bool] = True

    geometry: Geometry = field(
        default_factory=lambda: Geometry(rows=16, pairs=8, entropy_pairs=1, access_bits=1)
    )
    max_points: int = 64
    max_group_rows: int = 1
    max_regions: int = 1
    device_calibration: bool = False

    def validate(self) -> None:
        super().validate()
        if self.max_group_rows > 1 or self.max_regions > 1 or self.device_calibration:
            raise UsageError(
                "a bit-serial controller samples one logistic regression without calibration: set "
                "max_group_rows = 1, max_regions = 1 and device_calibration = False"
            )
        if self.phy is not None:
            raise UsageError(
                "a bit-serial controller has an emulated array: a real one needs a controller with "
                "a processor"
            )
        if self.max_streamed_points:
            raise UsageError(
                "a bit-serial controller has no stream of data points: set max_streamed_points = 0"
            )
        if self.digital_dots or self.repeats:
            raise UsageError(
                "a bit-serial controller has no digital dot products and no repeated reads: set "
                "digital_dots = False and repeats = False"
            )


REFERENCE = CoreConfig()

COMPACT = CoreConfig(
    Geometry(rows=64, pairs=16, access_bits=1),
    max_points=256,
    max_group_rows=1,
    max_regions=1,
    device_calibration=False,
)
"""Logistic regression on a smaller array: one chain, no device calibration."""
