"""Quantities that a measurement can hold: names, units, and how ``--where`` calls them."""

from __future__ import annotations

from dataclasses import dataclass

TARGET, VOLTAGE = "target_us", "voltage_v"
WORD_LINE, BIT_LINE, SOURCE_LINE = "word_line_v", "bit_line_v", "source_line_v"
WIDTH, COMPLIANCE, TEMPERATURE = "width_ns", "compliance_ua", "temperature_c"
SWEPT_LINES = (WORD_LINE, BIT_LINE, SOURCE_LINE, VOLTAGE)


@dataclass(frozen=True)
class Quantity:
    """A programming level or a condition of a pulse.

    Attributes
    ----------
    words : str
        As in a message.
    unit : str
        Of its values.
    key : str
        Name in ``--where``.
    aliases : tuple of str
        Further names in ``--where``, in lower case.
    same : float
        Values that differ by less are one condition; in units of ``unit``.
    header : str
        Header of its column in a file that is written.
    """

    words: str
    unit: str
    key: str
    aliases: tuple[str, ...]
    same: float
    header: str


QUANTITIES = {
    TARGET: Quantity("target", "µS", "target", ("g_target", "target_us"), 1e-6, "target (uS)"),
    WORD_LINE: Quantity(
        "word line", "V", "vwl", ("wl", "v_wl", "wlv", "vg", "gate"), 2e-3, "V_WL (V)"
    ),
    BIT_LINE: Quantity(
        "bit line", "V", "vbl", ("bl", "v_bl", "blv", "vd", "drain"), 2e-3, "V_BL (V)"
    ),
    SOURCE_LINE: Quantity("source line", "V", "vsl", ("sl", "v_sl", "slv", "vs"), 2e-3, "V_SL (V)"),
    VOLTAGE: Quantity("voltage", "V", "v", ("voltage", "amplitude"), 2e-3, "V (V)"),
    WIDTH: Quantity(
        "pulse width", "ns", "width", ("pw", "pulse_width", "t_pulse"), 1e-2, "width (ns)"
    ),
    COMPLIANCE: Quantity("compliance current", "µA", "icc", ("compliance",), 1e-3, "Icc (uA)"),
    TEMPERATURE: Quantity("temperature", "°C", "temperature", ("temp", "t"), 1.0, "T (C)"),
}


def quantity_of(key: str) -> str | None:
    """The name in QUANTITIES of a key of ``--where``, in any case.

    >>> quantity_of("V_BL"), quantity_of("colour")
    ('bit_line_v', None)
    """
    wanted = key.strip().lower()
    plain = wanted.replace(" ", "_").replace("-", "_")
    for name, quantity in QUANTITIES.items():
        if plain in (name, quantity.key, *quantity.aliases):
            return name
    return None


def quantity_in_words(words: str) -> str:
    """The name in QUANTITIES of ``Recording.swept``."""
    return next(name for name, quantity in QUANTITIES.items() if quantity.words == words)


def shown(name: str, value: float) -> str:
    """A value with its unit, as ``--where`` takes it.

    >>> shown("width_ns", 100.0), shown("bit_line_v", 2.0)
    ('100ns', '2')
    """
    quantity = QUANTITIES[name]
    unit = "" if quantity.unit == "V" else quantity.unit.replace("µ", "u").replace("°", "")
    return f"{value:.6g}{unit}"
