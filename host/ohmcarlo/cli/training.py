"""Verbs ``train`` and ``resume``."""

from __future__ import annotations

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
from .train_options import (
    AccessBitsOption,
    AdaptOption,
    ArrayPairsOption,
    ArrayRowsOption,
    ChainsOption,
    ConfigOption,
    DotProductsOption,
    DropOption,
    EarlyRejectOption,
    EntropyPairsOption,
    FeaturesOption,
    GammaOption,
    HiddenOption,
    KernelOption,
    LabelOption,
    LeastRhoOption,
    MultiClassOption,
    OutOption,
    PaperOption,
    PositiveOption,
    PulsesOption,
    RegressionOption,
    RepeatsOption,
    RhoOption,
    SigmaPOption,
    StepsOption,
    TaskArgument,
    TauOption,
    TrainPointsOption,
    TrimOption,
    WhitenOption,
    WideEveryOption,
    WriteConfigOption,
)
from .watching import BrowserOption, LiveOption, PortOption, free_run, live_view


def _use_threads(number: int | None) -> None:
    """Take over the option; UsageError for a wrong number in the environment."""
    from .. import threads

    threads.limit_threads(number)
    threads.threads()


def train(
    context: typer.Context,
    task: TaskArgument = None,
    backend: BackendOption = "model",
    array: ArrayOption = "emulator",
    preset: PresetOption = None,
    where: WhereOption = None,
    kernel: KernelOption = "corrected",
    rho: RhoOption = None,
    least_rho: LeastRhoOption = None,
    wide_every: WideEveryOption = None,
    whiten: WhitenOption = None,
    adapt: AdaptOption = None,
    paper: PaperOption = False,
    rows: ArrayRowsOption = None,
    pairs: ArrayPairsOption = None,
    entropy_pairs: EntropyPairsOption = None,
    access_bits: AccessBitsOption = None,
    chains: ChainsOption = None,
    steps: StepsOption = None,
    seed: SeedOption = 0,
    train_points: TrainPointsOption = None,
    features: FeaturesOption = None,
    label: LabelOption = None,
    drop: DropOption = None,
    positive: PositiveOption = None,
    regression: RegressionOption = None,
    multi_class: MultiClassOption = None,
    hidden: HiddenOption = None,
    gamma: GammaOption = None,
    sigma_p: SigmaPOption = None,
    tau: TauOption = None,
    early_reject: EarlyRejectOption = True,
    trim: TrimOption = True,
    dot_products: DotProductsOption = None,
    repeats: RepeatsOption = 1,
    out: OutOption = None,
    config: ConfigOption = None,
    write_config: WriteConfigOption = None,
    pulses: PulsesOption = None,
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
