"""What the stages of an adaptation have found; enough to go on after any of them."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...boards import Board
from .choice import Proposal

STATE = "board."  # prefix of the state of the board
CHOICE = "choice"
SAMPLES = 512
"""Samples of a stage that are kept."""


@dataclass(frozen=True, eq=False)
class StageResult:
    """One stage.

    Attributes
    ----------
    rho : float
    steps : int
        Of every chain.
    acceptance : float
    log_posterior : float
        Mean over the samples that count, nat.
    width : float
        Root mean square of a weight in the coordinates that follow from the stage; 1 if they fit.
        ``NO_WIDTH`` for the pilot of a network, which fits none.
    usual : bool
        Whether the samples of a pilot stage suit the usual proposal; true for all other stages.
    points : int
        Points evaluated by its steps, those of the prior among them.
    samples : float64 (SAMPLES, m)
        Samples of the weights that count, evenly from all of them.
    curvature : float64 (n,)
        Mean of p (1 - p) of every training point over the samples held in the array.
    """

    rho: float
    steps: int
    acceptance: float
    log_posterior: float
    width: float
    usual: bool
    points: int
    samples: NDArray[np.float64]
    curvature: NDArray[np.float64]


NO_WIDTH = 1.0
SCALARS = {
    "rho": float,
    "steps": int,
    "acceptance": float,
    "log_posterior": float,
    "width": float,
    "usual": bool,
    "points": int,
}
VECTORS = ("samples", "curvature")
COUNTS = ("before", "after")


@dataclass
class Record:
    """The stages of a run so far.

    Attributes
    ----------
    stages : list of StageResult
    seconds : float
        Time that the board took.
    proposal : Proposal or None
        Of the sampling chain; None until the last stage is made.
    before, after : int64 or None
        ``Ledger.counts`` before the first stage and after the last one.
    state_stages : int
        Stages that were made when the state was read.
    state : dict
        State of the board then, with the next chain loaded and not started; empty: not read.
    """

    stages: list[StageResult] = field(default_factory=list)
    seconds: float = 0.0
    proposal: Proposal | None = None
    before: NDArray[np.int64] | None = None
    after: NDArray[np.int64] | None = None
    state_stages: int = 0
    state: dict[str, NDArray[Any]] = field(default_factory=dict)

    @contextmanager
    def counting(self, board: Board) -> Iterator[None]:
        """Count the time and the operations of the board inside the block as those of a stage."""
        began = time.perf_counter()
        if self.before is None:
            self.before = board.ledger.counts.copy()
        yield
        self.after = board.ledger.counts.copy()
        self.seconds += time.perf_counter() - began

    @property
    def log_posteriors(self) -> list[float]:
        """Mean log-posterior of every stage, nat."""
        return [stage.log_posterior for stage in self.stages]

    @property
    def steps(self) -> int:
        """Steps of every chain in all stages."""
        return sum(stage.steps for stage in self.stages)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Arrays for a file of the run, by name."""
        names = (*SCALARS, *VECTORS)
        found = {name: np.array([getattr(s, name) for s in self.stages]) for name in names}
        found["seconds"] = np.array(self.seconds)
        found["state_stages"] = np.array(self.state_stages)
        found |= {n: v for n in COUNTS if (v := getattr(self, n)) is not None}
        if self.proposal is not None:
            p = self.proposal
            found[CHOICE] = np.array([p.rho, p.gamma_us, p.ess_per_1000_steps])
        return found | {STATE + name: value for name, value in self.state.items()}

    @classmethod
    def of(cls, arrays: Mapping[str, NDArray[Any]]) -> Record:
        """Restore a record; KeyError, TypeError, ValueError or IndexError otherwise."""
        stages = []
        for i in range(len(arrays["steps"])):
            values: dict[str, Any] = {n: kind(arrays[n][i]) for n, kind in SCALARS.items()}
            values |= {name: np.array(arrays[name][i], np.float64) for name in VECTORS}
            stages.append(StageResult(**values))
        chosen = arrays.get(CHOICE)
        counts = {n: np.array(arrays[n], np.int64) for n in COUNTS if n in arrays}
        return cls(
            stages=stages,
            seconds=float(arrays["seconds"]),
            state_stages=int(arrays["state_stages"]),
            proposal=None if chosen is None else Proposal(*(float(v) for v in chosen)),
            **counts,
            state={
                name.removeprefix(STATE): value
                for name, value in arrays.items()
                if name.startswith(STATE)
            },
        )

    def to_dict(self) -> dict[str, Any]:
        """Values for the JSON of a run."""
        return {
            "steps": self.steps,
            "seconds": self.seconds,
            "stages": [{name: getattr(s, name) for name in SCALARS} for s in self.stages],
            "expected_ess_per_1000_steps": None
            if self.proposal is None
            else self.proposal.ess_per_1000_steps,
        }
