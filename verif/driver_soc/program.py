"""Programs for the test system: C files beside this one, with the driver and a job."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from ohmcarlo_rtl.driver.files import EXAMPLE, example_files
from ohmcarlo_rtl.driver.headers import REGISTERS
from ohmcarlo_rtl.driver.job import Job
from ohmcarlo_rtl.firmware.compile import WARNINGS, ZIG, compile_in, sources, workplace
from ohmcarlo_rtl.firmware.elf import flattened
from ohmcarlo_rtl.firmware.image import BOARD_FLAGS, LINK_FLAGS, LINKER_SCRIPT, STACK_BYTES

HERE = Path(__file__).parent
RAM_BYTES = 4 * 32768
RUN_TIME = ("src/start.S", LINKER_SCRIPT)
C99 = ["-std=c99" if flag.startswith("-std=") else flag for flag in WARNINGS]


def program_files(job: Job, main: str = EXAMPLE) -> dict[str, str]:
    """File name → text; ``main`` is the example of the driver, or a file of this folder."""
    files = dict(example_files(job))
    example = files.pop(EXAMPLE)
    for name in ("platform.h", "platform.c"):
        files[name] = (HERE / name).read_text()
    if main != EXAMPLE:
        files[main] = (HERE / main).read_text()
    else:
        files[main] = f'#include "platform.h"\n#define main program\n{example}'
    return files


def other_map(files: Mapping[str, str], job: Job) -> dict[str, str]:
    """The same program for a core with another register map."""
    define = "#define OHMCARLO__MAP_HASH "
    changed = {n: t.replace(define, f"{define}1 + ") for n, t in files.items()}
    assert changed[REGISTERS] != files[REGISTERS]
    check = "#if OHMCARLO__MAP_HASH != "
    changed["job.c"] = files["job.c"].replace(check, f"{check}1 + ")
    return changed


def linked(files: Mapping[str, str]) -> bytes:
    """The memory from address 0 on."""
    texts = {**{name: sources("src")[name] for name in RUN_TIME}, **files}
    sizes = f"_ram_bytes = {RAM_BYTES};\n_stack_bytes = {STACK_BYTES};\n"
    texts[LINKER_SCRIPT] = sizes + texts[LINKER_SCRIPT]
    with workplace(texts) as folder:
        inputs = [name for name in texts if name.endswith((".c", ".S"))]
        command = [*ZIG, "cc", *BOARD_FLAGS, *C99, *LINK_FLAGS, "-I.", "-T", LINKER_SCRIPT]
        compile_in(folder, [*command, *inputs, "-o", "program.elf"])
        return flattened((folder / "program.elf").read_bytes()).image


def words_of(image: bytes) -> list[int]:
    """The image as 32-bit words."""
    padded = image + bytes(-len(image) % 4)
    return [int(word) for word in np.frombuffer(padded, "<u4")]
