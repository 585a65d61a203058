"""The self-test: generator, coin, devices, chain, checkpoint, and the board's own checks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from ..array.threefry import threefry2x32
from ..boards import MODEL, Board, check_backend, is_small, open_hardware, open_small
from ..boards.memory.layout import Layout
from ..errors import OhmcarloError
from ..progress import phase
from ..runs.arrays import open_array
from ..runs.config import TrainConfig
from ..runs.supervised.experiment import build_supervised
from ..runs.trace import Trace
from ..spec import Geometry, Points
from .board import (
    BOARD_CHECKS,
    DEVICES,
    LINK,
    Finding,
    check_small_line,
    layout_of,
    link_counts,
)

# Known answers of Threefry-2x32-20: counter, key, words (Random123, kat_vectors).
KNOWN_ANSWERS = (
    ((0x00000000, 0x00000000), (0x00000000, 0x00000000), (0x6B200159, 0x99BA4EFE)),
    ((0xFFFFFFFF, 0xFFFFFFFF), (0xFFFFFFFF, 0xFFFFFFFF), (0x1CB996FC, 0xBB002BE7)),
    ((0x243F6A88, 0x85A308D3), (0x13198A2E, 0x03707344), (0xC4923A9C, 0x483DF7A0)),
)
CHECK_ROWS, CHECK_PAIRS = 64, 16
CHECK_STEPS = 100
CHECK_POINTS, SMALL_POINTS = 100, 32
"""A board without a processor has a small memory and is slow."""
COIN_STEPS = 1000
BY_STEP = ("chain", "accepted", "log_posterior")  # of the arrays of a trace
MIN_ENTROPY = 0.9  # bits per raw bit; the estimate is a lower bound: 0.95 for a perfect coin here


@dataclass(frozen=True)
class Check:
    """One finding of the self-test.

    Attributes
    ----------
    name : str
    passed : bool
    detail : str
        A phrase.
    facts : tuple of (str, str)
        More numbers by their names, for the page.
    """

    name: str
    passed: bool
    detail: str
    facts: tuple[tuple[str, str], ...] = ()


def run_selftest(
    backend: str, array: str, preset: str | None, seed: int, say: Callable[[str], None]
) -> Iterator[Check]:
    """Checks as they finish.

    ``say`` is called with a line of text before a step that takes long. Raises UsageError for a bad
    request, OhmcarloError when no board can be opened.
    """
    check_backend(backend, array)
    opened = open_array(array, preset, Geometry(), seed)
    layout = layout_of(backend, opened.array, say)
    points = SMALL_POINTS if is_small(backend) else CHECK_POINTS
    config = TrainConfig(
        task="toy2d",
        backend=backend,
        array=array,
        preset=preset,
        seed=seed,
        rows=layout.rows if layout else CHECK_ROWS,
        pairs=layout.pairs if layout else CHECK_PAIRS,
        entropy_pairs=layout.entropy_pairs if layout else Geometry().entropy_pairs,
        access_bits=layout.access_bits if layout else Geometry().access_bits,
        train_points=min(points, layout.max_points // 2) if layout else points,
        wide_every=0 if is_small(backend) else None,
        chains=min(2, layout.max_regions) if layout else 2,
        steps=CHECK_STEPS,
        whiten=True,
    )
    checks: dict[str, Callable[[TrainConfig], Finding]] = {"generator": check_generator}
    if layout is None:
        checks[DEVICES] = check_devices
    else:
        yield from _board_checks(config, layout)
    if layout is None or not layout.phy:  # these program devices
        if layout is not None:
            checks["chain"] = check_chain
        checks |= {
            "coin": check_coin,
            "early rejection": check_early_rejection,
            "checkpoint": check_checkpoint,
        }
    for name, check in checks.items():
        yield _try(name, partial(check, config))


def _try(name: str, check: Callable[[], Finding]) -> Check:
    try:
        with phase(f"checking {name}"):
            passed, detail = check()
    except OhmcarloError as error:
        passed, detail = False, str(error)
    return Check(name, passed, detail)


def _board_checks(config: TrainConfig, layout: Layout) -> Iterator[Check]:
    """The checks of a board before it runs a chain; none of them drives a die."""
    opened = open_array(config.array, config.preset, layout.geometry, config.seed)
    if is_small(config.backend):
        with closing(open_small(config.backend, opened.array)) as small:
            yield _try(LINK, partial(check_small_line, small, config.seed))
        return
    with closing(open_hardware(config.backend, opened.array)) as board:
        for name, check in BOARD_CHECKS.items():
            if layout.phy and name == DEVICES:
                continue
            found = _try(name, partial(check, board, config.seed))
            yield replace(found, facts=link_counts(board)) if name == LINK else found


def check_generator(_: TrainConfig) -> Finding:
    """Threefry-2x32-20 gives the published known answers."""
    for counter, key, words in KNOWN_ANSWERS:
        got = tuple(int(w) for w in threefry2x32(*key, *counter))
        if got != words:
            return False, f"Threefry gives {got[0]:08x} {got[1]:08x} for a known answer"
    return True, f"{len(KNOWN_ANSWERS)} known answers of Threefry-2x32-20"


def check_devices(config: TrainConfig) -> Finding:
    """Devices follow their targets; the detail has their offset and a kernel that works on them."""
    geometry = Geometry(rows=config.rows, pairs=config.pairs)
    found = open_array(config.array, config.preset, geometry, config.seed).characterize()
    working = int((~found.bad_rows).sum())
    kernel = "any kernel" if found.random_walk else "rho < 1 (--whiten), trimmed"
    return working >= CHECK_ROWS // 2, (
        f"{working} of {CHECK_ROWS} rows without a dead device; offset "
        f"{found.common_offset_rel:+.2%} ± {found.common_offset_error:.2%}, device to device "
        f"{found.d2d_rel:.1%}: carries {kernel}"
    )


def check_chain(config: TrainConfig) -> Finding:
    """The steps of a board are those of the golden model, and those of another chain that follows
    in the same array, too."""
    ours, models = (
        list(_two_chains(replace(config, backend=backend))) for backend in (config.backend, MODEL)
    )
    for found, wanted in zip(ours, models, strict=True):
        differ = [name for name in wanted if not np.array_equal(found[name], wanted[name])]
        if differ:
            return (
                False,
                f"different from the model: {', '.join(sorted(differ))}{_first(found, wanted)}",
            )
    steps = sum(len(found["accepted"]) for found in ours)
    return True, f"{steps} steps of two chains, bit-identical to the golden model"


def _first(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> str:
    """The first step whose decision or log-posterior differs, as a phrase; empty if none does."""
    steps = min(len(found["accepted"]), len(wanted["accepted"]))
    differ = np.zeros(steps, bool)
    for name in BY_STEP:
        differ |= found[name][:steps] != wanted[name][:steps]
    if not differ.any():
        return ""
    place = int(differ.argmax())
    chain = int(wanted["chain"][place])
    step = int((wanted["chain"][: place + 1] == chain).sum())
    return f"; the first differing step is step {step} of chain {chain}"


def _trace_of(config: TrainConfig) -> dict[str, Any]:
    """The first steps of a run."""
    with closing(build_supervised(config)) as experiment:
        return _first_steps(experiment.setup.board)


def _two_chains(config: TrainConfig) -> Iterator[dict[str, Any]]:
    """The first steps of a run, with predictions, and those of a chain with other proposals and
    half of the points in the same array."""
    with closing(build_supervised(config)) as experiment:
        setup = experiment.setup
        board, registers, points = setup.board, setup.registers, setup.points
        half = Points(points.inputs[::2], points.labels[::2], points.offsets[::2])
        first = _first_steps(board)
        yield first | dict(zip(("mean", "variance"), board.predict(points), strict=True))
        board.reload(replace(registers, rho=registers.rho * 7 // 8), half)
        yield _first_steps(board)


def _first_steps(board: Board) -> dict[str, Any]:
    board.start()
    block = board.run(CHECK_STEPS)
    return Trace.of(block, board.current()).arrays()


def check_coin(config: TrainConfig) -> Finding:
    """The start-up health test passes, and the raw bits have the expected entropy."""
    with closing(build_supervised(config)) as experiment:
        board = experiment.setup.board
        board.start()
        board.run(COIN_STEPS)
        entropy = board.entropy()
    return entropy["min_entropy"] >= MIN_ENTROPY and entropy["alarms"] == 0, (
        f"{entropy['min_entropy']:.3f} bit per raw bit over {entropy['raw_bits']:,} bits, "
        f"{entropy['alarms']} alarms"
    )


def check_early_rejection(config: TrainConfig) -> Finding:
    """The decisions are the same with and without early rejection."""
    with_it, without = (_trace_of(replace(config, early_reject=early)) for early in (True, False))
    same = all(np.array_equal(with_it[name], without[name]) for name in with_it)
    return same, f"{'same' if same else 'a different'} chain with and without it"


def check_checkpoint(config: TrainConfig) -> Finding:
    """A board that is loaded with a state continues from it, bit for bit."""
    with closing(build_supervised(config)) as experiment:
        board = experiment.setup.board
        board.start()
        board.run(CHECK_STEPS // 2)
        state = board.state_dict()
        straight = board.run(CHECK_STEPS // 2)
        board.configure(experiment.setup.registers, experiment.setup.points)
        board.load_state_dict(state)
        again = board.run(CHECK_STEPS // 2)
    same = np.array_equal(straight.log_posterior, again.log_posterior)
    return same, "a restored board continues bit for bit" if same else "a restored board differs"
