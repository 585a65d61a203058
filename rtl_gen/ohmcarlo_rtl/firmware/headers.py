"""All headers that are generated for the C sources."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from ohmcarlo_hdl.config import CoreConfig
from ohmcarlo_hdl.regs.map import board_map, compile_board_rdl, compile_rdl, register_map
from ohmcarlo_hdl.soc import memory_map

from ..registers.header import c_header
from .native_header import native_map_header
from .spec_headers import GENERATED, link_tables_header, spec_cartpole_header, spec_link_header


@cache
def headers(config: CoreConfig) -> Mapping[str, str]:
    """File name → text of everything that is generated for the C sources."""
    emulator = config.phy is None
    layout = register_map(config, emulator)
    return {
        "ohmcarlo.h": c_header(compile_rdl(config, emulator), layout),
        "board.h": c_header(compile_board_rdl(), board_map()),
        "memory_map.h": _memory_map_header(),
        "spec_link.h": spec_link_header(),
        "spec_cartpole.h": spec_cartpole_header(),
        "link_tables.h": link_tables_header(config, layout),
        "native_map.h": native_map_header(layout, board_map()),
    }


def _memory_map_header() -> str:
    places = {
        "MEMORY_RAM": memory_map.RAM_BASE,
        "MEMORY_RAM_BYTES": memory_map.RAM_BYTES,
        "MEMORY_CONTROLLER": memory_map.CONTROLLER_BASE,
        "MEMORY_BOARD": memory_map.BOARD_BASE,
    }
    lines = [f"#define {name} {value:#010x}u" for name, value in places.items()]
    return "\n".join(
        [GENERATED, "#ifndef MEMORY_MAP_H", "#define MEMORY_MAP_H", "", *lines, "", "#endif", ""]
    )
