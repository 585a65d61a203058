"""Verbs ``characterize`` and ``selftest``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .options import (
    ArrayOption,
    ArraySeedOption,
    BackendOption,
    HtmlOption,
    JsonOption,
    PairsOption,
    PresetOption,
    RowsOption,
    WhereOption,
)


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
            metavar="FILE",
            help="Fit the physics model to your measurements (docs/measurements.md has the "
            "formats), show its constants and characterise it.",
        ),
    ] = None,
    where: WhereOption = None,
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
    report: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.pdf|FOLDER",
            help="Write a report: verdict, SET law, spreads, correlation, read noise, RESET, "
            "constants, and what was left out of a file. A folder takes Markdown and pictures.",
        ),
    ] = None,
    html: HtmlOption = None,
    steps: Annotated[
        int,
        typer.Option(
            help="Steps of each chain of the reference run for the verdict; 0 leaves it out."
        ),
    ] = 1000,
    endurance: Annotated[
        float | None,
        typer.Option(
            metavar="CYCLES",
            help="Endurance of a device, in cycles, to compare with a run [default: 1e6, "
            "an assumption].",
        ),
    ] = None,
    json: JsonOption = None,
) -> None:
    """Measure an array: offset, spread, trim and stuck devices. A verdict states which kernels suit
    the array, and what to expect of a run on it.

    The device model is fitted to the measurement, with 95 % intervals: spread over the
    conductance, device-to-device spread, memory, read noise, state after RESET, stuck devices.

    Examples:

    - `ohmcarlo characterize --array physics --preset rram-1t1r --plots plots`

    - `ohmcarlo characterize --array measured:sweep.csv --where vbl=2.0 --out trim.npz`

    - `ohmcarlo characterize --array measured:sweep.csv --report die.pdf --html die.html`

    - `ohmcarlo characterize --fit mine.csv --preset-out mine.json`, then
      `ohmcarlo train breast-cancer --array physics --preset mine.json`
    """
    given = dict(locals())
    from ..array.physics import PhysicsArray
    from ..measurements.veriloga.measuring import VERILOGA, is_veriloga, measured_table
    from ..progress import current_observer
    from ..runs.characterize import (
        DeviceOutputs,
        Reference,
        characterize_array,
        fitted_constants,
    )
    from .console import Console
    from .measured import array_of_fit, read_measurements
    from .repeating import command_of
    from .show_devices import FITTED, constant_rows, show_characterization

    console = Console(json)
    if fit is not None:
        array, preset = array_of_fit(fit, array, preset)
    array, preset = read_measurements(console, array, preset, where, backend)
    if is_veriloga(array) and preset is None:
        fit = measured_table(array.removeprefix(VERILOGA))
        array, preset = PhysicsArray.name, str(fit)
    if fit is not None:
        fit = Path(preset or "")
        console.table(FITTED, constant_rows(fitted_constants(fit)))
    command = command_of(characterize, given)
    outputs = DeviceOutputs(out, preset_out, plots, report, html, command)
    values = characterize_array(
        array,
        preset,
        backend,
        rows,
        pairs,
        seed,
        outputs,
        current_observer().say,
        fit,
        Reference(steps, endurance, current_observer()),
    )
    show_characterization(console, values, constants=fit is None)
    if html is not None:
        console.say(f"wrote {html}")


def selftest(
    backend: BackendOption = "model",
    array: ArrayOption = "emulator",
    preset: PresetOption = None,
    seed: ArraySeedOption = 0,
    html: HtmlOption = None,
    json: JsonOption = None,
) -> None:
    """Check generator, coin, devices, chain and checkpoint, and link, memory and registers of a
    board. It takes a minute at most.

    Examples:

    - `ohmcarlo selftest`: the model, on this computer

    - `ohmcarlo selftest --backend serial:/dev/ttyUSB0`: a board, before its first run
    """
    given = dict(locals())
    from ..pages.checks import check_page
    from ..progress import current_observer
    from ..selftest.chain import run_selftest
    from .console import Console
    from .exit_codes import FAILED
    from .repeating import command_of
    from .show_devices import show_checks

    console = Console(json)
    if html is not None:
        check_page(html)
    checks = show_checks(
        console, run_selftest(backend, array, preset, seed, current_observer().say)
    )
    if html is not None:
        from ..pages.render import write_page
        from ..selftest.page import page_of

        write_page(html, page_of(checks, backend, array, seed, command_of(selftest, given)))
        console.say(f"wrote {html}")
    if not all(check.passed for check in checks):
        raise typer.Exit(FAILED)
