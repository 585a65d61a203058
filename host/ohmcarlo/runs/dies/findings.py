"""Everything that a characterisation found, for the screen, JSON and a report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ...array.characterize.characterization import Characterization
from ...array.characterize.estimates import Estimates
from ...array.characterize.population import Population
from ...errors import OhmcarloError
from ...progress import Observer
from ...spec import Geometry
from ..chain_run import Interrupted
from ..config import TrainConfig
from ..device_errors import usual_error
from .expectation import Expectation, Rows, expect
from .judgement import ENDURANCE_CYCLES, DieVerdict, Endurance, Evidence
from .lines import verdict_rows


@dataclass(frozen=True, eq=False)
class DieFindings:
    """What is known of an array.

    Attributes
    ----------
    config : TrainConfig
        Array, board, geometry and seed.
    geometry : Geometry
    untrimmed, trimmed : Characterization
        Of the array, before and after the correction of its devices.
    estimates : Estimates
        Constants of the device model: of the array, or of the file that it was fitted to.
    population : Population
        The devices that ``estimates`` rest on.
    evidence : Evidence
        What the verdict rests on.
    verdict : DieVerdict
    fitted : str
        File of measurements that the array was fitted to; empty: the array itself was measured.
    recording : mapping
        ``Recording.describe()`` of the file of the devices; empty without a file.
    ages : sequence of mapping
        Effect of age on the model of the array; empty without a model.
    shape : mapping
        ``shape_of`` the deviations of the devices; empty if too few of their pulses repeat.
    """

    config: TrainConfig
    geometry: Geometry
    untrimmed: Characterization
    trimmed: Characterization
    estimates: Estimates
    population: Population
    evidence: Evidence
    verdict: DieVerdict
    fitted: str = ""
    recording: Mapping[str, Any] = field(default_factory=dict)
    ages: Sequence[Mapping[str, Any]] = ()
    shape: Mapping[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Verdict, expectation and population, for JSON."""
        evidence = self.evidence
        return {
            "population": self.population.to_dict(),
            "recording": dict(self.recording),
            "verdict": self.verdict.to_dict()
            | {"lines": verdict_rows(self.evidence, self.verdict)},
            "expectation": None if evidence.expectation is None else evidence.expectation.to_dict(),
            "endurance": None if evidence.endurance is None else evidence.endurance.to_dict(),
        }


def gather(
    config: TrainConfig,
    geometry: Geometry,
    ideal: bool,
    untrimmed: Characterization,
    trimmed: Characterization,
    endurance: float | None,
    observer: Observer | None,
) -> Evidence:
    """Make the reference run, and put together what a verdict rests on.

    ``ideal``: devices are alike. ``endurance``: cycles of a device, None: assumed. ``observer``:
    shows the progress of the reference run; None: it is left out.
    """
    rows = Rows.of(untrimmed.dead, geometry)
    expectation, failure = None, ""
    fair = untrimmed.raw_bits.to_dict()["fold"] is not None
    if observer is not None and rows.chains and rows.inputs > 1 and fair:
        expectation, failure = _try(config, rows, ideal, observer)
    usual, as_they_are = (
        usual_error(untrimmed, max(rows.good, 1), config.array, trim) for trim in (True, False)
    )
    return Evidence(
        untrimmed=untrimmed,
        trimmed=trimmed,
        rows=rows,
        expectation=expectation,
        failure=failure,
        endurance=None if expectation is None else _endurance(expectation, endurance),
        usual=usual,
        usual_untrimmed=as_they_are,
    )


def _try(
    config: TrainConfig, rows: Rows, ideal: bool, observer: Observer
) -> tuple[Expectation | None, str]:
    """The expectation, or why the reference run could not be made."""
    observer.say(
        f"reference run for the verdict: {config.task}, {rows.chains} × {config.steps:,} steps "
        "(--steps 0 leaves it out)"
    )
    try:
        return expect(config, rows, ideal, observer), ""
    except Interrupted:
        raise
    except OhmcarloError as error:
        return None, str(error)


def _endurance(expectation: Expectation, given: float | None) -> Endurance:
    return Endurance(
        ENDURANCE_CYCLES if given is None else given,
        given is not None,
        expectation.wear,
    )
