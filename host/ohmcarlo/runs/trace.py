"""The decisions and samples of a run, in the forms that statistics need."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..boards.base import Block
from ..spec import LOGLIK_FRAC


@dataclass(frozen=True, eq=False)
class Trace:
    """Decisions step by step, samples in order.

    Equal seeds give equal traces on every backend, however often the run was interrupted.

    Attributes
    ----------
    accepted : bool (steps of all chains,)
        Decision of each step, in execution order.
    log_posterior : int64 (steps of all chains,)
        Of the current sample after each step, LSB 2**-LOGLIK_FRAC nat.
    chain : uint8 (steps of all chains,)
    codes : uint16 (samples, devices)
        Retired samples in the order they were retired, then each chain's current one.
    multiplicity : int32 (samples,)
        Steps that each sample was current; a chain's first sample counts its start as one.
    sample_chain : uint8 (samples,)
    """

    accepted: NDArray[np.bool_]
    log_posterior: NDArray[np.int64]
    chain: NDArray[np.uint8]
    codes: NDArray[np.uint16]
    multiplicity: NDArray[np.int32]
    sample_chain: NDArray[np.uint8]

    @classmethod
    def of(
        cls,
        streamed: Block,
        current: tuple[NDArray[np.uint16], NDArray[np.int32], NDArray[np.int64]],
    ) -> Trace:
        """The blocks of a board, followed by ``Board.current()``."""
        codes, multiplicity, _ = current
        return cls(
            accepted=streamed.accepted,
            log_posterior=streamed.log_posterior,
            chain=streamed.chain,
            codes=np.concatenate([streamed.codes, codes]),
            multiplicity=np.concatenate([streamed.multiplicity, multiplicity]),
            sample_chain=np.concatenate(
                [streamed.sample_chain, np.arange(len(codes), dtype=np.uint8)]
            ),
        )

    def arrays(self) -> dict[str, NDArray[Any]]:
        """The arrays of a trace file, by name."""
        return {f.name: getattr(self, f.name) for f in fields(self)}

    @classmethod
    def from_arrays(cls, arrays: dict[str, NDArray[Any]]) -> Trace:
        """Raises KeyError or ValueError when ``arrays`` are not those of a trace."""
        trace = cls(**{f.name: arrays[f.name] for f in fields(cls)})
        steps, samples = len(trace.accepted), len(trace.codes)
        if not steps == len(trace.log_posterior) == len(trace.chain):
            raise ValueError("its steps are incomplete")
        if trace.codes.ndim != 2 or not samples == len(trace.multiplicity) == len(
            trace.sample_chain
        ):
            raise ValueError("its samples are incomplete")
        return trace

    @property
    def chains(self) -> int:
        return int(self.sample_chain.max()) + 1

    @property
    def steps(self) -> int:
        """Steps that every chain has made."""
        return int(np.bincount(self.chain, minlength=self.chains).min())

    def log_posterior_nat(self) -> NDArray[np.float64]:
        """float64 (chains, steps), nat."""
        rows = [self.log_posterior[self.chain == c][: self.steps] for c in range(self.chains)]
        return np.stack(rows) / 2.0**LOGLIK_FRAC

    def accepted_by_chain(self) -> NDArray[np.bool_]:
        """bool (chains, steps)."""
        rows = [self.accepted[self.chain == c][: self.steps] for c in range(self.chains)]
        return np.stack(rows)

    def draws(self) -> NDArray[np.int64]:
        """Index of the current sample after each step: int64 (chains, steps)."""
        return np.stack([self._chain_draws(c)[: self.steps] for c in range(self.chains)])

    def _chain_draws(self, chain: int) -> NDArray[np.int64]:
        samples = np.flatnonzero(self.sample_chain == chain)
        # the first sample is the state before any step
        return np.repeat(samples, self.multiplicity[samples])[1:]

    def after(
        self, burn_in: int, most: int | None = None
    ) -> tuple[NDArray[np.uint16], NDArray[np.int64]]:
        """Samples that were current after the first ``burn_in`` steps of every chain, and for
        how many steps: uint16 (n, devices), int64 (n,).

        ``most``: only that many steps of each chain, at equal distances.
        """
        draws = self.draws()[:, burn_in:]
        steps = draws.shape[1]
        if most is not None and steps > most:
            draws = draws[:, np.linspace(0, steps - 1, most).astype(np.int64)]
        counts = np.bincount(draws.ravel(), minlength=len(self.codes))
        kept = np.flatnonzero(counts)
        return self.codes[kept], counts[kept].astype(np.int64)
