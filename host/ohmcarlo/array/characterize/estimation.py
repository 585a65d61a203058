"""Constants of the device model from repeated open-loop programming, with 95 % intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ...errors import UsageError
from ...spec import CODE_LSB_US
from .estimates import REPLICATES, Estimate, Estimates, Pulses, bootstrap_weights
from .following import Followers, followers, of_devices, refuse_exact_repeats
from .levels import MIN_DEVICES, Notes, enough, listed, refuse_few, rising_levels
from .measure import FloatArray, Measurement
from .model_fit import ModelFit
from .moments import device_sums, expected_moments, lags_of
from .reads import hrs_estimates, pooled_read_noise, read_noise, share_estimate

SLOW = ("slow_share", "slow_phi", "memory")
FEW_PULSES = 30  # of a device: fewer do not determine a slow process
LEAST_IN_REPLICATE = 2  # devices at every level


def estimate(pulses: Pulses, seed: int = 0, replicates: int = REPLICATES) -> Estimates:
    """Fit the model to ``pulses``.

    ``seed`` decides the bootstrap. Raises UsageError for too few levels, devices or repeats.
    """
    pulses, notes = enough(pulses)
    level = pulses.level
    seen = device_sums(pulses)
    lags = lags_of(len(level))
    expected = expected_moments(level, len(pulses.levels), lags)
    weight = bootstrap_weights(level.shape[1], replicates, seed)
    covered = (weight @ (seen.number > 1).T >= LEAST_IN_REPLICATE).all(axis=1)
    fit = ModelFit(pulses, seen, expected, weight[covered])
    return replace(fit.estimates(lags), notes=notes)


def estimate_population(
    pulses: Pulses,
    silent: Sequence[str] = (),
    after_reset_us: FloatArray | None = None,
    seed: int = 0,
) -> Estimates:
    """``estimate`` of devices as a file records them.

    Devices that do not follow their level are counted, together with ``silent`` ones, and left
    out. Levels are merged or left out until the mean conductance rises with each
    (``rising_levels``). ``after_reset_us``: as ``recorded_pulses.after_reset_us``.

    Raises UsageError where there is nothing to fit, before any work that takes long.
    """
    refuse_few(pulses, pulses.notes)
    refuse_exact_repeats(pulses)
    seen = followers(pulses)
    stuck, notes = _stuck(pulses, seen, silent)
    kept, notes = rising_levels(of_devices(pulses, seen.live), pulses.notes + notes)
    found = estimate(kept, seed)
    if after_reset_us is not None and np.isfinite(after_reset_us[:, seen.live]).any():
        stuck |= hrs_estimates(after_reset_us[:, seen.live], seed)
    few = found.pulses < FEW_PULSES * found.devices
    known = {name: e for name, e in found.constants.items() if not (few and name in SLOW)}
    return replace(found, constants=known | stuck, notes=notes + found.notes)


def _stuck(
    pulses: Pulses, seen: Followers, silent: Sequence[str]
) -> tuple[dict[str, Estimate], Notes]:
    """Share of the devices that do not follow, share of those in the HRS, and a note on them."""
    number, lost = len(seen.live) + len(silent), int((~seen.live).sum()) + len(silent)
    found = {"stuck_fraction": share_estimate(lost, number)}
    if not lost:
        return found, ()
    low = int((seen.stuck_us[~seen.live] < seen.middle_us).sum()) + len(silent)
    found["stuck_hrs_share"] = share_estimate(low, lost, "fraction of stuck")
    names = [*of_devices(pulses, ~seen.live).devices, *silent]
    which = f" ({listed(names)})" if names else ""
    return found, (f"{lost} of {number} devices do not follow the level: left out{which}",)


def estimate_measurement(seen: Measurement, seed: int = 0) -> Estimates:
    """``estimate`` from the measurement of an array; devices that do not follow are counted."""
    dead = seen.dead
    live = ~dead
    if live.sum() < MIN_DEVICES:
        raise UsageError("fewer than five devices follow their targets: there is nothing to fit")
    cycles, t = seen.codes.shape[:2]
    weight = bootstrap_weights(int(live.sum()), REPLICATES, seed)
    noise = [read_noise(reads[:, live], weight) for reads in seen.reads]
    levels = np.arange(cycles * t) % t
    found = estimate(
        Pulses(
            seen.targets_us,
            np.broadcast_to(levels[:, None], (cycles * t, int(live.sum()))),
            seen.g_us[:, :, live].reshape(cycles * t, -1),
            read_noise_rel=pooled_read_noise(seen.reads[:, :, live], weight),
            rounded=True,
        ),
        seed,
    )
    found.constants["stuck_fraction"] = share_estimate(int(dead.sum()), dead.size)
    if len(seen.after_reset):
        high = seen.after_reset[:, live].astype(np.float64) * CODE_LSB_US
        found.constants.update(hrs_estimates(high, seed))
    if len(noise) == t:
        found.read_noise.extend(noise)
    return found
