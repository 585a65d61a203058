"""Units of measurements: a prefix and a unit, as instruments and people write them."""

from __future__ import annotations

import re
import unicodedata
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from ..readable import SI

PREFIXES = {"G": 1e9} | {prefix.replace("µ", "u"): size for size, prefix in SI}
US_OHM = 1e6  # conductance in µS times resistance in Ω


class Kind(Enum):
    """A kind of quantity: its base units, and the factor from there to the unit used here."""

    CONDUCTANCE = (("s", "siemens", "mho"), 1e6, "µS")
    RESISTANCE = (("ohm", "ohms", "ω", "r"), 1.0, "Ω")
    CURRENT = (("a", "amp", "amps", "ampere"), 1e6, "µA")
    VOLTS = (("v", "volt", "volts"), 1.0, "V")
    TIME = (("s", "sec", "second", "seconds"), 1e9, "ns")
    CELSIUS = (("c", "°c", "degc", "celsius"), 1.0, "°C")

    @property
    def unit(self) -> str:
        """The unit that is used here."""
        return self.value[2]


def factor(unit: str, kind: Kind) -> float | None:
    """What a number in ``unit`` is multiplied by to be in the unit of ``kind``; None if unknown.

    Micro may be u, µ (U+00B5) or μ (U+03BC). A prefix that is hardly meant is read as the usual
    one: mohm are megaohm, MS are millisiemens.

    >>> factor("kOhm", Kind.RESISTANCE), factor("uS", Kind.CONDUCTANCE), factor("V", Kind.TIME)
    (1000.0, 1.0, None)
    """
    text = unicodedata.normalize("NFKC", unit).strip().replace("μ", "u").replace("Ω", "ω")
    bases, scale, _ = kind.value
    for base in sorted(bases, key=len, reverse=True):
        if text.lower().endswith(base):
            prefix = text[: len(text) - len(base)].strip()
            break
    else:
        return None
    prefix = {"micro": "u", "kilo": "k", "mega": "M", "milli": "m", "nano": "n"}.get(
        prefix.lower(), prefix
    )
    if prefix in ("K", "U", "N", "P", "g"):
        prefix = prefix.swapcase()
    if prefix in ("m", "M"):
        prefix = "M" if kind is Kind.RESISTANCE else "m"
    if prefix not in PREFIXES:
        return None
    return round(PREFIXES[prefix] * scale, 15)


def us_of_ohm(resistance: NDArray[np.float64]) -> NDArray[np.float64]:
    """Conductances (µS) of resistances (Ω), of any shape; NaN for those that are not positive.

    >>> us_of_ohm(np.array([1e4, 0.0]))
    array([100.,  nan])
    """
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        return np.where(resistance > 0, US_OHM / resistance, np.nan)


def split_header(name: str) -> tuple[str, str]:
    """The name and the unit in brackets of a header; the unit is empty if there is none.

    >>> split_header("R after [kOhm]"), split_header("g_us")
    (('R after', 'kOhm'), ('g_us', ''))
    """
    found = re.fullmatch(r"(.*?)[\s_,]*(?:\[([^\]]*)\]|\(([^)]*)\)|\{([^}]*)\})\s*", name.strip())
    if not found or not found[1]:
        return name.strip(), ""
    return found[1].strip(), next(unit for unit in found.groups()[1:] if unit is not None).strip()


def quantity_text(text: str, kind: Kind) -> float | None:
    """The value of a text as "100ns" or "2.0 V"; without a unit it is in that of ``kind``.

    >>> quantity_text("0.1us", Kind.TIME), quantity_text("2.0", Kind.VOLTS)
    (100.0, 2.0)
    """
    found = re.fullmatch(r"\s*([+-]?[\d.]+(?:[eE][+-]?\d+)?)\s*(\D*?)\s*", text)
    if not found:
        return None
    try:
        number = float(found[1])
    except ValueError:
        return None
    scale = factor(found[2], kind) if found[2] else 1.0
    return None if scale is None else number * scale
