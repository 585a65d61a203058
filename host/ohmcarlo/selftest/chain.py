"""Look at an array before trusting it: characterisation, and a self-test of the whole chain."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ..array.characterize.ages import measure_ages
from ..array.characterize.characterization import (
    DEFAULT_CYCLES,
    DEFAULT_TARGETS_US,
    Characterization,
    characterize,
)
from ..array.characterize.estimates import Estimates, estimate_measurement
from ..array.characterize.fit import fit_file, preset_of
from ..array.characterize.measure import measure
from ..array.physics import PhysicsArray, ValidityWarning
from ..array.threefry import threefry2x32
from ..boards import MODEL, check_backend, open_serial
from ..boards.memory.layout import Layout
from ..errors import OhmcarloError, UsageError
from ..runs.arrays import DEFAULT_PHYSICS, OpenedArray, device_preset, open_array
from ..runs.config import TrainConfig
from ..runs.folder import atomic, check_file, make_folder, write_pictures
from ..runs.outcome import plain
from ..runs.setup import build_experiment
from ..runs.trace import Trace
from ..spec import DEFAULT_MID_US, Geometry
from .board import BOARD_CHECKS, DEVICES, layout_of

# Known answers of Threefry-2x32-20: counter, key, words (Random123, kat_vectors).
KNOWN_ANSWERS = (
    ((0x00000000, 0x00000000), (0x00000000, 0x00000000), (0x6B200159, 0x99BA4EFE)),
    ((0xFFFFFFFF, 0xFFFFFFFF), (0xFFFFFFFF, 0xFFFFFFFF), (0x1CB996FC, 0xBB002BE7)),
    ((0x243F6A88, 0x85A308D3), (0x13198A2E, 0x03707344), (0xC4923A9C, 0x483DF7A0)),
)
CHECK_ROWS, CHECK_PAIRS = 64, 16
CHECK_STEPS = 100
FITTED_ROWS, AGED_ROWS = 16, 8  # rows whose devices decide the fitted model, and its ages
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
    outputs: DeviceOutputs,
    say: Callable[[str], None],
    fit: Path | None = None,
) -> dict[str, Any]:
    """Measure an array, trim it, measure what the trim leaves over, and fit the model to it.

    ``fit``: own measurements that ``preset`` is fitted to; they are what ``--preset-out`` and the
    pictures then show. ``say`` hears what takes long. Returns what goes into the JSON. Raises
    UsageError for a bad request.
    """
    check_backend(backend, array)
    outputs.check()
    opened = open_array(array, preset, Geometry(rows=rows, pairs=pairs), seed)
    if backend == MODEL:
        found, left, estimates = _characterize(opened)
    else:
        with closing(open_serial(backend, opened.array, say)) as board:
            behind = board.raw_array()
            found, left, estimates = _characterize(replace(opened, array=behind, teacher=behind))
    if fit is not None:
        estimates = fit_file(fit, fit.stem)[1]
    ages = _ages(array, preset, seed)
    outputs.write(found, estimates, ages)
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
            "fit": estimates.to_dict(),
            "ages": ages,
        }
    )


@dataclass(frozen=True)
class DeviceOutputs:
    """What ``characterize`` leaves behind; None: nothing.

    Attributes
    ----------
    trim : Path or None
        Calibration (.npz).
    preset : Path or None
        Fitted device model (.json), for ``--preset``.
    plots : Path or None
        Folder of the pictures.
    """

    trim: Path | None = None
    preset: Path | None = None
    plots: Path | None = None

    def check(self) -> None:
        """Refuse what could not be written or read again, before any work is done."""
        if self.preset is not None and self.preset.suffix != ".json":
            raise UsageError(f"--preset-out {self.preset}: the name must end in .json")
        for path in (self.trim, self.preset):
            if path is not None:
                check_file(path)

    def write(
        self, found: Characterization, estimates: Estimates, ages: list[dict[str, Any]]
    ) -> None:
        """Raises OhmcarloError when a file cannot be written."""
        if self.trim is not None:
            with atomic(self.trim) as temporary:
                found.save(temporary)
        if self.preset is not None:
            with atomic(self.preset) as temporary:
                preset_of(estimates, self.preset.stem).save(temporary)
        if self.plots is not None:
            from ..pictures.devices import characterization_pictures

            make_folder(self.plots, "--plots")
            write_pictures(self.plots, characterization_pictures(estimates, ages))


def _characterize(
    opened: OpenedArray,
) -> tuple[Characterization, Characterization, Estimates]:
    """An array as it is, through the trim that follows from that, and what its devices are like.

    The model is fitted to some rows only, over the range of conductance that its law is for.
    """
    found = opened.characterize()
    left = characterize(
        opened.array, targets_us=tuple(found.targets_us), cycles=found.cycles, trim=found
    )
    low, high = opened.window_us
    targets = np.linspace(
        max(low, DEFAULT_TARGETS_US[0]), min(high, DEFAULT_TARGETS_US[-1]), len(DEFAULT_TARGETS_US)
    )
    rows = opened.array.geometry.rows
    seen = measure(
        opened.array,
        rows=np.unique(np.linspace(0, rows - 1, min(rows, FITTED_ROWS)).astype(int)).tolist(),
        devices=None,
        targets_us=tuple(targets),
        cycles=DEFAULT_CYCLES,
        centre_us=DEFAULT_MID_US,
        everything=True,
    )
    return found, left, estimate_measurement(seen)


def _ages(array: str, preset: str | None, seed: int) -> list[dict[str, Any]]:
    """How the model of an array ages; nothing for arrays that have none."""
    if not array.startswith(PhysicsArray.name):
        return []
    device = device_preset(preset or DEFAULT_PHYSICS)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ValidityWarning)
        return measure_ages(device, seed, rows=AGED_ROWS)


def fitted_constants(path: Path) -> dict[str, str]:
    """The constants that own measurements in ``path`` decide, with intervals and units."""
    return {name: str(e) for name, e in fit_file(path, path.stem)[1].constants.items()}


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


Finding = tuple[bool, str]


def run_selftest(
    backend: str, array: str, preset: str | None, seed: int, say: Callable[[str], None]
) -> Iterator[Check]:
    """Checks as they finish. Raises UsageError for a request that names nothing, OhmcarloError
    when there is no board to check; ``say`` hears what takes long."""
    check_backend(backend, array)
    opened = open_array(array, preset, Geometry(), seed)
    layout = layout_of(backend, opened.array, say)
    config = TrainConfig(
        task="toy2d",
        backend=backend,
        array=array,
        preset=preset,
        seed=seed,
        rows=layout.rows if layout else CHECK_ROWS,
        pairs=layout.pairs if layout else CHECK_PAIRS,
        entropy_pairs=layout.entropy_pairs if layout else Geometry().entropy_pairs,
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
        passed, detail = check()
    except OhmcarloError as error:
        passed, detail = False, str(error)
    return Check(name, passed, detail)


def _board_checks(config: TrainConfig, layout: Layout) -> Iterator[Check]:
    """What is checked of a board before it runs a chain; nothing that touches a die."""
    opened = open_array(config.array, config.preset, layout.geometry, config.seed)
    with closing(open_serial(config.backend, opened.array)) as board:
        for name, check in BOARD_CHECKS.items():
            if layout.phy and name == DEVICES:
                continue
            yield _try(name, partial(check, board, config.seed))


def check_generator(_: TrainConfig) -> Finding:
    """Threefry-2x32-20 gives the published words."""
    for counter, key, words in KNOWN_ANSWERS:
        got = tuple(int(w) for w in threefry2x32(*key, *counter))
        if got != words:
            return False, f"Threefry gives {got[0]:08x} {got[1]:08x} for a known answer"
    return True, f"{len(KNOWN_ANSWERS)} known answers of Threefry-2x32-20"


def check_devices(config: TrainConfig) -> Finding:
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


def check_chain(config: TrainConfig) -> Finding:
    """A board makes the steps that the golden model makes."""
    ours, models = (
        _trace_of(replace(config, backend=backend)) for backend in (config.backend, MODEL)
    )
    same = [name for name in ours if np.array_equal(ours[name], models[name])]
    if len(same) < len(ours):
        return False, f"not the model's: {', '.join(sorted(ours.keys() - set(same)))}"
    return True, f"{len(ours['accepted'])} steps, to the bit those of the golden model"


def _trace_of(config: TrainConfig) -> dict[str, Any]:
    """The first steps of a run."""
    with closing(build_experiment(config)) as experiment:
        board = experiment.board
        board.start()
        block = board.run(CHECK_STEPS)
        return Trace.of(block, board.current()).arrays()


def check_coin(config: TrainConfig) -> Finding:
    """The start-up health test passes, and the raw bits have the entropy they should have."""
    with closing(build_experiment(config)) as experiment:
        board = experiment.board
        board.start()
        board.run(COIN_STEPS)
        entropy = board.entropy()
    return entropy["min_entropy"] >= MIN_ENTROPY and entropy["alarms"] == 0, (
        f"{entropy['min_entropy']:.3f} bit per raw bit over {entropy['raw_bits']:,} bits, "
        f"{entropy['alarms']} alarms"
    )


def check_early_rejection(config: TrainConfig) -> Finding:
    """The decisions are the same whether or not the data are read to the end."""
    with_it, without = (_trace_of(replace(config, early_reject=early)) for early in (True, False))
    same = all(np.array_equal(with_it[name], without[name]) for name in with_it)
    return same, f"{'same' if same else 'a different'} chain with and without it"


def check_checkpoint(config: TrainConfig) -> Finding:
    """A board that is loaded with a state goes on from there, whatever it did since."""
    with closing(build_experiment(config)) as experiment:
        board = experiment.board
        board.start()
        board.run(CHECK_STEPS // 2)
        state = board.state_dict()
        straight = board.run(CHECK_STEPS // 2)
        board.configure(experiment.registers, experiment.points)
        board.load_state_dict(state)
        again = board.run(CHECK_STEPS // 2)
    same = np.array_equal(straight.log_posterior, again.log_posterior)
    return same, "a restored board goes on bit for bit" if same else "a restored board differs"
