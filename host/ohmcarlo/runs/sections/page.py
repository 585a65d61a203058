"""The parts of a page that do not depend on what a run has learnt, put together."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...pages.content import Section
from ..rows import Rows
from ..stored import read_manifest
from ..verdict import Judgement
from .adaptation import adaptation_section
from .array import array_sections
from .boards import boards_section
from .coin import coin_section
from .commands import repeating
from .data import data_section
from .energy import energy_section
from .link import link_section
from .marks import MOST_REASONS, sentence
from .repeat import repeat_section, settings_section
from .state import read_state


def numbers_section(rows: Rows, warnings: list[str], judgement: Judgement) -> Section:
    """The table of a run, as the terminal shows it, and the warnings that its headline lacks."""
    others = [text for text in warnings if text not in judgement.reasons[:MOST_REASONS]]
    return Section(
        "numbers",
        "Result in numbers",
        sentences=tuple(sentence(text) for text in others),
        facts=rows,
    )


def title_of(values: Mapping[str, Any], model: str) -> str:
    """The title of a page: the task, or the name of its file, and the model."""
    return f"{Path(values['task']).name} · {model}"


def shared_sections(
    path: Path, values: Mapping[str, Any], wear: NDArray[np.integer[Any]] | None
) -> tuple[Section, ...]:
    """Array, adaptation, energy, coin, link, data and repetition of the complete run in ``path``.

    ``wear``: int (rows, row_devices), of the evaluation; None for a run of several arrays.
    """
    manifest, state = read_manifest(path), read_state(path)
    found = (
        boards_section(values),
        *(() if wear is None else array_sections(path, values, wear)),
        adaptation_section(values.get("adaptation"), values["energy_joules"]),
        energy_section(values),
        coin_section(values["entropy"], state.arrays),
        link_section(values.get("link")),
        data_section(values, manifest),
        repeat_section(manifest, repeating(path, manifest)),
        settings_section(manifest),
    )
    return tuple(section for section in found if section is not None)
