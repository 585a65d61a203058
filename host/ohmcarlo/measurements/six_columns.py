"""The six-column sweep: cell address, pulse width, bit line, word line, resistances."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..errors import UsageError
from ..tables import Table
from .plausible import VOLTS
from .quantities import BIT_LINE, WIDTH, WORD_LINE
from .readings import Readings
from .recording import FloatArray
from .units import us_of_ohm
from .values import numbers_of

NAME = "six-column sweep"
COLUMNS = (
    "cell address, pulse width (ns), bit-line voltage (V), word-line voltage (V), "
    "resistance before and after the pulse (ohm)"
)
WIDTH_OF_TABLE = 6
BEFORE, AFTER = 4, 5  # columns, from 0
HEADER = ("address", "width (ns)", "V_BL (V)", "V_WL (V)", "R_before (ohm)", "R_after (ohm)")
OHM_RANGE = (500.0, 1e9)  # the lower end of the resistances after a SET lies in it
LOW, HIGH = 0.05, 0.95  # quantiles that a message names
SHORT_NS = 0.5  # shorter pulses need their unit in a header
SECONDS_BELOW = 1e-3  # as numbers: microseconds are larger
MEGAOHM_BELOW = 0.3  # as numbers: kilo-ohms are larger

CURRENTS = " (if it is a current, with I_read (A) as the last name, and --where vread=0.1)"


def recognises(table: Table) -> bool:
    """Whether a table has six columns of numbers without a header."""
    return table.width == WIDTH_OF_TABLE and not table.header


def read(table: Table) -> Readings:
    """The readings of a six-column table.

    Raises UsageError where its numbers are not volts and ohms.
    """
    if not len(table):
        raise UsageError(f"{table.path} is empty; expected {COLUMNS}")
    needed = [column for column in range(WIDTH_OF_TABLE) if column != BEFORE]
    values = np.empty((len(table), WIDTH_OF_TABLE))
    values[:, needed], problem = numbers_of(table, needed)
    values[:, [BEFORE]], _ = numbers_of(table, [BEFORE])
    before, after = values[:, BEFORE], values[:, AFTER]
    bad = (after <= 0) & (problem == "")
    problem[bad] = "a resistance that is not positive"
    _check_width(table, values[:, 1])
    _check_volts(table, values)
    _check_ohms(table, values, problem == "")
    return Readings(
        source=table.path,
        format=NAME,
        device=_names(values[:, 0]),
        after_us=us_of_ohm(after),
        before_us=us_of_ohm(before),
        line=table.lines,
        quantities={WIDTH: values[:, 1], BIT_LINE: values[:, 2], WORD_LINE: values[:, 3]},
        problem=problem,
        recognised=(NAME, *table.recognised),
    )


def _names(addresses: FloatArray) -> NDArray[np.str_]:
    different, index = np.unique(addresses, return_inverse=True)
    return np.array([address_text(value) for value in different])[index]


def address_text(value: float) -> str:
    """A cell address as a name.

    >>> address_text(1450.0)
    '1450'
    """
    return f"{value:.0f}" if float(value).is_integer() else f"{value:g}"


def _check_width(table: Table, values: np.ndarray) -> None:
    """Refuse pulse widths in another unit than ns."""
    known = values[np.isfinite(values)]
    if not len(known) or np.median(known) >= SHORT_NS:
        return
    if np.median(known) == 0:
        raise UsageError(f"{table.path}: column 2, the pulse width in ns, is 0: give the width")
    word, unit = ("seconds", "s") if np.median(known) < SECONDS_BELOW else ("microseconds", "us")
    header = ",".join((HEADER[0], f"width ({unit})", *HEADER[2:]))
    raise UsageError(
        f"{table.path}: column 2 is a pulse width in ns: {known.min():.4g} ns to "
        f"{known.max():.4g} ns found; {word}? Then name the unit in a first line: {header}"
    )


def _check_volts(table: Table, values: np.ndarray) -> None:
    for column in (2, 3):
        known = np.abs(values[:, column][np.isfinite(values[:, column])])
        if len(known) and np.median(known) > VOLTS:
            raise UsageError(
                f"{table.path}: column {column + 1} is a voltage in V: {known.min():.4g} V to "
                f"{known.max():.4g} V found; millivolts? Then name the unit in a first line: "
                f"{_in_millivolts(values)}"
            )


def _in_millivolts(values: np.ndarray) -> str:
    """The header of a file in which lines are in mV."""
    header = list(HEADER)
    for column in (2, 3):
        if np.nanmedian(np.abs(values[:, column])) > VOLTS:
            header[column] = header[column].replace("(V)", "(mV)")
    return ",".join(header)


def _check_ohms(table: Table, values: np.ndarray, good: np.ndarray) -> None:
    """Refuse resistances in another unit than ohm."""
    after = values[good, 5]
    after = after[np.isfinite(after) & (after > 0)]
    if not len(after):
        return
    low, high = np.quantile(after, [LOW, HIGH])
    if OHM_RANGE[0] <= low <= OHM_RANGE[1]:
        return
    unit, wrong = _other_unit(low, high, _rises(values[good]))
    quantity = "g" if wrong.endswith("S") else "R"
    header = ",".join((*HEADER[:4], f"{quantity}_before ({wrong})", f"{quantity}_after ({wrong})"))
    raise UsageError(
        f"{table.path}: column 6 is in ohm: {low:.4g} ohm to {high:.4g} ohm found, "
        f"{OHM_RANGE[0]:g} ohm to 1 Gohm expected; {unit}? Then name the unit in a first line"
        f"{CURRENTS if quantity == 'g' else ''}: {header}"
    )


def _other_unit(low: float, high: float, rises: bool) -> tuple[str, str]:
    """The unit that numbers in this range have, in words and as a header has it."""
    if rises:
        known = (("siemens", "S", 0.005), ("millisiemens", "mS", 1.0))
        return next(((w, u) for w, u, top in known if high < top), ("microsiemens", "uS"))
    if low > OHM_RANGE[1]:
        return "milliohm", "mOhm"
    return ("megaohm", "MOhm") if low < MEGAOHM_BELOW else ("kilo-ohm", "kOhm")


def _rises(values: np.ndarray) -> bool:
    """Whether column 6 rises with the voltage, as a conductance does."""
    level = 3 if np.ptp(values[:, 3]) >= np.ptp(values[:, 2]) else 2
    upper = values[:, level] > np.median(values[:, level])
    if not upper.any() or upper.all():
        return False
    return bool(np.median(values[upper, 5]) > np.median(values[~upper, 5]))
