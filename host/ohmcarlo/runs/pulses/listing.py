"""Lists the operations of a complete run."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from ...errors import UsageError
from ...files import in_place
from ...progress import Observer
from ..tap import Tap
from .columns import Units
from .recorder import ALL, Part, Recorder
from .rerun import StoredRun, chains_of, make_again, require_no_die, require_one_array
from .writing import check_list, suffix_of, writer


def list_pulses(
    run: Path, out: Path | None, observer: Observer, part: Part = ALL, dots: bool = False
) -> int:
    """List the operations of the array in a run; returns the number of lines.

    Parameters
    ----------
    run : Path
        Folder of a complete run.
    out : Path or None
        ``.csv``, ``.csv.gz`` or ``.parquet``; None: CSV on standard output. A run of several
        classes gives a list a problem: ``NAME-problem-1.csv``, …
    observer : Observer
    part : Part
        The steps to list.
    dots : bool
        Lines for the accesses of dot products, too.

    Raises
    ------
    UsageError
        For a bad request.
    OhmcarloError
        When the run cannot be repeated, or the list cannot be written.

    Examples
    --------
    >>> from pathlib import Path
    >>> from ohmcarlo.progress import Silence
    >>> from ohmcarlo.runs.config import TrainConfig
    >>> from ohmcarlo.runs.outputs import Outputs
    >>> from ohmcarlo.runs.pulses.checker import check_pulses
    >>> from ohmcarlo.runs.pulses.listing import list_pulses
    >>> from ohmcarlo.runs.train import train_run
    >>> config = TrainConfig("toy2d", rows=16, pairs=8, steps=20)
    >>> _ = train_run(config, Outputs(folder=Path("first")), Silence())
    >>> lines = list_pulses(Path("first"), Path("first.csv"), Silence())
    >>> check_pulses(Path("first.csv"), Path("first"), Silence()).operations == lines
    True
    """
    folders = chains_of(run)
    several = len(folders) > 1
    if several and (out is None or in_place(out)):
        raise UsageError(f"{run} has {len(folders)} problems: give --out FILE, for a list of each")
    runs = [StoredRun.of(folder) for folder in folders]
    files = [_file_of(out, folder.name if several else "") for folder in folders]
    for file in files:
        if file is not None:
            check_list(file)
    for stored in runs:
        _check_part(part, stored)
    return sum(
        _list_one(stored, file, observer, part, dots)
        for stored, file in zip(runs, files, strict=True)
    )


def check_later_list(path: Path, run: Path | None, array: str, boards: int) -> None:
    """Raise an error, before a run is made, if it cannot be listed into ``path`` afterwards.

    ``run`` is the folder that will keep it, ``array`` the name of its array, ``boards`` the number
    of its arrays.
    """
    if run is None:
        raise UsageError("--pulses needs a run folder: add --out RUN")
    require_no_die(array, "this run")
    require_one_array(boards, "this run")
    check_list(path)


def _file_of(out: Path | None, problem: str) -> Path | None:
    if out is None or not problem:
        return out
    suffix = suffix_of(out)
    return out.with_name(f"{out.name[: -len(suffix)]}-{problem}{suffix}")


def _check_part(part: Part, stored: StoredRun) -> None:
    steps = stored.trace.all_steps // stored.trace.chains
    if part.first is not None and not 0 <= part.first <= steps:
        raise UsageError(
            f"step {part.first} does not exist: the chains of {stored.path} have steps 1 to {steps}"
        )


def _list_one(
    stored: StoredRun, out: Path | None, observer: Observer, part: Part, dots: bool
) -> int:
    tap: Tap

    @cache
    def units() -> Units:
        assert tap.opened is not None
        return Units.of(stored.config, tap.opened)

    with writer(out, stored.head(str(part)), units, dots) as write:
        recorder = Recorder(write, part, dots)
        tap = recorder.tap = Tap(recorder)
        make_again(stored, tap, observer, part.last)
        recorder.flush()
    if out is not None:
        observer.say(f"wrote {out}: {recorder.listed:,} lines")
    return recorder.listed
