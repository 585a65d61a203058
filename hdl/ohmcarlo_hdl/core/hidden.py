"""The hidden layer of a network between its two passes through the array."""

from __future__ import annotations

from typing import Any

from amaranth import Module, Signal, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from ohmcarlo.spec import FEATURE_FRAC

from ..config import CoreConfig
from ..lib.fifo import StreamFifo
from .logit import ACTIVATION_BITS


def layer_inputs(config: CoreConfig) -> int:
    """Inputs that the output row of the largest network has, its bias among them."""
    return min(config.max_group_rows, config.max_features)


def hidden_layer(config: CoreConfig) -> data.StructLayout:
    """A finished hidden layer: the inputs of the output row, and the sample's first row."""
    return data.StructLayout(
        {
            "row": config.row_bits,
            "inputs": data.ArrayLayout(signed(ACTIVATION_BITS), layer_inputs(config)),
        }
    )


class HiddenLayer(wiring.Component):
    """Collects the activations of one point after the other into vectors for the output row.

    Units arrive in order; ``hidden`` of them make a layer. Its bias input is then set, its unused
    inputs are zero. There are never more than ``depth`` points between ``start`` and ``layers``.

    Twin: ``golden.likelihood.hidden_layer``.

    Attributes
    ----------
    hidden : In(range(max_group_rows))
        Hidden units.
    start : In(1)
        The next point begins; before its activations.
    row : In(row_bits)
        First row of the sample of that point.
    valid : In(1)
        ``activation`` is valid.
    activation : In(signed(ACTIVATION_BITS))
        Activation of the next unit.
    layers : Out(stream of hidden_layer)
        Finished layers.
    """

    def __init__(self, config: CoreConfig, depth: int) -> None:
        self.config, self.depth = config, depth
        super().__init__(
            {
                "hidden": In(range(config.max_group_rows)),
                "start": In(1),
                "row": In(config.row_bits),
                "valid": In(1),
                "activation": In(signed(ACTIVATION_BITS)),
                "layers": Out(stream.Signature(hidden_layer(config))),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        layout = hidden_layer(self.config)
        inputs = layout["inputs"].shape
        m.submodules.rows = rows = StreamFifo(self.config.row_bits, self.depth)
        m.submodules.vectors = vectors = StreamFifo(inputs, self.depth)

        unit = Signal(range(self.config.max_group_rows))
        collected = Signal(inputs, reset_less=True)
        complete = Signal()
        m.d.sync += complete.eq(0)
        with m.If(self.valid):
            for i in range(layer_inputs(self.config)):
                with m.If(unit == i):
                    m.d.sync += collected[i].eq(self.activation)
            with m.If(unit + 1 >= self.hidden):
                m.d.sync += [unit.eq(0), complete.eq(1)]
            with m.Else():
                m.d.sync += unit.eq(unit + 1)
        for i in range(layer_inputs(self.config)):
            item = vectors.input.payload[i]
            with m.If(self.hidden == i):
                m.d.comb += item.eq(1 << FEATURE_FRAC)
            if i < self.config.max_group_rows - 1:
                with m.Elif(self.hidden > i):
                    m.d.comb += item.eq(collected[i])
        m.d.comb += [
            vectors.input.valid.eq(complete),
            rows.input.payload.eq(self.row),
            rows.input.valid.eq(self.start),
            self.layers.payload.row.eq(rows.output.payload),
            self.layers.payload.inputs.eq(vectors.output.payload),
            self.layers.valid.eq(vectors.output.valid),
            vectors.output.ready.eq(self.layers.ready),
            rows.output.ready.eq(self.layers.ready & vectors.output.valid),
        ]
        return m
