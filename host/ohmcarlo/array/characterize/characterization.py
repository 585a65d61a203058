"""The result of a characterisation: properties of the array, and its calibration."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import UsageError
from ...spec import DEFAULT_MID_US, target_nodes_us
from ..raw_bits import RawBits
from ..read_noise import excess_spread, suited
from .measure import FloatArray, Trim

RANDOM_WALK_OFFSET, RANDOM_WALK_D2D = 0.003, 0.02
"""Largest |common offset| and d2d spread, fractions of g, that the plain random walk tolerates. The
autoregressive proposal tolerates far more."""
FILE_VERSION = 2


@dataclass(frozen=True, eq=False)
class Characterization:
    """The measured properties of an array, and the calibration that follows.

    Every table that covers the array has shape (rows, row_devices). Devices that were not measured
    have no trim and are not dead. T is the number of targets.

    Attributes
    ----------
    targets_us, mean_us, sigma_us_at, d2d_us : float (T,)
        Target; median over devices of the mean reached; c2c σ (median over devices); standard
        deviation of the devices' means, corrected for the finite number of cycles. µS.
    common_offset_rel, common_offset_error : float
        Mean over targets of ``mean_us / targets_us - 1``, a fraction, and its standard error.
    d2d_rel : float
        Root mean square of ``d2d_us / targets_us``, a fraction.
    sigma_spread_ln : float
        Standard deviation over devices of ln σ beyond what the number of cycles explains.
    cycle_correlation : float
        Correlation of successive cycles of a device. Components slower than the number of pulses
        per device appear as device offsets and are not included.
    read_noise_rel : float
        Standard deviation of repeated reads, fraction of g; ADC rounding removed.
    raw_bias, raw_min_entropy : float
        ``RawBits`` of the coin's devices near the centre (of all devices, if none of the coin was
        measured).
    spread_us : float (T,)
        Spread of a later read-back of a trimmed device about its target, µS: cycles, and the error
        that the trim leaves.
    static_us : float
        The part of it that stays with a device, at the centre, µS.
    tails : float
        Fourth moment of these deviations over the squared second one; 3 for a normal distribution.
    slow_share, slow_length : float
        Share of the cycle-to-cycle variance that is a slow process, and its length in pulses.
    sigma_nodes_us : float (257,)
        ``spread_us`` over the target: the spread to assume.
    dac : int32 (257,)
        Conductance→DAC table with the common curve corrected.
    trim_offset : int16, codes; trim_gain : int8, LSB 2**-TRIM_GAIN_FRAC
        Relative to ``dac`` and to ``centre_us``.
    dead : bool
        Devices that do not follow their target.
    bad_rows : bool (rows,)
        Rows with a dead device.
    centre_us : float
    cycles, devices : int
        Cycles per target, and devices measured.

    Examples
    --------
    >>> from ohmcarlo.array import EmulatedArray
    >>> from ohmcarlo.array.characterize.evaluation import characterize
    >>> from ohmcarlo.spec import Geometry
    >>> found = characterize(EmulatedArray(Geometry(rows=8, pairs=8), seed=1, rel=0.05))
    >>> found.sigma_us_at.shape == found.targets_us.shape
    True
    >>> int(found.bad_rows.sum())
    0
    """

    targets_us: FloatArray
    mean_us: FloatArray
    sigma_us_at: FloatArray
    d2d_us: FloatArray
    common_offset_rel: float
    common_offset_error: float
    d2d_rel: float
    sigma_spread_ln: float
    cycle_correlation: float
    read_noise_rel: float
    raw_bias: float
    raw_min_entropy: float
    spread_us: FloatArray
    static_us: float
    tails: float
    slow_share: float
    slow_length: float
    sigma_nodes_us: FloatArray
    dac: NDArray[np.int32]
    trim_offset: NDArray[np.int16]
    trim_gain: NDArray[np.int8]
    dead: NDArray[np.bool_]
    bad_rows: NDArray[np.bool_]
    centre_us: float
    cycles: int
    devices: int

    def sigma_us(self, target_us: FloatArray) -> FloatArray:
        """The spread (µS) to assume over the target (µS), for ``Registers``."""
        return np.interp(target_us, target_nodes_us(), self.sigma_nodes_us)

    @property
    def raw_bits(self) -> RawBits:
        """Quality of the raw bits of the coin."""
        return RawBits(self.raw_bias, self.raw_min_entropy)

    @property
    def trim(self) -> Trim:
        """The trim, as an input of another measurement."""
        return Trim(self.dac, self.trim_offset, self.trim_gain)

    @property
    def random_walk(self) -> bool:
        """Whether the plain random walk works on the array as it was characterised."""
        return abs(self.common_offset_rel) <= RANDOM_WALK_OFFSET and self.d2d_rel <= RANDOM_WALK_D2D

    @property
    def excess_spread(self) -> float:
        """Relative error of the posterior's spreads with dot products of the array."""
        sigma = float(self.sigma_us(np.array([DEFAULT_MID_US]))[0])
        return excess_spread(sigma, self.read_noise_rel * DEFAULT_MID_US)

    @property
    def dot_products(self) -> str:
        """Where dot products should be computed: ``array`` or ``codes``."""
        return suited(self.excess_spread)

    def summary(self) -> list[str]:
        """The result as lines of text."""
        lines = [
            f"{self.devices} devices, {self.cycles} cycles at each of {len(self.targets_us)} "
            "targets",
            "target µS   mean µS   cycle-to-cycle σ µS   device-to-device σ µS",
        ]
        table = zip(self.targets_us, self.mean_us, self.sigma_us_at, self.d2d_us, strict=True)
        lines += [f"{t:9.1f} {m:9.1f} {s:16.2f} {d:20.2f}" for t, m, s, d in table]
        lines += [
            f"common offset of the median: {self.common_offset_rel:+.2%} ± "
            f"{self.common_offset_error:.2%}",
            f"device-to-device spread: {self.d2d_rel:.1%} of g",
            f"correlation of successive cycles: {self.cycle_correlation:.2f}",
            f"read noise: {self.read_noise_rel:.2%} of g",
            f"devices that do not follow their target: {int(self.dead.sum())}, in "
            f"{int(self.bad_rows.sum())} of {len(self.bad_rows)} rows",
            "kernel: the plain random walk (rho = 1) is suitable"
            if self.random_walk
            else "kernel: use rho < 1; the plain random walk needs |common offset| <= "
            f"{RANDOM_WALK_OFFSET:.1%} and device-to-device <= {RANDOM_WALK_D2D:.0%} (trim first)",
            f"dot products: use {self.dot_products}; those of the array change the spreads of the "
            f"posterior by {self.excess_spread:+.1%}",
        ]
        return lines

    def save(self, path: str | Path) -> None:
        """Write an .npz file atomically."""
        path = Path(path)
        content = {f.name: getattr(self, f.name) for f in fields(self)}
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.name, suffix=".part")
        try:
            with os.fdopen(handle, "wb") as file:
                np.savez(file, version=np.array(FILE_VERSION), **content)
                file.flush()
                os.fsync(file.fileno())
            Path(temporary).chmod(0o644)  # mkstemp keeps its files private
            Path(temporary).replace(path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise

    @classmethod
    def load(cls, path: str | Path) -> Characterization:
        """Read a file that ``save`` wrote; UsageError for any other file."""
        names = [f.name for f in fields(cls)]
        try:
            with np.load(path, allow_pickle=False) as file:
                missing = sorted({"version", *names} - set(file.files))
                if missing:
                    raise UsageError(
                        f"{path} is not a characterization: it lacks {', '.join(missing)}"
                    )
                if int(file["version"]) != FILE_VERSION:
                    raise UsageError(
                        f"{path} has format {int(file['version'])}, this version reads "
                        f"{FILE_VERSION}: characterize the array again"
                    )
                content: dict[str, Any] = {n: file[n] for n in names}
        except UsageError:
            raise
        except (OSError, ValueError, EOFError) as error:
            raise UsageError(f"cannot read a characterization from {path}: {error}") from error
        scalars = {n: v.item() for n, v in content.items() if v.ndim == 0}
        return cls(**(content | scalars))
