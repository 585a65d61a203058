"""The shape of the deviations of devices from their means: normal, or log-normal?"""

from __future__ import annotations

from typing import Any

import numpy as np

from .estimates import ABSENT, Pulses
from .measure import FloatArray, Measurement

NORMAL = np.linspace(-2.8, 2.8, 29)
"""Quantiles of a normal distribution at which a shape is compared."""
FEWEST_REPEATS, FEWEST_GROUPS = 4, 8  # that show a shape
MOST_DEVICES = 400  # of a recording: more do not make the shape clearer


def groups_of_measurement(seen: Measurement) -> FloatArray:
    """Repeats of each device that follows its targets, at each of them: (groups, repeats), µS."""
    g = seen.g_us[:, :, ~seen.dead]
    groups = g.reshape(len(g), -1).T
    return np.asarray(groups[(groups > 0).all(axis=1)])


def groups_of_pulses(pulses: Pulses) -> FloatArray:
    """Repeats of a device at a level, of ``MOST_DEVICES`` devices at most: (groups, repeats), µS.

    Groups with another number of repeats than the usual one are left out.
    """
    devices = pulses.level.shape[1]
    chosen = np.unique(np.linspace(0, devices - 1, min(devices, MOST_DEVICES)).astype(int))
    out = []
    for device in chosen:
        level = pulses.level[:, device]
        for t in np.unique(level[level != ABSENT]):
            out.append(pulses.g_us[level == t, device])
    size = int(np.median([len(g) for g in out])) if out else 0
    return np.array([g for g in out if len(g) == size]).reshape(-1, size)


def shape_or_none(groups: FloatArray) -> dict[str, Any]:
    """``shape_of`` the groups that vary; empty if too few of them, or of their repeats, do."""
    groups = groups[(groups > 0).all(axis=1)]
    groups = groups[groups.std(axis=1) > 0]
    if len(groups) < FEWEST_GROUPS or groups.shape[1] < FEWEST_REPEATS:
        return {}
    return shape_of(groups)


def shape_of(groups: FloatArray) -> dict[str, Any]:
    """Normal or log-normal? groups (n, repeats), µS, each of one device at one level.

    ``gain``: log-likelihood of a normal over that of a log-normal, both fitted to each group, nat
    per pulse, and its standard error; ``share``: of the groups that a normal fits better; ``ks``:
    distance of the pooled standardised deviations from a normal distribution, of g and of ln g;
    ``normal``, ``g``, ``ln g``: quantiles.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> found = shape_of(100 + 15 * rng.standard_normal((300, 20)))
    >>> found["gain"] > 0
    True
    """
    from scipy import stats

    logs = np.log(groups)
    sd, sd_log = groups.std(axis=1), logs.std(axis=1)
    gain = (np.log(sd_log) + logs.mean(axis=1)) - np.log(sd)
    probabilities = stats.norm.cdf(NORMAL)
    out: dict[str, Any] = {
        "gain": float(gain.mean()),
        "gain_error": float(gain.std(ddof=1) / np.sqrt(len(gain))),
        "share": float((gain > 0).mean()),
        "groups": len(groups),
        "normal": stats.norm.ppf(probabilities).tolist(),
    }
    for name, values in (("g", groups), ("ln g", logs)):
        z = (values - values.mean(axis=1, keepdims=True)) / values.std(
            axis=1, ddof=1, keepdims=True
        )
        pooled = z.ravel()
        out[name] = np.quantile(pooled, probabilities).tolist()
        scaled = pooled / pooled.std()
        out[f"ks {name}"] = float(stats.kstest(scaled, "norm").statistic)
    return out
