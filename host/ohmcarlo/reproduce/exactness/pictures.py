"""The picture of the comparison with NUTS."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ...pictures.canvas import new_figure
from ...pictures.style import BLUE, GREEN, ORANGE
from .problems import PROBLEMS

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Picture

COLOURS = (BLUE, GREEN, ORANGE)


def draw(results: Mapping[tuple[str, str], Mapping[str, Any]]) -> Picture:
    """Shifts of the means and ratios of the spreads, a row a problem, a colour an array.

    A filled dot is a run that is called settled, an open one a run that is not.
    """
    figure, first = new_figure()
    first.remove()
    problems = list(dict.fromkeys(problem for problem, _ in results))
    arrays = list(dict.fromkeys(array for _, array in results))
    figure.set_size_inches(11.0, 1.2 + 0.55 * len(problems))
    left, right = figure.subplots(1, 2, sharey=True)
    for place, array in enumerate(arrays):
        colour = COLOURS[place % len(COLOURS)]
        for row, problem in enumerate(problems):
            if (problem, array) not in results:
                continue
            values = results[problem, array]
            at = row + 0.2 * (place - (len(arrays) - 1) / 2)
            face = colour if values["settled"] else "white"
            label = array if row == 0 else None
            style: dict[str, Any] = {"mec": colour, "mfc": face, "ls": "none", "label": label}
            left.errorbar(
                values["shift_max"], at, xerr=values["floor"], fmt="o", ecolor=colour, **style
            )
            right.plot(values["spread"], at, "o", **style)
    left.axvspan(0, 0.05, color="#eeeeee", zorder=0)
    right.axvspan(0.95, 1.05, color="#eeeeee", zorder=0)
    left.set(xlabel="shift of the worst mean (posterior sd)")
    left.set_xlim(left=0)
    left.set_yticks(range(len(problems)), [PROBLEMS[name].title for name in problems])
    left.set_ylim(len(problems) - 0.5, -0.5)
    right.set(xlabel="ratio of the worst spread")
    left.set_title("Means: bars are Monte Carlo errors, grey is the goal")
    right.set_title("Spreads: open dots are not called settled")
    handles, labels = left.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3, frameon=False)
    return figure
