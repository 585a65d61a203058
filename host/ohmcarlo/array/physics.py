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
from ..spec import DAC_MAX, Geometry, target_nodes_us
from .base import IntArray, Ledger, ledger_of
from .checks import check_array
from .device_preset import DevicePreset, FloatArray, LinearSpread, RelativeSpread
from .generator import check_generator, pack_generator, philox, unpack_generator
from .physics_core import (
    SET_DRAWS,
    Physics,
    physics_cycle,
    physics_program,
    physics_read,
    physics_reset,
    physics_row,
)
from .physics_dot import dot_buffers, physics_dot
from .presets import get_preset
from .read_noise import with_read_noise
from .wires import SIEMENS, Wires

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
        self._read_rel = self.preset.read_noise_rel.value if self.effects.read_noise else 0.0
        self._build_wires()
        self.state = self._build_state()

    def _build_devices(self) -> None:
        """Properties of each device, which the seed decides, and the state before any pulse."""
        p, on = self.preset, self.effects
        shape = (self.geometry.rows, self.geometry.row_devices)
        fixed, pulses, reads = philox(self.seed, 3)
        self.generators = (pulses, reads)
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
        self._slow = slow
        self._g = np.where(broken, level, self._hrs_us(hrs))
        self._relax = np.zeros(shape)
        self._time = np.zeros(shape)
        self._clock = np.zeros(1)

    def _build_wires(self) -> None:
        p, geometry = self.preset, self.geometry
        self.wires = Wires.of(p, geometry)
        self._gains: dict[int, FloatArray] = {}
        if self.wires is None:
            return
        caution = self.wires.caution(p, geometry)
        if caution:
            warnings.warn(caution, ValidityWarning, stacklevel=3)

    def _build_state(self) -> Physics:
        """Constants and arrays of the compiled operations."""
        p, on = self.preset, self.effects
        share = p.slow_share.value if on.correlation else 0.0
        phi = p.slow_phi.value
        ageing = p.ageing
        floor_us, rel, intercept_us, slope = self._sigma_law()
        ages = on.ageing and max(*ageing.sigma_gain, *ageing.hrs_gain) > 1
        drifts = on.drift and (p.relax_us.value > 0 or p.drift_rel_per_decade.value > 0)
        if self.wires is None:
            medians = p.median_us(np.arange(DAC_MAX + 1))[None]
        else:
            medians = self.wires.medians_us(p, self.geometry.row_devices)
        valid_lo, valid_hi = p.dac_of_us(np.array(p.valid_us)).tolist()
        return Physics(
            g_us=self._g,
            slow=self._slow,
            relax=self._relax,
            time_s=self._time,
            clock_s=self._clock,
            outside=np.zeros(1, np.bool_),
            moves=self._moves,
            d2d=self._d2d,
            sigma_device=self._sigma_device,
            medians=medians,
            age_nodes=np.log10(ageing.cycles),
            age_gains=np.array([ageing.median_gain, ageing.sigma_gain, ageing.hrs_gain]),
            counts=self.ledger.counts,
            wear=self.ledger.wear,
            cycles=self.cycles,
            fresh=ageing.cycles[0] if ages else np.inf,
            slow_weight=float(np.sqrt(share)),
            new_weight=float(np.sqrt(1 - share)),
            phi=phi,
            phi_new=float(np.sqrt(1 - phi**2)),
            d2d_rel=p.d2d_rel.value,
            d2d_max_us=p.d2d_max_us.value,
            sigma_floor_us=floor_us,
            sigma_rel=rel,
            sigma_intercept_us=intercept_us,
            sigma_slope=slope,
            hrs_us=p.hrs_median_us.value,
            hrs_spread=p.hrs_ln_sigma.value if on.hrs else 0.0,
            hrs_max_us=p.hrs_max_us.value,
            relax_us=p.relax_us.value / float(np.log10(1 + 1 / p.relax_onset_s.value)),
            relax_onset_s=p.relax_onset_s.value,
            drift_rel=p.drift_rel_per_decade.value,
            drifts=int(drifts),
            read_rel=self._read_rel,
            read_power=self._read_rel**2,
            reset_s=p.pulse_reset_s.value,
            set_read_s=p.pulse_set_s.value + p.pulse_read_s.value,
            read_s=p.pulse_read_s.value,
            line_s=p.wire_ohm.value * SIEMENS,
            line_ohm=p.wire_ohm.value,
            line_tile=0 if self.wires is None else self.wires.tile,
            valid_lo=valid_lo,
            valid_hi=valid_hi,
            access_bits=self.geometry.access_bits,
            tile_pairs=self.geometry.tile_pairs,
            dot_shift=self.geometry.dot_shift,
            dot_limit=self.geometry.dot_limit,
        )

    def _sigma_law(self) -> tuple[float, float, float, float]:
        """c2c spread, µS: floor, rel, intercept, slope of
        max(floor, min(rel · g, intercept - slope · g))."""
        law = self.preset.c2c
        if self.effects.c2c and isinstance(law, LinearSpread):
            floor_us, intercept_us = law.floor_us.value, law.intercept_us.value
            return floor_us, law.max_rel.value, intercept_us, law.slope.value
        rel = law.rel.value if self.effects.c2c and isinstance(law, RelativeSpread) else 0.0
        return -np.inf, rel, np.inf, 0.0

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
        physics_reset(self.state, row, self._normals(PULSES, self.geometry.row_devices), True)

    def program(self, row: int, devices: IntArray, dac: IntArray) -> IntArray:
        n = len(devices)
        out = np.empty(n, np.int32)
        if n == 0:
            return out
        self._check_dac(dac)
        pulses, noise = self._normals(PULSES, SET_DRAWS * n), self._read_noise(n)
        physics_program(self.state, row, devices, dac, pulses, noise, out)
        return out

    def cycle(self, row: int, devices: IntArray, dac: IntArray) -> IntArray:
        """RESET ``row``, SET and READ ``devices``, for each line of ``dac``: int32 (pulses, n).

        The result is bit-identical to alternate calls of ``reset`` and ``program``, in a fraction
        of the time.
        """
        pulses, n = dac.shape
        out = np.empty((pulses, n), np.int32)
        if n == 0 or pulses == 0:
            for _ in range(pulses):
                self.reset(row)
            return out
        self._check_dac(dac)
        normals = self._normals(PULSES, (pulses, self.geometry.row_devices + SET_DRAWS * n))
        noise = self._read_noise((pulses, n))
        physics_cycle(self.state, row, devices, dac, normals, noise, out)
        return out

    def read(self, row: int, devices: IntArray) -> IntArray:
        n = len(devices)
        out = np.empty(n, np.int32)
        row_us = np.empty(self.geometry.row_devices)
        physics_read(self.state, row, devices, row_us, self._read_noise(n), out)
        return out

    def dot(self, row: int, inputs: NDArray[np.int8]) -> NDArray[np.int32]:
        """Dot products with read noise, converted access by access according to the geometry.

        The clock advances as if every point had been evaluated, whether or not the caller needs
        all of them.
        """
        points, pairs = inputs.shape
        out = np.empty(points, np.int32)
        buffers = dot_buffers(self.state, points, self.geometry.accesses_per_row(pairs))
        if self._read_rel:
            buffers = buffers._replace(noise=self._normals(READS, buffers.noise.shape))
        gains = self.line_gains(pairs)
        physics_dot(self.state, row, np.ascontiguousarray(inputs.T), pairs, gains, buffers, out)
        return out

    def _normals(self, generator: int, shape: int | tuple[int, ...]) -> FloatArray:
        return self.generators[generator].standard_normal(shape)

    def _read_noise(self, shape: int | tuple[int, ...]) -> FloatArray:
        """Draws of the READS of one operation; none without read noise."""
        if self._read_rel:
            return self._normals(READS, shape)
        return np.empty(shape if isinstance(shape, int) else (shape[0], 0))

    def line_gains(self, pairs: int) -> FloatArray:
        """Gains of the line drivers in a dot product over ``pairs`` pairs: (row_devices,)."""
        if pairs not in self._gains:
            gains = np.ones(self.geometry.row_devices)
            if self.wires is not None and self.preset.line_calibration.value:
                off_us = self.preset.hrs_median_us.value
                gains = self.wires.line_gains(self.geometry, pairs, off_us)
            self._gains[pairs] = gains
        return self._gains[pairs]

    # -- the model ---------------------------------------------------------------------------

    def conductance_us(self, row: int) -> FloatArray:
        """True conductance (µS) of a row at present, without read noise; (row_devices,)."""
        out = np.empty(self.geometry.row_devices)
        physics_row(self.state, row, out)
        return out

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
        if lowest < self.state.valid_lo or highest > self.state.valid_hi:
            self.state.outside[0] = True
            self.warn_outside()

    def _hrs_us(self, z: FloatArray) -> FloatArray:
        """State (µS) of fresh devices after RESET."""
        p = self.preset
        spread = p.hrs_ln_sigma.value if self.effects.hrs else 0.0
        return np.minimum(p.hrs_median_us.value * np.exp(spread * z), p.hrs_max_us.value)

    def warn_outside(self) -> None:
        """Warn, once, if a SET was outside the range that the sources cover."""
        if self._warned or not self.state.outside[0]:
            return
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
            "pulses": pack_generator(self.generators[PULSES]),
            "reads": pack_generator(self.generators[READS]),
            **{name: value.copy() for name, value in self._arrays().items()},
            **{f"ledger.{k}": v for k, v in self.ledger.state_dict().items()},
        }

    def load_state_dict(self, state: dict[str, NDArray[Any]]) -> None:
        self._check_state_dict(state)
        self.ledger.load_state_dict(ledger_of(state))
        for name, value in self._arrays().items():
            value[...] = state[name]
        unpack_generator(self.generators[PULSES], state["pulses"])
        unpack_generator(self.generators[READS], state["reads"])

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
