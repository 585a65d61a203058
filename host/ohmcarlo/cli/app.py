"""The command line. Exit codes: 0 done, 1 failed, 2 bad use, 130 interrupted.

Everything heavy is imported inside the verbs, so that ``--help`` answers at once.
"""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, TextIO

import typer

from .. import __version__
from ..errors import OhmcarloError

PACKAGE = Path(__file__).parents[1]
DONE, FAILED, BAD_USE, INTERRUPTED = 0, 1, 2, 130

app = typer.Typer(
    name="ohmcarlo",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
    help="""A resistive-memory array that samples a Bayesian posterior in place.

    Start with `ohmcarlo tasks`, then `ohmcarlo train breast-cancer`.""",
)
data_app = typer.Typer(no_args_is_help=True, help="Data that cannot ship with the program.")
app.add_typer(data_app, name="data")

JsonOption = Annotated[
    str | None,
    typer.Option("--json", metavar="FILE", help="Write the result as JSON; - is standard output."),
]
TraceOption = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Write the chain, step by step, as .npz."),
]
RunArgument = Annotated[Path, typer.Argument(metavar="RUN", help="Folder of `train --out`.")]
RowsOption = Annotated[int, typer.Option(help="Rows of the array.", rich_help_panel="Array")]
PairsOption = Annotated[
    int, typer.Option(help="Device pairs in a row (the coin's included).", rich_help_panel="Array")
]
ArrayOption = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        help="emulator (integers, the FPGA's twin), physics (device model; physics:1e7 after so "
        "many cycles), measured:FILE (replays a sweep of real cells) or phy (a die on a "
        "daughterboard, at --backend serial:PORT).",
        rich_help_panel="Array",
    ),
]
PresetOption = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="Device preset of the array model (rram-1t1r, relative-5pct, relative-2pct, stress), "
        "a .json file with one, or a CSV file of own measurements to fit one to.",
        rich_help_panel="Array",
    ),
]
BackendOption = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        help="Board that runs the chain: model (the bit-exact reference, on this computer), rtl "
        "(the hardware, simulated; built at its first use) or serial:PORT.",
        rich_help_panel="Array",
    ),
]
SeedOption = Annotated[
    int, typer.Option(help="Decides data split and array; equal seeds give equal runs.")
]
ArraySeedOption = Annotated[
    int, typer.Option(help="Decides the array; equal seeds give equal devices.")
]


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"ohmcarlo {__version__}")
        raise typer.Exit()


@app.callback()
def _global(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None: ...


@app.command()
def train(
    task: Annotated[
        str,
        typer.Argument(
            metavar="TASK", help="A task (see `ohmcarlo tasks`) or a CSV file with a label column."
        ),
    ],
    backend: BackendOption = "model",
    array: ArrayOption = "emulator",
    preset: PresetOption = None,
    kernel: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="corrected: the exact posterior; published: the algorithm as in the paper.",
            rich_help_panel="Chain",
        ),
    ] = "corrected",
    rho: Annotated[
        float | None,
        typer.Option(
            metavar="R",
            help="Proposals are centred at c + R (g - c): 1 is the random walk, 0.8 mixes best on "
            "whitened data (and is the default there).",
            rich_help_panel="Chain",
        ),
    ] = None,
    whiten: Annotated[
        bool,
        typer.Option(
            "--whiten",
            help="The computer fits the mode first, the array samples around it: the same "
            "posterior, ten times the effective samples.",
            rich_help_panel="Chain",
        ),
    ] = False,
    rows: RowsOption = 256,
    pairs: PairsOption = 32,
    entropy_pairs: Annotated[
        int,
        typer.Option(help="Pairs of every row that make the coin.", rich_help_panel="Array"),
    ] = 4,
    chains: Annotated[
        int,
        typer.Option(
            help="Independent chains, in equal shares of the rows; with 4, R-hat shows whether "
            "they agree."
        ),
    ] = 1,
    steps: Annotated[
        int | None,
        typer.Option(help="Steps of each chain (default 2,000; cartpole: 299, 1,200 episodes)."),
    ] = None,
    seed: SeedOption = 0,
    features: Annotated[
        int | None,
        typer.Option(
            help="Features to keep, the most telling first (default: as the task suggests).",
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
            help="µS per unit of weight: larger is smaller steps (default: what suits the spread "
            "of the array).",
            rich_help_panel="Model",
        ),
    ] = None,
    sigma_p: Annotated[
        float | None,
        typer.Option(
            help="Standard deviation of the weight prior, per standardised feature (default 1).",
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
            help="Stop reading data once a proposal is lost; the decisions stay the same.",
            rich_help_panel="Chain",
        ),
    ] = True,
    trim: Annotated[
        bool,
        typer.Option(
            "--trim/--no-trim",
            help="Correct device-to-device differences first (measured and physics arrays).",
            rich_help_panel="Array",
        ),
    ] = True,
    out: Annotated[
        Path | None,
        typer.Option(metavar="RUN", help="Keep the run in this new folder (resume, report)."),
    ] = None,
    trace: TraceOption = None,
    json: JsonOption = None,
) -> None:
    """Let an array learn a task, and test it on data it has not seen.

    Examples:

    - `ohmcarlo train breast-cancer --whiten --rho 0.8`: the quick, well-mixing way

    - `ohmcarlo train breast-cancer --out runs/first`: keep everything; `resume` after a crash

    - `ohmcarlo train my-data.csv --whiten --chains 4`: your own data; the label is the column
      called label, class, target or y, else the last one

    - `ohmcarlo train breast-cancer --array measured:sweep.csv`: on recorded real devices

    Half of the data are held out for the test. `--out` keeps what `predict`, `report` and
    `resume` need.
    """
    from ..runs.config import TrainConfig
    from ..runs.loop import Outputs, train_run
    from ..tasks import get_task
    from .console import Console

    config = TrainConfig(
        task=task,
        backend=backend,
        array=array,
        preset=preset,
        kernel=kernel,
        rho=rho,
        whiten=whiten,
        rows=rows,
        pairs=pairs,
        entropy_pairs=entropy_pairs,
        chains=chains,
        steps=get_task(task).steps if steps is None else steps,
        seed=seed,
        features=features,
        hidden=hidden,
        gamma=gamma,
        sigma_p=sigma_p,
        tau=tau,
        early_reject=early_reject,
        trim=trim,
    )
    console = Console(json)
    console.show_result(train_run(config, Outputs(out, trace, console.json_file), console))


@app.command()
def resume(
    run: RunArgument,
    trace: TraceOption = None,
    json: JsonOption = None,
) -> None:
    """Finish an interrupted run: no sample is lost, none repeated.

    The trace is the one that an uninterrupted run gives. A run can be interrupted in any way:
    Ctrl-C, a crash, a power cut.
    """
    from ..runs.loop import Outputs, resume_run
    from .console import Console

    console = Console(json)
    console.show_result(resume_run(Outputs(run, trace, console.json_file), console))


@app.command()
def predict(
    run: RunArgument,
    data: Annotated[
        Path,
        typer.Argument(
            metavar="DATA", help="CSV file with the columns of the training data; label optional."
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write the predictions as CSV (default: print them)."),
    ] = None,
    json: JsonOption = None,
) -> None:
    """Classify new data with a finished run, with an uncertainty for every answer.

    `probability` is that of the second class; `spread` is the epistemic uncertainty: how much
    the samples of the posterior disagree.

    Example: `ohmcarlo predict runs/first new-cases.csv --out answers.csv`
    """
    from ..runs.folder import check_file
    from ..runs.predict import predict_file
    from .console import Console

    console = Console(json)
    if out is not None:
        check_file(out)
    console.show_predictions(predict_file(run, data), out)


@app.command()
def report(
    run: RunArgument,
    plots: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Where the pictures go (default: RUN/report)."),
    ] = None,
    json: JsonOption = None,
) -> None:
    """Show a finished run: its numbers as text, its pictures as PNG.

    Pictures: have the chains settled, what each feature counts for, are the probabilities right,
    does it know what it does not know, wear; for two features the decision boundary and a map
    of the uncertainty and its two parts.
    """
    from ..pictures.report import write_report
    from .console import Console

    console = Console(json)
    result, pictures = write_report(run, plots)
    console.show_result(result, write=True)
    for picture in pictures:
        console.say(f"wrote {picture}")


@app.command()
def characterize(
    array: ArrayOption = "emulator",
    preset: PresetOption = None,
    backend: BackendOption = "model",
    rows: RowsOption = 256,
    pairs: PairsOption = 32,
    seed: ArraySeedOption = 0,
    fit: Annotated[
        Path | None,
        typer.Option(
            metavar="DATA.csv",
            help="Fit the physics model to own measurements (columns device, target_us, g_us, or "
            "a sweep file), show its constants and characterise it.",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Keep the calibration (.npz)."),
    ] = None,
    preset_out: Annotated[
        Path | None,
        typer.Option(metavar="FILE.json", help="Keep the fitted device model, for --preset."),
    ] = None,
    plots: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Draw spreads, memory, read noise and age."),
    ] = None,
    json: JsonOption = None,
) -> None:
    """Measure an array: offset, spread, trim, stuck devices, and which kernel it can carry.

    The device model is fitted to what was measured, with 95 % intervals: spread over the
    conductance, device to device, memory, read noise, state after RESET, stuck devices.

    Examples:

    - `ohmcarlo characterize --array physics --preset rram-1t1r --plots plots`

    - `ohmcarlo characterize --array measured:sweep.csv --out trim.npz`

    - `ohmcarlo characterize --fit mine.csv --preset-out mine.json`, then
      `ohmcarlo train breast-cancer --array physics --preset mine.json`
    """
    from ..array.physics import PhysicsArray
    from ..selftest.chain import DeviceOutputs, characterize_array, fitted_constants
    from .console import Console

    console = Console(json)
    if fit is not None:
        console.show_table("Fitted constants", fitted_constants(fit))
        array, preset = PhysicsArray.name, str(fit)
    console.show_characterization(
        characterize_array(
            array,
            preset,
            backend,
            rows,
            pairs,
            seed,
            DeviceOutputs(out, preset_out, plots),
            console.say,
            fit,
        )
    )


@app.command()
def selftest(
    backend: BackendOption = "model",
    array: ArrayOption = "emulator",
    preset: PresetOption = None,
    seed: ArraySeedOption = 0,
    json: JsonOption = None,
) -> None:
    """Check generator, coin, devices, chain and checkpoint, and a board's link, memory and
    registers; a minute at most."""
    from ..selftest.chain import run_selftest
    from .console import Console

    console = Console(json)
    if not console.show_checks(run_selftest(backend, array, preset, seed, console.say)):
        raise typer.Exit(FAILED)


@app.command()
def build(
    board: Annotated[
        str,
        typer.Argument(
            metavar="BOARD", help="ulx3s-85f, ecpix5-85f, ulx3s-12f, icebreaker, hx8k or arty-a7."
        ),
    ],
    array: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="emulator (default: a model of the array, inside the FPGA) or phy (a die on a "
            "daughterboard, at the headers of ulx3s-85f or ecpix5-85f).",
            rich_help_panel="Array",
        ),
    ] = None,
    small: Annotated[
        bool,
        typer.Option(
            "--small", help="A small array, which is built in a minute.", rich_help_panel="Array"
        ),
    ] = False,
    rows: Annotated[
        int | None, typer.Option(help="Rows of the array.", rich_help_panel="Array")
    ] = None,
    pairs: Annotated[
        int | None,
        typer.Option(help="Device pairs in a row (the coin's included).", rich_help_panel="Array"),
    ] = None,
    access_bits: Annotated[
        int | None,
        typer.Option(
            help="Bits of every input that one access applies: 8 is the fastest, 1 needs no "
            "multipliers.",
            rich_help_panel="Array",
        ),
    ] = None,
    clock: Annotated[
        float | None,
        typer.Option(
            metavar="MHZ", help="Clock of controller and processor (default: the board's)."
        ),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(
            help="Of place and route (default: 1, and the next where the clock is just missed)."
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Folder of the result (default: build/BOARD)."),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Build again, even if nothing has changed.")
    ] = False,
    program: Annotated[
        bool,
        typer.Option(
            "--program", help="Load it into the board that is connected (openFPGALoader)."
        ),
    ] = False,
    json: JsonOption = None,
) -> None:
    """Build the bitstream of an FPGA board, with open tools.

    Boards:

    - `ulx3s-85f`: Radiona ULX3S 85F, the reference array (256 × 32) at 80 MHz

    - `ecpix5-85f`: LambdaConcept ECPIX-5 85F, the reference array at 100 MHz

    - `ulx3s-12f`: Radiona ULX3S 12F, the bit-serial controller, without a processor

    - `hx8k`: Lattice iCE40-HX8K breakout board, the bit-serial controller, without a processor

    - `icebreaker`: 1BitSquared iCEBreaker, pins and clock only: its 5,280 LUTs are too few as yet

    - `arty-a7`: Digilent Arty A7-100T, as Verilog and XDC for Vivado

    Examples:

    - `ohmcarlo build ulx3s-85f --program`, then `ohmcarlo selftest --backend serial:/dev/ttyUSB0`

    - `ohmcarlo build ulx3s-85f --rows 128 --pairs 16 --clock 60`: another array, a slower clock

    - `ohmcarlo build ulx3s-85f --array phy --rows 64 --pairs 16`: for a real array of that size;
    wires, rails and first steps are in constraints/daughterboard.md

    The folder holds the bitstream, manifest.json (design, clocks reached, resources, versions,
    sha256), logs, and sources for your own flow. Equal inputs give equal bitstreams. A result that
    is up to date is not built again; a clock that is not met is an error, which says what was
    reached. The tools come with `pip install 'ohmcarlo[fpga]'` in a clone of the repository.
    """
    from ..fpga import BuildOptions, bitstream_rows, build_bitstream
    from .console import Console

    console = Console(json)
    options = BuildOptions(
        array=array,
        small=small,
        rows=rows,
        pairs=pairs,
        access_bits=access_bits,
        clock=clock,
        seed=seed,
        out=out,
        force=force,
        program=program,
    )
    made = build_bitstream(board, options, console.say)
    console.show_bitstream(made, bitstream_rows(made))


@app.command()
def reproduce(
    figure: Annotated[
        str,
        typer.Argument(
            metavar="FIGURE",
            help="fig1 to fig6, tissue and ecg (figure 5), endurance, energy, measured, backends, "
            "or all.",
        ),
    ],
    out: Annotated[
        Path, typer.Option(metavar="DIR", help="Folder of the results, one a figure.")
    ] = Path("reproduced"),
    seeds: Annotated[
        int, typer.Option(min=2, help="Splits or seeds that averages are taken over.")
    ] = 20,
    jobs: Annotated[int, typer.Option(min=1, help="Processes.")] = 2,
    json: JsonOption = None,
) -> None:
    """Reproduce a figure of the paper: its picture, and our numbers beside the published ones.

    Dalgaty et al., Nature Electronics 4, 151 (2021), https://doi.org/10.1038/s41928-020-00523-3.

    Each figure goes to a folder of its own: pictures, table.md, and a JSON with every number and
    seed. An interrupted run goes on where it was. `backends` is not part of `all`: it simulates the
    hardware.

    Examples:

    - `ohmcarlo reproduce fig4`

    - `ohmcarlo reproduce all --json numbers.json`
    """
    from ..reproduce import reproduce as make
    from ..reproduce import select
    from .console import Console

    console = Console(json)
    console.show_figures(make(select(figure), out, seeds, jobs, console))


@app.command()
def tasks(json: JsonOption = None) -> None:
    """List the tasks that `train` knows."""
    from ..tasks import TASKS
    from .console import Console

    console = Console(json)
    console.show_tasks(TASKS)


@data_app.command("fetch")
def data_fetch(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="breast-cancer-original, rram-set-sweep or mitdb.")
    ],
    json: JsonOption = None,
) -> None:
    """Fetch a data set and check its digest.

    Data are looked for in the folder that OHMCARLO_DATA names first.
    """
    from ..datasets.fetch import fetch
    from .console import Console

    console = Console(json)
    path = fetch(name)
    console.show_values("Data", {"name": name, "path": str(path)})


@data_app.command("export")
def data_export(
    task: Annotated[str, typer.Argument(metavar="TASK", help="A task, see `ohmcarlo tasks`.")],
    out: Annotated[Path, typer.Argument(metavar="FILE", help="CSV file to write.")],
    seed: SeedOption = 0,
    json: JsonOption = None,
) -> None:
    """Write the points that a task holds out as CSV, with their classes, as `predict` reads it.

    Example: `ohmcarlo data export ecg beats.csv`, then `ohmcarlo predict runs/ecg beats.csv`
    """
    from ..datasets import load
    from ..datasets.csvfile import as_csv
    from ..errors import UsageError
    from ..runs.folder import check_file, write_bytes
    from ..tasks import get_task
    from .console import Console

    console = Console(json)
    check_file(out)
    known = get_task(task)
    if known.policy:
        raise UsageError(f"{task} has no data to export: it learns from episodes")
    dataset = load(known.dataset)
    _, held_out = dataset.split(seed)
    write_bytes(out, as_csv(dataset, held_out))
    console.show_values("Data", {"task": task, "points": len(held_out), "path": str(out)})


def complain(message: str) -> None:
    """One line on standard error."""
    print(f"ohmcarlo: {' '.join(message.split())}", file=sys.stderr)


class _Notes:
    """Shows what this package warns of as one line each, once; other packages' warnings not."""

    def __init__(self) -> None:
        self._said: set[str] = set()

    def __call__(
        self,
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        text = str(message)
        ours = issubclass(category, UserWarning) and PACKAGE in Path(filename).parents
        if ours and text not in self._said:
            self._said.add(text)
            complain(f"note: {text}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    with warnings.catch_warnings():
        if not sys.warnoptions:
            warnings.simplefilter("always")
            warnings.showwarning = _Notes()
        return _main(arguments)


def _main(arguments: Sequence[str] | None) -> int:
    try:
        code: Any = app(
            args=None if arguments is None else list(arguments),
            prog_name="ohmcarlo",
            standalone_mode=False,
        )
        sys.stdout.flush()
        if code == INTERRUPTED:  # Typer turns Ctrl-C into this code
            complain("interrupted")
    except typer.TyperException as error:
        if not error.format_message():  # the help was shown instead
            return BAD_USE
        complain(f"{error.format_message()} (ohmcarlo --help shows how)")
        return BAD_USE
    except OhmcarloError as error:
        complain(str(error))
        return error.exit_code
    except (KeyboardInterrupt, typer.Abort):
        complain("interrupted")
        return INTERRUPTED
    except BrokenPipeError:
        # the reader went away (`| head`); keep Python from complaining at exit, too
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
    except OSError as error:
        # without a name it is what the compiler keeps: the files of a run are written elsewhere
        where = error.filename or "the folder of compiled code (in XDG_CACHE_HOME or ~/.cache)"
        complain(f"{where}: {error.strerror or error}: free some space or choose another place")
        return FAILED
    return int(code or DONE)


if __name__ == "__main__":
    sys.exit(main())
