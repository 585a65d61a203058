"""The page about an array: whether it can sample, what is known of it, and what is not.

Sentences and tables are those of ``document``; the charts take the place of its panels.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping

from ... import __version__
from ...array.characterize.estimates import Origin
from ...pages import charts_devices as charts
from ...pages.content import Chart, Headline, HtmlPage, Section, Table, Tone
from ...pictures.document import Page, TextTable
from ...readable import count
from .document import document_of, laws_of
from .findings import DieFindings
from .judgement import Standing
from .lines import Rows, expectation_rows

TONES = {
    Standing.EVERY: Tone.GOOD,
    Standing.ADAPTED: Tone.GOOD,
    Standing.LIMITED: Tone.CAUTION,
    Standing.UNUSABLE: Tone.BAD,
}
MEANINGS = {
    "c2c_intercept_us": "cycle-to-cycle σ = a - b g: a",
    "c2c_slope": "cycle-to-cycle σ = a - b g: b",
    "c2c_max_rel": "largest cycle-to-cycle σ/g (at low g)",
    "c2c_floor_us": "smallest cycle-to-cycle σ (at high g)",
    "c2c_device_ln": "spread of σ between devices",
    "slow_share": "share of the slow process in the variance",
    "slow_phi": "correlation of the slow process from pulse to pulse",
    "memory": "correlation length of the slow process",
    "d2d_rel": "largest device-to-device σ/g (at low g)",
    "d2d_max_us": "largest device-to-device σ",
    "read_noise_rel": "noise of a single read",
    "stuck_fraction": "share of stuck devices",
    "stuck_hrs_share": "share of stuck devices that stay at low conductance",
    "hrs_median_us": "median conductance after RESET",
    "hrs_ln_sigma": "spread after RESET",
    "hrs_max_us": "conductance above which RESET is repeated",
    "compliance_v": "voltage that gives the compliance current of a conductance",
    "relax_us": "change of g within 1 s after a pulse",
    "relax_onset_s": "start of this change",
    "drift_rel_per_decade": "drift of g per decade of time",
    "pulse_set_s": "length of a SET pulse",
    "pulse_reset_s": "length of a RESET pulse",
    "pulse_read_s": "length of a read",
    "wire_ohm": "resistance of the lines",
    "line_calibration": "correction of the lines by their drivers",
}
CONSTANT = "constant"
SAID = ("advice", "limit")  # by the headline
ANSWERS = {
    Standing.EVERY: "These devices can sample a posterior, with every kernel.",
    Standing.ADAPTED: "These devices can sample a posterior, with chains that adapt to them.",
    Standing.LIMITED: "These devices can sample a posterior, within limits.",
    Standing.UNUSABLE: "These devices cannot sample a posterior as they are.",
}


def page_of(findings: DieFindings, command: str) -> HtmlPage:
    """The page. ``command`` is the line that made the characterisation."""
    document = document_of(findings)
    verdict, *pages = document.pages
    return HtmlPage(
        title=document.title,
        subtitle=document.subtitle,
        headline=headline_of(findings),
        sections=(
            Section(
                "verdict",
                "Basis of the verdict",
                sentences=verdict.sentences,
                facts=[row for row in _facts(verdict.tables) if row[0] not in SAID],
            ),
            missing_section(findings),
            *_sections(pages, _drawings(findings), bool(findings.shape)),
            _array(findings),
            _repeat(findings, command),
        ),
    )


def headline_of(findings: DieFindings) -> Headline:
    """Whether the devices can sample, why not or within which limits, and what to do."""
    verdict = findings.verdict
    unusable = verdict.standing is Standing.UNUSABLE
    sentences = [ANSWERS[verdict.standing]]
    sentences += [_sentence(limit) for limit in verdict.limits]
    if not unusable:  # otherwise, the advice repeats the first limit
        sentences.append(f"Advice: {verdict.advice}.")
    expected = findings.evidence.expectation
    if expected is not None and not unusable:
        samples, energy = (text for _, text in expectation_rows(expected))
        sentences.append(f"A default run is expected to give {samples}; {energy}.")
    return Headline(TONES[verdict.standing], verdict.standing.value, tuple(sentences))


def _sentence(phrase: str) -> str:
    """A phrase with a capital letter and a full stop."""
    return f"{phrase[:1].upper()}{phrase[1:]}."


def _facts(tables: tuple[TextTable, ...]) -> Rows:
    """The rows of tables without a header: names and values."""
    return [(row[0], row[1]) for table in tables if not table.header for row in table.rows]


# -- what is not known -------------------------------------------------------------------------


def missing_section(findings: DieFindings) -> Section:
    missing = tuple(_gaps(findings))
    if not missing:
        missing = (
            "Nothing is missing: every constant of the model was measured on these devices.",
        )
    return Section("missing", "What is not known", sentences=missing)


def _gaps(findings: DieFindings) -> Iterator[str]:
    """What the data do not show, and how to find it."""
    evidence, constants = findings.evidence, findings.estimates.constants
    assumed = [name for name, e in constants.items() if e.origin is Origin.ASSUMED]
    if assumed:
        yield (
            f"The measurement does not determine {_listed(assumed)}. The model takes the values "
            "from its preset."
        )
    bounds = [name for name, e in constants.items() if e.origin is Origin.RANGE]
    if bounds:
        yield (
            f"The measured range is too narrow to determine {_listed(bounds)}. The model takes the "
            "value at the end of the range. To determine it, measure more levels."
        )
    if "read_noise_rel" not in constants:
        yield "Read noise is not known: read one state several times to find it."
    if not findings.population.hrs_us.size:
        yield "The state after RESET is not known: record it to find the window."
    if not findings.shape:
        yield "The shape of the deviations is not known, because too few pulses repeat a level."
    if evidence.failure:
        yield f"The reference run failed: {evidence.failure}."
    elif evidence.expectation is None:
        yield (
            "Effective samples, energy and wear of a run are not known, because no reference run "
            "was made: use --steps 1000."
        )
    if evidence.endurance is not None and not evidence.endurance.given:
        yield "The endurance of the devices is assumed: give it with --endurance."
    if findings.ages:
        yield "Ageing is modelled: this array was not aged."


def _listed(names: list[str]) -> str:
    """``a, b and c``, by their meanings."""
    names = [MEANINGS.get(name, name) for name in names]
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


# -- the parts of the report -------------------------------------------------------------------

Drawings = Mapping[str, Callable[[], Chart]]


def _drawings(findings: DieFindings) -> Drawings:
    """The chart in place of each panel, by the panel's name."""
    found, devices = findings.estimates, findings.population
    kernels = findings.verdict.kernels
    names = [
        f"{kernel.name.partition(',')[0]}, {'trimmed' if kernel.trimmed else 'untrimmed'}"
        for kernel in kernels
    ]
    # the recording of an array of recorded cells has voltages, the array has targets
    same = findings.recording.get("unit") == found.unit
    level = str(findings.recording["level"]) if same else ""
    return {
        "kernels": lambda: charts.kernels(names, [kernel.of_limit for kernel in kernels]),
        "set-law": lambda: charts.set_law(found, devices, level),
        "spread": lambda: charts.spreads(found, laws_of(found)),
        "spread-of-devices": lambda: charts.sigma_ratio(devices),
        "correlation": lambda: charts.correlation(found),
        "read-noise": lambda: charts.read_noise(found),
        "state-after-reset": lambda: charts.after_reset(devices),
        "shape": lambda: charts.shape(findings.shape),
        "age": lambda: charts.ages(findings.ages),
    }


def _sections(pages: list[Page], drawings: Drawings, shape: bool) -> Iterator[Section]:
    """The pages of the report, with charts; the shape stands beside the spreads."""
    for page in pages:
        panels = [panel.name for panel in page.panels]
        if shape and "spread" in panels:
            panels.append("shape")
        headed = tuple(table for table in page.tables if table.header)
        if page.sentences or panels or headed:
            yield Section(
                _name(page.title),
                page.title,
                sentences=page.sentences,
                charts=tuple(drawings[name]() for name in panels),
                tables=tuple(_table(table) for table in headed),
            )
        for table in page.tables:
            if not table.header:
                yield Section(_name(table.title), table.title, facts=_facts((table,)))


def _table(table: TextTable) -> Table:
    """A table with a header; that of the constants has a column with their meanings."""
    if table.header[0] != CONSTANT:
        return Table(table.header, table.rows, table.title)
    header = ("meaning", *table.header)
    rows = tuple((MEANINGS.get(row[0], ""), *row) for row in table.rows)
    return Table(header, rows, table.title)


def _name(title: str) -> str:
    """The identifier of a section.

    >>> _name("SET law and spread")
    'section-set-law-and-spread'
    """
    return "section-" + re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")


def _array(findings: DieFindings) -> Section:
    """The devices at their places, and the effect of the trim."""
    found, left = findings.untrimmed, findings.trimmed
    rows = tuple(
        (name, f"{c.common_offset_rel:+.2%} ± {c.common_offset_error:.2%}", f"{c.d2d_rel:.1%}",
         "yes" if c.random_walk else "no")
        for name, c in (("untrimmed", found), ("trimmed", left))
    )  # fmt: skip
    header = ("devices", "common offset", "device to device", "carries the random walk")
    good = int((~found.bad_rows).sum())
    return Section(
        "array",
        "The array, device by device",
        sentences=(
            f"{good:,} of {len(found.bad_rows):,} rows contain only devices that follow their "
            f"targets; {count(int(found.dead.sum()), 'device')} did not follow.",
        ),
        charts=(charts.offset_map(found),),
        tables=(Table(header, rows, "Devices before and after the trim."),),
    )


def _repeat(findings: DieFindings, command: str) -> Section:
    config = findings.config
    return Section(
        "repeat",
        "How to repeat this",
        sentences=("The same command gives the same numbers on the same version.",),
        facts=[
            ("version", f"ohmcarlo {__version__}"),
            ("array", f"{config.array}{f', {config.preset}' if config.preset else ''}"),
            ("seed", str(config.seed)),
        ],
        code=command,
    )
