"""The table and the warnings of a run of several classes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ...datasets.several_classes import STICK_BREAKING
from ...readable import count
from ..rows import Rows, array, closing_rows, data, method, out_of_service
from ..supervised.rows import accuracy_row, probabilities_row
from ..verdict import SEVERITY, Verdict


def model_name(v: Mapping[str, Any]) -> str:
    """The model, in a few words."""
    return f"Bayesian logistic regression of {len(v['class_names'])} classes, {v['multi_class']}"


def result_rows(v: Mapping[str, Any]) -> Rows:
    """The result of a run, the most important line first."""
    baseline = v["baseline"]
    return [
        accuracy_row(v),
        (
            "for comparison",
            f"scikit-learn's multinomial logistic regression {baseline['accuracy']:.1%}, log loss "
            f"{baseline['log_loss']:.3f} nat, calibration error {baseline['ece']:.3f}",
        ),
        probabilities_row(v),
        *(
            (f"class {name}", _class_row(number, found, v))
            for number, (name, found) in enumerate(v["per_class"].items())
        ),
        (
            "uncertainty",
            f"{v['aleatoric_mean']:.3f} nat aleatoric, {v['epistemic_mean']:.3f} nat epistemic "
            f"(means, {v['draws']:,} joint draws)",
        ),
        *data(v),
        ("method", _method(v)),
        ("chains", _chains(v["problems"])),
        ("weights, uncertainties", _mixing(v)),
        ("array", f"{count(len(v['problems']), 'array')}, each {array(v)}"),
        (
            "wear",
            f"{v['wear']['mean']:,.1f} SET pulses per device on average, {v['wear']['max']:,} at "
            "most",
        ),
        *closing_rows(v),
    ]


def _class_row(number: int, found: Mapping[str, Any], v: Mapping[str, Any]) -> str:
    """Figures of a class, and the class that it is taken for most often."""
    text = (
        f"{found['recall']:.1%} of {found['support']} found, {found['precision']:.1%} of its "
        f"predictions right, F1 {found['f1']:.3f}"
    )
    wrong = [n if c != number else 0 for c, n in enumerate(v["confusion"][number])]
    if not any(wrong):
        return text
    most = max(range(len(wrong)), key=wrong.__getitem__)
    return f"{text}; {wrong[most]} predicted as {v['class_names'][most]}"


def _method(v: Mapping[str, Any]) -> str:
    names = [problem["class"] for problem in v["problems"]]
    if v["multi_class"] == STICK_BREAKING:
        (last,) = v["problems"][-1]["against"]
        how = f"stick-breaking in the order {', '.join([*names, last])}"
    else:
        how = "one class against the rest, probabilities normalised"
    return f"{count(len(names), 'binary problem')}: {how}; {method(v)}{_coordinates(v)}"


def _coordinates(v: Mapping[str, Any]) -> str:
    """Where the coordinates of the chains come from."""
    if not v["whiten"]:
        return ""
    if not v.get("adapt"):
        return ", whitened: the computer fits the modes"
    steps = [problem["adaptation"]["steps"] for problem in v["problems"]]
    least, most = min(steps), max(steps)
    taken = f"{least}" if least == most else f"{least} to {most}"
    return f"; the arrays found their coordinates themselves, in {taken} steps"


def _chains(problems: Sequence[Mapping[str, Any]]) -> str:
    rates = [problem["acceptance_rate"] for problem in problems]
    first = problems[0]
    return (
        f"{len(problems)} × {first['chains']} × {count(first['steps'], 'step')}, "
        f"{min(rates):.1%} to {max(rates):.1%} accepted"
    )


def _mixing(v: Mapping[str, Any]) -> str:
    """The verdict, and the problem with the fewest effective samples."""
    label = Verdict(v["verdict"]).label
    known = [p for p in v["problems"] if p["ess_min"] is not None and p["rhat_max"] is not None]
    if not known:
        return f"{label}: too few steps to tell"
    worst = min(known, key=lambda p: p["ess_min"])
    graver = max(v["problems"], key=lambda p: SEVERITY.index(Verdict(p["verdict"])))
    where = "" if label == Verdict.SETTLED.label else f" (class {graver['class']})"
    return (
        f"{label}{where}: {worst['ess_min']:,.0f} effective samples for the worst weight of the "
        f"worst problem (class {worst['class']}), split R-hat at most "
        f"{max(p['rhat_max'] for p in known):.3f}"
    )


def result_warnings(v: Mapping[str, Any]) -> list[str]:
    """Warnings about conclusions that the result does not support, with a remedy each."""
    stopped = [
        f"class {problem['class']}: {text}"
        for problem in v["problems"]
        for text in out_of_service(problem)
    ]
    return [*v["verdict_reasons"], *stopped]
