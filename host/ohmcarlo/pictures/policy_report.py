"""Pictures of a finished run that learnt a policy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..runs.policy import Policy
from ..runs.trace import Trace
from .policy import draw_action_map, draw_learning, draw_policy_weights, draw_returns
from .report import draw_log_posterior, draw_wear, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw_policy_figures(
    values: dict[str, Any], trace: Trace, evaluation: dict[str, NDArray[Any]]
) -> dict[str, Figure]:
    """Every picture of such a run, by name; ``evaluation`` as in ``PolicyResult.evaluation``."""
    burn_in = int(values["burn_in"])
    policy = Policy.of(*trace.after(burn_in))
    figures: dict[str, Figure] = {}
    figures["log-posterior"], ax = new_figure()
    draw_log_posterior(ax, trace.log_posterior_nat(), burn_in, values["rhat_max"])

    figures["learning"], ax = new_figure()
    means = evaluation["returns"].mean(axis=1)[trace.draws()]
    played = [evaluation["played"][trace.chain == c][: trace.steps] for c in range(trace.chains)]
    draw_learning(ax, played, list(means))
    ax.set_title("Return in training: mean of the episodes that every proposal is judged by")

    figures["weights"], ax = new_figure()
    draw_policy_weights(ax, [policy])
    ax.set_title("The policy's weights after burn-in (5 to 95 %)")

    figures["actions"], ax = new_figure()
    image = draw_action_map(ax, policy)
    ax.figure.colorbar(image, ax=ax).set_label("share of the samples that push to the right")
    ax.set_title("What it does (cart at rest in the middle)")

    figures["test"], ax = new_figure()
    tested = np.asarray(evaluation["tested"])
    draw_returns(ax, [tested], ["Gymnasium"])
    ax.set_title(f"Test: mean return {tested.mean():.1f} over {len(tested)} episodes")

    figures["wear"], ax = new_figure()
    draw_wear(ax, evaluation["wear"])
    return figures
