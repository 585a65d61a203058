"""The stream of a chain: records become blocks, held samples and a ledger."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...array.base import Array
from ...errors import OhmcarloError
from ...golden import Registers
from ...spec.link import ACCEPTED_WORDS, SAMPLE_HEADER_WORDS, Reason
from ..base import ENTROPY_ALARM, EXHAUSTED, RUNNING, Block
from ..integrity import check_multiplicities
from .decode import Records, Steps
from .held import HeldSamples
from .tally import Tally

STATUS = {
    Reason.DONE: RUNNING,
    Reason.EXHAUSTED: EXHAUSTED,
    Reason.ENTROPY_ALARM: ENTROPY_ALARM,
}
STEP_WORDS, SAMPLE_WORDS = 1 + ACCEPTED_WORDS, 1 + SAMPLE_HEADER_WORDS  # without the codes


class ChainStream:
    """Reads the records of a chain.

    Parameters
    ----------
    registers : Registers
    array : Array
        Its state at the start of the chain.
    judged : bool
        Whether log-likelihoods come from outside. Then every proposal is streamed, too.
    check : bool
        Compare the multiplicities of samples with the steps.

    Attributes
    ----------
    log_posterior : int64 (regions,)
        Of the current sample of each region. The caller sets it after start or load.
    multiplicity : int64 (regions,)
        Likewise.
    held : HeldSamples
        Samples in the rows.
    tally : Tally
        Ledger of the chain.
    """

    def __init__(
        self, registers: Registers, array: Array, judged: bool = False, check: bool = True
    ) -> None:
        self.registers = registers
        self.judged = judged
        self._check = check
        self.log_posterior = np.zeros(registers.geometry.regions, np.int64)
        self.multiplicity = np.ones(registers.geometry.regions, np.int64)
        self.held = HeldSamples(registers)
        self.tally = Tally(array, registers)

    def steps_within(self, words: int) -> int:
        """Steps whose records have at most this number of words; at least 1."""
        sample = SAMPLE_WORDS + self.registers.sample_devices // 2
        return max(1, words // (STEP_WORDS + (2 if self.judged else 1) * sample))

    def block(self, words: NDArray[np.uint32], count: int, reason: int) -> Block:
        """The stream of ``count`` steps that ended with ``reason``, as a block.

        Raises OhmcarloError if the records have another number of steps, BoardUpset if steps and
        samples contradict each other.
        """
        if reason not in STATUS:
            raise OhmcarloError(f"the board stopped for reason {reason}, which makes no sense")
        records = Records(words)
        made, samples = records.steps(), records.samples(self.registers.sample_devices)
        if len(made.accepted) != count:
            raise OhmcarloError(
                f"the board made {count} steps and streamed {len(made.accepted)}: this should not "
                "happen, please report it"
            )
        if self._check:
            self.multiplicity = check_multiplicities(
                self.multiplicity,
                made.accepted,
                made.region,
                samples.multiplicity,
                samples.region,
            )
        self.held.note(samples)
        self.tally.note(samples.codes)
        return Block(
            accepted=made.accepted,
            valid=made.valid,
            log_posterior=self._follow(made),
            chain=made.region,
            points=made.points,
            codes=samples.codes,
            multiplicity=samples.multiplicity,
            sample_chain=samples.region,
            sample_log_posterior=samples.log_posterior,
            status=STATUS[Reason(reason)],
        )

    def _follow(self, made: Steps) -> NDArray[np.int64]:
        """Log-posterior of the current sample after each step, i.e. of the last accepted one."""
        out = np.empty(len(made.accepted), np.int64)
        for region in range(len(self.log_posterior)):
            mine = np.flatnonzero(made.region == region)
            accepted = made.accepted[mine]
            values = np.append(self.log_posterior[region], made.log_posterior[mine][accepted])
            out[mine] = values[np.cumsum(accepted)]
            self.log_posterior[region] = values[-1]
        return out
