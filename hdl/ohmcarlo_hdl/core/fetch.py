"""Data memory and order table: from jobs to points, one point per clock."""

from __future__ import annotations

from typing import Any

from amaranth import Cat, Module, Mux, Signal, Value, signed, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.fifo import SyncFIFO
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from ..config import CoreConfig
from ..lib.window import Window
from .point_stream import INPUT_BITS, LABEL_BITS, OFFSET_BITS, data_point, word_widths


def fetch_job(config: CoreConfig) -> data.StructLayout:
    """All points in the order of the table, or (``predict``) the one ``point``."""
    return data.StructLayout(
        {"predict": 1, "row": unsigned(config.row_bits), "point": unsigned(config.point_bits)}
    )


def fetched_point(config: CoreConfig) -> data.StructLayout:
    """Inputs of a point and the first row of the sample that it is evaluated under."""
    inputs = data.ArrayLayout(signed(INPUT_BITS), config.max_features)
    return data.StructLayout({"row": unsigned(config.row_bits), "inputs": inputs})


CONTEXT = data.StructLayout(
    {"offset": signed(OFFSET_BITS), "label": unsigned(LABEL_BITS), "last": unsigned(1)}
)
"""The rest of a point, needed when its dot product is back; ``last`` of an evaluation."""


class Fetch(wiring.Component):
    """Reads points: ``LATENCY`` clocks from a job to its first point, then one per clock.

    ``note`` is high, with ``context``, in the clock before a point may appear at ``points``. At
    most ``credits`` points are out; each ``returned`` gives one back. Two jobs may wait: their
    ``ready`` comes from a register.

    With ``max_streamed_points``, positions from ``max_points`` on are not in the table. Their
    points come from ``streamed``. They are issued when the memories have given the points before
    them.

    Point i has the words ``i * point_words ..`` of ``load_points``; word 0 is ``{offset [15:0],
    label [17:16]}``, the words after it hold four int8 inputs each, input j in word ``1 + j // 4``,
    the lowest input in the lowest byte. ``load_order`` has one word per position: the index of the
    point.

    Attributes
    ----------
    points_used : In(position_bits + 1)
        Data points in use.
    jobs : In(stream of fetch_job)
        All points, or one.
    points : Out(stream of fetched_point)
        Inputs of each point.
    note : Out(1)
        ``context`` is valid.
    context : Out(CONTEXT)
        Offset, label and ``last`` of the point.
    returned : In(1)
        A point left the pipe.
    load_points : In(Window)
        Words of the points.
    load_order : In(Window)
        Order of the points.
    streamed : In(stream of data_point)
        Points beyond the data memory; only with ``max_streamed_points`` of the configuration, like
        the next one.
    wants_streamed : Out(1)
        The next point is one of them.
    """

    LATENCY = 4
    LOOP = 6
    """Clocks from the issue of a point, through the memories, to the next issue that it permits. A
    point takes at least as many clocks as it has bit planes."""

    def __init__(self, config: CoreConfig, credits: int) -> None:
        self.config, self.credits = config, credits
        streamed = {
            "streamed": In(stream.Signature(data_point(config))),
            "wants_streamed": Out(1),
        }
        super().__init__(
            {
                "points_used": In(config.position_bits + 1),
                "jobs": In(stream.Signature(fetch_job(config))),
                "points": Out(stream.Signature(fetched_point(config))),
                "note": Out(1),
                "context": Out(CONTEXT),
                "returned": In(1),
                "load_points": In(
                    Window(config.point_bits + (config.point_words - 1).bit_length())
                ),
                "load_order": In(Window(config.point_bits)),
            }
            | (streamed if config.max_streamed_points else {})
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        config = self.config

        # jobs: the present one and the next one
        layout = fetch_job(config)
        job, job_valid = Signal(layout), Signal()
        waiting, waiting_valid = Signal(layout), Signal()
        job_done = Signal()
        m.d.comb += self.jobs.ready.eq(~waiting_valid)
        with m.If(job_done | ~job_valid):
            m.d.sync += [
                job.eq(Mux(waiting_valid, waiting, self.jobs.payload)),
                job_valid.eq(waiting_valid | self.jobs.valid),
                waiting_valid.eq(0),
            ]
        with m.Elif(self.jobs.valid & self.jobs.ready):
            m.d.sync += [waiting.eq(self.jobs.payload), waiting_valid.eq(1)]

        # Issued points run through both memories without a stall: space behind them is reserved.
        points_ahead = 1 + -(-self.LOOP // config.planes)
        m.submodules.ahead = ahead = SyncFIFO(
            width=len(Value.cast(self.points.payload)), depth=points_ahead
        )
        position = Signal(config.position_bits)
        issue, last = Signal(), Signal()
        room = self._count(m, issue, self.returned, self.credits)
        space = self._count(m, issue, self.points.valid & self.points.ready, points_ahead)
        m.d.comb += [
            issue.eq(job_valid & room & space),
            last.eq(position + 1 >= self.points_used),
            job_done.eq(issue & (job.predict | last)),
        ]
        with m.If(issue & ~job.predict):
            m.d.sync += position.eq(Mux(last, 0, position + 1))

        # the order table
        m.submodules.order = order = Memory(
            shape=unsigned(config.point_bits), depth=config.max_points, init=[]
        )
        write, read = order.write_port(), order.read_port()
        m.d.comb += [
            write.addr.eq(self.load_order.addr),
            write.data.eq(self.load_order.data),
            write.en.eq(self.load_order.stb),
            read.addr.eq(position),
        ]
        at_order, at_data = Signal(), Signal()
        ordered_job, ordered_last = Signal(layout), Signal()
        m.d.sync += [at_order.eq(issue), ordered_job.eq(job), ordered_last.eq(last)]

        # the points: one per clock
        at_point, point = Signal(), Signal(config.point_bits)
        point_row, point_last = Signal(config.row_bits), Signal()
        m.d.sync += [
            at_point.eq(at_order),
            point.eq(Mux(ordered_job.predict, ordered_job.point, read.data)),
            point_row.eq(ordered_job.row),
            point_last.eq(ordered_last),
        ]
        words = self._memories(m, point)
        data_row, data_last = Signal(config.row_bits), Signal()
        m.d.sync += [
            at_data.eq(at_point),
            data_row.eq(point_row),
            data_last.eq(point_last),
        ]
        fetched = Signal(fetched_point(config))
        m.d.comb += [
            self.note.eq(at_data),
            self.context.offset.eq(words[0][:OFFSET_BITS]),
            self.context.label.eq(words[0][OFFSET_BITS:]),
            self.context.last.eq(data_last),
            fetched.row.eq(data_row),
            fetched.inputs.eq(Cat(*words[1:])),
            ahead.w_en.eq(at_data),
            ahead.w_data.eq(Value.cast(fetched)),
            self.points.valid.eq(ahead.r_rdy),
            Value.cast(self.points.payload).eq(ahead.r_data),
            ahead.r_en.eq(self.points.ready),
        ]
        if config.max_streamed_points:
            beyond = Signal()
            m.d.comb += [
                beyond.eq(job_valid & ~job.predict & position[config.point_bits :].any()),
                self.wants_streamed.eq(beyond),
            ]
            with m.If(beyond):
                at_memories = at_order | at_point | at_data
                m.d.comb += issue.eq(self.streamed.valid & room & space & ~at_memories)
                m.d.sync += at_order.eq(0)
                with m.If(issue):
                    self._take_streamed(m, job.row, last, fetched, ahead)
        return m

    def _take_streamed(
        self, m: Module, row: Value, last: Signal, fetched: Any, ahead: SyncFIFO
    ) -> None:
        """The point of the stream takes the place of one that leaves the memories."""
        point = self.streamed.payload
        m.d.comb += [
            self.streamed.ready.eq(1),
            self.note.eq(1),
            self.context.offset.eq(point.offset),
            self.context.label.eq(point.label),
            self.context.last.eq(last),
            fetched.row.eq(row),
            fetched.inputs.eq(point.inputs),
            ahead.w_en.eq(1),
        ]

    def _count(self, m: Module, enters: Value, leaves: Value, most: int) -> Signal:
        """Whether fewer than ``most`` are inside; from a register."""
        inside, room = Signal(range(most + 1)), Signal(init=1)
        following = Signal.like(inside)
        m.d.comb += following.eq(inside + enters - leaves)
        m.d.sync += [inside.eq(following), room.eq(following != most)]
        return room

    def _memories(self, m: Module, address: Any) -> list[Any]:
        """The words of the point at ``address``, one clock later; memories have used bits only."""
        config = self.config
        word_bits = (config.point_words - 1).bit_length()
        words = []
        for i, width in enumerate(word_widths(config)):
            memory = Memory(shape=unsigned(width), depth=config.max_points, init=[])
            m.submodules[f"word{i}"] = memory
            write, read = memory.write_port(), memory.read_port()
            m.d.comb += [
                write.addr.eq(self.load_points.addr[word_bits:]),
                write.data.eq(self.load_points.data),
                write.en.eq(self.load_points.stb & (self.load_points.addr[:word_bits] == i)),
                read.addr.eq(address),
            ]
            words.append(read.data)
        return words
