"""The order of accesses: rows, tiles and bit planes of the points under evaluation."""

from __future__ import annotations

from typing import Any

from amaranth import Const, Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from ..array.interface import Op, array_request
from ..config import CoreConfig
from .dot import access_tag
from .fetch import INPUT_BITS, fetched_point
from .hidden import hidden_layer
from .interface import MAX_LOG_REPEATS, REPEAT_BITS


class Issue(wiring.Component):
    """Issues the accesses of dot products, one per clock.

    A dot product visits the tiles that hold inputs, and in each tile the bit planes, least
    significant first; all of them ``2**log_repeats`` times. A point's row (``hidden`` = 0) or its
    hidden rows come from ``points``, its output row from ``layers``; between two rows, a finished
    hidden layer has priority.

    Each access is noted in the clock before its request is offered.

    Twin: the loops of ``golden.likelihood.dot_access`` and ``network_dot``.

    Attributes
    ----------
    features : In(range(max_features + 1))
        Inputs of a point, the bias among them.
    halt : In(1)
        Start no access, and drop the row in progress; an offered request stays.
    points : In(stream of fetched_point)
        Points to evaluate.
    note : Out(1)
        An access is issued.
    tag : Out(access_tag(config))
        Its tag.
    room : In(1)
        Another access may be issued.
    requests : Out(stream of array_request)
        Accesses (DOT).
    hidden : In(range(max_group_rows))
        Hidden units; only with ``max_group_rows`` > 1, like the next two.
    layers : In(stream of hidden_layer)
        Finished hidden layers.
    started : Out(1)
        The last hidden row of the point at ``points`` is under way.
    log_repeats : In(REPEAT_BITS)
        Only with ``repeats`` of the configuration.
    """

    LATENCY = 1

    def __init__(self, config: CoreConfig) -> None:
        self.config = config
        self.networks = config.max_group_rows > 1
        ports: dict[str, Any] = {
            "features": In(range(config.max_features + 1)),
            "halt": In(1),
            "points": In(stream.Signature(fetched_point(config))),
            "note": Out(1),
            "tag": Out(access_tag(config)),
            "room": In(1),
            "requests": Out(stream.Signature(array_request(config))),
        }
        if self.networks:
            ports["hidden"] = In(range(config.max_group_rows))
            ports["layers"] = In(stream.Signature(hidden_layer(config)))
            ports["started"] = Out(1)
        if config.repeats:
            ports["log_repeats"] = In(REPEAT_BITS)
        super().__init__(ports)

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        config = self.config

        # position within the row in progress
        tile = Signal(range(max(config.tiles, 2)))
        plane = Signal(range(max(config.planes, 2)))
        inside, from_layer = Signal(), Signal()  # within a row; its inputs come from a layer
        first_tile_last = self._last_tile(m, "point_last_tile", self.features)
        size = config.tiles * config.tile_pairs
        point_bytes = _bytes(self.points.payload.inputs, size)
        use_layer, go, last_unit = Signal(), Signal(), Signal()
        row = Signal(config.row_bits)
        if self.networks:
            unit = Signal(range(config.max_group_rows))
            layer_last = self._last_tile(m, "layer_last_tile", self.hidden + 1)
            layer_bytes = _bytes(self.layers.payload.inputs, size)
            m.d.comb += [
                use_layer.eq(Mux(inside, from_layer, self.layers.valid)),
                go.eq(Mux(use_layer, self.layers.valid, self.points.valid)),
                last_unit.eq(unit + 1 >= self.hidden),
                row.eq(
                    Mux(
                        use_layer,
                        self.layers.payload.row + self.hidden,
                        self.points.payload.row + unit,
                    )
                ),
            ]
            inputs = [Mux(use_layer, b, a) for a, b in zip(point_bytes, layer_bytes, strict=True)]
            last_tile = tile == Mux(use_layer, layer_last, first_tile_last)
            output = use_layer | (self.hidden == 0)
        else:
            m.d.comb += [go.eq(self.points.valid), last_unit.eq(1), row.eq(self.points.payload.row)]
            inputs = point_bytes
            last_tile = tile == first_tile_last
            output = Value.cast(1)

        # the access
        last_plane = plane == config.planes - 1
        last, move, start = Signal(), Signal(), Signal()
        once, last_time = last_tile & last_plane, self._repeat(m, start, last_tile & last_plane)
        requests = self.requests
        m.d.comb += [
            last.eq(once & last_time),
            move.eq(~requests.valid | requests.ready),
            start.eq(move & go & self.room & ~self.halt),
            self.note.eq(start),
            self.tag.first.eq(~inside),
            self.tag.last.eq(last),
            self.tag.plane.eq(plane),
            self.tag.output.eq(output),
            self.points.ready.eq(start & last & ~use_layer & last_unit),
        ]
        with m.If(move):
            m.d.sync += requests.valid.eq(start)
        with m.If(move):  # the payload is undefined while it is not valid
            m.d.sync += [
                requests.payload.op.eq(Op.DOT),
                requests.payload.row.eq(row),
                requests.payload.tile.eq(tile),
                requests.payload.top.eq(last_plane),
            ]
            for i in range(config.tile_pairs):
                byte = Signal(INPUT_BITS, name=f"byte{i}")
                m.d.comb += byte.eq(_chosen(inputs[i :: config.tile_pairs], tile))
                bits = byte.word_select(plane, config.access_bits) if config.planes > 1 else byte
                m.d.sync += requests.payload.inputs[i].eq(bits)

        # next position
        with m.If(start):
            m.d.sync += [
                inside.eq(~last),
                from_layer.eq(use_layer),
                plane.eq(Mux(last_plane, 0, plane + 1)),
            ]
            with m.If(last_plane):
                m.d.sync += tile.eq(Mux(last_tile, 0, tile + 1))
        if self.networks:
            m.d.comb += [
                self.layers.ready.eq(start & last & use_layer),
                self.started.eq(self.points.ready & (self.hidden != 0)),
            ]
            with m.If(start & last & ~use_layer):
                m.d.sync += unit.eq(Mux(last_unit, 0, unit + 1))
            with m.If(self.halt):
                m.d.sync += unit.eq(0)
        with m.If(self.halt):
            m.d.sync += [inside.eq(0), plane.eq(0), tile.eq(0)]
        return m

    def _repeat(self, m: Module, start: Signal, once: Value) -> Value:
        """Whether the accesses of the dot product are issued for the last time."""
        if not self.config.repeats:
            return Const(1)
        done, final = Signal(MAX_LOG_REPEATS), Signal(MAX_LOG_REPEATS)
        m.d.sync += final.eq((1 << self.log_repeats) - 1)
        last_time = done == final
        with m.If(self.halt):
            m.d.sync += done.eq(0)
        with m.Elif(start & once):
            m.d.sync += done.eq(Mux(last_time, 0, done + 1))
        return last_time

    def _last_tile(self, m: Module, name: str, inputs: Value) -> Signal:
        """The last tile that a row with so many ``inputs`` needs; settings are constant."""
        last_tile = Signal(range(max(self.config.tiles, 2)), name=name)
        firsts = range(self.config.tile_pairs, self.config.max_features, self.config.tile_pairs)
        m.d.sync += last_tile.eq(sum((inputs > first for first in firsts), Const(0)))
        return last_tile


def _bytes(inputs: Any, size: int) -> list[Value]:
    """Input vector as ``size`` bytes, zeros behind it."""
    count = len(inputs)
    return [inputs[i].as_unsigned() if i < count else Const(0, INPUT_BITS) for i in range(size)]


def _chosen(options: list[Value], index: Value) -> Value:
    """``options[index]``."""
    value = options[-1]
    for i in range(len(options) - 2, -1, -1):
        value = Mux(index == i, options[i], value)
    return value
