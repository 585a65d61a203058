"""The settings of a chain in physical units, and the integers for the controller."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields, replace

import numpy as np
from numpy.typing import NDArray

from ..array.read_noise import ARRAY, CODES, DOT_PRODUCTS
from ..errors import UsageError
from ..spec import (
    CODE_LSB_US,
    DAC_MAX,
    DEFAULT_HI_US,
    DEFAULT_LO_US,
    DEFAULT_MID_US,
    FEATURE_FRAC,
    FOLD_MAX,
    LOGIT_FRAC,
    LOGLIK_FRAC,
    RAW_MIN_ENTROPY,
    RHO_FRAC,
    TARGET_LSB_US,
    VALID_HI_CODE,
    VALID_LO_CODE,
    WIDE_EVERY_MAX,
    Geometry,
    coefficient,
    hastings_tables,
    health_cutoffs,
)

CORRECTED, PUBLISHED = KERNELS = ("corrected", "published")
MAX_REPEATS = 16


@dataclass(frozen=True)
class SamplerSettings:
    """The settings of a chain, in physical units.

    Attributes
    ----------
    kernel : {"corrected", "published"}
        ``corrected`` samples the posterior exactly; ``published`` leaves out the Hastings term and
        the common-mode prior, as the paper does.
    rho : float
        The proposal is centred at ``c + rho (k - c)``; 1 is the plain random walk.
    wide_every : int
        Every so many steps of a chain, one is *wide*: it uses rho = 1. 0: none.
    gamma_us : float
        µS per unit of weight.
    sigma_p : float
        Standard deviation of the weight prior; ``inf``: no weight prior (it is in the data, as
        quadratic points).
    tau_us : float
        Standard deviation of the common-mode prior, µS.
    centre_us, lo_us, hi_us : float
        Centre of the devices and clip limits of a programming target, µS.
    hidden : int
        Hidden units; 0: logistic regression.
    stream : bool
        Retired rows are used again after their samples were streamed out. If False, the run ends
        when the array is full.
    retries : int
        A row is retired after so many invalid read-backs in succession.
    min_entropy : float
        Bits of min-entropy per raw bit that the health tests assume.
    dot_products : {"array", "codes"}
        ``array``: dot products are accesses of the array, as in the paper. ``codes``: they are
        computed digitally from the codes read back, so that read noise does not change the
        posterior.
    repeats : int
        Number of READs of a device and of accesses of a dot product that are averaged, a power
        of two.
    fold : int
        The raw symbols of so many entropy devices are XORed into one symbol of the coin; 1: each
        raw symbol is used as it is.

    Examples
    --------
    >>> from ohmcarlo.golden import SamplerSettings
    >>> SamplerSettings(rho=0.8, sigma_p=2.0).kernel
    'corrected'
    >>> SamplerSettings.whitened(rel=0.05).rho
    0.8
    """

    kernel: str = "corrected"
    rho: float = 1.0
    wide_every: int = 0
    gamma_us: float = 25.0
    sigma_p: float = 1.0
    tau_us: float = 40.0
    centre_us: float = DEFAULT_MID_US
    lo_us: float = DEFAULT_LO_US
    hi_us: float = DEFAULT_HI_US
    hidden: int = 0
    early_reject: bool = True
    stream: bool = True
    retries: int = 3
    dot_products: str = ARRAY
    repeats: int = 1
    min_entropy: float = RAW_MIN_ENTROPY
    fold: int = 1

    def __post_init__(self) -> None:
        if self.kernel not in KERNELS:
            raise UsageError(f"kernel {self.kernel!r} is unknown: choose one of {KERNELS}")
        if not 0 < self.rho <= 1:
            raise UsageError(f"rho = {self.rho:g}: choose a value in (0, 1]; 1 is the random walk")
        if not 0 <= self.wide_every <= WIDE_EVERY_MAX:
            raise UsageError(
                f"wide_every = {self.wide_every}: choose 1 to {WIDE_EVERY_MAX}, or 0 for no wide "
                "steps"
            )
        for name in ("gamma_us", "sigma_p", "tau_us"):
            if not getattr(self, name) > 0:
                raise UsageError(f"{name} = {getattr(self, name):g} must be positive")
        top = DAC_MAX * TARGET_LSB_US
        if not 0 <= self.lo_us < self.centre_us < self.hi_us <= top:
            raise UsageError(
                f"targets need 0 <= lo < centre < hi <= {top:g} µS, got {self.lo_us:g}, "
                f"{self.centre_us:g}, {self.hi_us:g}"
            )
        if not 0 <= self.hidden <= 63:
            raise UsageError(f"hidden = {self.hidden}: choose 0 (none) to 63 hidden units")
        if not 1 <= self.retries <= 7:
            raise UsageError(f"retries = {self.retries}: choose 1 to 7")
        require_dot_products(self.dot_products, self.repeats)
        if not 0.1 <= self.min_entropy <= 1:
            raise UsageError(f"min_entropy = {self.min_entropy:g}: choose 0.1 to 1 bit per bit")
        if not 1 <= self.fold <= FOLD_MAX:
            raise UsageError(f"fold = {self.fold}: choose 1 to {FOLD_MAX} raw symbols")

    @classmethod
    def whitened(cls, rel: float, rho: float = 0.8, **others: object) -> SamplerSettings:
        """Settings for whitened data: unit posterior spread per weight, prior as points.

        ``rel`` is the cycle-to-cycle spread of a device as a fraction of its median at the centre.
        The stationary spread of a device under the autoregressive proposal alone is
        ``rel * centre / sqrt(1 - rho²)``; matching it to posterior and common mode mixes best.
        """
        if not 0 < rho < 1:
            raise UsageError(f"rho = {rho:g}: whitened data need rho in (0, 1), e.g. 0.8")
        centre = float(others.get("centre_us", DEFAULT_MID_US))  # type: ignore[arg-type]
        spread = _stationary_spread(centre, rel, rho)
        settings = cls(
            rho=rho,
            gamma_us=(0.75 if rho >= 0.9 else 0.85) * spread,
            tau_us=spread,
            sigma_p=float("inf"),
        )
        return replace(settings, **others)  # type: ignore[arg-type]

    @classmethod
    def around_prior(
        cls, rel: float, rho: float, sigma_p: float, **others: object
    ) -> SamplerSettings:
        """Settings whose proposal alone has the prior as its stationary law.

        The likelihood then decides alone, whatever the number of weights: a random walk pays for
        every weight that only the prior holds. Arguments as for ``whitened``, and the standard
        deviation of the prior of a weight. Source: the preconditioned Crank-Nicolson proposal,
        Cotter et al. 2013, doi 10.1214/13-STS421.
        """
        if not 0 < rho < 1:
            raise UsageError(f"rho = {rho:g}: a proposal around the prior needs rho in (0, 1)")
        centre = float(others.get("centre_us", DEFAULT_MID_US))  # type: ignore[arg-type]
        spread = _stationary_spread(centre, rel, rho)
        settings = cls(rho=rho, gamma_us=spread / sigma_p, tau_us=spread, sigma_p=sigma_p)
        return replace(settings, **others)  # type: ignore[arg-type]

    def registers(
        self,
        geometry: Geometry,
        features: int,
        sigma_us: Callable[[NDArray[np.float64]], NDArray[np.float64]],
        calibration: Calibration | None = None,
    ) -> Registers:
        """The integers that the controller computes with.

        ``features`` counts the inputs of a point, bias included; ``sigma_us`` maps a target (µS)
        to the spread (µS) of a read-back that the Hastings term assumes: an array's ``sigma_us``,
        or a measured one; with ``repeats``, that of ``averaged_law``.
        """
        if self.hidden and geometry.row_group != self.hidden + 1:
            raise UsageError(
                f"{self.hidden} hidden units need row groups of {self.hidden + 1} rows, not "
                f"{geometry.row_group}"
            )
        if not self.hidden and geometry.row_group != 1:
            raise UsageError("logistic regression keeps a sample in one row: row_group = 1")
        geometry.require_features(features)
        geometry.require_hidden(self.hidden)
        unit = CODE_LSB_US / self.gamma_us * 2.0**-FEATURE_FRAC
        logit = _coefficient("gamma_us", self.gamma_us, unit, LOGIT_FRAC)
        # gamma is the value that the coefficient represents exactly
        gamma = CODE_LSB_US * 2.0 ** (LOGIT_FRAC + logit[1] - FEATURE_FRAC) / logit[0]
        weight = 0.0 if np.isinf(self.sigma_p) else (CODE_LSB_US / gamma / self.sigma_p) ** 2 / 2
        common = (TARGET_LSB_US / self.tau_us) ** 2 / 2  # sums are in targets, as the centre is
        exact = self.kernel == "corrected"
        inv_sigma, log_sigma = hastings_tables(sigma_us, self.lo_us)
        rct, rct_symbol, apt = health_cutoffs(self.min_entropy)
        return Registers(
            geometry=geometry,
            features=features,
            hidden=self.hidden,
            hastings=exact,
            gamma_us=gamma,
            rho=int(np.rint(self.rho * (1 << RHO_FRAC))),
            wide_every=self.wide_every,
            centre=int(np.rint(self.centre_us / TARGET_LSB_US)),
            lo=int(np.rint(self.lo_us / TARGET_LSB_US)),
            hi=int(np.rint(self.hi_us / TARGET_LSB_US)),
            valid_lo=VALID_LO_CODE,
            valid_hi=VALID_HI_CODE,
            logit_coef=logit,
            weight_coef=_coefficient("sigma_p", self.sigma_p, weight, LOGLIK_FRAC, gamma),
            common_coef=_coefficient("tau_us", self.tau_us, common if exact else 0.0, LOGLIK_FRAC),
            inv_sigma=inv_sigma,
            log_sigma=log_sigma,
            early_reject=self.early_reject,
            stream=self.stream,
            retries=self.retries,
            fold=self.fold,
            rct_cutoff=rct,
            rct_symbol_cutoff=rct_symbol,
            apt_cutoff=apt,
            calibration=calibration or Calibration(),
            digital=self.dot_products == CODES,
            log_repeats=self.repeats.bit_length() - 1,
        )


def _stationary_spread(centre_us: float, rel: float, rho: float) -> float:
    """Standard deviation of sum and difference of two devices, µS, under the proposal alone."""
    return float(np.sqrt(2) * centre_us * rel / np.sqrt(1 - rho**2))


def require_dot_products(dot_products: str | None, repeats: int) -> None:
    """Raise UsageError, which lists the choices, unless both can be used (None: a default)."""
    if dot_products is not None and dot_products not in DOT_PRODUCTS:
        raise UsageError(
            f"dot_products {dot_products!r} is unknown: choose {' or '.join(DOT_PRODUCTS)}"
        )
    if not 1 <= repeats <= MAX_REPEATS or repeats & (repeats - 1):
        raise UsageError(f"repeats = {repeats}: choose a power of two from 1 to {MAX_REPEATS}")


def _coefficient(
    name: str, setting: float, value: float, frac: int, gamma_us: float | None = None
) -> tuple[int, int]:
    """``coefficient``; the error names the setting, and the gamma that it depends on."""
    try:
        return coefficient(value, frac)
    except UsageError as error:
        text = f"{name} = {setting:g} is outside the range of the registers"
        if gamma_us is not None:
            text = (
                f"{name} = {setting:g} with gamma = {gamma_us:.3g} µS is outside the range of the "
                f"registers: choose a larger {name} or a larger gamma"
            )
        raise UsageError(text) from error


@dataclass(frozen=True, eq=False)
class Calibration:
    """The calibration of an array by ``characterize``; every field is optional.

    Attributes
    ----------
    dac : int32 (257,) or None
        Conductance→DAC table over the target; None: the array's own.
    trim_offset : int16 (rows, row_devices) or None
        Per-device offset in codes, added to the target.
    trim_gain : int8 (rows, row_devices) or None
        Per-device gain, LSB 2**-TRIM_GAIN_FRAC, applied to target - centre.
    centre : uint16 (rows, row_devices) or None
        Per-device centre, in targets; None: the common one.
    bad_rows : bool (rows,) or None
    """

    dac: NDArray[np.int32] | None = None
    trim_offset: NDArray[np.int16] | None = None
    trim_gain: NDArray[np.int8] | None = None
    centre: NDArray[np.uint16] | None = None
    bad_rows: NDArray[np.bool_] | None = None


@dataclass(frozen=True, eq=False)
class Registers:
    """The integers of one chain: the register file and the tables of the controller.

    Targets (``centre``, ``lo``, ``hi``) have TARGET_FRAC fraction bits; a ``*_coef`` is a mantissa
    and a right shift; ``inv_sigma`` and ``log_sigma`` are 257 nodes over the target. ``digital``
    stands for dot products from codes; ``2**log_repeats`` READs or accesses are averaged.

    Examples
    --------
    >>> from ohmcarlo.array import EmulatedArray
    >>> from ohmcarlo.golden import SamplerSettings
    >>> from ohmcarlo.spec import Geometry
    >>> array = EmulatedArray(Geometry(rows=16, pairs=8), seed=1)
    >>> registers = SamplerSettings().registers(array.geometry, 2, array.sigma_us)
    >>> registers.sample_devices, registers.hastings
    (4, True)
    """

    geometry: Geometry
    features: int
    hidden: int
    hastings: bool
    gamma_us: float
    rho: int
    wide_every: int
    centre: int
    lo: int
    hi: int
    valid_lo: int
    valid_hi: int
    logit_coef: tuple[int, int]
    weight_coef: tuple[int, int]
    common_coef: tuple[int, int]
    inv_sigma: NDArray[np.int64]
    log_sigma: NDArray[np.int64]
    early_reject: bool
    stream: bool
    retries: int
    fold: int
    rct_cutoff: int
    rct_symbol_cutoff: int
    apt_cutoff: int
    calibration: Calibration = field(default_factory=Calibration)
    digital: bool = False
    log_repeats: int = 0

    @property
    def coin_rounds(self) -> int:
        """Rounds of programming the entropy devices of a row for one coin."""
        return self.geometry.coin_rounds(self.fold)

    @property
    def sample_devices(self) -> int:
        """Devices in the sampled state: 2 × pairs of every row of the group."""
        if self.hidden:
            return 2 * (self.hidden * self.features + self.hidden + 1)
        return 2 * self.features

    def require_array_of(self, before: Registers) -> None:
        """Raise UsageError unless a chain can follow that of ``before`` in the same array."""
        for name in (item.name for item in fields(Geometry)):
            here, there = (getattr(r.geometry, name) for r in (self, before))
            if here != there:
                raise UsageError(
                    f"{name} = {here} here, {there} in the chain before: a chain that follows in "
                    "the same array needs the same geometry; use configure() for another one"
                )

    def without_rows(self, rows: Sequence[int]) -> Registers:
        """The registers with ``rows`` out of service, too."""
        known = self.calibration.bad_rows
        bad = np.zeros(self.geometry.rows, np.bool_) if known is None else known.copy()
        bad[list(rows)] = True
        return replace(self, calibration=replace(self.calibration, bad_rows=bad))

    def weights(self, codes: NDArray[np.uint16]) -> NDArray[np.float64]:
        """Weights of samples: uint16 (n, sample_devices) → float64 (n, sample_devices / 2)."""
        diff = codes[..., 0::2].astype(np.float64) - codes[..., 1::2]
        return diff * (CODE_LSB_US / self.gamma_us)
