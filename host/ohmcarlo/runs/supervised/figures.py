"""The pictures of a supervised run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ...pictures.canvas import drawn, new_figure, new_panels
from ...pictures.chains import MANY_WEIGHTS, draw_log_posterior, draw_wear, draw_weights
from ...pictures.predictions import draw_referral, draw_reliability
from ...pictures.surface import Surface
from ..summary import left_out
from ..trace import Trace
from ..verdict import Verdict, judge
from .predict import Predictor

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw_figures(
    values: Mapping[str, Any], trace: Trace, predictor: Predictor
) -> dict[str, Figure]:
    """Every picture of a run, by name; nothing is written."""
    burn_in = left_out(values)
    held_out = predictor.evaluation
    labels, probability = held_out["labels"], held_out["probability"]
    positive = predictor.class_names[1]
    verdict = judge(values).verdict
    caution = "" if verdict is Verdict.SETTLED else verdict.label
    drawings = {
        "log-posterior": lambda ax: draw_log_posterior(
            ax, trace.log_posterior_nat(), burn_in, values["rhat_max"], trace.every
        ),
        "weights": lambda ax: draw_weights(
            ax, predictor.weight_names, predictor.weights(), caution
        ),
        "reliability": lambda ax: draw_reliability(ax, labels, probability, positive),
        "referral": lambda ax: draw_referral(ax, labels, probability, held_out["variance"]),
        "wear": lambda ax: draw_wear(ax, held_out["wear"]),
    }
    tall = ["weights"] if len(predictor.weight_names) > MANY_WEIGHTS else []
    figures = drawn(drawings, tall)
    if held_out["inputs"].shape[1] == 2:
        figures |= draw_surface(predictor, held_out["inputs"], labels)
    return figures


def draw_surface(
    predictor: Predictor, inputs: NDArray[np.float64], labels: NDArray[np.integer[Any]]
) -> dict[str, Figure]:
    """Decision boundary and uncertainty of a model of two features over their plane."""
    surface = Surface.of(predictor, inputs)
    boundary, ax = new_figure()
    surface.draw_boundary(ax, inputs, labels)
    uncertainty, axes = new_panels(1, 3, (13.0, 4.4))
    surface.draw_uncertainty(axes[0], inputs, labels)
    return {"boundary": boundary, "uncertainty": uncertainty}
