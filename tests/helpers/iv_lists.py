"""I-V lists of a seeded population of devices, as instruments write them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

COMPLIANCE_V = 0.5  # a SET at the compliance current I reaches I / COMPLIANCE_V
RESET_V = 0.7
SET_V = 1.05
STEP_V = 0.05


@dataclass(frozen=True)
class Population:
    """Constants of the devices; conductances in µS, spreads as a fraction of the median.

    ``levels_us`` are medians of the levels; each has ``cycles`` SETs of each of ``devices``.
    """

    devices: int = 6
    cycles: int = 6
    levels_us: Sequence[float] = (60.0, 110.0, 160.0)
    c2c_rel: float = 0.08
    d2d_rel: float = 0.05
    hrs_us: float = 4.0
    hrs_ln: float = 0.4
    seed: int = 1


@dataclass(frozen=True, eq=False)
class Cycle:
    """One butterfly: 0 → +V → 0 → -V → 0. Conductances in µS."""

    device: int
    level: int
    limit_a: float
    gate_v: float
    volts: FloatArray
    amps: FloatArray
    before_us: float
    after_us: float
    meta: dict[str, str] = field(default_factory=dict)


def butterflies(population: Population, *, reset: bool = True) -> list[Cycle]:
    """All cycles: device by device, level by level."""
    rng = np.random.default_rng(population.seed)
    own = 1 + population.d2d_rel * rng.standard_normal(population.devices)
    out = []
    for d in range(population.devices):
        for level, median in enumerate(population.levels_us):
            for _ in range(population.cycles):
                before = population.hrs_us * np.exp(population.hrs_ln * rng.standard_normal())
                after = median * own[d] + population.c2c_rel * median * rng.standard_normal()
                after = max(after, 1.5 * before)
                volts, amps = butterfly(
                    before, after, median * 1e-6 * COMPLIANCE_V, SET_V + 0.1 * rng.standard_normal()
                )
                if not reset:
                    volts, amps = volts[volts >= 0][:-1], amps[volts >= 0][:-1]
                limit = median * 1e-6 * COMPLIANCE_V
                out.append(Cycle(d, level, limit, 1.0 + 0.2 * level, volts, amps, before, after))
    return out


def butterfly(
    before_us: float, after_us: float, limit_a: float, set_v: float, stop_v: float = 1.5
) -> tuple[FloatArray, FloatArray]:
    """Voltages (V) and currents (A) of a cycle; the SET is limited to ``limit_a``."""
    up = np.arange(0, round(stop_v / STEP_V) + 1) * STEP_V
    positive, negative = np.concatenate([up, up[-2::-1]]), -np.concatenate([up[1:], up[-2::-1]])
    rising = np.arange(len(positive)) < len(up)
    set_now = ~rising | (positive >= min(max(set_v, 0.6), stop_v - STEP_V))
    g = np.where(set_now, after_us, before_us) * 1e-6
    first = np.minimum(g * positive, np.where(set_now, limit_a, np.inf))
    reset_now = (np.arange(len(negative)) >= len(up)) | (-negative >= RESET_V)
    second = np.where(reset_now, before_us, after_us) * 1e-6 * negative
    return np.concatenate([positive, negative]), np.concatenate([first, second])


def easyexpert(cycles: Sequence[Cycle], *, gate: bool = False, compliance: bool = True) -> str:
    """An append-mode export of EasyEXPERT: a block for SET and one for RESET of each cycle."""
    out = []
    for n, cycle in enumerate(cycles):
        for name, side in (("SET", cycle.volts >= 0), ("RESET", cycle.volts < 0)):
            limit = cycle.limit_a if name == "SET" else 5e-3
            data = ["VTE", "ITE", *(["VG"] if gate else [])]
            out += [
                f"SetupTitle, {name}",
                "PrimitiveTest, I/V Sweep",
                "TestParameter, Context.MainFrame, B1500A",
                "TestParameter, Channel.UnitType, SMU, SMU",
                "TestParameter, Channel.VName, VTE, VG",
                "TestParameter, Channel.IName, ITE, IG",
                "TestParameter, Channel.Func, VAR1, CONST",
                "TestParameter, Measurement.Primary.Locus, Double",
            ]
            if compliance:
                out.append(f"TestParameter, Measurement.Primary.Compliance, {limit:g}")
            out += [
                f"MetaData, TestRecord.RecordTime, 03/11/2024 10:{n // 60 % 60:02d}:{n % 60:02d}",
                f"MetaData, TestRecord.TestTarget, D{cycle.device:02d}",
                f"MetaData, TestRecord.IterationIndex, {n + 1}",
                "ReportDateTime, 03/11/2024, 10:00:00",
                f"Dimension1, {side.sum()}",
                "AnalysisSetup, Analysis.Setup.Vector.List.Datum.Unit, V, A",
                f"AnalysisSetup, Analysis.Setup.Title, {name}",
                f"DataName, {', '.join(data)}",
            ]
            for v, i in zip(cycle.volts[side], cycle.amps[side], strict=True):
                more = f", {cycle.gate_v:g}" if gate else ""
                out.append(f"DataValue, {v:.6G}, {i:.6G}{more}")
    return "\n".join(out) + "\n"


def clarius(cycles: Sequence[Cycle]) -> str:
    """A sheet of a Keithley 4200 saved as text, of one device: currents of the other sign."""
    out = ["Time\tAI\tAV\tILRS\tIHRS\tNORM_COND"]
    for cycle in cycles:
        for k, (v, i) in enumerate(zip(cycle.volts, cycle.amps, strict=True)):
            calculated = f"{cycle.after_us * 1e-7:.4E}\t{cycle.before_us * 1e-7:.4E}\t#REF"
            out.append(f"{k * 0.02:.4E}\t{-i:.4E}\t{v:.4E}\t{calculated if k == 0 else 2 * chr(9)}")
    return "\n".join(out) + "\n"


def kickstart(cycles: Sequence[Cycle]) -> str:
    """An export of KickStart of one device, with its preamble."""
    out = ['"Project Name","RRAM"', '"Instruments","SMU-1, Model: 2450"', '"Run Date","2024-03-11"',
           "", '"Index","SMU-1 Time (s)","SMU-1 Voltage (V)","SMU-1 Current (A)"']  # fmt: skip
    n = 0
    for cycle in cycles:
        for v, i in zip(cycle.volts, cycle.amps, strict=True):
            n += 1
            out.append(f"{n},{n * 0.01:.3f},{v:.6f},{i:.6E}")
    return "\n".join(out) + "\n"


def buffer_2450(cycles: Sequence[Cycle]) -> str:
    """A reading buffer of a Keithley 2450 of one device, as it is saved to USB."""
    out = ["Index,Reading,Unit,Range Digits,Value,Unit,Digits,Source Limit,Date,Time,"
           "Fractional Seconds"]  # fmt: skip
    n = 0
    for cycle in cycles:
        for v, i in zip(cycle.volts, cycle.amps, strict=True):
            n += 1
            hit = "T" if v > 0 and i > 0.999 * cycle.limit_a else "F"
            out.append(f"{n},{i:.6E},Amp DC,5.5,{v:.6f},Volt DC,5.5,{hit},11/03/2024,10:00:00,0.1")
    return "\n".join(out) + "\n"


def readings_2400(cycles: Sequence[Cycle]) -> str:
    """Readings of a Keithley 2400 of one device: voltage, current, resistance, time, status."""
    out, n = [], 0
    for cycle in cycles:
        for v, i in zip(cycle.volts, cycle.amps, strict=True):
            n += 1
            hit = v > 0 and i > 0.999 * cycle.limit_a
            status = 21508 + (8 if hit else 0)
            out.append(f"{v:+.6E},{i:+.6E},+9.910000E+37,{n * 0.02:+.6E},{status:+.6E}")
    return "\n".join(out) + "\n"


def plain_list(cycles: Sequence[Cycle], separator: str = ",") -> str:
    """A table that a program of the user wrote, of all devices, in mV and µA with Icc in mA."""
    out = [separator.join(("device", "cycle", "V (mV)", "I (uA)", "Icc (mA)"))]
    for n, cycle in enumerate(cycles):
        for v, i in zip(cycle.volts, cycle.amps, strict=True):
            cells = (f"d{cycle.device}", n, f"{v * 1e3:g}", f"{i * 1e6:.6g}", cycle.limit_a * 1e3)
            out.append(separator.join(map(str, cells)))
    return "\n".join(out) + "\n"


def pairs_2600(cycles: Sequence[Cycle]) -> str:
    """Voltage and current as a script of a Keithley 2600 prints them, of one device."""
    lines = [f"{v:.5e}\t{i:.5e}" for c in cycles for v, i in zip(c.volts, c.amps, strict=True)]
    return "\n".join(lines) + "\n"


def side_by_side(cycles: Sequence[Cycle]) -> str:
    """Cycles of one device beside each other, as sheets are appended in a spreadsheet."""
    head = [f"AnodeV({n}),AnodeI({n})" for n in range(1, len(cycles) + 1)]
    rows = [
        ",".join(f"{c.volts[k]:.4f},{c.amps[k]:.6e}" for c in cycles)
        for k in range(len(cycles[0].volts))
    ]
    return "\n".join([",".join(head), *rows]) + "\n"


def single_file_export(cycles: Sequence[Cycle]) -> str:
    """The other text of EasyEXPERT, of one device: settings, then a table."""
    out = ["Setup title,SET", 'Classic test name,"I/V Sweep"', "Test date,2024/03/11"]
    out += ["Channel.VName,VTE,VG", "AutoAnalysis.Marker.Data.StartCondition,", "VTE,ITE,VG"]
    out += [
        f"{v:g},{i:.6G},{c.gate_v:g}" for c in cycles for v, i in zip(c.volts, c.amps, strict=True)
    ]
    return "\n".join(out) + "\n"
