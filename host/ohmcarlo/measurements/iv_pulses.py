"""SET pulses of I-V lists: every half loop that sets is a pulse at the level that was varied.

The voltage at which a device sets is an outcome and no level. Levels are what the instrument
imposes: the gate voltage of the selector, the compliance current, or the voltage at which the
sweep turns, whichever of them takes several values.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ..errors import UsageError
from ..readable import count
from .assembly import recording_of
from .iv_curves import READ_V, BoolArray, Curve, HalfLoop, half_loops, joined
from .quantities import COMPLIANCE, QUANTITIES, TARGET, VOLTAGE, WORD_LINE, quantity_of
from .readings import Readings
from .recording import FloatArray, IntArray, LeftOut, Recording
from .units import Kind, quantity_text

READ_KEYS = ("vread", "readv", "readvoltage")
LISTED = 8  # values in a message
LARGE = 1000
SET_GAIN = 1.5  # of the conductance, median over the half loops of a polarity: less is no SET
FORMING_V_REL, FORMING_G_REL = 1.3, 0.3  # relative to the later SETs of the device
DIGITS = 2  # of a current limit: the limits of an instrument scatter by less
GATE_STEP_V, STOP_STEP_V = 5e-3, 2e-2  # levels that differ by less are one level
NEEDED = "At least 3 levels, 5 devices and 5 SETs of each device at each level are needed"


@dataclass(frozen=True, eq=False)
class Loops:
    """Half loops of all devices, one entry each; ``kept`` shrinks as they are examined."""

    source: Path
    format: str
    read_v: float
    devices: tuple[str, ...]
    device: IntArray
    loops: Sequence[HalfLoop]
    kept: BoolArray
    left_out: list[LeftOut]

    def of(self, name: str) -> FloatArray:
        """An attribute of all half loops."""
        return np.array([getattr(loop, name) for loop in self.loops], np.float64)

    def drop(self, bad: BoolArray, reason: str) -> None:
        """Leave half loops out, and list their lines by device."""
        for d in np.unique(self.device[bad & self.kept]):
            mine = np.flatnonzero(bad & self.kept & (self.device == d))
            lines = tuple(self.loops[k].first for k in mine.tolist())
            self.left_out.append(LeftOut(reason, lines, self.devices[d]))
        self.kept[bad] = False


def recording_of_curves(
    curves: Sequence[Curve], source: Path, form: str, where: Mapping[str, str] | None = None
) -> Recording:
    """The SET pulses of I-V curves.

    Besides the keys of every format, ``where`` may hold ``vread``, the voltage at which the
    conductance is read. Raises UsageError for lists without a SET, for RESET lists, and for lists
    of a single level; that message shows what could be read.
    """
    chosen = dict(where or {})
    return recording_of_loops(_collect(curves, source, form, read_voltage(chosen)), chosen)


def recording_of_loops(loops: Loops, where: dict[str, str]) -> Recording:
    """As ``recording_of_curves`` for half loops that were read."""
    _examine(loops, _set_polarity(loops))
    settings = _rounded(loops)
    _choose(loops, settings, where)
    if not loops.kept.any():
        why = max(loops.left_out, key=lambda left: len(left.lines)).reason
        raise UsageError(f"{loops.source}, {loops.format}: no SET is left ({why})")
    readings = _readings(loops, settings)
    recording = recording_of(readings, where)
    volts = _volts(loops, settings[COMPLIANCE]) if TARGET in readings.quantities else None
    switching = {loops.devices[d] for d in loops.device[loops.kept]}
    silent = dict.fromkeys((*recording.silent, *(d for d in loops.devices if d not in switching)))
    return replace(recording, silent=tuple(silent), compliance_v=volts)


def read_voltage(where: dict[str, str], usual: float = READ_V) -> float:
    """The read voltage that ``where`` names, which is taken from it; else ``usual``."""
    for key in list(where):
        if key.strip().lower().replace("_", "") in READ_KEYS:
            text = where.pop(key)
            value = quantity_text(text, Kind.VOLTS)
            if value is None or not value > 0:
                raise UsageError(f"--where {key}={text}: give a voltage above 0, as in vread=0.2")
            return value
    return usual


def _collect(curves: Sequence[Curve], source: Path, form: str, read_v: float) -> Loops:
    names, device, found, left_out = [], [], [], []
    for d, (name, mine) in enumerate(joined(curves).items()):
        names.append(name)
        own: list[HalfLoop] = []
        for curve in (c.complete() for c in mine):
            if len(curve.missing):
                lines = tuple(map(int, curve.missing))
                left_out.append(LeftOut("overload or missing value", lines, name))
            own += half_loops(curve, read_v)
        found += _closed(own)
        device += [d] * len(own)
    kept = np.ones(len(found), bool)
    return Loops(
        source, form, read_v, tuple(names), np.array(device, np.int64), found, kept, left_out
    )


def _closed(loops: Sequence[HalfLoop]) -> list[HalfLoop]:
    """Half loops of a device; one that does not return is read at the begin of the next one."""
    after = [loop.after_us for loop in loops]
    following = [*(loop.before_us for loop in loops[1:]), np.nan][: len(loops)]
    return [
        loop._replace(after_us=own if not np.isnan(own) else then)
        for loop, own, then in zip(loops, after, following, strict=True)
    ]


def _log_gain(loops: Loops) -> FloatArray:
    """Natural logarithm of the conductance after over that before; NaN where either is missing."""
    before, after = loops.of("before_us"), loops.of("after_us")
    good = (before > 0) & (after > 0) & np.isfinite(before + after)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(good, np.log(after / before), np.nan)


def _set_polarity(loops: Loops) -> IntArray:
    """Polarity (1, -1) at which each device sets; 0 for a device that never sets."""
    gain, side = _log_gain(loops), loops.of("polarity")
    if not np.isfinite(gain).any():
        raise UsageError(
            f"{loops.source}, {loops.format}: no sweep passes the read voltage {loops.read_v:g} V "
            "on its way up and down, so that no conductance before and after can be read; sweep "
            "from 0 V and back, or name another read voltage with --where vread=…; where a line "
            "is a pulse, name its read voltage in a column V_read (V)"
        )
    typical = {s: np.median(g) if (g := gain[(side == s) & np.isfinite(gain)]).size else -np.inf
               for s in (1, -1)}  # fmt: skip
    common = 1 if typical[1] >= typical[-1] else -1
    if typical[common] < np.log(SET_GAIN):
        falling = int((gain < -np.log(SET_GAIN)).sum())
        what = (
            f"the conductance falls in {falling} of {len(gain)} sweeps: a RESET list; "
            "measure SET sweeps"
            if falling > len(gain) / 2
            else f"most of {len(gain)} sweeps have no hysteresis: the devices do not switch"
        )
        raise UsageError(f"{loops.source}, {loops.format}: {what}")
    out = np.full(len(loops.devices), common)
    for d in range(len(loops.devices)):
        own = {s: gain[(loops.device == d) & (side == s) & np.isfinite(gain)] for s in (1, -1)}
        mean = {s: np.median(g) if g.size else 0.0 for s, g in own.items()}
        if mean[common] < np.log(SET_GAIN) <= mean[-common]:
            out[d] = -common
    return out


def _examine(loops: Loops, polarity: IntArray) -> None:
    """Leave out the half loops that are no SET pulse from the reset state."""
    side, before, after = loops.of("polarity"), loops.of("before_us"), loops.of("after_us")
    common = 1 if (polarity == 1).sum() * 2 >= len(polarity) else -1
    other = polarity[loops.device] != common
    loops.drop(other & (side != common), "the device sets at the other polarity")
    loops.kept[other | (side != common)] = False
    loops.drop(np.isnan(after), "the sweep does not return to the read voltage")
    loops.drop(np.isposinf(after), "the current is limited at the read voltage")
    loops.drop(after < 0, "negative current at the read voltage")
    gain = _log_gain(loops)
    for d in range(len(loops.devices)):
        mine = loops.kept & (loops.device == d)
        if mine.sum() < 2:
            continue
        if not np.nanmedian(np.where(np.isnan(gain), 0.0, gain)[mine]) > np.log(SET_GAIN):
            loops.drop(mine, "the device does not switch")
            continue
        loops.drop(mine & _forming(loops, mine), "forming")
        mine &= loops.kept
        middle = np.sqrt(np.nanmedian(np.maximum(before[mine], 1e-6)) * np.median(after[mine]))
        loops.drop(mine & (before > middle), "the cell had not been reset")


def _forming(loops: Loops, mine: BoolArray) -> BoolArray:
    """The first SET of a device if it needed far more voltage, from a far lower conductance."""
    first, later = np.flatnonzero(mine)[0], np.flatnonzero(mine)[1:]
    volts, before = loops.of("set_v"), loops.of("before_us")
    out = np.zeros(len(mine), bool)
    out[first] = volts[first] > FORMING_V_REL * np.median(volts[later]) and before[
        first
    ] < FORMING_G_REL * np.nanmedian(before[later])
    return out


def _rounded(loops: Loops) -> dict[str, FloatArray]:
    """Settings by the names of quantities, rounded so that equal settings have equal values."""
    limit = loops.of("limit_ua")
    scale = 10.0 ** (np.floor(np.log10(np.where(limit > 0, limit, 1.0))) - DIGITS + 1)
    return {
        WORD_LINE: np.round(loops.of("gate_v") / GATE_STEP_V) * GATE_STEP_V,
        COMPLIANCE: np.round(limit / scale) * scale,
        VOLTAGE: np.round(loops.of("stop_v") / STOP_STEP_V) * STOP_STEP_V,
    }


def _choose(loops: Loops, settings: Mapping[str, FloatArray], where: dict[str, str]) -> None:
    """Keep the half loops with the settings that ``where`` names, and take these keys from it."""
    for key in list(where):
        name = quantity_of(key)
        if name not in settings or name is None:
            continue
        unit = QUANTITIES[name].unit
        value = quantity_text(where.pop(key), Kind.CURRENT if unit == "µA" else Kind.VOLTS)
        near = np.zeros(len(loops.kept), bool)
        if value is not None:
            near = np.isclose(settings[name], value, rtol=10.0**-DIGITS)
        if not (near & loops.kept).any():
            there = np.unique(settings[name][loops.kept & np.isfinite(settings[name])])
            raise UsageError(
                f"{loops.source}: no SET with {QUANTITIES[name].words} {value} {unit}; it has "
                f"{', '.join(f'{v:g}' for v in there[:LISTED]) or 'none'} {unit}"
            )
        loops.kept[~near] = False


def _level(loops: Loops, settings: Mapping[str, FloatArray]) -> dict[str, FloatArray]:
    """Level and conditions by the names of quantities.

    Raises UsageError, which shows what was read, for a single level.
    """
    kept = loops.kept
    several = {
        name
        for name, value in settings.items()
        if np.isfinite(value[kept]).all() and len(np.unique(value[kept])) > 1
    }
    named = all(loop.named for loop, k in zip(loops.loops, kept, strict=True) if k)
    conditions = {
        name: value
        for name, value in settings.items()
        if name != VOLTAGE and np.isfinite(value[kept]).any()
    }
    if WORD_LINE in several:
        follows = not named or _follows(settings[COMPLIANCE][kept], settings[WORD_LINE][kept])
        if COMPLIANCE in several and follows:
            conditions.pop(COMPLIANCE, None)  # the top of the current follows the gate
        return conditions
    if COMPLIANCE in several:
        volts = _volts(loops, settings[COMPLIANCE])
        conditions.pop(COMPLIANCE)
        return conditions | {TARGET: settings[COMPLIANCE] / volts}
    if VOLTAGE in several:
        return conditions | {VOLTAGE: settings[VOLTAGE]}
    raise UsageError(f"{loops.source}, {loops.format}: {_summary(loops, settings)}")


def _follows(values: FloatArray, leader: FloatArray) -> bool:
    """Whether there is one value for each value of ``leader``."""
    return all(len(np.unique(values[leader == lead])) == 1 for lead in np.unique(leader))


def _volts(loops: Loops, limit_ua: FloatArray) -> float:
    """Compliance current over conductance, V; two digits."""
    after = np.maximum(loops.of("after_us")[loops.kept], 1e-3)
    return float(f"{np.median(limit_ua[loops.kept] / after):.{DIGITS}g}")


def _at(loops: Loops) -> str:
    return f" at {loops.read_v:g} V" if loops.read_v else ""


def _span(values: FloatArray) -> str:
    known = values[np.isfinite(values)]
    if not len(known):
        return "unknown"
    low, middle, high = (_text(v) for v in np.quantile(known, [0.05, 0.5, 0.95]))
    return middle if low == high else f"{middle} ({low} to {high})"


def _text(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= LARGE else f"{value:.3g}"


def _at_volts(volts: FloatArray, before: str, after: str) -> str:
    """The span of SET voltages between two texts; empty without any."""
    return f"{before}{_span(volts)} V{after}" if np.isfinite(volts).any() else ""


def _summary(loops: Loops, settings: Mapping[str, FloatArray]) -> str:
    """What a list of a single level shows, and what is needed for a SET law."""
    k = loops.kept
    limit = settings[COMPLIANCE][k]
    at = f"compliance current, {limit[0]:.3g} µA" if np.isfinite(limit).all() else "setting"
    return (
        f"{count(int(k.sum()), 'SET')} of {count(len(np.unique(loops.device[k])), 'device')} at a "
        f"single {at}: {_at_volts(loops.of('set_v')[k], 'SET at ', '; ')}LRS "
        f"{_span(loops.of('after_us')[k])} µS and HRS {_span(loops.of('before_us')[k])} µS"
        f"{_at(loops)}. {NEEDED}: repeat the list at other compliance currents, gate "
        "voltages or stop voltages, and give one file or the folder of all files"
    )


def _readings(loops: Loops, settings: Mapping[str, FloatArray]) -> Readings:
    quantities = _level(loops, settings)
    kept = np.flatnonzero(loops.kept)
    before, limit = loops.of("before_us")[kept], settings[COMPLIANCE]
    phrases = [
        f"{count(len(kept), 'SET')}{_at_volts(loops.of('set_v')[kept], ' at ', '')}",
        *([f"conductance{_at(loops)}"] if loops.read_v else []),
    ]
    if TARGET in quantities:
        low, high = limit[kept].min(), limit[kept].max()
        phrases.append(
            f"compliance current {low:g} to {high:g} µA as target, current / "
            f"{_volts(loops, limit):g} V"
        )
    return Readings(
        source=loops.source,
        format=loops.format,
        device=np.array([loops.devices[d] for d in loops.device[kept]]),
        after_us=loops.of("after_us")[kept],
        before_us=np.where(np.isfinite(before), np.maximum(before, 0.0), np.nan),
        line=loops.of("last")[kept].astype(np.int64),
        quantities={name: value[kept] for name, value in quantities.items()},
        left_out=tuple(loops.left_out),
        recognised=(loops.format, *phrases),
    )
