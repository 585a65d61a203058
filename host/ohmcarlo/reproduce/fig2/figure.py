"""Figure 2: the devices. Spread, shape, memory, noise and age, of a model and of real cells.

The physics model is measured like an array, by SET and READ alone, and fitted. The fit is checked
against the constants of the model. The recorded sweep of 50 cells is fitted in the same way.
"""

from __future__ import annotations

from ...array.characterize.estimates import Estimates
from ...datasets.fetch import SWEEP, find
from ...errors import UsageError
from ..base import Bench, Cell, Figure
from .cells import age_cell, array_cell, cover_cell, sweep_cell
from .pictures import draw
from .tables import age_table, array_table, cover_table, sweep_table

ROWS = 64
COVER_FROM = 1000


def make(bench: Bench) -> Figure:
    """Fits of model and cells, and the coverage of their intervals."""
    notes = []
    array = _fitted(bench.map("array", array_cell, [{"rows": ROWS, "seed": 0}])[0])
    ages = bench.map("ages", age_cell, [{"seed": 0}])[0]["ages"]
    try:
        path = str(find(SWEEP))
        sweep: Cell | None = _fitted(bench.map("sweep", sweep_cell, [{"path": path}])[0])
    except UsageError as error:
        sweep = None
        notes.append(f"without recorded cells: {error}")
    covered = bench.map(
        "intervals",
        cover_cell,
        [
            {"seed": COVER_FROM + s, "wrong": wrong}
            for wrong in (False, True)
            for s in range(bench.seeds)
        ],
    )
    tables = [
        array_table(array["found"]),
        cover_table(covered[: bench.seeds], covered[bench.seeds :]),
    ]
    if sweep is not None:
        tables.insert(1, sweep_table(sweep))
    return Figure(
        title="Electrical characterisation: cycle-to-cycle and device-to-device spread, and their "
        "quality as a source of random numbers",
        tables=[*tables, age_table(ages)],
        pictures={"fig2": draw(array, sweep, ages)},
        values={
            "array": _plain(array),
            "sweep": None if sweep is None else _plain(sweep),
            "ages": ages,
            "intervals": covered,
        },
        notes=[
            "Brackets: 95 % intervals, by a bootstrap over devices (shares: Clopper and Pearson).",
            "`published`: for the model, the constant that it was built with; for the cells, the "
            "value derived from the same file without intervals (array/presets.py), or the source "
            "named.",
            "Shape: deviations are divided by the spread of their own 20 repeats. This shortens "
            "the tails of a normal distribution, too: compare with the model, which is normal.",
            "The model has only its own effects: its shape is normal, and its ageing is assumed.",
            "The memory of the cells is not a single exponential. The best one is fitted, "
            "corrected for the means of the devices. Pulses 10 mV apart count as pulses of one "
            "kind.",
            *notes,
        ],
    )


def _fitted(cell: Cell) -> Cell:
    return cell | {"found": Estimates.from_dict(cell["found"])}


def _plain(cell: Cell) -> Cell:
    return cell | {"found": cell["found"].to_dict()}
