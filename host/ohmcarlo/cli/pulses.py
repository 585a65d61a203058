"""Verb ``pulses``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..errors import UsageError
from .options import RunArgument


def pulses(
    run: RunArgument,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Write the list into FILE.csv, FILE.csv.gz or FILE.parquet (default: CSV on "
            "standard output).",
        ),
    ] = None,
    from_step: Annotated[
        int | None,
        typer.Option(
            help="First step of the chains to list (default: everything, with the operations "
            "before the first step)."
        ),
    ] = None,
    steps: Annotated[
        int | None, typer.Option(help="Number of steps to list (default: to the end).")
    ] = None,
    dot: Annotated[
        bool, typer.Option("--dot", help="List the accesses of dot products, too.")
    ] = False,
    check: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Check a list instead: with its read-backs in place of the array, the controller "
            "must request the same operations and make the stored chain.",
        ),
    ] = None,
) -> None:
    """List every operation that the controller gave to the array in a run.

    The run is repeated from its manifest, and its chain must equal the stored one. A tester can
    replay the list on a real die. docs/pulses.md describes the columns.

    Examples:

    - `ohmcarlo pulses runs/first --out first.csv.gz`: the whole run

    - `ohmcarlo pulses runs/first --from-step 100 --steps 10`: ten steps

    - `ohmcarlo pulses runs/first --check first.csv.gz`: is it the list of this run?
    """
    from ..progress import current_observer
    from ..runs.pulses.checker import check_pulses
    from ..runs.pulses.listing import list_pulses
    from ..runs.pulses.recorder import Part
    from .console import Console

    if steps is not None and steps < 1:
        raise UsageError(f"--steps {steps}: list at least one step")
    if check is not None and (out, from_step, steps, dot) != (None, None, None, False):
        raise UsageError("--check compares a list that exists: leave out the other options")
    console = Console(None)
    progress = current_observer()
    if check is None:
        last = None if steps is None else max(from_step or 0, 1) + steps - 1
        list_pulses(run, out, progress, Part(from_step, last), dot)
        return
    found = check_pulses(check, run, progress)
    print(
        f"{check}: {found.operations:,} operations, as the controller requests them; the chain is "
        f"that of {run}"
    )
    if found.changed is not None:
        console.note(
            f"the read-back of line {found.changed} differs from that of the run; it changed no "
            "decision"
        )
