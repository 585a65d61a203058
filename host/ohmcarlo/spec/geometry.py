"""The shape of an array, and the quantities that follow from it."""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import UsageError
from .formats import ACC_MAX, COIN_BITS, SYMBOL_BITS

ACCESS_BITS = (1, 2, 4, 8)
MIN_ROWS, MAX_ROWS = 4, 65536
MIN_PAIRS, MAX_PAIRS = 2, 256
MIN_GROUPS = 4
"""Row groups of a chain: the current sample, a proposal, and two that can be retired."""


@dataclass(frozen=True)
class Geometry:
    """``rows`` × ``pairs`` × 2 devices; the last ``entropy_pairs`` of every row are the coin.

    Device ``d`` of a row is ``2 * pair`` for g⁺ and ``2 * pair + 1`` for g⁻. A sample occupies a
    *row group* of ``row_group`` consecutive rows: 1 for logistic regression, H + 1 for a network
    with H hidden units. ``regions`` equal ranges of rows hold one chain each.

    Examples
    --------
    >>> from ohmcarlo.spec import Geometry
    >>> geometry = Geometry(rows=256, pairs=32)
    >>> geometry.devices, geometry.max_features
    (16384, 28)
    """

    rows: int = 256
    pairs: int = 32
    entropy_pairs: int = 4
    row_group: int = 1
    regions: int = 1
    access_bits: int = 8
    tile_pairs: int = 0  # pairs that one access sums; 0: all of them
    dot_bits: int = 0  # resolution of the DOT converter; 0: full, nothing is rounded
    dot_shift: int = 0  # its LSB: 2**dot_shift units of one input LSB times one code

    def __post_init__(self) -> None:
        self.validate()

    @property
    def devices(self) -> int:
        """All devices of the array."""
        return self.rows * self.pairs * 2

    @property
    def row_devices(self) -> int:
        return self.pairs * 2

    @property
    def max_features(self) -> int:
        """Pairs of a row for inputs, including the bias."""
        return self.pairs - self.entropy_pairs

    @property
    def region_groups(self) -> int:
        """Row groups in one region."""
        return self.rows // self.regions // self.row_group

    @property
    def groups(self) -> int:
        return self.region_groups * self.regions

    def coin_rounds(self, fold: int = 1) -> int:
        """Rounds of programming the entropy devices of a row for one 24-bit coin, of whose symbols
        each is folded from ``fold`` devices."""
        return -(-fold * COIN_BITS // (2 * self.entropy_pairs * SYMBOL_BITS))

    @property
    def dot_limit(self) -> int:
        """Largest DOT reading, at which it saturates."""
        return (1 << (self.dot_bits - 1)) - 1 if self.dot_bits else ACC_MAX

    def group_row(self, group: int) -> int:
        """First row of a row group (groups are numbered region after region)."""
        region, index = divmod(group, self.region_groups)
        return region * (self.rows // self.regions) + index * self.row_group

    @property
    def device_bits(self) -> int:
        """Bits of a device's address within its row."""
        return 1 + (self.pairs - 1).bit_length()

    @property
    def point_words(self) -> int:
        """32-bit words of a point in the data memory, a power of two: offset and label in the
        first one, four inputs in each of the others."""
        return 1 << (-(-self.max_features // 4)).bit_length()

    def accesses_per_row(self, pairs_used: int) -> int:
        """Array accesses of one dot product: bit planes × column tiles."""
        tile = self.tile_pairs or self.pairs
        return (8 // self.access_bits) * -(-pairs_used // tile)

    def validate(self) -> None:
        """Raise UsageError, which names what to change."""
        if not MIN_ROWS <= self.rows <= MAX_ROWS:
            raise UsageError(f"rows = {self.rows}: an array needs {MIN_ROWS} to {MAX_ROWS} rows")
        if not MIN_PAIRS <= self.pairs <= MAX_PAIRS:
            features = MAX_PAIRS - self.entropy_pairs - 1
            most = f"; {MAX_PAIRS} hold at most --features {features}" if features > 0 else ""
            raise UsageError(
                f"pairs = {self.pairs}: a row needs {MIN_PAIRS} to {MAX_PAIRS} pairs{most}"
            )
        if not 1 <= self.entropy_pairs < self.pairs:
            raise UsageError(
                f"entropy_pairs = {self.entropy_pairs}: the coin needs at least one pair and must "
                f"leave at least one of the {self.pairs} pairs of a row to the model: choose 1 to "
                f"{self.pairs - 1}{self._more_pairs()}"
            )
        if self.access_bits not in ACCESS_BITS:
            raise UsageError(f"access_bits = {self.access_bits}: choose one of 1, 2, 4, 8")
        if not 1 <= self.row_group <= 64:
            raise UsageError(f"row_group = {self.row_group}: choose 1 to 64 rows per sample")
        if not 1 <= self.regions <= 64:
            raise UsageError(f"regions (chains) = {self.regions}: choose 1 to 64")
        if not 0 <= self.tile_pairs <= self.pairs:
            raise UsageError(f"tile_pairs = {self.tile_pairs}: choose 0 (no tiles) to {self.pairs}")
        if self.dot_bits and not (4 <= self.dot_bits <= 24 and 0 <= self.dot_shift <= 20):
            raise UsageError(
                f"dot_bits = {self.dot_bits}, dot_shift = {self.dot_shift}: choose 4 to 24 bits "
                "and a shift of 0 to 20, or dot_bits = 0 for full resolution"
            )
        if self.dot_shift and not self.dot_bits:
            raise UsageError("dot_shift needs dot_bits: give the converter a resolution")
        if self.region_groups < MIN_GROUPS:
            fewer = ", or fewer chains" if self.regions > 1 else ""
            raise UsageError(
                f"{self.rows} rows hold only {self.region_groups} row groups of {self.row_group} "
                f"in each of {self.regions} regions; a chain needs {MIN_GROUPS}: use --rows "
                f"{MIN_GROUPS * self.row_group * self.regions} or more{fewer}"
            )

    def _more_pairs(self) -> str:
        """An advice for a coin that needs more pairs than a row has."""
        needed = self.entropy_pairs + 1
        return f", or --pairs {needed} or more" if MIN_PAIRS <= needed <= MAX_PAIRS else ""

    def require_features(self, features: int, chosen: bool = True) -> None:
        """Raise UsageError if a model has too many inputs (including the bias) for a row.

        ``chosen``: the user can choose the number of features.
        """
        if features <= self.max_features:
            return
        ways, needed = [], features + self.entropy_pairs
        widest = MAX_PAIRS - self.entropy_pairs
        if chosen and self.max_features > 1:
            ways.append(f"--features {self.max_features - 1}")
        if needed <= MAX_PAIRS:
            ways.append(f"--pairs {needed} or more")
        elif chosen and widest > 1 and self.pairs < MAX_PAIRS:
            ways.append(f"at most --features {widest - 1} with --pairs {MAX_PAIRS}")
        here = "1 input" if self.max_features == 1 else f"{self.max_features} inputs"
        nowhere = f", and no array has room for more than {widest}" if features > widest else ""
        raise UsageError(
            f"{features} inputs (bias included) do not fit: a row has {self.pairs} pairs, "
            f"{self.entropy_pairs} of them for the coin, so at most {here}{nowhere}; use "
            f"{', or '.join(ways)}"
        )

    def require_hidden(self, hidden: int) -> None:
        """Raise UsageError if the second layer of a network has too many inputs for a row."""
        if hidden + 1 > self.max_features:
            most = self.max_features - 1
            fewer = f"--hidden {most} or less, or " if most else ""
            raise UsageError(
                f"{hidden} hidden units do not fit: a row has {self.pairs} pairs, "
                f"{self.entropy_pairs} of them for the coin, so at most {self.max_features} inputs "
                f"of the second layer (bias included); use {fewer}--pairs "
                f"{hidden + 1 + self.entropy_pairs} or more"
            )


REFERENCE = Geometry()
