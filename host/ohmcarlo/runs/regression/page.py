"""The HTML page of a regression run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...diagnostics import Z_95, wilson_interval
from ...pages.charts import scatter
from ...pages.content import Chart, HtmlPage, Section, Table
from ...pages.layers import Axis, Layers
from ..sections.chains import Chains, chains_section
from ..sections.commands import predicting
from ..sections.marks import caution, headline, mark, marked
from ..sections.page import numbers_section, shared_sections, title_of
from ..sections.weights import weights_section
from ..stored import read_trace
from ..summary import left_out
from ..supervised.predict import prediction_registers
from ..trace import Trace
from ..verdict import Verdict, judge
from .posterior import sampled_weights
from .predict import RegressionPredictor
from .rows import model_name, result_rows, result_warnings

FloatArray = NDArray[np.float64]
MOST_CASES = 800  # of a chart
DENSITY = 160  # places of a curve
RANGE = (0.0005, 0.9995)  # of the noise's posterior that is drawn
EFFECT = "the label"


def regression_page(path: Path, values: Mapping[str, Any]) -> HtmlPage:
    """The page of the complete run in ``path``, whose result has the ``values``."""
    predictor, trace = RegressionPredictor.of_run(path), read_trace(path)
    judgement, found = judge(values), predictor.evaluation
    verdict = judgement.verdict
    posterior = predictor.posterior
    weights = posterior.settled_weights() * posterior.encoder.label_scale
    sections = (
        numbers_section(result_rows(values), result_warnings(values), judgement),
        _predictions(values, found, verdict),
        _coverage(values, verdict),
        _noise(values, predictor, verdict),
        weights_section(
            predictor.weight_names,
            weights,
            verdict,
            natural=_natural(predictor, weights),
            effect=EFFECT,
        ),
        _chains(values, predictor, trace),
        *shared_sections(path, values, found["wear"]),
    )
    return HtmlPage(
        title=title_of(values, model_name(values)),
        subtitle=str(path),
        headline=headline(
            judgement,
            _answer(values),
            f"Predict new cases with `{predicting(path)}`.",
        ),
        sections=sections,
    )


def _answer(values: Mapping[str, Any]) -> tuple[str, ...]:
    ridge, noise = values["baseline"]["bayesian_ridge"], values["noise"]["median"]
    return (
        f"On {values['test_points']:,} held-out cases, the root-mean-square error of the "
        f"predictions is {values['rmse']:.4g} (scikit-learn's BayesianRidge: {ridge['rmse']:.4g}). "
        f"The model explains {values['r2']:.0%} of the variance. The standard deviation of the "
        f"remaining noise is {noise:.4g}.",
        f"{values['coverage']['95']:.1%} of the labels lie in their 95 % intervals.",
    )


# -- predictions ---------------------------------------------------------------------------------


def _predictions(
    values: Mapping[str, Any], found: Mapping[str, FloatArray], verdict: Verdict
) -> Section:
    """Predictions with their intervals over the true labels, and the residuals."""
    cases = len(found["labels"])
    some = np.unique(np.linspace(0, cases - 1, min(cases, MOST_CASES)).astype(int))
    truth, mean, low, high = (
        np.asarray(found[name], float) for name in ("labels", "prediction", "low", "high")
    )
    inside = (low <= truth) & (truth <= high)
    groups, ends = {}, {}
    for label, all_of in (
        ("label inside its interval", inside),
        ("label outside its interval", ~inside),
    ):
        if (chosen := some[all_of[some]]).size:
            groups[label] = truth[chosen], mean[chosen]
            ends[label] = low[chosen], high[chosen]
    shown = "" if len(some) == cases else f" The chart shows {len(some)} of {cases:,} cases."
    label = mark(verdict, weights=True)
    return Section(
        "predictions",
        "Predictions of held-out cases",
        sentences=caution(verdict, "the intervals", weights=True),
        charts=(
            scatter(
                "predictions-over-labels",
                marked("Predictions with 95 % intervals over the true labels", label),
                f"The interval contains the label in {inside.mean():.1%} of the cases. Cases on "
                f"the dashed line are predicted exactly.{shown}",
                groups,
                x_axis="true label",
                y_axis="prediction",
                ends=ends,
                diagonal=True,
            ),
            _residuals(truth, mean, some, float(values["noise"]["median"])),
        ),
    )


def _residuals(truth: FloatArray, mean: FloatArray, some: NDArray[np.intp], noise: float) -> Chart:
    """Residuals of all cases, (n,) each; the chart shows those with the indices ``some``."""
    residual = truth - mean
    within = float((np.abs(residual) <= noise).mean())
    layers = Layers(Axis("prediction"), Axis("label - prediction"), ("residual",))
    layers.limit(y=-noise)
    layers.limit(y=noise)
    layers.points("residual", mean[some], residual[some])
    quartiles = np.quantile(residual, (0.05, 0.25, 0.5, 0.75, 0.95))
    header = ("5 %", "25 %", "median", "75 %", "95 %")
    return layers.chart(
        "residuals",
        "Residuals over the predictions",
        f"{within:.0%} of the residuals lie within the noise of the model, ± {noise:.4g} (dashed); "
        "68 % are expected for normal noise. Their spread should not depend on the prediction.",
        Table(header, (tuple(f"{v:.4g}" for v in quartiles),), "Quantiles of the residuals"),
    )


def _coverage(values: Mapping[str, Any], verdict: Verdict) -> Section:
    """Share of the held-out labels in intervals of several probabilities."""
    ours, ridge = values["coverage"], values["baseline"]["bayesian_ridge"]["coverage"]
    wanted = np.array([float(name) for name in ours])
    names = ("this run", "BayesianRidge")
    layers = Layers(Axis("probability of the interval (%)"), Axis("labels inside (%)"), names)
    layers.equal(float(wanted.min()), 100.0)
    rows = []
    for name, shares, shift in ((names[0], ours, -0.5), (names[1], ridge, 0.5)):
        share = np.array([float(shares[key]) for key in ours])
        ends = np.array([wilson_interval(s, values["test_points"], Z_95) for s in share])
        bounds = 100 * ends[:, 0], 100 * ends[:, 1]
        layers.points(name, wanted + shift, 100 * share, bounds)
        rows.append((name, *(f"{s:.1%}" for s in share)))
    return Section(
        "coverage",
        "Coverage of the intervals",
        sentences=(
            *caution(verdict, "the intervals", weights=True),
            "A 95 % interval should contain the label in 95 % of the cases.",
        ),
        charts=(
            layers.chart(
                "interval-coverage",
                "Labels inside their intervals, over the probability of the intervals",
                "; ".join(
                    f"{share:.1%} of the labels lie in their {key} % intervals"
                    for key, share in ours.items()
                )
                + ". Bars are 95 % intervals of these shares; the dashed line marks exact "
                "coverage.",
                Table(("", *(f"{key} %" for key in ours)), tuple(rows)),
            ),
        ),
    )


def _noise(values: Mapping[str, Any], predictor: RegressionPredictor, verdict: Verdict) -> Section:
    """The posterior of the noise's standard deviation, in units of the label."""
    from scipy.stats import invgamma

    found, scale = predictor.posterior.noise_posterior, predictor.posterior.encoder.label_scale
    low, high = found.quantiles(np.array(RANGE))
    s = np.linspace(low, high, DENSITY)
    density = 2 * s * invgamma.pdf(s**2, found.shape, scale=found.scale) / scale
    noise = values["noise"]
    layers = Layers(
        Axis("standard deviation of the noise"), Axis("density", zero=True), ("posterior",)
    )
    layers.band("posterior", scale * s, np.zeros(DENSITY), density)
    layers.curve("posterior", scale * s, density)
    for value in (*noise["interval_95"], noise["median"]):
        layers.limit(x=value)
    ends = noise["interval_95"]
    return Section(
        "noise",
        "Noise of the label",
        sentences=(
            *caution(verdict, "the noise", weights=True),
            "The noise is the part of the label that the features do not explain. The array "
            f"samples the weights at an assumed noise of {noise['assumed']:.4g}. The host then "
            "draws a noise for each sample from its posterior, and rescales the sample to this "
            "noise.",
        ),
        charts=(
            layers.chart(
                "noise-posterior",
                "Posterior of the noise",
                f"The median is {noise['median']:.4g}, the 95 % interval {ends[0]:.4g} to "
                f"{ends[1]:.4g} (dashed lines), in units of the label.",
                Table(
                    ("median", "2.5 %", "97.5 %", "assumed"),
                    (tuple(f"{v:.4g}" for v in (noise["median"], *ends, noise["assumed"])),),
                ),
            ),
        ),
    )


# -- weights and chains --------------------------------------------------------------------------


def _natural(predictor: RegressionPredictor, weights: FloatArray) -> tuple[list[str], FloatArray]:
    """Weights per unit of the data: change of the label for one unit of a column, and the label at
    features of zero."""
    encoder = predictor.posterior.encoder
    slopes = weights[:, :-1] / encoder.scale
    bias = encoder.label_mean + weights[:, -1:] - (slopes @ encoder.mean)[:, None]
    names = [f"{name}, per unit" for name in predictor.weight_names[:-1]]
    return [*names, "label, all features 0"], np.hstack([slopes, bias])


def _chains(values: Mapping[str, Any], predictor: RegressionPredictor, trace: Trace) -> Section:
    """The chains with the samples of the array, before they are rescaled to a drawn noise."""
    burn_in, posterior = left_out(values), predictor.posterior
    registers = prediction_registers({**values, "hidden": 0})
    sampled = sampled_weights(registers, posterior.encoder, trace.codes).astype(np.float32)
    draws = sampled[trace.draws()[:, burn_in:]]
    found = chains_section(
        Chains(predictor.weight_names, draws, trace.log_posterior_nat(), burn_in, trace.every)
    )
    note = (
        "If the assumed noise is larger than the estimated noise, the verdict counts fewer "
        "effective samples than this section."
    )
    return replace(found, sentences=(*found.sentences, note))
