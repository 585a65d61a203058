"""The public entry points of the Python packages, and the pages of their reference.

The text of these pages is that of the docstrings. A test requires an example of every entry point
(``tests/project/test_site.py``), and another one runs the examples.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import Any

FOLDER = "reference/python"


@dataclass(frozen=True)
class Group:
    """The entry points of one page.

    Attributes
    ----------
    name : str
        Name of the page's file.
    title : str
    purpose : str
        One sentence for readers who choose a page.
    entries : tuple of str
        Dotted names, from the module that users import.
    """

    name: str
    title: str
    purpose: str
    entries: tuple[str, ...]


GROUPS = (
    Group(
        "estimators",
        "Estimators for scikit-learn",
        "Fit, predict with an uncertainty, and choose rows to have labelled.",
        (
            "ohmcarlo.sklearn.MemristorClassifier",
            "ohmcarlo.sklearn.MemristorRegressor",
            "ohmcarlo.sklearn.most_informative",
        ),
    ),
    Group(
        "runs",
        "Runs",
        "Train, resume, report and predict from Python, as the verbs do.",
        (
            "ohmcarlo.runs.config.TrainConfig",
            "ohmcarlo.runs.train.train",
            "ohmcarlo.runs.train.train_regression",
            "ohmcarlo.runs.train.train_policy",
            "ohmcarlo.runs.train.train_run",
            "ohmcarlo.runs.train.resume_run",
            "ohmcarlo.runs.outputs.Outputs",
            "ohmcarlo.runs.report.write_report",
            "ohmcarlo.runs.report.write_html",
            "ohmcarlo.pages.render.write_page",
            "ohmcarlo.runs.predictions.open_points",
            "ohmcarlo.runs.pulses.listing.list_pulses",
            "ohmcarlo.runs.pulses.checker.check_pulses",
        ),
    ),
    Group(
        "data",
        "Data sets",
        "Load a table or a data set, split it, and encode it as the integers of the array.",
        (
            "ohmcarlo.datasets.load",
            "ohmcarlo.datasets.load_csv",
            "ohmcarlo.datasets.Dataset",
            "ohmcarlo.datasets.split_half",
            "ohmcarlo.datasets.Encoder",
            "ohmcarlo.datasets.hardest_first",
            "ohmcarlo.tasks.get_task",
            "ohmcarlo.tables.reading.read_table",
        ),
    ),
    Group(
        "arrays",
        "Arrays and device presets",
        "Build arrays of emulated, modelled and recorded devices, and read device constants.",
        (
            "ohmcarlo.spec.Geometry",
            "ohmcarlo.array.Array",
            "ohmcarlo.array.EmulatedArray",
            "ohmcarlo.array.PhysicsArray",
            "ohmcarlo.array.MeasuredArray",
            "ohmcarlo.array.Ledger",
            "ohmcarlo.array.get_preset",
            "ohmcarlo.array.device_preset.DevicePreset",
        ),
    ),
    Group(
        "devices",
        "Measurements and characterization",
        "Read a file of device measurements, fit a preset to it, and characterize an array.",
        (
            "ohmcarlo.measurements.reading.read_recording",
            "ohmcarlo.measurements.recording.Recording",
            "ohmcarlo.measurements.writing.as_text",
            "ohmcarlo.array.characterize.fit.fit_file",
            "ohmcarlo.array.characterize.evaluation.characterize",
            "ohmcarlo.array.characterize.characterization.Characterization",
        ),
    ),
    Group(
        "golden",
        "Golden model",
        "Run the bit-exact reference of the controller: settings, chain, predictions, triage.",
        (
            "ohmcarlo.golden.SamplerSettings",
            "ohmcarlo.golden.Registers",
            "ohmcarlo.golden.Controller",
            "ohmcarlo.golden.predict",
            "ohmcarlo.threads.limit_threads",
            "ohmcarlo.golden.Thresholds",
        ),
    ),
    Group(
        "boards",
        "Boards",
        "Drive the model, simulated boards and real boards through one interface.",
        (
            "ohmcarlo.boards.open_board",
            "ohmcarlo.boards.open_boards",
            "ohmcarlo.boards.Board",
            "ohmcarlo.boards.Block",
            "ohmcarlo.boards.pynq.register",
        ),
    ),
    Group(
        "diagnostics",
        "Diagnostics",
        "Compute effective sample sizes, R-hat, Monte Carlo errors and calibration errors.",
        (
            "ohmcarlo.diagnostics.ess",
            "ohmcarlo.diagnostics.rhat",
            "ohmcarlo.diagnostics.mcse",
            "ohmcarlo.diagnostics.ece",
        ),
    ),
)


def entries() -> list[str]:
    """Every entry point, by its dotted name."""
    return [name for group in GROUPS for name in group.entries]


def resolve(name: str) -> Any:
    """The class or function of a dotted name."""
    module, _, attribute = name.rpartition(".")
    return getattr(import_module(module), attribute)


def pages() -> dict[str, str]:
    """Pages of the reference: path in the site → Markdown."""
    return {f"{FOLDER}/index.md": _index()} | {
        f"{FOLDER}/{group.name}.md": _page(group) for group in GROUPS
    }


def _index() -> str:
    rows = [f"| [{group.title}]({group.name}.md) | {group.purpose} |\n" for group in GROUPS]
    return (
        "# Python\n\nThis reference is generated from the docstrings of the public entry points. "
        "Each has an example, and the tests run the examples.\n\n"
        "| page | use it to |\n| --- | --- |\n" + "".join(rows)
    )


def _page(group: Group) -> str:
    parts = [f"# {group.title}\n\n{group.purpose}\n", *(f"::: {e}\n" for e in group.entries)]
    return "\n".join(parts)
