"""Sections of pages: claims that a run does not support, and choices among many weights."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ohmcarlo.pages.content import Chart, Section
from ohmcarlo.runs.adaptation.record import NO_WIDTH
from ohmcarlo.runs.regression.page import _predictions
from ohmcarlo.runs.sections.adaptation import adaptation_section
from ohmcarlo.runs.sections.array import in_use
from ohmcarlo.runs.sections.chains import MOST_WEIGHTS, Chains, chains_section
from ohmcarlo.runs.sections.commands import predicting, showing
from ohmcarlo.runs.sections.weights import weights_section
from ohmcarlo.runs.verdict import Verdict
from ohmcarlo.spec import Geometry


def chart(section: Section, name: str) -> Chart:
    return next(c for c in section.charts if c.name == name)


def drawn(section: Section, name: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = chart(section, name).spec["datasets"]["rows"]
    return rows


# -- chains ----------------------------------------------------------------------------------------


def made(chains: int, weights: int, seed: int = 1) -> Chains:
    draws = np.random.default_rng(seed).normal(size=(chains, 100, weights))
    return Chains([f"w{i}" for i in range(weights)], draws, draws[:, :, 0], 0)


def test_a_chart_of_many_weights_shows_the_worst_of_its_measure() -> None:
    """The weight with the largest R-hat is in the chart of R-hat, though it has samples enough."""
    found = made(2, MOST_WEIGHTS + 10)
    size = np.arange(1000.0, 1000.0 + len(found.names))
    rhat = np.ones(len(size))
    rhat[-1] = 1.3
    found.__dict__.update(bulk=size, tail=size + 500, rhat=rhat)
    section = chains_section(found)
    names = {name: {row["name"] for row in drawn(section, name)} for name in ("ess", "rhat")}
    assert "w0" in names["ess"] and found.names[-1] not in names["ess"]
    assert found.names[-1] in names["rhat"]
    assert f"worst {MOST_WEIGHTS} of {len(size)}" in chart(section, "rhat").description


def test_the_weight_with_the_fewest_samples_in_bulk_or_tails() -> None:
    found = made(2, 3)
    found.__dict__.update(bulk=np.array([500.0, 400, 900]), tail=np.array([600.0, 700, 300]))
    section = chains_section(found)
    title = chart(section, "worst-trace").title
    assert title == "Trace of the weight with the fewest effective samples: w2"
    assert "400 in the bulk and 300 in the tails" in chart(section, "ess").description


@pytest.mark.parametrize(("chains", "shown"), [(1, False), (2, True)])
def test_one_chain_agrees_with_nothing(chains: int, shown: bool) -> None:
    """The ranks of a single chain are equal shares, however bad it is."""
    section = chains_section(made(chains, 2))
    assert ("ranks" in {c.name for c in section.charts}) == shown
    assert ("agree" in chart(section, "trace").description) == shown


def test_a_weight_that_never_moved() -> None:
    draws = np.ones((2, 50, 1))
    section = chains_section(Chains(["w"], draws, draws[:, :, 0], 0))
    assert section.tables[0].rows[0][3:] == ("1", "1", "infinite")
    assert "1 of 1 weights have" not in section.sentences[0]


def test_tables_that_repeat_a_chart_are_folded() -> None:
    found = made(2, 3)
    tables = [*chains_section(found).tables]
    tables += weights_section(found.names, found.draws[0], Verdict.UNKNOWN).tables
    assert [table.folded for table in tables] == [
        "Diagnostics of 3 weights", "Numbers of all 3 weights (UNKNOWN)",
    ]  # fmt: skip


# -- array and adaptation --------------------------------------------------------------------------


def test_devices_in_use_of_a_network() -> None:
    """The rows of a group differ in their devices; each is in use if any group programmed it."""
    geometry = Geometry(rows=12, pairs=8, row_group=3, entropy_pairs=2)
    wear = np.zeros((12, 16), np.int64)
    wear[0, :6] = wear[1, :6] = 4  # inputs of two hidden units, of one group
    wear[2, :2] = wear[5, :2] = 7  # output row of two groups
    used = in_use(wear, geometry)
    for group in range(4):
        assert used[3 * group : 3 * group + 3].sum(axis=1).tolist() == [6, 6, 2]


STAGE = {"steps": 500, "rho": 0.98, "acceptance": 0.2, "log_posterior": -61.0}


@pytest.mark.parametrize(("widths", "shown"), [((NO_WIDTH, NO_WIDTH), False), ((3.8, 1.0), True)])
def test_a_pilot_has_no_width(widths: tuple[float, ...], shown: bool) -> None:
    """A pilot of the step size fits no coordinates, so that the page does not call them fitting."""
    stages = [{**STAGE, "width": width} for width in widths]
    section = adaptation_section({"stages": stages, "steps": 1000, "seconds": 0.1})
    assert section is not None
    words = " ".join([*section.sentences, *section.tables[0].header, section.tables[0].caption])
    assert ("width" in words) == ("adaptation-width" in {c.name for c in section.charts}) == shown
    assert {len(row) for row in section.tables[0].rows} == {len(section.tables[0].header)}


# -- regression, commands --------------------------------------------------------------------------


def test_shares_of_many_cases_count_all_of_them() -> None:
    """A chart of some cases has the share of all in its words, as the result does."""
    label = np.arange(4000.0)
    outside = label % 5 == 1  # one in five; some places of the chart hold another share
    found = {"labels": label, "prediction": label + np.where(outside, 3.0, 0.5),
             "low": np.where(outside, label + 1, label - 1), "high": label + 4}  # fmt: skip
    section = _predictions({"noise": {"median": 1.0}}, found, Verdict.SETTLED)
    assert "80.0% of the" in chart(section, "predictions-over-labels").description
    assert "80% of the residuals" in chart(section, "residuals").description


def test_commands_of_a_folder_with_a_space() -> None:
    path = Path("my runs/first run")
    assert shlex.split(predicting(path)) == ["ohmcarlo", "predict", str(path), "NEW.csv"]
    assert shlex.split(showing(path))[-1] == "first run.html"
