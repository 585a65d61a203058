"""Checks of arrays from a checkpoint, before compiled code works with them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import UsageError

COUNT_MAX = 1 << 62
"""Above every count of a run; sums of two do not overflow."""


def check_array(
    state: Mapping[str, NDArray[Any]],
    name: str,
    like: NDArray[Any],
    low: float = -np.inf,
    high: float = np.inf,
) -> None:
    """Raise UsageError unless ``state[name]`` has type and shape of ``like``, and values from
    ``low`` to ``high``."""
    if name not in state:
        raise UsageError(f"the checkpoint has no {name}")
    value = state[name]
    if value.dtype != like.dtype or value.shape != like.shape:
        raise UsageError(
            f"the checkpoint's {name} has type {value.dtype} and shape {value.shape}, this "
            f"machine needs {like.dtype} and {like.shape}"
        )
    if not value.size or value.dtype == np.bool_:
        return
    least, greatest = value.min(), value.max()
    # nan fails every comparison
    if not (least >= low and greatest <= high and np.isfinite(least) and np.isfinite(greatest)):
        raise UsageError(
            f"the checkpoint's {name} has values from {least} to {greatest}, possible are "
            f"{low:g} to {high:g}"
        )
