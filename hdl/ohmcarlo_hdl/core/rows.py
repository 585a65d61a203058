"""Row groups: queues of free groups, rings of retired samples, bad rows, and wear."""

from __future__ import annotations

from typing import Any

from amaranth import Module, Mux, Signal, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

from ..config import CoreConfig
from ..lib.window import LateWrite, Window, attach
from .interface import MULTIPLICITY_BITS, RETRY_BITS, WEAR_BITS, RowsSettings, RowsState
from .regions import Regions, shapes


def group_state(config: CoreConfig) -> data.StructLayout:
    """State of a row group, at its first row."""
    return data.StructLayout({"bad": unsigned(1), "failures": unsigned(RETRY_BITS)})


class Rows(wiring.Component):
    """Row groups: free ones in queues, groups with retired samples in rings.

    A group is named by its first row. A ring has room for ``region_groups`` groups and starts at
    the first row of its region.

    - ``init``: forget everything; every group without a bad row becomes free. ``busy`` until done.
    - ``take``: the group at the head of the queue of ``region`` leaves it. One or four clocks
      later ``taken`` (``row`` is valid from then on) or ``none`` (the run must end) is high for
      one clock.
    - ``conclude`` with ``accepted``: the current sample of ``region`` joins the ring, ``row``
      becomes current with multiplicity 1. Without: multiplicity + 1 (``counts``), and ``row`` is
      queued again, or leaves service if it was ``stuck`` for the ``retries``-th time in a row. Done
      in one clock, at the earliest two clocks after ``taken``.
    - ``put_back``: ``row`` goes to the tail of the queue unchanged.

    Between operations the state windows show and load everything but ``bad_groups``. A word
    of ``state_regions`` is read from the region at ``region`` in the clock of its ``r_data``.

    Twin: ``golden.rows``, and ``golden.machine.build_state`` for ``init``.

    Attributes
    ----------
    regions, region_groups, rows_per_region, min_free, stream, retries : RowsSettings
        As in ``RowsSettings``, inputs here.
    state_queues, state_groups, state_held, state_wear, state_regions : RowsState
        As in ``RowsState``, inputs here.
    load_bad_rows : In(Window)
        One word per row; bit 0: the row is bad.
    group_rows : In(range(max_group_rows + 1))
        Rows of a group.
    region : In(region_bits)
        Region of the operation, and of its sample.
    next_region : In(region_bits)
        Region of ``next_row``.
    init, take, conclude, put_back : In(1)
        Operations, one at a time.
    accepted : In(1)
        The proposal was accepted.
    counts : In(1)
        The step counts for the multiplicity of the current sample.
    stuck : In(1)
        A device of the row looked stuck.
    busy : Out(1)
        An operation is in progress.
    taken : Out(1)
        A group was taken.
    none : Out(1)
        No group can be taken.
    row : Out(row_bits)
        The group that was taken.
    next_row : Out(row_bits)
        Head of the queue of ``next_region``, three clocks after either changed.
    has_sample : Out(1)
        The region has a current sample.
    sample_row : Out(row_bits)
        Its group.
    multiplicity : Out(MULTIPLICITY_BITS)
        Its multiplicity.
    retired_count : Out(range(rows + 1))
        Retired samples in the ring.
    held_index : In(row_bits)
        Entry of the ring.
    held_row : Out(row_bits)
        Group of that entry, four clocks later.
    held_multiplicity : Out(MULTIPLICITY_BITS)
        Its multiplicity, four clocks later.
    query : In(1)
        ``query_row`` selects a group; only between operations.
    query_row : In(row_bits)
        That group.
    query_bad : Out(1)
        It is out of service; like the next three a clock later.
    query_failures : Out(RETRY_BITS)
        Its failures in a row.
    query_held : Out(MULTIPLICITY_BITS)
        Multiplicity of its retired sample.
    query_wear : Out(WEAR_BITS)
        Proposals concluded in it, for the life of the array.
    bad_groups : Out(range(rows + 1))
        Groups out of service since ``init``.
    """

    def __init__(self, config: CoreConfig) -> None:
        self.config = config
        row = unsigned(config.row_bits)
        count = range(config.geometry.rows + 1)
        super().__init__(
            {
                **RowsSettings(config).flip().members,
                **RowsState(config).flip().members,
                "load_bad_rows": In(Window(bits_for(config.geometry.rows - 1))),
                "group_rows": In(range(config.max_group_rows + 1)),
                # operations
                "region": In(config.region_bits),
                "next_region": In(config.region_bits),
                "init": In(1),
                "take": In(1),
                "conclude": In(1),
                "accepted": In(1),
                "counts": In(1),
                "stuck": In(1),
                "put_back": In(1),
                "busy": Out(1),
                "taken": Out(1),
                "none": Out(1),
                "row": Out(row),
                "next_row": Out(row),
                # the region's sample
                "has_sample": Out(1),
                "sample_row": Out(row),
                "multiplicity": Out(MULTIPLICITY_BITS),
                "retired_count": Out(count),
                "held_index": In(row),
                "held_row": Out(row),
                "held_multiplicity": Out(MULTIPLICITY_BITS),
                # query
                "query": In(1),
                "query_row": In(row),
                "query_bad": Out(1),
                "query_failures": Out(RETRY_BITS),
                "query_held": Out(MULTIPLICITY_BITS),
                "query_wear": Out(WEAR_BITS),
                "bad_groups": Out(count),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        config, rows = self.config, self.config.geometry.rows
        free = Memory(shape=unsigned(config.row_bits), depth=rows, init=[])
        retired = Memory(shape=unsigned(config.row_bits), depth=rows, init=[])
        held = Memory(shape=unsigned(MULTIPLICITY_BITS), depth=rows, init=[])
        states = Memory(shape=group_state(config), depth=rows, init=[])
        wear = Memory(shape=unsigned(WEAR_BITS), depth=rows, init=[])
        bad_map = Memory(shape=unsigned(1), depth=rows, init=[])
        m.submodules.free, m.submodules.retired, m.submodules.held = free, retired, held
        m.submodules.states, m.submodules.wear, m.submodules.bad_map = states, wear, bad_map

        def writer(memory: Memory) -> Any:
            # a written word is read two clocks later at the earliest
            port = memory.write_port()
            return port if config.bit_serial else LateWrite(m, port)

        free_write, free_read = writer(free), free.read_port()
        retired_write, retired_read = writer(retired), retired.read_port()
        held_write, held_read = writer(held), held.read_port()
        state_write, state_read = writer(states), states.read_port()
        wear_write, wear_read = writer(wear), wear.read_port()
        bad_write, bad_read = bad_map.write_port(), bad_map.read_port()
        m.d.comb += [
            bad_write.en.eq(self.load_bad_rows.stb),
            bad_write.addr.eq(self.load_bad_rows.addr),
            bad_write.data.eq(self.load_bad_rows.data[0]),
        ]

        here = Regions(m, config, self.region)
        here.make_bases(self.rows_per_region)

        def ring_index(head: Any, step: Any) -> Any:
            """Place ``step`` after ``head`` in a ring of ``region_groups``."""
            total = head + step
            return Mux(total >= self.region_groups, total - self.region_groups, total)

        base, count = here.base(self.region), here["free_count"]
        ring = here["retired_count"]
        tail = Signal(config.row_bits)
        ring_tail, held_place = Signal(config.row_bits), Signal(config.row_bits)
        held_row = Signal(config.row_bits)
        few = Signal()  # one group must stay free
        m.d.sync += [
            few.eq(count < 2),
            held_row.eq(retired_read.data),
            tail.eq(base + ring_index(here["free_head"], count)),
            ring_tail.eq(base + ring_index(here["retired_head"], ring)),
            held_place.eq(base + ring_index(here["retired_head"], self.held_index)),
        ]
        m.d.comb += [
            self.has_sample.eq(here["has_sample"]),
            self.sample_row.eq(here["row"]),
            self.multiplicity.eq(here["multiplicity"]),
            self.retired_count.eq(ring),
            # the queue is read one step ahead
            free_read.addr.eq(here.base(self.next_region) + here.of("free_head", self.next_region)),
            self.next_row.eq(free_read.data),
            retired_read.addr.eq(held_place),
            self.held_row.eq(retired_read.data),
            held_read.addr.eq(Mux(self.query, self.query_row, held_row)),
            self.held_multiplicity.eq(held_read.data),
            state_read.addr.eq(Mux(self.query, self.query_row, self.row)),
            wear_read.addr.eq(Mux(self.query, self.query_row, self.row)),
            self.query_held.eq(held_read.data),
            self.query_bad.eq(state_read.data.bad),
            self.query_failures.eq(state_read.data.failures),
            self.query_wear.eq(wear_read.data),
        ]

        # -- init --------------------------------------------------------------------------
        region = Signal(config.region_bits)
        first = Signal(config.row_bits)
        group = Signal(range(rows + 1))
        within = Signal(range(config.max_group_rows + 1))
        any_bad = Signal()
        region_base = here.base(region)
        good = Signal(range(rows + 1))
        bad_groups = Signal.like(self.bad_groups)
        m.d.comb += self.bad_groups.eq(bad_groups)

        def push(row: Any) -> list[Any]:
            return [free_write.en.eq(1), free_write.addr.eq(tail), free_write.data.eq(row)]

        with m.FSM(name="state") as fsm:
            m.d.comb += self.busy.eq(~fsm.ongoing("READY"))
            with m.State("READY"):
                # one command at a time: the longest path comes first
                with m.If(self.conclude):
                    failures = state_read.data.failures
                    worn = self.stuck & (failures + 1 >= self.retries)
                    m.d.comb += [
                        state_write.en.eq(1),
                        state_write.addr.eq(self.row),
                        wear_write.en.eq(1),
                        wear_write.addr.eq(self.row),
                        wear_write.data.eq(wear_read.data + 1),
                    ]
                    with m.If(self.accepted):
                        with m.If(self.has_sample):
                            m.d.comb += [
                                retired_write.en.eq(1),
                                retired_write.addr.eq(ring_tail),
                                retired_write.data.eq(self.sample_row),
                                held_write.en.eq(1),
                                held_write.addr.eq(self.sample_row),
                                held_write.data.eq(self.multiplicity),
                            ]
                            m.d.comb += here.put("retired_count", ring + 1)
                        m.d.comb += [
                            *here.put("row", self.row),
                            *here.put("multiplicity", 1),
                            *here.put("has_sample", 1),
                        ]
                    with m.Else():
                        with m.If(self.counts):
                            m.d.comb += here.put("multiplicity", self.multiplicity + 1)
                        with m.If(self.stuck):
                            m.d.comb += [
                                state_write.data.failures.eq(failures + 1),
                                state_write.data.bad.eq(worn),
                            ]
                        with m.If(worn):
                            m.d.sync += bad_groups.eq(bad_groups + 1)
                        with m.Else():
                            m.d.comb += [*push(self.row), *here.put("free_count", count + 1)]
                with m.Elif(self.put_back):
                    m.d.comb += [*push(self.row), *here.put("free_count", count + 1)]
                with m.Elif(self.init):
                    m.d.sync += [region.eq(0), bad_groups.eq(0)]
                    m.next = "REGION"
                with m.Elif(self.take):
                    m.next = "TAKE"
                    with m.If(self.stream & (count < self.min_free) & (ring != 0)):
                        # recycle the oldest retired sample; its record was streamed long before
                        m.next = "FIND"

            with m.State("FIND"):
                m.next = "RECYCLE"

            with m.State("RECYCLE"):
                # held_index is zero here: the head of the ring has been read
                m.d.comb += [
                    *push(retired_read.data),
                    held_write.en.eq(1),
                    held_write.addr.eq(retired_read.data),
                    held_write.data.eq(0),
                    *here.put("free_count", count + 1),
                    *here.put("retired_count", ring - 1),
                    *here.put("retired_head", ring_index(here["retired_head"], 1)),
                ]
                m.next = "COUNT"

            with m.State("COUNT"):
                m.next = "TAKE"

            with m.State("TAKE"):
                with m.If(few):
                    m.d.comb += self.none.eq(1)
                with m.Else():
                    m.d.comb += [
                        self.taken.eq(1),
                        *here.put("free_head", ring_index(here["free_head"], 1)),
                        *here.put("free_count", count - 1),
                    ]
                    m.d.sync += self.row.eq(free_read.data)
                m.next = "READY"

            with m.State("REGION"):
                m.d.comb += here.target.eq(region)
                m.d.comb += [s for name in shapes(config) for s in here.put(name, 0)]
                m.d.sync += [
                    good.eq(0),
                    first.eq(region_base),
                    group.eq(0),
                    within.eq(0),
                    any_bad.eq(0),
                ]
                m.next = "READ"

            with m.State("READ"):
                m.next = "ROW"

            with m.State("ROW"):
                m.d.sync += [any_bad.eq(any_bad | bad_read.data), within.eq(within + 1)]
                m.next = "READ"
                with m.If(within + 1 >= self.group_rows):
                    m.next = "GROUP"

            with m.State("GROUP"):
                m.d.comb += [
                    here.target.eq(region),
                    state_write.en.eq(1),
                    state_write.addr.eq(first),
                    state_write.data.bad.eq(any_bad),
                    held_write.en.eq(1),
                    held_write.addr.eq(first),
                ]
                with m.If(any_bad):
                    m.d.sync += bad_groups.eq(bad_groups + 1)
                with m.Else():
                    m.d.comb += [
                        free_write.en.eq(1),
                        free_write.addr.eq(region_base + good),
                        free_write.data.eq(first),
                        *here.put("free_count", good + 1),
                    ]
                    m.d.sync += good.eq(good + 1)
                m.d.sync += [
                    first.eq(first + self.group_rows),
                    group.eq(group + 1),
                    within.eq(0),
                    any_bad.eq(0),
                ]
                m.next = "READ"
                with m.If(group + 1 >= self.region_groups):
                    m.d.sync += region.eq(region + 1)
                    m.next = "REGION"
                    with m.If(region + 1 >= self.regions):
                        m.next = "READY"

            m.d.comb += bad_read.addr.eq(first + within)

        # -- the windows; last, so that they take precedence -----------------------------------
        attach(m, self.state_queues, free_read, free_write)
        attach(m, self.state_queues, retired_read, retired_write, low=16)
        attach(m, self.state_groups, state_read, state_write)
        attach(m, self.state_held, held_read, held_write)
        attach(m, self.state_wear, wear_read, wear_write)
        here.attach(self.state_regions)
        return m
