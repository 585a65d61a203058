"""The state of a board that a run has kept: the samples in the rows of its array."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import OhmcarloError
from ...golden.machine import sample_slots
from ...spec import CODE_LSB_US, Geometry
from ..folder import Checkpoint, board_path
from ..stored import CHECKPOINT, RUN, intact, read_linked, read_manifest

NO_STATE = (
    "The checkpoint does not contain the state of the board: the host reads an emulated array "
    "behind a link only at intervals, and at the end of a run."
)


@dataclass(frozen=True, eq=False)
class BoardState:
    """Controller and array at one step of a run.

    Attributes
    ----------
    arrays : dict
        ``Board.state_dict()``; empty if none was kept.
    steps : int
        Steps of every chain when it was read.
    problem : str
        A sentence that says why there is no state; empty if there is one.
    """

    arrays: Mapping[str, NDArray[Any]]
    steps: int = 0
    problem: str = ""


def read_state(path: Path, board: int | None = None) -> BoardState:
    """The state in the checkpoint of the run in ``path``; it need not be complete. ``board`` is the
    number of one of several boards.

    Nothing is locked, so that a run may go on meanwhile. A checkpoint that is missing, damaged or
    of another run gives a state without arrays, which says so.
    """
    file = (path if board is None else board_path(path, board)) / CHECKPOINT
    if not file.exists():
        whose = "The run" if board is None else f"Board {board}"
        return BoardState({}, problem=f"{whose} has no {CHECKPOINT} yet.")
    try:
        stored, link, _ = read_linked(file)
        with intact(file):
            if link.run != read_manifest(path)[RUN]:
                raise ValueError("it belongs to another run")
            found = Checkpoint.of(stored)
    except OhmcarloError as error:
        return BoardState({}, problem=f"{CHECKPOINT} cannot be used: {error}.")
    if not found.state:
        return BoardState({}, found.state_steps, NO_STATE)
    return BoardState(found.state, found.state_steps)


@dataclass(frozen=True, eq=False)
class HeldRows:
    """What the rows of an array hold.

    Attributes
    ----------
    conductance : float64 (rows, row_devices)
        µS, as read back when the device was programmed (of the physics array: at present, without
        read noise); NaN for a device without a weight of a sample that is held.
    use : list of str
        Of each row: "current sample of chain 0", "earlier sample, 12 steps", "free", "out of
        service".
    """

    conductance: NDArray[np.float64]
    use: list[str]

    @classmethod
    def of(
        cls, arrays: Mapping[str, NDArray[Any]], geometry: Geometry, first_chain: int = 0
    ) -> HeldRows:
        """From a state of a board, whose first chain has the number ``first_chain``. Raises
        KeyError or IndexError for another geometry."""
        use = ["free"] * geometry.rows
        conductance = np.full((geometry.rows, geometry.row_devices), np.nan)
        rows, devices = slots(arrays["controller.codes"].shape[1], geometry.row_group)
        found = _conductances(arrays)
        for group, text in _groups(arrays, geometry, first_chain).items():
            first = geometry.group_row(group)
            for row in range(first, first + geometry.row_group):
                use[row] = text
            if text != OUT:
                place = rows + first, devices
                conductance[place] = found[place]
        return cls(conductance, use)


OUT = "out of service"


def _conductances(arrays: Mapping[str, NDArray[Any]]) -> NDArray[np.float64]:
    """Of every device, µS: float64 (rows, row_devices)."""
    if "array.g_us" in arrays:
        return np.asarray(arrays["array.g_us"], np.float64)
    return arrays["array.codes"] * CODE_LSB_US


def _groups(
    arrays: Mapping[str, NDArray[Any]], geometry: Geometry, first_chain: int
) -> dict[int, str]:
    """What each row group is used for; free ones are absent."""
    held, bad = arrays["controller.held"], arrays["controller.bad"]
    found = {
        int(g): f"earlier sample, current for {int(held[g]):,} steps" for g in np.flatnonzero(held)
    }
    for chain, group in enumerate(arrays["controller.group"][: geometry.regions]):
        if group >= 0:
            found[int(group)] = f"current sample of chain {first_chain + chain}"
    return found | {int(g): OUT for g in np.flatnonzero(bad)}


def slots(sample_devices: int, row_group: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """``golden.machine.sample_slots`` of a sample of so many devices in a group of rows."""
    hidden = row_group - 1
    inputs = (sample_devices - 2 * (hidden + 1)) // hidden if hidden else sample_devices
    return sample_slots(inputs // 2, hidden)
