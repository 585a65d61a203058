"""The register table of the host against the map that SystemRDL's compiler makes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from ohmcarlo.spec import Geometry, register_map, register_table
from ohmcarlo.spec.link import CONTROLLER_MAGIC
from ohmcarlo.spec.register_map import RegisterMap, Sizes, magic_of
from ohmcarlo_hdl.array.phy.parts import PhyConfig
from ohmcarlo_hdl.config import BitSerialConfig, CoreConfig
from ohmcarlo_hdl.regs import map as compiled
from ohmcarlo_rtl.registers import table

CONFIGS = {
    "reference": CoreConfig(),
    "compact": CoreConfig(
        Geometry(rows=64, pairs=16),
        max_points=256,
        max_group_rows=1,
        max_regions=1,
        device_calibration=False,
    ),
    "smallest": CoreConfig(
        Geometry(rows=16, pairs=8, entropy_pairs=2), 16, 1, 1, device_calibration=True
    ),
    "tall": CoreConfig(Geometry(rows=1024, pairs=8), 16, 64, 64),
    "wide": CoreConfig(Geometry(rows=64, pairs=256), 4096, 2, 2),
    "odd": CoreConfig(Geometry(rows=48, pairs=24, entropy_pairs=3), 128, 4, 2),
    "streamed": CoreConfig(Geometry(rows=64, pairs=16), 64, max_streamed_points=1 << 16),
    "die": CoreConfig(
        Geometry(rows=64, pairs=64), 64, 2, 1, digital_dots=True, repeats=True,
        phy=PhyConfig(50_000_000),
    ),
}  # fmt: skip


CASES = [
    pytest.param(name, marks=[] if name == "compact" else pytest.mark.verify) for name in CONFIGS
]


def sizes_of(config: CoreConfig) -> Sizes:
    g = config.geometry
    return Sizes(
        g.rows,
        g.pairs,
        g.entropy_pairs,
        config.max_points,
        config.max_group_rows,
        config.max_regions,
        config.device_calibration,
        config.phy is not None,
        streamed=config.max_streamed_points > 0,
    )


@pytest.mark.parametrize("name", CASES)
def test_the_map_of_a_controller(name: str) -> None:
    """Addresses, bits and access of every field, and place and size of every window."""
    config = CONFIGS[name]
    wanted = compiled.register_map(config, config.phy is None, ip=True)
    found = RegisterMap.of(sizes_of(config))
    assert found.registers == {r.name: r.address for r in wanted.registers}
    assert found.fields == {
        f"{r.name}.{f.name}": register_map.Field(
            r.address, f.low, f.width, "r" in f.sw, "w" in f.sw
        )
        for r in wanted.registers
        for f in r.fields
    }
    assert found.windows == {
        w.name: register_map.Window(w.address, w.words, w.readable, w.writable)
        for w in wanted.windows
    }


@pytest.mark.parametrize("name", CASES)
def test_the_hash_of_a_controller(name: str) -> None:
    """It is that of the controller alone, as ``id.map_hash`` has it; none for a real array."""
    config = CONFIGS[name]
    alone = compiled.register_map(config, config.phy is None)
    found = RegisterMap.of(sizes_of(config))
    assert found.hash == (None if config.phy else int(alone.hash[:8], 16))
    smaller = replace(sizes_of(config), max_points=sizes_of(config).max_points // 2)
    assert config.phy or RegisterMap.of(smaller).hash != found.hash


def test_the_table_without_the_core() -> None:
    config = CONFIGS["compact"]
    alone = compiled.register_map(config, emulator=True)
    found = RegisterMap.of(replace(sizes_of(config), ip=False))
    assert set(found.registers) == {r.name for r in alone.registers}
    assert set(found.windows) == {w.name for w in alone.windows}


def test_magic_numbers() -> None:
    assert magic_of("id.magic") == CONTROLLER_MAGIC
    assert magic_of("ip.magic").to_bytes(4, "big") == b"OHMI"


def test_the_committed_table_is_that_of_the_sources(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert Path(register_table.__file__) == table.PLACE
    assert not table.table_differs()
    other = tmp_path / "table.py"
    other.write_text(table.PLACE.read_text("utf-8").replace("0x1000", "0x2000") + "\n", "utf-8")
    monkeypatch.setattr(table, "PLACE", other)
    assert table.table_differs()


SMALL = {
    "hx8k": BitSerialConfig(),
    "ulx3s-12f": BitSerialConfig(Geometry(rows=256, pairs=32, access_bits=1), max_points=512),
    "odd": BitSerialConfig(Geometry(rows=48, pairs=24, entropy_pairs=3, access_bits=1), 128),
}


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=[] if n == "hx8k" else pytest.mark.verify) for n in SMALL]
)
def test_the_map_of_a_controller_without_a_processor(name: str) -> None:
    config = SMALL[name]
    wanted = compiled.register_map(config, emulator=True)
    found = RegisterMap.of(replace(sizes_of(config), ip=False, bit_serial=True))
    assert found.registers == {r.name: r.address for r in wanted.registers}
    assert found.windows == {
        w.name: register_map.Window(w.address, w.words, w.readable, w.writable)
        for w in wanted.windows
    }
    assert found.hash == int(wanted.hash[:8], 16)
    assert not found.fields["proposal.rho.value"].readable, "settings are not read back"
