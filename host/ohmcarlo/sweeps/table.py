"""The table of a sweep: one row for each cell, as Parquet and as records."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import UsageError
from ..files import atomic
from .meaning import meaning_of

FINISHED, FAILED, MISSING = "finished", "failed", "missing"
"""States of a cell; a missing one has not been computed yet."""
TASK, SEED, STATUS = "task", "seed", "status"
"""Columns that other modules read by name."""
NUMBER, WHOLE, TEXT, TRUTH = "float", "int", "text", "bool"
Row = dict[str, Any]
METADATA = "ohmcarlo.sweep"
NEEDED = "a table in Parquet needs pyarrow: pip install 'ohmcarlo[sweep]'"


@dataclass(frozen=True)
class Column:
    """A column of results.

    Attributes
    ----------
    name : str
    kind : str
        ``NUMBER``, ``WHOLE``, ``TEXT`` or ``TRUTH``.
    meaning : str
        One phrase, with the unit.
    """

    name: str
    kind: str
    meaning: str


STATE = (
    Column("digest", TEXT, "identifies settings, data and version of the program"),
    Column(STATUS, TEXT, "finished, failed or missing (not computed yet)"),
    Column("message", TEXT, "why the cell failed"),
    Column("seconds", NUMBER, "time of the cell on its worker, s"),
)
SETTINGS = (
    Column(TASK, TEXT, "task or data file"),
    Column("array", TEXT, "array"),
    Column("preset", TEXT, "device preset, with the constants that were changed"),
    Column("kernel", TEXT, "kernel"),
    Column("rows", WHOLE, "rows of the array"),
    Column("pairs", WHOLE, "device pairs of a row"),
    Column("chains", WHOLE, "chains"),
    Column("steps", WHOLE, "steps of a chain as requested"),
    Column(SEED, WHOLE, "seed of split and array"),
)
RESULTS = (
    Column("verdict", TEXT, "verdict of the run"),
    Column("settled", TRUTH, "whether the verdict is settled"),
    Column("accuracy", NUMBER, "share of right answers on the held-out half"),
    Column("balanced_accuracy", NUMBER, "mean over the classes of the share of right answers"),
    Column("log_loss", NUMBER, "mean negative log-probability of the right answer, nat"),
    Column("ece", NUMBER, "calibration error of the probabilities"),
    Column("baseline_accuracy", NUMBER, "accuracy of scikit-learn on the same halves"),
    Column("rmse", NUMBER, "regression: root mean square error, unit of the label"),
    Column("r2", NUMBER, "regression: explained share of the variance"),
    Column("crps", NUMBER, "regression: continuous ranked probability score, unit of the label"),
    Column("coverage", NUMBER, "regression: share of the labels in their 95 % interval"),
    Column("mean_return", NUMBER, "policy: mean steps of an episode in Gymnasium"),
    Column("posterior_error", NUMBER, "larger of error_sd and spread_error: 0.05 is within 5 %"),
    Column(
        "error_sd",
        NUMBER,
        "error of the means, in posterior sd, rms over the weights",
    ),
    Column("error_sd_max", NUMBER, "the same of the worst weight"),
    Column("spread_error", NUMBER, "logarithm of sampled over exact spread, rms over the weights"),
    Column("spread_ratio", NUMBER, "sampled over exact spread, geometric mean"),
    Column(
        "monte_carlo_sd",
        NUMBER,
        "part of error_sd due to the number of effective samples",
    ),
    Column("predicted_error_sd", NUMBER, "error of the means that the run predicts, worst weight"),
    Column("ess_bulk", NUMBER, "effective samples of the worst weight, all chains"),
    Column("ess_tail", NUMBER, "the same in the tails"),
    Column("ess_per_1000_steps", NUMBER, "ess_bulk per 1,000 steps of all chains"),
    Column("rhat", NUMBER, "rank-normalised split R-hat of the worst weight"),
    Column("acceptance", NUMBER, "share of accepted proposals"),
    Column("steps_made", WHOLE, "steps of a chain that were made"),
    Column("burn_in", WHOLE, "steps of a chain that all averages leave out"),
    Column("adaptation_steps", WHOLE, "steps of a chain in the adaptation"),
    Column("set_pulses", WHOLE, "SET pulses of the whole run"),
    Column("energy_joules", NUMBER, "energy of the whole run (model), J"),
    Column("energy_per_sample_joules", NUMBER, "energy_joules divided by ess_bulk, J"),
    Column("sampling_seconds", NUMBER, "time of the chains on the worker, s"),
    Column("retired_rows", WHOLE, "rows that the run took out of service"),
    Column("dot_products", TEXT, "where dot products were computed: array or codes"),
    Column("trimmed", TRUTH, "whether the devices were measured and corrected"),
)
COLUMNS = (*STATE, *SETTINGS, *RESULTS)
NAMES = frozenset(column.name for column in COLUMNS)


@dataclass(frozen=True, eq=False)
class Table:
    """The rows of a sweep.

    Attributes
    ----------
    name : str
        Name of the sweep file, without its suffix.
    swept : tuple of str
        Names of the columns of swept parameters.
    reference : dict
        The value of each in ``[base]``.
    rows : list of dict
        By name of the column; all rows have all columns, None where there is no value.
    """

    name: str
    swept: tuple[str, ...]
    reference: dict[str, Any]
    rows: list[Row] = field(repr=False)

    @property
    def columns(self) -> list[str]:
        """Names of all columns in their order; swept parameters follow the state."""
        own = [name for name in self.swept if name not in NAMES]
        return [*(c.name for c in STATE), *own, *(c.name for c in (*SETTINGS, *RESULTS))]

    def finished(self) -> list[Row]:
        """The rows with results."""
        return [row for row in self.rows if row[STATUS] == FINISHED]

    def completed(self, row: Mapping[str, Any]) -> Row:
        """A row with all columns."""
        return {name: row.get(name) for name in self.columns}


def require_parquet() -> None:
    """Raise UsageError, which names what to install, without pyarrow."""
    try:
        import pyarrow.parquet  # noqa: F401
    except ImportError as error:
        raise UsageError(NEEDED) from error


def write_table(path: Path, table: Table) -> None:
    """Write a table as Parquet, atomically.

    The schema holds the meaning of every column, and under ``METADATA`` name, swept parameters and
    reference as JSON. Raises OhmcarloError where the file cannot be written.
    """
    require_parquet()
    import pyarrow as pa
    import pyarrow.parquet as pq

    meanings = {column.name: column.meaning for column in COLUMNS}
    kinds = {column.name: column.kind for column in COLUMNS}
    types = {NUMBER: pa.float64(), WHOLE: pa.int64(), TEXT: pa.string(), TRUTH: pa.bool_()}
    fields, arrays = [], []
    for name in table.columns:
        values = [row.get(name) for row in table.rows]
        kind = kinds.get(name) or kind_of_values(values)
        if kind == TEXT:
            values = [None if value is None else str(value) for value in values]
        meaning = {"meaning": meanings.get(name) or meaning_of(name)}
        fields.append(pa.field(name, types[kind], metadata=meaning))
        arrays.append(pa.array(values, types[kind]))
    about = {"name": table.name, "swept": table.swept, "reference": table.reference}
    schema = pa.schema(fields, metadata={METADATA: json.dumps(about)})
    with atomic(path) as temporary:
        pq.write_table(pa.Table.from_arrays(arrays, schema=schema), temporary)


def kind_of_values(values: Sequence[Any]) -> str:
    """The kind of a column that holds ``values``.

    >>> kind_of_values([1, None, 2.5]), kind_of_values([True, None]), kind_of_values([1, "auto"])
    ('float', 'bool', 'text')
    """
    kinds = {type(value) for value in values if value is not None}
    if kinds == {bool}:
        return TRUTH
    if kinds == {int}:
        return WHOLE
    return NUMBER if kinds <= {int, float} else TEXT
