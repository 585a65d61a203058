"""The streams of the controller as one stream of words: group ``records`` of the register map."""

from __future__ import annotations

from typing import Any

from amaranth import Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from ohmcarlo.spec.link import (
    ACCEPTED_WORDS,
    PREDICTION_WORDS,
    RECORD_KIND_SHIFT,
    RECORD_PREDICTION,
    RECORD_SAMPLE,
    RECORD_STEP,
    SAMPLE_HEADER_WORDS,
    SAMPLE_WORDS_BITS,
    STEP_ACCEPTED_SHIFT,
    STEP_REGION_SHIFT,
    STEP_VALID_SHIFT,
)

from ..config import REFERENCE, CoreConfig
from ..core.interface import PREDICTION, RECORD_WORD, step_record

WORD_BITS = 32


class RecordMerger(wiring.Component):
    """Merges the records of steps, samples and predictions; a record is never interrupted.

    If records wait together, the step goes first and the prediction last. One word per clock; the
    first word of a sample or prediction costs a clock of its own.

    Attributes
    ----------
    steps : In(stream of step_record)
        Results of steps.
    samples : In(stream of RECORD_WORD)
        Words of sample records.
    predictions : In(stream of PREDICTION)
        Sums of data points.
    sample_pairs : In(range(max_sample_pairs + 1))
        Device pairs of a sample.
    words : Out(stream of 32-bit words)
        All records.
    kind : Out(range(RECORD_PREDICTION + 1))
        Kind of the record that the offered word belongs to.
    last : Out(1)
        The offered word is the last one of its record.
    between : Out(1)
        No record is under way.
    """

    def __init__(self, config: CoreConfig = REFERENCE) -> None:
        self.config = config
        super().__init__(
            {
                "steps": In(stream.Signature(step_record(config))),
                "samples": In(stream.Signature(RECORD_WORD)),
                "predictions": In(stream.Signature(PREDICTION)),
                "sample_pairs": In(range(config.max_sample_pairs + 1)),
                "words": Out(stream.Signature(WORD_BITS)),
                "kind": Out(range(RECORD_PREDICTION + 1)),
                "last": Out(1),
                "between": Out(1),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        step, prediction, words = self.steps.payload, self.predictions.payload, self.words
        length = Signal(SAMPLE_WORDS_BITS)
        index = Signal(range(PREDICTION_WORDS))
        # a first word that was offered stays until it is taken
        held = Signal(range(RECORD_PREDICTION + 1))
        m.d.comb += length.eq(self.sample_pairs + SAMPLE_HEADER_WORDS)

        def kind(number: int) -> int:
            return number << RECORD_KIND_SHIFT

        with m.FSM(name="state"):
            with m.State("FIRST"):
                m.d.comb += self.between.eq(1)
                m.d.sync += [index.eq(0), held.eq(0)]
                with m.If(self.steps.valid & (held == 0)):
                    m.d.comb += [
                        words.valid.eq(1),
                        words.payload.eq(
                            kind(RECORD_STEP)
                            | step.points
                            | step.region << STEP_REGION_SHIFT
                            | step.accepted << STEP_ACCEPTED_SHIFT
                            | step.valid << STEP_VALID_SHIFT
                        ),
                        self.kind.eq(RECORD_STEP),
                        self.last.eq(~step.accepted),
                        self.steps.ready.eq(words.ready & ~step.accepted),
                    ]
                    with m.If(words.ready & step.accepted):
                        m.next = "STEP"
                with m.Elif(self.samples.valid & (held != RECORD_PREDICTION)):
                    m.d.comb += [
                        words.valid.eq(1),
                        words.payload.eq(kind(RECORD_SAMPLE) | length),
                        self.kind.eq(RECORD_SAMPLE),
                    ]
                    m.d.sync += held.eq(Mux(words.ready, 0, RECORD_SAMPLE))
                    with m.If(words.ready):
                        m.next = "SAMPLE"
                with m.Elif(self.predictions.valid):
                    m.d.comb += [
                        words.valid.eq(1),
                        words.payload.eq(kind(RECORD_PREDICTION)),
                        self.kind.eq(RECORD_PREDICTION),
                    ]
                    m.d.sync += held.eq(Mux(words.ready, 0, RECORD_PREDICTION))
                    with m.If(words.ready):
                        m.next = "PREDICTION"
            with m.State("STEP"):
                m.d.comb += [
                    words.valid.eq(1),
                    self.kind.eq(RECORD_STEP),
                    self.last.eq(index == ACCEPTED_WORDS - 1),
                ]
                with m.Switch(index[0]):
                    with m.Case(0):
                        m.d.comb += words.payload.eq(step.loglik)
                    with m.Case(1):
                        m.d.comb += words.payload.eq(step.prior)
                with m.If(words.ready):
                    m.d.sync += index.eq(index + 1)
                    with m.If(index == ACCEPTED_WORDS - 1):
                        m.d.comb += self.steps.ready.eq(1)
                        m.next = "FIRST"
            with m.State("SAMPLE"):
                m.d.comb += [
                    words.valid.eq(self.samples.valid),
                    words.payload.eq(self.samples.payload.word),
                    self.kind.eq(RECORD_SAMPLE),
                    self.last.eq(self.samples.payload.last),
                    self.samples.ready.eq(words.ready),
                ]
                with m.If(words.valid & words.ready & self.samples.payload.last):
                    m.next = "FIRST"
            with m.State("PREDICTION"):
                halves = (
                    half
                    for value in (prediction.sum, prediction.square)
                    for half in (value[:WORD_BITS], value[WORD_BITS:])
                )
                m.d.comb += [
                    words.valid.eq(1),
                    self.kind.eq(RECORD_PREDICTION),
                    self.last.eq(index == PREDICTION_WORDS - 1),
                ]
                with m.Switch(index):
                    for number, half in enumerate(halves):
                        with m.Case(number):
                            m.d.comb += words.payload.eq(half)
                with m.If(words.ready):
                    m.d.sync += index.eq(index + 1)
                    with m.If(index == PREDICTION_WORDS - 1):
                        m.d.comb += self.predictions.ready.eq(1)
                        m.next = "FIRST"
        return m
