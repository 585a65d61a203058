"""Energy of a run: counts of the ledger times sourced constants, with their bounds."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..spec import Geometry
from .base import Ledger
from .device_preset import Tag, Value

PJ = 1e-12
DIGITAL_PARTS = ("digital", "digital_dot")
CODE_BITS_OF_A_PAIR, INPUT_BITS = 20, 8


def _v(
    value: float, low: float, high: float, unit: str, tag: Tag, source: str, note: str = ""
) -> Value:
    return Value(value, unit, tag, source, low, high, note)


@dataclass(frozen=True)
class EnergyModel:
    """Energy per operation. ``low`` and ``high`` of each value bound the report.

    Array energies are for 100 ns programming pulses and 25 ns reads at 0.2 V; digital energies for
    45 nm logic. The lowest published numbers (0.6 pJ per pulse at 10 ns, NVS sample cell) describe
    another pulse and are not used as a bound.
    """

    set_pj_per_us: Value = field(
        default=_v(
            0.10, 0.06, 0.40, "pJ/µS", Tag.ASSUMED, "ESTIMATE",
            "V_BL V_C t; low V_C 0.3 V, high V² t, the cost model of RADAR",
        )
    )  # fmt: skip
    reset_pj: Value = field(
        default=_v(10, 5, 25, "pJ/device", Tag.ASSUMED, "ESTIMATE", "I_RESET ~ I_SET at 2.3-2.5 V")
    )
    form_pj: Value = field(
        default=_v(5000, 500, 20000, "pJ/device", Tag.ASSUMED, "ESTIMATE", "once per device")
    )
    read_pj_per_us: Value = field(
        default=_v(
            0.001, 0.00025, 0.00225, "pJ/µS", Tag.DERIVED, "RADAR",
            "V² t with 0.2 V and 25 ns; bounds 0.1 and 0.3 V",
        )
    )  # fmt: skip
    adc_10bit_pj: Value = field(
        default=_v(15, 2, 60, "pJ/conversion", Tag.ASSUMED, "SURVEY", "medians 2.4-10 pJ")
    )
    adc_8bit_pj: Value = field(
        default=_v(5, 1, 15, "pJ/conversion", Tag.ASSUMED, "SURVEY", "1.67 pJ in ISAAC")
    )
    line_driver_pj: Value = field(
        default=_v(0.417, 0.2, 0.8, "pJ/line", Tag.FOUND, "ISAAC", "1-bit driver, 32 nm")
    )
    line_dac_pj: Value = field(
        default=_v(0.5, 0.1, 2, "pJ/update", Tag.ASSUMED, "ESTIMATE", "multi-bit DAC")
    )
    word_line_pj: Value = field(
        default=_v(3, 1, 10, "pJ/pulse", Tag.ASSUMED, "ESTIMATE", "0.5 pF at 2.5 V")
    )
    mult_32_pj: Value = field(default=_v(3.1, 1.55, 15.5, "pJ", Tag.FOUND, "HOROWITZ", "45 nm"))
    add_32_pj: Value = field(default=_v(0.1, 0.05, 0.5, "pJ", Tag.FOUND, "HOROWITZ", "45 nm"))
    table_pj: Value = field(
        default=_v(1, 0.3, 3, "pJ/look-up", Tag.ASSUMED, "ESTIMATE", "256 x 16 bit, 45 nm")
    )
    memory_word_pj: Value = field(
        default=_v(5, 2.5, 25, "pJ/32 bit", Tag.FOUND, "EIE", "32 KB SRAM, 45 nm")
    )
    mac_pj: Value = field(
        default=_v(
            0.38, 0.19, 1.9, "pJ/MAC", Tag.DERIVED, "HOROWITZ",
            "8 × 11 bits: 8-bit multiplier 0.2 pJ × 11/8, 32-bit adder 0.1 pJ; 45 nm",
        )
    )  # fmt: skip
    mults_per_access: Value = field(default=_v(2, 1, 3, "operations", Tag.ASSUMED, "ESTIMATE"))
    adds_per_access: Value = field(default=_v(6, 3, 12, "operations", Tag.ASSUMED, "ESTIMATE"))
    tables_per_access: Value = field(default=_v(1, 0, 1, "operations", Tag.ASSUMED, "ESTIMATE"))
    mults_per_device: Value = field(default=_v(7, 5, 10, "operations", Tag.ASSUMED, "ESTIMATE"))
    adds_per_device: Value = field(default=_v(16, 8, 32, "operations", Tag.ASSUMED, "ESTIMATE"))
    tables_per_device: Value = field(default=_v(5, 4, 6, "operations", Tag.ASSUMED, "ESTIMATE"))


@dataclass(frozen=True)
class SoftwareModel:
    """Energy of the same algorithm without an array."""

    cpu_w: Value = field(
        default=_v(10, 4, 20, "W", Tag.ASSUMED, "ESTIMATE", "a desktop core at 4 GHz")
    )
    cpu_operation_pj: Value = field(
        default=_v(500, 50, 2000, "pJ/operation", Tag.ASSUMED, "ESTIMATE", "vectorised MAC")
    )
    mcu_cycle_pj: Value = field(
        default=_v(288, 122, 300, "pJ/cycle", Tag.DERIVED, "M4", "122: with a switching regulator")
    )
    mcu_operation_cycles: Value = field(
        default=_v(5, 2.5, 10, "cycles/operation", Tag.ASSUMED, "ESTIMATE", "with its loads")
    )
    mult_8_pj: Value = field(default=_v(0.2, 0.1, 1, "pJ", Tag.FOUND, "HOROWITZ", "45 nm"))
    adds_per_normal: Value = field(
        default=_v(60, 20, 120, "operations", Tag.ASSUMED, "ESTIMATE", "Threefry-2x32-20")
    )


@dataclass(frozen=True)
class Joules:
    """An energy with its bounds, J."""

    joules: float
    low: float
    high: float

    def __add__(self, other: Joules) -> Joules:
        return Joules(self.joules + other.joules, self.low + other.low, self.high + other.high)


@dataclass(frozen=True)
class EnergyReport:
    """Energy by operation.

    Attributes
    ----------
    parts : dict of str to Joules
        ``set``, ``reset``, ``form``, ``read_devices``, ``read_adc``, ``dot_devices``, ``dot_adc``,
        ``dot_lines``, ``word_line``, ``digital``, ``digital_dot``.
    """

    parts: dict[str, Joules]

    @property
    def total(self) -> Joules:
        """Sum of all parts; its bounds assume that every constant is at its bound."""
        return sum(self.parts.values(), Joules(0.0, 0.0, 0.0))

    @property
    def array(self) -> Joules:
        """Without the digital part: devices, converters, drivers, word lines."""
        parts = (v for k, v in self.parts.items() if k not in DIGITAL_PARTS)
        return sum(parts, Joules(0.0, 0.0, 0.0))

    @property
    def digital(self) -> Joules:
        """Logic and memory around the array."""
        return sum((self.parts[name] for name in DIGITAL_PARTS), Joules(0.0, 0.0, 0.0))

    def to_dict(self) -> dict[str, Any]:
        """Total and parts with bounds, for JSON."""
        parts = {name: asdict(part) for name, part in self.parts.items()}
        return {"total": asdict(self.total), "parts": parts}


def _sum(*terms: tuple[float, Value]) -> Joules:
    """Σ count · value, pJ → J."""
    return Joules(
        sum(n * v.value for n, v in terms) * PJ,
        sum(n * v.low for n, v in terms) * PJ,
        sum(n * v.high for n, v in terms) * PJ,
    )


def _operations(n: float, counts: tuple[Value, ...], costs: tuple[Value, ...]) -> Joules:
    """n · Σ operations · energy: both factors have bounds."""
    pairs = list(zip(counts, costs, strict=True))
    return Joules(
        n * sum(c.value * e.value for c, e in pairs) * PJ,
        n * sum(c.low * e.low for c, e in pairs) * PJ,
        n * sum(c.high * e.high for c, e in pairs) * PJ,
    )


def energy(ledger: Ledger, geometry: Geometry, model: EnergyModel | None = None) -> EnergyReport:
    """The energy of everything that ``ledger`` has counted.

    A RESET is counted per device, its word-line pulse per row. A read takes the mean conductance
    that the SET pulses reached. A DOT access drives one line per pair at full read voltage (an
    upper bound for multi-bit inputs) and needs one conversion: 8 bits where the geometry's
    converter has at most 8, else 10. A digital dot product reads both codes and the input of each
    pair from memory.
    """
    m = model or EnergyModel()
    mean_us = ledger.set_conductance_us / ledger.set if ledger.set else 0.0
    adc = m.adc_8bit_pj if 0 < geometry.dot_bits <= 8 else m.adc_10bit_pj
    line = m.line_driver_pj if geometry.access_bits == 1 else m.line_dac_pj
    lines = ledger.dot_devices / 2
    pulses = ledger.set + ledger.read + ledger.reset / geometry.row_devices + ledger.form
    words = (CODE_BITS_OF_A_PAIR + INPUT_BITS) / 32
    fetched = lines * geometry.access_bits / 32
    costs = (m.mult_32_pj, m.add_32_pj, m.table_pj)
    per_access = (m.mults_per_access, m.adds_per_access, m.tables_per_access)
    per_device = (m.mults_per_device, m.adds_per_device, m.tables_per_device)
    return EnergyReport(
        {
            "set": _sum((ledger.set_conductance_us, m.set_pj_per_us), (ledger.set, m.line_dac_pj)),
            "reset": _sum((ledger.reset, m.reset_pj)),
            "form": _sum((ledger.form, m.form_pj)),
            "read_devices": _sum((ledger.read * mean_us, m.read_pj_per_us)),
            "read_adc": _sum((ledger.read, m.adc_10bit_pj)),
            "dot_devices": _sum((ledger.dot_conductance_us, m.read_pj_per_us)),
            "dot_adc": _sum((ledger.dot, adc)),
            "dot_lines": _sum((lines, line)),
            "word_line": _sum((pulses + ledger.dot, m.word_line_pj)),
            "digital_dot": _sum(
                (ledger.digital_macs, m.mac_pj), (ledger.digital_macs * words, m.memory_word_pj)
            ),
            "digital": _operations(ledger.dot + ledger.digital, per_access, costs)
            + _operations(ledger.set, per_device, costs)
            + _sum((fetched, m.memory_word_pj)),
        }
    )


@dataclass(frozen=True)
class Operations:
    """Operations of software for the chain that a ledger has counted.

    Attributes
    ----------
    macs : float
        Multiplications and additions of the dot products.
    others : float
        Multiplications, additions and table look-ups of likelihood and proposal.
    normals : float
        Normally distributed numbers.
    """

    macs: float
    others: float
    normals: float

    @property
    def total(self) -> float:
        return self.macs + self.others


def operations(ledger: Ledger, model: EnergyModel | None = None) -> Operations:
    """Operations of ``ledger``: a MAC per pair driven, other operations as in the digital part."""
    m = model or EnergyModel()
    per_access = (m.mults_per_access, m.adds_per_access, m.tables_per_access)
    per_device = (m.mults_per_device, m.adds_per_device, m.tables_per_device)
    others = (ledger.dot + ledger.digital) * sum(v.value for v in per_access)
    others += ledger.set * sum(v.value for v in per_device)
    macs = ledger.dot_devices / 2 + ledger.digital_macs
    return Operations(macs, others, float(ledger.set))


def software_energy(
    ledger: Ledger, geometry: Geometry, seconds: float, model: SoftwareModel | None = None
) -> dict[str, Joules]:
    """The chain of ``ledger`` without an array.

    ``cpu_time``: ``seconds`` of a core; ``cpu_operations`` and ``mcu``: operations times their
    price, random numbers not counted; ``logic``: 45 nm logic made for it, weights and data in
    SRAM, normals from a counter-based generator.
    """
    s, m = model or SoftwareModel(), EnergyModel()
    work = operations(ledger, m)
    memory = work.macs / 2 + ledger.set / 2  # 16-bit weights, two in a word
    cycle, cycles = s.mcu_cycle_pj, s.mcu_operation_cycles
    return {
        "cpu_time": Joules(*(seconds * w for w in (s.cpu_w.value, s.cpu_w.low, s.cpu_w.high))),
        "cpu_operations": _sum((work.total, s.cpu_operation_pj)),
        "mcu": _operations(work.total, (cycles,), (cycle,)),
        "logic": energy(ledger, geometry, m).parts["digital"]
        + _sum((work.macs, s.mult_8_pj), (work.macs, m.add_32_pj), (memory, m.memory_word_pj))
        + _operations(work.normals, (s.adds_per_normal,), (m.add_32_pj,))
        + _sum((work.normals, m.table_pj)),
    }


def sampled_model(rng: np.random.Generator) -> EnergyModel:
    """Constants drawn independently between their bounds.

    The distribution is triangular in the logarithm with the mode at the reference (in the number
    itself where the lower bound is zero).
    """
    drawn = {}
    for f in fields(EnergyModel):
        v: Value = getattr(EnergyModel(), f.name)
        if v.low > 0:
            x = np.exp(rng.triangular(*np.log([v.low, v.value, v.high]).tolist()))
        else:
            x = rng.triangular(v.low, v.value, v.high)
        drawn[f.name] = v.moved(float(np.clip(x, v.low, v.high)))
    return EnergyModel(**drawn)


def monte_carlo(
    ledger: Ledger, geometry: Geometry, draws: int = 1000, seed: int = 0
) -> dict[str, NDArray[np.float64]]:
    """``total``, ``array``, ``digital`` and each part under drawn constants, J: float64 (draws,).

    Equal seeds draw equal constants for every ledger.
    """
    rng = np.random.default_rng(seed)
    out: dict[str, list[float]] = {}
    for _ in range(draws):
        report = energy(ledger, geometry, sampled_model(rng))
        whole = {"total": report.total, "array": report.array, **report.parts}
        for name, joules in whole.items():
            out.setdefault(name, []).append(joules.joules)
    return {name: np.array(values) for name, values in out.items()}
