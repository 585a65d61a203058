"""The pictures of a run of several classes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ...pictures.canvas import new_figure
from ...pictures.predictions import draw_confusion, draw_left_out, draw_reliability
from ..classes import ClassUncertainty

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MANY_CLASSES = 6  # more need a tall picture


def draw_figures(
    values: Mapping[str, Any], held_out: Mapping[str, NDArray[Any]]
) -> dict[str, Figure]:
    """Every picture of a run, by name; nothing is written."""
    probability, names = held_out["probability"], values["class_names"]
    right = (probability.argmax(axis=1) == held_out["labels"]).astype(np.int64)
    parts = ClassUncertainty(held_out["total"], held_out["aleatoric"])
    confusion, ax = new_figure(tall=len(names) > MANY_CLASSES)
    draw_confusion(ax, np.array(values["confusion"]), names)
    reliability, ax = new_figure()
    draw_reliability(ax, right, probability.max(axis=1), "the predicted class")
    ax.set(xlabel="probability of the predicted class", ylabel="share of right predictions")
    referral, ax = new_figure()
    draw_left_out(
        ax,
        right == 1,
        {
            "by total uncertainty": parts.total,
            "by aleatoric part": parts.aleatoric,
            "by epistemic part": parts.epistemic,
        },
    )
    return {"confusion": confusion, "reliability": reliability, "referral": referral}
