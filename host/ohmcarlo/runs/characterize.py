"""Characterise an array: measure, trim, measure again, and fit the device model."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from ..array.characterize.ages import measure_ages
from ..array.characterize.characterization import Characterization
from ..array.characterize.estimates import Estimates, of_replay
from ..array.characterize.estimation import estimate_measurement
from ..array.characterize.evaluation import DEFAULT_CYCLES, DEFAULT_TARGETS_US, characterize
from ..array.characterize.fit import fit_file, preset_of
from ..array.characterize.following import followers, of_devices
from ..array.characterize.measure import Measurement, measure
from ..array.characterize.population import Population
from ..array.characterize.recorded_pulses import after_reset_us, pulses_of
from ..array.characterize.shape import groups_of_measurement, groups_of_pulses, shape_or_none
from ..array.die import Die
from ..array.physics import PhysicsArray, ValidityWarning
from ..array.read_noise import ARRAY, CODES
from ..boards import MODEL, check_backend, is_small, open_hardware
from ..boards.small.limits import require_single_operations
from ..errors import UsageError
from ..files import atomic, check_file, json_ready, make_folder
from ..measurements.reading import read_recording
from ..pages.checks import check_page
from ..posterior_error import errors_to_dict
from ..progress import Observer, Silence, phase
from ..spec import DEFAULT_MID_US, Geometry
from .arrays import DEFAULT_PHYSICS, OpenedArray, check_window, device_preset, open_array
from .config import TrainConfig
from .device_errors import USUAL_STEPS, USUAL_WEIGHTS
from .dies.expectation import STEPS, TASK
from .dies.findings import DieFindings, gather
from .dies.judgement import Evidence, judge_die
from .recordings import MEASURED, recording_behind
from .wire_errors import Lines

PDF = ".pdf"
FEWEST_STEPS = 100  # of a chain of the reference run
FITTED_ROWS, AGED_ROWS = 16, 8  # rows whose devices decide the fitted model, and its ages


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
    reference: Reference | None = None,
) -> dict[str, Any]:
    """Measure an array, trim it, measure the trimmed array, and fit the model to it.

    ``fit``: own measurements that ``preset`` is fitted to; ``--preset-out``, pictures and report
    then show their fit. ``say`` is called with a line of text before a step that takes long.
    ``reference``: the run that the verdict rests on; None: no run. Returns the content of the JSON
    file. Raises UsageError for a bad request.
    """
    reference = reference or Reference()
    check_backend(backend, array)
    if is_small(backend):
        require_single_operations()
    reference.check()
    outputs.check()
    config = TrainConfig(
        task=TASK, array=array, preset=preset, backend=backend, rows=rows, pairs=pairs, seed=seed,
        steps=reference.steps or STEPS,
    )  # fmt: skip
    opened = open_array(array, preset, Geometry(rows=rows, pairs=pairs), seed)
    outputs.keep_fit(fit, opened.window_us)
    findings = examine(config, opened, reference, say, fit)
    with phase("writing the results"):
        outputs.write(findings)
    return json_ready(_values(findings) | findings.to_dict())


def examine(
    config: TrainConfig,
    opened: OpenedArray,
    reference: Reference,
    say: Callable[[str], None],
    fit: Path | None = None,
) -> DieFindings:
    """Everything that can be found about the array ``opened``, which is that of ``config``; other
    arguments as for ``characterize_array``."""
    geometry = opened.array.geometry
    if config.backend == MODEL:
        measured = _characterize(opened)
    else:
        with closing(open_hardware(config.backend, opened.array, say)) as board:
            raw = board.raw_array()
            behind_board = replace(opened, array=raw, calibration_array=raw)
            measured = _characterize(behind_board)
    found, left, seen, estimates = measured
    population, recording = Population.of_measurement(seen), _recorded(config.array)
    shape = shape_or_none(groups_of_measurement(seen))
    if fit is not None:
        estimates = fit_file(fit, fit.stem)[1]
        population, recording, shape = _devices_of(fit)
    elif config.array.startswith(MEASURED):
        estimates = of_replay(estimates, recording["devices"])
    evidence = gather(
        _of_reference(config), geometry, opened.ideal, found, left, reference.endurance,
        reference.observer,
    )  # fmt: skip
    lines, coin = Lines.of(opened.array, geometry.max_features), opened.raw_bits(found)
    evidence = replace(evidence, lines=lines, coin=coin)
    return DieFindings(
        config=config,
        geometry=geometry,
        untrimmed=found,
        trimmed=left,
        estimates=estimates,
        population=population,
        evidence=evidence,
        verdict=judge_die(evidence),
        fitted="" if fit is None else str(fit),
        recording=recording,
        ages=_ages(config.array, config.preset, config.seed),
        shape=shape,
    )


def _of_reference(config: TrainConfig) -> TrainConfig:
    """The configuration of the reference run. A board with an emulated array makes the steps of
    the model, so that the model makes them."""
    return config if config.array == Die.name else replace(config, backend=MODEL)


def _values(findings: DieFindings) -> dict[str, Any]:
    """Properties of an array and the fit, for JSON."""
    found, left, config = findings.untrimmed, findings.trimmed, findings.config
    evidence = findings.evidence
    return {
        "array": config.array,
        "preset": config.preset,
        "rows": config.rows,
        "pairs": config.pairs,
        "devices": found.devices,
        "cycles_per_target": found.cycles,
        "target_us": np.round(found.targets_us, 2),
        "mean_us": np.round(found.mean_us, 2),
        "sigma_c2c_us": np.round(found.sigma_us_at, 2),
        "sigma_d2d_us": np.round(found.d2d_us, 2),
        "sigma_spread_ln": found.sigma_spread_ln,
        "cycle_correlation": found.cycle_correlation,
        "read_noise_rel": found.read_noise_rel,
        "raw_bits": found.raw_bits.to_dict(),
        "dead_devices": int(found.dead.sum()),
        "rows_without_dead_devices": int((~found.bad_rows).sum()),
        "untrimmed": _devices(found),
        "trimmed": _devices(left),
        "excess_spread": found.excess_spread,
        "wires": _wires(evidence),
        "dot_products": evidence.dot_products,
        "advice": advice(found, left),
        "posterior_error": errors_to_dict(evidence.usual_errors),
        "posterior_error_weights": USUAL_WEIGHTS,
        "posterior_error_steps": USUAL_STEPS,
        "fit": findings.estimates.to_dict(),
        "ages": findings.ages,
    }


def _wires(evidence: Evidence) -> dict[str, Any] | None:
    """The lines, and their effect on a posterior with dot products of the array."""
    if evidence.lines is None:
        return None
    (error,) = evidence.usual_wires
    return evidence.lines.describe() | {"posterior_error": error.to_dict()}


@dataclass(frozen=True)
class Reference:
    """The run that a verdict rests on.

    Attributes
    ----------
    steps : int
        Of every chain; 0: no run.
    endurance : float or None
        Cycles that a device survives; None: assumed.
    progress : Observer
        Shows the progress of the run.
    """

    steps: int = 0
    endurance: float | None = None
    progress: Observer = field(default_factory=Silence)

    def check(self) -> None:
        """Raise UsageError for numbers out of range."""
        if self.steps and self.steps < FEWEST_STEPS:
            raise UsageError(
                f"--steps {self.steps}: the reference run needs {FEWEST_STEPS} steps or more; 0 "
                "leaves it out"
            )
        if self.endurance is not None and not self.endurance >= 1:
            raise UsageError(
                f"--endurance {self.endurance:g}: give the cycles that a device survives, as in 1e6"
            )

    @property
    def observer(self) -> Observer | None:
        """For the run; None without one."""
        return self.progress if self.steps else None


def _recorded(array: str) -> dict[str, Any]:
    """What was recognised in the file of an array of recorded cells; nothing for another array."""
    recording = recording_behind(array)
    return {} if recording is None else recording.describe()


def _devices_of(fit: Path) -> tuple[Population, dict[str, Any], dict[str, Any]]:
    """The devices of a file of measurements, what was recognised in it, and the shape of their
    deviations."""
    recording = read_recording(fit)
    pulses, reset = pulses_of(recording), after_reset_us(recording)
    live = followers(pulses).live
    reset = None if reset is None else reset[:, live]
    silent = len(recording.silent) + int((~live).sum())
    following = of_devices(pulses, live)
    population = Population.of_pulses(following, reset, silent)
    return population, recording.describe(), shape_or_none(groups_of_pulses(following))


@dataclass(frozen=True)
class DeviceOutputs:
    """Files that ``characterize`` writes; None: not written.

    Attributes
    ----------
    trim : Path or None
        Calibration (.npz).
    preset : Path or None
        Fitted device model (.json), for ``--preset``.
    plots : Path or None
        Folder of the pictures.
    report : Path or None
        PDF file, or folder that takes the same report as Markdown and pictures.
    html : Path or None
        Page for a browser.
    command : str
        The line that makes the page again; the page shows it.
    """

    trim: Path | None = None
    preset: Path | None = None
    plots: Path | None = None
    report: Path | None = None
    html: Path | None = None
    command: str = ""

    def check(self) -> None:
        """Raise an error for a file that could not be written or read again, before any work is
        done."""
        if self.preset is not None and self.preset.suffix != ".json":
            raise UsageError(f"--preset-out {self.preset}: the name must end in .json")
        if self.report is not None:
            _check_report(self.report)
        if self.html is not None:
            check_page(self.html)
        for path in (self.trim, self.preset):
            if path is not None:
                check_file(path)

    def keep_fit(self, fit: Path | None, window_us: tuple[float, float]) -> None:
        """Refuse devices that cannot carry a chain; the preset of their fit is written first."""
        if fit is None:
            return
        try:
            check_window(window_us, str(fit))
        except UsageError:
            if self.preset is not None:
                with atomic(self.preset) as temporary:
                    fit_file(fit, self.preset.stem)[0].save(temporary)
            raise

    def write(self, findings: DieFindings) -> None:
        """Raises OhmcarloError when a file cannot be written."""
        found, estimates = findings.untrimmed, findings.estimates
        if self.trim is not None:
            with atomic(self.trim) as temporary:
                found.save(temporary)
        if self.preset is not None:
            with atomic(self.preset) as temporary:
                preset_of(estimates, self.preset.stem).save(temporary)
        if self.plots is not None:
            from ..pictures.canvas import write_pictures
            from ..pictures.devices import characterization_pictures

            make_folder(self.plots, "--plots")
            write_pictures(self.plots, characterization_pictures(estimates, findings.ages))
        if self.report is not None:
            _write_report(self.report, findings)
        if self.html is not None:
            from ..pages.render import write_page
            from .dies.page import page_of

            write_page(self.html, page_of(findings, self.command))


def _check_report(path: Path) -> None:
    """Raise an error, before any work is done, for a report that could not be written."""
    if find_spec("matplotlib") is None:
        raise UsageError("a report needs matplotlib: pip install 'ohmcarlo[report]'")
    if path.suffix.lower() == PDF:
        check_file(path)
    elif path.suffix and not path.is_dir():
        raise UsageError(
            f"--report {path}: give a file that ends in {PDF}, or a folder for Markdown and "
            "pictures"
        )
    elif path.exists() and not path.is_dir():
        raise UsageError(f"--report {path}: it is a file without {PDF}; give another name")


def _write_report(path: Path, findings: DieFindings) -> None:
    from ..pictures.pages import write_folder, write_pdf
    from .dies.document import document_of

    document = document_of(findings)
    if path.suffix.lower() == PDF:
        write_pdf(path, document)
    else:
        make_folder(path, "--report")
        write_folder(path, document)


def _characterize(
    opened: OpenedArray,
) -> tuple[Characterization, Characterization, Measurement, Estimates]:
    """Characterisation without trim, characterisation with the trim it gives, measurement for the
    fit, and the fit.

    The model is fitted to some rows only, over the range of conductance in which its law holds.
    """
    with phase("measuring the array"):
        found = opened.characterize()
    with phase("measuring the trimmed array"):
        left = characterize(
            opened.array, targets_us=tuple(found.targets_us), cycles=found.cycles, trim=found
        )
    low, high = opened.window_us
    targets = np.linspace(
        max(low, DEFAULT_TARGETS_US[0]), min(high, DEFAULT_TARGETS_US[-1]), len(DEFAULT_TARGETS_US)
    )
    rows = opened.array.geometry.rows
    with phase("measuring devices for the fit"):
        seen = measure(
            opened.array,
            rows=np.unique(np.linspace(0, rows - 1, min(rows, FITTED_ROWS)).astype(int)).tolist(),
            devices=None,
            targets_us=tuple(targets),
            cycles=DEFAULT_CYCLES,
            centre_us=DEFAULT_MID_US,
            everything=True,
        )
    with phase("fitting the device model"):
        return found, left, seen, estimate_measurement(seen)


def _ages(array: str, preset: str | None, seed: int) -> list[dict[str, Any]]:
    """Effect of age on the model of an array; empty for an array without a model of age."""
    if not array.startswith(PhysicsArray.name):
        return []
    device = device_preset(preset or DEFAULT_PHYSICS)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ValidityWarning)
        with phase("measuring aged devices"):
            return measure_ages(device, seed, rows=AGED_ROWS)


def fitted_constants(path: Path) -> dict[str, Any]:
    """The fit to own measurements in ``path``, as the part ``fit`` of the JSON file."""
    return fit_file(path, path.stem)[1].to_dict()


def _devices(found: Characterization) -> dict[str, Any]:
    return {
        "common_offset_rel": found.common_offset_rel,
        "common_offset_error": found.common_offset_error,
        "d2d_rel": found.d2d_rel,
        "random_walk": found.random_walk,
    }


def advice(untrimmed: Characterization, trimmed: Characterization) -> str:
    """The kernel and the dot products that suit the array."""
    advised = _kernel_advice(untrimmed, trimmed)
    if untrimmed.dot_products == ARRAY:
        return advised
    return (
        f"{advised}; use --dot-products {CODES} (the default of train): with dot "
        f"products of the array, read noise would widen the posterior by "
        f"{untrimmed.excess_spread:.0%}"
    )


def _kernel_advice(untrimmed: Characterization, trimmed: Characterization) -> str:
    if untrimmed.random_walk:
        return "any kernel works on this array, trimmed or not"
    if trimmed.random_walk:
        return "trim this array (train does, unless --no-trim); then any kernel works"
    return (
        "trim this array and use --whiten: the plain random walk would stall or be "
        f"biased (offset left {trimmed.common_offset_rel:+.1%}, device to device "
        f"{trimmed.d2d_rel:.1%})"
    )
