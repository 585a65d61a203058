"""Checks of a board's output and configuration against what the host knows.

A bit that flips in a register of the controller must not become a wrong posterior that looks
right. The host has the data, the settings and every streamed sample. It therefore recomputes the
log-posterior of each sample, follows the multiplicities through the step records, and reads the
settings and the tables back. verif/flips.py measures how many flips escape.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from ..errors import OhmcarloError
from ..golden import Registers, log_posteriors
from ..spec import Points

REMEDY = "the run is stopped; resume it, and it goes on from its last checkpoint"


class BoardUpset(OhmcarloError):
    """The board contradicts itself or its settings: a bit flipped, or the board is defective."""


def check_log_posteriors(
    registers: Registers,
    points: Points,
    codes: NDArray[np.uint16],
    log_posterior: NDArray[np.int64],
) -> None:
    """Raise BoardUpset unless ``log_posterior`` (n,) is that of the samples ``codes`` (n, devices).

    Only for arrays whose dot products are those of the codes. LSB 2**-LOGLIK_FRAC.
    """
    wrong = np.flatnonzero(log_posteriors(registers, points, codes) != log_posterior)
    if len(wrong):
        raise BoardUpset(
            f"the board's log-posterior of {len(wrong)} of {len(codes)} samples is not that of "
            f"their codes: {REMEDY}"
        )


def check_multiplicities(
    before: NDArray[np.int64],
    accepted: NDArray[np.bool_],
    region: NDArray[np.integer],
    multiplicity: NDArray[np.integer],
    sample_region: NDArray[np.integer],
) -> NDArray[np.int64]:
    """Compare the multiplicities of retired samples with the step records.

    Parameters
    ----------
    before : int64 (regions,)
        Multiplicity of the current sample of each region before the steps.
    accepted, region : (steps,)
        Of every step, in order.
    multiplicity, sample_region : (samples,)
        Of every retired sample, in order.

    Returns the multiplicities of the current samples after the steps, int64 (regions,). Raises
    BoardUpset if a sample was not current for as many steps as it claims.
    """
    after = before.copy()
    for r in range(len(before)):
        taken = np.flatnonzero(accepted[region == r])
        steps = int((region == r).sum())
        edges = np.concatenate([[-before[r]], taken, [steps]])
        stays = np.diff(edges)
        if not np.array_equal(stays[:-1], multiplicity[sample_region == r]):
            raise BoardUpset(
                f"the multiplicities of chain {r} are not those of its decisions: {REMEDY}"
            )
        after[r] = stays[-1]
    return after


def check_fields(wanted: Mapping[str, int], found: Mapping[str, int]) -> None:
    """Raise BoardUpset unless the fields that were read back are those that were written."""
    unequal = [name for name, value in wanted.items() if found[name] != value]
    if unequal:
        raise BoardUpset(
            f"{len(unequal)} registers of the board have changed by themselves "
            f"({', '.join(unequal[:3])}): {REMEDY}"
        )


def check_window(name: str, wanted: NDArray[np.uint32], found: NDArray[np.uint32]) -> None:
    """Raise BoardUpset unless the words of a memory window are those that were loaded."""
    wrong = np.flatnonzero(found != wanted)
    if len(wrong):
        raise BoardUpset(
            f"{len(wrong)} words of the window {name} of the board have changed by themselves "
            f"(the first is word {wrong[0]}): {REMEDY}"
        )
