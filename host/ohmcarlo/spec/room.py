"""What fits into a controller besides its array; it is fixed when the controller is built."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Room:
    """Sizes of a controller, without those of its array.

    Attributes
    ----------
    max_points : int
        Data points that the data memory holds.
    max_group_rows, max_regions : int
        Rows of the largest row group, and chains that can share the array.
    """

    max_points: int
    max_group_rows: int
    max_regions: int


FULL_ROOM = Room(max_points=1024, max_group_rows=8, max_regions=4)
"""Of the reference controller, and of every simulated board with a processor."""
BIT_SERIAL_ROOM = Room(max_points=512, max_group_rows=1, max_regions=1)
"""Of the bit-serial controller with the reference array, and of every simulated small board."""
