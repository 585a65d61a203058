"""What a sweep will cost: time of its cells from finished ones or from short trials, and disk."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean
from typing import Any

from ..cluster.cells import Cell
from ..cluster.encoding import pack, unpack
from ..cluster.sources import sources_digest
from ..cluster.store import CellStore
from ..cluster.work import compute
from ..errors import OhmcarloError
from ..progress import phase
from ..readable import count
from ..runs.config import TrainConfig
from .cell import LOG_POSTERIOR, WEIGHTS
from .planning import Plan, Planned

SHORT, LONG = 250, 1000
"""Steps of two trials, whose difference is the time of a step."""
POSTERIOR_SHARE = 1.0
"""Bytes of a cell in the posteriors, relative to its file: weights hardly compress."""
Kind = tuple[Any, ...]


@dataclass(frozen=True)
class Cost:
    """Time and bytes of one cell: seconds = fixed + each · steps."""

    fixed: float
    each: float
    size: float

    def seconds(self, steps: int) -> float:
        """CPU time of a cell with ``steps`` per chain, s."""
        return self.fixed + self.each * steps


@dataclass(frozen=True)
class Estimate:
    """What remains of a sweep.

    Attributes
    ----------
    finished, failed, remaining : int
        Cells. Failed ones include those that cannot be computed.
    seconds : float or None
        CPU time of the remaining cells, s, without those that fail at once; None if it is unknown.
    size : float
        Bytes of the whole sweep on disk.
    trials : tuple of str
        How the time of each kind of cell is known: one line each.
    """

    finished: int
    failed: int
    remaining: int
    seconds: float | None
    size: float
    trials: tuple[str, ...]

    def wall_seconds(self, workers: int) -> float | None:
        """Time with this number of workers, s."""
        return None if self.seconds is None else self.seconds / workers


def cost_kind(cell: Planned) -> Kind:
    """Cells of one kind take the same time for a step, about."""
    config = _config(cell)
    return (
        config.task, config.array.partition(":")[0], config.preset is not None, config.kernel,
        config.whiten, config.adapt, config.chains, config.hidden, config.backend,
    )  # fmt: skip


def estimate(plan: Plan, store: CellStore | None) -> Estimate:
    """Estimate the cost of a sweep; ``store`` holds its finished cells, None: there are none.

    Nothing is written. A kind of cell without a finished one is tried twice with few steps, in
    this process.
    """
    sources = sources_digest()
    finished: dict[Kind, list[tuple[float, int]]] = {}
    sizes: dict[Kind, list[int]] = {}
    missing: dict[Kind, list[Planned]] = {}
    failed = len(plan.cells) - len(plan.possible)
    for cell in plan.possible:
        digest = cell.work.digest(sources)
        if store is not None and (found := store.outcome(cell.work, digest)) is not None:
            finished.setdefault(cost_kind(cell), []).append((found.seconds, _config(cell).steps))
            sizes.setdefault(cost_kind(cell), []).append(store.path(digest).stat().st_size)
        elif store is not None and store.failure(cell.work, digest) is not None:
            failed += 1
        else:
            missing.setdefault(cost_kind(cell), []).append(cell)
    lines: list[str] = []
    costs = {kind: _known(times, sizes[kind]) for kind, times in finished.items()}
    for kind, cells in missing.items():
        if kind in costs:
            continue
        tried = _tried(cells)
        if isinstance(tried, str):
            lines.append(tried)
        else:
            costs[kind] = tried
    done = sum(map(len, finished.values()))
    return Estimate(
        finished=done,
        failed=failed,
        remaining=sum(map(len, missing.values())),
        seconds=_total(missing, costs),
        size=_size(plan.possible, costs),
        trials=tuple(lines),
    )


def _config(cell: Planned) -> TrainConfig:
    if cell.config is None:
        raise OhmcarloError(f"a cell that cannot be computed has no cost: {cell.problem}")
    return cell.config


def _known(times: Sequence[tuple[float, int]], sizes: Sequence[int]) -> Cost:
    """The cost from finished cells: in proportion to their steps."""
    each = fmean(seconds / steps for seconds, steps in times)
    return Cost(0.0, each, fmean(sizes))


def _tried(cells: Sequence[Planned]) -> Cost | str:
    """The cost from short trials of a cell in the middle; a line if it fails."""
    cell = cells[len(cells) // 2]
    config = _config(cell)
    shown = f"{config.task} on {config.array}"
    try:
        with phase(f"timing a cell: {shown}"):
            short, long = (min(steps, config.steps) for steps in (SHORT, LONG))
            _trial(cell, short)  # compiles, and reads the data
            first, _ = _trial(cell, short)
            second, found = _trial(cell, long)
    except OhmcarloError as error:
        return f"{count(len(cells), 'cell')} of {shown} will fail: {error}"
    each = max(second - first, 0.0) / (long - short) if long > short else 0.0
    return Cost(max(second - each * long, 0.0), each, _bytes(found, cell))


def _trial(cell: Planned, steps: int) -> tuple[float, dict[str, Any]]:
    """CPU time of a cell with other steps, s, and its values. OhmcarloError if it fails."""
    arguments = cell.work.arguments
    short = replace(TrainConfig.from_dict(arguments["config"]), steps=steps, more_steps=False)
    work = Cell(
        cell.work.function, {**arguments, "config": json.loads(json.dumps(short.to_dict()))}
    )
    began = time.process_time()
    reply = compute(work.function, work.canonical, "", sources_digest())
    if not reply.packed:
        raise OhmcarloError(reply.message)
    return time.process_time() - began, unpack(reply.packed)["values"]


def _bytes(found: dict[str, Any], cell: Planned) -> float:
    """Bytes of the file of a cell, whose trial kept fewer draws perhaps."""
    weights, kept = found[WEIGHTS], float(len(pack({**found, WEIGHTS: 0, LOG_POSTERIOR: 0})))
    if weights is None:
        return kept
    chains, _, each = weights.shape
    return kept + len(cell.work.canonical) + 4 * chains * cell.work.arguments["draws"] * (each + 1)


def _total(cells: Mapping[Kind, Sequence[Planned]], costs: dict[Kind, Cost]) -> float | None:
    known = [kind for kind in cells if kind in costs]
    if cells and not known:
        return None
    return sum(costs[kind].seconds(_config(cell).steps) for kind in known for cell in cells[kind])


def _size(cells: Sequence[Planned], costs: dict[Kind, Cost]) -> float:
    known = [costs[kind].size for cell in cells if (kind := cost_kind(cell)) in costs]
    return (1 + POSTERIOR_SHARE) * sum(known)
