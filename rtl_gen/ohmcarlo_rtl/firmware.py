"""Builds the firmware: headers from the one truth, the board's image, a library for this machine.

``python -m ohmcarlo_rtl.firmware`` reports what the image needs; ``--out FILE`` writes it.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import struct
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from ohmcarlo.errors import OhmcarloError, UsageError
from ohmcarlo_hdl.config import REFERENCE, CoreConfig
from ohmcarlo_hdl.regs.map import board_map, compile_board_rdl, compile_rdl, register_map
from ohmcarlo_hdl.soc import memory_map

from .configs import CONFIGS, config_of
from .configs import REFERENCE as REFERENCE_NAME
from .header import c_header
from .native_header import native_map_header
from .protocol_header import GENERATED, link_tables_header, spec_cartpole_header, spec_link_header

ROOT = Path(__file__).parents[2]
FIRMWARE = ROOT / "firmware"
BUILT = ROOT / "build" / "firmware"
STACK_BYTES = 4096
"""Stack that the linker insists on; the deepest path needs a tenth (tests/test_firmware.py)."""

ZIG = (sys.executable, "-m", "ziglang")
WARNINGS = ("-std=c11", "-Wall", "-Wextra", "-Werror", "-Wconversion", "-Wshadow", "-Wvla")
BOARD_FLAGS = (
    "-target", "riscv32-freestanding-none", "-mcpu=generic_rv32+m", "-Os", "-ffreestanding",
    "-fno-sanitize=all", "-fno-stack-protector", "-fno-unwind-tables",
    "-fno-asynchronous-unwind-tables", "-ffunction-sections", "-fdata-sections", "-g",
)  # fmt: skip
LINK_FLAGS = ("-nostdlib", "-lcompiler_rt", "-Wl,--gc-sections", "-Wl,--build-id=none")
NATIVE_FLAGS = ("-DOHMCARLO_NATIVE", "-O2", "-g")
UNCOVERED = "uncovered.txt"  # sources that a fuzzer is not to explore
SANITIZE_FLAGS = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all")


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


def sources(*folders: str) -> dict[str, str]:
    """Relative path → text of the C sources, assembly and linker script."""
    files = sorted(p for f in folders for p in (FIRMWARE / f).iterdir() if p.suffix in SUFFIXES)
    return {p.relative_to(FIRMWARE).as_posix(): p.read_text("utf-8") for p in files}


SUFFIXES = frozenset({".c", ".h", ".S", ".ld"})


@contextmanager
def _workplace(files: dict[str, str]) -> Iterator[Path]:
    """A folder with these files; compilers see relative paths only, so that bytes stay equal."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        for path, text in files.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text, encoding="utf-8", newline="\n")
        yield folder


def _compile(command: Sequence[str], folder: Path) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if done.returncode:
        raise OhmcarloError(f"the firmware does not compile:\n{done.stdout}{done.stderr}")
    return done.stdout


def _compilation(config: CoreConfig, *folders: str) -> dict[str, str]:
    return sources(*folders) | {f"generated/{n}": t for n, t in headers(config).items()}


# -- the board's image ---------------------------------------------------------------------------
@dataclass(frozen=True)
class Image:
    """A linked firmware: the flat ``image`` from address 0 on, and what it needs of the memory."""

    image: bytes
    elf: bytes
    code: int
    text: int
    data: int
    bss: int
    ram_bytes: int = memory_map.RAM_BYTES

    @property
    def stack_left(self) -> int:
        return self.ram_bytes - len(self.image) - self.bss


@cache
def link_image(config: CoreConfig = REFERENCE, ram_bytes: int = memory_map.RAM_BYTES) -> Image:
    """Compiles and links for a board with that much memory.

    OhmcarloError with the compiler's words if that fails.
    """
    return _link(_compilation(config, "src"), ram_bytes)


def link_program(config: CoreConfig, main: str) -> Image:
    """Another program in place of the firmware: one C file, ``main``, that may use ``hal.h``."""
    kept = ("src/start.S", "src/link.ld", "src/hal.h")
    files = {path: text for path, text in sources("src").items() if path in kept}
    generated = {f"generated/{name}": text for name, text in headers(config).items()}
    return _link(files | generated | {"src/main.c": main})


def _link(files: dict[str, str], ram_bytes: int = memory_map.RAM_BYTES) -> Image:
    sizes = f"_ram_bytes = {ram_bytes};\n_stack_bytes = {STACK_BYTES};\n"
    files["src/link.ld"] = sizes + files["src/link.ld"]
    with _workplace(files) as folder:
        inputs = [p for p in files if Path(p).suffix in {".c", ".S"}]
        _compile(
            [
                *ZIG, "cc", *BOARD_FLAGS, *WARNINGS, *LINK_FLAGS, "-Isrc", "-Igenerated",
                "-T", "src/link.ld", *inputs, "-o", "firmware.elf",
            ],
            folder,
        )  # fmt: skip
        elf = (folder / "firmware.elf").read_bytes()
    return Image(*_flattened(elf), ram_bytes)


def _flattened(elf: bytes) -> tuple[bytes, bytes, int, int, int, int]:
    """Image, ELF file; bytes of code, of code and constants, of variables, of zeroed ones."""
    (section_at,) = struct.unpack_from("<I", elf, 0x20)
    size, count = struct.unpack_from("<HH", elf, 0x2E)
    image, code, text, data, bss = bytearray(), 0, 0, 0, 0
    for index in range(count):
        fields = struct.unpack_from("<10I", elf, section_at + index * size)
        _, kind, flags, address, offset, length = fields[:6]
        if not flags & ALLOCATED:
            continue
        if kind == NOBITS:
            bss += length
            continue
        image.extend(bytes(max(0, address + length - len(image))))
        image[address : address + length] = elf[offset : offset + length]
        code += length if flags & EXECUTABLE else 0
        text, data = (text, data + length) if flags & WRITABLE else (text + length, data)
    return bytes(image), elf, code, text, data, bss


NOBITS, WRITABLE, ALLOCATED, EXECUTABLE = 8, 1, 2, 4  # ELF: section type, section flags


def build_image(config: CoreConfig = REFERENCE, ram_bytes: int = memory_map.RAM_BYTES) -> bytes:
    """The board's memory from address 0 on; equal bytes whatever the folder it is built in."""
    return link_image(config, ram_bytes).image


# -- this machine --------------------------------------------------------------------------------
def _host_compiler() -> list[str]:
    for name in ("cc", "gcc", "clang"):
        if path := shutil.which(name):
            return [path]
    return [*ZIG, "cc"]


def build_native(
    config: CoreConfig = REFERENCE, *, sanitize: bool = False, compiler: Sequence[str] = ()
) -> Path:
    """The firmware over a model of the hardware, as a shared library for this machine.

    ``firmware/native/native.h`` is its interface. ``sanitize``: with address and
    undefined-behaviour sanitizer. Kept in ``build/firmware`` under a hash of what goes into it.
    """
    options = [*NATIVE_FLAGS, *(SANITIZE_FLAGS if sanitize else ()), "-fPIC", "-shared"]
    return _build_native(config, "firmware.so", (), [*(compiler or _host_compiler()), *options])


def build_fuzzer(
    program: str, config: CoreConfig = REFERENCE, *, libfuzzer: bool = False, sanitize: bool = True
) -> Path:
    """``program`` of ``firmware/fuzz``: one that replays files, or with ``libfuzzer`` (needs
    clang) a fuzzer; with sanitizers."""
    main = ("fuzz/host.c", f"fuzz/{program}.c")
    flags = [*NATIVE_FLAGS, *(SANITIZE_FLAGS if sanitize else ())]
    if not libfuzzer:
        return _build_native(config, program, (*main, "fuzz/replay.c"), [*_host_compiler(), *flags])
    clang = shutil.which("clang")
    if clang is None:
        raise UsageError("fuzzing needs clang with libFuzzer: install it, or run the corpus only")
    ignore = f"-fsanitize-coverage-ignorelist={UNCOVERED}"
    return _build_native(config, program, main, [clang, *flags, "-fsanitize=fuzzer", ignore])


def _build_native(
    config: CoreConfig, name: str, extra: Sequence[str], command: Sequence[str]
) -> Path:
    files = _compilation(config, "src", "native", "fuzz") | {UNCOVERED: "src:native/*\n"}
    inputs = [p for p in files if p.endswith(".c") and p.startswith(("src/", "native/"))]
    inputs.remove("src/board_main.c")
    full = [*command, *WARNINGS, "-Isrc", "-Inative", "-Igenerated", *inputs, *extra, "-o", "built"]
    recipe = "\0".join([*full, *(f"{k}\0{v}" for k, v in files.items())])
    digest = hashlib.sha256(recipe.encode()).hexdigest()[:16]
    target = BUILT / f"{Path(name).stem}-{digest}{Path(name).suffix}"
    if target.exists():
        return target
    with _workplace(files) as folder:
        _compile(full, folder)
        BUILT.mkdir(parents=True, exist_ok=True)
        partial = target.with_name(f"{target.name}.{os.getpid()}")
        shutil.move(folder / "built", partial)
        partial.rename(target)
    return target


# -- command line --------------------------------------------------------------------------------
def main(arguments: list[str] | None = None) -> int:
    """Exit code 0: done; 1: it does not compile; 2: bad use."""
    parser = argparse.ArgumentParser(
        prog="python -m ohmcarlo_rtl.firmware", description="Build the board's firmware."
    )
    parser.add_argument(
        "--config",
        default=REFERENCE_NAME,
        metavar="NAME",
        help=f"one of {', '.join(CONFIGS)} (default: {REFERENCE_NAME})",
    )
    parser.add_argument("--out", type=Path, metavar="FILE", help="write the image here")
    parser.add_argument("--elf", type=Path, metavar="FILE", help="write the ELF file here")
    parser.add_argument(
        "--headers", type=Path, metavar="DIR", help="write the generated headers here"
    )
    options = parser.parse_args(arguments)
    try:
        config = config_of(options.config)
        built = link_image(config)
    except UsageError as error:
        print(f"ohmcarlo_rtl.firmware: {error}", file=sys.stderr)
        return 2
    except OhmcarloError as error:
        print(f"ohmcarlo_rtl.firmware: {error}", file=sys.stderr)
        return 1
    if options.out:
        options.out.write_bytes(built.image)
    if options.elf:
        options.elf.write_bytes(built.elf)
    if options.headers:
        options.headers.mkdir(parents=True, exist_ok=True)
        for name, text in headers(config).items():
            (options.headers / name).write_text(text, encoding="utf-8", newline="\n")
    print(
        f"text {built.text}, data {built.data}, zeroed {built.bss}, stack left "
        f"{built.stack_left} bytes of {memory_map.RAM_BYTES}; sha256 "
        f"{hashlib.sha256(built.image).hexdigest()[:16]}"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
