"""Synthetic devices of known constants, and files of them as instruments write them.

The devices are drawn here, without the physics model, so that a fit is compared with constants
that no part of the package has touched.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from iv_lists import Cycle, butterfly, easyexpert

FloatArray = NDArray[np.float64]
VOLTS = (2.30, 2.35, 2.40, 2.45, 2.50, 2.55, 2.60)
MEDIANS_US = (50.0, 75.0, 98.0, 120.0, 139.0, 153.0, 165.0)
TARGETS_US = (50.0, 70.0, 90.0, 110.0, 130.0, 150.0, 170.0)
STUCK_US = 2.0
NO_LIMIT_A = 5e-3


@dataclass(frozen=True)
class Population:
    """Devices that are programmed once per level in every cycle, after a RESET each time.

    Spreads are standard deviations: ``intercept_us - slope g`` cycle to cycle, of which
    ``slow_share`` of the variance is an AR(1) process with ``slow_phi``;
    ``min(d2d_rel g, d2d_max_us)`` device to device. ``stuck`` devices stay at STUCK_US.
    """

    seed: int
    devices: int = 24
    cycles: int = 20
    levels: tuple[float, ...] = VOLTS
    medians_us: tuple[float, ...] = MEDIANS_US
    intercept_us: float = 18.0
    slope: float = 0.06
    device_ln: float = 0.0
    slow_share: float = 0.3
    slow_phi: float = 0.9
    d2d_rel: float = 1.0
    d2d_max_us: float = 10.0
    hrs_median_us: float = 5.0
    hrs_ln_sigma: float = 0.4
    stuck: int = 0

    def but(self, **changes: Any) -> Population:
        """The same devices with other constants."""
        return replace(self, **changes)

    def truth(self) -> dict[str, float]:
        """Constants by the names of the estimates."""
        return {
            "c2c_intercept_us": self.intercept_us,
            "c2c_slope": self.slope,
            "c2c_device_ln": self.device_ln,
            "slow_share": self.slow_share,
            "slow_phi": self.slow_phi,
            "d2d_max_us": self.d2d_max_us,
            "d2d_rel": self.d2d_rel,
            "hrs_median_us": self.hrs_median_us,
            "hrs_ln_sigma": self.hrs_ln_sigma,
            "stuck_fraction": self.stuck / self.devices,
        }

    def pulses(self) -> tuple[FloatArray, FloatArray]:
        """Conductance before and after every pulse, µS: (cycles, levels, devices) each."""
        rng = np.random.default_rng([self.seed, 77])
        shape = (self.cycles, len(self.levels), self.devices)
        typical = np.array(self.medians_us)[:, None]
        spread = np.minimum(self.d2d_rel * typical, self.d2d_max_us)
        own = np.maximum(typical + spread * rng.standard_normal(self.devices), 1.0)
        sigma = np.maximum(self.intercept_us - self.slope * own, 0.0)
        sigma = sigma * np.exp(self.device_ln * rng.standard_normal(self.devices))
        new = rng.standard_normal((self.cycles * len(self.levels), self.devices))
        slow = np.empty_like(new)
        state = rng.standard_normal(self.devices)
        for k, draw in enumerate(rng.standard_normal(new.shape)):
            state = self.slow_phi * state + np.sqrt(1 - self.slow_phi**2) * draw
            slow[k] = state
        z = np.sqrt(self.slow_share) * slow + np.sqrt(1 - self.slow_share) * new
        after = np.maximum(own + sigma * z.reshape(shape), 0.5)
        before = self.hrs_median_us * np.exp(self.hrs_ln_sigma * rng.standard_normal(shape))
        stuck = np.arange(self.devices) >= self.devices - self.stuck
        jitter = 1 + 0.01 * rng.standard_normal(shape)
        after = np.where(stuck, STUCK_US * jitter, after)
        return np.where(stuck, STUCK_US, before), after


def six_columns(population: Population, path: Path) -> Path:
    """Cell address, pulse width (ns), bit line (V), word line (V), resistance before and after
    (Ω): tabs, no header."""
    before, after = population.pulses()
    lines = [
        f"{1450 + d}\t100\t2\t{volt:g}\t{1e6 / before[c, t, d]:.3f}\t{1e6 / after[c, t, d]:.3f}"
        for d in range(population.devices)
        for c in range(population.cycles)
        for t, volt in enumerate(population.levels)
    ]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def long_table(
    population: Population,
    path: Path,
    columns: tuple[str, str, str] = ("device", "target_us", "g_us"),
    kilo_ohm: bool = False,
) -> Path:
    """One line a pulse: conductances in µS, or resistances in kΩ."""
    after = population.pulses()[1]
    after = 1e3 / after if kilo_ohm else after
    lines = [",".join(columns)]
    lines += [
        f"d{d},{level:g},{after[c, t, d]:.7g}"
        for c in range(population.cycles)
        for t, level in enumerate(population.levels)
        for d in range(population.devices)
    ]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def wide_table(population: Population, path: Path, level: str = "target_us") -> Path:
    """A column for each device, µS, and one for the level."""
    after = population.pulses()[1]
    lines = [",".join([level, *(f"d{d}" for d in range(population.devices))])]
    lines += [
        ",".join([f"{x:g}", *(f"{g:.4f}" for g in after[c, t])])
        for c in range(population.cycles)
        for t, x in enumerate(population.levels)
    ]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def iv_list(population: Population, path: Path) -> Path:
    """An export of EasyEXPERT: a SET and a RESET branch of each cycle, over the gate voltage."""
    before, after = population.pulses()
    cycles = []
    for d in range(population.devices):
        for c in range(population.cycles):
            for t, volt in enumerate(population.levels):
                low, high = float(before[c, t, d]), float(after[c, t, d])
                curve = butterfly(low, high, NO_LIMIT_A, 1.05)
                cycles.append(Cycle(d, t, NO_LIMIT_A, volt, *curve, before_us=low, after_us=high))
    path.write_text(easyexpert(cycles, gate=True, compliance=False), encoding="utf-8")
    return path
