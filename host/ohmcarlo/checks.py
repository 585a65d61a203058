"""Look at an array before trusting it: characterisation, and a self-test of the whole chain."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from .array.characterize import Characterization, characterize
from .array.threefry import threefry2x32
from .boards import check_backend
from .bring_up import device_preset, open_array
from .config import TrainConfig
from .errors import OhmcarloError
from .experiment import build_experiment
from .results import plain
from .runs import atomic, check_file
from .spec import Geometry
from .trace import Trace

# Known answers of Threefry-2x32-20: counter, key, words (Random123, kat_vectors).
KNOWN_ANSWERS = (
    ((0x00000000, 0x00000000), (0x00000000, 0x00000000), (0x6B200159, 0x99BA4EFE)),
    ((0xFFFFFFFF, 0xFFFFFFFF), (0xFFFFFFFF, 0xFFFFFFFF), (0x1CB996FC, 0xBB002BE7)),
    ((0x243F6A88, 0x85A308D3), (0x13198A2E, 0x03707344), (0xC4923A9C, 0x483DF7A0)),
)
CHECK_ROWS = 64
CHECK_STEPS = 100
COIN_STEPS = 1000
MIN_ENTROPY = 0.9  # bits per raw bit; the estimate is a lower bound: 0.95 for a perfect coin here


@dataclass(frozen=True)
class Check:
    """One finding of the self-test."""

    name: str
    passed: bool
    detail: str


# -- characterize ----------------------------------------------------------------------------------


def characterize_array(
    array: str,
    preset: str | None,
    backend: str,
    rows: int,
    pairs: int,
    seed: int,
    out: Path | None,
) -> dict[str, Any]:
    """Measure an array, trim it and measure what the trim leaves over; for ``--json``.

    ``out``: where the calibration is kept (.npz). Raises UsageError for a bad request.
    """
    check_backend(backend)
    if out is not None:
        check_file(out)
    opened = open_array(array, preset, Geometry(rows=rows, pairs=pairs), seed)
    found = opened.characterize()
    left = characterize(
        opened.array, targets_us=tuple(found.targets_us), cycles=found.cycles, trim=found
    )
    if out is not None:
        with atomic(out) as temporary:
            found.save(temporary)
    return plain(
        {
            "array": array,
            "preset": preset,
            "rows": rows,
            "pairs": pairs,
            "devices": found.devices,
            "cycles_per_target": found.cycles,
            "target_us": np.round(found.targets_us, 2),
            "mean_us": np.round(found.mean_us, 2),
            "sigma_c2c_us": np.round(found.sigma_us_at, 2),
            "sigma_d2d_us": np.round(found.d2d_us, 2),
            "sigma_spread_ln": found.sigma_spread_ln,
            "cycle_correlation": found.cycle_correlation,
            "read_noise_rel": found.read_noise_rel,
            "dead_devices": int(found.dead.sum()),
            "rows_without_dead_devices": int((~found.bad_rows).sum()),
            "untrimmed": _devices(found),
            "trimmed": _devices(left),
            "advice": advice(found, left),
        }
    )


def fitted_constants(path: Path) -> dict[str, str]:
    """The constants that a fit to the measurements in ``path`` decides, with their units."""
    constants = device_preset(str(path)).constants()
    return {
        name: f"{value.value:.4g} {value.unit}"
        for name, value in constants.items()
        if value.source == "FIT"
    }


def _devices(found: Characterization) -> dict[str, Any]:
    return {
        "common_offset_rel": found.common_offset_rel,
        "common_offset_error": found.common_offset_error,
        "d2d_rel": found.d2d_rel,
        "random_walk": found.random_walk,
    }


def advice(untrimmed: Characterization, trimmed: Characterization) -> str:
    """Which kernel an array can carry, in a sentence."""
    if untrimmed.random_walk:
        return "any kernel works on this array, trimmed or not"
    if trimmed.random_walk:
        return "trim this array (train does, unless --no-trim); then any kernel works"
    return (
        "trim this array and use --whiten --rho 0.8: the plain random walk would stall or be "
        f"biased (offset left {trimmed.common_offset_rel:+.1%}, device to device "
        f"{trimmed.d2d_rel:.1%})"
    )


# -- selftest --------------------------------------------------------------------------------------


def run_selftest(backend: str, array: str, preset: str | None, seed: int) -> Iterator[Check]:
    """Checks as they finish. Raises UsageError for a request that names nothing."""
    config = TrainConfig(
        task="toy2d",
        backend=backend,
        array=array,
        preset=preset,
        seed=seed,
        rows=CHECK_ROWS,
        pairs=16,
        chains=2,
        steps=CHECK_STEPS,
        whiten=True,
    )
    open_array(array, preset, Geometry(rows=CHECK_ROWS, pairs=config.pairs), seed)
    checks: dict[str, Callable[[TrainConfig], tuple[bool, str]]] = {
        "generator": check_generator,
        "devices": check_devices,
        "coin": check_coin,
        "early rejection": check_early_rejection,
        "checkpoint": check_checkpoint,
    }
    for name, check in checks.items():
        try:
            passed, detail = check(config)
        except OhmcarloError as error:
            passed, detail = False, str(error)
        yield Check(name, passed, detail)


def check_generator(_: TrainConfig) -> tuple[bool, str]:
    """Threefry-2x32-20 gives the published words."""
    for counter, key, words in KNOWN_ANSWERS:
        got = tuple(int(w) for w in threefry2x32(*key, *counter))
        if got != words:
            return False, f"Threefry gives {got[0]:08x} {got[1]:08x} for a known answer"
    return True, f"{len(KNOWN_ANSWERS)} known answers of Threefry-2x32-20"


def check_devices(config: TrainConfig) -> tuple[bool, str]:
    """Devices follow their targets; says what offset they have and which kernel that carries."""
    geometry = Geometry(rows=config.rows, pairs=config.pairs)
    found = open_array(config.array, config.preset, geometry, config.seed).characterize()
    working = int((~found.bad_rows).sum())
    kernel = "any kernel" if found.random_walk else "rho < 1 (--whiten --rho 0.8), trimmed"
    return working >= CHECK_ROWS // 2, (
        f"{working} of {CHECK_ROWS} rows without a dead device; offset "
        f"{found.common_offset_rel:+.2%} ± {found.common_offset_error:.2%}, device to device "
        f"{found.d2d_rel:.1%}: carries {kernel}"
    )


def check_coin(config: TrainConfig) -> tuple[bool, str]:
    """The start-up health test passes, and the raw bits have the entropy they should have."""
    board = build_experiment(config).board
    board.start()
    board.run(COIN_STEPS)
    entropy = board.entropy()
    return entropy["min_entropy"] >= MIN_ENTROPY and entropy["alarms"] == 0, (
        f"{entropy['min_entropy']:.3f} bit per raw bit over {entropy['raw_bits']:,} bits, "
        f"{entropy['alarms']} alarms"
    )


def check_early_rejection(config: TrainConfig) -> tuple[bool, str]:
    """The decisions are the same whether or not the data are read to the end."""
    traces = []
    for early in (True, False):
        board = build_experiment(replace(config, early_reject=early)).board
        board.start()
        block = board.run(CHECK_STEPS)
        traces.append(Trace.of(block, board.current()).arrays())
    same = all(np.array_equal(traces[0][name], traces[1][name]) for name in traces[0])
    return same, f"{'same' if same else 'a different'} chain with and without it"


def check_checkpoint(config: TrainConfig) -> tuple[bool, str]:
    """A board that is loaded with another's state goes on as that one does."""
    board = build_experiment(config).board
    board.start()
    board.run(CHECK_STEPS // 2)
    state = board.state_dict()
    straight = board.run(CHECK_STEPS // 2)
    other = build_experiment(config).board
    other.load_state_dict(state)
    again = other.run(CHECK_STEPS // 2)
    same = np.array_equal(straight.log_posterior, again.log_posterior)
    return same, "a restored board goes on bit for bit" if same else "a restored board differs"
