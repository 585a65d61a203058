"""The pictures of a run that learnt a policy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ...golden.policy import Policy
from ...pictures.canvas import new_figure
from ...pictures.chains import draw_log_posterior, draw_wear
from ...pictures.policy import draw_action_map, draw_learning, draw_policy_weights, draw_returns
from ..summary import left_out
from ..trace import Trace
from ..verdict import judge

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw_policy_figures(
    values: Mapping[str, Any], trace: Trace, evaluation: Mapping[str, NDArray[Any]]
) -> dict[str, Figure]:
    """Every picture of a run, by name; ``evaluation`` as in ``PolicyResult.evaluation``."""
    burn_in = left_out(values)
    policy = Policy.of(*trace.after(burn_in))
    figures: dict[str, Figure] = {}
    figures["log-posterior"], ax = new_figure()
    draw_log_posterior(ax, trace.log_posterior_nat(), burn_in, values["rhat_max"], trace.every)

    figures["learning"], ax = new_figure()
    means = evaluation["returns"].mean(axis=1)[trace.draws()]
    played = [evaluation["played"][trace.chain == c][: trace.steps] for c in range(trace.chains)]
    draw_learning(ax, played, list(means))
    ax.set_title("Return in training: mean of the episodes that every proposal is judged by")

    figures["weights"], ax = new_figure()
    draw_policy_weights(ax, [policy])
    verdict = judge(values).verdict
    caution = "" if verdict.usable else f"; {verdict.label}"
    ax.set_title(f"The policy's weights after burn-in (5 to 95 %{caution})")

    figures["actions"], ax = new_figure()
    image = draw_action_map(ax, policy)
    ax.figure.colorbar(image, ax=ax).set_label("share of the samples that push to the right")
    ax.set_title("Actions of the policy (cart at rest in the middle)")

    figures["test"], ax = new_figure()
    tested = np.asarray(evaluation["tested"])
    draw_returns(ax, [tested], ["Gymnasium"])
    ax.set_title(f"Test: mean return {tested.mean():.1f} over {len(tested)} episodes")

    figures["wear"], ax = new_figure()
    draw_wear(ax, evaluation["wear"])
    return figures
