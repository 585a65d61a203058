"""Coins of devices with few codes are fair once their raw bits are folded, and not before."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from ohmcarlo.array.base import Array
from ohmcarlo.datasets.fetch import find
from ohmcarlo.golden import SamplerSettings
from ohmcarlo.golden.entropy import begin_coin, harvest, minus_log_u
from ohmcarlo.golden.machine import ALARMS, COIN_READY, build_machine, build_state
from ohmcarlo.golden.proposal import propose_coin
from ohmcarlo.runs.arrays import calibration_of, open_array
from ohmcarlo.spec import LOGLIK_FRAC, Geometry

COINS = 60_000


def minus_logs(
    array: Array, settings: SamplerSettings, calibration: object
) -> tuple[NDArray[np.float64], int]:
    """-log u of COINS coins, row after row, and the alarms of the health tests."""
    registers = settings.registers(array.geometry, 4, array.sigma_us, calibration)
    m, state = build_machine(registers, array), build_state(registers)
    out = np.zeros(COINS)
    for i in range(COINS):
        row = i % array.geometry.rows
        begin_coin(state)
        propose_coin(m, state, row)
        while not state.scalars[COIN_READY]:
            array.reset(row)
            state.coin_codes[:] = array.program(row, m.coin_devices, state.coin_dac)
            harvest(m, state)
        out[i] = minus_log_u(m, state) / (1 << LOGLIK_FRAC)
    return out, int(state.scalars[ALARMS])


@pytest.mark.stats
@pytest.mark.verify
@pytest.mark.parametrize(
    "case",
    ["emulator", pytest.param("measured", marks=pytest.mark.data("rram-set-sweep"))],
)
def test_folded_coins_are_fair(case: str) -> None:
    """-log u against Exp(1), Kolmogorov and Smirnov; raw bits of the same devices fail."""
    name = f"measured:{find('rram-set-sweep')}" if case == "measured" else "emulator"

    def run(fold: int | None) -> tuple[float, int]:
        opened = open_array(name, None, Geometry(), 3, rel=0.005)
        found = None if opened.ideal else opened.characterize(range(56, 64))
        raw = opened.raw_bits(found)
        assert raw.fold > 1
        settings = SamplerSettings(fold=fold or raw.fold, min_entropy=raw.min_entropy)
        calibration = None if found is None else calibration_of(found)
        t, alarms = minus_logs(opened.array, settings, calibration)
        rounds = opened.array.ledger.set / 8 / COINS
        assert rounds == pytest.approx(settings.fold, rel=1e-3)  # extra pulses are counted
        return stats.kstest(t, "expon").pvalue, alarms

    p, alarms = run(None)
    p_raw, _ = run(1)
    print(f"{case}: p {p:.2g} folded, {p_raw:.2g} raw")
    assert p > 0.01 and alarms == 0
    assert p_raw < 0.002
