"""I-V curves of devices: half loops, and the conductance before and after each of them.

An instrument that sweeps a voltage writes a list of voltages and currents. The list is cut into
half loops: the magnitude of the voltage rises from zero and returns. The conductance of the state
before the half loop is read on the rising branch at a low voltage, that of the state after it on
the falling branch.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .recording import FloatArray, IntArray

BoolArray = NDArray[np.bool_]

READ_V = 0.1  # where the file names no read voltage
TURN_REL = 0.02  # of the largest voltage: smaller steps back are noise of a measured voltage
LOW_REL = 0.3  # of the largest voltage: a half loop ends below
ZERO_REL = 1e-3  # of the largest voltage: such voltages count as zero
PLATEAU_REL = 0.01  # currents this close to the largest one are limited
PLATEAU_POINTS = 3
REVERSED_SHARE = 0.8  # of the points with I V < 0 when the current is counted outwards


@dataclass(frozen=True, eq=False)
class Curve:
    """A list of voltages and currents of one device, in the order of the measurement.

    Attributes
    ----------
    device : str
    volts, amps : float (n,)
        Across the device; NaN where a value is missing or an overload.
    line : int (n,)
        Lines of the file, from 1.
    gate_v : float (n,) or None
        Gate voltage of the selector.
    compliance_a : float (n,) or None
        Current limit as the file names it; NaN where it names none.
    limited : bool (n,) or None
        Points at which the instrument was in compliance.
    missing : int (n,)
        Lines that ``complete`` left out.
    time_s : float
        When the curve was taken; NaN where the file does not say so.
    """

    device: str
    volts: FloatArray
    amps: FloatArray
    line: IntArray
    gate_v: FloatArray | None = None
    compliance_a: FloatArray | None = None
    limited: BoolArray | None = None
    missing: IntArray = field(default_factory=lambda: np.zeros(0, np.int64))
    time_s: float = np.nan

    def complete(self) -> Curve:
        """The curve without its missing points, and with the sign of its current mended.

        ``missing`` holds the lines left out. A current that flows against the voltage almost
        everywhere is counted outwards and turned. A current without a sign takes that of the
        voltage.
        """
        good = np.isfinite(self.volts) & np.isfinite(self.amps)
        volts, amps = self.volts[good], self.amps[good]
        moved = np.abs(volts) > ZERO_REL * np.max(np.abs(volts), initial=0.0)
        against = amps[moved] * volts[moved] < 0
        if against.size and against.mean() > REVERSED_SHARE:
            amps = -amps
        elif (volts[moved] < 0).any() and not (amps[moved & (volts < 0)] < 0).any():
            amps = np.where(volts < 0, -np.abs(amps), amps)
        return replace(self.only(good), amps=amps, missing=self.line[~good])

    def only(self, rows: NDArray[Any] | Sequence[int]) -> Curve:
        """The points that ``rows``, a mask or indices, selects."""
        return replace(
            self,
            volts=self.volts[rows],
            amps=self.amps[rows],
            line=self.line[rows],
            gate_v=None if self.gate_v is None else self.gate_v[rows],
            compliance_a=None if self.compliance_a is None else self.compliance_a[rows],
            limited=None if self.limited is None else self.limited[rows],
        )


class HalfLoop(NamedTuple):
    """One excursion of the voltage to one side of zero.

    Attributes
    ----------
    polarity : int
        1 or -1.
    before_us, after_us : float
        Conductance at the read voltage on the rising and the falling branch; NaN without a point
        there, infinite where the current was limited there.
    set_v : float
        Magnitude of the voltage at the largest relative step of the current while it rises; NaN
        without one.
    stop_v : float
        Largest magnitude of the voltage.
    gate_v, limit_ua : float
        Gate voltage and current limit; NaN without one. A limit that the file does not name is the
        level of a flat top of the current.
    named : bool
        The file names the limit.
    first, last : int
        Lines of the file.
    """

    polarity: int
    before_us: float
    after_us: float
    set_v: float
    stop_v: float
    gate_v: float
    limit_ua: float
    named: bool
    first: int
    last: int


def half_loops(curve: Curve, read_v: float = READ_V) -> list[HalfLoop]:
    """The half loops of a complete curve.

    Examples
    --------
    >>> up = np.array([0.1, 0.5, 1.0])
    >>> volts = np.concatenate([up, up[::-1]])
    >>> amps = np.array([1e-7, 5e-7, 1e-4, 1e-4, 5e-5, 1e-5])
    >>> loop, = half_loops(Curve("a", volts, amps, np.arange(1, 7)))
    >>> round(loop.before_us, 3), round(loop.after_us, 3), loop.set_v
    (1.0, 100.0, 1.0)
    """
    return [_half_loop(curve, part, read_v) for part in _parts(curve.volts)]


def _parts(volts: FloatArray) -> Iterator[slice]:
    """Half loops as slices: runs of one sign, cut at low points from which the magnitude rises."""
    size = np.abs(volts)
    top = size.max(initial=0.0)
    sign = np.where(size > ZERO_REL * top, np.sign(volts), 0).astype(int)
    start, peak, low, falling = 0, 0.0, 0, False
    for k in range(len(volts)):
        if sign[k] != sign[start]:
            yield from _part(sign, start, k)
            start, peak, falling = k, 0.0, False
        if not falling:
            peak = max(peak, size[k])
            falling, low = size[k] < peak - TURN_REL * top, k
        elif size[k] < size[low]:
            low = k
        elif size[low] < LOW_REL * top and size[k] > size[low] + TURN_REL * top:
            yield from _part(sign, start, low + 1)
            start, peak, falling = low, size[k], False
    yield from _part(sign, start, len(volts))


def _part(sign: NDArray[np.int64], start: int, stop: int) -> Iterator[slice]:
    if stop - start > 1 and sign[start]:
        yield slice(start, stop)


def _half_loop(curve: Curve, part: slice, read_v: float) -> HalfLoop:
    volts, amps = np.abs(curve.volts[part]), curve.amps[part] * np.sign(curve.volts[part])
    top = int(np.argmax(volts))
    limit, named = _limit_a(curve, part, amps, volts)
    gate = curve.gate_v
    return HalfLoop(
        int(np.sign(curve.volts[part.start])),
        _read_us(volts[: top + 1], amps[: top + 1], read_v, limit),
        _read_us(volts[top:][::-1], amps[top:][::-1], read_v, limit),
        _step_v(volts[: top + 1], amps[: top + 1], read_v),
        float(volts[top]),
        np.nan if gate is None else float(np.nanmedian(gate[part])),
        limit * 1e6,
        named,
        int(curve.line[part][0]),
        int(curve.line[part][-1]),
    )


def _read_us(volts: FloatArray, amps: FloatArray, read_v: float, limit: float) -> float:
    """Conductance at ``read_v`` of a branch that rises, µS."""
    if len(volts) < 2 or not volts.min() <= 2 * read_v or volts.max() < read_v:
        return np.nan
    order = np.argsort(volts, kind="stable")
    at = max(read_v, float(volts[order[0]]))
    amp = float(np.interp(at, volts[order], amps[order]))
    if amp >= (1 - PLATEAU_REL) * limit:
        return np.inf
    return 1e6 * amp / at


def _step_v(volts: FloatArray, amps: FloatArray, read_v: float) -> float:
    size = np.abs(amps)
    high = np.flatnonzero((volts[1:] > read_v) & (size[:-1] > 0))
    if not len(high):
        return np.nan
    return float(volts[1 + high[np.argmax(size[1:][high] / size[:-1][high])]])


def _limit_a(curve: Curve, part: slice, amps: FloatArray, volts: FloatArray) -> tuple[float, bool]:
    """The current limit of a half loop, and whether the file names it."""
    if curve.compliance_a is not None:
        named = curve.compliance_a[part]
        if np.isfinite(named).any():
            return float(np.nanmedian(np.abs(named))), True
    if curve.limited is not None and curve.limited[part].any():
        return float(np.median(np.abs(amps[curve.limited[part]]))), False
    high = amps.max()
    flat = amps >= (1 - PLATEAU_REL) * high
    if flat.sum() < PLATEAU_POINTS or np.ptp(volts[flat]) < TURN_REL * volts.max():
        return np.nan, False
    return float(np.median(amps[flat])), False


def joined(curves: Sequence[Curve]) -> dict[str, list[Curve]]:
    """The curves of each device, in their order."""
    out: dict[str, list[Curve]] = {}
    for curve in curves:
        out.setdefault(curve.device, []).append(curve)
    return out
