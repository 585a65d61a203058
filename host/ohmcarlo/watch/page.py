"""The page of a run that is not complete."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..diagnostics import burn_in
from ..errors import OhmcarloError
from ..pages.charts import traces
from ..pages.content import Headline, HtmlPage, Section, Tone
from ..readable import duration, first_few
from ..runs.adaptation.record import Record
from ..runs.sections.adaptation import adaptation_section
from ..runs.sections.array import array_section, geometry_of
from ..runs.sections.boards import BoardPart
from ..runs.sections.chains import Chains, chains_section
from ..runs.sections.commands import repeating
from ..runs.sections.data import data_section
from ..runs.sections.repeat import repeat_section
from ..runs.sections.state import BoardState
from ..runs.stored import MANIFEST, intact
from .growing import GrowingRun
from .headline import EARLY, NO_VERDICT, State, headline
from .thinned import JointChains, ThinnedChains

WEAR, BAD = "array.ledger.wear", "controller.bad"  # of a board's state; BAD: by row group
STILL_READING = "This page is still reading the steps on disk."
LEAST_STEPS = 20
"""Steps that are kept of every chain before diagnostics mean anything."""


@dataclass(frozen=True, eq=False)
class ChainParts:
    """What a page shows of one set of chains; it takes some tenths of a second to make.

    Attributes
    ----------
    chains : Chains or None
    sections : tuple of Section
    """

    chains: Chains | None = None
    sections: tuple[Section, ...] = ()

    @classmethod
    def of(cls, run: GrowingRun) -> ChainParts:
        """Chains, array and adaptation so far; each as soon as something of it is known."""
        chains = chains_of(run)
        found = (
            _chains_section(run.chains, chains),
            *_array_sections(run),
            _adaptation_section(run.record),
        )
        return cls(chains, tuple(section for section in found if section is not None))


def running_page(run: GrowingRun, parts: ChainParts) -> HtmlPage:
    """The page of one set of chains so far."""
    state = state_of(run)
    found = (
        progress_section(run, state),
        *parts.sections,
        lines_section(state.progress.lines),
        *fixed_sections(run),
    )
    return HtmlPage(
        title=f"{task_of(run.manifest, run.path)} · live view",
        subtitle=str(run.path),
        headline=headline(state, parts.chains),
        sections=tuple(section for section in found if section is not None),
    )


def state_of(run: GrowingRun) -> State:
    """What is known of a run apart from its chains."""
    progress, note = run.progress(), run.note
    planned = run.manifest.get("config", {}).get("steps", 0)
    return State(
        path=run.path,
        progress=progress,
        worked_on=run.worked_on(),
        kept_steps=run.chains.steps,
        total=int(note.values["steps"] if note is not None else planned),
        status=run.chains.status,
    )


def chains_of(run: GrowingRun) -> Chains | None:
    """The chains so far; None before there are enough steps of known weights."""
    codes = run.chains.codes()
    if codes is None or run.note is None or codes.shape[1] < LEAST_STEPS:
        return None
    if codes.shape[2] != run.note.weights.matrix.shape[1]:
        return None
    levels = run.chains.log_posterior()
    left_out = min(max(burn_in(chain) for chain in levels), codes.shape[1] - 2)
    draws = run.note.weights.weights(codes)[:, left_out:]
    return Chains(list(run.note.weights.names), draws, levels, left_out, run.chains.every)


def _chains_section(thinned: ThinnedChains | JointChains, chains: Chains | None) -> Section | None:
    title = "Chains so far"
    if chains is not None:
        section = chains_section(chains, title=title)
        return replace(section, sentences=(NO_VERDICT, *section.sentences))
    if not thinned.steps:
        return None
    levels = thinned.log_posterior()
    if levels.shape[1] < 2:
        return None
    chart = traces(
        "trace",
        "Log-posterior of the chains",
        f"The log-posterior lies between {levels.min():.1f} and {levels.max():.1f} nat so far.",
        levels,
        axis="log-posterior (nat, unnormalised)",
        every=thinned.every,
    )
    return Section("chains", title, sentences=(EARLY,), charts=(chart,))


def _array_sections(run: GrowingRun) -> tuple[Section, ...]:
    """The array of each board at its last checkpoint."""
    names = run.boards
    if run.note is None:
        return ()
    share = run.note.values["chains"] // max(1, len(names))
    found = [
        _array_section(
            {**run.note.values, "chains": share},
            state,
            BoardPart(number, names[number], number * share) if names else None,
        )
        for number, state in enumerate(run.states)
    ]
    return tuple(section for section in found if section is not None)


def _array_section(
    values: Mapping[str, Any], state: BoardState, board: BoardPart | None
) -> Section | None:
    """The array of one board at its last checkpoint; ``values`` are those of its chains."""
    if not state.arrays:
        return None
    bad = np.flatnonzero(state.arrays.get(BAD, np.empty(0)))
    try:
        geometry = geometry_of(values)
        retired = [geometry.group_row(int(group)) for group in bad]
        return array_section({**values, "retired_rows": retired}, _wear(state), state, board)
    except (KeyError, TypeError, ValueError, OhmcarloError):  # a note of another version
        return None


def _wear(state: BoardState) -> NDArray[np.integer[Any]] | None:
    wear = state.arrays.get(WEAR)
    return wear if wear is not None and wear.ndim == 2 else None


def _adaptation_section(record: Record) -> Section | None:
    return adaptation_section(record.to_dict()) if record.stages else None


def fixed_sections(run: GrowingRun) -> tuple[Section, ...]:
    """What the manifest tells: data, and how to repeat the run."""
    manifest = run.manifest
    if not manifest:
        return ()
    try:
        with intact(run.path / MANIFEST):
            found = (
                data_section({}, manifest),
                repeat_section(manifest, repeating(run.path, manifest)),
            )
    except OhmcarloError:
        return ()
    return tuple(section for section in found if section is not None)


def progress_section(
    run: GrowingRun, state: State, facts: tuple[tuple[str, str], ...] = ()
) -> Section:
    """Steps, speed, acceptance, and the lines of the terminal."""
    progress = state.progress
    phase = progress.phase or "between two phases"
    rows = [("phase", phase if state.running else "not running"), *facts]
    if state.total:
        rows.append(("steps on disk", f"{state.kept_steps:,} of {state.total:,} per chain"))
    made = progress.steps - progress.first_step
    if state.running and progress.total and made > 0 and progress.seconds > 0:
        rows.append(("speed", f"{made / progress.seconds:,.0f} {progress.unit} per second"))
        rows.append(("time in this phase", duration(progress.seconds)))
    if run.chains.steps:
        rates = [f"{rate:.1%}" for rate in run.chains.acceptance()]
        rows.append(("accepted, by chain", first_few(rates)))
    notes = (run.problem, STILL_READING if run.behind else "")
    return Section(
        "progress",
        "Progress",
        sentences=tuple(note for note in notes if note),
        facts=rows,
        code="" if state.running else state.resume,
    )


def lines_section(lines: tuple[str, ...]) -> Section | None:
    """The last lines that the run wrote on the terminal."""
    if not lines:
        return None
    return Section("lines", "Messages of the run", sentences=lines, folded=True)


def message_page(path: Path, label: str, sentences: tuple[str, ...], tone: Tone) -> HtmlPage:
    """A page of a headline alone."""
    return HtmlPage(path.name or str(path), str(path), Headline(tone, label, sentences), ())


def task_of(manifest: Mapping[str, Any], path: Path) -> str:
    """Name of the task of a run, or of its folder before that is known."""
    return str(manifest.get("config", {}).get("task", path.name))
