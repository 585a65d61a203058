"""The proposal (targets, trim, DAC codes) and its price (prior, Hastings term)."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..jit import compiled
from ..spec import (
    ACC_MAX,
    INV_SIGMA_FRAC,
    LOGLIK_FRAC,
    RHO_FRAC,
    SEGMENT_FRAC,
    STUCK_Z,
    TARGET_FRAC,
    Z_FRAC,
    Z_MAX,
    dac_of,
    interpolate,
    saturate,
    shift_round,
)
from .machine import ROUND, Machine, State


@compiled
def per_device(table: Any, row: int, device: int) -> int:
    """A per-device register; a (1, 1) table has one value for all devices."""
    if table.shape[0] == 1:
        return table[0, 0]
    return table[row, device]


@compiled
def target_of(code: int, centre: int, rho: int, lo: int, hi: int) -> int:
    """µ(k) = clip(c + ρ (k - c), lo, hi), in targets."""
    away = (code << TARGET_FRAC) - centre
    return min(max(centre + shift_round(away * rho, RHO_FRAC), lo), hi)


@compiled
def step_rho(m: Machine, state: State) -> int:
    """ρ of the present step: 1 in a wide step."""
    wide = m.wide_every > 0 and state.scalars[ROUND] + 1 >= m.wide_every
    return 1 << RHO_FRAC if wide else m.rho


@compiled
def propose(m: Machine, state: State, region: int, row: int, cold: bool) -> None:
    """DAC codes of every device of the sample, into ``state.dac``; ``cold``: at the centre."""
    centres, offsets, gains, nodes = m.centre, m.trim_offset, m.trim_gain, m.dac
    rows, devices, codes, out = m.slot_row, m.slot_device, state.codes, state.dac
    rho = step_rho(m, state)
    for i in range(len(devices)):
        place, device = row + rows[i], devices[i]
        target = per_device(centres, place, device)
        if not cold:
            target = target_of(np.int64(codes[region, i]), target, rho, m.lo, m.hi)
        offset, gain = per_device(offsets, place, device), per_device(gains, place, device)
        out[i] = dac_of(nodes, m.mid, offset, gain, target)


@compiled
def propose_coin(m: Machine, state: State, row: int) -> None:
    """DAC codes of the entropy devices, always at the middle, into ``state.coin_dac``."""
    for i in range(len(m.coin_devices)):
        device = m.coin_devices[i]
        offset, gain = per_device(m.trim_offset, row, device), per_device(m.trim_gain, row, device)
        state.coin_dac[i] = dac_of(m.dac, m.mid, offset, gain, m.mid)


@compiled
def is_valid(m: Machine, codes: Any) -> bool:
    """Whether every read-back lies in the valid window; outside it the prior is zero."""
    low, high = codes[0], codes[0]
    for code in codes:
        low, high = min(low, code), max(high, code)
    return low >= m.valid_lo and high <= m.valid_hi


@compiled
def is_stuck(m: Machine, state: State, region: int, row: int) -> bool:
    """Whether an invalid read-back is too far from its target for a working device.

    Near the end of the range, proposals of working devices are invalid, too.
    """
    centres, rows, devices = m.centre, m.slot_row, m.slot_device
    codes, proposed, inv_sigma = state.codes, state.proposed, m.inv_sigma
    rho = step_rho(m, state)
    stuck = False
    for i in range(len(devices)):
        new = np.int64(proposed[i])
        if new < m.valid_lo or new > m.valid_hi:
            centre = per_device(centres, row + rows[i], devices[i])
            target = target_of(np.int64(codes[region, i]), centre, rho, m.lo, m.hi)
            stuck = stuck or abs(deviation(inv_sigma, new, target)) > STUCK_Z << Z_FRAC
    return stuck


@compiled
def log_prior(m: Machine, codes: Any) -> int:
    """-Σ w²/2σ_p² - Σ (g⁺ + g⁻ - 2 g_mid)²/2τ², LSB 2**-LOGLIK_FRAC."""
    weights = np.int64(0)
    common = np.int64(0)
    for i in range(0, len(codes), 2):
        plus, minus = np.int64(codes[i]), np.int64(codes[i + 1])
        difference = plus - minus
        weights += difference * difference
        away = ((plus + minus) << TARGET_FRAC) - 2 * m.mid
        common += away * away
    total = shift_round(weights * m.weight.mantissa, m.weight.shift)
    total += shift_round(common * m.common.mantissa, m.common.shift)
    return saturate(-total, ACC_MAX)


@compiled
def log_hastings(m: Machine, state: State, region: int, row: int) -> int:
    """Σ [log q(k|k′) - log q(k′|k)] over the devices, LSB 2**-LOGLIK_FRAC.

    Both directions use the proposal density of the devices just programmed. The kernel "propose
    into this row" leaves the posterior invariant for every row, even if rows have other centres.
    """
    centres, rows, devices = m.centre, m.slot_row, m.slot_device
    codes, proposed, inv_sigma, log_sigma = state.codes, state.proposed, m.inv_sigma, m.log_sigma
    rho = step_rho(m, state)
    squares = 0
    logs = 0
    for i in range(len(devices)):
        centre = per_device(centres, row + rows[i], devices[i])
        old, new = np.int64(codes[region, i]), np.int64(proposed[i])
        there = target_of(old, centre, rho, m.lo, m.hi)
        back = target_of(new, centre, rho, m.lo, m.hi)
        z_there = deviation(inv_sigma, new, there)
        z_back = deviation(inv_sigma, old, back)
        squares += z_there * z_there - z_back * z_back
        logs += interpolate(log_sigma, there, SEGMENT_FRAC)
        logs -= interpolate(log_sigma, back, SEGMENT_FRAC)
    return saturate(shift_round(squares, 2 * Z_FRAC + 1 - LOGLIK_FRAC) + logs, ACC_MAX)


@compiled
def deviation(inv_sigma: Any, code: int, target: int) -> int:
    """(code - µ) / σ(µ), LSB 2**-Z_FRAC, saturating at ±32."""
    away = (code << TARGET_FRAC) - target
    inverse = interpolate(inv_sigma, target, SEGMENT_FRAC)
    return saturate(shift_round(away * inverse, TARGET_FRAC + INV_SIGMA_FRAC - Z_FRAC), Z_MAX)
