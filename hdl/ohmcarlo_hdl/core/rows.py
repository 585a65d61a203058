"""Row groups: queues of free groups, rings of retired samples, bad rows, and wear."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

from amaranth import Module, Mux, Signal, Value, unsigned
from amaranth.hdl import ValueLike
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

    - ``init``: clear all state; every group without a bad row becomes free. ``busy`` until done.
    - ``take``: the group at the head of the queue of ``region`` leaves it. One or four clocks
      later ``taken`` (``row`` is valid from then on) or ``none`` (the run must end) is high for
      one clock.
    - ``conclude`` with ``accepted``: the current sample of ``region`` joins the ring, ``row``
      becomes current with multiplicity 1. Without: multiplicity + 1 (``counts``), and ``row`` is
      queued again, or leaves service if it was ``stuck`` for the ``retries``-th time in a row. Done
      in one clock, at the earliest two clocks after ``taken``.
    - ``put_back``: ``row`` goes to the tail of the queue unchanged.

    Between operations, software reads and loads everything except ``bad_groups`` through the state
    windows. A word of ``state_regions`` is read from the region at ``region`` in the clock of its
    ``r_data``.

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
        memories = self._memories(m)
        here = Regions(m, self.config, self.region)
        here.make_bases(self.rows_per_region)
        queue = _Queue(m, self, memories, here)
        self._outputs(m, memories, here, queue)
        init = _Init(self.config, here)
        with m.FSM(name="state") as fsm:
            m.d.comb += self.busy.eq(~fsm.ongoing("READY"))
            with m.State("READY"):
                # one command at a time: the longest path comes first
                with m.If(self.conclude):
                    self._conclude(m, memories, here, queue)
                with m.Elif(self.put_back):
                    m.d.comb += queue.push(self.row)
                with m.Elif(self.init):
                    m.d.sync += [init.region.eq(0), self.bad_groups.eq(0)]
                    m.next = "REGION"
                with m.Elif(self.take):
                    m.next = "TAKE"
                    few = here["free_count"] < self.min_free
                    with m.If(self.stream & few & (here["retired_count"] != 0)):
                        # recycle the oldest retired sample, whose record was streamed long before
                        m.next = "FIND"
            self._take(m, memories, here, queue)
            self._initialise(m, memories, here, init)

        # -- the windows; last, so that they take precedence -----------------------------------
        attach(m, self.state_queues, memories.free.read, memories.free.write)
        attach(m, self.state_queues, memories.retired.read, memories.retired.write, low=16)
        attach(m, self.state_groups, memories.states.read, memories.states.write)
        attach(m, self.state_held, memories.held.read, memories.held.write)
        attach(m, self.state_wear, memories.wear.read, memories.wear.write)
        here.attach(self.state_regions)
        return m

    def _memories(self, m: Module) -> _Memories:
        """One word per row: queues, rings, multiplicities, states of groups, wear, bad rows."""
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

        # the names of the ports become names of wires
        free_read, retired_read = free.read_port(), retired.read_port()
        held_read, state_read, wear_read = held.read_port(), states.read_port(), wear.read_port()
        bad_write, bad_read = bad_map.write_port(), bad_map.read_port()
        load = self.load_bad_rows
        m.d.comb += [
            bad_write.en.eq(load.stb),
            bad_write.addr.eq(load.addr),
            bad_write.data.eq(load.data[0]),
        ]
        return _Memories(
            free=_Ports(writer(free), free_read),
            retired=_Ports(writer(retired), retired_read),
            held=_Ports(writer(held), held_read),
            states=_Ports(writer(states), state_read),
            wear=_Ports(writer(wear), wear_read),
            bad_read=bad_read,
        )

    def _outputs(self, m: Module, memories: _Memories, here: Regions, queue: _Queue) -> None:
        """The region's sample, the head of the queue, and entries of the ring; the query."""
        held_row = Signal(self.config.row_bits)
        m.d.sync += held_row.eq(memories.retired.read.data)
        head = here.base(self.next_region) + here.of("free_head", self.next_region)
        group = Mux(self.query, self.query_row, self.row)
        m.d.comb += [
            self.has_sample.eq(here["has_sample"]),
            self.sample_row.eq(here["row"]),
            self.multiplicity.eq(here["multiplicity"]),
            self.retired_count.eq(here["retired_count"]),
            # the queue is read one step ahead
            memories.free.read.addr.eq(head),
            self.next_row.eq(memories.free.read.data),
            memories.retired.read.addr.eq(queue.held_place),
            self.held_row.eq(memories.retired.read.data),
            memories.held.read.addr.eq(Mux(self.query, self.query_row, held_row)),
            self.held_multiplicity.eq(memories.held.read.data),
            memories.states.read.addr.eq(group),
            memories.wear.read.addr.eq(group),
            self.query_held.eq(memories.held.read.data),
            self.query_bad.eq(memories.states.read.data.bad),
            self.query_failures.eq(memories.states.read.data.failures),
            self.query_wear.eq(memories.wear.read.data),
        ]

    def _conclude(self, m: Module, memories: _Memories, here: Regions, queue: _Queue) -> None:
        """The proposal in ``row`` becomes the current sample, or ``row`` is queued again."""
        states, wear = memories.states, memories.wear
        failures = states.read.data.failures
        worn = self.stuck & (failures + 1 >= self.retries)
        m.d.comb += [
            states.write.en.eq(1),
            states.write.addr.eq(self.row),
            wear.write.en.eq(1),
            wear.write.addr.eq(self.row),
            wear.write.data.eq(wear.read.data + 1),
        ]
        with m.If(self.accepted):
            with m.If(self.has_sample):
                m.d.comb += [
                    *memories.retired.put(queue.ring_tail, self.sample_row),
                    *memories.held.put(self.sample_row, self.multiplicity),
                    *here.put("retired_count", here["retired_count"] + 1),
                ]
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
                    states.write.data.failures.eq(failures + 1),
                    states.write.data.bad.eq(worn),
                ]
            with m.If(worn):
                m.d.sync += self.bad_groups.eq(self.bad_groups + 1)
            with m.Else():
                m.d.comb += queue.push(self.row)

    def _take(self, m: Module, memories: _Memories, here: Regions, queue: _Queue) -> None:
        """The head of the queue is taken, after the oldest retired sample was recycled."""
        with m.State("FIND"):
            m.next = "RECYCLE"
        with m.State("RECYCLE"):
            # held_index is zero here: the head of the ring has been read
            oldest = memories.retired.read.data
            m.d.comb += [
                *queue.push(oldest),
                *memories.held.put(oldest, 0),
                *here.put("retired_count", here["retired_count"] - 1),
                *here.put("retired_head", queue.after("retired_head", 1)),
            ]
            m.next = "COUNT"
        with m.State("COUNT"):
            m.next = "TAKE"
        with m.State("TAKE"):
            with m.If(queue.few):
                m.d.comb += self.none.eq(1)
            with m.Else():
                m.d.comb += [
                    self.taken.eq(1),
                    *here.put("free_head", queue.after("free_head", 1)),
                    *here.put("free_count", here["free_count"] - 1),
                ]
                m.d.sync += self.row.eq(memories.free.read.data)
            m.next = "READY"

    def _initialise(self, m: Module, memories: _Memories, here: Regions, init: _Init) -> None:
        """Every group without a bad row becomes free, region after region."""
        with m.State("REGION"):
            m.d.comb += here.target.eq(init.region)
            m.d.comb += [s for name in shapes(self.config) for s in here.put(name, 0)]
            m.d.sync += [
                init.good.eq(0),
                init.first.eq(init.base),
                init.group.eq(0),
                init.within.eq(0),
                init.any_bad.eq(0),
            ]
            m.next = "READ"
        with m.State("READ"):
            m.next = "ROW"
        with m.State("ROW"):
            m.d.sync += [
                init.any_bad.eq(init.any_bad | memories.bad_read.data),
                init.within.eq(init.within + 1),
            ]
            m.next = "READ"
            with m.If(init.within + 1 >= self.group_rows):
                m.next = "GROUP"
        with m.State("GROUP"):
            states, held = memories.states.write, memories.held.write
            m.d.comb += [
                here.target.eq(init.region),
                states.en.eq(1),
                states.addr.eq(init.first),
                states.data.bad.eq(init.any_bad),
                held.en.eq(1),
                held.addr.eq(init.first),
            ]
            with m.If(init.any_bad):
                m.d.sync += self.bad_groups.eq(self.bad_groups + 1)
            with m.Else():
                m.d.comb += [
                    *memories.free.put(init.base + init.good, init.first),
                    *here.put("free_count", init.good + 1),
                ]
                m.d.sync += init.good.eq(init.good + 1)
            m.d.sync += [
                init.first.eq(init.first + self.group_rows),
                init.group.eq(init.group + 1),
                init.within.eq(0),
                init.any_bad.eq(0),
            ]
            m.next = "READ"
            with m.If(init.group + 1 >= self.region_groups):
                m.d.sync += init.region.eq(init.region + 1)
                m.next = "REGION"
                with m.If(init.region + 1 >= self.regions):
                    m.next = "READY"
        m.d.comb += memories.bad_read.addr.eq(init.first + init.within)


class _Ports(NamedTuple):
    """A write port and a read port of a memory."""

    write: Any
    read: Any

    def put(self, addr: ValueLike, value: ValueLike) -> list[Any]:
        """Statements of the comb domain: write ``value``."""
        return [self.write.en.eq(1), self.write.addr.eq(addr), self.write.data.eq(value)]


@dataclass(frozen=True)
class _Memories:
    """Ports of the memories of ``Rows``."""

    free: _Ports
    retired: _Ports
    held: _Ports
    states: _Ports
    wear: _Ports
    bad_read: Any


class _Queue:
    """Places in the queue and in the ring of the region at work, a clock after its registers."""

    def __init__(self, m: Module, rows: Rows, memories: _Memories, here: Regions) -> None:
        self._here, self._groups, self._free = here, rows.region_groups, memories.free
        row_bits = rows.config.row_bits
        self._tail = Signal(row_bits, name="tail")
        self.ring_tail = Signal(row_bits)
        self.held_place = Signal(row_bits)
        self.few = Signal()  # one group must stay free
        base, count = here.base(rows.region), here["free_count"]
        m.d.sync += [
            self.few.eq(count < 2),
            self._tail.eq(base + self.after("free_head", count)),
            self.ring_tail.eq(base + self.after("retired_head", here["retired_count"])),
            self.held_place.eq(base + self.after("retired_head", rows.held_index)),
        ]

    def after(self, head: str, step: ValueLike) -> Value:
        """Place ``step`` after the register ``head`` in a ring of ``region_groups``."""
        total = self._here[head] + step
        return Mux(total >= self._groups, total - self._groups, total)

    def push(self, row: ValueLike) -> list[Any]:
        """Statements of the comb domain: the group ``row`` joins the queue."""
        put = self._here.put("free_count", self._here["free_count"] + 1)
        return [*self._free.put(self._tail, row), *put]


class _Init:
    """Registers of ``init``: the region and the group at work, and the row within it."""

    def __init__(self, config: CoreConfig, here: Regions) -> None:
        self.region = Signal(config.region_bits)
        self.first = Signal(config.row_bits)
        self.group = Signal(range(config.geometry.rows + 1))
        self.within = Signal(range(config.max_group_rows + 1))
        self.any_bad = Signal()
        self.good = Signal(range(config.geometry.rows + 1))
        self.base = here.base(self.region)
