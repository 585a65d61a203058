"""What a person sees: progress on a terminal, a result as a table, honest warnings."""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console as Rich
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Table

from .errors import UsageError
from .runs import to_json, write_bytes, write_json

if TYPE_CHECKING:
    from .checks import Check
    from .prediction import Predictions

RHAT_LIMIT = 1.05
ESS_LIMIT = 100
SHOWN_ROWS = 8
SI = ((1.0, ""), (1e-3, "m"), (1e-6, "µ"), (1e-9, "n"), (1e-12, "p"))
Rows = list[tuple[str, str]]


class Console:
    """Standard output for results, standard error for everything else.

    Parameters
    ----------
    json : str or None
        ``--json``: a file, or ``-`` for standard output (tables then go to standard error).
    """

    def __init__(self, json: str | None) -> None:
        self._json_on_stdout = json == "-"
        self.json_file = Path(json) if json and json != "-" else None
        self.err = Rich(stderr=True, highlight=False)
        self.out = self.err if self._json_on_stdout else Rich(highlight=False)
        self._progress: Progress | None = None
        self._bar = TaskID(0)

    # -- watching a run --------------------------------------------------------------------------

    def say(self, text: str) -> None:
        self.err.print(text, markup=False, soft_wrap=True)

    def begin(self, steps: int, total: int) -> None:
        if not sys.stderr.isatty():
            return
        self._progress = Progress(
            TextColumn("sampling"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("steps · {task.fields[acceptance]:.0%} accepted ·"),
            TimeRemainingColumn(),
            console=self.err,
            transient=True,
        )
        self._bar = self._progress.add_task("", total=total, completed=steps, acceptance=0.0)
        self._progress.start()

    def advance(self, steps: int, acceptance: float) -> None:
        if self._progress is not None:
            self._progress.update(self._bar, completed=steps, acceptance=acceptance)

    def end(self) -> None:
        if self._progress is not None:
            self._progress.stop()
            self._progress = None

    # -- results ---------------------------------------------------------------------------------

    def show_result(self, values: Mapping[str, Any]) -> None:
        """A run's result. Its JSON file is written where the run is; stdout is served here."""
        if self._json_on_stdout:
            print(to_json(values), end="")
        self._table(f"{values['task']} · {_model_name(values)}", result_rows(values))
        for warning in result_warnings(values):
            self.out.print(f"[yellow]note[/yellow] {warning}", soft_wrap=True)

    def show_predictions(self, predictions: Predictions, out: Path | None) -> None:
        """Predictions as CSV; a summary on standard error."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(["row", "class", "probability", "spread"])
        for i, (name, p, s) in enumerate(predictions.rows()):
            writer.writerow([i, name, f"{p:.6f}", f"{s:.6f}"])
        if out is not None:
            write_bytes(out, text.getvalue().encode())
            self.say(f"wrote {out}")
        elif not self._json_on_stdout:
            print(text.getvalue(), end="")
        self._json(predictions.values())
        if predictions.accuracy is not None:
            self.say(
                f"accuracy on these {len(predictions.probability)}: {predictions.accuracy:.1%}"
            )

    def show_values(self, title: str, values: Mapping[str, Any]) -> None:
        """Any flat result."""
        self._json(values)
        self.show_table(title, values)

    def show_table(self, title: str, values: Mapping[str, Any]) -> None:
        """Names and values, for a person only."""
        self._table(title, [(k.replace("_", " "), _short(v)) for k, v in values.items()])

    def show_checks(self, checks: Iterable[Check]) -> bool:
        """Checks as they come in; True when all passed."""
        done: list[Check] = []
        for check in checks:
            done.append(check)
            mark = "[green]ok[/green]    " if check.passed else "[red]FAILED[/red]"
            self.out.print(f"{mark} {check.name}: {check.detail}", soft_wrap=True)
        passed = all(c.passed for c in done)
        self._json(
            {
                "passed": passed,
                "checks": [{"name": c.name, "passed": c.passed, "detail": c.detail} for c in done],
            }
        )
        return passed

    def show_tasks(self, tasks: Mapping[str, Any]) -> None:
        """The table of tasks."""
        self._json({name: asdict(task) for name, task in tasks.items()})
        self._table("Tasks", [(name, t.description) for name, t in tasks.items()])
        self.out.print("Any CSV file with a label column is a task, too.")

    def _table(self, title: str, rows: Rows) -> None:
        table = Table(title=title, title_justify="left", show_header=False, title_style="bold")
        table.add_column(no_wrap=True)
        table.add_column(overflow="fold")
        for name, value in rows:
            table.add_row(name, value)
        self.out.print(table)

    def _json(self, values: Mapping[str, Any]) -> None:
        if self._json_on_stdout:
            print(to_json(values), end="")
        elif self.json_file is not None:
            if not self.json_file.absolute().parent.is_dir():
                raise UsageError(f"{self.json_file}: this folder does not exist; make it first")
            write_json(self.json_file, values)


def result_rows(v: Mapping[str, Any]) -> Rows:
    """What a person wants to know about a run, in this order."""
    n, referral, geometry = v["test_points"], v["referral"], v["geometry"]
    right = round(v["accuracy"] * n)
    return [
        (
            "accuracy on held-out data",
            f"[bold]{v['accuracy']:.1%}[/bold] ({right} of {n} right; "
            f"scikit-learn's logistic regression: {v['baseline']['accuracy']:.1%})",
        ),
        (
            "balanced, log loss, ECE",
            f"{v['balanced_accuracy']:.1%}, {v['log_loss']:.3f}, {v['ece']:.3f}",
        ),
        (
            "knowing what it knows",
            f"without the {referral['fraction']:.0%} it is least sure of: "
            f"{referral['accuracy']:.1%} right "
            f"({referral['errors_kept']} of {referral['errors']} errors left)",
        ),
        (
            "chains",
            f"{v['chains']} × {v['steps']:,} steps, {v['acceptance_rate']:.1%} accepted, "
            f"{v['samples']:,} samples, the first {v['burn_in']:,} steps left out",
        ),
        ("mixing", _mixing(v)),
        (
            "array",
            f"{geometry['rows']} × {geometry['pairs']} pairs = {geometry['devices']:,} devices, "
            f"{_array_name(v)}"
            f"{', trimmed' if v['trimmed'] else ''}",
        ),
        (
            "wear",
            f"{v['wear']['mean']:,.0f} SET pulses per device on average, {v['wear']['max']:,} at "
            f"most; {len(v['retired_rows'])} rows retired",
        ),
        (
            "data accesses",
            f"{v['accesses']:,} = {v['accesses'] / max(1, v['accesses_without_early_reject']):.0%} "
            "of those without early rejection",
        ),
        ("energy (model)", _energy(v)),
        ("coin", _coin(v["entropy"])),
        ("time", f"{v['wall_seconds']:.2f} s of sampling"),
    ]


def _array_name(v: Mapping[str, Any]) -> str:
    kind, _, file = v["array"].partition(":")
    detail = Path(file).name if file else v["preset"]
    return f"{kind} ({detail})" if detail else kind


def _mixing(v: Mapping[str, Any]) -> str:
    ess, rhat = v["ess_min"], v["rhat_max"]
    if ess is None or rhat is None:
        return "too few steps to tell"
    return (
        f"{ess:,.0f} effective samples (worst weight; {v['ess_min_per_1000_steps']:.1f} per "
        f"1,000 steps), split R-hat {rhat:.3f}"
    )


def _energy(v: Mapping[str, Any]) -> str:
    low, high = v["energy"]["total"]["low"], v["energy"]["total"]["high"]
    return f"{si(v['energy_joules'], 'J')} (estimates from {si(low, 'J')} to {si(high, 'J')})"


def _coin(entropy: Mapping[str, Any]) -> str:
    source = " (emulated: pseudo-random by construction)" if entropy["pseudo_random"] else ""
    return (
        f"{entropy['min_entropy']:.3f} bit of min-entropy per raw bit, "
        f"{entropy['alarms']} alarms{source}"
    )


def _model_name(v: Mapping[str, Any]) -> str:
    if v["hidden"]:
        model = f"Bayesian network, {v['hidden']} hidden units"
    else:
        model = "Bayesian logistic regression"
    return f"{model}, {v['features']} features"


def result_warnings(v: Mapping[str, Any]) -> list[str]:
    """What the numbers of a run do not support, and what would help."""
    warnings = []
    better = "more --steps" if v["whiten"] or v["hidden"] else "--whiten --rho 0.8, or more --steps"
    rhat, ess = v["rhat_max"], v["ess_min"]
    if rhat is None or rhat > RHAT_LIMIT:
        shown = "unknown" if rhat is None else f"{rhat:.2f}"
        warnings.append(
            f"the chains do not agree yet (R-hat {shown}, should be below {RHAT_LIMIT}): "
            f"do not trust weights and uncertainties of this run; try {better}"
        )
    elif ess is None or ess < ESS_LIMIT:
        warnings.append(
            f"only {0 if ess is None else ess:.0f} effective samples for the worst weight: "
            f"intervals are rough; try {better}"
        )
    if v["acceptance_rate"] < 0.02:
        warnings.append(
            f"only {v['acceptance_rate']:.1%} of the proposals were accepted: `ohmcarlo "
            "characterize` says which kernel this array can carry (often --whiten --rho 0.8)"
        )
    if v["kernel"] == "published":
        warnings.append(
            "the published kernel's posterior is biased (spreads about 20 % too small); "
            "--kernel corrected is exact"
        )
    if v["retired_rows"]:
        shown = ", ".join(str(row) for row in v["retired_rows"][:SHOWN_ROWS])
        more = ", …" if len(v["retired_rows"]) > SHOWN_ROWS else ""
        warnings.append(
            f"{len(v['retired_rows'])} rows hold dead devices and are out of service: {shown}{more}"
        )
    if v["status"] != "running":
        warnings.append(f"the chains stopped early ({v['status']}): no free rows were left")
    return warnings


def si(value: float, unit: str) -> str:
    """A quantity with three digits and a prefix."""
    for scale, prefix in SI:
        if abs(value) >= scale:
            return f"{value / scale:.3g} {prefix}{unit}"
    return f"{value:.3g} {unit}"


def _short(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, dict):
        return ", ".join(f"{k} {_short(v)}" for k, v in value.items())
    if isinstance(value, list):
        return ", ".join(_short(v) for v in value) or "none"
    return str(value)
