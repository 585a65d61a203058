"""The HTML page of a supervised run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...pages.charts_plane import plane
from ...pages.content import HtmlPage, Section
from ..sections.chains import Chains, chains_section
from ..sections.classes import confusion_section, probabilities_section, referral_of_two
from ..sections.commands import predicting
from ..sections.marks import caution, headline, mark, marked, sentence
from ..sections.page import numbers_section, shared_sections, title_of
from ..sections.weights import weights_section
from ..stored import read_trace
from ..summary import left_out
from ..trace import Trace
from ..verdict import Verdict, judge
from .experiment import labels_of, standardised_weights
from .predict import Predictor
from .rows import accuracy_row, model_name, result_rows, result_warnings

FloatArray = NDArray[np.float64]
GRID = 60  # places of each feature of a plane
MARGIN = 0.15  # of the range of the data, on every side


def supervised_page(path: Path, values: Mapping[str, Any]) -> HtmlPage:
    """The page of the complete run in ``path``, whose result has the ``values``."""
    predictor, trace = Predictor.of_run(path), read_trace(path)
    judgement, held_out = judge(values), predictor.evaluation
    verdict = judgement.verdict
    advice = f"Classify new cases with `{predicting(path)}`."
    weights = predictor.weights()
    sections = (
        numbers_section(result_rows(values), result_warnings(values), judgement),
        _probabilities(values, predictor, verdict),
        _confusion(predictor, verdict),
        referral_of_two(values, held_out, verdict),
        *_plane_section(predictor, verdict),
        weights_section(
            predictor.weight_names,
            weights,
            verdict,
            natural=natural_weights(predictor, weights),
            effect="" if values["hidden"] else "the logit",
        ),
        chains_section(chains_of(predictor, trace, left_out(values))),
        *shared_sections(path, values, held_out["wear"]),
    )
    return HtmlPage(
        title=title_of(values, model_name(values)),
        subtitle=str(path),
        headline=headline(judgement, (_answer(values),), advice),
        sections=sections,
    )


def _answer(values: Mapping[str, Any]) -> str:
    return sentence(": ".join(accuracy_row(values)))


def chains_of(predictor: Predictor, trace: Trace, burn_in: int) -> Chains:
    """The chains of a run, with the weights that its result was judged by."""
    labels = labels_of(predictor.registers, predictor.codes, predictor.counts)
    weights = standardised_weights(predictor.registers, predictor.encoder, trace.codes, labels)
    draws = weights.astype(np.float32)[trace.draws()[:, burn_in:]]
    return Chains(predictor.weight_names, draws, trace.log_posterior_nat(), burn_in, trace.every)


def _probabilities(values: Mapping[str, Any], predictor: Predictor, verdict: Verdict) -> Section:
    held_out, names = predictor.evaluation, predictor.class_names
    labels, probability = held_out["labels"], held_out["probability"]
    groups = {f"true class: {name}": probability[labels == c] for c, name in enumerate(names)}
    return probabilities_section(values, groups, labels == 1, probability, names[1], verdict)


def _confusion(predictor: Predictor, verdict: Verdict) -> Section:
    held_out = predictor.evaluation
    answers = (held_out["probability"] >= 0.5).astype(np.int64)
    counts = np.zeros((2, 2), np.int64)
    np.add.at(counts, (held_out["labels"].astype(np.int64), answers), 1)
    return confusion_section(counts, predictor.class_names, verdict)


def natural_weights(
    predictor: Predictor, weights: FloatArray
) -> tuple[list[str], FloatArray] | None:
    """Weights per unit of the data, the bias at features of zero; None for a network."""
    if predictor.registers.hidden:
        return None
    encoder = predictor.encoder
    slopes = weights[:, :-1] / encoder.scale
    bias = weights[:, -1:] - (slopes * encoder.mean).sum(axis=1, keepdims=True)
    names = [f"{name}, per unit" for name in predictor.weight_names[:-1]]
    return [*names, "bias, all features 0"], np.hstack([slopes, bias])


# -- the plane of two features -------------------------------------------------------------------


def _plane_section(predictor: Predictor, verdict: Verdict) -> Iterator[Section]:
    """Decision boundary and spread of a model of two features; nothing for other models."""
    inputs, labels = predictor.evaluation["inputs"], predictor.evaluation["labels"]
    if inputs.shape[1] != 2:
        return
    axes = _axes(inputs)
    places = np.stack([grid.ravel() for grid in np.meshgrid(*axes)], axis=1)
    probability, variance = (v.reshape(GRID, GRID) for v in predictor.predict(places))
    spread, label = np.sqrt(variance), mark(verdict)
    common: dict[str, Any] = {
        "names": tuple(predictor.feature_names),
        "points": {name: inputs[labels == c] for c, name in enumerate(predictor.class_names)},
        "line": crossings(axes, probability),
    }
    positive = predictor.class_names[1]
    yield Section(
        "plane",
        "Decision boundary and uncertainty",
        sentences=(
            *caution(verdict, "the boundary and the spread"),
            "The black line is the decision boundary: the mean probability is 0.5 there. The "
            "points are held-out cases.",
        ),
        charts=(
            plane(
                "plane-probability",
                marked(f"Probability of {positive}", label),
                f"The mean probability of {positive} ranges from {probability.min():.2f} to "
                f"{probability.max():.2f} over the range of the data.",
                axes,
                probability,
                axis=f"probability of {positive}",
                scheme="purpleorange",
                **common,
            ),
            plane(
                "plane-spread",
                marked("Posterior spread of the probability", label),
                f"The posterior samples disagree by this standard deviation, from "
                f"{spread.min():.3f} to {spread.max():.2f}. More data would reduce it.",
                axes,
                spread,
                axis="posterior spread",
                **common,
            ),
        ),
    )


def _axes(inputs: FloatArray) -> tuple[FloatArray, FloatArray]:
    low, high = inputs.min(axis=0), inputs.max(axis=0)
    room = MARGIN * (high - low)
    first, second = (np.linspace(low[i] - room[i], high[i] + room[i], GRID) for i in range(2))
    return first, second


def crossings(axes: tuple[FloatArray, FloatArray], p: FloatArray, level: float = 0.5) -> FloatArray:
    """Places (n, 2) at which values on a grid, [second, first], cross a level, by linear
    interpolation along the lines of the grid."""
    first, second = axes
    found = []
    j, i = np.nonzero((p[:, :-1] < level) != (p[:, 1:] < level))
    part = (level - p[j, i]) / (p[j, i + 1] - p[j, i])
    found.append(np.stack([first[i] + part * (first[i + 1] - first[i]), second[j]], axis=1))
    j, i = np.nonzero((p[:-1] < level) != (p[1:] < level))
    part = (level - p[j, i]) / (p[j + 1, i] - p[j, i])
    found.append(np.stack([first[i], second[j] + part * (second[j + 1] - second[j])], axis=1))
    return np.concatenate(found)
