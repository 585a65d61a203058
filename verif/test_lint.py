"""Verilator's lint of the generated Verilog: clean with four waivers; planted faults are found."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from ohmcarlo.imports import without_collection
from ohmcarlo_hdl.array.phy.parts import PhyConfig
from ohmcarlo_hdl.config import COMPACT, CoreConfig
from ohmcarlo_hdl.ip.ports import APB4, AXI4_LITE, BUSES, EMULATOR, PHY, PORTS
from ohmcarlo_rtl.configs import CONFIGS, REFERENCE, config_of
from ohmcarlo_rtl.controller.ip import ip_text
from ohmcarlo_rtl.controller.lint import WAIVERS, lint
from ohmcarlo_rtl.controller.modules import EMULATED_CORE, MODULES, complete_text


@pytest.mark.parametrize(
    "config",
    [pytest.param(c, marks=() if c == REFERENCE else pytest.mark.verify) for c in CONFIGS],
)
def test_lint(config: str) -> None:
    """The emulated core contains the core; the core alone is linted once."""
    for top in MODULES if config == REFERENCE else [EMULATED_CORE]:
        with without_collection():
            text = complete_text(top, config_of(config))
        assert not lint(text, top)


STREAMED = replace(COMPACT, max_streamed_points=512)
CORES = [
    *((COMPACT, bus, EMULATOR, True) for bus in BUSES),
    (COMPACT, APB4, PORTS, False),
    (STREAMED, AXI4_LITE, EMULATOR, True),
    (replace(COMPACT, phy=PhyConfig(50_000_000)), AXI4_LITE, PHY, True),
]


@pytest.mark.verify
@pytest.mark.parametrize(("config", "bus", "array", "streams"), CORES)
def test_lint_of_cores(config: CoreConfig, bus: str, array: str, streams: bool) -> None:
    """Cores for other designs: every bus, every array, with and without streams."""
    text = ip_text(config, bus, array, streams=streams)
    assert not lint(text, BUSES[bus].module)


def test_waivers() -> None:
    """Four rules are waived, for all files."""
    waived = re.findall(r"^lint_off (.*)$", WAIVERS.read_text(), re.M)
    assert waived == [
        f"-rule {rule}" for rule in ("WIDTHEXPAND", "WIDTHTRUNC", "UNUSEDSIGNAL", "PROCASSINIT")
    ]


FAULTS = {
    "LATCH": "  reg planted;\n  always @* if (a) planted = b;\n",
    "IMPLICIT": "  assign planted = a;\n",
    "UNDRIVEN": "  wire [1:0] planted;\n  assign planted[0] = a;\n  wire used = planted[1];\n",
    "BLKSEQ": "  reg planted;\n  always @(posedge a) planted = b;\n",
    "UNSIGNED": "  wire planted;\n  assign planted = {a, b} < 2'h0;\n",
    "CASEINCOMPLETE": "  reg planted;\n  always @* begin\n    planted = 1'h0;\n    case ({a, b})\n"
    "      2'h1: planted = 1'h1;\n    endcase\n  end\n",
    "PINMISSING": "  leaf planted (.a(a));\n",
}
CLEAN = """\
module top (input a, input b, output x);
  \\top.below  part (.a(a), .b(b), .x(x));
  leaf left (.a(a), .b(b));
{top}endmodule

module \\top.below (input a, input b, output x);
  assign x = a ^ b;
{below}endmodule

module leaf (input a, input b);
endmodule
"""


@pytest.mark.parametrize("where", ["top", "below"])
@pytest.mark.parametrize("rule", FAULTS)
def test_lint_sees(rule: str, where: str) -> None:
    """A fault is seen in the top and in a module below it."""
    text = CLEAN.format(**{"top": "", "below": ""} | {where: FAULTS[rule]})
    assert f"%Warning-{rule}" in lint(text, "top")


def test_lint_of_nothing() -> None:
    """Without a fault, the lint is clean."""
    assert not lint(CLEAN.format(top="", below=""), "top")
