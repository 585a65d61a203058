"""The physical array: a floating-point device model whose effects can be switched one by one.

A SET pulse becomes a code in these steps: DAC code → gate voltage → median conductance → ageing →
offset of the device → deviation of this cycle (a slow part and a new part) → relaxation since the
pulse → resistance of the lines → noise of this read → ADC. Each step is a constant of a
``DevicePreset``.
"""

from __future__ import annotations

import warnings
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import UsageError
from ..spec import CODE_LSB_US, CODE_MAX, DAC_MAX, Geometry, target_nodes_us
from .base import IntArray, Ledger, ledger_of
from .checks import check_array
from .device_preset import DevicePreset, FloatArray
from .generator import check_generator, pack_generator, philox, unpack_generator
from .presets import get_preset
from .read_noise import with_read_noise
from .wires import Wires

SIGNED = ("slow", "relax")  # arrays of the state that may be negative
PULSES, READS = range(2)  # generators, so that reads leave the draws of pulses unchanged
STUCK_HRS_US, STUCK_LRS_US = 1.0, 400.0  # read 4 and full scale, outside the valid codes
AGED_LIMIT = 1e8  # cycles: the ageing table ends here


class ValidityWarning(UserWarning):
    """The model is used outside the range that its sources cover."""


@dataclass(frozen=True)
class Effects:
    """Which effects are on. ``c2c`` off: every SET gives the device's median."""

    c2c: bool = True
    c2c_device: bool = True
    correlation: bool = True
    d2d: bool = True
    hrs: bool = True
    read_noise: bool = True
    drift: bool = True
    ageing: bool = True
    stuck: bool = True

    @classmethod
    def names(cls) -> tuple[str, ...]:
        return tuple(f.name for f in fields(cls))


class PhysicsArray:
    """``ohmcarlo.array.Array`` with the physics of a preset.

    Parameters
    ----------
    geometry : Geometry
    preset : DevicePreset or str
    seed : int
        Equal seeds give equal arrays, and switching an effect off leaves the draws of the others
        as they are.
    cycles : float
        Endurance cycles of every device before the first pulse of this object.
    **switches : bool
        Fields of ``Effects``; all are on unless switched off.

    Raises
    ------
    UsageError
        For an unknown switch, seed or age.

    Warns
    -----
    ValidityWarning
        Once, when a device is programmed outside the preset's ``valid_us``.

    Examples
    --------
    >>> import numpy as np
    >>> from ohmcarlo.array import PhysicsArray
    >>> from ohmcarlo.spec import CODE_LSB_US, Geometry
    >>> array = PhysicsArray(Geometry(rows=4, pairs=8), "rram-1t1r", seed=1, drift=False)
    >>> array.reset(0)
    >>> codes = array.program(0, np.arange(16), np.full(16, 1680))
    >>> bool(60 < CODE_LSB_US * codes.mean() < 150)  # µS
    True
    """

    name = "physics"
    exact_dot = False

    def __init__(
        self,
        geometry: Geometry,
        preset: DevicePreset | str = "rram-1t1r",
        seed: int = 0,
        *,
        cycles: float = 0.0,
        **switches: bool,
    ) -> None:
        unknown = sorted(set(switches) - set(Effects.names()))
        if unknown:
            raise UsageError(
                f"unknown effect {', '.join(unknown)}: choose among {', '.join(Effects.names())}"
            )
        if not 0 <= seed < 1 << 64:
            raise UsageError(f"seed = {seed}: choose 0 to 2**64 - 1")
        if not 0 <= cycles <= AGED_LIMIT:
            raise UsageError(
                f"cycles = {cycles:g}: the ageing table covers 0 to {AGED_LIMIT:g} cycles"
            )
        self.geometry = geometry
        self.preset = get_preset(preset) if isinstance(preset, str) else preset
        self.seed = seed
        self.cycles = float(cycles)
        self.effects = Effects(**switches)
        self.ledger = Ledger(geometry)
        self._warned = False
        self._build_devices()
        self._build_constants()
        self._build_wires()

    def _build_devices(self) -> None:
        """Properties of each device, which the seed decides, and the state before any pulse."""
        p, on = self.preset, self.effects
        shape = (self.geometry.rows, self.geometry.row_devices)
        fixed, pulses, reads = philox(self.seed, 3)
        self._generators = (pulses, reads)
        self._d2d = fixed.standard_normal(shape) * on.d2d
        spread_ln = fixed.standard_normal(shape) * (p.c2c_device_ln.value * on.c2c_device)
        self._sigma_device = np.exp(spread_ln)
        slow = fixed.standard_normal(shape)  # stationary from the first cycle on
        hrs = fixed.standard_normal(shape)
        stuck, kind = fixed.random(shape), fixed.random(shape)
        broken = (stuck < p.stuck_fraction.value) & on.stuck
        level = np.where(kind < p.stuck_hrs_share.value, STUCK_HRS_US, STUCK_LRS_US)
        self.stuck_us: FloatArray = np.where(broken, level, np.nan)
        self._moves = ~broken
        self._any_stuck = bool(broken.any())
        self._slow = slow
        self._g = np.where(broken, level, self._hrs_us(hrs, np.ones(shape)))
        self._relax = np.zeros(shape)
        self._time = np.zeros(shape)
        self._clock = np.zeros(1)

    def _build_constants(self) -> None:
        p, on = self.preset, self.effects
        self._lookup_v = np.asarray(p.set_law.x)
        self._lookup_us = np.asarray(p.set_law.y)
        dac_valid = p.dac_of_us(np.array(p.valid_us))
        self._valid_dac = (int(dac_valid[0]), int(dac_valid[1]))
        share = p.slow_share.value if on.correlation else 0.0
        self._slow_weight, self._new_weight = float(np.sqrt(share)), float(np.sqrt(1 - share))
        self._phi = p.slow_phi.value
        self._phi_new = float(np.sqrt(1 - self._phi**2))
        self._read_rel = p.read_noise_rel.value if on.read_noise else 0.0
        self._drifts = on.drift and (p.relax_us.value > 0 or p.drift_rel_per_decade.value > 0)
        self._decades_at_1s = float(np.log10(1 + 1 / p.relax_onset_s.value))
        self._ages = on.ageing and max(*p.ageing.sigma_gain, *p.ageing.hrs_gain) > 1

    def _build_wires(self) -> None:
        p, geometry = self.preset, self.geometry
        self.wires = Wires.of(p, geometry)
        self._gains: dict[int, FloatArray] = {}
        if self.wires is None:
            return
        self._medians_us = self.wires.medians_us(p, geometry.row_devices)
        caution = self.wires.caution(p, geometry)
        if caution:
            warnings.warn(caution, ValidityWarning, stacklevel=3)

    # -- the array interface ----------------------------------------------------------------

    def sigma_us(self, target_us: NDArray[np.float64]) -> NDArray[np.float64]:
        """The preset's c2c law and read noise for a fresh device; an aged array must be
        characterised again."""
        return with_read_noise(self.preset.c2c, self._read_rel)(target_us)

    @property
    def read_noise_rel(self) -> float:
        return self._read_rel

    def dac_of_target(self) -> IntArray:
        return self.preset.dac_of_us(target_nodes_us())

    def reset(self, row: int) -> None:
        p = self.preset
        z = self._generators[PULSES].standard_normal(self.geometry.row_devices)
        gain = self._age(row, slice(None))[2]
        g = self._hrs_us(z, gain)
        self._g[row] = np.where(self._moves[row], g, self._g[row]) if self._any_stuck else g
        self._relax[row] = 0.0
        self._clock += p.pulse_reset_s.value
        self._time[row] = self._clock[0]
        self.ledger.note_reset(self.geometry.row_devices)

    def program(self, row: int, devices: IntArray, dac: IntArray) -> IntArray:
        p, n = self.preset, len(devices)
        if n == 0:
            return np.empty(0, np.int32)
        self._check_dac(dac)
        pulses = self._generators[PULSES].standard_normal((3, n))
        slow = self._phi * self._slow[row, devices] + self._phi_new * pulses[0]
        self._slow[row, devices] = slow
        median_gain, sigma_gain, _ = self._age(row, devices)
        g = self._set_us(row, devices, dac, slow, pulses[1], median_gain, sigma_gain)
        self._relax[row, devices] = pulses[2]
        if self._any_stuck:
            moves = self._moves[row, devices]
            g = np.where(moves, g, self._g[row, devices])
            self._relax[row, devices] *= moves
        self._g[row, devices] = g
        self._clock += n * (p.pulse_set_s.value + p.pulse_read_s.value)
        self._time[row, devices] = self._clock[0]
        codes = self._convert(self._read_us(row, devices, g))
        self.ledger.note_program(row, devices, codes)
        return codes

    def cycle(self, row: int, devices: IntArray, dac: IntArray) -> IntArray:
        """RESET ``row``, SET and READ ``devices``, for each line of ``dac``: int32 (pulses, n).

        The result is bit-identical to alternate calls of ``reset`` and ``program``, in a tenth of
        the time.
        """
        p, (pulses, n) = self.preset, dac.shape
        if n == 0 or pulses == 0:
            for _ in range(pulses):
                self.reset(row)
            return np.empty((pulses, n), np.int32)
        self._check_dac(dac)
        width = self.geometry.row_devices
        draws = self._generators[PULSES].standard_normal((pulses, width + 3 * n))
        innovation, new, relax = (draws[:, width + k * n : width + (k + 1) * n] for k in range(3))
        slow = np.empty((pulses, n))
        state = self._slow[row, devices]
        for k in range(pulses):
            state = self._phi * state + self._phi_new * innovation[k]
            slow[k] = state
        worn = np.arange(pulses)[:, None]
        gains = self._age_of(self.ledger.wear[row, devices] + worn)
        g = self._set_us(row, devices, dac, slow, new, gains[0], gains[1])
        if self._any_stuck:
            g = np.where(self._moves[row, devices], g, self._g[row, devices])
        last_wear = self.ledger.wear[row].copy()
        last_wear[devices] += pulses - 1
        high = self._hrs_us(draws[-1, :width], self._age_of(last_wear)[2])
        moves = self._moves[row]
        self._g[row] = np.where(moves, high, self._g[row])
        self._g[row, devices] = g[-1]
        self._slow[row, devices] = slow[-1]
        self._relax[row] = 0.0
        self._relax[row, devices] = relax[-1] * moves[devices]
        for _ in range(pulses):  # the same order of additions as in single operations
            self._clock += p.pulse_reset_s.value
            self._time[row] = self._clock[0]
            self._clock += n * (p.pulse_set_s.value + p.pulse_read_s.value)
        self._time[row, devices] = self._clock[0]
        codes = self._convert(self._read_us(row, devices, g))
        self.ledger.note_reset(pulses * width)
        for line in codes:
            self.ledger.note_program(row, devices, line)
        return codes

    def read(self, row: int, devices: IntArray) -> IntArray:
        n = len(devices)
        self._clock += n * self.preset.pulse_read_s.value
        self.ledger.note_read(n)
        return self._convert(self._read_us(row, devices, self.conductance_us(row)[devices]))

    def dot(self, row: int, inputs: NDArray[np.int8]) -> NDArray[np.int32]:
        """Dot products with read noise, converted access by access according to the geometry.

        The clock advances as if every point had been evaluated, whether or not the caller needs
        all of them.
        """
        geometry = self.geometry
        points, pairs = inputs.shape
        g = self._dot_us(row, pairs) / CODE_LSB_US
        weights = g[0::2] - g[1::2]
        power = (g[0::2] ** 2 + g[1::2] ** 2) * self._read_rel**2
        tile = geometry.tile_pairs or pairs
        planes = 8 // geometry.access_bits
        total = np.zeros(points, np.int64)
        for start in range(0, pairs, tile):
            columns = slice(start, min(start + tile, pairs))
            for plane in range(planes):
                shift = plane * geometry.access_bits
                x = inputs[:, columns] >> shift
                if plane < planes - 1:
                    x = x & np.int8((1 << geometry.access_bits) - 1)
                drive = x.astype(np.float64)
                reading = self._access(drive, weights[columns], power[columns])
                total += reading << shift
        accesses = points * planes * -(-pairs // tile)
        self._clock += accesses * self.preset.pulse_read_s.value
        return total.astype(np.int32)

    def _access(self, drive: FloatArray, weights: FloatArray, power: FloatArray) -> Any:
        """One access: analogue sum, noise, converter; int64 (points,)."""
        geometry = self.geometry
        value = drive @ weights
        if self._read_rel:
            noise = self._generators[READS].standard_normal(len(drive))
            np.square(drive, out=drive)
            value += noise * np.sqrt(drive @ power)
        step = 1 << geometry.dot_shift
        reading = np.floor(value / step + 0.5)
        np.clip(reading, -geometry.dot_limit - 1, geometry.dot_limit, out=reading)
        return reading.astype(np.int64) * step

    # -- the lines ---------------------------------------------------------------------------

    def _read_us(self, row: int, devices: IntArray, g_us: FloatArray) -> FloatArray:
        """Conductance (µS) of ``devices`` of ``row`` as a READ sees it; ``g_us`` (…, n)."""
        return g_us if self.wires is None else self.wires.read_us(g_us, row, devices)

    def _dot_us(self, row: int, pairs: int) -> FloatArray:
        """Conductance (µS) of the devices of a row as a DOT over ``pairs`` pairs sees it."""
        g = self.conductance_us(row)
        if self.wires is None:
            return g[: 2 * pairs]
        return (self.wires.dot_us(g, row) * self._line_gains(pairs))[: 2 * pairs]

    def _line_gains(self, pairs: int) -> FloatArray | float:
        if self.wires is None or not self.preset.line_calibration.value:
            return 1.0
        if pairs not in self._gains:
            off_us = self.preset.hrs_median_us.value
            self._gains[pairs] = self.wires.line_gains(self.geometry, pairs, off_us)
        return self._gains[pairs]

    # -- the model ---------------------------------------------------------------------------

    def conductance_us(self, row: int) -> FloatArray:
        """True conductance (µS) of a row at present, without read noise; (row_devices,)."""
        g = self._g[row]
        if not self._drifts:
            return g
        p = self.preset
        elapsed = self._clock[0] - self._time[row]
        decades = np.log10(1 + elapsed / p.relax_onset_s.value)
        change = self._relax[row] * (p.relax_us.value / self._decades_at_1s)
        if p.drift_rel_per_decade.value:
            change = change - p.drift_rel_per_decade.value * g * self._moves[row]
        return np.maximum(g + change * decades, 0.0)

    def rest(self, seconds: float) -> None:
        """Advance the clock without an operation."""
        if not seconds >= 0:
            raise UsageError(f"seconds = {seconds:g}: choose 0 or more")
        self._clock += seconds

    @property
    def clock_s(self) -> float:
        """Time that the operations so far have taken, s."""
        return float(self._clock[0])

    @property
    def stuck(self) -> NDArray[np.bool_]:
        """Stuck devices, bool (rows, row_devices)."""
        return ~self._moves

    def _check_dac(self, dac: IntArray) -> None:
        lowest, highest = int(dac.min()), int(dac.max())
        if lowest < 0 or highest > DAC_MAX:
            raise UsageError(f"DAC codes must lie in 0..{DAC_MAX}")
        if not self._warned and (lowest < self._valid_dac[0] or highest > self._valid_dac[1]):
            self._warn()

    def _set_us(
        self,
        row: int,
        devices: IntArray,
        dac: IntArray,
        slow: FloatArray,
        new: FloatArray,
        median_gain: FloatArray | float,
        sigma_gain: FloatArray | float,
    ) -> FloatArray:
        """Conductance (µS) after SET pulses on devices that are not stuck: (…, n)."""
        p = self.preset
        if self.wires is None:
            median = np.interp(p.gate_v(dac), self._lookup_v, self._lookup_us)
        else:
            median = self._medians_us[devices, dac]
        median = median + self._d2d[row, devices] * p.d2d_us(median)
        median = np.maximum(median * median_gain, 0.0)
        if not self.effects.c2c:
            return median
        sigma = p.c2c(median) * (sigma_gain * self._sigma_device[row, devices])
        g = median + sigma * (self._slow_weight * slow + self._new_weight * new)
        return np.maximum(g, 0.0)

    def _convert(self, g_us: FloatArray) -> IntArray:
        if self._read_rel:
            noise = self._generators[READS].standard_normal(g_us.shape)
            g_us = g_us * (1 + self._read_rel * noise)
        return np.clip(np.rint(g_us / CODE_LSB_US), 0, CODE_MAX).astype(np.int32)

    def _hrs_us(self, z: FloatArray, gain: FloatArray | float) -> FloatArray:
        p = self.preset
        spread = p.hrs_ln_sigma.value if self.effects.hrs else 0.0
        g = p.hrs_median_us.value * gain * np.exp(spread * z)
        return np.minimum(g, p.hrs_max_us.value * gain)

    def _age(self, row: int, devices: Any) -> tuple[Any, Any, Any]:
        return self._age_of(self.ledger.wear[row, devices])

    def _age_of(self, wear: NDArray[Any]) -> tuple[Any, Any, Any]:
        """(median, σ, HRS) gains of devices that were SET so often by this object."""
        if not self._ages or self.cycles + wear.max() <= self.preset.ageing.cycles[0]:
            return 1.0, 1.0, 1.0
        return self.preset.ageing.at(self.cycles + wear)

    def _warn(self) -> None:
        self._warned = True
        low, high = self.preset.valid_us
        warnings.warn(
            f"preset {self.preset.name} is sourced from {low:g} to {high:g} µS; devices are being "
            "programmed outside and the model extrapolates there: treat the result as a "
            "sensitivity study",
            ValidityWarning,
            stacklevel=4,
        )

    # -- checkpoints -------------------------------------------------------------------------

    def _arrays(self) -> dict[str, NDArray[Any]]:
        return {
            "g_us": self._g,
            "slow": self._slow,
            "relax": self._relax,
            "time_s": self._time,
            "clock_s": self._clock,
        }

    def state_dict(self) -> dict[str, NDArray[Any]]:
        return {
            "seed": np.array([self.seed], np.uint64),
            "cycles": np.array([self.cycles]),
            "effects": np.array(list(asdict(self.effects).values())),
            "pulses": pack_generator(self._generators[PULSES]),
            "reads": pack_generator(self._generators[READS]),
            **{name: value.copy() for name, value in self._arrays().items()},
            **{f"ledger.{k}": v for k, v in self.ledger.state_dict().items()},
        }

    def load_state_dict(self, state: dict[str, NDArray[Any]]) -> None:
        self._check_state_dict(state)
        self.ledger.load_state_dict(ledger_of(state))
        for name, value in self._arrays().items():
            value[...] = state[name]
        unpack_generator(self._generators[PULSES], state["pulses"])
        unpack_generator(self._generators[READS], state["reads"])

    def _check_state_dict(self, state: dict[str, NDArray[Any]]) -> None:
        """Raise UsageError unless ``state`` is one of this array."""
        own = self.state_dict()
        for key in ("seed", "cycles", "effects"):
            check_array(state, key, own[key])
            if not np.array_equal(own[key], state[key]):
                raise UsageError(
                    f"the checkpoint belongs to an array with {key} = {state[key].tolist()}, this "
                    f"one has {own[key].tolist()}: build the array as it was built then"
                )
        for name, value in self._arrays().items():
            check_array(state, name, value, -np.inf if name in SIGNED else 0)
        if state["time_s"].max() > state["clock_s"][0]:
            raise UsageError("the checkpoint has devices that were programmed in the future")
        for name in ("pulses", "reads"):
            check_generator(name, state)
