"""The interface of all boards: the golden model, the Verilated board, a physical board."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ..array.base import Ledger
from ..errors import OhmcarloError, UsageError
from ..golden import EpisodeLikelihood, Registers, Thresholds, Triage
from ..spec import Geometry, Points
from .streamed import Streamed

RUNNING, EXHAUSTED, ENTROPY_ALARM = "running", "exhausted", "entropy-alarm"


class BoardLost(OhmcarloError):
    """The board stopped answering, or lost its state. The run can be resumed."""


@dataclass(frozen=True, eq=False)
class Steps:
    """Steps of chains, and the samples that they retired: the arrays of a ``Block``, which
    describes them."""

    accepted: NDArray[np.bool_]
    valid: NDArray[np.bool_]
    log_posterior: NDArray[np.int64]
    chain: NDArray[np.uint8]
    points: NDArray[np.int32]
    codes: NDArray[np.uint16]
    multiplicity: NDArray[np.int32]
    sample_chain: NDArray[np.uint8]
    sample_log_posterior: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Block(Steps):
    """The output stream of a board over some steps.

    Steps are in execution order; with several chains they interleave (chain 0, 1, … of the first
    step, then of the second, …).

    Attributes
    ----------
    accepted, valid : bool (n,)
        Decision of each step; ``valid`` is False where a read-back left the valid window.
    log_posterior : int64 (n,)
        Of the current sample after each step, LSB 2**-LOGLIK_FRAC nat.
    chain : uint8 (n,)
    points : int32 (n,)
        Data points evaluated in each step.
    codes : uint16 (m, devices of a sample)
        Samples retired in this block, in the order they were retired.
    multiplicity : int32 (m,)
    sample_chain : uint8 (m,)
    sample_log_posterior : int64 (m,)
    status : str
        RUNNING, or why the chain stopped: EXHAUSTED (no free rows), ENTROPY_ALARM.

    Examples
    --------
    >>> import numpy as np
    >>> from ohmcarlo.array import EmulatedArray
    >>> from ohmcarlo.boards import open_board
    >>> from ohmcarlo.golden import SamplerSettings
    >>> from ohmcarlo.spec import Geometry, Points
    >>> inputs = np.array([[32, 32], [-32, 32], [48, 32], [-48, 32]], np.int8)  # 32 is 1.0
    >>> points = Points.of(inputs, np.array([1, 0, 1, 0], np.uint8))
    >>> array = EmulatedArray(Geometry(rows=16, pairs=8), seed=1)
    >>> registers = SamplerSettings().registers(array.geometry, 2, array.sigma_us)
    >>> board = open_board("model", array)
    >>> board.configure(registers, points)
    >>> board.start()
    >>> block = board.run(200)
    >>> block.accepted.shape, block.codes.shape[1], block.status
    ((200,), 4, 'running')
    """

    status: str


def require_reloadable(judged: bool) -> None:
    """Raise UsageError for a chain whose log-likelihoods come from a judge."""
    if judged:
        raise UsageError("a chain with a judge has no data to reload: call configure()")


class Board(Protocol):
    """A controller with an array behind it.

    Examples
    --------
    The same calls drive every board. The backend ``"rtl"`` in place of ``"model"`` simulates the
    hardware, and gives the same trace:

    >>> import numpy as np
    >>> from ohmcarlo.array import EmulatedArray
    >>> from ohmcarlo.boards import open_board
    >>> from ohmcarlo.golden import SamplerSettings
    >>> from ohmcarlo.spec import Geometry, Points
    >>> inputs = np.array([[32, 32], [-32, 32], [48, 32], [-48, 32]], np.int8)  # 32 is 1.0
    >>> points = Points.of(inputs, np.array([1, 0, 1, 0], np.uint8))
    >>> array = EmulatedArray(Geometry(rows=16, pairs=8), seed=1)
    >>> registers = SamplerSettings().registers(array.geometry, 2, array.sigma_us)
    >>> board = open_board("model", array)
    >>> board.configure(registers, points)
    >>> board.start()
    >>> block = board.run(200)
    >>> mean, variance = board.predict(points)
    >>> (mean > 0.5).tolist()
    [True, False, True, False]
    """

    name: str
    geometry: Geometry
    pseudo_random: bool
    """Whether the coin is pseudo-random. The coin of a real array is not."""

    dot_products: tuple[str, ...]
    """Where the board can compute dot products: among ``array.read_noise.DOT_PRODUCTS``."""

    @property
    def ledger(self) -> Ledger:
        """Counts of the operations of the array."""
        ...

    @property
    def streamed(self) -> Streamed | None:
        """Points of the chain that are not in the data memory; None: all are."""
        ...

    @property
    def clock_hz(self) -> int | None:
        """Frequency of the clock, nominal for a simulated board; None without a clock."""
        ...

    def clock_cycles(self) -> int | None:
        """Clocks of the chain so far, including those in which it waited for the host to take its
        records; None without a clock."""
        ...

    def identify(self) -> dict[str, Any]:
        """Versions, geometry and array, for the manifest of the run."""
        ...

    def configure(
        self, registers: Registers, points: Points, judge: EpisodeLikelihood | None = None
    ) -> None:
        """Load registers, tables and data. Raises UsageError for data that do not fit, before any
        are sent. With ``judge`` there are no points: a proposal is a policy, and the board computes
        its log-likelihood from episodes.
        """
        ...

    def reload(self, registers: Registers, points: Points) -> None:
        """Load another model and other data for a new chain in the same array.

        The devices keep their state. Wear, the ledger and ``clock_cycles`` go on, and rows that
        were taken out of service stay out of service. The samples of the chain before are given
        up: predict from them first. Counters of the coin begin again. ``start`` begins the chain.

        Raises UsageError for another geometry, data that do not fit, or a chain with a judge,
        before anything is sent; OhmcarloError if too few rows are left.
        """
        ...

    def start(self) -> None:
        """Entropy start-up test and the first sample of every chain."""
        ...

    def run(self, steps: int) -> Block:
        """``steps`` MH steps of every chain (fewer if the chain stops: see ``Block.status``)."""
        ...

    def current(self) -> tuple[NDArray[np.uint16], NDArray[np.int32], NDArray[np.int64]]:
        """Codes (chains, devices), multiplicity and log-posterior of every chain's sample."""
        ...

    def set_order(self, order: NDArray[np.int32]) -> None:
        """The order in which points are visited: a permutation of the points that leaves streamed
        points in their places."""
        ...

    def predict(self, points: Points) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Prediction mode: mean and variance of sigmoid(z) over the samples held in the array,
        weighted with their multiplicities; float64 (n,) each."""
        ...

    def triage(self, points: Points, thresholds: Thresholds) -> Triage:
        """Prediction mode in which the board answers each point itself, and sends the sums of its
        doubtful points only."""
        ...

    def entropy(self) -> dict[str, Any]:
        """``{"min_entropy": bits per raw bit, "alarms": int, "raw_bits": int}``."""
        ...

    def link_statistics(self) -> dict[str, int] | None:
        """Bytes, frames and repairs of the link to the board since it was opened; None without
        such counts."""
        ...

    def retired_rows(self) -> list[int]:
        """First rows of the row groups taken out of service."""
        ...

    def state_dict(self) -> dict[str, NDArray[Any]]:
        """The complete state of controller and array, from which a board continues bit for bit."""
        ...

    def counters(self) -> dict[str, NDArray[Any]]:
        """The part of ``state_dict()`` that is quick to read, and that only this board can know."""
        ...

    def load_state_dict(self, state: dict[str, NDArray[Any]]) -> None: ...

    def close(self) -> None:
        """Release the board. A simulated board ends."""
        ...
