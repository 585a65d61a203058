"""What a run of a sampler gives, and its effective samples per second.

Every sampler draws from the same posterior, on one core. The time of a run is that of the
processor, because other work on the computer does not change it. The elapsed time is kept, too.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from statistics import median, quantiles
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ohmcarlo.diagnostics import ess, rhat, tail_ess

RHAT_LIMIT = 1.01


@dataclass(frozen=True)
class Seconds:
    """A duration: of the processor, and elapsed."""

    cpu: float = 0.0
    wall: float = 0.0

    def __add__(self, other: Seconds) -> Seconds:
        return Seconds(self.cpu + other.cpu, self.wall + other.wall)

    def times(self, factor: float) -> Seconds:
        return Seconds(self.cpu * factor, self.wall * factor)


class Stopwatch:
    """Durations of parts of a program, by name."""

    def __init__(self) -> None:
        self.seconds: dict[str, Seconds] = {}

    @contextmanager
    def time(self, name: str) -> Iterator[None]:
        """Add the duration of the block to that of ``name``."""
        cpu, wall = time.process_time(), time.perf_counter()
        yield
        spent = Seconds(time.process_time() - cpu, time.perf_counter() - wall)
        self.seconds[name] = self.seconds.get(name, Seconds()) + spent


@dataclass(frozen=True, eq=False)
class Run:
    """One run of a sampler.

    Attributes
    ----------
    draws : float (chains, draws, weights)
        Of the weights of the standardised features; the bias is the last one.
    adaptation, sampling : Seconds
    """

    draws: NDArray[np.floating]
    adaptation: Seconds
    sampling: Seconds


class Sampler(Protocol):
    """A sampler with one configuration, on one problem."""

    name: str
    configuration: str

    def compile(self) -> None:
        """Compile what runs need; not part of their time."""
        ...

    def run(self, seed: int) -> Run:
        """Adapt and sample. Equal seeds give equal draws."""
        ...


@dataclass(frozen=True)
class Sizes:
    """Effective sample sizes of a run; ``bulk_median`` is that of the median weight, the others are
    those of the worst one."""

    bulk: float
    bulk_median: float
    tail: float
    rhat: float

    @classmethod
    def of(cls, draws: NDArray[np.floating]) -> Sizes:
        bulk, tail = ess(draws), tail_ess(draws)
        return cls(
            float(bulk.min()), float(np.median(bulk)), float(tail.min()), float(rhat(draws).max())
        )


@dataclass(frozen=True)
class Rates:
    """Effective samples per second of one run.

    Attributes
    ----------
    bulk, bulk_median, tail : float
        Per second of the processor while it samples.
    bulk_all : float
        ``bulk`` with the adaptation in the time.
    bulk_first : float
        ``bulk`` with adaptation and compilation in the time: the first run of a process.
    bulk_wall : float
        ``bulk`` per elapsed second.
    adaptation, sampling : float
        Seconds of the processor.
    rhat : float
        Of the worst weight.
    """

    bulk: float
    bulk_median: float
    tail: float
    bulk_all: float
    bulk_first: float
    bulk_wall: float
    adaptation: float
    sampling: float
    rhat: float

    @classmethod
    def of(
        cls, sizes: Sizes, adaptation: Seconds, sampling: Seconds, compilation: float = 0.0
    ) -> Rates:
        """The rates of draws with these sizes that took so long."""
        spent = (adaptation + sampling).cpu
        return cls(
            bulk=sizes.bulk / sampling.cpu,
            bulk_median=sizes.bulk_median / sampling.cpu,
            tail=sizes.tail / sampling.cpu,
            bulk_all=sizes.bulk / spent,
            bulk_first=sizes.bulk / (spent + compilation),
            bulk_wall=sizes.bulk / sampling.wall,
            adaptation=adaptation.cpu,
            sampling=sampling.cpu,
            rhat=sizes.rhat,
        )

    @property
    def worst(self) -> float:
        """The smaller of bulk and tail; 0 for chains that differ."""
        return min(self.bulk, self.tail) if self.rhat < RHAT_LIMIT else 0.0


def measured(run: Run, compilation: float = 0.0) -> Rates:
    """The rates of a run after so many seconds of compilation."""
    return Rates.of(Sizes.of(run.draws), run.adaptation, run.sampling, compilation)


@dataclass(frozen=True)
class Row:
    """The rates of one sampler on one problem, round by round; equal places are equal rounds."""

    name: str
    configuration: str
    rounds: tuple[Rates, ...]

    def median(self, rate: str) -> float:
        return median(self._values(rate))

    def quartiles(self, rate: str) -> tuple[float, float]:
        values = self._values(rate)
        if len(values) < 2:
            return values[0], values[0]
        low, _, high = quantiles(values, n=4, method="inclusive")
        return low, high

    def over(self, other: Row, rate: str) -> float:
        """Median over the rounds of this rate divided by that of the other sampler."""
        pairs = zip(self._values(rate), other._values(rate), strict=True)
        return median(mine / its for mine, its in pairs)

    @property
    def rhat(self) -> float:
        """The largest of all rounds."""
        return max(self._values("rhat"))

    def _values(self, rate: str) -> Sequence[float]:
        return [getattr(found, rate) for found in self.rounds]

    def to_dict(self) -> dict[str, object]:
        return {
            "sampler": self.name,
            "configuration": self.configuration,
            "rounds": [asdict(found) for found in self.rounds],
        }
