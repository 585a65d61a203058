"""The devices of a measurement one by one, for distributions over them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...spec import CODE_LSB_US
from .estimates import Pulses
from .measure import FloatArray, Measurement

QUANTILES = (0.1, 0.5, 0.9)


@dataclass(frozen=True, eq=False)
class Population:
    """The devices of a measurement.

    Attributes
    ----------
    levels, unit : float (T,), str
        As ``Pulses``.
    mean_us, sigma_us : float (T, D)
        Mean and cycle-to-cycle standard deviation of each device that follows its level, µS; NaN
        where it has fewer than two pulses.
    pulses : float (D,)
        Pulses of each of these devices, over all levels.
    hrs_us : float (n,)
        Conductances after RESET, µS; empty if they were not measured.
    silent : int
        Devices that do not follow their level, or that gave no usable pulse.

    Examples
    --------
    >>> import numpy as np
    >>> g = np.array([[50.0, 52.0], [100.0, 101.0], [54.0, 50.0], [98.0, 99.0]])
    >>> level = np.array([[0, 0], [1, 1], [0, 0], [1, 1]])
    >>> found = Population.of_pulses(Pulses(np.array([50.0, 100.0]), level, g))
    >>> found.mean_us.tolist()
    [[52.0, 51.0], [99.0, 100.0]]
    """

    levels: FloatArray
    unit: str
    mean_us: FloatArray
    sigma_us: FloatArray
    pulses: FloatArray
    hrs_us: FloatArray
    silent: int

    @classmethod
    def of_pulses(
        cls, pulses: Pulses, hrs_us: FloatArray | None = None, silent: int = 0
    ) -> Population:
        """``hrs_us``: conductances after RESET, NaN: no value."""
        level, g = pulses.level, pulses.g_us
        sums = [_moments(level == t, g) for t in range(len(pulses.levels))]
        count, mean, sigma = (np.array(part) for part in zip(*sums, strict=True))
        hrs = np.empty(0) if hrs_us is None else hrs_us[np.isfinite(hrs_us)]
        return cls(pulses.levels, pulses.unit, mean, sigma, count.sum(axis=0), hrs, silent)

    @classmethod
    def of_measurement(cls, seen: Measurement) -> Population:
        """The devices of an array; those that do not follow their targets count as silent."""
        live = ~seen.dead
        g = seen.g_us[:, :, live]
        pulses = np.full(g.shape[2], float(g.shape[0] * g.shape[1]))
        hrs = seen.after_reset[:, live].astype(np.float64).ravel() * CODE_LSB_US
        return cls(
            seen.targets_us,
            "µS",
            g.mean(axis=0),
            g.std(axis=0, ddof=1),
            pulses,
            hrs,
            int((~live).sum()),
        )

    @property
    def devices(self) -> int:
        """All devices, the silent ones included."""
        return self.mean_us.shape[1] + self.silent

    @property
    def median_us(self) -> FloatArray:
        """Median over the devices of their means, (T,) µS."""
        known = [row[np.isfinite(row)] for row in self.mean_us]
        return np.array([np.median(row) if row.size else np.nan for row in known])

    @property
    def sigma_ratio(self) -> FloatArray:
        """σ of each device over that of the typical device at the same levels, (D,).

        Devices whose σ is not known are left out.
        """
        known = np.isfinite(self.sigma_us)
        variance = np.where(known, self.sigma_us, 0.0) ** 2
        typical = variance.sum(axis=1) / np.maximum(known.sum(axis=1), 1)
        known &= typical[:, None] > 0
        ratio = variance / np.where(typical > 0, typical, 1.0)[:, None]
        counted = known.sum(axis=0)
        mean = np.where(known, ratio, 0.0).sum(axis=0) / np.maximum(counted, 1)
        return np.asarray(np.sqrt(mean[counted > 0]))

    @property
    def chance(self) -> float:
        """Relative standard deviation of ``sigma_ratio`` that the number of pulses explains."""
        freedom = float(np.median(self.pulses)) - len(self.levels)
        return float(1 / np.sqrt(2 * max(freedom, 1.0)))

    @property
    def window(self) -> float | None:
        """Lowest median after SET over the 90 % quantile after RESET; None: not measured."""
        if not self.hrs_us.size:
            return None
        return float(self.median_us[0] / max(quantiles(self.hrs_us)[-1], CODE_LSB_US / 4))

    def to_dict(self) -> dict[str, Any]:
        """Numbers of devices, and 10 %, 50 % and 90 % quantiles, for JSON."""
        return {
            "devices": self.devices,
            "silent": self.silent,
            "sigma_ratio": quantiles(self.sigma_ratio),
            "sigma_ratio_by_chance": self.chance,
            "hrs_us": quantiles(self.hrs_us),
            "set_over_hrs": self.window,
        }


def quantiles(values: FloatArray) -> list[float]:
    """10 %, 50 % and 90 % quantiles; empty for no values."""
    return [float(q) for q in np.quantile(values, QUANTILES)] if values.size else []


def _moments(here: NDArray[np.bool_], g: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Number, mean and standard deviation of the chosen pulses of each device, (D,) each."""
    count = here.sum(axis=0).astype(np.float64)
    mean = np.where(here, g, 0.0).sum(axis=0) / np.maximum(count, 1)
    square = (np.where(here, g - mean, 0.0) ** 2).sum(axis=0) / np.maximum(count - 1, 1)
    enough = count > 1
    return count, np.where(enough, mean, np.nan), np.where(enough, np.sqrt(square), np.nan)
