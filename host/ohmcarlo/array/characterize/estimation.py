"""Constants of the device model from repeated open-loop programming, with 95 % intervals."""

from __future__ import annotations

import numpy as np

from ...errors import UsageError
from ...spec import CODE_LSB_US
from .estimates import REPLICATES, Estimates, Pulses, bootstrap_weights
from .measure import Measurement
from .model_fit import ModelFit
from .moments import device_sums, expected_moments, lags_of
from .reads import hrs_estimates, pooled_read_noise, read_noise, share_estimate

MIN_TARGETS, MIN_DEVICES, MIN_REPEATS = 3, 5, 5


def estimate(pulses: Pulses, seed: int = 0, replicates: int = REPLICATES) -> Estimates:
    """Fit the model to ``pulses``.

    ``seed`` decides the bootstrap. Raises UsageError for too few levels, devices or repeats.
    """
    level = pulses.level
    devices = level.shape[1]
    seen = device_sums(pulses) if level.size else None
    counted = np.zeros(0) if seen is None else seen.number
    counted = counted[counted > 0] if pulses.partial else counted
    repeats = int(counted.min()) if counted.size else 0
    if (
        seen is None
        or len(pulses.levels) < MIN_TARGETS
        or devices < MIN_DEVICES
        or repeats < MIN_REPEATS
    ):
        raise UsageError(
            f"{len(pulses.levels)} targets, {devices} devices and down to {repeats} repeats of a "
            f"device at a target; at least {MIN_TARGETS}, {MIN_DEVICES} and {MIN_REPEATS} are "
            "needed"
        )
    lags = lags_of(len(level))
    expected = expected_moments(level, len(pulses.levels), lags)
    weight = bootstrap_weights(devices, replicates, seed)
    fit = ModelFit(pulses, seen, expected, weight)
    return fit.estimates(lags)


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
