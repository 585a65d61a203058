"""Verbs ``train`` and ``resume``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from . import completion
from .options import (
    ArrayOption,
    BackendOption,
    JsonOption,
    PresetOption,
    RunArgument,
    SeedOption,
    ThreadsOption,
    TraceOption,
    WhereOption,
)
from .watching import BrowserOption, LiveOption, PortOption, free_run, live_view


def _use_threads(number: int | None) -> None:
    """Take over the option; UsageError for a wrong number in the environment."""
    from .. import threads

    threads.limit_threads(number)
    threads.threads()


def train(
    context: typer.Context,
    task: Annotated[
        str | None,
        typer.Argument(
            metavar="TASK",
            help="A task (see `ohmcarlo tasks`) or a CSV file with a label column.",
            autocompletion=completion.tasks,
        ),
    ] = None,
    backend: BackendOption = "model",
    array: ArrayOption = "emulator",
    preset: PresetOption = None,
    where: WhereOption = None,
    kernel: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            autocompletion=completion.kernels,
            help="corrected: the exact posterior; published: the algorithm as in the paper.",
            rich_help_panel="Chain",
        ),
    ] = "corrected",
    rho: Annotated[
        float | None,
        typer.Option(
            metavar="R",
            help="Proposals are centred at c + R (g - c). 1 is the random walk, without whitening; "
            "by default an adaptation chooses 0.6 to 0.9, for a network 0.9 to 0.997; --whiten: "
            "0.8 (ecg, several classes: 0.9).",
            rich_help_panel="Chain",
        ),
    ] = None,
    least_rho: Annotated[
        float | None,
        typer.Option(
            metavar="R",
            help="Let the adaptation choose rho from R on, if it promises twice the effective "
            "samples: 0.05 gives two to four times as many on most data. The default, 0.7 (0.6 on "
            "devices that differ), is safer for a posterior with long tails.",
            rich_help_panel="Chain",
        ),
    ] = None,
    wide_every: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            help="Every N steps, one uses rho = 1, which frees a chain from a far tail; 0: none "
            "(default: 10 on devices that are alike, 0 for random walks and other devices).",
            rich_help_panel="Chain",
        ),
    ] = None,
    whiten: Annotated[
        bool | None,
        typer.Option(
            "--whiten/--no-whiten",
            help="--whiten: fit the mode on the computer first, and sample around it, for "
            "comparison. --no-whiten: sample the features as they are, a tenth of the effective "
            "samples.",
            rich_help_panel="Chain",
        ),
    ] = None,
    adapt: Annotated[
        bool | None,
        typer.Option(
            "--adapt/--no-adapt",
            help="The array finds the coordinates that mix well itself, without a fit on the "
            "computer, in a few hundred steps before it samples (default for logistic models; "
            "--no-adapt: as --whiten).",
            rich_help_panel="Chain",
        ),
    ] = None,
    paper: Annotated[
        bool,
        typer.Option(
            "--paper",
            help="The paper's way: one chain of 2,000 steps, a random walk on the features as they "
            "are. It is the default of --kernel published.",
            rich_help_panel="Chain",
        ),
    ] = False,
    rows: Annotated[
        int | None,
        typer.Option(
            help="Rows of the array (default: 256; those of the board for small:PORT).",
            rich_help_panel="Array",
        ),
    ] = None,
    pairs: Annotated[
        int | None,
        typer.Option(
            help="Device pairs per row, entropy pairs included (default: 32, or more if the "
            "features need them; those of the board for small:PORT).",
            rich_help_panel="Array",
        ),
    ] = None,
    entropy_pairs: Annotated[
        int | None,
        typer.Option(
            help="Pairs of every row whose bits are the coin (default: 4; those of the board for "
            "small:PORT).",
            rich_help_panel="Array",
        ),
    ] = None,
    access_bits: Annotated[
        int | None,
        typer.Option(
            help="Input bits per access: 1, 2, 4 or 8 (default: 8; 1 on a board without a "
            "processor).",
            rich_help_panel="Array",
        ),
    ] = None,
    chains: Annotated[
        int | None,
        typer.Option(
            help="Independent chains of all boards, in equal shares of the rows (default 4, which "
            "R-hat needs; fewer in a small array; cartpole: 1)."
        ),
    ] = None,
    steps: Annotated[
        int | None,
        typer.Option(
            help="Steps of each chain (default that of the task: 10,000 to 20,000, cartpole 299, "
            "which are 1,200 episodes)."
        ),
    ] = None,
    seed: SeedOption = 0,
    train_points: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            help="Points to learn from, drawn from the training half: for a board with a small "
            "memory (default: all).",
            rich_help_panel="Data",
        ),
    ] = None,
    features: Annotated[
        int | None,
        typer.Option(
            help="Number of features, by chi² score (default: that of the task).",
            rich_help_panel="Model",
        ),
    ] = None,
    label: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Label column of a file, in any case (default: the column called label, class, "
            "target, y, diagnosis or outcome, otherwise the last one).",
            rich_help_panel="Data",
        ),
    ] = None,
    drop: Annotated[
        list[str] | None,
        typer.Option(
            metavar="A,B",
            help="Columns of a file to leave out, such as identifiers. Repeat the option for a "
            "name with a comma.",
            rich_help_panel="Data",
        ),
    ] = None,
    positive: Annotated[
        str | None,
        typer.Option(
            metavar="CLASS",
            help="Class that counts as 1, of two (default: the larger number, or the last in the "
            "alphabet).",
            rich_help_panel="Data",
        ),
    ] = None,
    regression: Annotated[
        bool | None,
        typer.Option(
            "--regression/--no-regression",
            help="The label of a CSV file is a number to predict, or a class (default: a number "
            "where more than 20 distinct values occur, some of them not whole numbers).",
            rich_help_panel="Data",
        ),
    ] = None,
    multi_class: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            autocompletion=completion.likelihoods,
            help="More than two classes: stick-breaking (the default; exact for a model of all "
            "classes) or one-vs-rest (separate models, probabilities normalised).",
            rich_help_panel="Model",
        ),
    ] = None,
    hidden: Annotated[
        int | None,
        typer.Option(
            help="Hidden units of a two-layer network; 0: logistic regression.",
            rich_help_panel="Model",
        ),
    ] = None,
    gamma: Annotated[
        float | None,
        typer.Option(
            help="µS per unit of weight; a larger value makes smaller steps (default: suits the "
            "spread of the array).",
            rich_help_panel="Model",
        ),
    ] = None,
    sigma_p: Annotated[
        list[str] | None,
        typer.Option(
            metavar="S",
            help="Standard deviation of the weight prior, per standardised feature (default 1). "
            "NAME=S sets that of one feature or of the bias; repeat the option for others. auto: "
            "the one that predicts best (leave-one-out of short runs).",
            rich_help_panel="Model",
        ),
    ] = None,
    tau: Annotated[
        float | None,
        typer.Option(
            help="Standard deviation of the common-mode prior, µS.", rich_help_panel="Model"
        ),
    ] = None,
    early_reject: Annotated[
        bool,
        typer.Option(
            "--early-reject/--no-early-reject",
            help="Stop reading data when a proposal cannot be accepted any more. The decisions are "
            "the same.",
            rich_help_panel="Chain",
        ),
    ] = True,
    trim: Annotated[
        bool,
        typer.Option(
            "--trim/--no-trim",
            help="Measure the array first and correct device-to-device differences (measured, "
            "physics and phy arrays).",
            rich_help_panel="Array",
        ),
    ] = True,
    dot_products: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            autocompletion=completion.dot_products,
            help="array: accesses of the array, as in the paper; codes: computed digitally from "
            "the codes read back, so that read noise does not change the posterior (default: codes "
            "where read noise would widen the posterior by more than 2 %).",
            rich_help_panel="Array",
        ),
    ] = None,
    repeats: Annotated[
        int,
        typer.Option(
            help="Reads of each device and accesses of each dot product that are averaged: 1, 2, "
            "4, 8 or 16.",
            rich_help_panel="Array",
        ),
    ] = 1,
    out: Annotated[
        Path | None,
        typer.Option(metavar="RUN", help="Keep the run in this new folder (resume, report)."),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE|RUN",
            autocompletion=completion.settings,
            help="Take the settings from a TOML file, or from the manifest of a run, which repeats "
            "it exactly. Options that you type replace those of the file.",
            rich_help_panel="Settings in a file",
        ),
    ] = None,
    write_config: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Write the settings of this run as TOML, with the meaning of each key, and stop "
            "(- prints them).",
            rich_help_panel="Settings in a file",
        ),
    ] = None,
    pulses: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="After the run, list every operation of the array (as `ohmcarlo pulses` does).",
        ),
    ] = None,
    threads: ThreadsOption = None,
    live: LiveOption = False,
    port: PortOption = None,
    browser: BrowserOption = True,
    trace: TraceOption = None,
    json: JsonOption = None,
) -> None:
    """Train an array on a task, and test it on held-out data.

    Examples:

    - `ohmcarlo train breast-cancer`: four chains that adapt first, enough for intervals

    - `ohmcarlo train breast-cancer --paper`: as in the paper, one random walk

    - `ohmcarlo train breast-cancer --out runs/first`: keep the run, for `resume` after a crash

    - `ohmcarlo train my-data.csv`: your own data; the label is the column named label, class,
      target, y, diagnosis or outcome, otherwise the last one; it holds classes, or numbers to
      predict

    - `ohmcarlo train my-data.csv --label state --drop id --positive ill`: label column, columns
      to leave out, and positive class

    - `ohmcarlo train digits --out runs/digits`: ten classes, sampled as nine binary problems

    - `ohmcarlo train breast-cancer --array measured:sweep.csv`: on recorded real devices

    - `ohmcarlo train breast-cancer --backend serial:/dev/ttyUSB0,serial:/dev/ttyUSB1`: two boards,
      each with an array of its own and half of the chains

    - `ohmcarlo train breast-cancer --live`: watch the chains in a browser; without `--out`, the run
      is kept in `runs/breast-cancer`

    - `ohmcarlo train --config runs/first --out runs/again`: repeat a run exactly

    - `ohmcarlo train breast-cancer --paper --write-config run.toml`, then
      `ohmcarlo train --config run.toml --seed 1`: settings in a file

    Half of the data are held out for the test. `--out` keeps what `predict`, `report` and
    `resume` need.
    """
    from ..progress import current_observer
    from ..runs.defaults import arrays_of
    from ..runs.kinds import kind_of
    from ..runs.pulses.listing import check_later_list, list_pulses
    from ..runs.train import Outputs, train_run
    from . import run_file
    from .console import Console
    from .measured import read_measurements
    from .show_runs import show_next_step, show_result
    from .sigma_p import read_sigma_p

    console = Console(json)
    _use_threads(threads)
    options: dict[str, Any] = {
        "task": task,
        "backend": backend,
        "array": array,
        "preset": preset,
        "kernel": kernel,
        "rho": rho,
        "least_rho": least_rho,
        "wide_every": wide_every,
        "whiten": whiten,
        "adapt": adapt,
        "rows": rows,
        "pairs": pairs,
        "entropy_pairs": entropy_pairs,
        "access_bits": access_bits,
        "chains": chains,
        "steps": steps,
        "seed": seed,
        "train_points": train_points,
        "features": features,
        "hidden": hidden,
        "gamma": gamma,
        "sigma_p": read_sigma_p(sigma_p),
        "tau": tau,
        "early_reject": early_reject,
        "trim": trim,
        "dot_products": dot_products,
        "repeats": repeats,
        "multi_class": multi_class,
        "label": label,
        "drop": tuple(drop or ()),
        "positive": positive,
    }
    file, typed = run_file.read_config(config), run_file.typed_options(context)
    chosen = run_file.merged(file, options, typed)
    run_file.require_task(file, chosen)
    names = chosen["array"], chosen["preset"], where, chosen["backend"]
    chosen["array"], chosen["preset"] = read_measurements(console, *names)
    if pulses is not None:
        check_later_list(pulses, out, chosen["array"], arrays_of(chosen))
    completed = run_file.completed_run(file, chosen, paper, regression)
    replaced = None if file is None else run_file.describe_replaced(file, options, typed)
    for note in (*filter(None, [replaced]), *completed.notes):
        console.say(note)
    if write_config is not None:
        run_file.write_config(console, write_config, completed.config)
        return
    if live and out is None:
        out = free_run(completed.config.task)
        console.say(f"the run is kept in {out}")
    outputs = Outputs(out, trace, console.json_file)
    outputs.check()
    with live_view(console, out, live, port, browser):
        values = train_run(completed.config, outputs, current_observer())
        if console.json_on_stdout:
            console.json(values)
        show_result(console, kind_of(completed.config.task, values["kind"]), values)
        if pulses is not None and out is not None:
            list_pulses(out, pulses, current_observer())
        if out is not None:
            show_next_step(console, out)


def resume(
    run: RunArgument,
    backend: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            autocompletion=completion.backends,
            help="Board that takes the run over: model, rtl, serial:PORT, small:PORT, mmio:DEVICE "
            "or devmem:ADDRESS (default: the one that it began on). Use it for a port that came "
            "back under another name, or after one of several boards was lost: the boards that are "
            "there, as serial:A,serial:B, make all chains.",
        ),
    ] = None,
    threads: ThreadsOption = None,
    live: LiveOption = False,
    port: PortOption = None,
    browser: BrowserOption = True,
    trace: TraceOption = None,
    json: JsonOption = None,
) -> None:
    """Finish an interrupted run without losing or repeating a sample.

    The trace equals that of an uninterrupted run. A run can be interrupted in any way: Ctrl-C, a
    crash, a power cut. It needs the inputs that it began with; an edited file is refused.

    Examples:

    - `ohmcarlo resume runs/first`: continue on the same board

    - `ohmcarlo resume runs/first --backend serial:/dev/ttyUSB1`: the board came back at this port
    """
    from ..progress import current_observer
    from ..runs.kinds import kind_of
    from ..runs.stored import require_run
    from ..runs.train import Outputs, resume_run
    from .console import Console
    from .show_runs import show_next_step, show_result

    console = Console(json)
    _use_threads(threads)
    outputs = Outputs(run, trace, console.json_file)
    require_run(run)
    with live_view(console, run, live, port, browser):
        values = resume_run(outputs, current_observer(), backend)
        if console.json_on_stdout:
            console.json(values)
        show_result(console, kind_of(values["task"], values.get("kind")), values)
        show_next_step(console, run)
