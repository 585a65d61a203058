"""Verilator's lint of the generated Verilog: clean with four waivers; planted faults are found."""

from __future__ import annotations

import re

import pytest

from ohmcarlo.imports import without_collection
from ohmcarlo_rtl.configs import CONFIGS, REFERENCE, config_of
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
