"""The firmware's image for a board, and images of other programs for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from ohmcarlo_hdl.config import REFERENCE, CoreConfig
from ohmcarlo_hdl.soc import memory_map

from .compile import SOURCES, WARNINGS, ZIG, compilation, compile_in, workplace
from .elf import Flat, flattened

STACK_BYTES = 4096
"""The least stack that the linker accepts; the deepest path needs a tenth
(tests/firmware/test_firmware.py)."""
BOARD_FLAGS = (
    "-target", "riscv32-freestanding-none", "-mcpu=generic_rv32+m", "-Os", "-ffreestanding",
    "-fno-sanitize=all", "-fno-stack-protector", "-fno-unwind-tables",
    "-fno-asynchronous-unwind-tables", "-ffunction-sections", "-fdata-sections", "-g",
)  # fmt: skip
LINK_FLAGS = ("-nostdlib", "-lcompiler_rt", "-Wl,--gc-sections", "-Wl,--build-id=none")
LINKER_SCRIPT = "src/link.ld"
RUN_TIME = ("src/start.S", LINKER_SCRIPT, "src/hal.h")
"""Sources that every program needs."""


@dataclass(frozen=True)
class Image(Flat):
    """A linked program, its ELF file, and the size of the memory that it was linked for."""

    elf: bytes
    ram_bytes: int = memory_map.RAM_BYTES

    @property
    def stack_left(self) -> int:
        return self.ram_bytes - len(self.image) - self.bss


@cache
def link_image(config: CoreConfig = REFERENCE, ram_bytes: int = memory_map.RAM_BYTES) -> Image:
    """Compile and link the firmware for a board with ``ram_bytes`` bytes of memory.

    Raises OhmcarloError with the compiler's messages when that fails.
    """
    return _link(compilation(config, SOURCES), ram_bytes)


def link_program(config: CoreConfig, main: str) -> Image:
    """Another program in place of the firmware: one C file, ``main``, that may use ``hal.h``."""
    files = compilation(config, SOURCES)
    kept = {
        path: text
        for path, text in files.items()
        if path in RUN_TIME or not path.startswith(f"{SOURCES}/")
    }
    return _link(kept | {"src/main.c": main})


def build_image(config: CoreConfig = REFERENCE, ram_bytes: int = memory_map.RAM_BYTES) -> bytes:
    """The board's memory from address 0 on; its bytes do not depend on the folder."""
    return link_image(config, ram_bytes).image


def _link(files: Mapping[str, str], ram_bytes: int = memory_map.RAM_BYTES) -> Image:
    sizes = f"_ram_bytes = {ram_bytes};\n_stack_bytes = {STACK_BYTES};\n"
    with workplace({**files, LINKER_SCRIPT: sizes + files[LINKER_SCRIPT]}) as folder:
        inputs = [p for p in files if Path(p).suffix in {".c", ".S"}]
        command = [
            *ZIG, "cc", *BOARD_FLAGS, *WARNINGS, *LINK_FLAGS, "-Isrc", "-Igenerated",
            "-T", LINKER_SCRIPT, *inputs, "-o", "firmware.elf",
        ]  # fmt: skip
        compile_in(folder, command)
        elf = (folder / "firmware.elf").read_bytes()
    flat = flattened(elf)
    return Image(flat.image, flat.code, flat.text, flat.data, flat.bss, elf, ram_bytes)
