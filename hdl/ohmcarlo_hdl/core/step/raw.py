"""Raw operations: one operation of the array for software, while no chain runs."""

from __future__ import annotations

from typing import Any

from amaranth import Module, Signal, Value

from ...array.interface import request_of
from .parts import Parts


class RawOperation:
    """Offers the operation in ``commands.raw_operation`` to the arbiter and keeps its reading.

    Parameters
    ----------
    m : Module
        The module that holds the logic.
    ports : StepController
        Its commands and its status.
    """

    def __init__(self, m: Module, ports: Any, parts: Parts) -> None:
        self._valid = ports.status.raw_valid
        self._waiting = Signal(name="raw_waiting")
        request, reading = parts.blocks.arbiter.raw, parts.blocks.router.raw
        m.d.comb += [reading.ready.eq(1), request.valid.eq(self._waiting)]
        operation = ports.commands.raw_operation
        m.d.comb += Value.cast(request.payload).eq(
            request_of(
                ports.config,
                op=operation.op,
                row=operation.row,
                device=operation.device,
                dac=operation.dac,
            )
        )
        with m.If(reading.valid):
            m.d.sync += [ports.status.raw_result.eq(reading.payload.value), self._valid.eq(1)]

    def begin(self) -> list[Any]:
        """Statements of the sync domain: the operation is offered."""
        return [self._valid.eq(0), self._waiting.eq(1)]

    def taken(self) -> Any:
        """Statement of the sync domain: the arbiter took the operation."""
        return self._waiting.eq(0)

    def done(self) -> Any:
        """Statement of the sync domain: the operation is done."""
        return self._valid.eq(1)
