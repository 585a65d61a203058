"""What the host notices in a board's output: wrong log-posteriors, multiplicities, settings."""

from __future__ import annotations

import numpy as np
import pytest

from ohmcarlo.array.emulated import EmulatedArray
from ohmcarlo.boards.integrity import (
    BoardUpset,
    check_fields,
    check_log_posteriors,
    check_multiplicities,
    check_window,
)
from ohmcarlo.golden import Controller, Stream
from ohmcarlo.spec import Geometry
from problems import controller, wdbc_points

GEOMETRY = Geometry(rows=32, pairs=12, regions=2)
FIRST, SECOND = 30, 40


def chain() -> tuple[Controller, list[Stream]]:
    """A golden controller after two blocks of steps, and their streams."""
    made = controller(wdbc_points(4), GEOMETRY, 3)
    assert isinstance(made.array, EmulatedArray)
    return made, [made.run(steps)[0] for steps in (FIRST, SECOND)]


def samples_of(out: Stream) -> tuple[np.ndarray, np.ndarray]:
    count = int(out.cursor[1])
    return out.codes[:count], out.sample_log_posterior[:count]


def test_log_posteriors() -> None:
    """The golden log-posteriors pass; one LSB, or one code, is noticed."""
    made, outs = chain()
    for out in outs:
        codes, log_posterior = samples_of(out)
        assert len(codes) > 3
        check_log_posteriors(made.registers, made.points, codes, log_posterior)
        off = log_posterior.copy()
        off[-1] += 1
        with pytest.raises(BoardUpset, match=f"of 1 of {len(codes)} samples"):
            check_log_posteriors(made.registers, made.points, codes, off)
        other = codes.copy()
        other[1, 0] ^= 4
        with pytest.raises(BoardUpset, match="not that of"):
            check_log_posteriors(made.registers, made.points, other, log_posterior)


def test_no_samples() -> None:
    """A block in which nothing was retired passes."""
    made, (out, _) = chain()
    codes, log_posterior = samples_of(out)
    check_log_posteriors(made.registers, made.points, codes[:0], log_posterior[:0])


def stays(before: np.ndarray, out: Stream, wrong: int = 0) -> np.ndarray:
    count, steps = int(out.cursor[1]), int(out.cursor[0])
    multiplicity = out.multiplicity[:count].copy()
    multiplicity[-1] += wrong
    return check_multiplicities(
        before,
        out.accepted[:steps],
        out.chain[:steps],
        multiplicity,
        out.sample_chain[:count],
    )


def test_multiplicities() -> None:
    """They are followed over several blocks, and end with those of the current samples."""
    made, outs = chain()
    before = np.ones(2, np.int64)
    for out in outs:
        with pytest.raises(BoardUpset, match="multiplicities of chain"):
            stays(before, out, wrong=1)
        before = stays(before, out)
    assert np.array_equal(before, made.state.multiplicity)


def test_fields() -> None:
    """A setting that changed by itself is named."""
    wanted = {"proposal.rho.value": 256, "model.points.value": 40}
    check_fields(wanted, dict(wanted))
    with pytest.raises(BoardUpset, match=r"1 registers .*\(proposal\.rho\.value\)"):
        check_fields(wanted, wanted | {"proposal.rho.value": 257})


def test_window() -> None:
    """A word of a table that changed by itself is named."""
    wanted = np.arange(512, dtype=np.uint32)
    check_window("dac", wanted, wanted.copy())
    found = wanted.copy()
    found[300] ^= 1 << 31
    with pytest.raises(BoardUpset, match=r"1 words of the window dac .*word 300"):
        check_window("dac", wanted, found)
