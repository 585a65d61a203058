"""The HTML page of a run of several classes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...pages.content import HtmlPage, Section, Table
from ...readable import count, first_few
from ..classes import ClassUncertainty
from ..sections.classes import ANSWER, confusion_section, probabilities_section, referral_section
from ..sections.commands import predicting, showing
from ..sections.marks import headline, sentence
from ..sections.page import numbers_section, shared_sections, title_of
from ..sections.weights import weights_section
from ..stored import read_evaluation
from ..supervised.page import natural_weights
from ..supervised.predict import Predictor
from ..supervised.rows import accuracy_row
from ..verdict import Judgement, Verdict, judge, judge_all
from .predict import folder_of
from .result import check_evaluation
from .rows import model_name, result_rows, result_warnings

Arrays = Mapping[str, NDArray[Any]]


def multiclass_page(path: Path, values: Mapping[str, Any]) -> HtmlPage:
    """The page of the complete run in ``path``, whose result has the ``values``."""
    held_out = read_evaluation(path, check_evaluation)
    judgement = judgement_of(values)
    verdict = judgement.verdict
    advice = f"Classify new cases with `{predicting(path)}`."
    counts = np.array(values["confusion"], np.int64)
    right = held_out["probability"].argmax(axis=1) == held_out["labels"]
    sections = (
        numbers_section(result_rows(values), result_warnings(values), judgement),
        confusion_section(counts, values["class_names"], verdict, (_per_class(values),)),
        _probabilities(values, held_out, right, verdict),
        _referral(held_out, right, verdict),
        _problems(path, values),
        *(_weights(path, number, problem) for number, problem in enumerate(values["problems"])),
        *shared_sections(path, values, None),
    )
    return HtmlPage(
        title=title_of(values, model_name(values)),
        subtitle=str(path),
        headline=headline(judgement, (sentence(": ".join(accuracy_row(values))),), advice),
        sections=sections,
    )


def judgement_of(values: Mapping[str, Any]) -> Judgement:
    """The verdict on all problems together."""
    return judge_all({f"class {problem['class']}": problem for problem in values["problems"]})


def _per_class(values: Mapping[str, Any]) -> Table:
    rows = tuple(
        (
            name,
            f"{found['support']:,}",
            f"{found['recall']:.1%}",
            f"{found['precision']:.1%}",
            f"{found['f1']:.3f}",
        )
        for name, found in values["per_class"].items()
    )
    return Table(
        ("class", "held-out cases", "cases found (recall)", "predictions right (precision)", "F1"),
        rows,
        "Held-out cases of every class.",
    )


def _probabilities(
    values: Mapping[str, Any], held_out: Arrays, right: NDArray[np.bool_], verdict: Verdict
) -> Section:
    answer = held_out["probability"].max(axis=1)
    groups = {"right predictions": answer[right], "wrong predictions": answer[~right]}
    return probabilities_section(values, groups, right, answer, ANSWER, verdict)


def _referral(held_out: Arrays, right: NDArray[np.bool_], verdict: Verdict) -> Section:
    parts = ClassUncertainty(held_out["total"], held_out["aleatoric"])
    named = {
        "by total uncertainty": parts.total,
        "by aleatoric part": parts.aleatoric,
        "by epistemic part": parts.epistemic,
    }
    orders = {name: np.argsort(part, kind="stable") for name, part in named.items()}
    kept = max(1, round(0.9 * len(right)))
    sure = right[orders["by total uncertainty"][:kept]]
    found = (
        f"If a person decides the {len(right) - kept} least certain of {len(right)} cases, "
        f"{sure.mean():.1%} of the other predictions are right, and {int((~sure).sum())} of "
        f"{count(int((~right).sum()), 'error')} remain."
    )
    return referral_section(right, orders, found, verdict)


def _problems(path: Path, values: Mapping[str, Any]) -> Section:
    """One row for each binary problem: its verdict, diagnostics and array."""
    rows = tuple(
        (
            problem["class"],
            " or ".join(problem["against"]),
            judge(problem).verdict.label,
            _number(problem["ess_min"], ",.0f"),
            _number(problem["rhat_max"], ".3f"),
            f"{problem['acceptance_rate']:.1%}",
            f"{problem['wear']['max']:,}",
            first_few(problem["retired_rows"]) or "none",
        )
        for problem in values["problems"]
    )
    header = ("class", "against", "verdict", "ESS of the worst weight", "split R-hat",
              "accepted", "most SET pulses", "rows out of service")  # fmt: skip
    first = path / values["problems"][0]["folder"]
    return Section(
        "problems",
        "Binary problems",
        sentences=(
            f"The run consists of {count(len(rows), 'binary problem')}, each with chains and an "
            "array of its own. The command below writes the page of the first one, with its "
            "chains, array and coin. Other numbers give the other pages.",
        ),
        tables=(Table(header, rows, "The binary problems, in their order."),),
        code=showing(first),
    )


def _number(value: float | None, form: str) -> str:
    return "unknown" if value is None else format(value, form)


def _weights(path: Path, number: int, problem: Mapping[str, Any]) -> Section:
    """The weights of one problem."""
    predictor = Predictor.of_run(path / folder_of(number))
    weights = predictor.weights()
    return weights_section(
        predictor.weight_names,
        weights,
        judge(problem).verdict,
        natural=natural_weights(predictor, weights),
        prefix=f"{folder_of(number)}-",
        title=f"Weights: {problem['class']} or not",
        folded=True,
    )
