"""The pictures of the figure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ...datasets import ecg
from ...pictures.canvas import new_figure
from ...pictures.style import BLUE, GREEN, GREY, ORANGE, PURPLE
from ..base import Cell
from .judging import FALSE_POSITIVE, REJECTED, SCORE_BINS
from .models import LOGISTIC, MLP, NETWORK, PLAIN, RIVAL, WIDE, WIDE_MLP

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Picture

CLASS_COLOURS = {"N": BLUE, "V": ORANGE, "S": GREEN, "F": PURPLE, "Q": GREY}
SHOWN = (  # model, colour, dashes
    (LOGISTIC, BLUE, "-"),
    (NETWORK, GREEN, "-"),
    (PLAIN, BLUE, ":"),
    (MLP, ORANGE, ":"),
)
SHORT = {
    LOGISTIC: "array, logistic",
    NETWORK: "array, H = 4",
    WIDE: "array, H = 7",
    PLAIN: "logistic regr.",
    MLP: "MLP, H = 4",
    WIDE_MLP: "MLP, H = 7",
    RIVAL: "MLP, penalised",
}


def main_picture(
    by_model: dict[str, list[Cell]], used: dict[str, str], strip: tuple[int, int, int]
) -> Picture:
    """A strip with its predictions, and the results of all seeds."""
    figure, first = new_figure()
    first.remove()
    figure.set_size_inches(13.5, 10.5)
    parts: dict[str, Any] = figure.subplot_mosaic(
        [["signal"] * 6, ["answer"] * 6, ["models"] * 2 + ["roc"] * 2 + ["right"] * 2,
         ["reject"] * 2 + ["doubt"] * 2 + ["rival"] * 2],
        height_ratios=[1.0, 0.75, 1.7, 1.7],
    )  # fmt: skip
    for ax in parts.values():
        ax.spines[["top", "right"]].set_visible(False)
    draw_strip(parts["signal"], parts["answer"], by_model[NETWORK][0], strip)
    draw_models(parts["models"], by_model)
    draw_roc(parts["roc"], by_model, used)
    draw_reliability(parts["right"], by_model, used)
    draw_rejection(parts["reject"], by_model, used)
    draw_doubt(parts["doubt"], by_model[NETWORK], NETWORK, used[NETWORK])
    draw_doubt(parts["rival"], by_model[RIVAL], RIVAL, used[RIVAL])
    top = max(parts["doubt"].get_ylim()[1], parts["rival"].get_ylim()[1])
    for name in ("doubt", "rival"):
        parts[name].set_ylim(0, top)
    return figure


def draw_strip(signal: Axes, answer: Axes, cell: Cell, strip: tuple[int, int, int]) -> None:
    """Lead 1 of some seconds of one patient, and P(V) with its spread under each beat."""
    record, first, last = strip
    recording, classes = ecg.read_record(record)
    inside = (recording.beats >= first) & (recording.beats < last)
    times, truths = (recording.beats[inside] - first) / ecg.RATE_HZ, classes[inside]
    lead = recording.signal[first:last, 0]
    signal.plot(np.arange(len(lead)) / ecg.RATE_HZ, lead, color="#303030", lw=0.8)
    low, high = float(lead.min()), float(lead.max())
    probability, spread = (np.array(cell["strip"][k]) for k in ("probability", "spread"))
    for time, truth, p, sd in zip(times, truths, probability, spread, strict=True):
        colour = CLASS_COLOURS[truth]
        signal.axvspan(time - 0.12, time + 0.18, color=colour, alpha=0.22, lw=0)
        signal.text(
            time + 0.03, high + 0.1 * (high - low), truth, color=colour, ha="center", weight="bold"
        )
        answer.errorbar(
            time, p, yerr=[[min(sd, p)], [min(sd, 1 - p)]], fmt="o", color=colour, ms=5, capsize=3
        )
    answer.axhline(0.5, color=GREY, lw=0.7, ls="--")
    for ax in (signal, answer):
        ax.set_xlim(0, (last - first) / ecg.RATE_HZ)
    signal.set_ylim(low - 0.05 * (high - low), high + 0.25 * (high - low))
    signal.set(ylabel="lead MLII (mV)", xticklabels=[])
    seen = "; ".join(
        f"{c} {ecg.CLASS_NAMES[c]}" + ("" if c in "NV" else " (never learnt)")
        for c in ecg.CLASSES
        if c in set(truths)
    )
    signal.set_title(f"An unseen patient (record {record}): {seen}")
    answer.set(xlabel="time (s)", ylabel="P(V) ± spread", ylim=(-0.06, 1.06))


def draw_models(ax: Axes, by_model: dict[str, list[Cell]]) -> None:
    """Balanced accuracy: one dot a seed, mean and standard deviation."""
    names = list(SHORT)
    rng = np.random.default_rng(0)
    for row, name in enumerate(names):
        values = 100 * np.array([c["balanced_accuracy"] for c in by_model[name]])
        colour = GREEN if name in (LOGISTIC, NETWORK, WIDE) else ORANGE
        jitter = row + rng.uniform(-0.18, 0.18, len(values))
        ax.plot(values, jitter, "o", color=colour, alpha=0.35, ms=4, mew=0)
        ax.errorbar(
            values.mean(), row, xerr=values.std(ddof=1), fmt="D", color="black", ms=5, capsize=4
        )
    ax.set_yticks(range(len(names)), [SHORT[n] for n in names])
    ax.invert_yaxis()
    ax.set(xlabel="balanced accuracy (%), one dot a seed")
    ax.set_title("V against N, 22 unseen patients")


def draw_roc(ax: Axes, by_model: dict[str, list[Cell]], used: dict[str, str]) -> None:
    """Mean ROC curve over the seeds, false positives on a logarithmic axis."""
    for name, colour, dashes in SHOWN:
        mean = _mean_curve(by_model[name], used[name], "true_positive")
        area = np.mean([c["auc"] for c in by_model[name]])
        ax.plot(
            FALSE_POSITIVE[1:],
            mean[1:],
            color=colour,
            ls=dashes,
            lw=1.8,
            label=f"{SHORT[name]} ({area:.4f})",
        )
    ax.set_xscale("log")
    ax.set(xlabel="N beats called V", ylabel="V beats found", xlim=(1e-3, 1), ylim=(0.6, 1.005))
    ax.set_title("ROC (area)")
    ax.legend(loc="lower right", fontsize=8, frameon=False)


def draw_reliability(ax: Axes, by_model: dict[str, list[Cell]], used: dict[str, str]) -> None:
    """Share of V over predicted probability, for the share of V that training patients have."""
    ax.plot([0, 1], [0, 1], color=GREY, lw=0.8, ls="--")
    for name, colour, dashes in SHOWN:
        n, p, v = np.sum([c["curves"][used[name]]["reliability"] for c in by_model[name]], axis=0)
        full = n >= 20 * len(by_model[name])
        ece = np.mean([c["ece_shifted"] for c in by_model[name]])
        ax.plot(
            p[full] / n[full],
            v[full] / n[full],
            "o" + dashes,
            color=colour,
            ms=4,
            label=f"{SHORT[name]} ({ece:.4f})",
        )
    ax.set(xlabel="predicted probability of V", ylabel="share that is V")
    ax.set_title("Reliability, prior of DS1 (ECE)")
    ax.legend(loc="lower right", fontsize=8, frameon=False)


def draw_rejection(ax: Axes, by_model: dict[str, list[Cell]], used: dict[str, str]) -> None:
    """Accuracy on the beats that are answered, over the share left to a person."""
    for name, colour, dashes in SHOWN:
        mean = _mean_curve(by_model[name], used[name], "accuracy_kept")
        ax.plot(100 * REJECTED, 100 * mean, color=colour, ls=dashes, lw=1.8, label=SHORT[name])
    ax.set(xlabel="N and V beats left to a person, most doubtful first (%)")
    ax.set(ylabel="accuracy on the rest (%)", xlim=(0, 20))
    ax.set_title("Accuracy after referral by uncertainty")
    ax.legend(loc="lower right", fontsize=8, frameon=False)


def draw_doubt(ax: Axes, cells: list[Cell], name: str, measure: str) -> None:
    """Doubt about each class, as a rank among the N and V beats: those are flat by definition."""
    edges = np.linspace(0, 100, SCORE_BINS + 1)
    for truth, colour in (("S", GREEN), ("F", PURPLE)):
        counts = np.sum([c["scores"][measure][truth] for c in cells], axis=0).astype(float)
        area = np.mean([c["unseen"][measure][truth] for c in cells])
        ax.stairs(
            counts / counts.sum() * SCORE_BINS,
            edges,
            color=colour,
            fill=True,
            alpha=0.45,
            label=f"{truth} {ecg.CLASS_NAMES[truth]}: AUROC {area:.3f}",
        )
    ax.axhline(1, color=BLUE, lw=1.5, label="N and V together")
    ax.set(xlabel=f"doubt ({measure}): rank among N and V (%)", ylabel="density")
    ax.set_title(f"Classes never learnt: {SHORT[name]}")
    ax.legend(loc="upper left", fontsize=8, frameon=False)


def confusions(five: list[Cell]) -> Picture:
    """Rows: true class; share of each answer, mean over the seeds."""
    figure, first = new_figure()
    first.remove()
    figure.set_size_inches(10.5, 4.8)
    axes: Any = figure.subplots(1, 2)
    titles = {"ours": "Five chains in the array", "multinomial": "Multinomial regression"}
    for ax, (key, title) in zip(axes, titles.items(), strict=True):
        matrices = np.array([c[key] for c in five], float)
        share = (matrices / matrices.sum(axis=2, keepdims=True)).mean(axis=0)
        image = ax.imshow(share, cmap="Blues", vmin=0, vmax=1)
        for i in range(len(ecg.CLASSES)):
            for j in range(len(ecg.CLASSES)):
                shade = "white" if share[i, j] > 0.6 else "black"
                ax.text(j, i, f"{100 * share[i, j]:.1f}", ha="center", va="center", color=shade)
        totals = matrices[0].sum(axis=1).astype(int)
        labels = [f"{c} ({n:,})" for c, n in zip(ecg.CLASSES, totals, strict=True)]
        ax.set_xticks(range(len(ecg.CLASSES)), ecg.CLASSES)
        ax.set_yticks(range(len(ecg.CLASSES)), labels)
        recall = np.mean(np.diag(share))
        ax.set(xlabel="answer", title=f"{title}: mean recall {100 * recall:.1f} %")
    axes[0].set_ylabel("true class (beats in DS2)")
    figure.colorbar(image, ax=axes, shrink=0.8).set_label("share of the true class")
    figure.suptitle("Five AAMI classes, one against the rest, 22 unseen patients (%)")
    return figure


def _mean_curve(cells: list[Cell], measure: str, key: str) -> Any:
    return np.mean([c["curves"][measure][key] for c in cells], axis=0)
