"""``ohmcarlo export``: reproducible, complete, consistent, and nothing half-written.

The tests export a light core: the real buses and registers around a controller without logic.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import signal
import subprocess
import sys
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from light_core import LightDesign, light_request
from ohmcarlo.boards import pynq
from ohmcarlo.cli import app
from ohmcarlo_hdl.ip.ports import ARRAYS, AXI4_LITE, BUSES, EMULATOR
from ohmcarlo_hdl.regs.map import register_map
from ohmcarlo_rtl.controller.generate import MANIFEST
from ohmcarlo_rtl.export import folder as folders
from ohmcarlo_rtl.export import order, platform_designer, vivado
from ohmcarlo_rtl.export.design import Design
from ohmcarlo_rtl.export.order import export_core
from ohmcarlo_rtl.export.synthesis import FAMILIES, report, report_page, resources
from tcl_stubs import run_script

pytestmark = pytest.mark.hdl

ROOT = Path(__file__).parents[2]
SMALL = ["--rows", "16", "--pairs", "8", "--access-bits", "1", "--no-report"]
EVERY_CORE = [(bus, array) for bus in BUSES for array in ARRAYS]


@pytest.fixture
def light(monkeypatch: pytest.MonkeyPatch) -> None:
    """Exports of light cores."""
    monkeypatch.setattr(order, "Design", LightDesign)


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """The folder of a light core, and its manifest."""
    out = tmp_path_factory.mktemp("export") / "out"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(order, "Design", LightDesign)
        patch.setattr(order, "export_request", light_request)
        return out, export_core(out, bus=AXI4_LITE, array=EMULATOR, synthesis=False)


def content(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def run_verb(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str]:
    """Exit code and standard error."""
    code = app.main(["export", *map(str, arguments)])
    return code, capsys.readouterr().err


# -- the folder ----------------------------------------------------------------------------------
@pytest.mark.verify
@pytest.mark.slow
def test_reproducible(tmp_path: Path) -> None:
    """Processes in other folders and with other hash seeds write the same bytes."""
    folders = [tmp_path / "here", tmp_path / "deeper" / "there"]
    for seed, folder in enumerate(folders):
        folder.parent.mkdir(exist_ok=True)
        subprocess.run(
            [sys.executable, "-m", "ohmcarlo.cli.app", "export", folder.name, *SMALL],
            cwd=folder.parent,
            env=os.environ | {"PYTHONHASHSEED": str(seed)},
            check=True,
            capture_output=True,
        )
    first, second = map(content, folders)
    assert first == second
    texts = b"".join(first.values())
    assert str(tmp_path).encode() not in texts
    assert str(ROOT).encode() not in texts


def test_manifest(exported: tuple[Path, dict[str, Any]]) -> None:
    """The manifest has every file with its hash, and the files of every tool flow are there."""
    folder, manifest = exported
    found = content(folder)
    assert json.loads(found.pop(MANIFEST)) == manifest
    hashes = {name: hashlib.sha256(raw).hexdigest() for name, raw in found.items()}
    assert hashes == manifest["sha256"]
    assert {Path(name).suffix for name in found} >= {
        ".v", ".sv", ".core", ".xml", ".tcl", ".py", ".h", ".c", ".hex", ".xdc", ".sdc", ".html",
        ".md", ".vlt",
    }  # fmt: skip
    config = light_request(AXI4_LITE, EMULATOR).config
    assert manifest["register_map"] != register_map(config).hash, "the page of the core is missing"
    readme = found["README.md"].decode()
    for name in found:
        if name != "README.md":
            assert f"`{name}`" in readme or f"`{name.split('/')[0]}/`" in readme, name


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--bus", "ahb"], "bus 'ahb' is unknown: choose --bus native, axi4-lite, apb4 or wishb"),
        (["--array", "die"], "array 'die' is unknown: choose --array emulator, ports or phy"),
        (["--rows", "100000"], "rows = 100000: an array needs 4 to 65536 rows"),
        (["--pairs", "3"], "entropy_pairs = 4: the coin needs"),
        (["--access-bits", "3"], "access_bits = 3: choose one of 1, 2, 4, 8"),
        (["--max-points", "1000"], "--max-points = 1000: choose a power of two"),
        (["--streamed-points", "4096", "--no-streams"], "leave --no-streams out"),
        (["--array", "phy", "--pairs", "16"], "array phy: give --clock MHZ"),
        (["--array", "phy", "--clock", "50", "--pairs", "64"], "choose --pairs 32 or fewer"),
        (["--array", "phy", "--clock", "50", "--access-bits", "8"], "choose access_bits = 1"),
        (["--streamed-points", "100"], "--streamed-points = 100: "),
        (["--clock", "0"], "--clock 0: choose a frequency in MHz"),
        (["--clock", "1e-9"], "--clock 1e-09: choose a frequency in MHz from 1e-06 to 1000"),
        (["--clock", "nan"], "--clock nan: choose a frequency in MHz"),
    ],
)
def test_bad_use(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    """One line that states what to do; exit code 2; nothing is written."""
    code, printed = run_verb(capsys, tmp_path / "a" / "out", "--no-report", *arguments)
    assert code == 2
    assert printed.count("\n") == 1
    assert message in printed
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_empty(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    assert run_verb(capsys, tmp_path, *SMALL) == (
        2,
        f"ohmcarlo: the core cannot be built: {tmp_path} is not empty: give a new folder, or "
        "remove this one\n",
    )
    assert content(tmp_path) == {"mine.txt": b"mine"}


@pytest.mark.parametrize("below", ["", "deeper"])
def test_a_file_in_place_of_the_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], below: str
) -> None:
    file = tmp_path / "file"
    file.write_text("mine")
    code, printed = run_verb(capsys, file / below, *SMALL)
    assert (code, printed.count("\n")) == (2, 1)
    assert "give " in printed
    assert content(tmp_path) == {"file": b"mine"}


def test_a_folder_that_cannot_be_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(folder: Path) -> None:
        raise PermissionError(13, "Permission denied", str(folder))

    monkeypatch.setattr(folders, "_probe", refuse)  # the tests may run as root
    code, printed = run_verb(capsys, tmp_path / "out", *SMALL)
    assert (code, printed.count("\n")) == (2, 1)
    assert "cannot be written (Permission denied): give another folder" in printed
    assert list(tmp_path.iterdir()) == []


def test_the_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, light: None) -> None:
    """An empty folder is filled, not replaced: a shell in it sees the files."""
    monkeypatch.setattr(order, "core_files", lambda *arguments: {"a/b": "text"})
    monkeypatch.setattr(order, "with_manifest", lambda design, files, _: files | {MANIFEST: "{}"})
    before = tmp_path.stat().st_ino
    monkeypatch.chdir(tmp_path)
    export_core(Path(), bus=AXI4_LITE, rows=16, pairs=8, synthesis=False)
    assert content(tmp_path) == {"a/b": b"text", MANIFEST: b"{}"}
    assert tmp_path.stat().st_ino == before


@pytest.mark.parametrize("empty", [False, True])
@pytest.mark.parametrize("late", ["core_files", "write", "_move_up"])
def test_a_failure_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, light: None, late: str, empty: bool
) -> None:
    """Neither files nor folders, at any stage; an empty folder that was there stays empty."""

    def fail(*arguments: Any) -> None:
        raise KeyboardInterrupt  # Ctrl-C

    monkeypatch.setattr(order, "core_files", lambda *arguments: {"README.md": "half"})
    monkeypatch.setattr(order, "with_manifest", lambda *arguments: {MANIFEST: "{}"})
    if late == "_move_up" and not empty:
        monkeypatch.setattr(Path, "replace", fail)
    else:
        monkeypatch.setattr(order if hasattr(order, late) else folders, late, fail)
    out = tmp_path / "a" / "out"
    if empty:
        out.mkdir(parents=True)
    with pytest.raises(KeyboardInterrupt):
        export_core(out, bus=AXI4_LITE, rows=16, pairs=8, synthesis=False)
    left = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*"))
    assert left == (["a", "a/out"] if empty else [])


@pytest.mark.usefixtures("ctrl_c")
def test_an_interrupt_within_a_library(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, light: None
) -> None:
    """The parser of SystemRDL, a library in C, raises a TypeError at Ctrl-C."""

    def parse(*arguments: Any) -> None:
        try:
            signal.raise_signal(signal.SIGINT)
        except KeyboardInterrupt:
            raise TypeError("not a subtype of type") from None

    monkeypatch.setattr(order, "core_files", parse)
    handler = signal.getsignal(signal.SIGINT)
    assert run_verb(capsys, tmp_path / "out", *SMALL) == (130, "ohmcarlo: interrupted\n")
    assert list(tmp_path.iterdir()) == []
    assert signal.getsignal(signal.SIGINT) is handler


def test_without_the_tools(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The message names the extra to install."""
    import importlib.util

    original = importlib.util.find_spec
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            importlib.util,
            "find_spec",
            lambda name, *rest: None if name == "peakrdl_ipxact" else original(name, *rest),
        )
        code, printed = run_verb(capsys, tmp_path / "out", *SMALL)
    assert code == 2
    assert printed == (
        "ohmcarlo: the core cannot be built: peakrdl_ipxact not installed: "
        "pip install 'ohmcarlo[hdl]'\n"
    )


def test_what_other_tools_read_is_ascii(exported: tuple[Path, dict[str, Any]]) -> None:
    """Tcl and some simulators read files in the encoding of the system. XML and Python state it."""
    kinds = {".core", ".tcl", ".v", ".sv", ".vlt", ".c", ".h", ".hex", ".xdc", ".sdc"}
    files = {n: raw for n, raw in content(exported[0]).items() if Path(n).suffix in kinds}
    assert {Path(name).suffix for name in files} == kinds
    assert [name for name, raw in files.items() if not raw.isascii()] == []


# -- ports ---------------------------------------------------------------------------------------
def test_the_ports_are_those_of_the_verilog(exported: tuple[Path, dict[str, Any]]) -> None:
    """The port table, the test bench and the IP-XACT have every port with direction and width."""
    module = "ohmcarlo_axi4_lite"
    files = {name: raw.decode() for name, raw in content(exported[0]).items()}
    text = files[f"rtl/{module}.v"].partition(f"module {module}(")[2].partition("endmodule")[0]
    ports = re.findall(r"^  (in|out)put (?:\[(\d+):0\] )?(\w+);", text, re.M)
    assert len(ports) > 30
    table, xml = files["docs/ports.md"], files[f"ipxact/{module}.xml"]
    bench = files[f"sim/{module}_tb.sv"]
    for way, high, name in ports:
        width = int(high or 0) + 1
        assert re.search(rf"^\| `{name}` \| {way} \| {width} \| \S.* \|$", table, re.M), name
        assert f".{name}({name})" in bench
        found = re.search(rf"<ipxact:port>\s*<ipxact:name>{name}<.*?</ipxact:port>", xml, re.S)
        assert found and f"<ipxact:direction>{way}<" in found[0]
        assert (f"<ipxact:left>{width - 1}<" in found[0]) == (width > 1)
    assert len(re.findall(r"^\| `", table, re.M)) == len(ports)


# -- Tcl -----------------------------------------------------------------------------------------
@pytest.mark.parametrize(("bus", "array"), EVERY_CORE)
def test_scripts_of_the_vendors(bus: str, array: str) -> None:
    """A Tcl interpreter with stubs runs the scripts: every port has its place, and every interface
    its clock."""
    for streams in (True, False):
        design = LightDesign(replace(light_request(bus, array), streams=streams))
        assert faults_of_vivado(design, scripts(design)[0]) == []
        assert faults_of_platform_designer(design, scripts(design)[1]) == []


@pytest.mark.parametrize(
    ("which", "old", "new"),
    [
        (0, "ipx::associate_bus_interfaces -busif m_axis_records -clock aclk $core", ""),
        (0, "AWADDR s_axi_awaddr", "AWADDR s_axi_wdata"),
        (0, "ACTIVE_LOW", "ACTIVE_HIGH"),
        (0, "ipx::save_core $core", ""),
        (1, "add_interface_port s_axi s_axi_rdata rdata Output 32", ""),
        (1, "rready Input 1", "rready Output 1"),
        (1, "set_interface_property s_axi associatedReset reset", ""),
    ],
)
def test_a_planted_fault_in_a_script(which: int, old: str, new: str) -> None:
    design = LightDesign(light_request(AXI4_LITE, EMULATOR))
    text = scripts(design)[which]
    assert old in text
    check = (faults_of_vivado, faults_of_platform_designer)[which]
    assert check(design, text.replace(old, new)) != []


def test_pynq_finds_the_packaged_core() -> None:
    """The driver for PYNQ binds to the name that the script for Vivado gives the core."""
    calls = run_script(scripts(LightDesign(light_request(AXI4_LITE, EMULATOR)))[0], "/core/p.tcl")
    (package,) = calls.of("ipx::package_project")
    words = dict(pairwise(package))
    properties = {w[0]: w[1] for w in calls.of("set_property")}
    vlnv = (words["-vendor"], words["-library"], properties["name"], properties["version"])
    assert (":".join(vlnv),) == pynq.VLNVS


def scripts(design: Design) -> tuple[str, str]:
    verilog = f"rtl/{design.request.module}.v"
    return (
        vivado.package_script(design.request, design.ports, verilog, "vivado/package_ip.tcl"),
        platform_designer.component(design.request, design.ports, verilog),
    )


def faults_of_vivado(design: Design, text: str) -> list[str]:
    """What is wrong in the calls of ``package_ip.tcl``."""
    calls = run_script(text, "/core/vivado/package_ip.tcl")
    protocol, ports = design.ports.protocol, {port.name for port in design.ports}
    faults = []
    added = calls.of("add_files")
    if [Path(w[-1]).name for w in added] != [f"{design.request.module}.v"]:
        faults.append(f"sources: {added}")
    if len(calls.of("ipx::package_project")) != 1 or len(calls.of("ipx::save_core")) != 1:
        faults.append("the core is not packaged and saved")
    polarity = "ACTIVE_LOW" if protocol.active_low else "ACTIVE_HIGH"
    if [w for w in calls.of("set_property") if w[:2] == ["value", polarity]] == []:
        faults.append("level of the reset")
    interfaces = {w[0] for w in calls.of("ipx::add_bus_interface")}
    clocked = {w[1]: w[3] for w in calls.of("ipx::associate_bus_interfaces") if w[0] == "-busif"}
    expected = {"m_axis_records", "s_axis_data"} if design.request.streams else set()
    expected |= {design.ports.slave.name} if design.request.bus in ("axi4-lite", "apb4") else set()
    if interfaces != expected or clocked != dict.fromkeys(expected, protocol.clock):
        faults.append(f"interfaces {interfaces}, clocks {clocked}")
    names = [w[1] for w in calls.of("set_property") if w[0] == "physical_name"]
    logical = [w[0] for w in calls.of("ipx::add_port_map")]
    faults += [f"{name} is no port" for name in names if name not in ports]
    faults += [
        f"{signal} is {name}"
        for signal, name in zip(logical, names, strict=True)
        if not name.endswith(signal.lower())
    ]
    return faults + [f"{name} twice" for name in set(names) if names.count(name) > 1]


def faults_of_platform_designer(design: Design, text: str) -> list[str]:
    """What is wrong in the calls of ``_hw.tcl``."""
    calls = run_script(text, "/core/quartus/core_hw.tcl")
    wanted = {
        (port.name, "Input" if port.flow.name == "In" else "Output", str(port.width))
        for port in design.ports
    }
    found = [(w[1], *w[3:]) for w in calls.of("add_interface_port")]
    faults = [f"ports {sorted(wanted ^ set(found))}"] if wanted != set(found) else []
    if len(found) != len(set(found)):
        faults.append("a port belongs to two interfaces")
    interfaces = {w[0] for w in calls.of("add_interface")}
    settings = [tuple(w) for w in calls.of("set_interface_property")]
    for name in interfaces - {"clock"}:
        if (name, "associatedClock", "clock") not in settings:
            faults.append(f"{name} has no clock")
        if name != "reset" and (name, "associatedReset", "reset") not in settings:
            faults.append(f"{name} has no reset")
    if {w[0] for w in calls.of("add_interface_port")} - interfaces:
        faults.append("a port of an unknown interface")
    return faults


# -- synthesis -----------------------------------------------------------------------------------
COUNTER = """\
module counter (input clk, input rst, output reg [7:0] value);
  always @(posedge clk) value <= rst ? 8'd0 : value + 8'd1;
endmodule
"""


def test_resources_of_cells() -> None:
    """Cells that hold more than one LUT, or half of a block RAM, are counted as such."""
    ecp5 = resources(FAMILIES["ecp5"], {"LUT4": 3, "CCU2C": 4, "TRELLIS_FF": 7, "PFUMX": 9})
    assert ecp5 == {"LUTs": 11, "flip-flops": 7, "block RAMs": 0, "multipliers": 0}
    xilinx = resources(FAMILIES["xilinx"], {"LUT6": 2, "RAMB18E1": 3, "DSP48E1": 1, "FDRE": 4})
    assert xilinx == {"LUTs": 2, "flip-flops": 4, "block RAMs": 1.5, "multipliers": 1}


@pytest.mark.verify
@pytest.mark.slow
def test_report_of_a_counter(tmp_path: Path) -> None:
    """An 8-bit counter has eight flip-flops in every family; the page shows them."""
    found: dict[str, Any] = report(COUNTER, "counter", tmp_path, lambda line: None)
    for name in FAMILIES:
        assert found["families"][name]["resources"]["flip-flops"] == 8
    assert found["families"]["ecp5"]["cells"]["CCU2C"] == 4  # two bits of a sum in each
    assert found["families"]["xilinx"]["cells"]["CARRY4"] == 2  # four
    page = report_page("A counter", found)
    assert all(family.title in page for family in FAMILIES.values())
