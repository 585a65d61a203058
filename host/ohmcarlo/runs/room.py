"""Whether a model fits into the rows of an array, before anything is computed for it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..datasets.standard import moments, table_of
from ..spec import Geometry
from ..tasks import Task


def require_room(
    geometry: Geometry, x: NDArray[np.float64], features: int | None, hidden: int = 0
) -> None:
    """Raise UsageError, with advice, if the model of x (n, d) has too many inputs for a row.

    ``features``: how many of the columns that vary are kept, None: all.
    """
    geometry.require_hidden(hidden)
    most = x.shape[1] if features is None else min(features, x.shape[1])
    if most >= geometry.max_features:
        varying = np.count_nonzero(moments(table_of(x))[1])
        geometry.require_features(min(most, varying) + 1)


def require_room_for(task: Task, geometry: Geometry, features: int | None, hidden: int) -> None:
    """``require_room`` for the part that the task alone shows; it needs no data in memory."""
    geometry.require_hidden(hidden)
    if task.least_features is not None:
        least = task.least_features
        geometry.require_features((least if features is None else min(features, least)) + 1)
