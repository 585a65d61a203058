"""The firmware for this machine, over a model of the hardware: for tests and for fuzzing."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from ohmcarlo.errors import UsageError
from ohmcarlo_hdl.config import REFERENCE, CoreConfig

from ..sources import REPOSITORY
from .compile import SOURCES, WARNINGS, ZIG, compilation, compile_in, workplace

BUILT = REPOSITORY / "build" / "firmware"
NATIVE_FLAGS = ("-DOHMCARLO_NATIVE", "-O2", "-g")
SANITIZE_FLAGS = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all")
UNCOVERED = "uncovered.txt"
"""File that lists the sources which a fuzzer does not explore."""


def build_native(
    config: CoreConfig = REFERENCE, *, sanitize: bool = False, compiler: Sequence[str] = ()
) -> Path:
    """The firmware over a model of the hardware, as a shared library for this machine.

    ``firmware/native/native.h`` is its interface. ``sanitize``: with address and
    undefined-behaviour sanitizer. The library is kept in ``build/firmware`` under a hash of its
    inputs.
    """
    options = [*NATIVE_FLAGS, *(SANITIZE_FLAGS if sanitize else ()), "-fPIC", "-shared"]
    return _build(config, "firmware.so", (), [*(compiler or _host_compiler()), *options])


def build_fuzzer(
    program: str, config: CoreConfig = REFERENCE, *, libfuzzer: bool = False, sanitize: bool = True
) -> Path:
    """``program`` of ``firmware/fuzz``, with sanitizers unless ``sanitize`` is false.

    It replays files; with ``libfuzzer`` it is a fuzzer, which needs clang.
    """
    main = ("fuzz/host.c", f"fuzz/{program}.c")
    flags = [*NATIVE_FLAGS, *(SANITIZE_FLAGS if sanitize else ())]
    if not libfuzzer:
        return _build(config, program, (*main, "fuzz/replay.c"), [*_host_compiler(), *flags])
    clang = shutil.which("clang")
    if clang is None:
        raise UsageError("fuzzing needs clang with libFuzzer: install it, or run the corpus only")
    ignore = f"-fsanitize-coverage-ignorelist={UNCOVERED}"
    return _build(config, program, main, [clang, *flags, "-fsanitize=fuzzer", ignore])


def _host_compiler() -> list[str]:
    for name in ("cc", "gcc", "clang"):
        if path := shutil.which(name):
            return [path]
    return [*ZIG, "cc"]


def _build(config: CoreConfig, name: str, extra: Sequence[str], command: Sequence[str]) -> Path:
    files = compilation(config, SOURCES, "native", "fuzz") | {UNCOVERED: "src:native/*\n"}
    inputs = [p for p in files if p.endswith(".c") and p.startswith(("src/", "native/"))]
    inputs.remove("src/board_main.c")
    full = [*command, *WARNINGS, "-Isrc", "-Inative", "-Igenerated", *inputs, *extra, "-o", "built"]
    recipe = "\0".join([*full, *(f"{k}\0{v}" for k, v in files.items())])
    digest = hashlib.sha256(recipe.encode()).hexdigest()[:16]
    target = BUILT / f"{Path(name).stem}-{digest}{Path(name).suffix}"
    if target.exists():
        return target
    with workplace(files) as folder:
        compile_in(folder, full)
        BUILT.mkdir(parents=True, exist_ok=True)
        partial = target.with_name(f"{target.name}.{os.getpid()}")
        shutil.move(folder / "built", partial)
        partial.rename(target)
    return target
