"""The pictures of a regression run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ...pictures.canvas import drawn
from ...pictures.chains import MANY_WEIGHTS, draw_log_posterior, draw_wear, draw_weights
from ...pictures.numbers import draw_predictions, draw_residuals
from ..summary import left_out
from ..trace import Trace
from ..verdict import Verdict, judge
from .predict import RegressionPredictor

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw_figures(
    values: Mapping[str, Any], trace: Trace, predictor: RegressionPredictor
) -> dict[str, Figure]:
    """Every picture of a run, by name; nothing is written."""
    found, verdict = predictor.evaluation, judge(values).verdict
    caution = "" if verdict is Verdict.SETTLED else verdict.label
    weights = predictor.posterior.settled_weights()
    truth, mean, noise = found["labels"], found["prediction"], values["noise"]["median"]
    drawings = {
        "predictions": lambda ax: draw_predictions(ax, truth, mean, found["low"], found["high"]),
        "residuals": lambda ax: draw_residuals(ax, mean, truth - mean, noise),
        "weights": lambda ax: draw_weights(ax, predictor.weight_names, weights, caution),
        "log-posterior": lambda ax: draw_log_posterior(
            ax, trace.log_posterior_nat(), left_out(values), values["rhat_max"], trace.every
        ),
        "wear": lambda ax: draw_wear(ax, found["wear"]),
    }
    tall = ["weights"] if len(predictor.weight_names) > MANY_WEIGHTS else []
    return drawn(drawings, tall)
