"""The array of a run: the samples in its rows, wear, rows out of service."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...pages.charts import heat_map
from ...pages.content import Chart, Section
from ...readable import count, first_few
from ...spec import Geometry
from .. import rows
from .boards import BoardPart, parts_of
from .state import OUT, BoardState, HeldRows, read_state

MOST_DEVICES = 1 << 15
"""Devices of a heat map."""


def array_section(
    values: Mapping[str, Any],
    wear: NDArray[np.integer[Any]] | None,
    state: BoardState,
    board: BoardPart | None = None,
) -> Section:
    """From a result (or the part of it that is known), the wear of each device (rows,
    row_devices), and the state of the board. ``board`` is one of several, to which ``values`` and
    ``wear`` belong."""
    geometry = geometry_of(values)
    held = held_rows(state, geometry, 0 if board is None else board.first_chain)
    retired = [int(row) for row in values.get("retired_rows") or ()]
    suffix = "" if board is None else f"-{board.number}"
    return Section(
        f"array{suffix}",
        "Array" if board is None else f"Array of board {board.number}, {board.name}",
        sentences=(*_samples(state, held), *_wear(wear, geometry, retired)),
        facts=[
            ("array", rows.array(values)),
            *([("wear", rows.wear(values))] if "wear" in values else []),
            ("rows out of service", first_few(retired) if retired else "none"),
        ],
        charts=tuple(
            replace(chart, name=f"{chart.name}{suffix}")
            for chart in _charts(geometry, held, wear, state.steps, retired)
        ),
    )


def array_sections(
    path: Path, values: Mapping[str, Any], wear: NDArray[np.integer[Any]] | None
) -> tuple[Section, ...]:
    """``array_section`` of each array of the complete run in ``path``; ``wear`` is that of all
    arrays, one after the other."""
    rows = values["geometry"]["rows"]
    several = tuple(
        array_section(own, part.wear(wear, rows), read_state(path, part.number), part)
        for part, own in parts_of(values)
    )
    return several or (array_section(values, wear, read_state(path)),)


def geometry_of(values: Mapping[str, Any]) -> Geometry:
    """The geometry of the array of a run, with a region for each chain."""
    shape = values["geometry"]
    return Geometry(
        rows=shape["rows"],
        pairs=shape["pairs"],
        entropy_pairs=shape["entropy_pairs"],
        row_group=shape["row_group"],
        regions=values["chains"],
    )


def held_rows(state: BoardState, geometry: Geometry, first_chain: int = 0) -> HeldRows | None:
    """The samples in the rows; None if the state does not hold them."""
    if not state.arrays:
        return None
    try:
        return HeldRows.of(state.arrays, geometry, first_chain)
    except (KeyError, IndexError, ValueError):  # a state of another version
        return None


def _charts(
    geometry: Geometry,
    held: HeldRows | None,
    wear: NDArray[np.integer[Any]] | None,
    steps: int,
    retired: list[int],
) -> Iterator[Chart]:
    """Heat maps of the conductances that are held, and of the wear."""
    shown = min(geometry.rows, max(1, MOST_DEVICES // geometry.row_devices))
    part = (
        ""
        if shown == geometry.rows
        else f" Only the first {shown:,} of {geometry.rows:,} rows are shown."
    )
    devices = np.arange(geometry.row_devices)
    hover: dict[str, Any] = {
        "pair": np.broadcast_to(devices // 2, (shown, geometry.row_devices)),
        "line": np.broadcast_to(np.array(["plus", "minus"])[devices % 2], (shown, len(devices))),
        "row holds": _uses(geometry, held, retired)[:shown],
    }
    pulses = None if wear is None else np.asarray(wear)[:shown]
    if held is not None and np.isfinite(held.conductance).any():
        worn = {} if pulses is None else {"SET pulses": pulses}
        yield heat_map(
            "array-conductance",
            "Conductance of the samples that the array holds",
            "The map shows the conductance of every device that holds a weight after step "
            f"{steps:,}; grey places hold none.{part} Hover over a device to see its row, pair, "
            "line, conductance and pulses.",
            held.conductance[:shown],
            axis="conductance (µS)",
            x_axis="device of the row",
            hover=hover | worn,
        )
    if pulses is not None:
        used = in_use(np.asarray(wear), geometry)[:shown]
        conductance = {} if held is None else {"µS": np.round(held.conductance[:shown], 1)}
        yield heat_map(
            "array-wear",
            "Wear: SET pulses of every device",
            "The map shows the SET pulses of each device. Grey places are not in use. The "
            f"columns at the right end are the entropy devices.{part}",
            np.where(used, pulses, np.nan),
            axis="SET pulses",
            x_axis="device of the row",
            hover=hover | conductance,
        )


def _uses(geometry: Geometry, held: HeldRows | None, retired: list[int]) -> list[str]:
    """What each row holds."""
    found = ["unknown"] * geometry.rows if held is None else list(held.use)
    for first in retired:
        found[first : first + geometry.row_group] = [OUT] * geometry.row_group
    return found


def _samples(state: BoardState, held: HeldRows | None) -> tuple[str, ...]:
    if held is None:
        return (state.problem or "The stored state of the board does not describe its rows.",)
    full = int(np.isfinite(held.conductance).any(axis=1).sum())
    known = held.conductance[np.isfinite(held.conductance)]
    if not known.size:
        return ("The rows hold no sample yet.",)
    return (
        f"After step {state.steps:,}, {full} of {len(held.use)} rows hold a sample, with "
        f"conductances from {known.min():.1f} to {known.max():.1f} µS. A weight is the difference "
        "of a pair, g⁺ - g⁻.",
    )


def in_use(wear: NDArray[np.integer[Any]], geometry: Geometry) -> NDArray[np.bool_]:
    """Places at which samples have devices, bool (rows, row_devices): those that were programmed in
    any row group. The rows of a group, those of a network, differ in their devices."""
    found = np.zeros(wear.shape, bool)
    first = np.array([geometry.group_row(g) for g in range(geometry.groups)])
    for row in range(geometry.row_group):
        found[first + row] = wear[first + row].max(axis=0) > 0
    return found


def _wear(
    wear: NDArray[np.integer[Any]] | None, geometry: Geometry, retired: list[int]
) -> tuple[str, ...]:
    found = []
    if wear is not None and wear.size and wear.max() > 0:
        used = wear[in_use(wear, geometry)]
        found.append(f"Each device in use received {used.min():,} to {used.max():,} SET pulses.")
    if retired:
        found.append(
            f"{count(len(retired), 'row')} {'is' if len(retired) == 1 else 'are'} out of service, "
            "because devices are dead or did not follow their targets."
        )
    return tuple(found)
