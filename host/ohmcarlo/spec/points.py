"""The data that a chain is conditioned on, as rows of the data memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import UsageError
from .formats import LABEL_QUADRATIC


@dataclass(frozen=True, eq=False)
class Points:
    """Rows of the data memory.

    Attributes
    ----------
    inputs : int8 (n, features)
        Features, including the bias column, LSB 2**-FEATURE_FRAC.
    labels : uint8 (n,)
        0 or 1: the term is log sigmoid(±z). 2: a *quadratic* point, whose term is -z²/2. Quadratic
        points represent a Gaussian prior in other coordinates than those of the sampled weights.
    offsets : int16 (n,)
        Added to the logit, LSB 2**-OFFSET_FRAC.
    """

    inputs: NDArray[np.int8]
    labels: NDArray[np.uint8]
    offsets: NDArray[np.int16]

    def __post_init__(self) -> None:
        n = len(self.labels)
        if self.inputs.ndim != 2 or len(self.inputs) != n or self.offsets.shape != (n,):
            raise UsageError(
                f"inputs {self.inputs.shape}, labels {self.labels.shape} and offsets "
                f"{self.offsets.shape} do not describe the same points"
            )
        for array, dtype in ((self.inputs, np.int8), (self.labels, np.uint8)):
            if array.dtype != dtype:
                raise UsageError(f"expected {np.dtype(dtype)}, got {array.dtype}")
        if self.offsets.dtype != np.int16:
            raise UsageError(f"expected int16 offsets, got {self.offsets.dtype}")
        if n and self.labels.max() > LABEL_QUADRATIC:
            raise UsageError("labels must be 0, 1 or 2 (quadratic)")

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def features(self) -> int:
        """Inputs per point, the bias included."""
        return self.inputs.shape[1]

    @classmethod
    def of(
        cls,
        inputs: NDArray[np.int8],
        labels: NDArray[np.uint8] | None = None,
        offsets: NDArray[np.int16] | None = None,
    ) -> Points:
        """Points; labels and offsets are zero by default (for prediction)."""
        n = len(inputs)
        return cls(
            np.ascontiguousarray(inputs, np.int8),
            np.zeros(n, np.uint8) if labels is None else np.ascontiguousarray(labels, np.uint8),
            np.zeros(n, np.int16) if offsets is None else np.ascontiguousarray(offsets, np.int16),
        )

    def part(self, which: slice | NDArray[Any]) -> Points:
        """The points of a slice, a mask or indices."""
        return Points(self.inputs[which], self.labels[which], self.offsets[which])

    def joined(self, other: Points) -> Points:
        """These points followed by ``other``."""
        return Points(
            np.concatenate([self.inputs, other.inputs]),
            np.concatenate([self.labels, other.labels]),
            np.concatenate([self.offsets, other.offsets]),
        )
