"""The state of a run that is not complete, in plain words."""

from __future__ import annotations

import shlex
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..boards import ENTROPY_ALARM
from ..diagnostics import ESS_LIMIT, RHAT_LIMIT
from ..pages.content import Headline, Tone
from ..progress import STEPS
from ..readable import amount, duration
from ..runs.live_notes import Progress
from ..runs.sections.chains import Chains
from ..runs.sections.marks import sentence

QUIET_S = 60.0
"""A run whose folder cannot be locked counts as stopped after so long without a note."""
NO_VERDICT = "These values are preliminary: the verdict follows the last step."
MADE = "All steps of the chains are complete; the result follows."
IF_NOBODY = "If no process works on this run any more, `{}` writes the result."
OF_A_CHAIN = "steps per chain"
EARLY = "It is too early to judge the chains."


@dataclass(frozen=True)
class State:
    """What is known of a run apart from its chains.

    Attributes
    ----------
    path : Path
        The folder that `ohmcarlo resume` finishes.
    progress : Progress
    worked_on : bool or None
        See ``folder.is_worked_on``.
    kept_steps : int
        Steps of every chain on disk.
    total : int
        Steps of every chain in all; 0: unknown.
    status : str
        ``Block.status`` of the last block on disk; empty before the first.
    further : bool
        Whether other chains follow these.
    """

    path: Path
    progress: Progress
    worked_on: bool | None
    kept_steps: int = 0
    total: int = 0
    status: str = ""
    further: bool = False

    @property
    def made(self) -> bool:
        """Whether all steps of all chains are on disk, so that the result follows."""
        return bool(self.total) and self.kept_steps >= self.total and not self.further

    @property
    def running(self) -> bool:
        """Whether a process works on the run, as far as can be told."""
        if self.worked_on is not None:
            return self.worked_on
        return self.made or time.time() - self.progress.written < QUIET_S

    @property
    def resume(self) -> str:
        """The command that finishes the run."""
        return f"ohmcarlo resume {shlex.quote(str(self.path))}"


def headline(state: State, chains: Chains | None) -> Headline:
    """The headline of a run that is not complete. It has no verdict."""
    if not state.running:
        return _stopped(state)
    sampling = bool(state.progress.total) or chains is not None
    judged = (judged_so_far(chains),) if sampling else ()
    unsure = (IF_NOBODY.format(state.resume),) if state.made and state.worked_on is None else ()
    label = "finishing" if state.made else "running"
    return Headline(Tone.RUNNING, label, (doing(state), *unsure, *judged))


def _stopped(state: State) -> Headline:
    of = f" of {state.total:,}" if state.total else ""
    kept = f"{state.kept_steps:,}{of} steps per chain are on disk"
    if state.status == ENTROPY_ALARM:
        return Headline(
            Tone.BAD,
            "stopped",
            (
                f"The coin failed its health test; {kept}.",
                f"`ohmcarlo characterize` shows what is wrong. `{state.resume}` repeats the "
                "start-up test and continues.",
            ),
        )
    if state.made:
        without = f"All {state.total:,} steps per chain are complete, but there is no result."
        return Headline(
            Tone.CAUTION,
            "interrupted",
            (without, f"`{state.resume}` writes it. This page then shows it."),
        )
    return Headline(
        Tone.CAUTION,
        "interrupted",
        (
            f"No process is sampling this run. {kept}.",
            f"`{state.resume}` continues it. This page then shows its progress.",
        ),
    )


def doing(state: State) -> str:
    """What the run does at this moment, and how long it takes."""
    progress = state.progress
    if not progress.phase:
        return MADE if state.made else "The run is being set up."
    if not progress.total:
        return sentence(progress.phase)
    left = progress.remaining_s()
    time_left = f", about {duration(max(1, left))} left" if left else ""
    accepted = (
        f" {progress.acceptance:.1%} of the latest proposals were accepted."
        if progress.unit == STEPS and progress.steps > progress.first_step
        else ""
    )
    unit = OF_A_CHAIN if progress.unit == STEPS else progress.unit
    return (
        f"{sentence(progress.phase)[:-1]}: {progress.steps:,} of {amount(progress.total, unit)}"
        f"{time_left}.{accepted}"
    )


def judged_so_far(chains: Chains | None) -> str:
    """The diagnostics so far, with the caution that they are no verdict."""
    if chains is None or not chains.known:
        return EARLY
    ess = float(np.minimum(chains.bulk, chains.tail).min())
    rhat = float(chains.rhat.max())
    found = (
        f"{ess:,.0f} effective samples for the worst weight ({ESS_LIMIT} are needed), split R-hat "
        f"{rhat:.3f} (at most {RHAT_LIMIT} is needed)"
    )
    early = f"{EARLY} " if ess < ESS_LIMIT or not rhat <= RHAT_LIMIT else ""
    return f"{early}So far: {found}. {NO_VERDICT}"
