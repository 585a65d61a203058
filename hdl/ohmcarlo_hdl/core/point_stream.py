"""Data points beyond the data memory: from a stream of words to points, pass by pass."""

from __future__ import annotations

from typing import Any

from amaranth import Cat, Module, Signal, Value, signed, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from ..config import CoreConfig

WORD_BITS = 32
INPUT_BITS = 8
OFFSET_BITS = 16
LABEL_BITS = 2
WORD_INPUTS = 4
"""Inputs in one 32-bit word of the data memory."""

POINT_WORD = data.StructLayout({"word": unsigned(WORD_BITS), "last": unsigned(1)})
"""A word of a data point, in the order of the window ``points``; ``last`` closes a pass."""


def word_widths(config: CoreConfig) -> list[int]:
    """Used bits of the words of a point, the first word first; the words after them are not used.

    Word 0 is ``{offset [15:0], label [17:16]}``, the words after it hold four int8 inputs each.
    """
    widths = [OFFSET_BITS + LABEL_BITS]
    for first in range(0, config.max_features, WORD_INPUTS):
        widths.append(INPUT_BITS * min(WORD_INPUTS, config.max_features - first))
    return widths


def data_point(config: CoreConfig) -> data.StructLayout:
    """A point as its words hold it."""
    inputs = data.ArrayLayout(signed(INPUT_BITS), config.max_features)
    return data.StructLayout(
        {"offset": signed(OFFSET_BITS), "label": unsigned(LABEL_BITS), "inputs": inputs}
    )


class PointStream(wiring.Component):
    """Supplies the points of an evaluation from position ``max_points`` on, one word per clock.

    A pass contains the words of these points once, in the order of their positions, and ends with
    ``last``. An evaluation takes nothing from the stream before it ``wants`` its first point. Once
    it has taken a word, its pass is taken to the end, and the rest is dropped if the evaluation
    ends early. A source may therefore repeat the pass for ever.

    ``wrong_length`` lasts one clock: ``last`` came early, within a point, or late. No point is
    supplied from then on, until ``restart``. After a restart, words are dropped without a check up
    to the next ``last``, so that passes are found whether the source was restarted or not.

    Attributes
    ----------
    words : In(stream of POINT_WORD)
        Words of the points.
    points_used : In(position_bits + 1)
        Data points of an evaluation.
    wants : In(1)
        An evaluation needs a point of the stream next.
    drop : In(1)
        The evaluation has ended early.
    restart : In(1)
        Everything is reset; the place within a pass is not known any more.
    points : Out(stream of data_point)
        Points, in order; withdrawn by ``drop``.
    busy : Out(1)
        A pass has begun, and its end was not taken yet.
    wrong_length : Out(1)
        The pass has another number of words than an evaluation needs.
    """

    def __init__(self, config: CoreConfig) -> None:
        self.config = config
        super().__init__(
            {
                "words": In(stream.Signature(POINT_WORD)),
                "points_used": In(config.position_bits + 1),
                "wants": In(1),
                "drop": In(1),
                "restart": In(1),
                "points": Out(stream.Signature(data_point(config))),
                "busy": Out(1),
                "wrong_length": Out(1),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        config = self.config
        index = Signal(range(config.point_words))
        left = Signal(config.position_bits + 1)  # points of the pass after the present one
        begun = Signal()  # a word of the pass was taken
        taken, ended, right, full, failed = Signal(), Signal(), Signal(), Signal(), Signal()
        whole = index == config.point_words - 1
        m.d.comb += [
            taken.eq(self.words.valid & self.words.ready),
            ended.eq(taken & self.words.payload.last),
            right.eq(self.words.payload.last == (whole & (left == 0))),
            self.points.valid.eq(full),
        ]
        self._keep(m, index, taken)
        with m.If(taken):
            m.d.sync += [index.eq(index + 1), begun.eq(1)]
            with m.If(whole):
                m.d.sync += left.eq(left - 1)
        m.d.sync += self.wrong_length.eq(0)
        with m.If(self.points.ready):
            m.d.sync += full.eq(0)

        def checked() -> None:
            """A wrong length has priority over what the state does."""
            m.d.comb += self.busy.eq(begun)
            with m.If(ended):
                m.next = "BETWEEN"
            with m.If(taken & ~right):
                m.d.sync += [failed.eq(1), full.eq(0), self.wrong_length.eq(1)]
            with m.If((taken & ~right & ~ended) | self.restart):
                m.next = "SKIP"

        with m.FSM(name="state"):
            with m.State("BETWEEN"):
                m.d.sync += [
                    index.eq(0),
                    left.eq(self.points_used - config.max_points - 1),
                    begun.eq(0),
                ]
                with m.If(self.wants & ~full & ~failed & ~self.drop):
                    m.next = "TAKE"
                with m.If(self.restart):
                    m.next = "SKIP"
            with m.State("TAKE"):
                m.d.comb += self.words.ready.eq(~full | self.points.ready)
                with m.If(taken & whole):
                    m.d.sync += full.eq(1)
                with m.If(self.drop):
                    m.next = "BETWEEN"
                    with m.If(begun | taken):
                        m.next = "DROP"
                checked()
            with m.State("DROP"):
                m.d.comb += self.words.ready.eq(1)
                checked()
            with m.State("SKIP"):
                m.d.comb += self.words.ready.eq(1)
                with m.If(ended & ~self.restart):
                    m.next = "BETWEEN"
        with m.If(self.drop | self.restart):
            m.d.sync += full.eq(0)
        with m.If(self.restart):
            m.d.sync += [failed.eq(0), self.wrong_length.eq(0)]
        return m

    def _keep(self, m: Module, index: Signal, taken: Signal) -> None:
        """Registers of the words of a point; the padding behind them is not kept."""
        words = []
        for i, width in enumerate(word_widths(self.config)):
            word = Signal(width, name=f"word{i}", reset_less=True)
            with m.If(taken & (index == i)):
                m.d.sync += word.eq(self.words.payload.word)
            words.append(word)
        m.d.comb += Value.cast(self.points.payload).eq(Cat(*words))
