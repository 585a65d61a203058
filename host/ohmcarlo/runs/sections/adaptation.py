"""The stages in which an array found its coordinates, or the size of its steps."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ...pages.charts import curve
from ...pages.content import Chart, Section, Table
from ...readable import count, si
from ..adaptation.record import NO_WIDTH

DRAWN = {
    "log_posterior": ("Log-posterior, stage by stage", "mean log-posterior (nat)"),
    "acceptance": ("Accepted proposals, stage by stage", "acceptance"),
    "width": (
        "Width of the posterior in the adapted coordinates, stage by stage (1 is ideal)",
        "width",
    ),
}
WIDTH = "The width is the root mean square of a weight in the coordinates that the stage leads to."
PILOT = ", which chose the size of the steps"


def adaptation_section(
    adaptation: Mapping[str, Any] | None, whole_joules: float | None = None
) -> Section | None:
    """From ``adaptation`` of a result, or ``adaptation.Record.to_dict()`` of a running one.

    ``whole_joules``: energy of the whole run. None without stages.
    """
    stages = (adaptation or {}).get("stages")
    if adaptation is None or not stages:
        return None
    first, last = stages[0], stages[-1]
    fitted = any(s["width"] != NO_WIDTH for s in stages)
    length = 6 if fitted else 5
    table = Table(
        ("stage", "steps", "rho", "acceptance", "log-posterior (nat)", "width")[:length],
        tuple(
            (
                str(number),
                f"{s['steps']:,}",
                f"{s['rho']:g}",
                f"{s['acceptance']:.1%}",
                f"{s['log_posterior']:.2f}",
                f"{s['width']:.3f}",
            )[:length]
            for number, s in enumerate(stages, 1)
        ),
        "Stages before the sampling chain. The log-posterior is a mean over the samples in use."
        + (f" {WIDTH}" if fitted else ""),
        folded=f"Numbers of {count(len(stages), 'stage')}",
    )
    return Section(
        "adaptation",
        "Adaptation",
        sentences=(
            f"Each chain took {adaptation['steps']:,} steps of adaptation before sampling, in "
            f"{count(len(stages), 'stage')}{'' if fitted else PILOT}. The mean log-posterior "
            f"changed from {first['log_posterior']:.1f} to {last['log_posterior']:.1f} nat.",
            *(
                (
                    f"The width of the posterior in the adapted coordinates changed from "
                    f"{first['width']:.2f} to {last['width']:.2f} (1 is ideal).",
                )
                if fitted
                else ()
            ),
        ),
        facts=_facts(adaptation, whole_joules),
        charts=tuple(_charts(stages, [name for name in DRAWN if fitted or name != "width"])),
        tables=(table,),
    )


def _charts(stages: Sequence[Mapping[str, Any]], names: Sequence[str]) -> Iterator[Chart]:
    number = list(range(1, len(stages) + 1))
    for name in names:
        title, axis = DRAWN[name]
        values = [stage[name] for stage in stages]
        yield curve(
            f"adaptation-{name.replace('_', '-')}",
            title,
            f"The value changes from {values[0]:.3g} in the first stage to {values[-1]:.3g} in "
            "the last.",
            number,
            {axis: values},
            x_axis="stage",
            y_axis=axis,
            points=True,
            zero=name == "acceptance",
        )


def _facts(adaptation: Mapping[str, Any], whole_joules: float | None) -> list[tuple[str, str]]:
    found = []
    expected = adaptation.get("expected_ess_per_1000_steps")
    if expected is not None:
        found.append(("expected effective samples", f"{expected:.1f} per 1,000 steps"))
    if (joules := adaptation.get("energy_joules")) is not None:
        share = f" ({joules / whole_joules:.1%} of the run)" if whole_joules else ""
        found.append(("energy, modelled", f"{si(joules, 'J')}{share}"))
    found.append(("time", f"{adaptation['seconds']:.2f} s"))
    return found
