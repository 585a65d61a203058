"""The decisions and samples of a run, in the forms that statistics need."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..boards.base import Block
from ..diagnostics import expected_longest_stay, expected_stay, longest_stay
from ..spec import LOGLIK_FRAC
from .thinning import LongBlock

LONG = "long."
"""Prefix of the arrays that only the trace of a long run has."""


@dataclass(frozen=True, eq=False)
class Long:
    """What is known of the steps that the trace of a long run does not hold.

    Attributes
    ----------
    every : int
        Steps of a chain from one step of the trace to the next.
    steps, accepted : int
        All steps of all chains, and those that were accepted.
    stays, moves : int32 (steps of the trace,)
        Longest stay that ended since the step of the trace before, in steps, and steps accepted
        since then.
    """

    every: int
    steps: int
    accepted: int
    stays: NDArray[np.int32]
    moves: NDArray[np.int32]


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
    long : Long or None
        The trace holds steps at equal distances, and counts these only (``thinning``).
    """

    accepted: NDArray[np.bool_]
    log_posterior: NDArray[np.int64]
    chain: NDArray[np.uint8]
    codes: NDArray[np.uint16]
    multiplicity: NDArray[np.int32]
    sample_chain: NDArray[np.uint8]
    long: Long | None = None

    @classmethod
    def of(
        cls,
        streamed: Block,
        current: tuple[NDArray[np.uint16], NDArray[np.int32], NDArray[np.int64]],
    ) -> Trace:
        """The blocks of a board, followed by ``Board.current()``."""
        codes, multiplicity, _ = current
        long: Long | None = None
        if isinstance(streamed, LongBlock):
            multiplicity, long = streamed.kept_multiplicity(multiplicity), _long_of(streamed)
        return cls(
            accepted=streamed.accepted,
            log_posterior=streamed.log_posterior,
            chain=streamed.chain,
            codes=np.concatenate([streamed.codes, codes]),
            multiplicity=np.concatenate([streamed.multiplicity, multiplicity]),
            sample_chain=np.concatenate(
                [streamed.sample_chain, np.arange(len(codes), dtype=np.uint8)]
            ),
            long=long,
        )

    def arrays(self) -> dict[str, NDArray[Any]]:
        """The arrays of a trace file, by name."""
        found = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "long"}
        if self.long is not None:
            found |= {LONG + f.name: np.asarray(getattr(self.long, f.name)) for f in fields(Long)}
        return found

    @classmethod
    def from_arrays(cls, arrays: dict[str, NDArray[Any]]) -> Trace:
        """Raises KeyError or ValueError when ``arrays`` are not those of a trace."""
        trace = cls(
            **{f.name: arrays[f.name] for f in fields(cls) if f.name != "long"},
            long=_stored_long(arrays, len(arrays["accepted"])),
        )
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
    def every(self) -> int:
        """Steps of a chain from one step of the trace to the next: 1, except for a long run."""
        return 1 if self.long is None else self.long.every

    @property
    def all_steps(self) -> int:
        """Steps of all chains, those included that the trace does not hold."""
        return len(self.accepted) if self.long is None else self.long.steps

    @property
    def all_accepted(self) -> int:
        """Accepted steps among ``all_steps``."""
        return int(self.accepted.sum()) if self.long is None else self.long.accepted

    @property
    def acceptance_rate(self) -> float:
        """Accepted share of all steps."""
        if self.long is None:
            return float(self.accepted.mean())
        return self.long.accepted / self.long.steps

    @property
    def steps(self) -> int:
        """Steps of every chain that the trace holds."""
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

    def stays(self, burn_in: int) -> tuple[int, float]:
        """Longest stay at one sample after the first ``burn_in`` steps of the trace, in steps, and
        the one that is expected. A stay that lasts to the end of a long run counts from the first
        step of the trace after its begin."""
        if self.long is None:
            current = self.draws()[:, burn_in:]
            return longest_stay(current), expected_longest_stay(current)
        own = [np.flatnonzero(self.chain == c)[burn_in : self.steps] for c in range(self.chains)]
        after = np.concatenate(own)
        moves, chances = int(self.long.moves[after].sum()), len(after) * self.long.every
        ended = int(self.long.stays[after].max())
        lasting = self.long.every * max(_last_zeros(self.long.moves[steps]) for steps in own)
        return max(ended, lasting), expected_stay(moves, chances, self.chains)


def _last_zeros(values: NDArray[np.int32]) -> int:
    """Length of the run of zeros at the end."""
    return int(np.argmax(np.append(values[::-1], 1) != 0))


def _long_of(streamed: LongBlock) -> Long:
    total = streamed.total
    return Long(streamed.every, total.steps, total.accepted, streamed.stays, streamed.moves)


def _stored_long(arrays: dict[str, NDArray[Any]], steps: int) -> Long | None:
    """Raises KeyError or ValueError when the arrays are not those of a long trace."""
    if LONG + "every" not in arrays:
        return None
    kinds: dict[str, Any] = dict.fromkeys(("every", "steps", "accepted"), int)
    values = {f.name: kinds.get(f.name, np.asarray)(arrays[LONG + f.name]) for f in fields(Long)}
    found = Long(**values)
    if found.every < 1 or not steps == len(found.stays) == len(found.moves):
        raise ValueError("its sums between steps are incomplete")
    return found
