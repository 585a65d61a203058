"""The page of a run of several classes that is not complete: its binary problems, one by one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..pages.content import HtmlPage, Section, Table
from ..runs.multiclass.predict import folder_of
from ..runs.stored import MANIFEST, RESULT
from .growing import GrowingRun
from .headline import headline
from .page import (
    ChainParts,
    fixed_sections,
    lines_section,
    progress_section,
    state_of,
    task_of,
)

COMPLETE, SAMPLING, WAITING = "complete", "begun", "not begun"


class SeveralRuns:
    """The run folder of several classes.

    Parameters
    ----------
    whole : GrowingRun
        The folder of the run.
    """

    def __init__(self, whole: GrowingRun) -> None:
        self._whole = whole
        self._part = whole

    def current(self) -> GrowingRun:
        """The problem that was begun last, or the whole run before the first one."""
        begun = [p for p in self._folders() if (p / MANIFEST).exists()]
        if not begun:
            self._part = self._whole
        elif self._part.path != begun[-1]:
            self._part = GrowingRun(begun[-1])
        return self._part

    def _folders(self) -> Iterator[Path]:
        for number in range(len(problems_of(self._whole.manifest))):
            yield self._whole.path / folder_of(number)

    def page(self, parts: ChainParts) -> HtmlPage:
        """The page so far, with the parts of the ``current`` problem."""
        part, manifest = self._part, self._whole.manifest
        state = state_of(part)
        whole = replace(
            state_of(self._whole),
            kept_steps=state.kept_steps,
            total=state.total,
            status=state.status,
            further=any(status == WAITING for _, status in self._statuses()),
        )
        done = sum(status == COMPLETE for _, status in self._statuses())
        count = len(problems_of(manifest))
        facts = (("problems", f"{done} of {count} complete"),)
        found = (
            progress_section(part, whole, facts),
            self._problems_section(),
            *parts.sections,
            lines_section(whole.progress.lines),
            *fixed_sections(self._whole),
        )
        return HtmlPage(
            title=f"{task_of(manifest, self._whole.path)} · live view",
            subtitle=str(self._whole.path),
            headline=headline(whole, parts.chains),
            sections=tuple(section for section in found if section is not None),
        )

    def _statuses(self) -> Iterator[tuple[str, str]]:
        """Each problem by the class that it tells apart, and how far it is."""
        names = self._whole.manifest["data"]["class_names"]
        folders = self._folders()
        for (positive, _), folder in zip(problems_of(self._whole.manifest), folders, strict=True):
            begun = (folder / MANIFEST).exists()
            complete = (folder / RESULT).exists()
            yield names[positive], COMPLETE if complete else SAMPLING if begun else WAITING

    def _problems_section(self) -> Section:
        rows = tuple(
            (str(number), name, status) for number, (name, status) in enumerate(self._statuses(), 1)
        )
        return Section(
            "problems",
            "Binary problems",
            sentences=(
                "Each problem has chains and an array of its own. Chains, array and adaptation "
                "below belong to the problem that started last.",
            ),
            tables=(Table(("problem", "class", "state"), rows),),
        )


def problems_of(manifest: Mapping[str, Any]) -> list[Any]:
    """The binary problems of a run of several classes; empty for any other run."""
    return list(manifest.get("data", {}).get("problems", ()))
