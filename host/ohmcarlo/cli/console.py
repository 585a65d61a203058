"""What a person sees: progress on a terminal, a result as a table, honest warnings."""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console as Rich
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Table

from ..array.characterize.estimates import Estimate
from ..runs.folder import check_file, to_json, write_bytes, write_json
from ..runs.outcome import COMPLETE, ESS_LIMIT, RHAT_LIMIT
from ..spec.cartpole import EPISODE_STEPS

if TYPE_CHECKING:
    from ..runs.predict import Predictions
    from ..selftest.chain import Check

LOW_ACCEPTANCE = 0.02
SHOWN_ROWS = 8
SI = ((1e6, "M"), (1e3, "k"), (1.0, ""), (1e-3, "m"), (1e-6, "µ"), (1e-9, "n"), (1e-12, "p"))
Rows = list[tuple[str, str]]


class Console:
    """Standard output for results, standard error for everything else.

    Parameters
    ----------
    json : str or None
        ``--json``: a file, or ``-`` for standard output (tables then go to standard error).

    Raises UsageError, before any work is done, when the file could not be written.
    """

    def __init__(self, json: str | None) -> None:
        self._json_on_stdout = json == "-"
        self.json_file = None if json is None or json == "-" else Path(json)
        if self.json_file is not None:
            check_file(self.json_file)
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

    def track(self, cells: Iterable[Any], total: int, what: str) -> Iterator[Any]:
        """Hands results on as they come, with a bar on a terminal."""
        if not sys.stderr.isatty():
            yield from cells
            return
        with Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=self.err,
            transient=True,
        ) as progress:
            yield from progress.track(cells, total=total, description=what)

    # -- results ---------------------------------------------------------------------------------

    def show_result(self, values: Mapping[str, Any], write: bool = False) -> None:
        """A run's result, and its JSON; ``write``: the JSON file, too, which a run does itself."""
        if write or self._json_on_stdout:
            self._json(values)
        learnt = "policy" in values
        rows, warnings = (
            (policy_rows(values), policy_warnings(values))
            if learnt
            else (result_rows(values), result_warnings(values))
        )
        model = "a linear policy, sampled" if learnt else _model_name(values)
        self._table(f"{values['task']} · {model}", rows)
        for warning in warnings:
            self.out.print(f"[yellow]note:[/yellow] {escape(warning)}", soft_wrap=True)

    def show_predictions(self, predictions: Predictions, out: Path | None) -> None:
        """Predictions as CSV; a summary on standard error."""
        positive = predictions.class_names[1]
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(["row", "class", "probability", "spread"])
        for i, (name, p, s) in enumerate(predictions.rows(), start=1):
            writer.writerow([i, name, f"{p:.6f}", f"{s:.6f}"])
        if out is not None:
            write_bytes(out, text.getvalue().encode())
            self.say(f"wrote {out}")
        elif not self._json_on_stdout:
            print(text.getvalue(), end="")
        self._json(predictions.values())
        self.say(f"probability: of class {positive!r}; spread: its posterior standard deviation")
        if predictions.accuracy is not None:
            self.say(
                f"accuracy on these {len(predictions.probability)}: {predictions.accuracy:.1%}"
            )
        if rows := [i for i, beyond in enumerate(predictions.clipped, start=1) if beyond]:
            self.say(
                f"note: {_count(len(rows), 'row')} beyond the range of the training data, where "
                f"the 8-bit inputs end ({_first(rows)}): probability and spread are extrapolated"
            )

    def show_figures(self, values: Mapping[str, Any]) -> None:
        """What was reproduced: every table, and where its files are."""
        self._json(values)
        for name, figure in values["figures"].items():
            self.out.print(f"\n[bold]{escape(name)}[/bold]: {escape(figure['title'])}")
            for table in figure["tables"]:
                shown = Table(title=escape(table["title"]), title_justify="left")
                for column in ("quantity", "ours", "published", "goal"):
                    shown.add_column(column)
                for row in table["rows"]:
                    shown.add_row(*(escape(cell) for cell in goal_cells(row)))
                self.out.print(shown)
            for note in figure["notes"]:
                self.out.print(f"[yellow]note:[/yellow] {escape(note)}", soft_wrap=True)
            self.say(f"wrote {figure['folder']}")

    def show_characterization(self, values: Mapping[str, Any]) -> None:
        """What ``characterize`` found: a table over the targets, and the rest in words."""
        self._json(values)
        table = Table(title="Programming (median over devices)", title_justify="left")
        columns = {
            "target µS": "target_us",
            "mean reached µS": "mean_us",
            "cycle to cycle σ µS": "sigma_c2c_us",
            "device to device σ µS": "sigma_d2d_us",
        }
        for column in columns:
            table.add_column(column, justify="right")
        for cells in zip(*(values[name] for name in columns.values()), strict=True):
            table.add_row(*(f"{cell:.1f}" for cell in cells))
        self.out.print(table)
        self._table("Array", characterization_rows(values))
        self._table("Device model fitted to it [95 % interval]", constant_rows(values["fit"]))
        if values["ages"]:
            self._table("Age (a model of it: not measured)", age_rows(values["ages"]))

    def show_values(self, title: str, values: Mapping[str, Any]) -> None:
        """Any flat result."""
        self._json(values)
        self.show_table(title, values)

    def show_table(self, title: str, values: Mapping[str, Any]) -> None:
        """Names and values, for a person only."""
        self._table(title, [(k.replace("_", " "), _short(v)) for k, v in values.items()])

    def show_bitstream(self, values: Mapping[str, Any], rows: Rows) -> None:
        """What ``build`` made."""
        self._json(values)
        self._table("Bitstream", rows)

    def show_checks(self, checks: Iterable[Check]) -> bool:
        """Checks as they come in; True when all passed."""
        done: list[Check] = []
        for check in checks:
            done.append(check)
            mark = "[green]ok[/green]    " if check.passed else "[red]FAILED[/red]"
            self.out.print(f"{mark} {check.name}: {escape(check.detail)}", soft_wrap=True)
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
        """A table of names and values; they are shown as they are, whatever brackets they hold."""
        table = Table(
            title=escape(title), title_justify="left", show_header=False, title_style="bold"
        )
        table.add_column(no_wrap=True)
        table.add_column(overflow="fold")
        for name, value in rows:
            table.add_row(escape(name), escape(value))
        self.out.print(table)

    def _json(self, values: Mapping[str, Any]) -> None:
        if self._json_on_stdout:
            print(to_json(values), end="")
        elif self.json_file is not None:
            write_json(self.json_file, values)


def result_rows(v: Mapping[str, Any]) -> Rows:
    """What a person wants to know about a run, in this order."""
    n, referral = v["test_points"], v["referral"]
    right, (low, high) = round(v["accuracy"] * n), v["accuracy_interval_95"]
    return [
        (
            "accuracy on held-out data",
            f"{v['accuracy']:.1%} ({right} of {n} right; 95 % interval {low:.1%} to {high:.1%})",
        ),
        ("for comparison", f"scikit-learn's logistic regression {v['baseline']['accuracy']:.1%}"),
        (
            "quality of probabilities",
            f"log loss {v['log_loss']:.3f} nat, calibration error {v['ece']:.3f} (0 is perfect); "
            f"balanced accuracy {v['balanced_accuracy']:.1%}",
        ),
        (
            "without the least certain",
            f"{referral['accuracy']:.1%} right when the {referral['points']} least certain of {n} "
            f"are left to a person ({referral['errors_kept']} of "
            f"{_count(referral['errors'], 'error')} left)",
        ),
        ("method", _method(v)),
        ("chains", _chains(v)),
        ("weights, uncertainties", _mixing(v)),
        ("array", _array(v)),
        ("wear", _wear(v)),
        (
            "array reads for the data",
            f"{v['accesses']:,} = {v['accesses'] / max(1, v['accesses_without_early_reject']):.0%} "
            "of those without early rejection",
        ),
        ("energy, not measured", _energy(v)),
        ("coin", _coin(v["entropy"])),
        ("time", _time(v)),
    ]


def policy_rows(v: Mapping[str, Any]) -> Rows:
    """What a person wants to know about a run that learnt a policy, in this order."""
    training, test = v["training"], v["test"]
    full = training["episodes_to_full_return"]
    weights = ", ".join(f"{name} {w:+.1f}" for name, w in v["policy"]["weights_us"].items())
    return [
        (
            "return in Gymnasium",
            f"{test['mean_return']:.1f} ± {test['sd']:.1f} of {EPISODE_STEPS} over "
            f"{test['episodes']} episodes; {test['full']:.0%} of them stood to the end",
        ),
        (
            "training",
            f"{training['episodes']:,} episodes, {training['episodes_of_a_policy']} a policy; "
            f"return {training['first_return']:.1f} at first, "
            f"{training['mean_return_after_burn_in']:.1f} after burn-in; "
            + (f"the first {EPISODE_STEPS} after {full}" if full else f"never {EPISODE_STEPS}"),
        ),
        ("policy", f"{v['policy']['rule']}: {weights} µS"),
        ("method", _method(v)),
        ("chains", _chains(v)),
        ("array", _array(v)),
        ("wear", _wear(v)),
        ("energy, not measured", _energy(v)),
        ("coin", _coin(v["entropy"])),
        ("time", _time(v)),
    ]


def policy_warnings(v: Mapping[str, Any]) -> list[str]:
    """What the numbers of such a run do not support."""
    warnings = []
    if not v["accepted"]:
        warnings.append(
            "no proposal was accepted: the policy is the first, random one; `ohmcarlo "
            "characterize` says which kernel this array can carry"
        )
    elif v["training"]["episodes_to_full_return"] is None:
        warnings.append("no policy stood to the end in training: use more --steps, another --seed")
    if v["ess_min"] is None or v["ess_min"] < ESS_LIMIT:
        warnings.append(
            f"{v['ess_min'] or 0:.0f} effective samples for the worst weight: this is a search, "
            "its samples say little about how far the weights could be changed"
        )
    return warnings + _out_of_service(v)


def _chains(v: Mapping[str, Any]) -> str:
    return (
        f"{v['chains']} × {_count(v['steps'], 'step')}, {v['acceptance_rate']:.1%} accepted, "
        f"{_count(v['samples'], 'sample')}, the first {_count(v['burn_in'], 'step')} left out"
    )


def _array(v: Mapping[str, Any]) -> str:
    geometry = v["geometry"]
    return (
        f"{geometry['rows']} × {geometry['pairs']} pairs = {geometry['devices']:,} devices, "
        f"{_array_name(v)}{', trimmed' if v['trimmed'] else ''}"
    )


def _wear(v: Mapping[str, Any]) -> str:
    return (
        f"{v['wear']['mean']:,.1f} SET pulses per device on average, {v['wear']['max']:,} at "
        f"most{_characterising(v)}; {_count(len(v['retired_rows']), 'row')} retired"
    )


def _array_name(v: Mapping[str, Any]) -> str:
    kind, _, file = v["array"].partition(":")
    detail = Path(file).name if file else v["preset"]
    return f"{kind} ({detail})" if detail else kind


def _method(v: Mapping[str, Any]) -> str:
    walk = "random walk" if v["rho"] == 1 else f"rho {v['rho']:g}"
    method = f"{v['kernel']} kernel, {walk}"
    if v.get("whiten"):
        method += ", whitened: the computer fits the mode, the array samples around it"
    return method


def _mixing(v: Mapping[str, Any]) -> str:
    ess, rhat = v["ess_min"], v["rhat_max"]
    if not v["accepted"]:
        return "UNKNOWN: the chain never moved"
    if ess is None or rhat is None:
        return "UNKNOWN: too few steps to tell"
    verdict = "DO NOT TRUST" if rhat > RHAT_LIMIT else "rough" if ess < ESS_LIMIT else "settled"
    between = " (two halves of one chain)" if v["chains"] == 1 else ""
    return (
        f"{verdict}: {ess:,.0f} effective samples for the worst weight "
        f"({v['ess_min_per_1000_steps']:.1f} per 1,000 steps), split R-hat {rhat:.3f}{between}"
    )


def _energy(v: Mapping[str, Any]) -> str:
    low, high = v["energy"]["total"]["low"], v["energy"]["total"]["high"]
    return (
        f"{si(v['energy_joules'], 'J')} by a model of published parts, which allow "
        f"{si(low, 'J')} to {si(high, 'J')}{_characterising(v)}"
    )


def _time(v: Mapping[str, Any]) -> str:
    time = f"{v['wall_seconds']:.2f} s of sampling"
    if not v["clock_cycles"]:
        return time
    clocks, hz = v["clock_cycles"], v["clock_hz"]
    return f"{time}; {clocks:,} clocks, which are {si(clocks / hz, 's')} at {si(hz, 'Hz')}"


def _characterising(v: Mapping[str, Any]) -> str:
    """Whether wear and energy hold what the characterisation before the run cost."""
    if not v["trimmed"]:
        return ""
    # recorded cells are characterised on repeats of their own, a worn array was long ago
    apart = v["array"].startswith("measured:") or "@" in v["array"]
    return ", without the characterisation" if apart else ", characterisation included"


def characterization_rows(v: Mapping[str, Any]) -> Rows:
    """What a person wants to know about an array, in this order."""
    return [
        (
            "array",
            f"{v['rows']} × {v['pairs']} pairs = {v['devices']:,} devices, {_array_name(v)}",
        ),
        ("measured", f"{v['cycles_per_target']} SET pulses per device and target"),
        ("untrimmed", _spread(v["untrimmed"])),
        ("trimmed", _spread(v["trimmed"])),
        (
            "devices that do not follow",
            f"{v['dead_devices']:,}; {v['rows_without_dead_devices']:,} of {v['rows']:,} rows have "
            "none",
        ),
        (
            "differ in spread",
            f"σ(ln σ) = {v['sigma_spread_ln']:.2f} between devices",
        ),
        ("successive pulses", f"correlation {v['cycle_correlation']:.2f}"),
        ("read noise", f"{v['read_noise_rel']:.2%} of the conductance"),
        ("advice", v["advice"]),
    ]


def constant_rows(fit: Mapping[str, Any]) -> Rows:
    """Fitted constants."""
    return [
        (name, str(Estimate(e["value"], e["low"], e["high"], e["unit"])))
        for name, e in fit["constants"].items()
    ]


def age_rows(ages: Sequence[Mapping[str, Any]]) -> Rows:
    """What cycles do to median and spread."""
    return [
        (
            f"{age['cycles']:.0e} cycles" if age["cycles"] else "fresh",
            f"median × {age['median_gain'][0]:.3f}, σ × {age['sigma_gain'][0]:.2f}, "
            f"{age['stuck'][0]:.1%} stuck",
        )
        for age in ages
    ]


def _spread(v: Mapping[str, Any]) -> str:
    return (
        f"common offset {v['common_offset_rel']:+.2%} ± {v['common_offset_error']:.2%}, device to "
        f"device {v['d2d_rel']:.1%}"
    )


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
    rhat, ess, better = v["rhat_max"], v["ess_min"], _better(v)
    if not v["accepted"]:
        warnings.append(
            "no proposal was accepted: every answer is that of the "
            f"{'fit that the computer began with' if v['whiten'] else 'first, random weights'}, "
            "nothing was learnt by the array; do not trust weights and uncertainties of this run; "
            f"try {better}"
        )
    elif rhat is None or rhat > RHAT_LIMIT:
        shown = "unknown" if rhat is None else f"{rhat:.2f}"
        parts = "two halves of the chain do" if v["chains"] == 1 else "chains do"
        warnings.append(
            f"the {parts} not agree yet (R-hat {shown}, should be below {RHAT_LIMIT}): "
            f"do not trust weights and uncertainties of this run; try {better}"
        )
    elif ess is None or ess < ESS_LIMIT:
        warnings.append(
            f"only {0 if ess is None else ess:.0f} effective samples for the worst weight "
            f"({ESS_LIMIT} are wanted): intervals are rough; try {better}"
        )
    if 0 < v["acceptance_rate"] < LOW_ACCEPTANCE:
        warnings.append(
            f"only {v['acceptance_rate']:.1%} of the proposals were accepted: `ohmcarlo "
            "characterize` says which kernel this array can carry"
        )
    if v["kernel"] == "published":
        warnings.append(
            "the published kernel's posterior is biased (spreads about 20 % too small); "
            "--kernel corrected is exact"
        )
    return warnings + _out_of_service(v)


def _out_of_service(v: Mapping[str, Any]) -> list[str]:
    warnings = []
    if v["retired_rows"]:
        warnings.append(
            f"{_count(len(v['retired_rows']), 'row')} out of service: devices that are dead, or "
            f"were driven beyond the range of the ADC ({_first(v['retired_rows'])})"
        )
    if v["status"] != COMPLETE:
        warnings.append(
            f"the chains stopped after {_count(v['steps'], 'step')} ({v['status']}): no free rows "
            "were left; use more --rows or a smaller --gamma"
        )
    return warnings


def _better(v: Mapping[str, Any]) -> str:
    """What would make a run like this mix better."""
    if v["hidden"]:
        return f"more --steps, or another step size (--gamma, now {v['gamma_us']:.3g} µS)"
    if not v["accepted"] and v["retired_rows"]:
        return "an array with more working rows"
    if v["whiten"]:
        return "more --steps"
    return "--whiten, or more --steps"


def _count(n: int, noun: str) -> str:
    """``1 row``, ``2,000 rows``."""
    return f"{n:,} {noun}" if n == 1 else f"{n:,} {noun}s"


def _first(numbers: Sequence[int]) -> str:
    more = ", …" if len(numbers) > SHOWN_ROWS else ""
    return ", ".join(str(n) for n in numbers[:SHOWN_ROWS]) + more


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


def goal_cells(row: Mapping[str, Any]) -> tuple[str, str, str, str]:
    """A line of a figure's table: quantity, ours, published, goal."""
    return row["quantity"], row["ours"], row["published"], row["verdict"]
