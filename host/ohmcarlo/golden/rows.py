"""Row groups: the queue of free ones, the ring of retired samples, and rows out of service."""

from __future__ import annotations

import numpy as np

from ..jit import compiled
from .machine import Machine, State

NO_GROUP = -1


@compiled
def first_row(m: Machine, group: int) -> int:
    """First row of a row group; groups are numbered region after region."""
    region = group // m.region_groups
    return region * m.rows_per_region + (group - region * m.region_groups) * m.group_rows


@compiled
def push_free(m: Machine, state: State, region: int, group: int) -> None:
    """Put a group at the tail of its region's queue."""
    tail = (state.free_head[region] + state.free_count[region]) % m.region_groups
    state.free[region, tail] = group
    state.free_count[region] += 1


@compiled
def take_free(m: Machine, state: State, region: int) -> int:
    """Take the group at the head of the queue, or NO_GROUP when the run must end.

    Two groups must wait in the queue, so that a rejected group is never programmed twice in
    succession. When a streaming chain has few free groups, the rows of the oldest retired sample,
    which was streamed out before, become free.
    """
    count, head = state.free_count, state.free_head
    if m.stream and count[region] < m.min_free and state.retired_count[region] > 0:
        oldest = np.int64(state.retired[region, state.retired_head[region]])
        state.retired_head[region] = (state.retired_head[region] + 1) % m.region_groups
        state.retired_count[region] -= 1
        state.held[oldest] = 0
        push_free(m, state, region, oldest)
    if count[region] < 2:
        return NO_GROUP
    group = state.free[region, head[region]]
    head[region] = (head[region] + 1) % m.region_groups
    count[region] -= 1
    return group


@compiled
def keep_retired(m: Machine, state: State, region: int) -> None:
    """The current sample of a region stays in its rows, with its multiplicity."""
    tail = (state.retired_head[region] + state.retired_count[region]) % m.region_groups
    group = state.group[region]
    state.retired[region, tail] = group
    state.retired_count[region] += 1
    state.held[group] = state.multiplicity[region]


@compiled
def give_back(m: Machine, state: State, region: int, group: int, stuck: bool) -> None:
    """Return the group of a rejected proposal to the queue, or take it out of service.

    A group whose devices did not follow their targets ``retries`` times in succession is stuck or
    worn.
    """
    if not stuck:
        state.failures[group] = 0
    else:
        state.failures[group] += 1
        if state.failures[group] >= m.retries:
            state.bad[group] = True
            return
    push_free(m, state, region, group)
