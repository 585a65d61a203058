"""Response curves of a sweep: what a quantity becomes as one parameter changes.

A curve has one level for each value of its parameter. Every level is the mean over the seeds, with
a 95 % interval of that mean. The other parameters keep the values of ``[base]``, or have a curve of
their own.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..diagnostics import wilson_interval
from ..posterior_error import TRUSTED_SD
from .description import CONSTANT
from .table import FAILED, MISSING, SEED, STATUS, TASK

Row = Mapping[str, Any]
Key = float | str
FAILED_SHARE = "failed-share"
STEPS, CHAINS = "steps_made", "chains"
ESS, ENERGY = "ess_per_1000_steps", "energy_per_sample_joules"
WITHIN = 0.05
"""The posterior error that pages and pictures mark."""
MOST_LINES = 8
"""Curves of one chart. Others differ from ``[base]`` in more parameters."""
SPAN = 20.0
"""Ratio of the largest to the smallest level from which an axis is logarithmic."""
COVERAGE = 0.95
REFERENCE, ALL_CELLS = "reference", "all cells"
"""Labels of the curve that differs from ``[base]`` in nothing, beside others and alone."""


class Estimate(NamedTuple):
    """Mean and ends of its 95 % interval; not a number where unknown."""

    middle: float
    low: float
    high: float


UNKNOWN = Estimate(math.nan, math.nan, math.nan)


@dataclass(frozen=True)
class Quantity:
    """A quantity that curves show.

    Attributes
    ----------
    name : str
        Identifier: small letters, digits, hyphens.
    title, unit : str
    columns : tuple of str
        Columns of the table that it needs.
    estimate : callable
        Estimate from the values of the seeds, (n,) for each of ``columns``.
    log : bool
        Whether its axis is logarithmic.
    scale : float
        Factor from the column to ``unit``.
    limit : float or None
        Value, in ``unit``, that charts mark.
    """

    name: str
    title: str
    unit: str
    columns: tuple[str, ...]
    estimate: Callable[..., Estimate]
    log: bool = False
    scale: float = 1.0
    limit: float | None = None

    @property
    def axis(self) -> str:
        """Title of an axis."""
        return f"{self.title} ({self.unit})" if self.unit else self.title

    def of(self, rows: Sequence[Row]) -> Estimate:
        """The estimate over the rows that have all columns."""
        known = [row for row in rows if all(_is_number(row.get(c)) for c in self.columns)]
        if not known:
            return UNKNOWN
        values = [np.array([row[c] for row in known], np.float64) for c in self.columns]
        return Estimate(*(self.scale * end for end in self.estimate(*values)))


def mean(values: NDArray[np.float64]) -> Estimate:
    """Mean of independent values (n,) with the interval of Student's t distribution.

    >>> [round(end, 2) for end in mean(np.array([1.0, 2.0, 3.0]))]
    [2.0, -0.48, 4.48]
    """
    middle = float(values.mean())
    if len(values) < 2:
        return Estimate(middle, math.nan, math.nan)
    from scipy.special import stdtrit

    quantile = float(stdtrit(len(values) - 1, (1 + COVERAGE) / 2))
    half = quantile * float(values.std(ddof=1)) / math.sqrt(len(values))
    return Estimate(middle, middle - half, middle + half)


def share(values: NDArray[np.float64]) -> Estimate:
    """Share of ones among zeros and ones (n,), with Wilson's interval.

    >>> [round(end, 2) for end in share(np.zeros(12))]
    [0.0, 0.0, 0.24]
    """
    from scipy.special import ndtri

    ones = int(np.count_nonzero(values)) / len(values)
    quantile = float(ndtri((1 + COVERAGE) / 2))
    return Estimate(ones, *wilson_interval(ones, len(values), quantile))


def geometric_mean(values: NDArray[np.float64]) -> Estimate:
    """``mean`` of the logarithms; values that are not positive are left out."""
    positive = values[values > 0]
    if not len(positive):
        return UNKNOWN
    return Estimate(*(math.exp(end) for end in mean(np.log(positive))))


def beyond_chance(
    error_sd: NDArray[np.float64],
    monte_carlo_sd: NDArray[np.float64],
    spread_error: NDArray[np.float64],
) -> Estimate:
    """Posterior error that the Monte Carlo error does not explain, (n,) each.

    The square of the Monte Carlo error is subtracted from that of the error of the means, which
    is then averaged over the seeds. The result is the larger of this root mean square error and
    that of the spreads, from which nothing is subtracted.

    >>> error = beyond_chance(np.array([0.1, 0.1]), np.array([0.06, 0.06]), np.array([0.02, 0.02]))
    >>> round(error.middle, 3)
    0.08
    """
    of_means = _root(mean(error_sd**2 - monte_carlo_sd**2))
    of_spreads = _root(mean(spread_error**2))
    return max(of_means, of_spreads, key=lambda estimate: estimate.middle)


def _root(square: Estimate) -> Estimate:
    return Estimate(*(math.nan if math.isnan(v) else math.sqrt(max(v, 0.0)) for v in square))


def settled_wrong(
    settled: NDArray[np.float64],
    error_sd: NDArray[np.float64],
    monte_carlo_sd: NDArray[np.float64],
    spread_error: NDArray[np.float64],
) -> Estimate:
    """Share of all runs that are called settled with an error beyond chance above
    ``TRUSTED_SD``, (n,) each."""
    beyond = np.sqrt(np.maximum(error_sd**2 - monte_carlo_sd**2, spread_error**2))
    return share(settled * (beyond > TRUSTED_SD))


POSTERIOR_ERROR = Quantity(
    "posterior-error",
    "posterior error",
    "posterior sd",
    ("error_sd", "monte_carlo_sd", "spread_error"),
    beyond_chance,
    limit=WITHIN,
)
ACCURACY = Quantity("accuracy", "accuracy on held-out data", "%", ("accuracy",), mean, scale=100.0)
QUANTITIES = (
    POSTERIOR_ERROR,
    ACCURACY,
    Quantity("rmse", "root mean square error", "unit of the label", ("rmse",), mean),
    Quantity("return", "steps of an episode", "", ("mean_return",), mean),
    Quantity("log-loss", "log loss", "nat", ("log_loss",), mean),
    Quantity(
        "ess", "effective samples per 1,000 steps", "", (ESS,), geometric_mean,
        log=True,
    ),
    Quantity("acceptance", "accepted proposals", "%", ("acceptance",), mean, scale=100.0),
    Quantity(
        "energy", "energy per effective sample", "nJ", (ENERGY,),
        geometric_mean, log=True, scale=1e9,
    ),
    Quantity("settled", "runs that are settled", "%", ("settled",), share, scale=100.0),
    Quantity(
        "settled-wrong", f"runs that are settled with an error above {TRUSTED_SD:g}", "%",
        ("settled", "error_sd", "monte_carlo_sd", "spread_error"), settled_wrong, scale=100.0,
    ),
    Quantity("predicted-error", "error that runs predict, worst weight", "posterior sd",
             ("predicted_error_sd",), mean),
    Quantity(FAILED_SHARE, "cells that failed", "%", (FAILED,), share, scale=100.0),
)  # fmt: skip


@dataclass(frozen=True)
class Level:
    """One value of a parameter.

    Attributes
    ----------
    value : object
        The value as the table has it.
    cells, failed : int
        Cells that finished or failed, and those that failed.
    estimates : dict
        By name of the quantity; over the cells that finished, but for the share of failed ones.
    """

    value: Any
    cells: int
    failed: int
    estimates: Mapping[str, Estimate]

    def is_within(self, limit: float = WITHIN) -> bool:
        """Whether no cell failed and the mean of the posterior error is within ``limit``."""
        return not self.failed and self.estimates[POSTERIOR_ERROR.name].middle <= limit


@dataclass(frozen=True)
class Line:
    """A curve; ``others`` are the settings that differ from ``[base]``."""

    label: str
    others: Mapping[str, Any]
    levels: tuple[Level, ...]


@dataclass(frozen=True)
class Response:
    """All curves over one parameter.

    Attributes
    ----------
    parameter : str
        Column of the table.
    lines : tuple of Line
        Those that differ least from ``[base]`` first, at most ``MOST_LINES``.
    left_out : int
        Further curves, which no chart shows.
    """

    parameter: str
    lines: tuple[Line, ...]
    left_out: int

    @property
    def values(self) -> list[Any]:
        """All levels of all lines, ascending or in the order of the table."""
        return ordered([level.value for line in self.lines for level in line.levels])

    @property
    def failed(self) -> int:
        """Cells of the lines that failed."""
        return sum(level.failed for line in self.lines for level in line.levels)

    def quantities(self) -> list[Quantity]:
        """The quantities that are known at two levels at least; failed cells, if there are any."""
        known = [q for q in QUANTITIES if self._known(q.name) > 1]
        return [q for q in known if q.name != FAILED_SHARE or self.failed]

    def _known(self, name: str) -> int:
        return max(
            sum(math.isfinite(level.estimates[name].middle) for level in line.levels)
            for line in self.lines
        )


@dataclass(frozen=True)
class Plane:
    """A quantity over two parameters that were swept together.

    Attributes
    ----------
    x, y : str
        Columns of the table.
    x_values, y_values : list
    quantity : Quantity
    estimates : dict
        By (place in y_values, place in x_values); combinations that were not computed are absent.
    failed : frozenset
        Combinations of which cells failed, as keys of ``estimates``.
    label : str
        Settings that differ from ``[base]``.
    """

    x: str
    y: str
    x_values: list[Any]
    y_values: list[Any]
    quantity: Quantity
    estimates: Mapping[tuple[int, int], Estimate]
    failed: frozenset[tuple[int, int]]
    label: str


def responses(
    rows: Sequence[Row],
    swept: Sequence[str],
    reference: Mapping[str, Any],
    most: int = MOST_LINES,
) -> list[Response]:
    """The curves of every parameter that has two levels, numbers first.

    ``rows``: those of a table, failed and missing ones included. ``swept``: names of the swept
    columns. ``reference``: their values in ``[base]``; the most frequent value counts for a
    parameter without one. ``most``: curves of each parameter.
    """
    done = _counted([row for row in rows if row.get(STATUS) != MISSING])
    names = [name for name in swept if name != SEED]
    base = {name: _reference(name, rows, reference) for name in names}
    every = [_response(name, names, base, done, most) for name in names]
    found = [response for response in every if response is not None]
    return sorted(found, key=lambda response: not are_numbers(response.values))


def planes(rows: Sequence[Row], swept: Sequence[str], reference: Mapping[str, Any]) -> list[Plane]:
    """The maps of all pairs of parameters of which two levels each were combined, for the
    posterior error, or for the accuracy where there is none."""
    done = [row for row in rows if row.get(STATUS) != MISSING]
    names = [name for name in swept if name != SEED]
    base = {name: _reference(name, rows, reference) for name in names}
    found = []
    devices = [name for name in names if name != TASK]
    for i, y in enumerate(devices):
        for x in devices[i + 1 :]:
            found += list(_planes(x, y, names, base, done))
    return found


def _counted(rows: Sequence[Row]) -> list[Row]:
    """Rows with their failure as a number.

    If other runs have a number of effective samples, those whose number is unknown count as one.
    """
    known = any(_is_number(row.get(ESS)) for row in rows)
    return [
        {**(_one_sample(row) if known else row), FAILED: float(row.get(STATUS) == FAILED)}
        for row in rows
    ]


def _one_sample(row: Row) -> Row:
    """A run with one effective sample, if its number is unknown."""
    steps, chains = row.get(STEPS), row.get(CHAINS)
    if row.get(STATUS) == FAILED or _is_number(row.get(ESS)) or not (steps and chains):
        return row
    return {**row, ESS: 1000.0 / (steps * chains), ENERGY: row.get("energy_joules")}


def shown_value(value: Any) -> str:
    """A value of a parameter as text.

    >>> shown_value(0.1), shown_value(1000), shown_value("codes"), shown_value(None)
    ('0.1', '1,000', 'codes', 'default')
    """
    if value is None:
        return "default"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:g}" if isinstance(value, float) else str(value)


def shown_name(parameter: str) -> str:
    """The name of a parameter as text: a constant without the word preset."""
    return parameter.removeprefix(CONSTANT)


def ordered(values: Sequence[Any]) -> list[Any]:
    """The distinct values: numbers ascending, others in their order.

    >>> ordered([64, 16, 64]), ordered(["b", "a", "b"])
    ([16, 64], ['b', 'a'])
    """
    distinct = list({_key(value): value for value in values}.values())
    return sorted(distinct) if are_numbers(distinct) else distinct


def are_numbers(values: Sequence[Any]) -> bool:
    """Whether an axis of these levels is one of numbers."""
    return all(_is_number(value) and not isinstance(value, bool) for value in values)


def is_log(values: Sequence[float]) -> bool:
    """Whether the axis of these levels is logarithmic."""
    return min(values) > 0 and max(values) >= SPAN * min(values)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)


def _key(value: Any) -> Key:
    """What is equal for equal values, whatever their type."""
    if _is_number(value) and not isinstance(value, bool):
        return float(value)
    return json.dumps(value, sort_keys=True, default=str)


def _reference(name: str, rows: Sequence[Row], reference: Mapping[str, Any]) -> Any:
    values = {_key(row.get(name)): row.get(name) for row in rows}
    if name in reference and _key(reference[name]) in values:
        return reference[name]
    counts: dict[Key, int] = {}
    for row in rows:
        key = _key(row.get(name))
        counts[key] = counts.get(key, 0) + 1
    return values[max(counts, key=counts.__getitem__)] if counts else None


def _grouped(rows: Sequence[Row], names: Sequence[str]) -> dict[tuple[Key, ...], list[Row]]:
    """Rows with equal values of ``names``, by the keys of these values."""
    groups: dict[tuple[Key, ...], list[Row]] = {}
    for row in rows:
        groups.setdefault(tuple(_key(row.get(name)) for name in names), []).append(row)
    return groups


def _differing(row: Row, names: Sequence[str], base: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of a row that differ from the reference."""
    return {name: row.get(name) for name in names if _key(row.get(name)) != _key(base[name])}


def _label(row: Row, names: Sequence[str], base: Mapping[str, Any], varied: Sequence[str]) -> str:
    """The settings of a curve that differ from the reference, or its own name."""
    others = _differing(row, names, base)
    if not others and TASK in varied:
        return f"{TASK} {shown_value(row.get(TASK))}, {REFERENCE}"
    shown = ", ".join(f"{shown_name(n)} {shown_value(value)}" for n, value in others.items())
    return shown or (REFERENCE if varied else "")


def _response(
    parameter: str, names: Sequence[str], base: Mapping[str, Any], rows: Sequence[Row], most: int
) -> Response | None:
    others = [name for name in names if name != parameter]
    found = _varied(parameter, others, rows)
    if not found:  # of a zip: other parameters change with it
        others = [name for name in others if not _follows(name, parameter, rows)]
        found = _varied(parameter, others, rows)
    if not found:
        return None
    found.sort(key=lambda group: _distance(_differing(group[0], others, base)))
    kept = found[:most]
    varied = [n for n in others if len({_key(group[0].get(n)) for group in kept}) > 1]
    lines = tuple(
        Line(
            label=_label(group[0], others, base, varied) or ALL_CELLS,
            others=_differing(group[0], others, base),
            levels=tuple(_levels(parameter, group)),
        )
        for group in kept
    )
    return Response(parameter, lines, len(found) - len(kept))


def _distance(others: Mapping[str, Any]) -> tuple[int, bool]:
    """Order of curves by the settings that differ: other tasks first among equals."""
    return len(others), bool(others) and TASK not in others


def _varied(parameter: str, others: Sequence[str], rows: Sequence[Row]) -> list[list[Row]]:
    """Rows with equal ``others`` in which the parameter has two levels at least."""
    groups = _grouped(rows, others).values()
    return [group for group in groups if len({_key(row.get(parameter)) for row in group}) > 1]


def _follows(name: str, parameter: str, rows: Sequence[Row]) -> bool:
    """Whether the value of the parameter decides that of another one."""
    pairs = {(_key(row.get(parameter)), _key(row.get(name))) for row in rows}
    return len(pairs) == len({value for value, _ in pairs})


def _levels(parameter: str, rows: Sequence[Row]) -> Iterator[Level]:
    groups = _grouped(rows, [parameter])
    for value in ordered([row.get(parameter) for row in rows]):
        here = groups[_key(value),]
        distinct = list({(_key(row.get(SEED)), row.get(STATUS)): row for row in here}.values())
        failed = sum(row.get(STATUS) == FAILED for row in distinct)
        estimates = {q.name: q.of(distinct) for q in QUANTITIES}
        yield Level(value, len(distinct), failed, estimates)


def _planes(
    x: str, y: str, names: Sequence[str], base: Mapping[str, Any], rows: Sequence[Row]
) -> Iterator[Plane]:
    others = [name for name in names if name not in (x, y)]
    for group in _grouped(rows, others).values():
        if not _combined(x, y, group):
            continue
        xs = ordered([row.get(x) for row in group])
        ys = ordered([row.get(y) for row in group])
        column, line = ({_key(v): i for i, v in enumerate(values)} for values in (xs, ys))
        fields = {
            (line[of_y], column[of_x]): _of_seeds(found)
            for (of_y, of_x), found in _grouped(group, [y, x]).items()
        }
        fields = dict(sorted(fields.items()))
        failed = frozenset(
            at for at, found in fields.items() if any(row.get(STATUS) == FAILED for row in found)
        )
        for quantity in (POSTERIOR_ERROR, ACCURACY):
            estimates = {at: quantity.of(found) for at, found in fields.items()}
            if any(math.isfinite(estimate.middle) for estimate in estimates.values()):
                label = _label(group[0], others, base, ())
                yield Plane(x, y, xs, ys, quantity, estimates, failed, label)
                break


def _combined(x: str, y: str, rows: Sequence[Row]) -> bool:
    """Whether the rows combine two levels of each at least, beyond a cross of single changes."""
    pairs = {(_key(row.get(x)), _key(row.get(y))) for row in rows}
    xs, ys = {a for a, _ in pairs}, {b for _, b in pairs}
    return len(xs) > 1 and len(ys) > 1 and len(pairs) > len(xs) + len(ys) - 1


def _of_seeds(rows: Sequence[Row]) -> list[Row]:
    """The last row of each seed: blocks of a file may describe the same cell."""
    return list({_key(row.get(SEED)): row for row in rows}.values())
