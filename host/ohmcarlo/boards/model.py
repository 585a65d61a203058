"""The golden model as a board: in this process, over any array."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import __version__
from ..array.base import Array, Ledger
from ..array.read_noise import DOT_PRODUCTS
from ..diagnostics import min_entropy_mcv
from ..errors import UsageError
from ..golden import ENTROPY_ALARM as ALARM_STATUS
from ..golden import EXHAUSTED as EXHAUSTED_STATUS
from ..golden import RUNNING as RUNNING_STATUS
from ..golden import Controller, EpisodeLikelihood, Registers, Thresholds, Triage
from ..spec import SYMBOL_BITS, Points
from .base import ENTROPY_ALARM, EXHAUSTED, RUNNING, Block, require_reloadable

STATUS = {
    RUNNING_STATUS: RUNNING,
    EXHAUSTED_STATUS: EXHAUSTED,
    ALARM_STATUS: ENTROPY_ALARM,
}


class ModelBoard:
    """``Board`` backed by ``ohmcarlo.golden``."""

    name = "model"
    pseudo_random = True  # computed, for any array
    clock_hz = None
    dot_products: tuple[str, ...] = DOT_PRODUCTS

    def __init__(self, array: Array) -> None:
        self.array = array
        self.geometry = array.geometry
        self._controller: Controller | None = None

    @property
    def ledger(self) -> Ledger:
        return self.array.ledger

    streamed = None

    def clock_cycles(self) -> None:
        return None

    @property
    def controller(self) -> Controller:
        """The configured controller; raises UsageError before ``configure``."""
        if self._controller is None:
            raise UsageError("the board is not configured: call configure() first")
        return self._controller

    def identify(self) -> dict[str, Any]:
        return {
            "backend": self.name,
            "version": __version__,
            "array": self.array.name,
            "rows": self.geometry.rows,
            "pairs": self.geometry.pairs,
        }

    def configure(
        self, registers: Registers, points: Points, judge: EpisodeLikelihood | None = None
    ) -> None:
        self._controller = Controller(registers, self.array, points, judge)
        self.geometry = registers.geometry

    def reload(self, registers: Registers, points: Points) -> None:
        before = self.controller
        require_reloadable(before.external is not None)
        registers.require_array_of(before.registers)
        rest = registers.without_rows(before.bad_rows())
        self._controller = Controller(rest, self.array, points)

    def start(self) -> None:
        self.controller.start()

    def run(self, steps: int) -> Block:
        out, status = self.controller.run(steps)
        n, m = (int(v) for v in out.cursor)
        return Block(
            accepted=out.accepted[:n],
            valid=out.valid[:n],
            log_posterior=out.log_posterior[:n],
            chain=out.chain[:n],
            points=out.points[:n],
            codes=out.codes[:m].copy(),  # the buffer has room for one sample per step
            multiplicity=out.multiplicity[:m],
            sample_chain=out.sample_chain[:m],
            sample_log_posterior=out.sample_log_posterior[:m],
            status=STATUS[status],
        )

    def current(self) -> tuple[NDArray[np.uint16], NDArray[np.int32], NDArray[np.int64]]:
        state = self.controller.state
        log_posterior = state.loglik + state.prior
        return (
            state.codes.astype(np.uint16),
            state.multiplicity.astype(np.int32),
            log_posterior,
        )

    def set_order(self, order: NDArray[np.int32]) -> None:
        self.controller.set_order(order)

    def predict(self, points: Points) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        return self.controller.predict(points)

    def triage(self, points: Points, thresholds: Thresholds) -> Triage:
        return self.controller.triage(points, thresholds)

    def entropy(self) -> dict[str, Any]:
        counters = self.controller.entropy()
        per_symbol = min_entropy_mcv(counters.pop("symbol_counts"))
        return {"min_entropy": per_symbol / SYMBOL_BITS, **counters}

    def link_statistics(self) -> None:
        return None

    def retired_rows(self) -> list[int]:
        return self.controller.bad_rows()

    def state_dict(self) -> dict[str, NDArray[Any]]:
        return self.controller.state_dict()

    def counters(self) -> dict[str, NDArray[Any]]:
        return {}

    def load_state_dict(self, state: dict[str, NDArray[Any]]) -> None:
        self.controller.load_state_dict(state)

    def close(self) -> None: ...
