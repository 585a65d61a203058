"""A preset fitted to measurements recovers the devices that gave them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ohmcarlo.array.characterize.fit import fit_preset
from ohmcarlo.array.device_preset import DevicePreset
from ohmcarlo.array.physics import PhysicsArray
from ohmcarlo.array.presets import get_preset
from ohmcarlo.errors import UsageError
from ohmcarlo.spec import CODE_LSB_US, Geometry

TARGETS = (60, 80, 100, 120, 140, 160)


def measure(path: Path, array: PhysicsArray, cycles: int) -> Path:
    devices = np.arange(64, dtype=np.int32)
    lines = ["cycle,device,target_us,g_us"]
    for row in range(8):
        for cycle in range(cycles):
            for target in TARGETS:
                dac = np.full(64, array.dac_of_target()[target], np.int32)
                codes = array.program(row, devices, dac)
                lines += [
                    f"{cycle},{row}:{d},{target},{c * CODE_LSB_US}" for d, c in enumerate(codes)
                ]
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


@pytest.mark.stats
def test_recovers_the_chip(tmp_path: Path):
    truth = get_preset("rram-1t1r").with_values(
        stuck_fraction=0, read_noise_rel=0, slow_share=0.5, slow_phi=0.5
    )
    array = PhysicsArray(Geometry(rows=16), truth, 31)
    fitted = fit_preset(measure(tmp_path / "d.csv", array, 30))
    g = np.array([70.0, 100.0, 130.0, 155.0])
    assert fitted.c2c(g) == pytest.approx(truth.c2c(g), rel=0.07)
    assert get_preset("relative-5pct").c2c(g) != pytest.approx(truth.c2c(g), rel=0.07)
    assert fitted.d2d_us(g) == pytest.approx(truth.d2d_us(g), rel=0.1)
    assert fitted.slow_share.value == pytest.approx(0.5, abs=0.06)
    assert fitted.slow_phi.value == pytest.approx(0.5, abs=0.06)
    again = PhysicsArray(Geometry(rows=16), fitted, 32)
    targets = np.array(TARGETS)
    assert again.preset.median_us(again.dac_of_target()[targets]) == pytest.approx(
        targets, rel=0.02
    )


@pytest.mark.stats
def test_recovers_relative_devices(tmp_path: Path):
    truth = get_preset("relative-5pct").with_values(d2d_rel=0.03)
    fitted = fit_preset(measure(tmp_path / "d.csv", PhysicsArray(Geometry(rows=16), truth, 33), 12))
    g = np.array([70.0, 100.0, 130.0, 155.0])
    assert fitted.c2c(g) == pytest.approx(0.05 * g, rel=0.05)
    assert fitted.d2d_us(g) == pytest.approx(0.03 * g, rel=0.12)
    assert fitted.slow_share.value == 0


def test_file_round_trip(tmp_path: Path):
    for name in ("rram-1t1r", "relative-2pct"):
        preset = get_preset(name)
        path = tmp_path / f"{name}.json"
        preset.save(path)
        assert get_preset(str(path)) == preset
    with pytest.raises(UsageError, match="not a device preset"):
        DevicePreset.from_dict({"name": "x"})
    with pytest.raises(UsageError, match="cannot read a preset"):
        get_preset(str(tmp_path / "none.json"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b\n1,2\n", "header lacks device, target_us, g_us"),
        ("device,target_us,g_us\na,50,x\n", "line 2, column 3 .g_us.: 'x' is not a number"),
        ("device,target_us,g_us\na,50,-1\n", "line 2: negative conductance .-1 µS."),
        ("device,target_us,g_us\na,50,51\n", "one level only .target 50 µS.: at least two"),
        ("device,target_us,g_us\n", "0 targets, 0 devices"),
    ],
)
def test_malformed_files_are_refused(tmp_path: Path, text: str, message: str):
    path = tmp_path / "bad.csv"
    path.write_text(text)
    with pytest.raises(UsageError, match=message):
        fit_preset(path)
