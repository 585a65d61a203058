"""Readings that nobody waits for any more."""

from __future__ import annotations

from typing import Any

from amaranth import Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from ..config import CoreConfig
from .interface import Op, array_request, array_response


class OwedReadings(wiring.Component):
    """Drops the readings that an array still owes when its controller is restarted.

    It lies between the controller and an array that is not restarted with it. Both streams pass
    combinationally. The readings of all requests that were taken up to a restart, the clock of the
    restart included, do not reach the controller.

    Parameters
    ----------
    config : CoreConfig
    most : int
        Readings that the array may owe, at most.

    Attributes
    ----------
    requests : In(stream of array_request)
        Operations of the controller.
    array_requests : Out(stream of array_request)
        The same operations, to the array.
    array_responses : In(stream of array_response)
        Readings of the array.
    responses : Out(stream of array_response)
        Those of them that the controller waits for.
    restart : In(1)
        The controller is restarted.
    """

    def __init__(self, config: CoreConfig, most: int = 255) -> None:
        self.most = most
        requests, responses = array_request(config), array_response(config)
        super().__init__(
            {
                "requests": In(stream.Signature(requests)),
                "array_requests": Out(stream.Signature(requests)),
                "array_responses": In(stream.Signature(responses)),
                "responses": Out(stream.Signature(responses)),
                "restart": In(1),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        requests, there = self.requests, self.array_requests
        responses, back = self.responses, self.array_responses
        owed, following = Signal(range(self.most + 1)), Signal(range(self.most + 1))
        late, drops = Signal(range(self.most + 1)), Signal()
        asks, answers = Signal(), Signal()
        m.d.comb += [
            there.payload.eq(requests.payload),
            there.valid.eq(requests.valid),
            requests.ready.eq(there.ready),
            responses.payload.eq(back.payload),
            responses.valid.eq(back.valid & ~drops),
            back.ready.eq(responses.ready | drops),
            asks.eq(
                there.valid
                & there.ready
                & ((there.payload.op == Op.READ) | (there.payload.op == Op.DOT))
            ),
            answers.eq(back.valid & back.ready),
            following.eq(owed + asks - answers),
        ]
        remaining = Signal.like(late)
        m.d.comb += remaining.eq(Mux(self.restart, following, late - (answers & drops)))
        m.d.sync += [owed.eq(following), late.eq(remaining), drops.eq(remaining != 0)]
        return m
